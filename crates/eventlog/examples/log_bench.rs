//! How fast the embedded log appends and reads, beside a bare file with `fdatasync` in the same run.
//!
//!     cargo run --release -p rollcall-eventlog --example log_bench [DIR]
//!
//! DIR must lie on the disk that is to be measured (default: the current directory).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a tool for developers"
)]

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rollcall_eventlog::{
    AppendLog, BatchLimits, EmbeddedLog, EmbeddedOptions, Partition, ReadLog, Record, Stream, Verification,
};

/// Bytes of a record's value.
const VALUE_BYTES: usize = 350;
/// How long each writing measurement lasts.
const LASTS: Duration = Duration::from_secs(2);

fn value() -> Vec<u8> {
    (0..VALUE_BYTES)
        .map(|at| u8::try_from(at * 31 % 251).unwrap_or(0))
        .collect()
}

fn rate(count: u64, took: Duration) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a figure to print")]
    let count = count as f64;
    count / took.as_secs_f64()
}

/// Records per second through a bare file, synced once per group.
fn bare(dir: &Path, group: u64) -> f64 {
    let path = dir.join("bare");
    let mut file = File::create(&path).unwrap();
    let value = value();
    let (started, mut count) = (Instant::now(), 0);
    while started.elapsed() < LASTS {
        let block: Vec<u8> = (0..group).flat_map(|_| value.iter().copied()).collect();
        file.write_all(&block).unwrap();
        file.sync_data().unwrap();
        count += group;
    }
    let rate = rate(count, started.elapsed());
    std::fs::remove_file(path).unwrap();
    rate
}

/// Records per second through the log, one acknowledged append per group.
async fn appends(log: &EmbeddedLog, group: u64) -> f64 {
    let value = bytes::Bytes::from(value());
    let (started, mut count) = (Instant::now(), 0);
    while started.elapsed() < LASTS {
        let records = (0..group)
            .map(|_| Record::new(&b"acme"[..], value.clone()))
            .collect();
        log.append(Stream::Events, records).await.unwrap();
        count += group;
    }
    rate(count, started.elapsed())
}

/// Records per second appended one by one by many at once: what group commit makes of them.
async fn concurrent(log: &std::sync::Arc<EmbeddedLog>, appenders: u64) -> f64 {
    let value = bytes::Bytes::from(value());
    let started = Instant::now();
    let tasks = (0..appenders).map(|_| {
        let (log, value) = (std::sync::Arc::clone(log), value.clone());
        tokio::spawn(async move {
            let mut count = 0;
            while started.elapsed() < LASTS {
                log.append(Stream::Outcomes, vec![Record::new(&b"acme"[..], value.clone())])
                    .await
                    .unwrap();
                count += 1;
            }
            count
        })
    });
    let counts = futures::future::join_all(tasks).await;
    let count = counts.into_iter().map(Result::unwrap).sum();
    rate(count, started.elapsed())
}

/// Records per second read from the start of the file by one thread, all checksums checked.
fn reads(log: &EmbeddedLog) -> (u64, f64) {
    let mut reader = log.reader(Stream::Events, Partition::ONLY, None).unwrap();
    let (started, mut count, mut bytes) = (Instant::now(), 0, 0_usize);
    loop {
        let batch = reader.next_batch_blocking(BatchLimits::REPLAY).unwrap();
        if batch.is_empty() {
            break;
        }
        for record in batch.iter() {
            bytes += record.key.len() + record.value.len();
            count += 1;
        }
    }
    assert!(bytes > VALUE_BYTES * usize::try_from(count).unwrap());
    (count, rate(count, started.elapsed()))
}

fn opening(dir: &Path, verification: Verification) -> Duration {
    let started = Instant::now();
    let log = EmbeddedLog::open(
        dir,
        EmbeddedOptions {
            verification,
            ..Default::default()
        },
    )
    .unwrap();
    let took = started.elapsed();
    drop(log);
    took
}

#[tokio::main]
async fn main() {
    let parent = std::env::args()
        .nth(1)
        .map_or_else(|| PathBuf::from("."), PathBuf::from);
    let dir = tempfile::tempdir_in(parent).unwrap();
    let log =
        std::sync::Arc::new(EmbeddedLog::open(dir.path().join("log"), EmbeddedOptions::default()).unwrap());
    println!(
        "records of {VALUE_BYTES} bytes; each figure over {} s",
        LASTS.as_secs()
    );
    for group in [1, 40, 500] {
        let (bare, log) = (bare(dir.path(), group), appends(&log, group).await);
        println!(
            "append, {group:>3} a commit: {log:>9.0}/s   bare file + fdatasync: {bare:>9.0}/s   ratio {:.2}",
            log / bare
        );
    }
    let bare = bare(dir.path(), 1);
    for appenders in [64, 500] {
        let rate = concurrent(&log, appenders).await;
        println!(
            "append, {appenders:>3} appenders of 1: {rate:>9.0}/s   ratio to single bare {:.2}",
            rate / bare
        );
    }
    let (count, rate) = reads(&log);
    println!("read: {rate:.0}/s ({count} records, one thread, checksums checked)");
    let killed = dir.path().join("killed");
    std::fs::create_dir(&killed).unwrap();
    std::fs::copy(dir.path().join("log/log.redb"), killed.join("log.redb")).unwrap();
    drop(log);
    let size = std::fs::metadata(dir.path().join("log/log.redb")).unwrap().len() / (1024 * 1024);
    let (quick, full) = (
        opening(&dir.path().join("log"), Verification::Quick),
        opening(&dir.path().join("log"), Verification::Full),
    );
    let killed = opening(&killed, Verification::Quick);
    println!("open, {size} MiB file: quick {quick:.0?}, full {full:.0?}, quick after a kill {killed:.0?}");
}
