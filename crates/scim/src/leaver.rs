//! What a request says of somebody's access, as far as its own words tell: whether it deactivates, which counts even
//! when it cannot be carried out as a whole (nobody keeps their access because the rest of a body is at fault), and
//! whether it takes something away at all. One reading of the body, by [`parse_json_within`].

use crate::json::{parse_json_within, truth};
use crate::path::{has_prefix, may_mean_active, resolve_attribute};
use crate::schema::{ResourceKind, USER_URN};
use serde_json::{Map, Value};

/// Whether the body of a PUT says `active: false`.
#[must_use]
pub fn resource_deactivates(body: &[u8]) -> bool {
    match parse_json_within(body) {
        Ok(Value::Object(map)) => said(&map) == Word::Clear(false),
        _ => false,
    }
}

/// Whether the last word of a PATCH about `active` is false, and clearly so.
#[must_use]
pub fn patch_deactivates(body: &[u8]) -> bool {
    parse_json_within(body).is_ok_and(|body| last_word(&operations(&body)) == Word::Clear(false))
}

/// Whether a PATCH deactivates or removes something: an access, a role, a member. A `replace` that leaves somebody
/// out is not seen, since what it leaves out is not in it.
#[must_use]
pub fn patch_takes_away(body: &[u8]) -> bool {
    parse_json_within(body).is_ok_and(|body| {
        let operations = operations(&body);
        let removes = |operation: &&Map<String, Value>| is_op(operation, &["remove"]);
        operations.iter().any(removes) || last_word(&operations) == Word::Clear(false)
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

/// What is said of `active`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// Nothing, or null, which leaves it as it is.
    Silent,
    /// What it is to be.
    Clear(bool),
    /// Something that nobody can tell the meaning of.
    Unclear,
}

impl Word {
    /// Of a value of `active`.
    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Silent,
            value => only(value).and_then(truth).map_or(Self::Unclear, Self::Clear),
        }
    }

    /// Of a value under a name. What only may be meant for `active` is no word by itself, but stands against any other
    /// than false.
    fn of_named(name: &str, value: &Value) -> Self {
        if is_active(name) {
            return Self::of(value);
        }
        match Self::of(value) {
            Self::Clear(true) | Self::Unclear if may_mean_active(ResourceKind::User, name) => Self::Unclear,
            _ => Self::Silent,
        }
    }

    /// What two words say that stand side by side.
    fn beside(self, other: Self) -> Self {
        match (self, other) {
            (word, Self::Silent) | (Self::Silent, word) => word,
            (one, other) if one == other => one,
            _ => Self::Unclear,
        }
    }
}

/// The last that the operations say of `active`.
fn last_word(operations: &[&Map<String, Value>]) -> Word {
    let words = operations.iter().map(|operation| word_of(operation));
    last_spoken(words)
}

fn last_spoken(words: impl Iterator<Item = Word>) -> Word {
    words
        .filter(|word| *word != Word::Silent)
        .last()
        .unwrap_or(Word::Silent)
}

/// What one operation says of `active`: nothing clear when it speaks of it and is none that can be carried out.
fn word_of(operation: &Map<String, Value>) -> Word {
    let value = member(operation, "value");
    let is_write = is_op(operation, &["add", "replace"]);
    let path = match member(operation, "path") {
        None | Some(Value::Null) => Some(""),
        path => path.and_then(Value::as_str).map(str::trim),
    };
    let word = match (path.unwrap_or_default(), value) {
        (path, None | Some(Value::Null)) if is_active(path) && !(is_write && value.is_some()) => {
            Word::Unclear
        }
        (path, Some(Value::Array(list))) if is_whole(path) => {
            last_spoken(list.iter().filter_map(Value::as_object).map(said))
        }
        (path, Some(Value::Object(map))) if is_whole(path) => said(map),
        (path, Some(Value::Object(map))) if holds_others(path) => said_of(path, map),
        (path, Some(value)) => Word::of_named(path, value),
        (_, None) => Word::Silent,
    };
    if word == Word::Silent || (is_write && path.is_some()) {
        word
    } else {
        Word::Unclear
    }
}

/// Whether a path means the user as a whole.
fn is_whole(path: &str) -> bool {
    path.is_empty() || path.eq_ignore_ascii_case(USER_URN)
}

fn is_op(operation: &Map<String, Value>, words: &[&str]) -> bool {
    let op = member(operation, "op").and_then(Value::as_str);
    op.is_some_and(|op| words.iter().any(|word| word.eq_ignore_ascii_case(op.trim())))
}

/// What an object says of `active`: nothing clear when it says different things.
fn said(map: &Map<String, Value>) -> Word {
    let words = map.iter().map(|(key, value)| match value {
        Value::Object(inner) if holds_others(key) => said_of(key, inner),
        value => Word::of_named(key, value),
    });
    words.fold(Word::Silent, Word::beside)
}

/// What the part of an object that stands under a schema's URN or another name says of it.
fn said_of(name: &str, map: &Map<String, Value>) -> Word {
    let mark = if has_prefix(name, "urn:") { ':' } else { '.' };
    let words = map
        .iter()
        .map(|(key, value)| Word::of_named(&format!("{name}{mark}{key}"), value));
    words.fold(Word::Silent, Word::beside)
}

/// Whether an object under that name is no value of `active`.
fn holds_others(name: &str) -> bool {
    !is_active(name) && !may_mean_active(ResourceKind::User, name)
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
            (json!({"active": false, "User.active": false}), true),
            (json!({"active": false, "User.active": true}), false),
            (json!({"active": false, "/active": "maybe"}), false),
            (json!({"active": false, "custom.active": true}), true),
            (json!({"active": false, "urn:x:User": {"active": true}}), true),
            (
                json!({"active": false, "urn:ietf:params:scim:schemas:core:2.0": {"active": true}}),
                false,
            ),
            (json!({"User.active": false}), false),
            (json!({"User": {"active": false}}), false),
            (json!({"active": false, "User": {"active": true}}), false),
            (
                json!({"active": false, "User": {"active": {"value": true}}}),
                false,
            ),
            (json!({"active": false, "User.active": {"value": true}}), false),
            (json!({"active": false, "name": {"active": true}}), true),
            (json!({USER_URN: {"active": false, "ACTIVE": "maybe"}}), false),
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
        let active = |op: &str, path: &str, value: Value| json!({"op": op, "path": path, "value": value});
        for (last, expected) in [
            (active("replace", "active", json!("maybe")), false),
            (active("set", "active", json!(true)), false),
            (active("set", "active", json!(false)), false),
            (active("replace", "/active", json!(true)), false),
            (active("replace", "User.active", json!("maybe")), false),
            (json!({"op": "replace", "path": "active"}), false),
            (json!({"op": "remove", "path": "active"}), false),
            (
                json!({"op": "replace", "path": 7, "value": {"active": true}}),
                false,
            ),
            (json!({"value": {"active": true}}), false),
            (json!({"op": "replace", "value": {"active": {}}}), false),
            (
                active("replace", crate::schema::ENTERPRISE_URN, json!({"active": true})),
                false,
            ),
            (active("replace", "active", json!(null)), true),
            (active("replace", "User.active", json!(false)), true),
            (active("replace", "custom.active", json!(true)), true),
            (active("set", "title", json!("x")), true),
        ] {
            let body = json!({"Operations": [off, last]}).to_string();
            assert_eq!(patch_deactivates(body.as_bytes()), expected, "{body}");
            let body = json!({"Operations": [last, off]}).to_string();
            assert!(patch_deactivates(body.as_bytes()), "{body}");
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
