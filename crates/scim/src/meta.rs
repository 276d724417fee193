//! `meta` (RFC 7643 section 3.1) and entity tags (RFC 7644 section 3.14).

use crate::limits::ENTITY_TAGS_MAX;
use crate::schema::ResourceKind;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fmt;

/// The version of a resource: a weak entity tag made of its revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntityTag(pub u64);

impl fmt::Display for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "W/\"{}\"", self.0)
    }
}

/// Address of a resource. `base` is the URI of the SCIM root, without a slash at its end.
#[must_use]
pub fn location(kind: ResourceKind, base: &str, id: &str) -> String {
    format!("{base}{}/{id}", kind.endpoint())
}

/// The `meta` object of a resource. Times are shown in UTC with milliseconds.
#[must_use]
pub fn meta(
    kind: ResourceKind,
    base: &str,
    id: &str,
    created: Timestamp,
    last_modified: Timestamp,
    version: EntityTag,
) -> Value {
    json!({
        "resourceType": kind.name(),
        "created": format!("{created:.3}"),
        "lastModified": format!("{last_modified:.3}"),
        "location": location(kind, base, id),
        "version": version.to_string(),
    })
}

/// The content of `If-Match` or `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// `*`: any version.
    Any,
    /// One of these; tags that are none of ours are left out and so match nothing.
    Tags(Vec<EntityTag>),
}

impl Precondition {
    /// Reads the header's value. Comparison is weak (RFC 9110 section 8.8.3.2). Tags beyond
    /// [`ENTITY_TAGS_MAX`] are not looked at.
    #[must_use]
    pub fn parse(header: &str) -> Self {
        if header.trim() == "*" {
            return Self::Any;
        }
        let tag = |text: &str| {
            let text = text.trim();
            let text = text.strip_prefix("W/").unwrap_or(text);
            text.strip_prefix('"')?
                .strip_suffix('"')?
                .parse()
                .ok()
                .map(EntityTag)
        };
        Self::Tags(header.split(',').take(ENTITY_TAGS_MAX).filter_map(tag).collect())
    }

    /// Whether an existing resource at that version is meant.
    #[must_use]
    pub fn matches(&self, version: EntityTag) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.contains(&version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_matches_itself_weak_or_strong_and_nothing_else() {
        let tag = EntityTag(12);
        assert_eq!(tag.to_string(), "W/\"12\"");
        for header in ["W/\"12\"", "\"12\"", "*", "\"1\", W/\"12\""] {
            assert!(Precondition::parse(header).matches(tag), "{header}");
        }
        for header in ["", "12", "\"13\"", "\"abc\"", "W/\"1\"2\""] {
            assert!(!Precondition::parse(header).matches(tag), "{header}");
        }
    }

    #[test]
    fn meta_shows_utc_with_milliseconds() {
        let time = Timestamp::UNIX_EPOCH;
        let shown = meta(ResourceKind::Group, "https://x/v2", "g", time, time, EntityTag(1));
        assert_eq!(
            shown.get("created").and_then(Value::as_str),
            Some("1970-01-01T00:00:00.000Z")
        );
        assert_eq!(
            shown.get("location").and_then(Value::as_str),
            Some("https://x/v2/Groups/g")
        );
    }
}
