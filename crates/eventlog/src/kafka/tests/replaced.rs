//! Topics that are deleted, recreated, or not ours, on a real broker.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

use super::super::client::base_config;
use super::super::wait::block_on;
use super::super::*;
use super::broker::{PLAN, fresh, options};
use crate::contract::{BatchLimits, Retry};

const SOON: Duration = Duration::from_secs(60);

fn admin(options: &KafkaOptions) -> AdminClient<DefaultClientContext> {
    base_config(options).create().unwrap()
}

fn delete(options: &KafkaOptions, stream: Stream) {
    let topic = options.topic(stream);
    let wait = AdminOptions::new().operation_timeout(Some(SOON));
    for result in block_on(admin(options).delete_topics(&[&topic], &wait)).unwrap() {
        result.unwrap();
    }
}

fn create(options: &KafkaOptions, stream: Stream, partitions: i32) {
    let topic = options.topic(stream);
    let wait = AdminOptions::new().operation_timeout(Some(SOON));
    let new = NewTopic::new(&topic, partitions, TopicReplication::Fixed(1));
    for result in block_on(admin(options).create_topics([&new], &wait)).unwrap() {
        result.unwrap();
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
}

fn append(log: &KafkaLog, values: usize) -> Result<Appended, AppendError> {
    let records = (0..values)
        .map(|value| Record::new("acme", format!("value {value}")))
        .collect();
    runtime().block_on(log.append(Stream::Events, records))
}

/// Reads until it fails.
fn read_until_refused(reader: &mut Box<dyn LogReader>) -> ReadError {
    let begun = Instant::now();
    loop {
        match reader.next_batch_blocking(BatchLimits::REPLAY) {
            Ok(_) => assert!(begun.elapsed() < SOON, "it is still read"),
            Err(error) if error.retry() == Retry::Later => assert!(begun.elapsed() < SOON, "{error}"),
            Err(error) => return error,
        }
    }
}

fn is_replaced(error: &ReadError, options: &KafkaOptions) -> bool {
    let named = error.to_string().contains(&options.topic(Stream::Events));
    matches!(error, ReadError::Replaced { .. }) && named
}

#[test]
fn a_recreated_topic_is_an_error_that_names_it_for_readers_writers_and_the_next_start() {
    let options = options();
    let log = fresh(&options);
    append(&log, 20).unwrap();
    let partition = log.partition_of(Stream::Events, b"acme");
    let mut reader = log.reader(Stream::Events, partition, None).unwrap();
    while !reader
        .next_batch_blocking(BatchLimits::REPLAY)
        .unwrap()
        .is_empty()
    {}

    delete(&options, Stream::Events);
    create(&options, Stream::Events, 2);
    let refused = read_until_refused(&mut reader);
    assert!(is_replaced(&refused, &options), "{refused}");
    let refused = append(&log, 1).unwrap_err();
    assert!(matches!(refused, AppendError::Replaced { .. }), "{refused}");
    let refused = runtime()
        .block_on(log.end(Stream::Events, partition))
        .unwrap_err();
    assert!(is_replaced(&refused, &options), "{refused}");
    drop(log);

    // Neither opening nor making what is missing takes it for a fresh start: outcomes still name the log.
    for refused in [
        KafkaLog::open(&options).unwrap_err(),
        topics::check(&options, &PLAN)
            .map(|report| KafkaError::Topics(Box::new(report)))
            .unwrap(),
    ] {
        assert!(
            refused.to_string().contains(&options.topic(Stream::Events)),
            "{refused}"
        );
    }
}

#[test]
fn a_deleted_topic_is_an_error_and_is_not_made_anew_beside_records() {
    let options = options();
    let log = fresh(&options);
    append(&log, 3).unwrap();
    delete(&options, Stream::Outcomes);
    let partition = log.partition_of(Stream::Outcomes, b"acme");
    let mut reader = log.reader(Stream::Outcomes, partition, None).unwrap();
    let refused = read_until_refused(&mut reader);
    assert!(matches!(refused, ReadError::Replaced { .. }), "{refused}");
    assert!(
        refused.to_string().contains(&options.topic(Stream::Outcomes)),
        "{refused}"
    );
    drop((reader, log));
    let refused = topics::ensure(&options, &PLAN).unwrap_err();
    assert!(matches!(refused, KafkaError::Replaced { .. }), "{refused}");
    let report = topics::check(&options, &PLAN).unwrap();
    assert!(!report.is_good());
    assert!(!report.topics[2].exists);
}

#[test]
fn events_are_never_begun_anew_beside_the_markers_of_their_log() {
    let options = options();
    let log = fresh(&options);
    append(&log, 3).unwrap();
    drop(log);
    // The others have their markers and nothing else: nobody has published or reconciled yet.
    delete(&options, Stream::Events);
    for made_anew in [false, true] {
        if made_anew {
            create(&options, Stream::Events, 2);
        }
        let refused = topics::ensure(&options, &PLAN).unwrap_err();
        let named = refused.to_string().contains(&options.topic(Stream::Events));
        assert!(
            named && matches!(refused, KafkaError::Replaced { .. }),
            "{refused}"
        );
        let report = topics::check(&options, &PLAN).unwrap();
        assert!(!report.is_good() && report.topics[0].exists == made_anew);
    }
}

#[test]
fn topics_of_somebody_else_are_refused() {
    let options = options();
    for (stream, partitions) in Stream::ALL.into_iter().zip([2, 3, 3]) {
        create(&options, stream, partitions);
    }
    let refused = KafkaLog::open(&options).unwrap_err();
    assert!(matches!(refused, KafkaError::NotBegun { .. }), "{refused}");
    let producer: rdkafka::producer::BaseProducer = base_config(&options).create().unwrap();
    let topic = options.topic(Stream::Events);
    let record = rdkafka::producer::BaseRecord::to(&topic)
        .partition(0)
        .key("key")
        .payload("not ours");
    producer.send(record).unwrap();
    rdkafka::producer::Producer::flush(&producer, SOON).unwrap();
    let refused = topics::ensure(&options, &PLAN).unwrap_err();
    assert!(matches!(refused, KafkaError::Foreign { .. }), "{refused}");
    let refused = KafkaLog::open(&options).unwrap_err();
    assert!(matches!(refused, KafkaError::Foreign { .. }), "{refused}");
}

#[test]
fn a_state_of_another_log_finds_another_identity() {
    let (one, two) = (options(), options());
    assert_ne!(fresh(&one).log_id(), fresh(&two).log_id());
    let id = KafkaLog::open(&one).unwrap().log_id();
    assert_eq!(KafkaLog::open(&one).unwrap().log_id(), id);
    assert!(matches!(
        KafkaLog::open(&options()).unwrap_err(),
        KafkaError::NoTopic { .. }
    ));
}
