//! Nobody keeps access, or gets it back, because of the rest of a body.

use serde_json::{Value, json};

use crate::world::{ENTRA, STRICT, World, user};

async fn is_active(world: &World, token: &str, id: &str) -> Value {
    world.get(token, &format!("/Users/{id}")).await.expect(200).body["active"].clone()
}

/// RFC 7644 section 3.5.2.2: what is required cannot be removed. Section 3.5.1: what a PUT leaves out is for the
/// server to decide: the status stays as it is.
#[tokio::test]
async fn to_take_active_away_or_leave_it_out_reactivates_nobody() {
    let world = World::new().await;
    for token in [ENTRA, STRICT] {
        for active in [false, true] {
            let mut body = user(&format!("ida.{active}"));
            body["active"] = json!(active);
            let id = world.post(token, "/Users", body.clone()).await.expect(201).id();
            let path = format!("/Users/{id}");
            let remove = json!([{"op": "remove", "path": "active"}]);
            world
                .patch(token, &path, remove)
                .await
                .expect_error(400, "mutability");
            assert_eq!(is_active(&world, token, &id).await, active, "PATCH");
            body.as_object_mut().unwrap().remove("active");
            body["title"] = json!("Clerk");
            let reply = world.put(token, &path, body).await.expect(200);
            assert_eq!(
                (&reply.body["active"], &reply.body["title"]),
                (&json!(active), &json!("Clerk"))
            );
        }
    }
}

/// A PUT or PATCH that is at fault elsewhere still deactivates, and changes nothing else.
#[tokio::test]
async fn a_request_at_fault_still_deactivates() {
    let world = World::new().await;
    let too_many: Vec<Value> = (0..501)
        .map(|n| json!({"value": format!("Agent_{n}_A")}))
        .collect();
    let mut broken = user("ida");
    broken["title"] = json!("Clerk");
    let id = world.post(ENTRA, "/Users", broken.clone()).await.expect(201).id();
    let path = format!("/Users/{id}");
    broken["title"] = json!("Lead");
    broken["roles"] = too_many.clone().into();
    // Without the one clear word it is refused as ever.
    world
        .put(ENTRA, &path, broken.clone())
        .await
        .expect_error(400, "invalidValue");
    let revive = json!([{"op": "replace", "path": "active", "value": true}]);
    let off = json!({"op": "Replace", "path": "active", "value": "False"});
    for operations in [
        json!([off, {"op": "replace", "path": "roles", "value": too_many}]),
        json!([{"op": "replace", "path": "emails[", "value": "x"}, off]),
        json!([{"op": "explode"}, {"op": "replace", "value": {"active": false}}]),
        json!([off, {"op": "replace", "path": "userName", "value": ""}]),
    ] {
        let reply = world.patch(ENTRA, &path, operations).await.expect(200);
        assert_eq!(
            (&reply.body["active"], &reply.body["title"]),
            (&json!(false), &json!("Clerk"))
        );
        world.patch(ENTRA, &path, revive.clone()).await.expect(200);
    }
    broken["active"] = json!("False");
    let reply = world.put(ENTRA, &path, broken).await.expect(200);
    assert_eq!(
        (&reply.body["active"], &reply.body["title"]),
        (&json!(false), &json!("Clerk"))
    );
    assert_eq!(reply.body.get("roles"), None);
    assert_eq!(world.metrics.snapshot().left_out, 4);
    // Once more changes nothing, and an active user is not made one by a request at fault.
    let on = json!([{"op": "replace", "path": "active", "value": true}, {"op": "explode"}]);
    world
        .patch(ENTRA, &path, on)
        .await
        .expect_error(400, "invalidSyntax");
    assert_eq!(is_active(&world, ENTRA, &id).await, false);
}

/// RFC 7644 section 3.5.2: a PATCH is done as a whole or not at all; the strict dialect holds to that.
#[tokio::test]
async fn the_strict_dialect_does_all_or_nothing() {
    let world = World::new().await;
    let id = world.user(STRICT, "ida").await;
    let operations = json!([
        {"op": "replace", "path": "active", "value": false},
        {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "x"},
    ]);
    let path = format!("/Users/{id}");
    world
        .patch(STRICT, &path, operations)
        .await
        .expect_error(400, "noTarget");
    assert_eq!(is_active(&world, STRICT, &id).await, true);
}
