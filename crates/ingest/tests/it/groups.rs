//! The life of a group.

use std::sync::atomic::Ordering;

use http::Method;
use rollcall_domain::{EventData, EventId, GroupChanged, MemberSet, NameKey, Part, UserCreated, UserId};
use rollcall_eventlog::{AppendLog as _, Record, Stream};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{BASE, ENTRA, OKTA, STRICT, World, query, sorted};

const ROLES: &str = "urn:rollcall:params:scim:schemas:extension:1.0:Group";

fn last_change(world: &World) -> GroupChanged {
    match world.events().pop().unwrap().data {
        EventData::GroupChanged(change) => change,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_group_holds_users_and_groups_and_gives_roles() {
    let world = World::new().await;
    let ida = world.user(ENTRA, "ida").await;
    let inner = world.group(ENTRA, "Inner", &[]).await;
    let created = world
        .post(
            ENTRA,
            "/Groups",
            json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group", ROLES],
                "displayName": "Outer", "externalId": "g1",
                "members": [{"value": ida}, {"value": inner, "type": "User"}],
                ROLES: {"roles": [{"value": "Agent_1_A"}]},
            }),
        )
        .await
        .expect(201);
    let id = created.id();
    assert_eq!(created.header("location"), format!("{BASE}/Groups/{id}"));
    let shown = world.get(ENTRA, &format!("/Groups/{id}")).await.expect(200);
    assert_eq!(
        shown.body[ROLES]["roles"],
        json!([{"value": "Agent_1_A", "primary": false}])
    );
    let members = shown.body["members"].as_array().unwrap();
    let find = |id: &str| members.iter().find(|m| m["value"] == id).unwrap();
    assert_eq!(find(&ida)["type"], "User");
    assert_eq!(
        (&find(&inner)["type"], &find(&inner)["$ref"]),
        (&json!("Group"), &json!(format!("{BASE}/Groups/{inner}")))
    );
    let user = world.get(ENTRA, &format!("/Users/{ida}")).await.expect(200);
    assert_eq!(user.body["groups"][0]["display"], "Outer");
    world
        .patch(
            ENTRA,
            &format!("/Groups/{id}"),
            json!([{"op": "remove", "path": format!("{ROLES}:roles")}]),
        )
        .await
        .expect(200);
    assert_eq!(last_change(&world).roles, Some(Vec::new()));
}

#[tokio::test]
async fn a_member_is_added_and_removed_without_naming_a_revision_or_the_others() {
    let world = World::new().await;
    let (a, b) = (world.user(ENTRA, "a").await, world.user(ENTRA, "b").await);
    let group = world.group(ENTRA, "g", &[&a]).await;
    let path = format!("/Groups/{group}");
    world
        .patch(
            ENTRA,
            &path,
            json!([{"op": "add", "path": "members", "value": [{"value": b}]}]),
        )
        .await
        .expect(200);
    let change = last_change(&world);
    assert_eq!((change.added.users.len(), change.removed.len()), (1, 0));
    assert_eq!((change.base, change.member_base), (None, None));
    let before = world.events().len();
    world
        .patch(
            ENTRA,
            &path,
            json!([{"op": "add", "path": "members", "value": [{"value": b}]}]),
        )
        .await
        .expect(200);
    let nobody = "00000000-0000-4000-8000-000000000000";
    world
        .patch(
            ENTRA,
            &path,
            json!([{"op": "remove", "path": "members", "value": [{"value": nobody}]}]),
        )
        .await
        .expect(200);
    assert_eq!(world.events().len(), before, "nothing changed");
    world
        .patch(ENTRA, &path, json!([{"op": "remove", "path": "members"}]))
        .await
        .expect(200);
    assert_eq!(world.members(ENTRA, &group).await, Vec::<String>::new());
    assert_eq!(last_change(&world).member_base.map(|base| base.0), Some(2));
}

#[tokio::test]
async fn a_replaced_list_is_written_as_a_difference() {
    let world = World::new().await;
    let (a, b, c) = (
        world.user(ENTRA, "a").await,
        world.user(ENTRA, "b").await,
        world.user(ENTRA, "c").await,
    );
    let group = world.group(ENTRA, "g", &[&a, &b]).await;
    let body = json!({"displayName": "g", "members": [{"value": b}, {"value": c}]});
    world
        .put(ENTRA, &format!("/Groups/{group}"), body)
        .await
        .expect(200);
    let change = last_change(&world);
    assert_eq!(
        (
            change.added.users[0].to_string(),
            change.removed.users[0].to_string()
        ),
        (c.clone(), a)
    );
    assert_eq!(change.member_base.map(|base| base.0), Some(1));
    assert_eq!(world.members(ENTRA, &group).await, sorted(&[&b, &c]));
}

#[tokio::test]
async fn an_unrelated_change_leaves_the_members_alone() {
    let world = World::new().await;
    let a = world.user(ENTRA, "a").await;
    let group = world.group(ENTRA, "g", &[&a]).await;
    let path = format!("/Groups/{group}");
    world
        .patch(
            ENTRA,
            &path,
            json!([{"op": "replace", "value": {"displayName": "h"}}]),
        )
        .await
        .expect(200);
    world
        .put(ENTRA, &path, json!({"displayName": "i"}))
        .await
        .expect(200);
    assert_eq!(world.members(ENTRA, &group).await, [a]);

    let b = world.user(STRICT, "b").await;
    let group = world.group(STRICT, "g", &[&b]).await;
    let schemas = json!(["urn:ietf:params:scim:schemas:core:2.0:Group"]);
    world
        .put(
            STRICT,
            &format!("/Groups/{group}"),
            json!({"schemas": schemas, "displayName": "i"}),
        )
        .await
        .expect(200);
    assert_eq!(
        world.members(STRICT, &group).await,
        Vec::<String>::new(),
        "what a strict client leaves out is gone"
    );
}

#[tokio::test]
async fn a_member_that_nobody_is_refuses_the_whole_request_and_is_not_repeated() {
    let world = World::new().await;
    let ida = world.user(ENTRA, "ida").await;
    let foreign = world.user(OKTA, "bo").await;
    let group = world.group(ENTRA, "g", &[]).await;
    let before = world.events().len();
    for unknown in [
        "00000000-0000-4000-8000-000000000000",
        "nobody@store.example",
        &foreign,
        &ida.to_uppercase(),
    ] {
        let add = json!([{"op": "add", "path": "members", "value": [{"value": ida}, {"value": unknown}]}]);
        let refused = world
            .patch(ENTRA, &format!("/Groups/{group}"), add)
            .await
            .expect_error(400, "invalidValue");
        assert!(refused.text.contains("members[1]"), "{}", refused.text);
        assert!(!refused.text.contains(unknown), "{}", refused.text);
        let body = json!({"displayName": "h", "members": [{"value": unknown}]});
        world
            .post(ENTRA, "/Groups", body)
            .await
            .expect_error(400, "invalidValue");
    }
    assert_eq!(world.events().len(), before);
}

#[tokio::test]
async fn a_group_name_belongs_to_one_group_whatever_its_case() {
    let world = World::new().await;
    world.group(ENTRA, "Store Staff", &[]).await;
    world
        .post(ENTRA, "/Groups", json!({"displayName": "store staff"}))
        .await
        .expect_error(409, "uniqueness");
    let other = world.group(ENTRA, "Others", &[]).await;
    let rename = json!([{"op": "replace", "path": "displayName", "value": "STORE STAFF"}]);
    world
        .patch(ENTRA, &format!("/Groups/{other}"), rename)
        .await
        .expect_error(409, "uniqueness");
    let case = json!([{"op": "replace", "path": "displayName", "value": "OTHERS"}]);
    world
        .patch(ENTRA, &format!("/Groups/{other}"), case)
        .await
        .expect(200);
    world.group(OKTA, "Store Staff", &[]).await; // another connection
}

#[tokio::test]
async fn a_version_covers_attributes_and_members() {
    let world = World::new().await;
    let (a, b) = (world.user(ENTRA, "a").await, world.user(ENTRA, "b").await);
    let group = world.group(ENTRA, "g", &[&a]).await;
    let path = format!("/Groups/{group}");
    let tag = world.get(ENTRA, &path).await.header("etag").to_owned();
    let add = json!({"Operations": [{"op": "add", "path": "members", "value": [{"value": b}]}]}).to_string();
    let conditional = |tag: &str| {
        let mut request = world.build(ENTRA, Method::PATCH, &path, add.clone());
        request.headers_mut().insert("if-match", tag.parse().unwrap());
        world.request(request)
    };
    let now = conditional(&tag).await.expect(200).header("etag").to_owned();
    assert_ne!(now, tag);
    conditional(&tag).await.expect_error(412, "");
    world
        .patch(
            ENTRA,
            &path,
            json!([{"op": "replace", "path": "displayName", "value": "h"}]),
        )
        .await
        .expect(200);
    conditional(&now).await.expect_error(412, "");
}

#[tokio::test]
async fn a_large_list_is_cut_into_parts_that_count_as_one() {
    let world = World::new().await;
    world.user(ENTRA, "template").await;
    let template = world.events().remove(0);
    let EventData::UserCreated(user) = &template.data else {
        panic!()
    };
    let mut members = Vec::new();
    let mut records = Vec::new();
    for n in 1..=10_001u128 {
        let mut event = template.clone();
        event.id = EventId(Uuid::from_u128(n));
        let name_key = NameKey(n.to_be_bytes());
        event.data = EventData::UserCreated(UserCreated {
            user: UserId(Uuid::from_u128(n)),
            name_key,
            ..user.clone()
        });
        records.push(Record::new("acme", event.encode()));
        members.push(json!({"value": Uuid::from_u128(n).to_string()}));
    }
    for records in records.chunks(5_000) {
        world.log.append(Stream::Events, records.to_vec()).await.unwrap();
    }
    let before = world.events().len();
    let group = world
        .post(
            ENTRA,
            "/Groups",
            json!({"displayName": "all", "members": members}),
        )
        .await
        .expect(201)
        .id();
    let parts: Vec<_> = world
        .events()
        .split_off(before)
        .into_iter()
        .map(|event| (event.part, event.request_id))
        .collect();
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[0].0, Some(Part { index: 1, count: 2 }));
    assert!(parts[0].1.is_some() && parts[0].1 == parts[1].1);
    assert_eq!(world.members(ENTRA, &group).await.len(), 10_001);
    let clear = json!([{"op": "replace", "path": "members", "value": []}]);
    world
        .patch(ENTRA, &format!("/Groups/{group}"), clear)
        .await
        .expect(200);
    assert_eq!(world.members(ENTRA, &group).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_replaced_list_is_decided_again_when_members_came_meanwhile() {
    let world = World::lagging().await;
    let (a, b) = (world.user(ENTRA, "a").await, world.user(ENTRA, "b").await);
    let group = world.group(ENTRA, "g", &[&a]).await;
    let mut elsewhere = world.events().remove(0);
    elsewhere.id = EventId(Uuid::from_u128(1));
    elsewhere.data = EventData::GroupChanged(GroupChanged {
        group: group.parse().unwrap(),
        base: None,
        display_name: None,
        external_id: rollcall_domain::Set::Keep,
        roles: None,
        removed: MemberSet::default(),
        added: MemberSet {
            users: vec![b.parse().unwrap()],
            groups: Vec::new(),
        },
        member_base: None,
    });
    world
        .log
        .append(Stream::Events, vec![Record::new("acme", elsewhere.encode())])
        .await
        .unwrap();
    let clear = json!([{"op": "replace", "path": "members", "value": []}]);
    world
        .patch(ENTRA, &format!("/Groups/{group}"), clear)
        .await
        .expect(200);
    assert_eq!(
        world.members(ENTRA, &group).await,
        Vec::<String>::new(),
        "the newcomer was not seen"
    );
    assert_eq!(world.metrics.snapshot().conflicts_retried, 1);
}

#[tokio::test]
async fn members_of_a_large_group_are_not_sent_back_unasked() {
    let world = World::new().await;
    let mut members = Vec::new();
    for n in 0..101 {
        members.push(json!({"value": world.user(ENTRA, &format!("u{n}")).await}));
    }
    let small: Vec<Value> = members.iter().take(100).cloned().collect();
    let body = json!({"displayName": "all", "members": small});
    let created = world.post(ENTRA, "/Groups", body).await.expect(201);
    assert_eq!(created.body["members"].as_array().unwrap().len(), 100);
    let path = format!("/Groups/{}", created.id());
    let add = json!([{"op": "add", "path": "members", "value": [members[100]]}]);
    let reply = world.patch(ENTRA, &path, add).await.expect(200);
    assert!(reply.body.get("members").is_none());
    let rename = json!([{"op": "replace", "path": "displayName", "value": "everybody"}]);
    let asked = world
        .patch(ENTRA, &format!("{path}?attributes=members"), rename)
        .await
        .expect(200);
    assert_eq!(asked.body["members"].as_array().unwrap().len(), 101);
    assert_eq!(world.members(ENTRA, &created.id()).await.len(), 101);
    let without = world
        .get(ENTRA, &format!("{path}?excludedAttributes=members"))
        .await
        .expect(200);
    assert!(without.body.get("members").is_none());
}

/// RFC 7644 section 3.5.1: 200 with the entire resource; section 3.5.2: that, or 204 as long as `attributes` is not
/// asked for.
#[tokio::test]
async fn the_strict_dialect_answers_a_change_with_the_whole_group_or_with_nothing_of_it() {
    let world = World::new().await;
    let mut members = Vec::new();
    for n in 0..101 {
        members.push(world.user(STRICT, &format!("u{n}")).await);
    }
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let path = format!("/Groups/{}", world.group(STRICT, "all", &members).await);
    let rename = json!([{"op": "replace", "path": "displayName", "value": "everybody"}]);
    let reply = world.patch(STRICT, &path, rename).await.expect(204);
    assert_eq!(reply.text, "");
    let whole = world.get(STRICT, &path).await.expect(200);
    assert_eq!(whole.body["displayName"], "everybody");
    assert_eq!(reply.header("etag"), whole.header("etag"));
    let rename = json!([{"op": "replace", "path": "displayName", "value": "most"}]);
    let asked = format!("{path}?attributes=members");
    let reply = world.patch(STRICT, &asked, rename).await.expect(200);
    assert_eq!(reply.body["members"].as_array().map(Vec::len), Some(101));
    let reply = world.put(STRICT, &path, whole.body).await.expect(200);
    assert_eq!(reply.body["members"].as_array().map(Vec::len), Some(101));
    let remove = json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", members[0])}]);
    let reply = world.patch(STRICT, &path, remove).await.expect(200);
    assert_eq!(reply.body["members"].as_array().map(Vec::len), Some(100));
    let without = format!("{path}?excludedAttributes=members");
    let rename = json!([{"op": "replace", "path": "displayName", "value": "all"}]);
    let reply = world.patch(STRICT, &without, rename).await.expect(200);
    assert!(reply.body.get("members").is_none());
}

#[tokio::test]
async fn a_member_of_a_large_group_is_changed_without_loading_the_others() {
    let world = World::lagging().await;
    let mut members = Vec::new();
    for n in 0..102 {
        members.push(json!({"value": world.user(ENTRA, &format!("u{n}")).await}));
    }
    let group = world
        .post(
            ENTRA,
            "/Groups",
            json!({"displayName": "all", "members": members}),
        )
        .await
        .expect(201)
        .id();
    let path = format!("/Groups/{group}");
    for op in ["remove", "add"] {
        let change = json!([{"op": op, "path": "members", "value": [members[0]]}]);
        world.patch(ENTRA, &path, change).await.expect(200);
    }
    let filter = query(&format!("members.value eq {}", members[0]["value"]));
    let found = world
        .get(
            ENTRA,
            &format!("/Groups?excludedAttributes=members&filter={filter}"),
        )
        .await;
    assert_eq!(found.expect(200).body["totalResults"], 1);
    assert_eq!(world.directory().member_loads.load(Ordering::SeqCst), 0);
    world.get(ENTRA, &path).await.expect(200);
    assert_eq!(world.directory().member_loads.load(Ordering::SeqCst), 1);
}
