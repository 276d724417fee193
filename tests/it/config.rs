//! The configuration: what is taken, what is refused and in which words, and that its documentation is whole.

use std::path::Path;
use std::time::Duration;

use rollcall::config::{Config, ConfigErrors, KEYS, longest_under_lease, parse};
use rollcall_domain::{NamePattern, Policy};
use rollcall_ingest::TokenName;
use rollcall_tests::{golden, root};
use secrecy::ExposeSecret as _;

const EXAMPLE: &str = "docs/rollcall.example.toml";
/// An OAuth client of the last connection.
const CLIENT: &str = "[[tenant.connection.client]]\nid = \"gallery\"\nsecret_env = \"OKTA_CLIENT_SECRET\"\n";
/// Tables that may stand several times.
const REPEATED: [&str; 4] = [
    "tenant",
    "tenant.connection",
    "tenant.connection.token",
    "tenant.connection.client",
];

/// Every variable holds a secret of its own, but for those that a mistake needs.
fn env(name: &str) -> Option<String> {
    match name {
        "SHORT_TOKEN" => Some("short".to_owned()),
        _ if name.starts_with("UNSET_") => None,
        _ => Some(format!("a-secret-of-{name}")),
    }
}

fn read(text: &str) -> Result<Config, ConfigErrors> {
    parse(text, Path::new("rollcall.toml"), &env)
}

/// The example, with what it only speaks of.
fn example() -> String {
    let text = std::fs::read_to_string(root().join(EXAMPLE)).unwrap();
    format!("{text}\n{CLIENT}")
}

#[test]
fn the_example_of_the_documentation_is_taken() {
    let config = read(&example()).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.server.public_url, "https://rollcall.example.com");
    assert_eq!(config.server.body_max, 8 << 20);
    assert_eq!(config.log.path, Path::new("data"));
    assert_eq!(config.admin.socket, Path::new("data/admin.sock"));
    let tenant = &config.tenants[0];
    assert_eq!(tenant.connections.len(), 2);
    assert_eq!(
        tenant.connections[0].tokens[0].secret.expose_secret(),
        "a-secret-of-ROLLCALL_ENTRA_TOKEN"
    );
    assert_eq!(tenant.fluent.late_write_window, Duration::from_secs(120));
    let named = &tenant.connections[1].tokens[0];
    assert_eq!(named.name.as_ref().map(TokenName::as_str), Some("2026-11"));
    assert_eq!(named.expires, "2027-11-30T00:00:00Z".parse().ok());
    assert_eq!(tenant.limit, None);
}

#[test]
fn what_is_allowed_and_worth_a_look_is_told() {
    let text = example()
        .replace("127.0.0.1:8080", "0.0.0.0:8080")
        .replace("https://rollcall.example.com", "http://rollcall.example.com")
        .replace("ROLLCALL_ENTRA_TOKEN", "ENTRA")
        .replace("OKTA_CLIENT_SECRET", "CLIENT");
    let config = read(&text).unwrap_or_else(|errors| panic!("{errors}"));
    let told = |day: &str| {
        let now = format!("{day}T00:00:00Z").parse().unwrap();
        let warnings = config.warnings(now).into_iter();
        let lines: Vec<String> = warnings
            .map(|warning| format!("{}: {}", warning.what, warning.found))
            .collect();
        lines.join("\n")
    };
    let early = told("2026-11-25");
    for expected in [
        "server.listen: 0.0.0.0:8080 can be reached from outside without encryption",
        "server.public_url: begins with http://",
        "token of acme/entra: has 17 characters",
        "OAuth client of acme/okta/gallery: has 18 characters",
    ] {
        assert!(early.contains(expected), "{expected} is missing in:\n{early}");
    }
    assert!(!early.contains("expire"), "{early}");
    assert!(told("2027-11-20").contains("token of acme/okta/2026-11: expires at 2027-11-30"));
    assert!(told("2027-11-30").contains("token of acme/okta/2026-11: expired at 2027-11-30"));
    assert!(!early.contains("a-secret-of"), "a secret is shown:\n{early}");
}

#[test]
fn by_default_requests_and_appends_fit_into_a_session_with_room_for_a_late_sign_of_life() {
    let text = example().replace("[log]", "[log]\nengine = \"kafka\"");
    let config = read(&format!("{text}\n[kafka]\nbrokers = \"localhost\"\n"));
    let config = config.unwrap_or_else(|errors| panic!("{errors}"));
    let kafka = config.kafka.unwrap();
    assert_eq!(
        kafka.session_timeout,
        Duration::from_secs(10),
        "docs/operations.md tells what a crash costs"
    );
    let longest = kafka
        .delivery_timeout
        .max(config.tenants[0].fluent.request_timeout);
    let room = longest_under_lease(kafka.session_timeout).saturating_sub(longest);
    assert!(room >= Duration::from_secs(1), "{room:?}");
}

/// What is told of the encryption to brokers, without the secrets.
fn told_of_brokers(kafka: &str) -> Option<String> {
    let config = read(&format!(
        "{}\n[kafka]\n{kafka}\n",
        example().replace("[log]", "[log]\nengine = \"kafka\"")
    ));
    let config = config.unwrap_or_else(|errors| panic!("{errors}"));
    let warnings = config.warnings("2026-11-25T00:00:00Z".parse().unwrap());
    let told = warnings
        .into_iter()
        .find(|warning| warning.what == "kafka.security")?;
    assert!(
        !told.found.contains("a-secret-of"),
        "a secret is shown: {}",
        told.found
    );
    Some(told.found)
}

#[test]
fn brokers_over_a_network_in_the_clear_are_warned_of() {
    for here in ["localhost:9092", "127.0.0.1:9092, [::1]:9093", "LOCALHOST"] {
        assert_eq!(told_of_brokers(&format!("brokers = \"{here}\"")), None, "{here}");
    }
    let far = "brokers = \"localhost:9092,kafka-1:9092, 10.0.0.7:9092\"";
    let told = told_of_brokers(far).unwrap();
    assert!(
        told.contains("at kafka-1:9092, 10.0.0.7:9092 are") && told.contains("= \"tls\""),
        "{told}"
    );
    let login = format!("{far}\nsecurity = \"sasl_plaintext\"\nusername = \"us\"\npassword_env = \"KAFKA\"");
    let told = told_of_brokers(&format!("{login}\nsasl_mechanism = \"PLAIN\"")).unwrap();
    assert!(
        told.contains("the password can be read") && told.contains("= \"sasl_tls\""),
        "{told}"
    );
    let told = told_of_brokers(&format!("{login}\nsasl_mechanism = \"SCRAM-SHA-512\"")).unwrap();
    assert!(!told.contains("password"), "{told}");
    assert_eq!(told_of_brokers(&format!("{far}\nsecurity = \"tls\"")), None);
}

#[test]
fn what_is_not_written_has_the_defaults_of_the_domain_and_our_own_user_is_protected() {
    let text = example();
    let (minimal, _) = text.split_once("[tenant.policy]").unwrap();
    let config = read(minimal).unwrap_or_else(|errors| panic!("{errors}"));
    let mut expected = Policy::default();
    expected.protected.push(NamePattern("rollcall_api".to_owned()));
    expected.account_name = Some("ACME".to_owned());
    assert_eq!(config.tenants[0].policy, expected);
    assert!(config.tenants[0].rules.is_none());
}

#[test]
fn all_mistakes_are_named_at_once_in_clear_words() {
    let folder = root().join("tests/it/golden/config");
    for name in ["mistakes", "twice", "no-toml", "empty"] {
        let text = std::fs::read_to_string(folder.join(format!("{name}.toml"))).unwrap();
        let errors = read(&text).expect_err("a file with mistakes").to_string();
        golden(
            &format!("tests/it/golden/config/{name}.txt"),
            &format!("{errors}\n"),
        );
        assert!(!errors.contains("very-secret"), "a secret is shown:\n{errors}");
        assert!(!errors.contains("a-secret-of"), "a secret is shown:\n{errors}");
    }
}

/// What begins as an access token is looked up as one, so that it would never open anything.
#[test]
fn a_token_that_begins_as_access_tokens_do_is_refused() {
    let env = |name: &str| match name {
        "ROLLCALL_ENTRA_TOKEN" => Some(format!("rca_{}", "x".repeat(60))),
        name => env(name),
    };
    let errors =
        parse(&example(), Path::new("rollcall.toml"), &env).expect_err("a token beginning with rca_");
    let shown = errors.to_string();
    assert!(
        shown.contains("token_env: the token that it leads to begins with rca_"),
        "{shown}"
    );
    assert!(!shown.contains("xxx"), "{shown}");
}

#[test]
fn no_secret_is_shown_by_debug() {
    let shown = format!("{:?}", read(&example()).unwrap());
    assert!(!shown.contains("a-secret-of"), "{shown}");
}

#[test]
fn relative_paths_start_at_the_folder_of_the_file() {
    let config = parse(&example(), Path::new("/etc/rollcall/rollcall.toml"), &env).unwrap();
    assert_eq!(config.log.path, Path::new("/etc/rollcall/data"));
    let rules = config.tenants[0].rules.as_ref().unwrap();
    assert_eq!(rules.file, Path::new("/etc/rollcall/rules.json"));
}

/// The lines of `text` with `key` of the example's table set to something that no key takes.
fn broken(key: &str) -> String {
    let (table, name) = key.rsplit_once('.').unwrap();
    let value = "{ nothing = \"of the kind\" }";
    // In dotted form above all tables, or below the header of its own one.
    let header = match table {
        _ if REPEATED.contains(&table) => format!("[[{table}]]\n"),
        _ => format!("[{table}]\n"),
    };
    let text: String = example()
        .lines()
        .filter(|line| !line.starts_with(&format!("{name} =")) || !under(&example(), line, table))
        .map(|line| format!("{line}\n"))
        .collect();
    match text.split_once(&header) {
        Some((before, after)) => format!("{before}{header}{name} = {value}\n{after}"),
        None if table.starts_with("tenant") => format!("{text}{header}{name} = {value}\n"),
        None => format!("{header}{name} = {value}\n{text}"),
    }
}

/// True when `line` stands below the header of `table`.
fn under(text: &str, line: &str, table: &str) -> bool {
    let before = text.split(line).next().unwrap_or_default();
    let header = before.lines().rev().find(|line| line.starts_with('['));
    header.is_some_and(|header| header.trim_matches(['[', ']']) == table)
}

#[test]
fn every_key_of_the_table_is_read_and_refuses_what_it_does_not_take() {
    for key in KEYS {
        let text = broken(key.path);
        let errors = read(&text).expect_err(&format!("{} took anything:\n{text}", key.path));
        let named = errors
            .problems
            .iter()
            .any(|problem| problem.key == key.path && problem.line.is_some());
        assert!(named, "{} is not read:\n{errors}\n{text}", key.path);
    }
}

#[test]
fn a_key_that_must_be_there_is_missed_when_it_is_not() {
    for key in KEYS.iter().filter(|key| key.required) {
        let (table, name) = key.path.rsplit_once('.').unwrap();
        let example = example();
        let kept = example
            .lines()
            .filter(|line| !line.starts_with(&format!("{name} =")) || !under(&example, line, table));
        let errors = read(&kept.map(|line| format!("{line}\n")).collect::<String>()).expect_err(key.path);
        let missed = errors
            .problems
            .iter()
            .any(|problem| problem.key == key.path && problem.what == "is missing");
        assert!(missed, "{}:\n{errors}", key.path);
    }
}

/// The reference of all keys, as it stands between the marks in the documentation.
fn reference() -> String {
    let mut text = String::new();
    let mut table = "";
    for key in KEYS {
        let (section, name) = key.path.rsplit_once('.').unwrap();
        if section != table {
            table = section;
            let header = if REPEATED.contains(&section) {
                format!("[[{section}]]")
            } else {
                format!("[{section}]")
            };
            text.push_str(&format!(
                "\n### `{header}`\n\n| key | value | default | meaning |\n|---|---|---|---|\n"
            ));
        }
        let default = match (key.default, key.required) {
            (Some(default), _) => format!("`{default}`"),
            (None, true) => "must be given".to_owned(),
            (None, false) => "–".to_owned(),
        };
        let about = key.about;
        text.push_str(&format!(
            "| `{name}` | {} | {default} | {about} |\n",
            key.form_text()
        ));
    }
    text.push('\n');
    text
}

#[test]
fn the_documentation_names_every_key_as_the_loader_takes_it() {
    rollcall_tests::golden_part("docs/configuration.md", "keys", &reference());
}

#[test]
fn nothing_that_a_file_may_hold_makes_the_loader_fail_otherwise_than_by_errors() {
    let mut runner = proptest::test_runner::TestRunner::new(proptest::test_runner::Config {
        failure_persistence: None,
        ..proptest::test_runner::Config::default()
    });
    let example = example();
    let pieces = proptest::collection::vec((0..example.len(), "[\\[\\]{}=\"'.a-z0-9\n #-]{0,6}"), 0..4);
    runner
        .run(&pieces, |pieces| {
            let mut text = example.clone();
            for (at, piece) in pieces {
                if text.is_char_boundary(at) {
                    text.insert_str(at, &piece);
                }
            }
            if let Err(errors) = read(&text) {
                proptest::prop_assert!(!errors.problems.is_empty(), "refused without a reason:\n{}", text);
            }
            Ok(())
        })
        .unwrap();
}
