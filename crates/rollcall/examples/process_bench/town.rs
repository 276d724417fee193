//! A broker, the simulator, and a log in which a tenant's world is known; processes move in one by one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rollcall::keys::KeyStore;
use rollcall_domain::TenantKey;
use rollcall_eventlog::kafka::{KafkaLog, KafkaOptions};
use rollcall_eventlog::{AppendLog as _, Record, Stream};
use rollcall_fluent_sim::Sim;
use rollcall_kafka_local::{Cluster, Settings, VERSION, install_missing, unique_prefix};
use rollcall_projector::TenantSetup;

use crate::figures::{Processor, head, processor_of, wall_ms};
use crate::mix::Mix;
use crate::people::{Events, seed, tenant};
use crate::program::{self, Program};
use crate::rooms::{Handles, configuration, start_sim};

/// Heap of the broker, MiB.
const HEAP: u32 = 512;
/// Events of one append of the mix.
const APPENDED: usize = 1_000;
/// Events of the mix that are on their way at a time.
const ON_THEIR_WAY: usize = 8;

pub(crate) struct Town {
    pub(crate) sim: Sim,
    pub(crate) log: Arc<KafkaLog>,
    pub(crate) key: TenantKey,
    /// The first folder, in which the topics and the keys were made.
    first: PathBuf,
    folder: tempfile::TempDir,
    log_settings: String,
    kafka: Cluster,
}

impl Town {
    /// Starts the broker and the simulator, and makes the topics as an operator does.
    pub(crate) async fn found(handles: &Handles) -> Self {
        install_missing().unwrap();
        let settings = Settings {
            heap: HEAP,
            ..Settings::default()
        };
        let kafka = Cluster::start(&settings).unwrap();
        let sim = start_sim(handles, seed()).await;
        let folder = tempfile::tempdir().unwrap();
        let prefix = unique_prefix();
        let log_settings = format!(
            "[log]\nengine = \"kafka\"\n[kafka]\nbrokers = \"{}\"\ntopic_prefix = \"{prefix}\"\nreplication = 1\n\
             min_insync = 1\n",
            kafka.bootstrap()
        );
        let first = folder.path().join("first");
        std::fs::create_dir(&first).unwrap();
        configuration(&first, &sim.url(), &log_settings);
        program::run(&first, &["topics"]);
        let keys = KeyStore::open_existing(&first.join("data"), &[tenant()]).unwrap();
        let options = KafkaOptions {
            topic_prefix: prefix,
            ..KafkaOptions::new(kafka.bootstrap())
        };
        let log = tokio::task::spawn_blocking(move || KafkaLog::open(&options).unwrap());
        Self {
            sim,
            log: Arc::new(log.await.unwrap()),
            key: keys.get(&tenant()).unwrap().clone(),
            first,
            folder,
            log_settings,
            kafka,
        }
    }

    /// The same with the catalog and the rules in the log.
    pub(crate) async fn with_world(handles: &Handles) -> Self {
        let town = Self::found(handles).await;
        let world = town.events().world();
        town.log.append(Stream::Events, world).await.unwrap();
        town
    }

    pub(crate) fn events(&self) -> Events {
        Events::new(self.key.clone(), wall_ms())
    }

    pub(crate) fn setup(&self) -> TenantSetup {
        TenantSetup {
            id: tenant(),
            key: self.key.clone(),
        }
    }

    /// Appends so many events of the demo's mix; their mean size in bytes.
    pub(crate) async fn append_mix(&self, events: u64) -> u64 {
        let mut mix = Mix::new(self.key.clone());
        let (mut count, mut bytes) = (0, 0);
        let mut records = mix.world();
        while count < events {
            let mut appends = Vec::new();
            for _ in 0..ON_THEIR_WAY {
                while records.len() < APPENDED {
                    mix.round(&mut records);
                }
                count += records.len() as u64;
                bytes += records.iter().map(Vec::len).sum::<usize>() as u64;
                let batch = records.drain(..);
                let batch = batch.map(|event| Record::new(tenant().as_str().to_owned(), event));
                appends.push(self.log.append(Stream::Events, batch.collect()));
            }
            for appended in futures::future::join_all(appends).await {
                appended.unwrap();
            }
        }
        bytes / count
    }

    /// A new folder for a process: with its configuration, and the keys where it is one of several.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(folder.join("data")).unwrap();
        configuration(&folder, &self.sim.url(), &self.log_settings);
        self.give_keys(&folder);
        folder
    }

    fn give_keys(&self, folder: &Path) {
        std::fs::copy(self.first.join("data/keys.json"), folder.join("data/keys.json")).unwrap();
    }

    /// Removes everything that a process has beside the topics but its keys.
    pub(crate) fn lose(&self, folder: &Path) {
        std::fs::remove_dir_all(folder.join("data")).unwrap();
        std::fs::create_dir(folder.join("data")).unwrap();
        self.give_keys(folder);
    }

    /// Starts a process of a role and waits until it is ready.
    pub(crate) async fn start(&self, role: &str, number: u64) -> Program {
        let program = Program::start(role, &self.folder(&format!("{role}-{number}")));
        program.ready().await;
        program
    }

    /// Starts one process over the embedded log and waits until it is ready.
    pub(crate) async fn start_embedded(&self) -> Program {
        let folder = self.folder.path().join("embedded");
        std::fs::create_dir(&folder).unwrap();
        configuration(&folder, &self.sim.url(), "");
        let program = Program::start("run", &folder);
        program.ready().await;
        while program.figure("rollcall_sequence").await < 2.0 {
            // Catalog and rules are not in yet.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        program
    }

    /// Processor seconds used so far.
    pub(crate) fn used(&self, programs: &[Program]) -> Used {
        let broker = std::fs::read_to_string(self.kafka.folder().join("broker-1/pid")).unwrap();
        let simulator = Processor::now().simulator;
        Used {
            programs: programs.iter().map(|program| processor_of(program.id())).sum(),
            broker: processor_of(broker.trim().parse().unwrap()),
            simulator,
            // By the process: threads that have ended are in it.
            load: processor_of(std::process::id()) - simulator,
        }
    }

    /// Ends everything.
    pub(crate) async fn end(self) {
        let log = Arc::clone(&self.log);
        tokio::task::spawn_blocking(move || log.close()).await.unwrap();
        self.sim.stop().await;
    }
}

/// Processor seconds of the parts.
pub(crate) struct Used {
    programs: f64,
    broker: f64,
    simulator: f64,
    load: f64,
}

impl Used {
    /// Microseconds per request of what was used from `self` to `then`.
    pub(crate) fn each(&self, then: &Self, requests: usize) -> String {
        let us = |seconds: f64| seconds * 1e6 / requests.max(1) as f64;
        format!(
            "CPU µs each: processes {:.1}, broker {:.1}, simulator {:.1}, load {:.1}",
            us(then.programs - self.programs),
            us(then.broker - self.broker),
            us(then.simulator - self.simulator),
            us(then.load - self.load),
        )
    }
}

/// The title of a part.
pub(crate) fn title(what: &str) {
    head(&format!("{what}, one broker of Apache Kafka {VERSION}"));
}
