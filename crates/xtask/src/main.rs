//! `cargo xtask`: everything that a check, a benchmark or a generated file of this repository needs, on a
//! machine that has a Rust toolchain, a C and C++ compiler, make, perl and Python with venv.

mod bench;
mod deny;
mod kafka;
mod stage;
mod suite;
mod suites;
mod tools;
mod venv;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Checks, benchmarks and generated files of this repository"
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Formatting, lints, documentation, dependencies, SCIM suites of others, then every test; ends with
    /// the number of tests.
    Test {
        /// Leave out the documentation, the dependencies and the suites.
        #[arg(long)]
        quick: bool,
    },
    /// The SCIM suites of others alone.
    Suites,
    /// Write schemas/ from the types of the domain; stored forms are only ever added.
    Schemas,
    /// Write every golden file from what is produced now; review the difference.
    Golden,
    /// Run Apache Kafka on this machine until Ctrl-C; what it is given is kept in target/kafka.
    Kafka {
        /// How many brokers.
        #[arg(long, value_parser = ["1", "3"], default_value = "1")]
        brokers: String,
        /// Where clients connect; two brokers more take the two ports after it.
        #[arg(long, default_value_t = 9092)]
        port: u16,
        /// Forget what was kept.
        #[arg(long)]
        fresh: bool,
    },
    /// Run the benchmarks in release and print their tables.
    Bench {
        /// Only those whose name holds this text.
        filter: Option<String>,
        /// What is passed on to them.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Test { quick } => suite::run(quick),
        Task::Suites => suites::alone(),
        Task::Schemas => tools::write_golden(&["schemas::"]),
        Task::Golden => tools::write_golden(&[]),
        Task::Kafka { brokers, port, fresh } => kafka::run(&brokers, port, fresh),
        Task::Bench { filter, arguments } => bench::run(filter.as_deref().unwrap_or_default(), &arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
