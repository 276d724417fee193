//! One broker that is killed, or stands still, under load.

use std::time::{Duration, Instant};

use super::town::{Plan, Role, Town, pause, rounds};
use crate::engine::acts::names;
use crate::engine::fleet::Fleet;
use crate::engine::harness::{figure, until};
use crate::engine::idp::Dialect::{Entra, Okta};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_killed_and_started_again_under_load_loses_nothing() {
    let mut town = Town::running(&Plan::default()).await;
    let fleet = Fleet::start(&mut town.world, 11).await;
    for _ in 0..rounds(2) {
        fleet.works(30).await;
        town.kafka.kill(1).unwrap();
        // Requests come in while it is away: each is refused or waits, and is sent again.
        tokio::time::sleep(Duration::from_millis(300)).await;
        town.kafka.restart(1).unwrap();
        fleet.works(20).await;
        fleet.check().await;
    }
    fleet.stop(&mut town.world).await;
    town.ends_well().await;
}

/// How long the broker stands still: longer than every time-out of this test's configuration, so that members are put
/// out of their groups, requests time out and leases end. `ROLLCALL_KAFKA_PAUSE` asks for other seconds.
const PAUSE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_stands_still_longer_than_any_time_out_is_waited_for() {
    let mut town = Town::running(&Plan::default()).await;
    let steady = town.world.hire(Okta, "steady", &["Agent_CHIC-01_Clerk"]).await;
    let fleet = Fleet::start(&mut town.world, 12).await;
    fleet.works(30).await;
    town.kafka.pause(1).unwrap();
    let began = Instant::now();
    // What cannot be written down is not acknowledged: a clear 503, in a bounded time.
    town.refuses(0, &steady).await;
    // Nobody says that it is ready: who owns nothing because it lost everything is no spare.
    for name in town.names() {
        until(&format!("{name:?} is not ready"), async || {
            let page = town.page(name, "/readyz").await;
            page.is_some_and(|(status, _)| status == 503)
        })
        .await;
    }
    tokio::time::sleep(pause(PAUSE).saturating_sub(began.elapsed())).await;
    for name in town.names() {
        let (status, text) = town.page(name, "/readyz").await.unwrap();
        assert_eq!(status, 503, "{name:?}: {text}");
        if name.0 != Role::Ingest {
            assert!(text.contains("group"), "{name:?} does not say why: {text}");
        }
    }
    town.kafka.resume(1).unwrap();
    fleet.works(30).await;
    fleet.stop(&mut town.world).await;
    town.last_word(&steady).await;
    town.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_the_producer_can_hold_is_refused_and_the_rest_goes_on() {
    const AT_ONCE: usize = 48;
    let plan = Plan {
        each: 1,
        kafka: super::town::SMALL_QUEUE.to_owned(),
        ..Plan::default()
    };
    let mut town = Town::running(&plan).await;
    town.kafka.pause(1).unwrap();
    let mut hires = Vec::new();
    for name in names("pressed", AT_ONCE) {
        let idp = town.world.entra.clone();
        let user_name = crate::engine::idp::named(&name);
        hires.push(tokio::spawn(async move {
            let body = idp.user(
                &user_name,
                &format!("idp-id-{user_name}"),
                &["Agent_CHIC-01_Clerk"],
            );
            let reply = idp.once(&reqwest::Method::POST, "/Users", Some(&body)).await;
            reply.map(|reply| reply.status)
        }));
    }
    let mut refused = 0;
    for hire in hires {
        let status = hire.await.unwrap();
        assert!(
            status.is_none_or(|status| status == 503),
            "acknowledged: {status:?}"
        );
        refused += usize::from(status == Some(503));
    }
    assert!(refused > 0, "nobody was told");
    let (_, figures) = town.page((Role::Ingest, 0), "/metrics").await.unwrap();
    let without_room = figure(&figures, "rollcall_appends_without_room_total", &[]).unwrap();
    assert!(without_room > 0.0, "the queue was never full");
    town.kafka.resume(1).unwrap();
    // Each is sent again, as providers do, and is there once.
    town.world
        .hire_all(Entra, &names("pressed", AT_ONCE), &["Agent_CHIC-01_Clerk"])
        .await;
    town.ends_well().await;
}
