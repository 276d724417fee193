//! What the benchmarks of the door share: a door over the embedded log, a client from outside, processor time.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::any;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rollcall_domain::{ConnectionName, TenantId, TenantKey};
use rollcall_eventlog::EmbeddedLog;
use rollcall_ingest::{
    Connection, Dialect, Directory, Door, DoorConfig, RandomIds, RepeatedCreate, SystemClock, TokenHash,
    serve,
};
use rollcall_projector::{Projector, TenantHandle, TenantSetup};
use tokio::net::{TcpListener, TcpStream};

const TOKEN: &str = "a-token-for-the-bench-0123456789";

/// The tenant whose requests are measured.
pub(crate) fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

/// The key of its name hashes.
pub(crate) fn key() -> TenantKey {
    TenantKey::new([7; 32])
}

/// Folds the log into a state in this folder. Whoever drops the projector ends it.
pub(crate) async fn project(log: &Arc<EmbeddedLog>, folder: &Path) -> (Projector, TenantHandle) {
    let setup = TenantSetup {
        id: tenant(),
        key: key(),
    };
    let (events, state) = (Arc::clone(log) as _, folder.join("state"));
    let start = move || Projector::start(events, &state, vec![setup]);
    let projector = tokio::task::spawn_blocking(start).await.unwrap().unwrap();
    let directory = projector.tenant(&tenant()).unwrap();
    (projector, directory)
}

/// Serves the tenant's connection, and an empty answer at `/ping`.
pub(crate) async fn open_door(log: Arc<EmbeddedLog>, directory: TenantHandle) -> SocketAddr {
    let directory: Arc<dyn Directory> = Arc::new(directory);
    let connection = Connection {
        tenant: tenant(),
        name: ConnectionName::new("entra").unwrap(),
        tokens: vec![TokenHash::of(&TOKEN.to_owned().into()).unwrap().into()],
        dialect: Dialect::Tolerant,
        repeated_create: RepeatedCreate::default(),
    };
    let door = Door::new(
        DoorConfig::new("https://rollcall.example"),
        vec![connection],
        log,
        |_: &TenantId| Some(Arc::clone(&directory)),
        Arc::new(SystemClock),
        Arc::new(RandomIds),
    )
    .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = door.router(Router::new().route("/ping", any(|| async { "" })));
    tokio::spawn(serve(listener, router, std::future::pending()));
    address
}

/// What came back, and after which time it was there whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    pub(crate) took: Duration,
}

/// One connection of an identity provider.
pub(crate) struct Client(SendRequest<Full<Bytes>>);

impl Client {
    pub(crate) async fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender.ready().await.unwrap();
        Self(sender)
    }

    pub(crate) async fn send(&mut self, method: &str, path: &str, body: String) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "bench")
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("content-type", "application/scim+json")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        self.0.ready().await.unwrap();
        let started = Instant::now();
        let response = self.0.send_request(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer {
            status,
            body,
            took: started.elapsed(),
        }
    }
}

/// User and system time of this process, in seconds.
pub(crate) fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = [11, 12]
        .iter()
        .map(|at| fields[*at].parse::<f64>().unwrap())
        .sum();
    ticks / 100.0
}
