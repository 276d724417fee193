#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::*;
use crate::error::ScimType;
use crate::limits::ELEMENTS_MAX;
use crate::schema::{ENTERPRISE_URN, GROUP_ROLES_URN, GROUP_URN, USER_URN};
use crate::select::Selection;
use serde_json::json;

fn read(kind: ResourceKind, body: &Value) -> ParsedResource {
    read_resource(kind, Dialect::Tolerant, body.clone()).unwrap_or_else(|e| panic!("{body}: {e}"))
}

fn refused(kind: ResourceKind, dialect: Dialect, body: &Value) -> Option<ScimType> {
    read_resource(kind, dialect, body.clone())
        .expect_err(&body.to_string())
        .scim_type
}

#[test]
fn an_entra_create_is_read() {
    let parsed = read(
        ResourceKind::User,
        &json!({
            "schemas": [USER_URN, ENTERPRISE_URN],
            "externalId": "ida", "userName": "ida@store.example", "active": "True", "addresses": null,
            "displayName": "Ida Lind", "meta": {"resourceType": "User"},
            "name": {"formatted": "Ida Lind", "familyName": "Lind", "givenName": "Ida"},
            "emails": [{"Primary": "True", "type": "work", "value": "ida@store.example"}],
            "roles": [{"primary": true, "type": "WindowsAzureActiveDirectoryRole",
                       "value": "Agent_CHIC-01_STORE"}],
            ENTERPRISE_URN: {"employeeNumber": 4711, "manager": null, "shoeSize": 44},
            "urn:ietf:params:scim:schemas:extension:custom:2.0:User": {"tag": "x"}
        }),
    );
    let user = &parsed.resource;
    assert!(user.active());
    assert_eq!(user.user_name(), Some("ida@store.example"));
    assert_eq!(user.work_email(), Some("ida@store.example"));
    assert_eq!(user.roles()[0].value, "Agent_CHIC-01_STORE");
    assert!(user.roles()[0].primary && user.emails()[0].primary);
    assert_eq!(
        user.attributes()[ENTERPRISE_URN],
        json!({"employeeNumber": "4711"})
    );
    assert_eq!(user.schemas(), [USER_URN, ENTERPRISE_URN]);
    assert_eq!(parsed.members, None);
    let kinds: Vec<_> = parsed.notes.iter().map(|note| note.kind).collect();
    assert!(
        kinds.contains(&NoteKind::ReadOnly) && kinds.contains(&NoteKind::UnknownSchema),
        "{kinds:?}"
    );
}

#[test]
fn an_okta_create_is_read_and_its_password_is_nowhere() {
    let parsed = read(
        ResourceKind::User,
        &json!({
            "schemas": [USER_URN], "userName": "ida", "name": {"givenName": "Ida", "familyName": "Lind"},
            "emails": [{"primary": true, "value": "ida@x", "type": "work"}],
            "displayName": "Ida", "locale": "en-US",
            "externalId": 12345, "groups": [], "password": "secret", "active": true
        }),
    );
    assert_eq!(parsed.resource.external_id(), Some("12345"));
    let shown = format!("{parsed:?}{}", parsed.resource.to_json(&Selection::All));
    assert!(!shown.contains("secret"));
    assert!(parsed.notes.iter().any(|note| note.kind == NoteKind::Password));
}

#[test]
fn names_are_taken_in_any_case_and_without_urn_and_active_defaults_to_true() {
    let parsed = read(
        ResourceKind::User,
        &json!({
            "USERNAME": "ida", "Name": {"GIVENNAME": "Ida"}, "department": "Shoes", "roles": "A_b_c",
            USER_URN: {"title": "Boss"}, "Emails": "ida@x"
        }),
    );
    let attributes = parsed.resource.attributes();
    assert_eq!(attributes["name"], json!({"givenName": "Ida"}));
    assert_eq!(attributes["title"], "Boss");
    assert_eq!(attributes["active"], true);
    assert_eq!(attributes["emails"], json!([{"value": "ida@x"}]));
    assert_eq!(attributes[ENTERPRISE_URN], json!({"department": "Shoes"}));
    assert_eq!(parsed.resource.roles().len(), 1);
}

#[test]
fn a_group_is_read_with_members_roles_and_foreign_schema() {
    let parsed = read(
        ResourceKind::Group,
        &json!({
            "schemas": [GROUP_URN,
                        "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
            "externalId": "e", "displayName": "Store", "members": [{"value": "u-1", "display": "Ida"}, "u-2"],
            GROUP_ROLES_URN: {"roles": ["Agent_CHIC-01_STORE", {"value": "Agent_CHIC-01_STORE"},
                                        {"value": "B_b_b"}]}
        }),
    );
    assert_eq!(parsed.resource.roles().len(), 2);
    assert_eq!(
        parsed.members.unwrap(),
        [MemberRef::new("u-1"), MemberRef::new("u-2")]
    );
    assert_eq!(parsed.resource.attributes().get("members"), None);
    let without = read(ResourceKind::Group, &json!({"displayName": "x"}));
    assert_eq!(without.members, None);
    let empty = json!({"displayName": "x", "members": []});
    assert_eq!(read(ResourceKind::Group, &empty).members, Some(Vec::new()));
    assert_eq!(
        read(ResourceKind::Group, &json!({"displayName": "x", "members": null})).members,
        None
    );
}

#[test]
fn what_the_schema_forbids_is_refused_with_the_right_keyword() {
    use ScimType::{InvalidSyntax, InvalidValue, InvalidVers};
    let user = ResourceKind::User;
    for (body, kind) in [
        (json!([]), InvalidSyntax),
        (json!("x"), InvalidSyntax),
        (json!({}), InvalidValue),
        (json!({"userName": null}), InvalidValue),
        (json!({"userName": "  "}), InvalidValue),
        (json!({"userName": {"a": 1}}), InvalidValue),
        (json!({"userName": ["a", "b"]}), InvalidValue),
        (json!({"userName": "a", "UserName": "b"}), InvalidSyntax),
        (json!({"userName": "a", "active": "maybe"}), InvalidValue),
        (json!({"userName": "a", "active": 1}), InvalidValue),
        (json!({"userName": "a", "emails": [1.5, [2]]}), InvalidValue),
        (json!({"userName": "a", "name": "Ida"}), InvalidValue),
        (json!({"userName": "a", "roles": [true]}), InvalidValue),
        (
            json!({"userName": "a", "emails": vec![json!({"value": "x"}); ELEMENTS_MAX + 1]}),
            InvalidValue,
        ),
        (json!({"userName": "a", "externalId": 1e300}), InvalidValue),
        (json!({"userName": "a", ENTERPRISE_URN: "x"}), InvalidValue),
        (json!({"userName": "a", "schemas": [GROUP_URN]}), InvalidSyntax),
        (
            json!({"userName": "a", "schemas": ["urn:nothing"]}),
            InvalidSyntax,
        ),
        (
            json!({"userName": "a", "schemas": ["urn:scim:schemas:core:1.0"]}),
            InvalidVers,
        ),
        (json!({"userName": "a", "schemas": [1]}), InvalidValue),
        (json!({"userName": "a", "schemas": {}}), InvalidValue),
    ] {
        assert_eq!(refused(user, Dialect::Tolerant, &body), Some(kind), "{body}");
    }
    assert_eq!(
        refused(ResourceKind::Group, Dialect::Tolerant, &json!({})),
        Some(InvalidValue)
    );
}

#[test]
fn the_strict_dialect_refuses_what_the_tolerant_one_mends() {
    let sound = json!({"schemas": [USER_URN], "userName": "a"});
    assert!(read_resource(ResourceKind::User, Dialect::Strict, sound.clone()).is_ok());
    for (name, value) in [
        ("active", json!("True")),
        ("externalId", json!(7)),
        ("shoeSize", json!(44)),
        ("emails", json!({"value": "x"})),
        ("schemas", json!([])),
    ] {
        let mut body = sound.clone();
        body[name] = value;
        assert!(
            read_resource(ResourceKind::User, Dialect::Strict, body.clone()).is_err(),
            "{body}"
        );
        if name != "schemas" {
            assert!(
                read_resource(ResourceKind::User, Dialect::Tolerant, body.clone()).is_ok(),
                "{body}"
            );
        }
    }
}

#[test]
fn error_details_name_paths_and_no_values() {
    let body = json!({"userName": "secret", "emails": [{"value": {"secret": 1}}]});
    let error = read_resource(ResourceKind::User, Dialect::Tolerant, body).unwrap_err();
    assert!(
        error.detail.contains("emails.value") && !error.detail.contains("secret"),
        "{}",
        error.detail
    );
    let json = error.to_json();
    assert_eq!(json["status"], "400");
    assert_eq!(json["scimType"], "invalidValue");
    assert_eq!(ScimError::not_found("x").to_json().get("scimType"), None);
}

#[test]
fn a_difference_holds_what_changed_and_nothing_else() {
    let one = read(
        ResourceKind::User,
        &json!({"userName": "a", "title": "x", "locale": "sv"}),
    )
    .resource;
    let two = read(
        ResourceKind::User,
        &json!({"userName": "a", "title": "y", "nickName": "n"}),
    )
    .resource;
    let difference = one.difference(&two);
    assert_eq!(
        Value::Object(difference.set.clone()),
        json!({"title": "y", "nickName": "n"})
    );
    assert_eq!(difference.unset, ["locale"]);
    assert!(one.difference(&one).is_empty());
    let answered = one
        .clone()
        .with("id", json!("u-1"))
        .with("groups", json!([{"value": "g"}]));
    assert!(answered.difference(&one).is_empty() && one.difference(&answered).is_empty());
    let mut patched = one.clone().into_attributes();
    difference.unset.iter().for_each(|name| {
        patched.remove(name);
    });
    patched.extend(difference.set);
    assert_eq!(&patched, two.attributes());
}

#[test]
fn a_selection_shows_what_was_asked_for_and_always_the_id() {
    let user = read(
        ResourceKind::User,
        &json!({
            "userName": "a", "name": {"givenName": "g", "familyName": "f"},
            "emails": [{"value": "1", "type": "work"}, {"value": "2"}], "department": "d", "costCenter": "c"
        }),
    );
    let user = user
        .resource
        .with("id", json!("u-1"))
        .with("meta", json!({"version": "W/\"1\""}));
    let shown = |attributes: Option<&str>, excluded: Option<&str>| {
        let mut json = user.to_json(&Selection::parse(ResourceKind::User, attributes, excluded).unwrap());
        let map = json.as_object_mut().unwrap();
        assert!(map.remove("schemas").is_some());
        assert_eq!(map.remove("id"), Some(json!("u-1")));
        json
    };
    assert_eq!(shown(Some("USERNAME"), None), json!({"userName": "a"}));
    assert_eq!(shown(Some("id"), None), json!({}));
    assert_eq!(shown(Some("nothing"), None), json!({}));
    assert_eq!(
        shown(Some("name.givenName, name.familyName"), None)["name"],
        user.attributes()["name"]
    );
    assert_eq!(
        shown(Some("emails.value"), None),
        json!({"emails": [{"value": "1"}, {"value": "2"}]})
    );
    // Of what shows nothing nothing is shown: an empty object says no more than none (RFC 7643 section 2.5).
    assert_eq!(
        shown(Some("emails.type,name.formatted"), None),
        json!({"emails": [{"type": "work"}]})
    );
    let bare = shown(
        None,
        Some("emails.value,emails.type,name.givenName,name.familyName,department,costCenter"),
    );
    assert_eq!(
        bare,
        json!({"userName": "a", "active": true, "meta": {"version": "W/\"1\""}})
    );
    assert_eq!(
        shown(Some("department"), None),
        json!({ENTERPRISE_URN: {"department": "d"}})
    );
    assert_eq!(
        shown(Some(ENTERPRISE_URN), None)[ENTERPRISE_URN]["costCenter"],
        "c"
    );
    let core = shown(Some("urn:ietf:params:scim:schemas:CORE:2.0:User"), None);
    assert_eq!(core["userName"], "a");
    assert_eq!((core.get("meta"), core.get(ENTERPRISE_URN)), (None, None));
    assert_eq!(core.get("emails"), user.attributes().get("emails"));
    let beyond = shown(None, Some(USER_URN));
    assert_eq!((beyond.get("userName"), beyond.get("emails")), (None, None));
    assert_eq!(beyond[ENTERPRISE_URN]["costCenter"], "c");
    let rest = shown(None, Some("id,name.givenName,emails,department"));
    assert_eq!(rest["name"], json!({"familyName": "f"}));
    assert_eq!(
        (rest.get("emails"), &rest[ENTERPRISE_URN]),
        (None, &json!({"costCenter": "c"}))
    );
    let members = |text| {
        Selection::parse(ResourceKind::Group, None, Some(text))
            .unwrap()
            .wants("members")
    };
    assert!(!members("members") && members("members.type") && members("displayName"));
    assert!(
        !Selection::parse(ResourceKind::Group, Some("id"), None)
            .unwrap()
            .wants("members")
    );
}

/// What is published is returned, and what only the server could write may be sent and is passed over.
#[test]
fn of_a_manager_the_value_is_published_and_returned_and_nothing_else() {
    let body = json!({"schemas": [USER_URN, ENTERPRISE_URN], "userName": "ida",
                      ENTERPRISE_URN: {"manager": {"value": "u-1", "displayName": "Bo", "$ref": "../Users/u-1"}}});
    let parsed = read_resource(ResourceKind::User, Dialect::Strict, body).unwrap();
    let shown = parsed.resource.to_json(&Selection::All);
    assert_eq!(shown[ENTERPRISE_URN], json!({"manager": {"value": "u-1"}}));
    let schema = crate::schema::schema(ENTERPRISE_URN, "https://x").unwrap();
    let attributes = schema["attributes"].as_array().unwrap();
    let manager = attributes.iter().find(|one| one["name"] == "manager").unwrap();
    let subs = manager["subAttributes"].as_array().unwrap().iter();
    assert_eq!(subs.map(|sub| &sub["name"]).collect::<Vec<_>>(), ["value"]);
}

#[test]
fn the_identity_providers_role_id_is_kept_and_not_answered() {
    let text = r#"{"id":"7f0c","value":"A_b_c","displayName":"D"}"#;
    let user = read(
        ResourceKind::User,
        &json!({"userName": "a", "roles": [{"value": text}]}),
    )
    .resource;
    assert_eq!(user.roles()[0].idp_id.as_deref(), Some("7f0c"));
    let stored = Resource::from_stored(ResourceKind::User, user.clone().into_attributes());
    assert_eq!(stored.roles(), user.roles());
    assert_eq!(
        user.to_json(&Selection::All)["roles"],
        json!([{"value": "A_b_c", "display": "D"}])
    );
}

#[test]
fn what_may_be_meant_for_active_is_never_left_out_of_a_resource() {
    for said in [
        json!({"User.active": false}),
        json!({"/active": false}),
        json!({"$.active": false}),
        json!({"active.value": false}),
        json!({(format!("{USER_URN}.active")): false}),
        json!({USER_URN: {"User.active": false}}),
        json!({ENTERPRISE_URN: {"active": false}}),
        json!({"User": {"active": false}}),
        json!({"urn:ietf:params:scim:schemas:core:2.0": {"active": false}}),
        json!({"urn:ietf:params:scim:schemas:core:2.0:active": false}),
    ] {
        let mut body = said;
        body["userName"] = json!("ida");
        let refused = refused(ResourceKind::User, Dialect::Tolerant, &body);
        assert_eq!(refused, Some(ScimType::InvalidPath), "{body}");
    }
    let other = json!({"userName": "ida", "custom.active": false, "inactive": true,
                       "custom": {"active": 1}, "name": {"active": false},
                       "urn:x:User": {"active": false}, "urn:x:User:active": false});
    assert_eq!(read(ResourceKind::User, &other).notes.len(), 6);
    let no_leaver = json!({"userName": "ida", "profile": {"active": true, "seen": false}, "User.active": "True",
                           "attributes": {"active": null}, "Active Directory id": "7f0c", "/active": [{"value": 1}]});
    assert_eq!(read(ResourceKind::User, &no_leaver).notes.len(), 5);
    for said in [
        json!("False"),
        json!([{"value": false}]),
        json!({"value": " FALSE "}),
    ] {
        for body in [
            json!({"userName": "ida", "User.active": said}),
            json!({"userName": "ida", "profile": {"active": said}}),
        ] {
            let refused = refused(ResourceKind::User, Dialect::Tolerant, &body);
            assert_eq!(refused, Some(ScimType::InvalidPath), "{body}");
        }
    }
    let group = json!({"displayName": "Store", "User.active": false});
    assert_eq!(read(ResourceKind::Group, &group).notes.len(), 1);
}

/// As in a PATCH: which of two spellings decided was a matter of their order, which is none.
#[test]
fn an_attribute_in_two_spellings_is_given_twice_even_when_one_says_nothing() {
    for said in [
        json!({"roles": ["Agent_1_A"], "ROLES": []}),
        json!({"ROLES": [], "roles": ["Agent_1_A"]}),
        json!({"active": null, "ACTIVE": false}),
        json!({"ACTIVE": null, "active": false}),
        json!({"title": null, USER_URN: {"title": "Clerk"}}),
        json!({"manager": "", ENTERPRISE_URN: {"manager": "u-1"}}),
        json!({"name": {"givenName": null, "GivenName": "Ida"}}),
        json!({"emails": [{"value": "a", "type": null, "Type": "work"}]}),
        json!({"groups": [], "Groups": []}),
        json!({"roles": [{"value": "Agent_1_A", "Value": "Agent_1_B"}]}),
        json!({"roles": [{"value": r#"{"value":"Agent_1_A","VALUE":"Agent_1_B"}"#}]}),
    ] {
        let mut body = said;
        body["userName"] = json!("ida");
        body["schemas"] = json!([USER_URN, ENTERPRISE_URN]);
        let refused = refused(ResourceKind::User, Dialect::Tolerant, &body);
        assert_eq!(refused, Some(ScimType::InvalidSyntax), "{body}");
    }
    let group = json!({"displayName": "Store", "members": null, "Members": [{"value": "u-1"}]});
    let refused = refused(ResourceKind::Group, Dialect::Tolerant, &group);
    assert_eq!(refused, Some(ScimType::InvalidSyntax));
}
