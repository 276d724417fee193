//! A renamed account: the new one is made usable before the old one is made INACTIVE.

use std::time::Duration;

use rollcall_domain::{AccountKey, DesiredStatus, DesiredUser, Gains, Timestamp};

use super::outcomes::is_usable;
use super::visit::Visit;
use crate::clock::millis;
use crate::ledger::{LastStatus, LedgerEntry};
use crate::queue::Lane;
use crate::shared::Rename;

/// How often Fluent is asked whether a successor is usable that another reconciler makes so: at most 20 times in the
/// ten seconds that an account waits.
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl Visit<'_> {
    /// A renamed account waits for its successor to be usable: not when that one is held or gone, and not
    /// for long.
    pub(super) async fn waits_for_successor(
        &self,
        desired: &DesiredUser,
        entry: &LedgerEntry,
    ) -> Option<Timestamp> {
        let successor = self
            .shared
            .source
            .successor(self.account)
            .filter(|_| desired.is_leaver() && entry.status == Some(LastStatus::Active));
        let Some(successor) = successor else {
            self.shared.renames.lock().remove(&self.account);
            return None;
        };
        let wanted = self
            .shared
            .source
            .desired(successor)
            .ok()
            .flatten()
            .is_some_and(|next| is_wanted(&next));
        let usable = wanted && self.is_usable_now(successor).await;
        let now = self.shared.now();
        let mut renames = self.shared.renames.lock();
        let until = now.plus_millis(millis(self.shared.config.rename_wait_max));
        let rename = *renames.entry(self.account).or_insert(Rename { successor, until });
        if !wanted || usable || rename.until <= now {
            renames.remove(&self.account);
            return None;
        }
        drop(renames);
        if !self.shared.share.holds(successor) {
            return Some(rename.until.min(now.plus_millis(millis(LOOK_EVERY))));
        }
        self.shared.push(successor, Lane::Removal, self.received);
        Some(rename.until)
    }

    /// By our own record; of another reconciler's account Fluent is asked.
    async fn is_usable_now(&self, successor: AccountKey) -> bool {
        let shared = self.shared;
        if shared.share.holds(successor) {
            let status = shared.recorder.with_ledger(|ledger| ledger.status(successor));
            return status == Some(LastStatus::Active);
        }
        let Some(name) = shared.source.user_name(successor) else {
            return false;
        };
        let read = shared.gate.by_name(&name, self.urgent).await;
        read.is_ok_and(|user| is_usable(user.as_ref()))
    }

    /// Nobody waits for an account that is not to be usable, whatever comes of the visit.
    pub(super) fn release_predecessors(&self, desired: &DesiredUser) {
        if !is_wanted(desired) {
            self.wake_predecessors();
        }
    }

    pub(super) fn wake_predecessors(&self) {
        let waiting: Vec<AccountKey> = {
            let renames = self.shared.renames.lock();
            let ours = renames
                .iter()
                .filter(|(_, rename)| rename.successor == self.account);
            ours.map(|(old, _)| *old).collect()
        };
        for old in waiting {
            self.shared.push(old, Lane::Leaver, None);
        }
    }
}

/// It is to be made usable, and nothing holds it.
fn is_wanted(desired: &DesiredUser) -> bool {
    desired.status == DesiredStatus::Active && desired.gains == Gains::Allowed
}
