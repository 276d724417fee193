//! Several processes that share a tenant's accounts: a group that deals out partitions, as a broker's coordinator does,
//! over one log and one Fluent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rollcall_domain::AccountKey;
use rollcall_eventlog::testing::{DealtMembership, PartitionedLog};
use rollcall_eventlog::{EventLog, LogId, Membership, Partition, ReadLog, Stream};
use rollcall_fluent_sim::Behavior;
use rollcall_reconciler::ledger::LedgerEntry;
use rollcall_reconciler::{
    Clock, CrashHook, CrashPoint, Crew, LEASE_MARGIN, Lease, PartitionLease, Reconciler, ReconcilerConfig,
    Scope, partition_of_account, partition_of_tenant, read_ledger,
};

use crate::support::{Shareable, WINDOW, World, tenant};

/// How long a share lasts after the last sign of life.
pub(crate) const SESSION: Duration = Duration::from_secs(20);
/// Longest time of a request to Fluent, and of an append.
const REQUEST: Duration = Duration::from_secs(5);
/// Partitions of the accounts.
pub(crate) const PARTITIONS: u32 = 4;
/// Real time after which a test that waits has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// What happened to a partition, in order.
#[derive(Debug, Clone, Copy)]
enum Deed {
    /// A look at the lease allowed a send or an append.
    Acts { node: usize, at: i64 },
    /// Said that nothing is in flight.
    LetGo { node: usize },
}

type Deeds = Arc<Mutex<BTreeMap<u32, Vec<Deed>>>>;

/// A lease that writes down whenever it lets somebody act.
#[derive(Debug)]
struct Watched {
    lease: PartitionLease,
    node: usize,
    partition: u32,
    clock: Arc<dyn Clock>,
    deeds: Deeds,
}

impl Watched {
    fn noted(&self, left: Option<Duration>) -> Option<Duration> {
        if left.is_none_or(|left| left >= REQUEST + LEASE_MARGIN) {
            let at = self.clock.now().as_millis();
            let deed = Deed::Acts { node: self.node, at };
            self.deeds.lock().entry(self.partition).or_default().push(deed);
        }
        left
    }
}

impl Lease for Watched {
    fn remaining(&self) -> Option<Duration> {
        self.noted(self.lease.remaining())
    }

    fn to_settle(&self) -> Option<Duration> {
        self.noted(self.lease.to_settle())
    }
}

/// One process.
struct Node {
    membership: Arc<DealtMembership>,
    crew: Crew,
    until: Arc<AtomicI64>,
    running: BTreeMap<u32, Reconciler>,
    /// It sees nobody, and nobody sees it.
    cut_off: bool,
}

pub(crate) struct Fleet {
    pub(crate) world: World,
    log: Arc<PartitionedLog>,
    nodes: Vec<Node>,
    deeds: Deeds,
    /// Where the next one that comes there dies, and who died there.
    pub(crate) death: Arc<Mutex<Option<CrashPoint>>>,
    died: Arc<Mutex<BTreeSet<usize>>>,
}

impl Fleet {
    pub(crate) async fn new(nodes: usize, behavior: Behavior) -> Self {
        let world = World::with(behavior).await;
        let mut fleet = Self {
            log: Arc::new(PartitionedLog::new(LogId([4; 16]), 2, PARTITIONS)),
            nodes: Vec::new(),
            deeds: Deeds::default(),
            death: Arc::default(),
            died: Arc::default(),
            world,
        };
        for _ in 0..nodes {
            let node = fleet.node();
            fleet.nodes.push(node);
        }
        fleet
    }

    fn node(&self) -> Node {
        let membership = Arc::new(DealtMembership::new(Stream::Outcomes));
        let until = Arc::new(AtomicI64::new(self.now() + millis(SESSION)));
        let (end, clock) = (Arc::clone(&until), Arc::clone(&self.world.clock));
        membership.lasts(Arc::new(move || {
            let left = end.load(Ordering::SeqCst) - clock.now().as_millis();
            Some(Duration::from_millis(u64::try_from(left).unwrap_or(0)))
        }));
        let clock: Arc<dyn Clock> = Arc::clone(&self.world.clock) as _;
        Node {
            membership,
            crew: Crew::new(8, clock),
            until,
            running: BTreeMap::new(),
            cut_off: false,
        }
    }

    fn now(&self) -> i64 {
        self.world.clock.now().as_millis()
    }

    pub(crate) fn partition_of(&self, name: &str) -> u32 {
        let account = self.world.source.account(name);
        partition_of_account(self.log.as_ref(), &tenant(), account).0
    }

    pub(crate) fn partition_of_tenant(&self) -> u32 {
        partition_of_tenant(self.log.as_ref(), &tenant()).0
    }

    /// A name whose account stands in that partition.
    pub(crate) fn name_in(&self, partition: u32, prefix: &str) -> String {
        let mut names = (0..).map(|number| format!("{prefix}{number}"));
        names.find(|name| self.partition_of(name) == partition).unwrap()
    }

    fn owner(&self, partition: u32) -> Option<usize> {
        let owns = |node: &Node| !node.cut_off && node.running.contains_key(&partition);
        self.nodes.iter().position(owns)
    }

    pub(crate) fn owned(&self, node: usize) -> BTreeSet<u32> {
        self.nodes[node].running.keys().copied().collect()
    }

    pub(crate) fn reconciler(&self, partition: u32) -> &Reconciler {
        &self.nodes[self.owner(partition).unwrap()].running[&partition]
    }

    pub(crate) fn reconciler_of(&self, name: &str) -> &Reconciler {
        self.reconciler(self.partition_of(name))
    }

    pub(crate) fn crew(&self, node: usize) -> &Crew {
        &self.nodes[node].crew
    }

    /// Everybody whom the group sees has another session before it.
    fn beat(&self) {
        let until = self.now() + millis(SESSION);
        for node in self.nodes.iter().filter(|node| !node.cut_off) {
            node.until.store(until, Ordering::SeqCst);
        }
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut left = by;
        while !left.is_zero() {
            let step = left.min(Duration::from_secs(2));
            self.world.advance(step);
            self.beat();
            left -= step;
        }
    }

    /// Gives a partition to a node: its owner finishes what is in flight and lets go first.
    pub(crate) async fn give(&mut self, partition: u32, to: usize) {
        if let Some(from) = self.owner(partition) {
            if from == to {
                return;
            }
            self.take_away(from, partition).await;
        }
        self.beat();
        let mut owned = self.owned(to);
        owned.insert(partition);
        self.nodes[to].membership.deal(owned);
        self.start(to, partition).await;
    }

    pub(crate) async fn take_away(&mut self, from: usize, partition: u32) {
        let node = &mut self.nodes[from];
        let reconciler = node.running.remove(&partition).unwrap();
        node.membership.deal(node.running.keys().copied());
        // What a process does when a partition is taken from it.
        let stopped = tokio::time::timeout(PATIENCE, reconciler.stop()).await;
        assert!(stopped.is_ok(), "a graceful stop hangs");
        node.membership.released(&[Partition(partition)]);
        let deed = Deed::LetGo { node: from };
        self.deeds.lock().entry(partition).or_default().push(deed);
    }

    async fn start(&mut self, at: usize, partition: u32) {
        let clock: Arc<dyn Clock> = Arc::clone(&self.world.clock) as _;
        let membership: Arc<dyn Membership> = Arc::clone(&self.nodes[at].membership) as _;
        let lease = Watched {
            lease: PartitionLease::new(membership, Partition(partition)),
            node: at,
            partition,
            clock: Arc::clone(&clock),
            deeds: Arc::clone(&self.deeds),
        };
        let (death, died) = (Arc::clone(&self.death), Arc::clone(&self.died));
        let hook: CrashHook = Arc::new(move |here, _| {
            let mut death = death.lock();
            if *death != Some(here) {
                return false;
            }
            *death = None;
            died.lock().insert(at);
            true
        });
        let config = ReconcilerConfig {
            scope: Scope::Partition(Partition(partition)),
            catalog: partition == self.partition_of_tenant(),
            crew: Some(self.nodes[at].crew.clone()),
            late_write_window: WINDOW,
            request_timeout: REQUEST,
            delivery_timeout: REQUEST,
            resync_every: Duration::from_secs(1_000_000),
            catalog_every: Duration::from_secs(1_000_000),
            lease: Arc::new(lease),
            clock,
            crash: Some(hook),
            ..ReconcilerConfig::new(tenant())
        };
        let log = Arc::clone(&self.log) as Arc<dyn EventLog>;
        let source = Arc::new(Shareable(Arc::clone(&self.world.source)));
        let started = Reconciler::start(config, log, source, self.world.client.clone()).await;
        self.nodes[at].running.insert(partition, started.unwrap());
    }

    /// Some node came to its death; which.
    pub(crate) fn died(&self) -> Option<usize> {
        self.died.lock().pop_first()
    }

    /// A node dies at once, with whatever is under way. What it owned is free when its session has run out.
    pub(crate) fn kill(&mut self, node: usize) -> BTreeSet<u32> {
        let owned = self.owned(node);
        let fresh = self.node();
        self.nodes[node] = fresh;
        owned
    }

    /// A node is cut off from the group, but neither from Fluent nor from the log: it goes on for as long as its
    /// lease lets it.
    pub(crate) fn cut_off(&mut self, node: usize) -> BTreeSet<u32> {
        self.nodes[node].cut_off = true;
        self.owned(node)
    }

    /// It is back, and learns that it owns nothing any more.
    pub(crate) fn heal(&mut self, node: usize) {
        if self.nodes[node].cut_off {
            self.kill(node);
        }
    }

    /// The session of a node that is gone runs out.
    pub(crate) fn session_runs_out(&self) {
        self.advance(SESSION);
    }

    /// Waits until every reconciler has nothing left to do, moving the clocks while all only waits for time.
    pub(crate) async fn converge(&self) {
        let wait = async {
            let mut quiet = 0;
            loop {
                self.beat();
                let nodes = self.nodes.iter().filter(|node| !node.cut_off);
                let all: Vec<_> = nodes
                    .flat_map(|node| node.running.values())
                    .map(Reconciler::status)
                    .collect();
                let woken = self.world.source.is_waiting();
                if !woken && all.iter().all(|status| status.converged) {
                    return;
                }
                let busy = woken || all.iter().any(|status| status.in_flight > 0);
                quiet = if busy { 0 } else { quiet + 1 };
                if quiet > 3 {
                    let now = self.world.clock.now();
                    let dues = all
                        .iter()
                        .flat_map(|status| [status.next_due, status.pause.map(|pause| pause.until)]);
                    let due = dues.flatten().map(|due| due.millis_since(now)).min();
                    let step = due.unwrap_or(0).clamp(500, 10_000);
                    self.advance(Duration::from_millis(u64::try_from(step).unwrap()));
                    quiet = 0;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            let all: Vec<_> = self.nodes.iter().flat_map(|node| node.running.values()).collect();
            let all: Vec<_> = all.into_iter().map(Reconciler::status).collect();
            panic!("not converged: {all:?}");
        }
    }

    /// Never may two nodes have had something in flight for one partition: whoever acts, the last act of another one
    /// has ended by then, because it let go or because its time is over.
    #[track_caller]
    pub(crate) fn expect_one_owner_at_a_time(&self, what: &str) {
        for (partition, deeds) in self.deeds.lock().iter() {
            let mut last: Option<(usize, i64)> = None;
            for deed in deeds {
                match *deed {
                    Deed::LetGo { node } => last = last.filter(|(by, _)| *by != node),
                    Deed::Acts { node, at } => {
                        let overlap = last.filter(|(by, then)| *by != node && at < then + millis(REQUEST));
                        assert!(
                            overlap.is_none(),
                            "{what}: {node} acts on {partition} beside {overlap:?}"
                        );
                        last = Some((node, at));
                    }
                }
            }
        }
    }

    /// What the outcomes in the log say of an account.
    pub(crate) async fn on_record(&self, account: AccountKey) -> LedgerEntry {
        let ledger = read_ledger(self.log.as_ref(), &tenant()).await.unwrap();
        ledger.entry(account)
    }

    /// How many outcomes stand in the log.
    pub(crate) fn outcomes(&self) -> u64 {
        use futures_now::now;
        let partitions = self.log.partitions(Stream::Outcomes).into_iter();
        let ends = partitions.map(|partition| now(self.log.end(Stream::Outcomes, partition)).unwrap());
        ends.map(rollcall_eventlog::Position::to_stored).sum()
    }
}

/// The futures of a log in memory are ready at once.
mod futures_now {
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    pub(super) fn now<T>(mut future: Pin<Box<dyn Future<Output = T> + Send + '_>>) -> T {
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("a log in memory does not wait"),
        }
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap()
}
