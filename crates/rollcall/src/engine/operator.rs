//! Events that an operator or a file causes: rules, policy, decisions.

use std::sync::Arc;

use rollcall_domain::{Event, EventData, EventId, Sequence, Source};
use rollcall_eventlog::{AppendError, EventLog, Record, Stream};
use rollcall_ingest::{Clock as _, IdSource as _, RandomIds, SystemClock};
use rollcall_projector::{ProjectorError, Rejection, TenantHandle, Verdict};

/// Why an operator's event did not take effect.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OperatorError {
    /// The log did not take it.
    #[error(transparent)]
    Log(#[from] AppendError),
    /// The directory did not take it in, in time.
    #[error(transparent)]
    Directory(#[from] ProjectorError),
    /// The fold refused it.
    #[error("{0}")]
    Rejected(Rejection),
}

/// Where an event stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed {
    pub(crate) event: EventId,
    pub(crate) sequence: Sequence,
}

/// Appends an event of `operator/<surface>` and waits until the directory has taken it in.
pub(crate) async fn append(
    log: &Arc<dyn EventLog>,
    directory: &TenantHandle,
    surface: &str,
    actor: &str,
    data: EventData,
) -> Result<Placed, OperatorError> {
    let now = SystemClock.now();
    let id = RandomIds.event(now);
    let event = Event {
        id,
        source: Source::Operator(surface.to_owned()),
        time: now,
        tenant: directory.id().clone(),
        actor: actor.to_owned(),
        request_id: None,
        part: None,
        data,
    };
    let record = Record::new(directory.id().as_str().as_bytes().to_vec(), event.encode());
    let appended = log.append(Stream::Events, vec![record]).await?;
    let settled = directory.settled(appended.last().position, id).await?;
    match settled.verdict {
        Verdict::Rejected { rejection } => Err(OperatorError::Rejected(rejection)),
        Verdict::Accepted { .. } | Verdict::Buffered => Ok(Placed {
            event: id,
            sequence: settled.sequence,
        }),
    }
}
