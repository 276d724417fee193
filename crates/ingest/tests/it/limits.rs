//! What one address and one tenant may ask for.

use std::collections::BTreeMap;

use axum::Router;
use http::Method;
use rollcall_domain::TenantId;
use rollcall_ingest::{DoorConfig, RateLimit, TrustedProxies};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::world::{ENTRA, OKTA, OTHER, Reply, World, user};

const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const WRONG: &str = "wrong-token-0123456789";

async fn with_failures(max: u32, trusted: &[&str]) -> World {
    let trusted = trusted.iter().map(|network| network.parse().unwrap()).collect();
    let config = DoorConfig {
        auth_failures_max: max,
        trusted_proxies: TrustedProxies::new(trusted),
        ..DoorConfig::new("http://x")
    };
    World::with(config, Router::new()).await
}

async fn through_proxy(world: &World, token: &str, forwarded: &str) -> Reply {
    let mut request = world.build(token, Method::GET, "/Users", "");
    request
        .headers_mut()
        .insert("x-forwarded-for", forwarded.parse().unwrap());
    world.request(request).await
}

#[tokio::test]
async fn who_fails_too_often_is_asked_to_wait_and_a_valid_token_still_comes_in() {
    let world = with_failures(3, &[]).await;
    for _ in 0..3 {
        world.get(WRONG, "/Users").await.expect_error(401, "");
    }
    let reply = world.get(WRONG, "/Users").await.expect_error(429, "");
    let seconds: u32 = reply.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(reply.header("connection"), "close");
    world.get(ENTRA, "/Users").await.expect(200);
    world.get(WRONG, "/Users").await.expect_error(429, "");
    assert_eq!(world.metrics.snapshot().auth_failures, [0, 3, 0, 0, 2]);
}

#[tokio::test]
async fn behind_a_trusted_proxy_every_client_is_counted_by_itself() {
    let world = with_failures(1, &["127.0.0.0/8"]).await;
    through_proxy(&world, WRONG, "192.0.2.1")
        .await
        .expect_error(401, "");
    through_proxy(&world, WRONG, "192.0.2.1")
        .await
        .expect_error(429, "");
    through_proxy(&world, WRONG, "203.0.113.9, 192.0.2.1")
        .await
        .expect_error(429, "");
    through_proxy(&world, WRONG, "192.0.2.2")
        .await
        .expect_error(401, "");
}

#[tokio::test]
async fn without_a_trusted_proxy_the_header_is_not_believed() {
    let world = with_failures(1, &[]).await;
    through_proxy(&world, WRONG, "192.0.2.1")
        .await
        .expect_error(401, "");
    through_proxy(&world, WRONG, "192.0.2.2")
        .await
        .expect_error(429, "");
}

async fn with_rate(burst: u32) -> World {
    let limit = RateLimit {
        per_second: 25,
        burst,
    };
    let config = DoorConfig {
        rate_limits: BTreeMap::from([(TenantId::new("acme").unwrap(), limit)]),
        ..DoorConfig::new("http://x")
    };
    World::with(config, Router::new()).await
}

#[tokio::test]
async fn a_tenant_beyond_its_rate_gets_429_its_leaver_goes_through_and_no_other_tenant_notices() {
    // A burst so large that what fills up while the test runs does not matter.
    let world = with_rate(400).await;
    let (ida, bo) = (world.user(ENTRA, "ida").await, world.user(ENTRA, "bo").await);
    let mut served = 2;
    let refused = loop {
        // Both connections of a tenant draw on the same rate.
        let token = if served % 2 == 0 { ENTRA } else { OKTA };
        let reply = world.get(token, "/Users?count=0").await;
        if reply.status != 200 {
            break reply.expect_error(429, "");
        }
        served += 1;
    };
    assert!(
        served >= 300,
        "three quarters of the burst are there for all: {served}"
    );
    let seconds: u32 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    let path = format!("/Users/{ida}");
    let off = json!([{"op": "Replace", "path": "active", "value": "False"}]);
    let leaver = world.patch(ENTRA, &path, off).await.expect(200);
    assert_eq!(leaver.body["active"], false);
    // As it may be said by whom no suite has heard of: one operation without a list, the attribute under its URN.
    let off =
        json!({"op": "replace", "value": {"urn:ietf:params:scim:schemas:core:2.0:User": {"active": false}}});
    let leaver = world.patch(ENTRA, &format!("/Users/{bo}"), off).await.expect(200);
    assert_eq!(leaver.body["active"], false);
    world.delete(ENTRA, &path).await.expect(204);
    world.get(OTHER, "/Users").await.expect(200);
    let figures = world.door.tenants();
    let limited = |tenant: &str| {
        let found = figures.iter().find(|figures| figures.tenant.as_str() == tenant);
        found.unwrap().limited
    };
    assert!(limited("acme") >= 1);
    assert_eq!(limited("other"), 0);
}

/// A bulk request is refused no more than a leaver in it would be by itself; what else it holds waits for its turn.
#[tokio::test]
async fn a_bulk_request_beyond_the_rate_goes_through_when_a_leaver_is_in_it() {
    let world = with_rate(400).await;
    let ida = world.user(ENTRA, "ida").await;
    let bulk = |operations: Value| json!({"schemas": [BULK], "Operations": operations});
    let create = json!({"method": "POST", "path": "/Users", "bulkId": "a", "data": user("bo")});
    let refused = loop {
        while world.get(OKTA, "/Users?count=0").await.status == 200 {}
        let reply = world.post(ENTRA, "/Bulk", bulk(json!([create]))).await;
        if reply.status != 200 {
            break reply; // else the bucket had filled a little meanwhile
        }
    };
    refused.expect_error(429, "");
    let off = json!({"Operations": [{"op": "Replace", "path": "active", "value": "False"}]});
    let leaver = json!({"method": "PATCH", "path": format!("/Users/{ida}"), "data": off});
    let reply = world
        .post(ENTRA, "/Bulk", bulk(json!([leaver])))
        .await
        .expect(200);
    assert_eq!(reply.body["Operations"][0]["status"], "200", "{}", reply.text);
}

/// However short the time for a request is, a bulk request tells what became of each of its operations.
#[tokio::test]
async fn a_bulk_request_is_answered_before_the_door_gives_it_up() {
    let limit = RateLimit {
        per_second: 25,
        burst: 40,
    };
    let config = DoorConfig {
        rate_limits: BTreeMap::from([(TenantId::new("acme").unwrap(), limit)]),
        request_timeout: std::time::Duration::from_secs(2),
        ..DoorConfig::new("http://x")
    };
    let world = World::with(config, Router::new()).await;
    let create = |at: u32| {
        let data = user(&format!("u{at}"));
        json!({"method": "POST", "path": "/Users", "bulkId": format!("b{at}"), "data": data})
    };
    let operations: Vec<Value> = (0..200).map(create).collect();
    let body = json!({"schemas": [BULK], "Operations": operations});
    let reply = world.post(ENTRA, "/Bulk", body).await.expect(200);
    let answers = reply.body["Operations"].as_array().unwrap();
    let made = answers.iter().filter(|one| one["status"] == "201").count();
    assert!(answers.len() == 200 && (1..200).contains(&made), "{made}");
    let users = world.get(OTHER, "/Users?count=0").await.expect(200);
    assert_eq!(users.body["totalResults"], 0);
    let created = world.events().len();
    assert_eq!(created, made, "each that was made is told, and no other");
}

#[tokio::test]
async fn one_tenants_requests_in_flight_leave_places_to_the_others() {
    let config = DoorConfig {
        requests_in_flight_max: 8,
        ..DoorConfig::new("http://x")
    };
    let world = World::with(config, Router::new()).await;
    let mut waiting = Vec::new();
    for _ in 0..8 {
        let head = format!(
            "POST /scim/v2/Users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ENTRA}\r\ncontent-length: 100\r\n\r\n"
        );
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        waiting.push(stream);
    }
    let held = || {
        let figures = world.door.tenants();
        figures
            .first()
            .map(|figures| (figures.in_flight, figures.crowded))
    };
    let shared = async {
        while held() != Some((4, 4)) {
            tokio::task::yield_now().await; // four wait for their bodies, four were refused
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(30), shared).await;
    assert!(waited.is_ok(), "places held and requests refused: {:?}", held());
    world.get(ENTRA, "/Users").await.expect_error(503, "");
    world.get(OTHER, "/Users").await.expect(200);
    world.post(OTHER, "/Users", user("ola")).await.expect(201);
}
