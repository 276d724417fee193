//! The safety catch: an event that would take access from too many waits for an operator, and leavers do not.

use super::acts::names;
use super::harness::{Settings, World, until};
use super::idp::{Dialect::*, named};

/// More than the 20 that may lose access at any time.
const MANY: usize = 60;

/// A season of people with one role from one group, and what holds them now that the group was deleted: everybody
/// kept everything, and one who left meanwhile is out.
async fn stopped_loss() -> (World, String, String) {
    let settings = Settings {
        guard: String::new(),
        ..Settings::default()
    };
    let mut world = World::running(settings).await;
    let people = world.hire_all(Entra, &names("season", MANY), &[]).await;
    let group = world
        .make_group(Entra, "Season", &["Agent_CHIC-01_Associate"])
        .await;
    world.add_members(Entra, &group, &people).await;
    world.hire(Entra, "steady", &["Agent_CHIC-01_Lead"]).await;
    world.converged().await;

    world.entra.delete("/Groups", &group).await; // the model keeps it: nobody loses anything
    until("the loss is held", async || {
        !open_decisions(&world).await.is_empty()
    })
    .await;
    let leaver = &people[7];
    world.set_active(Entra, leaver, false).await;
    until("the leaver is out", async || {
        world.status_of(&named("season-8")) == "INACTIVE"
    })
    .await;
    world.hire(Okta, "newcomer", &["Agent_CHIC-01_Clerk"]).await;
    world.converged().await;
    let decisions = open_decisions(&world).await;
    let [decision] = decisions.as_slice() else {
        panic!("{decisions:?}")
    };
    let cause = decision["hold"]["cause"].as_str().unwrap().to_owned();
    (world, group, format!("guard:{cause}"))
}

async fn open_decisions(world: &World) -> Vec<serde_json::Value> {
    world.json(&["holds"]).await["decisions"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loss_of_many_waits_and_goes_on_when_it_is_approved() {
    let (mut world, group, hold) = stopped_loss().await;
    let affected = open_decisions(&world).await[0]["affected"].as_u64().unwrap();
    assert!((59..=60).contains(&affected), "{affected}");
    let told = world.command(&["holds"]).await;
    assert!(
        told.out.contains(&hold) && told.out.contains("waiting for a decision"),
        "{}",
        told.out
    );
    let told = world.command(&["explain", &named("season-1")]).await;
    assert!(
        told.out.contains("the safety catch stopped") && told.out.contains("Associate"),
        "{}",
        told.out
    );

    // It waits over a death, and a rebuilt state waits for the same decision.
    world.kill();
    std::fs::remove_dir_all(world.data().join("state")).unwrap();
    world.start().await;
    world.converged().await;
    assert_eq!(
        open_decisions(&world).await[0]["affected"].as_u64(),
        Some(affected)
    );

    let wrong = world
        .command(&["approve", "guard:00000000-0000-7000-8000-000000000000"])
        .await;
    assert_eq!(wrong.code, 5, "{wrong:?}");
    let told = world
        .command(&["approve", &hold, "--reason", "the season is over"])
        .await;
    assert!(told.code == 0 && told.out.contains("approved: event"), "{told:?}");
    world.model.groups.remove(&group);
    world.converged().await;
    assert_eq!(world.status_of(&named("season-1")), "INACTIVE");
    assert!(world.is_usable(&named("steady")));
    assert_eq!(open_decisions(&world).await.len(), 0);
    assert_eq!(
        world.command(&["approve", &hold]).await.code,
        5,
        "it is decided already"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_loss_leaves_everything_as_it_is_and_leavers_leave_all_the_same() {
    let (mut world, _group, hold) = stopped_loss().await;
    let recorded = world.json(&["approve", &hold, "--reject"]).await;
    assert!(recorded["event"].is_string(), "{recorded}");
    assert_eq!(open_decisions(&world).await.len(), 0);
    world.converged().await;
    let leaver = world.entra.find(&named("season-20")).await.unwrap();
    world.set_active(Entra, &leaver, false).await;
    world.converged().await;
    world.kill();
    world.start().await;
    world.converged().await;
    assert_eq!(world.status_of(&named("season-20")), "INACTIVE");
    assert!(world.is_usable(&named("season-21")));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn few_losses_and_any_number_of_leavers_flow() {
    let settings = Settings {
        guard: String::new(),
        ..Settings::default()
    };
    let mut world = World::running(settings).await;
    let people = world.hire_all(Entra, &names("team", 15), &[]).await;
    let group = world
        .make_group(Entra, "Team", &["Agent_CHIC-01_Associate"])
        .await;
    world.add_members(Entra, &group, &people).await;
    let others = world
        .hire_all(Okta, &names("other", 30), &["Agent_CHIC-01_Lead"])
        .await;
    world.converged().await;
    for leaver in &others {
        world.set_active(Okta, leaver, false).await;
    }
    world.drop_group(Entra, &group).await;
    world.converged().await;
    assert!(open_decisions(&world).await.is_empty());
    world.stop().await;
}
