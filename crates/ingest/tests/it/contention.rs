//! Many at once, and a directory that lags behind the log.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use http::Method;
use rollcall_domain::{EventData, PersonalChange};
use serde_json::{Value, json};

use crate::world::{ENTRA, World, user};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_posts_of_one_name_exactly_one_wins() {
    let world = Arc::new(World::new().await);
    let posts = (0..64).map(|_| world.post(ENTRA, "/Users", user("ida@store.example")));
    let replies = join_all(posts).await;
    let created = replies.iter().filter(|reply| reply.status == 201).count();
    assert_eq!(created, 1);
    for reply in replies.into_iter().filter(|reply| reply.status != 201) {
        reply.expect_error(409, "uniqueness");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_change_is_lost_when_many_patch_one_user() {
    let world = Arc::new(World::new().await);
    let id = world.user(ENTRA, "ida").await;
    let path = format!("/Users/{id}");
    let patches = (0..48).map(|n| {
        let add = json!([{"op": "add", "path": "roles", "value": [{"value": format!("Agent_{n}_A")}]}]);
        world.patch(ENTRA, &path, add)
    });
    for reply in join_all(patches).await {
        reply.expect(200);
    }
    let shown = world.get(ENTRA, &path).await.expect(200);
    let roles: BTreeSet<&str> = shown.body["roles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["value"].as_str().unwrap())
        .collect();
    assert_eq!(roles.len(), 48);
    assert_eq!(shown.header("etag"), "W/\"49\"");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn members_added_at_once_are_all_there() {
    let world = Arc::new(World::lagging().await);
    let users = join_all((0..48).map(|n| {
        let world = Arc::clone(&world);
        async move { world.user(ENTRA, &format!("u{n}")).await }
    }))
    .await;
    let group = world.group(ENTRA, "g", &[]).await;
    let path = format!("/Groups/{group}");
    let adds = users.iter().map(|id| {
        world.patch(
            ENTRA,
            &path,
            json!([{"op": "add", "path": "members", "value": [{"value": id}]}]),
        )
    });
    for reply in join_all(adds).await {
        reply.expect(200);
    }
    assert_eq!(world.members(ENTRA, &group).await.len(), 48);
    assert_eq!(
        world.metrics.snapshot().conflicts_retried,
        0,
        "additions never conflict"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_writes_reads_it_at_once() {
    let world = Arc::new(World::new().await);
    let writers = (0..16).map(|writer| {
        let world = Arc::clone(&world);
        async move {
            let id = world.user(ENTRA, &format!("w{writer}")).await;
            let path = format!("/Users/{id}");
            for round in 0..8 {
                let title = format!("title {round}");
                let change = json!([{"op": "replace", "path": "title", "value": title}]);
                let reply = world.patch(ENTRA, &path, change).await.expect(200);
                assert_eq!(reply.body["title"], title.as_str());
                assert_eq!(
                    world.get(ENTRA, &path).await.expect(200).body["title"],
                    title.as_str()
                );
            }
        }
    });
    join_all(writers).await;
}

/// Another process has appended, and this one's directory has not seen it yet.
#[tokio::test]
async fn a_directory_that_lags_never_says_that_something_is_missing_or_done() {
    let world = World::lagging().await;
    let template = world.user(ENTRA, "template").await;
    let mut events = world.events();
    let mut foreign = events.remove(0);
    let id = "00000000-0000-4000-8000-00000000000a";
    let EventData::UserCreated(created) = &mut foreign.data else {
        panic!()
    };
    created.user = id.parse().unwrap();
    created.name_key = rollcall_domain::TenantKey::new([7; 32]).name_key("elsewhere");
    let Value::Object(attributes) = json!({"userName": "elsewhere"}) else {
        panic!()
    };
    created.personal = rollcall_domain::seal(&PersonalChange {
        set: attributes,
        unset: Vec::new(),
    });
    foreign.id = rollcall_domain::EventId(uuid::Uuid::from_u128(10));
    append(&world, &foreign).await;
    world.get(ENTRA, &format!("/Users/{id}")).await.expect(200);

    // Deactivated elsewhere: our view says active, so “set active to true” looks like no change.
    append(&world, &changed(&foreign, 11, id, 1, false)).await;
    let path = format!("/Users/{id}");
    let reply = world
        .patch(
            ENTRA,
            &path,
            json!([{"op": "replace", "path": "active", "value": true}]),
        )
        .await
        .expect(200);
    assert_eq!(
        (&reply.body["active"], reply.header("etag")),
        (&json!(true), "W/\"3\"")
    );

    // Changed elsewhere: the event made against the old revision is rejected and made again.
    append(&world, &changed(&foreign, 12, id, 3, false)).await;
    let reply = world
        .patch(
            ENTRA,
            &path,
            json!([{"op": "replace", "path": "title", "value": "x"}]),
        )
        .await
        .expect(200);
    assert_eq!(
        (&reply.body["active"], &reply.body["title"]),
        (&json!(false), &json!("x"))
    );
    assert_eq!(world.metrics.snapshot().conflicts_retried, 1);
    world.get(ENTRA, &format!("/Users/{template}")).await.expect(200);
}

/// The name is free as far as this directory knows, and the fold refuses it: whoever leaves by the request goes.
#[tokio::test]
async fn a_leaver_goes_though_the_name_in_the_request_was_taken_meanwhile() {
    let world = World::lagging().await;
    let id = world.user(ENTRA, "ida").await;
    let mut taken = world.events().remove(0);
    let EventData::UserCreated(created) = &mut taken.data else {
        panic!()
    };
    created.user = "00000000-0000-4000-8000-00000000000a".parse().unwrap();
    created.name_key = rollcall_domain::TenantKey::new([7; 32]).name_key("boss");
    taken.id = rollcall_domain::EventId(uuid::Uuid::from_u128(10));
    let path = format!("/Users/{id}");
    append(&world, &taken).await;
    let renamed = json!([{"op": "replace", "value": {"userName": "boss", "active": false}}]);
    let reply = world.patch(ENTRA, &path, renamed).await.expect(200);
    assert_eq!(
        (&reply.body["active"], &reply.body["userName"]),
        (&json!(false), &json!("ida"))
    );
    assert_eq!(
        world.metrics.snapshot().rejections,
        1,
        "the fold has seen the first of the two names"
    );
}

#[tokio::test]
async fn a_request_with_if_match_is_never_made_again() {
    let world = World::lagging().await;
    let id = world.user(ENTRA, "ida").await;
    let elsewhere = changed(&world.events().remove(0), 11, &id, 1, false);
    append(&world, &elsewhere).await;
    let body = json!({"Operations": [{"op": "replace", "path": "title", "value": "x"}]}).to_string();
    let mut request = world.build(ENTRA, Method::PATCH, &format!("/Users/{id}"), body);
    request
        .headers_mut()
        .insert("if-match", "W/\"1\"".parse().unwrap());
    world.request(request).await.expect_error(412, "");
    let shown = world.get(ENTRA, &format!("/Users/{id}")).await.expect(200);
    assert_eq!(
        (&shown.body["active"], shown.body.get("title")),
        (&json!(false), None)
    );
}

#[tokio::test]
async fn a_fold_that_stands_still_is_answered_503_and_the_event_is_kept() {
    let world = World::lagging().await;
    let id = world.user(ENTRA, "ida").await;
    let path = format!("/Users/{id}");
    world.directory().stop(true);
    let off = json!([{"op": "replace", "path": "active", "value": false}]);
    let refused = world.patch(ENTRA, &path, off.clone()).await.expect_error(503, "");
    assert_eq!(refused.header("retry-after"), "2");
    world.get(ENTRA, &path).await.expect_error(503, "");
    world.get(ENTRA, "/Users").await.expect_error(503, "");
    world.directory().stop(false);
    assert_eq!(
        world.get(ENTRA, &path).await.expect(200).body["active"],
        false,
        "it was durable"
    );
    world.patch(ENTRA, &path, off).await.expect(200);
    assert_eq!(world.events().len(), 2, "the same again changes nothing");
}

#[tokio::test]
async fn a_log_that_refuses_is_answered_503() {
    let world = World::new().await;
    let id = world.user(ENTRA, "ida").await;
    world.log.poison("the disk is full");
    let refused = world
        .post(ENTRA, "/Users", user("bo"))
        .await
        .expect_error(503, "");
    assert_eq!(refused.header("retry-after"), "30");
    assert!(!refused.text.contains("disk"));
    world.get(ENTRA, &format!("/Users/{id}")).await.expect(200); // reading goes on
    assert_eq!(world.metrics.snapshot().append_failures, 1);
}

async fn append(world: &World, event: &rollcall_domain::Event) {
    use rollcall_eventlog::{AppendLog as _, Record, Stream};
    world
        .log
        .append(Stream::Events, vec![Record::new("acme", event.encode())])
        .await
        .unwrap();
}

fn changed(
    like: &rollcall_domain::Event,
    event: u128,
    user: &str,
    base: u32,
    active: bool,
) -> rollcall_domain::Event {
    let change = rollcall_domain::UserChanged {
        user: user.parse().unwrap(),
        base: rollcall_domain::Revision(base),
        name_key: None,
        external_key: rollcall_domain::Set::Keep,
        active: Some(active),
        roles: None,
        personal: None,
        rehire: false,
    };
    rollcall_domain::Event {
        id: rollcall_domain::EventId(uuid::Uuid::from_u128(event)),
        data: EventData::UserChanged(change),
        ..like.clone()
    }
}
