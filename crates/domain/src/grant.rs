//! Fluent's roles and contexts: the smallest thing that is added or removed is a grant.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The context types seen in Fluent (fluent.md 4.2); no other is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ContextType {
    /// The whole account; its id is always `0`.
    Account,
    /// One retailer.
    Retailer,
    /// One location (a store or a warehouse).
    Agent,
}

impl ContextType {
    /// All of them, widest first.
    pub const ALL: [Self; 3] = [Self::Account, Self::Retailer, Self::Agent];

    /// Fluent's spelling (`ACCOUNT`, `RETAILER`, `AGENT`).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "ACCOUNT",
            Self::Retailer => "RETAILER",
            Self::Agent => "AGENT",
        }
    }

    /// Reads the type without regard to case; `None` for any other word.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for ContextType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a role holds: a context type and Fluent's platform id of the place (not its `ref`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Context {
    /// The kind of place.
    #[serde(rename = "type")]
    pub kind: ContextType,
    /// The platform id, numeric today, sent as text.
    pub id: String,
}

impl Context {
    /// The account-wide context.
    #[must_use]
    pub fn account() -> Self {
        Self {
            kind: ContextType::Account,
            id: "0".to_owned(),
        }
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.id)
    }
}

/// The name of a role in Fluent (`Role.name`), compared exactly.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RoleName(pub String);

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One role in one context. Fluent removes and we own exactly such pairs (fluent.md 3.5).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Grant {
    /// The role's name.
    pub role: RoleName,
    /// Where it holds.
    pub context: Context,
}

impl Grant {
    /// A grant from its parts.
    #[must_use]
    pub fn new(role: impl Into<String>, kind: ContextType, id: impl Into<String>) -> Self {
        Self {
            role: RoleName(role.into()),
            context: Context { kind, id: id.into() },
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.role, self.context)
    }
}
