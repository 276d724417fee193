//! Ending cleanly, a log that refuses, a lease that ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rollcall_domain::DesiredStatus::Active;
use rollcall_fluent_sim::{Fault, FaultKind};
use rollcall_reconciler::Lease;

use crate::support::{LEFT, Options, World};

#[tokio::test]
async fn a_clean_stop_leaves_nothing_half_done() {
    let world = World::new().await;
    let reconciler = world.start().await;
    world.converge(&reconciler).await;
    let slow = FaultKind::Latency {
        fixed_ms: 5,
        jitter_ms: 5,
    };
    world.fluent.inject(Fault::new(slow)).unwrap();
    for person in 0..50 {
        world.source.want(&format!("p{person}"), Active, &["PICK"]);
    }
    world.until("under way", || world.fluent.journal_next() > 5).await;
    reconciler.stop().await;
    let kinds = world.kinds();
    let count = |kind: &str| kinds.iter().filter(|known| known.ends_with(kind)).count();
    assert_eq!(
        count("intended.v1"),
        count("applied.v1"),
        "every intent has its outcome"
    );
    let made = world.fluent.user_count() - 1;
    assert_eq!(made, count("applied.v1"));
    assert!(made < 50, "it stopped before the end");
    let next = world.start().await;
    world.converge(&next).await;
    assert_eq!(world.fluent.user_count(), 51);
}

#[tokio::test]
async fn a_log_that_takes_no_outcomes_stops_every_write() {
    let world = World::new().await;
    let reconciler = world.start().await;
    world.source.want("ida", Active, &["PICK"]);
    world.converge(&reconciler).await;
    let mutations = world.fluent.journal_next();
    world.log.poison("the disk is gone");
    world.source.want("ida", LEFT, &[]);
    world
        .until("halted", || reconciler.status().halted.is_some())
        .await;
    assert_eq!(
        world.fluent.journal_next(),
        mutations,
        "nothing is sent that is not on record"
    );
    assert!(!reconciler.status().converged);
    reconciler.stop().await;
}

#[derive(Debug)]
struct Ends(AtomicU64);

impl Lease for Ends {
    fn remaining(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.0.load(Ordering::SeqCst)))
    }
}

#[tokio::test]
async fn nothing_is_sent_that_the_lease_does_not_cover() {
    let world = World::new().await;
    let lease = Arc::new(Ends(AtomicU64::new(31)));
    let options = Options {
        lease: Some(Arc::clone(&lease) as Arc<dyn Lease>),
        ..Options::default()
    };
    let reconciler = world.start_with(options).await;
    world.source.want("ida", Active, &["PICK"]);
    world
        .until("refused for want of a lease", || {
            world.kinds().iter().any(|kind| kind.ends_with("failed.v1"))
        })
        .await;
    assert_eq!(world.fluent.journal_next(), 0);
    assert!(
        reconciler.ledger(world.source.account("ida")).open.is_empty(),
        "nothing was sent, so nothing is open"
    );
    lease.0.store(32, Ordering::SeqCst);
    world.converge(&reconciler).await;
    world.expect("ida", "ACTIVE", &["PICK"]);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_the_end_of_a_pause() {
    let world = World::new().await;
    let reconciler = world.start().await;
    world.converge(&reconciler).await;
    let rate = FaultKind::Status {
        status: 429,
        retry_after: Some(600),
    };
    world.fluent.inject(Fault::new(rate)).unwrap();
    for person in 0..20 {
        world.source.want(&format!("p{person}"), Active, &["PICK"]);
    }
    world
        .until("the pause", || reconciler.status().pause.is_some())
        .await;
    let stopped = tokio::time::timeout(Duration::from_secs(20), reconciler.stop()).await;
    assert!(stopped.is_ok());
}
