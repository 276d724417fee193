//! A door with two connections of one tenant and one of another, and a client.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use axum::Router;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use rollcall_domain::{ConnectionName, Event, TenantId, TenantKey, Timestamp};
use rollcall_eventlog::{
    AppendLog, BatchLimits, EventLog, LogId, MemoryLog, Partition, ReadLog as _, Stream,
};
use rollcall_ingest::{
    Clock, Connection, Dialect, Directory, Door, DoorConfig, Metrics, RandomIds, RepeatedCreate, TokenHash,
    serve,
};
use rollcall_projector::{Projector, TenantSetup};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::naive::NaiveDirectory;

const ACME: &str = "acme";
pub const ENTRA: &str = "entra-token-0123456789";
pub const OKTA: &str = "okta-token-0123456789";
pub const OKTA_NEXT: &str = "okta-token-next-0123456789";
pub const OTHER: &str = "other-tenant-token-0123456789";
/// A connection that answers a create sent again.
pub const ANSWERING: &str = "answering-token-0123456789";
pub const STRICT: &str = "strict-token-0123456789";
pub const BASE: &str = "https://rollcall.example/scim/v2";

/// A clock that moves a millisecond every time it is read.
#[derive(Debug, Default)]
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_772_000_000_000 + self.0.fetch_add(1, SeqCst))
    }
}

pub struct World {
    pub address: SocketAddr,
    pub log: Arc<MemoryLog>,
    /// The directory of [`World::lagging`].
    pub naive: Option<Arc<NaiveDirectory>>,
    _projector: Option<(Projector, TempDir)>,
    pub metrics: Arc<Metrics>,
    pub door: Door,
    shutdown: Option<oneshot::Sender<()>>,
    pub server: JoinHandle<std::io::Result<()>>,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
    pub text: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn id(&self) -> String {
        self.body["id"]
            .as_str()
            .unwrap_or_else(|| panic!("no id in {}", self.text))
            .to_owned()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    /// The status with a SCIM error that fits it.
    #[track_caller]
    pub fn expect_error(self, status: u16, scim_type: &str) -> Self {
        let reply = self.expect(status);
        assert_eq!(
            reply.body["schemas"],
            json!(["urn:ietf:params:scim:api:messages:2.0:Error"]),
            "{}",
            reply.text
        );
        assert_eq!(reply.body["status"], json!(status.to_string()), "{}", reply.text);
        assert_eq!(
            reply.body["scimType"].as_str().unwrap_or_default(),
            scim_type,
            "{}",
            reply.text
        );
        assert!(!reply.body["detail"].as_str().unwrap().is_empty());
        assert_eq!(reply.header("content-type"), "application/scim+json");
        reply
    }
}

pub fn connection(tenant: &str, name: &str, tokens: &[&str], dialect: Dialect) -> Connection {
    let hash = |token: &&str| TokenHash::of(&(*token).to_owned().into()).unwrap().into();
    Connection {
        tenant: TenantId::new(tenant).unwrap(),
        name: ConnectionName::new(name).unwrap(),
        tokens: tokens.iter().map(hash).collect(),
        dialect,
        repeated_create: RepeatedCreate::default(),
    }
}

impl World {
    /// With a projector, as in the process.
    pub async fn new() -> Self {
        Self::with(DoorConfig::new("https://rollcall.example/"), Router::new()).await
    }

    pub async fn with(config: DoorConfig, beside: Router) -> Self {
        let log = Arc::new(MemoryLog::new(LogId([1; 16])));
        let dir = tempfile::tempdir().unwrap();
        let tenants = [ACME, "other"].map(|id| TenantSetup {
            id: TenantId::new(id).unwrap(),
            key: TenantKey::new([7; 32]),
        });
        let events: Arc<dyn EventLog> = Arc::clone(&log) as _;
        let path = dir.path().to_owned();
        let start = move || Projector::start(events, &path, tenants.to_vec());
        let projector = tokio::task::spawn_blocking(start).await.unwrap().unwrap();
        let handle = |id: &TenantId| {
            projector
                .tenant(id)
                .map(|tenant| Arc::new(tenant) as Arc<dyn Directory>)
        };
        let mut world = Self::start(config, beside, log, handle).await;
        world._projector = Some((projector, dir));
        world
    }

    /// With a directory that takes in events only when it is waited for.
    pub async fn lagging() -> Self {
        let log = Arc::new(MemoryLog::new(LogId([1; 16])));
        let naive = Arc::new(NaiveDirectory::new(TenantKey::new([7; 32]), Arc::clone(&log)));
        let config = DoorConfig::new("https://rollcall.example/");
        let handle = |_: &TenantId| Some(Arc::clone(&naive) as Arc<dyn Directory>);
        let mut world = Self::start(config, Router::new(), log, handle).await;
        world.naive = Some(naive);
        world
    }

    async fn start(
        config: DoorConfig,
        beside: Router,
        log: Arc<MemoryLog>,
        tenants: impl Fn(&TenantId) -> Option<Arc<dyn Directory>>,
    ) -> Self {
        let answering = Connection {
            repeated_create: RepeatedCreate::Answer,
            ..connection(ACME, "answering", &[ANSWERING], Dialect::Tolerant)
        };
        let connections = vec![
            answering,
            connection(ACME, "entra", &[ENTRA], Dialect::Tolerant),
            connection(ACME, "okta", &[OKTA, OKTA_NEXT], Dialect::Tolerant),
            connection(ACME, "strict", &[STRICT], Dialect::Strict),
            connection("other", "entra", &[OTHER], Dialect::Tolerant),
        ];
        let clock = Arc::new(Ticking::default());
        let events: Arc<dyn AppendLog> = Arc::clone(&log) as _;
        let door = Door::new(config, connections, events, tenants, clock, Arc::new(RandomIds)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, asked) = oneshot::channel();
        let server = tokio::spawn(serve(listener, door.router(beside), async move {
            let _ = asked.await;
        }));
        Self {
            address,
            log,
            naive: None,
            _projector: None,
            metrics: door.metrics(),
            door,
            shutdown: Some(shutdown),
            server,
        }
    }

    /// The directory of [`World::lagging`].
    pub fn directory(&self) -> &NaiveDirectory {
        self.naive.as_ref().unwrap()
    }

    pub fn shut_down(&mut self) {
        let _ = self.shutdown.take().unwrap().send(());
    }

    pub async fn request(&self, request: Request<Full<Bytes>>) -> Reply {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        let response = sender.send_request(request).await.unwrap();
        let (head, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Reply {
            status: head.status,
            headers: head.headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        }
    }

    pub fn build(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Request<Full<Bytes>> {
        Request::builder()
            .method(method)
            .uri(format!("/scim/v2{path}"))
            .header("host", self.address.to_string())
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header(CONTENT_TYPE, "application/scim+json")
            .body(Full::new(body.into()))
            .unwrap()
    }

    async fn send(&self, token: &str, method: Method, path: &str, body: &Value) -> Reply {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.request(self.build(token, method, path, body)).await
    }

    pub async fn get(&self, token: &str, path: &str) -> Reply {
        self.send(token, Method::GET, path, &Value::Null).await
    }

    pub async fn post(&self, token: &str, path: &str, body: Value) -> Reply {
        self.send(token, Method::POST, path, &body).await
    }

    pub async fn put(&self, token: &str, path: &str, body: Value) -> Reply {
        self.send(token, Method::PUT, path, &body).await
    }

    pub async fn patch(&self, token: &str, path: &str, operations: Value) -> Reply {
        let body =
            json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
        self.send(token, Method::PATCH, path, &body).await
    }

    pub async fn delete(&self, token: &str, path: &str) -> Reply {
        self.send(token, Method::DELETE, path, &Value::Null).await
    }

    /// A user with nothing but a name.
    pub async fn user(&self, token: &str, name: &str) -> String {
        self.post(token, "/Users", user(name)).await.expect(201).id()
    }

    pub async fn group(&self, token: &str, name: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": name,
            "members": members,
        });
        self.post(token, "/Groups", body).await.expect(201).id()
    }

    /// The member ids that a group shows.
    pub async fn members(&self, token: &str, group: &str) -> Vec<String> {
        let reply = self.get(token, &format!("/Groups/{group}")).await.expect(200);
        let members = reply.body["members"].as_array().cloned().unwrap_or_default();
        let mut ids: Vec<String> = members
            .iter()
            .map(|m| m["value"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    }

    /// Everything in the log.
    pub fn events(&self) -> Vec<Event> {
        let mut reader = self.log.reader(Stream::Events, Partition::ONLY, None).unwrap();
        let mut events = Vec::new();
        loop {
            let batch = reader.next_batch_blocking(BatchLimits::REPLAY).unwrap();
            if batch.is_empty() {
                return events;
            }
            events.extend(batch.iter().map(|record| Event::decode(record.value).unwrap()));
        }
    }
}

pub fn user(name: &str) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name})
}

pub fn query(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

pub fn sorted(ids: &[&String]) -> Vec<String> {
    let mut ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
    ids.sort();
    ids
}
