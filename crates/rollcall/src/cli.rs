//! The command line: what can be asked, and who answers.

mod arguments;
mod commands;
mod progress;
mod rules;
mod token;
mod topics;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::admin::{AdminClient, ClientError};
use crate::config::{self, Config};
use crate::engine::{self, Role};
use crate::exit::Failure;
use crate::output::{Format, line};

pub use arguments::{Arguments, Command, LogCommand, RulesCommand, TokenCommand, TopicsCommand};
pub use token::Expiry;

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let format = if arguments.json {
        Format::Json
    } else {
        Format::Human
    };
    match run(arguments, format) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if format == Format::Json {
                eprintln!("{}", failure.to_json());
            } else {
                eprintln!("error: {failure}");
            }
            ExitCode::from(&failure)
        }
    }
}

/// The definition of the command line, for its documentation.
#[must_use]
pub fn definition() -> clap::Command {
    Arguments::command()
}

fn run(arguments: Arguments, format: Format) -> Result<(), Failure> {
    let file = arguments.config.as_path();
    match arguments.command {
        Command::Run => run_as(file, Role::Whole),
        Command::Topics { command } => {
            let config = load(file)?;
            match command {
                None | Some(TopicsCommand::Create) => topics::create(&config, format),
                Some(TopicsCommand::Check) => topics::check(&config, format),
                Some(TopicsCommand::RenewDesired) => topics::renew_desired(&config, format),
            }
        }
        Command::Log {
            command: LogCommand::Copy { from, to },
        } => {
            let config = load(file)?;
            runtime()?.block_on(topics::copy_log(&config, from, to, format))
        }
        Command::Ingest => run_as(file, Role::Ingest),
        Command::Project => run_as(file, Role::Project),
        Command::Reconcile => run_as(file, Role::Reconcile),
        Command::Demo {
            keep,
            kafka,
            scim,
            fluent,
            admin,
        } => {
            let options = engine::DemoOptions {
                keep,
                kafka,
                json: format == Format::Json,
                running: demo_running(scim, fluent, admin)?,
            };
            if runtime()?.block_on(engine::demo(options))? {
                return Ok(());
            }
            Err(Failure::Differs(
                "Fluent differs from what the story should have led to".to_owned(),
            ))
        }
        Command::Sim { listen, seed } => {
            runtime()?.block_on(engine::sim(engine::SimOptions { listen, seed }))?;
            Ok(())
        }
        Command::Token { command } => token::run(file, command, format),
        Command::Check { offline } => commands::check(&load(file)?, offline, format, &runtime()?),
        Command::Rules {
            command: RulesCommand::Check { file },
        } => rules::check(&file, format),
        Command::Explain { user, role, tenant } => ask_or_read(file, |client| {
            commands::explain(client, user, role, tenant, format)
        }),
        Command::Holds { tenant } => ask_or_read(file, |client| commands::holds(client, tenant, format)),
        Command::Status => ask(file, |client| commands::status(client, format)),
        Command::Replay { until, tenant } => {
            ask_or_read(file, |client| commands::replay(client, until, tenant, format))
        }
        Command::Approve {
            hold,
            reject,
            reason,
            tenant,
        } => ask(file, |client| {
            commands::decide(client, hold, reject, reason, tenant, format)
        }),
        Command::Rules {
            command: RulesCommand::Show { tenant },
        } => ask_or_read(file, |client| rules::show(client, tenant, format)),
        Command::Rules {
            command: RulesCommand::Activate { file: rules, tenant },
        } => ask(file, |client| rules::activate(client, rules, tenant, format)),
    }
}

/// The processes that the demo is told to act on; none when it brings its own.
fn demo_running(
    scim: Vec<String>,
    fluent: Option<String>,
    admin: Vec<PathBuf>,
) -> Result<Option<engine::Running>, Failure> {
    let Some(fluent) = fluent else { return Ok(None) };
    let token = |name: &str| {
        crate::environment(name).ok_or_else(|| Failure::Usage(format!("{name} holds no token for the demo")))
    };
    Ok(Some(engine::Running {
        scim,
        fluent,
        admin,
        tokens: [token("ROLLCALL_ENTRA_TOKEN")?, token("ROLLCALL_OKTA_TOKEN")?],
    }))
}

/// Runs a role until it is told to end. What still hangs in a thread then does not keep the process.
fn run_as(file: &Path, role: Role) -> Result<(), Failure> {
    let config = load(file)?;
    crate::logging::start(&config.logging).map_err(Failure::Usage)?;
    let runtime = runtime()?;
    let ended = runtime.block_on(engine::run(config, role));
    runtime.shutdown_background();
    Ok(ended?)
}

fn load(file: &Path) -> Result<Config, Failure> {
    Ok(config::load(file, &crate::environment)?)
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    built.map_err(|error| Failure::Other(anyhow::Error::new(error).context("the runtime cannot be started")))
}

/// Asks the running instance. Only two paths are read of the configuration: its secrets need not be at hand where an
/// operator works, and a mistake elsewhere in it must not keep him from looking.
fn ask<F>(file: &Path, work: impl FnOnce(AdminClient) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let places = config::load_places(file)?;
    runtime()?.block_on(work(AdminClient::new(&places.socket)))
}

/// Asks the running instance, or the files when none runs.
fn ask_or_read<F>(file: &Path, work: impl FnOnce(AdminClient) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let places = config::load_places(file)?;
    runtime()?.block_on(async {
        let client = AdminClient::new(&places.socket);
        match client.status().await {
            Err(none @ ClientError::NoInstance { .. }) => match engine::Offline::open(&places.data).await {
                Ok(offline) => {
                    eprintln!(
                        "no instance runs: answered from the files in {}",
                        places.data.display()
                    );
                    work(offline.client()).await
                }
                Err(error) => {
                    eprintln!("the files cannot be looked at either: {error:#}");
                    Err(Failure::Instance(none))
                }
            },
            _ => work(client).await,
        }
    })
}

/// A sentence and a JSON document for something that was recorded.
fn print_recorded(recorded: &crate::admin::api::Recorded, format: Format, what: &str) {
    format.print(recorded, || match recorded.event {
        Some(event) => format!("{what}: event {event}, sequence {}", recorded.sequence),
        None => format!("{what}: it is so already (sequence {})", recorded.sequence),
    });
}

/// A line of a stream of JSON documents.
fn print_json_line(value: &impl serde::Serialize) {
    line(&serde_json::to_string(value).unwrap_or_default());
}
