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
mod bulk_leavers;
mod certificate;
mod conditions;
mod contention;
mod credentials;
mod entra;
mod groups;
mod hostile;
mod leavers;
mod limits;
mod lists;
mod naive;
mod oauth;
mod okta;
mod protocol;
mod records;
mod schemas;
mod search;
mod serving;
mod tls;
mod tokens;
mod tolerance;
mod users;
mod world;
