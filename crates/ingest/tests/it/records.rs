//! What the traces say, and what they must not.

use std::io::Write;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::world::{ENTRA, World, query, user};

#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The subscriber is the whole process's, so it sees what other tests do at the same time too.
#[tokio::test]
async fn traces_name_the_request_and_nobody_in_it() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(lines.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let world = World::new().await;
    let mut body = user("zebedee@store.example");
    body["externalId"] = json!("external-zebedee");
    body["password"] = json!("zebedees-secret");
    let id = world.post(ENTRA, "/Users", body.clone()).await.expect(201).id();
    world
        .post(ENTRA, "/Users", body)
        .await
        .expect_error(409, "uniqueness");
    world
        .post(ENTRA, "/Users", json!({"userName": {"zebedee": 1}}))
        .await
        .expect_error(400, "invalidValue");
    let filter = query("userName eq \"zebedee@store.example\"");
    world
        .get(ENTRA, &format!("/Users?filter={filter}"))
        .await
        .expect(200);
    world
        .get(
            ENTRA,
            &format!("/Users?filter={}", query("zebedee is \"zebedee\"")),
        )
        .await
        .expect(400);
    world.get(ENTRA, "/Users/zebedee").await.expect_error(404, "");
    world
        .patch(
            ENTRA,
            &format!("/Users/{id}"),
            json!([{"op": "add", "path": "zebedee", "value": "zebedee"}]),
        )
        .await;
    world
        .get("zebedees-token-0123456789", "/Users")
        .await
        .expect_error(401, "");
    let text = String::from_utf8(lines.0.lock().clone()).unwrap();
    for expected in [
        "request_id=",
        "method=POST",
        "route=\"/Users\"",
        "route=\"/Users/{id}\"",
        "tenant=\"acme\"",
        "connection=\"entra\"",
        "status=201",
        "status=409",
        "scim_type=\"uniqueness\"",
        "ms=",
    ] {
        assert!(text.contains(expected), "{expected} is missing in {text}");
    }
    for secret in ["zebedee", ENTRA] {
        assert!(!text.contains(secret), "{secret} stands in {text}");
    }
}
