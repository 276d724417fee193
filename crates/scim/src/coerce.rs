//! Bringing a value into the form that its attribute's definition asks for.

use crate::error::ScimError;
use crate::json::truth;
use crate::limits::ELEMENTS_MAX;
use crate::members::id_of_reference;
use crate::note::{Dialect, NoteKind, Notes};
use crate::path::{AttrRef, sub_attribute};
use crate::roles;
use crate::schema::{Attribute, AttributeType};
use serde_json::{Map, Number, Value};

/// Largest number that is taken where text is asked for: below it every whole number is exact.
const EXACT_NUMBER_MAX: f64 = 1e15;

pub(crate) struct Coercer<'a> {
    pub(crate) dialect: Dialect,
    pub(crate) notes: &'a mut Notes,
}

impl Coercer<'_> {
    fn is_strict(&self) -> bool {
        self.dialect == Dialect::Strict
    }

    /// The value of a whole attribute; nothing for null, an empty list and other ways to say “none”.
    pub(crate) fn attribute(&mut self, path: &AttrRef, value: &Value) -> Result<Option<Value>, ScimError> {
        let leaf = path.leaf();
        let shown = path.to_string();
        if leaf.multi_valued {
            let list = self.elements(leaf, &shown, value)?;
            return Ok((!list.is_empty()).then_some(Value::Array(list)));
        }
        self.singular(leaf, &shown, value)
    }

    fn elements(
        &mut self,
        attribute: &Attribute,
        path: &str,
        value: &Value,
    ) -> Result<Vec<Value>, ScimError> {
        let list = match value {
            Value::Null => return Ok(Vec::new()),
            Value::Array(list) => list.as_slice(),
            _ if self.is_strict() => return Err(wrong(path, "must be a list")),
            single => std::slice::from_ref(single),
        };
        if list.len() > ELEMENTS_MAX {
            return Err(wrong(path, &format!("has more than {ELEMENTS_MAX} values")));
        }
        if attribute.holds_roles {
            return roles_of(path, list);
        }
        let mut elements = Vec::with_capacity(list.len());
        for element in list {
            if let Some(value) = self.element(attribute, path, element)? {
                elements.push(value);
            }
        }
        one_primary(&mut elements, None);
        Ok(elements)
    }

    /// One element of a multi-valued attribute.
    pub(crate) fn element(
        &mut self,
        attribute: &Attribute,
        path: &str,
        value: &Value,
    ) -> Result<Option<Value>, ScimError> {
        if attribute.holds_roles {
            let list = roles_of(path, std::slice::from_ref(value))?;
            return Ok(list.into_iter().next());
        }
        if attribute.is_complex() {
            self.complex(attribute, path, value)
        } else {
            self.simple(attribute, path, value)
        }
    }

    /// A single value. A list of one is taken for its element.
    pub(crate) fn singular(
        &mut self,
        attribute: &Attribute,
        path: &str,
        value: &Value,
    ) -> Result<Option<Value>, ScimError> {
        match value {
            Value::Array(list) if !self.is_strict() => match list.as_slice() {
                [] => Ok(None),
                [Value::Array(_)] => Err(wrong(path, "has one value at most")),
                [only] => self.singular(attribute, path, only),
                _ => Err(wrong(path, "has one value at most")),
            },
            value if attribute.is_complex() => self.complex(attribute, path, value),
            value => self.simple(attribute, path, value),
        }
    }

    fn simple(&self, attribute: &Attribute, path: &str, value: &Value) -> Result<Option<Value>, ScimError> {
        if value.is_null() {
            return Ok(None);
        }
        match attribute.kind {
            AttributeType::Boolean => match (value, truth(value)) {
                (Value::String(_), _) if self.is_strict() => Err(wrong(path, "must be a boolean")),
                (_, Some(known)) => Ok(Some(Value::Bool(known))),
                _ => Err(wrong(path, "must be a boolean")),
            },
            _ => match value {
                Value::String(_) => Ok(Some(value.clone())),
                _ if self.is_strict() => Err(wrong(path, "must be a string")),
                Value::Number(number) => match exact_text(number) {
                    Some(text) => Ok(Some(Value::String(text))),
                    None => Err(wrong(
                        path,
                        "is a number too large to keep exactly; send it as a string",
                    )),
                },
                Value::Bool(known) => Ok(Some(Value::String(known.to_string()))),
                _ => Err(wrong(path, "must be a string")),
            },
        }
    }

    fn complex(
        &mut self,
        attribute: &Attribute,
        path: &str,
        value: &Value,
    ) -> Result<Option<Value>, ScimError> {
        let map = match value {
            Value::Null => return Ok(None),
            Value::Object(map) => map,
            Value::String(_) | Value::Number(_) if !self.is_strict() && attribute.value_sub().is_some() => {
                return self.scalar_as_object(attribute, path, value);
            }
            _ => return Err(wrong(path, "must be an object")),
        };
        let mut element = Map::new();
        for (key, value) in map {
            let Some(sub) = sub_attribute(attribute, key) else {
                self.unknown(&format!("{path}.{key}"))?;
                continue;
            };
            if sub.is_read_only() {
                continue;
            }
            if let Some(value) = self.singular(sub, &format!("{path}.{}", sub.name), value)?
                && element.insert(sub.name.to_owned(), value).is_some()
            {
                return Err(twice(&format!("{path}.{}", sub.name)));
            }
        }
        if attribute.sub("$ref").is_some() && is_blank(element.get("value")) {
            element.remove("value");
            let reference = map.iter().find(|(key, _)| key.eq_ignore_ascii_case("$ref"));
            if let Some(id) = reference.and_then(|(_, value)| id_of_reference(value.as_str()?)) {
                element.insert("value".to_owned(), Value::from(id));
            }
        }
        Ok((!element.is_empty()).then_some(Value::Object(element)))
    }

    /// A bare string where an object with `value` is asked for; an empty one means none.
    fn scalar_as_object(
        &self,
        attribute: &Attribute,
        path: &str,
        value: &Value,
    ) -> Result<Option<Value>, ScimError> {
        let Some(sub) = attribute.value_sub() else {
            return Ok(None);
        };
        let value = self
            .simple(sub, path, value)?
            .filter(|value| !is_blank(Some(value)));
        Ok(value.map(|value| Value::Object(Map::from_iter([("value".to_owned(), value)]))))
    }

    /// Notes, or in strict dialect refuses, a name that no schema has.
    pub(crate) fn unknown(&mut self, path: &str) -> Result<(), ScimError> {
        if self.is_strict() {
            return Err(ScimError::invalid_syntax(
                "the body names an attribute that no schema here has",
            ));
        }
        let kind = if crate::path::has_prefix(path, "urn:") {
            NoteKind::UnknownSchema
        } else {
            NoteKind::UnknownAttribute
        };
        self.notes.add(kind, path);
        Ok(())
    }
}

/// A list of roles whose elements cannot be read is refused, never taken for an empty one: that would take away all
/// that the user has. Blank elements beside readable ones are left out.
fn roles_of(path: &str, list: &[Value]) -> Result<Vec<Value>, ScimError> {
    let mut read = Vec::with_capacity(list.len());
    for value in list {
        match roles::read_element(value) {
            Some(element) if element.contains_key("value") => read.push(element),
            None if is_blank(Some(value)) => {}
            _ => return Err(wrong(path, "must hold roles: strings, or objects with a value")),
        }
    }
    if read.is_empty() && !list.is_empty() {
        return Err(wrong(path, "must hold roles: strings, or objects with a value"));
    }
    let elements = roles::merged(read);
    let mut elements: Vec<Value> = elements.into_iter().map(Value::Object).collect();
    one_primary(&mut elements, None);
    Ok(elements)
}

/// At most one element is primary: `winner` if it is, else the first that is.
pub(crate) fn one_primary(elements: &mut [Value], winner: Option<usize>) {
    let is_primary = |element: &Value| element.get("primary") == Some(&Value::Bool(true));
    let winner = winner
        .filter(|index| elements.get(*index).is_some_and(is_primary))
        .or_else(|| elements.iter().position(is_primary));
    for (index, element) in elements.iter_mut().enumerate() {
        if Some(index) != winner
            && let Some(primary) = element.get_mut("primary")
        {
            *primary = Value::Bool(false);
        }
    }
}

pub(crate) fn is_blank(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.trim().is_empty(),
        Some(_) => false,
    }
}

pub(crate) fn wrong(path: &str, what: &str) -> ScimError {
    ScimError::invalid_value(format!("{} {what}", crate::error::printable(path)))
}

pub(crate) fn twice(path: &str) -> ScimError {
    ScimError::invalid_syntax(format!("{} is given twice", crate::error::printable(path)))
}

fn exact_text(number: &Number) -> Option<String> {
    let exact = number.is_u64()
        || number.is_i64()
        || number
            .as_f64()
            .is_some_and(|value| value.is_finite() && value.abs() < EXACT_NUMBER_MAX);
    exact.then(|| number.to_string())
}
