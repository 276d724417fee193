//! The one thread that writes: group commits, then the answers.

use std::sync::Arc;
use std::thread;

use parking_lot::RwLock;

use super::compaction::{Compactor, Replacement};
use super::error::StoreError;
use super::files::Ends;
use super::queue::{Queue, Submission, Work};
use super::store::{Store, insert_blocks, remove_blocks};
use crate::block::{Block, BlockBuilder, FRAME_BYTES, HEADER_BYTES};
use crate::contract::{AppendError, Appended, Partition, Position, Record, Stream};
use crate::single::Tails;

/// Bytes a block is filled to: with the storage's page header just within 64 KiB, since a page is a power
/// of two. One record may exceed it.
pub(crate) const BLOCK_BYTES: usize = 64 * 1024 - 128;

/// What the committing thread shares with the log.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Arc<Store>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) tails: Tails,
    /// Why nothing is written any more.
    pub(crate) poison: RwLock<Option<String>>,
}

impl Shared {
    /// The refusal of an append after a failed commit, if there was one.
    pub(crate) fn refusal(&self, stream: Stream) -> Option<AppendError> {
        let poison = self.poison.read();
        poison.as_ref().map(|reason| AppendError::Poisoned {
            stream,
            reason: reason.clone(),
        })
    }
}

/// Writes until the queue is closed and empty, or a commit fails.
#[derive(Debug)]
pub(crate) struct Committer {
    shared: Arc<Shared>,
    ends: Ends,
    next: [u64; 3],
    compactor: Compactor,
    warned: bool,
}

/// The blocks of a commit, per stream in the order of [`Stream::ALL`].
type Parts = [Vec<Block>; 3];

impl Committer {
    pub(crate) fn new(shared: Arc<Shared>, ends: Ends, found: [u64; 3], compactor: Compactor) -> Self {
        let next = found.map(|end| end.saturating_add(1));
        Self {
            shared,
            ends,
            next,
            compactor,
            warned: false,
        }
    }

    /// Starts the thread.
    pub(crate) fn spawn(self) -> std::io::Result<thread::JoinHandle<()>> {
        thread::Builder::new()
            .name("log-commit".to_owned())
            .spawn(move || self.run())
    }

    fn run(mut self) {
        let queue = Arc::clone(&self.shared.queue);
        let mut replaced = false;
        while let Some(work) = queue.next(!replaced) {
            replaced = matches!(work, Work::Replace(_));
            match work {
                Work::Appends(group) => self.append(group),
                Work::Replace(step) => self.replace(step),
            }
        }
        self.compactor.join();
    }

    fn append(&mut self, group: Vec<Submission>) {
        let poisoned = self.shared.poison.read().is_some();
        if poisoned {
            for submission in group {
                let refusal = self.shared.refusal(submission.stream);
                answer(submission, |stream| {
                    Err(refusal.unwrap_or(AppendError::Closed { stream }))
                });
            }
            return;
        }
        let before = self.next;
        let (parts, places) = self.frame(&group);
        let committed = self.shared.store.write(|commit| {
            for (stream, part) in Stream::ALL.into_iter().zip(&parts) {
                if !part.is_empty() {
                    insert_blocks(commit, stream, part)?;
                }
            }
            Ok(())
        });
        match committed {
            Ok(()) => self.acknowledge(group, places, parts),
            Err(error) => {
                self.next = before;
                self.fail(&error, group);
            }
        }
    }

    /// Gives every record its sequence and frames it.
    fn frame(&mut self, group: &[Submission]) -> (Parts, Vec<Appended>) {
        let [mut events, mut desired, mut outcomes] = Stream::ALL.map(|stream| Framer::new(stream, group));
        let [next_event, next_desired, next_outcome] = &mut self.next;
        let mut places = Vec::with_capacity(group.len());
        for submission in group {
            places.push(match submission.stream {
                Stream::Events => events.frame(next_event, &submission.records),
                Stream::Desired => desired.frame(next_desired, &submission.records),
                Stream::Outcomes => outcomes.frame(next_outcome, &submission.records),
            });
        }
        ([events, desired, outcomes].map(Framer::finish), places)
    }

    /// The commit is durable: keep the ends, show the records to readers, answer.
    fn acknowledge(&mut self, group: Vec<Submission>, places: Vec<Appended>, parts: Parts) {
        if let Err(error) = self.ends.write(self.next.map(|next| next.saturating_sub(1)))
            && !std::mem::replace(&mut self.warned, true)
        {
            tracing::warn!(%error, "the ends of the log cannot be kept beside it; a loss may go unnoticed");
        }
        for (stream, part) in Stream::ALL.into_iter().zip(parts) {
            if stream.is_compacted() {
                let added = part.iter().map(|block| u64::from(block.count)).sum();
                self.compactor.appended(&self.shared, added);
            }
            if !part.is_empty() {
                self.shared.tails.of(stream).publish(part);
            }
        }
        for (submission, place) in group.into_iter().zip(places) {
            answer(submission, |_| Ok(place));
        }
    }

    /// The commit failed: nobody knows what of it is on the disk, so nothing more is written.
    fn fail(&self, error: &StoreError, group: Vec<Submission>) {
        let reason = error.reason();
        tracing::error!(%reason, "a commit of the log failed; appends are refused until a restart");
        *self.shared.poison.write() = Some(reason.clone());
        for submission in group {
            answer(submission, |stream| {
                Err(AppendError::NotDurable {
                    stream,
                    reason: reason.clone(),
                })
            });
        }
    }

    fn replace(&self, step: Replacement) {
        if self.shared.poison.read().is_some() {
            step.done(false);
            return;
        }
        let committed = self.shared.store.write(|commit| {
            remove_blocks(commit, step.stream(), step.removed())?;
            insert_blocks(commit, step.stream(), step.inserted())
        });
        if let Err(error) = &committed {
            self.fail(error, Vec::new());
        }
        step.done(committed.is_ok());
    }
}

impl Drop for Committer {
    /// However the thread ends, nobody is left waiting for it. After a regular end the queue is empty.
    fn drop(&mut self) {
        self.shared.queue.abandon();
    }
}

/// Frames the records of one stream in one commit into blocks.
struct Framer {
    stream: Stream,
    /// Bytes still to be framed: a block is given no more room than it needs.
    left: usize,
    open: BlockBuilder,
    full: Vec<Block>,
}

impl Framer {
    /// For the records of `stream` in `group`.
    fn new(stream: Stream, group: &[Submission]) -> Self {
        let own = group.iter().filter(|submission| submission.stream == stream);
        let framed = |submission: &Submission| {
            submission
                .bytes
                .saturating_add(submission.records.len().saturating_mul(FRAME_BYTES))
        };
        let left = own.map(framed).fold(0, usize::saturating_add);
        Self {
            stream,
            left,
            open: BlockBuilder::new(stream, 0),
            full: Vec::new(),
        }
    }

    /// Frames records from the sequence `next` on, and moves it behind them.
    fn frame(&mut self, next: &mut u64, records: &[Record]) -> Appended {
        let first = *next;
        for record in records {
            let size = record.size().saturating_add(FRAME_BYTES);
            if self.open.is_empty() || self.open.size().saturating_add(size) > BLOCK_BYTES {
                let room = self.left.min(BLOCK_BYTES).max(size).saturating_add(HEADER_BYTES);
                self.begin_block(room);
            }
            self.open.push(*next, record);
            self.left = self.left.saturating_sub(size);
            *next = next.saturating_add(1);
        }
        let position = |number| Position::new(number).unwrap_or(Position::FIRST);
        Appended::dense(Partition::ONLY, position(first), position(next.saturating_sub(1)))
    }

    fn begin_block(&mut self, room: usize) {
        let full = std::mem::replace(&mut self.open, BlockBuilder::new(self.stream, room));
        if !full.is_empty() {
            self.full.push(full.finish());
        }
    }

    fn finish(mut self) -> Vec<Block> {
        self.begin_block(0);
        self.full
    }
}

/// Answers a submission. Nobody listens any more when its future was dropped, and that is fine.
fn answer(submission: Submission, result: impl FnOnce(Stream) -> Result<Appended, AppendError>) {
    let Submission { stream, answer, .. } = submission;
    let _ = answer.send(result(stream));
}
