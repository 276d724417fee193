//! What Entra sends, in both of its styles.

use rollcall_domain::Timestamp;
use serde_json::{Value, json};

use crate::world::{ENTRA, World, query};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn posted() -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
        "userName": "ida@store.example",
        "active": true,
        "addresses": null,
        "displayName": "Ida Lind",
        "emails": [{"primary": true, "type": "work", "value": "ida@store.example"}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "Ida Lind", "familyName": "Lind", "givenName": "Ida"},
        "roles": [],
    })
}

async fn roles(world: &World, path: &str) -> Vec<String> {
    let reply = world.get(ENTRA, path).await.expect(200);
    let roles = reply.body["roles"].as_array().cloned().unwrap_or_default();
    roles
        .iter()
        .map(|role| role["value"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_connection_test_gets_an_empty_list() {
    let world = World::new().await;
    for path in ["/Users", "/Groups"] {
        let name = if path == "/Users" {
            "userName"
        } else {
            "displayName"
        };
        let filter = query(&format!("{name} eq \"5e0d5fd0-7ee2-4f52-9a4c-2cd3c9f5a5a5\""));
        let reply = world
            .get(ENTRA, &format!("{path}?filter={filter}"))
            .await
            .expect(200);
        assert_eq!(reply.body["totalResults"], 0);
        assert_eq!(reply.body["Resources"], json!([]));
    }
}

#[tokio::test]
async fn a_user_is_created_found_disabled_and_restored_in_the_default_style() {
    let world = World::new().await;
    let id = world.post(ENTRA, "/Users", posted()).await.expect(201).id();
    for filter in [
        "userName eq \"IDA@store.example\"",
        "externalId eq \"0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef\"",
        "emails[type eq \"work\"].value eq \"ida@store.example\"",
        "externalId eq 0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
    ] {
        let found = world
            .get(ENTRA, &format!("/Users?filter={}", query(filter)))
            .await
            .expect(200);
        assert_eq!(
            (&found.body["totalResults"], &found.body["Resources"][0]["id"]),
            (&json!(1), &json!(id)),
            "{filter}"
        );
    }
    let path = format!("/Users/{id}");
    for (value, active) in [("False", false), ("True", true)] {
        let reply = world
            .patch(
                ENTRA,
                &path,
                json!([{"op": "Replace", "path": "active", "value": value}]),
            )
            .await
            .expect(200);
        assert_eq!(reply.body["active"], active);
        let found = world
            .get(
                ENTRA,
                &format!("/Users?filter={}", query("userName eq \"ida@store.example\"")),
            )
            .await;
        assert_eq!(found.body["totalResults"], 1, "a deactivated user is still found");
    }
}

#[tokio::test]
async fn dotted_urn_and_filtered_paths_are_taken_in_one_request() {
    let world = World::new().await;
    let id = world.post(ENTRA, "/Users", posted()).await.expect(201).id();
    let path = format!("/Users/{id}");
    let flagged = json!([
        {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "ida.lind@store.example"},
        {"op": "replace", "value": {"displayName": "Ida L", "name.givenName": "I", "name.familyName": "L",
            format!("{ENTERPRISE}:employeeNumber"): "4711"}},
    ]);
    let reply = world.patch(ENTRA, &path, flagged).await.expect(200);
    assert_eq!(reply.body["emails"][0]["value"], "ida.lind@store.example");
    assert_eq!(
        (&reply.body["name"]["givenName"], &reply.body["displayName"]),
        (&json!("I"), &json!("Ida L"))
    );
    assert_eq!(reply.body[ENTERPRISE]["employeeNumber"], "4711");
    let add =
        json!([{"op": "Add", "path": "phoneNumbers[type eq \"work\"].value", "value": "+46 8 555 010"}]);
    let reply = world.patch(ENTRA, &path, add).await.expect(200);
    assert_eq!(
        reply.body["phoneNumbers"],
        json!([{"type": "work", "value": "+46 8 555 010"}])
    );
    assert_eq!(world.events().len(), 3, "each request is one event");
}

#[tokio::test]
async fn a_manager_is_taken_in_every_spelling() {
    let world = World::new().await;
    let id = world.post(ENTRA, "/Users", posted()).await.expect(201).id();
    let path = format!("/Users/{id}");
    let urn = format!("{ENTERPRISE}:manager");
    for (operation, manager) in [
        (json!({"op": "Add", "path": urn, "value": "u-17"}), json!("u-17")),
        (
            json!({"op": "Add", "path": "manager",
                "value": [{"$ref": "https://sp.example/scim/v2/Users/u-18", "value": "u-18"}]}),
            json!("u-18"),
        ),
        (json!({"op": "Replace", "path": urn, "value": ""}), Value::Null),
    ] {
        let reply = world.patch(ENTRA, &path, json!([operation])).await.expect(200);
        assert_eq!(
            reply.body[ENTERPRISE]["manager"]["value"], manager,
            "{}",
            reply.text
        );
    }
}

#[tokio::test]
async fn roles_arrive_in_all_four_forms() {
    let world = World::new().await;
    let mut body = posted();
    body["roles"] =
        json!([{"primary": "True", "type": "WindowsAzureActiveDirectoryRole", "value": "Agent_1_A"}]);
    let id = world.post(ENTRA, "/Users", body).await.expect(201).id();
    let path = format!("/Users/{id}");
    assert_eq!(roles(&world, &path).await, ["Agent_1_A"]);

    let single = json!([{"op": "Replace", "path": "roles[primary eq \"True\"].value", "value": "Agent_1_B"}]);
    world.patch(ENTRA, &path, single).await.expect(200);
    assert_eq!(roles(&world, &path).await, ["Agent_1_B"]);

    let text = json!({"id": "7f0c", "value": "Agent_1_C", "displayName": "Store manager"}).to_string();
    let complex = json!([{"op": "Add", "path": "roles", "value": [{"value": text}]}]);
    world.patch(ENTRA, &path, complex.clone()).await.expect(200);
    assert_eq!(roles(&world, &path).await, ["Agent_1_B", "Agent_1_C"]);
    let before = world.events().len();
    world.patch(ENTRA, &path, complex).await.expect(200);
    assert_eq!(
        (roles(&world, &path).await.len(), world.events().len()),
        (2, before),
        "twice is once"
    );

    let assertive = json!([{"op": "replace", "path": "roles", "value": [
        {"primary": false, "type": "WindowsAzureActiveDirectoryRole", "display": "A", "value": "Agent_1_D"},
        {"primary": false, "type": "WindowsAzureActiveDirectoryRole", "display": "B", "value": "Agent_2_D"},
    ]}]);
    world.patch(ENTRA, &path, assertive).await.expect(200);
    assert_eq!(roles(&world, &path).await, ["Agent_1_D", "Agent_2_D"]);
}

#[tokio::test]
async fn groups_are_created_searched_and_filled_in_both_styles() {
    let world = World::new().await;
    let mut users = Vec::new();
    for name in ["a", "b", "c"] {
        users.push(world.user(ENTRA, name).await);
    }
    let group = world
        .post(ENTRA, "/Groups", json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group",
                "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
            "externalId": "8aa1a0c0", "displayName": "CHIC-01 associates", "meta": {"resourceType": "Group"},
        }))
        .await
        .expect(201)
        .id();
    let filter = query("displayName eq \"CHIC-01 Associates\"");
    let found = world
        .get(
            ENTRA,
            &format!("/Groups?excludedAttributes=members&filter={filter}"),
        )
        .await
        .expect(200);
    assert_eq!(found.body["Resources"][0]["id"], group.as_str());
    let path = format!("/Groups/{group}");
    let fill = json!([
        {"op": "Add", "path": "members",
            "value": [{"$ref": null, "value": users[0]}, {"$ref": null, "value": users[1]}]},
        {"op": "Add", "path": "members", "value": [{"$ref": null, "value": users[2]}]},
    ]);
    world.patch(ENTRA, &path, fill).await.expect(200);
    let default_remove =
        json!([{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": users[2]}]}]);
    world.patch(ENTRA, &path, default_remove).await.expect(200);
    assert_eq!(
        world.members(ENTRA, &group).await.len(),
        2,
        "only the listed one left"
    );
    let flagged = json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", users[0])}]);
    world.patch(ENTRA, &path, flagged).await.expect(200);
    assert_eq!(world.members(ENTRA, &group).await, [users[1].clone()]);
    let filter = query(&format!("id eq \"{group}\" and members eq \"{}\"", users[1]));
    let found = world
        .get(ENTRA, &format!("/Groups?filter={filter}&attributes=id"))
        .await
        .expect(200);
    assert_eq!(found.body["totalResults"], 1, "{}", found.text);
    world.delete(ENTRA, &path).await.expect(204);
}

/// `AppRoleAssignmentsComplex` adds role by role and takes none away: in the default style as JSON text, in the flagged
/// one as plain objects with `displayName`. Others add roles, too, and say so in other words.
#[tokio::test]
async fn roles_that_only_ever_come_are_seen_in_both_styles() {
    let world = World::new().await;
    let path = format!("/Users/{}", world.user(ENTRA, "ida").await);
    let seen = || {
        let warnings = world.door.warnings(Timestamp::from_millis(1_772_000_060_000));
        let mut traps = warnings.iter().map(|warning| warning.warning.trap.name());
        traps.any(|trap| trap == "roles-never-removed")
    };
    let text = r#"{"id":"7f0c","value":"Agent_1_A","displayName":"A"}"#;
    let kind = "WindowsAzureActiveDirectoryRole";
    let flagged = json!({"primary": false, "type": kind, "value": "Agent_1_B", "displayName": "B"});
    for (roles, trap) in [
        (json!([{"value": text}]), true),
        (json!([flagged]), true),
        (json!([{"value": "Agent_1_C"}]), false),
        (
            json!([{"primary": false, "type": "x", "value": "Agent_1_D", "display": "D"}]),
            false,
        ),
    ] {
        for add in [
            json!({"op": "add", "path": "roles", "value": roles}),
            json!({"op": "add", "value": {"roles": roles}}),
        ] {
            world.patch(ENTRA, &path, json!([add])).await.expect(200);
            assert_eq!(seen(), trap, "{add}");
            let full = json!([{"op": "replace", "path": "roles", "value": [{"value": "Agent_1_A"}]}]);
            world.patch(ENTRA, &path, full).await.expect(200);
            assert!(!seen(), "taken away");
        }
    }
}
