//! The event: what is appended to the log, CloudEvents 1.0 in JSON, one per record, the same bytes in every engine.

mod data;
mod schema;
mod set;
mod wire;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use data::{
    AssignedRole, CatalogChanged, Decision, DecisionRecorded, EventData, GroupChanged, GroupCreated,
    GroupDeleted, HoldId, MemberSet, PolicyActivated, RulesActivated, TimerFired, UserChanged, UserCreated,
    UserDeleted,
};
pub use set::Set;
pub use wire::{DecodeError, EVENT_BYTES_MAX, EVENT_PARTS_MAX};

use crate::{ConnectionName, EventId, Sequence, TenantId, Timestamp};

/// One event with its envelope.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// UUIDv7; the first occurrence of an id decides, later ones get the same verdict.
    pub id: EventId,
    /// Which door it came through.
    pub source: Source,
    /// When it was received.
    pub time: Timestamp,
    /// Whose log it is in.
    pub tenant: TenantId,
    /// By which credential: a connection's or an operator's token name, or a part of Rollcall.
    pub actor: String,
    /// The delivery's idempotency key, where it has one; all parts of one request share it.
    pub request_id: Option<String>,
    /// Which part of a request that was too large for one event; `None` when it is whole.
    pub part: Option<Part>,
    /// What happened.
    pub data: EventData,
}

/// Part `index` of `count`. The fold applies all parts or none, when the last one arrives; parts of one request share
/// their `request_id` and are told apart by `index`. The verdict belongs to the last part's event id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// From 1 to `count`.
    pub index: u16,
    /// How many parts the request has; at least 2.
    pub count: u16,
}

/// Where an event came from (CloudEvents `source`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A SCIM connection: `scim/<connection>`. Its users and groups belong to that connection.
    Scim(ConnectionName),
    /// A webhook connection: `webhook/<connection>`.
    Webhook(ConnectionName),
    /// An operator or a file: `operator/<surface>`, such as `operator/cli`.
    Operator(String),
    /// Something read from Fluent: `fluent/<what>`, such as `fluent/catalog`.
    Fluent(String),
    /// A part of Rollcall itself: `rollcall/<part>`.
    Rollcall(String),
}

impl Source {
    /// The connection, when it is one.
    #[must_use]
    pub const fn connection(&self) -> Option<&ConnectionName> {
        match self {
            Self::Scim(name) | Self::Webhook(name) => Some(name),
            Self::Operator(_) | Self::Fluent(_) | Self::Rollcall(_) => None,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scim(name) => write!(f, "scim/{name}"),
            Self::Webhook(name) => write!(f, "webhook/{name}"),
            Self::Operator(surface) => write!(f, "operator/{surface}"),
            Self::Fluent(what) => write!(f, "fluent/{what}"),
            Self::Rollcall(part) => write!(f, "rollcall/{part}"),
        }
    }
}

/// Why a text is no source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a source such as scim/entra, webhook/okta, operator/cli, fluent/catalog")]
pub struct BadSource;

impl std::str::FromStr for Source {
    type Err = BadSource;
    fn from_str(text: &str) -> Result<Self, BadSource> {
        let (kind, name) = text.split_once('/').ok_or(BadSource)?;
        let connection = || ConnectionName::new(name).map_err(|_| BadSource);
        match kind {
            "scim" => Ok(Self::Scim(connection()?)),
            "webhook" => Ok(Self::Webhook(connection()?)),
            "operator" => Ok(Self::Operator(name.to_owned())),
            "fluent" => Ok(Self::Fluent(name.to_owned())),
            "rollcall" => Ok(Self::Rollcall(name.to_owned())),
            _ => Err(BadSource),
        }
    }
}

/// A value and the sequence of the tenant's event up to which it is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsOf<T> {
    /// All events up to this one are in.
    pub sequence: Sequence,
    /// The value.
    pub value: T,
}
