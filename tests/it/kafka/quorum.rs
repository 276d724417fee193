//! Three brokers, two of which must have what is acknowledged.

use rollcall_kafka_local::{Brokers, Settings};

use super::town::{Plan, Role, Town};
use crate::engine::fleet::Fleet;
use crate::engine::harness::until;
use crate::engine::idp::Dialect::Okta;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_two_of_three_brokers_all_goes_on_and_with_one_appends_are_refused_until_it_returns() {
    let plan = Plan {
        each: 1,
        brokers: Settings {
            brokers: Brokers::Three,
            ..Settings::default()
        },
        kafka: "partitions = 1".to_owned(),
        ..Plan::default()
    };
    let mut town = Town::running(&plan).await;
    let steady = town.world.hire(Okta, "steady", &["Agent_CHIC-01_Clerk"]).await;
    let events = format!("{}events", town.prefix);
    let fleet = Fleet::start(&mut town.world, 21).await;
    fleet.works(30).await;

    let first = town.kafka.leader(&events, 0).unwrap();
    town.kafka.kill(first).unwrap();
    fleet.works(30).await; // another leads

    let second = town.kafka.leader(&events, 0).unwrap();
    assert_ne!(second, first, "the dead one does not lead");
    town.kafka.kill(second).unwrap();
    town.refuses(0, &steady).await;

    // It returns, and everything goes on by itself.
    town.kafka.restart(second).unwrap();
    fleet.works(30).await;
    fleet.check().await;
    town.kafka.restart(first).unwrap();
    fleet.works(20).await;
    fleet.stop(&mut town.world).await;
    town.last_word(&steady).await;
    town.settled().await;

    // Nobody is told that changes are taken while the leader is alone, and nobody has to send one for it to end.
    let leader = town.kafka.leader(&events, 0).unwrap();
    let followers: Vec<_> = (1..=3).filter(|broker| *broker != leader).collect();
    for follower in &followers {
        town.kafka.kill(*follower).unwrap();
    }
    town.refuses(0, &steady).await;
    until("it is not ready", async || {
        let page = town.page((Role::Ingest, 0), "/readyz").await;
        page.is_some_and(|(status, text)| status == 503 && text.contains("append: "))
    })
    .await;
    for follower in followers {
        town.kafka.restart(follower).unwrap();
    }
    town.back((Role::Ingest, 0)).await;
    town.last_word(&steady).await;
    town.ends_well().await;
}
