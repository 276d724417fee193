//! The bounded queue between those who append and the one thread that commits.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::compaction::Replacement;
use crate::contract::{AppendError, Appended, Record, Stream};

/// Room of the queue, in units of [`UNIT_BYTES`]: 32 MiB of records waiting, a few commits' worth. Each
/// submission takes at least one unit, so there are at most this many of them.
const QUEUE_UNITS: u32 = 32 * 1024;
/// Bytes per unit of room.
const UNIT_BYTES: usize = 1024;
/// Most records of one commit: keeps a commit near 50 ms, so that nobody waits long behind it.
const MAX_GROUP_RECORDS: usize = 20_000;
/// Most bytes of one commit, as above.
const MAX_GROUP_BYTES: usize = 8 * 1024 * 1024;

/// Where the answer goes.
pub(crate) type Answer = oneshot::Sender<Result<Appended, AppendError>>;

/// A checked batch waiting to be committed.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) stream: Stream,
    pub(crate) records: Vec<Record>,
    pub(crate) bytes: usize,
    pub(crate) answer: Answer,
    /// Room in the queue, free again when the submission is answered.
    pub(crate) _room: OwnedSemaphorePermit,
}

/// What the committing thread does next, in one commit each.
#[derive(Debug)]
pub(crate) enum Work {
    Appends(Vec<Submission>),
    Replace(Replacement),
}

#[derive(Debug, Default)]
struct Waiting {
    appends: VecDeque<Submission>,
    replacement: Option<Replacement>,
    closed: bool,
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    room: Arc<Semaphore>,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self {
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            room: Arc::new(Semaphore::new(QUEUE_UNITS as usize)),
        }
    }

    /// Waits for room for `bytes`; `None` when the queue is closed.
    pub(crate) async fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(QUEUE_UNITS);
        Arc::clone(&self.room)
            .acquire_many_owned(units.clamp(1, QUEUE_UNITS))
            .await
            .ok()
    }

    /// Puts a submission in; gives it back when the queue is closed.
    pub(crate) fn submit(&self, submission: Submission) -> Result<(), Submission> {
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return Err(submission);
        }
        waiting.appends.push_back(submission);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// Puts a step of compaction in; there is one at a time. False when the queue is closed.
    pub(crate) fn replace(&self, replacement: Replacement) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return false;
        }
        waiting.replacement = Some(replacement);
        drop(waiting);
        self.arrived.notify_one();
        true
    }

    /// Takes no more; what is in it is still worked off.
    pub(crate) fn close(&self) {
        self.waiting.lock().closed = true;
        self.room.close();
        self.arrived.notify_all();
    }

    /// Closes the queue and lets go of what is in it: those who wait learn that nobody answers.
    pub(crate) fn abandon(&self) {
        self.close();
        let left = std::mem::replace(
            &mut *self.waiting.lock(),
            Waiting {
                closed: true,
                ..Waiting::default()
            },
        );
        drop(left);
    }

    /// Whether the queue was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.waiting.lock().closed
    }

    /// The next work, waiting for it; `None` when the queue is closed and empty. Steps of compaction take
    /// turns with appends, so neither waits for more than one commit of the other.
    pub(crate) fn next(&self, replace_first: bool) -> Option<Work> {
        let mut waiting = self.waiting.lock();
        loop {
            if (replace_first || waiting.appends.is_empty())
                && let Some(replacement) = waiting.replacement.take()
            {
                return Some(Work::Replace(replacement));
            }
            if !waiting.appends.is_empty() {
                return Some(Work::Appends(take_group(&mut waiting.appends)));
            }
            if waiting.closed {
                return None;
            }
            self.arrived.wait(&mut waiting);
        }
    }
}

/// The oldest submissions that fit into one commit: at least one.
fn take_group(appends: &mut VecDeque<Submission>) -> Vec<Submission> {
    let (mut records, mut bytes) = (0_usize, 0_usize);
    let fitting = appends.iter().take_while(|submission| {
        records = records.saturating_add(submission.records.len());
        bytes = bytes.saturating_add(submission.bytes);
        records <= MAX_GROUP_RECORDS && bytes <= MAX_GROUP_BYTES
    });
    let count = fitting.count().clamp(1, appends.len().max(1));
    appends.drain(..count.min(appends.len())).collect()
}
