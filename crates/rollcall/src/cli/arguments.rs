//! Commands and options.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use rollcall_domain::TenantId;

use crate::admin::api::{HoldName, Until};

/// Keeps Fluent's users and roles in step with the identity provider.
#[derive(Debug, Parser)]
#[command(
    name = "rollcall",
    version,
    after_help = "Exit codes: 0 all went well; 1 failed or differs; 2 command line; \
    3 configuration; 4 no running instance; 5 the instance refused."
)]
pub struct Arguments {
    /// The configuration file.
    #[arg(
        long,
        global = true,
        env = "ROLLCALL_CONFIG",
        default_value = "rollcall.toml",
        value_name = "FILE"
    )]
    pub config: PathBuf,
    /// Print JSON instead of tables.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be asked.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything in one process, on the embedded log, until SIGTERM.
    Run,
    /// Tell the whole story against a simulated Fluent and compare the result; needs no configuration.
    Demo {
        /// Leave everything running at the end, with the addresses printed.
        #[arg(long)]
        keep: bool,
        /// Tell it to processes that run already: where Entra sends to (http://…/scim/v2), then Okta; their tokens
        /// are in ROLLCALL_ENTRA_TOKEN and ROLLCALL_OKTA_TOKEN.
        #[arg(long, value_name = "URL", requires = "fluent", requires = "admin")]
        scim: Vec<String>,
        /// Where the simulated Fluent of those processes is, started with the seed of the story.
        #[arg(long, value_name = "URL", requires = "scim")]
        fluent: Option<String>,
        /// The admin socket of each of those processes.
        #[arg(long, value_name = "SOCKET", requires = "scim")]
        admin: Vec<PathBuf>,
    },
    /// Run a simulated Fluent alone; needs no configuration.
    Sim {
        /// Where it listens.
        #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDRESS")]
        listen: SocketAddr,
        /// What it holds at first (JSON); empty without.
        #[arg(long, value_name = "FILE")]
        seed: Option<PathBuf>,
    },
    /// Check the configuration, the rule files, and that every Fluent can be reached.
    Check {
        /// Leave Fluent alone.
        #[arg(long)]
        offline: bool,
    },
    /// Show what a user should hold, and every reason. Asks the running instance, or reads the files when none runs.
    Explain {
        /// A userName, a SCIM id, or an account key.
        user: String,
        /// Only what concerns this Fluent role, logical role or app role.
        role: Option<String>,
        /// Whose; needed only when there are several tenants.
        #[arg(long)]
        tenant: Option<TenantId>,
    },
    /// List what is held, why, and what waits for a decision. Asks the running instance, or reads the files.
    Holds {
        /// Whose; needed only when there are several tenants.
        #[arg(long)]
        tenant: Option<TenantId>,
    },
    /// Show how the running instance is.
    Status,
    /// Fold the log anew and print the desired users as of a point in its history. Asks the running instance, or
    /// reads the files.
    Replay {
        /// A sequence number, a time (2026-03-01T09:30:00Z), or `end`.
        #[arg(long, value_name = "TIME|POSITION")]
        until: Until,
        /// Whose; needed only when there are several tenants.
        #[arg(long)]
        tenant: Option<TenantId>,
    },
    /// Decide on something that waits: let it happen, or not. Asks the running instance.
    Approve {
        /// As `rollcall holds` names it, such as `guard:EVENT`.
        hold: HoldName,
        /// Keep things as they are instead.
        #[arg(long)]
        reject: bool,
        /// Why; stands in the log.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Whose; needed only when there are several tenants.
        #[arg(long)]
        tenant: Option<TenantId>,
    },
    /// Work with rule sets.
    Rules {
        /// What to do with them.
        #[command(subcommand)]
        command: RulesCommand,
    },
}

/// What can be done with rule sets.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Activate a rule file in the running instance, whole or not at all.
    Activate {
        /// The file.
        file: PathBuf,
        /// Whose; needed only when there are several tenants.
        #[arg(long)]
        tenant: Option<TenantId>,
    },
    /// Print the rule set in force, as a rule file. Asks the running instance, or reads the files.
    Show {
        /// Whose; needed only when there are several tenants.
        #[arg(long)]
        tenant: Option<TenantId>,
    },
    /// Check a rule file; every mistake is named. Needs no configuration.
    Check {
        /// The file.
        file: PathBuf,
    },
}
