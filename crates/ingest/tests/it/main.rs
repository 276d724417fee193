//! The door over real TCP: a server in this process, requests as identity providers send them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "tests say what they expect"
)]

mod bounds;
mod bulk;
mod conditions;
mod contention;
mod credentials;
mod entra;
mod groups;
mod hostile;
mod leavers;
mod lists;
mod naive;
mod okta;
mod protocol;
mod records;
mod schemas;
mod search;
mod serving;
mod tolerance;
mod users;
mod world;
