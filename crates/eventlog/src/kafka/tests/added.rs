//! Partitions that somebody adds to a topic of ours, on a real broker.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};

use super::super::client::base_config;
use super::super::topics::TopicPlan;
use super::super::wait::block_on;
use super::super::*;
use super::broker::{PLAN, fresh, options};
use crate::contract::Membership as _;
use crate::copy::copy;
use crate::{EmbeddedLog, EmbeddedOptions};

const SOON: Duration = Duration::from_secs(60);

fn admin(options: &KafkaOptions) -> AdminClient<DefaultClientContext> {
    base_config(options).create().unwrap()
}

/// Adds one partition to the topic of outcomes, which has three.
fn add_one(options: &KafkaOptions) {
    let topic = options.topic(Stream::Outcomes);
    let more = NewPartitions::new(&topic, 4);
    let wait = AdminOptions::new().operation_timeout(Some(SOON));
    for result in block_on(admin(options).create_partitions([&more], &wait)).unwrap() {
        result.unwrap();
    }
    let heads = Heads::new(options).unwrap();
    while heads.shape(&topic).unwrap().unwrap().partitions != 4 {}
}

fn lose_desired(options: &KafkaOptions) {
    let topic = options.topic(Stream::Desired);
    let wait = AdminOptions::new().operation_timeout(Some(SOON));
    for result in block_on(admin(options).delete_topics(&[&topic], &wait)).unwrap() {
        result.unwrap();
    }
    let heads = Heads::new(options).unwrap();
    while heads.shape(&topic).unwrap().is_some() {}
}

/// Writes a record into the added partition, as a stranger might.
fn write_there(options: &KafkaOptions) {
    let producer: BaseProducer = base_config(options).create().unwrap();
    let topic = options.topic(Stream::Outcomes);
    let record = BaseRecord::to(&topic).partition(3).key("acme").payload("stray");
    producer.send(record).unwrap();
    producer.flush(SOON).unwrap();
}

fn remove_it(options: &KafkaOptions) {
    let mut before = TopicPartitionList::new();
    before
        .add_partition_offset(&options.topic(Stream::Outcomes), 3, Offset::Offset(1))
        .unwrap();
    block_on(admin(options).delete_records(&before, &AdminOptions::new())).unwrap();
}

fn records() -> Vec<Record> {
    (0..30)
        .map(|number| Record::new(format!("acme/{number}"), format!("outcome {number}")))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_added_partition_is_warned_of_and_changes_nothing() {
    tokio::task::spawn_blocking(|| {
        let options = options();
        let log = fresh(&options);
        block_on(log.append(Stream::Outcomes, records())).unwrap();
        add_one(&options);
        // Who runs goes on, and so does who starts.
        log.suspicion.verify_blocking(Stream::Outcomes).unwrap();
        let again = KafkaLog::open(&options).unwrap();
        for log in [&log, &again] {
            assert_eq!(log.partitions(Stream::Outcomes).len(), 3);
            block_on(log.append(Stream::Outcomes, records())).unwrap();
        }
        let report = topics::ensure(&options, &PLAN).unwrap();
        assert!(report.is_good(), "{report}");
        let outcomes = &report.topics[2];
        assert_eq!((outcomes.partitions, outcomes.added), (3, 1));
        let warned = outcomes.warnings[0].to_string();
        assert!(warned.contains("leave kafka.account_partitions = 3"), "{warned}");
        let wrong = TopicPlan {
            account_partitions: 4,
            ..PLAN
        };
        let refused = topics::check(&options, &wrong).unwrap().to_string();
        assert!(refused.contains("set kafka.account_partitions = 3"), "{refused}");
        // A copy has everything of it.
        let folder = tempfile::tempdir().unwrap();
        let target = EmbeddedLog::open(folder.path(), EmbeddedOptions::default()).unwrap();
        assert_eq!(block_on(copy(&again, &target, |_| {})).unwrap().copied, 90);
        // Nor does it stand in the way of what else is to be mended.
        drop((log, again));
        lose_desired(&options);
        let report = topics::renew_desired(&options, &PLAN).unwrap();
        assert!(report.is_good(), "{report}");
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_dealt_an_added_partition() {
    let log = tokio::task::spawn_blocking(|| {
        let options = options();
        let log = fresh(&options);
        add_one(&options);
        log
    });
    let log = log.await.unwrap();
    let all: BTreeSet<_> = (0..3).map(Partition).collect();
    let join = || KafkaMembership::join(&log, "reconcile", Stream::Outcomes).unwrap();
    let one = join();
    let mut owned = one.assignment();
    let dealt = owned.wait_for(|owned| owned.partitions.len() >= all.len());
    let dealt = tokio::time::timeout(SOON, dealt).await.unwrap().unwrap();
    assert_eq!(dealt.partitions, all);
    drop(dealt);
    tokio::task::spawn_blocking(move || drop((one, log)))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_in_an_added_partition_are_refused_until_they_are_removed() {
    tokio::task::spawn_blocking(|| {
        let options = options();
        drop(fresh(&options));
        add_one(&options);
        write_there(&options);
        let refused = KafkaLog::open(&options).unwrap_err();
        assert!(
            matches!(
                refused,
                KafkaError::Added {
                    partition: Partition(3),
                    begun_with: 3,
                    ..
                }
            ),
            "{refused}"
        );
        let report = topics::check(&options, &PLAN).unwrap();
        assert!(
            report
                .to_string()
                .contains("partition 3, which was added, has records"),
            "{report}"
        );
        remove_it(&options);
        KafkaLog::open(&options).unwrap();
        assert!(topics::check(&options, &PLAN).unwrap().is_good());
    })
    .await
    .unwrap();
}
