//! Events as bytes. Reading accepts every version ever written; writing uses the newest.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Event, EventData, Part};
use crate::{EventId, TenantId, Timestamp};

/// Largest event in bytes. A request above it becomes parts (DESIGN 5); Kafka's default record bound is 1 MB.
pub const EVENT_BYTES_MAX: usize = 512 * 1024;
/// Most parts of one request: 128 MB, far above the largest body that a door accepts.
pub const EVENT_PARTS_MAX: u16 = 256;

/// The CloudEvents envelope as it stands in the log.
#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    specversion: &'a str,
    id: EventId,
    #[serde(borrow)]
    source: std::borrow::Cow<'a, str>,
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    time: Timestamp,
    subject: String,
    tenant: TenantId,
    #[serde(borrow)]
    actor: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    requestid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parts: Option<u16>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Why a record is not an event of ours. Trying again never helps: the record is to be put aside with its position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No CloudEvents JSON of our envelope.
    #[error("not an event envelope: {0}")]
    Envelope(String),
    /// A type that this version does not know.
    #[error("unknown event type {0:?}; was it written by a newer version?")]
    UnknownType(String),
    /// The data does not fit its type.
    #[error("data of {kind} is not of its form: {problem}")]
    Data {
        /// The CloudEvents type.
        kind: String,
        /// Where it fails; never a value.
        problem: String,
    },
}

macro_rules! kinds {
    ($($variant:ident($bound:pat) => $name:literal, $subject:expr;)*) => {
        impl EventData {
            /// Every CloudEvents type that this version writes.
            pub const TYPES: &'static [&'static str] = &[$($name),*];

            /// The CloudEvents `type`.
            #[must_use]
            pub const fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)* }
            }

            /// The CloudEvents `subject`.
            #[must_use]
            pub fn subject(&self) -> String {
                match self { $(Self::$variant($bound) => $subject,)* }
            }

            fn to_raw(&self) -> serde_json::Result<Box<RawValue>> {
                match self { $(Self::$variant(data) => serde_json::value::to_raw_value(data),)* }
            }

            /// Reads the JSON of the envelope's `data`.
            ///
            /// # Errors
            /// [`DecodeError`] when this version does not know the kind, or the data is not of its form.
            pub fn from_json(kind: &str, json: &str) -> Result<Self, DecodeError> {
                let bad = |e: serde_json::Error| DecodeError::Data { kind: kind.to_owned(), problem: place(&e) };
                match kind {
                    $($name => serde_json::from_str(json).map(Self::$variant).map_err(bad),)*
                    _ => Err(DecodeError::UnknownType(kind.to_owned())),
                }
            }

            /// The JSON Schema of each type's data.
            #[must_use]
            pub fn schemas() -> Vec<(&'static str, schemars::Schema)> {
                vec![$(($name, schema_for(|variant: Self| match variant {
                    Self::$variant(data) => Some(data),
                    #[allow(unreachable_patterns, reason = "other variants")]
                    _ => None,
                }))),*]
            }
        }
    };
}

/// The type is inferred from the variant's field, so that no list of types can fall behind.
fn schema_for<T: JsonSchema>(_: impl Fn(EventData) -> Option<T>) -> schemars::Schema {
    super::schema::schema_of::<T>()
}

kinds! {
    UserCreated(d) => "rollcall.user.created.v1", format!("users/{}", d.user);
    UserChanged(d) => "rollcall.user.changed.v1", format!("users/{}", d.user);
    UserDeleted(d) => "rollcall.user.deleted.v1", format!("users/{}", d.user);
    GroupCreated(d) => "rollcall.group.created.v1", format!("groups/{}", d.group);
    GroupChanged(d) => "rollcall.group.changed.v1", format!("groups/{}", d.group);
    GroupDeleted(d) => "rollcall.group.deleted.v1", format!("groups/{}", d.group);
    RulesActivated(d) => "rollcall.rules.activated.v1", format!("rules/{}", d.version);
    PolicyActivated(_) => "rollcall.policy.activated.v1", "policy".to_owned();
    CatalogChanged(_) => "rollcall.catalog.changed.v1", "catalog".to_owned();
    TimerFired(d) => "rollcall.timer.fired.v1", format!("timers/{}", d.timer);
    DecisionRecorded(_) => "rollcall.decision.recorded.v1", "holds".to_owned();
    UserDesired(d) => "rollcall.user.desired.v1", format!("accounts/{}", d.account);
    OutcomeIntended(d) => "rollcall.outcome.intended.v1", format!("accounts/{}", d.account);
    OutcomeApplied(d) => "rollcall.outcome.applied.v1", format!("accounts/{}", d.account);
    OutcomeHeld(d) => "rollcall.outcome.held.v1", format!("accounts/{}", d.account);
    OutcomeFailed(d) => "rollcall.outcome.failed.v1", format!("accounts/{}", d.account);
    OutcomeDrift(d) => "rollcall.outcome.drift.v1", format!("accounts/{}", d.account);
}

impl Event {
    /// The bytes that stand in the log.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Ok(data) = self.data.to_raw() else {
            return Vec::new();
        }; // our types have string keys only
        let wire = Wire {
            specversion: "1.0",
            id: self.id,
            source: self.source.to_string().into(),
            kind: self.data.kind().into(),
            time: self.time,
            subject: self.data.subject(),
            tenant: self.tenant.clone(),
            actor: self.actor.as_str().into(),
            requestid: self.request_id.clone(),
            part: self.part.map(|part| part.index),
            parts: self.part.map(|part| part.count),
            data: &data,
        };
        serde_json::to_vec(&wire).unwrap_or_default()
    }

    /// Reads a record of the log.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are no event that this version knows.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let wire: Wire<'_> = serde_json::from_slice(bytes).map_err(|e| DecodeError::Envelope(place(&e)))?;
        let part = match (wire.part, wire.parts) {
            (None, None) => None,
            (Some(index), Some(count)) if 1 <= index && index <= count && count <= EVENT_PARTS_MAX => {
                Some(Part { index, count })
            }
            _ => return Err(DecodeError::Envelope("part and parts do not fit".to_owned())),
        };
        Ok(Self {
            id: wire.id,
            source: wire
                .source
                .parse()
                .map_err(|e: super::BadSource| DecodeError::Envelope(e.to_string()))?,
            time: wire.time,
            tenant: wire.tenant,
            actor: wire.actor.into_owned(),
            request_id: wire.requestid,
            part,
            data: EventData::from_json(&wire.kind, wire.data.get())?,
        })
    }
}

/// Where a JSON error is, without the value that it may quote.
fn place(error: &serde_json::Error) -> String {
    let category = match error.classify() {
        serde_json::error::Category::Io => "reading failed",
        serde_json::error::Category::Syntax => "broken JSON",
        serde_json::error::Category::Data => "a member is missing or of the wrong type",
        serde_json::error::Category::Eof => "the JSON ends early",
    };
    format!("{category} at line {} column {}", error.line(), error.column())
}
