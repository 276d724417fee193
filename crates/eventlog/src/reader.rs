//! The reader of the engines that hold blocks: from memory at the tail, from storage further back.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::block::{BlockCursor, BlockDamage};
use crate::contract::{BatchLimits, Damage, LogReader, Position, ReadBatch, ReadError, Stream};
use crate::tail::{Found, Tail};

/// Most bytes of blocks a reader loads ahead of what it gives out; one block may exceed it.
const READ_AHEAD_BYTES: usize = 1024 * 1024;

/// Blocks that are no longer in memory.
pub(crate) trait OlderBlocks: std::fmt::Debug + Send + Sync {
    /// Blocks with records after `after` and up to `end`, in order: at least one when there is one, then as
    /// many as fit into `max_bytes`. May block on the disk.
    fn load(&self, stream: Stream, after: u64, end: u64, max_bytes: usize) -> Result<Vec<Bytes>, ReadError>;

    /// The file named when something in it is damaged.
    fn file(&self) -> PathBuf;
}

/// Reads one stream, block by block.
#[derive(Debug)]
pub(crate) struct BlockReader {
    stream: Stream,
    tail: Arc<Tail>,
    older: Option<Arc<dyn OlderBlocks>>,
    position: u64,
    ahead: VecDeque<BlockCursor>,
}

/// What a reader has to do before it can go on.
enum Next {
    Give(ReadBatch),
    /// Load older blocks, up to this end.
    Load(u64),
    AtEnd,
}

impl BlockReader {
    /// A reader of what follows `after`. `older` is asked for what `tail` no longer holds.
    pub(crate) fn new(
        stream: Stream,
        tail: Arc<Tail>,
        older: Option<Arc<dyn OlderBlocks>>,
        after: Option<Position>,
    ) -> Result<Self, ReadError> {
        let end = tail.end();
        match after {
            Some(after) if end.is_none_or(|end| after > end) => {
                Err(ReadError::AfterEnd { stream, after, end })
            }
            _ => Ok(Self {
                stream,
                tail,
                older,
                position: Position::to_stored(after),
                ahead: VecDeque::new(),
            }),
        }
    }

    fn damaged(&self, damage: &BlockDamage) -> ReadError {
        let sequence = damage.sequence.max(self.position.saturating_add(1));
        ReadError::Damaged(Box::new(Damage {
            file: self.older.as_ref().map(|older| older.file()).unwrap_or_default(),
            stream: Some(self.stream),
            position: Position::new(sequence),
            what: damage.what.to_owned(),
        }))
    }

    /// What can be given without touching the disk.
    fn advance(&mut self, limits: BatchLimits) -> Result<Next, ReadError> {
        loop {
            let batch = self.give(limits)?;
            if !batch.is_empty() {
                return Ok(Next::Give(batch));
            }
            match self.tail.blocks_after(self.position, READ_AHEAD_BYTES) {
                Found::Blocks(blocks) => self.take(blocks.into_iter().map(|block| block.bytes))?,
                Found::AtEnd => return Ok(Next::AtEnd),
                Found::Older { end } => return Ok(Next::Load(end)),
            }
        }
    }

    /// Takes loaded blocks up to the first damaged one, which is an error once nothing before it is left to
    /// give. An empty list is damage too, since the stream is known to go on.
    fn take(&mut self, blocks: impl Iterator<Item = Bytes>) -> Result<(), ReadError> {
        let mut found = BlockDamage {
            sequence: self.position.saturating_add(1),
            what: "records are missing before the end",
        };
        for bytes in blocks {
            match self.next_block(bytes) {
                Ok(cursor) => self.ahead.push_back(cursor),
                Err(damage) => {
                    found = damage;
                    break;
                }
            }
        }
        if self.ahead.is_empty() {
            Err(self.damaged(&found))
        } else {
            Ok(())
        }
    }

    /// Checks that a block follows what is at hand.
    fn next_block(&self, bytes: Bytes) -> Result<BlockCursor, BlockDamage> {
        let cursor = BlockCursor::new(self.stream, bytes)?;
        let previous = self.ahead.back().map_or(self.position, BlockCursor::last);
        let next = previous.saturating_add(1);
        let follows = match (self.ahead.is_empty(), self.stream.is_compacted()) {
            // The first block may begin with records that were given out before.
            (true, true) => cursor.last() >= next,
            (true, false) => cursor.last() >= next && cursor.first() <= next,
            (false, true) => cursor.first() >= next,
            (false, false) => cursor.first() == next,
        };
        if follows {
            Ok(cursor)
        } else {
            Err(BlockDamage {
                sequence: next,
                what: "records are missing",
            })
        }
    }

    /// Fills a batch from the blocks at hand. Damage is an error once nothing before it is left to give; the
    /// reader then loads anew from where it stands.
    fn give(&mut self, limits: BatchLimits) -> Result<ReadBatch, ReadError> {
        let mut batch = ReadBatch::default();
        match self.fill(limits, &mut batch) {
            Err(damage) if batch.is_empty() => {
                self.ahead.clear();
                Err(self.damaged(&damage))
            }
            _ => Ok(batch),
        }
    }

    fn fill(&mut self, limits: BatchLimits, batch: &mut ReadBatch) -> Result<(), BlockDamage> {
        while let Some(cursor) = self.ahead.front_mut() {
            let mut in_batch = false;
            while let Some(frame) = cursor.peek()? {
                if frame.sequence > self.position {
                    let bytes = batch.bytes().saturating_add(frame.size());
                    let full = batch.len() >= limits.max_records.get() || bytes > limits.max_bytes;
                    if full && !batch.is_empty() {
                        return Ok(());
                    }
                    let Some(position) = Position::new(frame.sequence) else {
                        break;
                    };
                    if !in_batch {
                        batch.push_block(cursor.bytes().clone());
                        in_batch = true;
                    }
                    frame.push_to(batch, position);
                    self.position = frame.sequence;
                }
                cursor.step(&frame);
            }
            self.ahead.pop_front();
        }
        Ok(())
    }

    async fn next(&mut self, limits: BatchLimits) -> Result<ReadBatch, ReadError> {
        let mut wait = limits.wait;
        loop {
            match self.advance(limits)? {
                Next::Give(batch) => return Ok(batch),
                Next::Load(end) => {
                    let blocks = self.load(end).await?;
                    self.take(blocks.into_iter())?;
                }
                Next::AtEnd => match wait.take() {
                    Some(wait) if self.tail.wait_beyond(self.position, wait).await => {}
                    _ => return Ok(ReadBatch::default()),
                },
            }
        }
    }

    /// Loads off the runtime's threads where there is a runtime.
    async fn load(&self, end: u64) -> Result<Vec<Bytes>, ReadError> {
        let (stream, after) = (self.stream, self.position);
        let Some(older) = self.older.clone() else {
            return Ok(Vec::new());
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return older.load(stream, after, end, READ_AHEAD_BYTES);
        };
        let loading = runtime.spawn_blocking(move || older.load(stream, after, end, READ_AHEAD_BYTES));
        loading.await.unwrap_or_else(|stopped| {
            Err(ReadError::Unavailable {
                stream,
                reason: format!("the loading task stopped: {stopped}"),
            })
        })
    }
}

impl LogReader for BlockReader {
    fn next_batch(&mut self, limits: BatchLimits) -> BoxFuture<'_, Result<ReadBatch, ReadError>> {
        Box::pin(self.next(limits))
    }

    fn next_batch_blocking(&mut self, limits: BatchLimits) -> Result<ReadBatch, ReadError> {
        let mut wait = limits.wait;
        loop {
            match self.advance(limits)? {
                Next::Give(batch) => return Ok(batch),
                Next::Load(end) => {
                    let blocks = match &self.older {
                        Some(older) => older.load(self.stream, self.position, end, READ_AHEAD_BYTES)?,
                        None => Vec::new(),
                    };
                    self.take(blocks.into_iter())?;
                }
                Next::AtEnd => match wait.take() {
                    Some(wait) if self.tail.wait_beyond_blocking(self.position, wait) => {}
                    _ => return Ok(ReadBatch::default()),
                },
            }
        }
    }

    fn position(&self) -> Option<Position> {
        Position::new(self.position)
    }
}
