//! Who is to leave a group by the words of a PATCH that cannot be carried out as a whole: see [`crate::leaver`], which
//! is the same for a user.

use crate::json::parse_json_within;
use crate::leaver::operations;
use crate::members::MemberRef;
use crate::note::Dialect;
use crate::patch::{NetMembers, PATCH_OP_SCHEMA, Patch, read_patch};
use crate::schema::ResourceKind;
use serde_json::{Map, Value, json};
use std::collections::HashSet;

/// The members that the PATCH of a group removes by operations that can be read, one by one. Whoever is named by
/// another operation, as a new member or in words that nobody can read, is not among them; nor is anybody whom a list
/// that replaces others leaves out. Nobody when the body, or one of its operations, says a thing twice.
#[must_use]
pub fn patch_removes_members(body: &[u8]) -> Vec<MemberRef> {
    let Ok(body) = parse_json_within(body) else {
        return Vec::new();
    };
    let (mut removed, mut others) = (Vec::new(), HashSet::new());
    for operation in operations(&body) {
        let read = alone(operation);
        match read.map(|patch| patch.members.net()) {
            Some(NetMembers::Difference { add, remove }) if add.is_empty() => removed.extend(remove),
            _ => named(operation, &mut others),
        }
    }
    let mut met = HashSet::new();
    removed.retain(|member| !others.contains(member.value.as_str()) && met.insert(member.value.clone()));
    removed
}

/// The operation as if it were the only one.
fn alone(operation: &Map<String, Value>) -> Option<Patch> {
    let body = json!({"schemas": [PATCH_OP_SCHEMA], "Operations": [operation]});
    read_patch(ResourceKind::Group, Dialect::Tolerant, &body).ok()
}

/// Every word of an operation that may be an id, wherever it stands: paths and names hold some, too.
fn named<'v>(map: &'v Map<String, Value>, words: &mut HashSet<&'v str>) {
    for (key, value) in map {
        split(key, words);
        named_in(value, words);
    }
}

fn named_in<'v>(value: &'v Value, words: &mut HashSet<&'v str>) {
    match value {
        Value::String(text) => split(text, words),
        Value::Array(list) => list.iter().for_each(|value| named_in(value, words)),
        Value::Object(map) => named(map, words),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn split<'v>(text: &'v str, words: &mut HashSet<&'v str>) {
    words.insert(text);
    words.extend(text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::STRING_BYTES_MAX;

    fn removed(operations: Value) -> Vec<String> {
        let body = json!({"Operations": operations}).to_string();
        let removed = patch_removes_members(body.as_bytes()).into_iter();
        removed.map(|member| member.value).collect()
    }

    #[test]
    fn whoever_is_removed_by_an_operation_that_can_be_read_goes_whatever_the_others_say() {
        let remove = json!({"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "a"}]});
        let by_filter = json!({"op": "remove", "path": "members[value eq \"b\"]"});
        let long = "x".repeat(STRING_BYTES_MAX + 1);
        for other in [
            json!({"op": "replace", "path": "displayName", "value": {}}),
            json!({"op": "Update", "path": "displayName", "value": "n"}),
            json!({"op": "replace", "path": "/displayName", "value": "n"}),
            json!({"op": "remove", "path": "members[display eq \"x\"]"}),
            json!({"op": "replace", "path": "displayName", "value": long}),
            json!({"op": "add", "path": "members", "value": [{"value": "c"}]}),
            json!({"op": "replace", "path": "members", "value": [{"value": "c"}]}),
            json!({"op": "remove", "path": "members"}),
        ] {
            let both = removed(json!([remove, other, by_filter, remove]));
            assert_eq!(both, ["a", "b"], "{other}");
        }
    }

    #[test]
    fn whoever_is_named_elsewhere_or_by_nobody_stays() {
        let remove = json!({"op": "remove", "path": "members", "value": [{"value": "a"}]});
        for other in [
            json!({"op": "add", "path": "members", "value": [{"value": "a"}]}),
            json!({"op": "replace", "path": "members", "value": [{"value": "a"}, {"value": "b"}]}),
            json!({"op": "Update", "path": "members", "value": ["a"]}),
            json!({"op": "Update", "path": "members[value eq \"a\"]"}),
            json!({"op": "add", "value": {"members[value eq \"a\"]": {}, "x": 7}}),
            json!({"op": "remove", "path": "members", "value": [], "Value": [{"value": "b"}]}),
        ] {
            for operations in [json!([remove, other]), json!([other, remove])] {
                assert!(removed(operations).is_empty(), "{other}");
            }
        }
        for rubbish in ["", "[]", "{", "{\"Operations\": 7}", "{\"Operations\": [1]}"] {
            assert!(patch_removes_members(rubbish.as_bytes()).is_empty());
        }
    }
}
