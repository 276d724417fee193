//! How large a resource may become through the door.

use serde_json::{Value, json};

use crate::world::{ENTRA, World, user};

const ROLES: &str = "urn:rollcall:params:scim:schemas:extension:1.0:Group";
const DEPTH: usize = 64;

fn roles(count: usize) -> Value {
    (0..count)
        .map(|n| json!({"value": format!("Agent_{n}_A")}))
        .collect()
}

fn group(attributes: Value) -> Value {
    let mut body = json!({"displayName": "g"});
    body.as_object_mut()
        .unwrap()
        .extend(attributes.as_object().unwrap().clone());
    body
}

/// A user with these attributes beside the name.
fn ida(attributes: Value) -> Value {
    let mut body = user("ida");
    body.as_object_mut()
        .unwrap()
        .extend(attributes.as_object().unwrap().clone());
    body
}

fn replace(path: &str, value: Value) -> Value {
    json!([{"op": "replace", "path": path, "value": value}])
}

fn nested(id: &str) -> Value {
    json!([{"op": "add", "path": "members", "value": [{"value": id}]}])
}

/// One beyond each bound, and the words that the answer names it by.
fn beyond() -> Vec<(&'static str, Value, Value, &'static str, &'static str)> {
    let long = json!([{"value": format!("Agent_1_{}", "a".repeat(505))}]);
    let group_roles = format!("{ROLES}:roles");
    let leaked: &'static str = Box::leak(group_roles.into_boxed_str());
    vec![
        (
            "/Users",
            ida(json!({"roles": long})),
            long.clone(),
            "roles",
            "512",
        ),
        (
            "/Users",
            ida(json!({"roles": roles(501)})),
            roles(501),
            "roles",
            "500",
        ),
        (
            "/Groups",
            group(json!({ROLES: {"roles": long}})),
            long.clone(),
            leaked,
            "512",
        ),
        (
            "/Groups",
            group(json!({ROLES: {"roles": roles(501)}})),
            roles(501),
            leaked,
            "500",
        ),
        (
            "/Groups",
            group(json!({"displayName": "ä".repeat(1_025)})),
            json!("ä".repeat(1_025)),
            "displayName",
            "1024",
        ),
        (
            "/Groups",
            group(json!({"externalId": "ä".repeat(513)})),
            json!("ä".repeat(513)),
            "externalId",
            "512",
        ),
    ]
}

#[tokio::test]
async fn what_is_beyond_a_bound_is_refused_by_post_put_and_patch_and_nothing_is_written() {
    let world = World::new().await;
    let there = world.user(ENTRA, "ida").await;
    let staff = world.group(ENTRA, "g", &[]).await;
    let before = world.events();
    for (path, body, value, attribute, bound) in beyond() {
        let one = format!("{path}/{}", if path == "/Users" { &there } else { &staff });
        let mut other = body.clone();
        if path == "/Users" {
            other["userName"] = json!("bo");
        } else if attribute != "displayName" {
            other["displayName"] = json!("h");
        }
        for reply in [
            world.post(ENTRA, path, other).await,
            world.put(ENTRA, &one, body).await,
            world.patch(ENTRA, &one, replace(attribute, value)).await,
        ] {
            let reply = reply.expect_error(400, "invalidValue");
            let detail = reply.body["detail"].as_str().unwrap();
            let name = attribute.rsplit(':').next().unwrap();
            assert!(detail.contains(name) && detail.contains(bound), "{detail}");
        }
    }
    assert!(world.events() == before, "something was written");
}

#[tokio::test]
async fn what_is_just_within_the_bounds_is_taken() {
    let world = World::new().await;
    let full = json!([{"value": format!("Agent_1_{}", "a".repeat(504))}]);
    world
        .post(ENTRA, "/Users", ida(json!({"roles": full})))
        .await
        .expect(201);
    let name = "ä".repeat(1_024);
    let body = json!({"displayName": name, "externalId": "ä".repeat(512), ROLES: {"roles": roles(500)}});
    let made = world.post(ENTRA, "/Groups", body).await.expect(201);
    assert_eq!(made.body["displayName"], json!(name));
}

#[tokio::test]
async fn a_deactivation_is_not_refused_for_the_roles_that_come_with_it() {
    let world = World::new().await;
    let id = world.user(ENTRA, "ida").await;
    let one = format!("/Users/{id}");
    let long = json!([{"value": format!("Agent_1_{}", "a".repeat(505))}]);
    let leaves = ida(json!({"active": false, "roles": long}));
    let left = world.put(ENTRA, &one, leaves).await.expect(200);
    assert_eq!(left.body["active"], false);
    // What is there already holds nothing up, and can go.
    world
        .patch(ENTRA, &one, replace("active", json!(true)))
        .await
        .expect(200);
    world
        .patch(ENTRA, &one, json!([{"op": "remove", "path": "roles"}]))
        .await
        .expect(200);
    let again = world.patch(ENTRA, &one, replace("roles", long)).await;
    again.expect_error(400, "invalidValue");
}

#[tokio::test]
async fn groups_nest_as_deep_as_the_bound_and_no_deeper_from_either_end() {
    let world = World::new().await;
    let mut chain = vec![world.group(ENTRA, "g0", &[]).await];
    for n in 1..DEPTH {
        let inner = chain.last().unwrap().clone();
        chain.push(world.group(ENTRA, &format!("g{n}"), &[&inner]).await);
    }
    let (bottom, top) = (chain[0].clone(), chain[DEPTH - 1].clone());
    let single = world.group(ENTRA, "single", &[]).await;
    let before = world.events();
    let refused = [
        world
            .post(ENTRA, "/Groups", group(json!({"members": [{"value": top}]})))
            .await,
        world
            .patch(ENTRA, &format!("/Groups/{single}"), nested(&top))
            .await,
        world
            .patch(ENTRA, &format!("/Groups/{bottom}"), nested(&single))
            .await,
        world
            .put(
                ENTRA,
                &format!("/Groups/{bottom}"),
                group(json!({"members": [{"value": single}]})),
            )
            .await,
    ];
    for reply in refused {
        let reply = reply.expect_error(400, "invalidValue");
        let detail = reply.body["detail"].as_str().unwrap();
        assert!(detail.contains("members") && detail.contains("64"), "{detail}");
    }
    assert!(world.events() == before, "something was written");
    // A cycle is harmless; so is what is nested already, and a place higher up.
    world
        .patch(ENTRA, &format!("/Groups/{bottom}"), nested(&top))
        .await
        .expect(200);
    world
        .patch(ENTRA, &format!("/Groups/{top}"), nested(&chain[DEPTH - 2]))
        .await
        .expect(200);
    let undo = json!([{"op": "remove", "path": format!("members[value eq \"{top}\"]")}]);
    world
        .patch(ENTRA, &format!("/Groups/{bottom}"), undo)
        .await
        .expect(200);
    world
        .patch(ENTRA, &format!("/Groups/{}", chain[1]), nested(&single))
        .await
        .expect(200);
    assert_eq!(world.members(ENTRA, &chain[1]).await.len(), 2);
}
