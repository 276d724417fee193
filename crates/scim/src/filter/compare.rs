//! Typed comparison of one value with one literal.

use super::{CompareOp, Literal};
use crate::schema::{Attribute, AttributeType, Uniqueness};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Ordering;

/// Whether the operator and the literal fit the attribute.
pub(super) fn check(attribute: &Attribute, op: CompareOp, literal: &Literal) -> Result<(), &'static str> {
    if *literal == Literal::Null {
        return match op {
            CompareOp::Equal | CompareOp::NotEqual => Ok(()),
            _ => Err("null can only be compared for equality"),
        };
    }
    match attribute.kind {
        AttributeType::Boolean if !matches!(op, CompareOp::Equal | CompareOp::NotEqual) => {
            Err("a boolean can only be compared for equality")
        }
        AttributeType::Boolean if truth(literal).is_none() => Err("the value is not a boolean"),
        AttributeType::DateTime if op.is_ordering() && instant(&text_of(literal)).is_none() => {
            Err("the value is not a date")
        }
        AttributeType::Complex => Err("a complex attribute cannot be compared"),
        _ => Ok(()),
    }
}

/// Whether `value`, a simple value of `attribute`, satisfies the comparison.
pub(super) fn holds(attribute: &Attribute, value: &Value, op: CompareOp, literal: &Literal) -> bool {
    if *literal == Literal::Null {
        return op == CompareOp::NotEqual;
    }
    match attribute.kind {
        AttributeType::Boolean => {
            let same = as_bool(value).is_some_and(|value| truth(literal) == Some(value));
            same == (op == CompareOp::Equal)
        }
        AttributeType::DateTime => dates(&scalar_text(value), op, &text_of(literal)),
        // Blanks around a name do not make it another one, where it must be unique: it is found as it is taken.
        _ if attribute.uniqueness == Uniqueness::Server && !attribute.case_exact && is_equality(op) => {
            texts(scalar_text(value).trim(), op, text_of(literal).trim(), false)
        }
        _ => texts(&scalar_text(value), op, &text_of(literal), attribute.case_exact),
    }
}

fn dates(value: &str, op: CompareOp, literal: &str) -> bool {
    match (instant(value), instant(literal)) {
        (Some(value), Some(literal)) if op.is_ordering() || is_equality(op) => {
            ordered(value.cmp(&literal), op)
        }
        _ => texts(value, op, literal, false),
    }
}

fn texts(value: &str, op: CompareOp, literal: &str, exact: bool) -> bool {
    if is_equality(op) {
        let same = if exact {
            value == literal
        } else {
            same_folded(value, literal)
        };
        return same == (op == CompareOp::Equal);
    }
    let (value, literal) = (folded(value, exact), folded(literal, exact));
    match op {
        CompareOp::Contains => value.contains(&*literal),
        CompareOp::StartsWith => value.starts_with(&*literal),
        CompareOp::EndsWith => value.ends_with(&*literal),
        _ => ordered(value.cmp(&literal), op),
    }
}

/// Equal but for case, as names are folded where they must be unique: as a whole, since a letter may depend on its
/// place (the sigma at a word's end).
fn same_folded(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right)
        || (!(left.is_ascii() && right.is_ascii()) && left.to_lowercase() == right.to_lowercase())
}

fn folded(text: &str, exact: bool) -> Cow<'_, str> {
    if exact {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

fn ordered(ordering: Ordering, op: CompareOp) -> bool {
    match op {
        CompareOp::Equal => ordering.is_eq(),
        CompareOp::NotEqual => ordering.is_ne(),
        CompareOp::Greater => ordering.is_gt(),
        CompareOp::GreaterOrEqual => ordering.is_ge(),
        CompareOp::Less => ordering.is_lt(),
        CompareOp::LessOrEqual => ordering.is_le(),
        CompareOp::Contains | CompareOp::StartsWith | CompareOp::EndsWith => false,
    }
}

fn is_equality(op: CompareOp) -> bool {
    matches!(op, CompareOp::Equal | CompareOp::NotEqual)
}

pub(super) fn text_of(literal: &Literal) -> Cow<'_, str> {
    match literal {
        Literal::Text(text) | Literal::Number(text) => Cow::Borrowed(text),
        Literal::Bool(true) => Cow::Borrowed("true"),
        Literal::Bool(false) => Cow::Borrowed("false"),
        Literal::Null => Cow::Borrowed(""),
    }
}

pub(super) fn truth(literal: &Literal) -> Option<bool> {
    match literal {
        Literal::Bool(value) => Some(*value),
        Literal::Text(text) => bool_of_text(text),
        Literal::Number(_) | Literal::Null => None,
    }
}

fn as_bool(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) => bool_of_text(text),
        _ => None,
    }
}

/// `True` and `False` in any case, as identity providers send them.
pub(crate) fn bool_of_text(text: &str) -> Option<bool> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn scalar_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Bool(value) => Cow::Owned(value.to_string()),
        Value::Number(number) => Cow::Owned(number.to_string()),
        _ => Cow::Borrowed(""),
    }
}

/// A point in time: RFC 3339 with up to nine digits of a second, or (tolerated) a date and time without zone,
/// taken as UTC, or a date alone.
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse::<Timestamp>().ok().or_else(|| {
        let local: DateTime = text.parse().ok()?;
        TimeZone::UTC.to_timestamp(local).ok()
    })
}
