//! `group.created`, `group.changed`, `group.deleted`: attributes against a revision, members as a difference.

use rollcall_domain::{
    AppRole, EventId, GroupChanged, GroupCreated, GroupDeleted, GroupId, MemberSet, Revision, Shape,
    fold_case,
};
use rustc_hash::FxHashSet;
use std::collections::{BTreeMap, BTreeSet};

use super::input::RoleRef;
use super::link::{Link, Since, targets};
use super::slab::{AccountIx, ConnectionIx, GroupIx, UserIx};
use super::state::{Group, TenantState};
use crate::Rejection;

impl TenantState {
    fn own_connection(&mut self, connection: Option<&str>) -> Result<ConnectionIx, Rejection> {
        connection
            .and_then(|name| self.connection_or_new(name))
            .ok_or(Rejection::WrongSource)
    }

    pub(super) fn group_created(
        &mut self,
        id: EventId,
        connection: Option<&str>,
        event: &GroupCreated,
    ) -> Result<Revision, Rejection> {
        let connection = self.own_connection(connection)?;
        if self.group_index.contains_key(&event.group) {
            return Err(Rejection::IdTaken);
        }
        let name = (connection, fold_case(&event.display_name).into_boxed_str());
        if self.group_names.contains_key(&name) {
            return Err(Rejection::GroupNameTaken);
        }
        if self.groups.is_full() {
            return Err(Rejection::TooMany);
        }
        let roles = self.assigned_roles(event.roles.iter().map(RoleRef::of));
        let roles = self.role_links(&roles, &[]).into_vec();
        let since = Since::of(self.sequence);
        let name_role = self.name_role(&event.display_name);
        let now = self.event_time;
        let ix = self.groups.push(Group {
            id: event.group,
            connection,
            display_name: event.display_name.as_str().into(),
            external_id: event.external_id.as_deref().map(Into::into),
            named: since,
            identified: since,
            roles,
            name_role,
            revision: Revision::FIRST,
            member_revision: Revision::FIRST,
            created: now,
            changed: now,
            deleted: false,
            users: FxHashSet::default(),
            children: BTreeSet::new(),
            parents: BTreeMap::new(),
            effective: std::sync::OnceLock::new(),
        });
        self.group_index.insert(event.group, ix);
        self.group_names.insert(name, ix);
        self.index_group_external(ix);
        if let Some(connection) = self.connections.get_mut(connection) {
            connection.groups.insert(ix.0);
        }
        self.counts.groups += 1;
        self.touched.groups.push(ix);
        if self.rules.conditional && !event.members.is_empty() {
            let accounts = self.accounts_of_members(connection, &event.members);
            self.guarded(id, accounts, |state| {
                state.add_members(ix, connection, &event.members)
            });
        } else {
            self.add_members(ix, connection, &event.members);
        }
        Ok(Revision::FIRST)
    }

    pub(super) fn group_changed(
        &mut self,
        id: EventId,
        connection: Option<&str>,
        event: &GroupChanged,
    ) -> Result<Revision, Rejection> {
        let (connection, ix) = self.group_at(connection, event.group, event.base)?;
        let group = self.groups.get(ix).ok_or(Rejection::Missing)?;
        if event
            .member_base
            .is_some_and(|base| base != group.member_revision)
        {
            return Err(Rejection::MemberRevisionMoved {
                now: group.member_revision,
            });
        }
        if let Some(name) = &event.display_name {
            let name = (connection, fold_case(name).into_boxed_str());
            if self.group_names.get(&name).is_some_and(|holder| *holder != ix) {
                return Err(Rejection::GroupNameTaken);
            }
        }
        let attributes =
            event.display_name.is_some() || event.roles.is_some() || !event.external_id.is_kept();
        let ends = attributes && self.attributes_end_roles(ix, event);
        let lossy = ends || !event.removed.is_empty() || self.rules.conditional;
        let put = |state: &mut Self| {
            state.put_attributes(ix, connection, event);
            state.remove_members(ix, connection, &event.removed);
            state.add_members(ix, connection, &event.added);
        };
        if lossy {
            let whole = ends || (attributes && self.rules.conditional);
            let mut accounts = if whole {
                self.accounts_below([ix])
            } else {
                Vec::new()
            };
            accounts.extend(self.accounts_of_members(connection, &event.removed));
            if self.rules.conditional {
                accounts.extend(self.accounts_of_members(connection, &event.added));
            }
            self.guarded(id, accounts, put);
        } else {
            put(self);
        }
        if attributes && !ends {
            self.mark_group(ix);
        }
        let now = self.event_time;
        let members = !event.removed.is_empty() || !event.added.is_empty() || event.member_base.is_some();
        let group = self.groups.get_mut(ix).ok_or(Rejection::Missing)?;
        group.changed = now;
        if attributes || event.base.is_some() {
            group.revision = group.revision.next();
        }
        if members {
            group.member_revision = group.member_revision.next();
        }
        self.touched.groups.push(ix);
        Ok(group.revision)
    }

    pub(super) fn group_deleted(
        &mut self,
        id: EventId,
        connection: Option<&str>,
        event: &GroupDeleted,
    ) -> Result<Revision, Rejection> {
        let (connection, ix) = self.group_at(connection, event.group, event.base)?;
        let accounts = self.accounts_below([ix]);
        self.guarded(id, accounts, |state| state.dissolve(ix, connection));
        self.counts.groups = self.counts.groups.saturating_sub(1);
        self.groups
            .get(ix)
            .map(|group| group.revision)
            .ok_or(Rejection::Missing)
    }

    /// A live group of the connection, still at the revision that the event was decided on.
    fn group_at(
        &mut self,
        connection: Option<&str>,
        group: GroupId,
        base: Option<Revision>,
    ) -> Result<(ConnectionIx, GroupIx), Rejection> {
        let connection = self.own_connection(connection)?;
        let ix = self.live_group(connection, group).ok_or(Rejection::Missing)?;
        let now = self.groups.get(ix).ok_or(Rejection::Missing)?.revision;
        match base {
            Some(base) if base != now => Err(Rejection::RevisionMoved { now }),
            _ => Ok((connection, ix)),
        }
    }

    fn dissolve(&mut self, ix: GroupIx, connection: ConnectionIx) {
        self.forget_effective([ix]);
        self.unindex_group(ix);
        let now = self.event_time;
        let Some(group) = self.groups.get_mut(ix) else {
            return;
        };
        group.deleted = true;
        group.changed = now;
        group.revision = group.revision.next();
        group.roles = Vec::new();
        group.name_role = None;
        let (users, children, parents) = (
            std::mem::take(&mut group.users),
            std::mem::take(&mut group.children),
            std::mem::take(&mut group.parents),
        );
        for user in users {
            if let Some(entry) = self.users.get_mut(user) {
                entry.groups.retain(|group| group.to != ix);
            }
            self.touched.users.push(user);
        }
        for child in children {
            if let Some(entry) = self.groups.get_mut(child) {
                entry.parents.remove(&ix);
            }
            self.touched.groups.push(child);
        }
        for parent in parents.into_keys() {
            if let Some(entry) = self.groups.get_mut(parent) {
                entry.children.remove(&ix);
                entry.member_revision = entry.member_revision.next();
                entry.changed = now;
            }
            self.touched.groups.push(parent);
        }
        if let Some(connection) = self.connections.get_mut(connection) {
            connection.groups.remove(ix.0);
        }
        self.touched.groups.push(ix);
    }

    fn put_attributes(&mut self, ix: GroupIx, connection: ConnectionIx, event: &GroupChanged) {
        let since = Since::of(self.sequence);
        if let Some(roles) = &event.roles {
            let roles = self.assigned_roles(roles.iter().map(RoleRef::of));
            let before = self.groups.get(ix).map(|group| group.roles.as_slice());
            let roles = self.role_links(&roles, before.unwrap_or_default()).into_vec();
            if let Some(group) = self.groups.get_mut(ix) {
                group.roles = roles;
            }
        }
        if let Some(name) = &event.display_name {
            let name_role = self.name_role(name);
            if let Some(group) = self.groups.get_mut(ix) {
                let old = fold_case(&group.display_name).into_boxed_str();
                if *group.display_name != **name {
                    group.named = since;
                }
                group.display_name = name.as_str().into();
                group.name_role = name_role;
                self.group_names.remove(&(connection, old));
                self.group_names
                    .insert((connection, fold_case(name).into_boxed_str()), ix);
            }
        }
        if !event.external_id.is_kept() {
            self.unindex_group_external(ix);
            if let Some(group) = self.groups.get_mut(ix) {
                let old = group.external_id.clone();
                event.external_id.clone().apply_boxed(&mut group.external_id);
                if group.external_id != old {
                    group.identified = since;
                }
            }
            self.index_group_external(ix);
        }
        self.forget_effective([ix]);
    }

    /// Whether the change of attributes takes an app role from the group.
    fn attributes_end_roles(&mut self, ix: GroupIx, event: &GroupChanged) -> bool {
        let Some(group) = self.groups.get(ix) else {
            return false;
        };
        let (old_name, old_external) = (group.display_name.clone(), group.external_id.clone());
        let old_roles: Vec<_> = targets(&group.roles).copied().collect();
        let old_name_role = group.name_role;
        let roles = match &event.roles {
            Some(roles) => self.assigned_roles(roles.iter().map(RoleRef::of)).into_vec(),
            None => old_roles.clone(),
        };
        let name = event.display_name.as_deref().unwrap_or(&old_name);
        let name_role = self.name_role(name);
        let mut external = old_external.clone();
        event.external_id.clone().apply_boxed(&mut external);
        let before = self.own_app_roles(&old_roles, &old_name, old_external.as_deref(), old_name_role);
        let after = self.own_app_roles(&roles, name, external.as_deref(), name_role);
        !before.is_subset(&after)
    }

    fn own_app_roles(
        &self,
        roles: &[super::slab::AssignedIx],
        name: &str,
        external: Option<&str>,
        name_role: Option<super::slab::AppRoleIx>,
    ) -> BTreeSet<super::slab::AppRoleIx> {
        let own = roles
            .iter()
            .filter_map(|ix| self.roles.assigned.get(*ix))
            .map(|a| a.app_role);
        let by_name = self.rules.by_group_name.get(name).into_iter().flatten().copied();
        let external = external.and_then(|external| self.rules.by_group_external.get(external));
        own.chain(by_name)
            .chain(external.into_iter().flatten().copied())
            .chain(name_role)
            .collect()
    }

    /// The app role that a display name looks like.
    pub(crate) fn name_role(&mut self, name: &str) -> Option<super::slab::AppRoleIx> {
        let role = AppRole(name.to_owned());
        matches!(role.shape(), Shape::Scoped { .. }).then(|| self.app_role(&role))
    }

    fn unindex_group(&mut self, ix: GroupIx) {
        self.unindex_group_external(ix);
        if let Some(group) = self.groups.get(ix) {
            let name = (group.connection, fold_case(&group.display_name).into_boxed_str());
            self.group_names.remove(&name);
        }
    }

    pub(crate) fn index_group_external(&mut self, ix: GroupIx) {
        let Some(group) = self.groups.get(ix) else { return };
        let Some(external) = group.external_id.clone() else {
            return;
        };
        self.group_externals
            .entry((group.connection, external))
            .or_default()
            .insert(ix);
    }

    fn unindex_group_external(&mut self, ix: GroupIx) {
        let Some(group) = self.groups.get(ix) else { return };
        let Some(external) = group.external_id.clone() else {
            return;
        };
        let key = (group.connection, external);
        if let Some(holders) = self.group_externals.get_mut(&key) {
            holders.remove(&ix);
            if holders.is_empty() {
                self.group_externals.remove(&key);
            }
        }
    }

    /// The accounts that a change of these members may touch.
    fn accounts_of_members(&self, connection: ConnectionIx, members: &MemberSet) -> Vec<AccountIx> {
        let users = members
            .users
            .iter()
            .filter_map(|id| self.live_user(connection, *id));
        let mut accounts: Vec<AccountIx> = users
            .filter_map(|ix| self.users.get(ix))
            .map(|user| user.account)
            .collect();
        let groups = members
            .groups
            .iter()
            .filter_map(|id| self.live_group(connection, *id));
        accounts.extend(self.accounts_below(groups));
        accounts
    }

    fn add_members(&mut self, ix: GroupIx, connection: ConnectionIx, members: &MemberSet) {
        let since = Since::of(self.sequence);
        for id in &members.users {
            match self.live_user(connection, *id) {
                Some(user) => self.add_user(ix, user, since),
                None => self.counts.dropped_members += 1,
            }
        }
        let mut children = Vec::with_capacity(members.groups.len());
        for id in &members.groups {
            let Some(child) = self.live_group(connection, *id) else {
                self.counts.dropped_members += 1;
                continue;
            };
            if let Some(group) = self.groups.get_mut(ix) {
                group.children.insert(child);
            }
            if let Some(group) = self.groups.get_mut(child) {
                group.parents.entry(ix).or_insert(since);
            }
            self.touched.groups.push(child);
            self.mark_group(child);
            children.push(child);
        }
        // Together: they may be in one another, and then each has all of them below it.
        self.forget_effective(children);
    }

    fn add_user(&mut self, ix: GroupIx, user: UserIx, since: Since) {
        let Some(entry) = self.users.get_mut(user) else {
            return;
        };
        let Err(at) = entry.groups.binary_search_by_key(&ix, |group| group.to) else {
            return;
        };
        entry.groups.insert(at, Link { to: ix, since });
        let account = entry.account;
        if let Some(group) = self.groups.get_mut(ix) {
            group.users.insert(user);
        }
        self.touched.users.push(user);
        self.mark(account, crate::Lane::Rest);
    }

    fn remove_members(&mut self, ix: GroupIx, connection: ConnectionIx, members: &MemberSet) {
        for id in &members.users {
            let Some(user) = self.live_user(connection, *id) else {
                self.counts.dropped_members += 1;
                continue;
            };
            let Some(entry) = self.users.get_mut(user) else {
                continue;
            };
            if let Ok(at) = entry.groups.binary_search_by_key(&ix, |group| group.to) {
                entry.groups.remove(at);
                if let Some(group) = self.groups.get_mut(ix) {
                    group.users.remove(&user);
                }
                self.touched.users.push(user);
            }
        }
        let children: Vec<Option<GroupIx>> = {
            let groups = members.groups.iter();
            groups.map(|id| self.live_group(connection, *id)).collect()
        };
        self.forget_effective(children.iter().copied().flatten()); // together, as when they are added
        for child in children {
            let Some(child) = child else {
                self.counts.dropped_members += 1;
                continue;
            };
            if let Some(group) = self.groups.get_mut(ix) {
                group.children.remove(&child);
            }
            if let Some(group) = self.groups.get_mut(child) {
                group.parents.remove(&ix);
            }
            self.touched.groups.push(child);
        }
    }
}

/// Puts a text into a boxed place.
trait ApplyBoxed {
    fn apply_boxed(self, value: &mut Option<Box<str>>);
}

impl ApplyBoxed for rollcall_domain::Set<String> {
    fn apply_boxed(self, value: &mut Option<Box<str>>) {
        let mut text = value.take().map(String::from);
        self.apply(&mut text);
        *value = text.map(String::into_boxed_str);
    }
}
