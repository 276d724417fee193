//! One test for every row: what arrives comes to the same as its form by the RFC does in the strict dialect,
//! leaves the trace that the row promises, and is met by the strict dialect as the row says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod dates;
mod plain;

use super::*;
use crate::bulk::{BULK_REQUEST_SCHEMA, BulkOperation, BulkRequest};
use crate::filter::Filter;
use crate::list::{ListQuery, SEARCH_REQUEST_SCHEMA};
use crate::members::MemberRef;
use crate::parse::read_resource;
use crate::patch::{NetMembers, PATCH_OP_SCHEMA, apply_noting, read_patch};
use crate::resource::Resource;
use crate::schema::{ENTERPRISE_URN, GROUP_ROLES_URN, GROUP_URN, ResourceKind, USER_URN};
use crate::select::Selection;
use serde_json::{Map, Value, json};
use std::collections::HashSet;

const ROLE: &str = "Agent_CHIC-01_STORE";
const ENTRA_GROUP_URN: &str = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";

/// A request, or the part of it that matters.
enum Sent {
    /// The body of a POST or PUT.
    Body(ResourceKind, Value),
    /// The operations of a PATCH.
    Patch(ResourceKind, Value),
    /// The whole body of a PATCH.
    PatchBody(ResourceKind, Value),
    Filter(&'static str),
    /// The whole body of a Bulk request.
    Bulk(Value),
    /// The body of a search, or as many query parameters.
    Search(Value),
}

/// What a request comes to.
#[derive(Debug, PartialEq)]
enum Outcome {
    Resource(Map<String, Value>, Option<Vec<MemberRef>>),
    Patched(Map<String, Value>, NetMembers),
    Filter(Filter),
    Bulk(Option<usize>, Vec<BulkOperation>),
    Shown(Selection, (usize, usize)),
}

struct Read {
    outcome: Outcome,
    tolerated: Tolerated,
    noted: bool,
}

fn start(kind: ResourceKind) -> Resource {
    let attributes = match kind {
        ResourceKind::User => json!({
            "userName": "ida", "active": true, "title": "Clerk",
            "emails": [{"type": "work", "value": "a@x", "primary": true}, {"type": "home", "value": "b@x"}],
            "roles": [{"value": "A_b_c", "primary": true}],
            ENTERPRISE_URN: {"manager": {"value": "u-1"}},
        }),
        ResourceKind::Group => json!({"displayName": "Store"}),
    };
    Resource::from_stored(kind, attributes.as_object().unwrap().clone())
}

fn parse_filter(dialect: Dialect, text: &str) -> Result<(Filter, Tolerated), ScimError> {
    let filter = Filter::parse(ResourceKind::User, text)?;
    let seen = filter.tolerate(dialect, &[ResourceKind::User], text)?;
    Ok((filter, seen))
}

fn read(dialect: Dialect, sent: &Sent) -> Result<Read, ScimError> {
    match sent {
        Sent::Body(kind, body) => {
            let parsed = read_resource(*kind, dialect, body.clone())?;
            Ok(Read {
                noted: !parsed.notes.is_empty(),
                tolerated: parsed.tolerated,
                outcome: Outcome::Resource(parsed.resource.into_attributes(), parsed.members),
            })
        }
        Sent::Patch(kind, operations) => {
            let body = json!({"schemas": [PATCH_OP_SCHEMA], "Operations": operations});
            read(dialect, &Sent::PatchBody(*kind, body))
        }
        Sent::PatchBody(kind, body) => {
            let patch = read_patch(*kind, dialect, body)?;
            let after = apply_noting(&start(*kind), &patch.operations)?;
            let mut tolerated = patch.tolerated;
            tolerated.join(after.tolerated);
            Ok(Read {
                noted: !patch.notes.is_empty() || !after.notes.is_empty(),
                tolerated,
                outcome: Outcome::Patched(after.resource.into_attributes(), patch.members.net()),
            })
        }
        Sent::Filter(text) => {
            let (filter, tolerated) = parse_filter(dialect, text)?;
            Ok(Read {
                outcome: Outcome::Filter(filter),
                tolerated,
                noted: false,
            })
        }
        Sent::Search(body) => {
            let query = ListQuery::parse_search(body.to_string().as_bytes())?;
            let (attributes, excluded) = (query.attributes.as_deref(), query.excluded_attributes.as_deref());
            Ok(Read {
                outcome: Outcome::Shown(
                    Selection::parse(ResourceKind::User, attributes, excluded)?,
                    (query.start_index, query.count),
                ),
                tolerated: query.tolerate(dialect)?,
                noted: false,
            })
        }
        Sent::Bulk(body) => {
            let request = BulkRequest::parse(dialect, body.to_string().as_bytes())?;
            let read = request
                .operations
                .into_iter()
                .map(|one| one.map_err(|unread| unread.error));
            let operations = read.collect::<Result<_, _>>()?;
            Ok(Read {
                outcome: Outcome::Bulk(request.fail_on_errors, operations),
                tolerated: request.tolerated,
                noted: false,
            })
        }
    }
}

/// What arrives, and the same as the RFC has it.
fn holds(quirk: Quirk, arrives: &Sent, becomes: &Sent) {
    let row = quirk.row();
    let strict = match row.strict {
        Strict::Otherwise(_) => None,
        _ => Some(()),
    };
    differs(quirk, arrives, becomes, strict.map(|()| becomes));
}

/// The same, with what the strict dialect takes it for.
fn differs(quirk: Quirk, arrives: &Sent, becomes: &Sent, strictly: Option<&Sent>) {
    let row = quirk.row();
    let tolerant = read(Dialect::Tolerant, arrives).expect("the tolerant dialect takes it");
    let plain = read(Dialect::Strict, becomes).expect("the form by the RFC is strict");
    assert_eq!(tolerant.outcome, plain.outcome, "{}", row.key);
    assert_eq!(
        tolerant.tolerated.has(quirk),
        row.trace != Trace::Nothing,
        "{}: {:?}",
        row.key,
        tolerant.tolerated
    );
    assert_eq!(tolerant.noted, row.trace == Trace::Noted, "{}: notes", row.key);
    let unmarked = read(Dialect::Tolerant, becomes).unwrap();
    assert!(
        !unmarked.tolerated.has(quirk),
        "{}: the plain form is counted",
        row.key
    );
    let strict = read(Dialect::Strict, arrives);
    let refusal = |strict: Result<Read, ScimError>| {
        let error = strict.map(|_| ()).expect_err(row.key);
        assert_eq!(error.status, 400, "{}", row.key);
        error.scim_type.unwrap()
    };
    match row.strict {
        Strict::Refuses(kind) => assert_eq!(refusal(strict), kind, "{}", row.key),
        Strict::RefusesBy(body, path) => {
            let kinds = match arrives {
                Sent::Filter(_) => [ScimType::InvalidFilter; 2],
                _ => [body, path],
            };
            let kind = refusal(strict);
            assert!(kinds.contains(&kind), "{}: {kind}", row.key);
        }
        Strict::Same | Strict::Otherwise(_) => {
            let strictly = read(Dialect::Strict, strictly.expect("what strict makes of it")).unwrap();
            assert_eq!(strict.unwrap().outcome, strictly.outcome, "{}", row.key);
        }
        Strict::Conflict => panic!("{} is not decided here", row.key),
    }
}

fn user(extra: Value) -> Sent {
    let mut body = json!({"schemas": [USER_URN, ENTERPRISE_URN], "userName": "ida"});
    let map = body.as_object_mut().unwrap();
    map.extend(extra.as_object().unwrap().clone());
    map.retain(|_, value| *value != json!("(none)"));
    Sent::Body(ResourceKind::User, body)
}

fn group(extra: Value) -> Sent {
    let mut body = json!({"schemas": [GROUP_URN], "displayName": "Store"});
    body.as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    Sent::Body(ResourceKind::Group, body)
}

fn patch(operations: Value) -> Sent {
    Sent::Patch(ResourceKind::User, operations)
}

fn group_patch(operations: Value) -> Sent {
    Sent::Patch(ResourceKind::Group, operations)
}

/// A Bulk request of one operation, by the RFC but for `with`.
fn bulk(operation: Value, with: Value) -> Sent {
    let mut body = json!({"schemas": [BULK_REQUEST_SCHEMA], "Operations": [operation]});
    body.as_object_mut()
        .unwrap()
        .extend(with.as_object().unwrap().clone());
    Sent::Bulk(body)
}

/// A PATCH that changes nothing, as the RFC has it.
fn nothing() -> Sent {
    patch(json!([{"op": "replace", "path": "title", "value": "Clerk"}]))
}

fn search(extra: Value) -> Sent {
    let mut body = json!({"schemas": [SEARCH_REQUEST_SCHEMA]});
    body.as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    Sent::Search(body)
}

fn delete() -> Value {
    json!({"method": "DELETE", "path": "/Users/1"})
}

fn enterprise(attribute: &str) -> String {
    format!("{ENTERPRISE_URN}:{attribute}")
}

macro_rules! rows {
    ($($name:ident $quirk:ident { $($arrives:expr => $becomes:expr $(, strictly $strictly:expr)?;)+ })*) => {
        mod row {
            use super::*;
            $(
                #[test]
                fn $name() {
                    $( rows!(@one $quirk, $arrives, $becomes, $($strictly)?); )+
                }
            )*
        }
        const TESTED: &[Quirk] = &[$(Quirk::$quirk),*];
    };
    (@one $quirk:ident, $arrives:expr, $becomes:expr,) => {
        holds(Quirk::$quirk, &$arrives, &$becomes)
    };
    (@one $quirk:ident, $arrives:expr, $becomes:expr, $strictly:expr) => {
        differs(Quirk::$quirk, &$arrives, &$becomes, Some(&$strictly))
    };
}

rows! {
    a_name_in_any_case_is_the_attribute NameCase {
        user(json!({"NICKNAME": "i"})) => user(json!({"nickName": "i"}));
        patch(json!([{"OP": "replace", "Path": "TITLE", "VALUE": "x"}]))
            => patch(json!([{"op": "replace", "path": "title", "value": "x"}]));
    }
    missing_schemas_follow_from_the_rest SchemasMissing {
        user(json!({"schemas": "(none)"})) => user(json!({}));
        user(json!({"schemas": null})) => user(json!({}));
        user(json!({"schemas": []})) => user(json!({}));
        user(json!({"schemas": USER_URN})) => user(json!({}));
        Sent::PatchBody(ResourceKind::User, json!({"Operations": [{"op": "remove", "path": "title"}]}))
            => patch(json!([{"op": "remove", "path": "title"}]));
        search(json!({"schemas": null})) => search(json!({}));
        Sent::Search(json!({"attributes": ["title"]})) => search(json!({"attributes": ["title"]}));
        Sent::Search(json!({"schemas": SEARCH_REQUEST_SCHEMA})) => search(json!({}));
    }
    an_unknown_schema_is_passed_over SchemaUnknown {
        group(json!({"schemas": [GROUP_URN, ENTRA_GROUP_URN]})) => group(json!({}));
        search(json!({"schemas": ["urn:x"]})) => search(json!({}));
        search(json!({"schemas": [SEARCH_REQUEST_SCHEMA, USER_URN]})) => search(json!({}));
    }
    an_extension_counts_without_being_listed ExtensionNotListed {
        user(json!({"schemas": [USER_URN], ENTERPRISE_URN: {"department": "d"}}))
            => user(json!({ENTERPRISE_URN: {"department": "d"}}));
    }
    an_unknown_attribute_is_left_out UnknownAttribute {
        user(json!({"shoeSize": 44})) => user(json!({}));
        patch(json!([{"op": "add", "path": "shoeSize", "value": 44}])) => nothing();
        patch(json!([{"op": "replace", "value": {"shoeSize": 44, "title": "Clerk"}}])) => nothing();
        patch(json!([{"op": "replace", "value": {"a b": 44, "title": "Clerk"}}])) => nothing();
        patch(json!([{"op": "add", "path": "emails[type eq \"work\"].label", "value": "x"}])) => nothing();
        patch(json!([{"op": "add", "path": "badges[type eq \"work\"].value", "value": "x"}])) => nothing();
        patch(json!([{"op": "replace", "value": {"emails[type eq \"work\"].label": "x", "title": "Clerk"}}]))
            => nothing();
        group_patch(json!([{"op": "replace", "path": "members[value eq \"u-1\"].display", "value": "x"}]))
            => group_patch(json!([{"op": "replace", "path": "displayName", "value": "Store"}]));
        group(json!({"members": [{"value": "u-1", "label": "x"}]})) => group(json!({"members": [{"value": "u-1"}]}));
    }
    an_unknown_extension_is_left_out UnknownExtension {
        user(json!({"urn:x:User": {"tag": "x"}})) => user(json!({}));
        user(json!({ENTERPRISE_URN: {"shoeSize": 44}})) => user(json!({}));
        patch(json!([{"op": "add", "path": "urn:x:User:tag", "value": 44}])) => nothing();
    }
    a_password_is_never_kept Password {
        user(json!({"password": "secret"})) => user(json!({}));
        patch(json!([{"op": "replace", "path": "password", "value": "secret"}])) => nothing();
        patch(json!([{"op": "replace", "value": {"password": "secret"}}])) => nothing();
    }
    what_the_server_writes_is_passed_over ReadOnlyInBody {
        user(json!({"id": "u-9", "groups": [], "meta": {"resourceType": "User"}})) => user(json!({}));
    }
    a_core_attribute_may_stand_under_its_urn CoreUrnKey {
        user(json!({USER_URN: {"nickName": "i"}})) => user(json!({"nickName": "i"}));
        user(json!({(format!("{USER_URN}:nickName")): "i"})) => user(json!({"nickName": "i"}));
        patch(json!([{"op": "add", "value": {USER_URN: {"nickName": "i"}}}]))
            => patch(json!([{"op": "add", "path": format!("{USER_URN}:nickName"), "value": "i"}]));
    }
    a_flat_urn_key_is_the_extensions_attribute UrnKey {
        user(json!({(enterprise("department")): "d"})) => user(json!({ENTERPRISE_URN: {"department": "d"}}));
    }
    an_extensions_attribute_needs_no_urn ExtensionWithoutUrn {
        user(json!({"department": "d"})) => user(json!({ENTERPRISE_URN: {"department": "d"}}));
        patch(json!([{"op": "add", "path": "department", "value": "d"}]))
            => patch(json!([{"op": "add", "path": enterprise("department"), "value": "d"}]));
        patch(json!([{"op": "add", "value": {"department": "d"}}]))
            => patch(json!([{"op": "add", "value": {ENTERPRISE_URN: {"department": "d"}}}]));
        group_patch(json!([{"op": "add", "path": "roles", "value": [{"value": ROLE}]}]))
            => group_patch(json!([
                {"op": "add", "path": format!("{GROUP_ROLES_URN}:roles"), "value": [{"value": ROLE}]}]));
        Sent::Filter(r#"title pr and Department eq "d""#)
            => Sent::Filter("title pr and \
                urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq \"d\"");
        Sent::Filter("manager pr")
            => Sent::Filter("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager pr");
        Sent::Filter(r#"not (manager.value eq "u-1")"#)
            => Sent::Filter("not (\
                urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq \"u-1\")");
    }

    a_boolean_may_be_text StringBoolean {
        user(json!({"active": "False"})) => user(json!({"active": false}));
        patch(json!([{"op": "replace", "path": "active", "value": "False"}]))
            => patch(json!([{"op": "replace", "path": "active", "value": false}]));
        user(json!({"roles": [{"value": ROLE, "primary": "True"}]}))
            => user(json!({"roles": [{"value": ROLE, "primary": true}]}));
    }
    a_number_may_stand_for_text ScalarForText {
        user(json!({"externalId": 12345})) => user(json!({"externalId": "12345"}));
        user(json!({"nickName": true})) => user(json!({"nickName": "true"}));
        group(json!({"members": [{"value": 7}]})) => group(json!({"members": [{"value": "7"}]}));
    }
    one_value_may_stand_for_a_list SingleForList {
        user(json!({"emails": {"value": "i@x"}})) => user(json!({"emails": [{"value": "i@x"}]}));
        patch(json!([{"op": "add", "path": "emails", "value": {"value": "i@x"}}]))
            => patch(json!([{"op": "add", "path": "emails", "value": [{"value": "i@x"}]}]));
    }
    a_list_of_one_may_stand_for_its_value ListForSingle {
        user(json!({"nickName": ["i"]})) => user(json!({"nickName": "i"}));
        user(json!({"nickName": []})) => user(json!({}));
        patch(json!([{"op": "add", "path": enterprise("manager"),
                        "value": [{"$ref": "https://sp.example/scim/v2/Users/u-17", "value": "u-17"}]}]))
            => patch(json!([{"op": "add", "path": enterprise("manager"),
                        "value": {"$ref": "https://sp.example/scim/v2/Users/u-17", "value": "u-17"}}]));
    }
    a_bare_text_may_stand_for_an_object TextForObject {
        user(json!({"emails": ["i@x"]})) => user(json!({"emails": [{"value": "i@x"}]}));
        patch(json!([{"op": "add", "path": enterprise("manager"), "value": "u-17"}]))
            => patch(json!([{"op": "add", "path": enterprise("manager"), "value": {"value": "u-17"}}]));
    }
    an_empty_text_takes_the_manager_away EmptyForNone {
        patch(json!([{"op": "replace", "path": enterprise("manager"), "value": ""}]))
            => patch(json!([{"op": "remove", "path": enterprise("manager")}]));
        patch(json!([{"op": "add", "path": enterprise("manager"), "value": ""}]))
            => patch(json!([{"op": "remove", "path": enterprise("manager")}]));
    }
    an_empty_id_of_the_manager_takes_it_away_and_an_empty_role_the_role EmptyForNone {
        patch(json!([{"op": "replace", "path": enterprise("manager.value"), "value": ""}]))
            => patch(json!([{"op": "remove", "path": enterprise("manager")}]));
        patch(json!([{"op": "replace", "value": {ENTERPRISE_URN: {"manager": {"value": " "}}}}]))
            => patch(json!([{"op": "remove", "path": enterprise("manager")}]));
        user(json!({ENTERPRISE_URN: {"manager": {"value": ""}}})) => user(json!({}));
        patch(json!([{"op": "replace", "path": "roles[primary eq true].value", "value": ""}]))
            => patch(json!([{"op": "remove", "path": "roles[primary eq true].value"}]));
        patch(json!([{"op": "add", "path": "roles[primary eq true].value", "value": " "}]))
            => patch(json!([{"op": "remove", "path": "roles[primary eq true]"}]));
    }
    a_reference_may_name_the_id ReferenceForValue {
        group(json!({"members": [{"$ref": "../Users/u-3"}]}))
            => group(json!({"members": [{"$ref": "../Users/u-3", "value": "u-3"}]}));
        user(json!({ENTERPRISE_URN: {"manager": {"$ref": "../Users/u-3"}}}))
            => user(json!({ENTERPRISE_URN: {"manager": {"$ref": "../Users/u-3", "value": "u-3"}}}));
    }
    a_member_is_what_it_is_whatever_is_said MemberKind {
        group(json!({"members": [{"value": "u-1", "type": "Robot"}]}))
            => group(json!({"members": [{"value": "u-1"}]}));
        group(json!({"members": [{"value": "u-1", "type": 5, "$ref": 7}]}))
            => group(json!({"members": [{"value": "u-1"}]}));
        group_patch(json!([{"op": "add", "path": "members", "value": [{"value": "u-1", "type": "Robot"}]}]))
            => group_patch(json!([{"op": "add", "path": "members", "value": [{"value": "u-1"}]}]));
    }
    a_null_reference_is_none NullReference {
        group_patch(json!([{"op": "add", "path": "members", "value": [{"$ref": null, "value": "u-1"}]}]))
            => group_patch(json!([{"op": "add", "path": "members", "value": [{"value": "u-1"}]}]));
    }
    a_null_is_no_value ExplicitNull {
        user(json!({"addresses": null, "title": null, ENTERPRISE_URN: {"manager": null}, "active": null}))
            => user(json!({}));
    }
    a_null_never_changes_active NullActive {
        patch(json!([{"op": "replace", "path": "active", "value": null}])) => nothing();
    }
    only_the_first_primary_stays TwoPrimaries {
        user(json!({"emails": [{"value": "1", "primary": true}, {"value": "2", "primary": true}]}))
            => user(json!({"emails": [{"value": "1", "primary": true}, {"value": "2", "primary": false}]}));
        user(json!({"roles": [{"value": "1", "primary": true}, {"value": "2", "primary": true}]}))
            => user(json!({"roles": [{"value": "1", "primary": true}, {"value": "2", "primary": false}]}));
    }
    the_mark_of_primary_moves PrimaryMoves {
        patch(json!([{"op": "add", "path": "emails[type eq \"home\"].primary", "value": true}]))
            => patch(json!([{"op": "replace", "path": "emails", "value": [
                {"type": "work", "value": "a@x", "primary": false},
                {"type": "home", "value": "b@x", "primary": true}]}]));
    }

    a_role_may_be_a_bare_text RoleText {
        user(json!({"roles": [ROLE]})) => user(json!({"roles": [{"value": ROLE}]}));
    }
    a_roles_display_name_is_its_display RoleDisplayName {
        user(json!({"roles": [{"value": ROLE, "displayName": "Store"}]}))
            => user(json!({"roles": [{"value": ROLE, "display": "Store"}]}));
        patch(json!([{"op": "add", "path": "roles[primary eq true].displayName", "value": "Store"}]))
            => patch(json!([{"op": "add", "path": "roles[primary eq true].display", "value": "Store"}]));
        patch(json!([{"op": "remove", "path": "roles[displayName pr or value eq \"A_b_c\"]"}]))
            => patch(json!([{"op": "remove", "path": "roles[display pr or value eq \"A_b_c\"]"}]));
        Sent::Filter(r#"roles.displayName eq "Store""#) => Sent::Filter(r#"roles.display eq "Store""#);
        Sent::Filter(r#"roles[displayName eq "Store"]"#) => Sent::Filter(r#"roles[display eq "Store"]"#);
    }
    one_role_twice_is_one RoleTwice {
        patch(json!([{"op": "add", "path": "roles", "value": [{"value": ROLE}]},
                       {"op": "add", "path": "roles", "value": [{"value": ROLE}]}]))
            => patch(json!([{"op": "add", "path": "roles", "value": [{"value": ROLE}]}]));
    }
    a_label_of_no_role_is_left_out RolePart {
        patch(json!([{"op": "remove", "path": "roles[primary eq true]"},
                       {"op": "replace", "path": "roles[primary eq true].display", "value": "Boss"}]))
            => patch(json!([{"op": "remove", "path": "roles[primary eq true]"}]));
    }

    an_operation_may_be_in_capitals OperationCase {
        patch(json!([{"op": "Remove", "path": "title"}])) => patch(json!([{"op": "remove", "path": "title"}]));
        patch(json!([{"op": " REPLACE ", "path": "title", "value": "x"}]))
            => patch(json!([{"op": "replace", "path": "title", "value": "x"}]));
    }
    one_operation_needs_no_list SingleOperation {
        patch(json!({"op": "remove", "path": "title"})) => patch(json!([{"op": "remove", "path": "title"}]));
    }
    an_empty_path_is_none EmptyPath {
        patch(json!([{"op": "replace", "path": "", "value": {"active": false}}]))
            => patch(json!([{"op": "replace", "value": {"active": false}}]));
    }
    keys_are_paths_and_a_urn_is_not_split KeysArePaths {
        patch(json!([{"op": "replace", "value": {
                "name.givenName": "Ida", (enterprise("employeeNumber")): "4711",
                "emails[type eq \"work\"].value": "new@x", "title": "Boss"}}]))
            => patch(json!([
                {"op": "replace", "path": "name.givenName", "value": "Ida"},
                {"op": "replace", "path": enterprise("employeeNumber"), "value": "4711"},
                {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "new@x"},
                {"op": "replace", "path": "title", "value": "Boss"}]));
    }
    a_list_without_path_is_done_in_order PathlessList {
        patch(json!([{"op": "replace", "value": [{"active": false}, {"title": "x"}]}]))
            => patch(json!([{"op": "replace", "value": {"active": false, "title": "x"}}]));
    }
    a_null_without_path_is_not_sent PathlessNull {
        patch(json!([{"op": "replace", "value": {"title": null}}])) => nothing(),
        strictly patch(json!([{"op": "remove", "path": "title"}]));
    }
    a_filtered_write_creates_what_it_describes FilterCreates {
        patch(json!([{"op": "add", "path": "phoneNumbers[type eq \"work\"].value", "value": "+46"}]))
            => patch(json!([{"op": "add", "path": "phoneNumbers", "value": [{"type": "work", "value": "+46"}]}]));
        patch(json!([{"op": "replace", "path": "ims[type eq \"xmpp\"].value", "value": "i"}]))
            => patch(json!([{"op": "add", "path": "ims", "value": [{"type": "xmpp", "value": "i"}]}]));
    }
    a_filtered_removal_of_nothing_is_done FilterRemovesNothing {
        patch(json!([{"op": "remove", "path": "roles[value eq \"none\"]"}])) => nothing();
    }
    a_removal_takes_what_its_value_names RemoveByValue {
        group_patch(json!([{"op": "remove", "path": "members", "value": [{"value": "u-3"}]}]))
            => group_patch(json!([{"op": "remove", "path": "members[value eq \"u-3\"]"}]));
        group_patch(json!([{"op": "remove", "path": "members", "value": []}]))
            => group_patch(json!([{"op": "add", "path": "members", "value": []}]));
        patch(json!([{"op": "remove", "path": "roles", "value": [{"value": "A_b_c"}]}]))
            => patch(json!([{"op": "remove", "path": "roles[value eq \"A_b_c\"]"}]));
    }
    a_removal_without_value_clears_the_group RemoveAllMembers {
        group_patch(json!([{"op": "remove", "path": "members"}]))
            => group_patch(json!([{"op": "replace", "path": "members", "value": []}]));
    }
    an_empty_list_of_members_clears_the_group ReplaceMembersEmpty {
        group_patch(json!([{"op": "replace", "path": "members", "value": []}]))
            => group_patch(json!([{"op": "remove", "path": "members"}]));
    }
    a_read_only_attribute_in_a_patch_is_passed_over ReadOnlyPath {
        patch(json!([{"op": "replace", "path": "meta.created", "value": "x"}])) => nothing();
        patch(json!([{"op": "replace", "path": "groups", "value": []}])) => nothing();
        group_patch(json!([{"op": "replace", "value": {"id": "g-1", "displayName": "New"}}]))
            => group_patch(json!([{"op": "replace", "value": {"displayName": "New"}}]));
    }

    a_member_may_be_a_bare_id MemberText {
        group(json!({"members": ["u-1"]})) => group(json!({"members": [{"value": "u-1"}]}));
        group_patch(json!([{"op": "add", "path": "members", "value": {"value": "u-1"}}]))
            => group_patch(json!([{"op": "add", "path": "members", "value": [{"value": "u-1"}]}]));
    }
    null_members_are_not_sent MembersNull {
        group(json!({"members": null})) => group(json!({})), strictly group(json!({"members": []}));
    }

    a_literal_needs_no_marks UnquotedLiteral {
        Sent::Filter("externalId eq jyoung") => Sent::Filter(r#"externalId eq "jyoung""#);
        Sent::Filter("externalId eq 007") => Sent::Filter(r#"externalId eq "007""#);
        Sent::Filter("externalId eq +1") => Sent::Filter(r#"externalId eq "+1""#);
        Sent::Filter("title eq Null") => Sent::Filter(r#"title eq "Null""#);
        Sent::Filter("title eq 't") => Sent::Filter(r#"title eq "'t""#);
        Sent::Filter("title eq x or emails[value ew a.b]")
            => Sent::Filter(r#"title eq "x" or emails[value ew "a.b"]"#);
    }
    a_literal_may_stand_in_single_quotes SingleQuotes {
        Sent::Filter("userName eq 'ida' or (title eq 'Shop \"lead\"')")
            => Sent::Filter(r#"userName eq "ida" or (title eq "Shop \"lead\"")"#);
        Sent::Filter("name.familyName eq 'O'Brien'") => Sent::Filter(r#"name.familyName eq "O'Brien""#);
        Sent::Filter("emails[value eq 'i@x']") => Sent::Filter(r#"emails[value eq "i@x"]"#);
    }
    a_boolean_literal_may_be_in_any_case LiteralCase {
        Sent::Filter("active eq True") => Sent::Filter("active eq true");
        Sent::Filter("emails[primary eq FALSE]") => Sent::Filter("emails[primary eq false]");
    }
    a_filter_may_go_on_behind_its_brackets FilterBehindBrackets {
        Sent::Filter(r#"emails[type eq "work"].value eq "i@x""#)
            => Sent::Filter(r#"emails[type eq "work" and value eq "i@x"]"#);
        Sent::Filter(r#"emails[type eq "work"].value pr"#)
            => Sent::Filter(r#"emails[type eq "work" and value pr]"#);
    }
    a_filter_may_have_other_blanks FilterBlanks {
        Sent::Filter(r#"userName eq"ida""#) => Sent::Filter(r#"userName eq "ida""#);
        Sent::Filter("( title pr )and(active eq true)") => Sent::Filter("(title pr) and (active eq true)");
        Sent::Filter("title  pr") => Sent::Filter("title pr");
        Sent::Filter(" title pr ") => Sent::Filter("title pr");
        Sent::Filter("title\u{a0}pr") => Sent::Filter("title pr");
        Sent::Filter("not  (title pr)") => Sent::Filter("not(title pr)");
        Sent::Filter("emails [ type eq \"work\" ]") => Sent::Filter("emails[type eq \"work\"]");
    }
    a_backslash_needs_no_escape LooseEscape {
        Sent::Filter(r#"userName eq "CORP\ida""#) => Sent::Filter(r#"userName eq "CORP\\ida""#);
    }

    of_both_selections_the_first_decides BothSelections {
        search(json!({"attributes": ["title", "name"], "excludedAttributes": ["title"]}))
            => search(json!({"attributes": ["title", "name"]}));
        search(json!({"attributes": ["userName"], "ExcludedAttributes": ["groups", "emails"]}))
            => search(json!({"attributes": ["userName"]}));
    }

    a_selection_shows_all_values_where_it_filters SelectionFilter {
        search(json!({"attributes": ["emails[type eq \"a,b\"].value"]}))
            => search(json!({"attributes": ["emails.value"]}));
    }
    a_selection_passes_over_what_is_no_name SelectionNoPath {
        search(json!({"excludedAttributes": ["title", "emails[type pr]"]}))
            => search(json!({"excludedAttributes": ["title"]}));
        search(json!({"attributes": ["title", "*"]})) => search(json!({"attributes": ["title"]}));
        search(json!({"attributes": ["title", "name,emails"]})) => search(json!({"attributes": ["title"]}));
    }

    names_to_select_may_be_one_text SearchNamesText {
        search(json!({"attributes": "title, name"})) => search(json!({"attributes": ["title", "name"]}));
        search(json!({"ExcludedAttributes": "title"})) => search(json!({"excludedAttributes": ["title"]}));
    }
    numbers_of_a_search_may_be_text SearchNumberText {
        search(json!({"startIndex": "2", "count": "5"})) => search(json!({"startIndex": 2, "count": 5}));
    }

    a_bulk_request_needs_no_schemas BulkSchemas {
        bulk(delete(), json!({"schemas": []})) => bulk(delete(), json!({}));
        bulk(delete(), json!({"schemas": null})) => bulk(delete(), json!({}));
        bulk(delete(), json!({"schemas": [USER_URN]})) => bulk(delete(), json!({}));
        Sent::Bulk(json!({"Operations": [delete()]})) => bulk(delete(), json!({}));
    }
    a_bulk_method_may_be_in_any_case BulkMethodCase {
        bulk(json!({"method": "delete", "path": "/Users/1"}), json!({})) => bulk(delete(), json!({}));
        bulk(json!({"method": " Delete", "path": "/Users/1"}), json!({})) => bulk(delete(), json!({}));
    }
    the_limit_of_errors_may_be_text BulkCountText {
        bulk(delete(), json!({"failOnErrors": "3"})) => bulk(delete(), json!({"failOnErrors": 3}));
    }
}

/// Rows whose forms differ in more than their outcome, or that a service decides.
const TESTED_APART: &[Quirk] = &[
    Quirk::RoleJson,
    Quirk::RoleId,
    Quirk::LiteralType,
    Quirk::LooseDate,
    Quirk::MembersNotSent,
    Quirk::UnknownMemberRemoved,
    Quirk::BulkIdMissing,
    Quirk::LeaverAtFault,
    Quirk::RemovalAtFault,
    Quirk::ActiveNotSent,
    Quirk::Rehire,
    Quirk::RepeatedCreate,
];

#[test]
fn a_role_in_json_is_that_role_and_to_the_strict_dialect_a_text() {
    let text = format!(r#"{{"value":"{ROLE}"}}"#);
    for (sent, plain) in [
        (
            user(json!({"roles": [{"value": text}]})),
            user(json!({"roles": [{"value": ROLE}]})),
        ),
        (
            patch(json!([{"op": "replace", "path": "roles", "value": [{"value": text}]}])),
            patch(json!([{"op": "replace", "path": "roles", "value": [{"value": ROLE}]}])),
        ),
        (
            patch(json!([{"op": "add", "path": "roles[primary eq true].value", "value": text}])),
            patch(json!([{"op": "add", "path": "roles[primary eq true].value", "value": ROLE}])),
        ),
    ] {
        let lax = read(Dialect::Tolerant, &sent).unwrap();
        assert!(lax.tolerated.has(Quirk::RoleJson));
        assert_eq!(lax.outcome, read(Dialect::Strict, &plain).unwrap().outcome);
        let (Outcome::Resource(attributes, _) | Outcome::Patched(attributes, _)) =
            read(Dialect::Strict, &sent).unwrap().outcome
        else {
            panic!("no resource")
        };
        assert_eq!(attributes["roles"][0]["value"], text.as_str());
    }
}

/// A name that one kind has in its core and another in an extension means the core's (the root lists both).
#[test]
fn a_bare_name_of_any_kinds_core_needs_no_urn_at_the_root() {
    let seen = |kinds: &[ResourceKind], text: &str| {
        let filter = Filter::parse_across(ResourceKind::Group, text).unwrap();
        filter.tolerate(Dialect::Tolerant, kinds, text).unwrap()
    };
    assert!(seen(&ResourceKind::ALL, "roles pr and userName pr").is_empty());
    assert!(seen(&[ResourceKind::Group], "roles pr").has(Quirk::ExtensionWithoutUrn));
    assert!(seen(&ResourceKind::ALL, "department pr").has(Quirk::ExtensionWithoutUrn));
}

#[test]
fn a_roles_id_is_evidence_and_stands_for_an_empty_value() {
    let roles = |id: Value| user(json!({"roles": [id]}));
    for sent in [
        roles(json!({"id": "7f0c", "value": ROLE})),
        roles(json!({"id": ROLE, "value": ""})),
    ] {
        let read_ = read(Dialect::Tolerant, &sent).unwrap();
        let Outcome::Resource(attributes, _) = read_.outcome else {
            panic!("no resource")
        };
        let user = Resource::from_stored(ResourceKind::User, attributes);
        assert_eq!(user.roles()[0].value, ROLE);
        assert!(user.roles()[0].idp_id.is_some() && read_.tolerated.has(Quirk::RoleId));
        let refused = read(Dialect::Strict, &sent).map(|_| ()).unwrap_err();
        assert_eq!(
            Strict::Refuses(refused.scim_type.unwrap()),
            Quirk::RoleId.row().strict
        );
    }
}

#[test]
fn a_literal_is_compared_as_its_attributes_type() {
    let there = start(ResourceKind::User);
    for (text, plain) in [
        (r#"roles[primary eq "True"]"#, "roles[primary eq true]"),
        ("userName ne 4711", r#"userName ne "4711""#),
        (r#"active eq "FALSE""#, "active eq false"),
    ] {
        let (lax, seen) = parse_filter(Dialect::Tolerant, text).unwrap();
        let (plain, none) = parse_filter(Dialect::Strict, plain).unwrap();
        assert!(seen.has(Quirk::LiteralType) && none.is_empty(), "{text}");
        assert_eq!(
            lax.matches(there.attributes()),
            plain.matches(there.attributes()),
            "{text}"
        );
        let refused = parse_filter(Dialect::Strict, text).unwrap_err();
        assert_eq!(
            Strict::Refuses(refused.scim_type.unwrap()),
            Quirk::LiteralType.row().strict
        );
    }
    let by_text = patch(json!([{"op": "add", "path": "roles[primary eq \"True\"].value", "value": ROLE}]));
    let by_truth = patch(json!([{"op": "add", "path": "roles[primary eq true].value", "value": ROLE}]));
    assert_eq!(
        read(Dialect::Tolerant, &by_text).unwrap().outcome,
        read(Dialect::Strict, &by_truth).unwrap().outcome
    );
    let refused = read(Dialect::Strict, &by_text).map(|_| ()).unwrap_err();
    assert_eq!(refused.scim_type, Some(ScimType::InvalidFilter));
}

/// RFC 7644 section 3.7: `bulkId` is required when the method is POST, and of no use to any other.
#[test]
fn a_bulk_post_without_a_name_is_carried_out_and_refused_by_itself_in_the_strict_dialect() {
    let post = json!({"method": "POST", "path": "/Users", "data": {"userName": "ida"}});
    let mut empty = post.clone();
    empty["bulkId"] = json!("");
    let body = json!({"schemas": [BULK_REQUEST_SCHEMA], "Operations": [post, empty, delete()]}).to_string();
    let lax = BulkRequest::parse(Dialect::Tolerant, body.as_bytes()).unwrap();
    assert!(lax.operations.iter().all(Result::is_ok) && lax.tolerated.has(Quirk::BulkIdMissing));
    let strict = BulkRequest::parse(Dialect::Strict, body.as_bytes()).unwrap();
    let refused = |at: usize| {
        let refused = strict.operations[at].as_ref().map(|_| ()).unwrap_err();
        Strict::Refuses(refused.error.scim_type.unwrap())
    };
    assert_eq!(
        (refused(0), refused(1)),
        (Quirk::BulkIdMissing.row().strict, refused(0))
    );
    assert!(strict.operations[2].is_ok() && strict.tolerated.is_empty());
    let named = json!({"method": "POST", "path": "/Users", "bulkId": "a", "data": {"userName": "ida"}});
    let named = read(Dialect::Tolerant, &bulk(named, json!({}))).unwrap();
    assert!(named.tolerated.is_empty());
}

#[test]
fn every_row_stands_at_its_place_under_a_key_of_its_own_and_has_a_test() {
    let mut keys = HashSet::new();
    for (place, quirk) in Quirk::ALL.iter().enumerate() {
        let row = quirk.row();
        assert_eq!(*quirk as usize, place, "{}", row.key);
        assert!(keys.insert(row.key), "{} twice", row.key);
        let tested = TESTED.contains(quirk) || TESTED_APART.contains(quirk);
        assert!(tested, "{} has no test", row.key);
        for text in [row.arrives, row.becomes, row.from] {
            assert!(
                !text.is_empty() && !text.contains('|') && !text.contains('\n'),
                "{}",
                row.key
            );
        }
    }
}
