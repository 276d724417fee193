//! The reconciler against the simulator over real HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod catalog;
mod chaos;
mod crash;
mod faults;
mod fleet;
mod late;
mod order;
mod ownership;
mod rename;
mod sharing;
mod steps;
mod stop;
mod support;
