//! Whether a request that cannot be carried out as a whole still says one thing clearly: this person is to be
//! deactivated. Nobody keeps their access because the rest of a body is at fault.

use crate::json::{parse_json, truth};
use crate::path::{has_prefix, resolve_attribute};
use crate::schema::{ResourceKind, USER_URN};
use serde_json::{Map, Value};

/// Whether the body of a PUT says `active: false`.
#[must_use]
pub fn resource_deactivates(body: &[u8]) -> bool {
    match parse_json(body) {
        Ok(Value::Object(map)) => said(&map) == Some(false),
        _ => false,
    }
}

/// Whether the last word of a PATCH about `active` is false.
#[must_use]
pub fn patch_deactivates(body: &[u8]) -> bool {
    let Ok(Value::Object(body)) = parse_json(body) else {
        return false;
    };
    let operations = match member(&body, "Operations") {
        Some(Value::Array(list)) => list.as_slice(),
        Some(single) => std::slice::from_ref(single),
        None => return false,
    };
    let mut last = None;
    for operation in operations.iter().filter_map(Value::as_object) {
        let op = member(operation, "op")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let writes = ["add", "replace"]
            .iter()
            .any(|word| word.eq_ignore_ascii_case(op.trim()));
        let value = member(operation, "value");
        let word = match member(operation, "path").and_then(Value::as_str).map(str::trim) {
            _ if !writes => None,
            None | Some("") => value.and_then(Value::as_object).and_then(said),
            Some(path) if is_active(path) => value.and_then(only).and_then(truth),
            Some(_) => None,
        };
        last = word.or(last);
    }
    last == Some(false)
}

/// What an object says of `active`: nothing when it says different things.
fn said(map: &Map<String, Value>) -> Option<bool> {
    let direct = map
        .iter()
        .filter(|(key, _)| is_active(key))
        .map(|(_, value)| value);
    let core = map.iter().filter(|(key, _)| key.eq_ignore_ascii_case(USER_URN));
    let nested = core.filter_map(|(_, value)| value.as_object()).flat_map(|inner| {
        inner
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case("active"))
            .map(|(_, value)| value)
    });
    let mut words = direct.chain(nested).map(|value| only(value).and_then(truth));
    let first = words.next()??;
    words.all(|word| word == Some(first)).then_some(first)
}

fn is_active(path: &str) -> bool {
    let path = path.trim();
    (path.eq_ignore_ascii_case("active") || has_prefix(path, "urn:"))
        && resolve_attribute(ResourceKind::User, path).is_some_and(|found| found.is_core("active", None))
}

/// A value, or the only one of a list.
fn only(value: &Value) -> Option<&Value> {
    match value {
        Value::Array(list) => match list.as_slice() {
            [only] => Some(only),
            _ => None,
        },
        single => Some(single),
    }
}

fn member<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let found = map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_resource_deactivates_only_when_it_says_so_and_nothing_else() {
        for (body, expected) in [
            (json!({"active": false}), true),
            (json!({"Active": "False", "roles": vec!["r"; 900]}), true),
            (json!({"active": [false]}), true),
            (
                json!({"urn:ietf:params:scim:schemas:core:2.0:User:active": false}),
                true,
            ),
            (json!({USER_URN: {"active": false}}), true),
            (json!({"active": true}), false),
            (json!({"active": false, "ACTIVE": true}), false),
            (json!({"active": null}), false),
            (json!({"active": "no"}), false),
            (json!({"name": {"active": false}}), false),
            (json!([false]), false),
            (json!({}), false),
        ] {
            assert_eq!(
                resource_deactivates(body.to_string().as_bytes()),
                expected,
                "{body}"
            );
        }
        assert!(!resource_deactivates(b"{\"active\":false"));
    }

    #[test]
    fn a_patch_deactivates_when_its_last_word_is_that() {
        let off = json!({"op": "Replace", "path": "active", "value": "False"});
        let on = json!({"op": "add", "value": {"active": true}});
        let odd = json!({"op": "replace", "path": "roles[", "value": 1});
        for (operations, expected) in [
            (json!([off]), true),
            (json!([odd, off, odd]), true),
            (json!([on, off]), true),
            (json!([off, on]), false),
            (json!([{"op": "replace", "value": {"active": false}}]), true),
            (json!([{"op": "remove", "path": "active", "value": false}]), false),
            (json!([{"op": "replace", "path": "name", "value": false}]), false),
            (json!([odd]), false),
            (json!(7), false),
        ] {
            let body = json!({"Operations": operations}).to_string();
            assert_eq!(patch_deactivates(body.as_bytes()), expected, "{body}");
        }
    }
}
