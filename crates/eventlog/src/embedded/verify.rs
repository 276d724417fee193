//! Checking a log: the index when it is opened, every record when it is verified.

use bytes::Bytes;
use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata};

use super::error::StoreError;
use super::files::slot;
use super::store::{Store, blocks_table, index_table};
use crate::block::{BlockCursor, BlockDamage};
use crate::contract::{Damage, Position, Stream};

/// What one stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamSummary {
    /// Position number of the last record; 0 when there is none.
    pub end: u64,
    /// Records stored.
    pub records: u64,
    /// Blocks they are stored in.
    pub blocks: u64,
    /// Bytes of keys and values; 0 unless the records were read.
    pub bytes: u64,
}

/// What a log holds, per stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    streams: [StreamSummary; 3],
}

impl Summary {
    /// What `stream` holds.
    #[must_use]
    pub fn stream(&self, stream: Stream) -> StreamSummary {
        self.streams.get(slot(stream)).copied().unwrap_or_default()
    }

    /// The ends, in the order of [`Stream::ALL`].
    pub(crate) fn ends(&self) -> [u64; 3] {
        self.streams.map(|stream| stream.end)
    }
}

/// Checks that the sequences of all streams follow each other, from the index; with `records` every record
/// and its checksum too.
pub(crate) fn check(store: &Store, records: bool) -> Result<Summary, StoreError> {
    store.read(|view| {
        let check = |stream| check_stream(store, view, stream, records);
        let streams = [
            check(Stream::Events)?,
            check(Stream::Desired)?,
            check(Stream::Outcomes)?,
        ];
        Ok(Summary { streams })
    })
}

fn check_stream(
    store: &Store,
    view: &ReadTransaction,
    stream: Stream,
    records: bool,
) -> Result<StreamSummary, StoreError> {
    let damaged = |sequence: u64, what: &'static str| damaged(store, stream, &BlockDamage { sequence, what });
    let index = view.open_table(index_table(stream))?;
    let table = view.open_table(blocks_table(stream))?;
    let mut blocks = table.range_owned(0..)?;
    let mut found = StreamSummary::default();
    for entry in index.iter()? {
        let (last, value) = entry?;
        let (last, (first, count)) = (last.value(), value.value());
        let next = found.end.saturating_add(1);
        let follows = if stream.is_compacted() {
            first >= next
        } else {
            first == next
        };
        if !follows {
            return Err(damaged(next, "records are missing"));
        }
        let span = last
            .checked_sub(first)
            .and_then(|span| span.checked_add(1))
            .unwrap_or(0);
        let full = u64::from(count) == span || (stream.is_compacted() && u64::from(count) < span);
        if count == 0 || !full {
            return Err(damaged(first, "the index contradicts itself"));
        }
        if records {
            let Some(block) = blocks.next() else {
                return Err(damaged(first, "a block is missing"));
            };
            let (key, bytes) = block?;
            let bytes = Bytes::copy_from_slice(bytes.value());
            let content = check_block(stream, bytes, first, last, count);
            let (_, size) = content.map_err(|damage| self::damaged(store, stream, &damage))?;
            if key.value() != last {
                return Err(damaged(first, "a block is missing"));
            }
            found.bytes = found.bytes.saturating_add(size);
        }
        found.end = last;
        found.records = found.records.saturating_add(u64::from(count));
        found.blocks = found.blocks.saturating_add(1);
    }
    let newest = table.last()?.map_or(0, |(last, _)| last.value());
    if table.len()? != found.blocks || newest != found.end {
        return Err(damaged(
            found.end.saturating_add(1),
            "the index and the blocks do not agree",
        ));
    }
    Ok(found)
}

fn check_block(
    stream: Stream,
    bytes: Bytes,
    first: u64,
    last: u64,
    count: u32,
) -> Result<(u64, u64), BlockDamage> {
    let cursor = BlockCursor::new(stream, bytes).map_err(|damage| BlockDamage {
        sequence: damage.sequence.max(first),
        ..damage
    })?;
    if (cursor.first(), cursor.last(), cursor.left()) != (first, last, count) {
        return Err(BlockDamage {
            sequence: first,
            what: "the index and a block do not agree",
        });
    }
    cursor.check_all()
}

pub(crate) fn damaged(store: &Store, stream: Stream, damage: &BlockDamage) -> StoreError {
    StoreError::Damaged(Box::new(Damage {
        file: store.path().to_owned(),
        stream: Some(stream),
        position: Position::new(damage.sequence),
        what: damage.what.to_owned(),
    }))
}
