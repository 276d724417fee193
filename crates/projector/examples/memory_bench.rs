//! How much memory a user takes in the projector alone: growth of resident memory from 100,000 to 1,000,000 users
//! with four groups and 1.5 personal roles each, SCIM documents on disk.
//!
//!     cargo run --release -p rollcall-projector --example memory_bench [USERS]
//!
//! Measured twice, each in a process of its own: the folded state by itself, and the whole projector on an embedded
//! log with its state on disk (caches, publisher and driver included). Baseline: the bytes that the facts themselves
//! need (see [`FACTS`]).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a tool for developers"
)]

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rollcall_domain::*;
use rollcall_eventlog::{AppendLog as _, EmbeddedLog, EmbeddedOptions, Record, Stream};
use rollcall_projector::{Projector, TenantSetup, TenantState};
use serde_json::{Value, json};
use uuid::Uuid;

const STORES: u64 = 200;
const GROUPS: u64 = 400;
/// Users of one batch; each batch joins four groups.
const BATCH: u64 = 500;
/// The mark, in bytes a user (DESIGN 10).
const MARK: u64 = 400;
/// What cannot be left out: the user's id (16), the keys of name and external id (32), four memberships known from
/// both sides as numbers (32), 1.5 roles as numbers (6), two times and a revision (20), the hash of what was published
/// (8).
const FACTS: u64 = 16 + 32 + 32 + 6 + 20 + 8;

fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn key() -> TenantKey {
    TenantKey::new([5; 32])
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Events with random ids, as real ones have.
#[derive(Default)]
struct Source {
    events: i64,
}

impl Source {
    fn event(&mut self, data: EventData) -> Vec<u8> {
        self.events += 1;
        let source = match &data {
            EventData::CatalogChanged(_) => rollcall_domain::Source::Fluent("catalog".to_owned()),
            _ => rollcall_domain::Source::Scim(ConnectionName::new("entra").unwrap()),
        };
        Event {
            id: EventId(Uuid::now_v7()),
            source,
            time: Timestamp::from_millis(1_790_000_000_000 + self.events),
            tenant: tenant(),
            actor: "entra-token".to_owned(),
            request_id: None,
            part: None,
            data,
        }
        .encode()
    }

    fn world(&mut self) -> (Vec<GroupId>, Vec<Vec<u8>>) {
        let difference = CatalogDifference {
            roles_added: ["STORE", "STORE_ASSOCIATE", "FULFILMENT"]
                .map(|role| RoleName(role.to_owned()))
                .into(),
            locations_set: (0..STORES)
                .map(|number| {
                    let place = Place {
                        reference: format!("CHIC-{number:03}"),
                        active: true,
                        retailer: None,
                    };
                    ((number + 10).to_string(), place)
                })
                .collect(),
            ..CatalogDifference::default()
        };
        let mut records = vec![self.event(EventData::CatalogChanged(CatalogChanged { difference }))];
        let groups: Vec<GroupId> = (0..GROUPS).map(|_| GroupId(Uuid::new_v4())).collect();
        for (group, number) in groups.iter().zip(0u64..) {
            records.push(self.event(EventData::GroupCreated(GroupCreated {
                group: *group,
                display_name: format!("Group {number}"),
                external_id: None,
                roles: vec![AssignedRole::plain(format!(
                    "Agent_CHIC-{:03}_STORE",
                    number % STORES
                ))],
                members: MemberSet::default(),
            })));
        }
        (groups, records)
    }

    fn hire(&mut self, user: UserId, number: u64) -> Vec<u8> {
        let name = format!("associate.{number}@chicago.example");
        let mut change = PersonalChange::default();
        change
            .set
            .insert("userName".to_owned(), Value::from(name.clone()));
        change.set.insert(
            "name".to_owned(),
            json!({"givenName": format!("Given{number}"), "familyName": format!("Family{number}")}),
        );
        change.set.insert(
            "emails".to_owned(),
            json!([{"value": name, "type": "work", "primary": true}]),
        );
        let roles = (0..=number % 2).map(|at| {
            AssignedRole::plain(format!(
                "Agent_CHIC-{:03}_STORE_ASSOCIATE",
                (number * 7 + at * 31) % STORES
            ))
        });
        let data = UserCreated {
            user,
            name_key: key().name_key(&name),
            external_key: Some(key().external_key(&number.to_string())),
            active: true,
            roles: roles.collect(),
            personal: seal(&change),
        };
        self.event(EventData::UserCreated(data))
    }

    fn batch(&mut self, groups: &[GroupId], batch: u64) -> Vec<Vec<u8>> {
        let users: Vec<UserId> = (0..BATCH).map(|_| UserId(Uuid::new_v4())).collect();
        let mut records: Vec<Vec<u8>> = Vec::new();
        for (user, number) in users.iter().zip(batch * BATCH..) {
            records.push(self.hire(*user, number));
        }
        for place in 0..4 {
            let at = usize::try_from((batch + 97 * place) % GROUPS).unwrap();
            records.push(self.event(EventData::GroupChanged(GroupChanged {
                group: groups[at],
                base: None,
                display_name: None,
                external_id: Set::Keep,
                roles: None,
                removed: MemberSet::default(),
                added: MemberSet {
                    users: users.clone(),
                    groups: vec![],
                },
                member_base: None,
            })));
        }
        records
    }
}

/// Takes in the users and gives the resident memory at a tenth of them and at the end.
fn grow(users: u64, mut take: impl FnMut(Vec<Vec<u8>>), settle: impl Fn()) -> (u64, u64) {
    let mut source = Source::default();
    let (groups, records) = source.world();
    take(records);
    let mut first = 0;
    for batch in 0..users / BATCH {
        if batch == users / BATCH / 10 {
            settle();
            first = resident();
        }
        take(source.batch(&groups, batch));
    }
    settle();
    (first, resident())
}

fn state_alone(users: u64) -> (u64, u64) {
    let state = std::cell::RefCell::new(TenantState::new());
    let take = |records: Vec<Vec<u8>>| {
        let mut state = state.borrow_mut();
        for record in records {
            state.apply_record(&record);
        }
        state.settle_all();
        state.forget_changes();
    };
    grow(users, take, || ())
}

fn whole(users: u64) -> (u64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(EmbeddedLog::open(folder.path().join("log"), EmbeddedOptions::default()).unwrap());
    let setup = TenantSetup {
        id: tenant(),
        key: key(),
    };
    let projector =
        Projector::start(Arc::clone(&log) as _, &folder.path().join("state"), vec![setup]).unwrap();
    let directory = projector.tenant(&tenant()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let pause = || std::thread::park_timeout(Duration::from_millis(1));
    let take = |records: Vec<Vec<u8>>| {
        let records = records.into_iter().map(|record| Record::new("acme", record));
        runtime
            .block_on(log.append(Stream::Events, records.collect()))
            .unwrap();
        while directory.lag() > 5_000 || directory.status().dirty + directory.status().unpublished > 20_000 {
            pause();
        }
    };
    let settle = || {
        while directory.lag() > 0 || directory.status().dirty + directory.status().unpublished > 0 {
            pause();
        }
        // The store writes out twice a second, and what waits for it lies in memory.
        std::thread::sleep(Duration::from_millis(1500));
    };
    let grown = grow(users, take, settle);
    runtime.block_on(projector.stop());
    grown
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, users] = arguments.as_slice() {
        let (first, last) = match word.as_str() {
            "state" => state_alone(users.parse().unwrap()),
            _ => whole(users.parse().unwrap()),
        };
        println!("{first} {last}");
        return;
    }
    let users: u64 = arguments.first().map_or(1_000_000, |text| text.parse().unwrap());
    println!("{users} users, 4 groups and 1.5 personal roles each; the mark is {MARK} B a user");
    println!("{:<52} {FACTS:>6} B a user", "baseline: the facts themselves");
    for (word, name) in [
        ("state", "the folded state by itself"),
        ("whole", "the whole projector, log and store on disk"),
    ] {
        let child = Command::new(std::env::current_exe().unwrap())
            .args([word, &users.to_string()])
            .output()
            .unwrap();
        let text = String::from_utf8(child.stdout).unwrap();
        let (first, last) = text.trim().split_once(' ').unwrap();
        let (first, last): (u64, u64) = (first.parse().unwrap(), last.parse().unwrap());
        let each = last.saturating_sub(first) / (users - users / 10);
        println!(
            "{name:<52} {each:>6} B a user  ratio {:.2}  ({} MB at a tenth, {} MB at the end)",
            each as f64 / FACTS as f64,
            first / 1_000_000,
            last / 1_000_000
        );
    }
}
