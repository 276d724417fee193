//! How long a start takes with many users, after `kill -9`:
//! `cargo run --release -p rollcall-projector --example restart_bench [USERS]`.
//!
//! A child process takes in the users with its state on disk and is killed; the parent opens that state
//! again. The parent's log is as long as the child's, so nothing is folded again and the figure is the
//! loading alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rollcall_domain::*;
use rollcall_eventlog::{AppendLog as _, LogId, MemoryLog, Record, Stream};
use rollcall_projector::{Projector, TenantSetup};
use serde_json::{Value, json};
use uuid::Uuid;

const LOG: LogId = LogId([9; 16]);
/// Users of one membership event.
const BATCH: u64 = 500;

fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn setups() -> Vec<TenantSetup> {
    vec![TenantSetup {
        id: tenant(),
        key: TenantKey::new([5; 32]),
    }]
}

fn event(number: u64, data: EventData) -> Record {
    let event = Event {
        id: EventId(Uuid::from_u64_pair(
            number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            number,
        )),
        source: Source::Scim(ConnectionName::new("entra").unwrap()),
        time: Timestamp::from_millis(1_790_000_000_000 + i64::try_from(number).unwrap()),
        tenant: tenant(),
        actor: "entra-token".to_owned(),
        request_id: None,
        part: None,
        data,
    };
    Record::new("acme", event.encode())
}

fn user_id(user: u64) -> UserId {
    UserId(Uuid::from_u64_pair(
        user.wrapping_mul(0xff51_afd7_ed55_8ccd),
        user,
    ))
}

fn user(number: u64, user: u64) -> Record {
    let key = TenantKey::new([5; 32]);
    let name = format!("associate.{user}@chicago.example");
    let mut change = PersonalChange::default();
    change
        .set
        .insert("userName".to_owned(), Value::from(name.clone()));
    change.set.insert(
        "name".to_owned(),
        json!({"givenName": format!("Given{user}"), "familyName": "Family"}),
    );
    change.set.insert(
        "emails".to_owned(),
        json!([{"value": name, "type": "work", "primary": true}]),
    );
    let created = UserCreated {
        user: user_id(user),
        name_key: key.name_key(&name),
        external_key: Some(key.external_key(&user.to_string())),
        active: true,
        roles: vec![AssignedRole::plain(format!("Agent_CHIC-{:03}_STORE", user % 200))],
        personal: seal(&change),
    };
    event(number, EventData::UserCreated(created))
}

/// The events of so many users, each in four groups, in appends of their own.
fn batches(users: u64) -> impl Iterator<Item = Vec<Record>> {
    let group = |number: u64| GroupId(Uuid::from_u64_pair(7, number));
    let mut number = 0;
    let mut next = move || {
        number += 1;
        number
    };
    let mut first = Vec::new();
    for at in 0..400 {
        let created = GroupCreated {
            group: group(at),
            display_name: format!("Group {at}"),
            external_id: None,
            roles: vec![AssignedRole::plain(format!("Agent_CHIC-{:03}_STORE", at % 200))],
            members: MemberSet::default(),
        };
        first.push(event(next(), EventData::GroupCreated(created)));
    }
    let rest = (0..users / BATCH).map(move |batch| {
        let all = batch * BATCH..(batch + 1) * BATCH;
        let mut records: Vec<Record> = all.clone().map(|at| user(next(), at)).collect();
        for copy in 0..4 {
            let added = MemberSet {
                users: all.clone().map(user_id).collect(),
                groups: vec![],
            };
            let changed = GroupChanged {
                group: group((batch + 97 * copy) % 400),
                base: None,
                display_name: None,
                external_id: Set::Keep,
                roles: None,
                removed: MemberSet::default(),
                added,
                member_base: None,
            };
            records.push(event(next(), EventData::GroupChanged(changed)));
        }
        records
    });
    std::iter::once(first).chain(rest)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap()
}

fn child(dir: &Path, users: u64) {
    let log = Arc::new(MemoryLog::new(LOG));
    let projector = Projector::start(Arc::clone(&log) as _, dir, setups()).unwrap();
    let handle = projector.tenant(&tenant()).unwrap();
    let runtime = runtime();
    let started = Instant::now();
    let mut records = 0;
    for batch in batches(users) {
        records += batch.len();
        runtime.block_on(log.append(Stream::Events, batch)).unwrap();
        while handle
            .status()
            .position
            .is_none_or(|at| at.get() + 20_000 < records as u64)
        {
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }
    loop {
        let status = handle.status();
        if status.position.is_some_and(|at| at.get() >= records as u64)
            && status.dirty + status.unpublished == 0
        {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    // sled writes out twice a second.
    std::thread::park_timeout(Duration::from_millis(1500));
    println!("{records} {:?}", started.elapsed());
    loop {
        std::thread::park();
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, dir, users] = arguments.as_slice()
        && word == "child"
    {
        child(Path::new(dir), users.parse().unwrap());
        return;
    }
    let users: u64 = arguments
        .first()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_000_000);
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", state.to_str().unwrap(), &users.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    let (records, took) = line.trim().split_once(' ').unwrap();
    println!("{users} users in {records} events taken in, with documents and desired users, in {took}");
    let log = Arc::new(MemoryLog::new(LOG));
    let records: usize = records.parse().unwrap();
    let runtime = runtime();
    for from in (0..records).step_by(10_000) {
        let dummies = vec![Record::new("acme", "x"); 10_000.min(records - from)];
        runtime.block_on(log.append(Stream::Events, dummies)).unwrap();
    }
    let bytes = std::fs::metadata(state.join("db")).map_or(0, |file| file.len());
    let started = Instant::now();
    let started_projector = Projector::start(log, &state, setups()).unwrap();
    let took = started.elapsed();
    let status = started_projector.tenant(&tenant()).unwrap().status();
    println!(
        "started after kill -9 in {took:?}: {} users, position {:?} of {records}, {} MB on disk",
        status.users,
        status.position,
        bytes >> 20
    );
}
