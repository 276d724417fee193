//! What a request says of somebody's access, as far as its own words tell: whether it deactivates, which counts even
//! when it cannot be carried out as a whole (nobody keeps their access because the rest of a body is at fault), and
//! whether it takes something away at all. One reading of the body, by [`parse_json_within`].

use crate::json::{parse_json_within, truth};
use crate::path::{has_prefix, resolve_attribute};
use crate::schema::{ResourceKind, USER_URN};
use serde_json::{Map, Value};

/// Whether the body of a PUT says `active: false`.
#[must_use]
pub fn resource_deactivates(body: &[u8]) -> bool {
    match parse_json_within(body) {
        Ok(Value::Object(map)) => said(&map) == Some(false),
        _ => false,
    }
}

/// Whether the last word of a PATCH about `active` is false.
#[must_use]
pub fn patch_deactivates(body: &[u8]) -> bool {
    parse_json_within(body).is_ok_and(|body| last_word(&operations(&body)) == Some(false))
}

/// Whether a PATCH deactivates or removes something: an access, a role, a member. A `replace` that leaves somebody
/// out is not seen, since what it leaves out is not in it.
#[must_use]
pub fn patch_takes_away(body: &[u8]) -> bool {
    parse_json_within(body).is_ok_and(|body| {
        let operations = operations(&body);
        let removes = |operation: &&Map<String, Value>| is_op(operation, &["remove"]);
        operations.iter().any(removes) || last_word(&operations) == Some(false)
    })
}

/// The operations that are objects, in a list or alone; none when one of them says a thing twice.
pub(crate) fn operations(body: &Value) -> Vec<&Map<String, Value>> {
    let body = body.as_object().filter(|body| says_once(body, &["Operations"]));
    let list = match body.and_then(|body| member(body, "Operations")) {
        Some(Value::Array(list)) => list.as_slice(),
        Some(single) => std::slice::from_ref(single),
        None => &[],
    };
    let operations = list.iter().filter_map(Value::as_object);
    let clear = operations
        .clone()
        .all(|one| says_once(one, &["op", "path", "value"]));
    operations.filter(|_| clear).collect()
}

/// Whether none of the names is there in two spellings.
fn says_once(map: &Map<String, Value>, names: &[&str]) -> bool {
    names.iter().all(|name| {
        let spellings = map.keys().filter(|key| key.eq_ignore_ascii_case(name));
        spellings.count() <= 1
    })
}

/// The last that the operations say of `active`.
fn last_word(operations: &[&Map<String, Value>]) -> Option<bool> {
    let mut last = None;
    for operation in operations.iter().filter(|one| is_op(one, &["add", "replace"])) {
        let value = member(operation, "value");
        let path = match member(operation, "path") {
            None | Some(Value::Null) => "",
            Some(Value::String(path)) => path.trim(),
            Some(_) => continue,
        };
        let word = match path {
            "" => match value {
                Some(Value::Array(list)) => list.iter().rev().filter_map(Value::as_object).find_map(said),
                value => value.and_then(Value::as_object).and_then(said),
            },
            path if is_active(path) => value.and_then(only).and_then(truth),
            path if path.eq_ignore_ascii_case(USER_URN) => value.and_then(Value::as_object).and_then(said),
            _ => None,
        };
        last = word.or(last);
    }
    last
}

fn is_op(operation: &Map<String, Value>, words: &[&str]) -> bool {
    let op = member(operation, "op").and_then(Value::as_str);
    op.is_some_and(|op| words.iter().any(|word| word.eq_ignore_ascii_case(op.trim())))
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

/// A value, or the only one of a list; of an object its `value`.
fn only(value: &Value) -> Option<&Value> {
    let single = match value {
        Value::Array(list) => match list.as_slice() {
            [only] => only,
            _ => return None,
        },
        single => single,
    };
    match single {
        Value::Object(map) => member(map, "value"),
        leaf => Some(leaf),
    }
}

fn member<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let found = map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse_json;
    use serde_json::json;

    #[test]
    fn a_resource_deactivates_only_when_it_says_so_and_nothing_else() {
        for (body, expected) in [
            (json!({"active": false}), true),
            (json!({"Active": "False", "roles": vec!["r"; 900]}), true),
            (json!({"active": [false]}), true),
            (json!({"active": [{"$ref": null, "value": "False"}]}), true),
            (json!({"active": {"value": true}}), false),
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
            (off.clone(), true),
            (
                json!([{"op": "replace", "value": {USER_URN: {"active": false}}}]),
                true,
            ),
            (
                json!([{"op": "replace", "path": USER_URN, "value": {"active": "False"}}]),
                true,
            ),
            (
                json!([{"op": "replace", "value": [{"title": "x"}, {"active": false}]}]),
                true,
            ),
            (
                json!([{"op": "replace", "path": "active", "value": [{"value": "False"}]}]),
                true,
            ),
            (json!([{"op": "remove", "path": "active", "value": false}]), false),
            (json!([{"op": "replace", "path": "name", "value": false}]), false),
            (json!([odd]), false),
            (json!(7), false),
            (
                json!([{"op": "replace", "path": 7, "value": {"active": false}}]),
                false,
            ),
            (
                json!([off, {"op": "add", "path": "active", "value": true, "Value": false}]),
                false,
            ),
        ] {
            let body = json!({"Operations": operations}).to_string();
            assert_eq!(patch_deactivates(body.as_bytes()), expected, "{body}");
        }
        let two = json!({"Operations": [off], "operations": [on]}).to_string();
        assert!(!patch_deactivates(two.as_bytes()));
    }

    #[test]
    fn what_is_beyond_a_bound_hides_no_leaver() {
        let long = "x".repeat(crate::limits::STRING_BYTES_MAX + 1);
        let body = json!({"title": long, "active": false}).to_string();
        assert!(parse_json(body.as_bytes()).is_err() && resource_deactivates(body.as_bytes()));
        let operations = json!([{"op": "replace", "value": {"active": "False", "title": long}},
                                {"op": "add", "path": format!("title{long}"), "value": {"active": true}}]);
        let body = json!({"Operations": operations}).to_string();
        assert!(parse_json(body.as_bytes()).is_err() && patch_deactivates(body.as_bytes()));
    }

    #[test]
    fn a_patch_takes_away_when_it_deactivates_or_removes_and_rubbish_does_nothing() {
        for (operations, expected) in [
            (
                json!([{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "u-3"}]}]),
                true,
            ),
            (
                json!([{"op": "add", "path": "title", "value": "x"}, {"op": "remove", "path": "roles"}]),
                true,
            ),
            (json!({"op": "remove", "path": "members[value eq \"u\"]"}), true),
            (
                json!({"op": "replace", "value": {USER_URN: {"active": false}}}),
                true,
            ),
            (
                json!([{"op": "Replace", "path": "ACTIVE", "value": "False"}]),
                true,
            ),
            (json!([{"op": "replace", "path": "active", "value": true}]), false),
            (
                json!([{"op": "replace", "path": "inactive", "value": false}]),
                false,
            ),
            (json!([{"op": "add", "path": "members", "value": []}]), false),
            (json!([1, null, []]), false),
            (json!("remove"), false),
        ] {
            let body = json!({"operations": operations}).to_string();
            assert_eq!(patch_takes_away(body.as_bytes()), expected, "{body}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for rubbish in ["", "[]", "not json", &deep] {
            assert!(!patch_takes_away(rubbish.as_bytes()));
        }
    }
}
