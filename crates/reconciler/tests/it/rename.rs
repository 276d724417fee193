//! A rename: two accounts.

use rollcall_domain::{DesiredStatus::Active, Gains};

use crate::support::{LEFT, World};

#[tokio::test]
async fn the_new_account_is_usable_before_the_old_one_is_inactive() {
    let world = World::new().await;
    world.seed_user("ida", "ACTIVE", &["VIP"]);
    let reconciler = world.start().await;
    world.source.want("ida", Active, &["PICK"]);
    world.converge(&reconciler).await;
    let from = world.fluent.journal_next();
    world.source.rename("ida", "ida.berg", &["PICK"]);
    world.converge(&reconciler).await;
    world.expect("ida.berg", "ACTIVE", &["PICK"]);
    world.expect("ida", "INACTIVE", &["VIP"]);
    let order: Vec<_> = world
        .fluent
        .journal_since(from)
        .into_iter()
        .map(|entry| entry.username.unwrap())
        .collect();
    assert_eq!(order, ["ida.berg", "ida", "ida"]);
}

#[tokio::test]
async fn the_old_account_does_not_wait_for_a_new_one_that_is_held_or_cannot_be_made() {
    let world = World::new().await;
    let reconciler = world.start().await;
    world.source.want("ida", Active, &["PICK"]);
    world.source.want("bob", Active, &["PICK"]);
    world.converge(&reconciler).await;
    world.source.rename("ida", "ida.berg", &["NO-SUCH-ROLE"]);
    world.source.rename("bob", "bob.berg", &["PICK"]);
    world.source.want_as("bob.berg", Active, &["PICK"], |desired| {
        desired.gains = Gains::Withheld
    });
    world
        .until("the held one goes at once", || {
            world.holds("bob").unwrap().0 == "INACTIVE"
        })
        .await;
    world.converge(&reconciler).await;
    world.expect("ida", "INACTIVE", &[]);
    assert_eq!(world.holds("ida.berg"), None);
}

#[tokio::test]
async fn a_person_who_leaves_while_the_rename_is_under_way_leaves_the_old_account_at_once() {
    let world = World::new().await;
    let reconciler = world.start().await;
    world.source.want("ida", Active, &["PICK"]);
    world.converge(&reconciler).await;
    world.source.rename("ida", "ida.berg", &["NO-SUCH-ROLE"]);
    world
        .until("the new account cannot be made", || {
            world.kinds().iter().any(|kind| kind.ends_with("failed.v1"))
        })
        .await;
    assert_eq!(
        world.holds("ida").unwrap().0,
        "ACTIVE",
        "it waits for the new one"
    );
    world.source.want("ida.berg", LEFT, &[]);
    // No clock is moved: the wait for the new account is not what ends it.
    world
        .until("the old account is closed", || {
            world.holds("ida").unwrap().0 == "INACTIVE"
        })
        .await;
}
