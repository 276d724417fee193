//! Rules and policy change while people come and go.

use std::time::Duration;

use serde_json::{Value, json};

use super::harness::{Settings, World, holds_within, until};
use super::idp::{Dialect::*, named};

/// A changed rule file is noticed within this time.
const NOTICED: Duration = Duration::from_secs(5);

/// A rule file in which one logical role means these.
fn rules(targets: &[&str]) -> String {
    json!({"rules": [{
        "condition": {"type": "HAS_APP_ROLE", "appRole": "Supervisor"},
        "action": {"type": "MAPPING_ROLE_ASSIGNMENT", "sourceAppRole": "Supervisor", "targetRoles": targets},
    }]})
    .to_string()
}

fn note(world: &mut World, targets: &[&str]) {
    let targets = targets.iter().map(|role| (*role).to_owned()).collect();
    world.model.rules.insert("Supervisor".to_owned(), targets);
}

async fn world(targets: &[&str]) -> World {
    let settings = Settings {
        rules: Some(rules(targets)),
        ..Settings::default()
    };
    let mut world = World::running(settings).await;
    note(&mut world, targets);
    world
}

async fn version(world: &World) -> Value {
    world.json(&["rules", "show"]).await["version"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_rule_file_is_noticed_and_a_broken_one_is_refused_whole() {
    let mut world = world(&["Lead"]).await;
    world.hire(Entra, "rita", &["Agent_CHIC-01_Supervisor"]).await;
    let leaver = world.hire(Entra, "leaver", &["Agent_CHIC-01_Supervisor"]).await;
    world.converged().await;
    let first = version(&world).await;

    world.write("rules.json", &rules(&["Lead", "Viewer"]));
    let noticed = holds_within(NOTICED, async || version(&world).await != first).await;
    assert!(noticed, "not within {NOTICED:?}");
    note(&mut world, &["Lead", "Viewer"]);
    world.converged().await;
    let second = version(&world).await;

    let from = world.lines.len();
    world.write(
        "rules.json",
        r#"{"rules": [{"condition": {"type": "HAS_APP_ROLE", "appRole": "Supervisor"}}], "groups": 7}"#,
    );
    until("the broken file is refused", async || {
        world
            .lines
            .since(from)
            .iter()
            .any(|line| line.contains("ERROR") && line.contains("rule file is not taken"))
    })
    .await;
    let said = world.lines.since(from).join("\n");
    assert!(
        said.contains("rules[0]") && said.contains("groups"),
        "every mistake is named: {said}"
    );
    world.set_active(Entra, &leaver, false).await;
    world.converged().await;
    assert_eq!(world.status_of(&named("leaver")), "INACTIVE", "leavers flow");
    assert_eq!(version(&world).await, second, "the old rules stay");

    // A start with the broken file goes on with the old rules, too.
    world.stop().await;
    world.start().await;
    world.converged().await;
    assert_eq!(version(&world).await, second);
    world.write("rules.json", &rules(&["Clerk"]));
    note(&mut world, &["Clerk"]);
    world.converged().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_check_activate_and_show_rules() {
    let mut world = World::running(Settings::default()).await;
    world.hire(Okta, "steady", &["Agent_CHIC-01_Lead"]).await;
    assert_eq!(version(&world).await, Value::Null);
    world.write("mine.json", &rules(&["Clerk", "Viewer"]));
    assert_eq!(world.command(&["rules", "check", "mine.json"]).await.code, 0);
    let told = world.command(&["rules", "activate", "mine.json"]).await;
    assert!(
        told.code == 0 && told.out.contains("activated: event"),
        "{told:?}"
    );
    note(&mut world, &["Clerk", "Viewer"]);
    world.hire(Okta, "rita", &["Agent_CHIC-01_Supervisor"]).await;
    world.converged().await;

    let again = world.json(&["rules", "activate", "mine.json"]).await;
    assert_eq!(again["event"], Value::Null, "it is so already: {again}");
    let shown = world.command(&["rules", "show"]).await;
    world.write("shown.json", &shown.out);
    assert_eq!(
        world.command(&["rules", "check", "shown.json"]).await.code,
        0,
        "what is shown is a rule file"
    );
    assert_eq!(
        world.json(&["rules", "show"]).await["rules"],
        serde_json::from_str::<Value>(&shown.out).unwrap()
    );

    world.write("bad.json", r#"{"rules": [7]}"#);
    for command in ["check", "activate"] {
        let told = world.command(&["rules", command, "bad.json"]).await;
        assert!(told.code == 1 && told.err.contains("rules[0]"), "{told:?}");
    }
    assert_ne!(
        world.command(&["rules", "activate", "missing.json"]).await.code,
        0
    );
    world.converged().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_policy_at_the_next_start_changes_what_is_wanted() {
    let mut world = World::running(Settings::default()).await;
    // One of two roles is not known: nothing at first, the known one under the other policy.
    world
        .entra
        .hire(&named("dora"), &["Agent_CHIC-01_Lead", "Agent_CHIC-01_Unheard"])
        .await;
    // An account that was there before us, with a role that is not ours.
    let foreign = ("Store_Manager".to_owned(), "AGENT".to_owned(), "102".to_owned());
    world.model.foreign.insert(named("veteran"), [foreign].into());
    world.hire(Entra, "veteran", &["Agent_CHIC-01_Viewer"]).await;
    world.model.gone.insert(named("dora"));
    world.converged().await;
    assert!(world.fluent.user(&named("dora")).is_none());
    assert_eq!(
        world.json(&["holds"]).await["accounts"][0]["username"],
        named("dora")
    );

    world.stop().await;
    world.settings.policy = "unknown_roles = \"hold-role\"".to_owned();
    world.configure();
    world.start().await;
    world.model.gone.remove(&named("dora"));
    let dora = world.entra.find(&named("dora")).await.unwrap();
    world.note_hired(&dora, &named("dora"), &["Agent_CHIC-01_Lead"]);
    world.converged().await;

    world.stop().await;
    world.settings.policy = "unknown_roles = \"hold-role\"\nforeign_grants = \"remove\"".to_owned();
    world.configure();
    world.start().await;
    world.model.foreign.clear();
    world.as_expected().await;
    world.settled().await;

    // The same policy again is no event.
    let sequence = world.json(&["status"]).await["tenants"][0]["sequence"].clone();
    world.stop().await;
    world.start().await;
    assert_eq!(world.json(&["status"]).await["tenants"][0]["sequence"], sequence);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operator_activated_stays_until_the_file_is_edited() {
    let mut world = world(&["Lead"]).await;
    world.hire(Entra, "rita", &["Agent_CHIC-01_Supervisor"]).await;
    world.converged().await;
    world.write("mine.json", &rules(&["Clerk"]));
    assert_eq!(world.command(&["rules", "activate", "mine.json"]).await.code, 0);
    note(&mut world, &["Clerk"]);
    world.converged().await;
    let mine = version(&world).await;
    world.stop().await;
    world.start().await;
    assert_eq!(version(&world).await, mine, "the file says what it said before");
    world.converged().await;
    world.stop().await;
    // Edited while nobody ran: now it counts.
    world.write("rules.json", &rules(&["Viewer"]));
    note(&mut world, &["Viewer"]);
    world.start().await;
    world.converged().await;
    world.stop().await;
}
