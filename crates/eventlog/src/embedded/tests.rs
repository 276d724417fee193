#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::contract::{BatchLimits, Partition, Position, ReadError, ReadLog, Retry};
use crate::testing::{Faults, Subject, open_faulty};

mod conformance {
    use super::*;

    crate::conformance_tests!(subject());

    fn subject() -> Subject {
        let dir = tempfile::tempdir().unwrap();
        let options = EmbeddedOptions {
            compaction: eager(),
            ..Default::default()
        };
        let log = EmbeddedLog::open(dir.path(), options).unwrap();
        Subject {
            log: Arc::new(log),
            dense: true,
            atomic: true,
            keep: Box::new(dir),
        }
    }
}

fn eager() -> CompactionPolicy {
    CompactionPolicy {
        min_records: 1,
        stored_per_live: 2,
    }
}

fn open(dir: &Path) -> EmbeddedLog {
    EmbeddedLog::open(dir, EmbeddedOptions::default()).unwrap()
}

fn record(key: &str, value: &str) -> Record {
    Record::new(key.to_owned(), value.to_owned())
}

async fn append(log: &EmbeddedLog, stream: Stream, values: &[&str]) -> Position {
    let records = values.iter().map(|value| record("acme", value)).collect();
    log.append(stream, records).await.unwrap().last().position
}

fn read(log: &dyn ReadLog, stream: Stream) -> Vec<(u64, Bytes, Bytes)> {
    let mut reader = log.reader(stream, Partition::ONLY, None).unwrap();
    let mut all = Vec::new();
    loop {
        let batch = reader.next_batch_blocking(BatchLimits::REPLAY).unwrap();
        if batch.is_empty() {
            return all;
        }
        all.extend(
            batch
                .iter()
                .map(|one| (one.position.get(), one.key_bytes(), one.value_bytes())),
        );
    }
}

/// The files as a killed process would leave them.
fn image(dir: &Path) -> TempDir {
    let image = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), image.path().join(entry.file_name())).unwrap();
    }
    image
}

fn damage(opened: Result<EmbeddedLog, OpenError>) -> String {
    match opened {
        Err(OpenError::Damaged(damage)) => damage.to_string(),
        other => panic!("expected damage, got {other:?}"),
    }
}

#[tokio::test]
async fn a_reopened_log_goes_on_where_it_ended() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let id = log.log_id();
    append(&log, Stream::Events, &["one", "two"]).await;
    append(&log, Stream::Outcomes, &["done"]).await;
    drop(log);
    let log = open(dir.path());
    assert_eq!(log.log_id(), id);
    assert_eq!(append(&log, Stream::Events, &["three"]).await.get(), 3);
    let values: Vec<_> = read(&log, Stream::Events)
        .into_iter()
        .map(|(_, _, value)| value)
        .collect();
    assert_eq!(values, ["one", "two", "three"]);
    assert_eq!(read(&log, Stream::Outcomes).len(), 1);
    assert_eq!(log.verify().unwrap().stream(Stream::Events).records, 3);
}

#[tokio::test]
async fn an_unclean_end_keeps_what_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    for number in 0..30 {
        append(&log, Stream::Events, &[&number.to_string()]).await;
        let image = image(dir.path());
        let recovered = open(image.path());
        assert_eq!(read(&recovered, Stream::Events), read(&log, Stream::Events));
    }
}

#[tokio::test]
async fn a_second_opening_is_refused_until_the_first_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let second = EmbeddedLog::open(dir.path(), EmbeddedOptions::default());
    assert!(matches!(second, Err(OpenError::InUse { .. })), "{second:?}");
    let reading = ReadOnlyLog::open(dir.path(), Verification::Full);
    assert!(matches!(reading, Err(OpenError::InUse { .. })), "{reading:?}");
    // A reader that still lives does not keep the log open.
    let reader = log.reader(Stream::Events, Partition::ONLY, None).unwrap();
    log.close();
    open(dir.path());
    drop(reader);
}

#[tokio::test]
async fn a_closed_log_refuses_appends() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    log.close();
    let refused = log
        .append(Stream::Events, vec![record("acme", "late")])
        .await
        .unwrap_err();
    assert!(matches!(refused, AppendError::Closed { .. }), "{refused}");
}

#[tokio::test]
async fn nobody_waits_for_a_committing_thread_that_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    log.shared.queue.abandon();
    let refused = log
        .append(Stream::Events, vec![record("acme", "one")])
        .await
        .unwrap_err();
    assert!(matches!(refused, AppendError::Closed { .. }), "{refused}");
    let (answer, answered) = oneshot::channel();
    let queue = queue::Queue::new();
    let room = queue.room(3).await.unwrap();
    let records = vec![record("acme", "two")];
    queue
        .submit(Submission {
            stream: Stream::Events,
            records,
            bytes: 7,
            answer,
            _room: room,
        })
        .unwrap();
    queue.abandon();
    answered.await.unwrap_err();
}

#[tokio::test]
async fn several_may_read_a_log_that_nobody_writes() {
    let dir = tempfile::tempdir().unwrap();
    let missing = ReadOnlyLog::open(dir.path(), Verification::Full);
    assert!(matches!(missing, Err(OpenError::NoLog { .. })), "{missing:?}");
    let log = open(dir.path());
    append(&log, Stream::Events, &["one", "two"]).await;
    let (id, written) = (log.log_id(), read(&log, Stream::Events));
    let unclean = image(dir.path());
    drop(log);
    let first = ReadOnlyLog::open(dir.path(), Verification::Full).unwrap();
    let second = ReadOnlyLog::open(dir.path(), Verification::Quick).unwrap();
    assert_eq!((first.log_id(), second.log_id()), (id, id));
    assert_eq!(
        (read(&first, Stream::Events), read(&second, Stream::Events)),
        (written.clone(), written)
    );
    let writer = EmbeddedLog::open(dir.path(), EmbeddedOptions::default());
    assert!(matches!(writer, Err(OpenError::InUse { .. })), "{writer:?}");
    let unclean = ReadOnlyLog::open(unclean.path(), Verification::Full);
    assert!(
        matches!(unclean, Err(OpenError::NeedsRecovery { .. })),
        "{unclean:?}"
    );
}

/// Breaks the file in the way told, then checks that nothing is taken until a restart.
async fn refuses_after(break_file: impl Fn(&Faults, bool)) {
    let dir = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let log = open_faulty(dir.path(), EmbeddedOptions::default(), &faults).unwrap();
    append(&log, Stream::Events, &["kept"]).await;
    break_file(&faults, true);
    let failed = log
        .append(Stream::Events, vec![record("acme", "lost")])
        .await
        .unwrap_err();
    assert!(matches!(failed, AppendError::NotDurable { .. }), "{failed}");
    assert!(failed.may_have_been_written());
    break_file(&faults, false);
    for stream in Stream::ALL {
        let refused = log
            .append(stream, vec![record("acme", "refused")])
            .await
            .unwrap_err();
        assert!(matches!(refused, AppendError::Poisoned { .. }), "{refused}");
        assert_eq!(
            (refused.retry(), refused.may_have_been_written()),
            (Retry::AfterRestart, false)
        );
    }
    let end = log.end(Stream::Events, Partition::ONLY).await.unwrap();
    assert_eq!(
        end,
        Some(Position::FIRST),
        "an unacknowledged record is not shown"
    );
    assert_eq!(read(&log, Stream::Events).len(), 1);
    drop(log);
    let log = open(dir.path());
    let values: Vec<_> = read(&log, Stream::Events)
        .into_iter()
        .map(|(_, _, value)| value)
        .collect();
    assert!(values == ["kept"] || values == ["kept", "lost"], "{values:?}");
    append(&log, Stream::Events, &["again"]).await;
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_taken_until_a_restart() {
    refuses_after(Faults::fail_sync).await;
}

#[tokio::test]
async fn after_a_failed_write_nothing_is_taken_until_a_restart() {
    refuses_after(Faults::fail_write).await;
}

#[tokio::test]
async fn after_a_panic_in_the_storage_nothing_is_taken_until_a_restart() {
    refuses_after(Faults::panic_in_sync).await;
}

#[tokio::test]
async fn every_acknowledged_append_was_synced() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let log = open_faulty(dir.path(), EmbeddedOptions::default(), &faults).unwrap();
    for _ in 0..10 {
        let before = faults.syncs();
        append(&log, Stream::Events, &["one"]).await;
        assert!(faults.syncs() > before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_that_wait_together_share_a_sync() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let log = open_faulty(dir.path(), EmbeddedOptions::default(), &faults).unwrap();
    let before = faults.syncs();
    let appends =
        (0..500).map(|number| log.append(Stream::Events, vec![record("acme", &number.to_string())]));
    for appended in futures::future::join_all(appends).await {
        appended.unwrap();
    }
    let syncs = faults.syncs() - before;
    assert!(syncs < 250, "{syncs} syncs for 500 appends at once");
}

#[tokio::test]
async fn a_log_is_never_replaced_by_a_fresh_one() {
    let dir = tempfile::tempdir().unwrap();
    append(&open(dir.path()), Stream::Events, &["one"]).await;
    let file = dir.path().join(files::LOG_FILE);
    let opened = || EmbeddedLog::open(dir.path(), EmbeddedOptions::default());
    let whole = fs::read(&file).unwrap();
    fs::write(&file, b"").unwrap();
    assert!(damage(opened()).contains("log.redb"));
    fs::write(
        &file,
        b"not a log at all, but some text of a page's length".repeat(100),
    )
    .unwrap();
    assert!(damage(opened()).contains("log.redb"));
    fs::write(&file, &whole[..whole.len() - 4096]).unwrap();
    assert!(damage(opened()).contains("log.redb"));
    fs::remove_file(&file).unwrap();
    assert!(damage(opened()).contains("missing"));
    fs::write(&file, &whole).unwrap();
    opened().unwrap();
}

#[test]
fn a_log_is_created_only_where_that_is_wanted() {
    let dir = tempfile::tempdir().unwrap();
    for dir in [dir.path().to_owned(), dir.path().join("deeper")] {
        let opened = EmbeddedLog::open(
            &dir,
            EmbeddedOptions {
                create: false,
                ..Default::default()
            },
        );
        assert!(matches!(opened, Err(OpenError::NoLog { .. })), "{opened:?}");
    }
    let id = LogId([7; 16]);
    let log = EmbeddedLog::open(
        dir.path(),
        EmbeddedOptions {
            id: Some(id),
            ..Default::default()
        },
    )
    .unwrap();
    assert_eq!(log.log_id(), id);
    // What a creation that was cut short leaves behind is not a log.
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join(files::NEW_LOG_FILE), b"half").unwrap();
    open(other.path());
}

#[tokio::test]
async fn an_older_state_of_the_file_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    append(&log, Stream::Events, &["one"]).await;
    let older = fs::read(dir.path().join(files::LOG_FILE)).unwrap();
    append(&log, Stream::Events, &["two"]).await;
    drop(log);
    fs::write(dir.path().join(files::LOG_FILE), older).unwrap();
    let said = damage(EmbeddedLog::open(dir.path(), EmbeddedOptions::default()));
    assert!(
        said.contains("stream events, position 2: the stream ends at 1, but 2 was acknowledged"),
        "{said}"
    );
}

#[tokio::test]
async fn a_flipped_byte_in_a_record_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    for number in 1..=40 {
        append(
            &log,
            Stream::Outcomes,
            &[&format!("the value with the number {number:03}")],
        )
        .await;
    }
    drop(log);
    let file = dir.path().join(files::LOG_FILE);
    let mut bytes = fs::read(&file).unwrap();
    let needle = b"number 023";
    // Superseded pages hold older copies: all are flipped.
    for at in 0..bytes.len() - needle.len() {
        if bytes[at..].starts_with(needle) {
            bytes[at] ^= 1;
        }
    }
    fs::write(&file, bytes).unwrap();
    assert!(damage(EmbeddedLog::open(dir.path(), EmbeddedOptions::default())).contains("log.redb"));
    let quick = EmbeddedOptions {
        verification: Verification::Quick,
        ..Default::default()
    };
    let log = EmbeddedLog::open(dir.path(), quick).unwrap();
    let OpenError::Damaged(found) = log.verify().unwrap_err() else {
        panic!("damage is expected")
    };
    assert_eq!(
        (found.stream, found.position),
        (Some(Stream::Outcomes), Position::new(23))
    );
    let mut reader = log
        .reader(Stream::Outcomes, Partition::ONLY, Position::new(20))
        .unwrap();
    let first = reader
        .next_batch_blocking(BatchLimits::REPLAY.records(2))
        .unwrap();
    assert_eq!(first.last_position(), Position::new(22));
    for _ in 0..2 {
        let ReadError::Damaged(met) = reader.next_batch_blocking(BatchLimits::REPLAY).unwrap_err() else {
            panic!("damage is expected")
        };
        assert_eq!(met, found);
        assert_eq!(
            reader.position(),
            Position::new(22),
            "the reader stands where it stood"
        );
    }
}

#[tokio::test]
async fn what_is_no_longer_in_memory_is_read_from_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let value = "v".repeat(100_000);
    for _ in 0..(2 * TAIL_BYTES / (20 * 100_000) + 1) {
        append(&log, Stream::Events, &[value.as_str(); 20]).await;
    }
    let all = read(&log, Stream::Events);
    assert!(
        all.iter()
            .map(|(position, ..)| *position)
            .eq(1..=all.len() as u64)
    );
    let mut reader = log.reader(Stream::Events, Partition::ONLY, None).unwrap();
    let mut records = 0;
    loop {
        let batch = reader.next_batch(BatchLimits::REPLAY).await.unwrap();
        if batch.is_empty() {
            break;
        }
        records += batch.len();
    }
    assert_eq!(records, all.len());
    let mut old = log.reader(Stream::Events, Partition::ONLY, None).unwrap();
    log.close();
    let gone = old.next_batch_blocking(BatchLimits::REPLAY).unwrap_err();
    assert!(matches!(gone, ReadError::Unavailable { .. }), "{gone}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compaction_drops_superseded_records_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let options = || EmbeddedOptions {
        compaction: eager(),
        ..Default::default()
    };
    let log = EmbeddedLog::open(dir.path(), options()).unwrap();
    let mut latest = HashMap::new();
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut round = 0_u64;
    // Goes on until compaction is seen to keep up: it runs beside the appends.
    while round < 200 || log.verify().unwrap().stream(Stream::Desired).records > 2_000 {
        assert!(Instant::now() < deadline, "compaction does not keep up");
        let batch: Vec<_> = (0..50_u64)
            .map(|n| record(&format!("account {}", n * (round % 7) % 90), &format!("{round}")))
            .collect();
        let appended = log.append(Stream::Desired, batch.clone()).await.unwrap();
        for (one, place) in batch.into_iter().zip(appended.placements()) {
            latest.insert(one.key, (place.position.get(), one.value));
        }
        round += 1;
    }
    let check = |log: &dyn ReadLog| {
        let all = read(log, Stream::Desired);
        assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0), "in order");
        let read: HashMap<_, _> = all
            .into_iter()
            .map(|(at, key, value)| (key, (at, value)))
            .collect();
        assert_eq!(read, latest);
    };
    check(&log);
    let end = log.end(Stream::Desired, Partition::ONLY).await.unwrap();
    check(&open(image(dir.path()).path()));
    drop(log);
    let log = EmbeddedLog::open(dir.path(), options()).unwrap();
    assert_eq!(log.end(Stream::Desired, Partition::ONLY).await.unwrap(), end);
    check(&log);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_under_appends_is_a_whole_log() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(open(dir.path()));
    append(&log, Stream::Events, &["before"]).await;
    let writing = Arc::clone(&log);
    let appends = tokio::spawn(async move {
        for number in 0..200 {
            append(&writing, Stream::Events, &[&number.to_string()]).await;
            append(&writing, Stream::Outcomes, &[&number.to_string()]).await;
        }
    });
    let to = tempfile::tempdir().unwrap();
    let (copying, target) = (Arc::clone(&log), to.path().to_owned());
    let copied = tokio::task::spawn_blocking(move || copying.backup(target))
        .await
        .unwrap()
        .unwrap();
    appends.await.unwrap();
    let again = log.backup(to.path()).unwrap_err();
    assert!(matches!(again, OpenError::AlreadyThere { .. }), "{again}");
    let copy = open(to.path());
    assert_eq!(copy.log_id(), log.log_id());
    for stream in Stream::ALL {
        let (all, part) = (read(&*log, stream), read(&copy, stream));
        assert_eq!(part.len() as u64, copied.stream(stream).records);
        assert_eq!(part, all[..part.len()]);
    }
    append(&copy, Stream::Events, &["after"]).await;
}
