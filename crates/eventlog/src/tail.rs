//! The newest blocks of one stream in memory, its end, and waking those who wait there.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use crate::block::Block;
use crate::contract::{MAX_TAIL_WAIT, Position};

/// What [`Tail::blocks_after`] found.
#[derive(Debug)]
pub(crate) enum Found {
    /// These blocks follow, at least one, in order.
    Blocks(Vec<Block>),
    /// There is no record after the given one.
    AtEnd,
    /// The records that follow are no longer held in memory; the stream ends at `end`.
    Older { end: u64 },
}

/// End and newest blocks of one stream.
#[derive(Debug)]
pub(crate) struct Tail {
    kept: Mutex<Kept>,
    grew: Condvar,
    end: watch::Sender<u64>,
    /// Most bytes of blocks kept; the newest block is always kept.
    keep_bytes: usize,
}

#[derive(Debug)]
struct Kept {
    end: u64,
    blocks: VecDeque<Block>,
    bytes: usize,
}

impl Tail {
    /// A tail whose stream ends at `end`, keeping about `keep_bytes` of blocks.
    pub(crate) fn new(end: u64, keep_bytes: usize) -> Self {
        let kept = Mutex::new(Kept {
            end,
            blocks: VecDeque::new(),
            bytes: 0,
        });
        Self {
            kept,
            grew: Condvar::new(),
            end: watch::Sender::new(end),
            keep_bytes,
        }
    }

    /// Position of the last durable record.
    pub(crate) fn end(&self) -> Option<Position> {
        Position::new(self.kept.lock().end)
    }

    /// Makes blocks visible that follow the end and are durable, and wakes all who wait.
    pub(crate) fn publish(&self, blocks: impl IntoIterator<Item = Block>) {
        let mut kept = self.kept.lock();
        for block in blocks {
            kept.end = block.last;
            kept.bytes = kept.bytes.saturating_add(block.bytes.len());
            kept.blocks.push_back(block);
        }
        while kept.bytes > self.keep_bytes && kept.blocks.len() > 1 {
            if let Some(dropped) = kept.blocks.pop_front() {
                kept.bytes = kept.bytes.saturating_sub(dropped.bytes.len());
            }
        }
        let end = kept.end;
        drop(kept);
        self.grew.notify_all();
        self.end.send_replace(end);
    }

    /// The blocks with records after `after`: at least one, then as many as fit into `max_bytes`.
    pub(crate) fn blocks_after(&self, after: u64, max_bytes: usize) -> Found {
        let kept = self.kept.lock();
        if after >= kept.end {
            return Found::AtEnd;
        }
        // The oldest kept block tells whether everything after `after` is still here: the record before
        // its first one must not be needed any more.
        if kept
            .blocks
            .front()
            .is_none_or(|oldest| after.saturating_add(1) < oldest.first)
        {
            return Found::Older { end: kept.end };
        }
        let from = kept.blocks.partition_point(|block| block.last <= after);
        let mut found = Vec::new();
        let mut bytes = 0_usize;
        for block in kept.blocks.iter().skip(from) {
            bytes = bytes.saturating_add(block.bytes.len());
            if !found.is_empty() && bytes > max_bytes {
                break;
            }
            found.push(block.clone());
        }
        Found::Blocks(found)
    }

    /// Waits until the end lies after `after`, at most `wait`; tells whether it does.
    pub(crate) async fn wait_beyond(&self, after: u64, wait: Duration) -> bool {
        let mut end = self.end.subscribe();
        let grown = end.wait_for(|end| *end > after);
        matches!(
            tokio::time::timeout(wait.min(MAX_TAIL_WAIT), grown).await,
            Ok(Ok(_))
        )
    }

    /// The same, blocking the thread.
    pub(crate) fn wait_beyond_blocking(&self, after: u64, wait: Duration) -> bool {
        let mut kept = self.kept.lock();
        self.grew
            .wait_while_for(&mut kept, |kept| kept.end <= after, wait.min(MAX_TAIL_WAIT));
        kept.end > after
    }
}
