//! What the commands start: the place where log, projector, ingest, reconciler and simulator are put
//! together.
//!
//! The commands call the functions of this module with a checked configuration; a running instance answers
//! operators through an [`AdminService`](crate::admin::AdminService).

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::Config;
use crate::output::Checked;

/// What `rollcall demo` is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoOptions {
    /// Leave everything running at the end, with the addresses printed.
    pub keep: bool,
    /// Print the account as JSON.
    pub json: bool,
}

/// What `rollcall sim` is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimOptions {
    /// Where the simulated Fluent listens.
    pub listen: SocketAddr,
    /// What it holds at first; empty when absent.
    pub seed: Option<PathBuf>,
}

/// Runs the instance until SIGTERM or SIGINT.
///
/// # Errors
/// Anything that keeps it from starting, with what to do.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let _ = config;
    anyhow::bail!("this build has no engine")
}

/// Tells the whole story against the simulator; false when Fluent differs from the expectation at the end.
///
/// # Errors
/// Anything that keeps it from being told.
pub async fn demo(options: DemoOptions) -> anyhow::Result<bool> {
    let _ = options;
    anyhow::bail!("this build has no engine")
}

/// Runs the simulator until SIGTERM or SIGINT.
///
/// # Errors
/// Anything that keeps it from starting.
pub async fn sim(options: SimOptions) -> anyhow::Result<()> {
    let _ = options;
    anyhow::bail!("this build has no engine")
}

/// Tries what the configuration leads to: each tenant's Fluent is logged in to and read. At most one login is
/// made, so that a wrong password cannot lock the account.
pub async fn check_connectivity(config: &Config) -> Vec<Checked> {
    let tenants = config.tenants.iter();
    tenants
        .map(|tenant| Checked::failed(format!("Fluent of {}", tenant.id), "this build has no engine"))
        .collect()
}
