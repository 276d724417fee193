//! Versions and conditional requests (RFC 7644 section 3.14, RFC 9110 section 13).

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode};
use serde_json::json;

use crate::world::{ENTRA, Reply, World};

const RENAME: &str = r#"{"Operations":[{"op":"replace","path":"displayName","value":"New"}]}"#;

async fn with(
    world: &World,
    method: Method,
    path: &str,
    header: (&'static str, &str),
    body: impl Into<Bytes>,
) -> Reply {
    let mut request = world.build(ENTRA, method, path, body);
    let value = HeaderValue::from_str(header.1).unwrap();
    request.headers_mut().insert(header.0, value);
    world.request(request).await
}

/// RFC 7644 section 3.14: the version is told in the header and in `meta`, on every answer that shows the resource.
#[tokio::test]
async fn every_answer_that_shows_a_resource_tells_its_version_twice() {
    let world = World::new().await;
    let id = world.user(ENTRA, "ida").await;
    let path = format!("/Users/{id}");
    let change = json!([{"op": "replace", "path": "title", "value": "Lead"}]);
    let replies = [
        world.get(ENTRA, &path).await.expect(200),
        world.patch(ENTRA, &path, change).await.expect(200),
        world
            .put(ENTRA, &path, crate::world::user("ida"))
            .await
            .expect(200),
    ];
    for reply in &replies {
        assert_eq!(
            reply.header("etag"),
            reply.body["meta"]["version"].as_str().unwrap()
        );
        assert!(reply.header("etag").starts_with("W/\""));
    }
    assert_ne!(replies[0].header("etag"), replies[1].header("etag"));
    let list = world.get(ENTRA, "/Users").await.expect(200);
    assert_eq!(
        list.body["Resources"][0]["meta"]["version"],
        replies[2].body["meta"]["version"]
    );
}

/// A group's version moves with its members: what is shown is another thing then.
#[tokio::test]
async fn a_change_of_members_is_another_version_of_the_group_and_of_the_user() {
    let world = World::new().await;
    let (a, b) = (world.user(ENTRA, "a").await, world.user(ENTRA, "b").await);
    let group = world.group(ENTRA, "G", &[&a]).await;
    let (path, of_user) = (format!("/Groups/{group}"), format!("/Users/{b}"));
    let before = world.get(ENTRA, &path).await.expect(200);
    let user_before = world.get(ENTRA, &of_user).await.expect(200);
    let add = json!([{"op": "add", "path": "members", "value": [{"value": b}]}]);
    let after = world.patch(ENTRA, &path, add.clone()).await.expect(200);
    assert_ne!(before.header("etag"), after.header("etag"));
    let user_after = world.get(ENTRA, &of_user).await.expect(200);
    assert_ne!(user_before.header("etag"), user_after.header("etag"));
    // Nothing changes: the version stays.
    let again = world.patch(ENTRA, &path, add).await.expect(200);
    assert_eq!(after.header("etag"), again.header("etag"));
    let stale = before.header("etag").to_owned();
    with(&world, Method::PATCH, &path, ("if-match", &stale), RENAME)
        .await
        .expect_error(412, "");
    with(&world, Method::DELETE, &path, ("if-match", &stale), "")
        .await
        .expect_error(412, "");
    let fresh = after.header("etag").to_owned();
    with(&world, Method::PATCH, &path, ("if-match", &fresh), RENAME)
        .await
        .expect(200);
}

/// RFC 9110 sections 13.1.1 and 13.1.2: both headers, on every method, with lists, `*` and what is no tag.
#[tokio::test]
async fn conditions_hold_for_every_method() {
    let world = World::new().await;
    let id = world.user(ENTRA, "ida").await;
    let group = world.group(ENTRA, "G", &[]).await;
    for path in [format!("/Users/{id}"), format!("/Groups/{group}")] {
        let tag = world
            .get(ENTRA, &path)
            .await
            .expect(200)
            .header("etag")
            .to_owned();
        let listed = format!("\"x\", {tag}");
        for (name, value, get, patch) in [
            ("if-match", tag.as_str(), 200, 200),
            ("if-match", "*", 200, 200),
            ("if-match", "W/\"99\"", 412, 412),
            ("if-match", "nonsense", 412, 412),
            ("if-none-match", "W/\"99\"", 200, 200),
            ("if-none-match", tag.as_str(), 304, 412),
            ("if-none-match", listed.as_str(), 304, 412),
            ("if-none-match", "*", 304, 412),
        ] {
            // A change that changes nothing, so that the tag stays good.
            let nothing = r#"{"Operations":[{"op":"remove","path":"externalId"}]}"#;
            let reply = with(&world, Method::PATCH, &path, (name, value), nothing).await;
            assert_eq!(reply.status.as_u16(), patch, "PATCH {name}: {value}");
            let reply = with(&world, Method::GET, &path, (name, value), "").await;
            assert_eq!(reply.status.as_u16(), get, "GET {name}: {value}");
            if get == 304 {
                assert_eq!((reply.text.as_str(), reply.header("etag")), ("", tag.as_str()));
            }
        }
        let reply = with(&world, Method::DELETE, &path, ("if-match", "W/\"99\""), "").await;
        assert_eq!(reply.status, StatusCode::PRECONDITION_FAILED);
        with(&world, Method::DELETE, &path, ("if-match", &tag), "")
            .await
            .expect(204);
    }
}
