//! The rows of the table of tolerance that the service decides, in both dialects.

use http::Method;
use rollcall_domain::{Event, EventData};
use rollcall_scim::tolerance::Quirk;
use serde_json::{Value, json};

use crate::world::{ANSWERING, ENTRA, STRICT, World, query, user};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

fn ida() -> Value {
    json!({"schemas": [USER], "userName": "ida", "externalId": "e1"})
}

fn counted(world: &World, quirk: Quirk) -> u64 {
    let key = quirk.row().key;
    let seen = world.metrics.snapshot().tolerated;
    seen.iter()
        .find(|row| row.quirk == key)
        .map_or(0, |row| row.count)
}

#[tokio::test]
async fn rehire_restores_the_person_and_is_a_conflict_in_the_strict_dialect() {
    let world = World::new().await;
    for (token, status) in [(ENTRA, 201), (STRICT, 409)] {
        let first = world.post(token, "/Users", ida()).await.expect(201).id();
        let active = world.post(token, "/Users", ida()).await;
        active.expect_error(409, "uniqueness");
        let off = json!([{"op": "replace", "path": "active", "value": false}]);
        world
            .patch(token, &format!("/Users/{first}"), off)
            .await
            .expect(200);
        let again = world.post(token, "/Users", ida()).await.expect(status);
        let now = world.get(token, &format!("/Users/{first}")).await.expect(200);
        assert_eq!(now.body["active"], status == 201);
        if status == 201 {
            assert_eq!(again.id(), first);
        } else {
            assert_eq!(again.body["scimType"], "uniqueness");
        }
    }
    assert_eq!(counted(&world, Quirk::Rehire), 1);
    // On record for the auditor: a POST brought the person back, not a PATCH.
    let on =
        |event: &Event| matches!(&event.data, EventData::UserChanged(change) if change.active == Some(true));
    let back: Vec<Event> = world.events().into_iter().filter(on).collect();
    assert_eq!(back.len(), 1);
    assert!(matches!(&back[0].data, EventData::UserChanged(change) if change.rehire));
    let off = json!([{"op": "replace", "path": "active", "value": false}]);
    let on_again = json!([{"op": "replace", "path": "active", "value": true}]);
    let path = format!(
        "/Users/{}",
        world.get(ENTRA, "/Users").await.body["Resources"][0]["id"]
            .as_str()
            .unwrap()
    );
    world.patch(ENTRA, &path, off).await.expect(200);
    world.patch(ENTRA, &path, on_again).await.expect(200);
    let last = world.events().pop().unwrap();
    assert!(
        matches!(last.data, EventData::UserChanged(change) if change.active == Some(true) && !change.rehire)
    );
}

/// A blank `externalId` tells nobody from anybody, and ids that differ in case are two.
#[tokio::test]
async fn nobody_is_hired_again_by_a_name_that_passed_on() {
    let world = World::new().await;
    let ids = [("", ""), (" ", " "), ("AbC", "aBc"), ("e1", "e2")];
    for (number, (first, second)) in ids.into_iter().enumerate() {
        for token in [ENTRA, ANSWERING] {
            let name = format!("ida{number}");
            let body = |external: &str| json!({"schemas": [USER], "userName": name, "externalId": external});
            let id = world.post(token, "/Users", body(first)).await.expect(201).id();
            let again = world.post(token, "/Users", body(second)).await;
            again.expect_error(409, "uniqueness");
            let path = format!("/Users/{id}");
            let off = json!([{"op": "replace", "path": "active", "value": false}]);
            world.patch(token, &path, off).await.expect(200);
            let again = world.post(token, "/Users", body(second)).await;
            again.expect_error(409, "uniqueness");
            let now = world.get(token, &path).await.expect(200);
            assert_eq!(now.body["active"], false);
        }
    }
}

#[tokio::test]
async fn the_same_group_again_is_a_conflict_or_where_that_is_set_an_answer() {
    let world = World::new().await;
    for (token, status) in [(ANSWERING, 200), (ENTRA, 409), (STRICT, 409)] {
        let (ida, bo) = (world.user(token, "ida").await, world.user(token, "bo").await);
        let body = |external: &str, members: &[&String]| {
            let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
            json!({"schemas": [GROUP], "displayName": "g", "externalId": external, "members": members})
        };
        let sent = body("g1", &[&ida, &bo]);
        let first = world.post(token, "/Groups", sent.clone()).await.expect(201).id();
        let written = world.events().len();
        let again = world.post(token, "/Groups", sent).await.expect(status);
        if status == 200 {
            assert_eq!(again.id(), first);
            assert!(again.header("location").ends_with(&first));
        } else {
            assert_eq!(again.body["scimType"], "uniqueness");
        }
        for other in [
            body("g1", &[&ida]),
            body("g2", &[&ida, &bo]),
            body("", &[&ida, &bo]),
        ] {
            let refused = world.post(token, "/Groups", other).await;
            refused.expect_error(409, "uniqueness");
        }
        assert_eq!(world.events().len(), written, "something was written");
    }
    assert_eq!(counted(&world, Quirk::RepeatedCreate), 1);
}

/// What a member is, is known here; the strict dialect takes nothing else for it.
#[tokio::test]
async fn a_member_said_to_be_what_it_is_not_is_taken_for_what_it_is_or_refused() {
    let world = World::new().await;
    for (token, status) in [(ENTRA, 200), (STRICT, 400)] {
        let (ida, inner) = (
            world.user(token, "ida").await,
            world.group(token, "inner", &[]).await,
        );
        let path = format!("/Groups/{}", world.group(token, "g", &[]).await);
        for (id, kind) in [(&ida, "Group"), (&inner, "User")] {
            let add = json!([{"op": "add", "path": "members", "value": [{"value": id, "type": kind}]}]);
            let reply = world.patch(token, &path, add).await.expect(status);
            if status == 400 {
                assert_eq!(reply.body["scimType"], "invalidValue");
                assert!(reply.body["detail"].as_str().unwrap().starts_with("members"));
            }
        }
        let id = path.trim_start_matches("/Groups/");
        let expected = if status == 200 { 2 } else { 0 };
        assert_eq!(world.members(token, id).await.len(), expected);
    }
    assert_eq!(counted(&world, Quirk::MemberKind), 2);
}

/// RFC 7644 sections 3.5.2 and 3.5.2.3; RFC 7643 section 8.7.1.
#[tokio::test]
async fn a_write_to_a_selected_member_needs_one_in_the_strict_dialect_and_changes_nothing_of_it() {
    let world = World::new().await;
    let (ida, bo) = (world.user(STRICT, "ida").await, world.user(STRICT, "bo").await);
    let group = world.group(STRICT, "g", &[&ida]).await;
    let path = format!("/Groups/{group}");
    let write = |id: &str, sub: &str, value: Value| {
        let path = format!("members[value eq \"{id}\"]{sub}");
        json!({"op": "replace", "path": path, "value": value})
    };
    let nobody = "00000000-0000-4000-8000-000000000000";
    let is_user = || json!("User");
    for (operations, scim_type) in [
        (json!([write(&bo, ".type", is_user())]), "noTarget"),
        (
            json!([write(&bo, "", json!({"value": bo, "type": "User"}))]),
            "noTarget",
        ),
        (json!([write(nobody, ".type", is_user())]), "noTarget"),
        (json!([write(&ida, ".type", json!("Group"))]), "mutability"),
        (
            json!([write(&ida, ".$ref", json!(format!("../Groups/{ida}")))]),
            "mutability",
        ),
        (
            json!([write(&ida, ".$ref", json!(format!("../Users/{bo}")))]),
            "mutability",
        ),
        (json!([write(&ida, ".value", json!(bo))]), "mutability"),
        (json!([write(&ida, ".type", json!("Robot"))]), "invalidValue"),
        (json!([write(&ida, ".display", json!("Ida"))]), "invalidPath"),
        (
            json!([{"op": "remove", "path": "members"}, write(&ida, ".type", is_user())]),
            "noTarget",
        ),
    ] {
        let reply = world.patch(STRICT, &path, operations.clone()).await;
        reply.expect_error(400, scim_type);
        let members = world.members(STRICT, &group).await;
        assert_eq!(members, std::slice::from_ref(&ida), "{operations}");
    }
    let add = json!({"op": "add", "path": "members", "value": [{"value": bo}]});
    for operations in [
        json!([write(&ida, ".type", is_user()), write(&ida, ".value", json!(ida))]),
        json!([add, write(&bo, "", json!({"value": bo, "type": "User"}))]),
    ] {
        world.patch(STRICT, &path, operations).await.expect(200);
    }
    assert_eq!(world.members(STRICT, &group).await.len(), 2);
}

#[tokio::test]
async fn the_same_create_again_is_a_conflict_or_where_that_is_set_an_answer() {
    let world = World::new().await;
    for (token, status) in [(ANSWERING, 200), (ENTRA, 409), (STRICT, 409)] {
        let first = world.post(token, "/Users", ida()).await.expect(201).id();
        let written = world.events().len();
        let again = world.post(token, "/Users", ida()).await.expect(status);
        if status == 200 {
            assert_eq!(again.id(), first);
        } else {
            assert_eq!(again.body["scimType"], "uniqueness");
        }
        let mut other = ida();
        other["title"] = json!("Boss");
        let refused = world.post(token, "/Users", other).await;
        refused.expect_error(409, "uniqueness");
        assert_eq!(world.events().len(), written, "something was written");
    }
    assert_eq!(counted(&world, Quirk::RepeatedCreate), 1);
}

/// In the strict dialect each is refused: the request as a whole, or the operation that holds it.
#[tokio::test]
async fn a_bulk_request_in_any_spelling_is_carried_out_counted_and_refused_in_the_strict_dialect() {
    let world = World::new().await;
    let request = |name: &str| {
        json!({"Operations": [{"method": "post", "path": "/Users", "data":
            {"schemas": [USER], "userName": name}}]})
    };
    let reply = world.post(ENTRA, "/Bulk", request("ida")).await.expect(200);
    assert_eq!(reply.body["Operations"][0]["status"], "201");
    for quirk in [Quirk::BulkSchemas, Quirk::BulkMethodCase, Quirk::BulkIdMissing] {
        assert_eq!(counted(&world, quirk), 1, "{}", quirk.row().key);
    }
    let refused = world.post(STRICT, "/Bulk", request("bo")).await;
    refused.expect_error(400, "invalidSyntax");
    let mut with_schemas = request("bo");
    with_schemas["schemas"] = json!(["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]);
    let reply = world.post(STRICT, "/Bulk", with_schemas).await.expect(200);
    assert_eq!(reply.body["Operations"][0]["status"], "400");
    assert_eq!(
        reply.body["Operations"][0]["response"]["scimType"],
        "invalidSyntax"
    );
    assert_eq!(
        world.get(STRICT, "/Users").await.expect(200).body["totalResults"],
        0
    );
}

/// RFC 7644 section 3.9, wherever a resource is shown: a list, a search, a single one, the answer to a write.
#[tokio::test]
async fn both_selections_are_one_too_many_in_the_strict_dialect_and_nothing_is_written() {
    let world = World::new().await;
    let both = "attributes=userName&excludedAttributes=meta";
    let search = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "attributes": ["userName"], "excludedAttributes": ["meta"]});
    for (token, good) in [(ENTRA, true), (STRICT, false)] {
        let id = world.user(token, "ida").await;
        let written = world.events().len();
        let title = json!([{"op": "replace", "path": "title", "value": "Lead"}]);
        for reply in [
            world.get(token, &format!("/Users?{both}")).await,
            world.get(token, &format!("/Users/{id}?{both}")).await,
            world.get(token, &format!("/Groups?{both}")).await,
            world.post(token, "/Users/.search", search.clone()).await,
            world
                .patch(token, &format!("/Users/{id}?{both}"), title.clone())
                .await,
        ] {
            if good {
                assert!(reply.expect(200).body.get("meta").is_none());
            } else {
                reply.expect_error(400, "invalidValue");
            }
        }
        assert_eq!(world.events().len() > written, good);
    }
    assert_eq!(counted(&world, Quirk::BothSelections), 5);
}

#[tokio::test]
async fn members_not_sent_stay_and_are_cleared_in_the_strict_dialect() {
    let world = World::new().await;
    for (token, left) in [(ENTRA, 1), (STRICT, 0)] {
        let ida = world.user(token, "ida").await;
        let group = world.group(token, "g", &[&ida]).await;
        let body = json!({"schemas": [GROUP], "displayName": "g2"});
        let path = format!("/Groups/{group}");
        world.put(token, &path, body.clone()).await.expect(200);
        assert_eq!(world.members(token, &group).await.len(), left);
        let mut with_null = body;
        with_null["members"] = Value::Null;
        world.put(token, &path, with_null).await.expect(200);
        assert_eq!(world.members(token, &group).await.len(), left);
    }
    assert_eq!(counted(&world, Quirk::MembersNull), 1);
}

#[tokio::test]
async fn removal_of_somebody_unknown_changes_nothing_and_adding_them_is_refused() {
    let world = World::new().await;
    let nobody = "00000000-0000-4000-8000-000000000000";
    for token in [ENTRA, STRICT] {
        let ida = world.user(token, "ida").await;
        let group = world.group(token, "g", &[&ida]).await;
        let path = format!("/Groups/{group}");
        let remove = json!([{"op": "remove", "path": format!("members[value eq \"{nobody}\"]")}]);
        world.patch(token, &path, remove).await.expect(200);
        for op in ["add", "replace"] {
            let write = json!([{"op": op, "path": "members", "value": [{"value": nobody}]}]);
            world
                .patch(token, &path, write)
                .await
                .expect_error(400, "invalidValue");
        }
        assert_eq!(world.members(token, &group).await, [ida]);
    }
}

#[tokio::test]
async fn a_leaver_goes_though_the_request_is_at_fault_and_not_in_the_strict_dialect() {
    let world = World::new().await;
    let operations = json!([
        {"op": "replace", "path": "active", "value": false},
        {"op": "replace", "path": "emails[", "value": "x"},
    ]);
    for (token, status) in [(ENTRA, 200), (STRICT, 400)] {
        let path = format!("/Users/{}", world.user(token, "ida").await);
        world.patch(token, &path, operations.clone()).await.expect(status);
        let now = world.get(token, &path).await.expect(200);
        assert_eq!(now.body["active"], status != 200);
    }
    assert_eq!(counted(&world, Quirk::LeaverAtFault), 1);
}

#[tokio::test]
async fn who_is_removed_goes_though_the_request_is_refused_and_not_in_the_strict_dialect() {
    let world = World::new().await;
    let nobody = "00000000-0000-4000-8000-000000000000";
    for (token, left) in [(ENTRA, 1), (STRICT, 3)] {
        let ids = [
            world.user(token, "a").await,
            world.user(token, "b").await,
            world.user(token, "c").await,
        ];
        let [a, b, c] = &ids;
        let group = world.group(token, "g", &[a, b, c]).await;
        let path = format!("/Groups/{group}");
        let add = json!({"op": "add", "path": "members", "value": [{"value": nobody}]});
        let refused = json!([
            {"op": "remove", "path": format!("members[value eq \"{a}\"]")}, add,
            {"op": "replace", "path": "displayName", "value": "x"},
            {"op": "remove", "path": format!("members[value eq \"{b}\"]")},
            {"op": "remove", "path": format!("members[value eq \"{c}\"]")},
            {"op": "add", "path": "members", "value": [{"value": c}]},
        ]);
        for _ in 0..2 {
            let reply = world.patch(token, &path, refused.clone()).await;
            reply.expect_error(400, "invalidValue");
            assert_eq!(world.members(token, &group).await.len(), left);
        }
        let now = world.get(token, &path).await.expect(200);
        assert_eq!(now.body["displayName"], "g");
        // Who is only not named in a list that is at fault stays.
        let list = json!([{"op": "replace", "path": "members", "value": [{"value": nobody}]}]);
        world
            .patch(token, &path, list)
            .await
            .expect_error(400, "invalidValue");
        assert_eq!(world.members(token, &group).await.len(), left);
    }
    assert_eq!(counted(&world, Quirk::RemovalAtFault), 2);
}

#[tokio::test]
async fn active_that_is_not_sent_leaves_the_status() {
    let world = World::new().await;
    for token in [ENTRA, STRICT] {
        let path = format!("/Users/{}", world.user(token, "ida").await);
        let off = json!([{"op": "replace", "path": "active", "value": false}]);
        world.patch(token, &path, off).await.expect(200);
        let mut null = user("ida");
        null["active"] = Value::Null;
        for body in [user("ida"), null] {
            let put = world.put(token, &path, body).await.expect(200);
            assert_eq!(put.body["active"], false);
        }
    }
}

#[tokio::test]
async fn the_strict_dialect_reads_filters_to_the_letter_wherever_they_stand() {
    let world = World::new().await;
    let lax = r#"emails[type eq "work"].value eq ida@x"#;
    for (token, status, scim_type) in [(ENTRA, 200, ""), (STRICT, 400, "invalidFilter")] {
        let schemas = json!(["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]);
        let search = json!({"schemas": schemas, "filter": lax}).to_string();
        for request in [
            world.build(token, Method::GET, &format!("/Users?filter={}", query(lax)), ""),
            world.build(token, Method::POST, "/Users/.search", search),
        ] {
            let reply = world.request(request).await.expect(status);
            assert_eq!(reply.body["scimType"].as_str().unwrap_or_default(), scim_type);
        }
    }
    for quirk in [Quirk::UnquotedLiteral, Quirk::FilterBehindBrackets] {
        assert_eq!(counted(&world, quirk), 2, "{quirk:?}");
    }
}
