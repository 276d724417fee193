//! One HTTP connection that speaks SCIM.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

pub(crate) const TOKEN: &str = "a-token-for-the-bench-0123456789";
const PATCH: &str =
    r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[OPERATION]}"#;

pub(crate) struct Client(SendRequest<Full<Bytes>>);

impl Client {
    pub(crate) async fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// Status and body; none when the server is gone.
    pub(crate) async fn try_send(&mut self, method: &str, path: &str, body: String) -> Option<(u16, Bytes)> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "bench")
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("content-type", "application/scim+json")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        self.0.ready().await.ok()?;
        let response = self.0.send_request(request).await.ok()?;
        let status = response.status().as_u16();
        Some((status, response.into_body().collect().await.ok()?.to_bytes()))
    }

    pub(crate) async fn send(&mut self, method: &str, path: &str, body: String, expected: u16) -> Bytes {
        let (status, body) = self
            .try_send(method, path, body)
            .await
            .expect("the server is there");
        assert_eq!(
            status,
            expected,
            "{method} {path}: {}",
            String::from_utf8_lossy(&body)
        );
        body
    }

    /// Creates a resource and gives its id.
    pub(crate) async fn post(&mut self, path: &str, body: String) -> String {
        let body = self.send("POST", path, body, 201).await;
        let at = body.windows(6).position(|w| w == b"\"id\":\"").unwrap() + 6;
        String::from_utf8(body[at..at + 36].to_vec()).unwrap()
    }

    /// A PATCH of one operation.
    pub(crate) async fn patch(&mut self, path: &str, operation: &str) {
        let body = PATCH.replace("OPERATION", operation);
        let (status, body) = self
            .try_send("PATCH", path, body)
            .await
            .expect("the server is there");
        assert!(
            status == 200 || status == 204,
            "PATCH {path}: {status} {}",
            String::from_utf8_lossy(&body)
        );
    }

    pub(crate) async fn set_active(&mut self, user: &str, active: bool) {
        let word = if active { "True" } else { "False" };
        let operation = format!(r#"{{"op":"Replace","path":"active","value":"{word}"}}"#);
        self.patch(&format!("/scim/v2/Users/{user}"), &operation).await;
    }
}
