//! Several processes of each role over a broker: a world whose program is many.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use rollcall_kafka_local::{Cluster, Settings as Brokers, unique_prefix};
use serde_json::json;
use tokio::sync::watch;

use crate::engine::harness::{Settings, Told, World, figure, until};
use crate::engine::idp::{Dialect, Idp, patch_body};
use crate::engine::journal::{self, Repeats};
use crate::engine::process::{Process, secret};

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Ingest,
    Project,
    Reconcile,
}

impl Role {
    pub(crate) const ALL: [Self; 3] = [Self::Ingest, Self::Project, Self::Reconcile];

    fn command(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Project => "project",
            Self::Reconcile => "reconcile",
        }
    }
}

/// A process by its role and number.
pub(crate) type Name = (Role, usize);

/// Lines for `[kafka]` that let the producer hold little.
pub(crate) const SMALL_QUEUE: &str = "queue = \"16 KiB\"";

/// How a town is laid out.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Processes of each role.
    pub(crate) each: usize,
    pub(crate) brokers: Brokers,
    /// More lines for `[kafka]`.
    pub(crate) kafka: String,
    pub(crate) settings: Settings,
    /// The processes that reach the brokers through a door of their own, in the order of the doors.
    pub(crate) behind_doors: Vec<Name>,
}

impl Default for Plan {
    /// Two of each over one broker.
    fn default() -> Self {
        Self {
            each: 2,
            brokers: Brokers::default(),
            kafka: String::new(),
            settings: Settings::default(),
            behind_doors: Vec::new(),
        }
    }
}

struct Node {
    folder: PathBuf,
    process: Option<Process>,
    /// Asks it for its pages.
    client: Idp,
    base: watch::Sender<Option<String>>,
}

/// A world whose program is many processes.
pub(crate) struct Town {
    /// Fluent, the identity providers, what must be in Fluent, and all log lines.
    pub(crate) world: World,
    pub(crate) kafka: Cluster,
    pub(crate) prefix: String,
    nodes: BTreeMap<Name, Node>,
    /// An ingest process that providers are not sent to, though it runs.
    passed_over: Option<Name>,
    /// Where Entra and Okta send to.
    bases: [watch::Sender<Option<String>>; 2],
}

impl Town {
    /// A town in which the broker and Fluent run, and nothing else yet.
    pub(crate) async fn new(plan: &Plan) -> Self {
        let kafka = Cluster::start(&plan.brokers).unwrap();
        let mut world = World::new(plan.settings.clone()).await;
        let (entra, entra_base) = watch::channel(None);
        let (okta, okta_base) = watch::channel(None);
        world.entra = Idp::new(Dialect::Entra, secret("ENTRA_TOKEN"), entra_base);
        world.okta = Idp::new(Dialect::Okta, secret("OKTA_TOKEN"), okta_base);
        let mut town = Self {
            world,
            kafka,
            prefix: unique_prefix(),
            nodes: BTreeMap::new(),
            passed_over: None,
            bases: [entra, okta],
        };
        for role in Role::ALL {
            for number in 0..plan.each {
                let name = (role, number);
                let door = plan.behind_doors.iter().position(|behind| *behind == name);
                let bootstrap = match door {
                    Some(door) => town.kafka.doors()[door].bootstrap(),
                    None => town.kafka.bootstrap(),
                };
                town.settle_in(name, &bootstrap, plan);
            }
        }
        town.found_topics().await;
        town
    }

    /// A town in which everything runs.
    pub(crate) async fn running(plan: &Plan) -> Self {
        let mut town = Self::new(plan).await;
        town.start_all().await;
        town
    }

    /// Makes a node's folder with its configuration.
    fn settle_in(&mut self, name: Name, bootstrap: &str, plan: &Plan) {
        let folder = self.world.file(&format!("{}-{}", name.0.command(), name.1));
        std::fs::create_dir_all(&folder).unwrap();
        let brokers = plan.brokers.brokers.count();
        let kafka = format!(
            "[log]\nengine = \"kafka\"\npath = \"data\"\n[kafka]\nbrokers = \"{bootstrap}\"\n\
             topic_prefix = \"{}\"\nreplication = {brokers}\nmin_insync = {}\n\
             session_timeout = \"8s\"\ndelivery_timeout = \"4s\"\n{}\n",
            self.prefix,
            if brokers == 3 { 2 } else { 1 },
            plan.kafka,
        );
        let text = self
            .world
            .configuration()
            .replace("[log]\npath = \"data\"\n", &kafka);
        std::fs::write(folder.join("rollcall.toml"), text).unwrap();
        let (base, known) = watch::channel(None);
        let node = Node {
            folder,
            process: None,
            client: Idp::new(Dialect::Entra, "", known),
            base,
        };
        self.nodes.insert(name, node);
    }

    /// Makes the topics and the keys as an operator does, once, and gives every node the same keys.
    async fn found_topics(&self) {
        let mut nodes = self.nodes.values();
        let first = nodes.next().unwrap();
        let told = Told::by(&first.folder, &["topics"], &self.world.secrets()).await;
        assert_eq!(told.code, 0, "{told:?}");
        let keys = first.folder.join("data/keys.json");
        for node in nodes {
            std::fs::create_dir_all(node.folder.join("data")).unwrap();
            std::fs::copy(&keys, node.folder.join("data/keys.json")).unwrap();
        }
    }

    /// Replaces something in the configuration of a node, which must be there.
    #[track_caller]
    pub(crate) fn reconfigure(&self, name: Name, from: &str, to: &str) {
        let file = self.folder(name).join("rollcall.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from:?} is not in {text}");
        std::fs::write(file, text.replace(from, to)).unwrap();
    }

    pub(crate) fn names(&self) -> Vec<Name> {
        self.nodes.keys().copied().collect()
    }

    fn node(&mut self, name: Name) -> &mut Node {
        self.nodes.get_mut(&name).unwrap()
    }

    /// Starts a process without waiting for anything.
    pub(crate) fn spawn(&mut self, name: Name) {
        let (lines, secrets) = (self.world.lines.clone(), self.world.secrets());
        let node = self.node(name);
        assert!(node.process.is_none(), "{name:?} runs");
        let process = Process::start_as(name.0.command(), &node.folder, &lines, &secrets);
        node.process = Some(process);
    }

    /// Waits until a spawned process serves.
    pub(crate) async fn ready(&mut self, name: Name) {
        let node = self.nodes.get_mut(&name).unwrap();
        let address: Option<SocketAddr> = node.process.as_mut().unwrap().address().await;
        let Some(address) = address else {
            panic!("{name:?} ended instead of serving:\n{}", self.world.lines.tail());
        };
        node.base.send_replace(Some(format!("http://{address}")));
        until(&format!("{name:?} is ready"), async || self.is_ready(name).await).await;
        self.route();
    }

    pub(crate) async fn start(&mut self, name: Name) {
        self.spawn(name);
        self.ready(name).await;
    }

    pub(crate) async fn start_all(&mut self) {
        let names = self.names();
        for name in &names {
            self.spawn(*name);
        }
        for name in names {
            self.ready(name).await;
        }
    }

    /// `kill -9`; the providers go elsewhere, if there is anywhere.
    pub(crate) fn kill(&mut self, name: Name) {
        let node = self.node(name);
        node.process.take().expect("it runs").kill();
        node.base.send_replace(None);
        self.route();
    }

    /// Told to stop, it ends by itself and well.
    pub(crate) async fn stop(&mut self, name: Name) {
        let process = self.node(name).process.take().expect("it runs");
        self.node(name).base.send_replace(None);
        self.route();
        let (status, _) = process.terminate().await;
        assert!(
            status.success(),
            "{name:?}: {status}:\n{}",
            self.world.lines.tail()
        );
    }

    pub(crate) async fn stop_all(&mut self) {
        for name in self.names() {
            if self.node(name).process.is_some() {
                self.stop(name).await;
            }
        }
    }

    pub(crate) fn kill_if_running(&mut self, name: Name) {
        if self.node(name).process.is_some() {
            self.kill(name);
        }
    }

    /// Removes the state that a process has beside the topics. It must not run.
    pub(crate) fn forget_state(&mut self, name: Name) {
        let node = self.node(name);
        assert!(node.process.is_none(), "{name:?} runs");
        for entry in std::fs::read_dir(node.folder.join("data")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                std::fs::remove_dir_all(&path).unwrap();
            } else if !path.ends_with("keys.json") {
                std::fs::remove_file(&path).unwrap();
            }
        }
    }

    /// Starts a process that must refuse to start; what it said.
    pub(crate) async fn refused_start(&mut self, name: Name) -> String {
        let from = self.world.lines.len();
        self.spawn(name);
        let address = self.node(name).process.as_mut().unwrap().address().await;
        assert!(address.is_none(), "{name:?} serves:\n{}", self.world.lines.tail());
        let status = self.ended(name).await;
        let said = self.world.lines.since(from).join("\n");
        assert_eq!(status.code(), Some(1), "{name:?} must refuse: {said}");
        assert!(!said.contains("panicked"), "{name:?}: {said}");
        said
    }

    /// Waits until a process that was cut off is ready again.
    pub(crate) async fn back(&self, name: Name) {
        until(&format!("{name:?} is ready again"), async || {
            self.is_ready(name).await
        })
        .await;
    }

    /// No process that was started has ended by itself.
    #[track_caller]
    pub(crate) fn all_run(&mut self) {
        for name in self.names() {
            let lines = self.world.lines.clone();
            let process = &mut self.node(name).process;
            let ended = process.as_mut().is_some_and(|process| !process.is_running());
            assert!(!ended, "{name:?} ended by itself:\n{}", lines.tail());
        }
    }

    /// Waits until an ingest process refuses a change of a user of Okta with 503, which it must not acknowledge.
    pub(crate) async fn refuses(&self, number: usize, user: &str) {
        let okta = self.client(Dialect::Okta, number);
        let value = json!([{"value": "Agent_MILW-01_Lead"}]);
        let operation = json!({"op": "replace", "path": "roles", "value": value});
        let body = patch_body(vec![operation]);
        let path = format!("/Users/{user}");
        until("a change is refused with 503", async || {
            let reply = okta.once(&reqwest::Method::PATCH, &path, Some(&body)).await;
            reply.is_some_and(|reply| {
                assert!(!reply.is_good(), "acknowledged, but by whom? {reply:?}");
                reply.status == 503
            })
        })
        .await;
    }

    /// Changes a user of Okta once more: whatever became of what was refused, the last word holds.
    pub(crate) async fn last_word(&mut self, user: &str) {
        let roles = ["Agent_CHIC-01_Clerk"];
        self.world.set_roles(Dialect::Okta, user, &roles).await;
    }

    /// Sends the providers past an ingest process, or to all again.
    pub(crate) fn pass_over(&mut self, name: Option<Name>) {
        self.passed_over = name;
        self.route();
    }

    /// Waits until a process ends by itself; how.
    pub(crate) async fn ended(&mut self, name: Name) -> ExitStatus {
        let process = self.node(name).process.take().expect("it runs");
        self.node(name).base.send_replace(None);
        self.route();
        process.ended().await
    }

    /// Sends each provider to an ingest process of its own, or to the one that is left: what a balancer does.
    fn route(&self) {
        let bases: Vec<String> = self
            .nodes
            .iter()
            .filter(|(name, _)| name.0 == Role::Ingest && self.passed_over != Some(**name))
            .filter_map(|(_, node)| node.base.borrow().clone())
            .collect();
        for (number, sender) in self.bases.iter().enumerate() {
            sender.send_replace((!bases.is_empty()).then(|| bases[number % bases.len()].clone()));
        }
    }

    /// A client of one provider at one ingest process.
    pub(crate) fn client(&self, dialect: Dialect, number: usize) -> Idp {
        let known = self.nodes[&(Role::Ingest, number)].base.subscribe();
        let token = match dialect {
            Dialect::Entra => secret("ENTRA_TOKEN"),
            Dialect::Okta => secret("OKTA_TOKEN"),
        };
        Idp::new(dialect, token, known)
    }

    /// Whether a process says that it is ready.
    pub(crate) async fn is_ready(&self, name: Name) -> bool {
        self.nodes[&name].client.is_ready().await
    }

    /// A page of a process beside SCIM.
    pub(crate) async fn page(&self, name: Name, path: &str) -> Option<(u16, String)> {
        self.nodes[&name].client.page(path).await
    }

    /// Where a process has its configuration and its data.
    pub(crate) fn folder(&self, name: Name) -> &Path {
        &self.nodes[&name].folder
    }

    /// Runs a command in the folder of a node.
    pub(crate) async fn command(&self, name: Name, arguments: &[&str]) -> Told {
        Told::by(self.folder(name), arguments, &self.world.secrets()).await
    }

    /// Waits until nothing is left to be done for anybody, in any process that runs.
    pub(crate) async fn settled(&self) {
        until("nothing is left to do", async || {
            let mut quiet = true;
            for (name, node) in &self.nodes {
                if node.process.is_none() {
                    continue;
                }
                let Some((_, text)) = self.page(*name, "/metrics").await else {
                    return false;
                };
                for metric in [
                    "rollcall_lag_events",
                    "rollcall_dirty_accounts",
                    "rollcall_queued_accounts",
                ] {
                    quiet &= figure(&text, metric, &[]).unwrap_or_default() == 0.0;
                }
            }
            quiet
        })
        .await;
    }

    /// Waits until Fluent holds what the model says and nothing is under way, and checks what was done on the way.
    pub(crate) async fn converged(&self, repeats: Repeats) {
        self.world.as_expected().await;
        self.settled().await;
        self.world.as_expected().await;
        journal::check(&self.world.fluent, &self.world.model, repeats);
    }

    /// After all that was done to it: everybody converges, no process has ended by itself, and all stop well.
    pub(crate) async fn ends_well(mut self) {
        self.converged(Repeats::WhenLate).await;
        self.all_run();
        self.stop_all().await;
    }
}

/// How long a broker stands still: as given, or for the seconds of `ROLLCALL_KAFKA_PAUSE`.
pub(crate) fn pause(by_default: Duration) -> Duration {
    #[expect(clippy::disallowed_methods, reason = "a switch for long runs")]
    let wanted = std::env::var("ROLLCALL_KAFKA_PAUSE");
    let seconds = wanted.ok().and_then(|seconds| seconds.parse().ok());
    seconds.map_or(by_default, Duration::from_secs)
}

/// How many rounds a test of this kind makes: few by default, more by `ROLLCALL_KAFKA_ROUNDS`.
pub(crate) fn rounds(by_default: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the one switch for long runs")]
    let wanted = std::env::var("ROLLCALL_KAFKA_ROUNDS");
    wanted
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(by_default)
}
