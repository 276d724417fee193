//! Mutations that Fluent applies after their connection was cut.

use std::time::Duration;

use rollcall_domain::DesiredStatus::Active;
use rollcall_fluent_sim::{Fault, FaultKind};

use crate::support::{LEFT, WINDOW, World};

fn land_late(seconds: u64) -> Fault {
    Fault::new(FaultKind::LandLate {
        after_ms: seconds * 1000,
    })
}

#[tokio::test]
async fn a_creation_that_lands_late_after_its_user_left_is_taken_back() {
    for seconds in [1, 59, 60] {
        let world = World::new().await;
        let reconciler = world.start().await;
        world
            .fluent
            .inject(land_late(seconds).only("createUser"))
            .unwrap();
        world.source.want("ida", Active, &["PICK"]);
        world
            .until("the answer is lost", || {
                reconciler.metrics().counters().ambiguous > 0
            })
            .await;
        world.source.want("ida", LEFT, &[]);
        world
            .until("the leaver was looked at", || {
                reconciler.status().accounts.processing == 0
            })
            .await;
        world.fluent.clear_faults();
        world.converge(&reconciler).await;
        assert_eq!(world.fluent.pending(), 0, "everything has landed");
        world.expect("ida", "INACTIVE", &[]);
        assert!(world.owned(&reconciler, "ida").is_empty());
    }
}

#[tokio::test]
async fn a_grant_that_lands_late_after_it_was_lost_is_taken_back_and_a_foreign_one_stays() {
    for seconds in [5, 60] {
        let world = World::new().await;
        world.seed_user("ida", "ACTIVE", &["VIP"]);
        let reconciler = world.start().await;
        world.source.want("ida", Active, &["PICK"]);
        world.converge(&reconciler).await;
        world
            .fluent
            .inject(land_late(seconds).only("updateUser").times(1))
            .unwrap();
        world.source.want("ida", Active, &["PICK", "LEAD"]);
        world
            .until("the answer is lost", || {
                reconciler.metrics().counters().ambiguous > 0
            })
            .await;
        world.source.want("ida", Active, &["STORE"]);
        world.converge(&reconciler).await;
        world.expect("ida", "ACTIVE", &["STORE", "VIP"]);
        assert_eq!(world.owned(&reconciler, "ida"), ["STORE"]);
    }
}

#[tokio::test]
async fn a_reactivation_that_lands_late_does_not_let_a_leaver_back_in() {
    let world = World::new().await;
    let reconciler = world.start().await;
    for (status, roles) in [(Active, &["PICK"][..]), (LEFT, &[])] {
        world.source.want("ida", status, roles);
        world.converge(&reconciler).await;
    }
    world
        .fluent
        .inject(land_late(60).only("updateUser").times(1))
        .unwrap();
    world.source.want("ida", Active, &["PICK"]);
    world
        .until("the answer is lost", || {
            reconciler.metrics().counters().ambiguous > 0
        })
        .await;
    world.source.want("ida", LEFT, &[]);
    world.converge(&reconciler).await;
    world.expect("ida", "INACTIVE", &[]);
}

#[tokio::test]
async fn a_deactivation_that_lands_late_does_not_shut_out_who_came_back() {
    let world = World::new().await;
    let reconciler = world.start().await;
    world.source.want("ida", Active, &["PICK"]);
    world.converge(&reconciler).await;
    world
        .fluent
        .inject(land_late(60).only("updateUser").times(1))
        .unwrap();
    world.source.want("ida", LEFT, &[]);
    world
        .until("the answer is lost", || {
            reconciler.metrics().counters().ambiguous > 0
        })
        .await;
    world
        .until("written again at once", || {
            world.holds("ida").unwrap().0 == "INACTIVE"
        })
        .await;
    world.source.want("ida", Active, &["STORE"]);
    world.converge(&reconciler).await;
    world.expect("ida", "ACTIVE", &["STORE"]);
}

#[tokio::test]
async fn an_intent_is_closed_only_at_the_end_of_its_window() {
    let world = World::new().await;
    let reconciler = world.start().await;
    world
        .fluent
        .inject(Fault::new(FaultKind::LoseResponse).only("createUser").times(1))
        .unwrap();
    world.source.want("ida", Active, &["PICK"]);
    world
        .until("usable at once", || {
            let status = reconciler.status();
            world.holds("ida").is_some() && status.accounts.processing == 0 && status.accounts.waiting == 1
        })
        .await;
    let account = world.source.account("ida");
    assert_eq!(reconciler.ledger(account).open.len(), 1);
    assert!(
        reconciler.ledger(account).fluent_user.is_some(),
        "what was read is on record"
    );
    world.advance(WINDOW - Duration::from_secs(1));
    reconciler.look_at(account);
    world
        .until("looked at", || reconciler.status().accounts.processing == 0)
        .await;
    assert_eq!(reconciler.ledger(account).open.len(), 1);
    world.converge(&reconciler).await;
    assert!(reconciler.ledger(account).open.is_empty());
    assert!(reconciler.ledger(account).created, "it was made by us");
    assert_eq!(world.journal_of("ida").len(), 1, "nothing was done twice");
}

#[tokio::test]
async fn a_late_mutation_of_a_process_that_died_is_found_by_the_next_one() {
    for seconds in [30, 60] {
        let world = World::new().await;
        let reconciler = world.start().await;
        world.source.want("bob", Active, &["PICK"]);
        world.converge(&reconciler).await;
        world
            .fluent
            .inject(land_late(seconds).only("createUser").only("updateUser"))
            .unwrap();
        world.source.want("ida", Active, &["PICK"]);
        world.source.want("bob", Active, &["PICK", "LEAD"]);
        world.until("both were cut", || world.fluent.pending() >= 2).await;
        drop(reconciler);
        world.fluent.clear_faults();
        world.source.want("ida", LEFT, &[]);
        world.source.want("bob", Active, &["STORE"]);
        let next = world.start().await;
        world.converge(&next).await;
        assert_eq!(world.fluent.pending(), 0);
        world.expect("bob", "ACTIVE", &["STORE"]);
        world.expect("ida", "INACTIVE", &[]);
    }
}
