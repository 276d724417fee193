//! People who change their names, leave and come back, or are claimed twice; roles that nobody knows yet.

use reqwest::Method;
use serde_json::{Value, json};

use super::harness::{Settings, World, until};
use super::idp::{Dialect::*, named};
use super::journal::{count, first_status};

/// What an auditor asks of a person who came back: by which act, and whether the provider meant a new person.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explain_tells_by_which_act_somebody_is_here_or_gone() {
    let mut world = World::running(Settings::default()).await;
    let roles = ["Agent_CHIC-01_Lead"];
    let ida = world.hire(Okta, "ida", &roles).await;
    let mut acts = Vec::new();
    for act in ["created", "deactivated", "reactivated", "deactivated", "rehired"] {
        match act {
            "deactivated" => world.set_active(Okta, &ida, false).await,
            "reactivated" => world.set_active(Okta, &ida, true).await,
            "rehired" => {
                let body = world
                    .okta
                    .user(&named("ida"), &format!("idp-id-{}", named("ida")), &roles);
                let reply = world
                    .okta
                    .once(&Method::POST, "/Users", Some(&body))
                    .await
                    .unwrap();
                assert_eq!((reply.status, reply.id()), (201, ida.clone()));
                world.model.people.get_mut(&ida).unwrap().active = true;
            }
            _ => {}
        }
        let explained = world.json(&["explain", &named("ida")]).await;
        let standing = &explained["standing"][0];
        assert_eq!(standing["user"], ida, "{explained}");
        assert_eq!(standing["event"]["did"], act, "{explained}");
        assert_eq!(standing["event"]["source"], "scim/okta");
        acts.push(standing["event"]["sequence"].as_u64().unwrap());
    }
    assert!(acts.is_sorted_by(|one, next| one < next), "{acts:?}");
    let told = world.command(&["explain", &named("ida")]).await;
    assert!(told.out.contains("(live): hired again"), "{}", told.out);
    world.converged().await;
    assert!(world.is_usable(&named("ida")));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_rename_the_new_account_is_usable_before_the_old_one_ends() {
    let mut world = World::running(Settings::default()).await;
    let ida = world.hire(Entra, "ida", &["Agent_CHIC-01_Lead"]).await;
    let bo = world.hire(Okta, "bo", &["Agent_CHIC-01_Lead"]).await;
    world.converged().await;
    world.rename(Entra, &ida, "ida.married").await;
    world.rename(Okta, &bo, "bo.married").await;
    world.converged().await;
    for name in ["ida", "bo"] {
        let old = first_status(&world.fluent, &named(name), "INACTIVE").unwrap();
        let journal = world.fluent.journal();
        let made = journal
            .iter()
            .find(|entry| entry.username == Some(named(&format!("{name}.married"))))
            .unwrap();
        assert!(
            made.seq < old,
            "{name}: the new one was made after the old one ended"
        );
    }
    // Only the case changes: the same account, nothing to do.
    let written = world.fluent.journal_next();
    world.entra.rename(&ida, &named("Ida.Married")).await;
    world.settled().await;
    assert_eq!(
        world.entra.get(&format!("/Users/{ida}")).await.body["userName"],
        named("Ida.Married")
    );
    let created = world.fluent.journal_since(written);
    assert!(
        created.iter().all(|entry| entry.operation != "createUser"),
        "{created:?}"
    );
    assert!(world.is_usable(&named("ida.married")));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_deleted_and_hired_again_has_the_account_back() {
    let mut world = World::running(Settings::default()).await;
    let first = world.hire(Entra, "ida", &["Agent_CHIC-01_Lead"]).await;
    world.converged().await;
    world.fire(Entra, &first).await;
    world.converged().await;
    assert_eq!(world.status_of(&named("ida")), "INACTIVE");
    let second = world.hire(Entra, "ida", &["Agent_CHIC-01_Clerk"]).await;
    assert_ne!(first, second, "another resource");
    world.converged().await;
    assert!(world.is_usable(&named("ida")));
    assert_eq!(count(&world.fluent, &named("ida"), "createUser"), 1);
    let explained = world.json(&["explain", &named("ida")]).await;
    let live: Vec<&Value> = explained["claimants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["live"])
        .collect();
    assert_eq!(
        live.iter().filter(|live| ***live == json!(true)).count(),
        1,
        "{explained}"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_claimed_through_two_connections_gets_what_both_say() {
    let mut world = World::running(Settings::default()).await;
    let by_entra = world.hire(Entra, "ida", &["Agent_CHIC-01_Lead"]).await;
    let by_okta = world
        .hire(Okta, "ida", &["Agent_CHIC-01_Clerk", "Agent_CHIC-01_Lead"])
        .await;
    assert_ne!(by_entra, by_okta);
    world.converged().await;
    world.set_active(Entra, &by_entra, false).await;
    world.converged().await;
    assert!(world.is_usable(&named("ida")), "the other one still claims it");
    world.set_roles(Okta, &by_okta, &["Agent_MILW-01_Clerk"]).await;
    world.converged().await;
    world.fire(Okta, &by_okta).await;
    world.converged().await;
    assert_eq!(world.status_of(&named("ida")), "INACTIVE", "nobody live is left");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_from_a_group_and_a_person_lasts_as_long_as_one_of_them() {
    let mut world = World::running(Settings::default()).await;
    let ida = world.hire(Entra, "ida", &["Agent_CHIC-01_Associate"]).await;
    let group = world
        .make_group(
            Entra,
            "Floor",
            &["Agent_CHIC-01_Associate", "Agent_CHIC-01_Clerk"],
        )
        .await;
    world.add_members(Entra, &group, std::slice::from_ref(&ida)).await;
    world.converged().await;
    world.drop_group(Entra, &group).await;
    world.converged().await;
    let removals = count(&world.fluent, &named("ida"), "removeUserRolesFromUser");
    assert_eq!(removals, 1, "the clerk's role only");
    let group = world
        .make_group(Entra, "Floor again", &["Agent_CHIC-01_Associate"])
        .await;
    world.add_members(Entra, &group, std::slice::from_ref(&ida)).await;
    world.set_roles(Entra, &ida, &[]).await;
    world.converged().await;
    let removals = count(&world.fluent, &named("ida"), "removeUserRolesFromUser");
    assert_eq!(removals, 1, "the group has it still");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_role_or_place_holds_its_user_and_heals_by_itself() {
    let mut world = World::running(Settings::default()).await;
    let held = ["by-rule", "by-catalog", "by-place"];
    for (name, role) in held.iter().zip(["Dock_Marshal", "Packer", "Lead"]) {
        let place = if *name == "by-place" { "BOST-01" } else { "CHIC-01" };
        let roles = [
            "Agent_CHIC-01_Associate".to_owned(),
            format!("Agent_{place}_{role}"),
        ];
        world
            .entra
            .hire(&named(name), &roles.each_ref().map(String::as_str))
            .await;
    }
    let reasons = async |name: &str| {
        let page = world.json(&["holds"]).await;
        let accounts = page["accounts"].as_array().cloned().unwrap_or_default();
        let found = accounts
            .into_iter()
            .find(|account| account["username"] == named(name));
        found.map(|account| {
            account["holds"][0]["reason"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
    };
    until("all are held", async || {
        for name in held {
            if reasons(name).await.is_none() {
                return false;
            }
        }
        true
    })
    .await;
    assert_eq!(reasons("by-rule").await.as_deref(), Some("unknown-role"));
    assert_eq!(reasons("by-place").await.as_deref(), Some("unknown-place"));
    world.settled().await;
    assert!(
        held.iter().all(|name| world.fluent.user(&named(name)).is_none()),
        "nothing is gained"
    );

    world.write(
        "rules.json",
        r#"{"rules": [{"condition": {"type": "HAS_APP_ROLE", "appRole": "Dock_Marshal"},
            "action": {"type": "MAPPING_ROLE_ASSIGNMENT", "sourceAppRole": "Dock_Marshal",
                       "targetRoles": ["Lead"]}}]}"#,
    );
    assert_eq!(world.command(&["rules", "activate", "rules.json"]).await.code, 0);
    until("the rule heals", async || world.is_usable(&named("by-rule"))).await;
    world.fluent.add_role("Packer");
    world.fluent.add_location("BOST-01", "MIDWEST").unwrap();
    until("the catalog heals", async || {
        world.is_usable(&named("by-catalog")) && world.is_usable(&named("by-place"))
    })
    .await;
    let packer = world.fluent.user(&named("by-catalog")).unwrap();
    assert!(
        packer.grants.iter().any(|pair| pair.role == "Packer"),
        "{packer:?}"
    );
    assert_eq!(packer.grants.len(), 2);
    world.settled().await;
    let page = world.json(&["holds"]).await;
    assert_eq!(page["accounts"], json!([]), "{page}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_that_were_there_before_are_adopted_and_protected_ones_never_touched() {
    let mut world = World::running(Settings::default()).await;
    let foreign = ("Store_Manager".to_owned(), "AGENT".to_owned(), "102".to_owned());
    world.model.foreign.insert(named("veteran"), [foreign].into());
    let vera = world.hire(Entra, "veteran", &["Agent_CHIC-01_Viewer"]).await;
    let before = (
        world.fluent.user("midwest_admin"),
        world.fluent.user("rollcall_api"),
    );
    let mut admins = Vec::new();
    for name in ["midwest_admin", "rollcall_api"] {
        admins.push(world.okta.hire(name, &["Agent_CHIC-01_Lead"]).await);
    }
    world.converged().await;
    for id in &admins {
        world.okta.set_active(id, false).await;
    }
    world.set_active(Entra, &vera, false).await;
    world.converged().await;
    assert_eq!(
        (
            world.fluent.user("midwest_admin"),
            world.fluent.user("rollcall_api")
        ),
        before
    );
    let holds = world.command(&["holds"]).await.out;
    assert_eq!(holds.matches("the name is protected").count(), 2, "{holds}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_passes_to_another_person_waits_while_the_account_holds_what_is_not_ours() {
    let mut world = World::running(Settings::default()).await;
    let foreign = ("Store_Manager".to_owned(), "AGENT".to_owned(), "102".to_owned());
    world.model.foreign.insert(named("veteran"), [foreign].into());
    let first = world.hire(Entra, "veteran", &["Agent_CHIC-01_Viewer"]).await;
    world.converged().await;
    world.fire(Entra, &first).await;
    world.converged().await;
    let second = world
        .entra
        .hire_as(&named("veteran"), "idp-id-somebody-else", &["Agent_CHIC-01_Lead"])
        .await;
    until("the reuse is held", async || {
        world.json(&["status"]).await["tenants"][0]["held"] == 1
    })
    .await;
    let explained = world.json(&["explain", &named("veteran")]).await;
    let hold = format!("name-reused:{}", explained["account"].as_str().unwrap());
    let listed = world.command(&["holds"]).await;
    assert!(listed.out.contains("name-reused"), "{listed:?}");
    world.converged().await; // still out
    let told = world
        .command(&["approve", &hold, "--reason", "the same person, another contract"])
        .await;
    assert_eq!(told.code, 0, "{told:?}");
    world.note_hired(&second, &named("veteran"), &["Agent_CHIC-01_Lead"]);
    world.converged().await;
    world.stop().await;
}
