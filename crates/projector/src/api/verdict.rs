//! What the fold decided about an event. Frozen with the event's version: an old log folds to the same
//! verdicts.

use rollcall_domain::{Revision, Sequence};
use serde::{Deserialize, Serialize};

/// The decision about one event; it belongs to the first occurrence of the event's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// It took effect.
    Accepted {
        /// The revision of the user or group after it; 0 for events about neither.
        revision: Revision,
    },
    /// It changed nothing.
    Rejected {
        /// Why.
        rejection: Rejection,
    },
    /// It is a part of a request whose other parts have not all come; the verdict will be the last part's.
    Buffered,
}

impl Verdict {
    /// True when the event took effect.
    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted { .. })
    }
}

/// Why an event changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Rejection {
    /// A live user of the connection has that userName (SCIM: 409 `uniqueness`).
    #[error("the user name is taken")]
    UserNameTaken,
    /// A live group of the connection has that displayName (SCIM: 409 `uniqueness`).
    #[error("the group name is taken")]
    GroupNameTaken,
    /// The id was given out before. Not to be sent again with this id.
    #[error("the id is in use")]
    IdTaken,
    /// No live user or group of that id belongs to the connection (SCIM: 404).
    #[error("there is no such user or group")]
    Missing,
    /// The resource has changed since: redo the request against what is there, or answer 412.
    #[error("the revision has moved to {}", .now.0)]
    RevisionMoved {
        /// Its revision now.
        now: Revision,
    },
    /// The list of members has changed since: redo the request against what is there.
    #[error("the member revision has moved to {}", .now.0)]
    MemberRevisionMoved {
        /// Its member revision now.
        now: Revision,
    },
    /// The rule set names another predecessor than the one in force.
    #[error("another rule set is in force")]
    RulesMoved,
    /// There is no open hold of that name.
    #[error("there is no such hold")]
    NoSuchHold,
    /// The event's source may not say that: users and groups come from a connection, rules, policies and
    /// decisions from an operator, the catalog from Fluent, timers from Rollcall itself.
    #[error("the source may not send this")]
    WrongSource,
    /// The parts do not make one request: other groups, attributes outside the first, or kinds that have no
    /// parts.
    #[error("the parts do not fit together")]
    PartsUnfit,
    /// The event belongs into another stream or to another tenant.
    #[error("the event does not belong here")]
    WrongStream,
    /// The record is no event that this version can read. It is counted and put aside.
    #[error("the record is not readable")]
    Unreadable,
    /// A bound of the directory is reached, see [`limits`](crate::limits).
    #[error("a bound of the directory is reached")]
    TooMany,
}

/// An event that the directory has taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// The tenant's sequence number of the first occurrence of the event.
    pub sequence: Sequence,
    /// What was decided.
    pub verdict: Verdict,
}
