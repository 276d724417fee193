//! The whole engine over real HTTP, with the Fluent simulator and the load generator in the same process.
//!
//!     cargo run --release -p rollcall --example engine_bench [joiner|writes|backfill|restart]…
//!
//! - `joiner`: SCIM POST to a usable user on an idle system, beside the simulator asked directly;
//! - `writes`: durable SCIM writes over 64 connections, beside an empty answer of the same listener;
//! - `backfill`: leavers while 100,000 joiners are worked off, membership changes in groups of three sizes, and a
//!   role added to a group of 100,000;
//! - `restart`: time to ready with 1,000,000 users after a clean stop and after `kill -9`, and what a resync costs.
//!
//! `USERS=n` makes `restart` smaller, `BACKFILL=n` the backfill; `PHASES=1` lets the restarted engine log what its
//! start spends its time on. What is written lies in the system's temporary folder (`TMPDIR`): on the disk to be
//! measured.
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

mod backfill;
#[path = "../common/mod.rs"]
mod common;
mod joiner;
mod restart;
mod world;
mod writes;

use common::{client, figures, leavers, people, rooms, writers};
use rooms::Rooms;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, config, seed] = arguments.as_slice()
        && word == "serve"
    {
        return restart::serve(config, seed);
    }
    let asked = |name: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == name);
    println!(
        "load generator, Fluent simulator and engine share this machine; {}",
        figures::machine()
    );
    if asked("joiner") {
        Rooms::new().run(joiner::run);
    }
    if asked("writes") {
        Rooms::new().run(writes::run);
    }
    if asked("backfill") {
        Rooms::new().run(backfill::run);
    }
    if asked("restart") {
        Rooms::new().run(restart::run);
    }
}
