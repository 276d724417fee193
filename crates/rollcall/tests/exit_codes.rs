//! The program as it is started: exit codes, and what goes to which output.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::process::{Command, Output};

const GOOD: &str = r#"
[log]
path = "data"
[[tenant]]
id = "acme"
[[tenant.connection]]
name = "entra"
token_env = "TOKEN"
[tenant.fluent]
url = "https://acme.api.fluentretail.com"
account = "ACME"
username = "api"
password_env = "PASSWORD"
client_id = "ACME"
client_secret_env = "CLIENT_SECRET"
[tenant.rules]
file = "rules.json"
"#;

const RULES: &str = r#"{"groups":[{"displayName":"Seasonal","appRoles":["Agent_CHIC-01_Picker"]}]}"#;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Runs the program there, with an environment that holds the secrets and nothing else.
fn rollcall(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    command.args(arguments).current_dir(folder).env_clear();
    command
        .env("TOKEN", "a-token-of-many-characters")
        .env("PASSWORD", "secret-1")
        .env("CLIENT_SECRET", "secret-2");
    command.output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it ended by itself")
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let folder = folder(&[]);
    for arguments in [
        &["fly"][..],
        &["replay"],
        &["approve", "nonsense"],
        &["replay", "--until", "yesterday"],
    ] {
        assert_eq!(code(&rollcall(folder.path(), arguments)), 2, "{arguments:?}");
    }
}

#[test]
fn a_wrong_configuration_ends_with_3_and_names_the_line() {
    let empty = folder(&[]);
    let missing = rollcall(empty.path(), &["run"]);
    assert_eq!(code(&missing), 3);
    assert!(
        errors(&missing).contains("rollcall.toml: cannot be read"),
        "{}",
        errors(&missing)
    );
    let wrong = folder(&[("rollcall.toml", &GOOD.replace("\"data\"", "7"))]);
    let output = rollcall(wrong.path(), &["check"]);
    assert_eq!(code(&output), 3);
    assert!(
        errors(&output).contains("rollcall.toml:3: log.path: 7 is not allowed"),
        "{}",
        errors(&output)
    );
    let json = rollcall(wrong.path(), &["--json", "check"]);
    let error: serde_json::Value = serde_json::from_slice(&json.stderr).unwrap();
    assert_eq!(error.pointer("/error/exit").unwrap(), 3);
    assert_eq!(error.pointer("/error/problems/0/line").unwrap(), 3);
}

#[test]
fn without_an_instance_what_asks_it_ends_with_4() {
    let folder = folder(&[("rollcall.toml", GOOD)]);
    for arguments in [
        &["status"][..],
        &["holds"],
        &["explain", "ida"],
        &["replay", "--until", "end"],
    ] {
        let output = rollcall(folder.path(), arguments);
        assert_eq!(code(&output), 4, "{arguments:?}: {}", errors(&output));
        assert!(
            errors(&output).contains("no instance is running"),
            "{}",
            errors(&output)
        );
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn asking_needs_neither_the_secrets_nor_the_rest_of_the_configuration() {
    let folder = folder(&[(
        "rollcall.toml",
        "[log]\npath = \"elsewhere\"\n[server]\nlisten = 7\n",
    )]);
    let output = rollcall(folder.path(), &["status"]);
    assert_eq!(code(&output), 4, "{}", errors(&output));
    assert!(
        errors(&output).contains("elsewhere/admin.sock"),
        "{}",
        errors(&output)
    );
}

#[test]
fn checks_that_fail_end_with_1_and_good_ones_with_0() {
    let good = folder(&[
        ("rollcall.toml", GOOD),
        ("rules.json", RULES),
        ("bad.json", "{\"rules\":[1]}"),
    ]);
    let output = rollcall(good.path(), &["check", "--offline"]);
    assert_eq!(code(&output), 0, "{}", errors(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("rules: 0, groups: 1"));
    assert_eq!(code(&rollcall(good.path(), &["rules", "check", "rules.json"])), 0);
    let bad = rollcall(good.path(), &["rules", "check", "bad.json"]);
    assert_eq!(code(&bad), 1);
    assert!(errors(&bad).contains("rules[0]"), "{}", errors(&bad));
    let without_rules = folder(&[("rollcall.toml", GOOD)]);
    assert_eq!(code(&rollcall(without_rules.path(), &["check", "--offline"])), 1);
}

#[test]
fn the_configuration_may_be_named_by_option_or_variable() {
    let other = folder(&[("other.toml", GOOD), ("rules.json", RULES)]);
    let by_option = rollcall(other.path(), &["--config", "other.toml", "check", "--offline"]);
    assert_eq!(code(&by_option), 0, "{}", errors(&by_option));
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    command
        .args(["check", "--offline"])
        .current_dir(other.path())
        .env_clear();
    command
        .env("TOKEN", "a-token-of-many-characters")
        .env("PASSWORD", "secret-1");
    command
        .env("CLIENT_SECRET", "secret-2")
        .env("ROLLCALL_CONFIG", "other.toml");
    assert_eq!(command.output().unwrap().status.code(), Some(0));
}

#[test]
fn brokers_that_cannot_be_reached_are_told_of_by_check_with_their_address() {
    let over_kafka = "[log]\nengine = \"kafka\"\n[kafka]\nbrokers = \"127.0.0.1:1\"\n";
    let text = GOOD
        .replacen("[log]\n", over_kafka, 1)
        .replacen("path = \"data\"\n", "", 1);
    let nowhere = folder(&[("rollcall.toml", &text), ("rules.json", RULES)]);
    assert_eq!(code(&rollcall(nowhere.path(), &["check", "--offline"])), 0);
    let output = rollcall(nowhere.path(), &["--json", "check"]);
    assert_eq!(code(&output), 1);
    let checks: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let kafka = checks
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["what"] == "Kafka");
    let found = kafka.and_then(|check| check["found"].as_str()).unwrap();
    assert!(found.starts_with("Kafka at 127.0.0.1:1: "), "{found}");
    assert!(
        found.ends_with("that they run and can be reached from here"),
        "{found}"
    );
}

/// Puts a log with these values into a folder.
fn log(folder: &Path, values: &[&str]) {
    use rollcall_eventlog::{AppendLog as _, EmbeddedLog, EmbeddedOptions, Record, Stream};
    let log = EmbeddedLog::open(folder.join("log"), EmbeddedOptions::default()).unwrap();
    let records = values
        .iter()
        .map(|value| Record::new("acme", (*value).to_owned()));
    let append = log.append(Stream::Events, records.collect());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(append).unwrap();
}

#[test]
fn a_copy_tells_how_far_it_is_and_a_target_with_other_records_is_not_said_to_go_on() {
    let folder = folder(&[("rollcall.toml", GOOD), ("rules.json", RULES)]);
    log(&folder.path().join("one"), &["a", "b"]);
    log(&folder.path().join("other"), &["b"]);
    let copy = |to| rollcall(folder.path(), &["log", "copy", "--from", "one", "--to", to]);
    let copied = copy("new");
    assert_eq!(code(&copied), 0, "{}", errors(&copied));
    assert!(
        errors(&copied).contains("copying events/0"),
        "{}",
        errors(&copied)
    );
    let refused = copy("other");
    assert_eq!(code(&refused), 1, "{}", errors(&refused));
    let said = errors(&refused);
    assert!(said.contains("choose an empty target"), "{said}");
    assert!(!said.contains("goes on where it stood"), "{said}");
}
