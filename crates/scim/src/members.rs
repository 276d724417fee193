//! References to the members of a group.

use crate::coerce::{twice, wrong};
use crate::error::ScimError;
use crate::limits::MEMBERS_PER_REQUEST_MAX;
use crate::note::{Dialect, NoteKind, Notes};
use crate::tolerance::Quirk;
use serde_json::{Map, Value, json};
use std::collections::HashSet;

/// What a member is, when the client told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MemberKind {
    /// A user.
    User,
    /// A nested group.
    Group,
}

/// One member by its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MemberRef {
    /// The id; never empty.
    pub value: String,
    /// From `type`, or else from `$ref`.
    pub kind: Option<MemberKind>,
}

impl MemberRef {
    /// A member of unknown kind.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            kind: None,
        }
    }

    /// As an element of `members` in an answer; `base` is the URI of the SCIM root.
    #[must_use]
    pub fn to_json(&self, base: &str) -> Value {
        match self.kind {
            None => json!({"value": self.value}),
            Some(MemberKind::User) => {
                json!({"value": self.value, "type": "User", "$ref": format!("{base}/Users/{}", self.value)})
            }
            Some(MemberKind::Group) => {
                json!({"value": self.value, "type": "Group", "$ref": format!("{base}/Groups/{}", self.value)})
            }
        }
    }
}

/// Reads a member list: objects, bare ids, or a single one of them; null is an empty list.
/// The same id twice is one member.
///
/// # Errors
/// `invalidValue` for an element without an id, 413 above [`MEMBERS_PER_REQUEST_MAX`]; in strict dialect what
/// the table of tolerance says.
pub(crate) fn read_noting(
    value: &Value,
    dialect: Dialect,
    notes: &mut Notes,
) -> Result<Vec<MemberRef>, ScimError> {
    let elements = value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice);
    if !value.is_null() {
        if !value.is_array() {
            notes.allow(dialect, Quirk::MemberText, "members")?;
        }
        for element in elements {
            if let Some(quirk) = deviation(element) {
                notes.allow(dialect, quirk, "members")?;
            }
            if let Value::Object(element) = element {
                parts(element, dialect, notes)?;
            }
        }
    }
    read(value)
}

/// What a member says beside its id. `display`, which every list may have (RFC 7643 section 2.4), is passed over.
fn parts(element: &Map<String, Value>, dialect: Dialect, notes: &mut Notes) -> Result<(), ScimError> {
    let mut named = Vec::with_capacity(element.len());
    for (key, value) in element {
        let known = ["value", "type", "$ref", "display"];
        let Some(name) = known.into_iter().find(|name| key.eq_ignore_ascii_case(name)) else {
            let path = format!("members.{key}");
            notes.allow(dialect, Quirk::UnknownAttribute, &path)?;
            notes.add(NoteKind::UnknownAttribute, &path);
            continue;
        };
        if named.contains(&name) {
            return Err(twice(&format!("members.{name}")));
        }
        named.push(name);
        let is_read = match name {
            "type" => value.is_null() || value.as_str().is_some_and(|text| kind_of_name(text).is_some()),
            "$ref" => value.is_null() || value.is_string(),
            _ => true,
        };
        if !is_read {
            notes.allow(dialect, Quirk::MemberKind, &format!("members.{name}"))?;
        }
    }
    Ok(())
}

/// What a request says of one member: its id, and what it is.
pub(crate) type Said = (Option<String>, Option<MemberKind>);

/// Reads what is written to a sub-attribute of one member: an id, or what the member is, or both.
///
/// # Errors
/// `invalidValue` for what is no id; in strict dialect what the table of tolerance says.
pub(crate) fn read_part(
    sub: &str,
    value: &Value,
    dialect: Dialect,
    notes: &mut Notes,
) -> Result<Vec<Said>, ScimError> {
    let shown = format!("members.{sub}");
    let text = value.as_str();
    let read = match sub {
        "value" if text.is_none() && dialect == Dialect::Strict => {
            return Err(wrong(&shown, "must be a string"));
        }
        "value" => {
            let ids = read(value)?.into_iter();
            return Ok(ids.map(|one| (Some(one.value), None)).collect());
        }
        "type" => text.and_then(kind_of_name).map(|kind| (None, Some(kind))),
        _ => text.map(|text| (id_of_reference(text), kind_of_reference(text))),
    };
    if read.is_none() {
        notes.allow(dialect, Quirk::MemberKind, &shown)?;
    }
    Ok(read.into_iter().collect())
}

/// In what a member deviates from an object with `value`.
fn deviation(element: &Value) -> Option<Quirk> {
    match element {
        Value::Object(map) => match member(map, "value") {
            None | Some(Value::Null) => member(map, "$ref").map(|_| Quirk::ReferenceForValue),
            Some(Value::Number(_)) => Some(Quirk::ScalarForText),
            Some(_) => None,
        },
        Value::String(_) | Value::Number(_) => Some(Quirk::MemberText),
        Value::Null | Value::Bool(_) | Value::Array(_) => None,
    }
}

/// As [`read_noting`] in the tolerant dialect, leaving no trace.
pub(crate) fn read(value: &Value) -> Result<Vec<MemberRef>, ScimError> {
    let list = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) => list.as_slice(),
        single => std::slice::from_ref(single),
    };
    if list.len() > MEMBERS_PER_REQUEST_MAX {
        return Err(ScimError::too_large(format!(
            "members: more than {MEMBERS_PER_REQUEST_MAX} in one request"
        )));
    }
    let mut seen = HashSet::with_capacity(list.len());
    let mut members = Vec::with_capacity(list.len());
    for (index, element) in list.iter().enumerate() {
        let member = read_one(element)
            .ok_or_else(|| ScimError::invalid_value(format!("members[{index}] has no value")))?;
        if seen.insert(member.value.clone()) {
            members.push(member);
        }
    }
    Ok(members)
}

fn read_one(element: &Value) -> Option<MemberRef> {
    match element {
        Value::Object(map) => {
            let reference = member(map, "$ref").and_then(Value::as_str);
            let value = member(map, "value")
                .and_then(id_of)
                .or_else(|| id_of_reference(reference?))?;
            let kind = member(map, "type")
                .and_then(Value::as_str)
                .and_then(kind_of_name)
                .or_else(|| kind_of_reference(reference?));
            Some(MemberRef { value, kind })
        }
        other => Some(MemberRef::new(id_of(other)?)),
    }
}

fn member<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    map.get(name).or_else(|| {
        map.iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, v)| v)
    })
}

fn id_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim())
            .filter(|text| !text.is_empty())
            .map(str::to_owned),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The last segment of a resource's URI.
pub(crate) fn id_of_reference(reference: &str) -> Option<String> {
    let last = reference.trim_end_matches('/').rsplit('/').next()?;
    (!last.is_empty()).then(|| last.to_owned())
}

fn kind_of_name(name: &str) -> Option<MemberKind> {
    if name.eq_ignore_ascii_case("User") {
        Some(MemberKind::User)
    } else if name.eq_ignore_ascii_case("Group") {
        Some(MemberKind::Group)
    } else {
        None
    }
}

fn kind_of_reference(reference: &str) -> Option<MemberKind> {
    match reference.trim_end_matches('/').rsplit('/').nth(1)? {
        "Users" => Some(MemberKind::User),
        "Groups" => Some(MemberKind::Group),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_in_every_form_and_once() {
        let raw = json!([
            {"$ref": null, "value": "u-1"},
            "u-2",
            {"value": "g-1", "type": "group"},
            {"value": "g-2", "$ref": "https://sp.example/scim/v2/Groups/g-2"},
            {"$ref": "../Users/u-3"},
            {"Value": 7},
            {"value": "u-1", "display": "again"}
        ]);
        let found: Vec<_> = read(&raw)
            .unwrap()
            .into_iter()
            .map(|m| (m.value, m.kind))
            .collect();
        let expected = [
            ("u-1", None),
            ("u-2", None),
            ("g-1", Some(MemberKind::Group)),
            ("g-2", Some(MemberKind::Group)),
            ("u-3", Some(MemberKind::User)),
            ("7", None),
        ];
        assert_eq!(found, expected.map(|(value, kind)| (value.to_owned(), kind)));
        assert_eq!(read(&Value::Null).unwrap(), []);
    }

    #[test]
    fn an_element_without_id_is_refused_and_so_are_too_many() {
        for raw in [
            json!([{}]),
            json!([null]),
            json!([{"value": ""}]),
            json!([{"value": null}]),
            json!(true),
        ] {
            assert_eq!(read(&raw).unwrap_err().status, 400, "{raw}");
        }
        let many = Value::from(vec!["x"; MEMBERS_PER_REQUEST_MAX + 1]);
        assert_eq!(read(&many).unwrap_err().status, 413);
    }
}
