//! Whose desired user is to be computed again. Stage 1 costs what the event says: a fan-out is written down
//! as a group or as everybody, and expanded by stage 2.

use std::collections::{BTreeSet, VecDeque};

use super::slab::{AccountIx, GroupIx};
use super::state::TenantState;
use crate::Lane;

/// What was published of an account, and whether it is to be looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PublishedAs {
    /// Hash of what was published last; 0 before the first time.
    pub(crate) hash: u64,
    /// The lane that it waits in.
    pub(crate) waits: Option<Lane>,
    /// Computed, but not yet durable in the `desired` stream.
    pub(crate) unpublished: bool,
    /// Its status was something else than INACTIVE when it was published last.
    pub(crate) had_access: bool,
}

/// The accounts that wait, and the fan-outs that are not expanded yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dirty {
    lanes: [VecDeque<AccountIx>; 3],
    waiting: usize,
    /// Groups whose members wait.
    pub(crate) groups: BTreeSet<GroupIx>,
    /// Everybody waits, from this account on.
    pub(crate) everybody: Option<AccountIx>,
}

impl Dirty {
    /// Puts an account back that is marked as waiting.
    pub(super) fn enqueue(&mut self, lane: Lane, account: AccountIx) {
        if let Some(queue) = self.lanes.get_mut(lane as usize) {
            queue.push_back(account);
            self.waiting += 1;
        }
    }

    /// Accounts that wait, and groups that do.
    pub(crate) fn len(&self) -> usize {
        self.waiting + self.groups.len() + usize::from(self.everybody.is_some())
    }
}

impl TenantState {
    /// An account waits, in this lane or in the more urgent one that it waits in already.
    pub(crate) fn mark(&mut self, account: AccountIx, lane: Lane) {
        let Some(entry) = self.accounts.get_mut(account) else {
            return;
        };
        match entry.published.waits {
            Some(waits) if waits <= lane => return,
            Some(_) => {}
            None => self.dirty.waiting += 1,
        }
        entry.published.waits = Some(lane);
        if let Some(queue) = self.dirty.lanes.get_mut(lane as usize) {
            queue.push_back(account);
        }
        self.touched.accounts.push(account);
    }

    /// All members of a group wait.
    pub(crate) fn mark_group(&mut self, group: GroupIx) {
        self.dirty.groups.insert(group);
        self.touched.queue = true;
    }

    /// All accounts wait.
    pub(crate) fn mark_everybody(&mut self) {
        self.dirty.everybody = Some(AccountIx(0));
        self.touched.queue = true;
    }

    /// The next account of this lane.
    pub(crate) fn next_dirty(&mut self, lane: Lane) -> Option<AccountIx> {
        let queue = self.dirty.lanes.get_mut(lane as usize)?;
        while let Some(account) = queue.pop_front() {
            let Some(entry) = self.accounts.get_mut(account) else {
                continue;
            };
            // An account that moved to another lane left its old place behind.
            if entry.published.waits == Some(lane) {
                entry.published.waits = None;
                self.dirty.waiting -= 1;
                self.touched.accounts.push(account);
                return Some(account);
            }
        }
        None
    }

    /// Expands the next fan-out a little: at most `max` accounts are put into the last lane (a group is
    /// expanded whole, since its members may change meanwhile). False when there is none.
    pub(crate) fn expand_dirty(&mut self, max: u32) -> bool {
        if let Some(group) = self.dirty.groups.pop_first() {
            self.touched.queue = true;
            let below = self.descendants([group]);
            // A group that waits below this one waits for what is done here.
            for group in &below {
                self.dirty.groups.remove(group);
            }
            for account in self.accounts_in(&below) {
                self.mark(account, Lane::Rest);
            }
            return true;
        }
        let Some(AccountIx(from)) = self.dirty.everybody else {
            return false;
        };
        self.touched.queue = true;
        let end = u32::try_from(self.accounts.len()).unwrap_or(u32::MAX);
        let to = from.saturating_add(max).min(end);
        for account in from..to {
            self.mark(AccountIx(account), Lane::Rest);
        }
        self.dirty.everybody = (to < end).then_some(AccountIx(to));
        true
    }
}
