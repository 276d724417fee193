//! The same input leads to the same Fluent, in one process on the embedded log and in many over Kafka.

use std::collections::BTreeMap;

use rollcall_fluent_sim::SimHandle;

use super::town::{Plan, Role, Town};
use crate::engine::fleet::Fleet;
use crate::engine::harness::{Settings, World};
use crate::engine::journal::Repeats;

/// The acts of each of the four clients.
const ACTS: u64 = 60;
const SEED: u64 = 41;

/// Everybody in Fluent who may do anything: name, status, grants. Who came and went is INACTIVE without grants, or was
/// never made, as it was noticed in time or not.
fn users(fluent: &SimHandle) -> BTreeMap<String, (String, Vec<String>)> {
    let one = |user: rollcall_fluent_sim::UserSnapshot| {
        let mut grants: Vec<String> = user.grants.iter().map(|grant| format!("{grant:?}")).collect();
        grants.sort();
        (user.username, (user.status, grants))
    };
    let all = fluent.users().into_iter();
    let counts =
        |user: &rollcall_fluent_sim::UserSnapshot| user.status != "INACTIVE" || !user.grants.is_empty();
    all.filter(counts).map(one).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_processes_over_kafka_lead_to_the_same_fluent_as_one_on_the_embedded_log() {
    let mut world = World::running(Settings::default()).await;
    let fleet = Fleet::start_bounded(&mut world, SEED, ACTS).await;
    fleet.finish(&mut world).await;
    world.converged().await;
    let embedded = users(&world.fluent);
    world.stop().await;

    let mut town = Town::running(&Plan::default()).await;
    let fleet = Fleet::start_bounded(&mut town.world, SEED, ACTS).await;
    fleet.works(ACTS).await;
    // One of each role is killed on the way, and stays away.
    for role in Role::ALL {
        town.kill((role, 1));
    }
    fleet.finish(&mut town.world).await;
    town.converged(Repeats::WhenLate).await;
    assert_eq!(users(&town.world.fluent), embedded);
    assert!(embedded.len() > 10, "the providers did something");
    town.stop_all().await;
}
