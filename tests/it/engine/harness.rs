//! A world for one test: a data folder with a configuration, a Fluent, two identity providers, and the program.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rollcall_fluent_sim::{
    Credentials, Seed, SeedLocation, SeedRetailer, SeedUser, Sim, SimConfig, SimHandle,
};
use serde_json::Value;
use tokio::sync::watch;

use super::idp::{Dialect, Idp};
use super::journal;
use super::model::{Model, PLACES, ROLES};
use super::process::{Lines, PROGRAM, Process, SECRETS, secret};

/// How long a condition may take: far above what it takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(15);

/// The domain of every user name and address in these tests: what must not be found in a log.
pub(crate) const DOMAIN: &str = "people.example";

/// Looks until the condition holds.
#[track_caller]
pub(crate) fn until(what: &str, condition: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    let what = what.to_owned();
    async move {
        if !holds_within(PATIENCE, condition).await {
            panic!("{place}: not within {PATIENCE:?}: {what}");
        }
    }
}

pub(crate) async fn holds_within(patience: Duration, mut condition: impl AsyncFnMut() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < patience {
        if condition().await {
            return true;
        }
        tokio::time::sleep(GLANCE).await;
    }
    condition().await
}

/// What stands in the configuration beside what every test has. Lines of TOML.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) policy: String,
    pub(crate) guard: String,
    pub(crate) server: String,
    pub(crate) fluent: String,
    /// The content of the rule file; without it there is none.
    pub(crate) rules: Option<String>,
}

impl Default for Settings {
    /// Without the safety catch: few people make many losses.
    fn default() -> Self {
        Self {
            policy: String::new(),
            guard: "percent = 0".to_owned(),
            server: String::new(),
            fluent: String::new(),
            rules: None,
        }
    }
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Told {
    /// Runs a command of the program in a folder, with these secrets and no other variable.
    pub(crate) async fn by(folder: &Path, arguments: &[&str], secrets: &[(&str, String)]) -> Self {
        let mut command = tokio::process::Command::new(PROGRAM);
        command
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .kill_on_drop(true);
        command.envs(secrets.iter().map(|(name, value)| (*name, value)));
        let output = tokio::time::timeout(PATIENCE, command.output())
            .await
            .expect("a command ends")
            .unwrap();
        Self {
            code: output.status.code().expect("it ended by itself"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// One document a line.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let documents = serde_json::Deserializer::from_str(&self.out).into_iter();
        documents.map(|document| document.expect("JSON")).collect()
    }
}

#[derive(Debug)]
pub(crate) struct World {
    folder: tempfile::TempDir,
    sim: Sim,
    pub(crate) fluent: SimHandle,
    pub(crate) settings: Settings,
    pub(crate) entra: Idp,
    pub(crate) okta: Idp,
    pub(crate) lines: Lines,
    /// What Fluent must hold, worked out by the test.
    pub(crate) model: Model,
    pub(crate) password: String,
    base: watch::Sender<Option<String>>,
    process: Option<Process>,
}

impl World {
    /// A world in which nothing runs yet but Fluent.
    pub(crate) async fn new(settings: Settings) -> Self {
        let credentials = Credentials {
            client_id: "ACME".to_owned(),
            client_secret: secret("FLUENT_CLIENT_SECRET").to_owned(),
            username: "rollcall_api".to_owned(),
            password: secret("FLUENT_PASSWORD").to_owned(),
        };
        let config = SimConfig {
            seed: Some(seed()),
            credentials,
            ..SimConfig::default()
        };
        let sim = Sim::start(config).await.unwrap();
        let (base, known) = watch::channel(None);
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
            fluent: sim.handle(),
            sim,
            settings,
            entra: Idp::new(Dialect::Entra, secret("ENTRA_TOKEN"), known.clone()),
            okta: Idp::new(Dialect::Okta, secret("OKTA_TOKEN"), known),
            lines: Lines::default(),
            model: Model::default(),
            password: secret("FLUENT_PASSWORD").to_owned(),
            base,
            process: None,
        };
        world.configure();
        world
    }

    /// A world in which the program runs.
    pub(crate) async fn running(settings: Settings) -> Self {
        let mut world = Self::new(settings).await;
        world.start().await;
        world
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).unwrap();
    }

    /// Writes configuration and rules as the settings now say.
    pub(crate) fn configure(&self) {
        self.write("rollcall.toml", &self.configuration());
    }

    /// The text of the configuration as the settings now say; the rules are written.
    pub(crate) fn configuration(&self) -> String {
        let settings = &self.settings;
        let rules = match &settings.rules {
            Some(text) => {
                self.write("rules.json", text);
                "[tenant.rules]\nfile = \"rules.json\"\n"
            }
            None => "",
        };
        format!(
            r#"[server]
listen = "127.0.0.1:0"
{}
[log]
path = "data"
[logging]
level = "debug"
[[tenant]]
id = "acme"
[[tenant.connection]]
name = "entra"
token_env = "ENTRA_TOKEN"
[[tenant.connection]]
name = "okta"
token_env = "OKTA_TOKEN"
[tenant.fluent]
url = "{}"
account = "ACME"
username = "rollcall_api"
password_env = "FLUENT_PASSWORD"
client_id = "ACME"
client_secret_env = "FLUENT_CLIENT_SECRET"
request_timeout = "2s"
late_write_window = "5s"
catalog_interval = "10s"
{}
[tenant.policy]
{}
[tenant.guard]
{}
{rules}"#,
            settings.server,
            self.sim.url(),
            settings.fluent,
            settings.policy,
            settings.guard,
        )
    }

    pub(crate) fn secrets(&self) -> Vec<(&'static str, String)> {
        let mut secrets: Vec<_> = SECRETS
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        secrets.retain(|(name, _)| *name != "FLUENT_PASSWORD");
        secrets.push(("FLUENT_PASSWORD", self.password.clone()));
        secrets
    }

    /// Starts the program without waiting for anything.
    pub(crate) fn spawn(&mut self) -> &mut Process {
        assert!(self.process.is_none(), "one instance at a time");
        let process = Process::start(self.folder.path(), &self.lines, &self.secrets());
        self.process.insert(process)
    }

    /// Starts the program and waits until it serves.
    pub(crate) async fn start(&mut self) {
        let address = self.spawn().address().await;
        let Some(address) = address else {
            panic!("the program ended instead of serving:\n{}", self.lines.tail());
        };
        self.base.send_replace(Some(format!("http://{address}")));
        let entra = self.entra.clone();
        until("it is ready", async || entra.is_ready().await).await;
    }

    /// Starts the program on something that is `what`, which it must refuse; what it said.
    pub(crate) async fn refused_start(&mut self, what: &str) -> String {
        let from = self.lines.len();
        let address = self.spawn().address().await;
        let process = self.process.take().expect("it was started");
        assert!(address.is_none(), "{what}: it serves:\n{}", self.lines.tail());
        let status = process.ended().await;
        let said = self.lines.since(from).join("\n");
        assert!(
            status.code() == Some(1),
            "{what}: it must refuse with 1, not {status}:\n{said}"
        );
        assert!(!said.contains("panicked"), "{what}: {said}");
        said
    }

    pub(crate) fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    pub(crate) async fn terminate(&mut self) -> (std::process::ExitStatus, Duration) {
        self.process.take().expect("it runs").terminate().await
    }

    /// Ends it properly.
    pub(crate) async fn stop(&mut self) {
        let (status, _) = self.terminate().await;
        assert!(status.success(), "{status}:\n{}", self.lines.tail());
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    /// Runs a command as an operator does: in the folder of the configuration, without any secret.
    pub(crate) async fn command(&self, arguments: &[&str]) -> Told {
        self.run_command(arguments, &[]).await
    }

    /// Runs a command that needs the secrets.
    pub(crate) async fn command_with_secrets(&self, arguments: &[&str]) -> Told {
        self.run_command(arguments, &self.secrets()).await
    }

    async fn run_command(&self, arguments: &[&str], secrets: &[(&str, String)]) -> Told {
        Told::by(self.folder.path(), arguments, secrets).await
    }

    /// A command that must go well, with `--json`.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        async move {
            let mut all = vec!["--json"];
            all.extend(arguments);
            let told = self.command(&all).await;
            assert_eq!(told.code, 0, "{place}: {arguments:?}: {}", told.err);
            told.json()
        }
    }

    /// A figure of `/metrics`: the sum of all series of this name with these words in their labels.
    pub(crate) async fn metric(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let (_, text) = self.entra.page("/metrics").await?;
        figure(&text, name, labels)
    }

    /// Waits until nothing is left to be done for anybody.
    #[track_caller]
    pub(crate) fn settled(&self) -> impl Future<Output = ()> {
        until("nothing is left to do", async || {
            for name in [
                "rollcall_lag_events",
                "rollcall_dirty_accounts",
                "rollcall_queued_accounts",
            ] {
                if self.metric(name, &[]).await != Some(0.0) {
                    return false;
                }
            }
            true
        })
    }

    /// Waits until Fluent holds exactly what the model says.
    pub(crate) async fn as_expected(&self) {
        if holds_within(PATIENCE, async || self.model.differences(&self.fluent).is_empty()).await {
            return;
        }
        panic!(
            "Fluent is not as expected:\n  {}\n{}",
            self.model
                .differences(&self.fluent)
                .into_iter()
                .take(10)
                .collect::<Vec<_>>()
                .join("\n  "),
            self.lines.tail()
        );
    }

    /// Waits until Fluent holds what the model says and nothing is under way, and checks what was done on the way.
    pub(crate) async fn converged(&self) {
        self.as_expected().await;
        self.settled().await;
        self.as_expected().await;
        journal::check(&self.fluent, &self.model, journal::Repeats::Never);
    }

    /// The status of a user in Fluent; empty when it is not there.
    pub(crate) fn status_of(&self, user_name: &str) -> String {
        self.fluent
            .user(user_name)
            .map(|user| user.status)
            .unwrap_or_default()
    }

    pub(crate) fn is_usable(&self, user_name: &str) -> bool {
        self.status_of(user_name) == "ACTIVE"
    }
}

/// A figure in the text of `/metrics`: the sum of all series of this name with these words in their labels.
pub(crate) fn figure(text: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let lines = text.lines().filter(|line| {
        let series = line.split(' ').next().unwrap_or_default();
        series.split('{').next() == Some(name) && labels.iter().all(|label| series.contains(label))
    });
    let values: Vec<f64> = lines
        .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
        .collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

impl Drop for World {
    /// Nothing of what a process wrote may tell a secret or who somebody is.
    fn drop(&mut self) {
        drop(self.process.take());
        if std::thread::panicking() {
            return;
        }
        for line in self.lines.all() {
            assert_tells_nothing(&line);
        }
    }
}

/// Words that stand for a person or a secret, in every test.
#[track_caller]
pub(crate) fn assert_tells_nothing(text: &str) {
    let secrets = SECRETS.iter().map(|(_, value)| *value);
    for word in secrets.chain([DOMAIN, "Quirin", "Xylander", "idp-id-", "1mz050nq"]) {
        assert!(!text.contains(word), "{word} is told: {text}");
    }
}

fn seed() -> Seed {
    let user = |name: &str, role: &str, kind: &str, id: &str| -> SeedUser {
        let user = serde_json::json!({
            "username": name, "firstName": "Vera", "lastName": "Veteran", "primaryEmail": name,
            "roles": [{"role": role, "contextType": kind, "contextId": id}],
        });
        serde_json::from_value(user).unwrap()
    };
    let place = |name: &str| {
        PLACES
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap()
            .1
            .parse()
            .ok()
    };
    Seed {
        roles: ROLES.iter().map(|role| (*role).to_owned()).collect(),
        retailers: vec![SeedRetailer {
            id: place("MIDWEST"),
            reference: "MIDWEST".to_owned(),
            trading_name: None,
            status: "ACTIVE".to_owned(),
        }],
        locations: ["CHIC-01", "MILW-01"]
            .map(|name| SeedLocation {
                id: place(name),
                reference: name.to_owned(),
                name: None,
                retailer: "MIDWEST".to_owned(),
                status: "ACTIVE".to_owned(),
            })
            .to_vec(),
        users: vec![
            user("midwest_admin", "ADMIN", "RETAILER", "1"),
            user(&format!("veteran@{DOMAIN}"), "Store_Manager", "AGENT", "102"),
        ],
    }
}

/// The whole content of a folder, for damage.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
