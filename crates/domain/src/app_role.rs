//! The app role grammar: `[CONTEXT_TYPE]_[CONTEXT_IDENTIFIER]_[ROLE_OR_LOGICAL_ID]`.
//!
//! Reading is purely textual here. Which split is meant when identifiers hold underscores, and whether the place and
//! the role exist, is settled against the catalog by the projector.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ContextType;

/// Longest app role in bytes; Entra allows 120 characters for a value, so this leaves ample room.
pub const APP_ROLE_MAX: usize = 512;

/// The string that an IdP assigns to a user or a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct AppRole(pub String);

impl fmt::Display for AppRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the text of an app role looks like, before any catalog is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape<'a> {
    /// Fewer than two underscores, an empty part, or too long: not of the convention (`User`, `msiam_access`).
    NotConvention,
    /// Of the convention's shape, but its first part is no known context type.
    UnknownContextType(&'a str),
    /// A known context type; `rest` is `IDENTIFIER_ROLE` and has at least one possible split.
    Scoped {
        /// The kind of context.
        kind: ContextType,
        /// All that follows the first underscore.
        rest: &'a str,
    },
}

impl AppRole {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads the shape of the text. `Agent_CHIC-01_Fulfillment_Associate` is
    /// `Scoped { Agent, "CHIC-01_Fulfillment_Associate" }`.
    #[must_use]
    pub fn shape(&self) -> Shape<'_> {
        if self.0.len() > APP_ROLE_MAX {
            return Shape::NotConvention;
        }
        let Some((kind, rest)) = self.0.split_once('_') else {
            return Shape::NotConvention;
        };
        if kind.is_empty() || splits(rest).next().is_none() {
            return Shape::NotConvention;
        }
        match ContextType::from_text(kind) {
            Some(kind) => Shape::Scoped { kind, rest },
            None => Shape::UnknownContextType(kind),
        }
    }
}

/// Every way to cut `rest` into a non-empty identifier and a non-empty role, shortest identifier first: the first
/// is the convention's own (the cut at the second underscore of the app role), the others are for identifiers that
/// hold underscores themselves.
pub fn splits(rest: &str) -> impl Iterator<Item = (&str, &str)> {
    rest.match_indices('_').filter_map(move |(at, _)| {
        let (identifier, role) = (rest.get(..at)?, rest.get(at + 1..)?);
        (!identifier.is_empty() && !role.is_empty()).then_some((identifier, role))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Shape<'static> {
        match AppRole(text.to_owned()).shape() {
            Shape::NotConvention => Shape::NotConvention,
            Shape::UnknownContextType(kind) => Shape::UnknownContextType(kind.to_owned().leak()),
            Shape::Scoped { kind, rest } => Shape::Scoped {
                kind,
                rest: rest.to_owned().leak(),
            },
        }
    }

    #[test]
    fn the_convention_is_read_at_the_first_two_underscores() {
        let rest = "CHIC-01_Fulfillment_Associate";
        assert_eq!(
            shape(&format!("Agent_{rest}")),
            Shape::Scoped {
                kind: ContextType::Agent,
                rest
            }
        );
        assert_eq!(splits(rest).next(), Some(("CHIC-01", "Fulfillment_Associate")));
        assert_eq!(splits(rest).nth(1), Some(("CHIC-01_Fulfillment", "Associate")));
    }

    #[test]
    fn the_context_type_is_matched_without_regard_to_case() {
        for text in ["AGENT_1_A", "agent_1_A", "aGeNt_1_A"] {
            assert!(
                matches!(
                    shape(text),
                    Shape::Scoped {
                        kind: ContextType::Agent,
                        ..
                    }
                ),
                "{text}"
            );
        }
    }

    #[test]
    fn strings_that_idps_send_by_default_are_no_app_roles() {
        for text in [
            "",
            "User",
            "msiam_access",
            "_",
            "__",
            "___",
            "Agent__X",
            "Agent_X_",
            "_1_X",
        ] {
            assert_eq!(shape(text), Shape::NotConvention, "{text:?}");
        }
        assert_eq!(
            shape(&format!("Agent_1_{}", "x".repeat(APP_ROLE_MAX))),
            Shape::NotConvention
        );
    }

    #[test]
    fn the_right_shape_with_another_context_type_is_named_as_such() {
        assert_eq!(shape("Store_1_Manager"), Shape::UnknownContextType("Store"));
    }
}
