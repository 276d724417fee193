//! The whole projector over a log in memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rollcall_domain::*;
use rollcall_eventlog::{
    AppendLog as _, BatchLimits, EventLog, LogId, MemoryLog, Partition, Position, ReadLog as _, Record,
    Stream,
};
use rollcall_projector::*;
use serde_json::Value;
use uuid::Uuid;

#[path = "driver/partitions.rs"]
mod partitions;

fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn key() -> TenantKey {
    TenantKey::new([3; 32])
}

fn setups() -> Vec<TenantSetup> {
    vec![TenantSetup {
        id: tenant(),
        key: key(),
    }]
}

fn entra() -> ConnectionName {
    ConnectionName::new("entra").unwrap()
}

fn user_id(number: u32) -> UserId {
    UserId(Uuid::from_u128(0x1000 + u128::from(number)))
}

/// Appends events under ids that count up.
struct Writer {
    log: Arc<MemoryLog>,
    next: u128,
}

impl Writer {
    fn new() -> Self {
        Self {
            log: Arc::new(MemoryLog::new(LogId([1; 16]))),
            next: 1,
        }
    }

    fn shared(&self) -> Arc<dyn EventLog> {
        Arc::clone(&self.log) as Arc<dyn EventLog>
    }

    fn event(&mut self, data: EventData) -> Event {
        self.next += 1;
        let source = match &data {
            EventData::CatalogChanged(_) => Source::Fluent("catalog".to_owned()),
            _ => Source::Scim(entra()),
        };
        Event {
            id: EventId(Uuid::from_u128(self.next)),
            source,
            time: Timestamp::from_millis(1_700_000_000_000 + i64::try_from(self.next).unwrap()),
            tenant: tenant(),
            actor: "token".to_owned(),
            request_id: None,
            part: None,
            data,
        }
    }

    async fn put(&mut self, data: EventData) -> (Position, EventId) {
        let event = self.event(data);
        let record = Record::new("acme", event.encode());
        let appended = self.log.append(Stream::Events, vec![record]).await.unwrap();
        (appended.last().position, event.id)
    }

    async fn user(&mut self, number: u32, roles: &[&str]) -> (Position, EventId) {
        let name = format!("user{number}@x.example");
        let mut change = PersonalChange::default();
        change
            .set
            .insert("userName".to_owned(), Value::from(name.clone()));
        self.put(EventData::UserCreated(UserCreated {
            user: user_id(number),
            name_key: key().name_key(&name),
            external_key: Some(key().external_key(&format!("e{number}"))),
            active: true,
            roles: roles.iter().map(|role| AssignedRole::plain(*role)).collect(),
            personal: seal(&change),
        }))
        .await
    }

    async fn change(&mut self, number: u32, base: u32, active: bool) -> (Position, EventId) {
        self.put(EventData::UserChanged(UserChanged {
            user: user_id(number),
            base: Revision(base),
            name_key: None,
            external_key: Set::Keep,
            active: Some(active),
            roles: None,
            personal: None,
            rehire: false,
        }))
        .await
    }

    async fn catalog(&mut self) -> (Position, EventId) {
        let place = Place {
            reference: "CHIC-01".to_owned(),
            active: true,
            retailer: None,
        };
        let difference = CatalogDifference {
            roles_added: [RoleName("STORE".to_owned())].into(),
            locations_set: [("17".to_owned(), place)].into(),
            ..CatalogDifference::default()
        };
        self.put(EventData::CatalogChanged(CatalogChanged { difference }))
            .await
    }

    fn start(&self, dir: &Path) -> (Projector, TenantHandle) {
        let projector = Projector::start(self.shared(), dir, setups()).unwrap();
        let handle = projector.tenant(&tenant()).unwrap();
        (projector, handle)
    }

    /// The accounts in the desired stream, in order.
    fn published(&self) -> Vec<DesiredUser> {
        let mut reader = self.log.reader(Stream::Desired, Partition::ONLY, None).unwrap();
        let mut all = Vec::new();
        loop {
            let batch = reader.next_batch_blocking(BatchLimits::REPLAY).unwrap();
            if batch.is_empty() {
                return all;
            }
            for record in batch.iter() {
                let EventData::UserDesired(desired) = Event::decode(record.value).unwrap().data else {
                    panic!()
                };
                all.push(*desired);
            }
        }
    }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .unwrap_or_else(|_| panic!("waited in vain for: {what}"));
}

fn quiet(handle: &TenantHandle) -> bool {
    let status = handle.status();
    status.dirty == 0 && status.unpublished == 0
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_is_read_at_once_and_becomes_a_desired_user() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::new();
    let (projector, handle) = writer.start(&dir.path().join("state"));
    let mut wakes = handle.subscribe();
    writer.catalog().await;
    let (position, id) = writer.user(1, &["Agent_CHIC-01_STORE"]).await;
    let settled = handle.settled(position, id).await.unwrap();
    assert_eq!(
        settled.verdict,
        Verdict::Accepted {
            revision: Revision(1)
        }
    );
    let user = handle.user(&entra(), user_id(1)).unwrap().unwrap();
    assert_eq!(user.attributes["userName"], "user1@x.example");
    assert_eq!(handle.user_by_name(&entra(), "USER1@x.example"), Some(user_id(1)));
    assert_eq!(handle.users_page(&entra(), 1, 10).ids, [user_id(1)]);
    let account = key().name_key("user1@x.example");
    let wake = wakes.recv().await.unwrap();
    assert_eq!((wake.account, wake.lane), (account, Lane::Rest));
    let desired = handle.desired(account).unwrap().unwrap();
    assert_eq!(desired.status, DesiredStatus::Active);
    assert_eq!(
        desired.grants[0].grant,
        Grant::new("STORE", ContextType::Agent, "17")
    );
    let profile: Profile = open(desired.profile.as_ref().unwrap()).unwrap();
    assert_eq!(profile.primary_email.as_deref(), Some("user1@x.example"));

    let (position, id) = writer.user(1, &[]).await;
    let settled = handle.settled(position, id).await.unwrap();
    assert_eq!(
        settled.verdict,
        Verdict::Rejected {
            rejection: Rejection::IdTaken
        }
    );
    let (position, id) = writer.change(1, 1, false).await;
    handle.settled(position, id).await.unwrap();
    let wake = wakes.recv().await.unwrap();
    assert_eq!((wake.account, wake.lane), (account, Lane::Leaver));
    until("publication", || {
        writer.published().last().is_some_and(DesiredUser::is_leaver)
    })
    .await;
    let explained = handle.explain(Subject::User(user_id(1))).unwrap().unwrap();
    assert_eq!(
        explained.desired.status,
        DesiredStatus::Inactive {
            reason: InactiveReason::Deactivated
        }
    );
    projector.stop().await;
    assert!(wakes.recv().await.is_none(), "the subscription ends");
    assert!(matches!(
        handle.settled(position, id).await,
        Err(ProjectorError::Stopped { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_resumes_and_a_deleted_state_is_rebuilt_to_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let mut writer = Writer::new();
    let (projector, handle) = writer.start(&state);
    writer.catalog().await;
    for number in 0..300 {
        writer.user(number, &["Agent_CHIC-01_STORE"]).await;
    }
    handle.read_barrier().await.unwrap();
    projector.stop().await;
    for number in 0..50 {
        writer.change(number, 1, number % 2 == 0).await;
    }
    let (projector, handle) = writer.start(&state);
    handle.read_barrier().await.unwrap();
    until("quiet", || quiet(&handle)).await;
    let digest = handle.digest();
    assert_eq!(handle.status().users, 300);
    assert_eq!(
        writer
            .published()
            .iter()
            .map(|d| d.account)
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        300
    );
    projector.stop().await;
    drop(handle);
    std::fs::remove_dir_all(&state).unwrap();
    let (projector, handle) = writer.start(&state);
    handle.read_barrier().await.unwrap();
    assert_eq!(handle.digest(), digest);
    let log = writer.shared();
    let replayed =
        tokio::task::spawn_blocking(move || replay(&*log, &setups(), Until::End, &mut |_| true).unwrap())
            .await
            .unwrap();
    assert_eq!(replayed[0].digest(), digest, "a replay comes to the same");
    assert_eq!(replayed[0].accounts().count(), 300);
    let mut change = PersonalChange::default();
    change
        .set
        .insert("userName".to_owned(), Value::from("user7@x.example"));
    let sealed = serde_json::to_value(seal(&change)).unwrap();
    let shown = format!("{replayed:?} {projector:?}");
    assert!(
        !shown.contains(sealed["bytes"].as_str().unwrap()),
        "personal parts are shown"
    );
    for account in replayed[0].accounts().take(5) {
        assert_eq!(replayed[0].desired(account), handle.desired(account).unwrap());
    }
    projector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_state_is_moved_aside_and_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let mut writer = Writer::new();
    let (projector, handle) = writer.start(&state);
    writer.catalog().await;
    for number in 0..200 {
        writer.user(number, &["Agent_CHIC-01_STORE"]).await;
    }
    handle.read_barrier().await.unwrap();
    let digest = handle.digest();
    projector.stop().await;
    drop(handle);
    type Damage = fn(&mut Vec<u8>);
    let damages: [Damage; 4] = [
        |bytes| bytes.truncate(bytes.len() / 3),
        |bytes| bytes.clear(),
        |bytes| {
            for at in (0..bytes.len()).step_by(997) {
                bytes[at] ^= 0x5a;
            }
        },
        |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle..middle + 8]
                .iter_mut()
                .for_each(|byte| *byte ^= 0xff);
        },
    ];
    for damage in damages {
        let file = state.join("db");
        let mut bytes = std::fs::read(&file).unwrap();
        damage(&mut bytes);
        std::fs::write(&file, bytes).unwrap();
        let (projector, handle) = writer.start(&state);
        handle.read_barrier().await.unwrap();
        assert_eq!(handle.digest(), digest);
        projector.stop().await;
        drop(handle);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_log_beside_a_state_is_never_a_fresh_start() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let mut writer = Writer::new();
    let (projector, handle) = writer.start(&state);
    writer.user(1, &[]).await;
    handle.read_barrier().await.unwrap();
    projector.stop().await;
    drop(handle);
    let empty = Arc::new(MemoryLog::new(LogId([1; 16])));
    let refused = Projector::start(empty, &state, setups());
    assert!(
        matches!(refused, Err(ProjectorError::StateAheadOfLog { log: 0, .. })),
        "{refused:?}"
    );
    let other = Writer {
        log: Arc::new(MemoryLog::new(LogId([2; 16]))),
        next: 1,
    };
    let (projector, handle) = other.start(&state);
    assert_eq!(
        handle.status().sequence,
        Sequence(0),
        "a state of another log is moved aside"
    );
    projector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_no_events_are_put_aside_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::new();
    let (projector, handle) = writer.start(&dir.path().join("state"));
    for value in ["", "{}", "[1,2", "\u{0}\u{1}", "null"] {
        writer
            .log
            .append(Stream::Events, vec![Record::new("acme", value)])
            .await
            .unwrap();
    }
    writer
        .log
        .append(Stream::Events, vec![Record::new("no tenant!", "{}")])
        .await
        .unwrap();
    let (position, id) = writer.user(1, &["User", "x".repeat(600).as_str()]).await;
    assert!(handle.settled(position, id).await.unwrap().verdict.is_accepted());
    assert_eq!(handle.status().unreadable, 5);
    assert_eq!(handle.status().sequence, Sequence(6));
    let put_aside: Vec<_> = handle
        .quarantined()
        .into_iter()
        .map(|put| (put.position.get(), put.tenant))
        .collect();
    let ours = (1..=5).map(|position| (position, Some(tenant())));
    let expected: Vec<_> = ours.chain([(6, None)]).collect();
    assert_eq!(put_aside, expected, "each with its position");
    projector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desired_user_too_large_for_the_log_keeps_no_other_from_being_published() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::new();
    let (projector, handle) = writer.start(&dir.path().join("state"));
    writer.catalog().await;
    let roles: Vec<String> = (0..15_000).map(|n| format!("Agent_X_r{n:05}")).collect();
    let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
    let (position, id) = writer.user(1, &roles).await;
    assert!(handle.settled(position, id).await.unwrap().verdict.is_accepted());
    until("the large one was tried", || handle.status().dirty == 0).await;
    let (position, id) = writer.user(2, &["Agent_CHIC-01_STORE"]).await;
    handle.settled(position, id).await.unwrap();
    let other = key().name_key("user2@x.example");
    until("publication of the other", || {
        writer.published().iter().any(|desired| desired.account == other)
    })
    .await;
    projector.stop().await;
}

#[tokio::test]
async fn a_log_that_takes_nothing_until_a_restart_is_told_of_by_who_publishes() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::new();
    let (_projector, handle) = writer.start(dir.path());
    writer.user(1, &["STORE"]).await;
    until("it is published", || !writer.published().is_empty()).await;
    assert_eq!(handle.unpublished(), None);
    // Who starts over with an empty folder has everything to publish again.
    writer.log.poison("a sync failed");
    let (_second, handle) = writer.start(&dir.path().join("another"));
    until("it is told", || handle.unpublished().is_some()).await;
    assert!(handle.unpublished().unwrap().contains("a sync failed"));
    assert_eq!(handle.stopped(), None, "the directory serves on");
}
