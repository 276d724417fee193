//! Putting outcomes on record: durable first, then in the ledger.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rollcall_domain::{
    AccountKey, DecodeError, Event, EventData, EventId, Part, Source, TenantId, Timestamp,
};
use rollcall_eventlog::{
    AppendError, BatchLimits, EventLog, Position, ReadBatch, ReadError, ReadLog, Record, Retry, Stream,
};
use rustc_hash::FxHashMap;
use tokio::sync::{Notify, RwLock};

use crate::checkpoint::{self, Header, Positions, WriteError};
use crate::clock::Clock;
use crate::config::{Lease, ReconcilerConfig, covers};
use crate::ledger::{Ledger, LedgerEntry};
use crate::scope::{Scope, outcome_key, partition_of_account};

/// Parts of one append: with the largest event each, inside the log's bound of a batch.
const PARTS_PER_APPEND: usize = 8;

/// How long an outcome waits for a lease that is about to be renewed, and how often it looks. A tenth of a session
/// passes from one renewal to the next; a rebalance or a busy machine may take some of them.
const LEASE_PATIENCE: Duration = Duration::from_secs(5);
const LEASE_LOOK: Duration = Duration::from_millis(50);

/// Who speaks in outcomes.
const ACTOR: &str = "reconciler";

/// Outcomes from one checkpoint of the ledger to the next, at least: half a second of reading at a start.
const CHECKPOINT_AFTER: usize = 50_000;
/// A checkpoint costs what the ledger holds, so there is one for every eighth of it.
const CHECKPOINT_SHARE: usize = 8;
/// A stop writes one when so many outcomes came since the last: fewer are read faster than it is written.
const CHECKPOINT_AT_STOP: usize = 5_000;

/// Why nothing was put on record.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum RecordError {
    #[error(transparent)]
    Log(#[from] AppendError),
    #[error("the system gives no random bytes for an event id")]
    NoRandomness,
    /// Nothing was written: whoever owns the account next puts on record what it finds.
    #[error("the right to write the account may end before the append does")]
    NoLease,
}

impl RecordError {
    /// Nothing more can be recorded, so nothing more may be written, until a restart.
    pub(crate) fn is_fatal(&self) -> bool {
        matches!(self, Self::Log(error) if error.retry() == Retry::AfterRestart)
    }
}

/// Writes outcomes of one tenant and keeps its ledger.
pub(crate) struct Recorder {
    log: Arc<dyn EventLog>,
    tenant: TenantId,
    scope: Scope,
    lease: Arc<dyn Lease>,
    /// An append has ended by then, one way or the other.
    delivery_timeout: Duration,
    clock: Arc<dyn Clock>,
    ledger: Mutex<Ledger>,
    /// Held for reading while outcomes are appended and taken in; who gets it for writing knows that all that were
    /// under way before are in.
    recording: RwLock<()>,
    /// Outcomes since the last checkpoint.
    since: AtomicUsize,
    /// Outcomes may be in the log that are not in the ledger: it is no base for a checkpoint any more.
    unsure: AtomicBool,
    /// Accounts with an outcome that cannot be read, and where the first of each stands.
    unreadable: FxHashMap<AccountKey, u64>,
    checkpoint_due: Notify,
    /// One checkpoint is written at a time.
    writing: tokio::sync::Mutex<()>,
}

/// A ledger and how many outcomes were read to make it, beyond a checkpoint.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) ledger: Ledger,
    pub(crate) read: usize,
    /// Accounts with an outcome that this version cannot read, and where the first of each stands.
    pub(crate) unreadable: FxHashMap<AccountKey, u64>,
}

/// Outcomes that are being put on record. When this is dropped before they are in the ledger, they may be in the log
/// alone.
struct Unfinished<'a>(Option<&'a AtomicBool>);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(unsure) = self.0 {
            unsure.store(true, Ordering::Release);
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

impl Recorder {
    pub(crate) fn new(log: Arc<dyn EventLog>, config: &ReconcilerConfig, loaded: Loaded) -> Self {
        let recorder = Self {
            log,
            tenant: config.tenant.clone(),
            scope: config.scope,
            lease: Arc::clone(&config.lease),
            delivery_timeout: config.delivery_timeout,
            clock: Arc::clone(&config.clock),
            ledger: Mutex::new(loaded.ledger),
            recording: RwLock::new(()),
            since: AtomicUsize::new(0),
            // A checkpoint would hide what could not be read from the next start.
            unsure: AtomicBool::new(!loaded.unreadable.is_empty()),
            unreadable: loaded.unreadable,
            checkpoint_due: Notify::new(),
            writing: tokio::sync::Mutex::new(()),
        };
        recorder.recorded(loaded.read);
        recorder
    }

    fn recorded(&self, outcomes: usize) {
        let since = self
            .since
            .fetch_add(outcomes, Ordering::AcqRel)
            .saturating_add(outcomes);
        let enough = |known: usize| (known / CHECKPOINT_SHARE).max(CHECKPOINT_AFTER);
        if since >= CHECKPOINT_AFTER && since >= enough(self.ledger.lock().len()) {
            self.checkpoint_due.notify_one();
        }
    }

    /// Ends when so many outcomes came since the last checkpoint that the next one is due.
    pub(crate) async fn checkpoint_due(&self) {
        self.checkpoint_due.notified().await;
    }

    /// Whether a checkpoint is worth its time at a stop.
    pub(crate) fn checkpoint_at_stop(&self) -> bool {
        self.since.load(Ordering::Acquire) >= CHECKPOINT_AT_STOP
    }

    /// Writes a checkpoint of the ledger; nothing when it cannot be one. `go_on` is asked now and then. The writing is
    /// done on a thread that may block; recording goes on meanwhile.
    ///
    /// # Errors
    /// [`WriteError`]: the one before, if any, is still good.
    pub(crate) async fn checkpoint(
        self: Arc<Self>,
        path: PathBuf,
        go_on: impl Fn() -> bool + Send + 'static,
    ) -> Result<(), WriteError> {
        let _alone = self.writing.lock().await;
        let since = self.since.load(Ordering::Acquire);
        let io = |source| WriteError::Io {
            path: path.clone(),
            source,
        };
        let positions = positions(self.log.as_ref(), self.scope)
            .await
            .map_err(|error| io(std::io::Error::other(error)))?;
        // What was appended up to these positions is in the ledger once all that were under way are.
        drop(self.recording.write().await);
        if self.unsure.load(Ordering::Acquire) {
            self.since.fetch_sub(since, Ordering::AcqRel);
            return Ok(());
        }
        let header = Header::new(self.log.log_id(), &self.tenant, &positions);
        let (recorder, to) = (Arc::clone(&self), path.clone());
        let written =
            tokio::task::spawn_blocking(move || checkpoint::write(&to, header, &recorder.ledger, &go_on));
        written
            .await
            .map_err(|error| io(std::io::Error::other(error)))??;
        self.since.fetch_sub(since, Ordering::AcqRel);
        Ok(())
    }

    /// A new event id: UUIDv7 of the given time.
    pub(crate) fn new_id(&self) -> Result<EventId, RecordError> {
        event_id(self.clock.now()).ok_or(RecordError::NoRandomness)
    }

    fn event(&self, id: EventId, source: Source, data: EventData) -> Event {
        Event {
            id,
            source,
            time: self.clock.now(),
            tenant: self.tenant.clone(),
            actor: ACTOR.to_owned(),
            request_id: None,
            part: None,
            data,
        }
    }

    /// Waits until the lease covers an append; false when it does not get there soon. A lease that is renewed a moment
    /// late is no reason to leave an intent open: the account would wait for the late-write window.
    async fn leased(&self) -> bool {
        // Who is to let go has less time: the partition is handed on.
        let to_let_go = self.lease.remaining().is_some_and(|left| left.is_zero());
        let patience = if to_let_go { LEASE_LOOK } else { LEASE_PATIENCE };
        let until = tokio::time::Instant::now() + patience;
        loop {
            let left = self.lease.to_settle();
            if covers(left, self.delivery_timeout) {
                return true;
            }
            if left.is_none_or(|left| left.is_zero()) || tokio::time::Instant::now() >= until {
                return false;
            }
            tokio::time::sleep(LEASE_LOOK).await;
        }
    }

    /// Puts outcomes of one account on record, in order, in one append. The first of each pair is its event
    /// id.
    pub(crate) async fn outcomes(
        &self,
        account: AccountKey,
        outcomes: Vec<(EventId, EventData)>,
    ) -> Result<(), RecordError> {
        if outcomes.is_empty() {
            return Ok(());
        }
        let source = Source::Rollcall(ACTOR.to_owned());
        let events: Vec<Event> = outcomes
            .into_iter()
            .map(|(id, data)| self.event(id, source.clone(), data))
            .collect();
        let key = outcome_key(&self.tenant, account);
        let records = events
            .iter()
            .map(|event| Record::new(key.clone(), event.encode()))
            .collect();
        if !self.leased().await {
            return Err(RecordError::NoLease);
        }
        let _recording = self.recording.read().await;
        if !covers(self.lease.to_settle(), self.delivery_timeout) {
            return Err(RecordError::NoLease);
        }
        let mut unfinished = Unfinished(Some(&self.unsure));
        if let Err(error) = self.log.append(Stream::Outcomes, records).await {
            if !error.may_have_been_written() {
                unfinished.0 = None;
            }
            return Err(error.into());
        }
        {
            let mut ledger = self.ledger.lock();
            events.iter().for_each(|event| ledger.apply(event));
        }
        unfinished.0 = None;
        self.recorded(events.len());
        Ok(())
    }

    /// Appends to the tenant's inputs: what was read from Fluent, whole or in parts of which the fold takes all or
    /// none.
    pub(crate) async fn input(&self, what: &str, parts: Vec<EventData>) -> Result<(), RecordError> {
        let count = u16::try_from(parts.len()).unwrap_or(u16::MAX);
        let request_id = (count > 1).then(|| self.new_id()).transpose()?;
        let mut batch = Vec::new();
        for (index, data) in (1u16..).zip(parts) {
            let event = Event {
                request_id: request_id.map(|id| id.to_string()),
                part: (count > 1).then_some(Part { index, count }),
                ..self.event(self.new_id()?, Source::Fluent(what.to_owned()), data)
            };
            batch.push(Record::new(
                self.tenant.as_str().as_bytes().to_vec(),
                event.encode(),
            ));
            if batch.len() == PARTS_PER_APPEND || index == count {
                self.log
                    .append(Stream::Events, std::mem::take(&mut batch))
                    .await?;
            }
        }
        Ok(())
    }

    pub(crate) fn entry(&self, account: AccountKey) -> LedgerEntry {
        self.ledger.lock().entry(account)
    }

    /// Where the first outcome of an account stands that cannot be read: what is ours there is not known.
    pub(crate) fn unreadable(&self, account: AccountKey) -> Option<u64> {
        self.unreadable.get(&account).copied()
    }

    /// How many accounts there are of which an outcome cannot be read.
    pub(crate) fn unreadable_accounts(&self) -> usize {
        self.unreadable.len()
    }

    pub(crate) fn with_ledger<T>(&self, look: impl FnOnce(&mut Ledger) -> T) -> T {
        look(&mut self.ledger.lock())
    }
}

/// A UUIDv7 of that time; `None` when the system gives no random bytes.
fn event_id(now: Timestamp) -> Option<EventId> {
    let mut random = [0u8; 10];
    getrandom::fill(&mut random).ok()?;
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    Some(EventId(
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid(),
    ))
}

/// The end of every partition of the outcome stream that belongs to a scope.
async fn positions(log: &dyn ReadLog, scope: Scope) -> Result<Positions, ReadError> {
    let mut positions = Positions::new();
    for partition in scope.partitions(log) {
        let end = log.end(Stream::Outcomes, partition).await?;
        positions.push((partition, Position::to_stored(end)));
    }
    Ok(positions)
}

/// Rebuilds the ledger of a tenant from the outcome stream alone, to its end as it is now.
///
/// # Errors
/// [`LoadError`]; trying again helps when the log's error says so.
pub async fn read_ledger(log: &dyn ReadLog, tenant: &TenantId) -> Result<Ledger, LoadError> {
    Ok(load(log, tenant, Scope::Whole, None).await?.ledger)
}

/// What the outcomes say of one account, read from the log alone: for processes that keep no ledger. Reads the whole
/// partition of the account.
///
/// # Errors
/// As [`read_ledger`].
pub async fn read_entry(
    log: &dyn ReadLog,
    tenant: &TenantId,
    account: AccountKey,
) -> Result<LedgerEntry, LoadError> {
    let scope = Scope::Partition(partition_of_account(log, tenant, account));
    Ok(load(log, tenant, scope, None).await?.ledger.entry(account))
}

/// Rebuilds the ledger of a tenant: from its checkpoint, when there is a good one, and the outcome stream after it, to
/// its end as it is now. Of an account with an outcome that this version cannot read it is not known what is ours: it
/// is named, so that nothing is taken for foreign there. What is no event of ours is put aside with its position.
pub(crate) async fn load(
    log: &dyn ReadLog,
    tenant: &TenantId,
    scope: Scope,
    checkpoint: Option<&Path>,
) -> Result<Loaded, LoadError> {
    let (header, ledger) = match from_checkpoint(log, tenant, checkpoint).await {
        Some((header, ledger)) => (Some(header), ledger),
        None => (None, Ledger::default()),
    };
    let mut loaded = Loaded {
        ledger,
        read: 0,
        unreadable: FxHashMap::default(),
    };
    for (partition, end) in positions(log, scope).await? {
        let from = header.as_ref().map_or(0, |header| header.position(partition));
        if from > end {
            return Err(LoadError::AheadOfLog {
                path: checkpoint.map(Path::to_owned).unwrap_or_default(),
                checkpoint: from,
                log: end,
            });
        }
        let mut reader = log.reader(Stream::Outcomes, partition, Position::new(from))?;
        while Position::to_stored(reader.position()) < end {
            let batch = reader.next_batch(BatchLimits::REPLAY).await?;
            if batch.is_empty() {
                // A ledger with a hole would take what is ours for foreign.
                return Err(LoadError::Log(ReadError::Unavailable {
                    stream: Stream::Outcomes,
                    reason: format!("partition {partition} gave nothing more before its end at {end}"),
                }));
            }
            take_in(&mut loaded, tenant, &batch);
            tokio::task::yield_now().await;
        }
    }
    Ok(loaded)
}

async fn from_checkpoint(
    log: &dyn ReadLog,
    tenant: &TenantId,
    path: Option<&Path>,
) -> Option<(Header, Ledger)> {
    let (path, log, tenant) = (path?.to_owned(), log.log_id(), tenant.clone());
    let read = tokio::task::spawn_blocking(move || checkpoint::read(&path, log, &tenant));
    // A panic in there is a defect of ours, and the log is still whole.
    read.await.ok().flatten()
}

fn take_in(loaded: &mut Loaded, tenant: &TenantId, batch: &ReadBatch) {
    let prefix = format!("{tenant}/");
    for record in batch.iter() {
        let Some(account) = record.key.strip_prefix(prefix.as_bytes()) else {
            continue;
        };
        let position = record.position.get();
        match Event::decode(record.value) {
            Ok(event) => loaded.ledger.apply(&event),
            Err(error) => {
                tracing::error!(%tenant, position, %error, "an outcome cannot be read and was put aside");
                if may_be_ours(&error)
                    && let Some(account) = account_of(account)
                {
                    loaded.unreadable.entry(account).or_insert(position);
                }
            }
        }
        loaded.read = loaded.read.saturating_add(1);
    }
}

fn account_of(key: &[u8]) -> Option<AccountKey> {
    std::str::from_utf8(key).ok()?.parse().ok()
}

/// Whether a record that cannot be read may have been written by some version of ours. What is no event of ours at all
/// says nothing of what is ours.
fn may_be_ours(error: &DecodeError) -> bool {
    match error {
        DecodeError::Envelope(_) => false,
        DecodeError::UnknownType(kind) => kind.starts_with("rollcall."),
        DecodeError::Data { .. } => true,
    }
}

/// Why the ledger could not be rebuilt.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoadError {
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// The ledger's checkpoint has taken in more than the log holds: the log has lost its end, or an older copy of it
    /// was put in place. In the latter case the checkpoint may be deleted.
    #[error(
        "the checkpoint {} stands at outcome {checkpoint}, the log ends at {log}: the log has lost its end; \
         if an older copy of it was restored on purpose, delete the checkpoint", path.display()
    )]
    AheadOfLog {
        /// The checkpoint.
        path: PathBuf,
        /// Where it stands.
        checkpoint: u64,
        /// Where the log ends.
        log: u64,
    },
}

#[cfg(test)]
mod tests;
