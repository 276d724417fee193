//! Processes that lost their state: how long until they are ready.

use std::path::Path;
use std::time::Instant;

use crate::figures::{Times, processor_of, resident, row};
use crate::program::Program;
use crate::rooms::{Handles, size};
use crate::town::{Town, title};

const STARTS: usize = 3;

/// From the start of the process to its being ready, in ms.
async fn start(role: &str, folder: &Path, events: u64) -> (Program, f64) {
    let began = Instant::now();
    let program = Program::start(role, folder);
    program.ready().await;
    let took = began.elapsed().as_secs_f64() * 1000.0;
    let taken_in = program.figure("rollcall_sequence").await;
    assert!(
        taken_in >= events as f64,
        "ready with {taken_in} of {events} events"
    );
    (program, took)
}

async fn measure(town: &Town, role: &str, events: u64) {
    let folder = town.folder(role);
    let (mut lost, mut kept, mut used) = (Times::default(), Times::default(), Times::default());
    let mut memory = 0;
    for _ in 0..STARTS {
        town.lose(&folder);
        let (program, took) = start(role, &folder, events).await;
        lost.add(took);
        used.add(processor_of(program.id()));
        memory = resident(&program.id().to_string());
        program.stop();
        let (program, took) = start(role, &folder, events).await;
        kept.add(took);
        program.stop();
    }
    row(
        &format!("{role}: ready with its state lost (mark: 10 s)"),
        lost.line(),
    );
    row(&format!("{role}: ready with its state kept"), kept.line());
    row(
        "  ratio of the medians; events/s; its processor time; memory",
        format!(
            "{:.1}; {:.0}/s; {:.2} s; {} MB",
            lost.at(50) / kept.at(50),
            events as f64 / lost.at(50) * 1000.0,
            used.at(50),
            memory / 1_000_000
        ),
    );
}

pub(crate) async fn run(handles: Handles) {
    let events = size("EVENTS", 1_000_000);
    let town = Town::found(&handles).await;
    title(&format!("processes that lost their state, {events} events"));
    let mean = town.append_mix(events).await;
    row("mean size of an event", format!("{mean} B"));
    for role in ["project", "ingest"] {
        measure(&town, role, events).await;
    }
    town.end().await;
}
