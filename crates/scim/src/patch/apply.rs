//! The engine: carries out operations that are in form.

use super::{OnMissing, PatchKind, PatchOperation, labels};
use crate::coerce::{is_primary, one_primary};
use crate::error::ScimError;
use crate::filter::{CompareOp, Filter, Literal};
use crate::json::{truth, weight};
use crate::limits::{ELEMENTS_MAX, PATCH_BYTES_LOOKED_AT_MAX};
use crate::note::{Note, Notes};
use crate::parse::check_required;
use crate::resource::Resource;
use crate::schema::{Attribute, AttributeType};
use crate::tolerance::Tolerated;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

/// What came of a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The resource after all operations.
    pub resource: Resource,
    /// What was left out, as it had nothing to be written to.
    pub notes: Vec<Note>,
    /// Which deviations from the RFCs that was.
    pub tolerated: Tolerated,
}

/// Carries out all operations in order, or none of them; gives the resource alone.
///
/// # Errors
/// As [`apply_noting`].
pub fn apply(resource: &Resource, operations: &[PatchOperation]) -> Result<Resource, ScimError> {
    apply_noting(resource, operations).map(|applied| applied.resource)
}

/// Carries out all operations in order, or none of them.
///
/// # Errors
/// `noTarget` when a value filter selects nothing and the operation asks for that to be refused, or nothing
/// can be created from it, as when the operations only label roles and one would be without a value;
/// `invalidValue` when a list grows above [`ELEMENTS_MAX`] or a required attribute ends without value; 413
/// when the operations look at more than [`PATCH_BYTES_LOOKED_AT_MAX`].
pub fn apply_noting(resource: &Resource, operations: &[PatchOperation]) -> Result<Applied, ScimError> {
    let mut changed = resource.clone();
    let mut budget = Budget(PATCH_BYTES_LOOKED_AT_MAX);
    for operation in operations {
        one(changed.attributes_mut(), operation, &mut budget)?;
    }
    check_required(&changed)?;
    let mut notes = Notes::default();
    labels::settle(&mut changed, operations, &mut notes)?;
    Ok(Applied {
        resource: changed,
        notes: notes.list,
        tolerated: notes.tolerated,
    })
}

/// What the operations of one request may still look at.
struct Budget(usize);

impl Budget {
    /// Takes what an operation looks at in a list: all of it, once for every comparison.
    fn take(&mut self, list: &[Value], operation: &PatchOperation) -> Result<(), ScimError> {
        let all_are_replaced = operation.op == PatchKind::Replace && operation.path.filter.is_none();
        if all_are_replaced && operation.path.attr.sub.is_none() {
            return Ok(());
        }
        let looks = operation.path.filter.as_ref().map_or(1, Filter::terms);
        let bytes: usize = list.iter().map(weight).sum();
        match self.0.checked_sub(bytes.saturating_mul(looks)) {
            Some(rest) => {
                self.0 = rest;
                Ok(())
            }
            None => Err(ScimError::too_large(
                "the operations look at too many values; send fewer of them at once",
            )),
        }
    }
}

fn one(
    attributes: &mut Map<String, Value>,
    operation: &PatchOperation,
    budget: &mut Budget,
) -> Result<(), ScimError> {
    let Some(extension) = operation.path.attr.extension else {
        return change(attributes, operation, budget);
    };
    let mut inner = match attributes.remove(extension.id) {
        Some(Value::Object(inner)) => inner,
        _ => Map::new(),
    };
    change(&mut inner, operation, budget)?;
    if !inner.is_empty() {
        attributes.insert(extension.id.to_owned(), Value::Object(inner));
    }
    Ok(())
}

fn change(
    container: &mut Map<String, Value>,
    operation: &PatchOperation,
    budget: &mut Budget,
) -> Result<(), ScimError> {
    let attribute = operation.path.attr.attribute;
    if !attribute.multi_valued {
        change_single(container, operation);
        return Ok(());
    }
    let mut list = match container.remove(attribute.name) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    budget.take(&list, operation)?;
    // Of a list that is exchanged as a whole no place is what it was.
    let (path, op) = (&operation.path, operation.op);
    let is_kept = op != PatchKind::Replace || path.filter.is_some() || path.attr.sub.is_some();
    let before: Vec<bool> = list.iter().filter(|_| is_kept).map(is_primary).collect();
    let written = change_list(&mut list, operation)?;
    if list.len() > ELEMENTS_MAX {
        let detail = format!("{} would have more than {ELEMENTS_MAX} values", attribute.name);
        return Err(ScimError::invalid_value(detail));
    }
    if !written.is_empty() {
        // What has just been made primary wins against what was so and was only written to besides.
        let primary = || {
            written
                .iter()
                .rev()
                .filter(|index| list.get(**index).is_some_and(is_primary))
        };
        let is_new = |index: &&usize| before.get(**index) != Some(&true);
        let winner = primary().find(is_new).or_else(|| primary().next()).copied();
        one_primary(&mut list, winner);
    }
    if !list.is_empty() {
        container.insert(attribute.name.to_owned(), Value::Array(list));
    }
    Ok(())
}

fn change_single(container: &mut Map<String, Value>, operation: &PatchOperation) {
    let attribute = operation.path.attr.attribute;
    let name = attribute.name;
    match (operation.path.attr.sub, &operation.value, operation.op) {
        (None, _, PatchKind::Remove) | (None, None, _) => {
            container.remove(name);
        }
        (None, Some(Value::Object(new)), _) if merges(attribute) => {
            let mut merged = object(container.remove(name));
            merged.extend(new.clone());
            container.insert(name.to_owned(), Value::Object(merged));
        }
        (None, Some(new), _) => {
            container.insert(name.to_owned(), new.clone());
        }
        (Some(sub), value, op) => {
            let mut merged = object(container.remove(name));
            match value {
                Some(value) if op != PatchKind::Remove => {
                    merged.insert(sub.name.to_owned(), value.clone());
                }
                _ => {
                    merged.remove(sub.name);
                }
            }
            if !merged.is_empty() {
                container.insert(name.to_owned(), Value::Object(merged));
            }
        }
    }
}

/// Sub-attributes that are not named stay (RFC 7644 section 3.5.2.3), except in a reference, where they
/// would speak of another resource.
fn merges(attribute: &Attribute) -> bool {
    attribute.is_complex() && attribute.sub("$ref").is_none()
}

fn object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// Changes a list; gives the places that were written.
fn change_list(list: &mut Vec<Value>, operation: &PatchOperation) -> Result<Vec<usize>, ScimError> {
    let attribute = operation.path.attr.attribute;
    match (&operation.path.filter, operation.path.attr.sub, operation.op) {
        (None, None, PatchKind::Replace) => {
            *list = elements(operation.value.as_ref()).to_vec();
            Ok((0..list.len()).rev().collect())
        }
        (None, None, PatchKind::Add) => {
            let new = elements(operation.value.as_ref());
            Ok(add_elements(list, attribute, new))
        }
        (None, None, PatchKind::Remove) => {
            match &operation.value {
                None => list.clear(),
                Some(named) => remove_named(list, attribute, elements(Some(named))),
            }
            Ok(Vec::new())
        }
        (filter, sub, op) => {
            let places = selected(list, filter.as_ref());
            if places.is_empty() {
                return when_missing(list, operation);
            }
            match (sub, op) {
                (None, PatchKind::Remove) => drop_places(list, &places),
                (Some(sub), PatchKind::Remove) => remove_sub(list, &places, sub),
                (sub, _) => write_places(list, &places, sub, operation),
            }
            Ok(if op == PatchKind::Remove {
                Vec::new()
            } else {
                places
            })
        }
    }
}

fn elements(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::Array(list)) => list,
        Some(single) => std::slice::from_ref(single),
        None => &[],
    }
}

fn selected(list: &[Value], filter: Option<&Filter>) -> Vec<usize> {
    let matches = |element: &Value| {
        filter.is_none_or(|filter| element.as_object().is_some_and(|map| filter.matches(map)))
    };
    list.iter()
        .enumerate()
        .filter(|(_, element)| matches(element))
        .map(|(place, _)| place)
        .collect()
}

/// Adds elements, each merged into the one that already has its value; gives their places.
///
/// Roles are the same by value, other elements by value and type; those without value when all is equal.
fn add_elements(list: &mut Vec<Value>, attribute: &Attribute, new: &[Value]) -> Vec<usize> {
    let key = |element: &Value| {
        let kind = if attribute.holds_roles {
            None
        } else {
            element.get("type").and_then(Value::as_str)
        };
        Some((value_key(attribute, element)?, kind.map(str::to_owned)))
    };
    let mut known: HashMap<_, usize> = HashMap::new();
    for (place, element) in list.iter().enumerate() {
        if let Some(key) = key(element) {
            known.entry(key).or_insert(place);
        }
    }
    let mut places = Vec::with_capacity(new.len());
    for element in new {
        let key = key(element);
        let place = match &key {
            Some(key) => known.get(key).copied(),
            None => list.iter().position(|old| old == element),
        };
        match place.and_then(|place| list.get_mut(place)) {
            Some(old) => {
                if let (Value::Object(old), Value::Object(new)) = (old, element) {
                    old.extend(new.clone());
                }
            }
            None => list.push(element.clone()),
        }
        let place = place.unwrap_or(list.len() - 1);
        if let Some(key) = key {
            known.entry(key).or_insert(place);
        }
        places.push(place);
    }
    places
}

/// Removes what the value list of a `remove` names: by value, or else by all that it says.
fn remove_named(list: &mut Vec<Value>, attribute: &Attribute, named: &[Value]) {
    let values: HashSet<String> = named
        .iter()
        .filter_map(|named| value_key(attribute, named))
        .collect();
    let others: Vec<&Map<String, Value>> = named
        .iter()
        .filter(|n| n.get("value").is_none())
        .filter_map(Value::as_object)
        .collect();
    list.retain(|element| {
        let by_value = value_key(attribute, element).is_some_and(|key| values.contains(&key));
        let says =
            |named: &Map<String, Value>| named.iter().all(|(key, value)| element.get(key) == Some(value));
        !by_value && !others.iter().any(|named| says(named))
    });
}

/// The element's `value` in the form in which two are compared; built once per element, so that a list
/// compared with a list costs their sum.
fn value_key(attribute: &Attribute, element: &Value) -> Option<String> {
    let value = element.get("value")?.as_str()?;
    let exact = attribute.value_sub().is_none_or(|sub| sub.case_exact);
    Some(if exact {
        value.to_owned()
    } else {
        value.to_lowercase()
    })
}

fn drop_places(list: &mut Vec<Value>, places: &[usize]) {
    let mut place = 0;
    list.retain(|_| {
        let keep = places.binary_search(&place).is_err();
        place += 1;
        keep
    });
}

/// An element that loses its `value` goes as a whole: what is left would be a label of nothing.
fn remove_sub(list: &mut Vec<Value>, places: &[usize], sub: &Attribute) {
    if sub.name == "value" {
        return drop_places(list, places);
    }
    for place in places {
        if let Some(Value::Object(element)) = list.get_mut(*place) {
            element.remove(sub.name);
        }
    }
    list.retain(|element| element.as_object().is_none_or(|map| !map.is_empty()));
}

fn write_places(
    list: &mut [Value],
    places: &[usize],
    sub: Option<&'static Attribute>,
    operation: &PatchOperation,
) {
    let Some(value) = &operation.value else {
        return;
    };
    for place in places {
        let Some(Value::Object(element)) = list.get_mut(*place) else {
            continue;
        };
        match (sub, value) {
            (Some(sub), value) => {
                element.insert(sub.name.to_owned(), value.clone());
            }
            (None, Value::Object(new)) => {
                if operation.op == PatchKind::Replace {
                    // It must stay what the path selected.
                    *element = template(operation.path.filter.as_ref()).unwrap_or_default();
                }
                element.extend(new.clone());
            }
            (None, _) => {}
        }
    }
}

fn when_missing(list: &mut Vec<Value>, operation: &PatchOperation) -> Result<Vec<usize>, ScimError> {
    let no_target = || ScimError::no_target(format!("nothing matches the filter on {}", operation.path.attr));
    if operation.on_missing == OnMissing::Refuse && operation.path.filter.is_some() {
        return Err(no_target());
    }
    if operation.op == PatchKind::Remove {
        return Ok(Vec::new());
    }
    let mut element = template(operation.path.filter.as_ref()).ok_or_else(no_target)?;
    match (operation.path.attr.sub, &operation.value) {
        (Some(sub), Some(value)) => {
            element.insert(sub.name.to_owned(), value.clone());
        }
        (None, Some(Value::Object(new))) => element.extend(new.clone()),
        _ => return Ok(Vec::new()),
    }
    list.push(Value::Object(element));
    Ok(vec![list.len() - 1])
}

/// The element that a filter of equalities describes; none when it asks for anything else.
fn template(filter: Option<&Filter>) -> Option<Map<String, Value>> {
    let mut element = Map::new();
    let parts = match filter {
        None => return Some(element),
        Some(Filter::And(parts)) => parts.as_slice(),
        Some(single) => std::slice::from_ref(single),
    };
    for part in parts {
        let Filter::Compare(path, CompareOp::Equal, literal) = part else {
            return None;
        };
        let value = match (path.attribute.kind, literal) {
            (_, Literal::Null) => continue,
            (AttributeType::Boolean, Literal::Bool(known)) => Value::Bool(*known),
            (AttributeType::Boolean, Literal::Text(text)) => Value::Bool(truth(&Value::from(text.as_str()))?),
            (AttributeType::Boolean, Literal::Number(_)) => return None,
            (_, Literal::Text(text) | Literal::Number(text)) => Value::from(text.as_str()),
            (_, Literal::Bool(known)) => Value::from(known.to_string()),
        };
        element.insert(path.attribute.name.to_owned(), value);
    }
    Some(element)
}
