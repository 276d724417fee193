//! Writing: from decided data to a durable event and its verdict.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use http::StatusCode;
use rollcall_domain::{EVENT_BYTES_MAX, Event, EventData, Part};
use rollcall_eventlog::{AppendError, AppendLog, Position, Record, Retry, Stream};
use rollcall_projector::{ProjectorError, Rejection, Verdict};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

use crate::decide::in_parts;
use crate::http::failure::{Failure, RETRY_AFTER_RESTART_SECONDS, RETRY_AFTER_SECONDS};
use crate::metrics::Metrics;
use crate::runtime::{Clock, IdSource};
use crate::seat::Seat;

/// How often a request is decided again because its resource had moved. From the second time on, the writers
/// of one resource in this process stand in line, so only other processes can still come between.
const DECISIONS_MAX: usize = 16;
/// Bytes of parts that are appended at once: well inside the log's own bound of a batch.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Lines in which writers of contended resources stand. Two resources that share one wait for each other,
/// which is slower but never wrong.
const LINES: u8 = 251;

/// How an appended change ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// The directory has it.
    Accepted,
    /// The resource has another revision by now: decide again.
    Moved,
    /// The name was taken first by another: decide again, knowing that one.
    Taken(Failure),
}

/// Appends events and waits for their verdicts.
#[derive(Debug)]
pub(crate) struct Writer {
    log: Arc<dyn AppendLog>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) metrics: Arc<Metrics>,
    lines: Vec<Mutex<()>>,
}

impl Writer {
    pub(crate) fn new(
        log: Arc<dyn AppendLog>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let lines = (0..LINES).map(|_| Mutex::new(())).collect();
        Self {
            log,
            clock,
            ids,
            metrics,
            lines,
        }
    }

    /// Carries out a request: decides, writes, and decides again when the log had something before it.
    ///
    /// `decide` reads the directory and says what to write; none is “nothing changes”. What it says without
    /// writing (nothing, or a failure) stands only after a read barrier: a directory that lags behind the log
    /// must not say that something is missing, taken or done. `conditional` is a request with If-Match: it is
    /// never redone.
    ///
    /// # Errors
    /// What `decide` refuses; 404, 409, 412 by the fold's verdict; 413 when the change is larger than an
    /// event can be; 503 when the log or the fold does not answer in time. In the last case the event may be
    /// durable; sending the request again is safe.
    pub(crate) async fn carry_out(
        &self,
        seat: &Seat,
        resource: Uuid,
        conditional: bool,
        mut decide: impl FnMut() -> Result<Option<EventData>, Failure> + Send,
    ) -> Result<(), Failure> {
        let mut fresh = false;
        let mut taken = false;
        let mut line = None;
        for _ in 0..DECISIONS_MAX {
            let data = match decide() {
                Ok(Some(data)) => data,
                _ if !fresh => {
                    seat.directory.read_barrier().await.map_err(|e| unsettled(&e))?;
                    fresh = true;
                    continue;
                }
                Ok(None) => {
                    self.metrics.unchanged.fetch_add(1, Relaxed);
                    return Ok(());
                }
                Err(failure) => return Err(failure),
            };
            match self.commit(seat, data).await? {
                Outcome::Accepted => return Ok(()),
                Outcome::Moved if conditional => return Err(Failure::precondition()),
                Outcome::Moved if line.is_none() => line = self.stand_in_line(resource).await,
                Outcome::Moved => {}
                Outcome::Taken(failure) if taken => return Err(failure),
                Outcome::Taken(_) => taken = true,
            }
        }
        Err(contended())
    }

    /// Stands in line for a contended resource.
    async fn stand_in_line(&self, resource: Uuid) -> Option<MutexGuard<'_, ()>> {
        let line = usize::try_from(resource.as_u128() % u128::from(LINES)).unwrap_or(0);
        Some(self.lines.get(line)?.lock().await)
    }

    /// Makes `data` durable and waits until the directory has taken it in.
    async fn commit(&self, seat: &Seat, data: EventData) -> Result<Outcome, Failure> {
        let (last, position) = self.append(seat, data).await?;
        let settled = seat
            .directory
            .settled(position, last)
            .await
            .map_err(|e| unsettled(&e))?;
        let rejection = match settled.verdict {
            Verdict::Accepted { .. } => return Ok(Outcome::Accepted),
            Verdict::Rejected { rejection } => rejection,
            Verdict::Buffered => {
                tracing::error!(event = %last, "the last part of a request was taken for a middle one");
                return Err(Failure::internal());
            }
        };
        self.metrics.rejections.fetch_add(1, Relaxed);
        tracing::debug!(event = %last, sequence = settled.sequence.0, %rejection, "the event was rejected");
        match rejection {
            Rejection::RevisionMoved { .. } | Rejection::MemberRevisionMoved { .. } => {
                self.metrics.conflicts_retried.fetch_add(1, Relaxed);
                Ok(Outcome::Moved)
            }
            Rejection::UserNameTaken => Ok(Outcome::Taken(user_name_taken())),
            Rejection::GroupNameTaken => Ok(Outcome::Taken(group_name_taken())),
            Rejection::Missing => Err(Failure::no_such_resource()),
            Rejection::TooMany => Err(Failure::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "the directory holds as many resources as it can",
            )),
            other => {
                tracing::error!(event = %last, rejection = %other, "the fold refused what this server wrote");
                Err(Failure::internal())
            }
        }
    }

    async fn append(
        &self,
        seat: &Seat,
        data: EventData,
    ) -> Result<(rollcall_domain::EventId, Position), Failure> {
        let parts = in_parts(data).map_err(|e| too_large(e.to_string()))?;
        let time = self.clock.now();
        let count = u16::try_from(parts.len()).unwrap_or(u16::MAX);
        let request_id = (count > 1).then(|| self.ids.request().to_string());
        let mut last = None;
        let mut batch = Vec::with_capacity(parts.len().min(16));
        let mut batch_bytes = 0usize;
        for (index, data) in (1u16..).zip(parts) {
            let id = self.ids.event(time);
            let event = Event {
                id,
                source: seat.source.clone(),
                time,
                tenant: seat.connection.tenant.clone(),
                actor: seat.actor.clone(),
                request_id: request_id.clone(),
                part: (count > 1).then_some(Part { index, count }),
                data,
            };
            let bytes = event.encode();
            if bytes.is_empty() || bytes.len() > EVENT_BYTES_MAX {
                return Err(too_large(format!(
                    "the change is larger than {EVENT_BYTES_MAX} bytes"
                )));
            }
            batch_bytes = batch_bytes.saturating_add(bytes.len());
            batch.push(Record::new(seat.log_key.clone(), bytes));
            if batch_bytes >= BATCH_BYTES || index == count {
                batch_bytes = 0;
                last = Some((id, self.append_batch(std::mem::take(&mut batch)).await?));
            }
        }
        last.ok_or_else(Failure::internal)
    }

    async fn append_batch(&self, records: Vec<Record>) -> Result<Position, Failure> {
        let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
        match self.log.append(Stream::Events, records).await {
            Ok(appended) => {
                self.metrics.events_appended.fetch_add(count, Relaxed);
                Ok(appended.last().position)
            }
            Err(error) => {
                self.metrics.append_failures.fetch_add(1, Relaxed);
                tracing::error!(%error, "the log did not take an event");
                Err(refused(&error))
            }
        }
    }
}

pub(crate) fn user_name_taken() -> Failure {
    Failure::unique("another user of this connection has this userName")
}

pub(crate) fn group_name_taken() -> Failure {
    Failure::unique("another group of this connection has this displayName")
}

/// The answer when a resource moved at every attempt.
fn contended() -> Failure {
    Failure::busy(
        "the resource is being changed by others all the time",
        RETRY_AFTER_SECONDS,
    )
}

pub(crate) fn unsettled(error: &ProjectorError) -> Failure {
    tracing::warn!(%error, "the directory did not answer");
    match error.retry() {
        Retry::Later => Failure::busy(
            "the directory is catching up; send the same again",
            RETRY_AFTER_SECONDS,
        ),
        Retry::AfterRestart | Retry::Never => Failure::busy(
            "the directory is not available; send the same again",
            RETRY_AFTER_RESTART_SECONDS,
        ),
    }
}

fn refused(error: &AppendError) -> Failure {
    match error.retry() {
        Retry::Later => Failure::busy(
            "the log is not available; send the same again",
            RETRY_AFTER_SECONDS,
        ),
        Retry::AfterRestart => Failure::busy(
            "the log takes nothing at present; send the same again",
            RETRY_AFTER_RESTART_SECONDS,
        ),
        Retry::Never => Failure::internal(),
    }
}

fn too_large(detail: String) -> Failure {
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}
