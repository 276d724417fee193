//! The state of one tenant: a function of its events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use hashbrown::HashTable;
use rollcall_domain::{
    AccountKey, ConnectionName, EventData, EventId, ExternalKey, GroupId, Policy, Revision, Sequence,
    Timestamp, UserId,
};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::catalog::CatalogBook;
use super::dirty::{Dirty, PublishedAs};
use super::guard::{Guard, Kept};
use super::hash::of_key;
use super::input::{Data, Input};
use super::link::{GroupLinks, Link, RoleLinks, Since};
use super::parts::Parts;
use super::roles::RoleBook;
use super::roster::Roster;
use super::rules::Rules;
use super::slab::{AccountIx, AssignedIx, ConnectionIx, GroupIx, Slab, UserIx};
use super::touched::Touched;
use super::verdicts::Verdicts;
use crate::access::GroupRole;

/// A directory user. Its SCIM attributes are not here but in its document.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) external: Option<ExternalKey>,
    pub(crate) created: Timestamp,
    pub(crate) changed: Timestamp,
    /// Personal roles, as sent.
    pub(crate) roles: RoleLinks,
    /// Direct groups, ascending.
    pub(crate) groups: GroupLinks,
    /// The account that its name leads to; after deletion the last one.
    pub(crate) account: AccountIx,
    pub(crate) revision: Revision,
    pub(crate) connection: u16,
    pub(crate) active: bool,
    pub(crate) deleted: bool,
    /// The event that made it active, inactive or deleted, whichever it is now.
    pub(crate) standing: Since,
}

impl User {
    /// Neither deleted nor deactivated.
    pub(crate) const fn is_live(&self) -> bool {
        self.active && !self.deleted
    }
}

/// A group.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) id: GroupId,
    pub(crate) connection: ConnectionIx,
    pub(crate) display_name: Box<str>,
    pub(crate) external_id: Option<Box<str>>,
    /// The event that gave it its display name.
    pub(crate) named: Since,
    /// The event that gave it its external id, or took it.
    pub(crate) identified: Since,
    pub(crate) roles: Vec<Link<AssignedIx>>,
    /// The app role that the display name looks like.
    pub(crate) name_role: Option<super::slab::AppRoleIx>,
    pub(crate) revision: Revision,
    pub(crate) member_revision: Revision,
    pub(crate) created: Timestamp,
    pub(crate) changed: Timestamp,
    pub(crate) deleted: bool,
    /// Direct members; the members of a nested group are not here.
    pub(crate) users: FxHashSet<UserIx>,
    /// Nested groups.
    pub(crate) children: BTreeSet<GroupIx>,
    /// The groups that it is nested in.
    pub(crate) parents: BTreeMap<GroupIx, Since>,
    /// What a member gets here and above; made when first asked for.
    pub(crate) effective: OnceLock<Box<[GroupRole]>>,
}

/// Somebody's claim on an account: a directory user whose name leads, or led, there.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) key: AccountKey,
    /// In order of their first claim. Those who were deleted or renamed away stay, until an approval says
    /// that the name may pass on.
    pub(crate) claimants: SmallVec<[UserIx; 4]>,
    /// What the safety catch keeps.
    #[expect(
        clippy::box_collection,
        reason = "one word in the many accounts that keep nothing"
    )]
    pub(crate) kept: Option<Box<Vec<Kept>>>,
    /// What was published last.
    pub(crate) published: PublishedAs,
}

/// Counts that people are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) users: u64,
    pub(crate) active: u64,
    pub(crate) groups: u64,
    pub(crate) rejected: u64,
    pub(crate) duplicates: u64,
    pub(crate) unreadable: u64,
    pub(crate) dropped_members: u64,
    pub(crate) ahead_of_time: u64,
}

/// Everything that the fold knows of a tenant.
#[derive(Debug, Default)]
pub struct TenantState {
    pub(crate) sequence: Sequence,
    pub(crate) event_time: Timestamp,
    pub(crate) counts: Counts,
    pub(crate) connections: Slab<ConnectionIx, Connection>,
    pub(crate) users: Slab<UserIx, User>,
    pub(crate) user_index: HashTable<UserIx>,
    pub(crate) external_index: HashTable<UserIx>,
    pub(crate) accounts: Slab<AccountIx, Account>,
    pub(crate) account_index: HashTable<AccountIx>,
    pub(crate) groups: Slab<GroupIx, Group>,
    pub(crate) group_index: FxHashMap<GroupId, GroupIx>,
    pub(crate) group_names: FxHashMap<(ConnectionIx, Box<str>), GroupIx>,
    pub(crate) group_externals: FxHashMap<(ConnectionIx, Box<str>), BTreeSet<GroupIx>>,
    pub(crate) roles: RoleBook,
    pub(crate) rules: Rules,
    /// The sequence of the event that activated the rule set.
    pub(crate) rules_since: Sequence,
    pub(crate) policy: Policy,
    /// The sequence of the event that set the policy.
    pub(crate) policy_since: Sequence,
    pub(crate) catalog: CatalogBook,
    pub(crate) verdicts: Verdicts,
    pub(crate) guard: Guard,
    pub(crate) parts: Parts,
    pub(crate) dirty: Dirty,
    pub(crate) touched: Touched,
}

/// A connection that sent something.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) name: ConnectionName,
    pub(crate) users: Roster,
    pub(crate) groups: Roster,
}

impl TenantState {
    /// The state before the first event.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All events up to this one are in.
    #[must_use]
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// Event time: the running maximum of the times in the events.
    #[must_use]
    pub fn event_time(&self) -> Timestamp {
        self.event_time
    }

    pub(crate) fn user_ix(&self, id: UserId) -> Option<UserIx> {
        let hash = of_key(id.0.as_bytes());
        self.user_index
            .find(hash, |ix| self.users.get(*ix).is_some_and(|u| u.id == id))
            .copied()
    }

    /// Reads what an event names and gives a number made of it: brings the entries into the processor's
    /// caches.
    pub(crate) fn look_up(&self, input: &Input<'_>) -> u64 {
        let of_account = |ix| self.accounts.get(ix).map_or(0, |account| account.published.hash);
        let of_user = |id: UserId| {
            let user = self.user_ix(id).and_then(|ix| self.users.get(ix));
            user.map_or(0, |user| u64::from(user.revision.0) ^ of_account(user.account))
        };
        let named = match &input.data {
            Data::UserCreated { user, name, .. } => {
                of_user(*user) ^ self.account_ix(*name).map_or(0, of_account)
            }
            Data::UserChanged { user, .. } | Data::UserDeleted { user, .. } => of_user(*user),
            Data::Other(data) => match &**data {
                EventData::GroupChanged(change) => {
                    let users = change.added.users.iter().chain(&change.removed.users);
                    users.map(|user| of_user(*user)).fold(0, |sum, next| sum ^ next)
                }
                _ => 0,
            },
        };
        named ^ u64::from(self.verdicts.get(input.id).is_some())
    }

    /// A live user of the connection.
    pub(crate) fn live_user(&self, connection: ConnectionIx, id: UserId) -> Option<UserIx> {
        let ix = self.user_ix(id)?;
        let user = self.users.get(ix)?;
        (!user.deleted && u32::from(user.connection) == connection.0).then_some(ix)
    }

    pub(crate) fn account_ix(&self, key: AccountKey) -> Option<AccountIx> {
        let hash = of_key(&key.0);
        self.account_index
            .find(hash, |ix| self.accounts.get(*ix).is_some_and(|a| a.key == key))
            .copied()
    }

    /// The account of a key, made when it is new.
    pub(crate) fn account_or_new(&mut self, key: AccountKey) -> AccountIx {
        if let Some(ix) = self.account_ix(key) {
            return ix;
        }
        let ix = self.accounts.push(Account {
            key,
            claimants: SmallVec::new(),
            kept: None,
            published: PublishedAs::default(),
        });
        let accounts = &self.accounts;
        self.account_index.insert_unique(of_key(&key.0), ix, |ix| {
            accounts.get(*ix).map_or(0, |a| of_key(&a.key.0))
        });
        ix
    }

    /// The user of the connection that has the account's name now.
    pub(crate) fn name_holder(&self, connection: ConnectionIx, account: AccountIx) -> Option<UserIx> {
        let account_entry = self.accounts.get(account)?;
        account_entry.claimants.iter().copied().find(|ix| {
            self.users.get(*ix).is_some_and(|user| {
                !user.deleted && user.account == account && u32::from(user.connection) == connection.0
            })
        })
    }

    pub(crate) fn index_user(&mut self, ix: UserIx) {
        let users = &self.users;
        let Some(user) = users.get(ix) else { return };
        let hash_of = |ix: &UserIx| users.get(*ix).map_or(0, |u| of_key(u.id.0.as_bytes()));
        self.user_index
            .insert_unique(of_key(user.id.0.as_bytes()), ix, hash_of);
    }

    pub(crate) fn index_external(&mut self, ix: UserIx) {
        let users = &self.users;
        let Some(external) = users.get(ix).and_then(|u| u.external) else {
            return;
        };
        let hash_of = |ix: &UserIx| {
            users
                .get(*ix)
                .and_then(|u| u.external)
                .map_or(0, |e| of_key(&e.0))
        };
        self.external_index
            .insert_unique(of_key(&external.0), ix, hash_of);
    }

    /// Must be called while the user still has the external id.
    pub(crate) fn unindex_external(&mut self, ix: UserIx) {
        let Some(external) = self.users.get(ix).and_then(|u| u.external) else {
            return;
        };
        if let Ok(entry) = self
            .external_index
            .find_entry(of_key(&external.0), |found| *found == ix)
        {
            entry.remove();
        }
    }

    /// Live users of the connection with this external id, in order of creation.
    pub(crate) fn users_by_external(&self, connection: ConnectionIx, external: ExternalKey) -> Vec<UserIx> {
        let mut found: Vec<UserIx> = self
            .external_index
            .iter_hash(of_key(&external.0))
            .copied()
            .filter(|ix| {
                self.users.get(*ix).is_some_and(|user| {
                    user.external == Some(external)
                        && !user.deleted
                        && u32::from(user.connection) == connection.0
                })
            })
            .collect();
        found.sort_unstable();
        found
    }

    pub(crate) fn connection_ix(&self, name: &str) -> Option<ConnectionIx> {
        // A tenant has a handful of connections.
        self.connections
            .iter()
            .find(|(_, c)| c.name.as_str() == name)
            .map(|(ix, _)| ix)
    }

    /// The index of a connection, made when it is new; `None` for a bad name or above the bound of `u16`.
    pub(crate) fn connection_or_new(&mut self, name: &str) -> Option<ConnectionIx> {
        if let Some(ix) = self.connection_ix(name) {
            return Some(ix);
        }
        let name = ConnectionName::new(name).ok()?;
        if self.connections.len() >= usize::from(u16::MAX) {
            return None;
        }
        self.touched.connections = true;
        Some(self.connections.push(Connection {
            name,
            users: Roster::default(),
            groups: Roster::default(),
        }))
    }

    pub(crate) fn live_group(&self, connection: ConnectionIx, id: GroupId) -> Option<GroupIx> {
        let ix = *self.group_index.get(&id)?;
        let group = self.groups.get(ix)?;
        (!group.deleted && group.connection == connection).then_some(ix)
    }

    /// Whether a live user claims the account.
    pub(crate) fn has_live_claimant(&self, account: AccountIx) -> bool {
        self.accounts.get(account).is_some_and(|entry| {
            entry.claimants.iter().any(|ix| {
                self.users
                    .get(*ix)
                    .is_some_and(|user| user.is_live() && user.account == account)
            })
        })
    }

    /// The accounts of all members of these groups, of nested groups too; ascending.
    pub(crate) fn accounts_below(&self, groups: impl IntoIterator<Item = GroupIx>) -> Vec<AccountIx> {
        self.accounts_in(&self.descendants(groups))
    }

    /// The accounts of the members of these groups alone; ascending.
    pub(crate) fn accounts_in(&self, groups: &[GroupIx]) -> Vec<AccountIx> {
        let mut accounts: Vec<AccountIx> = Vec::new();
        for group in groups {
            let Some(group) = self.groups.get(*group) else {
                continue;
            };
            accounts.extend(
                group
                    .users
                    .iter()
                    .filter_map(|ix| self.users.get(*ix))
                    .map(|u| u.account),
            );
        }
        accounts.sort_unstable();
        accounts.dedup();
        accounts
    }

    /// These groups and all that are nested in them, however deep; each once, cycles or not.
    pub(crate) fn descendants(&self, groups: impl IntoIterator<Item = GroupIx>) -> Vec<GroupIx> {
        let mut seen: FxHashSet<GroupIx> = FxHashSet::default();
        let mut found: Vec<GroupIx> = groups.into_iter().filter(|ix| seen.insert(*ix)).collect();
        let mut at = 0;
        while let Some(ix) = found.get(at).copied() {
            at += 1;
            if let Some(group) = self.groups.get(ix) {
                found.extend(group.children.iter().copied().filter(|child| seen.insert(*child)));
            }
        }
        found
    }

    /// What members of these groups get must be computed again.
    pub(crate) fn forget_effective(&mut self, groups: impl IntoIterator<Item = GroupIx>) {
        for ix in self.descendants(groups) {
            if let Some(group) = self.groups.get_mut(ix) {
                group.effective = OnceLock::new();
            }
        }
    }
}

/// Holds by the event that caused them.
pub(crate) type ByCause<T> = BTreeMap<EventId, T>;
