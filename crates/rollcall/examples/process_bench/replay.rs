//! The log in Kafka from its beginning to the folded state. What is read and folded here is told as `load`.

use std::sync::Arc;
use std::time::Instant;

use rollcall_eventlog::kafka::KafkaLog;
use rollcall_eventlog::{BatchLimits, ReadLog as _, Stream};
use rollcall_projector::{Until, replay};

use crate::figures::{rate, row};
use crate::people::tenant;
use crate::rooms::{Handles, size};
use crate::town::{Town, title};

const ROUNDS: usize = 3;
const MARK: f64 = 500_000.0;

/// Reads the tenant's partition and does nothing with it; how many events.
fn read(log: &KafkaLog) -> usize {
    let partition = log.partition_of(Stream::Events, tenant().as_str().as_bytes());
    let mut reader = log.reader(Stream::Events, partition, None).unwrap();
    let mut count = 0;
    loop {
        let batch = reader.next_batch_blocking(BatchLimits::REPLAY).unwrap();
        if batch.is_empty() {
            return count;
        }
        count += batch.len();
    }
}

pub(crate) async fn run(handles: Handles) {
    let events = size("EVENTS", 1_000_000);
    let town = Town::found(&handles).await;
    title(&format!("replay of {events} events of the demo's mix"));
    let began = Instant::now();
    let mean = town.append_mix(events).await;
    row(
        "appended",
        format!("in {:.1} s, mean {mean} B", began.elapsed().as_secs_f64()),
    );
    let (mut alone, mut folded): (f64, f64) = (0.0, 0.0);
    for _ in 0..ROUNDS {
        let (log, before) = (Arc::clone(&town.log), town.used(&[]));
        let began = Instant::now();
        let count = tokio::task::spawn_blocking(move || read(&log)).await.unwrap();
        let took = began.elapsed();
        let used = before.each(&town.used(&[]), count);
        alone = alone.max(rate("read alone", count, took, &used));

        let (log, before, setup) = (Arc::clone(&town.log), town.used(&[]), town.setup());
        let began = Instant::now();
        let replayed =
            tokio::task::spawn_blocking(move || replay(&*log, &[setup], Until::End, &mut |_| true).unwrap());
        let replayed = replayed.await.unwrap();
        let took = began.elapsed();
        assert_eq!(replayed[0].sequence().0, count as u64, "every event is in");
        let used = before.each(&town.used(&[]), count);
        folded = folded.max(rate("read and folded", count, took, &used));
    }
    row(
        "the best of each: ratio; of the mark, 500,000/s",
        format!("{:.2}; {:.2}", folded / alone, folded / MARK),
    );
    town.end().await;
}
