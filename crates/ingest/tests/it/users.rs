//! The life of a user.

use http::Method;
use rollcall_domain::{EventData, PersonalChange, open};
use serde_json::json;

use crate::world::{BASE, ENTRA, STRICT, World, query, user};

/// Otherwise a client that looks first would try to create the same user again and again.
#[tokio::test]
async fn whom_a_name_would_meet_a_search_for_it_finds() {
    let world = World::new().await;
    let id = world.user(ENTRA, " Sp1 ").await;
    for name in ["sp1", " Sp1 ", "SP1 "] {
        let taken = world.post(ENTRA, "/Users", user(name)).await;
        taken.expect_error(409, "uniqueness");
        for filter in [
            format!("userName eq \"{name}\""),
            format!("userName eq \"{name}\" or title pr"),
        ] {
            let path = format!("/Users?filter={}", query(&filter));
            let found = world.get(ENTRA, &path).await.expect(200);
            assert_eq!(found.body["totalResults"], 1, "{filter}");
            assert_eq!(found.body["Resources"][0]["id"], json!(id));
        }
    }
    let group = world.group(ENTRA, " G ", &[]).await;
    let path = format!("/Groups?filter={}", query("displayName eq \"g\""));
    let found = world.get(ENTRA, &path).await.expect(200);
    assert_eq!(found.body["Resources"][0]["id"], json!(group));
}

#[tokio::test]
async fn a_user_is_created_read_replaced_patched_and_deleted() {
    let world = World::new().await;
    let created = world
        .post(
            ENTRA,
            "/Users",
            json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                "userName": "Ida@store.example", "externalId": "e1",
                "name": {"givenName": "Ida", "familyName": "Lind"},
                "emails": [{"value": "ida@store.example", "type": "work", "primary": true}],
                "roles": [{"value": "Agent_CHIC-01_ASSOCIATE", "primary": true}],
            }),
        )
        .await
        .expect(201);
    let id = created.id();
    let location = format!("{BASE}/Users/{id}");
    assert_eq!(created.header("location"), location);
    assert_eq!(created.header("etag"), "W/\"1\"");
    assert_eq!(created.body["meta"]["location"], location.as_str());
    assert_eq!(created.body["meta"]["resourceType"], "User");
    assert_eq!(created.body["meta"]["version"], "W/\"1\"");
    assert_eq!(
        (&created.body["active"], &created.body["userName"]),
        (&json!(true), &json!("Ida@store.example"))
    );

    let path = format!("/Users/{id}");
    assert_eq!(world.get(ENTRA, &path).await.expect(200).body, created.body);

    let replaced = world
        .put(
            ENTRA,
            &path,
            json!({"userName": "ida@store.example", "title": "Clerk"}),
        )
        .await
        .expect(200);
    assert_eq!(replaced.body["title"], "Clerk");
    for gone in ["name", "emails", "externalId", "roles"] {
        assert!(
            replaced.body.get(gone).is_none(),
            "{gone} was not named and stays"
        );
    }
    let patched = world
        .patch(
            ENTRA,
            &path,
            json!([{"op": "replace", "path": "active", "value": false}]),
        )
        .await
        .expect(200);
    assert_eq!(
        (&patched.body["active"], patched.header("etag")),
        (&json!(false), "W/\"3\"")
    );

    world.get(ENTRA, &path).await.expect(200); // deactivated, and still readable
    let reply = world.delete(ENTRA, &path).await.expect(204);
    assert!(reply.text.is_empty());
    world.get(ENTRA, &path).await.expect_error(404, "");
    world.delete(ENTRA, &path).await.expect_error(404, "");
    world
        .put(ENTRA, &path, user("ida@store.example"))
        .await
        .expect_error(404, "");
    let kinds: Vec<&str> = world.events().iter().map(|event| event.data.kind()).collect();
    assert_eq!(
        kinds,
        [
            "rollcall.user.created.v1",
            "rollcall.user.changed.v1",
            "rollcall.user.changed.v1",
            "rollcall.user.deleted.v1",
        ]
    );
}

#[tokio::test]
async fn personal_data_stands_only_in_the_sealed_part_and_a_password_nowhere() {
    let world = World::new().await;
    let mut body = user("ida@store.example");
    body["password"] = json!("s3cret-passw0rd");
    body["externalId"] = json!("external-of-ida");
    world.post(ENTRA, "/Users", body).await.expect(201);
    let mut event = world.events().remove(0);
    assert_eq!(
        (event.source.to_string().as_str(), event.tenant.as_str()),
        ("scim/entra", "acme")
    );
    let EventData::UserCreated(created) = &mut event.data else {
        panic!("{:?}", event.data)
    };
    let personal: PersonalChange = open(&created.personal).unwrap();
    assert_eq!(personal.set["userName"], "ida@store.example");
    assert_eq!(personal.set["externalId"], "external-of-ida");
    assert!(!personal.set.contains_key("password"));
    created.personal.bytes = String::new();
    let outside = String::from_utf8(event.encode()).unwrap();
    assert!(!outside.contains("ida"), "{outside}");
}

#[tokio::test]
async fn a_change_is_one_event_with_what_changed_and_nothing_else() {
    let world = World::new().await;
    let id = world.user(ENTRA, "ida").await;
    world
        .patch(
            ENTRA,
            &format!("/Users/{id}"),
            json!([{"op": "replace", "path": "active", "value": false}]),
        )
        .await;
    let events = world.events();
    let EventData::UserChanged(change) = &events[1].data else {
        panic!("{:?}", events[1].data)
    };
    assert_eq!((change.active, change.base.0), (Some(false), 1));
    assert!(change.name_key.is_none() && change.personal.is_none() && change.roles.is_none());
}

#[tokio::test]
async fn what_changes_nothing_is_answered_without_an_event() {
    let world = World::new().await;
    let id = world.user(ENTRA, "ida").await;
    let path = format!("/Users/{id}");
    let patched = world
        .patch(
            ENTRA,
            &path,
            json!([{"op": "Replace", "path": "active", "value": "True"}]),
        )
        .await
        .expect(200);
    assert_eq!(patched.header("etag"), "W/\"1\"");
    world.put(ENTRA, &path, user("ida")).await.expect(200);
    assert_eq!(world.events().len(), 1);
    assert_eq!(world.metrics.snapshot().unchanged, 2);
}

#[tokio::test]
async fn a_name_belongs_to_one_user_whatever_its_case() {
    let world = World::new().await;
    let id = world.user(ENTRA, "ida@store.example").await;
    world
        .post(ENTRA, "/Users", user("IDA@Store.Example"))
        .await
        .expect_error(409, "uniqueness");
    let other = world.user(ENTRA, "bo@store.example").await;
    let path = format!("/Users/{other}");
    world
        .put(ENTRA, &path, user("ida@STORE.example"))
        .await
        .expect_error(409, "uniqueness");
    let rename = json!([{"op": "replace", "path": "userName", "value": "IDA@store.example"}]);
    world
        .patch(ENTRA, &path, rename.clone())
        .await
        .expect_error(409, "uniqueness");
    assert_eq!(
        world.events().len(),
        2,
        "a name that is taken needs no event to be refused"
    );
    world.delete(ENTRA, &format!("/Users/{id}")).await.expect(204);
    world.patch(ENTRA, &path, rename).await.expect(200);
}

#[tokio::test]
async fn a_deactivated_person_posted_again_comes_back_with_the_old_id() {
    let world = World::new().await;
    let mut body = user("ida@store.example");
    body["externalId"] = json!("e1");
    let id = world.post(ENTRA, "/Users", body.clone()).await.expect(201).id();
    world
        .post(ENTRA, "/Users", body.clone())
        .await
        .expect_error(409, "uniqueness"); // active
    world
        .patch(
            ENTRA,
            &format!("/Users/{id}"),
            json!([{"op": "replace", "path": "active", "value": false}]),
        )
        .await
        .expect(200);
    let mut stranger = body.clone();
    stranger["externalId"] = json!("e2");
    world
        .post(ENTRA, "/Users", stranger)
        .await
        .expect_error(409, "uniqueness");
    body["title"] = json!("Back again");
    let back = world.post(ENTRA, "/Users", body).await.expect(201);
    assert_eq!(
        (back.id(), &back.body["active"], &back.body["title"]),
        (id.clone(), &json!(true), &json!("Back again"))
    );
    assert_eq!(back.header("location"), format!("{BASE}/Users/{id}"));
}

#[tokio::test]
async fn versions_guard_changes_and_spare_reads() {
    let world = World::new().await;
    let id = world.user(ENTRA, "ida").await;
    let path = format!("/Users/{id}");
    let with = |method: Method, name: &'static str, tag: &str, body: String| {
        let mut request = world.build(ENTRA, method, &path, body);
        request.headers_mut().insert(name, tag.parse().unwrap());
        world.request(request)
    };
    let reply = with(Method::GET, "if-none-match", "W/\"1\"", String::new())
        .await
        .expect(304);
    assert_eq!((reply.header("etag"), reply.text.as_str()), ("W/\"1\"", ""));
    with(Method::GET, "if-none-match", "W/\"9\"", String::new())
        .await
        .expect(200);
    let title = |title: &str| json!({"userName": "ida", "title": title}).to_string();
    with(Method::PUT, "if-match", "W/\"9\"", title("a"))
        .await
        .expect_error(412, "");
    with(Method::PUT, "if-match", "W/\"1\"", title("b"))
        .await
        .expect(200);
    with(Method::PUT, "if-match", "W/\"1\"", title("c"))
        .await
        .expect_error(412, "");
    with(Method::PUT, "if-match", "*", title("d")).await.expect(200);
    with(Method::DELETE, "if-match", "\"2\"", String::new())
        .await
        .expect_error(412, "");
    with(Method::DELETE, "if-match", "\"3\"", String::new())
        .await
        .expect(204);
    assert_eq!(world.events().len(), 4);
}

#[tokio::test]
async fn only_the_attributes_that_were_asked_for_are_shown() {
    let world = World::new().await;
    let id = world.user(ENTRA, "ida").await;
    let shown = world
        .get(ENTRA, &format!("/Users/{id}?attributes=userName"))
        .await
        .expect(200);
    let mut names: Vec<&String> = shown.body.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["id", "schemas", "userName"]);
    let shown = world
        .get(ENTRA, &format!("/Users/{id}?excludedAttributes=meta,active"))
        .await
        .expect(200);
    assert!(shown.body.get("meta").is_none() && shown.body.get("userName").is_some());
    let created = world
        .post(ENTRA, "/Users?attributes=id", user("bo"))
        .await
        .expect(201);
    assert!(created.body.get("userName").is_none());
}

#[tokio::test]
async fn a_strict_connection_refuses_what_a_tolerant_one_forgives() {
    let world = World::new().await;
    let mut sloppy = user("ida");
    sloppy["active"] = json!("True");
    world.post(ENTRA, "/Users", sloppy.clone()).await.expect(201);
    world
        .post(STRICT, "/Users", sloppy)
        .await
        .expect_error(400, "invalidValue");
}
