//! Who writes desired users to the `desired` stream.

use std::sync::Arc;
use std::time::Duration;

use rollcall_eventlog::{Membership, Partition};

/// What a lease must cover beyond an append: the time from the look at it to the append, and the drift of clocks.
const MARGIN: Duration = Duration::from_secs(1);

/// Whether a projector publishes what it computes. Of all processes that fold a partition one publishes it.
#[derive(Debug, Clone, Default)]
pub enum Publishing {
    /// It is the only one.
    #[default]
    Always,
    /// It folds for itself alone.
    Never,
    /// While the partition is ours. What another one left unpublished is published then, as far as this process
    /// cannot know that it was: a desired user that comes twice is the same record.
    WhileOwned {
        /// The share of `events`.
        membership: Arc<dyn Membership>,
        /// An append has ended by then, one way or the other.
        delivery_timeout: Duration,
    },
}

/// Whether to publish now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Yes.
    Ours,
    /// The partition is ours, but maybe not until an append has ended.
    Wait,
    /// It is another's.
    Theirs,
}

impl Publishing {
    /// Whether a partition may be published now.
    pub(crate) fn turn(&self, partition: Partition) -> Turn {
        match self {
            Self::Always => Turn::Ours,
            Self::Never => Turn::Theirs,
            Self::WhileOwned {
                membership,
                delivery_timeout,
            } => {
                let (owned, remaining) = membership.owns(partition);
                let needed = delivery_timeout.saturating_add(MARGIN);
                if !owned {
                    Turn::Theirs
                } else if remaining.is_none_or(|left| left >= needed) {
                    Turn::Ours
                } else {
                    Turn::Wait
                }
            }
        }
    }

    /// Whether there is somebody to publish for, now or later.
    pub(crate) const fn is_never(&self) -> bool {
        matches!(self, Self::Never)
    }
}
