//! Known traps: what a provider's traffic shows, the operator is told.

use serde_json::{Value, json};

use super::client::Client;
use super::dialect::{Dialect, ENTRA_DEFAULT, OKTA_WIZARD, Person, patch};
use crate::engine::harness::{Settings, World};
use crate::engine::idp::{named, patch_body};

/// The names of the warnings in `status --json`, with their connections.
async fn warnings(world: &World) -> Vec<(String, String)> {
    let status = world.json(&["status"]).await;
    let all = status["tenants"][0]["warnings"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    all.iter()
        .map(|warning| (text(&warning["connection"]), text(&warning["trap"])))
        .collect()
}

fn of(connection: &str, traps: &[&str]) -> Vec<(String, String)> {
    traps
        .iter()
        .map(|trap| (connection.to_owned(), (*trap).to_owned()))
        .collect()
}

async fn connected(dialect: Dialect) -> (World, Client) {
    let world = World::running(Settings::default()).await;
    let client = Client::new(&world, dialect);
    (world, client)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_that_are_never_removed_are_told_in_status_and_metrics_until_some_are() {
    let (world, mut entra) = connected(ENTRA_DEFAULT).await;
    let ida = entra.hire(&Person::with("ida", &["Agent_CHIC-01_Lead"])).await;
    let path = format!("/Users/{ida}");
    let assignment =
        json!({"id": "7f0c", "value": "Agent_CHIC-01_Clerk", "displayName": "Clerk"}).to_string();
    let add = json!({"op": "Add", "path": "roles", "value": [{"value": assignment}]});
    entra.change(&path, |_, _| patch(vec![add.clone()])).await;
    assert_eq!(warnings(&world).await, of("entra", &["roles-never-removed"]));
    let told = world.command(&["status"]).await.out;
    for word in [
        "warning: connection entra of acme",
        "roles-never-removed",
        "AssertiveAppRoleAssignmentsComplex",
    ] {
        assert!(told.contains(word), "{word}: {told}");
    }
    let labels = ["connection=\"entra\"", "trap=\"roles-never-removed\""];
    assert_eq!(
        world.metric("rollcall_connection_warnings", &labels).await,
        Some(1.0)
    );
    let roles = ["Agent_CHIC-01_Clerk".to_owned()];
    entra
        .change(&path, |dialect, now| dialect.change_roles(now, &roles))
        .await;
    assert_eq!(warnings(&world).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_members_unreadable_filters_and_refused_creations_are_told() {
    let (world, mut entra) = connected(ENTRA_DEFAULT).await;
    entra.hire(&Person::with("ida", &[])).await;
    let group = entra.dialect.group("Chicago Floor");
    let group = entra.post("/Groups", &group).await.expect(201).id();
    let nobody = json!({"op": "Add", "path": "members", "value": [{"value": named("nobody")}]});
    let again = entra.dialect.user(&Person::with("ida", &[]));
    let body = patch_body(vec![nobody]);
    for _ in 0..5 {
        entra.patch(&format!("/Groups/{group}"), &body).await.expect(400);
        entra.filter("/Users", "badge eq \"17\"", "").await.expect(400);
        entra.post("/Users", &again).await.expect(409);
    }
    let all = ["unknown-members", "unreadable-filter", "repeated-refusal"];
    assert_eq!(warnings(&world).await, of("entra", &all));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_without_shape_and_users_without_active_are_told_and_only_of_their_connection() {
    let (world, mut okta) = connected(OKTA_WIZARD).await;
    let mut entra = Client::new(&world, ENTRA_DEFAULT);
    entra.hire(&Person::with("eva", &["User"])).await;
    for number in 0..5 {
        let mut body = okta
            .dialect
            .user(&Person::with(&format!("user-{number}"), &["User"]));
        body.as_object_mut().unwrap().remove("active");
        okta.post("/Users", &body).await.expect(201);
    }
    assert_eq!(
        warnings(&world).await,
        of("okta", &["no-app-roles", "active-never-sent"])
    );
    okta.hire(&Person::with("ida", &["Agent_CHIC-01_Lead"])).await;
    assert_eq!(warnings(&world).await, []);
}
