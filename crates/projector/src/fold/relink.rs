//! Everything of a state that follows from its entries: indexes, members, rosters, the accounts that wait.

use rollcall_domain::fold_case;

use super::hash::of_key;
use super::slab::{AccountIx, GroupIx, UserIx};
use super::state::TenantState;

impl TenantState {
    /// Builds what follows from the entries. The state's entries were just loaded.
    pub(crate) fn relink(&mut self) {
        self.relink_groups();
        self.relink_users();
        self.relink_accounts();
    }

    fn relink_groups(&mut self) {
        let all: Vec<GroupIx> = self.groups.iter().map(|(ix, _)| ix).collect();
        for ix in all {
            let Some(group) = self.groups.get(ix) else {
                continue;
            };
            self.group_index.insert(group.id, ix);
            if group.deleted {
                continue;
            }
            let connection = group.connection;
            let name = (connection, fold_case(&group.display_name).into_boxed_str());
            self.group_names.insert(name, ix);
            let parents: Vec<GroupIx> = group.parents.keys().copied().collect();
            self.index_group_external(ix);
            if let Some(connection) = self.connections.get_mut(connection) {
                connection.groups.insert(ix.0);
            }
            for parent in parents {
                if let Some(parent) = self.groups.get_mut(parent) {
                    parent.children.insert(ix);
                }
            }
        }
    }

    fn relink_users(&mut self) {
        let users = &self.users;
        let id_hash = |ix: &UserIx| users.get(*ix).map_or(0, |u| of_key(u.id.0.as_bytes()));
        let external_hash = |ix: &UserIx| {
            users
                .get(*ix)
                .and_then(|u| u.external)
                .map_or(0, |e| of_key(&e.0))
        };
        self.user_index.reserve(users.len(), id_hash);
        for (ix, user) in users.iter() {
            self.user_index.insert_unique(id_hash(&ix), ix, id_hash);
            if user.deleted {
                continue;
            }
            if user.external.is_some() {
                self.external_index
                    .insert_unique(external_hash(&ix), ix, external_hash);
            }
            if let Some(connection) = self
                .connections
                .get_mut(super::ConnectionIx(u32::from(user.connection)))
            {
                connection.users.insert(ix.0);
            }
            for group in &user.groups {
                if let Some(group) = self.groups.get_mut(group.to) {
                    group.users.insert(ix);
                }
            }
        }
    }

    fn relink_accounts(&mut self) {
        let accounts = &self.accounts;
        let hash = |ix: &AccountIx| accounts.get(*ix).map_or(0, |a| of_key(&a.key.0));
        self.account_index.reserve(accounts.len(), hash);
        for (ix, account) in accounts.iter() {
            self.account_index.insert_unique(hash(&ix), ix, hash);
            if let Some(lane) = account.published.waits {
                self.dirty.enqueue(lane, ix);
            }
        }
    }
}
