//! What the benchmarks of the whole share: people, a client, a load of writes, leavers, configurations and figures.
#![allow(dead_code, reason = "each of them uses a part of it")]

pub(crate) mod client;
pub(crate) mod figures;
pub(crate) mod leavers;
pub(crate) mod people;
pub(crate) mod rooms;
pub(crate) mod writers;
