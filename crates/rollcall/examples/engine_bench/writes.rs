//! Durable SCIM writes over 64 connections.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use rollcall_fluent_sim::Down;

use crate::client::Client;
use crate::figures::{Processor, Times, head, rate, row};
use crate::people::{scim_user, store_role};
use crate::rooms::{Handles, World, until};

const CONNECTIONS: usize = 64;
const LASTS: Duration = Duration::from_secs(4);
/// Users that the PATCHes go over, per connection.
const PATCHED: usize = 50;

#[derive(Clone, Copy, PartialEq)]
enum Load {
    Empty,
    Post,
    Patch,
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

async fn measure(world: &World, name: &str, load: Load, lasts: Duration) -> f64 {
    let address = world.engine.address();
    let (started, processor) = (Instant::now(), Processor::now());
    let running: Vec<_> = (0..CONNECTIONS)
        .map(|_| tokio::spawn(connection(address, load, lasts)))
        .collect();
    let mut all = Times::default();
    for times in join_all(running).await {
        all.append(times.unwrap());
    }
    let mut requests = all.len();
    if load == Load::Patch {
        requests += CONNECTIONS * PATCHED;
    }
    let took = started.elapsed();
    let used = processor.since();
    let rate = rate(name, requests, took, &used.each(requests));
    row("", all.line());
    rate
}

pub(crate) async fn run(handles: Handles) {
    let world = World::start(handles).await;
    head(&format!(
        "durable SCIM writes, {CONNECTIONS} connections, embedded log"
    ));
    let short = Duration::from_secs(1);
    let sim = world.sim.handle();
    sim.set_down(Some(Down::Refuse)).await;
    measure(&world, "(warm-up)", Load::Post, short).await;
    let empty = measure(&world, "baseline: an empty HTTP answer", Load::Empty, LASTS).await;
    let post = measure(&world, "POST users, Fluent away", Load::Post, LASTS).await;
    let patch = measure(&world, "PATCH active, Fluent away", Load::Patch, LASTS).await;
    sim.set_down(None).await;
    // The reconciler has noticed, and works off all of the above.
    let before = sim.user_count();
    until(Duration::from_millis(5), || sim.user_count() > before + 100).await;
    let both = measure(
        &world,
        "POST users, a backlog sent to Fluent meanwhile",
        Load::Post,
        LASTS,
    )
    .await;
    row(
        "ratios to an empty answer",
        format!(
            "POST {:.2}, PATCH {:.2}, with Fluent {:.2}",
            post / empty,
            patch / empty,
            both / empty
        ),
    );
    row(
        "mark: 10,000/s",
        format!("{:.2} of it (POST), {:.2} (PATCH)", post / 1e4, patch / 1e4),
    );
    world.stop().await;
}
