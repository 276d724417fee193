//! A process that appends is killed at random moments, over and over, on one log: nothing that it was told
//! is durable is ever missing.
//!
//! Each round looks at a copy of the files, so that the next process has to recover from the kill itself and
//! may be killed while it does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use rollcall_eventlog::{
    AppendLog, BatchLimits, CompactionPolicy, EmbeddedLog, EmbeddedOptions, Partition, ReadLog, Record,
    Stream, Verification,
};

const ROUNDS: u64 = 100;
/// The moments of the kills follow from this; printed by a failing round's number.
const SEED: u64 = 0x5eed_0f40_11ca_11ed;
const DIR: &str = "ROLLCALL_KILL_TEST_DIR";
const ROUND: &str = "ROLLCALL_KILL_TEST_ROUND";
const APPENDERS: u64 = 6;
/// Longest wait for the first acknowledgement of a process: generous, since the machine may be busy.
const START_MAX: Duration = Duration::from_secs(60);

fn next_random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn options() -> EmbeddedOptions {
    EmbeddedOptions {
        verification: Verification::Quick,
        compaction: CompactionPolicy {
            min_records: 100,
            stored_per_live: 2,
        },
        ..Default::default()
    }
}

/// A value that says who wrote it, long enough for blocks to be filled.
fn value(tag: &str) -> String {
    tag.repeat(1 + 300 / tag.len())
}

/// The process that is killed: appends for ever and prints what was acknowledged.
#[test]
#[expect(clippy::disallowed_methods, reason = "a process tells its child what to do")]
fn child_appends_until_it_is_killed() {
    let (Ok(dir), Ok(round)) = (std::env::var(DIR), std::env::var(ROUND)) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let log = Arc::new(EmbeddedLog::open(dir, options()).unwrap());
        let tasks: Vec<_> = (0..APPENDERS)
            .map(|task| {
                let (log, round) = (Arc::clone(&log), round.clone());
                tokio::spawn(async move {
                    for number in 0_u64.. {
                        append_one(&log, &round, task, number).await;
                    }
                })
            })
            .collect();
        futures::future::join_all(tasks).await;
    });
}

async fn append_one(log: &EmbeddedLog, round: &str, task: u64, number: u64) {
    let stream = Stream::ALL[(task % 3) as usize];
    let tags: Vec<_> = (0..1 + number * 7 % 23)
        .map(|part| format!("<{round}.{task}.{number}.{part}>"))
        .collect();
    let key = |part: usize| format!("account {task} {}", part % 5);
    let records = tags
        .iter()
        .enumerate()
        .map(|(part, tag)| Record::new(key(part), value(tag)))
        .collect();
    let appended = log.append(stream, records).await.unwrap();
    let lines: Vec<_> = tags
        .iter()
        .enumerate()
        .zip(appended.placements())
        .map(|((part, tag), place)| format!("ack\t{stream}\t{}\t{}\t{tag}\n", place.position, key(part)))
        .collect();
    // One write, so that a kill cuts at most the last line.
    std::io::stdout().write_all(lines.concat().as_bytes()).unwrap();
}

/// What was acknowledged: for dense streams every position, for the compacted one the latest per key.
#[derive(Default)]
struct Told {
    by_position: HashMap<(&'static str, u64), String>,
    latest: HashMap<String, (u64, String)>,
}

impl Told {
    fn take(&mut self, output: &str) -> usize {
        let mut taken = 0;
        for line in output.lines().filter(|line| line.starts_with("ack\t")) {
            let parts: Vec<_> = line.split('\t').collect();
            let [_, stream, position, key, tag] = parts[..] else {
                continue;
            };
            if !tag.ends_with('>') {
                continue;
            }
            let position: u64 = position.parse().unwrap();
            let stream = Stream::ALL
                .into_iter()
                .find(|known| known.name() == stream)
                .unwrap();
            if stream.is_compacted() {
                let latest = self.latest.entry(key.to_owned()).or_default();
                if position > latest.0 {
                    *latest = (position, tag.to_owned());
                }
            } else {
                let before = self.by_position.insert((stream.name(), position), tag.to_owned());
                assert_eq!(before, None, "a position was given twice");
            }
            taken += 1;
        }
        taken
    }

    fn check(&self, dir: &Path, round: u64) {
        // Full: sequences dense, all checksums good.
        let options = EmbeddedOptions {
            verification: Verification::Full,
            create: false,
            ..options()
        };
        let log = EmbeddedLog::open(dir, options).unwrap_or_else(|error| panic!("round {round}: {error}"));
        let mut missing: HashMap<_, _> = self.by_position.iter().collect();
        let mut latest = HashMap::new();
        for stream in Stream::ALL {
            let mut reader = log.reader(stream, Partition::ONLY, None).unwrap();
            loop {
                let batch = reader.next_batch_blocking(BatchLimits::REPLAY).unwrap();
                if batch.is_empty() {
                    break;
                }
                for record in batch.iter() {
                    let found = String::from_utf8(record.value.to_vec()).unwrap();
                    if let Some(tag) = missing.remove(&(stream.name(), record.position.get())) {
                        assert_eq!(found, value(tag), "round {round}");
                    }
                    if stream.is_compacted() {
                        latest.insert(
                            String::from_utf8(record.key.to_vec()).unwrap(),
                            (record.position.get(), found),
                        );
                    }
                }
            }
        }
        assert!(
            missing.is_empty(),
            "round {round}: acknowledged and missing: {missing:?}"
        );
        for (key, (position, tag)) in &self.latest {
            let (found, content) = latest
                .get(key)
                .unwrap_or_else(|| panic!("round {round}: {key} is gone"));
            assert!(
                found >= position,
                "round {round}: {key} is back at {found}, {position} was acknowledged"
            );
            assert!(
                found > position || *content == value(tag),
                "round {round}: {key} at {position} differs"
            );
        }
    }
}

fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
    }
    to
}

#[expect(
    clippy::disallowed_methods,
    reason = "the moment of a kill is an input, any must do; nothing is awaited"
)]
fn let_it_run_for(time: Duration) {
    thread::sleep(time);
}

/// All that a process prints, until it dies; tells when the first acknowledgement is there.
fn read(stdout: impl Read, acknowledging: &mpsc::Sender<()>) -> Vec<u8> {
    let mut output = Vec::new();
    let mut lines = BufReader::new(stdout);
    loop {
        let start = output.len();
        if lines.read_until(b'\n', &mut output).unwrap() == 0 {
            return output;
        }
        if output[start..].starts_with(b"ack\t") {
            // Who does not wait for it is gone; only the first one matters.
            let _heard = acknowledging.send(());
        }
    }
}

#[test]
fn nothing_acknowledged_is_missing_after_a_hundred_kills() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = SEED;
    let mut told = Told::default();
    let (mut acknowledged, mut silent) = (0, 0);
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_appends_until_it_is_killed", "--nocapture"])
            .env(DIR, dir.path())
            .env(ROUND, round.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let (acknowledging, begun) = mpsc::channel();
        let reading = thread::spawn(move || read(stdout, &acknowledging));
        // Every other process dies at work, however slowly it started; the others may die while they open.
        if round % 2 == 0 {
            begun
                .recv_timeout(START_MAX)
                .unwrap_or_else(|_| panic!("round {round}: nothing was acknowledged"));
        }
        let_it_run_for(Duration::from_micros(next_random(&mut random) % 160_000));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(
            status.code(),
            None,
            "round {round}: the process ended by itself: {status}"
        );
        let taken = told.take(&String::from_utf8_lossy(&reading.join().unwrap()));
        acknowledged += taken;
        silent += u64::from(taken == 0);
        if dir.path().join("log.redb").exists() {
            told.check(copy(dir.path()).path(), round);
        } else {
            assert_eq!(acknowledged, 0, "round {round}: the log is gone");
        }
    }
    println!("{acknowledged} records acknowledged in {ROUNDS} rounds, {silent} of them killed before any");
    assert!(
        acknowledged > 1_000 && silent <= ROUNDS / 2,
        "{acknowledged} acknowledged, {silent} silent rounds"
    );
}
