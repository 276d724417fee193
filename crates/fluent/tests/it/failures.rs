//! Each class of failure, and what it says about trying again.

use std::time::Duration;

use rollcall_domain::FluentUserId;
use rollcall_fluent::{FluentClient, FluentError, NewUser, RetryClass, TransportFault, UserUpdate};
use rollcall_fluent_sim::{Behavior, Down, Fault, FaultKind, JournalResult, RateAnswer};

use super::{World, new_user, store};

fn after(seconds: u64) -> RetryClass {
    RetryClass::Retryable {
        after: Some(Duration::from_secs(seconds)),
    }
}

const LATER: RetryClass = RetryClass::Retryable { after: None };

async fn create(client: &FluentClient) -> FluentError {
    client.create_user(new_user("ida")).await.unwrap_err()
}

#[tokio::test]
async fn codes_arrive_with_their_class() {
    let world = World::new().await;
    world.client.create_user(new_user("ida")).await.unwrap();
    let duplicate = create(&world.client).await;
    assert!(duplicate.is_duplicate() && duplicate.retry_class() == RetryClass::Terminal);
    let gone = world
        .client
        .update_user(&FluentUserId("999".into()), UserUpdate::default())
        .await
        .unwrap_err();
    assert!(gone.is_not_found() && !gone.concerns_all());
    let long = NewUser {
        first_name: "x".repeat(51),
        ..new_user("long")
    };
    assert_eq!(
        world.client.create_user(long).await.unwrap_err().code(),
        Some("C0141E")
    );
    for (code, class) in [
        ("C0011E", after(60)),
        ("S0002E", after(30)),
        ("S0040E", after(10)),
        ("T0001E", after(30)),
    ] {
        world
            .handle
            .inject(
                Fault::new(FaultKind::Code { code: code.into() })
                    .only("createUser")
                    .times(1),
            )
            .unwrap();
        let error = create(&world.client).await;
        assert_eq!((error.code(), error.retry_class()), (Some(code), class));
    }
}

#[tokio::test]
async fn coded_errors_are_understood_under_another_status_too() {
    let world = World::new().await;
    world.client.create_user(new_user("ida")).await.unwrap();
    world.handle.set_behavior(Behavior {
        error_status: 400,
        ..Behavior::default()
    });
    assert!(create(&world.client).await.is_duplicate());
}

#[tokio::test]
async fn a_missing_permission_is_named_and_concerns_all() {
    let world = World::new().await;
    world.handle.deny_permission("USER_CREATE");
    let error = create(&world.client).await;
    assert_eq!(
        error.to_string(),
        "createUser: refused with C0020E (missing USER_CREATE)"
    );
    assert!(error.concerns_all() && error.retry_class() == RetryClass::Terminal);
}

#[tokio::test]
async fn errors_never_name_people() {
    let world = World::new().await;
    let bad = NewUser {
        grants: vec![store()],
        ..new_user("ida@example.com")
    };
    world.client.create_user(bad.clone()).await.unwrap();
    let error = world.client.create_user(bad).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("ida"));
    world.handle.inject(Fault::new(FaultKind::Cut)).unwrap();
    let cut = create(&world.client).await;
    assert!(!format!("{cut} {cut:?}").contains(&world.sim.url()), "{cut}");
}

#[tokio::test]
async fn a_lost_response_of_a_write_is_ambiguous_and_was_sent_once() {
    let world = World::new().await;
    world
        .handle
        .inject(Fault::new(FaultKind::LoseResponse).only("createUser").times(1))
        .unwrap();
    let error = create(&world.client).await;
    assert_eq!(error.retry_class(), RetryClass::Ambiguous);
    assert!(matches!(
        error,
        FluentError::Transport {
            fault: TransportFault::Broken,
            ..
        }
    ));
    let journal = world.handle.journal();
    assert_eq!((journal.len(), &journal[0].result), (1, &JournalResult::Applied));
    assert!(
        world.client.user_by_username("ida").await.unwrap().is_some(),
        "reading settles it"
    );
}

#[tokio::test]
async fn a_write_that_lands_late_is_ambiguous_too() {
    let world = World::new().await;
    world
        .handle
        .inject(Fault::new(FaultKind::LandLate { after_ms: 60_000 }).only("createUser"))
        .unwrap();
    assert_eq!(create(&world.client).await.retry_class(), RetryClass::Ambiguous);
    assert!(world.client.user_by_username("ida").await.unwrap().is_none());
    world.handle.advance(Duration::from_secs(60));
    assert!(world.client.user_by_username("ida").await.unwrap().is_some());
}

#[tokio::test]
async fn a_read_that_is_cut_may_simply_be_tried_again() {
    let world = World::new().await;
    world
        .handle
        .inject(Fault::new(FaultKind::Cut).only("user").times(1))
        .unwrap();
    let error = world.client.user_by_username("ida").await.unwrap_err();
    assert_eq!(error.retry_class(), LATER);
    assert!(world.client.user_by_username("ida").await.is_ok());
}

#[tokio::test]
async fn a_slow_answer_is_a_time_out_and_ambiguous_for_a_write() {
    let world = World::new().await;
    let client = world.client(|config| config.request_timeout = Duration::from_millis(300));
    client.login().await.unwrap();
    let slow = FaultKind::Latency {
        fixed_ms: 60_000,
        jitter_ms: 0,
    };
    world.handle.inject(Fault::new(slow)).unwrap();
    let error = create(&client).await;
    assert!(
        matches!(
            error,
            FluentError::Transport {
                fault: TransportFault::TimedOut,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(error.retry_class(), RetryClass::Ambiguous);
}

#[tokio::test]
async fn a_write_is_not_sent_again_after_a_login_that_took_all_its_time() {
    let world = World::new().await;
    let client = world.client(|config| config.request_timeout = Duration::from_millis(400));
    client.me().await.unwrap();
    let slow = FaultKind::Latency {
        fixed_ms: 250,
        jitter_ms: 0,
    };
    let refused = FaultKind::Status {
        status: 401,
        retry_after: None,
    };
    let handle = &world.handle;
    handle.inject(Fault::new(slow.clone())).unwrap();
    handle
        .inject(Fault::new(refused).only("createUser").times(1))
        .unwrap();
    let error = create(&client).await;
    assert!(error.to_string().contains("nothing was sent"), "{error}");
    assert_eq!(error.retry_class(), LATER);
    assert_eq!(handle.stats().logins, 2, "it logged in anew");
    // What reads a page has more time, and is safe to.
    client.read_catalog().await.unwrap();
}

#[tokio::test]
async fn a_refused_connection_is_certainly_not_applied() {
    let world = World::new().await;
    world.client.login().await.unwrap();
    world.handle.set_down(Some(Down::Refuse)).await;
    let error = create(&world.client).await;
    assert!(
        matches!(
            error,
            FluentError::Transport {
                fault: TransportFault::NotConnected,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.retry_class() == LATER && error.concerns_all());
    world.handle.set_down(None).await;
    world.client.create_user(new_user("ida")).await.unwrap();
}

#[tokio::test]
async fn server_failures_leave_writes_in_doubt_and_reads_not() {
    let world = World::new().await;
    let fail = |status, retry_after| {
        world
            .handle
            .inject(Fault::new(FaultKind::Status { status, retry_after }).times(1))
            .unwrap();
    };
    world.client.login().await.unwrap();
    for status in [500, 502, 503, 504] {
        fail(status, Some(7));
        assert_eq!(create(&world.client).await.retry_class(), RetryClass::Ambiguous);
        fail(status, Some(7));
        assert_eq!(world.client.me().await.unwrap_err().retry_class(), after(7));
    }
    for status in [400, 403, 404, 413] {
        fail(status, None);
        assert_eq!(create(&world.client).await.retry_class(), RetryClass::Terminal);
    }
}

#[tokio::test]
async fn both_rate_limits_say_when_to_come_back() {
    let world = World::new().await;
    world.client.login().await.unwrap();
    let limit = |answer| FaultKind::RateLimit {
        per_second: 1.0,
        answer,
    };
    world
        .handle
        .inject(Fault::new(limit(RateAnswer::Http { retry_after: Some(9) })))
        .unwrap();
    world.client.me().await.unwrap();
    let error = create(&world.client).await;
    assert!(error.is_rate_limit() && error.retry_class() == after(9) && error.concerns_all());
    world.handle.clear_faults();
    world
        .handle
        .inject(Fault::new(limit(RateAnswer::Http { retry_after: None })))
        .unwrap();
    world.client.me().await.unwrap();
    assert_eq!(create(&world.client).await.retry_class(), after(60));
    world.handle.clear_faults();
    world.handle.inject(Fault::new(limit(RateAnswer::Code))).unwrap();
    world.client.me().await.unwrap();
    let error = create(&world.client).await;
    assert!(error.is_rate_limit() && error.retry_class() == after(60) && error.concerns_all());
}

#[tokio::test]
async fn a_schema_that_differs_is_terminal() {
    let world = World::new().await;
    let id = world.client.create_user(new_user("ida")).await.unwrap().id;
    world.handle.set_behavior(Behavior {
        removal_exists: false,
        ..Behavior::default()
    });
    let error = world.client.remove_roles(&id, &[store()]).await.unwrap_err();
    assert!(matches!(&error, FluentError::Rejected { class, .. } if class == "ValidationError"));
    assert_eq!(error.retry_class(), RetryClass::Terminal);
}
