//! Who may come in, and what they see.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::json;

use crate::world::{ENTRA, OKTA, OKTA_NEXT, OTHER, World, query, user};

#[tokio::test]
async fn without_a_known_token_every_request_is_401_with_a_scim_error() {
    let world = World::new().await;
    for path in ["/Users", "/ServiceProviderConfig", "/Nothing", "/Users/x", "/Me"] {
        let reply = world
            .get("wrong-token-0123456789", path)
            .await
            .expect_error(401, "");
        assert_eq!(
            reply.header("www-authenticate"),
            r#"Bearer realm="rollcall", error="invalid_token""#
        );
    }
    for header in [
        None,
        Some("Basic dXNlcjpwYXNz"),
        Some("Bearer"),
        Some("Bearer "),
        Some(ENTRA),
    ] {
        let mut request = Request::builder().uri("/scim/v2/Users").header("host", "x");
        if let Some(value) = header {
            request = request.header("authorization", value);
        }
        let reply = world
            .request(request.body(Full::new(Bytes::new())).unwrap())
            .await
            .expect_error(401, "");
        assert_eq!(
            reply.header("www-authenticate"),
            r#"Bearer realm="rollcall""#,
            "{header:?}"
        );
    }
    world
        .post("wrong-token-0123456789", "/Users", user("ida"))
        .await
        .expect_error(401, "");
    assert_eq!(world.events().len(), 0);
}

#[tokio::test]
async fn both_live_tokens_of_a_connection_are_the_same_connection() {
    let world = World::new().await;
    let id = world.user(OKTA, "ida").await;
    world.get(OKTA_NEXT, &format!("/Users/{id}")).await.expect(200);
}

#[tokio::test]
async fn two_tenants_share_nothing_even_under_one_connection_name() {
    let world = World::new().await;
    let id = world.user(ENTRA, "ida").await;
    world
        .get(OTHER, &format!("/Users/{id}"))
        .await
        .expect_error(404, "");
    world.user(OTHER, "ida").await;
    let tenants: Vec<String> = world
        .events()
        .iter()
        .map(|event| event.tenant.to_string())
        .collect();
    assert_eq!(tenants, ["acme", "other"]);
}

#[tokio::test]
async fn a_connection_sees_and_changes_only_its_own() {
    let world = World::new().await;
    let mut body = user("ida@store.example");
    body["externalId"] = json!("e1");
    let id = world.post(ENTRA, "/Users", body).await.expect(201).id();
    let group = world.group(ENTRA, "g", &[&id]).await;
    let theirs = world.user(OKTA, "ida@store.example").await;
    let before = world.events().len();
    for path in [format!("/Users/{id}"), format!("/Groups/{group}")] {
        world.get(OKTA, &path).await.expect_error(404, "");
        world.delete(OKTA, &path).await.expect_error(404, "");
        world
            .put(OKTA, &path, json!({"userName": "x", "displayName": "x"}))
            .await
            .expect_error(404, "");
        let change = json!([{"op": "replace", "path": "displayName", "value": "x"}]);
        world.patch(OKTA, &path, change).await.expect_error(404, "");
    }
    for filter in [
        format!("id eq \"{id}\""),
        "externalId eq \"e1\"".to_owned(),
        "displayName pr".to_owned(),
        format!("groups.value eq \"{group}\""),
    ] {
        let found = world
            .get(OKTA, &format!("/Users?filter={}", query(&filter)))
            .await
            .expect(200);
        assert_eq!(found.body["totalResults"], 0, "{filter}");
    }
    let filter = query(&format!("members.value eq \"{id}\""));
    let found = world
        .get(OKTA, &format!("/Groups?filter={filter}"))
        .await
        .expect(200);
    assert_eq!(found.body["totalResults"], 0, "members of others lead nowhere");
    let own = world.get(OKTA, "/Users").await.expect(200);
    assert_eq!(
        (&own.body["totalResults"], &own.body["Resources"][0]["id"]),
        (&json!(1), &json!(theirs))
    );
    assert_eq!(world.events().len(), before);
}
