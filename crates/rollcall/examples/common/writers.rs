//! SCIM writes over many connections at once.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;

use super::client::Client;
use super::figures::Times;
use super::people::{scim_user, store_role};

/// Users that the PATCHes go over, per connection.
const PATCHED: usize = 50;

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Load {
    Empty,
    Post,
    Patch,
}

/// What was sent, and how long each took that was timed.
pub(crate) struct Sent {
    pub(crate) times: Times,
    pub(crate) requests: usize,
    pub(crate) took: Duration,
}

static NUMBER: AtomicU64 = AtomicU64::new(0);

fn person() -> String {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    scim_user("writer", number, &[store_role(number, "STORE_ASSOCIATE")])
}

async fn connection(address: SocketAddr, load: Load, lasts: Duration) -> Times {
    let mut client = Client::new(address).await;
    let mut users = Vec::new();
    if load == Load::Patch {
        for _ in 0..PATCHED {
            users.push(client.post("/scim/v2/Users", person()).await);
        }
    }
    let (mut times, until, mut turn) = (Times::default(), Instant::now() + lasts, 0);
    while Instant::now() < until {
        let body = if load == Load::Post {
            person()
        } else {
            String::new()
        };
        let sent = Instant::now();
        match load {
            Load::Empty => drop(client.send("GET", "/livez", body, 200).await),
            Load::Post => drop(client.send("POST", "/scim/v2/Users", body, 201).await),
            Load::Patch => {
                client
                    .set_active(&users[turn % PATCHED], (turn / PATCHED) % 2 == 1)
                    .await
            }
        }
        times.time(sent);
        turn += 1;
    }
    times
}

/// Sends over so many connections, dealt out over the addresses.
pub(crate) async fn send(addresses: &[SocketAddr], connections: usize, load: Load, lasts: Duration) -> Sent {
    let started = Instant::now();
    let running: Vec<_> = addresses
        .iter()
        .cycle()
        .take(connections)
        .map(|address| tokio::spawn(connection(*address, load, lasts)))
        .collect();
    let mut times = Times::default();
    for of_one in join_all(running).await {
        times.append(of_one.unwrap());
    }
    let mut requests = times.len();
    if load == Load::Patch {
        requests += connections * PATCHED;
    }
    Sent {
        times,
        requests,
        took: started.elapsed(),
    }
}
