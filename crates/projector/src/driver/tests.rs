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

/// A log with one group in it.
fn log_of_one() -> Arc<MemoryLog> {
    let log = Arc::new(MemoryLog::new(LOG));
    let event = Event {
        id: EventId(Uuid::from_u128(1)),
        source: Source::Scim(ConnectionName::new("entra").unwrap()),
        time: rollcall_domain::Timestamp::default(),
        tenant: acme(),
        actor: "t".to_owned(),
        request_id: None,
        part: None,
        data: EventData::GroupCreated(GroupCreated {
            group: GroupId(Uuid::from_u128(2)),
            display_name: "g".to_owned(),
            external_id: None,
            roles: Vec::new(),
            members: MemberSet::default(),
        }),
    };
    let record = Record::new("acme", event.encode());
    let append = log.append(Stream::Events, vec![record]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(append).unwrap();
    log
}

/// Runs a driver over a store whose commits fail, to its end. Why it ended.
fn run_over(dir: &Path, log: &Arc<MemoryLog>, fails_with: StoreError) -> String {
    let mut opened = store::open(dir, LOG).unwrap();
    opened.store.fails_with = Some(fails_with);
    let events: Arc<dyn EventLog> = Arc::clone(log) as _;
    let documents = opened.store.documents();
    let core = Arc::new(Core::new(events, Partition::ONLY, documents, opened.position));
    let driver = Driver::new(Arc::clone(&core), opened.store, Publisher::default()).unwrap();
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
    let log = log_of_one();
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
    let ended = run_over(&dir, &log_of_one(), StoreError::Unusable("no space".to_owned()));
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
