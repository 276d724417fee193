//! Doors for benchmarks: the fold and stage 2 without log, store and threads.

use crate::fold::{Applied, TenantState};
use crate::{Lane, decode};

/// Whether a record is readable: the reader alone.
#[must_use]
pub fn is_readable(record: &[u8]) -> bool {
    decode::decode(record).is_ok()
}

impl TenantState {
    /// Takes in a record of the log, its personal part unopened; `None` when it is not readable.
    pub fn apply_record(&mut self, record: &[u8]) -> Option<Applied> {
        let Ok(decoded) = decode::decode(record) else {
            self.apply_unreadable();
            return None;
        };
        Some(self.apply_input(&decoded.input))
    }

    /// Forgets what a store would have to write: for a state that is not stored.
    pub fn forget_changes(&mut self) {
        self.touched.clear();
        self.verdicts.fresh = 0;
    }

    /// Computes every account that waits, without texts, as the driver does; how many there were and how many
    /// changed.
    pub fn settle_all(&mut self) -> (u64, u64) {
        let (mut seen, mut changed) = (0, 0);
        loop {
            let Some(account) = Lane::ALL.into_iter().find_map(|lane| self.next_dirty(lane)) else {
                if self.expand_dirty(crate::limits::EXPAND_ACCOUNTS) {
                    continue;
                }
                return (seen, changed);
            };
            seen += 1;
            let hash = self.outline_hash(account, &self.outline(account));
            if let Some(entry) = self.accounts.get_mut(account)
                && entry.published.hash != hash
            {
                entry.published.hash = hash;
                changed += 1;
            }
        }
    }
}
