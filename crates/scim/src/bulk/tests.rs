#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::error::ScimType;
use proptest::prelude::*;

fn parse(operations: Value) -> Result<BulkRequest, ScimError> {
    let body = json!({"schemas": [BULK_REQUEST_SCHEMA], "Operations": operations});
    BulkRequest::parse(Dialect::Strict, body.to_string().as_bytes())
}

fn group(name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members
        .iter()
        .map(|m| json!({"value": format!("bulkId:{m}")}))
        .collect();
    json!({"method": "POST", "path": "/Groups", "bulkId": name, "data": {"displayName": name, "members": members}})
}

fn carried(steps: &[BulkStep]) -> Vec<usize> {
    let carried = |step: &BulkStep| match step {
        BulkStep::Carry { operation, .. } => Some(*operation),
        BulkStep::Complete { .. } => None,
    };
    steps.iter().filter_map(carried).collect()
}

/// RFC 7644 section 3.7.2: a reference to what a later operation creates waits for it.
#[test]
fn an_operation_waits_for_what_it_refers_to_and_others_keep_their_order() {
    let request = parse(json!([
        group("a", &["c", "d"]),
        {"method": "PATCH", "path": "/Groups/bulkId:d", "data": {"x": "bulkId:b"}},
        group("b", &[]),
        group("c", &["b"]),
        group("d", &[]),
        {"method": "DELETE", "path": "/Users/1"},
    ]));
    let steps = request.unwrap().steps();
    assert_eq!(carried(&steps), [2, 3, 4, 0, 1, 5]);
    assert_eq!(steps.len(), 6);
}

/// RFC 7644 section 3.7.1: a circle is entered without the reference that closes it, which is put in later.
#[test]
fn a_circle_is_entered_at_one_place_and_completed() {
    let request = parse(json!([
        group("a", &["b"]),
        group("b", &["a", "c"]),
        group("c", &["c"])
    ]))
    .unwrap();
    let carry = |operation, without: &[&str]| BulkStep::Carry {
        operation,
        without: without.iter().map(|name| (*name).to_owned()).collect(),
    };
    let expected = [
        carry(2, &["c"]),
        BulkStep::Complete { operation: 2 },
        carry(1, &["a"]),
        carry(0, &[]),
        BulkStep::Complete { operation: 1 },
    ];
    assert_eq!(request.steps(), expected);

    let mut entered = request.operations[1].clone().unwrap();
    let patch = entered.take_out(Dialect::Strict, &["a".to_owned()]).unwrap();
    assert_eq!(entered.data.unwrap()["members"], json!([{"value": "bulkId:c"}]));
    assert_eq!(
        patch["Operations"],
        json!([{"op": "add", "path": "members", "value": [{"value": "bulkId:a"}]}])
    );
    let mut elsewhere = BulkOperation {
        data: Some(json!({"title": "bulkId:a"})),
        ..request.operations[0].clone().unwrap()
    };
    let refused = elsewhere.take_out(Dialect::Strict, &["a".to_owned()]);
    assert_eq!(refused.unwrap_err().status, 409);
}

/// A circle is closed in every spelling that the dialect takes, by an operation in the same spelling.
#[test]
fn a_circle_is_entered_in_every_spelling_of_members_and_manager() {
    let member = json!({"value": "bulkId:a"});
    let flat = format!("{ENTERPRISE_URN}:manager");
    let in_extension = json!({ENTERPRISE_URN.to_uppercase(): {"MANAGER": member, "department": "d"}});
    for (data, left, path, strict) in [
        (
            json!({"members": member}),
            json!({"members": []}),
            "members",
            false,
        ),
        (
            json!({"Members": "bulkId:a"}),
            json!({"Members": []}),
            "members",
            false,
        ),
        (
            json!({"members": ["bulkId:a", "7"]}),
            json!({"members": ["7"]}),
            "members",
            true,
        ),
        (
            json!({"manager": "bulkId:a", "title": "t"}),
            json!({"title": "t"}),
            "manager",
            false,
        ),
        (json!({&flat: member}), json!({}), &flat, false),
        (
            in_extension,
            json!({ENTERPRISE_URN.to_uppercase(): {"department": "d"}}),
            &flat,
            true,
        ),
    ] {
        for dialect in [Dialect::Tolerant, Dialect::Strict] {
            let mut operation = BulkOperation {
                method: BulkMethod::Post,
                bulk_id: Some("a".to_owned()),
                path: "/x".to_owned(),
                version: None,
                data: Some(data.clone()),
            };
            let taken = operation.take_out(dialect, &["a".to_owned()]);
            if dialect == Dialect::Strict && !strict {
                assert_eq!(taken.unwrap_err().status, 409, "{data}");
                continue;
            }
            let operations = taken.unwrap()["Operations"].clone();
            assert_eq!(
                (operations.as_array().unwrap().len(), &operations[0]["path"]),
                (1, &json!(path))
            );
            assert!(operations[0]["value"].to_string().contains("bulkId:a"), "{data}");
            assert_eq!(operation.data.as_ref(), Some(&left), "{data}");
        }
    }
}

#[test]
fn references_are_resolved_in_path_and_data_and_nowhere_else() {
    let operation = BulkOperation {
        method: BulkMethod::Patch,
        bulk_id: None,
        path: "/Groups/bulkId:g".to_owned(),
        version: None,
        data: Some(json!({"a": ["bulkId:u", "see bulkId:u"], "b": {"c": "bulkId:u"}, "bulkId:u": 1})),
    };
    let id = |id: &str| BulkId::Created(id.to_owned());
    let mut ids = HashMap::from([("g".to_owned(), id("7")), ("u".to_owned(), id("8"))]);
    let resolved = operation.resolved(&ids).unwrap();
    assert_eq!(resolved.path, "/Groups/7");
    assert_eq!(
        resolved.data.unwrap(),
        json!({"a": ["8", "see bulkId:u"], "b": {"c": "8"}, "bulkId:u": 1})
    );
    ids.insert("u".to_owned(), BulkId::Failed);
    assert_eq!(operation.resolved(&ids).unwrap_err().status, 409);
    ids.remove("g");
    assert_eq!(
        operation.resolved(&ids).unwrap_err().scim_type,
        Some(ScimType::InvalidValue)
    );
}

/// RFC 7644 section 3.7: what is wrong with one operation is that one's matter.
#[test]
fn a_broken_operation_stands_beside_sound_ones_and_a_broken_request_is_refused() {
    let request = parse(json!([
        {"method": "GET", "path": "/Users"},
        {"method": "POST", "path": "/Users", "data": {}},
        {"method": "PUT", "path": "/Users/1", "bulkId": "p"},
        {"method": "DELETE"},
        7,
        {"method": "DELETE", "path": "/Users/1", "version": "W/\"1\""},
    ]))
    .unwrap();
    let sound: Vec<bool> = request.operations.iter().map(Result::is_ok).collect();
    assert_eq!(sound, [false, false, false, false, false, true]);
    let known: Vec<_> = request.operations[..5]
        .iter()
        .map(|unread| {
            let unread = unread.as_ref().unwrap_err();
            (
                unread.method.as_deref(),
                unread.kind,
                unread.bulk_id.as_deref(),
                unread.path.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        known,
        [
            (Some("GET"), None, None, Some("/Users")),
            (Some("POST"), Some(BulkMethod::Post), None, Some("/Users")),
            (Some("PUT"), Some(BulkMethod::Put), Some("p"), Some("/Users/1")),
            (Some("DELETE"), Some(BulkMethod::Delete), None, None),
            (None, None, None, None),
        ]
    );
    for (body, status) in [
        (json!({}), 400),
        (json!({"schemas": [BULK_REQUEST_SCHEMA], "Operations": []}), 400),
        (
            json!({"Operations": [{"method": "DELETE", "path": "/Users/1"}]}),
            400,
        ),
        (
            json!({"schemas": [BULK_REQUEST_SCHEMA], "failOnErrors": 0,
                   "Operations": [{"method": "DELETE", "path": "/Users/1"}]}),
            400,
        ),
        (
            json!({"schemas": [BULK_REQUEST_SCHEMA], "Operations": vec![json!({}); BULK_OPERATIONS_MAX + 1]}),
            413,
        ),
    ] {
        let error = BulkRequest::parse(Dialect::Strict, body.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.status, status, "{}", error.detail);
    }
    let huge = vec![b' '; BULK_BYTES_MAX + 1];
    assert_eq!(
        BulkRequest::parse(Dialect::Strict, &huge).unwrap_err().status,
        413
    );
}

/// RFC 7644 section 3.7: `version` is If-Match. One that cannot be read is a condition nobody can check.
#[test]
fn a_version_that_is_no_text_is_refused_and_not_left_out() {
    for dialect in [Dialect::Tolerant, Dialect::Strict] {
        for (version, is_sound) in [
            (json!("W/\"1\""), true),
            (json!(null), true),
            (json!(99), false),
            (json!(true), false),
            (json!(["W/\"1\""]), false),
            (json!({}), false),
        ] {
            let operation = json!({"method": "DELETE", "path": "/Users/1", "version": version});
            let body = json!({"schemas": [BULK_REQUEST_SCHEMA], "Operations": [operation]});
            let request = BulkRequest::parse(dialect, body.to_string().as_bytes()).unwrap();
            let refused = request.operations[0]
                .as_ref()
                .err()
                .map(|unread| unread.error.status);
            assert_eq!(refused, (!is_sound).then_some(400), "{version}");
        }
    }
}

/// As in every other body: the order of an object's members, which is none, never decides.
#[test]
fn a_member_in_two_spellings_is_refused() {
    let bodies = [
        json!({"schemas": [BULK_REQUEST_SCHEMA], "Operations": [group("a", &[])], "operations": []}),
        json!({"schemas": [BULK_REQUEST_SCHEMA], "Operations": [group("a", &[])], "failOnErrors": 1,
               "FAILONERRORS": null}),
        json!({"schemas": [BULK_REQUEST_SCHEMA], "Schemas": [], "Operations": [group("a", &[])]}),
    ];
    for body in bodies {
        let error = BulkRequest::parse(Dialect::Tolerant, body.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidSyntax), "{body}");
    }
    for (name, again) in [
        ("method", json!("DELETE")),
        ("path", json!("/Users/2")),
        ("data", json!(null)),
        ("version", json!(null)),
        ("bulkId", json!("b")),
    ] {
        let mut operation = json!({"method": "PUT", "path": "/Users/1", "bulkId": "a", "version": "W/\"1\"",
                                   "data": {"userName": "ida"}});
        operation[name.to_uppercase()] = again;
        let request = parse(json!([operation])).unwrap();
        let error = &request.operations[0].as_ref().unwrap_err().error;
        assert_eq!(error.scim_type, Some(ScimType::InvalidSyntax), "{name}");
    }
}

/// A name that two POSTs have means neither of them; that of anything else means nothing.
#[test]
fn posts_of_one_name_are_refused_and_nothing_else_for_it() {
    let remove = json!({"method": "DELETE", "path": "/Users/1", "bulkId": "a"});
    let request = parse(json!([
        group("a", &[]),
        remove,
        group("a", &[]),
        remove,
        group("b", &[])
    ]));
    let read: Vec<bool> = request.unwrap().operations.iter().map(Result::is_ok).collect();
    assert_eq!(read, [false, true, false, true, true]);
}

/// What is beyond a bound is the fault of the operation that holds it, of which no more is known than what it is about.
#[test]
fn an_operation_beyond_a_bound_is_refused_alone_and_can_be_looked_at() {
    let long = "x".repeat(crate::limits::STRING_BYTES_MAX + 1);
    let patch = json!({"method": "PATCH", "path": "/Users/1", "version": "v", "data": {"a": long, "b": 1}});
    let request = parse(json!([patch, {"method": "DELETE", "path": "/Users/1", "data": long}])).unwrap();
    let Err(unread) = &request.operations[0] else {
        panic!("it is beyond a bound");
    };
    assert_eq!(unread.error.scim_type, Some(ScimType::InvalidValue));
    let within = unread.within.as_ref().unwrap();
    assert_eq!(
        (within.path.as_str(), within.version.as_deref()),
        ("/Users/1", Some("v"))
    );
    assert_eq!(within.data.as_ref().unwrap()["b"], 1);
    assert!(request.operations[1].is_ok(), "of a DELETE nothing is stored");
}

proptest! {
    /// Whatever refers to whatever: each is carried out once, after all that it does not do without. What was done
    /// without something is completed before anything else is begun once that is there, and until then only what
    /// creates is carried out, so that it can be taken back.
    #[test]
    fn every_operation_is_done_once_and_after_what_it_needs(
        edges in prop::collection::vec(prop::collection::vec(0usize..12, 0..4), 1..12),
    ) {
        const POSTS: usize = 9;
        let name = |at: usize| format!("n{at}");
        let operations: Vec<Value> = edges.iter().enumerate().map(|(at, needs)| {
            let needs: Vec<String> = needs.iter().map(|need| name(*need)).collect();
            let mut operation = group(&name(at), &needs.iter().map(String::as_str).collect::<Vec<_>>());
            if at >= POSTS {
                operation["method"] = json!("PUT");
            }
            operation
        }).collect();
        let steps = parse(json!(operations)).unwrap().steps();
        let creates = |at: usize| at < edges.len().min(POSTS);
        let mut done = HashSet::new();
        let mut open: HashSet<usize> = HashSet::new();
        for step in steps {
            match step {
                BulkStep::Carry { operation, without } => {
                    let is_there = |need: &usize| done.contains(need) || !creates(*need);
                    prop_assert!(open.iter().all(|waiting| !edges[*waiting].iter().all(is_there)));
                    prop_assert!(open.is_empty() || creates(operation));
                    for need in &edges[operation] {
                        prop_assert!(is_there(need) != without.contains(&name(*need)));
                    }
                    if !without.is_empty() {
                        open.insert(operation);
                    }
                    prop_assert!(done.insert(operation));
                }
                BulkStep::Complete { operation } => {
                    prop_assert!(open.remove(&operation));
                    prop_assert!(edges[operation].iter().all(|n| done.contains(n) || !creates(*n)));
                }
            }
        }
        prop_assert_eq!((done.len(), open.len()), (edges.len(), 0));
    }
}
