#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod budget;
mod membership;
mod properties;
mod spelling;

use super::*;
use crate::error::ScimType;
use crate::limits::{ELEMENTS_MAX, PATCH_OPERATIONS_MAX, PATCH_TERMS_MAX, PATH_TERMS_MAX};
use crate::note::{Dialect, NoteKind};
use crate::resource::Resource;
use crate::schema::{ENTERPRISE_URN, GROUP_ROLES_URN, ResourceKind};
use serde_json::json;

const ROLE: &str = "Agent_CHIC-01_STORE";

fn ida() -> Resource {
    let attributes = json!({
        "userName": "ida",
        "active": true,
        "displayName": "Ida",
        "name": {"givenName": "Ida", "familyName": "Lind"},
        "emails": [{"type": "work", "value": "ida@store.example", "primary": true}],
    });
    Resource::from_stored(ResourceKind::User, attributes.as_object().unwrap().clone())
}

fn group() -> Resource {
    let attributes = json!({"displayName": "Store"});
    Resource::from_stored(ResourceKind::Group, attributes.as_object().unwrap().clone())
}

fn body(operations: &Value) -> Value {
    json!({"schemas": [PATCH_OP_SCHEMA], "Operations": operations})
}

fn read(kind: ResourceKind, operations: &Value) -> Patch {
    read_patch(kind, Dialect::Tolerant, &body(operations)).unwrap_or_else(|e| panic!("{operations}: {e}"))
}

/// What comes of a user after the operations.
fn patched(start: &Resource, operations: &Value) -> Value {
    let patch = read(start.kind(), operations);
    let after = apply(start, &patch.operations).unwrap_or_else(|e| panic!("{operations}: {e}"));
    Value::Object(after.into_attributes())
}

fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

fn refused(dialect: Dialect, kind: ResourceKind, body: &Value) -> ScimType {
    read_patch(kind, dialect, body)
        .expect_err(&body.to_string())
        .scim_type
        .unwrap()
}

fn enterprise(rest: &str) -> String {
    format!("/{}{rest}", ENTERPRISE_URN)
}

#[test]
fn every_spelling_of_a_deactivation_deactivates() {
    let urn = format!("{}:active", crate::schema::USER_URN);
    for operations in [
        json!([{"op": "Replace", "path": "active", "value": "False"}]),
        json!([{"op": "replace", "path": "active", "value": false}]),
        json!([{"op": "replace", "value": {"active": false}}]),
        json!([{"op": "replace", "value": {"active": "false"}}]),
        json!([{"op": "Add", "path": "ActiVe", "value": "FALSE"}]),
        json!([{"op": "REPLACE", "path": urn, "value": [false]}]),
        json!([{"op": "replace", "value": [{"active": false}]}]),
        json!([{"op": "replace", "path": "", "value": {"Active": false}}]),
        json!([{"OP": "replace", "Path": "active", "Value": "False"}]),
        json!({"op": "replace", "path": "active", "value": false}),
    ] {
        assert_eq!(
            at(&patched(&ida(), &operations), "/active"),
            &json!(false),
            "{operations}"
        );
    }
    let lower = json!({"operations": [{"op": "replace", "path": "active", "value": false}]});
    let patch = read_patch(ResourceKind::User, Dialect::Tolerant, &lower).unwrap();
    assert!(!apply(&ida(), &patch.operations).unwrap().active());
}

#[test]
fn a_null_never_changes_active() {
    let inactive = ida().with("active", json!(false));
    for operations in [
        json!([{"op": "replace", "value": {"active": null}}]),
        json!([{"op": "replace", "path": "active", "value": null}]),
    ] {
        let patch = read(ResourceKind::User, &operations);
        assert_eq!(patch.notes[0].kind, NoteKind::NullIgnored);
        assert!(!apply(&inactive, &patch.operations).unwrap().active());
    }
}

#[test]
fn path_less_keys_are_paths_and_urns_are_not_split_at_their_dots() {
    let after = patched(
        &ida(),
        &json!([
            {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "new@store.example"},
            {"op": "replace", "value": {
                "displayName": "Ida L", "name.givenName": "Idun", "NAME.middleName": "M",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber": 4711,
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Shoes"},
                "urn:ietf:params:scim:schemas:core:2.0:User:title": "Boss",
                "emails[type eq \"home\"].value": "ida@home.example",
                "title2": "x", "a b": 1, "password": "secret", "id": "u-9", "schemas": [], "nickName": null}}
        ]),
    );
    assert_eq!(at(&after, "/emails/0/value"), "new@store.example");
    assert_eq!(
        at(&after, "/emails/1"),
        &json!({"type": "home", "value": "ida@home.example"})
    );
    assert_eq!(
        at(&after, "/name"),
        &json!({"givenName": "Idun", "familyName": "Lind", "middleName": "M"})
    );
    assert_eq!(at(&after, &enterprise("/employeeNumber")), "4711");
    assert_eq!(at(&after, &enterprise("/department")), "Shoes");
    assert_eq!(at(&after, "/title"), "Boss");
    assert!(!after.to_string().contains("secret") && after.get("id").is_none());
}

#[test]
fn a_filtered_write_without_match_creates_the_element() {
    for (op, path, value, pointer, expected) in [
        (
            "Add",
            "phoneNumbers[type eq \"work\"].value",
            json!("+46 8 555 010"),
            "/phoneNumbers",
            json!([{"type": "work", "value": "+46 8 555 010"}]),
        ),
        (
            "Replace",
            "addresses[type eq \"work\"].locality",
            json!("Lund"),
            "/addresses",
            json!([{"type": "work", "locality": "Lund"}]),
        ),
        (
            "Replace",
            "emails[type eq \"untyped\"].primary",
            json!("True"),
            "/emails",
            json!([{"type": "work", "value": "ida@store.example", "primary": false},
                {"type": "untyped", "primary": true}]),
        ),
        (
            "Add",
            "emails[type eq \"home\" and primary eq false]",
            json!({"value": "h@x"}),
            "/emails/1",
            json!({"type": "home", "value": "h@x", "primary": false}),
        ),
        (
            "Add",
            "roles[primary eq \"True\"].value",
            json!(ROLE),
            "/roles",
            json!([{"primary": true, "value": ROLE}]),
        ),
        ("Add", "ims.value", json!("x"), "/ims", json!([{"value": "x"}])),
    ] {
        let after = patched(&ida(), &json!([{"op": op, "path": path, "value": value}]));
        assert_eq!(at(&after, pointer), &expected, "{op} {path}");
    }
}

#[test]
fn a_filter_that_describes_no_element_is_no_target() {
    for path in [
        "emails[value co \"nobody\"].value",
        "emails[not (type eq \"work\")].value",
        "roles[value pr].type",
    ] {
        let patch = read(
            ResourceKind::User,
            &json!([{"op": "add", "path": path, "value": "x"}]),
        );
        let error = apply(&ida(), &patch.operations).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::NoTarget), "{path}");
    }
}

#[test]
fn a_failing_operation_undoes_the_others() {
    let patch = read(
        ResourceKind::User,
        &json!([
            {"op": "replace", "path": "displayName", "value": "changed"},
            {"op": "replace", "path": "emails[value co \"nobody\"].value", "value": "x"},
        ]),
    );
    let start = ida();
    assert!(apply(&start, &patch.operations).is_err());
    assert_eq!(start, ida());
}

#[test]
fn the_manager_arrives_in_every_spelling_and_goes_by_an_empty_string() {
    let path = format!("{ENTERPRISE_URN}:manager");
    let manager = enterprise("/manager");
    let set = [
        json!([{"op": "Add", "path": path, "value": "u-17"}]),
        json!([{"op": "Add", "path": "manager",
                "value": [{"$ref": "https://x/Users/u-17", "value": "u-17"}]}]),
        json!([{"op": "replace", "path": path, "value": {"value": "u-17", "displayName": "Boss"}}]),
        json!([{"op": "replace", "path": "manager.value", "value": "u-17"}]),
        json!([{"op": "add", "path": path, "value": {"$ref": "https://x/Users/u-17"}}]),
        json!([{"op": "replace", "value": {path.as_str(): "u-17"}}]),
        json!([{"op": "replace", "value": {"manager": {"Value": "u-17"}}}]),
    ];
    for operations in &set {
        assert_eq!(
            at(&patched(&ida(), operations), &manager),
            &json!({"value": "u-17"}),
            "{operations}"
        );
    }
    let start = ida().with(ENTERPRISE_URN, json!({"manager": {"value": "u-1"}}));
    for operations in [
        json!([{"op": "Replace", "path": path, "value": ""}]),
        json!([{"op": "Add", "path": path, "value": ""}]),
        json!([{"op": "Replace", "path": "manager", "value": []}]),
        json!([{"op": "Replace", "path": "manager", "value": null}]),
        json!([{"op": "Replace", "path": "manager", "value": {"value": ""}}]),
        json!([{"op": "Replace", "path": "manager.value", "value": ""}]),
        json!([{"op": "Add", "path": format!("{path}.value"), "value": " "}]),
        json!([{"op": "replace", "value": {"manager.value": ""}}]),
        json!([{"op": "Remove", "path": "manager"}]),
        json!([{"op": "Remove", "path": "manager", "value": "u-1"}]),
        json!([{"op": "Remove", "path": "manager.value"}]),
        json!([{"op": "Remove", "path": ENTERPRISE_URN}]),
    ] {
        let after = patched(&start, &operations);
        assert_eq!(after.get(ENTERPRISE_URN), None, "{operations}");
    }
}

#[test]
fn roles_arrive_in_every_form() {
    let text = format!(r#"{{"id":"7f0c","value":"{ROLE}","displayName":"Store"}}"#);
    for operations in [
        json!([{"op": "Add", "path": "roles", "value": [{"value": text}]}]),
        json!([{"op": "Add", "path": "roles", "value": [{"value": text}, {"value": ROLE}]}]),
        json!([{"op": "replace", "path": "roles",
                "value": [{"primary": "False", "display": "x", "value": ROLE}]}]),
        json!([{"op": "add", "path": "roles", "value": {"value": ROLE, "displayName": "x"}}]),
        json!([{"op": "add", "path": "roles", "value": ROLE}]),
        json!([{"op": "add", "value": {"roles": [ROLE]}}]),
        json!([{"op": "Add", "path": "roles[primary eq \"True\"].value", "value": ROLE},
               {"op": "Add", "path": "roles[primary eq \"True\"].display", "value": "Store"},
               {"op": "Add", "path": "roles[primary eq \"True\"].type", "value": "t"}]),
        json!([{"op": "Add", "path": "roles[primary eq \"True\"].display", "value": "Store"},
               {"op": "Add", "path": "roles[primary eq \"True\"].value", "value": ROLE}]),
        json!([{"op": "Add", "path": "roles[primary eq \"True\"].value", "value": text}]),
        json!([{"op": "Add", "path": "roles", "value": [{"value": text}]},
               {"op": "Add", "path": "roles", "value": [{"value": text}]}]),
    ] {
        let patch = read(ResourceKind::User, &operations);
        let after = apply(&ida(), &patch.operations).unwrap();
        let values: Vec<_> = after.roles().into_iter().map(|role| role.value).collect();
        assert_eq!(values, [ROLE], "{operations}");
    }
}

#[test]
fn a_groups_roles_arrive_with_and_without_urn_and_as_strings() {
    for operations in [
        json!([{"op": "add", "path": format!("{GROUP_ROLES_URN}:roles"), "value": [ROLE]}]),
        json!([{"op": "add", "path": "roles", "value": [{"value": ROLE}]}]),
        json!([{"op": "replace", "value": {GROUP_ROLES_URN: {"roles": [ROLE]}}}]),
    ] {
        let patch = read(ResourceKind::Group, &operations);
        let after = apply(&group(), &patch.operations).unwrap();
        assert_eq!(after.roles().len(), 1, "{operations}");
        assert!(patch.members.is_empty());
    }
}

#[test]
fn roles_go_in_every_form() {
    let start = ida().with(
        "roles",
        json!([{"value": ROLE, "primary": true}, {"value": "B_b_b"}]),
    );
    let left = |operations: &Value| {
        let patch = read(ResourceKind::User, operations);
        let after = apply(&start, &patch.operations).unwrap();
        after
            .roles()
            .into_iter()
            .map(|role| role.value)
            .collect::<Vec<_>>()
    };
    for operations in [
        json!([{"op": "remove", "path": format!("roles[value eq \"{ROLE}\"]")}]),
        json!([{"op": "Remove", "path": "roles", "value": [{"value": ROLE}]}]),
        json!([{"op": "Remove", "path": "roles", "value": [ROLE]}]),
        json!([{"op": "Remove", "path": "roles", "value": [{"value": format!(r#"{{"value":"{ROLE}"}}"#)}]}]),
        json!([{"op": "Remove", "path": "roles[primary eq \"True\"].value"}]),
        json!([{"op": "replace", "path": "roles", "value": ["B_b_b"]}]),
    ] {
        assert_eq!(left(&operations), ["B_b_b"], "{operations}");
    }
    for operations in [
        json!([{"op": "remove", "path": "roles"}]),
        json!([{"op": "replace", "path": "roles", "value": []}]),
        json!([{"op": "replace", "value": {"roles": []}}]),
        json!([{"op": "replace", "path": "roles", "value": null}]),
    ] {
        assert_eq!(left(&operations), Vec::<String>::new(), "{operations}");
    }
    for operations in [
        json!([{"op": "remove", "path": "roles[value eq \"none\"]"}]),
        json!([{"op": "remove", "path": "roles", "value": []}]),
        json!([{"op": "replace", "value": {"roles": null}}]),
    ] {
        assert_eq!(left(&operations), [ROLE, "B_b_b"], "{operations}");
    }
}

#[test]
fn roles_that_cannot_be_read_are_refused_and_take_nothing_away() {
    for value in [
        json!([{"value": {"a": 1}}]),
        json!([{"display": "x"}]),
        json!({"a": 1}),
        json!([null]),
        json!([{"value": ROLE}, {"display": "x"}]),
    ] {
        let operations = json!([{"op": "replace", "path": "roles", "value": value}]);
        let scim_type = refused(Dialect::Tolerant, ResourceKind::User, &body(&operations));
        assert_eq!(scim_type, ScimType::InvalidValue, "{operations}");
    }
}

/// RFC 7644 section 3.5.2: what a PATCH makes primary is so, also when it writes to what was primary besides.
#[test]
fn a_new_primary_wins_against_the_old_one_that_is_written_to_besides() {
    let mails = |first: bool, second: bool| {
        json!([{"type": "work", "value": "ida@store.example", "primary": first, "display": "x"},
            {"type": "home", "value": "h@x", "primary": second}])
    };
    let new = json!({"type": "home", "value": "h@x", "primary": true});
    let old = json!({"type": "work", "value": "ida@store.example", "display": "x"});
    for list in [json!([new, old]), json!([old, new])] {
        let after = patched(&ida(), &json!([{"op": "add", "path": "emails", "value": list}]));
        assert_eq!(after["emails"], mails(false, true), "{list}");
    }
    let after = patched(&ida(), &json!([{"op": "add", "path": "emails", "value": [old]}]));
    assert_eq!(after["emails"][0]["primary"], true, "the only one stays");
}

#[test]
fn the_single_role_assignment_replaces_the_primary_role() {
    let start = ida().with(
        "roles",
        json!([{"value": "A_a_a", "primary": true}, {"value": ROLE}]),
    );
    let operations = json!([{"op": "Add", "path": "roles[primary eq \"True\"].value", "value": ROLE}]);
    let patch = read(ResourceKind::User, &operations);
    let roles = apply(&start, &patch.operations).unwrap().roles();
    assert_eq!(
        roles.into_iter().map(|role| role.value).collect::<Vec<_>>(),
        [ROLE]
    );
}

#[test]
fn setting_one_primary_clears_the_others() {
    let start = ida().with(
        "emails",
        json!([{"type": "work", "value": "a", "primary": true}, {"type": "home", "value": "b"}]),
    );
    for operations in [
        json!([{"op": "add", "path": "emails", "value": [{"value": "c", "primary": true}]}]),
        json!([{"op": "replace", "path": "emails[type eq \"home\"].primary", "value": "True"}]),
        json!([{"op": "add", "path": "emails", "value": {"type": "home", "value": "B", "primary": true}}]),
    ] {
        let after = patched(&start, &operations);
        let list = after["emails"].as_array().unwrap();
        let primary: Vec<_> = list.iter().filter(|e| e["primary"] == true).collect();
        assert_eq!(primary.len(), 1, "{operations}");
        assert_ne!(primary[0]["value"], "a", "{operations}");
    }
}

#[test]
fn several_operations_on_one_attribute_happen_in_order() {
    let after = patched(
        &ida(),
        &json!([
            {"op": "Remove", "path": "emails[type eq \"work\"].value"},
            {"op": "Add", "path": "emails[type eq \"work\"].value", "value": "1@x"},
            {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "2@x"},
            {"op": "remove", "path": "name.familyName"},
            {"op": "remove", "path": "name.givenName"},
        ]),
    );
    assert_eq!(after["emails"], json!([{"type": "work", "value": "2@x"}]));
    assert_eq!(after.get("name"), None);
}

#[test]
fn what_is_no_patch_is_refused_with_the_right_keyword() {
    use ScimType::{InvalidFilter, InvalidPath, InvalidSyntax, InvalidValue, Mutability, NoTarget};
    for (operations, kind) in [
        (json!([]), InvalidSyntax),
        (json!(null), InvalidSyntax),
        (json!("x"), InvalidSyntax),
        (json!([1]), InvalidSyntax),
        (json!([{}]), InvalidSyntax),
        (json!([{"op": "move", "path": "title"}]), InvalidSyntax),
        (json!([{"op": 1, "path": "title"}]), InvalidSyntax),
        (json!([{"op": "remove"}]), NoTarget),
        (json!([{"op": "remove", "path": "userName"}]), Mutability),
        (
            json!([{"op": "replace", "path": "userName", "value": null}]),
            Mutability,
        ),
        (json!([{"op": "replace", "path": "title"}]), InvalidValue),
        (json!([{"op": "replace"}]), InvalidValue),
        (json!([{"op": "replace", "value": "x"}]), InvalidValue),
        (json!([{"op": "replace", "path": 1, "value": "x"}]), InvalidPath),
        (
            json!([{"op": "replace", "path": "a b", "value": "x"}]),
            InvalidPath,
        ),
        (
            json!([{"op": "replace", "path": "emails[type eq \"work\"", "value": "x"}]),
            InvalidPath,
        ),
        (
            json!([{"op": "replace", "path": "emails[type eq \"work\"]value", "value": "x"}]),
            InvalidPath,
        ),
        (
            json!([{"op": "replace", "path": "emails[type eq \"work\"].no.", "value": "x"}]),
            InvalidPath,
        ),
        (
            json!([{"op": "replace", "path": "emails [type eq \"work\"].value", "value": "x"}]),
            InvalidPath,
        ),
        (
            json!([{"op": "replace", "path": "name[givenName eq \"x\"]", "value": "x"}]),
            InvalidPath,
        ),
        (
            json!([{"op": "replace", "path": "emails[]", "value": "x"}]),
            InvalidFilter,
        ),
        (
            json!([{"op": "replace", "path": "emails[nothing eq 1].value", "value": "x"}]),
            InvalidFilter,
        ),
        (
            json!([{"op": "replace", "path": "active", "value": "maybe"}]),
            InvalidValue,
        ),
        (
            json!([{"op": "replace", "path": "title", "value": {"x": 1}}]),
            InvalidValue,
        ),
        (
            json!([{"op": "replace", "path": "title", "value": ["a", "b"]}]),
            InvalidValue,
        ),
        (
            json!([{"op": "replace", "path": "name", "value": "Ida"}]),
            InvalidValue,
        ),
        (
            json!([{"op": "replace", "path": "externalId", "value": 1e300}]),
            InvalidValue,
        ),
    ] {
        assert_eq!(
            refused(Dialect::Tolerant, ResourceKind::User, &body(&operations)),
            kind,
            "{operations}"
        );
    }
    let twice = json!({"Operations": [], "operations": []});
    assert_eq!(
        refused(Dialect::Tolerant, ResourceKind::User, &twice),
        InvalidSyntax
    );
}

#[test]
fn the_user_name_cannot_end_blank() {
    let patch = read(
        ResourceKind::User,
        &json!([{"op": "replace", "path": "userName", "value": " "}]),
    );
    assert_eq!(
        apply(&ida(), &patch.operations).unwrap_err().scim_type,
        Some(ScimType::InvalidValue)
    );
}

#[test]
fn unknown_and_read_only_targets_are_noted_and_change_nothing() {
    for (operation, kind) in [
        (
            json!({"op": "add", "path": "shoeSize", "value": 44}),
            NoteKind::UnknownAttribute,
        ),
        (
            json!({"op": "add", "path": "urn:x:y:User:z", "value": 1}),
            NoteKind::UnknownSchema,
        ),
        (
            json!({"op": "replace", "path": "id", "value": "x"}),
            NoteKind::ReadOnly,
        ),
        (
            json!({"op": "add", "path": "groups", "value": [{"value": "g"}]}),
            NoteKind::ReadOnly,
        ),
        (
            json!({"op": "replace", "path": "meta.created", "value": "x"}),
            NoteKind::ReadOnly,
        ),
        (
            json!({"op": "replace", "path": "password", "value": "secret"}),
            NoteKind::Password,
        ),
        (
            json!({"op": "replace", "value": {"x509Certificates": []}}),
            NoteKind::UnknownAttribute,
        ),
    ] {
        let patch = read(ResourceKind::User, &json!([operation]));
        assert_eq!(
            patch.notes.first().map(|note| note.kind),
            Some(kind),
            "{operation}"
        );
        assert_eq!(apply(&ida(), &patch.operations).unwrap(), ida());
    }
}

#[test]
fn the_strict_dialect_refuses_what_the_tolerant_one_mends() {
    use ScimType::{InvalidPath, InvalidSyntax, InvalidValue, Mutability};
    for (operations, kind) in [
        (
            json!([{"op": "Replace", "path": "active", "value": false}]),
            InvalidSyntax,
        ),
        (
            json!([{"op": "replace", "path": "active", "value": "False"}]),
            InvalidValue,
        ),
        (
            json!([{"op": "replace", "path": "shoeSize", "value": 1}]),
            InvalidPath,
        ),
        (json!([{"op": "replace", "path": "id", "value": "x"}]), Mutability),
        (
            json!([{"op": "replace", "path": "externalId", "value": 7}]),
            InvalidValue,
        ),
        (
            json!({"op": "replace", "path": "active", "value": false}),
            InvalidSyntax,
        ),
    ] {
        assert_eq!(
            refused(Dialect::Strict, ResourceKind::User, &body(&operations)),
            kind,
            "{operations}"
        );
    }
    let missing = json!([{"op": "remove", "path": "roles[value eq \"x\"]"}]);
    let patch = read_patch(ResourceKind::User, Dialect::Strict, &body(&missing)).unwrap();
    assert_eq!(
        apply(&ida(), &patch.operations).unwrap_err().scim_type,
        Some(ScimType::NoTarget)
    );
}

#[test]
fn operations_and_elements_are_bounded() {
    let one = json!({"op": "add", "path": "title", "value": "x"});
    let many = Value::from(vec![one; PATCH_OPERATIONS_MAX + 1]);
    assert_eq!(
        read_patch(ResourceKind::User, Dialect::Tolerant, &body(&many))
            .unwrap_err()
            .status,
        413
    );
    let path = format!("emails[{}]", ["type eq \"x\""; PATH_TERMS_MAX].join(" and "));
    let one = json!({"op": "remove", "path": path});
    let many = Value::from(vec![one; PATCH_TERMS_MAX / PATH_TERMS_MAX + 1]);
    assert_eq!(
        read_patch(ResourceKind::User, Dialect::Tolerant, &body(&many))
            .unwrap_err()
            .status,
        413
    );
    let add = |prefix: &str, n: usize| {
        let list: Vec<_> = (0..n).map(|i| json!({"value": format!("{prefix}{i}")})).collect();
        json!({"op": "add", "path": "emails", "value": list})
    };
    let patch = read(
        ResourceKind::User,
        &json!([add("a", ELEMENTS_MAX / 2), add("b", ELEMENTS_MAX / 2)]),
    );
    assert_eq!(
        apply(&ida(), &patch.operations).unwrap_err().scim_type,
        Some(ScimType::InvalidValue)
    );
}

#[test]
fn debug_texts_and_errors_hold_no_values() {
    let operations = json!([{"op": "replace", "path": "emails[value eq \"secret\"].value", "value": "secret"},
                            {"op": "replace", "path": "title", "value": "secret"}]);
    let patch = read(ResourceKind::User, &operations);
    assert!(!format!("{patch:?}").contains("secret"));
    let wrong = body(&json!([{"op": "replace", "path": "active", "value": "secret"}]));
    let error = read_patch(ResourceKind::User, Dialect::Tolerant, &wrong).unwrap_err();
    assert!(
        !error.detail.contains("secret") && error.detail.contains("active"),
        "{}",
        error.detail
    );
}
