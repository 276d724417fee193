//! Tokens made by the command, while the program runs.

use reqwest::Method;
use serde_json::json;

use super::harness::{Settings, World, until};
use super::idp::Idp;

async fn status_of(idp: &Idp) -> u16 {
    idp.once(&Method::GET, "/Users?count=0", None)
        .await
        .map_or(0, |reply| reply.status)
}

#[tokio::test]
async fn a_token_is_made_used_listed_and_revoked_without_a_restart() {
    let mut world = World::running(Settings::default()).await;
    let made = world
        .json(&[
            "token",
            "new",
            "--connection",
            "entra",
            "--name",
            "next",
            "--expires",
            "7d",
        ])
        .await;
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    assert!(
        token.starts_with(&format!("rct_{id}_")) && token.len() == 85,
        "{token}"
    );
    let next = world.entra.with_token(token);
    until("the new token is taken", async || status_of(&next).await == 200).await;
    assert_eq!(status_of(&world.entra).await, 200, "and the old one still is");

    next.hire("ida@people.example", &["Agent_CHIC-01_Clerk"]).await;
    let explained = world.json(&["explain", "ida@people.example"]).await;
    assert!(
        explained.to_string().contains("\"connection/entra/next\""),
        "{explained}"
    );
    let status = world.json(&["status"]).await;
    let shown = status["credentials"].as_array().unwrap();
    let shown = shown
        .iter()
        .find(|credential| credential["name"] == "next")
        .unwrap();
    assert_eq!(
        (&shown["state"], &shown["kind"]),
        (&json!("expires-soon"), &json!("stored"))
    );
    assert!(shown["lastUsed"].is_string(), "{shown}");
    assert!(
        status["warnings"][0]
            .as_str()
            .unwrap()
            .starts_with("token next of acme/entra expires at")
    );
    assert!(!status.to_string().contains(token));
    let series = ["tenant=\"acme\"", "connection=\"entra\"", "credential=\"next\""];
    assert!(
        world
            .metric("rollcall_credential_expires_seconds", &series)
            .await
            .unwrap()
            > 1.7e9
    );

    let taken = world
        .command(&["token", "new", "--connection", "entra", "--name", "next"])
        .await;
    assert_eq!((taken.code, taken.out.as_str()), (1, ""), "{}", taken.err);
    assert!(taken.err.contains("has a live token named next"), "{}", taken.err);

    world.json(&["token", "revoke", id]).await;
    // This test has failed to log in so often by now that it may be asked to wait instead.
    until("the revoked token is refused", async || {
        [401, 429].contains(&status_of(&next).await)
    })
    .await;
    let listed = world.command(&["token", "list"]).await;
    assert!(
        listed.out.contains(id) && listed.out.contains("revoked"),
        "{}",
        listed.out
    );
    let unknown = world.command(&["token", "revoke", "0000000000000000"]).await;
    assert_eq!(unknown.code, 1, "{}", unknown.err);

    world.stop().await;
    let secret = token.rsplit('_').next().unwrap();
    assert!(
        world.lines.all().iter().all(|line| !line.contains(secret)),
        "a token is in the log"
    );
    let stored = std::fs::read_to_string(world.data().join("tokens.json")).unwrap();
    assert!(!stored.contains(secret), "a token is stored");
}

#[tokio::test]
async fn a_token_file_that_cannot_be_taken_stops_the_start_but_not_a_running_instance() {
    let mut world = World::running(Settings::default()).await;
    let made = world
        .command(&["token", "new", "--connection", "okta", "--expires", "never"])
        .await;
    assert_eq!(made.code, 0, "{}", made.err);
    let okta = world.okta.with_token(made.out.trim());
    until("the new token is taken", async || status_of(&okta).await == 200).await;
    let file = world.data().join("tokens.json");
    std::fs::write(&file, "no token file").unwrap();
    until("operators are told", async || {
        let status = world.json(&["status"]).await;
        status["warnings"]
            .to_string()
            .contains("what was read last stays in force")
    })
    .await;
    assert_eq!(status_of(&okta).await, 200);
    world.stop().await;
    let said = world.refused_start("a broken token file").await;
    assert!(said.contains("reading the token file"), "{said}");
}

#[tokio::test]
async fn a_connection_must_be_named_as_it_is_configured() {
    let world = World::new(Settings::default()).await;
    for (arguments, expected) in [
        (
            &["token", "new", "--connection", "ping"][..],
            "there is no connection ping",
        ),
        (
            &["token", "new", "--connection", "okta", "--tenant", "beta"],
            "tenant beta has no connection okta",
        ),
        (
            &["token", "new", "--connection", "okta", "--expires", "2020-01-01"],
            "has passed",
        ),
    ] {
        let told = world.command(arguments).await;
        assert_eq!(told.code, 2, "{arguments:?}: {}", told.err);
        assert!(told.err.contains(expected), "{}", told.err);
        assert_eq!(told.out, "");
    }
    assert!(!world.data().join("tokens.json").exists());
}

#[tokio::test]
async fn an_oauth_client_of_the_configuration_gets_a_token_that_outlives_a_restart() {
    let mut world = World::new(Settings::default()).await;
    let file = std::fs::read_to_string(world.file("rollcall.toml")).unwrap();
    let client = "[[tenant.connection.client]]\nid = \"gallery\"\nsecret_env = \"ENTRA_TOKEN\"\n[[tenant.connection]]\n\
                  name = \"okta\"";
    let file = file.replace("[[tenant.connection]]\nname = \"okta\"", client);
    world.write("rollcall.toml", &file);
    world.start().await;
    let secret = super::process::secret("ENTRA_TOKEN");
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "gallery"),
        ("client_secret", secret),
    ];
    let asked = reqwest::Client::new()
        .post(format!("{}/oauth/token", world.entra.base()))
        .form(&form)
        .send()
        .await
        .unwrap();
    assert_eq!(asked.status().as_u16(), 200);
    let answer: serde_json::Value = serde_json::from_str(&asked.text().await.unwrap()).unwrap();
    let gallery = world.entra.with_token(answer["access_token"].as_str().unwrap());
    gallery.hire("ida@people.example", &["Agent_CHIC-01_Clerk"]).await;
    let explained = world.json(&["explain", "ida@people.example"]).await;
    assert!(
        explained.to_string().contains("\"connection/entra/gallery\""),
        "{explained}"
    );
    world.stop().await;
    world.start().await;
    assert_eq!(status_of(&gallery).await, 200);
    world.stop().await;
}
