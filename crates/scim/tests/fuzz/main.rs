//! Hostile input against the parsers, and generated input against a naive model.
//!
//! What it is: mutation of a seed corpus **without coverage guidance**, so it finds shallow defects near real
//! shapes and
//! proves nothing about deep ones. Each target runs a fixed seed for a fixed number of inputs, then
//! a printed seed until `ROLLCALL_FUZZ_SECONDS` (default 0) have passed; `ROLLCALL_FUZZ_SEED` replays a seed.
//! A failing input is printed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod model;
mod mutate;
mod oracle;

use mutate::{Random, mutated};
use rollcall_scim::bulk::BulkRequest;
use rollcall_scim::limits::{FILTER_BYTES_MAX, FILTER_TERMS_MAX, KEY_BYTES_MAX, PATH_TERMS_MAX};
use rollcall_scim::patch::{MembersChange, PATCH_OP_SCHEMA, PatchPath, apply};
use rollcall_scim::{
    AttrRef, Dialect, Filter, PatchKind, PatchOperation, Resource, ResourceKind, ScimError, Selection,
    SortBy, parse_patch,
};
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

const INPUTS: usize = 3_000;
const FIXED_SEED: u64 = 7_644;

const FILTERS: [&str; 9] = [
    r#"userName eq "ada@example.com""#,
    r#"externalId eq "00u1" or not (active eq true)"#,
    r#"emails[type eq "work"].value eq "ada@example.com""#,
    r#"emails[type eq "work" and value co "@"] and name.familyName sw "L""#,
    r#"meta.lastModified gt "2024-01-01T00:00:00Z""#,
    r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value pr"#,
    r#"roles[primary eq "True"].value eq "admin""#,
    "((((userName pr))))",
    "userName eq ada and active ne null",
];
const PATHS: [&str; 12] = [
    "userName",
    "name.givenName",
    r#"emails[type eq "work"].value"#,
    r#"emails[type eq "work" and value co "@]"]"#,
    r#"addresses[not (type eq "home")].streetAddress"#,
    r#"roles[primary eq "True"].displayName"#,
    r#"members[value eq "1" or value eq "2"]"#,
    "urn:ietf:params:scim:schemas:core:2.0:User:emails[primary eq true].display",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    r#"urn:rollcall:params:scim:schemas:extension:1.0:Group:roles[value eq "a\"b"].display"#,
    "manager",
];
const PATCHES: [&str; 7] = [
    r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations":[{"op":"Replace","path":"active","value":"False"}]}"#,
    r#"{"Operations":[{"op":"Add","path":"emails[type eq \"work\"].value","value":"b@example.com"}]}"#,
    r#"{"Operations":[{"op":"replace","value":{"displayName":"B","name.givenName":"C","active":true}}]}"#,
    r#"{"Operations":[{"op":"remove","path":"emails[type eq \"work\"]"},{"op":"remove","path":"title"}]}"#,
    r#"{
        "Operations":[{"op":"replace","path":"name.familyName","value":"L"},
        {"op":"Remove","path":"roles"}]}"#,
    r#"{"Operations":[{"op":"remove","path":"members","value":[{"value":"1"}]}]}"#,
    r#"{
        "Operations":[{"op":"add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
        "value":"7"}]}"#,
];
const LISTS: [&str; 3] = [
    "userName,name.givenName",
    "emails[type eq \"work\"].value,meta",
    "id,,urn:x:y",
];
const BULKS: [&str; 2] = [
    r#"{"failOnErrors":1,
        "Operations":[{"method":"POST","path":"/Users","bulkId":"q",
        "data":{"userName":"a"}}]}"#,
    r#"{
        "Operations":[{"method":"PATCH","path":"/Groups/1",
        "data":{"Operations":[{"op":"add","path":"members","value":[{"value":"bulkId:q"}]}]}},
        {"method":"DELETE","path":"/Users/2"}]}"#,
];

fn document() -> Resource {
    let Value::Object(map) = json!({
        "userName": "ada@example.com", "displayName": "Ada", "title": "Countess", "active": true,
        "name": {"givenName": "Ada", "familyName": "Lovelace"},
        "emails": [{"value": "ada@example.com", "type": "work", "primary": true},
            {"value": "a@b", "type": "home"}],
    }) else {
        unreachable!()
    };
    Resource::from_stored(ResourceKind::User, map)
}

// The library has no clock and no environment; this harness, which is not part of it, is told by both how
// long to run and where to begin.
#[allow(clippy::disallowed_types, clippy::disallowed_methods)]
fn run(target: &str, seeds: &[&str], holds: impl Fn(&[u8])) {
    let number = |name| {
        std::env::var(name)
            .ok()
            .and_then(|text: String| text.parse::<u64>().ok())
    };
    let started = std::time::Instant::now();
    let end = Duration::from_secs(number("ROLLCALL_FUZZ_SECONDS").unwrap_or(0));
    let clock = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let seed = number("ROLLCALL_FUZZ_SEED").unwrap_or(u64::from(clock.subsec_nanos()));
    println!("{target}: seeds {FIXED_SEED} and {seed}");
    let try_one = |random: &mut Random| {
        let input = mutated(random, seeds);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| holds(&input))) {
            eprintln!("{target} fails on {:?}", String::from_utf8_lossy(&input));
            eprintln!("as bytes: {input:?}");
            resume_unwind(panic);
        }
    };
    let (mut fixed, mut fresh) = (Random(FIXED_SEED), Random(seed));
    (0..INPUTS).for_each(|_| try_one(&mut fixed));
    (0..INPUTS).for_each(|_| try_one(&mut fresh));
    while started.elapsed() < end {
        try_one(&mut fresh);
    }
}

#[test]
fn a_mutated_filter_is_refused_or_is_bounded_and_survives_printing() {
    run("filter", &FILTERS, |input| {
        let text = String::from_utf8_lossy(input);
        let Ok(filter) = Filter::parse(ResourceKind::User, &text) else {
            return;
        };
        assert!(filter.terms() <= FILTER_TERMS_MAX);
        let _ = filter.matches(document().attributes());
        let printed = filter.to_string();
        // Full names are longer than short ones: what grew past the bound is refused, as it must be.
        if printed.len() <= FILTER_BYTES_MAX {
            assert_eq!(
                Filter::parse(ResourceKind::User, &printed).as_ref(),
                Ok(&filter),
                "{printed}"
            );
        }
    });
}

#[test]
fn a_mutated_patch_changes_nothing_when_it_fails_and_settles_when_it_removes() {
    run("patch", &PATCHES, |input| {
        for kind in [ResourceKind::User, ResourceKind::Group] {
            for dialect in [Dialect::Tolerant, Dialect::Strict] {
                let Ok(patch) = parse_patch(kind, dialect, input) else {
                    continue;
                };
                let before = document();
                let once = apply(&before, &patch.operations);
                assert_eq!(before, document());
                let settles = patch
                    .operations
                    .iter()
                    .all(|operation| operation.op == PatchKind::Remove);
                if let (true, Ok(once)) = (settles && kind == ResourceKind::User, once)
                    && let Ok(twice) = apply(&once, &patch.operations)
                {
                    assert_eq!(twice, once);
                }
            }
        }
    });
}

/// What a PATCH comes to whose one operation is at this path, and what it tolerated.
fn at_path(
    kind: ResourceKind,
    dialect: Dialect,
    operation: &Value,
) -> Result<(Vec<PatchOperation>, MembersChange, bool), ScimError> {
    let body = json!({"schemas": [PATCH_OP_SCHEMA], "Operations": [operation]});
    let patch = parse_patch(kind, dialect, body.to_string().as_bytes())?;
    let is_plain = patch.tolerated.is_empty() && patch.notes.is_empty();
    Ok((patch.operations, patch.members, is_plain))
}

/// A path as text that reads back as the same path.
fn path_text(path: &PatchPath) -> String {
    let Some(filter) = &path.filter else {
        return path.attr.to_string();
    };
    let whole = AttrRef {
        sub: None,
        ..path.attr
    };
    let sub = path.attr.sub.map(|sub| format!(".{}", sub.name));
    format!("{whole}[{filter}]{}", sub.unwrap_or_default())
}

/// The path alone is mutated: in a body most mutations only break the JSON.
#[test]
fn a_mutated_path_means_the_same_in_every_place_and_dialect_that_takes_it() {
    run("path", &PATHS, |input| {
        let text = String::from_utf8_lossy(input);
        for kind in [ResourceKind::User, ResourceKind::Group] {
            for op in ["add", "replace", "remove"] {
                let mut operation = json!({"op": op, "path": text});
                if op != "remove" {
                    operation["value"] = json!("x");
                }
                let tolerant = at_path(kind, Dialect::Tolerant, &operation);
                // The strict dialect takes nothing that the tolerant one refuses, reads it no differently, and
                // nothing that it takes is a deviation.
                if let Ok((strict, members, _)) = at_path(kind, Dialect::Strict, &operation) {
                    let (lax, lax_members, is_plain) = tolerant.as_ref().unwrap();
                    let paths =
                        |list: &[PatchOperation]| list.iter().map(|o| o.path.clone()).collect::<Vec<_>>();
                    assert_eq!((paths(&strict), &members), (paths(lax), lax_members));
                    assert!(*is_plain, "{op}: a deviation that the strict dialect takes");
                }
                let Ok((operations, members, _)) = tolerant else {
                    continue;
                };
                for operation in &operations {
                    let terms = operation.path.filter.as_ref().map_or(0, Filter::terms);
                    assert!(terms <= PATH_TERMS_MAX);
                    again(kind, op, &operation.path);
                }
                if op != "remove" && !text.trim().is_empty() && text.len() <= KEY_BYTES_MAX {
                    let as_key = json!({"op": op, "value": {text.as_ref(): "x"}});
                    let (keyed, keyed_members, _) = at_path(kind, Dialect::Tolerant, &as_key).unwrap();
                    assert_eq!((keyed, keyed_members), (operations, members), "{op} as a key");
                }
            }
        }
    });
}

/// Printed and read again it is the same path; what grew past a bound is refused, as it must be.
fn again(kind: ResourceKind, op: &str, path: &PatchPath) {
    let text = path_text(path);
    if text.len() > FILTER_BYTES_MAX {
        return;
    }
    let mut operation = json!({"op": op, "path": text});
    if op != "remove" {
        operation["value"] = json!("x");
    }
    let (read, ..) = at_path(kind, Dialect::Tolerant, &operation).unwrap();
    let same: Vec<&PatchPath> = read.iter().map(|operation| &operation.path).collect();
    assert_eq!(same, [path], "{text}");
}

#[test]
fn a_mutated_list_parameter_or_bulk_body_never_panics() {
    run("list", &LISTS, |input| {
        let text = String::from_utf8_lossy(input);
        if let Ok(selection) = Selection::parse(ResourceKind::User, Some(&text), None) {
            let _ = document().to_json(&selection);
        }
        if let Ok(sort) = SortBy::parse(&[ResourceKind::User], ResourceKind::User, &text, true) {
            let _ = sort.key(document().attributes());
        }
    });
    run("bulk", &BULKS, |input| {
        if let Ok(request) = BulkRequest::parse(Dialect::Tolerant, input) {
            let _ = request.steps();
        }
    });
}
