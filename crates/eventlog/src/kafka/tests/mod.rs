#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod added;
mod broker;
mod copying;
mod ends;
mod faults;
mod holes;
mod membership;
mod mock;
mod outage;
mod replaced;
mod security;
mod topic_checks;
