//! The listener: bounds, time-outs, neighbours on the same port, and the end.

use std::time::Duration;

use axum::Router;
use http::Method;
use rollcall_ingest::{DoorConfig, beside, page};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::world::{ENTRA, World, user};

async fn raw(world: &World, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn head(token: &str, rest: &str) -> String {
    format!("POST /scim/v2/Users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{rest}\r\n")
}

#[tokio::test]
async fn other_routes_share_the_listener_and_unknown_paths_stay_ours() {
    let ready = page("/readyz", "text/plain", || (503, "not yet".to_owned()));
    let beside = beside([ready]).fallback(|| async { "not this" });
    let world = World::with(DoorConfig::new("https://rollcall.example"), beside).await;
    let mut request = world.build(ENTRA, Method::GET, "", "");
    *request.uri_mut() = "/readyz".parse().unwrap();
    assert_eq!(world.request(request).await.expect(503).text, "not yet");
    world.get(ENTRA, "/Users").await.expect(200);
    world.get(ENTRA, "/nothing").await.expect_error(404, "");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_408() {
    let config = DoorConfig {
        body_timeout: Duration::from_millis(50),
        ..DoorConfig::new("http://x")
    };
    let world = World::with(config, Router::new()).await;
    let answer = raw(&world, head(ENTRA, "content-length: 100\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(
        answer.contains("\"status\":\"408\"") && answer.contains("connection: close"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_body_above_the_bound_is_413_announced_or_not() {
    let config = DoorConfig {
        body_bytes_max: 1000,
        ..DoorConfig::new("http://x")
    };
    let world = World::with(config, Router::new()).await;
    let announced = raw(&world, head(ENTRA, "content-length: 999999999999\r\n").as_bytes()).await;
    assert!(announced.starts_with("HTTP/1.1 413"), "{announced}");
    let chunk = format!(
        "{}400\r\n{}\r\n",
        head(ENTRA, "transfer-encoding: chunked\r\n"),
        " ".repeat(1024)
    );
    let streamed = raw(&world, chunk.as_bytes()).await;
    assert!(
        streamed.starts_with("HTTP/1.1 413") && streamed.contains("\"status\":\"413\""),
        "{streamed}"
    );
    assert_eq!(world.events().len(), 0);
}

#[tokio::test]
async fn a_body_of_a_stranger_is_not_waited_for() {
    let world = World::new().await;
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream
        .write_all(head("nobodys-token-0123456789", "content-length: 100\r\n").as_bytes())
        .await
        .unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
}

#[tokio::test]
async fn more_requests_than_there_is_room_for_are_asked_to_come_back() {
    let config = DoorConfig {
        requests_in_flight_max: 1,
        ..DoorConfig::new("http://x")
    };
    let world = World::with(config, Router::new()).await;
    let mut waiting = TcpStream::connect(world.address).await.unwrap();
    waiting
        .write_all(head(ENTRA, "content-length: 100\r\n").as_bytes())
        .await
        .unwrap();
    let refused = loop {
        let reply = world.get(ENTRA, "/Users").await;
        if reply.status != 200 {
            break reply; // the first request has taken its place
        }
    };
    assert_eq!(refused.expect_error(503, "").header("retry-after"), "2");
    drop(waiting);
    while world.get(ENTRA, "/Users").await.status != 200 {}
}

/// Requests in flight of all tenants.
fn in_flight(world: &World) -> u64 {
    world.door.tenants().iter().map(|tenant| tenant.in_flight).sum()
}

/// What was read for a client counts as long as it is held: until it is taken, or the client goes.
#[tokio::test]
async fn an_answer_keeps_its_place_until_it_is_taken() {
    let world = World::new().await;
    let emails: Vec<Value> = (0..14)
        .map(|n| json!({"type": format!("t{n}"), "value": "x".repeat(16_000)}))
        .collect();
    for n in 0..36 {
        let mut fat = user(&format!("fat-{n}"));
        fat["emails"] = json!(emails);
        world.post(ENTRA, "/Users", fat).await.expect(201);
    }
    let ask = format!("GET /scim/v2/Users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ENTRA}\r\n\r\n");
    for takes_it in [true, false] {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut client = socket.connect(world.address).await.unwrap();
        client.write_all(ask.as_bytes()).await.unwrap();
        let mut begun = [0; 12];
        client.read_exact(&mut begun).await.unwrap();
        assert_eq!(&begun, b"HTTP/1.1 200");
        assert_eq!(
            in_flight(&world),
            1,
            "more is held for it than a connection buffers"
        );
        if takes_it {
            let mut some = vec![0; 1024 * 1024];
            while in_flight(&world) > 0 {
                assert!(client.read(&mut some).await.unwrap() > 0);
            }
        } else {
            drop(client);
            while in_flight(&world) > 0 {
                tokio::task::yield_now().await;
            }
        }
    }
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_end() {
    let mut world = World::new().await;
    let body = user("ida").to_string();
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let idle = TcpStream::connect(world.address).await.unwrap();
    stream
        .write_all(head(ENTRA, &format!("content-length: {}\r\n", body.len())).as_bytes())
        .await
        .unwrap();
    let (first, rest) = body.split_at(5);
    stream.write_all(first.as_bytes()).await.unwrap();
    // The server has the head when another request that came later is answered.
    world.get(ENTRA, "/Users").await.expect(200);
    world.shut_down();
    while TcpStream::connect(world.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    stream.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 201"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    (&mut world.server).await.unwrap().unwrap();
    drop(idle);
}
