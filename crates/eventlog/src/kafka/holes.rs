//! Holes that an operator has accepted: offsets without a record in a stream that keeps all.
//!
//! A hole is refused, since acknowledged records may be gone. Not each is a loss: the end of another program's
//! transaction takes an offset, too, and no reader is told what it was. Who knows names it, and it is passed over.

use std::fmt;
use std::str::FromStr;

use crate::contract::{Partition, Stream};

/// A hole to be passed over, as [`ReadError::Hole`](crate::ReadError::Hole) names it: `events/0/6-9`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptedHole {
    stream: Stream,
    partition: Partition,
    first: u64,
    last: u64,
}

/// A text that names no hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hole is written as stream/partition/first-last, such as events/0/6-9")]
pub struct NoHole;

impl AcceptedHole {
    /// The offsets from `first` to `last` of a partition have no record.
    pub(crate) const fn new(stream: Stream, partition: Partition, first: u64, last: u64) -> Self {
        Self {
            stream,
            partition,
            first,
            last,
        }
    }

    /// First and last offset, when it is in that partition.
    pub(crate) fn in_partition(&self, stream: Stream, partition: Partition) -> Option<(u64, u64)> {
        (self.stream == stream && self.partition == partition).then_some((self.first, self.last))
    }
}

impl fmt::Display for AcceptedHole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            stream,
            partition,
            first,
            last,
        } = self;
        write!(f, "{stream}/{partition}/{first}-{last}")
    }
}

impl FromStr for AcceptedHole {
    type Err = NoHole;

    fn from_str(text: &str) -> Result<Self, NoHole> {
        let mut parts = text.split('/');
        let (Some(stream), Some(partition), Some(offsets), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NoHole);
        };
        let stream = Stream::ALL.into_iter().find(|known| known.name() == stream);
        let (first, last) = offsets.split_once('-').ok_or(NoHole)?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| NoHole);
        let hole = Self::new(
            stream.ok_or(NoHole)?,
            Partition(partition.parse().map_err(|_| NoHole)?),
            number(first)?,
            number(last)?,
        );
        // What ends before it begins is a slip; what has no end would hide every loss to come.
        if hole.first <= hole.last && hole.last < u64::MAX {
            Ok(hole)
        } else {
            Err(NoHole)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_is_read_as_it_is_told_and_nothing_else_is_one() {
        let hole = AcceptedHole::new(Stream::Outcomes, Partition(3), 6, 9);
        assert_eq!(hole.to_string().parse(), Ok(hole));
        for text in [
            "",
            "events",
            "events/0",
            "events/0/6",
            "events/0/9-6",
            "events/x/6-9",
            "other/0/6-9",
            "events/0/6-9/1",
            "events/0/-6-9",
            "events/0/0-18446744073709551615",
        ] {
            assert_eq!(text.parse::<AcceptedHole>(), Err(NoHole), "{text}");
        }
    }
}
