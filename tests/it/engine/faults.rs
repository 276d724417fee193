//! A Fluent that is away, slow, limits us, refuses our login or lies about what it did: the process stays up, providers
//! are served, operators are told, and afterwards everything is as it should be, with nothing done twice.

use rollcall_fluent_sim::{Down, Fault, FaultKind, RateAnswer};
use serde_json::Value;

use super::acts::names;
use super::harness::{Settings, World, until};
use super::idp::{Dialect::*, named};
use super::journal::{self, Repeats};

/// A world with somebody in it who can leave.
async fn world() -> (World, String) {
    let mut world = World::running(Settings::default()).await;
    let leaver = world.hire(Okta, "leaver", &["Agent_CHIC-01_Lead"]).await;
    world.hire(Entra, "steady", &["Agent_CHIC-01_Lead"]).await;
    world.converged().await;
    (world, leaver)
}

/// People come, move and go while something is wrong; every request is answered well.
async fn surge(world: &mut World, people: usize) {
    let ids = world
        .hire_all(Entra, &names("surge", people), &["Agent_CHIC-01_Associate"])
        .await;
    let group = world.make_group(Entra, "Surge", &["Agent_CHIC-01_Clerk"]).await;
    world.add_members(Entra, &group, &ids[..people / 2]).await;
    world.set_active(Entra, &ids[people - 1], false).await;
    world
        .set_roles(Entra, &ids[people - 2], &["Retailer_MIDWEST_Viewer"])
        .await;
}

async fn fluent_status(world: &World) -> Value {
    world.json(&["status"]).await["tenants"][0]["fluent"].clone()
}

/// It is well again: status says so, and it can be stopped.
async fn well(mut world: World) {
    assert!(world.is_running(), "the process stayed up");
    let status = fluent_status(&world).await;
    assert_eq!(
        (&status["reachable"], &status["problem"]),
        (&Value::Bool(true), &Value::Null),
        "{status}"
    );
    assert_eq!(world.metric("rollcall_panics_total", &[]).await, Some(0.0));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_fluent_is_away_providers_are_served_and_operators_told() {
    let (mut world, leaver) = world().await;
    for mode in [Down::Refuse, Down::Cut] {
        world.fluent.set_down(Some(mode)).await;
        if mode == Down::Refuse {
            surge(&mut world, 12).await;
            world.set_active(Okta, &leaver, false).await;
        } else {
            world.hire(Okta, "later", &["Agent_CHIC-01_Lead"]).await;
            world.set_active(Okta, &leaver, true).await;
        }
        until("the outage is told", async || {
            let status = fluent_status(&world).await;
            status["reachable"] == false
                && status["problem"]
                    .as_str()
                    .is_some_and(|text| text.contains("does not answer"))
        })
        .await;
        assert_eq!(world.metric("rollcall_fluent_reachable", &[]).await, Some(0.0));
        assert!(world.metric("rollcall_queued_accounts", &[]).await >= Some(1.0));
        let ready = world.entra.page("/readyz").await;
        assert_eq!(
            ready.unwrap().0,
            200,
            "a change can be taken while Fluent is away"
        );
        world.fluent.set_down(None).await;
        world.converged().await;
    }
    well(world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_while_fluent_is_away_serves_and_catches_up() {
    let (mut world, leaver) = world().await;
    world.stop().await;
    world.fluent.set_down(Some(Down::Refuse)).await;
    world.start().await;
    world.set_active(Okta, &leaver, false).await;
    surge(&mut world, 6).await;
    let status = fluent_status(&world).await;
    assert_eq!(status["reachable"], false, "{status}");
    world.kill();
    world.start().await;
    world.fluent.set_down(None).await;
    world.converged().await;
    well(world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_errors_and_cut_connections_are_settled_by_reading_again() {
    let (mut world, leaver) = world().await;
    for kind in [
        FaultKind::Status {
            status: 503,
            retry_after: None,
        },
        FaultKind::Status {
            status: 500,
            retry_after: None,
        },
        FaultKind::Code {
            code: "S0002E".to_owned(),
        },
        FaultKind::Cut,
        FaultKind::LoseResponse,
    ] {
        world
            .fluent
            .inject(Fault::new(kind).ratio(0.15).times(5))
            .unwrap();
    }
    surge(&mut world, 16).await;
    world.set_active(Okta, &leaver, false).await;
    world.as_expected().await;
    world.fluent.clear_faults();
    world.converged().await;
    assert!(world.metric("rollcall_fluent_failures_total", &[]).await > Some(0.0));
    well(world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_limit_slows_it_down_and_nothing_is_lost() {
    let (mut world, leaver) = world().await;
    let answer = RateAnswer::Http { retry_after: Some(1) };
    let limit = FaultKind::RateLimit {
        per_second: 20.0,
        answer,
    };
    world.fluent.inject(Fault::new(limit)).unwrap();
    world
        .hire_all(Entra, &names("joiner", 16), &["Agent_CHIC-01_Associate"])
        .await;
    world.set_active(Okta, &leaver, false).await;
    world.as_expected().await;
    world.fluent.clear_faults();
    world.converged().await;
    let out = journal::first_status(&world.fluent, &named("leaver"), "INACTIVE").unwrap();
    let mut joiners = world.fluent.journal().into_iter().filter(|entry| {
        entry
            .username
            .as_deref()
            .is_some_and(|name| name.starts_with("joiner-"))
            && entry.operation == "createUser"
    });
    assert!(
        joiners.any(|entry| entry.seq > out),
        "the leaver overtook some joiners"
    );
    well(world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_minute_after_a_rate_limit_only_leavers_are_tried() {
    let (mut world, leaver) = world().await;
    // What Fluent's own client takes for a minute's pause.
    let limit = FaultKind::RateLimit {
        per_second: 1.0,
        answer: RateAnswer::Code,
    };
    let limit = world.fluent.inject(Fault::new(limit)).unwrap();
    world
        .hire_all(Entra, &names("joiner", 8), &["Agent_CHIC-01_Associate"])
        .await;
    until("the pause is told", async || {
        fluent_status(&world).await["problem"]
            .as_str()
            .is_some_and(|text| text.contains("fewer requests"))
    })
    .await;
    world.fluent.clear(limit);
    let before = world.fluent.user_count();
    world.set_active(Okta, &leaver, false).await;
    until("the leaver is out", async || {
        world.status_of(&named("leaver")) == "INACTIVE"
    })
    .await;
    let problem = fluent_status(&world).await["problem"].clone();
    assert!(problem.is_string(), "the pause goes on");
    assert_eq!(world.fluent.user_count(), before, "joiners wait for its end");
    // It can be stopped in the pause, and the next process begins anew.
    world.stop().await;
    world.start().await;
    world.converged().await;
    well(world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_come_too_late_and_changes_that_land_late_do_no_harm() {
    let (mut world, leaver) = world().await;
    // Longer than the time-out of a request, and longer than the pause before the next try.
    world
        .fluent
        .inject(
            Fault::new(FaultKind::LandLate { after_ms: 3_000 })
                .only("createUser")
                .times(4),
        )
        .unwrap();
    world
        .fluent
        .inject(
            Fault::new(FaultKind::LandLate { after_ms: 2_500 })
                .only("updateUser")
                .times(3),
        )
        .unwrap();
    let slow = FaultKind::Latency {
        fixed_ms: 2_600,
        jitter_ms: 0,
    };
    world
        .fluent
        .inject(Fault::new(slow).only("createUser").times(3))
        .unwrap();
    surge(&mut world, 12).await;
    world.set_active(Okta, &leaver, false).await;
    world.as_expected().await;
    until("everything landed", async || world.fluent.pending() == 0).await;
    world.settled().await;
    world.as_expected().await;
    journal::check(&world.fluent, &world.model, Repeats::WhenLate);
    assert!(world.metric("rollcall_answers_lost_total", &[]).await > Some(0.0));
    well(world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_end_are_renewed_on_the_way() {
    let (mut world, _) = world().await;
    world.fluent.set_expires_in(1);
    let logins = world.fluent.stats().logins;
    for round in 0..4 {
        world.fluent.revoke_tokens();
        world
            .hire(Entra, &format!("round-{round}"), &["Agent_CHIC-01_Associate"])
            .await;
        world.as_expected().await;
    }
    world.converged().await;
    let stats = world.fluent.stats();
    assert!(stats.logins > logins && stats.refused_logins == 0, "{stats:?}");
    assert!(
        stats.logins < logins + 200,
        "a token is used until it ends: {stats:?}"
    );
    well(world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_login_is_tried_once_whatever_happens_and_a_new_secret_at_once() {
    let (mut world, leaver) = world().await;
    world.fluent.set_password("fluent-password-changed-9Zt4");
    world.fluent.revoke_tokens();
    world.set_active(Okta, &leaver, false).await;
    surge(&mut world, 6).await;
    until("the refusal is told", async || {
        let status = fluent_status(&world).await;
        status["reachable"] == false
            && status["problem"]
                .as_str()
                .is_some_and(|text| text.contains("login"))
    })
    .await;
    assert_eq!(world.fluent.stats().refused_logins, 1);
    // Restarts, clean and not, do not try it again: five refusals would lock the account.
    for round in 0..6 {
        if round % 2 == 0 {
            world.kill();
        } else {
            world.stop().await;
        }
        world.start().await;
        let name = format!("restart-{round}");
        world.hire(Entra, &name, &["Agent_CHIC-01_Associate"]).await;
        until("the refusal is told again", async || {
            fluent_status(&world).await["problem"]
                .as_str()
                .is_some_and(|text| text.contains("login"))
        })
        .await;
    }
    assert_eq!(world.command_with_secrets(&["check"]).await.code, 1);
    assert_eq!(world.fluent.stats().refused_logins, 1);
    assert!(!world.fluent.locked_out());
    world.stop().await;
    world.password = "fluent-password-changed-9Zt4".to_owned();
    world.start().await;
    world.converged().await;
    assert_eq!(world.status_of(&named("leaver")), "INACTIVE");
    well(world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_fluent_is_waited_for() {
    let (mut world, leaver) = world().await;
    let slow = FaultKind::Latency {
        fixed_ms: 150,
        jitter_ms: 300,
    };
    world.fluent.inject(Fault::new(slow)).unwrap();
    surge(&mut world, 24).await;
    world.set_active(Okta, &leaver, false).await;
    world.as_expected().await;
    world.fluent.clear_faults();
    world.converged().await;
    // A permission that is missing concerns those who need it, and heals.
    world.fluent.deny_permission("USER_CREATE");
    world.hire(Entra, "unlucky", &["Agent_CHIC-01_Associate"]).await;
    until("the failure is counted", async || {
        world.metric("rollcall_fluent_failures_total", &["C0020E"]).await > Some(0.0)
    })
    .await;
    let steady = world.entra.find(&named("steady")).await.unwrap();
    world.set_roles(Entra, &steady, &["Agent_MILW-01_Lead"]).await;
    until("others go on", async || {
        world
            .fluent
            .user(&named("steady"))
            .is_some_and(|user| user.grants.iter().any(|pair| pair.context_id == "102"))
    })
    .await;
    world.fluent.allow_all();
    let unlucky = world.entra.find(&named("unlucky")).await.unwrap();
    world.set_roles(Entra, &unlucky, &["Agent_MILW-01_Lead"]).await;
    world.converged().await;
    well(world).await;
}
