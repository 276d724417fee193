//! What the door needs of the projector: look-ups in one tenant's directory, and waiting for the fold.
//!
//! It is a trait so that the door can be tried against a directory of its own making; in the process it is
//! always the projector's [`TenantHandle`].

use std::fmt;

use futures::future::BoxFuture;
use rollcall_domain::{ConnectionName, EventId, ExternalKey, GroupId, TenantKey, UserId};
use rollcall_eventlog::Position;
use rollcall_projector::{
    GroupResource, Page, ProjectorError, Settled, TenantHandle, UserFacts, UserResource,
};

/// One tenant's directory, as the projector's handle gives it. Every look-up is limited to the users and
/// groups that the connection created. No look-up waits, except [`Directory::settled`] and
/// [`Directory::read_barrier`].
pub trait Directory: fmt::Debug + Send + Sync {
    /// The key of the tenant's name hashes.
    fn key(&self) -> &TenantKey;

    /// Waits, a bounded time, until the directory has taken in `position`; gives the verdict on `event`.
    fn settled(&self, position: Position, event: EventId) -> BoxFuture<'_, Result<Settled, ProjectorError>>;

    /// Waits, a bounded time, until the directory has taken in all that is durable now.
    fn read_barrier(&self) -> BoxFuture<'_, Result<(), ProjectorError>>;

    /// A live user.
    ///
    /// # Errors
    /// When its document cannot be read.
    fn user(&self, of: &ConnectionName, user: UserId) -> Result<Option<UserResource>, ProjectorError>;

    /// What is known of a live user without reading its document. Cheap: asked for every user of a long list.
    fn user_facts(&self, of: &ConnectionName, user: UserId) -> Option<UserFacts>;

    /// Whether there is such a live user. Cheap: asked for every member that a request names.
    fn has_user(&self, of: &ConnectionName, user: UserId) -> bool;

    /// Whether there is such a live group. As cheap.
    fn has_group(&self, of: &ConnectionName, group: GroupId) -> bool;

    /// The live user with this userName, without regard to case.
    fn user_by_name(&self, of: &ConnectionName, user_name: &str) -> Option<UserId>;

    /// The live users with this externalId.
    fn users_by_external(&self, of: &ConnectionName, external: ExternalKey) -> Vec<UserId>;

    /// The live users who may have this e-mail address, whatever its case; nobody else has it. `None` when no index
    /// can tell.
    ///
    /// # Errors
    /// When the index cannot be read.
    fn users_by_mail(
        &self,
        of: &ConnectionName,
        address: &str,
    ) -> Result<Option<Vec<UserId>>, ProjectorError>;

    /// Live users in a stable order; `start` counts from 1.
    fn users_page(&self, of: &ConnectionName, start: u64, count: usize) -> Page<UserId>;

    /// Live users that were created after (or, going back, before) `anchor`, which may be deleted by now;
    /// nearest first. `None` when no such user was ever here.
    fn users_beside(
        &self,
        of: &ConnectionName,
        anchor: Option<UserId>,
        back: bool,
        count: usize,
    ) -> Option<Page<UserId>>;

    /// A live group, with its members when asked for.
    fn group(&self, of: &ConnectionName, group: GroupId, with_members: bool) -> Option<GroupResource>;

    /// The live group with this displayName, without regard to case.
    fn group_by_name(&self, of: &ConnectionName, display_name: &str) -> Option<GroupId>;

    /// The live groups with exactly this externalId.
    fn groups_by_external(&self, of: &ConnectionName, external_id: &str) -> Vec<GroupId>;

    /// Live groups in a stable order; `start` counts from 1.
    fn groups_page(&self, of: &ConnectionName, start: u64, count: usize) -> Page<GroupId>;

    /// Live groups beside one, as [`Directory::users_beside`].
    fn groups_beside(
        &self,
        of: &ConnectionName,
        anchor: Option<GroupId>,
        back: bool,
        count: usize,
    ) -> Option<Page<GroupId>>;

    /// Whether the user is a direct member of the group.
    fn group_has_user(&self, group: GroupId, user: UserId) -> bool;

    /// Whether `member` is directly nested in `group`.
    fn group_has_group(&self, group: GroupId, member: GroupId) -> bool;

    /// The groups that the user is in directly.
    fn groups_of_user(&self, user: UserId) -> Vec<GroupId>;

    /// The groups that the group is nested in directly.
    fn groups_of_group(&self, group: GroupId) -> Vec<GroupId>;

    /// The groups that are nested in the group directly.
    fn groups_in_group(&self, group: GroupId) -> Vec<GroupId>;
}

impl Directory for TenantHandle {
    fn key(&self) -> &TenantKey {
        self.key()
    }
    fn settled(&self, position: Position, event: EventId) -> BoxFuture<'_, Result<Settled, ProjectorError>> {
        Box::pin(self.settled(position, event))
    }
    fn read_barrier(&self) -> BoxFuture<'_, Result<(), ProjectorError>> {
        Box::pin(self.read_barrier())
    }
    fn user(&self, of: &ConnectionName, user: UserId) -> Result<Option<UserResource>, ProjectorError> {
        self.user(of, user)
    }
    fn user_facts(&self, of: &ConnectionName, user: UserId) -> Option<UserFacts> {
        self.user_facts(of, user)
    }
    fn has_user(&self, of: &ConnectionName, user: UserId) -> bool {
        self.has_user(of, user)
    }
    fn has_group(&self, of: &ConnectionName, group: GroupId) -> bool {
        self.has_group(of, group)
    }
    fn user_by_name(&self, of: &ConnectionName, user_name: &str) -> Option<UserId> {
        self.user_by_name(of, user_name)
    }
    fn users_by_external(&self, of: &ConnectionName, external: ExternalKey) -> Vec<UserId> {
        self.users_by_external(of, external)
    }
    fn users_by_mail(
        &self,
        of: &ConnectionName,
        address: &str,
    ) -> Result<Option<Vec<UserId>>, ProjectorError> {
        self.users_by_mail(of, address)
    }
    fn users_page(&self, of: &ConnectionName, start: u64, count: usize) -> Page<UserId> {
        self.users_page(of, start, count)
    }
    fn users_beside(
        &self,
        of: &ConnectionName,
        anchor: Option<UserId>,
        back: bool,
        count: usize,
    ) -> Option<Page<UserId>> {
        self.users_beside(of, anchor, back, count)
    }
    fn groups_beside(
        &self,
        of: &ConnectionName,
        anchor: Option<GroupId>,
        back: bool,
        count: usize,
    ) -> Option<Page<GroupId>> {
        self.groups_beside(of, anchor, back, count)
    }
    fn group(&self, of: &ConnectionName, group: GroupId, with_members: bool) -> Option<GroupResource> {
        self.group(of, group, with_members)
    }
    fn group_by_name(&self, of: &ConnectionName, display_name: &str) -> Option<GroupId> {
        self.group_by_name(of, display_name)
    }
    fn groups_by_external(&self, of: &ConnectionName, external_id: &str) -> Vec<GroupId> {
        self.groups_by_external(of, external_id)
    }
    fn groups_page(&self, of: &ConnectionName, start: u64, count: usize) -> Page<GroupId> {
        self.groups_page(of, start, count)
    }
    fn group_has_user(&self, group: GroupId, user: UserId) -> bool {
        self.group_has_user(group, user)
    }
    fn group_has_group(&self, group: GroupId, member: GroupId) -> bool {
        self.group_has_group(group, member)
    }
    fn groups_of_user(&self, user: UserId) -> Vec<GroupId> {
        self.groups_of_user(user)
    }
    fn groups_of_group(&self, group: GroupId) -> Vec<GroupId> {
        self.groups_of_group(group)
    }
    fn groups_in_group(&self, group: GroupId) -> Vec<GroupId> {
        self.groups_in_group(group)
    }
}
