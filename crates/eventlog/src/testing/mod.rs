//! For tests: the conformance suite that every engine runs, an embedded log whose file fails on command,
//! and a log in memory with several partitions.
//!
//! An engine runs the suite with [`conformance_tests!`](crate::conformance_tests) in a test module.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod conformance;
mod faults;
mod partitioned;

pub use conformance::*;
pub use faults::{Faults, open_faulty};
pub use partitioned::{DealtMembership, PartitionedLog, Remaining};
