//! Figures of the fold: `cargo run --release -p rollcall-projector --example fold_bench`.
//!
//! Events of the demo's mix (hires into groups, role and profile changes, moves, leavers), at least 350 B on
//! average; uniqueness, verdicts and derivations are on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::panic
)]

use std::sync::Arc;
use std::time::Instant;

use rollcall_domain::*;
use rollcall_eventlog::{AppendLog as _, LogId, MemoryLog, Record, Stream};
use rollcall_projector::{TenantSetup, TenantState, Until, is_readable, replay};
use serde_json::{Value, json};
use uuid::Uuid;

/// A small generator of numbers, the same in every run.
struct Numbers(u64);
impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

struct Source {
    numbers: Numbers,
    key: TenantKey,
    events: u64,
    revisions: Vec<u32>,
}

const STORES: u64 = 200;
const GROUPS: u64 = 400;

fn spread(number: u64) -> Uuid {
    let mix = |x: u64| {
        x.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ x.rotate_left(31).wrapping_mul(0xff51_afd7_ed55_8ccd)
    };
    Uuid::from_u64_pair(mix(number), mix(number ^ 0xabcd_ef01))
}
fn user_id(user: u64) -> UserId {
    UserId(spread(user + 1))
}
fn group_id(group: u64) -> GroupId {
    GroupId(spread(group + (1 << 40)))
}

impl Source {
    fn event(&mut self, data: EventData) -> Vec<u8> {
        self.events += 1;
        let source = match &data {
            EventData::CatalogChanged(_) => rollcall_domain::Source::Fluent("catalog".to_owned()),
            EventData::RulesActivated(_) => rollcall_domain::Source::Operator("file".to_owned()),
            _ => rollcall_domain::Source::Scim(ConnectionName::new("entra").unwrap()),
        };
        Event {
            id: EventId(spread(self.events + (1 << 50))),
            source,
            time: Timestamp::from_millis(1_790_000_000_000 + i64::try_from(self.events).unwrap() * 1000),
            tenant: TenantId::new("acme").unwrap(),
            actor: "entra-token".to_owned(),
            request_id: None,
            part: None,
            data,
        }
        .encode()
    }

    fn world(&mut self) -> Vec<Vec<u8>> {
        let place = |reference: String, retailer: Option<&str>| Place {
            reference,
            active: true,
            retailer: retailer.map(str::to_owned),
        };
        let difference = CatalogDifference {
            roles_added: ["STORE", "STORE_ASSOCIATE", "REPORT_VIEWER", "FULFILMENT"]
                .map(|r| RoleName(r.to_owned()))
                .into(),
            retailers_set: [("1".to_owned(), place("CHIC".to_owned(), None))].into(),
            locations_set: (0..STORES)
                .map(|n| ((n + 10).to_string(), place(format!("CHIC-{n:03}"), Some("1"))))
                .collect(),
            ..CatalogDifference::default()
        };
        let rules = r#"{"rules":[{"condition":{"type":"HAS_APP_ROLE","appRole":"Associate"},
            "action":{"type":"MAPPING_ROLE_ASSIGNMENT",
            "sourceAppRole":"Associate","targetRoles":["STORE_ASSOCIATE","FULFILMENT"]}}]}"#;
        let mut records = vec![
            self.event(EventData::CatalogChanged(CatalogChanged { difference })),
            self.event(EventData::RulesActivated(RulesActivated {
                version: "1".to_owned(),
                replaces: None,
                rules: RuleSet::parse(rules).unwrap(),
            })),
        ];
        for group in 0..GROUPS {
            let role = format!(
                "Agent_CHIC-{:03}_{}",
                group % STORES,
                ["Associate", "STORE"][(group % 2) as usize]
            );
            records.push(self.event(EventData::GroupCreated(GroupCreated {
                group: group_id(group),
                display_name: format!("Group {group}"),
                external_id: None,
                roles: vec![AssignedRole::plain(role)],
                members: MemberSet::default(),
            })));
        }
        records
    }

    fn role(&mut self) -> AssignedRole {
        let mut role = AssignedRole::plain(format!(
            "Agent_CHIC-{:03}_STORE_ASSOCIATE",
            self.numbers.next(STORES)
        ));
        role.kind = Some("WindowsAzureActiveDirectoryRole".to_owned());
        role
    }

    /// A hire: the user (1 or 2 roles) and four memberships.
    fn hire(&mut self, records: &mut Vec<Vec<u8>>) {
        let user = self.revisions.len() as u64;
        self.revisions.push(1);
        let name = format!("associate.{user}@chicago.example");
        let mut change = PersonalChange::default();
        change
            .set
            .insert("userName".to_owned(), Value::from(name.clone()));
        change.set.insert(
            "name".to_owned(),
            json!({"givenName": format!("Given{user}"), "familyName": format!("Family{user}")}),
        );
        change.set.insert(
            "emails".to_owned(),
            json!([{"value": name, "type": "work", "primary": true}]),
        );
        let roles = (0..=self.numbers.next(2)).map(|_| self.role()).collect();
        let data = UserCreated {
            user: user_id(user),
            name_key: self.key.name_key(&name),
            external_key: Some(self.key.external_key(&format!("{user}"))),
            active: true,
            roles,
            personal: seal(&change),
        };
        records.push(self.event(EventData::UserCreated(data)));
        for _ in 0..4 {
            let group = self.numbers.next(GROUPS);
            records.push(self.member(group, user, true));
        }
    }

    fn member(&mut self, group: u64, user: u64, comes: bool) -> Vec<u8> {
        let members = MemberSet {
            users: vec![user_id(user)],
            groups: vec![],
        };
        let (added, removed) = if comes {
            (members, MemberSet::default())
        } else {
            (MemberSet::default(), members)
        };
        self.event(EventData::GroupChanged(GroupChanged {
            group: group_id(group),
            base: None,
            display_name: None,
            external_id: Set::Keep,
            roles: None,
            removed,
            added,
            member_base: None,
        }))
    }

    fn change(&mut self, records: &mut Vec<Vec<u8>>) {
        let user = self.numbers.next(self.revisions.len() as u64);
        let base = Revision(self.revisions[usize::try_from(user).unwrap()]);
        self.revisions[usize::try_from(user).unwrap()] += 1;
        let mut data = UserChanged {
            user: user_id(user),
            base,
            name_key: None,
            external_key: Set::Keep,
            active: None,
            roles: None,
            personal: None,
            rehire: false,
        };
        match self.numbers.next(10) {
            0 => data.active = Some(false),
            1 | 2 => data.active = Some(true),
            3..6 => data.roles = Some(vec![self.role(), self.role()]),
            _ => {
                let mut change = PersonalChange::default();
                let family = "x".repeat(usize::try_from(self.numbers.next(20)).unwrap());
                let name =
                    json!({"givenName": format!("Given{user}"), "familyName": format!("F{user}{family}")});
                change.set.insert("name".to_owned(), name);
                change
                    .set
                    .insert("title".to_owned(), Value::from("Seasonal Fulfilment Associate"));
                data.personal = Some(seal(&change));
            }
        }
        records.push(self.event(EventData::UserChanged(data)));
    }
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap_or_default()
        .to_owned();
    line.split_whitespace()
        .nth(1)
        .and_then(|kb| kb.parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}

fn source() -> Source {
    Source {
        numbers: Numbers(7),
        key: TenantKey::new([5; 32]),
        events: 0,
        revisions: Vec::new(),
    }
}

/// The demo's mix: half of the events are hires with their memberships, half are changes.
fn mix(events: usize) -> Vec<Vec<u8>> {
    let mut source = source();
    let mut records = source.world();
    while records.len() < events {
        source.hire(&mut records);
        for _ in 0..4 {
            source.change(&mut records);
        }
        if source.numbers.next(20) == 0 {
            let (group, user) = (
                source.numbers.next(GROUPS),
                source.numbers.next(source.revisions.len() as u64),
            );
            let record = source.member(group, user, false);
            records.push(record);
        }
    }
    records
}

/// Processor time of this process in seconds, all threads: what counts where others share the processors.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / 100.0
}

/// When something began: on the wall and by the processor.
struct Started(Instant, f64);

impl Started {
    fn now() -> Self {
        Self(Instant::now(), processor())
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn rate(what: &str, count: usize, started: &Started) {
    let (seconds, cpu) = (started.0.elapsed().as_secs_f64(), processor() - started.1);
    let (count, million) = (count as f64, 1_000_000.0);
    println!(
        "{what:<60} {:>9.0}/s   {:.2} µs of processor each",
        count / seconds,
        cpu * million / count
    );
}

fn speed() {
    let records = mix(1_500_000);
    let bytes: usize = records.iter().map(Vec::len).sum();
    println!("{} events, {} B on average", records.len(), bytes / records.len());
    let started = Started::now();
    let mut spaces = 0usize;
    for record in &records {
        spaces += record.iter().filter(|byte| **byte == b'"').count();
    }
    rate(
        &format!("baseline: every byte looked at once ({spaces} quotes)"),
        records.len(),
        &started,
    );
    let started = Started::now();
    let decoded = records
        .iter()
        .filter(|record| Event::decode(record).is_ok())
        .count();
    rate(
        "baseline: decoded into the domain's types, one thread",
        decoded,
        &started,
    );
    let started = Started::now();
    let decoded = records.iter().filter(|record| is_readable(record)).count();
    rate(
        "read by the projector's own reader, one thread",
        decoded,
        &started,
    );
    let mut state = TenantState::new();
    let started = Started::now();
    for (at, record) in records.iter().enumerate() {
        state.apply_record(record);
        if at % 4096 == 0 {
            state.forget_changes();
        }
    }
    rate("decoded and folded, one thread", records.len(), &started);
    println!("sequence {}", state.sequence());
    let started = Started::now();
    let (seen, changed) = state.settle_all();
    rate(
        &format!("accounts computed with derivations ({changed} changed)"),
        usize::try_from(seen).unwrap(),
        &started,
    );
    drop(state);

    let log = Arc::new(MemoryLog::new(LogId([1; 16])));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for chunk in records.chunks(4096) {
        let batch = chunk
            .iter()
            .map(|record| Record::new("acme", record.clone()))
            .collect();
        runtime.block_on(log.append(Stream::Events, batch)).unwrap();
    }
    let count = records.len();
    drop(records);
    let setups = [TenantSetup {
        id: TenantId::new("acme").unwrap(),
        key: TenantKey::new([5; 32]),
    }];
    let started = Started::now();
    let replayed = replay(&*log, &setups, Until::End, &mut |_| true).unwrap();
    rate(
        "replay() of a log in memory, two threads, no store",
        count,
        &started,
    );
    let grants = replayed[0].count_grants();
    rate(
        &format!("  the same with every desired user computed ({grants} grants)"),
        count,
        &started,
    );
}

fn memory() {
    let mut source = source();
    let mut state = TenantState::new();
    for record in source.world() {
        state.apply_record(&record);
    }
    let mut at_100k = 0;
    for user in 0..1_000_000u64 {
        if user == 100_000 {
            state.settle_all();
            state.forget_changes();
            at_100k = resident();
        }
        let mut records = Vec::new();
        source.hire(&mut records);
        for record in records {
            state.apply_record(&record);
        }
        if user % 1000 == 0 {
            state.settle_all();
            state.forget_changes();
        }
    }
    state.settle_all();
    state.forget_changes();
    let grown = resident() - at_100k - 900_000 * 4; // the generator's own list of revisions
    println!(
        "{:<58} {:>9} B a user (growth from 100,000 to 1,000,000)",
        "resident memory, 4 groups and 1.5 roles",
        grown / 900_000
    );
}

fn fan_out() {
    let mut source = source();
    let mut state = TenantState::new();
    for record in source.world() {
        state.apply_record(&record);
    }
    for user in 0..100_000u64 {
        let mut records = Vec::new();
        source.hire(&mut records);
        for record in records {
            state.apply_record(&record);
        }
        let record = source.member(0, user, true);
        state.apply_record(&record);
    }
    state.settle_all();
    for roles in [
        vec!["Agent_CHIC-000_Associate", "Agent_CHIC-001_STORE"],
        vec!["Agent_CHIC-001_STORE"],
    ] {
        let what = if roles.len() == 2 {
            "a role added to a group of 100,000"
        } else {
            "a role taken from it (the safety catch looks)"
        };
        let revision = if roles.len() == 2 { 1 } else { 2 };
        let record = source.event(EventData::GroupChanged(GroupChanged {
            group: group_id(0),
            base: Some(Revision(revision)),
            display_name: None,
            external_id: Set::Keep,
            roles: Some(roles.into_iter().map(AssignedRole::plain).collect()),
            removed: MemberSet::default(),
            added: MemberSet::default(),
            member_base: None,
        }));
        let started = Instant::now();
        let applied = state.apply_record(&record).unwrap();
        let folded = started.elapsed();
        let (seen, changed) = state.settle_all();
        println!(
            "{what:<58} folded {folded:?}, planned {:?} ({seen} seen, {changed} changed, {:?})",
            started.elapsed(),
            applied.settled.verdict
        );
    }
}

fn main() {
    let wanted = std::env::args().nth(1);
    let run = |name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
    if run("memory") {
        memory();
    }
    if run("fan-out") {
        fan_out();
    }
    if run("speed") {
        speed();
    }
}
