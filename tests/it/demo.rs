//! The demo's story, told to processes that run already, ends as it does in one process on the embedded log.

use std::path::{Path, PathBuf};

use rollcall_fluent_sim::{Seed, Sim, SimConfig};
use rollcall_kafka_local::{shared, unique_prefix};
use rollcall_tests::root;
use serde_json::Value;

use crate::engine::harness::{Told, until};
use crate::engine::idp::{Dialect, Idp};
use crate::engine::process::{Lines, Process};

/// Two of each.
const NODES: [(&str, &str); 6] = [
    ("ingest", "ingest-1"),
    ("ingest", "ingest-2"),
    ("project", "project-1"),
    ("project", "project-2"),
    ("reconcile", "reconcile-1"),
    ("reconcile", "reconcile-2"),
];

fn secrets() -> Vec<(&'static str, String)> {
    let credentials = SimConfig::default().credentials;
    vec![
        ("ROLLCALL_ENTRA_TOKEN", "entra-token-of-the-story-55d0".to_owned()),
        ("ROLLCALL_OKTA_TOKEN", "okta-token-of-the-story-1c7e".to_owned()),
        ("PASSWORD", credentials.password),
        ("SECRET", credentials.client_secret),
    ]
}

fn configuration(brokers: &str, prefix: &str, fluent: &str) -> String {
    let credentials = SimConfig::default().credentials;
    format!(
        r#"[server]
listen = "127.0.0.1:0"
[log]
engine = "kafka"
path = "data"
[kafka]
brokers = "{brokers}"
topic_prefix = "{prefix}"
replication = 1
min_insync = 1
[[tenant]]
id = "midwest"
[[tenant.connection]]
name = "entra"
token_env = "ROLLCALL_ENTRA_TOKEN"
[[tenant.connection]]
name = "okta"
token_env = "ROLLCALL_OKTA_TOKEN"
[tenant.fluent]
url = "{fluent}"
account = "MIDWEST"
username = "{}"
password_env = "PASSWORD"
client_id = "{}"
client_secret_env = "SECRET"
concurrency = 16
"#,
        credentials.username, credentials.client_id,
    )
}

/// A folder for each process, and the topics and keys for all.
async fn settle_in(folder: &Path, text: &str) {
    for (_, name) in NODES {
        std::fs::create_dir_all(folder.join(name).join("data")).unwrap();
        std::fs::write(folder.join(name).join("rollcall.toml"), text).unwrap();
    }
    let (_, first) = NODES[0];
    let told = Told::by(&folder.join(first), &["topics"], &secrets()).await;
    assert_eq!(told.code, 0, "{told:?}");
    for (_, name) in &NODES[1..] {
        let keys = "data/keys.json";
        std::fs::copy(folder.join(first).join(keys), folder.join(name).join(keys)).unwrap();
    }
}

/// The figures at the end of an account.
fn figures(told: &Told) -> Value {
    assert_eq!(told.code, 0, "{told:?}");
    let account = told.json();
    assert_eq!(account["asExpected"], true, "{account:#}");
    account["figures"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_story_ends_alike_in_one_process_and_in_six_over_kafka() {
    let folder = tempfile::tempdir().unwrap();
    let alone = figures(&Told::by(folder.path(), &["--json", "demo"], &[]).await);

    let seed = Seed::read(&root().join("crates/rollcall/src/demo/seed.json")).unwrap();
    let config = SimConfig {
        seed: Some(seed),
        ..SimConfig::default()
    };
    let sim = Sim::start(config).await.unwrap();
    let text = configuration(shared().unwrap(), &unique_prefix(), &sim.url());
    settle_in(folder.path(), &text).await;
    let lines = Lines::default();
    let mut processes: Vec<Process> = NODES
        .iter()
        .map(|(role, name)| Process::start_as(role, &folder.path().join(name), &lines, &secrets()))
        .collect();
    let mut addresses = Vec::new();
    for process in &mut processes {
        let address = process.address().await;
        let address = address.unwrap_or_else(|| panic!("it ended:\n{}", lines.tail()));
        let base = format!("http://{address}");
        let (_here, known) = tokio::sync::watch::channel(Some(base.clone()));
        let client = Idp::new(Dialect::Entra, "", known);
        until("it is ready", async || client.is_ready().await).await;
        addresses.push(base);
    }

    let fluent = sim.url();
    let (entra, okta) = (
        format!("{}/scim/v2", addresses[0]),
        format!("{}/scim/v2", addresses[1]),
    );
    let sockets: Vec<PathBuf> = NODES
        .iter()
        .map(|(_, name)| folder.path().join(name).join("data/admin.sock"))
        .collect();
    let mut arguments = vec![
        "--json", "demo", "--scim", &entra, "--scim", &okta, "--fluent", &fluent,
    ];
    for socket in &sockets {
        arguments.extend(["--admin", socket.to_str().unwrap()]);
    }
    let told = Told::by(folder.path(), &arguments, &secrets()).await;
    assert_eq!(told.code, 0, "{told:?}\n{}", lines.tail());
    assert_eq!(figures(&told), alone);

    // It is not told twice: what it expects would not be what is there.
    let again = Told::by(folder.path(), &arguments, &secrets()).await;
    assert_eq!(again.code, 1, "{again:?}");
    assert!(
        again.out.contains("empty topics") || again.err.contains("empty topics"),
        "{again:?}"
    );
    for process in processes {
        let (status, _) = process.terminate().await;
        assert!(status.success(), "{status}:\n{}", lines.tail());
    }
}
