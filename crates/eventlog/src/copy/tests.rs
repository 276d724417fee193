#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::{BoxFuture, ready};
use proptest::prelude::*;

use super::*;
use crate::contract::{AppendLog, Appended, LogId, Placement};
use crate::kafka::wait::block_on;
use crate::memory::MemoryLog;

/// A log with partitions, each a log in memory; it takes so many records and then no more.
#[derive(Debug)]
struct Parted {
    parts: Vec<MemoryLog>,
    takes: AtomicUsize,
}

impl Parted {
    fn new(parts: u32) -> Self {
        Self {
            parts: (0..parts)
                .map(|number| MemoryLog::new(LogId([u8::try_from(number).unwrap(); 16])))
                .collect(),
            takes: AtomicUsize::new(usize::MAX),
        }
    }

    fn takes(&self, records: usize) {
        self.takes.store(records, Ordering::Relaxed);
    }

    /// Every record, partition by partition.
    fn all(&self, stream: Stream) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut all = Vec::new();
        for partition in self.partitions(stream) {
            let mut reader = self.reader(stream, partition, None).unwrap();
            loop {
                let batch = block_on(reader.next_batch(BatchLimits::REPLAY)).unwrap();
                if batch.is_empty() {
                    break;
                }
                all.extend(
                    batch
                        .iter()
                        .map(|record| (record.key.to_vec(), record.value.to_vec())),
                );
            }
        }
        all
    }

    /// The values of each key, in order.
    fn by_key(&self, stream: Stream) -> BTreeMap<Vec<u8>, Vec<Vec<u8>>> {
        let mut by_key: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (key, value) in self.all(stream) {
            by_key.entry(key).or_default().push(value);
        }
        by_key
    }

    fn put(&self, stream: Stream, key: u8, value: u16) {
        let record = Record::new(vec![key], value.to_le_bytes().to_vec());
        block_on(self.append(stream, vec![record])).unwrap();
    }
}

impl AppendLog for Parted {
    fn append(&self, stream: Stream, records: Vec<Record>) -> BoxFuture<'_, Result<Appended, AppendError>> {
        let mut placed = Vec::new();
        for record in records {
            // As in Kafka, a batch is not atomic.
            let left = self.takes.load(Ordering::Relaxed);
            if left == 0 {
                let reason = "told to".to_owned();
                return Box::pin(ready(Err(AppendError::Unavailable { stream, reason })));
            }
            self.takes.store(left - 1, Ordering::Relaxed);
            let partition = self.partition_of(stream, &record.key);
            let part = &self.parts[partition.0 as usize];
            let position = block_on(part.append(stream, vec![record]))
                .unwrap()
                .last()
                .position;
            placed.push(Placement { partition, position });
        }
        Box::pin(ready(Ok(Appended::listed(placed).unwrap())))
    }
}

impl ReadLog for Parted {
    fn log_id(&self) -> LogId {
        self.parts[0].log_id()
    }

    fn partitions(&self, _stream: Stream) -> Vec<Partition> {
        (0..u32::try_from(self.parts.len()).unwrap())
            .map(Partition)
            .collect()
    }

    fn partition_of(&self, _stream: Stream, key: &[u8]) -> Partition {
        Partition(u32::from(key[0]) % u32::try_from(self.parts.len()).unwrap())
    }

    fn end(
        &self,
        stream: Stream,
        partition: Partition,
    ) -> BoxFuture<'_, Result<Option<Position>, ReadError>> {
        self.parts[partition.0 as usize].end(stream, Partition::ONLY)
    }

    fn reader(
        &self,
        stream: Stream,
        partition: Partition,
        after: Option<Position>,
    ) -> Result<Box<dyn LogReader>, ReadError> {
        self.parts[partition.0 as usize].reader(stream, Partition::ONLY, after)
    }
}

fn filled(parts: u32, records: &[(Stream, u8, u16)]) -> Parted {
    let log = Parted::new(parts);
    for (stream, key, value) in records {
        log.put(*stream, *key, *value);
    }
    log
}

fn records() -> impl Strategy<Value = Vec<(Stream, u8, u16)>> {
    let stream = prop::sample::select(&Stream::ALL[..]);
    prop::collection::vec((stream, 0..12_u8, any::<u16>()), 0..80)
}

proptest! {
    #[test]
    fn every_key_keeps_its_records_in_order(records in records(), from in 1..5_u32, to in 1..5_u32) {
        let (source, target) = (filled(from, &records), Parted::new(to));
        let summary = block_on(copy(&source, &target, |_| {})).unwrap();
        let copied: usize = COPIED.iter().map(|stream| source.all(*stream).len()).sum();
        prop_assert_eq!(summary, CopySummary { found: 0, copied: copied as u64, left_out: 0 });
        for stream in COPIED {
            prop_assert_eq!(source.by_key(stream), target.by_key(stream));
        }
        prop_assert!(target.all(Stream::Desired).is_empty(), "desired users follow from the events");
    }

    #[test]
    fn a_copy_cut_short_anywhere_goes_on_and_copies_nothing_twice(
        records in records(),
        from in 1..5_u32,
        to in 1..5_u32,
        cuts in prop::collection::vec(0..40_usize, 1..4),
        more in records(),
    ) {
        let (source, target) = (filled(from, &records), Parted::new(to));
        for cut in cuts {
            target.takes(cut);
            let _ = block_on(copy(&source, &target, |_| {}));
        }
        target.takes(usize::MAX);
        // The source goes on meanwhile.
        for (stream, key, value) in more {
            source.put(stream, key, value);
        }
        block_on(copy(&source, &target, |_| {})).unwrap();
        for stream in COPIED {
            prop_assert_eq!(source.by_key(stream), target.by_key(stream));
        }
        let again = block_on(copy(&source, &target, |_| {})).unwrap();
        prop_assert_eq!(again.copied, 0);
    }

    #[test]
    fn a_target_that_holds_anything_else_is_refused_untouched(
        records in records(),
        from in 1..5_u32,
        to in 1..5_u32,
        kept in 0..80_usize,
        stream in prop::sample::select(&COPIED[..]),
        key in 0..12_u8,
    ) {
        let source = filled(from, &records);
        let target = Parted::new(to);
        target.takes(kept);
        let _ = block_on(copy(&source, &target, |_| {}));
        target.takes(usize::MAX);
        // No record of the source has this value.
        let odd = Record::new(vec![key], "something else".to_owned());
        block_on(target.append(stream, vec![odd])).unwrap();
        let before: Vec<_> = COPIED.iter().map(|stream| target.all(*stream)).collect();
        let refused = block_on(copy(&source, &target, |_| {})).unwrap_err();
        let is_refused = matches!(&refused, CopyError::OtherRecord { stream: named, .. } if named == &stream);
        prop_assert!(is_refused, "{refused}");
        prop_assert_eq!(refused.retry(), Retry::Never);
        let after: Vec<_> = COPIED.iter().map(|stream| target.all(*stream)).collect();
        prop_assert_eq!(before, after);
    }
}

#[test]
fn progress_ends_at_the_source_s_end_in_both_passes() {
    let records: Vec<_> = (0..5_000)
        .map(|number| (Stream::Events, u8::try_from(number % 7).unwrap(), number))
        .collect();
    let (source, target) = (filled(1, &records), Parted::new(3));
    target.takes(2_500);
    block_on(copy(&source, &target, |_| {})).unwrap_err();
    target.takes(usize::MAX);
    let mut told = Vec::new();
    let summary = block_on(copy(&source, &target, |progress| told.push(progress))).unwrap();
    assert_eq!(summary.found + summary.copied, 5_000);
    assert!(told.iter().any(|told| told.phase == CopyPhase::Comparing));
    let last = told.iter().rfind(|told| told.stream == Stream::Events).unwrap();
    assert_eq!(
        (last.phase, last.at, last.end),
        (CopyPhase::Copying, 5_000, 5_000)
    );
    assert_eq!(last.records, summary.copied);
}

#[test]
fn a_record_in_a_partition_that_is_not_its_keys_is_none_of_the_log_and_is_left_out_and_counted() {
    let source = Parted::new(3);
    for key in 0..6 {
        source.put(Stream::Events, key, u16::from(key));
    }
    let wrong = |log: &Parted| {
        let key = vec![1];
        let other = (log.partition_of(Stream::Events, &key).0 + 1) % 3;
        let part = &log.parts[usize::try_from(other).unwrap()];
        block_on(part.append(Stream::Events, vec![Record::new(key, "misplaced")])).unwrap();
    };
    wrong(&source);
    source.put(Stream::Events, 1, 99);
    let target = Parted::new(3);
    let first = block_on(copy(&source, &target, |_| {})).unwrap();
    assert_eq!((first.found, first.copied, first.left_out), (0, 7, 1));
    // What somebody put into a wrong partition of the target is no reason to refuse it either.
    wrong(&target);
    let again = block_on(copy(&source, &target, |_| {})).unwrap();
    assert_eq!((again.found, again.copied, again.left_out), (7, 0, 1));
    let single = MemoryLog::new(LogId([9; 16]));
    let into_one = block_on(copy(&source, &single, |_| {})).unwrap();
    assert_eq!((into_one.copied, into_one.left_out), (7, 1));
}
