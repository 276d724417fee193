//! For tests: the conformance suite that every engine runs, and an embedded log whose file fails on command.
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

pub use conformance::*;
pub use faults::{Faults, open_faulty};
