//! The other parser's tree beside ours, and a naive answer from it.

use rollcall_scim::filter::{CompareOp, Literal};
use rollcall_scim::patch::PatchPath;
use rollcall_scim::schema::USER_URN;
use rollcall_scim::{AttrRef, Filter};
use scim_v2::filter::{
    AttrExp, AttrPath, CompValue, CompareOp as OtherOp, Filter as Other, PatchValuePath, ValFilter,
};
use serde_json::Value;

/// Whether two trees ask the same; chains of one word are taken flat on both sides.
pub(crate) fn same_tree(ours: &Filter, theirs: &Other) -> bool {
    match (ours, theirs) {
        (Filter::Present(path), Other::Attr(AttrExp::Present(other))) => same_path(path, other),
        (Filter::Compare(path, op, literal), Other::Attr(AttrExp::Comparison(other, word, value))) => {
            same_compared(path, other) && same_op(*op, word) && same_literal(literal, value)
        }
        (Filter::Not(ours), Other::Not(theirs)) => same_tree(ours, theirs),
        (Filter::Element(path, inner), Other::ValuePath(theirs)) => {
            same_path(path, &theirs.attr) && same_tree(inner, &outside(&theirs.filter))
        }
        (Filter::And(_), Other::And(_)) => same_chain(
            &flat(ours, &|f| match f {
                Filter::And(parts) => Some(parts.as_slice()),
                _ => None,
            }),
            &flat(theirs, &|f| match f {
                Other::And(parts) => Some(parts.as_slice()),
                _ => None,
            }),
        ),
        (Filter::Or(_), Other::Or(_)) => same_chain(
            &flat(ours, &|f| match f {
                Filter::Or(parts) => Some(parts.as_slice()),
                _ => None,
            }),
            &flat(theirs, &|f| match f {
                Other::Or(parts) => Some(parts.as_slice()),
                _ => None,
            }),
        ),
        _ => false,
    }
}

fn same_chain(ours: &[&Filter], theirs: &[&Other]) -> bool {
    ours.len() == theirs.len()
        && ours
            .iter()
            .zip(theirs)
            .all(|(ours, theirs)| same_tree(ours, theirs))
}

fn flat<'a, T>(tree: &'a T, parts: &dyn Fn(&'a T) -> Option<&'a [T]>) -> Vec<&'a T> {
    match parts(tree) {
        Some(list) => list.iter().flat_map(|part| flat(part, parts)).collect(),
        None => vec![tree],
    }
}

/// What stands between brackets, as a filter.
fn outside(filter: &ValFilter) -> Other {
    let all = |parts: &[ValFilter]| parts.iter().map(outside).collect::<Vec<_>>();
    match filter {
        ValFilter::Attr(test) => Other::Attr(test.clone()),
        ValFilter::Not(inner) => Other::Not(Box::new(outside(inner))),
        ValFilter::And(parts) => Other::all(all(parts.as_slice())).expect("two parts"),
        ValFilter::Or(parts) => Other::any(all(parts.as_slice())).expect("two parts"),
    }
}

/// Whether both name one attribute. We know which schema a name without URN belongs to; the other does not.
pub(crate) fn same_path(ours: &AttrRef, theirs: &AttrPath) -> bool {
    let urn = ours.extension.map_or(USER_URN, |extension| extension.id);
    let same_urn = theirs
        .uri
        .as_ref()
        .is_none_or(|uri| uri.eq_ignore_ascii_case(urn));
    let same_sub = match (ours.sub, &theirs.sub_attr) {
        (None, None) => true,
        (Some(ours), Some(theirs)) => ours.name.eq_ignore_ascii_case(theirs),
        _ => false,
    };
    same_urn && same_sub && ours.attribute.name.eq_ignore_ascii_case(&theirs.name)
}

/// The same, where a complex attribute stands for its `value` (RFC 7644 section 3.4.2.2).
fn same_compared(ours: &AttrRef, theirs: &AttrPath) -> bool {
    let whole = AttrRef { sub: None, ..*ours };
    let by_value = theirs.sub_attr.is_none() && ours.sub.is_some_and(|sub| sub.name == "value");
    same_path(ours, theirs) || (by_value && same_path(&whole, theirs))
}

pub(crate) fn same_element(ours: &PatchPath, theirs: &PatchValuePath) -> bool {
    let whole = AttrRef {
        sub: None,
        ..ours.attr
    };
    let same_sub = match (ours.attr.sub, &theirs.sub_attr) {
        (None, None) => true,
        (Some(ours), Some(theirs)) => ours.name.eq_ignore_ascii_case(theirs),
        _ => false,
    };
    let filter = ours.filter.as_ref();
    same_sub
        && same_path(&whole, &theirs.attr)
        && filter.is_some_and(|filter| same_tree(filter, &outside(&theirs.filter)))
}

fn same_op(ours: CompareOp, theirs: &OtherOp) -> bool {
    let expected = match theirs {
        OtherOp::Eq => CompareOp::Equal,
        OtherOp::Ne => CompareOp::NotEqual,
        OtherOp::Co => CompareOp::Contains,
        OtherOp::Sw => CompareOp::StartsWith,
        OtherOp::Ew => CompareOp::EndsWith,
        OtherOp::Gt => CompareOp::Greater,
        OtherOp::Ge => CompareOp::GreaterOrEqual,
        OtherOp::Lt => CompareOp::Less,
        OtherOp::Le => CompareOp::LessOrEqual,
    };
    ours == expected
}

fn same_literal(ours: &Literal, theirs: &CompValue) -> bool {
    match (ours, theirs) {
        (Literal::Text(ours), CompValue::Str(theirs)) => ours == theirs,
        (Literal::Bool(ours), theirs) => *theirs == if *ours { CompValue::True } else { CompValue::False },
        (Literal::Null, CompValue::Null) => true,
        (Literal::Number(ours), CompValue::Number(theirs)) => {
            serde_json::from_str::<serde_json::Number>(ours).is_ok_and(|ours| ours == *theirs)
        }
        _ => false,
    }
}

/// What the other's tree says of a resource; nothing when it asks for dates.
pub(crate) fn answer(filter: &Other, resource: &Value) -> Option<bool> {
    Some(match filter {
        Other::Attr(AttrExp::Present(path)) => !values(path, resource).is_empty(),
        Other::Attr(AttrExp::Comparison(path, op, value)) => {
            if path.name.eq_ignore_ascii_case("meta") {
                return None;
            }
            compares(&values(path, resource), op, value)
        }
        Other::ValuePath(inside) => {
            let inner = outside(&inside.filter);
            let found = member(resource, &inside.attr.name);
            let elements = match found {
                Some(Value::Array(list)) => list.iter().collect(),
                Some(single) => vec![single],
                None => Vec::new(),
            };
            let mut any = false;
            for element in elements {
                any |= answer(&inner, element)?;
            }
            any
        }
        Other::Not(inner) => !answer(inner, resource)?,
        Other::And(parts) => all(parts.as_slice(), resource)?.into_iter().all(|holds| holds),
        Other::Or(parts) => all(parts.as_slice(), resource)?.into_iter().any(|holds| holds),
    })
}

fn all(parts: &[Other], resource: &Value) -> Option<Vec<bool>> {
    parts.iter().map(|part| answer(part, resource)).collect()
}

fn member<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let mut members = object.as_object()?.iter();
    members
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// Every simple value at a path; an element without sub-attribute stands for its `value`.
fn values(path: &AttrPath, resource: &Value) -> Vec<Value> {
    let holder = match &path.uri {
        Some(uri) if !uri.eq_ignore_ascii_case(USER_URN) => member(resource, uri),
        _ => Some(resource),
    };
    let found = holder.and_then(|holder| member(holder, &path.name));
    let elements = match found {
        Some(Value::Array(list)) => list.clone(),
        Some(single) => vec![single.clone()],
        None => Vec::new(),
    };
    let sub = |element: Value| match &path.sub_attr {
        Some(sub) => member(&element, sub).cloned(),
        None if element.is_object() => Some(member(&element, "value").cloned().unwrap_or(element)),
        None => Some(element),
    };
    elements.into_iter().filter_map(sub).collect()
}

fn compares(values: &[Value], op: &OtherOp, literal: &CompValue) -> bool {
    if values.is_empty() {
        return match op {
            OtherOp::Eq => *literal == CompValue::Null,
            OtherOp::Ne => *literal != CompValue::Null,
            _ => false,
        };
    }
    values.iter().any(|value| match (value, literal) {
        (_, CompValue::Null) => *op == OtherOp::Ne,
        (Value::Bool(value), literal) => {
            let same = *literal == if *value { CompValue::True } else { CompValue::False };
            same == (*op == OtherOp::Eq)
        }
        (Value::String(value), CompValue::Str(text)) => {
            let (value, text) = (value.to_lowercase(), text.to_lowercase());
            match op {
                OtherOp::Eq => value == text,
                OtherOp::Ne => value != text,
                OtherOp::Co => value.contains(&text),
                OtherOp::Sw => value.starts_with(&text),
                OtherOp::Ew => value.ends_with(&text),
                OtherOp::Gt => value > text,
                OtherOp::Ge => value >= text,
                OtherOp::Lt => value < text,
                OtherOp::Le => value <= text,
            }
        }
        _ => false,
    })
}
