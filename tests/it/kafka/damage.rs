//! Topics that others lay hands on.

use super::town::{Plan, Role, Town};
use crate::engine::acts::names;
use crate::engine::harness::until;
use crate::engine::idp::Dialect::Entra;
use crate::engine::journal::Repeats;

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const PRODUCER: &str = "org.apache.kafka.tools.ConsoleProducer";

fn one_of_each() -> Plan {
    Plan {
        each: 1,
        kafka: "partitions = 1".to_owned(),
        ..Plan::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_was_deleted_and_made_anew_is_refused_and_named() {
    let mut town = Town::running(&one_of_each()).await;
    town.world
        .hire_all(Entra, &names("early", 4), &["Agent_CHIC-01_Clerk"])
        .await;
    town.converged(Repeats::Never).await;
    let written = town.world.fluent.journal().len();
    let events = format!("{}events", town.prefix);
    town.kafka
        .tool(TOPICS, &["--delete", "--topic", &events])
        .unwrap();
    let again = ["--create", "--topic", &events, "--partitions", "1"];
    until("the topic can be made anew", async || {
        town.kafka.tool(TOPICS, &again).is_ok()
    })
    .await;
    // Nobody that runs goes on as if nothing had been there.
    for name in town.names() {
        until(&format!("{name:?} is not ready any more"), async || {
            !town.is_ready(name).await
        })
        .await;
    }
    until("it is said", async || {
        let lines = town.world.lines.all();
        lines.iter().any(|line| line.contains("deleted or recreated"))
    })
    .await;
    // And nobody that starts begins anew with nothing.
    for name in town.names() {
        town.kill_if_running(name);
        let said = town.refused_start(name).await;
        assert!(said.contains(&events), "{name:?} does not name the topic: {said}");
        assert!(said.contains("deleted or recreated"), "{name:?}: {said}");
    }
    let fluent = &town.world.fluent;
    assert_eq!(fluent.journal().len(), written, "Fluent was written to");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_nobody_can_read_is_set_aside_with_its_place_and_the_others_flow() {
    let mut town = Town::running(&one_of_each()).await;
    town.world
        .hire_all(Entra, &names("before", 3), &["Agent_CHIC-01_Clerk"])
        .await;
    let keyed = [
        "--reader-property",
        "parse.key=true",
        "--reader-property",
        "key.separator=|",
    ];
    for (stream, key) in [
        ("events", "acme"),
        ("outcomes", "acme/3f2340eab29a3874210c4767f47d6c00"),
    ] {
        let topic = format!("{}{stream}", town.prefix);
        let poison = format!("{key}|this is no event\n{key}|{{\"specversion\":\"9\"}}\n");
        let arguments = [&["--topic", &topic], &keyed[..]].concat();
        town.kafka.tool_given(PRODUCER, &arguments, &poison).unwrap();
    }
    town.world
        .hire_all(Entra, &names("after", 3), &["Agent_CHIC-01_Clerk"])
        .await;
    town.converged(Repeats::WhenLate).await;
    until("it is told with its place", async || {
        let lines = town.world.lines.all();
        lines
            .iter()
            .any(|line| line.contains("cannot be read") && line.contains("position"))
    })
    .await;
    // Nor does it stop a start.
    for role in Role::ALL {
        town.stop((role, 0)).await;
        town.start((role, 0)).await;
    }
    town.world
        .hire_all(Entra, &names("later", 3), &["Agent_CHIC-01_Clerk"])
        .await;
    town.converged(Repeats::WhenLate).await;
    town.stop_all().await;
}
