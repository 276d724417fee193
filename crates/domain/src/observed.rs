//! What Fluent was last seen to hold for a user.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{FluentUserId, Grant};

/// A Fluent user as read. Personal: not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ObservedUser {
    /// Fluent's id.
    pub id: FluentUserId,
    /// The login name; cannot be changed (fluent.md 0.5).
    pub username: String,
    /// ACTIVE, INACTIVE or another word.
    pub status: FluentStatus,
    /// `firstName`, empty when null.
    pub first_name: String,
    /// `lastName`, empty when null.
    pub last_name: String,
    /// `primaryEmail`, empty when null.
    pub primary_email: String,
    /// Every (role, context) pair.
    pub grants: BTreeSet<Grant>,
}

impl fmt::Debug for ObservedUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedUser")
            .field("id", &self.id)
            .field("status", &self.status)
            .field("grants", &self.grants)
            .finish_non_exhaustive()
    }
}

/// The status of a Fluent user: a free string to the API, of which two values have a meaning (fluent.md 3.7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "String", into = "String")]
#[schemars(with = "String")]
pub enum FluentStatus {
    /// Usable.
    Active,
    /// Not usable.
    Inactive,
    /// Any other word, such as CREATED; to be made ACTIVE when the user should be usable.
    Other(String),
}

impl From<String> for FluentStatus {
    fn from(text: String) -> Self {
        match text.as_str() {
            "ACTIVE" => Self::Active,
            "INACTIVE" => Self::Inactive,
            _ => Self::Other(text),
        }
    }
}

impl From<FluentStatus> for String {
    fn from(status: FluentStatus) -> Self {
        match status {
            FluentStatus::Active => "ACTIVE".to_owned(),
            FluentStatus::Inactive => "INACTIVE".to_owned(),
            FluentStatus::Other(text) => text,
        }
    }
}

impl fmt::Display for FluentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Active => f.write_str("ACTIVE"),
            Self::Inactive => f.write_str("INACTIVE"),
            Self::Other(text) => f.write_str(text),
        }
    }
}
