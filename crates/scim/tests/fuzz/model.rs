//! Naive models that read JSON directly and share no code with the crate.
//!
//! Left out on purpose, so not compared: ordering operators, dates, numbers, `null`, non-ASCII case folding,
//! value filters in PATCH paths, multi-valued PATCH.

use proptest::prelude::*;
use rollcall_scim::patch::apply;
use rollcall_scim::{Dialect, Filter, Resource, ResourceKind, parse_patch};
use serde_json::{Map, Value, json};

#[derive(Debug, Clone)]
enum Ask {
    Test(&'static str, &'static str, String),
    Has(&'static str),
    Work(&'static str, String),
    Both(Box<Ask>, Box<Ask>),
    Either(Box<Ask>, Box<Ask>),
    Never(Box<Ask>),
}

fn written(ask: &Ask) -> String {
    match ask {
        Ask::Test(path, op, text) => format!("{path} {op} \"{text}\""),
        Ask::Has(path) => format!("{path} pr"),
        Ask::Work(op, text) => format!("emails[type eq \"work\" and value {op} \"{text}\"]"),
        Ask::Both(a, b) => format!("({}) and ({})", written(a), written(b)),
        Ask::Either(a, b) => format!("({}) or ({})", written(a), written(b)),
        Ask::Never(a) => format!("not ({})", written(a)),
    }
}

fn values(path: &str, document: &Value) -> Vec<String> {
    let at = match path {
        "emails.value" => {
            let list = document["emails"].as_array().cloned().unwrap_or_default();
            return list
                .iter()
                .filter_map(|e| e["value"].as_str().map(str::to_lowercase))
                .collect();
        }
        "name.familyName" => &document["name"]["familyName"],
        other => &document[other],
    };
    at.as_str().map(str::to_lowercase).into_iter().collect()
}

fn says(op: &str, value: &str, text: &str) -> bool {
    let text = text.to_lowercase();
    match op {
        "eq" => value == text,
        "ne" => value != text,
        "co" => value.contains(&text),
        "sw" => value.starts_with(&text),
        _ => value.ends_with(&text),
    }
}

fn naive(ask: &Ask, document: &Value) -> bool {
    match ask {
        Ask::Test(path, op, text) => {
            let found = values(path, document);
            (found.is_empty() && *op == "ne") || found.iter().any(|value| says(op, value, text))
        }
        Ask::Has(path) => !values(path, document).is_empty(),
        Ask::Work(op, text) => document["emails"].as_array().is_some_and(|list| {
            let work = list.iter().filter(|e| e["type"] == "work");
            work.filter_map(|e| e["value"].as_str())
                .any(|value| says(op, &value.to_lowercase(), text))
        }),
        Ask::Both(a, b) => naive(a, document) && naive(b, document),
        Ask::Either(a, b) => naive(a, document) || naive(b, document),
        Ask::Never(a) => !naive(a, document),
    }
}

fn asks() -> impl Strategy<Value = Ask> {
    let path = || prop::sample::select(vec!["userName", "title", "name.familyName", "emails.value"]);
    let op = || prop::sample::select(vec!["eq", "ne", "co", "sw", "ew"]);
    let leaf = prop_oneof![
        (path(), op(), "[abAB]{1,2}").prop_map(|(p, o, t)| Ask::Test(p, o, t)),
        path().prop_map(Ask::Has),
        (op(), "[abAB]{1,2}").prop_map(|(o, t)| Ask::Work(o, t)),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Ask::Both(a.into(), b.into())),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Ask::Either(a.into(), b.into())),
            inner.prop_map(|a| Ask::Never(a.into())),
        ]
    })
}

fn documents() -> impl Strategy<Value = Map<String, Value>> {
    let text = || prop::option::of("[abAB]{1,3}");
    let email = ("[abAB]{1,3}", prop::sample::select(vec!["work", "home"]));
    let emails = prop::collection::vec(email, 0..3);
    ("[abAB]{1,3}", text(), text(), emails).prop_map(|(user_name, title, family, emails)| {
        let mut map = Map::from_iter([
            ("userName".to_owned(), json!(user_name)),
            ("active".to_owned(), json!(true)),
        ]);
        title
            .into_iter()
            .for_each(|t| drop(map.insert("title".into(), json!(t))));
        family
            .into_iter()
            .for_each(|f| drop(map.insert("name".into(), json!({"familyName": f}))));
        if !emails.is_empty() {
            let list: Vec<_> = emails
                .iter()
                .map(|(v, t)| json!({"value": v, "type": t}))
                .collect();
            map.insert("emails".into(), json!(list));
        }
        map
    })
}

proptest! {
    #[test]
    fn a_filter_selects_what_the_naive_model_selects(ask in asks(), document in documents()) {
        let filter = Filter::parse(ResourceKind::User, &written(&ask)).unwrap();
        let expected = naive(&ask, &Value::Object(document.clone()));
        prop_assert_eq!(filter.matches(&document), expected, "{}", written(&ask));
    }

    #[test]
    fn a_patch_of_single_values_does_what_the_naive_model_does(
        document in documents(),
        steps in prop::collection::vec(
            (prop::sample::select(vec!["title", "nickName"]), prop::option::of("[abAB]{1,3}")), 1..6),
    ) {
        let mut expected = document.clone();
        let mut operations = Vec::new();
        for (path, value) in steps {
            if let Some(value) = value {
                expected.insert(path.to_owned(), json!(value));
                operations.push(json!({"op": "replace", "path": path, "value": value}));
            } else {
                expected.remove(path);
                operations.push(json!({"op": "remove", "path": path}));
            }
        }
        let schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"];
        let body = json!({"schemas": schemas, "Operations": operations}).to_string();
        let patch = parse_patch(ResourceKind::User, Dialect::Strict, body.as_bytes()).unwrap();
        let before = Resource::from_stored(ResourceKind::User, document);
        let after = apply(&before, &patch.operations).unwrap();
        prop_assert_eq!(after.attributes(), &expected);
        prop_assert_eq!(apply(&after, &patch.operations).unwrap(), after);
    }
}
