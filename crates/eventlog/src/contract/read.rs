//! What a reader gives and what can go wrong.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

use super::append::Retry;
use super::stream::{Partition, Position, Stream};

/// Longest wait at the tail in one call: a caller that wants more calls again, so that a stop request
/// is seen in bounded time whatever the caller asked for.
pub const MAX_TAIL_WAIT: Duration = Duration::from_secs(60);

/// Bounds of one [`ReadBatch`]. A batch holds at most `max_records` records and `max_bytes` bytes of
/// keys and values, but always one record when there is one, however large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Most records in the batch.
    pub max_records: NonZeroUsize,
    /// Most bytes of keys and values; one record may exceed it alone.
    pub max_bytes: usize,
    /// How long to wait at the tail for a record; `None` returns an empty batch at once. Capped at
    /// [`MAX_TAIL_WAIT`]. An asynchronous wait needs a tokio runtime with its timer.
    pub wait: Option<Duration>,
}

impl BatchLimits {
    /// Bounds for reading as fast as possible: enough per call to make the call's cost vanish, little
    /// enough to stay in the processor's caches. Does not wait at the tail.
    pub const REPLAY: Self = Self {
        max_records: match NonZeroUsize::new(4096) {
            Some(records) => records,
            None => NonZeroUsize::MIN,
        },
        max_bytes: 1024 * 1024,
        wait: None,
    };

    /// The same bounds, waiting at the tail for `wait`.
    #[must_use]
    pub const fn waiting(self, wait: Duration) -> Self {
        Self {
            wait: Some(wait),
            ..self
        }
    }

    /// The same bounds with at most `records` records (0 is taken as 1).
    #[must_use]
    pub fn records(self, records: usize) -> Self {
        Self {
            max_records: NonZeroUsize::new(records).unwrap_or(NonZeroUsize::MIN),
            ..self
        }
    }
}

/// Where one record of a batch stands in the batch's blocks.
#[derive(Debug, Clone, Copy)]
struct Slot {
    position: Position,
    block: u32,
    key_at: u32,
    key_len: u32,
    value_at: u32,
    value_len: u32,
}

/// Records in append order, held in a few shared blocks: no allocation and no copy per record.
#[derive(Clone, Default)]
pub struct ReadBatch {
    blocks: Vec<Bytes>,
    slots: Vec<Slot>,
    bytes: usize,
}

impl ReadBatch {
    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether the batch is empty: the reader stands at the tail.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Bytes of all keys and values.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Position of the first record.
    #[must_use]
    pub fn first_position(&self) -> Option<Position> {
        self.slots.first().map(|slot| slot.position)
    }

    /// Position of the last record: what a state that took in the whole batch stores.
    #[must_use]
    pub fn last_position(&self) -> Option<Position> {
        self.slots.last().map(|slot| slot.position)
    }

    /// The records in append order.
    pub fn iter(&self) -> impl Iterator<Item = RecordRef<'_>> + '_ {
        self.slots.iter().filter_map(|slot| self.record(slot))
    }

    fn record(&self, slot: &Slot) -> Option<RecordRef<'_>> {
        let block = self.blocks.get(slot.block as usize)?;
        let key = block.get(slot.key_at as usize..)?.get(..slot.key_len as usize)?;
        let value = block
            .get(slot.value_at as usize..)?
            .get(..slot.value_len as usize)?;
        Some(RecordRef {
            position: slot.position,
            key,
            value,
            block,
        })
    }

    /// Adds a block; records pushed afterwards point into it.
    pub(crate) fn push_block(&mut self, block: Bytes) {
        self.blocks.push(block);
    }

    /// Adds a record of the block pushed last. `key_at + key_len` and `value_at + value_len` lie within
    /// that block, whose length fits u32: the caller has checked both.
    pub(crate) fn push(&mut self, position: Position, key: (u32, u32), value: (u32, u32)) {
        let block = u32::try_from(self.blocks.len().saturating_sub(1)).unwrap_or(u32::MAX);
        self.bytes = self
            .bytes
            .saturating_add(key.1 as usize)
            .saturating_add(value.1 as usize);
        self.slots.push(Slot {
            position,
            block,
            key_at: key.0,
            key_len: key.1,
            value_at: value.0,
            value_len: value.1,
        });
    }
}

/// Shows counts only: records may hold personal data.
impl fmt::Debug for ReadBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReadBatch({} records, {} B)", self.len(), self.bytes)
    }
}

/// One record of a [`ReadBatch`].
#[derive(Clone, Copy)]
pub struct RecordRef<'a> {
    /// Its position.
    pub position: Position,
    /// Its key.
    pub key: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
    block: &'a Bytes,
}

impl RecordRef<'_> {
    /// The value as shared bytes, without a copy. Keeps the whole block alive: copy what is kept for long.
    #[must_use]
    pub fn value_bytes(&self) -> Bytes {
        self.block.slice_ref(self.value)
    }

    /// The key as shared bytes; as [`RecordRef::value_bytes`].
    #[must_use]
    pub fn key_bytes(&self) -> Bytes {
        self.block.slice_ref(self.key)
    }
}

impl fmt::Debug for RecordRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RecordRef({}, key {} B, value {} B)",
            self.position,
            self.key.len(),
            self.value.len()
        )
    }
}

/// Something in the log that cannot be what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The damaged file; empty for an engine without files.
    pub file: PathBuf,
    /// The stream, when the damage lies in one.
    pub stream: Option<Stream>,
    /// The first position that cannot be trusted, when it is known.
    pub position: Option<Position>,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(stream) = self.stream {
            write!(f, ", stream {stream}")?;
        }
        if let Some(position) = self.position {
            write!(f, ", position {position}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// Why reading failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The stream has no such partition.
    #[error("read of {stream}: there is no partition {partition}")]
    UnknownPartition {
        /// The stream.
        stream: Stream,
        /// The partition asked for.
        partition: Partition,
    },
    /// The reader should start after a position that the log does not have: the state that stored it
    /// belongs to another log, or the log has lost its end. Never a fresh start.
    #[error(
        "read of {stream}: asked for records after {after}, but the log ends at {}",
        Position::to_stored(*.end)
    )]
    AfterEnd {
        /// The stream.
        stream: Stream,
        /// The position asked for.
        after: Position,
        /// The last position of the log.
        end: Option<Position>,
    },
    /// What is stored is not what was written.
    #[error("the log is damaged: {0}")]
    Damaged(Box<Damage>),
    /// Records are missing between two that are there, in a stream that keeps all: acknowledged records were removed.
    /// What follows is not given out, since it means something else without them.
    #[error(
        "the log has a hole: in {topic}, partition {partition}, the records at offsets {first} to {last} are gone, \
         though some stand before and after them (was the topic compacted or cut, or did another program write to it \
         in transactions?); set cleanup.policy=delete and retention.ms=-1, and restore the topic or the log from a \
         copy; who knows that nothing of ours stood there accepts it in kafka.accept_holes, as \
         {stream}/{partition}/{first}-{last}"
    )]
    Hole {
        /// The stream.
        stream: Stream,
        /// Its topic.
        topic: String,
        /// The partition.
        partition: Partition,
        /// The first offset that is missing; a position is the offset plus one.
        first: u64,
        /// The last one.
        last: u64,
    },
    /// The storage failed to read.
    #[error("read of {stream}: {reason}")]
    Storage {
        /// The stream.
        stream: Stream,
        /// What the storage said.
        reason: String,
    },
    /// The engine cannot read for now.
    #[error("read of {stream}: not available now: {reason}")]
    Unavailable {
        /// The stream.
        stream: Stream,
        /// What the engine said.
        reason: String,
    },
    /// What the log is kept in was deleted or replaced by something else behind its back. Never a fresh
    /// start.
    #[error("read of {stream}: the log is no longer what it was: {reason}")]
    Replaced {
        /// The stream.
        stream: Stream,
        /// What was found instead.
        reason: String,
    },
}

impl ReadError {
    /// Whether trying again can help.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::UnknownPartition { .. } => Retry::Never,
            Self::AfterEnd { .. } | Self::Damaged(_) | Self::Hole { .. } | Self::Replaced { .. } => {
                Retry::AfterRestart
            }
            Self::Storage { .. } | Self::Unavailable { .. } => Retry::Later,
        }
    }
}
