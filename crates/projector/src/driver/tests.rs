//! What becomes of a store that cannot be written any more.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use rollcall_domain::{ConnectionName, Event, EventData, EventId, GroupCreated, GroupId, MemberSet, Source};
use rollcall_eventlog::{AppendLog as _, EventLog, LogId, MemoryLog, Partition, Record, Stream};
use uuid::Uuid;

use super::*;
use crate::store::{self, StoreError};

const LOG: LogId = LogId([7; 16]);

fn acme() -> TenantId {
    TenantId::new("acme").unwrap()
}

/// A log with so many groups in it.
fn log_of(groups: u128) -> Arc<MemoryLog> {
    let log = Arc::new(MemoryLog::new(LOG));
    let group = |number: u128| {
        let event = Event {
            id: EventId(Uuid::from_u128(number)),
            source: Source::Scim(ConnectionName::new("entra").unwrap()),
            time: rollcall_domain::Timestamp::default(),
            tenant: acme(),
            actor: "t".to_owned(),
            request_id: None,
            part: None,
            data: EventData::GroupCreated(GroupCreated {
                group: GroupId(Uuid::from_u128(number)),
                display_name: format!("g{number}"),
                external_id: None,
                roles: Vec::new(),
                members: MemberSet::default(),
            }),
        };
        Record::new("acme", event.encode())
    };
    let append = log.append(Stream::Events, (1..=groups).map(group).collect());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(append).unwrap();
    log
}

fn driver(log: &Arc<MemoryLog>, opened: store::Opened, goal: u64) -> Driver {
    let events: Arc<dyn EventLog> = Arc::clone(log) as _;
    let documents = opened.store.documents();
    let core = Arc::new(Core::new(events, Partition::ONLY, documents, opened.position));
    Driver::new(core, opened.store, Publisher::default(), goal).unwrap()
}

#[test]
fn until_it_has_come_to_the_end_that_it_found_a_driver_commits_seldom() {
    let folder = tempfile::tempdir().unwrap();
    let turn = TURN_RECORDS as u64;
    let log = log_of(u128::from(turn) * 2);
    let opened = store::open(&folder.path().join("state"), LOG).unwrap();
    let mut driver = driver(&log, opened, turn + 1);
    assert!(driver.turn(true).unwrap(), "there is more");
    assert_eq!((driver.position, driver.store.position()), (turn, 0));
    driver.turn(true).unwrap();
    assert_eq!((driver.position, driver.store.position()), (2 * turn, 2 * turn));
}

#[test]
fn a_driver_says_that_it_has_come_to_the_end_only_when_that_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let log = log_of(600);
    let opened = store::open(&folder.path().join("state"), LOG).unwrap();
    let mut driver = driver(&log, opened, 600);
    let limits = BatchLimits::REPLAY.records(TURN_RECORDS);
    let batch = driver.reader.next_batch_blocking(limits).unwrap();
    driver.fold(&batch);
    assert_eq!(driver.position, 600);
    assert!(
        *driver.core.progress.borrow() < 600,
        "those who wait are not told yet"
    );
    assert!(!driver.turn(true).unwrap());
    assert_eq!(
        (*driver.core.progress.borrow(), driver.store.position()),
        (600, 600)
    );
}

#[test]
fn an_end_that_never_comes_keeps_nothing_from_being_committed() {
    let folder = tempfile::tempdir().unwrap();
    let log = log_of(1);
    let opened = store::open(&folder.path().join("state"), LOG).unwrap();
    let mut driver = driver(&log, opened, 100);
    driver.turn(true).unwrap();
    assert!(!driver.turn(true).unwrap(), "there is nothing more to do");
    assert_eq!(driver.store.position(), 1);
}

/// Runs a driver over a store whose commits fail, to its end. Why it ended.
fn run_over(dir: &Path, log: &Arc<MemoryLog>, fails_with: StoreError) -> String {
    let mut opened = store::open(dir, LOG).unwrap();
    opened.store.fails_with = Some(fails_with);
    let driver = driver(log, opened, 1);
    let core = Arc::clone(&driver.core);
    driver.run();
    let ended = core.check_running().unwrap_err().to_string();
    let users = core
        .tenant(&acme())
        .map(|tenant| tenant.live.read().state.counts.groups);
    assert_eq!(users, Some(1), "what is in memory is right");
    ended
}

/// One commit that succeeds.
fn commit_once(dir: &Path) {
    let mut store = store::open(dir, LOG).unwrap().store;
    store.commit(Commit::default(), 1).unwrap();
    store.flush().unwrap();
}

#[test]
fn a_store_that_cannot_be_written_ends_the_projector_and_is_rebuilt_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    let log = log_of(1);
    let ended = run_over(&dir, &log, StoreError::Damaged("the store panicked".to_owned()));
    assert!(ended.contains("cannot be written"), "{ended}");
    commit_and_reopen(&dir, &folder.path().join("state.damaged-1"));
}

/// The next start begins anew, once.
fn commit_and_reopen(dir: &Path, aside: &Path) {
    assert!(!aside.exists());
    assert_eq!(store::open(dir, LOG).unwrap().position, 0);
    assert!(aside.exists(), "moved aside");
    commit_once(dir);
    assert_eq!(store::open(dir, LOG).unwrap().position, 1, "the mark is gone");
}

#[test]
fn a_full_disk_ends_the_projector_and_the_state_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    let ended = run_over(&dir, &log_of(1), StoreError::Unusable("no space".to_owned()));
    assert!(ended.contains("cannot be written"), "{ended}");
    commit_once(&dir);
    assert_eq!(store::open(&dir, LOG).unwrap().position, 1);
    assert!(!folder.path().join("state.damaged-1").exists());
}

#[test]
fn a_document_that_is_missing_has_the_state_rebuilt_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    commit_once(&dir);
    let store = store::open(&dir, LOG).unwrap().store;
    let user = crate::fold::UserIx(3);
    store
        .documents()
        .read(0, user, rollcall_domain::Revision(1))
        .unwrap_err();
    drop(store);
    commit_and_reopen(&dir, &folder.path().join("state.damaged-1"));
}
