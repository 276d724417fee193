//! What an operator is told of the brokers, the topics and a process.

use std::collections::BTreeSet;

use serde_json::Value;

use super::town::{Name, Plan, Role, Town};
use crate::engine::certificate::Certificate;
use crate::engine::harness::{figure, until};
use crate::engine::idp::Dialect::Okta;

const CONFIGS: &str = "kafka.admin.ConfigCommand";
const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const NODE: Name = (Role::Project, 0);

/// A row of `rollcall check`: its result, and what was found.
fn row<'a>(checks: &'a Value, what: &str) -> (bool, bool, &'a str) {
    let rows = checks.as_array().unwrap();
    let row = rows.iter().find(|row| row["what"] == what);
    let row = row.unwrap_or_else(|| panic!("{what} is not in {checks:#}"));
    let warning = row["warning"] == true;
    (row["good"] == true, warning, row["found"].as_str().unwrap())
}

#[track_caller]
fn failed(checks: &Value, what: &str, told: &str) {
    let (good, _, found) = row(checks, what);
    assert!(
        !good && found.contains(told),
        "{what}: {told:?} is not in {found:?}"
    );
}

async fn checked(town: &Town, code: i32) -> Value {
    let told = town.command(NODE, &["--json", "check"]).await;
    assert_eq!(told.code, code, "{told:?}");
    told.json()
}

/// All files of a node's data folder.
fn files(town: &Town) -> BTreeSet<String> {
    let folder = town.folder(NODE).join("data");
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_asks_the_brokers_and_says_what_to_change() {
    let mut town = Town::new(&Plan {
        each: 1,
        ..Plan::default()
    })
    .await;
    let (before, events) = (files(&town), format!("{}events", town.prefix));
    let good = checked(&town, 0).await;
    assert!(
        row(&good, "Kafka")
            .2
            .contains("answers unencrypted, without a login"),
        "{good:#}"
    );
    assert!(
        row(&good, &format!("topic {events}"))
            .2
            .contains("partitions: 8, copies: 1"),
        "{good:#}"
    );
    assert!(row(&good, "log").2.contains("has seen none yet"), "{good:#}");
    assert!(row(&good, "rights").2.contains("may write"), "{good:#}");
    assert!(
        row(&good, "keys").2.contains("the log's for every tenant"),
        "{good:#}"
    );
    assert_eq!(files(&town), before, "something was written");

    // Where no topics are it makes none: neither does a broker that makes what it is asked for.
    town.reconfigure(NODE, &town.prefix.clone(), "elsewhere.");
    // Whoever has keys has had a log: an empty one in its place would know nobody. To begin it is said by command.
    let begins = "`rollcall topics` begins a new one with these keys";
    failed(&checked(&town, 1).await, "topic elsewhere.events", begins);
    let refused = town.refused_start(NODE).await;
    assert!(refused.contains(begins), "{refused}");
    let data = town.folder(NODE).join("data");
    std::fs::rename(data.join("keys.json"), data.join("keys.kept")).unwrap();
    let none = checked(&town, 0).await;
    let (good, warning, found) = row(&none, "topic elsewhere.events");
    assert!(good && warning && found.contains("the first start"), "{found}");
    town.reconfigure(NODE, "[kafka]", "[kafka]\ncreate_topics = false");
    failed(
        &checked(&town, 1).await,
        "topic elsewhere.outcomes",
        "run `rollcall topics`",
    );
    std::fs::rename(data.join("keys.kept"), data.join("keys.json")).unwrap();
    // Nor does anybody make some where another log was: whoever lost it has to say so.
    std::fs::write(data.join("log-id"), "00112233445566778899aabbccddeeff\n").unwrap();
    let refused = town.command(NODE, &["topics"]).await;
    assert!(
        refused.code == 1 && refused.err.contains("its topics are not there"),
        "{refused:?}"
    );
    let there = town.kafka.tool(TOPICS, &["--list"]).unwrap();
    assert!(there.contains(&events) && !there.contains("elsewhere"), "{there}");
    let unknown = std::fs::read(data.join("log-id")).unwrap();
    std::fs::remove_file(data.join("log-id")).unwrap();
    let begun = town.command(NODE, &["--json", "topics"]).await;
    assert_eq!(begun.code, 0, "{begun:?}");
    assert_eq!(begun.json()["begunWithKeys"], true, "{begun:?}");
    town.reconfigure(NODE, "elsewhere.", &town.prefix.clone());
    std::fs::write(data.join("log-id"), unknown).unwrap();

    failed(&checked(&town, 1).await, "log", "restore the topics");
    std::fs::remove_file(data.join("log-id")).unwrap();
    town.reconfigure(NODE, "[kafka]", "[kafka]\npartitions = 4");
    failed(
        &checked(&town, 1).await,
        &format!("topic {events}"),
        "set kafka.partitions = 8",
    );
    town.reconfigure(NODE, "partitions = 4\n", "");

    // What projectors compute can be computed again; the other two topics are the truth.
    let desired = format!("{}desired", town.prefix);
    town.kafka
        .tool(TOPICS, &["--delete", "--topic", &desired])
        .unwrap();
    failed(
        &checked(&town, 1).await,
        &format!("topic {desired}"),
        "`rollcall topics renew-desired`",
    );
    for _ in 0..2 {
        let renewed = town.command(NODE, &["topics", "renew-desired"]).await;
        assert_eq!(renewed.code, 0, "{renewed:?}");
    }
    checked(&town, 0).await;

    std::fs::rename(data.join("keys.json"), data.join("keys.kept")).unwrap();
    failed(
        &checked(&town, 1).await,
        "keys",
        "copy keys.json from a process that runs",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_of_any_role_warns_of_its_certificate_and_of_brokers_in_the_clear() {
    let mut town = Town::new(&Plan {
        each: 1,
        ..Plan::default()
    })
    .await;
    let ended = Certificate::until("200102000000Z");
    std::fs::write(town.folder(NODE).join("cert.pem"), &ended.pem).unwrap();
    std::fs::write(town.folder(NODE).join("key.pem"), &ended.key).unwrap();
    let listen = "listen = \"127.0.0.1:0\"";
    let tls = format!("{listen}\ntls_cert = \"cert.pem\"\ntls_key = \"key.pem\"");
    town.reconfigure(NODE, listen, &tls);
    // Nobody is there; the other one answers.
    let bootstrap = town.kafka.bootstrap();
    town.reconfigure(NODE, &bootstrap, &format!("{bootstrap},192.0.2.1:9092"));
    let checks = checked(&town, 0).await;
    let (good, warning, found) = row(&checks, "kafka.security");
    assert!(good && warning, "{checks:#}");
    assert!(
        found.contains("the brokers at 192.0.2.1:9092 are spoken to without encryption"),
        "{found}"
    );

    town.spawn(NODE);
    let warnings = [
        "without encryption",
        "the server's certificate expired at 2020-01-02",
    ];
    until("both are in the log", async || {
        let lines = town.world.lines.all();
        warnings.iter().all(|warning| {
            lines
                .iter()
                .any(|line| line.contains(" WARN ") && line.contains(warning))
        })
    })
    .await;
    until("both are in the status", async || {
        let told = town.command(NODE, &["--json", "status"]).await;
        told.code == 0
            && warnings
                .iter()
                .all(|warning| told.json()["warnings"].to_string().contains(warning))
    })
    .await;
    town.stop(NODE).await;
}

/// Sets something of the topic of events, or takes it back.
fn set_events(town: &Town, change: [&str; 2]) {
    let topic = format!("{}events", town.prefix);
    let on = ["--alter", "--entity-type", "topics", "--entity-name", &topic];
    town.kafka
        .tool(CONFIGS, &[&on[..], &change[..]].concat())
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_append_is_not_ready_until_it_can_and_needs_no_request_for_that() {
    const INGEST: Name = (Role::Ingest, 0);
    let mut town = Town::running(&Plan {
        each: 1,
        kafka: "partitions = 1\naccount_partitions = 1".to_owned(),
        ..Plan::default()
    })
    .await;
    let steady = town.world.hire(Okta, "steady", &["Agent_CHIC-01_Clerk"]).await;
    set_events(&town, ["--add-config", "max.message.bytes=10"]);
    town.refuses(0, &steady).await;
    until("it is not ready, and says why", async || {
        let page = town.page(INGEST, "/readyz").await;
        page.is_some_and(|(status, text)| {
            status == 503 && text.contains("append: events: the broker takes no")
        })
    })
    .await;
    assert_eq!(town.page(INGEST, "/livez").await.unwrap().0, 200);
    until("what was changed is told", async || {
        let told = town.command(INGEST, &["--json", "status"]).await.json();
        let (_, text) = town.page(INGEST, "/metrics").await.unwrap();
        told["warnings"].to_string().contains("max.message.bytes is 10")
            && figure(&text, "rollcall_topic_findings", &[]) == Some(1.0)
    })
    .await;
    set_events(&town, ["--add-config", "max.message.bytes=2097152"]);
    town.back(INGEST).await; // a balancer sends nothing
    town.last_word(&steady).await;
    town.settled().await;
    town.stop_all().await;
}
