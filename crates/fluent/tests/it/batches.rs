//! Several writes at once.

use std::time::Duration;

use rollcall_domain::{ContextType, FluentStatus, FluentUserId, Grant};
use rollcall_fluent::{BATCH_MAX, FluentError, Mutation, NewUser, RetryClass, UserUpdate, Written};
use rollcall_fluent_sim::{Fault, FaultKind};

use super::{World, new_user, store, viewer};

fn requests(world: &World) -> usize {
    let journal = world.handle.journal();
    journal
        .iter()
        .map(|entry| entry.request)
        .collect::<std::collections::HashSet<_>>()
        .len()
}

#[tokio::test]
async fn each_alias_has_its_own_result() {
    let world = World::new().await;
    let ida = world
        .client
        .create_user(NewUser {
            grants: vec![store()],
            ..new_user("ida")
        })
        .await
        .unwrap();
    let update = |add| UserUpdate {
        add,
        status: Some(FluentStatus::Active),
        ..UserUpdate::default()
    };
    let unknown = Grant::new("GONE", ContextType::Agent, "7001");
    let results = world
        .client
        .batch(&[
            Mutation::RemoveRoles {
                id: ida.id.clone(),
                grants: vec![store()],
            },
            Mutation::CreateUser(new_user("ida")),
            Mutation::UpdateUser {
                id: ida.id.clone(),
                update: update(vec![viewer()]),
            },
            Mutation::UpdateUser {
                id: ida.id.clone(),
                update: update(vec![unknown]),
            },
            Mutation::CreateUser(new_user("bob")),
        ])
        .await;
    assert_eq!(results[0], Ok(Written::RolesRemoved));
    assert!(results[1].as_ref().unwrap_err().is_duplicate());
    let Ok(Written::User(updated)) = &results[2] else {
        panic!("{results:?}")
    };
    assert_eq!(updated.grants.iter().collect::<Vec<_>>(), [&viewer()]);
    assert_eq!(results[3].as_ref().unwrap_err().code(), Some("C0120E"));
    assert!(matches!(&results[4], Ok(Written::User(bob)) if bob.username == "bob"));
    assert_eq!(requests(&world), 2);
}

#[tokio::test]
async fn nothing_to_write_sends_nothing() {
    let world = World::new().await;
    assert!(world.client.batch(&[]).await.is_empty());
    assert_eq!(world.handle.stats().token_requests, 0);
}

#[tokio::test]
async fn many_writes_are_cut_by_number() {
    let world = World::new().await;
    let all: Vec<_> = (0..450)
        .map(|n| Mutation::CreateUser(new_user(&format!("user-{n}"))))
        .collect();
    let results = world.client.batch(&all).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(requests(&world), 450_usize.div_ceil(BATCH_MAX));
    let names: Vec<_> = world
        .handle
        .journal()
        .into_iter()
        .filter_map(|entry| entry.username)
        .collect();
    assert!(
        names
            .iter()
            .enumerate()
            .all(|(n, name)| *name == format!("user-{n}")),
        "in order"
    );
}

#[tokio::test]
async fn large_writes_are_cut_by_size_so_that_none_meets_a_413() {
    let world = World::new().await;
    let grants: Vec<_> = (0..5_000)
        .map(|n| Grant::new("STORE", ContextType::Agent, n.to_string()))
        .collect();
    let all: Vec<_> = (0..20)
        .map(|n| {
            Mutation::CreateUser(NewUser {
                grants: grants.clone(),
                ..new_user(&format!("user-{n}"))
            })
        })
        .collect();
    let results = world.client.batch(&all).await;
    assert!(results.iter().all(Result::is_ok));
    assert!((3..=5).contains(&requests(&world)), "{}", requests(&world));

    let many: Vec<_> = (0..50_000)
        .map(|n| Grant::new("STORE", ContextType::Agent, n.to_string()))
        .collect();
    let error = world
        .client
        .create_user(NewUser {
            grants: many,
            ..new_user("huge")
        })
        .await
        .unwrap_err();
    assert!(matches!(error, FluentError::TooLarge { .. }));
    assert_eq!(error.retry_class(), RetryClass::Terminal);
}

#[tokio::test]
async fn a_lost_answer_leaves_all_of_its_request_in_doubt_and_the_rest_unsent() {
    let world = World::new().await;
    world.client.login().await.unwrap();
    world
        .handle
        .inject(Fault::new(FaultKind::LoseResponse).only("createUser").times(1))
        .unwrap();
    let all: Vec<_> = (0..=BATCH_MAX)
        .map(|n| Mutation::CreateUser(new_user(&format!("user-{n}"))))
        .collect();
    let results = world.client.batch(&all).await;
    let (doubtful, unsent) = results.split_at(BATCH_MAX);
    assert!(
        doubtful
            .iter()
            .all(|r| r.as_ref().unwrap_err().retry_class() == RetryClass::Ambiguous)
    );
    let error = unsent[0].as_ref().unwrap_err();
    assert!(matches!(error, FluentError::NotSent { .. }));
    assert_eq!(error.retry_class(), RetryClass::Retryable { after: None });
    assert_eq!(world.handle.journal().len(), BATCH_MAX);
}

#[tokio::test]
async fn a_rate_limit_stops_the_rest_of_a_batch() {
    let world = World::new().await;
    world.client.login().await.unwrap();
    world
        .handle
        .inject(Fault::new(FaultKind::Code {
            code: "C0011E".into(),
        }))
        .unwrap();
    let all: Vec<_> = (0..=BATCH_MAX)
        .map(|n| Mutation::UpdateUser {
            id: FluentUserId(n.to_string()),
            update: UserUpdate::default(),
        })
        .collect();
    let results = world.client.batch(&all).await;
    let last = results.last().unwrap().as_ref().unwrap_err();
    assert!(
        matches!(last, FluentError::NotSent { after: Some(pause), .. } if *pause == Duration::from_secs(60))
    );
    assert_eq!(world.handle.stats().graphql_requests, 1);
}
