//! SIGTERM in the middle of work: a clean end, and a start that goes on where it ended.

use super::acts::names;
use super::fleet::Fleet;
use super::harness::{Settings, World};
use super::idp::Dialect::Entra;
use super::journal;

/// What the configuration allows for the end.
const GRACE_SECONDS: u64 = 10;

fn settings() -> Settings {
    Settings {
        server: format!("stop_grace = \"{GRACE_SECONDS}s\""),
        ..Settings::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_under_load_it_ends_cleanly_and_goes_on_at_the_next_start() {
    let mut world = World::running(settings()).await;
    let fleet = Fleet::start(&mut world, 7).await;
    for round in 0..4 {
        fleet.works(30 + 10 * round).await;
        let from = world.lines.len();
        let (status, took) = world.terminate().await;
        assert!(status.success(), "{status}:\n{}", world.lines.tail());
        assert!(
            took.as_secs() <= GRACE_SECONDS + 1,
            "{took:?} is more than the grace"
        );
        let said = world.lines.since(from).join("\n");
        assert!(
            !said.contains("server.stop_grace"),
            "something was left undone: {said}"
        );
        assert!(!said.contains("ERROR") && !said.contains("panicked"), "{said}");
        world.start().await;
        fleet.check().await;
    }
    fleet.stop(&mut world).await;
    world.converged().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_while_fluent_is_slow_it_leaves_nothing_half_done() {
    use rollcall_fluent_sim::{Fault, FaultKind};

    let mut world = World::running(settings()).await;
    let slow = FaultKind::Latency {
        fixed_ms: 300,
        jitter_ms: 200,
    };
    world.fluent.inject(Fault::new(slow)).unwrap();
    world
        .hire_all(Entra, &names("slow", 40), &["Agent_CHIC-01_Associate"])
        .await;
    let (status, _) = world.terminate().await;
    assert!(status.success(), "{status}:\n{}", world.lines.tail());
    let done = world.fluent.journal_next();
    assert!(done < 40, "some were still to be made: {done}");
    // What was sent was read back and put on record: the next start need not find out what became of it.
    world.fluent.clear_faults();
    world.start().await;
    let unsettled = world.json(&["status"]).await;
    world.converged().await;
    for number in 1..=40 {
        let name = super::idp::named(&format!("slow-{number}"));
        assert_eq!(
            journal::count(&world.fluent, &name, "createUser"),
            1,
            "{name}, {unsettled}"
        );
    }
    world.stop().await;
}
