//! Does a resource satisfy a filter?

use super::{CompareOp, Filter, Literal, compare};
use crate::path::AttrRef;
use crate::schema::{Attribute, AttributeType};
use serde_json::{Map, Value};

impl Filter {
    /// Whether a normalised resource (or, for a filter between brackets, an element) satisfies it.
    ///
    /// A multi-valued attribute satisfies a comparison when one of its values does. An attribute without
    /// value satisfies `eq null` and `ne` anything but null, and no other comparison; but an element that says
    /// nothing of `primary` is not primary.
    #[must_use]
    pub fn matches(&self, attributes: &Map<String, Value>) -> bool {
        match self {
            Self::Compare(path, op, literal) => compares(path, *op, literal, attributes),
            Self::Present(path) => {
                let mut present = false;
                each_value(path, attributes, &mut |_, value| {
                    present = is_assigned(value);
                    present
                });
                present
            }
            Self::And(parts) => parts.iter().all(|part| part.matches(attributes)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(attributes)),
            Self::Not(inner) => !inner.matches(attributes),
            Self::Element(path, inner) => match located(path, attributes) {
                Some(Value::Array(list)) => list
                    .iter()
                    .filter_map(Value::as_object)
                    .any(|element| inner.matches(element)),
                Some(Value::Object(element)) => inner.matches(element),
                _ => false,
            },
        }
    }
}

impl Filter {
    /// What can be said when only some attributes are at hand: those that `knows` says yes to. None when the
    /// others are needed.
    #[must_use]
    pub fn decide(&self, attributes: &Map<String, Value>, knows: &dyn Fn(&AttrRef) -> bool) -> Option<bool> {
        let of_parts = |parts: &[Self], decisive: bool| {
            let mut all = true;
            for part in parts {
                match part.decide(attributes, knows) {
                    Some(said) if said == decisive => return Some(decisive),
                    Some(_) => {}
                    None => all = false,
                }
            }
            all.then_some(!decisive)
        };
        match self {
            Self::Compare(path, ..) | Self::Present(path) | Self::Element(path, _) => {
                knows(path).then(|| self.matches(attributes))
            }
            Self::And(parts) => of_parts(parts, false),
            Self::Or(parts) => of_parts(parts, true),
            Self::Not(inner) => inner.decide(attributes, knows).map(|said| !said),
        }
    }
}

fn compares(path: &AttrRef, op: CompareOp, literal: &Literal, attributes: &Map<String, Value>) -> bool {
    let mut assigned = false;
    let mut satisfied = false;
    let mut compared = |leaf: &Attribute, value: &Value| {
        if is_assigned(value) {
            assigned = true;
            satisfied = compare::holds(leaf, value, op, literal);
        }
        satisfied
    };
    if is_primary(path.leaf()) && *literal != Literal::Null {
        each_primary(path, attributes, &mut compared);
    } else {
        each_value(path, attributes, &mut compared);
    }
    satisfied
        || (!assigned
            && match op {
                CompareOp::Equal => *literal == Literal::Null,
                CompareOp::NotEqual => *literal != Literal::Null,
                _ => false,
            })
}

fn is_primary(attribute: &Attribute) -> bool {
    attribute.kind == AttributeType::Boolean && attribute.name == "primary"
}

/// Gives the mark of every element to `visit` until it answers true; one without it is not primary (RFC 7643
/// section 2.4). `path` is that of the list, or between brackets that of the mark alone.
fn each_primary(
    path: &AttrRef,
    attributes: &Map<String, Value>,
    visit: &mut dyn FnMut(&'static Attribute, &Value) -> bool,
) {
    let mut one = |element: &Map<String, Value>| {
        let mark = element.get("primary").unwrap_or(&Value::Bool(false));
        visit(path.leaf(), mark)
    };
    match (path.sub, located(path, attributes)) {
        (None, _) => {
            one(attributes);
        }
        (Some(_), Some(Value::Array(list))) => {
            list.iter().filter_map(Value::as_object).any(one);
        }
        (Some(_), _) => {}
    }
}

fn is_assigned(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

fn located<'a>(path: &AttrRef, attributes: &'a Map<String, Value>) -> Option<&'a Value> {
    match path.extension {
        None => attributes.get(path.attribute.name),
        Some(extension) => attributes
            .get(extension.id)?
            .as_object()?
            .get(path.attribute.name),
    }
}

/// Gives every value at `path` to `visit` until it answers true.
fn each_value(
    path: &AttrRef,
    attributes: &Map<String, Value>,
    visit: &mut dyn FnMut(&'static Attribute, &Value) -> bool,
) {
    match located(path, attributes) {
        None => {}
        Some(Value::Array(list)) => {
            for element in list {
                if let Some(value) = step(path, element)
                    && visit(path.leaf(), value)
                {
                    return;
                }
            }
        }
        Some(single) => {
            if let Some(value) = step(path, single) {
                visit(path.leaf(), value);
            }
        }
    }
}

fn step<'a>(path: &AttrRef, value: &'a Value) -> Option<&'a Value> {
    match path.sub {
        None => Some(value),
        Some(sub) => value.as_object()?.get(sub.name),
    }
}
