//! What the projector is started with.

use rollcall_domain::{Sequence, TenantId, TenantKey, Timestamp};

/// A tenant that this process projects.
#[derive(Debug, Clone)]
pub struct TenantSetup {
    /// Its id: the key of its events in the log.
    pub id: TenantId,
    /// The key of its name hashes, for look-ups by text; the fold itself needs none.
    pub key: TenantKey,
}

/// The operators' surface whose `rules.activated` events come from a watched file (`operator/file`). The fold
/// remembers what it activated last, so that a file is told from rules that an operator put in its place.
pub const RULES_FILE: &str = "file";

/// How far a replay goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// All events whose event time (running maximum) is not after this.
    Time(Timestamp),
    /// All events up to this sequence of each tenant.
    Sequence(Sequence),
    /// The end of the log as it was at the start.
    End,
}

/// How far a long work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Records read.
    pub done: u64,
    /// Records in the log, as far as it is known.
    pub total: u64,
}
