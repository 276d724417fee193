//! Offsets that have no record, in a stream that keeps all of them.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::super::*;
use super::broker::{fresh, options};
use crate::contract::{BatchLimits, Retry};

const PATIENCE: Duration = Duration::from_secs(30);

/// Writes a record into partition 0 in a transaction, whose end takes an offset that no reader is given.
fn in_a_transaction(options: &KafkaOptions, stream: Stream) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &options.brokers)
        .set("transactional.id", options.topic(stream))
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    let topic = options.topic(stream);
    let record = BaseRecord::to(&topic).partition(0).key("other").payload("theirs");
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.commit_transaction(PATIENCE).unwrap();
}

/// A key that leads to partition 0.
fn key_of_first(log: &KafkaLog, stream: Stream) -> String {
    let keys = (0..).map(|number| format!("key {number}"));
    let mut first = keys.filter(|key| log.partition_of(stream, key.as_bytes()) == Partition(0));
    first.next().unwrap()
}

/// Everything that the first partition gives, as text, and how it ended.
async fn all(log: &KafkaLog, stream: Stream) -> (Vec<String>, Result<(), ReadError>) {
    let mut reader = log.reader(stream, Partition(0), None).unwrap();
    let mut values = Vec::new();
    loop {
        match reader.next_batch(BatchLimits::REPLAY).await {
            Ok(batch) if batch.is_empty() => return (values, Ok(())),
            Ok(batch) => values.extend(
                batch
                    .iter()
                    .map(|record| String::from_utf8(record.value.to_vec()).unwrap()),
            ),
            Err(error) => {
                let again = reader.next_batch(BatchLimits::REPLAY).await.unwrap_err();
                assert_eq!(again.to_string(), error.to_string(), "nothing is read past it");
                return (values, Err(error));
            }
        }
    }
}

/// Waits until the partition ends there: the end of a transaction is written after it was acknowledged.
async fn until_end(log: &KafkaLog, stream: Stream, end: u64) {
    let begun = std::time::Instant::now();
    let ended = async || log.reading.ends.end(stream, Partition(0)).await.unwrap() == end;
    while !ended().await {
        assert!(begun.elapsed() < PATIENCE, "the transaction does not end");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hole_is_an_error_that_names_it_and_is_nothing_new_in_a_compacted_stream() {
    let options = options();
    let at = options.clone();
    let log = tokio::task::spawn_blocking(move || fresh(&at)).await.unwrap();
    for stream in Stream::ALL {
        let key = key_of_first(&log, stream);
        let put = |value: &'static str| log.append(stream, vec![Record::new(key.clone(), value)]);
        put("before").await.unwrap();
        let at = options.clone();
        tokio::task::spawn_blocking(move || in_a_transaction(&at, stream))
            .await
            .unwrap();
        // Marker, record, record, end.
        until_end(&log, stream, 4).await;
        put("after").await.unwrap();
        let (values, ended) = all(&log, stream).await;
        if stream.is_compacted() {
            ended.unwrap();
            assert_eq!(values, ["before", "theirs", "after"]);
            continue;
        }
        assert_eq!(values, ["before", "theirs"], "what stands before it is given out");
        let hole = ended.unwrap_err();
        assert_eq!(hole.retry(), Retry::AfterRestart);
        let named = matches!(&hole, ReadError::Hole { topic, partition: Partition(0), first: 3, last: 3, .. }
            if *topic == options.topic(stream));
        assert!(named, "{hole:?}");
    }
    tokio::task::spawn_blocking(move || drop(log)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hole_that_was_accepted_is_passed_over_at_the_end_of_a_partition_too() {
    let options = options();
    let at = options.clone();
    let log = tokio::task::spawn_blocking(move || fresh(&at)).await.unwrap();
    let stream = Stream::Outcomes;
    let key = key_of_first(&log, stream);
    log.append(stream, vec![Record::new(key.clone(), "before")])
        .await
        .unwrap();
    let at = options.clone();
    tokio::task::spawn_blocking(move || in_a_transaction(&at, stream))
        .await
        .unwrap();
    until_end(&log, stream, 4).await;
    let accepting = KafkaOptions {
        accepted_holes: vec!["outcomes/0/3-3".parse().unwrap()],
        ..options
    };
    let accepting = tokio::task::spawn_blocking(move || KafkaLog::open(&accepting).unwrap())
        .await
        .unwrap();
    let (values, ended) = all(&accepting, stream).await;
    ended.unwrap();
    assert_eq!(values, ["before", "theirs"]);
    let end = accepting.end(stream, Partition(0)).await.unwrap();
    assert_eq!(end, Position::new(3), "the last record");
    log.append(stream, vec![Record::new(key, "after")]).await.unwrap();
    until_end(&accepting, stream, 5).await;
    let (values, ended) = all(&accepting, stream).await;
    ended.unwrap();
    assert_eq!(values, ["before", "theirs", "after"]);
    let (_, ended) = all(&log, stream).await;
    assert!(
        matches!(
            ended,
            Err(ReadError::Hole {
                first: 3,
                last: 3,
                ..
            })
        ),
        "{ended:?}"
    );
    tokio::task::spawn_blocking(move || drop((log, accepting)))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_stands_in_an_accepted_hole_is_given_out() {
    let options = KafkaOptions {
        accepted_holes: vec!["outcomes/0/0-9".parse().unwrap()],
        ..options()
    };
    let log = tokio::task::spawn_blocking(move || fresh(&options))
        .await
        .unwrap();
    let stream = Stream::Outcomes;
    let key = key_of_first(&log, stream);
    for value in ["one", "two", "three"] {
        log.append(stream, vec![Record::new(key.clone(), value)])
            .await
            .unwrap();
    }
    let (values, ended) = all(&log, stream).await;
    ended.unwrap();
    assert_eq!(values, ["one", "two", "three"]);
    let end = log.end(stream, Partition(0)).await.unwrap();
    assert_eq!(end, Position::new(4));
    tokio::task::spawn_blocking(move || drop(log)).await.unwrap();
}
