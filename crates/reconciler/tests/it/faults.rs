//! A Fluent that is down, slow to like us, or lies about what it did.

use std::time::Duration;

use rollcall_domain::DesiredStatus::Active;
use rollcall_fluent_sim::{Down, Fault, FaultKind, RateAnswer};
use rollcall_reconciler::pace::PauseReason;

use crate::support::{LEFT, World};

async fn surge(world: &World, people: usize) {
    for person in 0..people {
        world.source.want(&format!("p{person}"), Active, &["PICK"]);
    }
}

#[track_caller]
fn all_there(world: &World, people: usize) {
    for person in 0..people {
        world.expect(&format!("p{person}"), "ACTIVE", &["PICK"]);
    }
    let creations = world
        .fluent
        .journal()
        .iter()
        .filter(|entry| {
            entry.operation == "createUser"
                && entry.username.as_ref().is_some_and(|name| name.starts_with('p'))
                && entry.result == rollcall_fluent_sim::JournalResult::Applied
        })
        .count();
    assert_eq!(creations, people, "nobody was made twice");
}

#[tokio::test]
async fn after_an_hour_away_everything_converges() {
    for mode in [Down::Refuse, Down::Cut] {
        let world = World::new().await;
        let reconciler = world.start().await;
        world.source.want("ida", Active, &["PICK"]);
        world.converge(&reconciler).await;
        world.fluent.set_down(Some(mode)).await;
        surge(&world, 10).await;
        world.source.want("ida", LEFT, &[]);
        world
            .until("the outage is noticed", || {
                world.clock.advance(Duration::from_millis(200));
                reconciler
                    .status()
                    .pause
                    .is_some_and(|pause| pause.reason == PauseReason::Outage)
            })
            .await;
        for _ in 0..60 {
            world.advance(Duration::from_secs(60));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert!(!reconciler.status().converged);
        assert!(
            world.kinds().len() < 200,
            "an outage is not an outcome of every account"
        );
        world.fluent.set_down(None).await;
        world.converge(&reconciler).await;
        world.expect("ida", "INACTIVE", &[]);
        all_there(&world, 10);
    }
}

#[tokio::test]
async fn a_mix_of_faults_ends_converged_with_nothing_done_twice() {
    let world = World::new().await;
    let reconciler = world.start().await;
    for kind in [
        FaultKind::Status {
            status: 503,
            retry_after: None,
        },
        FaultKind::Code {
            code: "S0002E".to_owned(),
        },
        FaultKind::LoseResponse,
        FaultKind::Cut,
    ] {
        world
            .fluent
            .inject(Fault::new(kind).ratio(0.15).times(8))
            .unwrap();
    }
    surge(&world, 30).await;
    world.converge(&reconciler).await;
    all_there(&world, 30);
    assert_eq!(reconciler.status().unsettled, 0);
}

#[tokio::test]
async fn a_rate_limit_slows_us_down_and_nothing_is_lost() {
    for answer in [RateAnswer::Code, RateAnswer::Http { retry_after: Some(3) }] {
        let world = World::new().await;
        let reconciler = world.start().await;
        world.converge(&reconciler).await;
        world
            .fluent
            .inject(Fault::new(FaultKind::RateLimit {
                per_second: 20.0,
                answer,
            }))
            .unwrap();
        surge(&world, 30).await;
        world.converge(&reconciler).await;
        all_there(&world, 30);
        assert!(reconciler.status().rate.is_some());
    }
}

#[tokio::test]
async fn refused_logins_pause_the_tenant_and_are_not_hammered() {
    let world = World::new().await;
    let reconciler = world.start().await;
    world.converge(&reconciler).await;
    world.fluent.inject(Fault::new(FaultKind::RefuseLogins)).unwrap();
    world.fluent.revoke_tokens();
    surge(&world, 5).await;
    world
        .until("the pause", || {
            reconciler
                .status()
                .pause
                .is_some_and(|pause| pause.reason == PauseReason::Login)
        })
        .await;
    for _ in 0..20 {
        world.advance(Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(
        world.fluent.stats().refused_logins <= 1,
        "five bad logins lock the account"
    );
    assert!(!world.fluent.locked_out());
    world.fluent.clear_faults();
    world.converge(&reconciler).await;
    all_there(&world, 5);
}

#[tokio::test]
async fn a_missing_permission_is_a_failure_with_its_code_and_heals() {
    let world = World::new().await;
    let reconciler = world.start().await;
    world.converge(&reconciler).await;
    world.fluent.deny_permission("USER_CREATE");
    surge(&world, 1).await;
    world
        .until("it fails", || {
            reconciler.status().last_failure.as_deref() == Some("C0020E")
        })
        .await;
    world.fluent.allow_all();
    world.converge(&reconciler).await;
    all_there(&world, 1);
}
