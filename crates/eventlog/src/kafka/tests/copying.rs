//! From the embedded engine into Kafka and back.

use std::collections::BTreeMap;

use super::super::*;
use super::broker::{fresh, options};
use crate::contract::{BatchLimits, EventLog};
use crate::copy::{COPIED, CopyError, copy};
use crate::{EmbeddedLog, EmbeddedOptions};

/// The values of each key of a stream, in order.
async fn by_key(log: &dyn EventLog, stream: Stream) -> BTreeMap<Vec<u8>, Vec<Vec<u8>>> {
    let mut by_key: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for partition in log.partitions(stream) {
        let mut reader = log.reader(stream, partition, None).unwrap();
        loop {
            let batch = reader.next_batch(BatchLimits::REPLAY).await.unwrap();
            if batch.is_empty() {
                break;
            }
            for record in batch.iter().filter(|record| !crate::is_note(record.key)) {
                by_key
                    .entry(record.key.to_vec())
                    .or_default()
                    .push(record.value.to_vec());
            }
        }
    }
    by_key
}

fn embedded() -> (tempfile::TempDir, EmbeddedLog) {
    let dir = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(dir.path(), EmbeddedOptions::default()).unwrap();
    (dir, log)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_goes_into_kafka_and_back_byte_for_byte() {
    let (_one, source) = embedded();
    for stream in COPIED {
        for round in 0..10_usize {
            let records = (0..300_usize).map(|number| {
                let key = format!("tenant {}", (number * number) % 23);
                Record::new(key, format!("{stream} {round} {number} \u{0}é"))
            });
            source.append(stream, records.collect()).await.unwrap();
        }
    }
    let kafka = tokio::task::spawn_blocking(|| fresh(&options())).await.unwrap();
    // What a log says of itself is no part of what is copied, to it or from it.
    let note = || vec![Record::new(crate::note_key("tenant 1"), "of this log")];
    kafka.append(Stream::Events, note()).await.unwrap();
    let copied = copy(&source, &kafka, |_| {}).await.unwrap();
    assert_eq!((copied.found, copied.copied), (0, 6_000));
    source
        .append(Stream::Events, vec![Record::new("tenant 1", "later")])
        .await
        .unwrap();
    let copied = copy(&source, &kafka, |_| {}).await.unwrap();
    assert_eq!((copied.found, copied.copied), (6_000, 1));

    kafka.append(Stream::Events, note()).await.unwrap();
    let copied = copy(&source, &kafka, |_| {}).await.unwrap();
    assert_eq!((copied.found, copied.copied), (6_001, 0));
    let (_two, back) = embedded();
    let copied = copy(&kafka, &back, |_| {}).await.unwrap();
    assert_eq!(copied.copied, 6_001);
    let held = back.end(Stream::Events, Partition::ONLY).await.unwrap();
    assert_eq!(Position::to_stored(held), 3_001, "no note came along");
    for stream in COPIED {
        let original = by_key(&source, stream).await;
        assert_eq!(by_key(&kafka, stream).await, original);
        assert_eq!(by_key(&back, stream).await, original);
    }
    kafka
        .append(
            Stream::Outcomes,
            vec![Record::new("tenant 1", "not of the source")],
        )
        .await
        .unwrap();
    let refused = copy(&source, &kafka, |_| {}).await.unwrap_err();
    assert!(
        matches!(
            refused,
            CopyError::OtherRecord {
                stream: Stream::Outcomes,
                ..
            }
        ),
        "{refused}"
    );
    tokio::task::spawn_blocking(move || drop(kafka)).await.unwrap();
}
