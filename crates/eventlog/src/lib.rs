//! The log: its contract, its conformance suite and its engines.
//!
//! What it is: three ordered, durable streams of opaque records ([`Stream`], [`Record`]); an append is
//! answered when it is durable, readers resume after any position. The contract stands in [`AppendLog`],
//! [`ReadLog`] and [`LogReader`]; engines are [`MemoryLog`],
//! the embedded one on redb ([`EmbeddedLog`]) and the one over Apache Kafka ([`kafka::KafkaLog`]). A
//! process's share of the partitions is its [`Membership`].
//!
//! What it is not: it knows nothing of events, tenants or JSON. Uniqueness, idempotency keys and verdicts
//! belong to the fold that reads it.
//!
//! Invariants:
//! - nothing acknowledged is lost, or reading and opening fail and name the place;
//! - after a failed commit or sync of the embedded engine nothing more is written until a restart;
//! - a log that was deleted or replaced behind our back is an error, never a fresh start;
//! - every queue, batch and cache is bounded by a named constant.

mod block;
mod contract;
pub mod copy;
mod embedded;
pub mod kafka;
mod memory;
mod reader;
mod single;
mod sole;
mod tail;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use contract::{
    AppendError, AppendLog, Appended, Assignment, BatchLimits, Damage, EventLog, LogId, LogReader,
    MAX_BATCH_BYTES, MAX_BATCH_RECORDS, MAX_KEY_BYTES, MAX_RECORD_BYTES, MAX_TAIL_WAIT, Membership,
    Partition, Placement, Position, ReadBatch, ReadError, ReadLog, Record, RecordRef, Retry, Standing,
    Stream, is_note, note_key,
};
pub use embedded::{
    CompactionPolicy, EmbeddedLog, EmbeddedOptions, OpenError, ReadOnlyLog, StreamSummary, Summary,
    Verification,
};
pub use memory::MemoryLog;
pub use sole::SoleMember;
