//! The contract that every engine keeps.
//!
//! ```text
//!              after           last acknowledged = end
//!                ↓                    ↓
//!   1  2  3  4  5  6  7  8  9  10  11  12 │ 13 14 …   in flight: may or may not become durable
//!                  └── what a reader gives ┘
//! ```
//!
//! # Guarantees
//! - **Durable before acknowledged.** `append` returns positions only when the records survive the death of
//!   the process and, in the embedded engine, of the machine (Kafka: `acks=all`, durability by replication).
//! - **Order.** Records of one append, and of appends that were awaited one after the other, stand in that
//!   order within a partition; records of one key always stand in one partition.
//! - **A reader never sees a record that is not durable**, and sees records in order, none twice, none left
//!   out (compacted streams: see [`Stream::is_compacted`]).
//! - **Nothing acknowledged goes missing silently**: what is damaged is an error that names the place.
//!
//! # Per engine
//! - A batch is atomic in the embedded and the memory engine: all of it or nothing, and its positions are
//!   dense. In Kafka a batch is not atomic: after an error any of its records may be there, and records of
//!   other producers may stand between.
//! - An unacknowledged append may have been written (see [`AppendError::may_have_been_written`]). Writers
//!   repeat it with the same event id; readers take the first occurrence.

mod append;
mod membership;
mod note;
mod read;
mod stream;

use std::fmt;

use futures::future::BoxFuture;

pub(crate) use append::check_batch;
pub use append::{
    AppendError, Appended, MAX_BATCH_BYTES, MAX_BATCH_RECORDS, MAX_KEY_BYTES, MAX_RECORD_BYTES, Record, Retry,
};
pub use membership::{Assignment, Membership, Standing};
pub use note::{is_note, note_key};
pub use read::{BatchLimits, Damage, MAX_TAIL_WAIT, ReadBatch, ReadError, RecordRef};
pub use stream::{LogId, Partition, Placement, Position, Stream};

/// The writing end of a log: all that a producer may do.
pub trait AppendLog: fmt::Debug + Send + Sync {
    /// Appends `records` in order and returns where they stand, once they are durable.
    ///
    /// Waits while the engine's bounded queue is full, in Kafka for a part of the delivery time-out (which needs a
    /// tokio runtime with its timer). Dropping the future does not take the append back:
    /// it may still be carried out.
    ///
    /// # Errors
    /// See [`AppendError`]; on an error nothing was acknowledged.
    fn append(&self, stream: Stream, records: Vec<Record>) -> BoxFuture<'_, Result<Appended, AppendError>>;
}

/// The reading end of a log: all that a consumer may do.
pub trait ReadLog: fmt::Debug + Send + Sync {
    /// The identity of this log.
    fn log_id(&self) -> LogId;

    /// The partitions of `stream`, ascending, never empty. Which of them this process should read is not
    /// the log's matter here.
    fn partitions(&self, stream: Stream) -> Vec<Partition>;

    /// The partition in which records with `key` stand.
    fn partition_of(&self, stream: Stream, key: &[u8]) -> Partition;

    /// Position of the last durable record; `None` when there is none. In the embedded and the memory
    /// engine the future is ready at once.
    ///
    /// # Errors
    /// [`ReadError::UnknownPartition`], or that the engine cannot tell.
    fn end(&self, stream: Stream, partition: Partition)
    -> BoxFuture<'_, Result<Option<Position>, ReadError>>;

    /// A reader of the records after `after`; from the first one when it is `None`.
    ///
    /// # Errors
    /// [`ReadError::UnknownPartition`] and [`ReadError::AfterEnd`] (some engines report the latter only
    /// at the first batch).
    fn reader(
        &self,
        stream: Stream,
        partition: Partition,
        after: Option<Position>,
    ) -> Result<Box<dyn LogReader>, ReadError>;
}

/// Both ends. `Arc<dyn EventLog>` coerces to `Arc<dyn AppendLog>` and `Arc<dyn ReadLog>`.
pub trait EventLog: AppendLog + ReadLog {}

impl<T: AppendLog + ReadLog> EventLog for T {}

/// A reader of one partition. It holds at most the few blocks of one batch and never slows the writer.
pub trait LogReader: fmt::Debug + Send {
    /// The next records in order; empty when there are none within `limits.wait`.
    ///
    /// May be dropped at any await: no record is lost, the next call returns what this one would have.
    ///
    /// # Errors
    /// See [`ReadError`]. After an error the reader stands where it stood.
    fn next_batch(&mut self, limits: BatchLimits) -> BoxFuture<'_, Result<ReadBatch, ReadError>>;

    /// The same, blocking the calling thread: for replay loops without a runtime. Not to be called from
    /// async code.
    ///
    /// # Errors
    /// As [`LogReader::next_batch`].
    fn next_batch_blocking(&mut self, limits: BatchLimits) -> Result<ReadBatch, ReadError>;

    /// The position of the last record given out, or where the reader was started.
    fn position(&self) -> Option<Position>;
}
