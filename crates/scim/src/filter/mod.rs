//! Filters (RFC 7644 section 3.4.2.2): read, checked against the schema, evaluated, printed.
//!
//! A [`Filter`] exists only checked: every path is one the schema knows, every operator fits its
//! attribute. What it reads beyond the RFC is told by [`Filter::tolerate`] and stands in the table of tolerance.

mod canonical;
mod compare;
mod deviations;
mod evaluate;
mod index;
mod lexer;
mod parser;
mod print;
#[cfg(test)]
mod tests;

pub(crate) use compare::{bool_of_text, instant};
pub(crate) use deviations::deviations;
pub use index::{IndexKey, Lookup, MembersUse};
pub(crate) use parser::{Scope, parse as parse_scoped};

use crate::error::ScimError;
use crate::json::weight;
use crate::path::AttrRef;
use crate::schema::ResourceKind;
use serde_json::{Map, Value};
use std::fmt;

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// `eq`
    Equal,
    /// `ne`
    NotEqual,
    /// `co`
    Contains,
    /// `sw`
    StartsWith,
    /// `ew`
    EndsWith,
    /// `gt`
    Greater,
    /// `ge`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `le`
    LessOrEqual,
}

impl CompareOp {
    /// All of them, with the word on the wire.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Equal, "eq"),
        (Self::NotEqual, "ne"),
        (Self::Contains, "co"),
        (Self::StartsWith, "sw"),
        (Self::EndsWith, "ew"),
        (Self::Greater, "gt"),
        (Self::GreaterOrEqual, "ge"),
        (Self::Less, "lt"),
        (Self::LessOrEqual, "le"),
    ];

    /// Whether it asks for an order.
    #[must_use]
    pub const fn is_ordering(self) -> bool {
        matches!(
            self,
            Self::Greater | Self::GreaterOrEqual | Self::Less | Self::LessOrEqual
        )
    }

    /// Whether it looks at a value as a whole, not at a part of its text.
    #[must_use]
    pub const fn compares_whole(self) -> bool {
        !matches!(self, Self::Contains | Self::StartsWith | Self::EndsWith)
    }
}

/// What an attribute is compared with.
#[derive(Clone, PartialEq, Eq)]
pub enum Literal {
    /// Text, quoted or (tolerated) not.
    Text(String),
    /// A number as it was written, so that an id of digits keeps every one of them.
    Number(String),
    /// `true` or `false`.
    Bool(bool),
    /// `null`: no value.
    Null,
}

/// Filter values can be personal: only their type is shown.
impl fmt::Debug for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text",
            Self::Number(_) => "Number",
            Self::Bool(_) => "Bool",
            Self::Null => "Null",
        })
    }
}

/// A checked filter. `And` and `Or` hold two parts or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// `path op literal`
    Compare(AttrRef, CompareOp, Literal),
    /// `path pr`
    Present(AttrRef),
    /// All of them.
    And(Vec<Filter>),
    /// Any of them.
    Or(Vec<Filter>),
    /// `not (…)`
    Not(Box<Filter>),
    /// `path[…]`: one element satisfies all that stands inside, whose paths are sub-attributes.
    Element(AttrRef, Box<Filter>),
}

impl Filter {
    /// Reads a filter over resources of one kind.
    ///
    /// # Errors
    /// `invalidFilter`: malformed, above a bound, an unknown attribute, or an operator that its attribute
    /// does not allow. The detail gives the character's position and no value.
    pub fn parse(kind: ResourceKind, text: &str) -> Result<Self, ScimError> {
        parser::parse(Scope::Resource(kind), text)
    }

    /// Reads a filter over resources of several kinds, as it applies to those of `kind`: an attribute that only
    /// another kind has is without value (RFC 7644 section 3.4.2.1).
    ///
    /// # Errors
    /// As [`Filter::parse`].
    pub fn parse_across(kind: ResourceKind, text: &str) -> Result<Self, ScimError> {
        parser::parse(Scope::Across(kind), text)
    }

    /// What it costs to ask a resource: bytes of text looked at, every comparison looking at all of it.
    #[must_use]
    pub fn cost(&self, attributes: &Map<String, Value>) -> usize {
        let bytes: usize = attributes.values().map(weight).sum();
        bytes.saturating_mul(self.terms())
    }

    /// Whether it asks for an attribute of which `is_meant` is true.
    #[must_use]
    pub fn asks_for(&self, is_meant: &dyn Fn(&AttrRef) -> bool) -> bool {
        match self {
            Self::Compare(path, ..) | Self::Present(path) | Self::Element(path, _) => is_meant(path),
            Self::And(parts) | Self::Or(parts) => parts.iter().any(|part| part.asks_for(is_meant)),
            Self::Not(inner) => inner.asks_for(is_meant),
        }
    }

    /// Number of comparisons.
    #[must_use]
    pub fn terms(&self) -> usize {
        match self {
            Self::Compare(..) | Self::Present(_) => 1,
            Self::And(parts) | Self::Or(parts) => parts.iter().map(Self::terms).sum(),
            Self::Not(inner) | Self::Element(_, inner) => inner.terms(),
        }
    }
}
