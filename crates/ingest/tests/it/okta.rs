//! What Okta sends.

use serde_json::{Value, json};

use crate::world::{OKTA, World, query, sorted};

fn posted() -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "ida@store.example",
        "name": {"givenName": "Ida", "familyName": "Lind"},
        "emails": [{"primary": true, "value": "ida@store.example", "type": "work"}],
        "displayName": "Ida Lind",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": true,
    })
}

#[tokio::test]
async fn the_connect_test_pages_both_lists() {
    let world = World::new().await;
    world.user(OKTA, "a").await;
    for (path, total) in [
        ("/Users?startIndex=1&count=2", 1),
        ("/Groups?startIndex=1&count=100", 0),
    ] {
        let list = world.get(OKTA, path).await.expect(200).body;
        assert_eq!(
            (&list["totalResults"], &list["startIndex"], &list["itemsPerPage"]),
            (&json!(total), &json!(1), &json!(total))
        );
    }
}

#[tokio::test]
async fn a_user_is_created_with_a_password_that_never_comes_back() {
    let world = World::new().await;
    let created = world.post(OKTA, "/Users", posted()).await.expect(201);
    assert!(!created.text.contains("1mz050nq"));
    assert_eq!(
        (&created.body["active"], &created.body["externalId"]),
        (&json!(true), &json!("00ujl29u0le5T6Aj10h7"))
    );
    let filter = query("userName eq \"ida@store.example\"");
    let found = world
        .get(OKTA, &format!("/Users?filter={filter}&startIndex=1&count=100"))
        .await
        .expect(200);
    assert_eq!(found.body["Resources"][0]["id"], created.id().as_str());
}

#[tokio::test]
async fn a_catalogue_app_deactivates_without_a_path() {
    let world = World::new().await;
    let path = format!(
        "/Users/{}",
        world.post(OKTA, "/Users", posted()).await.expect(201).id()
    );
    for active in [false, true] {
        let reply = world
            .patch(
                OKTA,
                &path,
                json!([{"op": "replace", "value": {"active": active}}]),
            )
            .await
            .expect(200);
        assert_eq!(reply.body["active"], active);
    }
    let before = world.events().len();
    world
        .patch(
            OKTA,
            &path,
            json!([{"op": "replace", "value": {"password": "n3w"}}]),
        )
        .await
        .expect(200);
    assert_eq!(world.events().len(), before);
}

#[tokio::test]
async fn a_wizard_app_gets_and_puts_the_whole_user() {
    let world = World::new().await;
    let path = format!(
        "/Users/{}",
        world.post(OKTA, "/Users", posted()).await.expect(201).id()
    );
    let mut body = world.get(OKTA, &path).await.expect(200).body;
    body["active"] = json!(false);
    body["name"]["givenName"] = json!("Ada");
    let reply = world.put(OKTA, &path, body).await.expect(200);
    assert_eq!(
        (&reply.body["active"], &reply.body["name"]["givenName"]),
        (&json!(false), &json!("Ada"))
    );
    let back = world.post(OKTA, "/Users", posted()).await.expect(201);
    assert_eq!(
        (format!("/Users/{}", back.id()), &back.body["active"]),
        (path, &json!(true)),
        "assigned again"
    );
}

#[tokio::test]
async fn groups_are_pushed_renamed_filled_and_emptied() {
    let world = World::new().await;
    let (a, b) = (world.user(OKTA, "a").await, world.user(OKTA, "b").await);
    let group = world
        .post(
            OKTA,
            "/Groups",
            json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
                    "displayName": "Stores", "members": [],
            }),
        )
        .await
        .expect(201)
        .id();
    let path = format!("/Groups/{group}");
    let change = json!([
        {"op": "replace", "value": {"id": group, "displayName": "Stores West"}},
        {"op": "remove", "path": format!("members[value eq \"{b}\"]")},
        {"op": "add", "path": "members", "value": [{"value": a, "display": "a"}]},
    ]);
    let reply = world.patch(OKTA, &path, change).await.expect(200);
    assert_eq!(reply.body["displayName"], "Stores West");
    assert_eq!(world.members(OKTA, &group).await, std::slice::from_ref(&a));
    assert_eq!(world.events().len(), 4, "name and members in one event");
    for list in [vec![&a, &b], vec![&b], vec![]] {
        let values: Vec<Value> = list.iter().map(|id| json!({"value": id})).collect();
        world
            .patch(
                OKTA,
                &path,
                json!([{"op": "replace", "path": "members", "value": values}]),
            )
            .await
            .expect(200);
        assert_eq!(world.members(OKTA, &group).await, sorted(&list));
    }
    let whole = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "id": group, "displayName": "Stores",
        "members": [{"value": b, "display": "b"}]});
    world.put(OKTA, &path, whole).await.expect(200);
    assert_eq!(world.members(OKTA, &group).await, [b]);
    world.delete(OKTA, &path).await.expect(204);
    world.get(OKTA, &path).await.expect_error(404, "");
}
