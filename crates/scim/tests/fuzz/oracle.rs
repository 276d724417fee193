//! Filters and paths against `scim_v2`, a parser by other hands: what the strict dialect takes, how it reads it,
//! and what comes of it on a resource when the other's tree is asked by a few lines of our own.
//!
//! That crate knows the grammar and no schema; ours reads both. Where the two may differ stands in
//! [`WE_REFUSE`] and [`words_touch`], one by one; any other difference fails.

mod trees;

use crate::mutate::{Random, mutated};
use proptest::prelude::*;
use rollcall_scim::patch::{PATCH_OP_SCHEMA, read_patch};
use rollcall_scim::{Dialect, Filter, ResourceKind, ScimType};
use scim_v2::filter::{Filter as Other, PatchPath as OtherPath};
use serde_json::{Map, Value, json};
use trees::{answer, same_element, same_path, same_tree};

/// Why we refuse what the other parser takes, by a part of our error's detail.
const WE_REFUSE: &[(&str, &str)] = &[
    (
        "no such attribute",
        "the schema has no such attribute (RFC 7644 section 3.4.2.2)",
    ),
    (
        "has no elements",
        "brackets behind an attribute that is not complex",
    ),
    (
        "complex attribute",
        "a complex attribute without `value` has nothing to compare",
    ),
    ("boolean", "a boolean has no order, and nothing else is one"),
    ("not a date", "a date is compared with dates"),
    ("null can only", "null has no order"),
    ("of another type", "strict: a literal of the attribute's type"),
    ("a date in a filter", "strict: dates as RFC 3339 has them"),
    ("other blanks", "strict: single blanks, as the grammar has them"),
    ("nested deeper", "our bound on depth is lower"),
];

/// The one reason for which we take what the other parser refuses: nothing between `not` and its parenthesis, as
/// figure 1 of the RFC has it. Its examples have a blank there.
fn words_touch(text: &str) -> bool {
    text.to_ascii_lowercase().contains("not(")
}

/// Our reading by the letter of the RFC.
fn ours(text: &str) -> Result<Filter, rollcall_scim::ScimError> {
    let filter = Filter::parse(ResourceKind::User, text)?;
    filter.tolerate(Dialect::Strict, &[ResourceKind::User], text)?;
    Ok(filter)
}

fn is_intended(detail: &str) -> bool {
    WE_REFUSE.iter().any(|(part, _)| detail.contains(part))
}

/// Both read the text alike, or differ as intended; the trees when both took it.
fn both(text: &str) -> Option<(Filter, Other)> {
    match (ours(text), text.parse::<Other>()) {
        (Ok(ours), Ok(theirs)) => {
            assert!(
                same_tree(&ours, &theirs),
                "{text}\nours:   {ours}\ntheirs: {theirs}"
            );
            Some((ours, theirs))
        }
        (Err(error), Ok(theirs)) => {
            assert_eq!(error.scim_type, Some(ScimType::InvalidFilter), "{text}");
            assert!(
                is_intended(&error.detail),
                "refused by us alone: {text}\n{}\ntheirs: {theirs}",
                error.detail
            );
            None
        }
        (Ok(ours), Err(error)) => {
            assert!(
                words_touch(text),
                "taken by us alone: {text}\n{error}\nours: {ours}"
            );
            None
        }
        (Err(_), Err(_)) => None,
    }
}

/// Attributes in any case, operators in any case, and whatever is compared with them.
fn comparison() -> impl Strategy<Value = String> {
    let path = prop::sample::select(vec![
        "userName",
        "USERNAME",
        "title",
        "Name.familyName",
        "emails.value",
        "emails",
        "active",
        "urn:ietf:params:scim:schemas:core:2.0:User:displayName",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
        "meta.lastModified",
        "name",
        "shoeSize",
    ]);
    let op = prop::sample::select(vec!["eq", "EQ", "ne", "co", "sW", "ew", "gt", "ge", "lt", "le"]);
    let literal = prop_oneof![
        4 => "[abAB]{0,2}".prop_map(|text| Value::from(text).to_string()),
        1 => "[\\\\\"()\\[\\] éÅa]{0,5}".prop_map(|text| Value::from(text).to_string()),
        1 => prop::sample::select(vec!["true", "false", "null", "7", "-1.5e3", "\"2026-01-02T03:04:05Z\""])
            .prop_map(str::to_owned),
    ];
    let test = (path.clone(), op, literal).prop_map(|(path, op, literal)| format!("{path} {op} {literal}"));
    prop_oneof![4 => test, 1 => path.prop_map(|path| format!("{path} pr"))]
}

/// Filters as people write them: `and` and `or` beside each other without parentheses, so that precedence shows.
fn text() -> impl Strategy<Value = String> {
    let inside = prop::sample::select(vec![
        "emails[type eq \"work\" and value co \"a\"]",
        "emails[not (type eq \"home\") or value pr]",
        "roles[value eq \"x\"]",
        "name[familyName eq \"a\"]",
    ]);
    let leaf = prop_oneof![5 => comparison(), 1 => inside.prop_map(str::to_owned)];
    leaf.prop_recursive(4, 16, 3, |inner| {
        let word = || prop::sample::select(vec!["and", "or", "AND", "Or"]);
        prop_oneof![
            4 => (inner.clone(), word(), inner.clone()).prop_map(|(a, word, b)| format!("{a} {word} {b}")),
            1 => inner.clone().prop_map(|a| format!("({a})")),
            1 => inner.prop_map(|a| format!("not ({a})")),
        ]
    })
}

fn resource() -> impl Strategy<Value = Map<String, Value>> {
    let text = || prop::option::of("[abAB]{1,2}");
    let emails = prop::collection::vec(("[abAB]{1,2}", prop::sample::select(vec!["work", "home"])), 0..3);
    (text(), text(), text(), any::<bool>(), emails).prop_map(|(title, family, department, active, emails)| {
        let emails: Vec<Value> = emails
            .into_iter()
            .map(|(value, kind)| json!({"value": value, "type": kind}))
            .collect();
        let whole = json!({
            "userName": "ab",
            "active": active,
            "title": title,
            "name": family.map(|family| json!({"familyName": family})),
            "emails": if emails.is_empty() { Value::Null } else { Value::from(emails) },
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":
                department.map(|department| json!({"department": department})),
        });
        let Value::Object(mut map) = whole else {
            unreachable!()
        };
        map.retain(|_, value| !value.is_null());
        map
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_filter_is_read_and_answered_as_by_another_parser(text in text(), resource in resource()) {
        if let Some((ours, theirs)) = both(&text)
            && let Some(expected) = answer(&theirs, &Value::Object(resource.clone()))
        {
            prop_assert_eq!(ours.matches(&resource), expected, "{}", text);
        }
    }

    #[test]
    fn a_mutated_filter_is_taken_by_both_parsers_or_by_none(seed in any::<u64>()) {
        const SEEDS: [&str; 5] = [
            r#"userName eq "a" and (title pr or not (active eq true))"#,
            r#"emails[type eq "work" and value co "@"] and name.familyName sw "L""#,
            r#"meta.lastModified gt "2024-01-01T00:00:00Z" or externalId ne null"#,
            r#"urn:ietf:params:scim:schemas:core:2.0:User:userName eq "a\"b\\c""#,
            r#"title eq "a" or title eq "b" and active eq false"#,
        ];
        let input = mutated(&mut Random(seed), &SEEDS);
        both(&String::from_utf8_lossy(&input));
    }

    #[test]
    fn a_path_is_read_as_by_another_parser(
        head in prop::sample::select(vec![
            "userName", "NAME.familyName", "emails", "emails.value", "roles", "active", "shoeSize", "name",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
            "urn:ietf:params:scim:schemas:core:2.0:User:emails", "a b", "", "name.", ".value", "name.a.b",
        ]),
        filter in prop::option::of(prop::sample::select(vec![
            r#"type eq "work""#, r#"value co "a" and primary eq true"#, r#"not (type eq "]")"#,
            r#"value eq "a\"b]""#, "type pr", "", "shoeSize pr", r#"type eq "a"#, "type", r#"emails[a pr]"#,
        ])),
        tail in prop::sample::select(vec!["", ".value", ".VALUE", ".nothing", "value", ".", "]", ".value.x"]),
    ) {
        let path = match filter {
            Some(filter) => format!("{head}[{filter}]{tail}"),
            None => head.to_owned(),
        };
        path_of_both(&path);
    }
}

/// A path that both read alike, or that differs as intended. It is removed: an operation without a value to coerce.
fn path_of_both(path: &str) {
    let body = json!({"schemas": [PATCH_OP_SCHEMA], "Operations": [{"op": "remove", "path": path}]});
    match (
        read_patch(ResourceKind::User, Dialect::Strict, &body),
        path.parse::<OtherPath>(),
    ) {
        (Ok(patch), Ok(theirs)) => {
            let ours = &patch.operations[0].path;
            let same = match &theirs {
                OtherPath::Attr(attr) => ours.filter.is_none() && same_path(&ours.attr, attr),
                OtherPath::Value(value) => same_element(ours, value),
            };
            assert!(same, "{path}: {ours:?} {theirs:?}");
        }
        // We refuse names that no schema has, filters of single attributes, and the removal of what is required.
        (Err(error), Ok(theirs)) => {
            let intended = match error.scim_type {
                Some(ScimType::Mutability) => true,
                Some(ScimType::InvalidPath) => {
                    let parts = ["no schema here has", "not a list of objects", "no sub-attribute"];
                    parts.iter().any(|part| error.detail.contains(part))
                }
                Some(ScimType::InvalidFilter) => is_intended(&error.detail),
                _ => false,
            };
            assert!(intended, "refused by us alone: {path}\n{error}\ntheirs: {theirs}");
        }
        (Ok(_), Err(error)) => panic!("taken by us alone: {path}\n{error}"),
        (Err(error), Err(_)) => {
            let kinds = [ScimType::InvalidPath, ScimType::InvalidFilter, ScimType::NoTarget];
            assert!(
                error.scim_type.is_some_and(|kind| kinds.contains(&kind)),
                "{path}: {error}"
            );
        }
    }
}
