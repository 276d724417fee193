//! What is ours, what is not, and what is never touched.

use rollcall_domain::{DesiredStatus::Active, ExternalKey, ForeignGrants, Hold};
use rollcall_fluent_sim::Credentials;

use crate::support::{LEFT, WINDOW, World};

#[tokio::test]
async fn an_existing_user_is_adopted_and_its_foreign_grants_survive_everything() {
    let world = World::new().await;
    world.seed_user("ida", "ACTIVE", &["PICK", "VIP"]);
    let reconciler = world.start().await;
    world.source.want("ida", Active, &["PICK", "STORE"]);
    world.converge(&reconciler).await;
    world.expect("ida", "ACTIVE", &["PICK", "STORE", "VIP"]);
    assert_eq!(world.owned(&reconciler, "ida"), ["PICK", "STORE"]);
    world.source.want("ida", Active, &["LEAD"]);
    world.converge(&reconciler).await;
    world.expect("ida", "ACTIVE", &["LEAD", "VIP"]);
    world.source.want("ida", LEFT, &[]);
    world.converge(&reconciler).await;
    world.expect("ida", "INACTIVE", &["VIP"]);
}

#[tokio::test]
async fn an_existing_user_that_is_as_desired_is_adopted_without_a_write() {
    let world = World::new().await;
    world.seed_user("ida", "ACTIVE", &["PICK"]);
    world.source.want("ida", Active, &["PICK"]);
    let reconciler = world.start().await;
    world.converge(&reconciler).await;
    assert_eq!(world.fluent.journal_next(), 0);
    assert_eq!(world.owned(&reconciler, "ida"), ["PICK"]);
    world.source.want("ida", LEFT, &[]);
    world.converge(&reconciler).await;
    world.expect("ida", "INACTIVE", &[]);
}

#[tokio::test]
async fn a_user_that_was_never_ours_is_not_touched() {
    let world = World::new().await;
    world.seed_user("ida", "ACTIVE", &["PICK"]);
    world.source.want("ida", LEFT, &[]);
    let reconciler = world.start().await;
    world.converge(&reconciler).await;
    world.expect("ida", "ACTIVE", &["PICK"]);
    assert_eq!(world.fluent.journal_next(), 0);
}

#[tokio::test]
async fn a_user_whose_name_is_written_in_another_case_is_found_and_not_made_twice() {
    let world = World::new().await;
    world.seed_user("IDA", "ACTIVE", &["VIP"]);
    world.source.want("ida", Active, &["PICK"]);
    let reconciler = world.start().await;
    world.converge(&reconciler).await;
    world.expect("IDA", "ACTIVE", &["PICK", "VIP"]);
    assert_eq!(world.fluent.user_count(), 2, "the API user and IDA");
}

#[tokio::test]
async fn protected_names_and_our_own_user_are_held() {
    let world = World::new().await;
    let own = Credentials::default().username;
    let before = world.holds(&own);
    world.seed_user("chicago_admin", "ACTIVE", &["VIP"]);
    let reconciler = world.start().await;
    for name in ["chicago_admin", own.as_str()] {
        world.source.want(name, Active, &["PICK"]);
        world.converge(&reconciler).await;
        world.source.want(name, LEFT, &[]);
        world.converge(&reconciler).await;
    }
    assert_eq!(world.fluent.journal_next(), 0);
    assert_eq!(world.holds(&own), before);
    assert!(
        world
            .kinds()
            .iter()
            .all(|kind| *kind == "rollcall.outcome.held.v1")
    );
}

#[tokio::test]
async fn drift_is_put_right_by_the_next_resync_and_stands_on_record() {
    let world = World::new().await;
    let reconciler = world.start().await;
    world.source.want("ida", Active, &["PICK"]);
    world.source.want("bob", Active, &["PICK"]);
    world.converge(&reconciler).await;
    reconciler.stop().await;
    // By hand, while nobody looks: a pair of ours goes, a foreign one comes, a status changes.
    world.fluent.land_now();
    let client = &world.client;
    let id = |name: &str| rollcall_domain::FluentUserId(world.fluent.user(name).unwrap().id.to_string());
    client
        .remove_roles(&id("ida"), &[crate::support::grant("PICK")])
        .await
        .unwrap();
    let update = rollcall_fluent::UserUpdate {
        status: Some(rollcall_domain::FluentStatus::Inactive),
        add: vec![crate::support::grant("VIP")],
        ..rollcall_fluent::UserUpdate::default()
    };
    client.update_user(&id("bob"), update).await.unwrap();
    world
        .source
        .with_policy(|policy| policy.foreign_grants = ForeignGrants::Report);
    let reconciler = world.start().await;
    world.converge(&reconciler).await;
    world.expect("ida", "ACTIVE", &["PICK"]);
    world.expect("bob", "ACTIVE", &["PICK", "VIP"]);
    let drifts = world
        .kinds()
        .iter()
        .filter(|kind| kind.ends_with("drift.v1"))
        .count();
    assert_eq!(drifts, 2);
    reconciler.want_resync();
    reconciler.resynced(2).await;
    world.converge(&reconciler).await;
    let reported = world
        .kinds()
        .iter()
        .filter(|kind| kind.ends_with("drift.v1"))
        .count();
    assert!(reported <= drifts + 1, "what is known is not reported again");
    world
        .source
        .with_policy(|policy| policy.foreign_grants = ForeignGrants::Remove);
    reconciler.want_resync();
    reconciler.resynced(3).await;
    world.converge(&reconciler).await;
    world.expect("bob", "ACTIVE", &["PICK"]);
}

#[tokio::test]
async fn a_name_that_passes_to_another_person_is_held_until_approved() {
    let world = World::new().await;
    world.seed_user("ida", "ACTIVE", &["VIP"]);
    let reconciler = world.start().await;
    world.source.want("ida", Active, &["PICK"]);
    world.converge(&reconciler).await;
    world.source.want("ida", LEFT, &[]);
    world.converge(&reconciler).await;
    world.expect("ida", "INACTIVE", &["VIP"]);
    let other = ExternalKey([2; 16]);
    world.source.want_as("ida", Active, &["STORE"], |desired| {
        let former = rollcall_domain::Claimant {
            live: false,
            ..desired.claimants[0].clone()
        };
        desired.claimants[0].external_key = Some(other);
        desired.claimants.push(former);
    });
    world.converge(&reconciler).await;
    world.expect("ida", "INACTIVE", &["VIP"]);
    let held = rollcall_reconciler::ledger::fingerprint(&vec![Hold::NameReused]);
    assert_eq!(reconciler.ledger(world.source.account("ida")).held, held);
    world.source.want_as("ida", Active, &["STORE"], |desired| {
        desired.claimants[0].external_key = Some(other);
        // An approval takes the former claimant off the list.
    });
    world.converge(&reconciler).await;
    world.expect("ida", "ACTIVE", &["STORE", "VIP"]);
}

#[tokio::test]
async fn an_outcome_that_cannot_be_read_holds_up_its_account_alone_and_no_leaver() {
    let world = World::new().await;
    let first = world.start().await;
    for name in ["ida", "bo"] {
        world.source.want(name, Active, &["PICK"]);
    }
    world.converge(&first).await;
    first.stop().await;
    world.write_of_a_newer_version("ida").await;
    let next = world.start().await;
    for name in ["ida", "bo"] {
        world.source.want(name, Active, &["STORE"]);
    }
    world.converge(&next).await;
    world.expect("bo", "ACTIVE", &["STORE"]);
    world.expect("ida", "ACTIVE", &["PICK"]);
    assert_eq!(next.status().unreadable, 1);
    // Its intent has no end that can be read; that is no reason to look at it again and again.
    world.advance(2 * WINDOW);
    world
        .until("nothing waits", || next.status().accounts.is_idle())
        .await;
    world.source.want("ida", LEFT, &[]);
    world.converge(&next).await;
    world.expect("ida", "INACTIVE", &[]);
}
