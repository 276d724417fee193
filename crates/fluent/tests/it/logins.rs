//! Tokens and the breaker.

use std::time::Duration;

use rollcall_domain::Timestamp;
use rollcall_fluent::{BAD_LOGIN_PAUSE, FluentError, Mutation, RetryClass};
use rollcall_fluent_sim::{Down, Fault, FaultKind, TOKEN_OPERATION};

use super::{World, new_user};

#[tokio::test]
async fn one_login_serves_all_callers() {
    let world = World::new().await;
    let calls = (0..20).map(|_| {
        let client = world.client.clone();
        tokio::spawn(async move { client.me().await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    assert_eq!(world.handle.stats().logins, 1);
}

#[tokio::test]
async fn a_token_is_renewed_a_minute_before_it_ends() {
    let world = World::new().await;
    world.handle.set_expires_in(300);
    world.client.me().await.unwrap();
    world.advance(Duration::from_secs(239));
    world.client.me().await.unwrap();
    assert_eq!(world.handle.stats().logins, 1);
    world.advance(Duration::from_secs(1));
    world.client.me().await.unwrap();
    assert_eq!(
        (world.handle.stats().logins, world.handle.stats().unauthorized),
        (2, 0)
    );
}

#[tokio::test]
async fn a_revoked_token_is_replaced_once_and_the_write_happens_once() {
    let world = World::new().await;
    world.client.me().await.unwrap();
    world.handle.revoke_tokens();
    let calls = (0..10).map(|n| {
        let client = world.client.clone();
        tokio::spawn(async move { client.create_user(new_user(&format!("user-{n}"))).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    assert_eq!(
        (world.handle.stats().logins, world.handle.stats().applied),
        (2, 10)
    );
}

#[tokio::test]
async fn after_a_login_nothing_is_sent_that_may_not_be_sent_any_more() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let world = World::new().await;
    world.client.me().await.unwrap();
    world.handle.revoke_tokens();
    let create = || [Mutation::CreateUser(new_user("late"))];
    // The request goes out, is refused for its token, and by then the time is over.
    let asked = AtomicUsize::new(0);
    let once = || asked.fetch_add(1, Ordering::Relaxed) == 0;
    let results = world.client.batch_while(&create(), &once).await;
    assert!(
        matches!(results[0], Err(FluentError::NotSent { .. })),
        "{results:?}"
    );
    assert_eq!(asked.load(Ordering::Relaxed), 2, "asked before each request");
    let results = world.client.batch_while(&create(), &|| false).await;
    assert!(
        matches!(results[0], Err(FluentError::NotSent { .. })),
        "{results:?}"
    );
    assert_eq!(world.handle.stats().applied, 0);
    let results = world.client.batch_while(&create(), &|| true).await;
    assert!(results[0].is_ok(), "{results:?}");
}

#[tokio::test]
async fn a_fresh_token_that_is_refused_does_not_start_a_loop_of_logins() {
    let world = World::new().await;
    world.client.me().await.unwrap();
    let refuse = FaultKind::Status {
        status: 401,
        retry_after: None,
    };
    world.handle.inject(Fault::new(refuse).only("me")).unwrap();
    assert!(matches!(
        world.client.me().await,
        Err(FluentError::Unauthorized { .. })
    ));
    for _ in 0..5 {
        let error = world.client.me().await.unwrap_err();
        assert!(matches!(error, FluentError::LoginUnavailable { .. }), "{error}");
        assert!(error.concerns_all());
    }
    assert_eq!(world.handle.stats().logins, 2);
    world.handle.clear_faults();
    world.advance(Duration::from_secs(1));
    world.client.me().await.unwrap();
}

#[tokio::test]
async fn a_bad_login_is_tried_once_and_remembered_by_the_next_process() {
    let world = World::new().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("login.json");
    let with = |password: &str| {
        world.client(|config| {
            config.password = password.to_owned().into();
            config.breaker_file = Some(file.clone());
        })
    };
    let first = with("wrong");
    let start = Timestamp::from_millis(1_767_225_600_000);
    let until = start.plus_millis(20 * 60 * 1_000);
    for _ in 0..3 {
        assert_eq!(first.me().await, Err(FluentError::BadLogin { until }));
    }
    for _ in 0..3 {
        let restarted = with("wrong");
        let error = restarted.create_user(new_user("ida")).await.unwrap_err();
        assert_eq!(error, FluentError::BadLogin { until });
        assert_eq!(
            error.retry_class(),
            RetryClass::Retryable {
                after: Some(BAD_LOGIN_PAUSE)
            }
        );
    }
    assert_eq!(world.handle.stats().refused_logins, 1);

    with("sim-password").me().await.unwrap();
    world.advance(BAD_LOGIN_PAUSE);
    assert!(matches!(
        with("wrong").me().await,
        Err(FluentError::BadLogin { .. })
    ));
    assert_eq!(world.handle.stats().refused_logins, 2, "after the pause one more");
    assert!(!world.handle.locked_out());
}

#[tokio::test]
async fn a_wrong_client_secret_is_as_careful() {
    let world = World::new().await;
    let client = world.client(|config| config.client_secret = "wrong".to_owned().into());
    assert!(matches!(client.me().await, Err(FluentError::BadLogin { .. })));
    assert!(matches!(client.me().await, Err(FluentError::BadLogin { .. })));
    assert_eq!(world.handle.stats().token_requests, 1);
}

#[tokio::test]
async fn a_failing_token_endpoint_backs_off_and_is_no_bad_login() {
    let world = World::new().await;
    let broken = FaultKind::Status {
        status: 503,
        retry_after: None,
    };
    world
        .handle
        .inject(Fault::new(broken).only(TOKEN_OPERATION).times(2))
        .unwrap();
    let pause = |error: FluentError| match error {
        FluentError::LoginUnavailable { after, .. } => after,
        other => panic!("{other}"),
    };
    assert_eq!(
        pause(world.client.me().await.unwrap_err()),
        Duration::from_secs(1)
    );
    assert_eq!(
        pause(world.client.me().await.unwrap_err()),
        Duration::from_secs(1)
    );
    assert_eq!(
        world.handle.stats().token_requests,
        1,
        "it is not asked again before its time"
    );
    world.advance(Duration::from_secs(1));
    assert_eq!(
        pause(world.client.me().await.unwrap_err()),
        Duration::from_secs(2)
    );
    world.advance(Duration::from_secs(2));
    world.client.me().await.unwrap();
    assert_eq!(world.handle.stats().token_requests, 3);
}

#[tokio::test]
async fn a_network_that_is_down_at_login_leaves_no_mark() {
    let world = World::new().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("login.json");
    let client = world.client(|config| config.breaker_file = Some(file.clone()));
    world.handle.set_down(Some(Down::Cut)).await;
    assert!(matches!(
        client.login().await,
        Err(FluentError::LoginUnavailable { .. })
    ));
    world.handle.set_down(Some(Down::Refuse)).await;
    world.advance(Duration::from_secs(1));
    assert!(matches!(
        client.login().await,
        Err(FluentError::LoginUnavailable { .. })
    ));
    assert!(!file.exists());
    world.handle.set_down(None).await;
    world.advance(Duration::from_secs(2));
    client.login().await.unwrap();
}

#[tokio::test]
async fn a_caller_that_gives_up_does_not_lose_the_lesson() {
    let world = World::new().await;
    let slow = FaultKind::Latency {
        fixed_ms: 200,
        jitter_ms: 0,
    };
    world
        .handle
        .inject(Fault::new(slow).only(TOKEN_OPERATION))
        .unwrap();
    let client = world.client(|config| config.password = "wrong".to_owned().into());
    let hasty = tokio::time::timeout(Duration::from_millis(20), client.login()).await;
    assert!(hasty.is_err());
    assert!(matches!(client.login().await, Err(FluentError::BadLogin { .. })));
    assert_eq!(world.handle.stats().refused_logins, 1);
}
