//! Assertions that were used already (`jti`, RFC 7523 section 3). Pure: time is an argument.
//!
//! Remembered until they end by themselves. The memory is this process's: with several, an assertion could be used once
//! at each within its life, which is why that is bounded.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

/// Most assertions that are remembered (about 2 MB): a client needs one an hour.
pub(super) const REMEMBERED_MAX: usize = 32_768;

/// What is said to an assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is new, and remembered from now on.
    First,
    /// It was used before.
    Again,
    /// It cannot be remembered now, so it is not taken.
    Full,
}

/// The assertions that may not come again.
#[derive(Debug, Default)]
pub(super) struct ReplayTable {
    /// When each ends, in seconds since 1970.
    until: HashMap<[u8; 16], i64>,
}

impl ReplayTable {
    /// Takes an assertion that ends at `until`, at `now` (both in seconds since 1970).
    pub(super) fn see(&mut self, client: &str, jti: &str, until: i64, now: i64) -> Seen {
        let mut hash = Sha256::new();
        hash.update(client);
        hash.update([0]);
        hash.update(jti);
        let mut key = [0u8; 16];
        for (to, from) in key.iter_mut().zip(hash.finalize()) {
            *to = from;
        }
        if self.until.get(&key).is_some_and(|until| *until > now) {
            return Seen::Again;
        }
        if self.until.len() >= REMEMBERED_MAX {
            self.until.retain(|_, until| *until > now);
        }
        if self.until.len() >= REMEMBERED_MAX {
            return Seen::Full;
        }
        self.until.insert(key, until);
        Seen::First
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assertion_is_taken_once_while_it_lives() {
        let mut table = ReplayTable::default();
        assert_eq!(table.see("a", "1", 100, 10), Seen::First);
        assert_eq!(table.see("a", "1", 100, 99), Seen::Again);
        assert_eq!(table.see("b", "1", 100, 99), Seen::First, "another client's");
        assert_eq!(table.see("a", "1", 200, 100), Seen::First, "it had ended");
    }

    #[test]
    fn a_full_memory_takes_nothing_until_something_ends() {
        let mut table = ReplayTable::default();
        for number in 0..REMEMBERED_MAX {
            assert_eq!(table.see("a", &number.to_string(), 100, 10), Seen::First);
        }
        assert_eq!(table.see("a", "more", 100, 10), Seen::Full);
        assert_eq!(table.see("a", "more", 300, 100), Seen::First);
        assert_eq!(table.until.len(), 1);
    }
}
