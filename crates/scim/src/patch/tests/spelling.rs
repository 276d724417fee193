//! Paths that are none, and one thing in several spellings.

use super::*;

/// RFC 7644 figure 1. What is no path, such as that of a JSON Patch, is no attribute that nobody knows.
#[test]
fn a_path_that_is_none_by_the_grammar_is_refused_and_one_that_nobody_knows_is_not() {
    let operations = |path: &str| body(&json!([{"op": "replace", "path": path, "value": false}]));
    for path in [
        "/active",
        "/",
        "..",
        ".",
        "title.",
        ".title",
        "a..b",
        "4u",
        "a/b",
        "4åäö",
        "straße 5",
        ":title",
        "/a:title",
        "urn:x:User:",
        "urn:x:a.",
        "x[",
        "x[a eq 1",
        "x[a eq 1].",
        "x[a eq 1]b",
        "(title)",
        "a*b",
    ] {
        for dialect in [Dialect::Tolerant, Dialect::Strict] {
            let refused = refused(dialect, ResourceKind::User, &operations(path));
            assert_eq!(refused, ScimType::InvalidPath, "{path}");
        }
    }
    for path in [
        "inactive",
        "shoe-size_2",
        "$ref",
        "emails.work",
        "a.b.c",
        "straße",
        "custom.active",
        "name.active",
        "urn:x:y:2.0:User:z",
        "urn:x:y:2.0",
        "http://schemas.example/2006/11/Group:name",
        "x[a eq 1].b",
    ] {
        let read = read_patch(ResourceKind::User, Dialect::Tolerant, &operations(path)).unwrap();
        assert!(read.operations.is_empty() && read.notes.len() == 1, "{path}");
        let shown = &read.notes[0].path;
        assert!(!shown.contains('['), "{shown}");
    }
}

#[test]
fn what_may_be_meant_for_active_is_never_left_out() {
    for path in [
        "User.active",
        "active.value",
        "ACTIVE.x",
        "user[id eq 1].active",
        "core:active",
        "urn:ietf:params:scim:schemas:core:2.0:active",
        "urn:ietf:params:scim:schemas:core:2.0:User.active",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:active",
        "urn:ietf:params:scim:schemas:core:2.0:User:active.value",
    ] {
        let operations = body(&json!([{"op": "replace", "path": path, "value": false}]));
        let refused = refused(Dialect::Tolerant, ResourceKind::User, &operations);
        assert_eq!(refused, ScimType::InvalidPath, "{path}");
    }
    for key in ["/active", "$.active", "User.active"] {
        let operations = body(&json!([{"op": "replace", "value": {key: false}}]));
        let refused = refused(Dialect::Tolerant, ResourceKind::User, &operations);
        assert_eq!(refused, ScimType::InvalidPath, "{key}");
    }
    let user = json!([{"op": "replace", "path": "User", "value": {"active": false}}]);
    assert_eq!(
        refused(Dialect::Tolerant, ResourceKind::User, &body(&user)),
        ScimType::InvalidPath
    );
    for value in [
        json!({ENTERPRISE_URN: {"active": false}}),
        json!({"active[x eq 1]": false}),
        json!({"User": {"active": false}}),
    ] {
        let operations = body(&json!([{"op": "replace", "value": value}]));
        let refused = refused(Dialect::Tolerant, ResourceKind::User, &operations);
        assert_eq!(refused, ScimType::InvalidPath, "{value}");
    }
    let removed = body(&json!([{"op": "remove", "path": "User.active"}]));
    assert_eq!(
        refused(Dialect::Tolerant, ResourceKind::User, &removed),
        ScimType::InvalidPath
    );
    for no_leaver in [
        json!({"op": "replace", "path": "User.active", "value": true}),
        json!({"op": "add", "path": "active.id", "value": "7f0c"}),
        json!({"op": "replace", "value": {"profile": {"active": "True"}}}),
        json!({"op": "replace", "value": {"Active Directory id": 7}}),
    ] {
        let patch = read(ResourceKind::User, &json!([no_leaver]));
        assert!(
            patch.operations.is_empty() && patch.notes.len() == 1,
            "{no_leaver}"
        );
    }
    let group = json!([{"op": "replace", "path": "group.active", "value": false}]);
    assert_eq!(read(ResourceKind::Group, &group).notes.len(), 1);
    for path in [
        "urn:x:User:active",
        "urn:ietf:params:scim:schemas:extension:acme:2.0:User:active",
        "inactive",
        "active_directory_id",
    ] {
        let patch = read(
            ResourceKind::User,
            &json!([{"op": "replace", "path": path, "value": false}]),
        );
        assert_eq!(patch.notes.len(), 1, "{path}");
    }
}

/// As in a PUT: the order of an object's members, which is none, never decides.
#[test]
fn one_attribute_in_two_spellings_is_given_twice() {
    let urn = crate::schema::USER_URN;
    for value in [
        json!({"title": "a", "TITLE": "b"}),
        json!({"active": false, "ACTIVE": true}),
        json!({"ACTIVE": false, "active": true}),
        json!({"active": true, urn: {"active": false}}),
        json!({"active": true, (format!("{urn}:active")): false}),
        json!({urn: {"title": "a"}, (urn.to_uppercase()): {"title": "b"}}),
        json!({"manager": "u-1", ENTERPRISE_URN: {"manager": "u-2"}}),
        json!({"name": {"givenName": "a"}, "name.givenName": "b"}),
        json!({"NAME.givenName": "b", "name": {"GivenName": "a"}}),
        json!({"manager": "u-1", "manager.value": "u-2"}),
        json!({"emails[type eq \"work\"].value": "a", "Emails[Type EQ \"work\"].VALUE": "b"}),
        json!({"roles": [ROLE], "Roles": []}),
        json!({"roles[primary eq \"True\"].value": ROLE, "roles[primary eq true].value": "B"}),
        json!({"emails[type eq \"work\"].value": "a", "emails[type eq \"WORK\"].value": "b"}),
        json!({"emails[type eq \"work\" and primary eq true].value": "a",
               "emails[primary eq true and type eq \"Work\"].value": "b"}),
    ] {
        let operations = json!([{"op": "replace", "value": value}]);
        let refused = refused(Dialect::Tolerant, ResourceKind::User, &body(&operations));
        assert_eq!(refused, ScimType::InvalidSyntax, "{value}");
    }
    let strict = body(&json!([{"op": "add", "value": {"title": "a", "TITLE": "b"}}]));
    let error = read_patch(ResourceKind::User, Dialect::Strict, &strict).unwrap_err();
    assert!(error.detail.contains("title is given twice"), "{}", error.detail);
    let members = body(&json!([{"op": "add", "value": {"members": [], "Members": [{"value": "u"}]}}]));
    assert_eq!(
        refused(Dialect::Strict, ResourceKind::Group, &members),
        ScimType::InvalidSyntax
    );
}

#[test]
fn different_parts_of_one_attribute_may_stand_side_by_side_and_follow_the_whole() {
    let after = patched(
        &ida(),
        &json!([{"op": "replace", "value": {
            "name": {"familyName": "L"}, "name.givenName": "I", "title": null, "TITLE": "Boss",
            "EMAILS[type eq \"work\"].display": "w", "emails": [{"type": "work", "value": "w@x"}],
            "emails[type eq \"home\"].value": "h@x", "emails[type eq \"home\"].display": "h"}},
            {"op": "replace", "value": [{"nickName": "a"}, {"NICKNAME": "b"}]}]),
    );
    assert_eq!(after["name"], json!({"givenName": "I", "familyName": "L"}));
    assert_eq!(
        (&after["title"], &after["nickName"]),
        (&json!("Boss"), &json!("b"))
    );
    assert_eq!(
        after["emails"],
        json!([{"type": "work", "value": "w@x", "display": "w"},
               {"type": "home", "value": "h@x", "display": "h"}])
    );
}

/// RFC 7643 section 2.4: a value that says nothing of `primary` is not primary.
#[test]
fn an_element_without_primary_is_not_primary() {
    let start = ida().with(
        "emails",
        json!([{"type": "work", "value": "w@x", "primary": true}, {"type": "home", "value": "h@x"}]),
    );
    let path = "emails[type eq \"home\" and primary eq false].value";
    let after = patched(
        &start,
        &json!([{"op": "replace", "path": path, "value": "new@x"}]),
    );
    assert_eq!(after["emails"][1], json!({"type": "home", "value": "new@x"}));
    assert_eq!(after["emails"].as_array().map(Vec::len), Some(2));
}

/// A role without value is none, and nothing is stored of it: what is answered with success would be lost.
#[test]
fn no_role_is_made_without_a_value() {
    for dialect in [Dialect::Tolerant, Dialect::Strict] {
        for (path, value) in [
            ("roles[primary eq true].display", json!("Boss")),
            ("roles[primary eq true].type", json!("x")),
            ("roles.display", json!("Boss")),
        ] {
            let operations = body(&json!([{"op": "add", "path": path, "value": value}]));
            let patch = read_patch(ResourceKind::User, dialect, &operations).unwrap();
            let error = apply(&ida(), &patch.operations).unwrap_err();
            assert_eq!(error.scim_type, Some(ScimType::NoTarget), "{path}");
        }
    }
    let display_first = json!([{"op": "add", "value": {"roles[primary eq true].display": "Boss",
                                                       "roles[primary eq true].value": ROLE}}]);
    assert_eq!(
        patched(&ida(), &display_first)["roles"],
        json!([{"value": ROLE, "display": "Boss", "primary": true}])
    );
    let both = json!([{"op": "add", "path": "roles[value eq \"A_a_a\"].display", "value": "Boss"}]);
    assert_eq!(
        patched(&ida(), &both)["roles"],
        json!([{"value": "A_a_a", "display": "Boss"}])
    );
}

/// Entra maps each part of its one role by itself, and sends them together with what else has changed.
#[test]
fn a_label_of_no_role_holds_up_nothing_else() {
    let path = |part: &str| format!("roles[primary eq \"True\"].{part}");
    let write = |part: &str, value: &str| json!({"op": "replace", "path": path(part), "value": value});
    let title = json!({"op": "replace", "path": "title", "value": "Boss"});
    let primary = ida().with(
        "roles",
        json!([{"value": ROLE, "primary": true, "display": "Agent"}]),
    );
    for gone in [
        json!([write("value", ""), write("display", "")]),
        json!([write("value", ""), write("display", ""), write("type", "")]),
        json!([
            write("value", ""),
            write("type", "WindowsAzureActiveDirectoryRole")
        ]),
    ] {
        let patch = read(ResourceKind::User, &gone);
        let once = apply_noting(&primary, &patch.operations).unwrap();
        assert_eq!(once.resource.attributes().get("roles"), None, "{gone}");
        assert_eq!(once.notes[0].kind, NoteKind::NoSuchRole);
        // Sent again after a time-out it is no fault either.
        assert_eq!(apply(&once.resource, &patch.operations).unwrap(), once.resource);
    }
    let other = ida().with("roles", json!([{"value": ROLE, "primary": false}]));
    for start in [ida(), other] {
        let after = patched(&start, &json!([write("display", "Boss"), title]));
        assert_eq!(at(&after, "/title"), "Boss");
        assert_eq!(after.get("roles"), start.attributes().get("roles"));
    }
}

/// A blank role would be no role when it is read again; blank for all of them would take everything away.
#[test]
fn no_role_ends_blank_and_primary_is_a_boolean_or_nothing() {
    let start = ida().with(
        "roles",
        json!([{"value": ROLE, "primary": true}, {"value": "B_b_b"}]),
    );
    for blank in ["", " ", "\t"] {
        let one = json!([{"op": "replace", "path": "roles[primary eq \"True\"].value", "value": blank}]);
        assert_eq!(patched(&start, &one)["roles"], json!([{"value": "B_b_b"}]));
        let all = body(&json!([{"op": "replace", "path": "roles.value", "value": blank}]));
        for dialect in [Dialect::Tolerant, Dialect::Strict] {
            assert_eq!(refused(dialect, ResourceKind::User, &all), ScimType::InvalidValue);
        }
    }
    let blank_text = r#"{"value":"","displayName":""}"#;
    for blank in [
        json!(blank_text),
        json!([blank_text]),
        json!([""]),
        json!(r#"{"id":" ","value":null}"#),
    ] {
        let one = json!([{"op": "replace", "path": "roles[primary eq \"True\"].value", "value": blank}]);
        assert_eq!(
            patched(&start, &one)["roles"],
            json!([{"value": "B_b_b"}]),
            "{one}"
        );
        let all = body(&json!([{"op": "replace", "path": "roles.value", "value": blank}]));
        assert_eq!(
            refused(Dialect::Tolerant, ResourceKind::User, &all),
            ScimType::InvalidValue
        );
    }
    let listed = json!([format!(r#"{{"value":"C_c_c","displayName":"C"}}"#)]);
    let path = "roles[primary eq \"True\"].value";
    let after = patched(&start, &json!([{"op": "replace", "path": path, "value": listed}]));
    assert_eq!(
        after["roles"][0],
        json!({"value": "C_c_c", "display": "C", "primary": true})
    );
    let text = format!(r#"{{"value":"{ROLE}","primary":"yes"}}"#);
    for value in [
        json!([{"value": ROLE, "primary": "yes"}]),
        json!([{"value": ROLE, "Primary": 1}]),
        json!([{"value": ROLE, "primary": ""}]),
        json!([{"value": text}]),
        json!(text),
    ] {
        let operations = body(&json!([{"op": "add", "path": "roles", "value": value}]));
        let error = read_patch(ResourceKind::User, Dialect::Tolerant, &operations).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidValue), "{value}");
        assert!(error.detail.contains("roles.primary"), "{}", error.detail);
    }
    let null = json!([{"op": "add", "path": "roles", "value": [{"value": "C_c_c", "primary": null}]}]);
    assert_eq!(patched(&start, &null)["roles"][2], json!({"value": "C_c_c"}));
}
