//! What changed since the last commit, so that a commit costs what changed.

use super::slab::{AccountIx, GroupIx, UserIx};

/// Entries that the store must write. Appended to without looking; the store sorts and deduplicates.
#[derive(Debug, Clone, Default)]
pub(crate) struct Touched {
    pub(crate) users: Vec<UserIx>,
    pub(crate) accounts: Vec<AccountIx>,
    pub(crate) groups: Vec<GroupIx>,
    pub(crate) connections: bool,
    pub(crate) rules: bool,
    pub(crate) policy: bool,
    pub(crate) catalog: bool,
    pub(crate) guard: bool,
    pub(crate) parts: bool,
    pub(crate) queue: bool,
}

impl Touched {
    pub(crate) fn clear(&mut self) {
        self.users.clear();
        self.accounts.clear();
        self.groups.clear();
        self.connections = false;
        self.rules = false;
        self.policy = false;
        self.catalog = false;
        self.guard = false;
        self.parts = false;
        self.queue = false;
    }
}
