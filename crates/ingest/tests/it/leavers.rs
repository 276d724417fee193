//! Nobody keeps access, or gets it back, because of the rest of a body.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderValue, Method};
use rollcall_scim::tolerance::Quirk;
use serde_json::{Map, Value, json};

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
    let counted = world.metrics.snapshot();
    let at_fault = Quirk::LeaverAtFault.row().key;
    let rows = counted.tolerated.iter().filter(|row| row.quirk == at_fault);
    assert_eq!((counted.left_out, rows.map(|row| row.count).sum()), (5, 5_u64));
    // Once more changes nothing, and an active user is not made one by a request at fault.
    let on = json!([{"op": "replace", "path": "active", "value": true}, {"op": "explode"}]);
    world
        .patch(ENTRA, &path, on)
        .await
        .expect_error(400, "invalidSyntax");
    assert_eq!(is_active(&world, ENTRA, &id).await, false);
}

/// What may be meant for `active` is refused, never left out with a success; and what says nothing clearly and last
/// deactivates nobody.
#[tokio::test]
async fn what_may_be_meant_for_active_or_cannot_be_read_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    for token in [ENTRA, STRICT] {
        let id = world.user(token, "ida").await;
        let path = format!("/Users/{id}");
        for key in [
            "User.active".to_owned(),
            "/active".to_owned(),
            format!("{enterprise}:active"),
        ] {
            let mut body = user("ida");
            body[&key] = json!(false);
            world
                .put(token, &path, body)
                .await
                .expect_error(400, "invalidPath");
            let operations = json!([{"op": "replace", "value": {key: false}}]);
            world
                .patch(token, &path, operations)
                .await
                .expect_error(400, "invalidPath");
        }
        let off = json!({"op": "replace", "path": "active", "value": false});
        for last in [
            json!({"op": "replace", "path": "active", "value": "maybe"}),
            json!({"op": "set", "path": "active", "value": true}),
            json!({"op": "replace", "path": "/active", "value": true}),
        ] {
            let reply = world.patch(token, &path, json!([off, last])).await;
            reply.expect(400);
        }
        assert_eq!(is_active(&world, token, &id).await, true);
    }
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

/// Attributes that are each within their bounds, and together more than an event can hold.
fn too_much() -> Map<String, Value> {
    let emails: Vec<Value> = (0..60)
        .map(|n| json!({"type": format!("t{n}"), "value": "x".repeat(16_000)}))
        .collect();
    Map::from_iter([("emails".to_owned(), emails.into())])
}

fn only(name: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value)])
}

/// Whatever else a request says, asks for or is called.
#[tokio::test]
async fn whatever_a_request_is_refused_for_the_leaver_in_it_goes_and_the_strict_dialect_refuses_it() {
    let world = World::new().await;
    let long = Value::from("x".repeat(16 * 1024 + 1));
    let typed = |value: &'static str| Some((CONTENT_TYPE, HeaderValue::from_static(value)));
    let coded = Some((CONTENT_ENCODING, HeaderValue::from_static("br")));
    let nothing = Map::new();
    for (case, rest, query, header, refused) in [
        ("name", only("userName", json!("BOSS")), "", None, 409),
        ("size", too_much(), "", None, 413),
        ("query", nothing.clone(), "?count=abc", None, 400),
        ("code", nothing.clone(), "?attributes=%zz", None, 400),
        ("string", only("title", long), "", None, 400),
        ("type", nothing.clone(), "", typed("text/plain"), 415),
        (
            "charset",
            nothing.clone(),
            "",
            typed("application/json; charset=latin1"),
            415,
        ),
        ("coding", nothing, "", coded, 415),
    ] {
        for (token, status) in [(ENTRA, 200), (STRICT, refused)] {
            let _ = world.post(token, "/Users", user("boss")).await;
            for method in [Method::PUT, Method::PATCH] {
                let name = format!("{case}.{method}");
                let path = format!("/Users/{}", world.user(token, &name).await);
                let mut said = rest.clone();
                said.insert("active".to_owned(), json!(false));
                let body = if method == Method::PUT {
                    let mut body = user(&name);
                    body.as_object_mut().unwrap().extend(said);
                    body
                } else {
                    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                           "Operations": [{"op": "replace", "value": said}]})
                };
                let mut request = world.build(token, method, &format!("{path}{query}"), body.to_string());
                if let Some((header, value)) = header.clone() {
                    request.headers_mut().insert(header, value);
                }
                world.request(request).await.expect(status);
                let now = world.get(token, &path).await.expect(200);
                assert_eq!(now.body["active"], status != 200, "{name}");
                assert_eq!(now.body["userName"], name);
            }
        }
    }
}

/// Who may not write, or asks for another version, changes nothing; nor does a body that nobody can read.
#[tokio::test]
async fn a_leaver_needs_a_credential_the_right_version_and_a_readable_body() {
    let world = World::new().await;
    let path = format!("/Users/{}", world.user(ENTRA, "ida").await);
    let mut body = user("ida");
    body["active"] = json!(false);
    let body = body.to_string();
    world
        .request(world.build("wrong-token-0123456789", Method::PUT, &path, body.clone()))
        .await
        .expect(401);
    let mut stale = world.build(ENTRA, Method::PUT, &path, body.clone());
    stale
        .headers_mut()
        .insert("if-match", HeaderValue::from_static("W/\"999\""));
    world.request(stale).await.expect(412);
    for (media, text, status) in [
        ("application/json", body.trim_end_matches('}').to_owned(), 400),
        ("text/plain", format!("{body}x"), 415),
        ("text/plain", r#"{"active":true}"#.to_owned(), 415),
    ] {
        let mut request = world.build(ENTRA, Method::PUT, &path, text);
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(media));
        world.request(request).await.expect(status);
    }
    let group = world.group(ENTRA, "g", &[]).await;
    let mut request = world.build(ENTRA, Method::PUT, &format!("/Groups/{group}"), body);
    let plain = HeaderValue::from_static("text/plain");
    request.headers_mut().insert(CONTENT_TYPE, plain);
    world.request(request).await.expect(415);
    let now = world.get(ENTRA, &path).await.expect(200);
    assert_eq!(now.body["active"], true);
}

/// What is wrong with a PATCH elsewhere, or with its content type, keeps nobody in a group.
#[tokio::test]
async fn who_is_removed_goes_whatever_the_patch_of_a_group_is_refused_for() {
    let world = World::new().await;
    let plain = Some(HeaderValue::from_static("text/plain"));
    let long = "x".repeat(16 * 1024 + 1);
    for (other, query, media, status) in [
        (
            json!({"op": "replace", "path": "displayName", "value": {}}),
            "",
            None,
            400,
        ),
        (
            json!({"op": "Update", "path": "displayName", "value": "x"}),
            "",
            None,
            400,
        ),
        (
            json!({"op": "replace", "path": "displayName", "value": long}),
            "",
            None,
            400,
        ),
        (
            json!({"op": "remove", "path": "members[display eq \"x\"]"}),
            "",
            None,
            400,
        ),
        (
            json!({"op": "replace", "path": "displayName", "value": "y"}),
            "?count=abc",
            None,
            400,
        ),
        (
            json!({"op": "replace", "path": "displayName", "value": "y"}),
            "",
            plain,
            415,
        ),
    ] {
        for (token, left) in [(ENTRA, 1), (STRICT, 2)] {
            let (a, b) = (world.user(token, "a").await, world.user(token, "b").await);
            let group = world.group(token, "g", &[&a, &b]).await;
            let remove = json!({"op": "remove", "path": "members", "value": [{"value": a}]});
            let remove = match token {
                STRICT => json!({"op": "remove", "path": format!("members[value eq \"{a}\"]")}),
                _ => remove,
            };
            let schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"];
            let body = json!({"schemas": schemas, "Operations": [remove, other]});
            let path = format!("/Groups/{group}{query}");
            let mut request = world.build(token, Method::PATCH, &path, body.to_string());
            if let Some(media) = &media {
                request.headers_mut().insert(CONTENT_TYPE, media.clone());
            }
            world.request(request).await.expect(status);
            assert_eq!(world.members(token, &group).await.len(), left, "{other}");
            let shown = world.get(token, &format!("/Groups/{group}")).await;
            assert_eq!(shown.body["displayName"], "g");
            for path in [
                format!("/Groups/{group}"),
                format!("/Users/{a}"),
                format!("/Users/{b}"),
            ] {
                world.delete(token, &path).await.expect(204);
            }
        }
    }
}
