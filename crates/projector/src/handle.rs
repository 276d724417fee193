//! What the other rooms hold of one tenant.

use rollcall_domain::{
    AccountKey, Catalog, ConnectionName, DesiredUser, EventId, ExternalKey, GroupId, NameKey, Policy,
    TenantId, TenantKey, UserId,
};
use rollcall_eventlog::Position;

use crate::{
    Explanation, GroupResource, HoldsPage, OpenDecision, Page, ProjectorError, Settled, TenantStatus,
    UserResource, WakeReceiver,
};

/// One tenant's directory and desired users. Cheap to clone. Reads take a short shared lock; none of them waits for
/// the log or for the driver, except the two that say so.
#[derive(Debug, Clone)]
pub struct TenantHandle {
    id: TenantId,
    key: TenantKey,
}

/// Who is to be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// An account.
    Account(AccountKey),
    /// The account that a directory user claims.
    User(UserId),
}

impl TenantHandle {
    /// The tenant.
    #[must_use]
    pub fn id(&self) -> &TenantId {
        &self.id
    }

    /// The key of the tenant's name hashes.
    #[must_use]
    pub fn key(&self) -> &TenantKey {
        &self.key
    }

    /// Waits until the directory has taken in `position`, and gives the verdict on the event that stands there.
    /// After that every read sees it. Waits at most [`SETTLE_WAIT_MAX`](crate::limits::SETTLE_WAIT_MAX).
    ///
    /// # Errors
    /// [`ProjectorError::NotSettled`], [`ProjectorError::VerdictForgotten`], [`ProjectorError::Stopped`].
    pub async fn settled(&self, position: Position, event: EventId) -> Result<Settled, ProjectorError> {
        let _ = (position, event);
        Err(stopped())
    }

    /// Waits until the directory has taken in all that was durable in the log when this was called; at most
    /// [`SETTLE_WAIT_MAX`](crate::limits::SETTLE_WAIT_MAX). For reads over several processes.
    ///
    /// # Errors
    /// As [`TenantHandle::settled`], and that the log cannot tell its end.
    pub async fn read_barrier(&self) -> Result<(), ProjectorError> {
        Err(stopped())
    }

    /// A live user of the connection.
    ///
    /// # Errors
    /// [`ProjectorError::Unreadable`] when its document cannot be read.
    pub fn user(
        &self,
        connection: &ConnectionName,
        user: UserId,
    ) -> Result<Option<UserResource>, ProjectorError> {
        let _ = (connection, user);
        Err(stopped())
    }

    /// The live user of the connection with this userName, without regard to case.
    #[must_use]
    pub fn user_by_name(&self, connection: &ConnectionName, user_name: &str) -> Option<UserId> {
        let _ = (connection, user_name);
        None
    }

    /// The live users of the connection with this externalId.
    #[must_use]
    pub fn users_by_external(&self, connection: &ConnectionName, external: ExternalKey) -> Vec<UserId> {
        let _ = (connection, external);
        Vec::new()
    }

    /// Live users of the connection in order of creation. `start` counts from 1 (SCIM `startIndex`); at most
    /// [`PAGE_MAX`](crate::limits::PAGE_MAX) ids.
    #[must_use]
    pub fn users_page(&self, connection: &ConnectionName, start: u64, count: usize) -> Page<UserId> {
        let _ = (connection, start, count);
        Page {
            total: 0,
            ids: Vec::new(),
        }
    }

    /// A live group of the connection; its members only when asked for, since there may be many.
    #[must_use]
    pub fn group(
        &self,
        connection: &ConnectionName,
        group: GroupId,
        with_members: bool,
    ) -> Option<GroupResource> {
        let _ = (connection, group, with_members);
        None
    }

    /// The live group of the connection with this displayName, without regard to case.
    #[must_use]
    pub fn group_by_name(&self, connection: &ConnectionName, display_name: &str) -> Option<GroupId> {
        let _ = (connection, display_name);
        None
    }

    /// The live groups of the connection with exactly this externalId.
    #[must_use]
    pub fn groups_by_external(&self, connection: &ConnectionName, external_id: &str) -> Vec<GroupId> {
        let _ = (connection, external_id);
        Vec::new()
    }

    /// Live groups of the connection in order of creation, as [`TenantHandle::users_page`].
    #[must_use]
    pub fn groups_page(&self, connection: &ConnectionName, start: u64, count: usize) -> Page<GroupId> {
        let _ = (connection, start, count);
        Page {
            total: 0,
            ids: Vec::new(),
        }
    }

    /// Whether the user is a direct member of the group. Costs the user's groups, not the group's members.
    #[must_use]
    pub fn group_has_user(&self, group: GroupId, user: UserId) -> bool {
        let _ = (group, user);
        false
    }

    /// Whether the group `member` is directly nested in `group`.
    #[must_use]
    pub fn group_has_group(&self, group: GroupId, member: GroupId) -> bool {
        let _ = (group, member);
        false
    }

    /// The groups that the user is in directly, by id.
    #[must_use]
    pub fn groups_of_user(&self, user: UserId) -> Vec<GroupId> {
        let _ = user;
        Vec::new()
    }

    /// The groups that the group is nested in directly, by id.
    #[must_use]
    pub fn groups_of_group(&self, group: GroupId) -> Vec<GroupId> {
        let _ = group;
        Vec::new()
    }

    /// The account that the user claims, deleted users too.
    #[must_use]
    pub fn account_of(&self, user: UserId) -> Option<AccountKey> {
        let _ = user;
        None
    }

    /// The account of a userName.
    #[must_use]
    pub fn account_named(&self, user_name: &str) -> AccountKey {
        self.key.name_key(user_name)
    }

    /// The userName behind an account, from a claimant that is not deleted. Personal.
    #[must_use]
    pub fn user_name(&self, account: AccountKey) -> Option<String> {
        let _ = account;
        None
    }

    /// What Fluent should hold for the account now; `None` when nobody ever claimed it.
    ///
    /// # Errors
    /// [`ProjectorError::Unreadable`] when the claimant's document cannot be read.
    pub fn desired(&self, account: AccountKey) -> Result<Option<DesiredUser>, ProjectorError> {
        let _ = account;
        Err(stopped())
    }

    /// The account that this one's claimant was renamed to: that one is made usable before this one is closed.
    #[must_use]
    pub fn successor(&self, account: AccountKey) -> Option<AccountKey> {
        let _ = account;
        None
    }

    /// Accounts in the order they were first claimed, after `after`; at most `max` and
    /// [`PAGE_MAX`](crate::limits::PAGE_MAX). An empty list is the end.
    #[must_use]
    pub fn accounts_page(&self, after: Option<AccountKey>, max: usize) -> Vec<AccountKey> {
        let _ = (after, max);
        Vec::new()
    }

    /// From now on every account whose desired user changes is told. Accounts that changed before are not: walk
    /// [`TenantHandle::accounts_page`] after subscribing.
    #[must_use]
    pub fn subscribe(&self) -> WakeReceiver {
        crate::api::WakeQueue::default().receiver()
    }

    /// The desired user with the text of every derivation.
    ///
    /// # Errors
    /// As [`TenantHandle::desired`].
    pub fn explain(&self, subject: Subject) -> Result<Option<Explanation>, ProjectorError> {
        let _ = subject;
        Err(stopped())
    }

    /// The catalog in force.
    #[must_use]
    pub fn catalog(&self) -> Catalog {
        Catalog::default()
    }

    /// The catalog as the last reading had it: in force, less what is withheld or was rejected as a loss. What a
    /// new reading is to be compared with, so that no loss is reported twice.
    #[must_use]
    pub fn catalog_reported(&self) -> Catalog {
        Catalog::default()
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy::default()
    }

    /// The version of the rule set in force; none before the first.
    #[must_use]
    pub fn rules_version(&self) -> Option<String> {
        None
    }

    /// Held accounts after `after` in the order of [`TenantHandle::accounts_page`]; looks at
    /// [`PAGE_MAX`](crate::limits::PAGE_MAX) accounts at most.
    ///
    /// # Errors
    /// As [`TenantHandle::desired`].
    pub fn holds_page(&self, after: Option<AccountKey>) -> Result<HoldsPage, ProjectorError> {
        let _ = after;
        Err(stopped())
    }

    /// Holds that wait for an operator.
    #[must_use]
    pub fn open_decisions(&self) -> Vec<OpenDecision> {
        Vec::new()
    }

    /// Figures.
    #[must_use]
    pub fn status(&self) -> TenantStatus {
        TenantStatus::default()
    }

    /// The key of a name: as [`TenantKey::name_key`].
    #[must_use]
    pub fn name_key(&self, user_name: &str) -> NameKey {
        self.key.name_key(user_name)
    }
}

fn stopped() -> ProjectorError {
    ProjectorError::Stopped {
        reason: "not started".to_owned(),
    }
}
