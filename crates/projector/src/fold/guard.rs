//! The safety catch: an event that would take access from too many accounts has its losses stopped, in its
//! own turn, so that every replay stops the same ones (ADR 0001). Leavers are neither held nor counted (ADR
//! 0002).

use std::collections::VecDeque;

use rollcall_domain::{EventId, Sequence};

use smallvec::SmallVec;

use super::slab::{AccountIx, GrantIx};
use super::state::{ByCause, TenantState};
use crate::Lane;
use crate::access::GrantList;
use crate::limits::{GUARD_AHEAD_MS, GUARD_WINDOW_MS};

/// What the catch keeps of an account for one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The event that would have taken it.
    pub(crate) cause: EventId,
    /// What; ascending, never empty.
    pub(crate) grants: Vec<GrantIx>,
    /// An operator rejected the loss: kept for good, and no hold any more.
    pub(crate) rejected: bool,
}

/// An event whose losses were stopped and wait for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trip {
    /// Where it stands.
    pub(crate) sequence: Sequence,
    /// The accounts; some may have been released since.
    pub(crate) accounts: Vec<AccountIx>,
    /// How many still keep something.
    pub(crate) open: u64,
}

/// What time it is for the catch: the running maximum of the times in the events, but for leaps that no other
/// event confirms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Clock {
    /// In ms; 0 before the first event.
    pub(crate) now: i64,
    /// The time in ms of the event before, when it was too far ahead to be believed alone.
    pub(crate) ahead: Option<i64>,
}

impl Clock {
    /// Goes on by an event; true when its time is too far ahead to be believed alone.
    pub(crate) fn tick(&mut self, time: i64) -> bool {
        let leaps = |now: i64| now != 0 && time > now.saturating_add(GUARD_AHEAD_MS);
        let before = self.ahead.take();
        if leaps(self.now)
            && let Some(before) = before
        {
            self.now = before.min(time);
        }
        if leaps(self.now) {
            self.ahead = Some(time);
            return true;
        }
        self.now = self.now.max(time);
        false
    }
}

/// The losses of the last minutes, and what was stopped.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guard {
    /// The catch's clock.
    pub(crate) clock: Clock,
    /// The clock's time in ms and accounts that lost something then, oldest first.
    window: VecDeque<(i64, u64)>,
    /// Sum of the window.
    lately: u64,
    pub(crate) trips: ByCause<Trip>,
    /// Accounts that keep something for good, since an operator rejected its loss; some may have been
    /// released since.
    pub(crate) rejected: std::collections::BTreeSet<AccountIx>,
}

impl Guard {
    /// Accounts that lost something in the window that ends at `now`.
    fn lost_lately(&mut self, now: i64) -> u64 {
        let since = now.saturating_sub(GUARD_WINDOW_MS);
        while let Some((_, count)) = self.window.pop_front_if(|(at, _)| *at <= since) {
            self.lately -= count;
        }
        self.lately
    }

    /// So many accounts lost something. Losses of one second share an entry, so the window is bounded by its
    /// length.
    pub(crate) fn lost(&mut self, now: i64, count: u64) {
        self.lost_lately(now);
        let now = now - now.rem_euclid(1000);
        self.lately += count;
        match self.window.back_mut() {
            Some((at, sum)) if *at == now => *sum += count,
            _ => self.window.push_back((now, count)),
        }
    }

    /// The clock's time in ms and how many lost something then, oldest first.
    pub(crate) fn losses(&self) -> impl ExactSizeIterator<Item = (i64, u64)> + '_ {
        self.window.iter().copied()
    }
}

impl TenantState {
    /// Carries out a change that may take access from these accounts, and stops what is too much. The
    /// accounts wait in the lane of removals afterwards when they lost something, else in the last one.
    pub(super) fn guarded(
        &mut self,
        cause: EventId,
        accounts: Vec<AccountIx>,
        change: impl FnOnce(&mut Self),
    ) {
        let limit = self.policy.guard.limit(self.counts.active);
        let losses = self.losses(accounts, change);
        if losses.is_empty() {
            return;
        }
        let count = losses.len() as u64;
        self.touched.guard = true;
        let now = self.guard.clock.now;
        match limit {
            Some(limit) if self.guard.lost_lately(now) + count > limit => self.stop(cause, losses),
            _ => self.guard.lost(now, count),
        }
    }

    /// Carries out a change that must take access from nobody, and stops every loss by it, however few and
    /// whatever the policy's limit; the window does not count them (ADR 0007). Marks as
    /// [`TenantState::guarded`] does.
    pub(super) fn lossless(
        &mut self,
        cause: EventId,
        accounts: Vec<AccountIx>,
        change: impl FnOnce(&mut Self),
    ) {
        let losses = self.losses(accounts, change);
        if !losses.is_empty() {
            self.touched.guard = true;
            self.stop(cause, losses);
        }
    }

    /// Carries out a change, marks these accounts, and says what each of them lost by it.
    fn losses(
        &mut self,
        mut accounts: Vec<AccountIx>,
        change: impl FnOnce(&mut Self),
    ) -> Vec<(AccountIx, Vec<GrantIx>)> {
        accounts.sort_unstable();
        accounts.dedup();
        for account in &accounts {
            self.release_desired(*account);
        }
        let before: SmallVec<[GrantList; 1]> = accounts.iter().map(|account| self.held(*account)).collect();
        change(self);
        let mut losses: Vec<(AccountIx, Vec<GrantIx>)> = Vec::new();
        for (account, before) in accounts.iter().zip(before) {
            let after = self.held(*account);
            let lost: Vec<GrantIx> = before
                .into_iter()
                .filter(|g| after.binary_search(g).is_err())
                .collect();
            if lost.is_empty() {
                self.mark(*account, Lane::Rest);
            } else {
                self.mark(*account, Lane::Removal);
                losses.push((*account, lost));
            }
        }
        losses
    }

    fn stop(&mut self, cause: EventId, losses: Vec<(AccountIx, Vec<GrantIx>)>) {
        let accounts: Vec<AccountIx> = losses.iter().map(|(account, _)| *account).collect();
        let open = accounts.len() as u64;
        for (account, grants) in losses {
            if let Some(entry) = self.accounts.get_mut(account) {
                let kept = Kept {
                    cause,
                    grants,
                    rejected: false,
                };
                entry.kept.get_or_insert_default().push(kept);
            }
            self.touched.accounts.push(account);
        }
        self.guard.trips.insert(
            cause,
            Trip {
                sequence: self.sequence,
                accounts,
                open,
            },
        );
    }

    /// What is desired again needs no catch: it is forgotten before the next loss is judged.
    pub(super) fn release_desired(&mut self, account: AccountIx) {
        if self
            .accounts
            .get(account)
            .is_none_or(|entry| entry.kept.is_none())
        {
            return;
        }
        let desired = self.desired_grants(account);
        self.release(account, |_, grant| desired.binary_search(&grant).is_ok());
    }

    /// The same for every account that the catch keeps something of, before a change that is not judged.
    pub(super) fn release_all_desired(&mut self) {
        let trips = self.guard.trips.values();
        let mut accounts: Vec<AccountIx> = trips.flat_map(|trip| trip.accounts.iter().copied()).collect();
        accounts.extend(self.guard.rejected.iter().copied());
        for account in accounts {
            self.release_desired(account);
        }
    }

    /// Forgets all that the catch keeps of an account.
    pub(super) fn release_kept(&mut self, account: AccountIx) {
        self.release(account, |_, _| true);
    }

    /// Forgets what the catch keeps of an account, where `ends` says so.
    pub(super) fn release(&mut self, account: AccountIx, ends: impl Fn(EventId, GrantIx) -> bool) {
        let Some(entry) = self.accounts.get_mut(account) else {
            return;
        };
        let Some(mut kept) = entry.kept.take() else { return };
        for one in kept.iter_mut() {
            let cause = one.cause;
            one.grants.retain(|grant| !ends(cause, *grant));
            if one.grants.is_empty()
                && !one.rejected
                && let Some(trip) = self.guard.trips.get_mut(&cause)
            {
                trip.open -= 1;
                if trip.open == 0 {
                    self.guard.trips.remove(&cause);
                }
            }
        }
        kept.retain(|one| !one.grants.is_empty());
        entry.kept = (!kept.is_empty()).then_some(kept);
        self.touched.accounts.push(account);
        self.touched.guard = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = GUARD_AHEAD_MS;

    fn after(times: &[i64]) -> (i64, usize) {
        let mut clock = Clock::default();
        let ahead = times.iter().filter(|time| clock.tick(**time)).count();
        (clock.now, ahead)
    }

    #[test]
    fn one_event_years_ahead_does_not_move_the_clock_of_the_catch() {
        let years = 1_000 * DAY;
        assert_eq!(after(&[5, years, 6, years, 7]), (7, 2));
        assert_eq!(after(&[5, 5 + DAY]), (5 + DAY, 0), "a day is believed at once");
    }

    #[test]
    fn after_a_quiet_time_the_clock_goes_as_far_as_two_events_agree() {
        let (week, years) = (7 * DAY, 1_000 * DAY);
        assert_eq!(after(&[5, week, week + 1]), (week + 1, 1));
        assert_eq!(
            after(&[5, years, week, week + 1]),
            (week + 1, 1),
            "the nearer of the two"
        );
        assert_eq!(after(&[5, week, years, week + 1]), (week + 1, 2));
        assert_eq!(
            after(&[5, 2 * DAY + 6, 4 * DAY + 6, 6 * DAY + 6]).0,
            4 * DAY + 6,
            "one behind"
        );
    }
}
