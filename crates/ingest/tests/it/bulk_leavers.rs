//! Nobody keeps access, or gets it back, because of what else stands in a bulk request.

use http::Method;
use serde_json::{Value, json};

use crate::world::{ENTRA, Reply, STRICT, World, user};

const REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const MANAGED: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

async fn bulk(world: &World, token: &str, operations: Value) -> Reply {
    let body = json!({"schemas": [REQUEST], "Operations": operations});
    world.post(token, "/Bulk", body).await.expect(200)
}

fn statuses(reply: &Reply) -> Vec<&str> {
    let operations = reply.body["Operations"].as_array().unwrap();
    operations
        .iter()
        .map(|one| one["status"].as_str().unwrap())
        .collect()
}

fn post(name: &str, data: Value) -> Value {
    json!({"method": "POST", "path": "/Users", "bulkId": name, "data": data})
}

fn patch(path: &str, operations: Value) -> Value {
    json!({"method": "PATCH", "path": path, "data": {"schemas": [PATCH_OP], "Operations": operations}})
}

fn off() -> Value {
    json!({"op": "replace", "path": "active", "value": false})
}

async fn is_active(world: &World, token: &str, path: &str) -> bool {
    world.get(token, path).await.expect(200).body["active"] == true
}

/// What an operation refers to and does not get is no reason to stay.
#[tokio::test]
async fn who_is_to_go_goes_though_the_operation_refers_to_what_was_never_made() {
    let world = World::new().await;
    for (token, gone) in [(ENTRA, true), (STRICT, false)] {
        let mut users = Vec::new();
        for name in ["taken", "ida", "bo", "cy", "di"] {
            users.push(world.user(token, name).await);
        }
        let path = |at: usize| format!("/Users/{}", users[at]);
        let group = world.group(token, "g", &[&users[3], &users[4]]).await;
        let mut put = user("bo");
        put["active"] = json!(false);
        put["title"] = json!("bulkId:nobody");
        let manager =
            json!({"op": "add", "path": format!("{MANAGED}:manager"), "value": {"value": "bulkId:b"}});
        let remove = json!({"op": "remove", "path": format!("members[value eq \"{}\"]", users[3])});
        let reply = bulk(
            &world,
            token,
            json!([
                post("b", user("taken")),
                patch(&path(1), json!([off(), manager])),
                {"method": "PUT", "path": path(2), "data": put},
                patch(&format!("/Groups/{group}"), json!([
                    remove, {"op": "add", "path": "members", "value": [{"value": "bulkId:b"}]}])),
                patch("/Users/bulkId:b", json!([off()])),
            ]),
        )
        .await;
        let expected = if gone {
            ["409", "200", "200", "409", "409"]
        } else {
            ["409", "409", "400", "409", "409"]
        };
        assert_eq!(statuses(&reply), expected, "{}", reply.text);
        for at in [1, 2] {
            assert_eq!(is_active(&world, token, &path(at)).await, !gone, "{at}");
        }
        let left = world.members(token, &group).await;
        assert_eq!(left.contains(&users[3]), !gone);
        assert!(left.contains(&users[4]));
    }
}

/// What one operation holds is its own fault: the others are carried out, and who is to go by it goes.
#[tokio::test]
async fn what_is_beyond_a_bound_in_one_operation_stops_no_other() {
    let world = World::new().await;
    let long = "x".repeat(16 * 1024 + 1);
    for (token, gone) in [(ENTRA, true), (STRICT, false)] {
        let mut paths = Vec::new();
        for name in ["ida", "bo", "cy"] {
            paths.push(format!("/Users/{}", world.user(token, name).await));
        }
        let mut fat = user("fat");
        fat["title"] = json!(long);
        let title = json!({"op": "replace", "path": "title", "value": long});
        let reply = bulk(
            &world,
            token,
            json!([
                post("fat", fat),
                patch(&paths[0], json!([off()])),
                patch(&paths[1], json!([title, off()])),
                {"method": "DELETE", "path": paths[2]},
                post("same", user("one")),
                post("same", user("two")),
                {"method": "POST", "path": "/Groups", "bulkId": "g",
                 "data": {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
                          "displayName": "g", "members": [{"value": "bulkId:same"}]}},
            ]),
        )
        .await;
        let at_fault = if gone { "200" } else { "400" };
        assert_eq!(
            statuses(&reply),
            ["400", "200", at_fault, "204", "400", "400", "409"],
            "{}",
            reply.text
        );
        assert!(!is_active(&world, token, &paths[0]).await);
        assert_eq!(is_active(&world, token, &paths[1]).await, !gone);
        world.get(token, &paths[2]).await.expect(404);
        let count = world.get(token, "/Users?count=0").await.expect(200);
        assert_eq!(
            count.body["totalResults"], 2,
            "neither of two of one name is made"
        );
    }
}

/// An operation that says a thing twice says nothing clearly, and stops no other either.
#[tokio::test]
async fn an_operation_that_names_a_member_twice_is_refused_alone() {
    let world = World::new().await;
    let mut paths = Vec::new();
    for name in ["ida", "bo"] {
        paths.push(format!("/Users/{}", world.user(ENTRA, name).await));
    }
    let clear = patch(&paths[0], json!([off()]));
    let twice = format!(
        r#"{{"method":"PUT","path":"{}","data":{{"userName":"bo","active":false,"active":true}}}}"#,
        paths[1]
    );
    let body = format!(r#"{{"schemas":["{REQUEST}"],"Operations":[{twice},{clear}]}}"#);
    let reply = world
        .request(world.build(ENTRA, Method::POST, "/Bulk", body))
        .await;
    assert_eq!(statuses(&reply.expect(200)), ["400", "200"]);
    assert!(!is_active(&world, ENTRA, &paths[0]).await);
    assert!(is_active(&world, ENTRA, &paths[1]).await);
}

/// Who was hired again by a POST that failed is what they were before: not deleted, and without access.
#[tokio::test]
async fn somebody_hired_again_by_a_circle_that_cannot_be_closed_is_deactivated_again() {
    let world = World::new().await;
    let managed = |name: &str, by: &str| {
        let mut data = user(name);
        data["externalId"] = json!(name);
        data["schemas"] = json!(["urn:ietf:params:scim:schemas:core:2.0:User", MANAGED]);
        data[MANAGED] = json!({"manager": {"value": format!("bulkId:{by}")}});
        post(name, data)
    };
    world.user(ENTRA, "ida").await;
    let mut bo = user("bo");
    bo["externalId"] = json!("bo");
    bo["roles"] = json!([{"value": "Agent_1_A"}]);
    let bo = world.post(ENTRA, "/Users", bo).await.expect(201).id();
    let path = format!("/Users/{bo}");
    world.patch(ENTRA, &path, json!([off()])).await.expect(200);
    let mut again = managed("bo", "ida");
    again["data"]["roles"] = json!([{"value": "Agent_1_A"}]);
    // Of the circle the one is taken, or the request ends before the circle is closed.
    for fail_on_errors in [9, 1] {
        let operations = json!([managed("ida", "bo"), again]);
        let body = json!({"schemas": [REQUEST], "failOnErrors": fail_on_errors, "Operations": operations});
        let reply = world.post(ENTRA, "/Bulk", body).await.expect(200);
        assert_eq!(statuses(&reply), ["409", "409"], "{}", reply.text);
        assert_eq!(
            reply.body["Operations"][1].get("location"),
            None,
            "{}",
            reply.text
        );
        assert!(!is_active(&world, ENTRA, &path).await);
    }
    // Sent again without what was in the way, it passes.
    again["data"].as_object_mut().unwrap().remove(MANAGED);
    let reply = bulk(&world, ENTRA, json!([again])).await;
    assert_eq!(statuses(&reply), ["201"], "{}", reply.text);
    assert!(is_active(&world, ENTRA, &path).await);
}
