//! What holds for every request: discovery, methods, media types, request ids.

use http::{HeaderValue, Method};

use crate::world::{BASE, ENTRA, World, user};

#[tokio::test]
async fn the_server_tells_what_it_can_do() {
    let world = World::new().await;
    let config = world.get(ENTRA, "/ServiceProviderConfig").await.expect(200).body;
    for (feature, supported) in [
        ("patch", true),
        ("filter", true),
        ("etag", true),
        ("bulk", true),
        ("sort", true),
        ("changePassword", false),
    ] {
        assert_eq!(config[feature]["supported"], supported, "{feature}");
    }
    let types = world.get(ENTRA, "/ResourceTypes").await.expect(200).body;
    assert_eq!(types["totalResults"], 2);
    for name in ["User", "Group"] {
        let one = world
            .get(ENTRA, &format!("/ResourceTypes/{name}"))
            .await
            .expect(200)
            .body;
        assert_eq!(one["meta"]["location"], format!("{BASE}/ResourceTypes/{name}"));
        let schema = one["schema"].as_str().unwrap();
        assert_eq!(
            world
                .get(ENTRA, &format!("/Schemas/{schema}"))
                .await
                .expect(200)
                .body["id"],
            schema
        );
    }
    let schemas = world.get(ENTRA, "/Schemas").await.expect(200).body;
    assert_eq!(
        schemas["totalResults"],
        schemas["Resources"].as_array().unwrap().len()
    );
    world
        .get(ENTRA, "/Schemas/urn:nothing")
        .await
        .expect_error(404, "");
    world
        .get(ENTRA, "/ResourceTypes/Robot")
        .await
        .expect_error(404, "");
    // RFC 7644 section 4: no filter; what else a list may be asked for is ignored.
    for path in [
        "/ServiceProviderConfig",
        "/ResourceTypes",
        "/ResourceTypes/User",
        "/Schemas",
        "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User",
    ] {
        for filter in ["filter=id%20pr", "count=1&FILTER=%ff"] {
            let reply = world.get(ENTRA, &format!("{path}?{filter}")).await;
            reply.expect_error(403, "");
        }
        let ignored = format!("{path}?count=none&startIndex=7&sortBy=x&filter=");
        world.get(ENTRA, &ignored).await.expect(200);
    }
}

/// RFC 9110 section 9.3.2: HEAD is GET without a body, in all that its head tells.
#[tokio::test]
async fn head_is_answered_as_get_is_without_a_body() {
    let world = World::new().await;
    let ida = world.user(ENTRA, "ida").await;
    for path in [
        format!("/Users/{ida}"),
        "/Users?filter=userName%20pr".to_owned(),
        "/Schemas".to_owned(),
        "/Users/nobody".to_owned(),
        "/Me".to_owned(),
    ] {
        let get = world.get(ENTRA, &path).await;
        let head = world.request(world.build(ENTRA, Method::HEAD, &path, "")).await;
        assert_eq!((head.status, head.text.as_str()), (get.status, ""), "{path}");
        for name in ["content-length", "content-type", "etag"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
        assert!(!head.header("content-length").is_empty());
    }
    let known = world.get(ENTRA, &format!("/Users/{ida}")).await;
    let mut request = world.build(ENTRA, Method::HEAD, &format!("/Users/{ida}"), "");
    let version = known.headers.get("etag").unwrap().clone();
    request.headers_mut().insert("if-none-match", version);
    world.request(request).await.expect(304);
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_not_offered_501() {
    let world = World::new().await;
    for path in [
        "//",
        "/Nothing",
        "/Users/x/y",
        "/users",
        "/Users/%ff",
        "Users",
        "Bulk",
    ] {
        world.get(ENTRA, path).await.expect_error(404, "");
    }
    // RFC 7644 section 3.11: 501 where `/Me` stands for nobody. A token here belongs to a connection.
    for (method, path) in [
        (Method::GET, "/Me"),
        (Method::PATCH, "/Me"),
        (Method::GET, "/Me/.search"),
    ] {
        let body = if method == Method::GET { "" } else { "{}" };
        world
            .request(world.build(ENTRA, method, path, body))
            .await
            .expect_error(501, "");
    }
    let mut outside = world.build(ENTRA, Method::GET, "", "");
    *outside.uri_mut() = "/elsewhere".parse().unwrap();
    world.request(outside).await.expect_error(404, "");
}

#[tokio::test]
async fn a_method_that_an_endpoint_does_not_take_is_405_and_names_those_it_takes() {
    let world = World::new().await;
    for (method, path, allow) in [
        (Method::PUT, "/Users", "GET, HEAD, POST"),
        (Method::DELETE, "/Groups", "GET, HEAD, POST"),
        (Method::POST, "/Users/x", "GET, HEAD, PUT, PATCH, DELETE"),
        (Method::GET, "/Users/.search", "POST"),
        (Method::POST, "/ServiceProviderConfig", "GET, HEAD"),
        (Method::DELETE, "/Schemas", "GET, HEAD"),
        (Method::GET, "/Bulk", "POST"),
        (Method::GET, "/.search", "POST"),
        (Method::POST, "", "GET, HEAD"),
        (Method::OPTIONS, "/Users", "GET, HEAD, POST"),
    ] {
        let reply = world
            .request(world.build(ENTRA, method, path, "{}"))
            .await
            .expect_error(405, "");
        assert_eq!(reply.header("allow"), allow, "{path}");
    }
}

#[tokio::test]
async fn answers_are_scim_json_unless_plain_json_is_accepted_sooner() {
    let world = World::new().await;
    for (accept, expected) in [
        (None, "application/scim+json"),
        (Some("application/scim+json"), "application/scim+json"),
        (Some("*/*"), "application/scim+json"),
        (Some("application/json"), "application/json"),
        (Some("application/scim+json;q=0, */*"), "application/json"),
    ] {
        for path in ["/Users", "/Nothing"] {
            let mut request = world.build(ENTRA, Method::GET, path, "");
            if let Some(accept) = accept {
                request
                    .headers_mut()
                    .insert("accept", HeaderValue::from_static(accept));
            }
            assert_eq!(
                world.request(request).await.header("content-type"),
                expected,
                "{accept:?} {path}"
            );
        }
    }
    let mut request = world.build(ENTRA, Method::POST, "/Users", user("ida").to_string());
    request.headers_mut().insert(
        "content-type",
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    world.request(request).await.expect(201);
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_a_safe_one_is_taken_over() {
    let world = World::new().await;
    let with = |id: &'static str| {
        let mut request = world.build(ENTRA, Method::GET, "/Users", "");
        request
            .headers_mut()
            .insert("x-request-id", HeaderValue::from_static(id));
        world.request(request)
    };
    assert_eq!(with("abc-1").await.header("x-request-id"), "abc-1");
    assert_ne!(with("<script>").await.header("x-request-id"), "<script>");
    assert_eq!(
        world.get(ENTRA, "/Nothing").await.header("x-request-id").len(),
        36
    );
}

#[tokio::test]
async fn requests_are_counted_by_route_and_status() {
    let world = World::new().await;
    let id = world.user(ENTRA, "ida").await;
    world.get(ENTRA, &format!("/Users/{id}")).await.expect(200);
    world.get(ENTRA, "/Users/nobody").await.expect_error(404, "");
    let seen = world.metrics.snapshot();
    let count = |route, status| {
        seen.requests
            .iter()
            .find(|r| r.route == route && r.status == status)
            .map(|r| r.count)
    };
    assert_eq!(
        (
            count("/Users", 201),
            count("/Users/{id}", 200),
            count("/Users/{id}", 404)
        ),
        (Some(1), Some(1), Some(1))
    );
    assert_eq!((seen.events_appended, seen.panics), (1, 0));
    assert!(
        seen.latency
            .iter()
            .any(|l| l.route == "/Users/{id}" && l.count == 2)
    );
}

#[tokio::test]
async fn a_panic_is_500_and_the_next_request_is_served() {
    let world = World::lagging().await;
    *world.directory().cursed.lock() = Some("mallory".to_owned());
    let reply = world
        .post(ENTRA, "/Users", user("mallory"))
        .await
        .expect_error(500, "");
    assert!(!reply.text.contains("a bug"));
    assert_eq!(world.metrics.snapshot().panics, 1);
    world.user(ENTRA, "ida").await;
}

#[tokio::test]
async fn what_tolerance_leaves_out_is_counted() {
    let world = World::new().await;
    let mut body = user("ida");
    body["password"] = "s3cret".into();
    body["shoeSize"] = 46.into();
    world.post(ENTRA, "/Users", body).await.expect(201);
    assert_eq!(world.metrics.snapshot().left_out, 2);
}
