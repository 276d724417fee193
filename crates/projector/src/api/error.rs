//! What can go wrong in the projector.

use std::path::PathBuf;
use std::time::Duration;

use rollcall_domain::TenantId;
use rollcall_eventlog::{Position, ReadError, Retry};

/// Why the projector did not do what it was asked for. No text holds personal data.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectorError {
    /// The fold has not reached the position within the bounded wait.
    #[error("the directory has not reached position {position} within {waited:?}")]
    NotSettled {
        /// The position that was waited for.
        position: Position,
        /// How long.
        waited: Duration,
    },
    /// The event's verdict is no longer remembered ([`VERDICTS_MAX`](crate::VERDICTS_MAX)), or it was never
    /// seen.
    #[error("no verdict is remembered for the event at position {position}")]
    VerdictForgotten {
        /// Where the event stands in the log.
        position: Position,
    },
    /// The driver has stopped: shut down, or the log could not be read any more (see the process's log).
    #[error("the projector has stopped: {reason}")]
    Stopped {
        /// Why.
        reason: String,
    },
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// The log is empty, or ends before the position of the state beside it: a log was lost or exchanged.
    /// Never taken as a fresh start.
    #[error(
        "the state in {} has taken in position {state} of this log, but the log ends at {log}; \
         restore the log, \
         or move the state away to accept the loss", dir.display()
    )]
    StateAheadOfLog {
        /// The state's directory.
        dir: PathBuf,
        /// The position stored with the state.
        state: u64,
        /// The log's end, 0 when it is empty.
        log: u64,
    },
    /// The state's directory could not be used at all, not even to move a damaged state aside.
    #[error("the state in {}: {reason}", dir.display())]
    State {
        /// The state's directory.
        dir: PathBuf,
        /// What the file system or the store said.
        reason: String,
    },
    /// A document or the like could not be read from the state now; it is rebuilt at the next start.
    #[error("the state of tenant {tenant} could not be read: {reason}")]
    Unreadable {
        /// Whose.
        tenant: TenantId,
        /// What the store said.
        reason: String,
    },
}

impl ProjectorError {
    /// Whether trying again can help.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::NotSettled { .. } => Retry::Later,
            Self::VerdictForgotten { .. } => Retry::Never,
            Self::Log(error) => error.retry(),
            Self::Stopped { .. }
            | Self::StateAheadOfLog { .. }
            | Self::State { .. }
            | Self::Unreadable { .. } => Retry::AfterRestart,
        }
    }
}
