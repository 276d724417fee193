//! The example of several processes: its commands are taken by the command line, its files by the loader.

use std::collections::BTreeSet;

use rollcall::cli::definition;
use rollcall::config::parse;
use rollcall_tests::root;

const FOLDER: &str = "docs/compose";

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The commands of all services: each stands on a line of its own, as a JSON list.
fn commands() -> Vec<Vec<String>> {
    let text = read("docker-compose.yml");
    let lists = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("command: "));
    lists
        .map(|list| serde_json::from_str(list).unwrap_or_else(|error| panic!("{list}: {error}")))
        .collect()
}

fn configurations() -> [String; 2] {
    ["rollcall.toml", "reconcile-2.toml"].map(|name| read(&format!("{FOLDER}/{name}")))
}

#[test]
fn every_command_of_the_compose_file_is_one_of_the_command_line() {
    let mut named = BTreeSet::new();
    for command in commands() {
        let words = std::iter::once("rollcall").chain(command.iter().map(String::as_str));
        let matches = definition()
            .try_get_matches_from(words)
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        named.extend(matches.subcommand_name().map(str::to_owned));
        for file in command
            .iter()
            .filter_map(|word| word.strip_prefix("/etc/rollcall/"))
        {
            assert!(root().join(FOLDER).join(file).is_file(), "{file} is not mounted");
        }
    }
    let expected = ["demo", "ingest", "project", "reconcile", "sim", "topics"];
    assert_eq!(named, expected.map(str::to_owned).into());
}

#[test]
fn the_configurations_of_the_compose_file_are_taken_with_the_variables_that_it_sets() {
    let compose = read("docker-compose.yml");
    let env = |name: &str| {
        let set = compose.contains(&format!("\n    {name}: "));
        set.then(|| format!("a-secret-of-{name}"))
    };
    for text in configurations() {
        let config = parse(&text, &root().join(FOLDER).join("rollcall.toml"), &env);
        let config = config.unwrap_or_else(|errors| panic!("{errors}"));
        assert!(config.kafka.is_some(), "several processes share a log in Kafka");
    }
}

#[test]
fn the_two_configurations_of_the_compose_file_differ_in_their_port_alone() {
    let [first, second] = configurations();
    let (first, second) = (first.lines().skip(1), second.lines().skip(1));
    assert_eq!(first.clone().count(), second.clone().count());
    let differing: Vec<_> = first.zip(second).filter(|(one, other)| one != other).collect();
    let expected = [("listen = \"0.0.0.0:8080\"", "listen = \"0.0.0.0:8081\"")];
    assert_eq!(differing, expected);
}

#[test]
fn the_simulator_of_the_compose_file_begins_with_what_the_story_needs() {
    let seed = |path: &str| -> serde_json::Value { serde_json::from_str(&read(path)).unwrap() };
    let story = seed("crates/rollcall/src/demo/seed.json");
    assert_eq!(seed(&format!("{FOLDER}/fluent.json")), story);
}
