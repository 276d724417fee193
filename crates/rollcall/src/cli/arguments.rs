//! Commands and options.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use rollcall_domain::{ConnectionName, TenantId};
use rollcall_ingest::{TokenId, TokenName};

use super::token::Expiry;
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
    /// Run everything in one process until SIGTERM.
    Run,
    /// Run one of several processes over Kafka: take what identity providers send.
    Ingest,
    /// Run one of several processes over Kafka: publish what accounts should hold, and bring the policy into force.
    Project,
    /// Run one of several processes over Kafka: make Fluent so.
    Reconcile,
    /// Tell the whole story against a simulated Fluent and compare the result; needs no configuration.
    Demo {
        /// Leave everything running at the end, with the addresses printed.
        #[arg(long)]
        keep: bool,
        /// Keep the log in topics of its own at these brokers (one copy of each), as `host:port` separated by commas.
        #[arg(long, value_name = "BROKERS")]
        kafka: Option<String>,
        /// Tell it to processes that run already: where Entra sends to (http://…/scim/v2), then Okta; their tokens
        /// are in ROLLCALL_ENTRA_TOKEN and ROLLCALL_OKTA_TOKEN.
        #[arg(
            long,
            value_name = "URL",
            requires = "fluent",
            requires = "admin",
            conflicts_with = "kafka"
        )]
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
    /// Check the configuration and the rule files, the brokers and the topics over Kafka, that every Fluent can be
    /// reached, and that it has what the rules name.
    Check {
        /// Leave Fluent and the brokers alone.
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
    /// Work with the tokens by which identity providers come in.
    Token {
        /// What to do with them.
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Make the topics of a log in Kafka that are missing, and the keys of new tenants; check everything.
    Topics {
        /// Only one of the two.
        #[command(subcommand)]
        command: Option<TopicsCommand>,
    },
    /// Work with whole logs.
    Log {
        /// What to do with them.
        #[command(subcommand)]
        command: LogCommand,
    },
    /// Work with rule sets.
    Rules {
        /// What to do with them.
        #[command(subcommand)]
        command: RulesCommand,
    },
}

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it, this once; only its hash is kept. A running instance takes it within two seconds.
    New {
        /// The connection that it opens.
        #[arg(long, value_name = "NAME")]
        connection: ConnectionName,
        /// Its name, as part of the actor of its events; today's date without.
        #[arg(long, value_name = "NAME")]
        name: Option<TokenName>,
        /// When it ends: after a time (90d), at a date (2027-01-31), or never.
        #[arg(long, default_value = "365d", value_name = "TIME|DATE|never")]
        expires: Expiry,
        /// Whose; needed only when several tenants have such a connection.
        #[arg(long)]
        tenant: Option<TenantId>,
    },
    /// List the tokens that were made, with their ids and ends; not the tokens themselves, which nobody knows.
    List {
        /// Only those of this connection.
        #[arg(long, value_name = "NAME")]
        connection: Option<ConnectionName>,
        /// Only those of this tenant.
        #[arg(long)]
        tenant: Option<TenantId>,
    },
    /// Revoke a token for good. A running instance refuses it within two seconds.
    Revoke {
        /// Its id, as `rollcall token list` shows it: 16 digits.
        id: TokenId,
    },
}

/// What can be done with topics.
#[derive(Debug, Subcommand)]
pub enum TopicsCommand {
    /// Look at the topics and change nothing.
    Check,
    /// Make what is missing and check everything; `rollcall topics` alone does the same.
    Create,
    /// Make a lost topic of desired users anew, where the other two are whole. Before that stop every `project` and
    /// remove its `state-…` folders: it fills the topic when it starts with an empty state.
    RenewDesired,
}

/// What can be done with logs.
#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Copy a log from one engine to the other, record by record; a copy that was cut short goes on where it stood.
    /// Nothing may run on either log meanwhile.
    Copy {
        /// A data folder, or `kafka` for the topics of the configuration.
        #[arg(long, value_name = "FOLDER|kafka")]
        from: PathBuf,
        /// The same: where to.
        #[arg(long, value_name = "FOLDER|kafka")]
        to: PathBuf,
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
