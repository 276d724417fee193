//! Plain counters and histograms, for the binary to show.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use rollcall_domain::Timestamp;

/// Upper bounds of the buckets in milliseconds; one more bucket takes what is above.
pub const BUCKETS_MS: [u64; 16] = [
    1, 2, 5, 10, 20, 35, 50, 75, 100, 200, 500, 1_000, 2_000, 5_000, 30_000, 120_000,
];

/// Different failure codes that are counted; further ones count as `other`. Fluent documents some thirty.
const CODES_MAX: usize = 64;

/// A histogram of milliseconds.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS_MS.len() + 1],
    sum: AtomicU64,
}

impl Histogram {
    pub(crate) fn record(&self, millis: i64) {
        let millis = u64::try_from(millis).unwrap_or(0);
        let at = BUCKETS_MS
            .iter()
            .position(|bound| millis <= *bound)
            .unwrap_or(BUCKETS_MS.len());
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(millis, Ordering::Relaxed);
    }

    /// The figures now.
    #[must_use]
    pub fn snapshot(&self) -> HistogramSnapshot {
        HistogramSnapshot {
            buckets: self
                .buckets
                .iter()
                .map(|bucket| bucket.load(Ordering::Relaxed))
                .collect(),
            sum_ms: self.sum.load(Ordering::Relaxed),
        }
    }
}

/// Figures of a [`Histogram`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistogramSnapshot {
    /// Per bucket of [`BUCKETS_MS`], and above.
    pub buckets: Vec<u64>,
    /// Sum of all values.
    pub sum_ms: u64,
}

impl HistogramSnapshot {
    /// How many values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The bound of the bucket that holds the share `per_mille` of the values; `None` without values or
    /// above all.
    #[must_use]
    pub fn quantile_ms(&self, per_mille: u64) -> Option<u64> {
        let rank = self.count().saturating_mul(per_mille).div_ceil(1000).max(1);
        let mut seen = 0u64;
        for (count, bound) in self.buckets.iter().zip(BUCKETS_MS) {
            seen = seen.saturating_add(*count);
            if seen >= rank {
                return Some(bound);
            }
        }
        None
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What was counted since the start.
        #[derive(Debug, Default)]
        pub struct Metrics {
            $($(#[$doc])* pub(crate) $name: AtomicU64,)*
            pub(crate) failures: Mutex<BTreeMap<String, u64>>,
            pub(crate) last_failure: Mutex<Option<String>>,
            pub(crate) catalog_read: Mutex<Option<Timestamp>>,
            pub(crate) resynced: Mutex<Option<Timestamp>>,
            /// From receipt to the deactivating mutation being sent.
            pub leaver: Histogram,
            /// From receipt to a user that is usable.
            pub usable: Histogram,
            /// Of requests to Fluent.
            pub request: Histogram,
        }

        /// Counters at one moment.
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
            /// Failures by Fluent's code or ours.
            pub failures: BTreeMap<String, u64>,
        }

        impl Metrics {
            /// The counters now.
            #[must_use]
            pub fn counters(&self) -> Counters {
                Counters {
                    $($name: self.$name.load(Ordering::Relaxed),)*
                    failures: self.failures.lock().clone(),
                }
            }
        }
    };
}

counters! {
    /// Accounts looked at.
    visits,
    /// Intents put on record.
    intents,
    /// Users created.
    users_created,
    /// Users made INACTIVE.
    users_deactivated,
    /// Users made ACTIVE again.
    users_activated,
    /// Requests with pairs added.
    grants_added,
    /// Requests with pairs removed.
    grants_removed,
    /// Profiles written.
    profiles_written,
    /// Answers that were lost.
    ambiguous,
    /// Accounts found drifted by a resync.
    drifted,
    /// Resyncs that came to their end.
    resyncs,
    /// Readings of the catalog.
    catalog_readings,
    /// Differences of the catalog that were appended.
    catalog_changes,
    /// Accounts that were held when last looked at, counted per look.
    held,
}

impl Metrics {
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, code: &str) {
        let mut failures = self.failures.lock();
        let known = failures.len() < CODES_MAX || failures.contains_key(code);
        *failures
            .entry(if known { code } else { "other" }.to_owned())
            .or_default() += 1;
        *self.last_failure.lock() = Some(code.to_owned());
    }

    /// The newest failure code.
    #[must_use]
    pub fn last_failure(&self) -> Option<String> {
        self.last_failure.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_bound_of_its_bucket() {
        let histogram = Histogram::default();
        for millis in [1, 3, 4, 400, -5] {
            histogram.record(millis);
        }
        let figures = histogram.snapshot();
        assert_eq!((figures.count(), figures.sum_ms), (5, 408));
        assert_eq!(figures.quantile_ms(500), Some(5));
        assert_eq!(figures.quantile_ms(990), Some(500));
        assert_eq!(HistogramSnapshot::default().quantile_ms(500), None);
    }

    #[test]
    fn codes_are_bounded() {
        let metrics = Metrics::default();
        (0..200).for_each(|code| metrics.failed(&format!("C{code}")));
        assert_eq!(metrics.counters().failures.len(), CODES_MAX + 1);
        assert_eq!(metrics.last_failure().as_deref(), Some("C199"));
    }
}
