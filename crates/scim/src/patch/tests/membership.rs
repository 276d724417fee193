//! Every spelling of a change of members.

use super::*;
use crate::members::{MemberKind, MemberRef};

fn members_of(operations: &Value) -> Vec<MemberOperation> {
    read(ResourceKind::Group, operations).members.operations
}

fn refs(ids: &[&str]) -> Vec<MemberRef> {
    ids.iter().map(|id| MemberRef::new(*id)).collect()
}

#[test]
fn membership_arrives_in_every_form() {
    use MemberOperation::{Add, Remove, RemoveAll, Replace};
    for (operations, expected) in [
        (
            json!([{"op": "Add", "path": "members",
                    "value": [{"$ref": null, "value": "u-1"}, {"value": "u-2"}]},
                {"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "u-3"}]}]),
            vec![Add(refs(&["u-1", "u-2"])), Remove(refs(&["u-3"]))],
        ),
        (
            json!([{"op": "remove", "path": "members[value eq \"u-1\"]"},
                {"op": "add", "path": "members", "value": [{"value": "u-2", "display": "x"}]}]),
            vec![Remove(refs(&["u-1"])), Add(refs(&["u-2"]))],
        ),
        (
            json!([{"op": "remove", "path": "Members[Value eq \"u-1\" or value eq \"u-2\"]"}]),
            vec![Remove(refs(&["u-1", "u-2"]))],
        ),
        (json!([{"op": "remove", "path": "members"}]), vec![RemoveAll]),
        (json!([{"op": "remove", "path": "members", "value": []}]), vec![]),
        (
            json!([{"op": "replace", "path": "members", "value": []}]),
            vec![Replace(vec![])],
        ),
        (
            json!([{"op": "replace", "path": "members", "value": [{"value": "u-1"}]}]),
            vec![Replace(refs(&["u-1"]))],
        ),
        (
            json!([{"op": "add", "path": "members", "value": "u-1"}]),
            vec![Add(refs(&["u-1"]))],
        ),
        (json!([{"op": "add", "path": "members", "value": []}]), vec![]),
        (
            json!([{"op": "add", "path": "members[value eq \"u-1\"]", "value": {"value": "u-1"}}]),
            vec![Add(refs(&["u-1"]))],
        ),
        (
            json!([{"op": "add", "path": "members.value", "value": ["u-1"]}]),
            vec![Add(refs(&["u-1"]))],
        ),
        (
            json!([{"op": "add", "value": {"members": [{"value": "u-1"}]}}]),
            vec![Add(refs(&["u-1"]))],
        ),
        (
            json!([{"op": "replace", "value": {"id": "g", "displayName": "new"}}]),
            vec![],
        ),
        (
            json!([{"op": "replace", "value": {"displayName": "new", "members": null}}]),
            vec![],
        ),
        (
            json!([{"op": "add", "path": "members", "value": [{"value": "g-1", "type": "Group"}]}]),
            vec![Add(vec![MemberRef {
                value: "g-1".to_owned(),
                kind: Some(MemberKind::Group),
            }])],
        ),
    ] {
        assert_eq!(members_of(&operations), expected, "{operations}");
    }
}

#[test]
fn a_whole_group_object_replaces_without_path() {
    let patch = read(
        ResourceKind::Group,
        &json!([{"op": "replace", "path": null, "value": {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "id": "g-1", "externalId": "pk",
        "displayName": "Renamed", "members": [{"value": "u-1"}], "meta": {"resourceType": "Group"}}}]),
    );
    let after = apply(&group(), &patch.operations).unwrap();
    assert_eq!(
        (after.display_name(), after.external_id()),
        (Some("Renamed"), Some("pk"))
    );
    assert_eq!(after.id(), None);
    assert_eq!(
        patch.members.operations,
        [MemberOperation::Replace(refs(&["u-1"]))]
    );
}

#[test]
fn members_without_ids_or_selected_by_anything_else_are_refused() {
    let group = ResourceKind::Group;
    for (operation, kind) in [
        (
            json!({"op": "add", "path": "members", "value": [{}]}),
            ScimType::InvalidValue,
        ),
        (json!({"op": "add", "path": "members"}), ScimType::InvalidValue),
        (
            json!({"op": "replace", "path": "members", "value": null}),
            ScimType::InvalidValue,
        ),
        (
            json!({"op": "remove", "path": "members", "value": null}),
            ScimType::InvalidValue,
        ),
        (
            json!({"op": "replace", "path": "members", "value": true}),
            ScimType::InvalidValue,
        ),
        (
            json!({"op": "remove", "path": "members[type eq \"User\"]"}),
            ScimType::InvalidFilter,
        ),
        (
            json!({"op": "remove", "path": "members[value ne \"x\"]"}),
            ScimType::InvalidFilter,
        ),
    ] {
        assert_eq!(
            refused(Dialect::Tolerant, group, &body(&json!([operation]))),
            kind,
            "{operation}"
        );
    }
}

/// RFC 7643 sections 2.2 and 8.7.1: all of a member is immutable; RFC 7644 section 3.5.2: `mutability`.
#[test]
fn another_id_in_the_place_of_a_member_is_refused_by_mutability() {
    for (path, value, refused) in [
        ("members[value eq \"a\"].value", json!("b"), true),
        ("members[value eq \"a\"].$ref", json!("../Users/b"), true),
        ("members[value eq \"a\"]", json!({"value": "b"}), true),
        ("members[value eq \"a\"].value", json!("a"), false),
        ("members[value eq \"a\"].$ref", json!("../Users/a"), false),
        ("members[value eq \"a\"].type", json!("User"), false),
        (
            "members[value eq \"a\"]",
            json!({"value": "a", "type": "User"}),
            false,
        ),
    ] {
        for dialect in [Dialect::Tolerant, Dialect::Strict] {
            let body = body(&json!([{"op": "replace", "path": path, "value": value}]));
            let read = read_patch(ResourceKind::Group, dialect, &body);
            let keyword = read.err().and_then(|error| error.scim_type);
            assert_eq!(keyword == Some(ScimType::Mutability), refused, "{path} {value}");
        }
    }
}

/// What is written to a sub-attribute of all members is never taken for the list, and a kind never for an id.
#[test]
fn a_sub_attribute_of_all_members_is_immutable() {
    for (op, path, value) in [
        ("replace", "members.value", json!("u-1")),
        ("replace", "members.value", json!(["u-1"])),
        ("replace", "members.type", json!("User")),
        ("add", "members.type", json!("User")),
        ("add", "members.$ref", json!("../Users/u-1")),
        ("remove", "members.type", json!("User")),
        ("remove", "members[value eq \"u-1\"].type", Value::Null),
    ] {
        let operation = json!({"op": op, "path": path, "value": value});
        let body = body(&json!([operation]));
        let refused = refused(Dialect::Tolerant, ResourceKind::Group, &body);
        assert_eq!(refused, ScimType::Mutability, "{operation}");
    }
    for path in ["members.type", "members.value"] {
        let body = body(&json!([{"op": "remove", "path": path}]));
        let refused = refused(Dialect::Tolerant, ResourceKind::Group, &body);
        assert_eq!(refused, ScimType::Mutability, "{path}");
    }
    for op in ["add", "replace"] {
        let body = body(&json!([{"op": op, "path": "members.value", "value": "u-1"}]));
        let refused = refused(Dialect::Strict, ResourceKind::Group, &body);
        assert_eq!(refused, ScimType::Mutability, "{op}");
    }
}

/// In the strict dialect a write to a selected member needs one, as it is when the operation comes to it.
#[test]
fn a_selected_member_is_there_already_is_put_in_or_is_no_target() {
    let targets = |operations: Value| {
        let body = body(&operations);
        let patch = read_patch(ResourceKind::Group, Dialect::Strict, &body).unwrap();
        let of_one = |list: Vec<MemberTarget>| {
            let shown = list
                .into_iter()
                .map(|one| (one.member.value, one.member.kind, one.added));
            shown.collect::<Vec<_>>()
        };
        let targets = patch.members.targets().into_iter().map(of_one);
        targets.collect::<Vec<_>>()
    };
    let write = |id: &str| {
        let path = format!("members[value eq \"{id}\"].type");
        json!({"op": "replace", "path": path, "value": "User"})
    };
    let kind = Some(MemberKind::User);
    let u = |added| ("u".to_owned(), kind, added);
    let add = json!({"op": "add", "path": "members", "value": [{"value": "u"}]});
    let remove = json!({"op": "remove", "path": "members[value eq \"u\"]"});
    let clear = json!({"op": "remove", "path": "members"});
    let replace = json!({"op": "replace", "path": "members", "value": [{"value": "u"}]});
    for (operations, expected) in [
        (json!([write("u")]), vec![vec![u(false)]]),
        (json!([add, write("u")]), vec![vec![u(true)]]),
        (json!([write("u"), add]), vec![vec![u(false)]]),
        (json!([remove, write("u")]), vec![vec![]]),
        (json!([clear, write("u")]), vec![vec![]]),
        (
            json!([replace, write("u"), write("v")]),
            vec![vec![u(true)], vec![]],
        ),
        (json!([clear, add, write("u")]), vec![vec![u(true)]]),
        (json!([add]), vec![]),
    ] {
        assert_eq!(targets(operations.clone()), expected, "{operations}");
    }
    let nobody = body(&json!([write("u")]));
    let patch = read_patch(ResourceKind::Group, Dialect::Strict, &nobody).unwrap();
    let unchanged = NetMembers::Difference {
        add: Vec::new(),
        remove: Vec::new(),
    };
    assert_eq!(patch.members.net(), unchanged);
}
