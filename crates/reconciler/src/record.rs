//! Putting outcomes on record: durable first, then in the ledger.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use rollcall_domain::{AccountKey, Event, EventData, EventId, Part, Source, TenantId, Timestamp};
use rollcall_eventlog::{AppendError, BatchLimits, EventLog, ReadError, ReadLog, Record, Retry, Stream};

use crate::clock::Clock;
use crate::ledger::{Ledger, LedgerEntry};

/// Parts of one append: with the largest event each, inside the log's bound of a batch.
const PARTS_PER_APPEND: usize = 8;

/// Who speaks in outcomes.
const ACTOR: &str = "reconciler";

/// Why nothing was put on record.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum RecordError {
    #[error(transparent)]
    Log(#[from] AppendError),
    #[error("the system gives no random bytes for an event id")]
    NoRandomness,
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
    clock: Arc<dyn Clock>,
    ledger: Mutex<Ledger>,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

/// The key of an account's outcomes.
fn key(tenant: &TenantId, account: AccountKey) -> Vec<u8> {
    format!("{tenant}/{account}").into_bytes()
}

impl Recorder {
    pub(crate) fn new(
        log: Arc<dyn EventLog>,
        tenant: TenantId,
        clock: Arc<dyn Clock>,
        ledger: Ledger,
    ) -> Self {
        Self {
            log,
            tenant,
            clock,
            ledger: Mutex::new(ledger),
        }
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
        let key = key(&self.tenant, account);
        let records = events
            .iter()
            .map(|event| Record::new(key.clone(), event.encode()))
            .collect();
        self.log.append(Stream::Outcomes, records).await?;
        let mut ledger = self.ledger.lock();
        events.iter().for_each(|event| ledger.apply(event));
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

/// Rebuilds the ledger of a tenant from the outcome stream, to its end as it is now. Records that this
/// version cannot read are an error: a ledger with a hole would take what is ours for foreign.
///
/// # Errors
/// [`LoadError`]; trying again helps when the log's error says so.
pub async fn read_ledger(log: &dyn ReadLog, tenant: &TenantId) -> Result<Ledger, LoadError> {
    let mut ledger = Ledger::default();
    for partition in log.partitions(Stream::Outcomes) {
        let Some(end) = log.end(Stream::Outcomes, partition).await? else {
            continue;
        };
        let mut reader = log.reader(Stream::Outcomes, partition, None)?;
        while reader.position().is_none_or(|at| at < end) {
            let batch = reader.next_batch(BatchLimits::REPLAY).await?;
            if batch.is_empty() {
                break;
            }
            let prefix = format!("{tenant}/");
            for record in batch
                .iter()
                .filter(|record| record.key.starts_with(prefix.as_bytes()))
            {
                let event = Event::decode(record.value).map_err(|error| LoadError::Unreadable {
                    position: record.position.get(),
                    reason: error.to_string(),
                })?;
                ledger.apply(&event);
            }
            tokio::task::yield_now().await;
        }
    }
    Ok(ledger)
}

/// Why the ledger could not be rebuilt.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoadError {
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// A record is not of a form that this version knows.
    #[error("the outcome at position {position} is not readable: {reason}")]
    Unreadable {
        /// Where.
        position: u64,
        /// What is wrong with it; nothing personal.
        reason: String,
    },
}
