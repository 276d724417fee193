//! Whether a request takes access away, as far as its method and a small body tell. Pure.
//!
//! Asked only when a tenant is beyond its rate; a wrong answer costs an order, never correctness. Recognised are
//! the ways in which identity providers end things: DELETE, `active` set to false by PATCH or PUT, and `remove`
//! operations (memberships and roles). A PUT or `replace members` that leaves somebody out is not: it comes again
//! after its `Retry-After`.

use http::Method;
use serde_json::{Map, Value};

/// Whether the request takes access away. `body` is parsed once, within the parser's bound on nesting.
pub(super) fn takes_away(method: &Method, body: &[u8]) -> bool {
    match *method {
        Method::DELETE => true,
        Method::PUT => parsed(body).is_some_and(|user| switches_off(&user)),
        Method::PATCH => parsed(body).is_some_and(|patch| {
            let operations = member(&patch, "operations").and_then(Value::as_array);
            operations.is_some_and(|operations| operations.iter().any(ends_something))
        }),
        _ => false,
    }
}

fn parsed(body: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(body).ok()
}

fn ends_something(operation: &Value) -> bool {
    let Some(operation) = operation.as_object() else {
        return false;
    };
    let text = |name| member(operation, name).and_then(Value::as_str);
    if text("op").is_some_and(|op| op.eq_ignore_ascii_case("remove")) {
        return true;
    }
    match (text("path"), member(operation, "value")) {
        (Some(path), Some(value)) => is_active(path) && is_false(value),
        (None, Some(Value::Object(value))) => switches_off(value),
        _ => false,
    }
}

fn switches_off(attributes: &Map<String, Value>) -> bool {
    attributes
        .iter()
        .any(|(name, value)| is_active(name) && is_false(value))
}

/// `active`, alone or behind its schema's URN.
fn is_active(name: &str) -> bool {
    let last = name.rsplit(':').next().unwrap_or(name);
    last.trim().eq_ignore_ascii_case("active")
}

/// False, as JSON or as Entra ID writes it, alone or as the first value of a list.
fn is_false(value: &Value) -> bool {
    let Value::Array(values) = value else {
        return is_false_leaf(value);
    };
    values.first().is_some_and(|value| match value {
        Value::Object(inner) => member(inner, "value").is_some_and(is_false_leaf),
        leaf => is_false_leaf(leaf),
    })
}

fn is_false_leaf(value: &Value) -> bool {
    match value {
        Value::Bool(value) => !value,
        Value::String(text) => text.trim().eq_ignore_ascii_case("false"),
        _ => false,
    }
}

fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let found = object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_in_which_identity_providers_end_things_are_recognised() {
        assert!(takes_away(&Method::DELETE, b""));
        for body in [
            r#"{"Operations":[{"op":"Replace","path":"active","value":"False"}]}"#,
            r#"{"Operations":[{"op":"replace","value":{"active":false}}]}"#,
            r#"{"operations":[{"op":"add","path":"name.givenName","value":"x"},{"value":false,"path":"ACTIVE"}]}"#,
            r#"{"Operations":[{"op":"replace","value":{"urn:x:schemas:core:2.0:User:active":"false"}}]}"#,
            r#"{"Operations":[{"op":"Remove","path":"members","value":[{"$ref":null,"value":"u-3"}]}]}"#,
            r#"{"Operations":[{"op":"remove","path":"members[value eq \"u\"]"}]}"#,
            r#"{"Operations":[{"op":"Replace","path":"active","value":[{"value":"False"}]}]}"#,
        ] {
            assert!(takes_away(&Method::PATCH, body.as_bytes()), "{body}");
        }
        assert!(takes_away(&Method::PUT, br#"{"userName":"x","Active":false}"#));
    }

    #[test]
    fn nothing_else_is_and_rubbish_is_nothing() {
        for (method, body) in [
            (Method::POST, r#"{"userName":"x","active":false}"#),
            (Method::PUT, r#"{"active":true,"emails":[{"primary":false}]}"#),
            (Method::PUT, "[]"),
            (
                Method::PATCH,
                r#"{"Operations":[{"op":"replace","path":"active","value":true}]}"#,
            ),
            (
                Method::PATCH,
                r#"{"Operations":[{"op":"replace","path":"inactive","value":false}]}"#,
            ),
            (
                Method::PATCH,
                r#"{"Operations":[{"op":"add","path":"members","value":[]}]}"#,
            ),
            (Method::PATCH, r#"{"Operations":"remove"}"#),
            (Method::PATCH, "{\"Operations\":[1,null,[]]}"),
            (Method::PATCH, "not json"),
            (Method::GET, ""),
        ] {
            assert!(!takes_away(&method, body.as_bytes()), "{method} {body}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(!takes_away(&Method::PATCH, deep.as_bytes()));
    }
}
