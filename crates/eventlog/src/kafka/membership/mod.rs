//! Sharing partitions among processes: a consumer group that reads nothing.
//!
//! A member subscribes to the stream's topic for the assignment alone; all its partitions stay paused.
//! Assignment is cooperative: what stays with a member is never taken away for a moment, and what moves is
//! first given back by the old owner, then given to the new one.
//!
//! The lease ([`lease`]) is proven by commits, about one each second: the coordinator answers a commit only
//! of a member that it still counts, and the commit renews that member's session. A revocation waits, at most
//! for the session time-out, until everything in flight for the partitions has ended
//! ([`Membership::released`]).

mod lease;
mod trouble;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, RebalanceProtocol};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tokio::sync::watch;

use self::lease::Lease;
use self::trouble::Trouble;
use super::KafkaLog;
use super::client::{Context, consumer_config, millis};
use super::error::{KafkaError, Meaning, meaning};
use super::heads::{setting, signed};
use super::options::KafkaOptions;
use super::stats::Counters;
use super::wait::pause;
use crate::contract::{Assignment, Membership, Partition, Standing, Stream};

/// How often the lease is renewed, as a part of the session: a failed attempt leaves room for several more.
const RENEWALS_PER_SESSION: u32 = 10;
/// How often the member tells the coordinator that it lives, and so how soon it hears of a rebalance: what a
/// dead member had waits for that too.
const HEARTBEATS_PER_SESSION: u32 = 10;
/// How long one poll waits.
const POLL: Duration = Duration::from_millis(50);
/// How long the coordinator waits for a member to rejoin before it goes on without it: several sessions, so
/// that a member is never put out for waiting until its work has ended.
const REJOIN_SESSIONS: u32 = 6;
/// Before a client that had a fatal error is made anew.
const RENEW_PAUSE: Duration = Duration::from_secs(1);

/// This process's share of a stream's partitions, among all processes of the same group.
pub struct KafkaMembership {
    shared: Arc<Shared>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

impl fmt::Debug for KafkaMembership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaMembership")
            .field("stream", &self.shared.stream)
            .field("group", &self.shared.group)
            .field("assignment", &*self.shared.assignment.borrow())
            .finish_non_exhaustive()
    }
}

struct Shared {
    stream: Stream,
    topic: String,
    /// Partitions of the log: the group deals those that were added to the topic later, too, and they are nobody's.
    count: u32,
    group: String,
    session: Duration,
    assignment: watch::Sender<Assignment>,
    lease: Mutex<Lease>,
    /// The group has dealt, be it nothing: set by an assignment, and no more when everything is lost.
    dealt: AtomicBool,
    trouble: Trouble,
    /// Partitions taken away whose work may still be in flight.
    revoked: Mutex<BTreeSet<Partition>>,
    released: Condvar,
    /// Partitions were assigned, or a member ends: the lease is to be looked at now.
    stirred: Condvar,
    /// The member leaves.
    stop: AtomicBool,
    /// Nobody is there any more who could say that work has ended.
    abandoned: AtomicBool,
    /// The client did not take what the group dealt: the group counts it as ours, so another client must join.
    unfit: AtomicBool,
    /// Assignments that the client is to be unable to take.
    #[cfg(test)]
    refusals: std::sync::atomic::AtomicU32,
    counters: Arc<Counters>,
}

impl KafkaMembership {
    /// Joins the group `name` (with the topic prefix before it) that shares the partitions of `stream`.
    /// Returns at once; the first assignment comes when the group has settled, after about three seconds by
    /// the brokers' defaults.
    ///
    /// # Errors
    /// [`KafkaError::Setting`], [`KafkaError::Machine`]. A cluster that cannot be reached is no error here:
    /// the member owns nothing until it can.
    pub fn join(log: &KafkaLog, name: &str, stream: Stream) -> Result<Self, KafkaError> {
        let shared = Shared::new(log, name, stream);
        Self::start(Arc::new(shared), name, log.options())
    }

    /// The same, with a client that is unable to take the first assignments.
    #[cfg(test)]
    pub(crate) fn join_refusing(
        log: &KafkaLog,
        name: &str,
        stream: Stream,
        assignments: u32,
    ) -> Result<Self, KafkaError> {
        let shared = Shared::new(log, name, stream);
        shared.refusals.store(assignments, Ordering::Release);
        Self::start(Arc::new(shared), name, log.options())
    }

    fn start(shared: Arc<Shared>, name: &str, options: &KafkaOptions) -> Result<Self, KafkaError> {
        let first = shared.connect(options)?;
        let thread = thread::Builder::new()
            .name(format!("kafka-{name}"))
            .spawn({
                let (shared, options) = (Arc::clone(&shared), options.clone());
                move || shared.run(first, &options)
            })
            .map_err(|error| KafkaError::Machine {
                action: "starting the member's thread",
                reason: error.to_string(),
            })?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Leaves the group: everything is taken away at once, and handed on when it is released, or when the
    /// session time-out has passed. Blocks until then. Doing it twice does nothing.
    pub fn leave(&self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

impl Drop for KafkaMembership {
    /// As [`KafkaMembership::leave`], without waiting for a release that nobody can give any more.
    fn drop(&mut self) {
        self.shared.abandon();
        self.leave();
    }
}

impl Membership for KafkaMembership {
    fn stream(&self) -> Stream {
        self.shared.stream
    }

    fn assignment(&self) -> watch::Receiver<Assignment> {
        self.shared.assignment.subscribe()
    }

    fn remaining(&self) -> Option<Duration> {
        Some(self.shared.lease.lock().remaining(Instant::now()))
    }

    fn standing(&self) -> Standing {
        let why = || self.shared.trouble.now();
        if !self.shared.dealt.load(Ordering::Acquire) {
            return Standing::NotDealt { why: why() };
        }
        if self.shared.lease.lock().remaining(Instant::now()).is_zero() {
            return Standing::Lapsed { why: why() };
        }
        Standing::Member
    }

    fn holds(&self, partition: Partition) -> (bool, Option<Duration>) {
        // Time first, as in `owns`. Under the lock, since what is taken away goes from the one set to the other.
        let remaining = self.remaining();
        let revoked = self.shared.revoked.lock();
        let held =
            revoked.contains(&partition) || self.shared.assignment.borrow().partitions.contains(&partition);
        (held, remaining)
    }

    fn released(&self, partitions: &[Partition]) {
        let mut revoked = self.shared.revoked.lock();
        for partition in partitions {
            revoked.remove(partition);
        }
        drop(revoked);
        self.shared.released.notify_all();
    }
}

impl Shared {
    fn new(log: &KafkaLog, name: &str, stream: Stream) -> Self {
        let options = log.options();
        Self {
            stream,
            topic: options.topic(stream),
            count: log.reading.table.count(stream),
            group: options.group(name),
            session: options.session_timeout,
            assignment: watch::Sender::new(Assignment::default()),
            lease: Mutex::new(Lease::new(options.session_timeout)),
            dealt: AtomicBool::new(false),
            trouble: Trouble::new(options.group(name)),
            revoked: Mutex::default(),
            released: Condvar::new(),
            stirred: Condvar::new(),
            stop: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            unfit: AtomicBool::new(false),
            #[cfg(test)]
            refusals: std::sync::atomic::AtomicU32::new(0),
            counters: log.counters(),
        }
    }

    fn connect(self: &Arc<Self>, options: &KafkaOptions) -> Result<Serving, KafkaError> {
        let mut config = consumer_config(options);
        config.set("group.id", self.group.as_str());
        config.set("partition.assignment.strategy", "cooperative-sticky");
        config.set("session.timeout.ms", millis(self.session));
        config.set(
            "heartbeat.interval.ms",
            millis(self.session / HEARTBEATS_PER_SESSION),
        );
        config.set(
            "max.poll.interval.ms",
            millis(self.session.saturating_mul(REJOIN_SESSIONS)),
        );
        // Nothing is read; what slips through before a partition is paused is thrown away.
        config.set("queued.min.messages", "1");
        config.set("queued.max.messages.kbytes", "1");
        config.set("fetch.message.max.bytes", "1024");
        let member = Member {
            base: Context::new(options),
            shared: Arc::clone(self),
        };
        let client: BaseConsumer<Member> = config.create_with_context(member).map_err(setting)?;
        client.subscribe(&[&self.topic]).map_err(setting)?;
        let client = Arc::new(client);
        let over = Arc::new(AtomicBool::new(false));
        let renewing = thread::Builder::new()
            .name("kafka-lease".to_owned())
            .spawn({
                let (shared, client, over) = (Arc::clone(self), Arc::clone(&client), Arc::clone(&over));
                move || shared.renew(&client, &over)
            })
            .map_err(|error| KafkaError::Machine {
                action: "starting the thread that renews the lease",
                reason: error.to_string(),
            })?;
        Ok(Serving {
            client,
            over,
            renewing,
        })
    }

    /// Serves the member until it leaves; a client with a fatal error is replaced.
    fn run(self: &Arc<Self>, first: Serving, options: &KafkaOptions) {
        let mut client = Some(first);
        while !self.stop.load(Ordering::Acquire) {
            match client.take() {
                Some(serving) if self.serve(&serving.client) => client = Some(serving),
                // In order: what this client did take is let go before the group hands it on.
                Some(unfit) if self.unfit.swap(false, Ordering::AcqRel) => {
                    self.end(unfit);
                    self.lost_everything();
                }
                Some(failed) => {
                    self.lost_everything();
                    self.end(failed);
                }
                None => {
                    pause(RENEW_PAUSE);
                    match self.connect(options) {
                        Ok(made) => client = Some(made),
                        Err(error) => tracing::warn!(%error, "no member of the group could be made"),
                    }
                }
            }
        }
        // Closing revokes what is still assigned, and so waits for its release; then the group hands it on.
        if let Some(serving) = client {
            self.end(serving);
        }
        self.lost_everything();
    }

    /// Closes a client: what it still has is revoked, whoever waits for an answer of it gets one.
    fn end(&self, serving: Serving) {
        if serving.client.close_queue().is_ok() {
            while !serving.client.closed() {
                let _ = serving.client.poll(POLL);
            }
        }
        serving.over.store(true, Ordering::Release);
        drop(self.lease.lock());
        self.stirred.notify_all();
        let _ = serving.renewing.join();
    }

    /// Renews the lease until the client is over. A thread of its own, since a commit is waited for; one that
    /// no coordinator answers ends with the session time-out.
    fn renew(&self, client: &BaseConsumer<Member>, over: &AtomicBool) {
        let every = self.session / RENEWALS_PER_SESSION;
        while !over.load(Ordering::Acquire) {
            let first = || self.assignment.borrow().partitions.first().copied();
            let any = first();
            let mut again = every;
            if self.dealt.load(Ordering::Acquire) {
                // A spare proves its membership by any partition: the coordinator asks who commits, not what.
                let any = any.unwrap_or(Partition(0));
                let proof = self.lease.lock().proof(Instant::now());
                let taken = client.commit(&list(&self.topic, [any]), CommitMode::Sync);
                match taken {
                    // A member that was put out may commit as a stranger to an empty group: that is no proof.
                    // Until the loss is told here, the client knows of it; afterwards the proof has gone
                    // stale.
                    Ok(()) if !client.assignment_lost() => {
                        self.lease.lock().prove(proof);
                        self.trouble.over();
                    }
                    Ok(()) => {}
                    Err(error) => {
                        again = every / 4;
                        self.trouble.met(&error);
                    }
                }
            }
            let mut lease = self.lease.lock();
            if !over.load(Ordering::Acquire) && any == first() {
                self.stirred.wait_for(&mut lease, again);
            }
        }
    }

    /// One turn; false when the client cannot go on.
    fn serve(&self, client: &BaseConsumer<Member>) -> bool {
        if let Some(Err(error)) = client.poll(POLL) {
            let fatal = match &error {
                ClientError::MessageConsumptionFatal(_) => true,
                other => other
                    .rdkafka_error_code()
                    .is_some_and(|code| meaning(code) == Meaning::Fatal),
            };
            if fatal {
                tracing::warn!(%error, group = %self.group, "the member had a fatal error and is made anew");
                return false;
            }
            self.trouble.met(&error);
        }
        !self.unfit.load(Ordering::Acquire)
    }

    fn lost_everything(&self) {
        self.dealt.store(false, Ordering::Release);
        self.lease.lock().lose();
        self.change(BTreeSet::clear);
    }

    /// Changes what is owned, and tells it if it did change.
    fn change(&self, change: impl FnOnce(&mut BTreeSet<Partition>)) {
        self.assignment.send_if_modified(|assignment| {
            let mut partitions = assignment.partitions.clone();
            change(&mut partitions);
            let changed = assignment.own(partitions);
            if changed {
                self.counters.rebalanced();
            }
            changed
        });
    }

    fn of_the_log<'a>(&'a self, dealt: &'a BTreeSet<Partition>) -> impl Iterator<Item = Partition> + 'a {
        dealt.iter().copied().filter(|partition| partition.0 < self.count)
    }

    fn abandon(&self) {
        // Under the lock, so that whoever is about to wait sees it.
        let revoked = self.revoked.lock();
        self.abandoned.store(true, Ordering::Release);
        drop(revoked);
        self.released.notify_all();
    }

    /// Waits until the work of `partitions` has ended, the session time-out at most.
    fn await_release(&self, partitions: &BTreeSet<Partition>) {
        let deadline = Instant::now() + self.session;
        let mut revoked = self.revoked.lock();
        while !revoked.is_disjoint(partitions) && !self.abandoned.load(Ordering::Acquire) {
            if self.released.wait_until(&mut revoked, deadline).timed_out() {
                tracing::warn!(
                    group = %self.group,
                    "work on partitions that were taken away did not end in time; they are handed on"
                );
                break;
            }
        }
        revoked.retain(|partition| !partitions.contains(partition));
    }
}

/// A client, with the thread that renews its lease.
struct Serving {
    client: Arc<BaseConsumer<Member>>,
    over: Arc<AtomicBool>,
    renewing: thread::JoinHandle<()>,
}

fn list(topic: &str, partitions: impl IntoIterator<Item = Partition>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        // A number that the list does not take cannot have come from one.
        let _ = list.add_partition_offset(topic, signed(partition.0), Offset::Offset(0));
    }
    list
}

/// What the client tells of the group, from the member's thread.
struct Member {
    base: Context,
    shared: Arc<Shared>,
}

impl Member {
    fn assigned(&self, client: &BaseConsumer<Self>, partitions: &BTreeSet<Partition>) {
        let list = list(&self.shared.topic, partitions.iter().copied());
        if let Err(error) = self.take(client, partitions, &list) {
            tracing::warn!(
                %error, group = %self.shared.group,
                "an assignment could not be taken; the member is made anew, so that nothing is left to nobody"
            );
            self.shared.trouble.met(&error);
            self.shared.unfit.store(true, Ordering::Release);
            return;
        }
        self.shared
            .change(|owned| owned.extend(self.shared.of_the_log(partitions)));
        self.shared.dealt.store(true, Ordering::Release);
        // Proven at once: without a lease nothing may be done.
        drop(self.shared.lease.lock());
        self.shared.stirred.notify_all();
    }

    /// Tells the client what it was dealt, and that nothing of it is to be read.
    fn take(
        &self,
        client: &BaseConsumer<Self>,
        partitions: &BTreeSet<Partition>,
        list: &TopicPartitionList,
    ) -> Result<(), ClientError> {
        #[cfg(test)]
        if !partitions.is_empty()
            && self
                .shared
                .refusals
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1))
                .is_ok()
        {
            return Err(ClientError::Canceled);
        }
        match client.rebalance_protocol() {
            RebalanceProtocol::Cooperative => client.incremental_assign(list)?,
            _ => client.assign(list)?,
        }
        if partitions.is_empty() {
            return Ok(());
        }
        client.pause(list)
    }

    fn revoked(&self, client: &BaseConsumer<Self>, partitions: &BTreeSet<Partition>) {
        let lost = client.assignment_lost();
        if lost {
            self.shared.counters.lost();
            tracing::warn!(
                group = %self.shared.group, partitions = partitions.len(),
                "everything was lost: the group has not heard of this process for a session"
            );
            self.shared.dealt.store(false, Ordering::Release);
            self.shared.lease.lock().lose();
        } else {
            // What was not taken has no work that could end.
            let owned = self.shared.assignment.borrow().partitions.clone();
            let held = partitions.intersection(&owned).copied();
            self.shared.revoked.lock().extend(held);
        }
        self.shared
            .change(|owned| owned.retain(|partition| !partitions.contains(partition)));
        let list = list(&self.shared.topic, partitions.iter().copied());
        if !lost {
            self.shared.await_release(partitions);
        }
        let unassigned = match client.rebalance_protocol() {
            RebalanceProtocol::Cooperative => client.incremental_unassign(&list),
            _ => client.unassign(),
        };
        if let Err(error) = unassigned {
            tracing::warn!(%error, group = %self.shared.group, "a revocation could not be answered");
        }
    }
}

impl ClientContext for Member {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.base.log(level, facility, message);
    }

    fn stats_raw(&self, _statistics: &[u8]) {}

    fn error(&self, error: ClientError, reason: &str) {
        self.shared.trouble.met(&error);
        self.base.error(error, reason);
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.base.generate_oauth_token(config)
    }
}

impl ConsumerContext for Member {
    fn rebalance(&self, client: &BaseConsumer<Self>, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let partitions = list
            .elements()
            .into_iter()
            .filter_map(|element| u32::try_from(element.partition()).ok().map(Partition))
            .collect();
        match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assigned(client, &partitions),
            _ => self.revoked(client, &partitions),
        }
    }
}
