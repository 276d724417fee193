//! `user.created`, `user.changed`, `user.deleted`.

use rollcall_domain::{EventId, ExternalKey, NameKey, Revision, Set, UserId};
use smallvec::SmallVec;

use super::DocumentWrite;
use super::input::{Data, Roles};
use super::link::{RoleLinks, Since};
use super::slab::{AccountIx, ConnectionIx, UserIx};
use super::state::{TenantState, User};
use crate::{Lane, Rejection};

type Decided = Result<(Revision, Option<DocumentWrite>), Rejection>;

/// The members of a change, unpacked.
struct Change<'c, 'a> {
    base: Revision,
    name: Option<NameKey>,
    external: Set<ExternalKey>,
    active: Option<bool>,
    roles: Option<&'c Roles<'a>>,
}

impl TenantState {
    pub(super) fn user_event(&mut self, id: EventId, connection: Option<&str>, data: &Data<'_>) -> Decided {
        let connection = connection
            .and_then(|name| self.connection_or_new(name))
            .ok_or(Rejection::WrongSource)?;
        match data {
            Data::UserCreated {
                user,
                name,
                external,
                active,
                roles,
                ..
            } => self.user_created(connection, *user, (*name, *external), *active, roles),
            Data::UserChanged {
                user,
                base,
                name,
                external,
                active,
                roles,
                ..
            } => {
                let change = Change {
                    base: *base,
                    name: *name,
                    external: *external,
                    active: *active,
                    roles: roles.as_ref(),
                };
                let (revision, ix) = self.user_changed(id, connection, *user, change)?;
                Ok((revision, Some(DocumentWrite::Change(ix))))
            }
            Data::UserDeleted { user, base } => self.user_deleted(connection, *user, *base),
            Data::Other(_) => Err(Rejection::WrongStream),
        }
    }

    fn user_created(
        &mut self,
        connection: ConnectionIx,
        id: UserId,
        (name, external): (NameKey, Option<ExternalKey>),
        active: bool,
        roles: &Roles<'_>,
    ) -> Decided {
        if self.user_ix(id).is_some() {
            return Err(Rejection::IdTaken);
        }
        if self
            .account_ix(name)
            .is_some_and(|account| self.name_holder(connection, account).is_some())
        {
            return Err(Rejection::UserNameTaken);
        }
        if self.users.is_full() || self.accounts.is_full() {
            return Err(Rejection::TooMany);
        }
        let account = self.account_or_new(name);
        let roles = self.assigned_roles(roles.iter().cloned());
        let roles = self.role_links(&roles, &[]);
        let now = self.event_time;
        let ix = self.users.push(User {
            id,
            external,
            created: now,
            changed: now,
            roles,
            groups: SmallVec::new(),
            account,
            revision: Revision::FIRST,
            connection: u16::try_from(connection.0).unwrap_or(u16::MAX),
            active,
            deleted: false,
            standing: Since::of(self.sequence),
        });
        self.index_user(ix);
        if external.is_some() {
            self.index_external(ix);
        }
        self.claim(account, ix);
        if let Some(connection) = self.connections.get_mut(connection) {
            connection.users.insert(ix.0);
        }
        self.counts.users += 1;
        self.counts.active += u64::from(active);
        self.touched.users.push(ix);
        self.touched.accounts.push(account);
        self.mark(account, Lane::Rest);
        Ok((Revision::FIRST, Some(DocumentWrite::Change(ix))))
    }

    fn user_changed(
        &mut self,
        id: EventId,
        connection: ConnectionIx,
        user: UserId,
        change: Change<'_, '_>,
    ) -> Result<(Revision, UserIx), Rejection> {
        let ix = self.live_user(connection, user).ok_or(Rejection::Missing)?;
        let entry = self.users.get(ix).ok_or(Rejection::Missing)?;
        if entry.revision != change.base {
            return Err(Rejection::RevisionMoved { now: entry.revision });
        }
        let (account, active, revision) = (entry.account, entry.active, entry.revision.next());
        let name = change
            .name
            .filter(|name| self.accounts.get(account).is_none_or(|a| a.key != *name));
        if let Some(name) = name {
            let taken = self
                .account_ix(name)
                .and_then(|account| self.name_holder(connection, account));
            if taken.is_some() {
                return Err(Rejection::UserNameTaken);
            }
            if self.accounts.is_full() {
                return Err(Rejection::TooMany);
            }
        }
        self.release_desired(account);
        let leaves = active && change.active == Some(false);
        match change.roles {
            Some(roles) if !leaves && name.is_none() => {
                let roles = self.assigned_roles(roles.iter().cloned());
                let before = entry_roles(self, ix);
                let ends = before.iter().any(|role| !roles.contains(&role.to));
                let roles = self.role_links(&roles, &before);
                let put = |state: &mut Self| {
                    if let Some(entry) = state.users.get_mut(ix) {
                        entry.roles = roles;
                    }
                };
                if ends || self.rules.conditional {
                    self.guarded(id, vec![account], put);
                } else {
                    put(self);
                }
            }
            Some(roles) => {
                let roles = self.assigned_roles(roles.iter().cloned());
                let roles = self.role_links(&roles, &entry_roles(self, ix));
                if let Some(entry) = self.users.get_mut(ix) {
                    entry.roles = roles;
                }
            }
            None => {}
        }
        self.put_external(ix, change.external);
        if let Some(name) = name {
            self.rename(ix, account, name, leaves);
        }
        if let Some(to) = change.active.filter(|to| *to != active) {
            self.counts.active = if to {
                self.counts.active + 1
            } else {
                self.counts.active.saturating_sub(1)
            };
        }
        let now = self.event_time;
        let since = Since::of(self.sequence);
        if let Some(entry) = self.users.get_mut(ix) {
            if change.active.is_some_and(|to| to != active) {
                entry.standing = since;
            }
            entry.active = change.active.unwrap_or(entry.active);
            entry.revision = revision;
            entry.changed = now;
        }
        self.touched.users.push(ix);
        self.settle_account(ix, leaves);
        Ok((revision, ix))
    }

    fn user_deleted(&mut self, connection: ConnectionIx, user: UserId, base: Option<Revision>) -> Decided {
        let ix = self.live_user(connection, user).ok_or(Rejection::Missing)?;
        let now = self.event_time;
        let entry = self.users.get(ix).ok_or(Rejection::Missing)?;
        if base.is_some_and(|base| base != entry.revision) {
            return Err(Rejection::RevisionMoved { now: entry.revision });
        }
        let account = entry.account;
        self.release_desired(account);
        self.unindex_external(ix);
        let since = Since::of(self.sequence);
        let entry = self.users.get_mut(ix).ok_or(Rejection::Missing)?;
        let groups = std::mem::take(&mut entry.groups);
        entry.deleted = true;
        entry.standing = since;
        entry.roles = SmallVec::new();
        entry.changed = now;
        entry.revision = entry.revision.next();
        let (revision, active) = (entry.revision, entry.active);
        for group in groups {
            if let Some(group) = self.groups.get_mut(group.to) {
                group.users.remove(&ix);
                group.member_revision = group.member_revision.next();
                group.changed = now;
            }
            self.touched.groups.push(group.to);
        }
        if let Some(connection) = self.connections.get_mut(connection) {
            connection.users.remove(ix.0);
        }
        self.counts.users = self.counts.users.saturating_sub(1);
        self.counts.active = self.counts.active.saturating_sub(u64::from(active));
        self.touched.users.push(ix);
        self.settle_account(ix, true);
        Ok((revision, Some(DocumentWrite::Delete(ix))))
    }

    /// The account of a changed user waits; where its last live claimant left, at once and without what the
    /// safety catch kept.
    fn settle_account(&mut self, ix: UserIx, leaves: bool) {
        let Some(account) = self.users.get(ix).map(|u| u.account) else {
            return;
        };
        if leaves && !self.has_live_claimant(account) {
            self.release_kept(account);
            self.mark(account, Lane::Leaver);
        } else {
            self.mark(account, if leaves { Lane::Removal } else { Lane::Rest });
        }
    }

    fn put_external(&mut self, ix: UserIx, external: Set<ExternalKey>) {
        if external.is_kept() {
            return;
        }
        self.unindex_external(ix);
        if let Some(entry) = self.users.get_mut(ix) {
            external.apply(&mut entry.external);
        }
        self.index_external(ix);
    }

    /// The claim passes to another account; the old one keeps the user as a claimant that is gone. The new one is
    /// told first, since it is to be usable before the old one is closed; both ahead of what is only gained, since
    /// the old one loses its access. Whoever leaves under a new name leaves the old account in the same turn.
    fn rename(&mut self, ix: UserIx, from: AccountIx, name: NameKey, leaves: bool) {
        let to = self.account_or_new(name);
        if let Some(entry) = self.users.get_mut(ix) {
            entry.account = to;
        }
        self.claim(to, ix);
        self.mark(to, Lane::Removal);
        let abandoned = !self.has_live_claimant(from);
        if abandoned {
            self.release_kept(from);
        }
        let lane = if abandoned && leaves {
            Lane::Leaver
        } else {
            Lane::Removal
        };
        self.mark(from, lane);
        self.touched.accounts.push(to);
        self.touched.accounts.push(from);
    }

    /// A deleted user who was the same person stands for nothing that the new claimant does not stand for: one who is
    /// deleted and hired again for years stays one entry.
    fn claim(&mut self, account: AccountIx, ix: UserIx) {
        let users = &self.users;
        let Some(new) = users.get(ix) else { return };
        let replaced =
            |old: &User| old.deleted && old.connection == new.connection && old.external == new.external;
        if let Some(entry) = self.accounts.get_mut(account)
            && !entry.claimants.contains(&ix)
        {
            entry
                .claimants
                .retain(|old| !users.get(*old).is_some_and(replaced));
            entry.claimants.push(ix);
        }
    }
}

fn entry_roles(state: &TenantState, ix: UserIx) -> RoleLinks {
    state
        .users
        .get(ix)
        .map(|entry| entry.roles.clone())
        .unwrap_or_default()
}
