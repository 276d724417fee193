//! The one thread that writes: group commits, then the answers.

use std::sync::Arc;
use std::thread;

use parking_lot::RwLock;

use super::compaction::{Compactor, Replacement};
use super::error::StoreError;
use super::files::{Ends, slot};
use super::queue::{Queue, Submission, Work};
use super::store::{Store, insert_blocks, remove_blocks};
use crate::block::{Block, BlockBuilder, FRAME_BYTES, HEADER_BYTES};
use crate::contract::{AppendError, Appended, Partition, Position, Stream};
use crate::tail::Tail;

/// Bytes a block is filled to: with the storage's page header just within 64 KiB, since a page is a power
/// of two. One record may exceed it.
pub(crate) const BLOCK_BYTES: usize = 64 * 1024 - 128;

/// What the committing thread shares with the log.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Arc<Store>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) tails: [Arc<Tail>; 3],
    /// Why nothing is written any more.
    pub(crate) poison: RwLock<Option<String>>,
}

impl Shared {
    pub(crate) fn tail(&self, stream: Stream) -> &Arc<Tail> {
        let [events, desired, outcomes] = &self.tails;
        match stream {
            Stream::Events => events,
            Stream::Desired => desired,
            Stream::Outcomes => outcomes,
        }
    }

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

/// One stream's part of a commit.
#[derive(Debug, Default)]
struct Part {
    blocks: Vec<Block>,
}

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
                if !part.blocks.is_empty() {
                    insert_blocks(commit, stream, &part.blocks)?;
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
    fn frame(&mut self, group: &[Submission]) -> ([Part; 3], Vec<Appended>) {
        let mut builders = Stream::ALL.map(|stream| BlockBuilder::new(stream, 0));
        let mut parts: [Part; 3] = Default::default();
        let mut places = Vec::with_capacity(group.len());
        let mut sizes = [0_usize; 3];
        for submission in group {
            if let Some(size) = sizes.get_mut(slot(submission.stream)) {
                let frames = submission.records.len().saturating_mul(FRAME_BYTES);
                *size = size.saturating_add(submission.bytes).saturating_add(frames);
            }
        }
        for submission in group {
            let (stream, at) = (submission.stream, slot(submission.stream));
            let (Some(next), Some(builder)) = (self.next.get_mut(at), builders.get_mut(at)) else {
                continue;
            };
            let (Some(part), Some(left)) = (parts.get_mut(at), sizes.get_mut(at)) else {
                continue;
            };
            let first = *next;
            for record in &submission.records {
                let size = record.size().saturating_add(FRAME_BYTES);
                if builder.is_empty() || builder.size().saturating_add(size) > BLOCK_BYTES {
                    let room = (*left).min(BLOCK_BYTES).max(size).saturating_add(HEADER_BYTES);
                    let full = std::mem::replace(builder, BlockBuilder::new(stream, room));
                    if !full.is_empty() {
                        part.blocks.push(full.finish());
                    }
                }
                builder.push(*next, record);
                *left = left.saturating_sub(size);
                *next = next.saturating_add(1);
            }
            let position = |number| Position::new(number).unwrap_or(Position::FIRST);
            let last = position(next.saturating_sub(1));
            places.push(Appended::dense(Partition::ONLY, position(first), last));
        }
        for (part, builder) in parts.iter_mut().zip(builders) {
            if !builder.is_empty() {
                part.blocks.push(builder.finish());
            }
        }
        (parts, places)
    }

    /// The commit is durable: keep the ends, show the records to readers, answer.
    fn acknowledge(&mut self, group: Vec<Submission>, places: Vec<Appended>, parts: [Part; 3]) {
        if let Err(error) = self.ends.write(self.next.map(|next| next.saturating_sub(1)))
            && !std::mem::replace(&mut self.warned, true)
        {
            tracing::warn!(%error, "the ends of the log cannot be kept beside it; a loss may go unnoticed");
        }
        for (stream, part) in Stream::ALL.into_iter().zip(parts) {
            if stream.is_compacted() {
                let added = part.blocks.iter().map(|block| u64::from(block.count)).sum();
                self.compactor.appended(&self.shared, added);
            }
            if !part.blocks.is_empty() {
                self.shared.tail(stream).publish(part.blocks);
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

/// Answers a submission. Nobody listens any more when its future was dropped, and that is fine.
fn answer(submission: Submission, result: impl FnOnce(Stream) -> Result<Appended, AppendError>) {
    let Submission { stream, answer, .. } = submission;
    let _ = answer.send(result(stream));
}
