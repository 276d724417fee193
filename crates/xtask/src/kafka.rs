//! `cargo xtask kafka`: a broker for a developer; and the one that the tests share.

use std::process::Command;

use anyhow::{Context as _, Result};
use rollcall_kafka_local::{
    Brokers, Cluster, GIVEN_BROKERS, Home, Ports, Settings, VERSION, install_missing,
};

use crate::stage::Verdict;

/// Runs it in the foreground until it is interrupted or a broker ends.
pub(crate) fn run(brokers: &str, port: u16, fresh: bool) -> Result<bool> {
    install_missing()?;
    let count = if brokers == "3" {
        Brokers::Three
    } else {
        Brokers::One
    };
    let settings = Settings {
        brokers: count,
        home: Home::Kept(format!("dev-{brokers}")),
        ports: Ports::From(port),
        heap: 512,
        fresh,
        ..Settings::default()
    };
    let cluster = Cluster::start(&settings)?;
    let in_sync = if count == Brokers::Three { 2 } else { 1 };
    println!(
        "Apache Kafka {VERSION} listens on {addresses}. What it is given stays in {folder}.\n\n\
         In rollcall.toml:\n\n    \
         [log]\n    engine = \"kafka\"\n    path = \"data\"\n\n    \
         [kafka]\n    brokers = \"{addresses}\"\n    replication = {brokers}\n    min_insync = {in_sync}\n\n\
         Ctrl-C ends it.",
        addresses = cluster.bootstrap(),
        folder = cluster.folder().display(),
    );
    Err(cluster.until_one_ends().into())
}

/// The broker of a run of the tests. Dropped, it is ended.
pub(crate) struct TestBroker(Option<Cluster>);

impl TestBroker {
    /// Starts it, unless one is given; what is missing on this machine is installed where that is possible.
    pub(crate) fn start(&mut self) -> Result<Verdict> {
        #[expect(clippy::disallowed_methods, reason = "the tests read the same variable")]
        let given = std::env::var(GIVEN_BROKERS)
            .ok()
            .filter(|given| !given.is_empty());
        if let Some(given) = given {
            println!("the tests use the given broker at {given}");
            return Ok(Verdict::Passed);
        }
        install_missing()?;
        let cluster = Cluster::start(&Settings::default()).context("Kafka does not start")?;
        println!("Apache Kafka {VERSION} on {}", cluster.bootstrap());
        self.0 = Some(cluster);
        Ok(Verdict::Passed)
    }

    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Tells a command where it is.
    pub(crate) fn tell(&self, command: &mut Command) {
        if let Self(Some(cluster)) = self {
            command.env(GIVEN_BROKERS, cluster.bootstrap());
        }
    }
}
