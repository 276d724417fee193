//! Reading JSON within bounds: depth, number of values, string length, no member named twice.

use crate::error::ScimError;
use crate::limits::{JSON_DEPTH_MAX, JSON_VALUES_MAX, KEY_BYTES_MAX, STRING_BYTES_MAX};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;

/// Which bound a body broke; kept beside the parser because its own error is only text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Breach {
    Depth,
    Values,
    Text,
    Key,
    Twice,
}

impl Breach {
    fn into_error(self) -> ScimError {
        match self {
            Self::Depth => {
                ScimError::invalid_syntax(format!("the body is nested deeper than {JSON_DEPTH_MAX} levels"))
            }
            Self::Values => {
                ScimError::too_large(format!("the body holds more than {JSON_VALUES_MAX} values"))
            }
            Self::Text => ScimError::invalid_value(format!(
                "a string in the body is longer than {STRING_BYTES_MAX} bytes"
            )),
            Self::Key => ScimError::invalid_syntax(format!(
                "a member name in the body is longer than {KEY_BYTES_MAX} bytes"
            )),
            Self::Twice => ScimError::invalid_syntax("an object in the body names a member twice"),
        }
    }
}

/// What becomes of a text, a name or a nested value that is beyond its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beyond {
    /// The document is refused.
    Refuse,
    /// The text is cut at its bound, the member left out, the nested value taken for null.
    Drop,
    /// Inside an element of the list that the document has under this name it is dropped, and is that element's fault;
    /// everywhere else the document is refused.
    Apart(&'static str),
}

/// Why one element of a list is refused, where the others are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) error: ScimError,
    /// What was read of the element says what it meant to say, though not all of it: nothing is named twice in it.
    pub(crate) clear: bool,
}

/// Reads one JSON document. A leading byte order mark is skipped.
///
/// # Errors
/// `invalidSyntax` for what is not JSON (or not UTF-8), is nested too deep or names a member twice;
/// `invalidValue` for an overlong string; 413 for too many values. Details hold positions only.
pub fn parse_json(bytes: &[u8]) -> Result<Value, ScimError> {
    read_json(bytes, Beyond::Refuse).map(|(value, _)| value)
}

/// As [`parse_json`], of a document whose list under `name`, in any case, holds elements that stand for themselves:
/// one that is beyond a bound, or names a member twice, is told by its number from 0, and the others are read. Of
/// such an element nothing may be stored.
///
/// # Errors
/// As for [`parse_json`], for what stands outside of the elements; 413 for too many values in all.
pub(crate) fn parse_json_apart(
    bytes: &[u8],
    name: &'static str,
) -> Result<(Value, BTreeMap<usize, Fault>), ScimError> {
    read_json(bytes, Beyond::Apart(name))
}

/// As [`parse_json`], to learn what a document says that is refused for an overlong string or name, or for its
/// nesting: those are dropped, and the rest is read within the same bounds. Nothing may be stored from it.
pub(crate) fn parse_json_within(bytes: &[u8]) -> Result<Value, ScimError> {
    read_json(bytes, Beyond::Drop).map(|(value, _)| value)
}

fn read_json(bytes: &[u8], beyond: Beyond) -> Result<(Value, BTreeMap<usize, Fault>), ScimError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let context = Context {
        values: Cell::new(0),
        breach: Cell::new(None),
        beyond,
        element: Cell::new(None),
        faults: RefCell::default(),
    };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let outcome = Bounded {
        context: &context,
        depth: 0,
        apart: false,
    }
    .deserialize(&mut deserializer)
    .and_then(|value| deserializer.end().map(|()| value));
    let value = outcome.map_err(|error| match context.breach.get() {
        Some(breach) => breach.into_error(),
        None => ScimError::invalid_syntax(format!(
            "the body is not valid JSON (line {}, column {})",
            error.line(),
            error.column()
        )),
    })?;
    Ok((value, context.faults.take()))
}

struct Context {
    values: Cell<usize>,
    breach: Cell<Option<Breach>>,
    beyond: Beyond,
    /// The element that is being read, of the list whose elements stand for themselves.
    element: Cell<Option<usize>>,
    faults: RefCell<BTreeMap<usize, Fault>>,
}

impl Context {
    fn broken<E: Error>(&self, breach: Breach) -> E {
        self.breach.set(Some(breach));
        E::custom("bound broken")
    }

    /// Goes on without what is beyond a bound, or refuses the document.
    fn beyond<E: Error>(&self, breach: Breach) -> Result<(), E> {
        match (self.beyond, self.element.get()) {
            (Beyond::Drop, _) => Ok(()),
            (Beyond::Apart(_), Some(element)) => {
                self.fault(element, breach);
                Ok(())
            }
            (Beyond::Refuse | Beyond::Apart(_), _) => Err(self.broken(breach)),
        }
    }

    /// Refuses the element that is being read, or else the document.
    fn twice<E: Error>(&self) -> Result<(), E> {
        let element = self.element.get();
        let element = element.ok_or_else(|| self.broken(Breach::Twice))?;
        self.fault(element, Breach::Twice);
        Ok(())
    }

    fn fault(&self, element: usize, breach: Breach) {
        let mut faults = self.faults.borrow_mut();
        let fault = faults.entry(element).or_insert_with(|| Fault {
            error: breach.into_error(),
            clear: true,
        });
        fault.clear &= breach != Breach::Twice;
    }

    fn is_apart(&self, key: &str) -> bool {
        matches!(self.beyond, Beyond::Apart(name) if key.eq_ignore_ascii_case(name))
    }
}

#[derive(Clone, Copy)]
struct Bounded<'a> {
    context: &'a Context,
    depth: usize,
    /// It is the list whose elements stand for themselves.
    apart: bool,
}

impl Bounded<'_> {
    fn text<E: Error>(self, mut text: String) -> Result<Value, E> {
        if text.len() > STRING_BYTES_MAX {
            self.context.beyond(Breach::Text)?;
            text.truncate(text.floor_char_boundary(STRING_BYTES_MAX));
        }
        Ok(Value::String(text))
    }

    /// For what stands one level deeper; none when that is dropped.
    fn deeper<E: Error>(self) -> Result<Option<Self>, E> {
        if self.depth >= JSON_DEPTH_MAX {
            self.context.beyond(Breach::Depth)?;
            return Ok(None);
        }
        Ok(Some(Self {
            depth: self.depth + 1,
            apart: false,
            ..self
        }))
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let count = self.context.values.get() + 1;
        self.context.values.set(count);
        if count > JSON_VALUES_MAX {
            return Err(self.context.broken(Breach::Values));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.text(value.to_owned())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        self.text(value)
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let Some(inner) = self.deeper()? else {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        };
        let mut list = Vec::new();
        loop {
            if self.apart {
                self.context.element.set(Some(list.len()));
            }
            match seq.next_element_seed(inner)? {
                Some(value) => list.push(value),
                None => break,
            }
        }
        if self.apart {
            self.context.element.set(None);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let Some(inner) = self.deeper()? else {
            while access.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        };
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if key.len() > KEY_BYTES_MAX {
                self.context.beyond(Breach::Key)?;
                access.next_value::<IgnoredAny>()?;
                continue;
            }
            let apart = self.depth == 0 && self.context.is_apart(&key);
            let value = access.next_value_seed(Self { apart, ..inner })?;
            if map.insert(key, value).is_some() {
                self.context.twice()?;
            }
        }
        Ok(Value::Object(map))
    }
}

/// Number of JSON values in `value`, itself included.
pub(crate) fn count_values(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(count_values).sum::<usize>(),
        Value::Object(map) => 1 + map.values().map(count_values).sum::<usize>(),
        _ => 1,
    }
}

/// Bytes of the texts in `value`, and one for anything else: what it costs to look at it.
pub(crate) fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => 1 + text.len(),
        Value::Array(list) => 1 + list.iter().map(weight).sum::<usize>(),
        Value::Object(map) => 1 + map.values().map(weight).sum::<usize>(),
        _ => 1,
    }
}

/// A boolean, or a string that spells one.
pub(crate) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(known) => Some(*known),
        Value::String(text) => crate::filter::bool_of_text(text),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::error::ScimType;

    fn refused(body: &[u8]) -> (u16, Option<ScimType>) {
        let error = parse_json(body).unwrap_err();
        (error.status, error.scim_type)
    }

    #[test]
    fn sound_json_reads_as_serde_json_reads_it() {
        let text = r#"{"a":[1,-2,3.5,true,null,"x"],"b":{"c":""}}"#;
        assert_eq!(
            parse_json(text.as_bytes()).unwrap(),
            serde_json::from_str::<Value>(text).unwrap()
        );
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        assert_eq!(parse_json(b"\xef\xbb\xbf{}").unwrap(), serde_json::json!({}));
    }

    #[test]
    fn broken_json_is_invalid_syntax_and_its_content_is_not_echoed() {
        for body in [
            &b""[..],
            b"{",
            b"{}x",
            b"\"\xff\"",
            b"{\"ida@store.example\" 1}",
            b"1e999",
        ] {
            let error = parse_json(body).unwrap_err();
            assert_eq!(
                (error.status, error.scim_type),
                (400, Some(ScimType::InvalidSyntax))
            );
            assert!(!error.detail.contains("ida"), "{}", error.detail);
        }
    }

    #[test]
    fn depth_is_bounded_exactly() {
        let nested = |n: usize| [vec![b'['; n], vec![b']'; n]].concat();
        assert!(parse_json(&nested(JSON_DEPTH_MAX)).is_ok());
        assert_eq!(
            refused(&nested(JSON_DEPTH_MAX + 1)),
            (400, Some(ScimType::InvalidSyntax))
        );
        assert_eq!(
            refused(&vec![b'['; 1_000_000]),
            (400, Some(ScimType::InvalidSyntax))
        );
    }

    #[test]
    fn a_member_named_twice_is_refused() {
        assert_eq!(
            refused(br#"{"active":true,"active":false}"#),
            (400, Some(ScimType::InvalidSyntax))
        );
    }

    #[test]
    fn what_is_beyond_a_bound_can_be_dropped_for_the_rest_to_be_read() {
        let long = "x".repeat(STRING_BYTES_MAX - 1) + "\u{e9}";
        let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
        let deep = String::from_utf8(deep).unwrap();
        let key = "k".repeat(KEY_BYTES_MAX + 1);
        let nested = "{\"a\":".repeat(JSON_DEPTH_MAX) + "{\"b\":1}" + &"}".repeat(JSON_DEPTH_MAX);
        let body = format!(
            r#"{{"title":"{long}","deep":{deep},"{key}":[1],"{key}":2,"nested":{nested},"active":false}}"#
        );
        assert!(parse_json(body.as_bytes()).is_err());
        let read = parse_json_within(body.as_bytes()).unwrap();
        let title = read.get("title").and_then(Value::as_str).map(str::len);
        assert_eq!(title, Some(STRING_BYTES_MAX - 1));
        assert_eq!(read.get("active"), Some(&Value::Bool(false)));
        assert_eq!(read.as_object().map(Map::len), Some(4));
        // The bound on the values in all stays, and so does JSON.
        let many = format!("[{}1]", "1,".repeat(JSON_VALUES_MAX));
        for body in [many.as_str(), "{", r#"{"a":1,"a":1}"#] {
            assert!(parse_json_within(body.as_bytes()).is_err());
        }
    }

    #[test]
    fn an_element_that_stands_for_itself_is_refused_alone() {
        let long = "x".repeat(STRING_BYTES_MAX + 1);
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        let body = format!(
            r#"{{"list":[1],"Parts":[{{"a":1}},{{"a":"{long}","b":2}},{{"a":{deep}}},{{"a":1,"a":2}},{{"a":3}}]}}"#
        );
        let (read, faults) = parse_json_apart(body.as_bytes(), "parts").unwrap();
        let told: Vec<_> = faults.iter().map(|(at, fault)| (*at, fault.clear)).collect();
        assert_eq!(told, [(1, true), (2, true), (3, false)]);
        let parts = read.get("Parts").unwrap();
        assert_eq!(parts.pointer("/1/b"), Some(&Value::from(2)));
        assert_eq!(parts.pointer("/4/a"), Some(&Value::from(3)));
        // What stands elsewhere is everybody's.
        for body in [
            format!(r#"{{"list":["{long}"],"parts":[]}}"#),
            format!(r#"{{"parts":[],"x":"{long}"}}"#),
            format!(r#"{{"x":{{"parts":["{long}"]}}}}"#),
            r#"{"parts":[],"parts":[]}"#.to_owned(),
            r#"{"parts":[{"a":1}"#.to_owned(),
            format!(r#"{{"parts":[{}1]}}"#, "1,".repeat(JSON_VALUES_MAX)),
        ] {
            assert!(parse_json_apart(body.as_bytes(), "parts").is_err());
        }
    }

    #[test]
    fn too_many_values_are_413_and_an_overlong_string_is_invalid_value() {
        let many = format!("[{}1]", "1,".repeat(JSON_VALUES_MAX));
        assert_eq!(refused(many.as_bytes()), (413, None));
        let long = format!("\"{}\"", "x".repeat(STRING_BYTES_MAX + 1));
        assert_eq!(refused(long.as_bytes()), (400, Some(ScimType::InvalidValue)));
        let key = format!("{{\"{}\":1}}", "x".repeat(KEY_BYTES_MAX + 1));
        assert_eq!(refused(key.as_bytes()), (400, Some(ScimType::InvalidSyntax)));
    }
}
