//! How fast the log over Apache Kafka appends and reads, beside the embedded engine in the same run.
//!
//!     cargo run --release -p rollcall-eventlog --example kafka_bench [BROKERS]
//!
//! Without BROKERS one broker is started on this machine, which then shares the processors with us.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a tool for developers"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use rollcall_eventlog::kafka::topics::{self, TopicPlan};
use rollcall_eventlog::kafka::{KafkaLog, KafkaOptions};
use rollcall_eventlog::{BatchLimits, EmbeddedLog, EmbeddedOptions, EventLog, Record, Stream};

/// Bytes of a record's value: the mean of the demo's events.
const VALUE_BYTES: usize = 400;
/// How long each writing measurement lasts.
const LASTS: Duration = Duration::from_secs(5);
/// Records that a replay reads.
const REPLAYED: usize = 2_000_000;
/// Appends that are timed one by one.
const TIMED: usize = 2_000;

/// A value that compresses about as well as an event does: half of it is the same everywhere.
fn value(number: usize) -> Vec<u8> {
    let mut value = vec![b'x'; VALUE_BYTES];
    let mut state = number as u64 ^ 0x9E37_79B9_7F4A_7C15;
    for byte in value.iter_mut().skip(VALUE_BYTES / 2) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let digit = usize::try_from(state >> 60).unwrap();
        *byte = *b"0123456789abcdef".get(digit).unwrap();
    }
    value
}

fn record(number: usize) -> Record {
    Record::new(format!("tenant-{}", number % 97), value(number))
}

#[allow(clippy::cast_precision_loss, reason = "a figure to print")]
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// The median and the 99th percentile of single appends, one after the other.
async fn latency(log: &dyn EventLog) -> (Duration, Duration) {
    let mut took = Vec::new();
    for number in 0..TIMED {
        let started = Instant::now();
        log.append(Stream::Outcomes, vec![record(number)]).await.unwrap();
        took.push(started.elapsed());
    }
    took.sort();
    (
        took.get(TIMED / 2).copied().unwrap(),
        took.get(TIMED * 99 / 100).copied().unwrap(),
    )
}

/// Records per second of many who append one at a time.
async fn concurrent(log: &Arc<dyn EventLog>, appenders: usize, batch: usize) -> f64 {
    let started = Instant::now();
    let tasks = (0..appenders).map(|appender| {
        let log = Arc::clone(log);
        tokio::spawn(async move {
            let mut count = 0;
            while started.elapsed() < LASTS {
                let records = (0..batch).map(|number| record(appender * 31 + count + number));
                log.append(Stream::Outcomes, records.collect()).await.unwrap();
                count += batch;
            }
            count
        })
    });
    let counts = futures::future::join_all(tasks).await;
    rate(counts.into_iter().map(Result::unwrap).sum(), started.elapsed())
}

/// Records per second read from the beginning, one thread per partition.
fn replay(log: &dyn EventLog) -> (usize, f64) {
    let started = Instant::now();
    let count = std::thread::scope(|scope| {
        let readers: Vec<_> = log
            .partitions(Stream::Events)
            .into_iter()
            .map(|partition| {
                scope.spawn(move || {
                    let mut reader = log.reader(Stream::Events, partition, None).unwrap();
                    let (mut count, mut bytes) = (0_usize, 0_usize);
                    loop {
                        let batch = reader.next_batch_blocking(BatchLimits::REPLAY).unwrap();
                        if batch.is_empty() {
                            break;
                        }
                        count += batch.len();
                        bytes += batch.iter().map(|record| record.value.len()).sum::<usize>();
                    }
                    assert_eq!(bytes, count * VALUE_BYTES);
                    count
                })
            })
            .collect();
        readers.into_iter().map(|reader| reader.join().unwrap()).sum()
    });
    (count, rate(count, started.elapsed()))
}

async fn fill(log: &Arc<dyn EventLog>) -> f64 {
    let started = Instant::now();
    let tasks = (0..8).map(|task| {
        let log = Arc::clone(log);
        tokio::spawn(async move {
            for first in (0..REPLAYED / 8).step_by(1_000) {
                let records = (first..first + 1_000).map(|number| record(task * REPLAYED + number));
                log.append(Stream::Events, records.collect()).await.unwrap();
            }
        })
    });
    for task in futures::future::join_all(tasks).await {
        task.unwrap();
    }
    rate(REPLAYED, started.elapsed())
}

async fn measure(name: &str, log: Arc<dyn EventLog>) {
    let (median, high) = latency(&*log).await;
    println!("{name:<10} single appends: median {median:.2?}, 99th percentile {high:.2?}");
    for appenders in [64, 500] {
        let rate = concurrent(&log, appenders, 1).await;
        println!("{name:<10} {appenders:>3} appenders of 1: {rate:>9.0}/s");
    }
    let rate = concurrent(&log, 8, 500).await;
    println!("{name:<10}   8 appenders of 500: {rate:>9.0}/s");
    let rate = fill(&log).await;
    println!("{name:<10}   8 appenders of 1000, to be replayed: {rate:>9.0}/s");
    for _ in 0..3 {
        let log = Arc::clone(&log);
        let (count, rate) = tokio::task::spawn_blocking(move || replay(&*log)).await.unwrap();
        println!("{name:<10} replay: {rate:>9.0}/s ({count} records)");
    }
}

#[tokio::main]
async fn main() {
    let options = tokio::task::spawn_blocking(|| {
        let brokers = std::env::args()
            .nth(1)
            .unwrap_or_else(|| rollcall_kafka_local::shared().unwrap().to_owned());
        KafkaOptions {
            topic_prefix: rollcall_kafka_local::unique_prefix(),
            ..KafkaOptions::new(brokers)
        }
    })
    .await
    .unwrap();
    let plan = TopicPlan {
        replication: 1,
        min_insync: 1,
        ..TopicPlan::default()
    };
    println!(
        "records of {VALUE_BYTES} bytes; writing figures over {} s each",
        LASTS.as_secs()
    );
    let kafka = tokio::task::spawn_blocking(move || {
        topics::ensure(&options, &plan).unwrap();
        KafkaLog::open(&options).unwrap()
    });
    measure("kafka", Arc::new(kafka.await.unwrap())).await;
    let dir = tempfile::tempdir_in(".").unwrap();
    let embedded = EmbeddedLog::open(dir.path(), EmbeddedOptions::default()).unwrap();
    measure("embedded", Arc::new(embedded)).await;
}
