//! A world for tests: a simulator, a log in memory, a source that a test writes, and a clock that it moves.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rollcall_domain::{
    AccountKey, Catalog, Claimant, ConnectionName, ContextType, DerivationId, DesiredGrant, DesiredStatus,
    DesiredUser, Event, ExternalKey, Gains, Grant, InactiveReason, Policy, Profile, Sequence, TenantId,
    TenantKey, Timestamp, UserId, seal,
};
use rollcall_eventlog::{
    AppendLog as _, BatchLimits, EventLog, LogId, MemoryLog, Partition, ReadLog, Record, Stream,
};
use rollcall_fluent::{FluentClient, FluentConfig, FluentCredentials};
use rollcall_fluent_sim::{
    Behavior, ClockMode, Credentials, GrantPair, JournalEntry, Seed, SeedUser, Sim, SimConfig, SimHandle,
};
use rollcall_reconciler::queue::Lane;
use rollcall_reconciler::{
    BoxFuture, Clock, CrashHook, CrashPoint, DesiredSource, Lease, ManualClock, Reconciler, ReconcilerConfig,
    SourceError, Wake, WakeStream,
};
use tokio::sync::watch;
use uuid::Uuid;

/// Real time after which a test that waits has failed.
const PATIENCE: Duration = Duration::from_secs(20);
/// The late-write window of the tests.
pub(crate) const WINDOW: Duration = Duration::from_secs(120);

pub(crate) const ROLES: [&str; 6] = ["PICK", "STORE", "LEAD", "VIP", "REPORT", "ADMIN2"];

/// A `+` stands for a second context of the same role.
pub(crate) fn grant(role: &str) -> Grant {
    match role.strip_suffix('+') {
        Some(role) => Grant::new(role, ContextType::Retailer, "1"),
        None => Grant::new(role, ContextType::Account, "0"),
    }
}

fn named(role: String, wide: bool) -> String {
    if wide { role } else { format!("{role}+") }
}

pub(crate) fn pairs(roles: &[&str]) -> Vec<GrantPair> {
    let pair = |role: &&str| {
        let grant = grant(role);
        GrantPair {
            role: grant.role.0,
            context_type: grant.context.kind.as_str().to_owned(),
            context_id: grant.context.id,
        }
    };
    let mut pairs: Vec<GrantPair> = roles.iter().map(pair).collect();
    pairs.sort();
    pairs
}

/// Every place at which a process may die.
pub(crate) const POINTS: [CrashPoint; 8] = [
    CrashPoint::BeforeIntent,
    CrashPoint::AfterIntent,
    CrashPoint::BeforeSend(0),
    CrashPoint::AfterSend(0),
    CrashPoint::BeforeSend(1),
    CrashPoint::AfterSend(1),
    CrashPoint::BeforeOutcome,
    CrashPoint::AfterOutcome,
];

/// Numbers that look random and are the same in every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// Each of them or not.
    pub(crate) fn some_of(&mut self, all: &[&'static str]) -> Vec<&'static str> {
        let all = all.iter().copied();
        all.filter(|_| self.roll(2) == 0).collect()
    }
}

pub(crate) const LEFT: DesiredStatus = DesiredStatus::Inactive {
    reason: InactiveReason::Deactivated,
};

#[derive(Debug, Default)]
struct Wanted {
    desired: BTreeMap<AccountKey, DesiredUser>,
    successors: BTreeMap<AccountKey, AccountKey>,
    /// By subscription.
    waiting: BTreeMap<u64, VecDeque<Wake>>,
    subscriptions: u64,
    catalog: Catalog,
    policy: Policy,
    sequence: u64,
}

/// A source whose desired users a test writes.
#[derive(Debug)]
pub(crate) struct FakeSource {
    key: TenantKey,
    wanted: Mutex<Wanted>,
    woken: watch::Sender<()>,
}

impl FakeSource {
    fn new() -> Self {
        Self {
            key: TenantKey::new([7; 32]),
            wanted: Mutex::default(),
            woken: watch::Sender::new(()),
        }
    }

    pub(crate) fn account(&self, name: &str) -> AccountKey {
        self.key.name_key(name)
    }

    pub(crate) fn sequence_of(&self, name: &str) -> Sequence {
        self.wanted.lock().desired[&self.account(name)].sequence
    }

    pub(crate) fn with_policy(&self, change: impl FnOnce(&mut Policy)) {
        change(&mut self.wanted.lock().policy);
    }

    pub(crate) fn set_catalog(&self, catalog: Catalog) {
        self.wanted.lock().catalog = catalog;
    }

    /// Says what a name should hold, and wakes the reconciler.
    pub(crate) fn want(&self, name: &str, status: DesiredStatus, roles: &[&str]) {
        self.want_as(name, status, roles, |_| {});
    }

    pub(crate) fn want_as(
        &self,
        name: &str,
        status: DesiredStatus,
        roles: &[&str],
        change: impl FnOnce(&mut DesiredUser),
    ) {
        let account = self.account(name);
        let leaves = matches!(status, DesiredStatus::Inactive { .. });
        let mut wanted = self.wanted.lock();
        wanted.sequence += 1;
        let grants: BTreeSet<Grant> = roles.iter().map(|role| grant(role)).collect();
        let profile = Profile {
            username: name.to_owned(),
            first_name: "Ida".to_owned(),
            last_name: "Berg".to_owned(),
            primary_email: Some(format!("{name}@store.example")),
        };
        let mut desired = DesiredUser {
            account,
            sequence: Sequence(wanted.sequence),
            status,
            gains: Gains::Allowed,
            profile: (!leaves).then(|| seal(&profile)),
            grants: grants
                .into_iter()
                .map(|grant| DesiredGrant {
                    grant,
                    because: vec![DerivationId(1)],
                })
                .collect(),
            retained: Vec::new(),
            holds: Vec::new(),
            notes: Vec::new(),
            claimants: vec![Claimant {
                user: UserId(Uuid::from_u128(1)),
                connection: ConnectionName::new("entra").unwrap(),
                live: !leaves,
                external_key: Some(ExternalKey([1; 16])),
            }],
        };
        change(&mut desired);
        let lane = if desired.is_leaver() {
            Lane::Leaver
        } else {
            Lane::Rest
        };
        wanted.desired.insert(account, desired);
        let wake = Wake {
            account,
            lane,
            received: None,
        };
        wanted
            .waiting
            .values_mut()
            .for_each(|queue| queue.push_back(wake));
        drop(wanted);
        self.woken.send_replace(());
    }

    /// The log was put back to its beginning: what comes is counted anew.
    pub(crate) fn lose_events(&self) {
        self.wanted.lock().sequence = 0;
    }

    /// Some change was not taken over yet.
    pub(crate) fn is_waiting(&self) -> bool {
        self.wanted.lock().waiting.values().any(|queue| !queue.is_empty())
    }

    /// The name's owner was renamed: the old account has no claimant any more.
    pub(crate) fn rename(&self, from: &str, to: &str, roles: &[&str]) {
        self.wanted
            .lock()
            .successors
            .insert(self.account(from), self.account(to));
        self.want(
            from,
            DesiredStatus::Inactive {
                reason: InactiveReason::Deleted,
            },
            &[],
        );
        self.want(to, DesiredStatus::Active, roles);
    }
}

/// What a reconciler is given: the stream of wakes must own what it waits on.
#[derive(Debug)]
pub(crate) struct Shareable(pub(crate) Arc<FakeSource>);

impl DesiredSource for Shareable {
    fn desired(&self, account: AccountKey) -> Result<Option<DesiredUser>, SourceError> {
        Ok(self.0.wanted.lock().desired.get(&account).cloned())
    }
    fn sequence(&self) -> Sequence {
        Sequence(self.0.wanted.lock().sequence)
    }
    fn successor(&self, account: AccountKey) -> Option<AccountKey> {
        self.0.wanted.lock().successors.get(&account).copied()
    }
    fn user_name(&self, account: AccountKey) -> Option<String> {
        // A deleted user's name is not known any more.
        let wanted = self.0.wanted.lock();
        let profile = wanted.desired.get(&account)?.profile.as_ref()?;
        rollcall_domain::open::<Profile>(profile)
            .ok()
            .map(|profile| profile.username)
    }
    fn accounts_page(&self, after: Option<AccountKey>, max: usize) -> Vec<AccountKey> {
        let wanted = self.0.wanted.lock();
        let accounts = wanted
            .desired
            .keys()
            .filter(|account| after.is_none_or(|after| **account > after));
        accounts.take(max).copied().collect()
    }
    fn subscribe(&self) -> Box<dyn WakeStream> {
        // What changed before is found by walking the accounts.
        let mut wanted = self.0.wanted.lock();
        wanted.subscriptions += 1;
        let number = wanted.subscriptions;
        wanted.waiting.insert(number, VecDeque::new());
        Box::new(SharedWakes {
            source: Arc::clone(&self.0),
            number,
            woken: self.0.woken.subscribe(),
        })
    }
    fn catalog_reported(&self) -> Catalog {
        self.0.wanted.lock().catalog.clone()
    }
    fn policy(&self) -> Policy {
        self.0.wanted.lock().policy.clone()
    }
    fn key(&self) -> &TenantKey {
        &self.0.key
    }
}

struct SharedWakes {
    source: Arc<FakeSource>,
    number: u64,
    woken: watch::Receiver<()>,
}

impl Drop for SharedWakes {
    fn drop(&mut self) {
        self.source.wanted.lock().waiting.remove(&self.number);
    }
}

impl WakeStream for SharedWakes {
    fn recv(&mut self) -> BoxFuture<'_, Option<Wake>> {
        Box::pin(async move {
            loop {
                if let Some(wake) = self.try_recv() {
                    return Some(wake);
                }
                let _gone = self.woken.changed().await;
            }
        })
    }
    fn try_recv(&mut self) -> Option<Wake> {
        let mut wanted = self.source.wanted.lock();
        wanted.waiting.get_mut(&self.number)?.pop_front()
    }
}

/// Everything that outlives a reconciler.
pub(crate) struct World {
    _sim: Sim,
    pub(crate) fluent: SimHandle,
    pub(crate) source: Arc<FakeSource>,
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) client: FluentClient,
}

/// What a reconciler of a world is started with beside the defaults.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) crash: Option<CrashHook>,
    pub(crate) lease: Option<Arc<dyn Lease>>,
    pub(crate) resync_every: Option<Duration>,
}

pub(crate) fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Behavior::default()).await
    }

    pub(crate) async fn with(behavior: Behavior) -> Self {
        let seed = Seed {
            roles: ROLES.iter().map(ToString::to_string).collect(),
            ..Seed::default()
        };
        let sim = Sim::start(SimConfig {
            clock: ClockMode::Manual,
            behavior,
            seed: Some(seed),
            ..SimConfig::default()
        })
        .await
        .unwrap();
        let Credentials {
            client_id,
            client_secret,
            username,
            password,
        } = Credentials::default();
        let credentials = FluentCredentials {
            username,
            password: password.into(),
            client_id,
            client_secret: client_secret.into(),
        };
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_767_225_600_000)));
        let client = FluentClient::new(
            FluentConfig::new(sim.url(), "SIM", credentials),
            Arc::new(FluentTime(Arc::clone(&clock))),
        )
        .unwrap();
        Self {
            fluent: sim.handle(),
            _sim: sim,
            source: Arc::new(FakeSource::new()),
            log: Arc::new(MemoryLog::new(LogId([1; 16]))),
            clock,
            client,
        }
    }

    pub(crate) async fn start(&self) -> Reconciler {
        self.start_with(Options::default()).await
    }

    pub(crate) async fn start_with(&self, options: Options) -> Reconciler {
        let mut config = ReconcilerConfig::new(tenant());
        config.late_write_window = WINDOW;
        config.clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        config.crash = options.crash;
        config.resync_every = options.resync_every.unwrap_or(Duration::from_secs(1_000_000));
        config.catalog_every = Duration::from_secs(1_000_000);
        if let Some(lease) = options.lease {
            config.lease = lease;
        }
        let log = Arc::clone(&self.log) as Arc<dyn EventLog>;
        let source = Arc::new(Shareable(Arc::clone(&self.source)));
        Reconciler::start(config, log, source, self.client.clone())
            .await
            .unwrap()
    }

    /// Moves both clocks.
    pub(crate) fn advance(&self, by: Duration) {
        self.fluent.advance(by);
        self.clock.advance(by);
    }

    /// Waits until nothing is left to do, moving the clocks while everything only waits for time.
    pub(crate) async fn converge(&self, reconciler: &Reconciler) {
        let wait = async {
            let mut quiet = 0;
            loop {
                let status = reconciler.status();
                let woken = self.source.is_waiting();
                if status.converged && !woken {
                    return;
                }
                let ready = status.accounts.ready.iter().any(|ready| *ready > 0);
                let busy = woken || status.in_flight > 0;
                quiet = if busy { 0 } else { quiet + 1 };
                // A worker that waits for a slot waits for time; one that waits for the log does not for
                // long.
                if quiet
                    > if ready || status.accounts.processing > 0 {
                        5
                    } else {
                        1
                    }
                {
                    // Straight to the end of a pause, or step by step to what is due.
                    let now = self.clock.now();
                    let pause = status.pause.map(|pause| pause.until.millis_since(now));
                    let due = status.next_due.map(|due| due.millis_since(now).min(10_000));
                    let left = pause.or(due).unwrap_or(0);
                    self.advance(Duration::from_millis(u64::try_from(left).unwrap_or(0).max(500)));
                    quiet = 0;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            panic!("not converged: {:?}", reconciler.status());
        }
    }

    /// Waits for a condition, without moving any clock.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let wait = async {
            while !condition() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "{what}");
    }

    /// A user as somebody else made it.
    pub(crate) fn seed_user(&self, name: &str, status: &str, roles: &[&str]) {
        self.fluent
            .put_user(&SeedUser {
                id: None,
                username: name.to_owned(),
                reference: None,
                first_name: Some("Ida".to_owned()),
                last_name: Some("Berg".to_owned()),
                primary_email: Some(format!("{name}@store.example")),
                kind: "ADMIN".to_owned(),
                status: status.to_owned(),
                roles: pairs(roles),
            })
            .unwrap();
    }

    /// What Fluent holds for a name: status and roles; `None` when there is no such user.
    pub(crate) fn holds(&self, name: &str) -> Option<(String, Vec<String>)> {
        let user = self.fluent.user(name)?;
        Some((
            user.status,
            user.grants
                .into_iter()
                .map(|pair| named(pair.role, pair.context_type == "ACCOUNT"))
                .collect(),
        ))
    }

    #[track_caller]
    pub(crate) fn expect(&self, name: &str, status: &str, roles: &[&str]) {
        let mut roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
        roles.sort();
        assert_eq!(self.holds(name), Some((status.to_owned(), roles)), "{name}");
    }

    /// The pairs that the ledger of a fresh start would own.
    pub(crate) fn owned(&self, reconciler: &Reconciler, name: &str) -> Vec<String> {
        let entry = reconciler.ledger(self.source.account(name));
        assert!(entry.open.is_empty(), "open intents: {:?}", entry.open);
        entry
            .owned
            .into_iter()
            .map(|grant| named(grant.role.0, grant.context.kind == ContextType::Account))
            .collect()
    }

    pub(crate) fn journal_of(&self, name: &str) -> Vec<JournalEntry> {
        self.fluent
            .journal()
            .into_iter()
            .filter(|entry| entry.username.as_deref() == Some(name))
            .collect()
    }

    /// What an account was last meant to get, and how that ended, once more; the end as a version to come might write
    /// it.
    pub(crate) async fn write_of_a_newer_version(&self, name: &str) {
        let account = self.source.account(name);
        let last = |kind: &str| {
            let of = |event: &Event| {
                event.data.kind().ends_with(kind) && event.data.subject().ends_with(&account.to_string())
            };
            let last = self.events(Stream::Outcomes).into_iter().rfind(of);
            String::from_utf8(last.unwrap().encode()).unwrap()
        };
        let newer = last("applied.v1").replace("outcome.applied.v1", "outcome.applied.v9");
        let records =
            [last("intended.v1"), newer].map(|text| Record::new(format!("{}/{account}", tenant()), text));
        self.log.append(Stream::Outcomes, records.into()).await.unwrap();
    }

    /// All events of a stream.
    pub(crate) fn events(&self, stream: Stream) -> Vec<Event> {
        let mut reader = self.log.reader(stream, Partition::ONLY, None).unwrap();
        let mut events = Vec::new();
        loop {
            let batch = reader.next_batch_blocking(BatchLimits::REPLAY).unwrap();
            if batch.is_empty() {
                return events;
            }
            events.extend(batch.iter().map(|record| Event::decode(record.value).unwrap()));
        }
    }

    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        self.events(Stream::Outcomes)
            .iter()
            .map(|event| event.data.kind())
            .collect()
    }
}

/// The client's time is the world's.
#[derive(Debug)]
struct FluentTime(Arc<ManualClock>);

impl rollcall_fluent::Clock for FluentTime {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// Dies once at a point; tells whether it came there.
pub(crate) struct Death {
    pub(crate) came: Arc<AtomicBool>,
    pub(crate) hook: CrashHook,
}

impl Death {
    pub(crate) fn at(point: CrashPoint) -> Self {
        let came = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&came);
        let hook: CrashHook = Arc::new(move |here, _| here == point && !flag.swap(true, Ordering::SeqCst));
        Self { came, hook }
    }

    pub(crate) fn came(&self) -> bool {
        self.came.load(Ordering::SeqCst)
    }
}
