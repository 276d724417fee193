//! Durable SCIM writes over 64 connections.

use std::time::Duration;

use rollcall_fluent_sim::Down;

use crate::figures::{Processor, head, rate, row};
use crate::rooms::{Handles, until};
use crate::world::World;
use crate::writers::{Load, send};

const CONNECTIONS: usize = 64;
const LASTS: Duration = Duration::from_secs(4);
async fn measure(world: &World, name: &str, load: Load, lasts: Duration) -> f64 {
    let address = world.engine.address();
    let processor = Processor::now();
    let sent = send(&[address], CONNECTIONS, load, lasts).await;
    let used = processor.since();
    let rate = rate(name, sent.requests, sent.took, &used.each(sent.requests));
    row("", sent.times.line());
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
