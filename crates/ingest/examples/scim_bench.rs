//! What SCIM requests cost in a large directory: nothing may grow with the group or with the depth of a page.
//!
//! A million users and groups of three sizes are put into the embedded log and folded; then requests go over HTTP
//! to the door, one connection unless said otherwise. Baseline of the same run: an empty HTTP answer from the same
//! listener. The load generator shares the machine.
//!
//!     cargo run --release -p rollcall-ingest --example scim_bench [USERS] [SECONDS]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a bench ends where it cannot go on"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use rollcall_domain::{
    AssignedRole, ConnectionName, Event, EventData, EventId, GroupChanged, GroupCreated, GroupId, MemberSet,
    PersonalChange, Set, Source, Timestamp, UserCreated, UserId, seal,
};
use rollcall_eventlog::{AppendLog as _, EmbeddedLog, EmbeddedOptions, Record, Stream};
use serde_json::{Value, json};
use uuid::Uuid;

mod common;
use common::{cpu_seconds, key, open_door, project, tenant};

/// Sizes of the groups that one member comes to and goes from.
const GROUPS: [u64; 3] = [100, 10_000, 100_000];
/// Members that one event names, and users that one append holds.
const BATCH: u64 = 500;
/// How often each request of a group is sent.
const REPEATS: usize = 300;
/// Pages looked at by themselves at either end of the list.
const ENDS: usize = 100;
const PAGE: usize = 200;
/// How often both ends are looked at; the first time does not count.
const ROUNDS: usize = 4;

fn user_id(user: u64) -> UserId {
    UserId(Uuid::from_u64_pair(
        user.wrapping_mul(0xff51_afd7_ed55_8ccd),
        user,
    ))
}

fn group_id(size: u64) -> GroupId {
    GroupId(Uuid::from_u64_pair(7, size))
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

fn user(number: u64) -> EventData {
    let name = format!("associate.{number}@store.example");
    let mut change = PersonalChange::default();
    for (attribute, value) in [
        ("userName", Value::from(name.clone())),
        ("displayName", Value::from(format!("Associate {number}"))),
        (
            "name",
            json!({"givenName": format!("Given{number}"), "familyName": "Family"}),
        ),
        (
            "emails",
            json!([{"value": name, "type": "work", "primary": true}]),
        ),
    ] {
        change.set.insert(attribute.to_owned(), value);
    }
    EventData::UserCreated(UserCreated {
        user: user_id(number),
        name_key: key().name_key(&name),
        external_key: Some(key().external_key(&number.to_string())),
        active: true,
        roles: vec![AssignedRole::plain(format!(
            "Agent_CHIC-{:03}_STORE",
            number % 200
        ))],
        personal: seal(&change),
    })
}

async fn fill(log: &EmbeddedLog, users: u64) {
    let mut number = 0;
    let mut next = |data| {
        number += 1;
        event(number, data)
    };
    for batch in 0..users.div_ceil(BATCH) {
        let all = batch * BATCH..((batch + 1) * BATCH).min(users);
        let records = all.map(|user_number| next(user(user_number))).collect();
        log.append(Stream::Events, records).await.unwrap();
    }
    for size in GROUPS.into_iter().filter(|size| *size < users) {
        let created = EventData::GroupCreated(GroupCreated {
            group: group_id(size),
            display_name: format!("Group of {size}"),
            external_id: None,
            roles: Vec::new(),
            members: MemberSet::default(),
        });
        log.append(Stream::Events, vec![next(created)]).await.unwrap();
        for batch in 0..size.div_ceil(BATCH) {
            let members = batch * BATCH..((batch + 1) * BATCH).min(size);
            let added = EventData::GroupChanged(GroupChanged {
                group: group_id(size),
                base: None,
                display_name: None,
                external_id: Set::Keep,
                roles: None,
                removed: MemberSet::default(),
                added: MemberSet {
                    users: members.map(user_id).collect(),
                    groups: Vec::new(),
                },
                member_base: None,
            });
            log.append(Stream::Events, vec![next(added)]).await.unwrap();
        }
    }
}

/// A client whose every request has to succeed.
struct Client(common::Client);

impl Client {
    async fn new(address: SocketAddr) -> Self {
        Self(common::Client::new(address).await)
    }

    async fn send(&mut self, method: &str, path: &str, body: String) -> (Duration, Bytes) {
        let answer = self.0.send(method, path, body).await;
        assert!(
            answer.status.is_success(),
            "{method} {path}: {} {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        (answer.took, answer.body)
    }

    async fn get(&mut self, path: &str) -> (Duration, Bytes) {
        self.send("GET", path, String::new()).await
    }
}

/// Median and 99th of a hundred.
fn spread(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

fn ratio(of: Duration, to: Duration) -> f64 {
    of.as_secs_f64() / to.as_secs_f64()
}

async fn groups(client: &mut Client, users: u64) {
    let sizes: Vec<u64> = GROUPS.into_iter().filter(|size| *size < users).collect();
    println!("\nrequests about a group, p50 (p99), {REPEATS} each, beside the smallest group");
    println!(
        "{:<44} {}",
        "",
        sizes.iter().map(|s| format!("{s:>26}")).collect::<String>()
    );
    let kinds = [
        "PATCH: one member comes, goes",
        "GET without members",
        "filter members[value eq]",
    ];
    for (kind, label) in kinds.into_iter().enumerate() {
        let mut times = vec![Vec::new(); sizes.len()];
        // In turn, so that whatever else the machine does meets all sizes alike.
        for n in 0..REPEATS {
            for (size, times) in sizes.iter().zip(&mut times) {
                times.push(about_group(client, kind, *size, n, users).await);
            }
        }
        let spreads: Vec<_> = times.into_iter().map(spread).collect();
        let line = spreads
            .iter()
            .map(|(p50, p99)| format!("{p50:>9.1?} ({p99:>7.1?}) {:>5.2}x", ratio(*p50, spreads[0].0)))
            .collect::<String>();
        println!("{label:<44} {line}");
    }
}

async fn about_group(client: &mut Client, kind: usize, size: u64, n: usize, users: u64) -> Duration {
    let (group, stranger, member) = (group_id(size).0, user_id(users - 1).0, user_id(size / 2).0);
    let path = format!("/scim/v2/Groups/{group}?excludedAttributes=members");
    match kind {
        0 => {
            let change = if n.is_multiple_of(2) {
                json!({"op": "add", "path": "members", "value": [{"value": stranger}]})
            } else {
                json!({"op": "remove", "path": format!("members[value eq \"{stranger}\"]")})
            };
            let body = json!({"Operations": [change]}).to_string();
            client.send("PATCH", &path, body).await.0
        }
        1 => client.get(&path).await.0,
        _ => {
            let filter = format!("id%20eq%20%22{group}%22%20and%20members[value%20eq%20%22{member}%22]");
            let path = format!("/scim/v2/Groups?filter={filter}&excludedAttributes=members");
            let (took, body) = client.get(&path).await;
            assert!(body.windows(16).any(|w| w == b"\"totalResults\":1"));
            took
        }
    }
}

/// What an IdP asks before it creates somebody.
async fn lookups(client: &mut Client, users: u64) {
    println!("\na look-up among {users} users, p50 (p99), {REPEATS} each");
    let names = [
        "userName eq",
        "externalId eq",
        "emails[type eq \"work\"].value eq",
    ];
    for (kind, label) in names.into_iter().enumerate() {
        let mut times = Vec::new();
        for n in 0..REPEATS as u64 {
            let at = n * 104_729 % users;
            // The benchmark's users have no externalId among their attributes, only its key: nothing is found.
            let filter = match kind {
                0 => format!("userName%20eq%20%22Associate.{at}%40store.example%22"),
                1 => format!("externalId%20eq%20%22none-{at}%22"),
                _ => format!(
                    "emails[type%20eq%20%22work%22].value%20eq%20%22Associate.{at}%40store.example%22"
                ),
            };
            let (took, body) = client.get(&format!("/scim/v2/Users?filter={filter}")).await;
            let found = body.windows(16).any(|w| w == b"\"totalResults\":1");
            assert_eq!(found, kind != 1, "{}", String::from_utf8_lossy(&body));
            times.push(took);
        }
        let (p50, p99) = spread(times);
        println!("{label:<44} {p50:>9.1?} ({p99:>7.1?})");
    }
}

async fn paging(client: &mut Client, users: u64) {
    let page = |cursor: &str| format!("/scim/v2/Users?count={PAGE}&attributes=userName&cursor={cursor}");
    let (mut cursors, mut seen) = (vec![String::new()], 0u64);
    let started = Instant::now();
    while let Some(cursor) = cursors.last() {
        let (_, body) = client.get(&page(cursor)).await;
        let page: Value = serde_json::from_slice(&body).unwrap();
        seen += page["itemsPerPage"].as_u64().unwrap();
        match page["nextCursor"].as_str() {
            Some(next) => cursors.push(next.to_owned()),
            None => break,
        }
    }
    let took = started.elapsed();
    assert_eq!(seen, users);
    println!(
        "\n{seen} users by cursor, {PAGE} a page: {took:.1?}, {:.0} users/s",
        seen as f64 / took.as_secs_f64()
    );
    // The first and the last pages in turn, after a round that brings both into the caches.
    let ends = ENDS.min(cursors.len());
    let (first, last) = (&cursors[..ends], &cursors[cursors.len() - ends..]);
    let index = |start: u64| format!("/scim/v2/Users?count={PAGE}&attributes=userName&startIndex={start}");
    let mut times = vec![Vec::new(); 4];
    for round in 0..ROUNDS {
        for (n, (near, far)) in (0..).zip(first.iter().zip(last)) {
            let deep = users - (ends as u64 - n) * PAGE as u64 + 1;
            let paths = [page(near), page(far), index(n * PAGE as u64 + 1), index(deep)];
            for (path, times) in paths.iter().zip(&mut times) {
                let took = client.get(path).await.0;
                if round > 0 {
                    times.push(took);
                }
            }
        }
    }
    let spreads: Vec<_> = times.into_iter().map(spread).collect();
    for (label, pair) in ["by cursor", "by index"].into_iter().zip(spreads.chunks(2)) {
        let ((near, near99), (far, far99)) = (pair[0], pair[1]);
        println!(
            "a page {label}: first {ends} p50 {near:.1?} (p99 {near99:.1?}), last {ends} p50 {far:.1?} \
             (p99 {far99:.1?}), last to first {:.2}x",
            ratio(far, near)
        );
    }
}

/// One tenant's requests from so many connections: look-ups by name, reads and changes, as an IdP mixes them.
async fn sustained(
    address: SocketAddr,
    connections: usize,
    seconds: u64,
    users: u64,
    empty: bool,
) -> (f64, f64) {
    let (started, cpu) = (Instant::now(), cpu_seconds());
    let until = started + Duration::from_secs(seconds);
    let run = |number: usize| async move {
        let mut client = Client::new(address).await;
        let mut count = 0u64;
        while Instant::now() < until {
            let at = (number as u64 * 7_919 + count * 104_729) % users;
            let id = user_id(at).0;
            if empty {
                client.get("/ping").await;
            } else {
                match count % 3 {
                    0 => {
                        let name = format!("associate.{at}%40store.example");
                        client
                            .get(&format!("/scim/v2/Users?filter=userName%20eq%20%22{name}%22"))
                            .await;
                    }
                    1 => {
                        client.get(&format!("/scim/v2/Users/{id}")).await;
                    }
                    _ => {
                        let change = json!({"op": "Replace", "path": "title", "value": count.to_string()});
                        let body = json!({"Operations": [change]}).to_string();
                        client.send("PATCH", &format!("/scim/v2/Users/{id}"), body).await;
                    }
                }
            }
            count += 1;
        }
        count
    };
    let runs = (0..connections).map(|number| tokio::spawn(run(number)));
    let total: u64 = join_all(runs).await.into_iter().map(Result::unwrap).sum();
    let cpu = cpu_seconds() - cpu;
    (
        total as f64 / started.elapsed().as_secs_f64(),
        cpu * 1e6 / total as f64,
    )
}

fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let users = numbers.first().copied().unwrap_or(1_000_000);
    let seconds = numbers.get(1).copied().unwrap_or(5);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(run(users, seconds));
}

async fn run(users: u64, seconds: u64) {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(EmbeddedLog::open(dir.path(), EmbeddedOptions::default()).unwrap());
    let started = Instant::now();
    fill(&log, users).await;
    let (_projector, handle) = project(&log, dir.path()).await;
    while handle.read_barrier().await.is_err() {}
    while handle.status().dirty > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!(
        "{users} users folded in {:.1?}; load generator and server share this machine",
        started.elapsed()
    );
    let address = open_door(log, handle).await;

    let mut client = Client::new(address).await;
    groups(&mut client, users).await;
    lookups(&mut client, users).await;
    paging(&mut client, users).await;
    let (http, _) = sustained(address, 16, seconds, users, true).await;
    let (rate, cpu) = sustained(address, 16, seconds, users, false).await;
    println!(
        "\none tenant, 16 connections, a look-up by name, a read, a durable change in turn: {rate:.0} requests/s \
         ({:.2} of an empty answer's {http:.0}), {cpu:.0} µs of processor each, load included",
        rate / http
    );
    println!(
        "that is {:.0} times the 25/s that identity providers ask for",
        rate / 25.0
    );
}
