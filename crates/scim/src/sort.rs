//! Sorting (RFC 7644 section 3.4.2.3).

use crate::error::{ScimError, printable};
use crate::filter::instant;
use crate::path::{AttrRef, is_attribute_path, resolve_attribute};
use crate::schema::{AttributeType, ResourceKind};
use serde_json::{Map, Value};
use std::cmp::Ordering;
use std::fmt;

/// What a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortBy {
    /// None for a resource type that does not have the attribute: all its resources are without value.
    path: Option<AttrRef>,
    descending: bool,
}

/// What one resource is sorted by, in the form in which two are compared. Its order is the ascending one: a
/// resource without value comes last.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortKey {
    /// A boolean; false first.
    Truth(bool),
    /// A point in time, in nanoseconds.
    Time(i128),
    /// Text by Unicode code points, folded unless the attribute is case-exact.
    Text(Box<str>),
    /// No value.
    Missing,
}

/// Personal: only the type is shown.
impl fmt::Debug for SortKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truth(_) => "Truth",
            Self::Time(_) => "Time",
            Self::Text(_) => "Text",
            Self::Missing => "Missing",
        })
    }
}

impl SortKey {
    /// Bytes that it keeps in memory beside itself.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Truth(_) | Self::Time(_) | Self::Missing => 0,
        }
    }
}

impl SortBy {
    /// Reads `sortBy` for an endpoint that lists `kinds`, as it applies to resources of `kind`, which is one of
    /// them.
    ///
    /// # Errors
    /// `invalidValue` when it is no attribute path, none of the kinds has the attribute, or it is one that has no
    /// order: a complex one without `value`, or a group's members.
    pub fn parse(
        kinds: &[ResourceKind],
        kind: ResourceKind,
        text: &str,
        descending: bool,
    ) -> Result<Self, ScimError> {
        if !is_attribute_path(text) {
            return Err(ScimError::invalid_value("sortBy is no attribute path"));
        }
        let name = text.trim();
        let known = |kind: ResourceKind| resolve_attribute(kind, name);
        if !kinds.iter().any(|kind| known(*kind).is_some()) {
            return Err(ScimError::invalid_value(format!(
                "sortBy names {}, which no schema here has",
                printable(name)
            )));
        }
        let Some(path) = known(kind) else {
            return Ok(Self {
                path: None,
                descending,
            });
        };
        let path = comparable(path).filter(|path| !path.is_core("members", path.sub.map(|sub| sub.name)));
        let Some(path) = path else {
            return Err(ScimError::invalid_value(format!(
                "sortBy names {}, which has no order; name a sub-attribute",
                printable(name)
            )));
        };
        Ok(Self {
            path: Some(path),
            descending,
        })
    }

    /// What a normalised resource is sorted by: of a list its primary value, else its first.
    #[must_use]
    pub fn key(&self, attributes: &Map<String, Value>) -> SortKey {
        let Some(path) = &self.path else {
            return SortKey::Missing;
        };
        let container = match path.extension {
            None => Some(attributes),
            Some(extension) => attributes.get(extension.id).and_then(Value::as_object),
        };
        let found = container.and_then(|container| container.get(path.attribute.name));
        let found = match found {
            Some(Value::Array(list)) => {
                let is_primary = |element: &&Value| element.get("primary") == Some(&Value::Bool(true));
                list.iter().find(is_primary).or_else(|| list.first())
            }
            other => other,
        };
        let value = match path.sub {
            None => found,
            Some(sub) => found.and_then(|value| value.get(sub.name)),
        };
        let leaf = path.leaf();
        match (leaf.kind, value) {
            (_, Some(Value::Bool(truth))) => SortKey::Truth(*truth),
            (AttributeType::DateTime, Some(Value::String(text))) => match instant(text) {
                Some(time) => SortKey::Time(time.as_nanosecond()),
                None => SortKey::Missing,
            },
            (_, Some(Value::String(text))) if leaf.case_exact => SortKey::Text(text.as_str().into()),
            (_, Some(Value::String(text))) => SortKey::Text(text.to_lowercase().into()),
            _ => SortKey::Missing,
        }
    }

    /// Which of two resources comes first. Equal keys keep the order in which the resources came.
    #[must_use]
    pub fn compare(&self, left: &SortKey, right: &SortKey) -> Ordering {
        if self.descending {
            right.cmp(left)
        } else {
            left.cmp(right)
        }
    }
}

/// A complex attribute is sorted by its `value`.
fn comparable(path: AttrRef) -> Option<AttrRef> {
    if path.leaf().kind != AttributeType::Complex {
        return Some(path);
    }
    let value = path.attribute.value_sub()?;
    Some(AttrRef {
        sub: Some(value),
        ..path
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const USERS: &[ResourceKind] = &[ResourceKind::User];

    fn sorted(by: &str, descending: bool, resources: &[Value]) -> Vec<usize> {
        let by = SortBy::parse(USERS, ResourceKind::User, by, descending).unwrap();
        let keys: Vec<SortKey> = resources.iter().map(|r| by.key(r.as_object().unwrap())).collect();
        let mut places: Vec<usize> = (0..resources.len()).collect();
        places.sort_by(|a, b| by.compare(&keys[*a], &keys[*b]));
        places
    }

    /// RFC 7644 section 3.4.2.3: by type, without regard to case unless case-exact, no value last.
    #[test]
    fn resources_are_sorted_by_the_attributes_type_and_those_without_value_come_last() {
        let resources = [
            json!({"userName": "bo", "externalId": "b", "meta": {"created": "2026-01-01T00:00:00.5Z"}}),
            json!({"userName": "Ada", "externalId": "a"}),
            json!({"userName": "ada", "externalId": "B", "active": true,
                   "meta": {"created": "2026-01-01T01:00:00+01:00"}}),
            json!({"userName": "Çelik", "active": false}),
        ];
        for (by, up, down) in [
            ("userName", [1, 2, 0, 3], [3, 0, 1, 2]),
            ("USERNAME", [1, 2, 0, 3], [3, 0, 1, 2]),
            ("externalId", [2, 1, 0, 3], [3, 0, 1, 2]),
            ("active", [3, 2, 0, 1], [0, 1, 2, 3]),
            ("meta.created", [2, 0, 1, 3], [1, 3, 0, 2]),
            ("title", [0, 1, 2, 3], [0, 1, 2, 3]),
        ] {
            assert_eq!(sorted(by, false, &resources), up, "{by} ascending");
            assert_eq!(sorted(by, true, &resources), down, "{by} descending");
        }
    }

    /// RFC 7644 section 3.4.2.3: of a multi-valued attribute the primary value counts, else the first.
    #[test]
    fn of_a_list_the_primary_value_counts_or_else_the_first() {
        let resources = [
            json!({"emails": [{"value": "a"}, {"value": "z", "primary": true}]}),
            json!({"emails": [{"value": "m"}, {"value": "b"}]}),
            json!({"emails": [{"type": "work"}]}),
        ];
        for by in ["emails", "emails.value"] {
            assert_eq!(sorted(by, false, &resources), [1, 0, 2], "{by}");
        }
        let manager = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";
        let urn = crate::schema::ENTERPRISE_URN;
        let resources = [
            json!({}),
            json!({urn: {"manager": {"value": "b"}}}),
            json!({urn: {"manager": {"value": "a"}}}),
        ];
        assert_eq!(sorted(manager, false, &resources), [2, 1, 0]);
    }

    #[test]
    fn what_has_no_order_or_no_schema_is_refused() {
        let kinds = &[ResourceKind::Group];
        for text in [
            "nothing",
            "",
            "userName",
            "members",
            "members.value",
            "meta",
            "displayName[value eq \"x\"]",
        ] {
            let error = SortBy::parse(kinds, ResourceKind::Group, text, false).unwrap_err();
            assert_eq!(
                error.scim_type,
                Some(crate::error::ScimType::InvalidValue),
                "{text}"
            );
        }
        // Where both kinds are listed, one that lacks the attribute has no value.
        let by = SortBy::parse(&ResourceKind::ALL, ResourceKind::Group, "userName", false).unwrap();
        assert_eq!(by.key(&Map::new()), SortKey::Missing);
    }

    proptest! {
        /// Against an order written out pair by pair.
        #[test]
        fn text_is_ordered_as_its_folded_characters_are(
            left in any::<Option<String>>(),
            right in any::<Option<String>>(),
        ) {
            let by = SortBy::parse(USERS, ResourceKind::User, "title", false).unwrap();
            let of = |text: &Option<String>| {
                let map: Map<String, Value> = text.iter().map(|t| ("title".to_owned(), json!(t))).collect();
                by.key(&map)
            };
            let expected = match (&left, &right) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(l), Some(r)) => {
                    let folded = |t: &str| t.to_lowercase().chars().collect::<Vec<char>>();
                    folded(l).cmp(&folded(r))
                }
            };
            prop_assert_eq!(by.compare(&of(&left), &of(&right)), expected);
        }
    }
}
