//! Attribute paths (RFC 7644 figure 1), resolved against the schema without regard to case.

use crate::error::ScimError;
use crate::json::truth;
use crate::schema::{Attribute, COMMON, ResourceKind, Schema};
use serde_json::Value;
use std::fmt;

/// An attribute or sub-attribute that the schema knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttrRef {
    /// The extension it belongs to; none for core and common attributes.
    pub extension: Option<&'static Schema>,
    /// The attribute.
    pub attribute: &'static Attribute,
    /// The sub-attribute, if the path goes that far.
    pub sub: Option<&'static Attribute>,
}

impl AttrRef {
    pub(crate) const fn core(attribute: &'static Attribute) -> Self {
        Self {
            extension: None,
            attribute,
            sub: None,
        }
    }

    /// What the path ends in.
    #[must_use]
    pub fn leaf(&self) -> &'static Attribute {
        self.sub.unwrap_or(self.attribute)
    }

    /// Whether it is the core attribute `name`, or the sub-attribute `sub` of it.
    #[must_use]
    pub fn is_core(&self, name: &str, sub: Option<&str>) -> bool {
        self.extension.is_none() && self.attribute.name == name && self.sub.map(|s| s.name) == sub
    }
}

impl fmt::Display for AttrRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(extension) = self.extension {
            write!(f, "{}:", extension.id)?;
        }
        f.write_str(self.attribute.name)?;
        match self.sub {
            Some(sub) => write!(f, ".{}", sub.name),
            None => Ok(()),
        }
    }
}

/// What a name in a path or a body stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// An attribute.
    Attribute(AttrRef),
    /// The URN of the core schema itself.
    Core,
    /// The URN of an extension itself.
    Extension(&'static Schema),
}

/// Resolves `urn:…:attr.sub`, `attr.sub`, `attr` or a bare URN.
///
/// A URN holds dots and colons, so known URNs are matched whole rather than split. A name without a URN
/// that no core attribute has is looked for in the extensions: identity providers send `manager` so.
pub(crate) fn resolve(kind: ResourceKind, text: &str) -> Option<Named> {
    let text = text.trim();
    if !has_prefix(text, "urn:") {
        return resolve_bare(kind, text).map(Named::Attribute);
    }
    if let Some(rest) = after_urn(text, kind.schema().id) {
        return match rest {
            None => Some(Named::Core),
            Some(rest) => in_core(kind, rest).map(Named::Attribute),
        };
    }
    kind.extensions().iter().copied().find_map(|schema| {
        Some(match after_urn(text, schema.id)? {
            None => Named::Extension(schema),
            Some(rest) => Named::Attribute(in_extension(schema, rest)?),
        })
    })
}

/// Resolves a path that must name an attribute.
pub(crate) fn resolve_attribute(kind: ResourceKind, text: &str) -> Option<AttrRef> {
    match resolve(kind, text)? {
        Named::Attribute(found) => Some(found),
        Named::Core | Named::Extension(_) => None,
    }
}

fn resolve_bare(kind: ResourceKind, text: &str) -> Option<AttrRef> {
    in_core(kind, text).or_else(|| {
        kind.extensions()
            .iter()
            .find_map(|schema| in_extension(schema, text))
    })
}

fn in_core(kind: ResourceKind, text: &str) -> Option<AttrRef> {
    let (name, sub) = split(text);
    let common = COMMON
        .iter()
        .find(|attribute| attribute.name.eq_ignore_ascii_case(name));
    with_sub(None, common.or_else(|| kind.schema().attribute(name))?, sub)
}

fn in_extension(schema: &'static Schema, text: &str) -> Option<AttrRef> {
    let (name, sub) = split(text);
    with_sub(Some(schema), schema.attribute(name)?, sub)
}

fn with_sub(
    extension: Option<&'static Schema>,
    attribute: &'static Attribute,
    sub: Option<&str>,
) -> Option<AttrRef> {
    let sub = match sub {
        None => None,
        Some(name) => Some(sub_attribute(attribute, name)?),
    };
    Some(AttrRef {
        extension,
        attribute,
        sub,
    })
}

/// The sub-attribute, with the alias that identity providers use in roles.
pub(crate) fn sub_attribute(attribute: &Attribute, name: &str) -> Option<&'static Attribute> {
    attribute.sub(name).or_else(|| {
        (attribute.holds_roles && name.eq_ignore_ascii_case("displayName"))
            .then(|| attribute.sub("display"))?
    })
}

fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once('.') {
        Some((name, sub)) => (name, Some(sub)),
        None => (text, None),
    }
}

/// `None` when `text` does not begin with the URN; else what stands behind the colon after it, if anything.
fn after_urn<'a>(text: &'a str, urn: &str) -> Option<Option<&'a str>> {
    if !has_prefix(text, urn) {
        return None;
    }
    match text.get(urn.len()..)? {
        "" => Some(None),
        rest => rest.strip_prefix(':').map(Some),
    }
}

/// Whether a text has the form of an attribute path (RFC 7644 figure 1) or of a schema's URN, whatever it names. Blanks
/// around it do not count.
pub(crate) fn is_attribute_path(text: &str) -> bool {
    let text = text.trim();
    if text.contains(':') {
        return !text
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || "\"()[]{},".contains(c));
    }
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let (name, sub) = split(text);
    is_name(name) && sub.is_none_or(|sub| is_name(sub.strip_prefix('$').unwrap_or(sub)))
}

/// An attribute path whose value filter is left out; none for what has no filter or is no path without it either.
pub(crate) fn without_filter(text: &str) -> Option<String> {
    let (head, rest) = text.trim().split_once('[')?;
    let (_, tail) = rest.rsplit_once(']')?;
    let is_tail = tail.is_empty() || tail.starts_with('.');
    let name = format!("{head}{tail}");
    (is_tail && is_attribute_path(&name)).then_some(name)
}

/// What may stand around a user's `active` for a client that means it.
const AROUND_ACTIVE: [&str; 8] = [
    "user",
    "users",
    "core",
    "resource",
    "attributes",
    "account",
    "profile",
    "value",
];
/// What the URNs of core schemas begin with, known ones and others.
const CORE_URNS: &str = "urn:ietf:params:scim:schemas:core:";

/// Whether a name that is none of a user's attributes may be meant for `active` (`User.active`, `$.active`,
/// `active.value`, `URN:User.active`). An attribute that has something else before that word is another one
/// (`custom.active`), and so is one of a schema that is neither a core one nor offered here.
pub(crate) fn may_mean_active(kind: ResourceKind, text: &str) -> bool {
    let (head, rest) = text.split_once('[').unwrap_or((text, ""));
    let tail = rest.rsplit_once(']').map_or("", |(_, tail)| tail);
    let head = head.trim();
    let name = if has_prefix(head, "urn:") {
        let is_ours = |schema: &&Schema| has_prefix(head, schema.id);
        if !has_prefix(head, CORE_URNS) && !kind.extensions().iter().any(is_ours) {
            return false;
        }
        head.rsplit(':').next().unwrap_or_default()
    } else {
        head
    };
    let is_of_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let words = [name, tail]
        .into_iter()
        .flat_map(|part| part.split(|c| !is_of_word(c)));
    let is_around = |word: &str| {
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        is_number || AROUND_ACTIVE.iter().any(|known| known.eq_ignore_ascii_case(word))
    };
    let mut words = words.filter(|word| !is_around(word));
    kind == ResourceKind::User
        && words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("active"))
}

/// Refuses a name that [may mean](may_mean_active) `active`, by itself or with one inside its value, where it may say
/// false: left out, it would keep a leaver at work, and nobody would see it. Without a value nobody can tell.
pub(crate) fn refuse_what_may_mean_active(
    kind: ResourceKind,
    name: &str,
    value: Option<&Value>,
) -> Result<(), ScimError> {
    let inner = value.and_then(Value::as_object).into_iter().flatten();
    let mut inside = inner.filter(|(key, value)| {
        let path = format!("{name}.{key}");
        may_mean_active(kind, &path) && may_say_false(value)
    });
    let by_itself = may_mean_active(kind, name) && value.is_none_or(may_say_false);
    if by_itself || inside.next().is_some() {
        return Err(ScimError::invalid_path(
            "a name is not that of active, which may be meant",
        ));
    }
    Ok(())
}

/// Whether it is false, or a text that reads as that, or holds one.
fn may_say_false(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.iter().any(may_say_false),
        Value::Object(map) => map.values().any(may_say_false),
        leaf => truth(leaf) == Some(false),
    }
}

/// Whether `text` begins with `prefix`, whatever the case of ASCII letters.
pub(crate) fn has_prefix(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shown(kind: ResourceKind, text: &str) -> Option<String> {
        resolve_attribute(kind, text).map(|found| found.to_string())
    }

    #[test]
    fn names_are_found_in_any_case_with_and_without_urn() {
        let user = ResourceKind::User;
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        for (text, canonical) in [
            ("USERNAME", "userName".to_owned()),
            ("Name.FamilyName", "name.familyName".to_owned()),
            (
                "urn:ietf:params:scim:schemas:core:2.0:user:Emails.Value",
                "emails.value".to_owned(),
            ),
            ("meta.lastmodified", "meta.lastModified".to_owned()),
            ("manager", format!("{enterprise}:manager")),
            (
                "URN:IETF:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
                { format!("{enterprise}:manager.value") },
            ),
            ("roles.displayName", "roles.display".to_owned()),
        ] {
            assert_eq!(shown(user, text), Some(canonical), "{text}");
        }
    }

    #[test]
    fn an_attribute_path_is_told_by_its_form() {
        for text in [
            "userName",
            " name.givenName ",
            "members.$ref",
            "x-y_1",
            crate::schema::USER_URN,
            "urn:ietf:params:scim:schemas:core:2.0:User:name.givenName",
        ] {
            assert!(is_attribute_path(text), "{text}");
        }
        for text in [
            "",
            " ",
            "emails[type eq \"work\"]",
            "urn:ietf:params:scim:schemas:core:2.0:User:emails[type eq \"work\"]",
            "a b",
            "a.b.c",
            "1a",
            "a.",
            ".a",
            "*",
            "$ref",
            "userName,emails",
        ] {
            assert!(!is_attribute_path(text), "{text}");
        }
        for (text, bare) in [
            ("emails[type eq \"work\"]", Some("emails")),
            ("emails[type eq \"work\"].value ", Some("emails.value")),
            ("emails[type eq \"]\"]", Some("emails")),
            ("emails", None),
            ("emails[type", None),
            ("emails[]x", None),
            ("[].value", None),
            ("a.b[c pr].d", None),
        ] {
            assert_eq!(without_filter(text).as_deref(), bare, "{text}");
        }
    }

    #[test]
    fn unknown_names_are_not_found() {
        for text in [
            "",
            "nothing",
            "name.nothing",
            "name.givenName.x",
            "urn:x:userName",
            "userName.x",
            "é.ü",
        ] {
            assert_eq!(shown(ResourceKind::User, text), None, "{text}");
        }
        assert_eq!(shown(ResourceKind::Group, "userName"), None);
    }

    #[test]
    fn a_bare_urn_stands_for_its_schema() {
        assert_eq!(
            resolve(ResourceKind::User, crate::schema::USER_URN),
            Some(Named::Core)
        );
        assert!(matches!(
            resolve(ResourceKind::Group, crate::schema::GROUP_ROLES_URN),
            Some(Named::Extension(_))
        ));
    }
}
