//! What is appended, what comes back, and what can go wrong.

use std::fmt;

use bytes::Bytes;

use super::stream::{Partition, Placement, Position, Stream};

/// Most bytes of key and value together in one record. Events are cut into parts at 512 kB, so this
/// leaves room for the envelope; Kafka's default `message.max.bytes` is the same order.
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;
/// Most bytes of a key: a tenant or an account (tenant and user name).
pub const MAX_KEY_BYTES: usize = 2048;
/// Most records of one append: bounds the memory and the time of one group commit.
pub const MAX_BATCH_RECORDS: usize = 10_000;
/// Most bytes of one append, keys and values: as above.
pub const MAX_BATCH_BYTES: usize = 8 * 1024 * 1024;

/// One record to append. The log does not look into it; every value of Rollcall is a CloudEvent in JSON
/// (structured mode), so no headers are needed.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Decides the partition, and what compaction takes to be “the same”.
    pub key: Bytes,
    /// The CloudEvent's bytes, the same in every engine.
    pub value: Bytes,
}

impl Record {
    /// A record of `key` and `value`.
    pub fn new(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
        }
    }

    /// Bytes of key and value.
    #[must_use]
    pub fn size(&self) -> usize {
        self.key.len().saturating_add(self.value.len())
    }
}

/// Shows lengths only: keys and values may hold personal data.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Record(key {} B, value {} B)",
            self.key.len(),
            self.value.len()
        )
    }
}

/// Where the records of one append stand, in the order they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    first: Placement,
    last: Placement,
    /// Empty when the records stand densely in one partition.
    listed: Vec<Placement>,
}

impl Appended {
    /// Records standing densely from `first` to `last` in one partition.
    #[must_use]
    pub const fn dense(partition: Partition, first: Position, last: Position) -> Self {
        Self {
            first: Placement {
                partition,
                position: first,
            },
            last: Placement {
                partition,
                position: last,
            },
            listed: Vec::new(),
        }
    }

    /// Records standing anywhere; `None` when the list is empty.
    #[must_use]
    pub fn listed(placements: Vec<Placement>) -> Option<Self> {
        let (first, last) = (*placements.first()?, *placements.last()?);
        Some(Self {
            first,
            last,
            listed: placements,
        })
    }

    /// Place of the first record.
    #[must_use]
    pub const fn first(&self) -> Placement {
        self.first
    }

    /// Place of the last record.
    #[must_use]
    pub const fn last(&self) -> Placement {
        self.last
    }

    /// The place of every record, in the order they were given.
    pub fn placements(&self) -> impl Iterator<Item = Placement> + '_ {
        let dense = if self.listed.is_empty() {
            self.first.position.get()..=self.last.position.get()
        } else {
            #[allow(
                clippy::reversed_empty_ranges,
                reason = "an empty range: the list is used instead"
            )]
            (1..=0)
        };
        let partition = self.first.partition;
        dense
            .filter_map(move |number| {
                Some(Placement {
                    partition,
                    position: Position::new(number)?,
                })
            })
            .chain(self.listed.iter().copied())
    }
}

/// Whether trying the same thing again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Yes, after a pause, in this process.
    Later,
    /// Only after an operator has acted and the process was started again.
    AfterRestart,
    /// Never: the request itself is wrong.
    Never,
}

/// Why an append was not acknowledged.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The batch has no records.
    #[error("append to {stream}: the batch is empty")]
    EmptyBatch {
        /// The stream.
        stream: Stream,
    },
    /// More than [`MAX_BATCH_RECORDS`] records or [`MAX_BATCH_BYTES`] bytes.
    #[error(
        "append to {stream}: {records} records of {bytes} bytes in one batch, at most {} of {} are taken",
        MAX_BATCH_RECORDS,
        MAX_BATCH_BYTES
    )]
    BatchTooLarge {
        /// The stream.
        stream: Stream,
        /// Records in the batch.
        records: usize,
        /// Bytes of all keys and values.
        bytes: usize,
    },
    /// A key above [`MAX_KEY_BYTES`] or a record above [`MAX_RECORD_BYTES`].
    #[error(
        "append to {stream}: record {index} of the batch has a key of {key_bytes} and a value of \
         {value_bytes} bytes, at most {} and together {} are taken",
        MAX_KEY_BYTES,
        MAX_RECORD_BYTES
    )]
    RecordTooLarge {
        /// The stream.
        stream: Stream,
        /// Index of the record in the batch, from 0.
        index: usize,
        /// Bytes of its key.
        key_bytes: usize,
        /// Bytes of its value.
        value_bytes: usize,
    },
    /// The commit or its sync failed. The records were not acknowledged, yet they **may** be found in the
    /// log after a restart; a repeated append must be recognisable by the event's id.
    #[error("append to {stream}: the commit failed, the log takes nothing more until a restart: {reason}")]
    NotDurable {
        /// The stream.
        stream: Stream,
        /// What the storage said.
        reason: String,
    },
    /// An earlier commit or sync failed; nothing was written for this append.
    #[error("append to {stream}: refused since an earlier commit failed ({reason}); restart to go on")]
    Poisoned {
        /// The stream.
        stream: Stream,
        /// What the storage said then.
        reason: String,
    },
    /// The log is shutting down; nothing was written for this append.
    #[error("append to {stream}: the log is closed")]
    Closed {
        /// The stream.
        stream: Stream,
    },
    /// The engine cannot take appends for now (no leader, too few replicas, queue full). The records may
    /// or may not be found later.
    #[error("append to {stream}: not available now: {reason}")]
    Unavailable {
        /// The stream.
        stream: Stream,
        /// What the engine said.
        reason: String,
    },
    /// What the log is kept in was deleted or replaced by something else behind its back. Nothing more is
    /// written; the records of this append may stand where nobody reads them.
    #[error("append to {stream}: the log is no longer what it was: {reason}")]
    Replaced {
        /// The stream.
        stream: Stream,
        /// What was found instead.
        reason: String,
    },
}

impl AppendError {
    /// Whether trying again can help.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::EmptyBatch { .. } | Self::BatchTooLarge { .. } | Self::RecordTooLarge { .. } => {
                Retry::Never
            }
            Self::NotDurable { .. } | Self::Poisoned { .. } | Self::Closed { .. } | Self::Replaced { .. } => {
                Retry::AfterRestart
            }
            Self::Unavailable { .. } => Retry::Later,
        }
    }

    /// Whether the records may be in the log although the append was not acknowledged.
    #[must_use]
    pub const fn may_have_been_written(&self) -> bool {
        matches!(
            self,
            Self::NotDurable { .. } | Self::Unavailable { .. } | Self::Replaced { .. }
        )
    }
}

/// Checks a batch against the bounds every engine keeps; returns its bytes.
pub(crate) fn check_batch(stream: Stream, records: &[Record]) -> Result<usize, AppendError> {
    if records.is_empty() {
        return Err(AppendError::EmptyBatch { stream });
    }
    for (index, record) in records.iter().enumerate() {
        if record.key.len() > MAX_KEY_BYTES || record.size() > MAX_RECORD_BYTES {
            return Err(AppendError::RecordTooLarge {
                stream,
                index,
                key_bytes: record.key.len(),
                value_bytes: record.value.len(),
            });
        }
    }
    let bytes = records.iter().map(Record::size).fold(0, usize::saturating_add);
    if records.len() > MAX_BATCH_RECORDS || bytes > MAX_BATCH_BYTES {
        return Err(AppendError::BatchTooLarge {
            stream,
            records: records.len(),
            bytes,
        });
    }
    Ok(bytes)
}
