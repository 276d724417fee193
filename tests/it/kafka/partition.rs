//! A partition of the network between one process and the brokers.

use rollcall_kafka_local::Settings;

use super::town::{Plan, Role, Town, rounds};
use crate::engine::acts::names;
use crate::engine::idp::Dialect::{Entra, Okta};
use crate::engine::journal::Repeats;

/// The processes that are cut off, each behind a door of its own.
const CUT_OFF: [(Role, usize); 3] = [(Role::Ingest, 0), (Role::Project, 0), (Role::Reconcile, 0)];

fn plan() -> Plan {
    Plan {
        brokers: Settings {
            doors: CUT_OFF.len(),
            ..Settings::default()
        },
        behind_doors: CUT_OFF.to_vec(),
        ..Plan::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_cut_off_does_no_harm_and_the_others_serve_everybody() {
    let mut town = Town::running(&plan()).await;
    let steady = town.world.hire(Okta, "steady", &["Agent_CHIC-01_Clerk"]).await;
    town.converged(Repeats::Never).await;
    for round in 0..rounds(1) {
        for (door, name) in CUT_OFF.into_iter().enumerate() {
            // A lost cable, or connections that are cut: each in its turn.
            if (round + door as u64).is_multiple_of(2) {
                town.kafka.doors()[door].silence();
            } else {
                town.kafka.doors()[door].shut();
            }
            if name.0 == Role::Ingest {
                town.refuses(name.1, &steady).await;
                town.pass_over(Some(name)); // as a balancer does that asks for readiness
            }
            let prefix = format!("while-{round}-{door}");
            town.world
                .hire_all(Entra, &names(&prefix, 6), &["Agent_CHIC-01_Associate"])
                .await;
            // With the door still shut: nobody waits for who is behind it.
            town.world.as_expected().await;
            town.kafka.doors()[door].open();
            town.pass_over(None);
            town.back(name).await;
        }
    }
    town.last_word(&steady).await;
    town.ends_well().await;
}
