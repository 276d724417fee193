//! Compaction of a stream: dropping records that a later one of the same key supersedes.
//!
//! One pass at a time, on a thread of its own. It reads the stream up to its end at that moment twice:
//! first to learn the newest sequence of each key, then to rewrite blocks that hold superseded records.
//! Each step is one small commit that the committing thread carries out between appends. A pass that stops
//! half way leaves a valid stream.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use parking_lot::Mutex;

use super::committer::{BLOCK_BYTES, Shared};
use super::error::StoreError;
use super::queue::Queue;
use super::store::Store;
use super::verify::damaged;
use crate::block::{Block, BlockBuilder, BlockCursor, BlockDamage};
use crate::contract::{Position, Stream};

/// The stream that is compacted.
const STREAM: Stream = Stream::Desired;
/// Bytes of blocks rewritten in one commit: a few milliseconds during which appends wait.
const STEP_BYTES: usize = 2 * 1024 * 1024;
/// Bytes read at a time.
const READ_BYTES: usize = 1024 * 1024;

/// When a pass is worth it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactionPolicy {
    /// No pass below this many stored records: they are read in less than a tenth of a second anyway.
    pub min_records: u64,
    /// A pass starts when there are more than this many stored records per live one. Must be at least 2
    /// for the cost of a pass to stay proportional to what was appended; less is taken as 2.
    pub stored_per_live: u64,
}

impl Default for CompactionPolicy {
    /// From 65,536 records on, when more than half of them are superseded.
    fn default() -> Self {
        Self {
            min_records: 65_536,
            stored_per_live: 2,
        }
    }
}

/// One step: blocks that take the place of others.
#[derive(Debug)]
pub(crate) struct Replacement {
    stream: Stream,
    removed: Vec<u64>,
    inserted: Vec<Block>,
    done: mpsc::SyncSender<bool>,
}

impl Replacement {
    pub(crate) const fn stream(&self) -> Stream {
        self.stream
    }

    pub(crate) fn removed(&self) -> &[u64] {
        &self.removed
    }

    pub(crate) fn inserted(&self) -> &[Block] {
        &self.inserted
    }

    /// Tells the pass whether the step is durable.
    pub(crate) fn done(self, committed: bool) {
        let _ = self.done.send(committed);
    }
}

/// What is known of the stored records.
#[derive(Debug)]
struct Counts {
    stored: u64,
    /// Live records found by the last pass; 0 before the first one.
    live: u64,
}

/// Decides when a pass starts.
#[derive(Debug)]
pub(crate) struct Compactor {
    policy: CompactionPolicy,
    counts: Arc<Mutex<Counts>>,
    pass: Option<thread::JoinHandle<()>>,
}

impl Compactor {
    /// For a stream that holds `stored` records.
    pub(crate) fn new(policy: CompactionPolicy, stored: u64) -> Self {
        Self {
            policy,
            counts: Arc::new(Mutex::new(Counts { stored, live: 0 })),
            pass: None,
        }
    }

    /// Counts appended records and starts a pass when it is due and none runs.
    pub(crate) fn appended(&mut self, shared: &Arc<Shared>, records: u64) {
        let due = {
            let mut counts = self.counts.lock();
            counts.stored = counts.stored.saturating_add(records);
            let ratio = self.policy.stored_per_live.max(2);
            counts.stored >= self.policy.min_records && counts.stored > counts.live.saturating_mul(ratio)
        };
        if !due || records == 0 || self.pass.as_ref().is_some_and(|pass| !pass.is_finished()) {
            return;
        }
        self.join();
        let pass = Pass {
            store: Arc::clone(&shared.store),
            queue: Arc::clone(&shared.queue),
            end: Position::to_stored(shared.tails.of(STREAM).end()),
            hashers: (RandomState::new(), RandomState::new()),
            newest: HashMap::new(),
        };
        let counts = Arc::clone(&self.counts);
        let started = thread::Builder::new()
            .name("log-compact".to_owned())
            .spawn(move || pass.run(&counts));
        match started {
            Ok(started) => self.pass = Some(started),
            Err(error) => tracing::warn!(%error, "compaction could not start"),
        }
    }

    /// Waits for the running pass; it ends soon once the queue is closed.
    pub(crate) fn join(&mut self) {
        if let Some(pass) = self.pass.take() {
            let _ = pass.join();
        }
    }
}

/// A pass over the records up to `end`.
struct Pass {
    store: Arc<Store>,
    queue: Arc<Queue>,
    end: u64,
    hashers: (RandomState, RandomState),
    /// The newest sequence of each key. Keys stand here as two independent 64-bit hashes: 24 bytes each
    /// instead of the key, and two keys meet by chance once in 2^128.
    newest: HashMap<(u64, u64), u64>,
}

impl Pass {
    fn run(mut self, counts: &Mutex<Counts>) {
        match self.learn().and_then(|()| self.rewrite()) {
            Ok(dropped) => {
                let mut counts = counts.lock();
                counts.stored = counts.stored.saturating_sub(dropped);
                counts.live = u64::try_from(self.newest.len()).unwrap_or(u64::MAX);
                tracing::debug!(dropped, live = counts.live, "compaction finished");
            }
            // Nothing is lost: reading or the committing thread will meet and report the same.
            Err(error) => {
                tracing::warn!(reason = %error.reason(), "compaction stopped");
                // As if everything were live: tried again only when the stream has doubled.
                let mut counts = counts.lock();
                counts.live = counts.stored;
            }
        }
    }

    fn key(&self, key: &[u8]) -> (u64, u64) {
        (self.hashers.0.hash_one(key), self.hashers.1.hash_one(key))
    }

    /// Calls `each` for every block up to the end of the pass, in order.
    fn walk(
        &mut self,
        mut each: impl FnMut(&mut Self, BlockCursor) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut after = 0;
        while after < self.end {
            if self.queue.is_closed() {
                return Err(StoreError::Closed);
            }
            let blocks = self.store.blocks(STREAM, after, self.end, READ_BYTES)?;
            if blocks.is_empty() {
                let damage = BlockDamage {
                    sequence: after.saturating_add(1),
                    what: "records are missing",
                };
                return Err(damaged(&self.store, STREAM, &damage));
            }
            for bytes in blocks {
                let cursor = BlockCursor::new(STREAM, bytes);
                let cursor = cursor.map_err(|damage| damaged(&self.store, STREAM, &damage))?;
                after = cursor.last();
                each(self, cursor)?;
            }
        }
        Ok(())
    }

    /// Learns the newest sequence of every key.
    fn learn(&mut self) -> Result<(), StoreError> {
        self.walk(|pass, mut cursor| {
            let peek = |cursor: &BlockCursor, store: &Store| {
                cursor.peek().map_err(|damage| damaged(store, STREAM, &damage))
            };
            while let Some(frame) = peek(&cursor, &pass.store)? {
                let key = pass.key(frame.key(cursor.bytes()));
                pass.newest.insert(key, frame.sequence);
                cursor.step(&frame);
            }
            Ok(())
        })
    }

    /// Rewrites the blocks that hold superseded records; returns how many records were dropped.
    fn rewrite(&mut self) -> Result<u64, StoreError> {
        let mut step = Step::default();
        let mut dropped = 0_u64;
        self.walk(|pass, cursor| {
            let last = cursor.last();
            let count = cursor.left();
            let kept = pass.survivors(cursor, &mut step)?;
            step.removed.push(last);
            dropped = dropped.saturating_add(u64::from(count.saturating_sub(kept)));
            if step.read >= STEP_BYTES {
                pass.commit(std::mem::take(&mut step))?;
            }
            Ok(())
        })?;
        self.commit(step)?;
        Ok(dropped)
    }

    /// Pours the records of a block that are still the newest of their key into the step.
    fn survivors(&self, mut cursor: BlockCursor, step: &mut Step) -> Result<u32, StoreError> {
        let bytes = cursor.bytes().clone();
        step.read = step.read.saturating_add(bytes.len());
        let mut kept = 0_u32;
        while let Some(frame) = cursor
            .peek()
            .map_err(|damage| damaged(&self.store, STREAM, &damage))?
        {
            if self.newest.get(&self.key(frame.key(&bytes))) == Some(&frame.sequence) {
                step.keep(frame.sequence, bytes.get(frame.at..frame.end).unwrap_or_default());
                kept = kept.saturating_add(1);
            } else {
                step.drops = true;
            }
            cursor.step(&frame);
        }
        Ok(kept)
    }

    /// Hands a step to the committing thread and waits for it.
    fn commit(&self, step: Step) -> Result<(), StoreError> {
        // A step that drops nothing and makes no fewer blocks would only be work.
        let inserted = step.finish();
        let Some((removed, inserted)) = inserted else {
            return Ok(());
        };
        let (done, committed) = mpsc::sync_channel(1);
        let queued = self.queue.replace(Replacement {
            stream: STREAM,
            removed,
            inserted,
            done,
        });
        if queued && committed.recv().unwrap_or(false) {
            Ok(())
        } else {
            Err(StoreError::Closed)
        }
    }
}

/// The blocks read and made since the last commit.
#[derive(Debug, Default)]
struct Step {
    removed: Vec<u64>,
    inserted: Vec<Block>,
    open: Option<BlockBuilder>,
    read: usize,
    drops: bool,
}

impl Step {
    fn keep(&mut self, sequence: u64, frame: &[u8]) {
        if let Some(full) = self
            .open
            .take_if(|open| open.size().saturating_add(frame.len()) > BLOCK_BYTES)
        {
            self.inserted.push(full.finish());
        }
        let open = self
            .open
            .get_or_insert_with(|| BlockBuilder::new(STREAM, frame.len()));
        open.push_frame(sequence, frame);
    }

    /// What to remove and insert; `None` when the step drops nothing and does not halve the blocks.
    fn finish(mut self) -> Option<(Vec<u64>, Vec<Block>)> {
        self.inserted.extend(self.open.take().map(BlockBuilder::finish));
        let merges = self.inserted.len().saturating_mul(2) < self.removed.len();
        (self.drops || merges).then_some((self.removed, self.inserted))
    }
}
