//! The binary of Rollcall as a library: configuration, commands, the admin socket, keys, health and metrics.
//! What runs between them is put together in [`engine`].
//!
//! It decides nothing about users. It is the only crate (beside `xtask`) that knows `anyhow`, and the only
//! one that reads the environment: everything below gets its settings as values.
//!
//! Invariants:
//! - A configuration is taken whole or refused whole, with all its mistakes ([`config`]).
//! - Secrets are in `secrecy` types from the moment they are read, and in no error, log line or output.
//! - A running instance is reached over the admin socket alone; both ends share the types of [`admin::api`].

pub mod admin;
pub mod cli;
pub mod config;
mod demo;
mod digest;
pub mod engine;
pub mod exit;
mod files;
pub mod health;
pub mod keys;
pub mod logging;
pub mod metrics;
pub mod output;
pub mod tokens;

/// The allocator of the process, here so that the benchmarks measure what the binary uses. Chosen by measurement: see
/// `docs/benchmarks.md`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The environment variable, when it is set and is UTF-8: the one place where the environment is read.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the edge where settings come in")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
