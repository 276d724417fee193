//! Processes that are killed at random moments: the others carry on, and nothing is lost or done twice.

use std::time::Duration;

use super::town::{Name, Plan, Role, Town, rounds};
use crate::engine::fleet::{Fleet, Random};
use crate::engine::journal::Repeats;

const SEED: u64 = 20_261_125;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_moments_processes_lose_nothing_and_leave_nobody_unattended() {
    let mut town = Town::running(&Plan::default()).await;
    let mut random = Random::new(SEED);
    let fleet = Fleet::start(&mut town.world, SEED).await;
    let names = town.names();
    for round in 0..rounds(9) {
        // Each role in its turn; one of the two, so that somebody is there to carry on.
        let role = Role::ALL[usize::try_from(round).unwrap() % 3];
        let of_role: Vec<Name> = names.iter().copied().filter(|name| name.0 == role).collect();
        let name = *random.pick(&of_role);
        fleet.works(5 + random.below(40)).await;
        town.kill(name);
        if round % 4 == 3 {
            // Wherever its start has got to.
            town.spawn(name);
            tokio::time::sleep(Duration::from_millis(random.below(1_500))).await;
            town.kill(name);
        }
        fleet.works(5 + random.below(20)).await;
        town.start(name).await;
        if round % 3 == 2 {
            fleet.check().await;
        }
    }
    fleet.works(20).await;
    fleet.check().await;
    fleet.stop(&mut town.world).await;
    assert!(town.world.model.people.len() > 10, "the providers did something");
    town.converged(Repeats::WhenLate).await;
    town.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_killed_at_once_they_go_on_from_the_log_alone() {
    let mut town = Town::running(&Plan::default()).await;
    let fleet = Fleet::start(&mut town.world, SEED + 1).await;
    fleet.works(60).await;
    let names = town.names();
    for name in &names {
        town.kill(*name);
    }
    // The state of two of them is lost as well.
    for name in [(Role::Project, 0), (Role::Reconcile, 1)] {
        town.forget_state(name);
    }
    town.start_all().await;
    fleet.works(20).await;
    fleet.check().await;
    fleet.stop(&mut town.world).await;
    town.converged(Repeats::WhenLate).await;
    town.stop_all().await;
}
