//! What the engine counts, for the metrics of the binary.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::contract::{Partition, Position, Stream};

/// Upper bounds of the buckets of delivery times, in seconds: from one round trip on a fast network to the
/// default of [`delivery_timeout`](super::KafkaOptions::delivery_timeout).
pub const DELIVERY_BUCKETS: [f64; 12] = [
    0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0, 30.0,
];

/// Appends of a stream that are not taken: the last one failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingAppends {
    /// The stream.
    pub stream: Stream,
    /// Why the last one failed.
    pub reason: String,
    /// When it did.
    pub last: Instant,
}

/// Counters that only grow, and what the last appends met.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    acknowledged: AtomicU64,
    failed: AtomicU64,
    reinitialised: AtomicU64,
    rebalances: AtomicU64,
    lost: AtomicU64,
    no_room: AtomicU64,
    appends_in_flight: AtomicU64,
    records_in_flight: AtomicU64,
    buckets: [AtomicU64; DELIVERY_BUCKETS.len()],
    slowest: AtomicU64,
    sum_micros: AtomicU64,
    appends: AtomicU64,
    failing: Mutex<BTreeMap<Stream, FailingAppends>>,
}

impl Counters {
    /// An append ended, and why it failed, if so.
    pub(crate) fn ended(&self, stream: Stream, failure: Option<&str>) {
        let mut failing = self.failing.lock();
        match failure {
            None => drop(failing.remove(&stream)),
            Some(reason) => {
                let reason = reason.to_owned();
                let last = Instant::now();
                failing.insert(stream, FailingAppends { stream, reason, last });
            }
        }
    }

    pub(crate) fn failing(&self) -> Vec<FailingAppends> {
        self.failing.lock().values().cloned().collect()
    }

    pub(crate) fn sent(&self, records: u64) {
        self.appends_in_flight.fetch_add(1, Ordering::Relaxed);
        self.records_in_flight.fetch_add(records, Ordering::Relaxed);
    }

    /// An append of `records` was answered after `took`.
    pub(crate) fn answered(&self, records: u64, failed: u64, took: Duration) {
        self.appends_in_flight.fetch_sub(1, Ordering::Relaxed);
        self.records_in_flight.fetch_sub(records, Ordering::Relaxed);
        self.acknowledged
            .fetch_add(records.saturating_sub(failed), Ordering::Relaxed);
        self.failed.fetch_add(failed, Ordering::Relaxed);
        let seconds = took.as_secs_f64();
        let bucket = DELIVERY_BUCKETS.iter().position(|bound| seconds <= *bound);
        match bucket.and_then(|bucket| self.buckets.get(bucket)) {
            Some(bucket) => bucket.fetch_add(1, Ordering::Relaxed),
            None => self.slowest.fetch_add(1, Ordering::Relaxed),
        };
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
        self.appends.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn reinitialised(&self) {
        self.reinitialised.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn rebalanced(&self) {
        self.rebalances.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn had_no_room(&self) {
        self.no_room.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self, partitions: Vec<PartitionStats>) -> KafkaStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut below = 0_u64;
        let buckets = DELIVERY_BUCKETS.iter().zip(&self.buckets).map(|(bound, count)| {
            below = below.saturating_add(get(count));
            (*bound, below)
        });
        KafkaStats {
            records_acknowledged: get(&self.acknowledged),
            records_failed: get(&self.failed),
            producer_reinitialised: get(&self.reinitialised),
            rebalances: get(&self.rebalances),
            assignments_lost: get(&self.lost),
            appends_without_room: get(&self.no_room),
            appends_in_flight: get(&self.appends_in_flight),
            records_in_flight: get(&self.records_in_flight),
            delivery_buckets: buckets.collect(),
            delivery_sum: Duration::from_micros(get(&self.sum_micros)),
            appends_answered: get(&self.appends),
            partitions,
        }
    }
}

/// What the engine counted since it was opened.
#[derive(Debug, Clone, PartialEq)]
pub struct KafkaStats {
    /// Records that were acknowledged.
    pub records_acknowledged: u64,
    /// Records that were not: the append was refused as unavailable.
    pub records_failed: u64,
    /// How often the producer was made anew after a fatal error.
    pub producer_reinitialised: u64,
    /// How often the partitions that this process owns changed.
    pub rebalances: u64,
    /// How often they were lost without notice, since the session had run out.
    pub assignments_lost: u64,
    /// Appends that were refused since the queue was full.
    pub appends_without_room: u64,
    /// Appends that wait for their acknowledgement now.
    pub appends_in_flight: u64,
    /// Their records.
    pub records_in_flight: u64,
    /// Appends by time from sending to answer: upper bound in seconds, appends at or below it.
    pub delivery_buckets: Vec<(f64, u64)>,
    /// Sum of those times.
    pub delivery_sum: Duration,
    /// Appends answered, well or not.
    pub appends_answered: u64,
    /// What is known of each partition.
    pub partitions: Vec<PartitionStats>,
}

/// One partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionStats {
    /// Its stream.
    pub stream: Stream,
    /// The partition.
    pub partition: Partition,
    /// The furthest end seen; refreshed every few seconds while the partition is read here.
    pub end: Option<Position>,
    /// The furthest that a reader of this process has come; `None` when there is none.
    pub read: Option<Position>,
    /// Records between the two; 0 when the partition is not read here.
    pub lag: u64,
}
