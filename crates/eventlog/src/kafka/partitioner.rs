//! Which partition a key leads to: ours, so that it hangs on no client's default.

use crate::contract::Partition;

/// The partition of `key` among `count`: CRC-32C (Castagnoli) of the key, modulo the number of partitions.
/// Frozen: another rule would part the records of one key.
pub(crate) fn partition_of(key: &[u8], count: u32) -> Partition {
    Partition(crc32c::crc32c(key).checked_rem(count).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_is_frozen() {
        // CRC-32C of "123456789" is 0xE3069283, as in the catalogue of checksums.
        assert_eq!(partition_of(b"123456789", u32::MAX), Partition(0xE306_9283));
        let of = |key: &str| partition_of(key.as_bytes(), 24).0;
        assert_eq!(["acme", "acme/ada", "globex/bob", ""].map(of), FROZEN);
    }

    /// What the rule gave when it was made.
    const FROZEN: [u32; 4] = [6, 20, 14, 0];

    #[test]
    fn accounts_spread_over_the_partitions() {
        let mut counts = [0_u32; 24];
        for number in 0..24_000 {
            let partition = partition_of(format!("acme/user{number}@example.com").as_bytes(), 24);
            if let Some(count) = counts.get_mut(partition.0 as usize) {
                *count += 1;
            }
        }
        assert!(
            counts.iter().all(|count| (800..1200).contains(count)),
            "{counts:?}"
        );
    }
}
