//! Who depends on whom, from the manifests as cargo reads them.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_tests::{golden, root};
use serde_json::Value;

/// Crates that may not have a runtime, a socket or anything async below them.
const PURE: [&str; 2] = ["rollcall-domain", "rollcall-scim"];

/// What a pure crate may not reach, directly or through others.
const IMPURE: [&str; 12] = [
    "tokio",
    "mio",
    "hyper",
    "axum",
    "reqwest",
    "futures",
    "futures-core",
    "async-trait",
    "rand",
    "redb",
    "sled",
    "tracing",
];

/// Dependencies that only the named crates of ours may name in their manifests. `deny.toml` says the same of
/// those that third parties may not bring in either.
const SOLE_USERS: [(&str, &[&str]); 9] = [
    ("anyhow", &["rollcall", "rollcall-tests", "rollcall-xtask"]),
    ("axum", &["rollcall-fluent-sim", "rollcall-ingest"]),
    ("clap", &["rollcall", "rollcall-tests", "rollcall-xtask"]),
    ("hyper", &["rollcall", "rollcall-fluent-sim", "rollcall-ingest"]),
    ("rdkafka", &["rollcall-eventlog"]),
    ("redb", &["rollcall-eventlog"]),
    ("reqwest", &["rollcall-fluent", "rollcall-tests"]),
    ("sled", &["rollcall-projector"]),
    ("toml", &["rollcall"]),
];

fn metadata(more: &[&str]) -> Value {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline"])
        .args(more)
        .current_dir(root())
        .output()
        .expect("cargo can be run");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

/// Our crates, each with the names in its manifest: (name, kind).
fn manifests() -> BTreeMap<String, BTreeSet<(String, String)>> {
    let metadata = metadata(&["--no-deps"]);
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("dependencies");
            let names = dependencies.iter().map(|dependency| {
                let text = |key: &str| dependency[key].as_str().unwrap_or("normal").to_owned();
                (text("name"), text("kind"))
            });
            (
                package["name"].as_str().expect("a name").to_owned(),
                names.collect(),
            )
        })
        .collect()
}

#[test]
fn the_arrows_between_our_crates_are_those_of_the_table() {
    let manifests = manifests();
    let mut table = String::from(
        "# Which of our crates depends on which; `dev` stands before what only its tests use.\n\
         # A new arrow needs a reason in its review: docs/architecture.md says which may exist.\n",
    );
    for (name, dependencies) in &manifests {
        table.push_str(&format!("{name}\n"));
        for (dependency, kind) in dependencies {
            if manifests.contains_key(dependency) {
                let kind = if kind == "normal" { "" } else { "dev " };
                table.push_str(&format!("    -> {kind}{dependency}\n"));
            }
        }
    }
    golden("tests/it/arrows.txt", &table);
}

#[test]
fn ingest_and_reconciler_never_see_each_other() {
    let manifests = manifests();
    for (one, other) in [
        ("rollcall-ingest", "rollcall-reconciler"),
        ("rollcall-reconciler", "rollcall-ingest"),
    ] {
        assert!(
            manifests[one].iter().all(|(name, _)| name != other),
            "{one} depends on {other}"
        );
    }
}

#[test]
fn heavy_dependencies_have_one_home() {
    for (name, dependencies) in manifests() {
        for (dependency, _) in dependencies {
            let Some((_, users)) = SOLE_USERS.iter().find(|(heavy, _)| *heavy == dependency) else {
                continue;
            };
            assert!(
                users.contains(&name.as_str()),
                "{name} may not depend on {dependency}: only {users:?} may"
            );
        }
    }
}

#[test]
fn pure_crates_reach_no_runtime_and_no_socket() {
    let metadata = metadata(&[]);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let names: BTreeMap<String, String> = metadata["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .map(|package| (text(&package["id"]), text(&package["name"])))
        .collect();
    let mut below: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().expect("nodes") {
        let normal = node["deps"]
            .as_array()
            .expect("deps")
            .iter()
            .filter(|dependency| {
                let kinds = dependency["dep_kinds"].as_array().expect("kinds");
                kinds
                    .iter()
                    .any(|kind| kind["kind"].is_null() && kind["target"].is_null())
            });
        let normal = normal.map(|dependency| names[&text(&dependency["pkg"])].clone());
        below.insert(names[&text(&node["id"])].clone(), normal.collect());
    }
    for pure in PURE {
        let mut seen = BTreeSet::new();
        let mut next = vec![pure.to_owned()];
        while let Some(name) = next.pop() {
            assert!(
                !IMPURE.contains(&name.as_str()),
                "{pure} is pure, but reaches {name}"
            );
            if seen.insert(name.clone()) {
                next.extend(below.get(&name).cloned().unwrap_or_default());
            }
        }
    }
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let metadata = metadata(&["--no-deps"]);
    for package in metadata["packages"].as_array().expect("packages") {
        let path = package["manifest_path"].as_str().expect("a path");
        let manifest = std::fs::read_to_string(path).expect("the manifest can be read");
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{path} has lints of its own"
        );
    }
}
