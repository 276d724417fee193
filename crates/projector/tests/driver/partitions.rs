//! Several partitions, shared by several processes.

use std::collections::BTreeMap;
use std::sync::Mutex;

use rollcall_eventlog::testing::{DealtMembership, PartitionedLog};
use rollcall_projector::limits::STRANGERS_MAX;

use super::*;

/// Longest time of an append.
const DELIVERY: Duration = Duration::from_secs(5);

fn id(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

/// Some tenants over both partitions of a log.
struct Shared {
    log: Arc<PartitionedLog>,
    tenants: Vec<TenantId>,
    next: Mutex<u128>,
}

impl Shared {
    fn new() -> Self {
        let log = Arc::new(PartitionedLog::new(LogId([7; 16]), 2, 3));
        let shared = Self {
            log,
            tenants: ["acme", "beta", "gamma", "delta"].map(id).to_vec(),
            next: Mutex::new(1),
        };
        let used: std::collections::BTreeSet<_> = shared
            .tenants
            .iter()
            .map(|tenant| shared.partition(tenant))
            .collect();
        assert_eq!(used.len(), 2, "both partitions have tenants");
        shared
    }

    fn partition(&self, tenant: &TenantId) -> Partition {
        self.log.partition_of(Stream::Events, tenant.as_str().as_bytes())
    }

    fn setups(&self) -> Vec<TenantSetup> {
        let setup = |tenant: &TenantId| TenantSetup {
            id: tenant.clone(),
            key: key(),
        };
        self.tenants.iter().map(setup).collect()
    }

    fn process(&self, folder: &Path, publishing: Publishing) -> Projectors {
        let log = Arc::clone(&self.log) as Arc<dyn EventLog>;
        Projectors::new(
            log,
            StateFolders::In(folder.to_owned()),
            self.setups(),
            publishing,
        )
    }

    /// A user is created in a tenant; where, and under which id.
    async fn user(&self, tenant: &TenantId, number: u32) -> (Position, EventId) {
        let name = format!("user{number}@x.example");
        let mut change = PersonalChange::default();
        change
            .set
            .insert("userName".to_owned(), Value::from(name.clone()));
        let data = EventData::UserCreated(UserCreated {
            user: user_id(number),
            name_key: key().name_key(&name),
            external_key: None,
            active: true,
            roles: vec![AssignedRole::plain("Agent_CHIC-01_STORE")],
            personal: seal(&change),
        });
        self.append(tenant, data).await
    }

    /// A user comes or goes.
    async fn turns(&self, tenant: &TenantId, number: u32, base: u32, active: bool) -> (Position, EventId) {
        let data = EventData::UserChanged(UserChanged {
            user: user_id(number),
            base: Revision(base),
            name_key: None,
            external_key: Set::Keep,
            active: Some(active),
            roles: None,
            personal: None,
            rehire: false,
        });
        self.append(tenant, data).await
    }

    async fn append(&self, tenant: &TenantId, data: EventData) -> (Position, EventId) {
        let next = {
            let mut next = self.next.lock().unwrap();
            *next += 1;
            *next
        };
        let event = Event {
            id: EventId(Uuid::from_u128(next)),
            source: Source::Scim(entra()),
            time: Timestamp::from_millis(1_700_000_000_000 + i64::try_from(next).unwrap()),
            tenant: tenant.clone(),
            actor: "token".to_owned(),
            request_id: None,
            part: None,
            data,
        };
        let record = Record::new(tenant.as_str().to_owned(), event.encode());
        let appended = self.log.append(Stream::Events, vec![record]).await.unwrap();
        assert_eq!(appended.last().partition, self.partition(tenant));
        (appended.last().position, event.id)
    }

    /// How often each account was published.
    fn published(&self) -> BTreeMap<String, usize> {
        let mut times = BTreeMap::new();
        for partition in self.log.partitions(Stream::Desired) {
            let mut reader = self.log.reader(Stream::Desired, partition, None).unwrap();
            loop {
                let batch = reader.next_batch_blocking(BatchLimits::REPLAY).unwrap();
                if batch.is_empty() {
                    break;
                }
                for record in batch.iter() {
                    let key = String::from_utf8(record.key.to_vec()).unwrap();
                    *times.entry(key).or_default() += 1;
                }
            }
        }
        times
    }

    fn published_of(&self, tenant: &TenantId) -> usize {
        let prefix = format!("{tenant}/");
        let of = self
            .published()
            .into_keys()
            .filter(|key| key.starts_with(&prefix));
        of.count()
    }
}

async fn accepted(handle: &TenantHandle, position: Position, event: EventId) {
    let settled = handle.settled(position, event).await.unwrap();
    assert!(settled.verdict.is_accepted());
}

fn while_owned(membership: &Arc<DealtMembership>) -> Publishing {
    Publishing::WhileOwned {
        membership: Arc::clone(membership) as _,
        delivery_timeout: DELIVERY,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_partition_has_its_projector_and_they_come_and_go_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let shared = Shared::new();
    let process = shared.process(dir.path(), Publishing::Never);
    let [here, there] = [Partition(0), Partition(1)];
    let of = |partition| {
        shared
            .tenants
            .iter()
            .find(|t| shared.partition(t) == partition)
            .unwrap()
    };
    assert!(process.tenant(of(here)).is_none());
    process.start(here).unwrap();
    process.start(here).unwrap();
    let (position, event) = shared.user(of(here), 1).await;
    let handle = process.tenant(of(here)).unwrap();
    accepted(&handle, position, event).await;
    assert!(
        process.tenant(of(there)).is_none(),
        "its partition is not folded here"
    );
    process.start(there).unwrap();
    let (position, event) = shared.user(of(there), 1).await;
    let other = process.tenant(of(there)).unwrap();
    accepted(&other, position, event).await;
    process.stop(here).await;
    assert!(process.tenant(of(here)).is_none());
    assert!(handle.stopped().is_some(), "who still holds it is told");
    let (position, event) = shared.user(of(here), 2).await;
    process.start(here).unwrap();
    let handle = process.tenant(of(here)).unwrap();
    accepted(&handle, position, event).await;
    assert_eq!(handle.status().users, 2);
    process.stop_all().await;
    assert!(process.running().is_empty());
    assert_eq!(shared.published().len(), 0, "nobody publishes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_in_a_wrong_partition_makes_no_second_tenant_and_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let shared = Shared::new();
    let membership = Arc::new(DealtMembership::new(Stream::Events));
    let process = shared.process(dir.path(), while_owned(&membership));
    membership.deal([0, 1]);
    let acme = shared.tenants.first().unwrap();
    let right = shared.partition(acme);
    let wrong = Partition(1 - right.0);
    for partition in [right, wrong] {
        process.start(partition).unwrap();
    }
    let (position, event) = shared.user(acme, 1).await;
    let handle = process.tenant(acme).unwrap();
    accepted(&handle, position, event).await;
    // The same event, where another tenant's stand.
    let mut reader = shared.log.reader(Stream::Events, right, None).unwrap();
    let batch = reader.next_batch(BatchLimits::REPLAY).await.unwrap();
    let first = batch.iter().next().unwrap();
    let copy = Record::new(first.key.to_vec(), first.value.to_vec());
    shared.log.misplace(Stream::Events, wrong, copy).unwrap();
    // And keys that are no tenant's, or one's that nobody configured, with what is no event.
    for key in ["no tenant", "stranger"] {
        let record = Record::new(key, "no event");
        shared.log.append(Stream::Events, vec![record]).await.unwrap();
    }
    // Behind them, on both sides, is what the directories must reach.
    for tenant in &shared.tenants {
        let (position, event) = shared.user(tenant, 2).await;
        accepted(&process.tenant(tenant).unwrap(), position, event).await;
    }
    assert_eq!(process.put_aside_of_nobody(), 3);
    assert_eq!(handle.status().users, 2);
    let other = shared
        .tenants
        .iter()
        .find(|t| shared.partition(t) == wrong)
        .unwrap();
    let reasons = process.tenant(other).unwrap().quarantined();
    assert!(
        reasons.iter().any(|put| put.reason.contains("another partition")),
        "{reasons:?}"
    );
    process.stop_all().await;
    assert_eq!(process.put_aside_of_nobody(), 3, "a counter never goes back");
}

/// As many tenants as nobody configured, and then one of them is.
#[tokio::test(flavor = "multi_thread")]
async fn tenants_that_nobody_configured_are_bounded_and_none_is_folded_in_part() {
    let dir = tempfile::tempdir().unwrap();
    let shared = Shared::new();
    let process = shared.process(dir.path(), Publishing::Never);
    let partition = Partition(0);
    process.start(partition).unwrap();
    let here = |name: &str| shared.partition(&id(name)) == partition;
    let late = (0..)
        .map(|n| format!("late-{n}"))
        .find(|name| here(name))
        .unwrap();
    let strangers = (0..4 * STRANGERS_MAX).map(|n| format!("stranger-{n}"));
    let records = strangers
        .filter(|name| here(name))
        .map(|name| Record::new(name, "no event"));
    let records: Vec<Record> = records.collect();
    assert!(records.len() > STRANGERS_MAX);
    let put_aside = records.len() as u64;
    shared.log.append(Stream::Events, records).await.unwrap();
    let late = id(&late);
    shared.user(&late, 1).await;
    let tenant = shared
        .tenants
        .iter()
        .find(|t| shared.partition(t) == partition)
        .unwrap();
    let (position, event) = shared.user(tenant, 1).await;
    accepted(&process.tenant(tenant).unwrap(), position, event).await;
    assert_eq!(
        process.put_aside_of_nobody(),
        put_aside + 1,
        "the late one had no room"
    );
    process.stop_all().await;
    // Configured, it is there with everything that it ever said.
    let mut setups = shared.setups();
    setups.push(TenantSetup {
        id: late.clone(),
        key: key(),
    });
    let process = Projectors::new(
        Arc::clone(&shared.log) as Arc<dyn EventLog>,
        StateFolders::In(dir.path().to_owned()),
        setups,
        Publishing::Never,
    );
    process.start(partition).unwrap();
    let (position, event) = shared.user(&late, 2).await;
    let handle = process.tenant(&late).unwrap();
    accepted(&handle, position, event).await;
    assert_eq!(handle.status().users, 2);
    process.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_of_a_partition_publishes_it_and_only_under_a_lease_that_lasts() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let shared = Shared::new();
    let tenant = shared.tenants.first().unwrap();
    let partition = shared.partition(tenant);
    let members = [(), ()].map(|()| Arc::new(DealtMembership::new(Stream::Events)));
    let first = shared.process(dirs[0].path(), while_owned(&members[0]));
    let second = shared.process(dirs[1].path(), while_owned(&members[1]));
    for process in [&first, &second] {
        process.start(partition).unwrap();
    }
    let folded = async |process: &Projectors, (position, event)| {
        let handle = process.tenant(tenant).unwrap();
        handle.settled(position, event).await.unwrap();
        until("computed", || handle.status().dirty == 0).await;
    };
    let one = shared.user(tenant, 1).await;
    folded(&first, one).await;
    folded(&second, one).await;
    assert_eq!(shared.published_of(tenant), 0, "nobody owns it yet");
    // A lease that ends before an append may have ended is none.
    members[0].lasts(Arc::new(|| Some(DELIVERY)));
    members[0].deal([partition.0]);
    let handle = first.tenant(tenant).unwrap();
    until("it waits", || handle.status().unpublished == 1).await;
    assert_eq!(shared.published_of(tenant), 0);
    members[0].lasts(Arc::new(|| Some(4 * DELIVERY)));
    until("published", || shared.published_of(tenant) == 1).await;
    until("marked", || handle.status().unpublished == 0).await;
    // Taken away: what comes now is the next owner's.
    members[0].deal([]);
    let two = shared.user(tenant, 2).await;
    folded(&first, two).await;
    folded(&second, two).await;
    assert_eq!(shared.published_of(tenant), 1);
    members[1].deal([partition.0]);
    until("the next owner publishes", || shared.published_of(tenant) == 2).await;
    for process in [first, second] {
        process.stop_all().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_owner_left_unpublished_is_published_by_the_next_one() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let shared = Shared::new();
    let tenant = shared.tenants.first().unwrap();
    let partition = shared.partition(tenant);
    let dead = Arc::new(DealtMembership::new(Stream::Events));
    let first = shared.process(dirs[0].path(), while_owned(&dead));
    first.start(partition).unwrap();
    for number in 1..=20 {
        shared.user(tenant, number).await;
    }
    first.stop_all().await; // before it owned anything
    let heir = Arc::new(DealtMembership::new(Stream::Events));
    let second = shared.process(dirs[1].path(), while_owned(&heir));
    heir.deal([partition.0]);
    second.start(partition).unwrap();
    until("all are published", || shared.published_of(tenant) == 20).await;
    second.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_as_this_process_left_it_is_published_again_after_another_one_had_it() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let shared = Shared::new();
    let tenant = shared.tenants.first().unwrap();
    let partition = shared.partition(tenant);
    // The owner of that moment publishes what is so by then, and goes.
    let published_by = async |dir: &Path, times: usize| {
        let member = Arc::new(DealtMembership::new(Stream::Events));
        let process = shared.process(dir, while_owned(&member));
        member.deal([partition.0]);
        process.start(partition).unwrap();
        let enough = || shared.published().values().sum::<usize>() == times;
        until("published", enough).await;
        let handle = process.tenant(tenant).unwrap();
        until("marked", || handle.status().unpublished == 0).await;
        process.stop_all().await;
    };
    shared.user(tenant, 1).await;
    shared.turns(tenant, 1, 1, false).await;
    published_by(dirs[0].path(), 1).await;
    shared.turns(tenant, 1, 2, true).await;
    published_by(dirs[1].path(), 2).await;
    shared.turns(tenant, 1, 3, false).await;
    published_by(dirs[0].path(), 3).await;
}
