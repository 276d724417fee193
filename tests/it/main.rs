//! The whole-engine tests: one binary, a module for each area.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod commands;
mod compose;
mod config;
mod demo;
mod engine;
mod kafka;
mod schemas;
mod scim;
mod tidy;
