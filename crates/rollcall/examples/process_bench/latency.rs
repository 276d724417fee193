//! One write after the other over one connection.

use std::time::Instant;

use rollcall_fluent_sim::Down;

use crate::client::Client;
use crate::figures::{Times, row};
use crate::people::{scim_user, store_role};
use crate::rooms::{Handles, size};
use crate::town::{Town, title};

/// The two take turns, so that both see the same machine.
const TURNS: u64 = 10;

/// One process, with what its requests took.
struct Side {
    kind: &'static str,
    client: Client,
    sent: u64,
    user: String,
    posts: Times,
    patches: Times,
}

impl Side {
    async fn new(kind: &'static str, mut client: Client) -> Self {
        let person = scim_user(kind, u64::MAX, &[store_role(1, "STORE")]);
        let user = client.post("/scim/v2/Users", person).await;
        Self {
            kind,
            client,
            sent: 0,
            user,
            posts: Times::default(),
            patches: Times::default(),
        }
    }

    async fn turn(&mut self, requests: u64) {
        for _ in 0..requests {
            self.sent += 1;
            let person = scim_user(self.kind, self.sent, &[store_role(self.sent, "STORE_ASSOCIATE")]);
            let began = Instant::now();
            self.client.post("/scim/v2/Users", person).await;
            self.posts.time(began);
            let began = Instant::now();
            self.client
                .set_active(&self.user, self.sent.is_multiple_of(2))
                .await;
            self.patches.time(began);
        }
    }

    fn tell(&self) {
        row(&format!("POST, {}", self.kind), self.posts.line());
        row(&format!("PATCH, {}", self.kind), self.patches.line());
    }
}

pub(crate) async fn run(handles: Handles) {
    let requests = size("REQUESTS", 2_000);
    let town = Town::with_world(&handles).await;
    title("one durable SCIM write after the other, one connection, Fluent away");
    let embedded = town.start_embedded().await;
    town.sim.handle().set_down(Some(Down::Refuse)).await;
    let ingest = town.start("ingest", 0).await;
    let mut sides = [
        Side::new("embedded", Client::new(embedded.address()).await).await,
        Side::new("ingest", Client::new(ingest.address()).await).await,
    ];
    for side in &mut sides {
        side.turn(requests.div_ceil(10)).await;
        (side.posts, side.patches) = (Times::default(), Times::default());
    }
    for _ in 0..TURNS {
        for side in &mut sides {
            side.turn(requests.div_ceil(TURNS)).await;
        }
    }
    sides.iter().for_each(Side::tell);
    let [alone, over_kafka] = &sides;
    row(
        "added at the median (mark: 15 ms)",
        format!(
            "POST {:.2} ms, PATCH {:.2} ms; ratios {:.1}, {:.1}",
            over_kafka.posts.at(50) - alone.posts.at(50),
            over_kafka.patches.at(50) - alone.patches.at(50),
            over_kafka.posts.at(50) / alone.posts.at(50),
            over_kafka.patches.at(50) / alone.patches.at(50),
        ),
    );
    ingest.stop();
    embedded.stop();
    town.end().await;
}
