//! The contract as tests, one public function per claim.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use crate::contract::{
    AppendError, Appended, BatchLimits, EventLog, LogReader, MAX_BATCH_BYTES, MAX_BATCH_RECORDS,
    MAX_KEY_BYTES, MAX_RECORD_BYTES, Partition, Position, ReadError, Record, Retry, Stream,
};

/// An empty log to be tested, and what its engine promises beyond the contract.
pub struct Subject {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// Whether the positions of uncompacted streams are 1, 2, 3, …
    pub dense: bool,
    /// Whether the records of one batch stand together.
    pub atomic: bool,
    /// What must live as long as the log, a temporary directory for example.
    pub keep: Box<dyn Any + Send>,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

/// Makes a `#[tokio::test]` of every claim; the argument is an expression that gives a fresh [`Subject`].
#[macro_export]
macro_rules! conformance_tests {
    ($subject:expr) => {
        $crate::conformance_tests!(@each $subject;
            appended_records_are_read_in_order,
            streams_do_not_mix,
            positions_grow_in_append_order,
            the_end_is_the_last_acknowledged_position,
            a_reader_resumes_after_any_position,
            several_readers_see_the_same_records,
            a_reader_at_the_tail_gets_an_empty_batch,
            a_waiting_reader_wakes_on_append,
            a_blocked_reader_wakes_on_append,
            a_dropped_wait_loses_nothing,
            batches_stay_within_their_limits,
            the_largest_record_is_taken_and_a_larger_one_refused,
            impossible_batches_are_refused_whole,
            concurrent_appends_lose_and_mix_nothing,
            the_latest_record_of_each_key_is_kept,
            a_reader_after_the_end_is_refused,
            an_unknown_partition_is_refused
        );
    };
    (@each $subject:expr; $($claim:ident),+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $claim() {
            $crate::testing::$claim($subject).await;
        })+
    };
}

/// How long a test waits for what must happen before it is called a failure.
const HANG: Duration = Duration::from_secs(60);
const KEY: &[u8] = b"acme";

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, what)
        .await
        .expect("nothing happened for a minute")
}

fn records(values: impl IntoIterator<Item = String>) -> Vec<Record> {
    values.into_iter().map(|value| Record::new(KEY, value)).collect()
}

fn values(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("value {number}")).collect()
}

async fn append(log: &Arc<dyn EventLog>, stream: Stream, values: Vec<String>) -> Appended {
    soon(log.append(stream, records(values)))
        .await
        .expect("the append is taken")
}

fn reader(subject: &Subject, stream: Stream, after: Option<Position>) -> Box<dyn LogReader> {
    let partition = subject.log.partition_of(stream, KEY);
    subject
        .log
        .reader(stream, partition, after)
        .expect("the reader starts")
}

/// Reads to the tail.
async fn read_all(reader: &mut Box<dyn LogReader>, limits: BatchLimits) -> Vec<(Position, String)> {
    let mut all = Vec::new();
    loop {
        let batch = soon(reader.next_batch(limits)).await.expect("the batch is read");
        if batch.is_empty() {
            return all;
        }
        assert_eq!(
            batch.last_position(),
            reader.position(),
            "the reader stands after what it gave"
        );
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).expect("text");
        all.extend(batch.iter().map(|record| (record.position, text(record.value))));
    }
}

/// What was appended, one by one and in batches, comes back in order, with its key.
pub async fn appended_records_are_read_in_order(subject: Subject) {
    for (from, to) in [(0, 1), (1, 2), (2, 40), (40, 41), (41, 300)] {
        append(&subject.log, Stream::Events, values(from..to)).await;
    }
    let mut reader = reader(&subject, Stream::Events, None);
    let read: Vec<_> = read_all(&mut reader, BatchLimits::REPLAY)
        .await
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    assert_eq!(read, values(0..300));
}

/// A record of one stream is never seen in another.
pub async fn streams_do_not_mix(subject: Subject) {
    for stream in Stream::ALL {
        append(&subject.log, stream, vec![format!("only in {stream}")]).await;
    }
    for stream in Stream::ALL {
        let read = read_all(&mut reader(&subject, stream, None), BatchLimits::REPLAY).await;
        assert_eq!(
            read.into_iter().map(|(_, value)| value).collect::<Vec<_>>(),
            [format!("only in {stream}")]
        );
    }
}

/// Positions grow, within a batch and from one awaited append to the next; dense where promised.
pub async fn positions_grow_in_append_order(subject: Subject) {
    let mut told = Vec::new();
    for batch in 0..20 {
        let appended = append(&subject.log, Stream::Outcomes, values(0..batch % 5 + 1)).await;
        let placements: Vec<_> = appended.placements().collect();
        assert_eq!(placements.len(), batch % 5 + 1);
        assert_eq!(placements.first(), Some(&appended.first()));
        assert_eq!(placements.last(), Some(&appended.last()));
        told.extend(placements.into_iter().map(|placement| placement.position));
    }
    assert!(told.windows(2).all(|pair| pair[0] < pair[1]), "{told:?}");
    if subject.dense {
        let numbers: Vec<_> = told.iter().map(|position| position.get()).collect();
        assert_eq!(numbers, (1..=told.len() as u64).collect::<Vec<_>>());
    }
    let read = read_all(&mut reader(&subject, Stream::Outcomes, None), BatchLimits::REPLAY).await;
    assert_eq!(
        read.into_iter().map(|(position, _)| position).collect::<Vec<_>>(),
        told
    );
}

/// The end is nothing at first, then the last acknowledged position.
pub async fn the_end_is_the_last_acknowledged_position(subject: Subject) {
    let partition = subject.log.partition_of(Stream::Events, KEY);
    assert_eq!(
        soon(subject.log.end(Stream::Events, partition)).await.unwrap(),
        None
    );
    for batch in 1..5 {
        let last = append(&subject.log, Stream::Events, values(0..batch))
            .await
            .last();
        assert_eq!(last.partition, partition);
        assert_eq!(
            soon(subject.log.end(Stream::Events, partition)).await.unwrap(),
            Some(last.position)
        );
    }
}

/// A reader started after any position gives exactly what follows, asynchronously and blocking.
pub async fn a_reader_resumes_after_any_position(subject: Subject) {
    for batch in 0..10 {
        append(&subject.log, Stream::Events, values(batch * 7..batch * 7 + 7)).await;
    }
    let all = read_all(&mut reader(&subject, Stream::Events, None), BatchLimits::REPLAY).await;
    for (index, (position, _)) in all.iter().enumerate() {
        let mut resumed = reader(&subject, Stream::Events, Some(*position));
        assert_eq!(resumed.position(), Some(*position));
        let rest = read_all(&mut resumed, BatchLimits::REPLAY.records(5)).await;
        assert_eq!(rest, all[index + 1..]);
    }
    let mut resumed = reader(&subject, Stream::Events, Some(all[9].0));
    let first = all[10].0;
    let blocking = tokio::task::spawn_blocking(move || resumed.next_batch_blocking(BatchLimits::REPLAY));
    assert_eq!(
        soon(blocking).await.unwrap().unwrap().first_position(),
        Some(first)
    );
}

/// Readers do not disturb each other.
pub async fn several_readers_see_the_same_records(subject: Subject) {
    let mut readers: Vec<_> = (0..4).map(|_| reader(&subject, Stream::Events, None)).collect();
    let mut seen = vec![Vec::new(); readers.len()];
    for round in 0..10 {
        append(&subject.log, Stream::Events, values(round * 10..round * 10 + 10)).await;
        for (index, reader) in readers.iter_mut().enumerate() {
            if round % (index + 1) == 0 {
                seen[index].extend(read_all(reader, BatchLimits::REPLAY.records(index + 1)).await);
            }
        }
    }
    for (reader, seen) in readers.iter_mut().zip(&mut seen) {
        seen.extend(read_all(reader, BatchLimits::REPLAY).await);
        let read: Vec<_> = seen.iter().map(|(_, value)| value.clone()).collect();
        assert_eq!(read, values(0..100));
    }
}

/// At the tail a reader does not wait unless told to, and no longer than told.
pub async fn a_reader_at_the_tail_gets_an_empty_batch(subject: Subject) {
    let mut reader = reader(&subject, Stream::Events, None);
    assert!(
        soon(reader.next_batch(BatchLimits::REPLAY))
            .await
            .unwrap()
            .is_empty()
    );
    let brief = BatchLimits::REPLAY.waiting(Duration::from_millis(1));
    assert!(soon(reader.next_batch(brief)).await.unwrap().is_empty());
    append(&subject.log, Stream::Events, values(0..1)).await;
    assert_eq!(soon(reader.next_batch(brief)).await.unwrap().len(), 1);
    assert!(soon(reader.next_batch(brief)).await.unwrap().is_empty());
    let blocking = tokio::task::spawn_blocking(move || reader.next_batch_blocking(brief));
    assert!(soon(blocking).await.unwrap().unwrap().is_empty());
}

/// A reader that waits at the tail gets the next record when it is appended.
pub async fn a_waiting_reader_wakes_on_append(subject: Subject) {
    let mut reader = reader(&subject, Stream::Events, None);
    for round in 0..5 {
        let position = {
            let mut next = pin!(reader.next_batch(BatchLimits::REPLAY.waiting(HANG)));
            assert!(
                futures::poll!(next.as_mut()).is_pending(),
                "there is nothing to read yet"
            );
            let appended = append(&subject.log, Stream::Events, values(round..round + 1)).await;
            let batch = soon(next).await.unwrap();
            assert_eq!(batch.first_position(), Some(appended.first().position));
            batch.last_position()
        };
        assert_eq!(reader.position(), position);
    }
}

/// The same for a thread.
pub async fn a_blocked_reader_wakes_on_append(subject: Subject) {
    let mut reader = reader(&subject, Stream::Events, None);
    let blocked =
        tokio::task::spawn_blocking(move || reader.next_batch_blocking(BatchLimits::REPLAY.waiting(HANG)));
    tokio::task::yield_now().await;
    append(&subject.log, Stream::Events, values(0..1)).await;
    assert_eq!(soon(blocked).await.unwrap().unwrap().len(), 1);
}

/// A wait that is given up leaves the reader where it was.
pub async fn a_dropped_wait_loses_nothing(subject: Subject) {
    let mut reader = reader(&subject, Stream::Events, None);
    for round in 0..5 {
        {
            let mut next = pin!(reader.next_batch(BatchLimits::REPLAY.waiting(HANG)));
            assert!(futures::poll!(next.as_mut()).is_pending());
        }
        append(&subject.log, Stream::Events, values(round..round + 1)).await;
        let batch = soon(reader.next_batch(BatchLimits::REPLAY.waiting(HANG)))
            .await
            .unwrap();
        assert_eq!(
            batch.iter().next().map(|record| record.value.to_vec()),
            Some(values(round..round + 1).concat().into())
        );
    }
}

/// A batch holds no more records and bytes than asked for, and one record where even that is more.
pub async fn batches_stay_within_their_limits(subject: Subject) {
    let sized: Vec<_> = (0..200_usize)
        .map(|number| "x".repeat(number % 17 * 10))
        .collect();
    append(&subject.log, Stream::Events, sized.clone()).await;
    for (max_records, max_bytes) in [(1, 1), (3, 1_000_000), (1000, 100), (7, 500), (1000, 0)] {
        let limits = BatchLimits {
            max_bytes,
            ..BatchLimits::REPLAY
        }
        .records(max_records);
        let mut reader = reader(&subject, Stream::Events, None);
        let mut read = Vec::new();
        loop {
            let batch = soon(reader.next_batch(limits)).await.unwrap();
            if batch.is_empty() {
                break;
            }
            let bytes: usize = batch
                .iter()
                .map(|record| record.key.len() + record.value.len())
                .sum();
            assert_eq!(batch.bytes(), bytes);
            assert!(batch.len() <= max_records);
            assert!(
                bytes <= max_bytes || batch.len() == 1,
                "{bytes} bytes in {} records",
                batch.len()
            );
            read.extend(
                batch
                    .iter()
                    .map(|record| String::from_utf8(record.value_bytes().to_vec()).unwrap()),
            );
        }
        assert_eq!(read, sized);
    }
}

/// A record of exactly the largest size is taken; one byte more is refused for good.
pub async fn the_largest_record_is_taken_and_a_larger_one_refused(subject: Subject) {
    let value = "v".repeat(MAX_RECORD_BYTES - KEY.len());
    append(
        &subject.log,
        Stream::Events,
        vec![value.clone(), "small".to_owned(), value.clone()],
    )
    .await;
    let refused = soon(subject.log.append(Stream::Events, records([format!("{value}v")])))
        .await
        .unwrap_err();
    assert!(
        matches!(refused, AppendError::RecordTooLarge { index: 0, .. }),
        "{refused}"
    );
    assert_eq!(refused.retry(), Retry::Never);
    let long_key = Record::new(vec![b'k'; MAX_KEY_BYTES + 1], &b""[..]);
    let refused = soon(subject.log.append(Stream::Events, vec![long_key]))
        .await
        .unwrap_err();
    assert!(matches!(refused, AppendError::RecordTooLarge { .. }), "{refused}");
    let read = read_all(&mut reader(&subject, Stream::Events, None), BatchLimits::REPLAY).await;
    assert!(
        read.iter()
            .map(|(_, value)| value.as_str())
            .eq([value.as_str(), "small", value.as_str()])
    );
}

/// A batch that is empty, too long, too large or holds one bad record leaves nothing behind.
pub async fn impossible_batches_are_refused_whole(subject: Subject) {
    let half = "v".repeat(MAX_RECORD_BYTES / 2);
    let too_large = vec![half; MAX_BATCH_BYTES / (MAX_RECORD_BYTES / 2) + 1];
    let one_bad = vec!["good".to_owned(), "v".repeat(MAX_RECORD_BYTES + 1)];
    for (batch, name) in [
        (Vec::new(), "empty"),
        (values(0..MAX_BATCH_RECORDS + 1), "too long"),
        (too_large, "too large"),
        (one_bad, "one bad record"),
    ] {
        let refused = soon(subject.log.append(Stream::Events, records(batch))).await;
        let refused = refused.expect_err(name);
        assert_eq!(refused.retry(), Retry::Never, "{name}: {refused}");
        assert!(!refused.may_have_been_written(), "{name}: {refused}");
    }
    append(&subject.log, Stream::Events, values(0..1)).await;
    let read = read_all(&mut reader(&subject, Stream::Events, None), BatchLimits::REPLAY).await;
    assert_eq!(
        read.into_iter().map(|(_, value)| value).collect::<Vec<_>>(),
        values(0..1)
    );
}

/// Many appenders at once: every record stands exactly where its append said, and nothing else does.
pub async fn concurrent_appends_lose_and_mix_nothing(subject: Subject) {
    let appenders: Vec<_> = (0..16)
        .map(|appender| {
            let log = Arc::clone(&subject.log);
            tokio::spawn(async move {
                let mut told = Vec::new();
                for number in 0..25 {
                    let values: Vec<_> = (0..number % 7 + 1)
                        .map(|part| format!("{appender} {number} {part}"))
                        .collect();
                    let appended = append(&log, Stream::Events, values.clone()).await;
                    let positions: Vec<_> = appended.placements().map(|place| place.position).collect();
                    assert!(
                        told.last().is_none_or(|(last, _)| *last < positions[0]),
                        "appends of one task in order"
                    );
                    told.extend(positions.into_iter().zip(values));
                }
                told
            })
        })
        .collect();
    let mut told = BTreeMap::new();
    for appender in appenders {
        for (position, value) in soon(appender).await.unwrap() {
            assert_eq!(told.insert(position, value), None, "one record per position");
        }
    }
    let read = read_all(
        &mut reader(&subject, Stream::Events, None),
        BatchLimits::REPLAY.records(33),
    )
    .await;
    assert_eq!(read, told.into_iter().collect::<Vec<_>>());
    if subject.atomic {
        let batch_of = |value: &str| value.rsplit_once(' ').map(|(batch, _)| batch.to_owned());
        let mut batches: Vec<_> = read.iter().map(|(_, value)| batch_of(value)).collect();
        batches.dedup();
        assert_eq!(batches.len(), 16 * 25, "the records of a batch stand together");
    }
}

/// Of a compacted stream at least the latest record of each key is read, in order.
pub async fn the_latest_record_of_each_key_is_kept(subject: Subject) {
    let mut latest: HashMap<(Partition, Vec<u8>), (Position, String)> = HashMap::new();
    for round in 0..60_usize {
        let batch: Vec<_> = (0..20_usize)
            .filter(|account| (round + account) % 3 != 0)
            .map(|account| Record::new(format!("account {account}"), format!("state {round}")))
            .collect();
        let appended = soon(subject.log.append(Stream::Desired, batch.clone()))
            .await
            .unwrap();
        for (record, place) in batch.iter().zip(appended.placements()) {
            let value = String::from_utf8(record.value.to_vec()).unwrap();
            latest.insert((place.partition, record.key.to_vec()), (place.position, value));
        }
    }
    let mut read = HashMap::new();
    for partition in subject.log.partitions(Stream::Desired) {
        let mut reader = subject.log.reader(Stream::Desired, partition, None).unwrap();
        let mut previous = None;
        loop {
            let batch = soon(reader.next_batch(BatchLimits::REPLAY.records(11)))
                .await
                .unwrap();
            if batch.is_empty() {
                break;
            }
            for record in batch.iter() {
                assert!(previous < Some(record.position));
                previous = Some(record.position);
                let value = String::from_utf8(record.value.to_vec()).unwrap();
                read.insert((partition, record.key.to_vec()), (record.position, value));
            }
        }
    }
    assert_eq!(read, latest);
}

/// A state that is ahead of the log must not be taken for one that is up to date.
pub async fn a_reader_after_the_end_is_refused(subject: Subject) {
    let partition = subject.log.partition_of(Stream::Events, KEY);
    for appended in 0..2 {
        if appended == 1 {
            append(&subject.log, Stream::Events, values(0..1)).await;
        }
        let after = Position::new(appended + 1_000);
        let refused = match subject.log.reader(Stream::Events, partition, after) {
            Ok(mut reader) => soon(reader.next_batch(BatchLimits::REPLAY)).await.map(|_| ()),
            Err(refused) => Err(refused),
        };
        assert!(matches!(refused, Err(ReadError::AfterEnd { .. })), "{refused:?}");
    }
}

/// A partition that does not exist is an error, not an empty one.
pub async fn an_unknown_partition_is_refused(subject: Subject) {
    let partitions = subject.log.partitions(Stream::Events);
    assert!(!partitions.is_empty());
    let unknown = Partition(partitions.iter().map(|partition| partition.0).max().unwrap() + 1);
    let end = soon(subject.log.end(Stream::Events, unknown)).await;
    assert!(matches!(end, Err(ReadError::UnknownPartition { .. })), "{end:?}");
    let reader = subject.log.reader(Stream::Events, unknown, None).map(|_| ());
    assert!(
        matches!(reader, Err(ReadError::UnknownPartition { .. })),
        "{reader:?}"
    );
}
