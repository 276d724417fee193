//! What only shows on a socket.

use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{ClockMode, Down, Fault, FaultKind, MAX_BODY, Sim, SimConfig};

async fn start() -> Sim {
    Sim::start(SimConfig {
        clock: ClockMode::Manual,
        ..SimConfig::default()
    })
    .await
    .unwrap()
}

/// Sends one request on a fresh connection; status 0 is a connection that ended without an answer.
async fn send(addr: &str, head: &str, body: &[u8]) -> (u16, String) {
    let addr = addr.trim_start_matches("http://");
    let Ok(mut stream) = TcpStream::connect(addr).await else {
        return (0, "refused".into());
    };
    let head = format!(
        "{head}\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut answer = Vec::new();
    let sent = async {
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body).await?;
        stream.read_to_end(&mut answer).await
    };
    let _cut = sent.await;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text
        .get(9..12)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    (
        status,
        text.split_once("\r\n\r\n")
            .map(|(_, body)| body.to_owned())
            .unwrap_or_default(),
    )
}

async fn token(sim: &Sim) -> String {
    let form = "grant_type=password&username=rollcall-api&password=sim-password&client_id=SIM\
                &client_secret=sim-client-secret&scope=api";
    let head = "POST /oauth/token HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded";
    let (status, body) = send(&sim.url(), head, form.as_bytes()).await;
    assert_eq!(status, 200, "{body}");
    let (by_query, _) = send(&sim.url(), &format!("POST /oauth/token?{form} HTTP/1.1"), b"").await;
    assert_eq!(by_query, 200);
    let body: Json = serde_json::from_str(&body).unwrap();
    body["access_token"].as_str().unwrap().to_owned()
}

async fn graphql(sim: &Sim, token: &str, body: &[u8]) -> (u16, String) {
    let head =
        format!("POST /graphql HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json");
    send(&sim.url(), &head, body).await
}

#[tokio::test]
async fn a_query_goes_through_and_a_body_above_two_megabytes_does_not() {
    let sim = start().await;
    let token = token(&sim).await;
    let (status, body) = graphql(&sim, &token, br#"{"query":"{ me { username } }"}"#).await;
    assert_eq!(
        (status, body.as_str()),
        (200, r#"{"data":{"me":{"username":"rollcall-api"}}}"#)
    );
    let (status, _) = graphql(&sim, &token, &vec![b' '; MAX_BODY + 1]).await;
    assert_eq!(status, 413);
    let (status, _) = graphql(&sim, &token, b"{").await;
    assert_eq!(status, 400);
    let (status, _) = graphql(&sim, "wrong", br#"{"query":"{ me { username } }"}"#).await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn a_cut_connection_carries_not_a_byte() {
    let sim = start().await;
    let token = token(&sim).await;
    sim.handle()
        .inject(Fault::new(FaultKind::LoseResponse).times(1))
        .unwrap();
    let (status, body) = graphql(&sim, &token, br#"{"query":"{ me { username } }"}"#).await;
    assert_eq!((status, body.as_str()), (0, ""));
}

#[tokio::test]
async fn down_means_refused_or_cut_and_up_means_served_again() {
    let sim = start().await;
    let handle = sim.handle();
    let mut open = TcpStream::connect(handle.addr()).await.unwrap();
    handle.set_down(Some(Down::Refuse)).await;
    assert_eq!(
        send(&sim.url(), "GET /sim/v1/stats HTTP/1.1", b"").await,
        (0, "refused".into())
    );
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), open.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "open connections are cut");
    handle.set_down(Some(Down::Cut)).await;
    assert_eq!(
        send(&sim.url(), "GET /sim/v1/stats HTTP/1.1", b"").await,
        (0, String::new())
    );
    let up = send(&sim.control_url(), "DELETE /sim/v1/down HTTP/1.1", b"").await;
    assert_eq!(up.0, 204, "the control address stays");
    assert_eq!(send(&sim.url(), "GET /sim/v1/stats HTTP/1.1", b"").await.0, 200);
}

#[tokio::test]
async fn the_control_api_does_what_the_handle_does() {
    let sim = start().await;
    let json = "Content-Type: application/json";
    let call = async |method: &str, path: &str, body: Json| {
        let head = format!("{method} /sim/v1/{path} HTTP/1.1\r\n{json}");
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let (status, text) = send(&sim.url(), &head, body.as_bytes()).await;
        (status, serde_json::from_str::<Json>(&text).unwrap_or(Json::Null))
    };
    let seed = json!({ "roles": ["STORE"], "retailers": [{ "ref": "B" }],
        "locations": [{ "ref": "L", "retailer": "B" }],
        "users": [{ "username": "ann", "roles":
            [{ "role": "STORE", "contextType": "AGENT", "contextId": "1001" }] }] });
    assert_eq!(call("POST", "seed", seed.clone()).await.0, 204);
    assert_eq!(call("POST", "seed", seed).await.0, 409);
    assert_eq!(
        call("GET", "users/ann", Json::Null).await.1["grants"][0]["contextId"],
        "1001"
    );
    assert_eq!(
        call("GET", "users", Json::Null).await.1.as_array().unwrap().len(),
        2
    );

    let fault = json!({ "kind": { "status": { "status": 503 } }, "only": ["users"], "times": 2 });
    let (_, id) = call("POST", "faults", fault).await;
    assert_eq!(call("GET", "faults", Json::Null).await.1[0]["fault"]["times"], 2);
    assert_eq!(
        call("DELETE", &format!("faults/{}", id["id"]), Json::Null)
            .await
            .0,
        204
    );
    assert_eq!(call("DELETE", "faults/99", Json::Null).await.0, 404);
    let late = json!({ "kind": { "landLate": { "afterMs": 60000 } } });
    assert_eq!(call("POST", "faults", late).await.0, 200);
    assert_eq!(call("DELETE", "faults", Json::Null).await.0, 204);

    let (_, mut behavior) = call("GET", "behavior", Json::Null).await;
    behavior["existingRole"] = json!("replace");
    behavior["unknownContext"] = json!({ "refuse": "C0120E" });
    assert_eq!(call("PUT", "behavior", behavior.clone()).await.0, 204);
    assert_eq!(call("GET", "behavior", Json::Null).await.1, behavior);
    assert_eq!(call("POST", "tokens/revoke", Json::Null).await.0, 204);
    assert_eq!(
        call("POST", "clock/advance", json!({ "seconds": 60 })).await.1["pending"],
        0
    );
    assert_eq!(call("POST", "land", Json::Null).await.1["landed"], 0);
    assert_eq!(call("GET", "journal?from=0", Json::Null).await.1, json!([]));
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    let config = SimConfig {
        listen: ([0, 0, 0, 0], 0).into(),
        ..SimConfig::default()
    };
    assert!(Sim::start(config).await.is_err());
}
