//! What the operations of one PATCH may look at together.

use super::*;
use crate::limits::{ELEMENTS_MAX, PATCH_BYTES_LOOKED_AT_MAX, PATCH_OPERATIONS_MAX};

fn with_emails(bytes: usize) -> Resource {
    let emails: Vec<Value> = (0..ELEMENTS_MAX)
        .map(|n| json!({"value": format!("{n}{}", "x".repeat(bytes))}))
        .collect();
    let attributes = json!({"userName": "ida", "active": true, "emails": emails});
    Resource::from_stored(ResourceKind::User, attributes.as_object().unwrap().clone())
}

fn titles(filter: &str, count: usize) -> Value {
    let one = json!({"op": "replace", "path": format!("emails[{filter}].display"), "value": "x"});
    json!({"Operations": vec![one; count]})
}

#[test]
fn many_filters_over_many_long_values_are_refused_before_they_are_all_looked_at() {
    let (terms, bytes) = (2, 1_000);
    let body = titles("value co \"x\" or value ew \"b\"", PATCH_OPERATIONS_MAX);
    let patch = read_patch(ResourceKind::User, Dialect::Tolerant, &body).unwrap();
    assert!(PATCH_OPERATIONS_MAX * terms * bytes * ELEMENTS_MAX > PATCH_BYTES_LOOKED_AT_MAX);
    let error = apply(&with_emails(bytes), &patch.operations).unwrap_err();
    assert_eq!(error.status, 413, "{}", error.detail);
}

#[test]
fn as_many_operations_over_ordinary_values_are_done() {
    let body = titles("value sw \"7\"", PATCH_OPERATIONS_MAX);
    let patch = read_patch(ResourceKind::User, Dialect::Tolerant, &body).unwrap();
    let changed = apply(&with_emails(30), &patch.operations).unwrap();
    let shown = changed.attributes().get("emails").unwrap().as_array().unwrap();
    let labelled = shown.iter().filter(|email| email.get("display").is_some());
    assert_eq!(labelled.count(), 11);
}
