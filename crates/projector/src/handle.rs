//! What the other rooms hold of one tenant.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rollcall_domain::{
    AccountKey, Catalog, ConnectionName, DesiredUser, EventId, ExternalKey, GroupId, MemberSet, NameKey,
    Policy, RuleSet, TenantId, TenantKey, UserId, fold_case,
};
use rollcall_eventlog::{Position, ReadError, Stream};
use tokio::time::Instant;

use crate::access::user_name;
use crate::driver::{Core, Live, Publisher, Tenant};
use crate::fold::{AccountIx, Connection, ConnectionIx, GroupIx, Index as _, Roster, UserIx, targets};
use crate::limits::{PAGE_MAX, SETTLE_WAIT_MAX};
use crate::{
    Explanation, GroupResource, HeldAccount, HoldsPage, OpenDecision, Page, ProjectorError, Quarantined,
    Settled, TenantState, TenantStatus, UserFacts, UserResource, WakeReceiver,
};

/// One tenant's directory and desired users. Cheap to clone. Reads take a short shared lock; none of them
/// waits for the log or for the driver, except the two that say so.
#[derive(Clone)]
pub struct TenantHandle {
    core: Arc<Core>,
    tenant: Arc<Tenant>,
    key: TenantKey,
    publisher: Publisher,
}

impl fmt::Debug for TenantHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantHandle({})", self.tenant.id)
    }
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
    pub(crate) fn new(core: Arc<Core>, tenant: Arc<Tenant>, key: TenantKey, publisher: Publisher) -> Self {
        Self {
            core,
            tenant,
            key,
            publisher,
        }
    }

    /// The tenant.
    #[must_use]
    pub fn id(&self) -> &TenantId {
        &self.tenant.id
    }

    /// The key of the tenant's name hashes.
    #[must_use]
    pub fn key(&self) -> &TenantKey {
        &self.key
    }

    /// Waits until the directory has taken in `position`, and gives the verdict on the event that stands
    /// there. After that every read sees it. Waits at most
    /// [`SETTLE_WAIT_MAX`].
    ///
    /// # Errors
    /// [`ProjectorError::NotSettled`], [`ProjectorError::VerdictForgotten`], [`ProjectorError::Stopped`].
    pub async fn settled(&self, position: Position, event: EventId) -> Result<Settled, ProjectorError> {
        self.core.check_running()?;
        self.core.wait_for(position, SETTLE_WAIT_MAX).await?;
        let settled = self.tenant.live.read().state.verdicts.get(event);
        settled.ok_or(ProjectorError::VerdictForgotten { position })
    }

    /// Waits until the directory has taken in all that was durable in the log when this was called; at most
    /// [`SETTLE_WAIT_MAX`], the question to the log included. For reads over several processes.
    ///
    /// # Errors
    /// As [`TenantHandle::settled`], and that the log cannot tell its end.
    pub async fn read_barrier(&self) -> Result<(), ProjectorError> {
        self.read_barrier_within(SETTLE_WAIT_MAX).await
    }

    async fn read_barrier_within(&self, most: Duration) -> Result<(), ProjectorError> {
        self.core.check_running()?;
        let until = Instant::now() + most;
        let end = self.core.log.end(Stream::Events, self.core.partition);
        let end = tokio::time::timeout(most, end).await.unwrap_or_else(|_| {
            Err(ReadError::Unavailable {
                stream: Stream::Events,
                reason: format!("it did not say within {most:?} where it ends"),
            })
        });
        match end? {
            Some(end) => {
                self.core
                    .wait_for(end, until.duration_since(Instant::now()))
                    .await
            }
            None => Ok(()),
        }
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
        let live = self.tenant.live.read();
        let state = &live.state;
        let Some(ix) = state
            .connection_ix(connection.as_str())
            .and_then(|c| state.live_user(c, user))
        else {
            return Ok(None);
        };
        let attributes = self.tenant.attributes(&live, ix)?.unwrap_or_default();
        let Some(entry) = state.users.get(ix) else {
            return Ok(None);
        };
        let Some(account) = state.accounts.get(entry.account) else {
            return Ok(None);
        };
        let groups = state
            .group_ids(targets(&entry.groups))
            .into_iter()
            .filter_map(|id| state.group_ref(id));
        Ok(Some(UserResource {
            id: user,
            connection: connection.clone(),
            attributes,
            active: entry.active,
            roles: state.assigned_list(&entry.roles),
            groups: groups.collect(),
            name_key: account.key,
            external_key: entry.external,
            revision: entry.revision,
            created: entry.created,
            changed: entry.changed,
        }))
    }

    /// What is known of a live user of the connection without reading its document.
    #[must_use]
    pub fn user_facts(&self, connection: &ConnectionName, user: UserId) -> Option<UserFacts> {
        let state = &self.tenant.live.read().state;
        let ix = state.live_user(state.connection_ix(connection.as_str())?, user)?;
        let entry = state.users.get(ix)?;
        Some(UserFacts {
            active: entry.active,
            created: entry.created,
            changed: entry.changed,
        })
    }

    /// Whether the connection has this live user. Does not read its document.
    #[must_use]
    pub fn has_user(&self, connection: &ConnectionName, user: UserId) -> bool {
        let state = &self.tenant.live.read().state;
        state
            .connection_ix(connection.as_str())
            .is_some_and(|connection| state.live_user(connection, user).is_some())
    }

    /// Whether the connection has this live group.
    #[must_use]
    pub fn has_group(&self, connection: &ConnectionName, group: GroupId) -> bool {
        let state = &self.tenant.live.read().state;
        state
            .connection_ix(connection.as_str())
            .is_some_and(|connection| state.live_group(connection, group).is_some())
    }

    /// The live user of the connection with this userName, without regard to case.
    #[must_use]
    pub fn user_by_name(&self, connection: &ConnectionName, user_name: &str) -> Option<UserId> {
        let live = self.tenant.live.read();
        let state = &live.state;
        let connection = state.connection_ix(connection.as_str())?;
        let account = state.account_ix(self.key.name_key(user_name))?;
        state
            .users
            .get(state.name_holder(connection, account)?)
            .map(|user| user.id)
    }

    /// The live users of the connection with this externalId.
    #[must_use]
    pub fn users_by_external(&self, connection: &ConnectionName, external: ExternalKey) -> Vec<UserId> {
        let find = |state: &TenantState, connection| state.users_by_external(connection, external);
        self.found(connection, find, |state, ix| {
            state.users.get(ix).map(|user| user.id)
        })
    }

    /// The live users of the connection who may have this e-mail address, whatever its case; in order of creation.
    /// Others have it not, but whether these have it their attributes tell. None when the index cannot tell: more
    /// share the address than are looked up.
    ///
    /// # Errors
    /// [`ProjectorError::Unreadable`] when the index cannot be read.
    pub fn users_by_mail(
        &self,
        connection: &ConnectionName,
        address: &str,
    ) -> Result<Option<Vec<UserId>>, ProjectorError> {
        let live = self.tenant.live.read();
        let state = &live.state;
        let Some(connection) = state.connection_ix(connection.as_str()) else {
            return Ok(Some(Vec::new()));
        };
        let Some(found) = self.tenant.with_mail(&live, address)? else {
            return Ok(None);
        };
        let users = found.into_iter().filter_map(|ix| state.users.get(ix));
        let here = users.filter(|user| !user.deleted && u32::from(user.connection) == connection.0);
        Ok(Some(here.map(|user| user.id).collect()))
    }

    /// Live users of the connection in order of creation. `start` counts from 1 (SCIM `startIndex`); at most
    /// [`PAGE_MAX`] ids.
    #[must_use]
    pub fn users_page(&self, connection: &ConnectionName, start: u64, count: usize) -> Page<UserId> {
        let id = |state: &TenantState, ix| state.users.get(UserIx(ix)).map(|user| user.id);
        self.page(connection, start, count, |connection| &connection.users, id)
    }

    /// Live users of the connection that were created after (or, going back, before) `anchor`, which may be
    /// deleted by now, at most [`PAGE_MAX`]; nearest first. `None` when no such user was ever here. Costs the
    /// page, not the way to it.
    #[must_use]
    pub fn users_beside(
        &self,
        connection: &ConnectionName,
        anchor: Option<UserId>,
        back: bool,
        count: usize,
    ) -> Option<Page<UserId>> {
        let number = |state: &TenantState, id| state.user_ix(id).map(UserIx::number);
        let id = |state: &TenantState, ix| state.users.get(UserIx(ix)).map(|user| user.id);
        let from = (anchor, back, count);
        self.beside(connection, from, |connection| &connection.users, number, id)
    }

    /// A live group of the connection; its members only when asked for, since there may be many.
    #[must_use]
    pub fn group(
        &self,
        connection: &ConnectionName,
        group: GroupId,
        with_members: bool,
    ) -> Option<GroupResource> {
        let live = self.tenant.live.read();
        let state = &live.state;
        let ix = state.live_group(state.connection_ix(connection.as_str())?, group)?;
        let entry = state.groups.get(ix)?;
        let members = with_members.then(|| {
            let mut users: Vec<UserId> = entry
                .users
                .iter()
                .filter_map(|ix| state.users.get(*ix))
                .map(|user| user.id)
                .collect();
            users.sort_unstable();
            MemberSet {
                users,
                groups: state.group_ids(&entry.children),
            }
        });
        Some(GroupResource {
            id: group,
            connection: connection.clone(),
            display_name: entry.display_name.to_string(),
            external_id: entry.external_id.as_deref().map(str::to_owned),
            roles: state.assigned_list(&entry.roles),
            members,
            member_count: (entry.users.len() + entry.children.len()) as u64,
            revision: entry.revision,
            member_revision: entry.member_revision,
            created: entry.created,
            changed: entry.changed,
        })
    }

    /// The live group of the connection with this displayName, without regard to case.
    #[must_use]
    pub fn group_by_name(&self, connection: &ConnectionName, display_name: &str) -> Option<GroupId> {
        let live = self.tenant.live.read();
        let state = &live.state;
        let name = (
            state.connection_ix(connection.as_str())?,
            fold_case(display_name).into_boxed_str(),
        );
        state
            .group_names
            .get(&name)
            .and_then(|ix| state.groups.get(*ix))
            .map(|group| group.id)
    }

    /// The live groups of the connection with exactly this externalId.
    #[must_use]
    pub fn groups_by_external(&self, connection: &ConnectionName, external_id: &str) -> Vec<GroupId> {
        let find = |state: &TenantState, connection: ConnectionIx| {
            let found = state.group_externals.get(&(connection, external_id.into()));
            found.into_iter().flatten().copied().collect()
        };
        self.found(connection, find, |state, ix: GroupIx| {
            state.groups.get(ix).map(|group| group.id)
        })
    }

    /// Live groups of the connection in order of creation, as [`TenantHandle::users_page`].
    #[must_use]
    pub fn groups_page(&self, connection: &ConnectionName, start: u64, count: usize) -> Page<GroupId> {
        let id = |state: &TenantState, ix| state.groups.get(GroupIx(ix)).map(|group| group.id);
        self.page(connection, start, count, |connection| &connection.groups, id)
    }

    /// The ids of what a look-up finds in a connection.
    fn found<Ix, Id>(
        &self,
        connection: &ConnectionName,
        find: impl FnOnce(&TenantState, ConnectionIx) -> Vec<Ix>,
        id: impl Fn(&TenantState, Ix) -> Option<Id>,
    ) -> Vec<Id> {
        let live = self.tenant.live.read();
        let state = &live.state;
        let Some(connection) = state.connection_ix(connection.as_str()) else {
            return Vec::new();
        };
        let found = find(state, connection).into_iter();
        found.filter_map(|ix| id(state, ix)).collect()
    }

    /// A page of one of a connection's rosters.
    fn page<Id>(
        &self,
        connection: &ConnectionName,
        start: u64,
        count: usize,
        roster: impl FnOnce(&Connection) -> &Roster,
        id: impl Fn(&TenantState, u32) -> Option<Id>,
    ) -> Page<Id> {
        let live = self.tenant.live.read();
        let state = &live.state;
        let connection = state
            .connection_ix(connection.as_str())
            .and_then(|ix| state.connections.get(ix));
        let Some(roster) = connection.map(roster) else {
            return Page::empty();
        };
        let page = roster.page(start.saturating_sub(1), count.min(PAGE_MAX));
        Page {
            total: roster.total(),
            ids: page.into_iter().filter_map(|ix| id(state, ix)).collect(),
        }
    }

    /// Live groups of the connection beside one, as [`TenantHandle::users_beside`].
    #[must_use]
    pub fn groups_beside(
        &self,
        connection: &ConnectionName,
        anchor: Option<GroupId>,
        back: bool,
        count: usize,
    ) -> Option<Page<GroupId>> {
        let number = |state: &TenantState, id| state.group_index.get(&id).map(|ix| ix.number());
        let id = |state: &TenantState, ix| state.groups.get(GroupIx(ix)).map(|group| group.id);
        let from = (anchor, back, count);
        self.beside(connection, from, |connection| &connection.groups, number, id)
    }

    /// What stands beside an anchor in one of a connection's rosters.
    fn beside<Id>(
        &self,
        connection: &ConnectionName,
        (anchor, back, count): (Option<Id>, bool, usize),
        roster: impl FnOnce(&Connection) -> &Roster,
        number: impl FnOnce(&TenantState, Id) -> Option<u32>,
        id: impl Fn(&TenantState, u32) -> Option<Id>,
    ) -> Option<Page<Id>> {
        let live = self.tenant.live.read();
        let state = &live.state;
        let at = match anchor {
            Some(anchor) => Some(number(state, anchor)?),
            None => None,
        };
        let connection = state
            .connection_ix(connection.as_str())
            .and_then(|ix| state.connections.get(ix));
        let Some(roster) = connection.map(roster) else {
            return Some(Page::empty());
        };
        let found = roster.beside(at, back, count.min(PAGE_MAX)).into_iter();
        Some(Page {
            total: roster.total(),
            ids: found.filter_map(|ix| id(state, ix)).collect(),
        })
    }

    /// Whether the user is a direct member of the group. Costs the user's groups, not the group's members.
    #[must_use]
    pub fn group_has_user(&self, group: GroupId, user: UserId) -> bool {
        let live = self.tenant.live.read();
        let state = &live.state;
        let Some(group) = state.group_index.get(&group) else {
            return false;
        };
        let user = state.user_ix(user).and_then(|ix| state.users.get(ix));
        user.is_some_and(|user| user.groups.binary_search_by_key(group, |link| link.to).is_ok())
    }

    /// Whether the group `member` is directly nested in `group`.
    #[must_use]
    pub fn group_has_group(&self, group: GroupId, member: GroupId) -> bool {
        let live = self.tenant.live.read();
        let state = &live.state;
        let (Some(group), Some(member)) = (state.group_index.get(&group), state.group_index.get(&member))
        else {
            return false;
        };
        state
            .groups
            .get(*group)
            .is_some_and(|group| group.children.contains(member))
    }

    /// The groups that the user is in directly, by id.
    #[must_use]
    pub fn groups_of_user(&self, user: UserId) -> Vec<GroupId> {
        let live = self.tenant.live.read();
        let state = &live.state;
        let user = state.user_ix(user).and_then(|ix| state.users.get(ix));
        user.map(|user| state.group_ids(targets(&user.groups)))
            .unwrap_or_default()
    }

    /// The groups that the group is nested in directly, by id.
    #[must_use]
    pub fn groups_of_group(&self, group: GroupId) -> Vec<GroupId> {
        let live = self.tenant.live.read();
        let state = &live.state;
        let group = state.group_index.get(&group).and_then(|ix| state.groups.get(*ix));
        group
            .map(|group| state.group_ids(group.parents.keys()))
            .unwrap_or_default()
    }

    /// The groups that are nested in the group directly, by id. Costs those, not the group's users.
    #[must_use]
    pub fn groups_in_group(&self, group: GroupId) -> Vec<GroupId> {
        let live = self.tenant.live.read();
        let state = &live.state;
        let group = state.group_index.get(&group).and_then(|ix| state.groups.get(*ix));
        group
            .map(|group| state.group_ids(&group.children))
            .unwrap_or_default()
    }

    /// The account that the user claims, deleted users too.
    #[must_use]
    pub fn account_of(&self, user: UserId) -> Option<AccountKey> {
        let live = self.tenant.live.read();
        let state = &live.state;
        let account = state.users.get(state.user_ix(user)?)?.account;
        state.accounts.get(account).map(|account| account.key)
    }

    /// The account of a userName.
    #[must_use]
    pub fn account_named(&self, user_name: &str) -> AccountKey {
        self.key.name_key(user_name)
    }

    /// The userName behind an account, from a claimant that is not deleted. Personal.
    #[must_use]
    pub fn user_name(&self, account: AccountKey) -> Option<String> {
        let live = self.tenant.live.read();
        let ix = live.state.account_ix(account)?;
        let attributes = self.tenant.attributes_for(&live, ix).ok()??;
        user_name(&attributes).map(str::to_owned)
    }

    /// What Fluent should hold for the account now; `None` when nobody ever claimed it.
    ///
    /// # Errors
    /// [`ProjectorError::Unreadable`] when the claimant's document cannot be read.
    pub fn desired(&self, account: AccountKey) -> Result<Option<DesiredUser>, ProjectorError> {
        let live = self.tenant.live.read();
        let Some(ix) = live.state.account_ix(account) else {
            return Ok(None);
        };
        let attributes = self.tenant.attributes_for(&live, ix)?;
        Ok(live.state.desired_user(ix, attributes.as_ref()))
    }

    /// The account that this one's claimant was renamed to: that one is made usable before this one is
    /// closed.
    #[must_use]
    pub fn successor(&self, account: AccountKey) -> Option<AccountKey> {
        let live = self.tenant.live.read();
        live.state.successor(live.state.account_ix(account)?)
    }

    /// Accounts in the order they were first claimed, after `after`; at most `max` and
    /// [`PAGE_MAX`]. An empty list is the end.
    #[must_use]
    pub fn accounts_page(&self, after: Option<AccountKey>, max: usize) -> Vec<AccountKey> {
        let live = self.tenant.live.read();
        let page = accounts_after(&live, after, max.min(PAGE_MAX));
        page.into_iter().map(|(_, key)| key).collect()
    }

    /// From now on every account whose desired user changes is told. Accounts that changed before are not:
    /// walk [`TenantHandle::accounts_page`] after subscribing.
    #[must_use]
    pub fn subscribe(&self) -> WakeReceiver {
        self.tenant.subscribe()
    }

    /// The desired user with the text of every derivation.
    ///
    /// # Errors
    /// As [`TenantHandle::desired`].
    pub fn explain(&self, subject: Subject) -> Result<Option<Explanation>, ProjectorError> {
        let live = self.tenant.live.read();
        let state = &live.state;
        let ix = match subject {
            Subject::Account(account) => state.account_ix(account),
            Subject::User(user) => state
                .user_ix(user)
                .and_then(|ix| state.users.get(ix))
                .map(|user| user.account),
        };
        let Some(ix) = ix else { return Ok(None) };
        let attributes = self.tenant.attributes_for(&live, ix)?;
        Ok(state.explanation(ix, attributes.as_ref()))
    }

    /// The catalog in force.
    #[must_use]
    pub fn catalog(&self) -> Catalog {
        self.tenant.live.read().state.catalog.catalog.clone()
    }

    /// The catalog as the last reading had it: in force, less what is withheld or was rejected as a loss.
    /// What a new reading is to be compared with, so that no loss is reported twice.
    #[must_use]
    pub fn catalog_reported(&self) -> Catalog {
        self.tenant.live.read().state.catalog.reported()
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.tenant.live.read().state.policy.clone()
    }

    /// The version of the rule set in force; none before the first.
    #[must_use]
    pub fn rules_version(&self) -> Option<String> {
        self.tenant.live.read().state.rules.version.clone()
    }

    /// The version that a rule file activated last ([`RULES_FILE`](crate::RULES_FILE)); other rules may be in force
    /// since.
    #[must_use]
    pub fn rules_file_version(&self) -> Option<String> {
        self.tenant.live.read().state.rules.from_file.clone()
    }

    /// The rule set in force; empty before the first.
    #[must_use]
    pub fn rules(&self) -> RuleSet {
        self.tenant.live.read().state.rules.set.clone()
    }

    /// Records in the log (of all tenants of this partition) that the directory has not taken in yet. 0 when the log
    /// cannot tell its end at once.
    #[must_use]
    pub fn lag(&self) -> u64 {
        let mut end = self.core.log.end(Stream::Events, self.core.partition);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match end.as_mut().poll(&mut context) {
            std::task::Poll::Ready(Ok(end)) => {
                Position::to_stored(end).saturating_sub(*self.core.progress.borrow())
            }
            std::task::Poll::Ready(Err(_)) | std::task::Poll::Pending => 0,
        }
    }

    /// Why the driver has stopped; none while it runs.
    #[must_use]
    pub fn stopped(&self) -> Option<String> {
        self.core.check_running().err().map(|error| error.to_string())
    }

    /// Why desired users are not published any more until a restart; none while they are. Nothing else is hurt by it.
    #[must_use]
    pub fn unpublished(&self) -> Option<String> {
        self.core.unpublished.read().clone()
    }

    /// Held accounts after `after` in the order of [`TenantHandle::accounts_page`]; looks at
    /// [`PAGE_MAX`] accounts at most.
    ///
    /// # Errors
    /// As [`TenantHandle::desired`].
    pub fn holds_page(&self, after: Option<AccountKey>) -> Result<HoldsPage, ProjectorError> {
        let live = self.tenant.live.read();
        let looked_at = accounts_after(&live, after, PAGE_MAX);
        let full = looked_at.len() == PAGE_MAX;
        let next = looked_at.last().map(|(_, key)| *key).filter(|_| full);
        let mut held = Vec::new();
        for (ix, account) in looked_at {
            let attributes = self.tenant.attributes_for(&live, ix)?;
            let holds = live
                .state
                .desired_user(ix, attributes.as_ref())
                .map(|user| user.holds)
                .unwrap_or_default();
            if !holds.is_empty() {
                held.push(HeldAccount { account, holds });
            }
        }
        Ok(HoldsPage { held, next })
    }

    /// Records that no event could be read from, with their positions: the newest ones since the start, of this tenant
    /// and of nobody. All are counted in [`TenantStatus::unreadable`].
    #[must_use]
    pub fn quarantined(&self) -> Vec<Quarantined> {
        self.core.quarantine.of(&self.tenant.id)
    }

    /// Holds that wait for an operator.
    #[must_use]
    pub fn open_decisions(&self) -> Vec<OpenDecision> {
        self.tenant.live.read().state.open_decisions()
    }

    /// Figures.
    #[must_use]
    pub fn status(&self) -> TenantStatus {
        let live = self.tenant.live.read();
        let (state, counts) = (&live.state, live.state.counts);
        TenantStatus {
            sequence: state.sequence(),
            event_time: state.event_time(),
            position: Position::new(*self.core.progress.borrow()),
            users: counts.users,
            active_users: counts.active,
            groups: counts.groups,
            accounts: state.accounts.len() as u64,
            dirty: state.dirty.len() as u64,
            unpublished: self.publisher.waiting() as u64,
            open_decisions: (state.guard.trips.len() + state.catalog.withheld.len()) as u64,
            rejected: counts.rejected,
            duplicates: counts.duplicates,
            unreadable: counts.unreadable,
            dropped_members: counts.dropped_members,
            ahead_of_time: counts.ahead_of_time,
        }
    }

    /// A fingerprint of the directory, hex: equal for equal histories. Reads every document: for checks, not
    /// for every day.
    #[must_use]
    pub fn digest(&self) -> String {
        let live = self.tenant.live.read();
        live.state
            .digest(&mut |user| self.tenant.attributes(&live, user).ok().flatten())
    }

    /// The key of a name: as [`TenantKey::name_key`].
    #[must_use]
    pub fn name_key(&self, user_name: &str) -> NameKey {
        self.key.name_key(user_name)
    }
}

/// The accounts after one, at most `max`.
fn accounts_after(live: &Live, after: Option<AccountKey>, max: usize) -> Vec<(AccountIx, AccountKey)> {
    let start = match after {
        None => 0,
        Some(key) => match live.state.account_ix(key) {
            Some(ix) => ix.number() as usize + 1,
            None => return Vec::new(),
        },
    };
    live.state
        .accounts
        .page(start, max)
        .map(|(ix, account)| (ix, account.key))
        .collect()
}
