//! Leavers first.

use rollcall_domain::{DesiredStatus::Active, Gains, Hold};
use rollcall_fluent_sim::{Fault, FaultKind};

use crate::support::{LEFT, World};

#[tokio::test]
async fn leavers_overtake_a_thousand_queued_joiners() {
    let world = World::new().await;
    let reconciler = world.start().await;
    for leaver in 0..5 {
        world.source.want(&format!("leaver-{leaver}"), Active, &["PICK"]);
    }
    world.converge(&reconciler).await;
    for joiner in 0..1000 {
        world.source.want(&format!("joiner-{joiner}"), Active, &["PICK"]);
    }
    let from = world.fluent.journal_next();
    world
        .until("joiners flow", || world.fluent.journal_next() > from + 20)
        .await;
    let mark = world.fluent.journal_next();
    for leaver in 0..5 {
        world
            .source
            .want_as(&format!("leaver-{leaver}"), LEFT, &[], |desired| {
                // No hold delays a leaver.
                desired.gains = Gains::Withheld;
                desired.holds = vec![Hold::NoEmail];
            });
    }
    world.converge(&reconciler).await;
    let journal = world.fluent.journal_since(mark);
    for leaver in 0..5 {
        let name = format!("leaver-{leaver}");
        world.expect(&name, "INACTIVE", &[]);
        let mine: Vec<_> = journal
            .iter()
            .filter(|entry| entry.username.as_deref() == Some(&name))
            .collect();
        assert_eq!(
            mine[0].status.as_deref(),
            Some("INACTIVE"),
            "the deactivation is the first and alone"
        );
        assert_ne!(mine[0].request, mine[1].request);
        let before = journal
            .iter()
            .filter(|entry| entry.seq < mine[0].seq && entry.operation == "createUser")
            .count();
        assert!(before < 100, "{before} joiners went before {name}");
    }
    assert_eq!(world.fluent.user_count(), 1006);
    assert_eq!(reconciler.metrics().leaver.snapshot().count(), 5);
}

#[tokio::test]
async fn a_leaver_gets_through_a_rate_pause_that_stops_everybody_else() {
    let world = World::new().await;
    let reconciler = world.start().await;
    world.source.want("ida", Active, &["PICK"]);
    world.converge(&reconciler).await;
    let rate = FaultKind::Status {
        status: 429,
        retry_after: Some(600),
    };
    world.fluent.inject(Fault::new(rate).only("createUser")).unwrap();
    world.source.want("bob", Active, &["PICK"]);
    world
        .until("the pause", || reconciler.status().pause.is_some())
        .await;
    world.fluent.clear_faults();
    world.source.want("ida", LEFT, &[]);
    world
        .until("the leaver is out", || {
            world.holds("ida").is_some_and(|(status, _)| status == "INACTIVE")
        })
        .await;
    assert_eq!(world.holds("bob"), None, "the pause is served by everybody else");
    world.converge(&reconciler).await;
    world.expect("bob", "ACTIVE", &["PICK"]);
}

#[tokio::test]
async fn one_account_that_fails_for_good_blocks_nobody() {
    let world = World::new().await;
    let reconciler = world.start().await;
    world.converge(&reconciler).await;
    world.source.want("ida", Active, &["NO-SUCH-ROLE"]);
    world.source.want("bob", Active, &["PICK"]);
    world.converge(&reconciler).await;
    world.expect("bob", "ACTIVE", &["PICK"]);
    assert_eq!(world.holds("ida"), None);
    let before = world.fluent.journal_next();
    assert_eq!(
        world
            .kinds()
            .iter()
            .filter(|kind| kind.ends_with("failed.v1"))
            .count(),
        1
    );
    world.fluent.add_role("NO-SUCH-ROLE");
    reconciler.want_resync();
    reconciler.resynced(2).await;
    world.converge(&reconciler).await;
    world.expect("ida", "ACTIVE", &["NO-SUCH-ROLE"]);
    assert_eq!(
        world.fluent.journal_next(),
        before + 1,
        "tried again at the next resync only"
    );
}

#[tokio::test]
async fn a_removal_that_a_dead_process_left_overtakes_what_a_restart_finds_missing() {
    let world = World::new().await;
    let reconciler = world.start().await;
    for number in 0..200 {
        world.source.want(&format!("u{number:03}"), Active, &["PICK"]);
    }
    world.converge(&reconciler).await;
    world.source.want("zoe", Active, &["PICK", "STORE"]);
    world.converge(&reconciler).await;
    reconciler.stop().await;
    // The wakes of these are lost.
    for number in 0..200 {
        world
            .source
            .want(&format!("u{number:03}"), Active, &["PICK", "LEAD"]);
    }
    world.source.want("zoe", Active, &["PICK"]);
    let from = world.fluent.journal_next();
    let reconciler = world.start().await;
    world.converge(&reconciler).await;
    let journal = world.fluent.journal_since(from);
    let place = journal
        .iter()
        .position(|entry| entry.username.as_deref() == Some("zoe"))
        .unwrap();
    assert!(place < 100, "{place} additions went before the removal");
    world.expect("zoe", "ACTIVE", &["PICK"]);
}

#[tokio::test]
async fn thousands_of_holds_do_not_keep_a_removal_from_being_made() {
    let world = World::new().await;
    let reconciler = world.start().await;
    world.source.want("ida", Active, &["PICK", "STORE"]);
    world.converge(&reconciler).await;
    world.source.want_as("ida", Active, &["PICK"], |desired| {
        desired.gains = Gains::Withheld;
        desired.holds = (0..20_000)
            .map(|number| Hold::UnknownContextType {
                app_role: rollcall_domain::AppRole(format!("Store_Chicago-{number:05}_Manager")),
            })
            .collect();
    });
    world
        .until("the removal", || {
            world.holds("ida").is_some_and(|(_, roles)| roles == ["PICK"])
        })
        .await;
}
