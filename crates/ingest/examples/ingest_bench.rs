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

use bytes::Bytes;
use futures::future::join_all;
use rollcall_eventlog::{AppendLog as _, EmbeddedLog, EmbeddedOptions, Record, Stream};

mod common;
use common::{cpu_seconds, open_door, project};

const CLIENTS: usize = 64;

/// A client that keeps the time of every request.
struct Client {
    client: common::Client,
    latencies: Vec<Duration>,
}

impl Client {
    async fn new(address: SocketAddr) -> Self {
        Self {
            client: common::Client::new(address).await,
            latencies: Vec::new(),
        }
    }

    async fn send(&mut self, method: &str, path: &str, body: String, expected: u16) -> Bytes {
        let answer = self.client.send(method, path, body).await;
        assert_eq!(
            answer.status,
            expected,
            "{}",
            String::from_utf8_lossy(&answer.body)
        );
        self.latencies.push(answer.took);
        answer.body
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
    let (_projector, directory) = project(&log, dir.path()).await;
    let address = open_door(log, directory).await;

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
