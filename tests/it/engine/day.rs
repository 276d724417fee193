//! An ordinary day: both providers speak, everything reaches Fluent, and operators are told why.

use serde_json::json;

use super::harness::{DOMAIN, Settings, World, until};
use super::idp::{Dialect::*, named};

const RULES: &str = r#"{
  "rules": [{"condition": {"type": "HAS_APP_ROLE", "appRole": "Supervisor"},
             "action": {"type": "MAPPING_ROLE_ASSIGNMENT", "sourceAppRole": "Supervisor",
                        "targetRoles": ["Lead", "Clerk", "Viewer"]}}],
  "groups": [{"displayName": "Milwaukee Floor", "appRoles": ["Agent_MILW-01_Associate"]}]}"#;

fn rules(world: &mut World) {
    let targets = ["Lead", "Clerk", "Viewer"].map(str::to_owned).to_vec();
    world.model.rules.insert("Supervisor".to_owned(), targets);
}

async fn world() -> World {
    let settings = Settings {
        rules: Some(RULES.to_owned()),
        ..Settings::default()
    };
    let mut world = World::running(settings).await;
    rules(&mut world);
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_entra_and_okta_say_reaches_fluent() {
    let mut world = world().await;
    let floor = world
        .make_group(Entra, "Chicago Floor", &["Agent_CHIC-01_Associate"])
        .await;
    let everyone = world
        .make_group(Entra, "Everyone", &["Retailer_MIDWEST_Viewer"])
        .await;
    let associates = world
        .hire_all(Entra, &super::acts::names("associate", 30), &[])
        .await;
    let twin = world.hire(Entra, "twin", &["Agent_CHIC-01_Associate"]).await;
    let rita = world.hire(Okta, "rita", &["Retailer_MIDWEST_Supervisor"]).await;
    let nobody = world.hire(Okta, "nobody", &["User"]).await;
    world.add_members(Entra, &floor, &associates).await;
    world
        .add_members(Entra, &floor, std::slice::from_ref(&twin))
        .await;
    world
        .add_members(Entra, &everyone, std::slice::from_ref(&floor))
        .await;
    // A group of the rule file, known by its name; a circle of groups is harmless.
    let milwaukee = world.make_group(Okta, "Milwaukee Floor", &[]).await;
    world
        .add_members(Okta, &milwaukee, std::slice::from_ref(&rita))
        .await;
    world
        .model
        .groups
        .get_mut(&milwaukee)
        .unwrap()
        .roles
        .insert("Agent_MILW-01_Associate".to_owned());
    world
        .add_members(Entra, &floor, std::slice::from_ref(&everyone))
        .await;
    world.model.people.get_mut(&nobody).unwrap().roles.clear(); // `User` is no role
    world.converged().await;
    assert!(
        world.fluent.user(&named("nobody")).is_none(),
        "who has no role is not made"
    );

    // Movers: the twin's personal role stays when its group goes; a group gains; one is deactivated and comes back.
    world.remove_member(Entra, &floor, &twin).await;
    world
        .set_group_roles(Entra, &floor, &["Agent_CHIC-01_Associate", "Agent_CHIC-01_Clerk"])
        .await;
    world.set_active(Okta, &rita, false).await;
    world.fire(Entra, &associates[4]).await;
    world.converged().await;
    assert_eq!(world.status_of(&named("rita")), "INACTIVE");
    world.set_active(Okta, &rita, true).await;
    world.drop_group(Entra, &everyone).await;
    world.converged().await;
    let ida = world.fluent.user(&named("rita")).unwrap();
    assert_eq!(ida.profile["primaryEmail"], named("rita"));
    assert_eq!(ida.profile["firstName"], "Quirin");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_metrics_and_status_tell_how_it_is() {
    let mut world = world().await;
    for page in ["/livez", "/readyz"] {
        assert_eq!(world.entra.page(page).await, Some((200, "ok\n".to_owned())));
    }
    let before = world.metric("rollcall_events_appended_total", &[]).await.unwrap();
    world
        .hire_all(
            Entra,
            &super::acts::names("associate", 5),
            &["Agent_CHIC-01_Associate"],
        )
        .await;
    // Else the leaver may overtake its own hire, which then never was usable.
    world.converged().await;
    world
        .set_active(
            Entra,
            &world.entra.find(&named("associate-1")).await.unwrap(),
            false,
        )
        .await;
    world.converged().await;
    assert_eq!(
        world.metric("rollcall_events_appended_total", &[]).await,
        Some(before + 6.0)
    );
    for (name, labels, value) in [
        ("rollcall_users", vec!["acme"], 5.0),
        ("rollcall_writes_total", vec!["create"], 5.0),
        ("rollcall_requests_total", vec!["/Users", "201"], 5.0),
        ("rollcall_fluent_reachable", vec![], 1.0),
        ("rollcall_ready", vec![], 1.0),
        ("rollcall_leaver_seconds_count", vec!["acme"], 1.0),
        ("rollcall_panics_total", vec![], 0.0),
    ] {
        assert_eq!(
            world.metric(name, &labels).await,
            Some(value),
            "{name} {labels:?}"
        );
    }
    let usable = world.metric("rollcall_usable_seconds_count", &[]).await;
    assert!(usable >= Some(5.0), "{usable:?}");
    assert!(world.metric("rollcall_fluent_call_seconds_count", &[]).await >= Some(10.0));

    let status = world.json(&["status"]).await;
    assert_eq!(status["ready"], true);
    let tenant = &status["tenants"][0];
    assert_eq!(
        json!([
            tenant["tenant"],
            tenant["users"],
            tenant["activeUsers"],
            tenant["fluent"]["reachable"]
        ]),
        json!(["acme", 5, 4, true])
    );
    let told = world.command(&["status"]).await;
    assert_eq!(told.code, 0);
    assert!(
        told.out.contains("ready, running since") && told.out.contains("reachable"),
        "{}",
        told.out
    );
    world.stop().await;
    assert_eq!(world.command(&["status"]).await.code, 4, "nobody runs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_grant_is_explained_and_every_hold() {
    let mut world = world().await;
    let floor = world
        .make_group(Entra, "Chicago Floor", &["Agent_CHIC-01_Supervisor"])
        .await;
    let outer = world.make_group(Entra, "Outer", &["Agent_CHIC-01_Lead"]).await;
    let ida = world.hire(Entra, "ida", &["Agent_CHIC-01_Lead"]).await;
    world.add_members(Entra, &floor, std::slice::from_ref(&ida)).await;
    world
        .add_members(Entra, &outer, std::slice::from_ref(&floor))
        .await;
    world.converged().await;
    let whole = world.json(&["explain", &named("ida")]).await;
    assert_eq!(
        whole,
        world.json(&["explain", &ida]).await,
        "the SCIM id is a name, too"
    );
    assert_eq!(whole["status"]["want"], "active");
    let lead = whole["grants"]
        .as_array()
        .unwrap()
        .iter()
        .find(|grant| grant["grant"]["role"] == "Lead")
        .unwrap();
    assert_eq!(lead["place"], "CHIC-01");
    let reasons = lead["because"].as_array().unwrap();
    assert_eq!(
        reasons.len(),
        3,
        "personal, by the rule of a group, by a group around it: {lead}"
    );
    let from = |kind: &str| {
        reasons
            .iter()
            .filter(|reason| reason["derivation"]["source"]["from"] == kind)
            .count()
    };
    assert_eq!((from("personal"), from("group")), (1, 2));
    assert!(
        reasons
            .iter()
            .any(|reason| reason["groups"] == json!(["Chicago Floor", "Outer"])),
        "{lead}"
    );

    let nested = reasons
        .iter()
        .find(|reason| reason["groups"] == json!(["Chicago Floor", "Outer"]));
    let events = nested.unwrap()["events"].as_array().unwrap();
    let did: Vec<&str> = events
        .iter()
        .map(|event| event["did"].as_str().unwrap())
        .collect();
    assert_eq!(did, ["added-to", "nested-in", "role-given-to"]);
    for event in events {
        assert_eq!(event["actor"], "connection/entra");
        assert_eq!(event["source"], "scim/entra");
    }
    let sequences: Vec<u64> = events
        .iter()
        .map(|event| event["sequence"].as_u64().unwrap())
        .collect();
    assert!(
        sequences[2] < sequences[0] && sequences[0] < sequences[1],
        "the outer group was made first, then ida came, then the groups were nested: {sequences:?}"
    );

    for reason in reasons {
        let events = reason["events"].as_array().filter(|events| !events.is_empty());
        for event in events.unwrap_or_else(|| panic!("a reason without an event: {reason}")) {
            let known = event["id"].is_string() && event["sequence"].is_u64() && event["time"].is_string();
            let by = event["actor"].as_str().unwrap_or_default();
            assert!(
                known && ["connection/entra", "rules-file"].contains(&by),
                "{reason}"
            );
        }
    }

    let told = world.command(&["explain", &named("ida"), "Lead"]).await;
    assert_eq!(told.code, 0);
    for words in [
        "ACTIVE",
        "assigned to the user",
        "expanded by the rule for Supervisor",
        "role given to “Outer” by connection/entra at ",
        "rules activated by ",
        "granted by us",
    ] {
        assert!(told.out.contains(words), "{words}: {}", told.out);
    }
    let told = world.command(&["explain", &named("ida"), "Store_Manager"]).await;
    assert!(
        told.code == 0 && told.out.contains("no grant from Store_Manager"),
        "{told:?}"
    );
    let told = world.command(&["explain", "stranger"]).await;
    assert_eq!(told.code, 5, "{told:?}");
    let told = world.command(&["--json", "explain", "stranger"]).await;
    let error: serde_json::Value = serde_json::from_str(&told.err).unwrap();
    assert_eq!(error["error"]["exit"], 5);

    // A near miss is held, with what may be meant.
    world.entra.hire(&named("dora"), &["Agent_CHIC-02_Lead"]).await;
    world.entra.hire(&named("max"), &["Agent_CHIC-01_Leed"]).await;
    until("both are held", async || {
        world.json(&["holds"]).await["accounts"]
            .as_array()
            .is_some_and(|list| list.len() == 2)
    })
    .await;
    let told = world.command(&["holds"]).await;
    for words in [
        &*named("dora"),
        &*named("max"),
        "did you mean CHIC-01?",
        "did you mean Lead?",
        "unknown-place",
    ] {
        assert!(told.out.contains(words), "{words}: {}", told.out);
    }
    assert!(world.fluent.user(&named("dora")).is_none());
    world.stop().await;
}

/// Who the replay names, and what each is to be, with the sequence it ends at.
async fn replay(world: &World, until: &str) -> (Vec<(String, String)>, serde_json::Value) {
    let told = world.command(&["--json", "replay", "--until", until]).await;
    assert_eq!(told.code, 0, "{told:?}");
    let mut lines = told.lines();
    let end = lines.pop().unwrap();
    let mut users: Vec<(String, String)> = lines
        .iter()
        .filter(|line| line["line"] == "user")
        .map(|line| {
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            (text(&line["username"]), text(&line["desired"]["status"]["want"]))
        })
        .collect();
    users.sort();
    assert_eq!(end["users"], users.len());
    (users, end["sequence"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_can_be_replayed_to_any_point() {
    let mut world = world().await;
    let ida = world.hire(Entra, "ida", &["Agent_CHIC-01_Lead"]).await;
    let hired = world.json(&["status"]).await["tenants"][0]["sequence"].clone();
    #[expect(clippy::disallowed_methods, reason = "a point between two events")]
    let between =
        rollcall_domain::Timestamp::from_millis(jiff::Timestamp::now().as_millisecond()).to_string();
    world.hire(Entra, "bo", &["Agent_CHIC-01_Clerk"]).await;
    world.set_active(Entra, &ida, false).await;
    world.converged().await;

    let pair = |name: &str, want: &str| (named(name), want.to_owned());
    let now = (
        vec![pair("bo", "active"), pair("ida", "inactive")],
        world.json(&["status"]).await["tenants"][0]["sequence"].clone(),
    );
    assert_eq!(replay(&world, "end").await, now);
    assert_eq!(
        replay(&world, &hired.to_string()).await,
        (vec![pair("ida", "active")], hired.clone())
    );
    assert_eq!(replay(&world, "2020-01-01T00:00:00Z").await.0, Vec::new());
    assert!(
        replay(&world, &between).await.0 == [pair("ida", "active")],
        "as of when ida was hired"
    );
    assert_eq!(replay(&world, "2999-01-01T00:00:00Z").await.0, now.0);
    let told = world.command(&["replay", "--until", "end"]).await;
    assert!(
        told.out.contains("2 users as of sequence") && told.out.contains(DOMAIN),
        "{told:?}"
    );
    assert_eq!(world.command(&["replay", "--until", "yesterday"]).await.code, 2);
    let explained = world.json(&["explain", &named("bo")]).await;
    world.stop().await;
    assert_eq!(
        replay(&world, "end").await,
        now,
        "from the files, when nobody runs"
    );
    assert_eq!(
        world.json(&["explain", &named("bo")]).await["grants"],
        explained["grants"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_tells_good_from_bad() {
    let world = World::new(Settings {
        rules: Some(RULES.to_owned()),
        ..Settings::default()
    })
    .await;
    let told = world.command_with_secrets(&["check"]).await;
    assert_eq!(told.code, 0, "{told:?}");
    for words in [
        "7 roles, 1 retailers, 2 locations",
        "rules: 1, groups: 1",
        "connection acme/entra",
        "/scim/v2, tolerant",
        "all roles and places are there",
    ] {
        assert!(told.out.contains(words), "{words}: {}", told.out);
    }
    let json = world.command_with_secrets(&["--json", "check"]).await.json();
    assert!(
        json.as_array().unwrap().iter().all(|check| check["good"] == true),
        "{json}"
    );
    assert_eq!(
        world.command(&["check"]).await.code,
        3,
        "without its secrets it is no configuration"
    );

    let unknown = RULES
        .replace("\"Viewer\"", "\"Voyeur\"")
        .replace("MILW-01", "MILW-02");
    world.write("rules.json", &unknown);
    let told = world.command_with_secrets(&["check"]).await;
    assert_eq!(told.code, 0, "what Fluent has not may come: {told:?}");
    for words in [
        "warning",
        "role Voyeur (rules[0])",
        "app role Agent_MILW-02_Associate (groups[0])",
    ] {
        assert!(told.out.contains(words), "{words}: {}", told.out);
    }
    world.write("rules.json", "{\"rules\": [{}]}");
    let told = world.command_with_secrets(&["check"]).await;
    assert!(told.code == 1 && told.out.contains("rules[0]"), "{told:?}");
    world.write("rules.json", RULES);
    world.fluent.set_password("another");
    let before = world.fluent.stats().refused_logins;
    for _ in 0..3 {
        let told = world.command_with_secrets(&["check"]).await;
        assert!(
            told.code == 1 && told.out.to_lowercase().contains("login"),
            "{told:?}"
        );
        super::harness::assert_tells_nothing(&format!("{}{}", told.out, told.err));
    }
    assert_eq!(
        world.fluent.stats().refused_logins - before,
        1,
        "a bad login is not tried again"
    );
    world
        .fluent
        .set_down(Some(rollcall_fluent_sim::Down::Refuse))
        .await;
    assert_eq!(world.command_with_secrets(&["check"]).await.code, 1);
    assert_eq!(world.command_with_secrets(&["check", "--offline"]).await.code, 0);
    world.write("rollcall.toml", "[server]\nlisten = 7\nlissten = 8\n");
    let told = world.command_with_secrets(&["check"]).await;
    assert!(
        told.code == 3 && told.err.contains("rollcall.toml:2") && told.err.contains("rollcall.toml:3"),
        "{told:?}"
    );
}
