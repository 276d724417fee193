//! Hashes that never change: they stand in derivation ids, in published records and in fingerprints.

/// FNV-1a over bytes with a strong finish. Not against an adversary: a collision inside one account costs a
/// merged explanation, nothing else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StableHash(u64);

impl StableHash {
    pub(crate) const fn new(purpose: u8) -> Self {
        Self(0xcbf2_9ce4_8422_2325 ^ (purpose as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
    /// Adds a text and its end.
    #[must_use]
    pub(crate) fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes()).number(text.len() as u64)
    }
    #[must_use]
    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self
    }
    #[must_use]
    pub(crate) const fn number(self, number: u64) -> Self {
        Self(mix(self.0 ^ mix(number)))
    }
    pub(crate) const fn finish(self) -> u64 {
        mix(self.0)
    }
}

/// Spreads every bit over all (the finish of `MurmurHash3`).
pub(crate) const fn mix(mut x: u64) -> u64 {
    x ^= x >> 33;
    x = x.wrapping_mul(0xff51_afd7_ed55_8ccd);
    x ^= x >> 33;
    x = x.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

/// The hash of 16 bytes that are random already (ids, keyed hashes), for tables in memory.
pub(crate) const fn of_key(key: &[u8; 16]) -> u64 {
    let number = u128::from_be_bytes(*key);
    #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
    let (low, high) = (number as u64, (number >> 64) as u64);
    mix(low ^ high.rotate_left(32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_old_records_stays_what_it_was() {
        assert_eq!(
            StableHash::new(1).text("Agent_CHIC-01_STORE").number(7).finish(),
            PINNED
        );
    }
    const PINNED: u64 = 9_223_929_654_621_751_201;
}
