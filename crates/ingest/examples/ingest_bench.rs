//! Durable SCIM writes through the door, from 64 connections, on the embedded log.
//!
//! Half are POSTs of new users, half PATCHes that deactivate them; the projector folds and computes desired users
//! beside them, as in the running process. Baselines of the same run: an empty HTTP answer from the same listener,
//! and appends of records of the same size by the log alone. The load generator shares the machine.
//!
//!     cargo run --release -p rollcall-ingest --example ingest_bench [SECONDS]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a bench ends where it cannot go on"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::any;
use bytes::Bytes;
use futures::future::join_all;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rollcall_domain::{ConnectionName, TenantId, TenantKey};
use rollcall_eventlog::{AppendLog as _, EmbeddedLog, EmbeddedOptions, Record, Stream};
use rollcall_ingest::{
    Connection, Dialect, Directory, Door, DoorConfig, RandomIds, SystemClock, TokenHash, serve,
};
use rollcall_projector::{Projector, TenantSetup};
use tokio::net::{TcpListener, TcpStream};

const CLIENTS: usize = 64;
const TOKEN: &str = "a-token-for-the-bench-0123456789";

struct Client {
    sender: SendRequest<Full<Bytes>>,
    latencies: Vec<Duration>,
}

impl Client {
    async fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender.ready().await.unwrap();
        Self {
            sender,
            latencies: Vec::new(),
        }
    }

    async fn send(&mut self, method: &str, path: &str, body: String, expected: u16) -> Bytes {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "bench")
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("content-type", "application/scim+json")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let started = Instant::now();
        let response = self.sender.send_request(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(status, expected, "{}", String::from_utf8_lossy(&body));
        self.latencies.push(started.elapsed());
        body
    }

    async fn write(&mut self, client: usize, until: Instant) {
        let mut n = 0;
        while Instant::now() < until {
            n += 1;
            let body = self.send("POST", "/scim/v2/Users", user(client, n), 201).await;
            let at = body.windows(6).position(|w| w == b"\"id\":\"").unwrap() + 6;
            let id = std::str::from_utf8(&body[at..at + 36]).unwrap();
            let off = concat!(
                r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"#,
                r#""Operations":[{"op":"Replace","path":"active","value":"False"}]}"#
            );
            self.send("PATCH", &format!("/scim/v2/Users/{id}"), off.to_owned(), 200)
                .await;
        }
    }

    async fn ping(&mut self, until: Instant) {
        while Instant::now() < until {
            self.send("POST", "/ping", String::new(), 200).await;
        }
    }
}

fn user(client: usize, n: usize) -> String {
    format!(
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"externalId":"00u{client:04}{n:08}",
        "userName":"associate.{client}.{n}@store.example","active":true,"displayName":"Associate {client} {n}",
        "name":{{"formatted":"Associate {n}","familyName":"Number {n}","givenName":"Associate"}},
        "emails":[{{"primary":true,"type":"work","value":"associate.{client}.{n}@store.example"}}],
        "roles":[{{"primary":true,"type":"WindowsAzureActiveDirectoryRole","value":"Agent_CHIC-01_ASSOCIATE"}}]}}"#
    )
}

/// User and system time of this process, in seconds.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = [11, 12]
        .iter()
        .map(|at| fields[*at].parse::<f64>().unwrap())
        .sum();
    ticks / 100.0
}

struct Measured {
    rate: f64,
    cpu_us: f64,
    p50: Duration,
    p99: Duration,
}

async fn measure(address: SocketAddr, seconds: u64, writes: bool) -> Measured {
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(Client::new(address).await);
    }
    let (started, cpu) = (Instant::now(), cpu_seconds());
    let until = started + Duration::from_secs(seconds);
    let runs = clients.into_iter().enumerate().map(|(number, mut client)| {
        tokio::spawn(async move {
            if writes {
                client.write(number, until).await;
            } else {
                client.ping(until).await;
            }
            client.latencies
        })
    });
    let mut latencies: Vec<Duration> = join_all(runs)
        .await
        .into_iter()
        .flat_map(Result::unwrap)
        .collect();
    let (took, cpu) = (started.elapsed(), cpu_seconds() - cpu);
    latencies.sort();
    let count = latencies.len();
    Measured {
        rate: count as f64 / took.as_secs_f64(),
        cpu_us: cpu * 1e6 / count as f64,
        p50: latencies[count / 2],
        p99: latencies[count * 99 / 100],
    }
}

/// Appends of single records of the same size from as many tasks.
async fn log_alone(seconds: u64) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(EmbeddedLog::open(dir.path(), EmbeddedOptions::default()).unwrap());
    let until = Instant::now() + Duration::from_secs(seconds);
    let tasks = (0..CLIENTS).map(|_| {
        let log = Arc::clone(&log);
        tokio::spawn(async move {
            let mut count = 0u64;
            while Instant::now() < until {
                let record = Record::new("acme", vec![b'x'; 700]);
                log.append(Stream::Events, vec![record]).await.unwrap();
                count += 1;
            }
            count
        })
    });
    let total: u64 = join_all(tasks).await.into_iter().map(Result::unwrap).sum();
    total as f64 / seconds as f64
}

fn main() {
    let seconds = std::env::args()
        .filter_map(|arg| arg.parse().ok())
        .next()
        .unwrap_or(5);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(run(seconds));
}

async fn run(seconds: u64) {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(EmbeddedLog::open(dir.path(), EmbeddedOptions::default()).unwrap());
    let tenant = TenantId::new("acme").unwrap();
    let setup = TenantSetup {
        id: tenant.clone(),
        key: TenantKey::new([7; 32]),
    };
    let (events, state) = (Arc::clone(&log) as _, dir.path().join("state"));
    let start = move || Projector::start(events, &state, vec![setup]);
    let projector = tokio::task::spawn_blocking(start).await.unwrap().unwrap();
    let directory: Arc<dyn Directory> = Arc::new(projector.tenant(&tenant).unwrap());
    let connection = Connection {
        tenant,
        name: ConnectionName::new("entra").unwrap(),
        tokens: vec![TokenHash::of(&TOKEN.to_owned().into()).unwrap().into()],
        dialect: Dialect::Tolerant,
        repeated_create: rollcall_ingest::RepeatedCreate::default(),
    };
    let config = DoorConfig::new("https://rollcall.example");
    let tenants = |_: &TenantId| Some(Arc::clone(&directory));
    let door = Door::new(
        config,
        vec![connection],
        log,
        tenants,
        Arc::new(SystemClock),
        Arc::new(RandomIds),
    )
    .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = door.router(Router::new().route("/ping", any(|| async { "" })));
    tokio::spawn(serve(listener, router, std::future::pending()));

    measure(address, 1, true).await;
    let http = measure(address, seconds, false).await;
    let alone = log_alone(seconds).await;
    let writes = measure(address, seconds, true).await;
    println!("load generator and server share this machine; {CLIENTS} connections, {seconds} s each");
    println!(
        "{:<34} {:>10} {:>12} {:>10} {:>10}",
        "", "per second", "CPU µs each", "p50", "p99"
    );
    let row = |name: &str, m: &Measured| {
        println!(
            "{name:<34} {:>10.0} {:>12.1} {:>10.2?} {:>10.2?}",
            m.rate, m.cpu_us, m.p50, m.p99
        );
    };
    row("baseline: an empty HTTP answer", &http);
    println!("{:<34} {alone:>10.0}", "baseline: appends by the log alone");
    row("durable SCIM writes", &writes);
    println!(
        "ratios: {:.2} of HTTP, {:.2} of the log alone",
        writes.rate / http.rate,
        writes.rate / alone
    );
}
