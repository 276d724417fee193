//! Every id of the house, one newtype each.
//!
//! UUID ids are opaque (DESIGN 5): nothing may be read out of them but the time in an [`EventId`] (UUIDv7).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest tenant id and connection name, in bytes: they are part of topic keys, metric labels and paths.
pub const NAME_MAX: usize = 64;
/// Longest request id (a delivery's idempotency key) that is kept; longer ones are cut by the edge.
pub const REQUEST_ID_MAX: usize = 128;

/// Why a string is not a valid id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} must be 1 to {NAME_MAX} characters of a-z, 0-9, '-' or '_', starting with a letter or digit")]
pub struct BadName {
    /// Which kind of name was refused.
    pub kind: &'static str,
}

fn check_name(kind: &'static str, text: &str) -> Result<(), BadName> {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let first = text.as_bytes().first().copied().unwrap_or(b'-');
    if text.len() > NAME_MAX || !text.bytes().all(good) || !first.is_ascii_alphanumeric() {
        return Err(BadName { kind });
    }
    Ok(())
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

uuid_id! {
    /// A directory user: the SCIM `id` that we gave out. Opaque, never reused.
    UserId
}
uuid_id! {
    /// A directory group: the SCIM `id` that we gave out. Opaque, never reused.
    GroupId
}
uuid_id! {
    /// A record of our log (CloudEvents `id`), UUIDv7. The verdict of an event belongs to this id (DESIGN 5).
    EventId
}

macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks and takes the name.
            ///
            /// # Errors
            /// [`BadName`] when it is empty, too long or holds another character than `a-z 0-9 - _`.
            pub fn new(text: impl Into<String>) -> Result<Self, BadName> {
                let text = text.into();
                check_name($kind, &text)?;
                Ok(Self(text))
            }
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(text: String) -> Result<Self, BadName> {
                Self::new(text)
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
        impl std::str::FromStr for $name {
            type Err = BadName;
            fn from_str(text: &str) -> Result<Self, BadName> {
                Self::new(text)
            }
        }
    };
}

checked_name! {
    /// One Fluent account and the IdP connections that feed it: the unit of ordering and isolation.
    TenantId, "a tenant id"
}
checked_name! {
    /// One configured IdP of a tenant; unique within the tenant.
    ConnectionName, "a connection name"
}

/// The id that Fluent gave a user (`User.id`); a number today, kept as text because the schema says `ID`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct FluentUserId(pub String);

impl fmt::Display for FluentUserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A tenant's sequence number: the position shown to people. Counted by readers of the tenant's events from 1,
/// equal in every engine; 0 means "before the first event". Never stored inside an event (DESIGN 5).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The sequence after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// How often a resource was changed: 1 when created. The SCIM ETag is made from it; a change names the revision it
/// was made against, and the fold refuses it when that has moved.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Revision(pub u32);

impl Revision {
    /// The revision of a resource that was just created.
    pub const FIRST: Self = Self(1);

    /// The revision after one more change.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_hold_only_safe_characters() {
        assert!(TenantId::new("acme-1").is_ok());
        for bad in ["", "Acme", "a b", "../x", "-a", &"a".repeat(65)] {
            assert!(TenantId::new(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_bad_name_is_refused_while_reading_json() {
        assert!(serde_json::from_str::<ConnectionName>("\"en tra\"").is_err());
        assert_eq!(
            serde_json::from_str::<ConnectionName>("\"entra\"")
                .unwrap()
                .as_str(),
            "entra"
        );
    }
}
