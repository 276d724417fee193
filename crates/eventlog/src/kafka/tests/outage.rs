//! Brokers that die under load and come back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rollcall_kafka_local::{Brokers, Cluster, Settings};

use super::super::topics::TopicPlan;
use super::super::*;
use crate::contract::{BatchLimits, Retry};

const SOON: Duration = Duration::from_secs(90);
/// Appenders that work at the same time.
const APPENDERS: usize = 8;

/// A log over a cluster of its own, and what was acknowledged in it.
struct Load {
    cluster: Arc<Cluster>,
    log: Arc<KafkaLog>,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    appenders: Vec<tokio::task::JoinHandle<BTreeMap<Placement, String>>>,
}

use crate::contract::Placement as Place;

/// A place that sorts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Placement(Partition, Position);

impl From<Place> for Placement {
    fn from(place: Place) -> Self {
        Self(place.partition, place.position)
    }
}

impl Load {
    async fn start(brokers: Brokers, plan: TopicPlan) -> Self {
        let (cluster, log) = tokio::task::spawn_blocking(move || {
            let settings = Settings {
                brokers,
                ..Settings::default()
            };
            let cluster = Cluster::start(&settings).expect("brokers of its own");
            let options = KafkaOptions {
                delivery_timeout: Duration::from_secs(4),
                ..KafkaOptions::new(cluster.bootstrap())
            };
            topics::ensure(&options, &plan).expect("the topics are made");
            (
                Arc::new(cluster),
                Arc::new(KafkaLog::open(&options).expect("the log opens")),
            )
        })
        .await
        .unwrap();
        let mut load = Self {
            cluster,
            log,
            stop: Arc::default(),
            acknowledged: Arc::default(),
            refused: Arc::default(),
            appenders: Vec::new(),
        };
        for number in 0..APPENDERS {
            load.appenders.push(load.appender(number));
        }
        load
    }

    /// Appends one record after the other; what is refused for now is tried again as another record.
    fn appender(&self, number: usize) -> tokio::task::JoinHandle<BTreeMap<Placement, String>> {
        let (log, stop) = (Arc::clone(&self.log), Arc::clone(&self.stop));
        let (acknowledged, refused) = (Arc::clone(&self.acknowledged), Arc::clone(&self.refused));
        tokio::spawn(async move {
            let mut told = BTreeMap::new();
            let mut count = 0;
            while !stop.load(Ordering::Relaxed) {
                count += 1;
                let value = format!("{number} {count}");
                let record = Record::new(format!("tenant {number}"), value.clone());
                match log.append(Stream::Events, vec![record]).await {
                    Ok(appended) => {
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                        let twice = told.insert(appended.last().into(), value);
                        assert_eq!(twice, None, "two records in one place");
                    }
                    Err(error) => {
                        assert_eq!(error.retry(), Retry::Later, "{error}");
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            told
        })
    }

    /// Waits until so many more appends were acknowledged.
    async fn more(&self, appends: usize) {
        let wanted = self.acknowledged.load(Ordering::Relaxed) + appends;
        self.until(|load| load.acknowledged.load(Ordering::Relaxed) >= wanted)
            .await;
    }

    async fn until(&self, reached: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !reached(self) {
            assert!(begun.elapsed() < SOON, "nothing goes on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn with(&self, what: impl FnOnce(&Cluster) + Send + 'static) {
        let cluster = Arc::clone(&self.cluster);
        tokio::task::spawn_blocking(move || what(&cluster)).await.unwrap();
    }

    /// Stops, and finds everything that was acknowledged exactly where it was said to be, once.
    async fn check(self) {
        self.stop.store(true, Ordering::Relaxed);
        let mut told = BTreeMap::new();
        for appender in self.appenders {
            told.extend(appender.await.unwrap());
        }
        let mut read = BTreeMap::new();
        for partition in self.log.partitions(Stream::Events) {
            let mut reader = self.log.reader(Stream::Events, partition, None).unwrap();
            loop {
                let batch = reader.next_batch(BatchLimits::REPLAY).await.unwrap();
                if batch.is_empty() {
                    break;
                }
                for record in batch.iter() {
                    let value = String::from_utf8(record.value.to_vec()).unwrap();
                    read.insert(Placement(partition, record.position), value);
                }
            }
        }
        for (place, value) in &told {
            assert_eq!(read.get(place), Some(value), "{place:?} was acknowledged");
        }
        let mut once: Vec<_> = read.values().collect();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), read.len(), "no record stands twice");
        let (log, cluster) = (self.log, self.cluster);
        tokio::task::spawn_blocking(move || drop((log, cluster)))
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_killed_under_load_and_started_again_loses_nothing_acknowledged() {
    let plan = super::broker::PLAN;
    let load = Load::start(Brokers::One, plan).await;
    let mut reader = load.log.reader(Stream::Events, Partition(0), None).unwrap();
    load.more(200).await;
    load.with(|cluster| {
        cluster.kill(1).unwrap();
        cluster.restart(1).unwrap();
    })
    .await;
    load.more(200).await;
    // A reader that was there all the time goes on.
    let end = load.log.end(Stream::Events, Partition(0)).await.unwrap();
    while reader.position() < end {
        match reader
            .next_batch(BatchLimits::REPLAY.waiting(Duration::from_millis(100)))
            .await
        {
            Ok(_) => {}
            Err(error) => assert_eq!(error.retry(), Retry::Later, "{error}"),
        }
    }
    drop(reader);
    load.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_of_three_brokers_killed_refuse_for_now_and_nothing_acknowledged_is_lost() {
    let plan = TopicPlan {
        events_partitions: 2,
        account_partitions: 2,
        replication: 3,
        min_insync: 2,
    };
    let load = Load::start(Brokers::Three, plan).await;
    load.more(200).await;
    let topic = load.log.options().topic(Stream::Events);
    let leader = {
        let cluster = Arc::clone(&load.cluster);
        tokio::task::spawn_blocking(move || cluster.leader(&topic, 0).unwrap())
            .await
            .unwrap()
    };
    load.with(move |cluster| cluster.kill(leader).unwrap()).await;
    load.more(1_000).await;
    let second = if leader == 1 { 2 } else { 1 };
    let refused = load.refused.load(Ordering::Relaxed);
    load.with(move |cluster| cluster.kill(second).unwrap()).await;
    // One replica alone is not enough: every appender is refused, and none hangs.
    load.until(|load| load.refused.load(Ordering::Relaxed) >= refused + APPENDERS)
        .await;
    load.with(move |cluster| {
        cluster.spawn(second).unwrap();
        cluster.spawn(leader).unwrap();
    })
    .await;
    load.more(1_000).await;
    load.check().await;
}
