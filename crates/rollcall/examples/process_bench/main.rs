//! Several processes over Apache Kafka: real brokers, real processes of `rollcall`, the Fluent simulator.
//!
//!     cargo run --release -p rollcall --example process_bench [writes|latency|replay|leaver|lost]…
//!
//! - `writes`: durable SCIM writes through two `ingest` processes together, beside one process over the embedded log;
//! - `latency`: one write after the other over one connection, `ingest` beside one process over the embedded log;
//! - `replay`: the log in Kafka read and folded, beside reading alone;
//! - `leaver`: from a leaver's request at an `ingest` process to the deactivating mutation, while 100,000 joiners are
//!   queued;
//! - `lost`: time to ready of processes that lost their state, with 1,000,000 events, beside one that kept it.
//!
//! Smaller for a quick try: `SECONDS=n` (`writes`), `REQUESTS=n` (`latency`), `EVENTS=n` (`replay`, `lost`),
//! `BACKFILL=n` and `EACH=n` (`leaver`, joiners and processes of each role). `PHASES=1` shows what the processes log.
//!
//! One broker, all processes, the simulator and the load generator share this machine. The processes are this very
//! program, started under the name `rollcall`: then it does what `rollcall` does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    clippy::large_futures,
    reason = "a tool for developers: it ends where it cannot go on, and counts in floating point"
)]

#[path = "../common/mod.rs"]
mod common;
mod latency;
mod leaver;
mod lost;
#[path = "../../../projector/examples/mix/mod.rs"]
mod mix;
mod program;
mod replay;
mod town;
mod writes;

use std::process::ExitCode;

use common::{client, figures, leavers, people, rooms, writers};
use rooms::Rooms;

fn main() -> ExitCode {
    if program::is_meant() {
        return rollcall::cli::main();
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked = |name: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == name);
    println!(
        "broker, processes, Fluent simulator and load generator share this machine; {}",
        figures::machine()
    );
    if asked("writes") {
        Rooms::new().run(writes::run);
    }
    if asked("latency") {
        Rooms::new().run(latency::run);
    }
    if asked("replay") {
        Rooms::new().run(replay::run);
    }
    if asked("leaver") {
        Rooms::new().run(leaver::run);
    }
    if asked("lost") {
        Rooms::new().run(lost::run);
    }
    ExitCode::SUCCESS
}
