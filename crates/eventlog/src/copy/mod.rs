//! Copying a log into another engine, record by record.
//!
//! Events and outcomes are copied; desired users are not, since they follow from the events and are published
//! anew. Keys and values keep their bytes, and the records of one key their order. Positions and the log's
//! identity are the target's own, so whoever kept state beside the source builds it anew from the target.
//!
//! Notes ([`is_note`]) are about the log that they stand in: those of the source are left out, those of the
//! target pass as if they were not there. So do records that stand in another partition than that of their key: no fold
//! takes them, and put where they belong they would become part of the log. They are counted.
//!
//! A copy that was cut short goes on where it stood: what the target holds must be the beginning of what the
//! source holds, and is compared byte for byte before anything is written. A target that holds anything else
//! is refused untouched.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;

use crate::contract::{
    AppendError, BatchLimits, EventLog, LogReader, MAX_BATCH_BYTES, Partition, Position, ReadError, ReadLog,
    Record, Retry, Stream, is_note,
};

/// The streams that are copied, in this order.
pub const COPIED: [Stream; 2] = [Stream::Events, Stream::Outcomes];
/// Most records of one append: enough to make its cost vanish, little enough for steady progress.
const BATCH_RECORDS: usize = 2_000;
/// Most bytes of one append, of which the contract takes twice as many.
const BATCH_BYTES: usize = MAX_BATCH_BYTES / 2;

/// How far a copy has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyProgress {
    /// What is being done.
    pub phase: CopyPhase,
    /// The stream.
    pub stream: Stream,
    /// The partition of the source.
    pub partition: Partition,
    /// The last position of the source that was dealt with; 0 before the first.
    pub at: u64,
    /// The last position that will be: where the source ended when its turn came.
    pub end: u64,
    /// Records compared or copied so far, of all streams, in this phase.
    pub records: u64,
}

/// The two passes of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyPhase {
    /// What the target holds is compared; nothing is written.
    Comparing,
    /// What it lacks is appended.
    Copying,
}

/// What a copy did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CopySummary {
    /// Records that were there already, and are the same.
    pub found: u64,
    /// Records that were appended.
    pub copied: u64,
    /// Records of the source that stand in another partition than that of their key, and were not copied.
    pub left_out: u64,
}

/// Why a copy stopped. Doing it again goes on where it stood, unless the target was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The target holds a record that the source does not have at this place, or more records than the
    /// source.
    #[error(
        "the target's {stream}, partition {partition}, position {position} is not what the source holds \
         there; nothing was written: choose an empty target"
    )]
    OtherRecord {
        /// The stream.
        stream: Stream,
        /// The partition of the target.
        partition: Partition,
        /// The first position that differs.
        position: Position,
    },
    /// The source cannot be read.
    #[error("the source")]
    Source(#[source] ReadError),
    /// The target cannot be read.
    #[error("the target")]
    TargetRead(#[source] ReadError),
    /// The target does not take a record.
    #[error("the target")]
    TargetAppend(#[source] AppendError),
}

impl CopyError {
    /// Whether trying again can help.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::OtherRecord { .. } => Retry::Never,
            Self::Source(error) | Self::TargetRead(error) => error.retry(),
            Self::TargetAppend(error) => error.retry(),
        }
    }
}

/// Copies events and outcomes of `source` into `target`. Nothing else may be appended to the target
/// meanwhile; what the source gets while it is copied may be left out, and is taken by the next copy.
///
/// `progress` is told about once per batch.
///
/// # Errors
/// See [`CopyError`].
pub async fn copy(
    source: &dyn ReadLog,
    target: &dyn EventLog,
    mut progress: impl FnMut(CopyProgress) + Send,
) -> Result<CopySummary, CopyError> {
    let mut found = BTreeMap::new();
    let mut summary = CopySummary::default();
    for stream in COPIED {
        for partition in source.partitions(stream) {
            let mut pass = Pass::new(source, target, stream, partition).await?;
            let same = pass.compare(summary.found, &mut progress).await?;
            summary.found = same
                .values()
                .fold(summary.found, |sum, count| sum.saturating_add(*count));
            found.insert((stream, partition), same);
        }
    }
    for ((stream, partition), same) in found {
        let mut pass = Pass::new(source, target, stream, partition).await?;
        summary.copied = pass.append(same, summary.copied, &mut progress).await?;
        summary.left_out = summary.left_out.saturating_add(pass.left_out);
    }
    Ok(summary)
}

/// One partition of the source on its way.
struct Pass<'a> {
    source: &'a dyn ReadLog,
    target: &'a dyn EventLog,
    stream: Stream,
    partition: Partition,
    /// Where the source ends, as of the beginning of the pass.
    end: u64,
    /// Records that stand in another partition than that of their key.
    left_out: u64,
}

impl fmt::Debug for Pass<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pass({}, {}, to {})", self.stream, self.partition, self.end)
    }
}

impl<'a> Pass<'a> {
    async fn new(
        source: &'a dyn ReadLog,
        target: &'a dyn EventLog,
        stream: Stream,
        partition: Partition,
    ) -> Result<Self, CopyError> {
        let end = source.end(stream, partition).await.map_err(CopyError::Source)?;
        Ok(Self {
            source,
            target,
            stream,
            partition,
            end: Position::to_stored(end),
            left_out: 0,
        })
    }

    /// Whether a key's records belong into this partition of the source.
    fn belongs(&self, key: &[u8]) -> bool {
        self.source.partition_of(self.stream, key) == self.partition
    }

    fn told(&self, phase: CopyPhase, at: u64, records: u64) -> CopyProgress {
        CopyProgress {
            phase,
            stream: self.stream,
            partition: self.partition,
            at,
            end: self.end,
            records,
        }
    }

    fn reader(&self) -> Result<Box<dyn LogReader>, CopyError> {
        self.source
            .reader(self.stream, self.partition, None)
            .map_err(CopyError::Source)
    }

    /// Compares what every partition of the target holds of this partition of the source; returns how many
    /// records that are.
    async fn compare(
        &mut self,
        before: u64,
        progress: &mut (impl FnMut(CopyProgress) + Send),
    ) -> Result<HashMap<Partition, u64>, CopyError> {
        let mut there = BTreeMap::new();
        for partition in self.target.partitions(self.stream) {
            let mut held = Held::new(self, partition)?;
            held.fill().await?;
            there.insert(partition, held);
        }
        let mut same = HashMap::new();
        let mut records = before;
        let mut reader = self.reader()?;
        // Once nothing of the target is left there is nothing more to compare.
        while there.values().any(|held| held.record().is_some()) {
            let batch = reader
                .next_batch(BatchLimits::REPLAY)
                .await
                .map_err(CopyError::Source)?;
            if batch.is_empty() {
                break;
            }
            for record in batch.iter().filter(|record| !is_note(record.key)) {
                if !self.belongs(record.key) {
                    continue;
                }
                let partition = self.target.partition_of(self.stream, record.key);
                let Some(held) = there.get_mut(&partition) else {
                    continue;
                };
                let Some((position, key, value)) = held.record() else {
                    continue;
                };
                if key != record.key || value != record.value {
                    return Err(self.other(partition, *position));
                }
                held.step().await?;
                let count: &mut u64 = same.entry(partition).or_default();
                *count = count.saturating_add(1);
                records = records.saturating_add(1);
            }
            let at = Position::to_stored(reader.position());
            progress(self.told(CopyPhase::Comparing, at, records));
        }
        match there
            .into_values()
            .find_map(|held| Some((held.partition, held.record()?.0)))
        {
            Some((partition, position)) => Err(self.other(partition, position)),
            None => Ok(same),
        }
    }

    fn other(&self, partition: Partition, position: Position) -> CopyError {
        CopyError::OtherRecord {
            stream: self.stream,
            partition,
            position,
        }
    }

    /// Appends what the target lacks: all but the first `same` records of each of its partitions.
    async fn append(
        &mut self,
        mut same: HashMap<Partition, u64>,
        before: u64,
        progress: &mut (impl FnMut(CopyProgress) + Send),
    ) -> Result<u64, CopyError> {
        let mut copied = before;
        let mut reader = self.reader()?;
        let mut waiting = Vec::new();
        let mut bytes = 0_usize;
        loop {
            let batch = reader
                .next_batch(BatchLimits::REPLAY)
                .await
                .map_err(CopyError::Source)?;
            let is_last = batch.is_empty();
            for record in batch.iter().filter(|record| !is_note(record.key)) {
                if !self.belongs(record.key) {
                    self.left_out = self.left_out.saturating_add(1);
                    continue;
                }
                let partition = self.target.partition_of(self.stream, record.key);
                if let Some(there) = same.get_mut(&partition).filter(|there| **there > 0) {
                    *there = there.saturating_sub(1);
                    continue;
                }
                let record = Record::new(record.key.to_vec(), record.value.to_vec());
                let size = record.size();
                if waiting.len() >= BATCH_RECORDS || bytes.saturating_add(size) > BATCH_BYTES {
                    copied = self.flush(&mut waiting, copied).await?;
                    bytes = 0;
                }
                bytes = bytes.saturating_add(size);
                waiting.push(record);
            }
            if is_last {
                copied = self.flush(&mut waiting, copied).await?;
            }
            let at = Position::to_stored(reader.position());
            progress(self.told(CopyPhase::Copying, at, copied));
            if is_last {
                return Ok(copied);
            }
        }
    }

    async fn flush(&self, waiting: &mut Vec<Record>, copied: u64) -> Result<u64, CopyError> {
        if waiting.is_empty() {
            return Ok(copied);
        }
        let records = std::mem::take(waiting);
        let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
        self.target
            .append(self.stream, records)
            .await
            .map_err(CopyError::TargetAppend)?;
        Ok(copied.saturating_add(count))
    }
}

/// What one partition of the target holds of one partition of the source.
struct Held<'a> {
    source: &'a dyn ReadLog,
    target: &'a dyn EventLog,
    stream: Stream,
    /// The partition of the source whose records are looked for.
    of: Partition,
    partition: Partition,
    reader: Box<dyn LogReader>,
    /// What was read of them, the next one first.
    ahead: VecDeque<HeldRecord>,
}

/// Position, key and value of one record.
type HeldRecord = (Position, Vec<u8>, Vec<u8>);

impl<'a> Held<'a> {
    fn new(pass: &Pass<'a>, partition: Partition) -> Result<Self, CopyError> {
        let reader = pass
            .target
            .reader(pass.stream, partition, None)
            .map_err(CopyError::TargetRead)?;
        Ok(Self {
            source: pass.source,
            target: pass.target,
            stream: pass.stream,
            of: pass.partition,
            partition,
            reader,
            ahead: VecDeque::new(),
        })
    }

    /// The next record; none when nothing is left.
    fn record(&self) -> Option<&HeldRecord> {
        self.ahead.front()
    }

    /// Steps over the next record.
    async fn step(&mut self) -> Result<(), CopyError> {
        self.ahead.pop_front();
        self.fill().await
    }

    /// Reads on until there is a record whose key lies in the source's partition, or nothing is left.
    async fn fill(&mut self) -> Result<(), CopyError> {
        while self.ahead.is_empty() {
            let batch = self
                .reader
                .next_batch(BatchLimits::REPLAY)
                .await
                .map_err(CopyError::TargetRead)?;
            if batch.is_empty() {
                break;
            }
            let ours = batch
                .iter()
                .filter(|record| !is_note(record.key))
                .filter(|record| self.source.partition_of(self.stream, record.key) == self.of)
                .filter(|record| self.target.partition_of(self.stream, record.key) == self.partition)
                .map(|record| (record.position, record.key.to_vec(), record.value.to_vec()));
            self.ahead.extend(ours);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
