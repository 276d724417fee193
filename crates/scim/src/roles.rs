//! Reading app roles in every form that identity providers send them.
//!
//! Forms: objects with `value`, `display` or `displayName`, `type`, `primary`; bare strings; an object or
//! string whose text is JSON such as `{"id":"…","value":"…","displayName":"…"}`. Text is read as JSON only
//! when it is an object that has a `value` member. An empty `value` falls back to `id`.

use crate::json::{parse_json, truth};
use crate::tolerance::{Quirk, Tolerated};
use serde_json::{Map, Value};

/// Key under which a normalised role element keeps the identity provider's own id. No schema has it, and no
/// answer shows it: it is evidence for the event.
pub const IDP_ID_KEY: &str = "id";

/// One app role.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoleValue {
    /// The app role; never empty.
    pub value: String,
    /// Name for people.
    pub display: Option<String>,
    /// `type`, such as `WindowsAzureActiveDirectoryRole`.
    pub kind: Option<String>,
    /// Marked as the preferred one.
    pub primary: bool,
    /// The identity provider's id of the role.
    pub idp_id: Option<String>,
}

/// All roles in the value of a `roles` attribute, in order; the same value twice is one role.
/// Elements without a value are left out.
#[must_use]
pub fn extract(raw: &Value) -> Vec<RoleValue> {
    let elements = match raw {
        Value::Array(list) => list.as_slice(),
        single => std::slice::from_ref(single),
    };
    merged(elements.iter().filter_map(read_element).collect())
        .iter()
        .filter_map(role_of)
        .collect()
}

/// Brings one element into form: `value`, `display`, `type`, `primary` and [`IDP_ID_KEY`], as far as given.
/// Nothing for null, an empty string or a list.
pub(crate) fn read_element(raw: &Value) -> Option<Map<String, Value>> {
    let element = match raw {
        Value::String(text) => from_text(text),
        Value::Number(number) => single("value", Value::from(number.to_string())),
        Value::Object(map) => from_object(map),
        Value::Null | Value::Bool(_) | Value::Array(_) => return None,
    };
    (!element.is_empty()).then_some(element)
}

/// Whether an element, or the text inside it, marks itself as primary by something else than a boolean: nobody can
/// tell what is meant.
pub(crate) fn has_unreadable_primary(raw: &Value) -> bool {
    let unreadable = |map: &Map<String, Value>| {
        let mut said = map.iter().filter(|(key, _)| key.eq_ignore_ascii_case("primary"));
        said.any(|(_, value)| !value.is_null() && truth(value).is_none())
    };
    any_object(raw, unreadable)
}

/// What an element, or the text inside it, says in two spellings: which of them is meant, nobody can tell.
pub(crate) fn said_twice(raw: &Value) -> Option<&'static str> {
    let parts = ["value", "display", "displayName", "type", "primary", IDP_ID_KEY];
    let spellings = |map: &Map<String, Value>, name: &str| {
        let same = map.keys().filter(|key| key.eq_ignore_ascii_case(name));
        same.count()
    };
    parts
        .into_iter()
        .find(|name| any_object(raw, |map| spellings(map, name) > 1))
}

/// Whether it is so of an element or of the object that the text inside it describes.
fn any_object(raw: &Value, is_so: impl Fn(&Map<String, Value>) -> bool) -> bool {
    let text = match raw {
        Value::Object(map) if is_so(map) => return true,
        Value::Object(map) => {
            let value = map.iter().find(|(key, _)| key.eq_ignore_ascii_case("value"));
            value.and_then(|(_, value)| value.as_str())
        }
        Value::String(text) => Some(text.as_str()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    };
    text.and_then(as_role_document)
        .is_some_and(|document| is_so(&document))
}

/// In what an element deviates from a plain role object.
pub(crate) fn deviations(raw: &Value) -> Tolerated {
    let mut seen = Tolerated::NONE;
    let text = match raw {
        Value::Object(map) => {
            object_deviations(map, &mut seen);
            let value = map.iter().find(|(key, _)| key.eq_ignore_ascii_case("value"));
            value.and_then(|(_, value)| value.as_str())
        }
        Value::String(text) => {
            seen.add(Quirk::RoleText);
            Some(text.as_str())
        }
        Value::Number(_) => {
            seen.add(Quirk::RoleText);
            None
        }
        Value::Null | Value::Bool(_) | Value::Array(_) => None,
    };
    if text.is_some_and(|text| as_role_document(text).is_some()) {
        seen.add(Quirk::RoleJson);
    }
    seen
}

/// Whether a text is JSON that has the form of a role and names none.
pub(crate) fn describes_no_role(raw: &Value) -> bool {
    let document = raw.as_str().and_then(as_role_document);
    document.is_some_and(|document| !plain(&document).contains_key("value"))
}

fn object_deviations(map: &Map<String, Value>, seen: &mut Tolerated) {
    for (key, value) in map {
        let quirk = match (key.to_ascii_lowercase().as_str(), value) {
            ("displayname", _) => Quirk::RoleDisplayName,
            ("id", _) => Quirk::RoleId,
            ("primary", Value::String(_)) => Quirk::StringBoolean,
            ("value" | "display" | "type", Value::Number(_)) => Quirk::ScalarForText,
            _ => continue,
        };
        seen.add(quirk);
    }
}

fn from_text(text: &str) -> Map<String, Value> {
    match as_role_document(text) {
        Some(document) => plain(&document),
        None if text.trim().is_empty() => Map::new(),
        None => single("value", Value::from(text)),
    }
}

/// An object; what the text inside its `value` says fills the gaps.
fn from_object(map: &Map<String, Value>) -> Map<String, Value> {
    let mut element = plain(map);
    let inner = element
        .get("value")
        .and_then(Value::as_str)
        .and_then(as_role_document);
    if let Some(document) = inner {
        element.remove("value");
        for (key, value) in plain(&document) {
            element.entry(key).or_insert(value);
        }
    }
    element
}

fn as_role_document(text: &str) -> Option<Map<String, Value>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    match parse_json(text.as_bytes()).ok()? {
        Value::Object(map) if map.keys().any(|key| key.eq_ignore_ascii_case("value")) => Some(map),
        _ => None,
    }
}

fn plain(map: &Map<String, Value>) -> Map<String, Value> {
    let mut element = Map::new();
    let mut value_named = false;
    for (key, value) in map {
        let name = match key.to_ascii_lowercase().as_str() {
            "value" => {
                value_named = true;
                "value"
            }
            "display" | "displayname" => "display",
            "type" => "type",
            "id" => IDP_ID_KEY,
            "primary" => {
                if let Some(primary) = truth(value) {
                    element.insert("primary".to_owned(), Value::Bool(primary));
                }
                continue;
            }
            _ => continue,
        };
        if let Some(text) = scalar(value) {
            element.insert(name.to_owned(), Value::from(text));
        }
    }
    if value_named
        && !element.contains_key("value")
        && let Some(id) = element.get(IDP_ID_KEY).cloned()
    {
        element.insert("value".to_owned(), id);
    }
    element
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn single(key: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(key.to_owned(), value)])
}

/// One element per value: the first stays, later ones fill its gaps; it is primary when one of them is. Elements
/// without value stay as they are.
pub(crate) fn merged(elements: Vec<Map<String, Value>>) -> Vec<Map<String, Value>> {
    let mut kept: Vec<Map<String, Value>> = Vec::with_capacity(elements.len());
    let mut places = std::collections::HashMap::<String, usize>::new();
    for element in elements {
        let Some(value) = element.get("value").and_then(Value::as_str) else {
            kept.push(element);
            continue;
        };
        match places.get(value).and_then(|place| kept.get_mut(*place)) {
            Some(first) => {
                for (key, value) in element {
                    if key == "primary" && truth(&value) == Some(true) {
                        first.insert(key, value);
                    } else {
                        first.entry(key).or_insert(value);
                    }
                }
            }
            None => {
                places.insert(value.to_owned(), kept.len());
                kept.push(element);
            }
        }
    }
    kept
}

/// The role of a normalised element; none without a value.
pub(crate) fn role_of(element: &Map<String, Value>) -> Option<RoleValue> {
    let text = |key: &str| element.get(key).and_then(Value::as_str).map(str::to_owned);
    Some(RoleValue {
        value: text("value").filter(|value| !value.is_empty())?,
        display: text("display"),
        kind: text("type"),
        primary: element.get("primary").and_then(Value::as_bool).unwrap_or(false),
        idp_id: text(IDP_ID_KEY),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn values(raw: &Value) -> Vec<String> {
        extract(raw).into_iter().map(|role| role.value).collect()
    }

    #[test]
    fn every_form_an_identity_provider_sends_gives_the_role() {
        let r = "Agent_CHIC-01_STORE";
        for (form, raw) in [
            (
                "single, Entra",
                json!([{"primary": true, "type": "WindowsAzureActiveDirectoryRole", "value": r}]),
            ),
            ("string boolean", json!([{"primary": "True", "value": r}])),
            (
                "complex with displayName",
                json!([{"primary": false, "displayName": "Store", "value": r}]),
            ),
            (
                "assertive with display",
                json!([{"display": "Store", "type": "x", "value": r}]),
            ),
            ("bare string in a list", json!([r])),
            ("bare string", json!(r)),
            ("one object", json!({"value": r})),
            ("capitals", json!([{"Value": r, "Display": "Store"}])),
            (
                "text in value",
                json!([{"value": format!(r#"{{"id":"7f0c","value":"{r}","displayName":"S"}}"#)}]),
            ),
            ("text as element", json!([format!(r#" {{"value":"{r}"}}"#)])),
            (
                "empty inner value",
                json!([{"value": format!(r#"{{"id":"{r}","value":"","displayName":"S"}}"#)}]),
            ),
            (
                "null inner value",
                json!([{"value": format!(r#"{{"id":"{r}","value":null}}"#)}]),
            ),
            ("twice", json!([{"value": r}, r, {"value": r, "display": "x"}])),
        ] {
            assert_eq!(values(&raw), [r], "{form}");
        }
    }

    #[test]
    fn of_one_role_twice_nothing_is_lost_that_either_says() {
        let roles = extract(&json!([
            {"value": "A", "type": "work", "primary": false},
            {"value": "A", "type": "home", "display": "x", "primary": true},
        ]));
        let told = |role: &RoleValue| (role.kind.clone(), role.display.clone(), role.primary);
        let (work, x) = (Some("work".to_owned()), Some("x".to_owned()));
        assert_eq!(roles.iter().map(told).collect::<Vec<_>>(), [(work, x, true)]);
    }

    #[test]
    fn what_the_text_says_is_kept_as_evidence() {
        let raw =
            json!([{"value": r#"{"id":"7f0c","value":"STORE_MANAGER","displayName":"Store manager"}"#}]);
        assert_eq!(
            extract(&raw),
            [RoleValue {
                value: "STORE_MANAGER".to_owned(),
                display: Some("Store manager".to_owned()),
                kind: None,
                primary: false,
                idp_id: Some("7f0c".to_owned()),
            }]
        );
    }

    #[test]
    fn text_that_is_no_role_document_stays_text() {
        for text in [
            "{",
            "{}",
            r#"{"id":"x"}"#,
            r#"["value"]"#,
            "{value}",
            r#"{"value":"a"} tail"#,
        ] {
            assert_eq!(values(&json!([text])), [text]);
            assert_eq!(values(&json!([{"value": text}])), [text]);
        }
    }

    #[test]
    fn nothing_usable_gives_no_role() {
        for raw in [
            json!(null),
            json!([]),
            json!([null, true, [], {}, "", " ", {"display": "x"}]),
            json!({}),
        ] {
            assert_eq!(values(&raw), Vec::<String>::new(), "{raw}");
        }
    }
}
