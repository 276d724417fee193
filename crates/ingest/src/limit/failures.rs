//! Failed attempts by address. Pure: time is an argument.
//!
//! What is limited is failing: once an address has failed too often, its further *failing* requests get 429 and are no
//! longer told of one by one. A request with a valid credential is never asked here, so nobody is locked out by a
//! neighbour behind the same address. What keeps guessing out of reach is the size of the secrets; the limit keeps
//! logs readable, makes a broken client visible, and takes its connections away.

use std::collections::HashMap;
use std::net::IpAddr;

use super::address::counted_as;

/// Failures of one address within [`FAILURE_WINDOW_MILLIS`] that are answered as such, by default; those beyond get
/// 429. A client with a wrong token tries a few times an hour; an admin who mistypes one tries a few times a minute.
pub const AUTH_FAILURES_MAX: u32 = 20;
/// The window, in milliseconds.
pub const FAILURE_WINDOW_MILLIS: u64 = 60_000;
/// Most addresses that are told apart within a window (about 1 MB). Those beyond share one count: an attack from that
/// many addresses gets 429 sooner, and valid credentials are not concerned.
pub const ADDRESSES_MAX: usize = 16_384;

/// What becomes of a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is answered as what it is.
    Answered,
    /// It is the first one beyond the bound in this window: worth a line in the log.
    FirstBeyond {
        /// Seconds until the window ends.
        retry_after: u32,
    },
    /// It is beyond the bound.
    Beyond {
        /// Seconds until the window ends.
        retry_after: u32,
    },
}

/// Counts of the current window.
#[derive(Debug)]
pub(crate) struct FailureTable {
    max: u32,
    began_ms: u64,
    counts: HashMap<IpAddr, u32>,
    /// Of all addresses that found no place.
    others: u32,
}

impl FailureTable {
    /// A table that answers `max` failures of an address in a window.
    pub(crate) fn new(max: u32) -> Self {
        Self {
            max,
            began_ms: 0,
            counts: HashMap::new(),
            others: 0,
        }
    }

    /// Counts a failed attempt at `now_ms`, on a clock that does not go back.
    pub(crate) fn failed(&mut self, address: IpAddr, now_ms: u64) -> Verdict {
        if now_ms.saturating_sub(self.began_ms) >= FAILURE_WINDOW_MILLIS {
            self.began_ms = now_ms;
            self.counts.clear();
            self.others = 0;
        }
        let address = counted_as(address);
        let room = self.counts.len() < ADDRESSES_MAX;
        let count = match self.counts.get_mut(&address) {
            Some(count) => count,
            None if room => self.counts.entry(address).or_insert(0),
            None => &mut self.others,
        };
        *count = count.saturating_add(1);
        let left_ms = FAILURE_WINDOW_MILLIS.saturating_sub(now_ms.saturating_sub(self.began_ms));
        let retry_after = u32::try_from(left_ms.div_ceil(1000)).unwrap_or(u32::MAX).max(1);
        match (*count).checked_sub(self.max) {
            None | Some(0) => Verdict::Answered,
            Some(1) => Verdict::FirstBeyond { retry_after },
            Some(_) => Verdict::Beyond { retry_after },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u32) -> IpAddr {
        IpAddr::V4((0x0a00_0000 + last).into())
    }

    #[test]
    fn an_address_may_fail_a_few_times_in_a_window_and_no_other_one_pays_for_it() {
        let mut table = FailureTable::new(2);
        assert_eq!(table.failed(ip(1), 0), Verdict::Answered);
        assert_eq!(table.failed(ip(1), 1_000), Verdict::Answered);
        assert_eq!(
            table.failed(ip(1), 1_500),
            Verdict::FirstBeyond { retry_after: 59 }
        );
        assert_eq!(table.failed(ip(1), 59_999), Verdict::Beyond { retry_after: 1 });
        assert_eq!(table.failed(ip(2), 59_999), Verdict::Answered);
        assert_eq!(table.failed(ip(1), 60_000), Verdict::Answered, "a new window");
    }

    #[test]
    fn however_many_addresses_come_the_table_stays_within_its_bound() {
        let mut table = FailureTable::new(2);
        for last in 0..40_000 {
            table.failed(ip(last), 5);
        }
        assert_eq!(table.counts.len(), ADDRESSES_MAX);
        assert!(matches!(table.failed(ip(50_000), 5), Verdict::Beyond { .. }));
        assert_eq!(
            table.failed(ip(1), 5),
            Verdict::Answered,
            "known ones keep their count"
        );
    }
}
