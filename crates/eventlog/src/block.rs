//! The stored form of records: blocks of framed records.
//!
//! ```text
//! block  = header, frame × count
//! header = format u8 = 1, stream u8, 0 u16, count u32, first u64, last u64, crc32c of the 24 bytes before
//! frame  = crc32c of the rest of the frame, sequence u64, key length u32, value length u32, key, value
//! ```
//! All numbers are little-endian. A frame keeps its bytes, and so its checksum, when compaction moves it.

use bytes::{BufMut, Bytes, BytesMut};

use crate::contract::{MAX_KEY_BYTES, MAX_RECORD_BYTES, Position, ReadBatch, Record, Stream};

/// The only block format so far.
const BLOCK_FORMAT: u8 = 1;
/// Bytes of a block's header.
pub(crate) const HEADER_BYTES: usize = 28;
/// Bytes of a frame beside key and value.
pub(crate) const FRAME_BYTES: usize = 20;

/// A whole block with what its header says.
#[derive(Clone)]
pub(crate) struct Block {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) count: u32,
    pub(crate) bytes: Bytes,
}

/// Shows no bytes: they may hold personal data, and whoever holds the log holds the newest blocks.
impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Block({} to {}, {} B)",
            self.first,
            self.last,
            self.bytes.len()
        )
    }
}

/// Builds one block, frame by frame.
pub(crate) struct BlockBuilder {
    stream: Stream,
    bytes: BytesMut,
    first: u64,
    last: u64,
    count: u32,
}

impl std::fmt::Debug for BlockBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BlockBuilder({} records, {} B)", self.count, self.bytes.len())
    }
}

impl BlockBuilder {
    /// An empty block with room for `capacity` bytes.
    pub(crate) fn new(stream: Stream, capacity: usize) -> Self {
        let mut bytes = BytesMut::with_capacity(capacity.max(HEADER_BYTES));
        bytes.put_bytes(0, HEADER_BYTES);
        Self {
            stream,
            bytes,
            first: 0,
            last: 0,
            count: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the block so far.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Frames a record. Its size was checked when it was submitted, so both lengths fit u32.
    pub(crate) fn push(&mut self, sequence: u64, record: &Record) {
        let at = self.bytes.len();
        self.bytes.put_u32_le(0);
        self.bytes.put_u64_le(sequence);
        self.bytes
            .put_u32_le(u32::try_from(record.key.len()).unwrap_or(u32::MAX));
        self.bytes
            .put_u32_le(u32::try_from(record.value.len()).unwrap_or(u32::MAX));
        self.bytes.put_slice(&record.key);
        self.bytes.put_slice(&record.value);
        let crc = crc32c::crc32c(self.bytes.get(at.saturating_add(4)..).unwrap_or_default());
        if let Some(slot) = self.bytes.get_mut(at..at.saturating_add(4)) {
            slot.copy_from_slice(&crc.to_le_bytes());
        }
        self.took(sequence);
    }

    /// Takes over a checked frame as it is.
    pub(crate) fn push_frame(&mut self, sequence: u64, frame: &[u8]) {
        self.bytes.put_slice(frame);
        self.took(sequence);
    }

    fn took(&mut self, sequence: u64) {
        if self.count == 0 {
            self.first = sequence;
        }
        self.last = sequence;
        self.count = self.count.saturating_add(1);
    }

    /// The finished block.
    pub(crate) fn finish(mut self) -> Block {
        let mut header = BytesMut::with_capacity(HEADER_BYTES);
        header.put_u8(BLOCK_FORMAT);
        header.put_u8(self.stream.code());
        header.put_u16_le(0);
        header.put_u32_le(self.count);
        header.put_u64_le(self.first);
        header.put_u64_le(self.last);
        header.put_u32_le(crc32c::crc32c(&header));
        if let Some(slot) = self.bytes.get_mut(..HEADER_BYTES) {
            slot.copy_from_slice(&header);
        }
        Block {
            first: self.first,
            last: self.last,
            count: self.count,
            bytes: self.bytes.freeze(),
        }
    }
}

/// What is wrong with a block, and from which sequence on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlockDamage {
    pub(crate) sequence: u64,
    pub(crate) what: &'static str,
}

/// One frame, checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) sequence: u64,
    /// The frame's place in the block, checksum included.
    pub(crate) at: usize,
    pub(crate) end: usize,
    pub(crate) key_len: u32,
    pub(crate) value_len: u32,
}

impl Frame {
    fn key_at(&self) -> usize {
        self.at.saturating_add(FRAME_BYTES)
    }

    fn value_at(&self) -> usize {
        self.key_at().saturating_add(self.key_len as usize)
    }

    /// Bytes of key and value.
    pub(crate) fn size(&self) -> usize {
        (self.key_len as usize).saturating_add(self.value_len as usize)
    }

    /// The key within `block`, the block that the frame was read from.
    pub(crate) fn key<'a>(&self, block: &'a [u8]) -> &'a [u8] {
        block.get(self.key_at()..self.value_at()).unwrap_or_default()
    }

    /// Adds the record to a batch whose newest block is the one that the frame was read from.
    pub(crate) fn push_to(&self, batch: &mut ReadBatch, position: Position) {
        // A block is far below 4 GiB (checked when the cursor is made), so nothing is cut here.
        let at = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        batch.push(
            position,
            (at(self.key_at()), self.key_len),
            (at(self.value_at()), self.value_len),
        );
    }
}

/// Walks the frames of one block and checks everything it passes.
#[derive(Clone)]
pub(crate) struct BlockCursor {
    bytes: Bytes,
    at: usize,
    left: u32,
    first: u64,
    last: u64,
    previous: u64,
    dense: bool,
}

impl std::fmt::Debug for BlockCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BlockCursor(at {} of {} B)", self.at, self.bytes.len())
    }
}

impl BlockCursor {
    /// Checks the header of `bytes`, a block of `stream`.
    pub(crate) fn new(stream: Stream, bytes: Bytes) -> Result<Self, BlockDamage> {
        let damage = |sequence, what| BlockDamage { sequence, what };
        let header = bytes
            .get(..HEADER_BYTES)
            .ok_or(damage(0, "a block shorter than its header"))?;
        if u32::try_from(bytes.len()).is_err() {
            return Err(damage(0, "a block of more than 4 GiB"));
        }
        let first = u64_at(header, 8);
        let last = u64_at(header, 16);
        if crc32c::crc32c(header.get(..24).unwrap_or_default()) != u32_at(header, 24) {
            return Err(damage(0, "a block header that does not match its checksum"));
        }
        if header.first() != Some(&BLOCK_FORMAT) {
            return Err(damage(first, "a block of an unknown format"));
        }
        if header.get(1) != Some(&stream.code()) {
            return Err(damage(first, "a block of another stream"));
        }
        let count = u32_at(header, 4);
        let span = last.checked_sub(first).and_then(|span| span.checked_add(1));
        let dense = !stream.is_compacted();
        let fits = span.is_some_and(|span| u64::from(count) <= span && (!dense || u64::from(count) == span));
        if first == 0 || count == 0 || !fits {
            return Err(damage(first, "a block whose header contradicts itself"));
        }
        let previous = first.saturating_sub(1);
        Ok(Self {
            bytes,
            at: HEADER_BYTES,
            left: count,
            first,
            last,
            previous,
            dense,
        })
    }

    pub(crate) const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(crate) const fn first(&self) -> u64 {
        self.first
    }

    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// Frames not walked yet.
    pub(crate) const fn left(&self) -> u32 {
        self.left
    }

    /// The next frame without stepping past it; `None` after the last one.
    pub(crate) fn peek(&self) -> Result<Option<Frame>, BlockDamage> {
        let damage = |what| BlockDamage {
            sequence: self.previous.saturating_add(1),
            what,
        };
        if self.left == 0 {
            return if self.at == self.bytes.len() {
                Ok(None)
            } else {
                Err(damage("bytes after the last record of a block"))
            };
        }
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let head = rest
            .get(..FRAME_BYTES)
            .ok_or(damage("a record cut off by the end of its block"))?;
        let (sequence, key_len, value_len) = (u64_at(head, 4), u32_at(head, 12), u32_at(head, 16));
        let size = (key_len as usize).saturating_add(value_len as usize);
        if key_len as usize > MAX_KEY_BYTES || size > MAX_RECORD_BYTES {
            return Err(damage("a record with impossible lengths"));
        }
        let length = size.saturating_add(FRAME_BYTES);
        let body = rest
            .get(4..length)
            .ok_or(damage("a record cut off by the end of its block"))?;
        if crc32c::crc32c(body) != u32_at(head, 0) {
            return Err(damage("a record that does not match its checksum"));
        }
        self.check_sequence(sequence)?;
        let end = self.at.saturating_add(length);
        Ok(Some(Frame {
            sequence,
            at: self.at,
            end,
            key_len,
            value_len,
        }))
    }

    fn check_sequence(&self, sequence: u64) -> Result<(), BlockDamage> {
        let next = self.previous.saturating_add(1);
        let in_order = if self.dense {
            sequence == next
        } else {
            sequence >= next
        };
        let is_last = self.left == 1;
        if in_order && sequence <= self.last && (is_last == (sequence == self.last)) {
            return Ok(());
        }
        Err(BlockDamage {
            sequence: next,
            what: "a record out of sequence",
        })
    }

    /// Steps past `frame`, which [`BlockCursor::peek`] gave.
    pub(crate) fn step(&mut self, frame: &Frame) {
        self.at = frame.end;
        self.previous = frame.sequence;
        self.left = self.left.saturating_sub(1);
    }

    /// Checks all frames that are left; returns their number and bytes of keys and values.
    pub(crate) fn check_all(mut self) -> Result<(u64, u64), BlockDamage> {
        let (mut records, mut bytes) = (0_u64, 0_u64);
        while let Some(frame) = self.peek()? {
            records = records.saturating_add(1);
            bytes = bytes.saturating_add(u64::try_from(frame.size()).unwrap_or(u64::MAX));
            self.step(&frame);
        }
        Ok((records, bytes))
    }
}

/// The number at `at`; 0 when it does not fit, which no caller lets happen.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let slice = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
    slice.map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let slice = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>());
    slice.map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use proptest::prelude::*;

    use super::*;

    fn block(stream: Stream, first: u64, values: &[Vec<u8>]) -> Block {
        let mut builder = BlockBuilder::new(stream, 64);
        for (sequence, value) in (first..).zip(values) {
            builder.push(sequence, &Record::new(&b"key"[..], value.clone()));
        }
        builder.finish()
    }

    proptest! {
        #[test]
        fn a_block_reads_back_as_written(
            first in 1..u64::MAX / 2,
            values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..20),
        ) {
            let block = block(Stream::Events, first, &values);
            prop_assert_eq!((block.first, block.count as usize), (first, values.len()));
            let mut cursor = BlockCursor::new(Stream::Events, block.bytes.clone()).unwrap();
            let mut read = ReadBatch::default();
            read.push_block(block.bytes);
            while let Some(frame) = cursor.peek().unwrap() {
                frame.push_to(&mut read, Position::new(frame.sequence).unwrap());
                cursor.step(&frame);
            }
            let values_read: Vec<_> = read.iter().map(|record| record.value.to_vec()).collect();
            prop_assert_eq!(values_read, values);
            prop_assert!(read.iter().all(|record| record.key == b"key"));
            prop_assert_eq!(read.last_position().map(Position::get), Some(block.last));
        }

        #[test]
        fn any_flipped_bit_or_cut_is_noticed(
            values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..8),
            place in any::<prop::sample::Index>(),
            bit in 0..8_u32,
            stream in prop::sample::select(&Stream::ALL[..]),
        ) {
            let block = block(stream, 7, &values);
            let check = |bytes: Vec<u8>| {
                BlockCursor::new(stream, bytes.into()).and_then(BlockCursor::check_all)
            };
            let whole = block.bytes.to_vec();
            prop_assert!(check(whole.clone()).is_ok());
            let at = place.index(whole.len());
            prop_assert!(check(whole[..at].to_vec()).is_err());
            let mut flipped = whole;
            flipped[at] ^= 1 << bit;
            prop_assert!(check(flipped).is_err());
        }
    }
}
