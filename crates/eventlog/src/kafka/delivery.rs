//! One append on its way: its records are acknowledged one by one, its sender is answered once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::error::RDKafkaErrorCode;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::error::{Meaning, meaning};
use super::stats::Counters;
use crate::contract::{AppendError, Appended, Partition, Placement, Position, Stream};

/// Where the answer goes.
pub(crate) type Answer = oneshot::Sender<Result<Appended, AppendError>>;

/// An append whose records were given to the client.
#[derive(Debug)]
pub(crate) struct Delivery {
    stream: Stream,
    /// Partition of each record, and its position once it is acknowledged (0 before).
    places: Vec<(Partition, AtomicU64)>,
    left: AtomicUsize,
    failed: AtomicUsize,
    /// Why the first of those that failed did.
    failure: Mutex<Option<String>>,
    answer: Mutex<Option<Answer>>,
    /// Room in the queue, free again when this is dropped: when every record was answered.
    _room: OwnedSemaphorePermit,
    sent: Instant,
    patience: Duration,
    counters: Arc<Counters>,
}

/// One record of an append, given along with it to the client and back with its fate.
#[derive(Debug)]
pub(crate) struct Ticket {
    delivery: Arc<Delivery>,
    index: usize,
    settled: bool,
}

impl Delivery {
    pub(crate) fn new(
        stream: Stream,
        partitions: Vec<Partition>,
        answer: Answer,
        room: OwnedSemaphorePermit,
        patience: Duration,
        counters: Arc<Counters>,
    ) -> Arc<Self> {
        let count = partitions.len();
        counters.sent(count as u64);
        Arc::new(Self {
            stream,
            places: partitions
                .into_iter()
                .map(|partition| (partition, AtomicU64::new(0)))
                .collect(),
            left: AtomicUsize::new(count),
            failed: AtomicUsize::new(0),
            failure: Mutex::new(None),
            answer: Mutex::new(Some(answer)),
            _room: room,
            sent: Instant::now(),
            patience,
            counters,
        })
    }

    pub(crate) fn ticket(self: &Arc<Self>, index: usize) -> Box<Ticket> {
        Box::new(Ticket {
            delivery: Arc::clone(self),
            index,
            settled: false,
        })
    }

    fn settle(&self, failed: bool) {
        if failed {
            self.failed.fetch_add(1, Ordering::AcqRel);
        }
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let answer = self.answer.lock().take();
            let failed = self.failed.load(Ordering::Acquire);
            self.counters
                .answered(self.places.len() as u64, failed as u64, self.sent.elapsed());
            let outcome = self.outcome();
            let failure = match &outcome {
                Err(AppendError::Unavailable { reason, .. }) => Some(reason.as_str()),
                _ => None,
            };
            self.counters.ended(self.stream, failure);
            if let Some(answer) = answer {
                let _ = answer.send(outcome);
            }
        }
    }

    fn outcome(&self) -> Result<Appended, AppendError> {
        let stream = self.stream;
        if let Some(reason) = self.failure.lock().take() {
            return Err(AppendError::Unavailable { stream, reason });
        }
        let placements: Option<Vec<_>> = self
            .places
            .iter()
            .map(|(partition, position)| {
                Some(Placement {
                    partition: *partition,
                    position: Position::new(position.load(Ordering::Acquire))?,
                })
            })
            .collect();
        placements
            .and_then(Appended::listed)
            .ok_or_else(|| AppendError::Unavailable {
                stream,
                reason: "the broker acknowledged without saying where the records stand".to_owned(),
            })
    }
}

impl Ticket {
    pub(crate) fn place(&self) -> Option<(Stream, Partition)> {
        let (partition, _) = self.delivery.places.get(self.index)?;
        Some((self.delivery.stream, *partition))
    }

    /// The record stands at `position`.
    pub(crate) fn acknowledged(mut self, position: u64) {
        if let Some((_, place)) = self.delivery.places.get(self.index) {
            place.store(position, Ordering::Release);
        }
        self.settled = true;
        self.delivery.settle(false);
    }

    /// The record was not acknowledged.
    pub(crate) fn failed(mut self, reason: impl FnOnce(Duration) -> String) {
        self.refuse(reason);
    }

    fn refuse(&mut self, reason: impl FnOnce(Duration) -> String) {
        self.settled = true;
        let patience = self.delivery.patience;
        self.delivery
            .failure
            .lock()
            .get_or_insert_with(|| reason(patience));
        self.delivery.settle(true);
    }
}

/// A ticket that the client lets fall is an answer too: nobody waits for ever.
impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.settled {
            self.refuse(|_| "the client gave the record up".to_owned());
        }
    }
}

/// Why a record was not acknowledged, for operators.
pub(crate) fn reason(code: RDKafkaErrorCode, patience: Duration) -> String {
    match code {
        RDKafkaErrorCode::MessageTimedOut => format!(
            "not acknowledged within {patience:?}: no leader, too few in-sync replicas, or no broker in reach"
        ),
        RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight | RDKafkaErrorCode::Fatal => {
            "the producer had a fatal error and was made anew".to_owned()
        }
        RDKafkaErrorCode::NotEnoughReplicas | RDKafkaErrorCode::NotEnoughReplicasAfterAppend => {
            "too few replicas are in sync (min.insync.replicas)".to_owned()
        }
        RDKafkaErrorCode::MessageSizeTooLarge => {
            "the broker takes no message of this size; raise the topic's max.message.bytes".to_owned()
        }
        code if meaning(code) == Meaning::Forbidden => format!("the broker refuses us: {code}"),
        code => code.to_string(),
    }
}
