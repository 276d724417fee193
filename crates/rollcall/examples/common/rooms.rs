//! Runtimes with named threads, so that each part's processor time can be told, and what an engine is started with.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rollcall::config::{self, Config};
use rollcall_fluent_sim::{Seed, Sim, SimConfig};
use tokio::runtime::{Builder, Handle, Runtime};

use super::client::TOKEN;
use super::people;

/// How long a condition is waited for: far above what any of them takes.
const PATIENCE: Duration = Duration::from_secs(1800);

pub(crate) struct Rooms {
    engine: Runtime,
    simulator: Runtime,
    load: Runtime,
}

/// The runtimes of the parts that a scenario starts.
#[derive(Clone)]
pub(crate) struct Handles {
    pub(crate) engine: Handle,
    pub(crate) simulator: Handle,
}

impl Rooms {
    pub(crate) fn new() -> Self {
        let room = |name: &str| {
            Builder::new_multi_thread()
                .enable_all()
                .thread_name(name)
                .build()
                .unwrap()
        };
        Self {
            engine: room("engine"),
            simulator: room("simulator"),
            load: room("load"),
        }
    }

    /// Runs a scenario in the load generator's room.
    pub(crate) fn run<F: Future<Output = ()>>(self, scenario: impl FnOnce(Handles) -> F) {
        let handles = Handles {
            engine: self.engine.handle().clone(),
            simulator: self.simulator.handle().clone(),
        };
        self.load.block_on(scenario(handles));
    }
}

pub(crate) async fn start_sim(handles: &Handles, seed: Seed) -> Sim {
    let config = SimConfig {
        seed: Some(seed),
        journal_limit: 2_000_000,
        ..SimConfig::default()
    };
    handles
        .simulator
        .spawn(Sim::start(config))
        .await
        .unwrap()
        .unwrap()
}

pub(crate) fn load(file: &Path) -> Config {
    config::load(file, &|_name| None).unwrap()
}

/// Writes a configuration into the folder and gives its path. `log` is what it says of the log.
pub(crate) fn configuration(folder: &Path, fluent: &str, log: &str) -> PathBuf {
    let credentials = SimConfig::default().credentials;
    let files = [
        ("entra.token", TOKEN),
        ("fluent.password", credentials.password.as_str()),
        ("fluent.secret", credentials.client_secret.as_str()),
        ("rules.json", people::RULES),
    ];
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let text = format!(
        r#"[server]
listen = "127.0.0.1:0"
{log}[logging]
level = "warn,rollcall::engine=info"
[[tenant]]
id = "acme"
[[tenant.connection]]
name = "entra"
token_file = "entra.token"
[tenant.rules]
file = "rules.json"
[tenant.fluent]
url = "{fluent}"
account = "ACME"
username = "{username}"
password_file = "fluent.password"
client_id = "{client_id}"
client_secret_file = "fluent.secret"
"#,
        username = credentials.username,
        client_id = credentials.client_id,
    );
    let file = folder.join("rollcall.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// Looks every so often until the condition holds.
pub(crate) async fn until(glance: Duration, condition: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !condition() {
        assert!(began.elapsed() < PATIENCE, "a condition did not come to hold");
        tokio::time::sleep(glance).await;
    }
}

/// A size that may be set in the environment.
pub(crate) fn size(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}
