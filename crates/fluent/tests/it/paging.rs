//! Walking through many users.

use std::collections::HashSet;

use rollcall_fluent::{RetryClass, USERS_PER_PAGE};
use rollcall_fluent_sim::{Fault, FaultKind, Seed};

use super::World;

fn many(count: usize) -> Seed {
    let users = (0..count).map(|n| {
        serde_json::json!({ "username": format!("user-{n}"),
            "roles": [{ "role": "STORE", "contextType": "AGENT", "contextId": "7001" }] })
    });
    serde_json::from_value(serde_json::json!({ "users": users.collect::<Vec<_>>() })).unwrap()
}

#[tokio::test]
async fn more_than_ten_thousand_users_come_once_each() {
    let world = World::new().await;
    world.handle.load(&many(12_345)).unwrap();
    let mut pager = world.client.user_pages();
    let mut names = HashSet::new();
    let mut rows = 0;
    while let Some(page) = pager.next().await.unwrap() {
        assert!(page.len() <= USERS_PER_PAGE as usize);
        rows += page.len();
        names.extend(
            page.into_iter()
                .filter(|user| user.grants.len() == 1)
                .map(|user| user.username),
        );
    }
    assert_eq!((rows, names.len()), (12_346, 12_346));
    assert_eq!(pager.next().await, Ok(None));
}

#[tokio::test]
async fn a_walk_goes_on_after_a_failure() {
    let world = World::new().await;
    world.handle.load(&many(1_100)).unwrap();
    let mut pager = world.client.user_pages();
    let mut rows = pager.next().await.unwrap().unwrap().len();
    world
        .handle
        .inject(Fault::new(FaultKind::Cut).only("users").times(1))
        .unwrap();
    let error = pager.next().await.unwrap_err();
    assert_eq!(error.retry_class(), RetryClass::Retryable { after: None });
    while let Some(page) = pager.next().await.unwrap() {
        rows += page.len();
    }
    assert_eq!(rows, 1_101);
}

#[tokio::test]
async fn single_pages_can_be_asked_for() {
    let world = World::new().await;
    world.handle.load(&many(600)).unwrap();
    let first = world.client.users_page(None).await.unwrap();
    assert_eq!(first.rows.len(), 500);
    let second = world.client.users_page(first.next.as_deref()).await.unwrap();
    assert_eq!((second.rows.len(), second.next), (101, None));
}
