//! From the sequences that a derivation names to the events: who did it, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rollcall_domain::{DecodeError, Event, EventData, EventId, Sequence, TenantId, Timestamp};
use rollcall_eventlog::{BatchLimits, ReadError, ReadLog, Stream};

use crate::admin::api::Did;
use crate::admin::{AdminError, ErrorCode};

/// Why the events are not found.
#[derive(Debug, thiserror::Error)]
pub(super) enum EvidenceError {
    /// The log cannot be read; trying again may help.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// What was accepted cannot be read any more; trying again does not help.
    #[error("the event with sequence {sequence} is not readable: {error}")]
    Unreadable { sequence: Sequence, error: DecodeError },
    /// The log ends before it; trying again does not help.
    #[error("the event with sequence {0} is not in the log")]
    Missing(Sequence),
}

impl From<EvidenceError> for AdminError {
    fn from(error: EvidenceError) -> Self {
        let code = match &error {
            EvidenceError::Log(_) => ErrorCode::Unavailable,
            EvidenceError::Unreadable { .. } | EvidenceError::Missing(_) => ErrorCode::Internal,
        };
        Self::new(code, error.to_string())
    }
}

/// What people are told of an event. Nothing personal is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deed {
    pub(super) id: EventId,
    pub(super) time: Timestamp,
    pub(super) source: String,
    pub(super) actor: String,
    /// What it did to a user's standing, if anything.
    pub(super) to_user: Option<Did>,
}

/// Events by their sequence.
pub(super) type Deeds = BTreeMap<Sequence, Deed>;

/// Finds the events of a tenant with these sequences, on a thread that may block.
pub(super) async fn find(
    log: Arc<dyn ReadLog>,
    tenant: TenantId,
    wanted: BTreeSet<Sequence>,
) -> Result<Deeds, AdminError> {
    let work = tokio::task::spawn_blocking(move || find_blocking(log.as_ref(), &tenant, &wanted));
    let found = work
        .await
        .map_err(|_| AdminError::new(ErrorCode::Internal, "reading the log failed"))?;
    Ok(found?)
}

/// One pass over the log up to the last event that is wanted. The sequence is the tenant's count of records,
/// so only what is wanted is decoded; a batch at a time is in memory.
fn find_blocking(
    log: &dyn ReadLog,
    tenant: &TenantId,
    wanted: &BTreeSet<Sequence>,
) -> Result<Deeds, EvidenceError> {
    let mut found = Deeds::new();
    let mut wanted = wanted.iter().copied().peekable();
    let key = tenant.as_str().as_bytes();
    let mut reader = log.reader(Stream::Events, log.partition_of(Stream::Events, key), None)?;
    let mut sequence = Sequence::default();
    while let Some(next) = wanted.peek().copied() {
        let batch = reader.next_batch_blocking(BatchLimits::REPLAY)?;
        if batch.is_empty() {
            return Err(EvidenceError::Missing(next));
        }
        for record in batch.iter().filter(|record| record.key == key) {
            sequence = sequence.next();
            if wanted.next_if_eq(&sequence).is_none() {
                continue;
            }
            let unreadable = |error| EvidenceError::Unreadable { sequence, error };
            let event = Event::decode(record.value).map_err(unreadable)?;
            let deed = Deed {
                id: event.id,
                time: event.time,
                source: event.source.to_string(),
                to_user: to_user(&event.data),
                actor: event.actor,
            };
            found.insert(sequence, deed);
        }
    }
    Ok(found)
}

fn to_user(data: &EventData) -> Option<Did> {
    match data {
        EventData::UserCreated(_) => Some(Did::Created),
        EventData::UserChanged(change) => match (change.active?, change.rehire) {
            (true, true) => Some(Did::Rehired),
            (true, false) => Some(Did::Reactivated),
            (false, _) => Some(Did::Deactivated),
        },
        EventData::UserDeleted(_) => Some(Did::Deleted),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use rollcall_domain::{Source, TimerFired};
    use rollcall_eventlog::{AppendLog as _, LogId, MemoryLog, Record};
    use uuid::Uuid;

    use super::*;

    fn record(tenant: &str, number: u128) -> Record {
        let event = Event {
            id: EventId(Uuid::from_u128(number)),
            source: Source::Rollcall("timer".to_owned()),
            time: Timestamp::from_millis(1_700_000_000_000),
            tenant: TenantId::new(tenant).unwrap(),
            actor: format!("hand-{number}"),
            request_id: None,
            part: None,
            data: EventData::TimerFired(TimerFired {
                timer: "tick".to_owned(),
            }),
        };
        Record::new(tenant.as_bytes().to_vec(), event.encode())
    }

    #[tokio::test]
    async fn a_sequence_counts_the_records_of_its_tenant_alone_readable_or_not() {
        let log = MemoryLog::new(LogId([1; 16]));
        let mut records = vec![record("acme", 1), record("beta", 2)];
        records.push(Record::new(b"acme".to_vec(), b"no event".to_vec()));
        records.extend([record("beta", 3), record("acme", 4), record("acme", 5)]);
        log.append(Stream::Events, records).await.unwrap();
        let acme = TenantId::new("acme").unwrap();
        let find =
            |wanted: &[u64]| find_blocking(&log, &acme, &wanted.iter().copied().map(Sequence).collect());
        let found = find(&[1, 3]).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[&Sequence(1)].actor, "hand-1");
        assert_eq!(found[&Sequence(3)].actor, "hand-4");
        assert!(matches!(find(&[2]), Err(EvidenceError::Unreadable { .. })));
        assert!(matches!(find(&[4, 5]), Err(EvidenceError::Missing(Sequence(5)))));
    }
}
