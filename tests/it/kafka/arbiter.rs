//! Several ingest processes on one log: the log decides who was first, and nobody is told less than what is true.

use std::path::Path;

use reqwest::Method;
use rollcall_domain::TenantId;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::town::{Plan, Role, Town};
use crate::engine::harness::Told;
use crate::engine::idp::Dialect::Entra;
use crate::engine::idp::{Idp, patch_body};

/// Sends all at the same time, each through its door; the statuses, smallest first.
async fn all_at_once(method: Method, path: &str, requests: impl Iterator<Item = (Idp, Value)>) -> Vec<u16> {
    let mut sending = JoinSet::new();
    for (door, body) in requests {
        let (method, path) = (method.clone(), path.to_owned());
        sending.spawn(async move { door.once(&method, &path, Some(&body)).await });
    }
    let answers = sending.join_all().await.into_iter();
    let mut statuses: Vec<u16> = answers.map(|reply| reply.expect("an answer").status).collect();
    statuses.sort_unstable();
    statuses
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_creations_of_one_name_through_several_processes_one_wins_and_no_change_is_lost() {
    let mut town = Town::running(&Plan::default()).await;
    let doors = [town.client(Entra, 0), town.client(Entra, 1)];
    for number in 0..12 {
        let name = format!("same-{number}@people.example");
        let attempts = (0..6).map(|attempt| {
            let door = &doors[attempt % 2];
            (
                door.clone(),
                door.user(&name, &format!("idp-id-{number}-{attempt}"), &[]),
            )
        });
        let answers = all_at_once(Method::POST, "/Users", attempts).await;
        assert_eq!(answers, [201, 409, 409, 409, 409, 409], "{name}");
    }
    // What one has acknowledged is there for the other at once.
    let mut members = Vec::new();
    for number in 0..24 {
        let (here, there) = (&doors[number % 2], &doors[(number + 1) % 2]);
        let name = format!("read-{number}@people.example");
        let body = here.user(&name, &format!("idp-id-read-{number}"), &[]);
        let made = here
            .once(&Method::POST, "/Users", Some(&body))
            .await
            .expect("an answer");
        let id = made.good().id();
        let path = format!("/Users/{id}");
        let found = there.once(&Method::GET, &path, None).await.expect("an answer");
        assert_eq!(found.status, 200, "{name} is not there for the other process");
        assert_eq!(there.find(&name).await.as_deref(), Some(id.as_str()), "{name}");
        members.push(id);
    }
    // Changes at the same time through both: every one of them stands at the end.
    let group = doors[0].make_group("Everybody", &[]).await;
    let path = format!("/Groups/{group}");
    let changes = members.iter().enumerate().map(|(number, id)| {
        let operation = json!({"op": "Add", "path": "members", "value": [{"value": id}]});
        (doors[number % 2].clone(), patch_body(vec![operation]))
    });
    let answers = all_at_once(Method::PATCH, &path, changes).await;
    assert!(answers.iter().all(|status| *status < 300), "{answers:?}");
    for door in &doors {
        let whole = door.get(&path).await.good();
        assert_eq!(
            whole.body["members"].as_array().map(Vec::len),
            Some(members.len())
        );
    }
    town.all_run();
    town.stop_all().await;
}

/// Before anybody is in the directory no name tells one key from another: the log does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_machines_that_make_keys_before_the_first_event_the_second_is_refused() {
    let plan = Plan {
        each: 1,
        ..Plan::default()
    };
    let mut town = Town::new(&plan).await; // one machine has made topics and keys
    let (ingest, reconcile) = ((Role::Ingest, 0), (Role::Reconcile, 0));
    let folder = town.folder(ingest).join("data");
    let right = std::fs::read_to_string(folder.join("keys.json")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    // Another one makes none of its own,
    let told = town.command(ingest, &["topics"]).await;
    assert_eq!(told.code, 1, "{told:?}");
    assert!(told.err.contains("copy keys.json"), "{told:?}");
    assert!(!folder.join("keys.json").exists(), "a key was made");
    // and with other keys it neither makes topics nor starts, though nobody is in the log yet.
    std::fs::create_dir_all(&folder).unwrap();
    put_keys(town.folder(ingest), &keys("acme", '7'));
    owner_only(&folder.join("keys.json"));
    let told = town.command(ingest, &["topics"]).await;
    assert_eq!(told.code, 1, "{told:?}");
    for name in [ingest, reconcile] {
        put_keys(town.folder(name), &keys("acme", '7'));
        let said = town.refused_start(name).await;
        assert!(
            said.contains("is not the one that its log was begun with"),
            "{said}"
        );
        assert!(said.contains("copy keys.json"), "{said}");
        put_keys(town.folder(name), &right);
    }
    town.start_all().await;
    town.client(Entra, 0).hire("rosa@people.example", &[]).await;
    town.stop_all().await;
}

fn keys(of: &str, digit: char) -> String {
    let tenant = TenantId::new(of).unwrap();
    json!({"version": 1, "tenants": {tenant.as_str(): digit.to_string().repeat(64)}}).to_string()
}

fn put_keys(folder: &Path, text: &str) {
    std::fs::write(folder.join("data/keys.json"), text).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_with_other_keys_is_refused_and_a_log_goes_from_engine_to_engine_whole() {
    let plan = Plan {
        each: 1,
        ..Plan::default()
    };
    let mut town = Town::running(&plan).await;
    let name = "quirin@people.example";
    town.client(Entra, 0).hire(name, &["Agent_CHIC-01_Clerk"]).await;
    town.settled().await;
    let ingest = (Role::Ingest, 0);
    let explained = town.command(ingest, &["explain", name]).await;
    assert_eq!(explained.code, 0, "{explained:?}");
    town.stop_all().await;

    let folder = town.folder(ingest).to_owned();
    let right = std::fs::read_to_string(folder.join("data/keys.json")).unwrap();
    put_keys(&folder, &keys("acme", '7'));
    let told = town.command(ingest, &["check"]).await;
    assert_eq!(told.code, 1, "{told:?}");
    assert!(
        told.out.contains("is not the one that its log was begun with"),
        "{told:?}"
    );
    let said = town.refused_start(ingest).await;
    assert!(
        said.contains("is not the one that its log was begun with"),
        "{said}"
    );
    std::fs::remove_file(folder.join("data/keys.json")).unwrap();
    let said = town.refused_start(ingest).await;
    assert!(said.contains("copy keys.json from a process that runs"), "{said}");
    put_keys(&folder, &right);

    let copy = ["log", "copy", "--from", "kafka", "--to", "copied", "--json"];
    let first = town.command(ingest, &copy).await.json();
    assert!(first["copied"].as_u64() > Some(3), "{first}");
    let again = town.command(ingest, &copy).await.json();
    assert_eq!((&again["copied"], &again["found"]), (&json!(0), &first["copied"]));
    // Over the embedded log the same is known of the same events.
    std::fs::write(folder.join("copied/keys.json"), &right).unwrap();
    owner_only(&folder.join("copied/keys.json"));
    let text = std::fs::read_to_string(folder.join("rollcall.toml")).unwrap();
    let text = text.replace(
        "engine = \"kafka\"\npath = \"data\"",
        "engine = \"embedded\"\npath = \"copied\"",
    );
    std::fs::write(folder.join("embedded.toml"), text).unwrap();
    let arguments = ["--config", "embedded.toml", "explain", name];
    let embedded = Told::by(&folder, &arguments, &[]).await;
    assert_eq!(embedded.code, 0, "{embedded:?}");
    assert_eq!(embedded.out, explained.out);
}

fn owner_only(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}
