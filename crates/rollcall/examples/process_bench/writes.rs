//! Durable SCIM writes through two `ingest` processes.

use std::time::Duration;

use rollcall_fluent_sim::Down;

use crate::figures::{rate, row};
use crate::program::Program;
use crate::rooms::{Handles, size};
use crate::town::{Town, title};
use crate::writers::{Load, send};

const CONNECTIONS: usize = 64;
const MARK: f64 = 5_000.0;

async fn measure(town: &Town, name: &str, programs: &[Program], load: Load, lasts: Duration) -> f64 {
    let doors: Vec<_> = programs.iter().take(2).map(Program::address).collect();
    let before = town.used(programs);
    let sent = send(&doors, CONNECTIONS, load, lasts).await;
    let used = before.each(&town.used(programs), sent.requests);
    let rate = rate(name, sent.requests, sent.took, &used);
    row("", sent.times.line());
    rate
}

/// POST and PATCH per second.
async fn measure_both(town: &Town, name: &str, programs: &[Program]) -> (f64, f64) {
    let lasts = Duration::from_secs(size("SECONDS", 5));
    measure(town, "(warm-up)", programs, Load::Post, Duration::from_secs(1)).await;
    let post = measure(town, &format!("POST users, {name}"), programs, Load::Post, lasts).await;
    let patch = measure(
        town,
        &format!("PATCH active, {name}"),
        programs,
        Load::Patch,
        lasts,
    )
    .await;
    (post, patch)
}

pub(crate) async fn run(handles: Handles) {
    let town = Town::with_world(&handles).await;
    title(&format!(
        "durable SCIM writes, {CONNECTIONS} connections, Fluent away"
    ));
    let embedded = vec![town.start_embedded().await];
    town.sim.handle().set_down(Some(Down::Refuse)).await;
    let alone = measure_both(&town, "one process, embedded", &embedded).await;
    embedded.into_iter().for_each(Program::stop);

    let one = vec![town.start("ingest", 0).await];
    measure_both(&town, "one ingest", &one).await;
    let mut programs = one;
    programs.push(town.start("ingest", 1).await);
    let two = measure_both(&town, "two ingest", &programs).await;
    programs.push(town.start("project", 0).await);
    programs.push(town.start("reconcile", 0).await);
    let four = measure_both(&town, "two ingest, project, reconcile", &programs).await;
    row(
        "two ingest: of the mark, 5,000/s; of the embedded process",
        format!(
            "POST {:.2}, PATCH {:.2}; {:.2}, {:.2}",
            two.0 / MARK,
            two.1 / MARK,
            two.0 / alone.0,
            two.1 / alone.1
        ),
    );
    row(
        "the same with project and reconcile beside them",
        format!(
            "POST {:.2}, PATCH {:.2}; {:.2}, {:.2}",
            four.0 / MARK,
            four.1 / MARK,
            four.0 / alone.0,
            four.1 / alone.1
        ),
    );
    programs.into_iter().for_each(Program::stop);
    town.end().await;
}
