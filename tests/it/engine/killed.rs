//! `kill -9` at any moment: nothing that was acknowledged is lost, and nothing is done twice.

use std::time::Duration;

use super::fleet::{Fleet, Random};
use super::harness::{Settings, World};

/// How often the process is killed.
const ROUNDS: u64 = 24;
/// Where the moments and the acts come from.
const SEED: u64 = 20_260_301;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_moments_it_loses_nothing_and_does_nothing_twice() {
    let mut world = World::running(Settings::default()).await;
    let mut random = Random::new(SEED);
    let fleet = Fleet::start(&mut world, SEED).await;
    for round in 0..ROUNDS {
        if round % 4 == 3 {
            // Wherever its start has got to: the log being opened, the state rebuilt, Fluent read.
            world.kill();
            world.spawn();
            tokio::time::sleep(Duration::from_millis(random.below(400))).await;
        } else {
            fleet.works(random.below(60)).await;
        }
        world.kill();
        world.start().await;
        fleet.check().await;
    }
    fleet.works(20).await;
    fleet.stop(&mut world).await;
    assert!(world.model.people.len() > 30, "the providers did something");
    world.converged().await;
    assert!(world.is_running());
    let replayed = world.command(&["--json", "replay", "--until", "end"]).await;
    assert_eq!(replayed.code, 0, "{}", replayed.err);
    world.stop().await;
}
