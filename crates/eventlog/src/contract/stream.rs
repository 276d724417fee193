//! Where a record stands: stream, partition, position.

use std::fmt;
use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

/// One of the three streams of the log. Two streams are never ordered against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// All inputs: what the identity providers said, rules, policy, catalog, decisions. Key: tenant.
    Events,
    /// The latest desired user of each account. Key: account. Compacted: see [`Stream::is_compacted`].
    Desired,
    /// Intents and results of writing to Fluent. Key: account.
    Outcomes,
}

impl Stream {
    /// Every stream, in the order of their codes.
    pub const ALL: [Self; 3] = [Self::Events, Self::Desired, Self::Outcomes];

    /// Whether older records of a key may vanish once a newer one is durable. A reader of such a
    /// stream sees at least the latest record of each key, in append order, with gaps in the positions.
    #[must_use]
    pub const fn is_compacted(self) -> bool {
        matches!(self, Self::Desired)
    }

    /// The stream's lower-case name, as in topics, files and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Desired => "desired",
            Self::Outcomes => "outcomes",
        }
    }

    /// The stream's stable code in stored blocks.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Events => 1,
            Self::Desired => 2,
            Self::Outcomes => 3,
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A partition of a stream. The embedded and the memory engine have one per stream, [`Partition::ONLY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Partition(pub u32);

impl Partition {
    /// The single partition of an engine that does not partition.
    pub const ONLY: Self = Self(0);
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The place of a record in one partition of one stream. Positions grow in append order and start at 1;
/// in the embedded engine the uncompacted streams are dense (1, 2, 3, …). Nothing may be computed from the
/// distance of two positions: other engines leave gaps.
///
/// “Nothing yet” is `Option::<Position>::None`, stored as 0 (see [`Position::to_stored`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(NonZeroU64);

impl Position {
    /// The smallest position.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// The position with this number; `None` for 0.
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number, at least 1.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// How a possibly missing position is kept in a state store: 0 means that nothing was taken in yet.
    #[must_use]
    pub const fn to_stored(position: Option<Self>) -> u64 {
        match position {
            Some(position) => position.get(),
            None => 0,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Partition and position of one appended record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Placement {
    /// The partition that the record's key led to.
    pub partition: Partition,
    /// Its position there.
    pub position: Position,
}

/// The identity of a log, made once when it is created: a state store keeps it and thereby knows whether
/// its position belongs to the log it finds beside it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogId(pub [u8; 16]);

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogId({self})")
    }
}
