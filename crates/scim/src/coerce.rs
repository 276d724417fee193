//! Bringing a value into the form that its attribute's definition asks for.

use crate::error::ScimError;
use crate::json::truth;
use crate::limits::ELEMENTS_MAX;
use crate::members::id_of_reference;
use crate::note::{Dialect, NoteKind, Notes};
use crate::path::{AttrRef, sub_attribute};
use crate::roles;
use crate::schema::{Attribute, AttributeType};
use crate::tolerance::Quirk;
use serde_json::{Map, Number, Value};

/// Largest number that is taken where text is asked for: below it every whole number is exact.
const EXACT_NUMBER_MAX: f64 = 1e15;
const NO_ROLE: &str = "must hold roles: strings, or objects with a value";

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
            single => {
                self.allow(Quirk::SingleForList, path)?;
                std::slice::from_ref(single)
            }
        };
        if list.len() > ELEMENTS_MAX {
            return Err(wrong(path, &format!("has more than {ELEMENTS_MAX} values")));
        }
        if attribute.holds_roles && !self.is_strict() {
            return self.roles_of(path, list);
        }
        let mut elements = Vec::with_capacity(list.len());
        for element in list {
            if let Some(value) = self.element(attribute, path, element)? {
                elements.push(value);
            }
        }
        self.mark_one_primary(&mut elements, path)?;
        Ok(elements)
    }

    /// One element of a multi-valued attribute.
    pub(crate) fn element(
        &mut self,
        attribute: &Attribute,
        path: &str,
        value: &Value,
    ) -> Result<Option<Value>, ScimError> {
        if attribute.holds_roles && !self.is_strict() {
            let list = self.roles_of(path, std::slice::from_ref(value))?;
            return Ok(list.into_iter().next());
        }
        if attribute.is_complex() {
            let element = self.complex(attribute, path, value)?;
            let is_role = |element: &Value| !is_blank(element.get("value"));
            if attribute.holds_roles && !element.as_ref().is_some_and(is_role) {
                return Err(wrong(path, NO_ROLE));
            }
            Ok(element)
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
            Value::Array(list) => {
                let only = match list.as_slice() {
                    [] => None,
                    [only] if !only.is_array() => Some(only),
                    _ => return Err(wrong(path, "has one value at most")),
                };
                self.allow(Quirk::ListForSingle, path)?;
                match only {
                    None => Ok(None),
                    Some(only) => self.singular(attribute, path, only),
                }
            }
            value if attribute.is_complex() => self.complex(attribute, path, value),
            value => self.simple(attribute, path, value),
        }
    }

    fn simple(
        &mut self,
        attribute: &Attribute,
        path: &str,
        value: &Value,
    ) -> Result<Option<Value>, ScimError> {
        if value.is_null() {
            return Ok(None);
        }
        match attribute.kind {
            AttributeType::Boolean => match (value, truth(value)) {
                (Value::Bool(known), _) => Ok(Some(Value::Bool(*known))),
                (_, Some(known)) => {
                    self.allow(Quirk::StringBoolean, path)?;
                    Ok(Some(Value::Bool(known)))
                }
                _ => Err(wrong(path, "must be a boolean")),
            },
            _ => match value {
                Value::String(_) => Ok(Some(value.clone())),
                Value::Number(number) => {
                    self.allow(Quirk::ScalarForText, path)?;
                    let too_large = "is a number too large to keep exactly; send it as a string";
                    let text = exact_text(number).ok_or_else(|| wrong(path, too_large))?;
                    Ok(Some(Value::String(text)))
                }
                Value::Bool(known) => {
                    self.allow(Quirk::ScalarForText, path)?;
                    Ok(Some(Value::String(known.to_string())))
                }
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
            Value::String(_) | Value::Number(_) if attribute.value_sub().is_some() => {
                return self.scalar_as_object(attribute, path, value);
            }
            _ => return Err(wrong(path, "must be an object")),
        };
        let mut element = Map::new();
        let mut named = Vec::new();
        for (key, value) in map {
            let Some(sub) = sub_attribute(attribute, key) else {
                self.unknown(&format!("{path}.{key}"))?;
                continue;
            };
            if named.contains(&sub.name) {
                return Err(twice(&format!("{path}.{}", sub.name)));
            }
            named.push(sub.name);
            if !sub.name.eq_ignore_ascii_case(key) {
                self.allow(Quirk::RoleDisplayName, &format!("{path}.{key}"))?;
            }
            if sub.is_read_only() {
                continue;
            }
            if let Some(value) = self.singular(sub, &format!("{path}.{}", sub.name), value)? {
                element.insert(sub.name.to_owned(), value);
            }
        }
        if attribute.sub("$ref").is_some() && is_blank(element.get("value")) {
            let blank = element.remove("value").is_some();
            let reference = map.iter().find(|(key, _)| key.eq_ignore_ascii_case("$ref"));
            if let Some(id) = reference.and_then(|(_, value)| id_of_reference(value.as_str()?)) {
                self.allow(Quirk::ReferenceForValue, path)?;
                element.insert("value".to_owned(), Value::from(id));
            } else if blank {
                self.allow(Quirk::EmptyForNone, path)?;
            }
        }
        Ok((!element.is_empty()).then_some(Value::Object(element)))
    }

    /// A bare string where an object with `value` is asked for; an empty one means none.
    fn scalar_as_object(
        &mut self,
        attribute: &Attribute,
        path: &str,
        value: &Value,
    ) -> Result<Option<Value>, ScimError> {
        let Some(sub) = attribute.value_sub() else {
            return Ok(None);
        };
        let blank = is_blank(Some(value));
        let quirk = if blank {
            Quirk::EmptyForNone
        } else {
            Quirk::TextForObject
        };
        self.allow(quirk, path)?;
        let value = if blank {
            None
        } else {
            self.simple(sub, path, value)?
        };
        Ok(value.map(|value| Value::Object(Map::from_iter([("value".to_owned(), value)]))))
    }

    /// Notes, or in strict dialect refuses, a name that no schema has.
    pub(crate) fn unknown(&mut self, path: &str) -> Result<(), ScimError> {
        let (quirk, kind) = if crate::path::has_prefix(path, "urn:") {
            (Quirk::UnknownExtension, NoteKind::UnknownSchema)
        } else {
            (Quirk::UnknownAttribute, NoteKind::UnknownAttribute)
        };
        self.allow(quirk, path)?;
        self.notes.add(kind, path);
        Ok(())
    }

    /// See [`Quirk::allow`].
    pub(crate) fn allow(&mut self, quirk: Quirk, path: &str) -> Result<(), ScimError> {
        self.notes.allow(self.dialect, quirk, path)
    }

    /// A list of roles whose elements cannot be read is refused, never taken for an empty one: that would take
    /// away all that the user has. Blank elements beside readable ones are left out.
    fn roles_of(&mut self, path: &str, list: &[Value]) -> Result<Vec<Value>, ScimError> {
        let mut read = Vec::with_capacity(list.len());
        for value in list {
            self.notes.tolerated.join(roles::deviations(value));
            if let Some(name) = roles::said_twice(value) {
                return Err(twice(&format!("{path}.{name}")));
            }
            if roles::has_unreadable_primary(value) {
                return Err(wrong(&format!("{path}.primary"), "must be a boolean"));
            }
            match roles::read_element(value) {
                Some(element) if element.contains_key("value") => read.push(element),
                None if is_blank(Some(value)) => {}
                _ => return Err(wrong(path, NO_ROLE)),
            }
        }
        if read.is_empty() && !list.is_empty() {
            return Err(wrong(path, NO_ROLE));
        }
        let elements = roles::merged(read);
        let mut elements: Vec<Value> = elements.into_iter().map(Value::Object).collect();
        self.mark_one_primary(&mut elements, path)?;
        Ok(elements)
    }

    fn mark_one_primary(&mut self, elements: &mut [Value], path: &str) -> Result<(), ScimError> {
        if elements.iter().filter(|element| is_primary(element)).count() > 1 {
            self.allow(Quirk::TwoPrimaries, path)?;
        }
        one_primary(elements, None);
        Ok(())
    }
}

pub(crate) fn is_primary(element: &Value) -> bool {
    element.get("primary") == Some(&Value::Bool(true))
}

/// At most one element is primary: `winner` if it is, else the first that is.
pub(crate) fn one_primary(elements: &mut [Value], winner: Option<usize>) {
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

/// The member of an object, whatever the case of its name.
///
/// # Errors
/// `invalidSyntax` when it is there in two spellings: their order, which is none, would decide.
pub(crate) fn member<'a>(map: &'a Map<String, Value>, name: &str) -> Result<Option<&'a Value>, ScimError> {
    let mut found = map.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    let first = found.next();
    if found.next().is_some() {
        return Err(twice(name));
    }
    Ok(first.map(|(_, value)| value))
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
