//! Lists, filters and pages.

use serde_json::{Value, json};

use crate::world::{ENTRA, World, query};

fn ids(list: &Value) -> Vec<String> {
    list["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn pages_cover_the_list_in_a_stable_order() {
    let world = World::new().await;
    let mut created = Vec::new();
    for n in 0..7 {
        created.push(world.user(ENTRA, &format!("u{n}")).await);
    }
    let mut seen = Vec::new();
    for start in [1, 4, 7, 10] {
        let list = world
            .get(ENTRA, &format!("/Users?startIndex={start}&count=3"))
            .await
            .expect(200)
            .body;
        assert_eq!(
            (&list["totalResults"], &list["startIndex"]),
            (&json!(7), &json!(start))
        );
        assert_eq!(list["itemsPerPage"], list["Resources"].as_array().unwrap().len());
        seen.extend(ids(&list));
    }
    assert_eq!(seen, created);
    let all = world
        .get(ENTRA, "/Users?startIndex=0&count=-1")
        .await
        .expect(200)
        .body;
    assert_eq!(
        (&all["totalResults"], &all["itemsPerPage"]),
        (&json!(7), &json!(0))
    );
    assert_eq!(
        ids(&world.get(ENTRA, "/Users?startindex=6").await.expect(200).body),
        created[5..]
    );
}

#[tokio::test]
async fn a_filter_finds_by_index_and_by_looking() {
    let world = World::new().await;
    for (name, external, title, active) in [
        ("ida", "E1", "Clerk", true),
        ("bo", "E2", "Lead", false),
        ("cy", "E3", "Clerk", true),
    ] {
        let body = json!({"userName": name, "externalId": external, "title": title, "active": active});
        world.post(ENTRA, "/Users", body).await.expect(201);
    }
    for (filter, expected) in [
        ("userName eq \"IDA\"", &["ida"][..]),
        ("externalId eq \"E2\"", &["bo"]),
        ("externalId eq \"e2\"", &[]),
        ("userName eq \"ida\" and active eq false", &[]),
        ("userName eq \"bo\" and active eq false", &["bo"]),
        ("title eq \"clerk\"", &["ida", "cy"]),
        ("title eq \"Clerk\" and not (userName sw \"i\")", &["cy"]),
        ("userName eq \"ida\" or externalId eq \"E3\"", &["ida", "cy"]),
        ("active eq false", &["bo"]),
        (
            "meta.lastModified gt \"2020-01-01T00:00:00Z\"",
            &["ida", "bo", "cy"],
        ),
        ("meta.lastModified lt \"2020-01-01T00:00:00Z\"", &[]),
        ("roles pr", &[]),
    ] {
        let list = world
            .get(ENTRA, &format!("/Users?filter={}", query(filter)))
            .await
            .expect(200)
            .body;
        let found: Vec<&str> = list["Resources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["userName"].as_str().unwrap())
            .collect();
        assert_eq!(found, expected, "{filter}");
        assert_eq!(list["totalResults"], expected.len(), "{filter}");
    }
    let page = world
        .get(
            ENTRA,
            &format!(
                "/Users?count=1&startIndex=2&filter={}",
                query("title eq \"Clerk\"")
            ),
        )
        .await;
    assert_eq!(
        (&page.body["totalResults"], &page.body["Resources"][0]["userName"]),
        (&json!(2), &json!("cy"))
    );
}

#[tokio::test]
async fn groups_are_found_by_name_external_id_and_member() {
    let world = World::new().await;
    let (a, b) = (world.user(ENTRA, "a").await, world.user(ENTRA, "b").await);
    let inner = world.group(ENTRA, "Inner", &[&a]).await;
    let outer = world.group(ENTRA, "Outer", &[&inner, &b]).await;
    for (filter, expected) in [
        ("displayName eq \"INNER\"".to_owned(), &[&inner][..]),
        (format!("members.value eq \"{a}\""), &[&inner]),
        (format!("members[value eq \"{b}\"]"), &[&outer]),
        (format!("members.value eq \"{inner}\""), &[&outer]),
        (
            format!("members.value eq \"{a}\" and displayName eq \"Outer\""),
            &[],
        ),
        (format!("id eq \"{outer}\" and members eq \"{b}\""), &[&outer]),
        (format!("not (members.value eq \"{a}\")"), &[&outer]),
        ("members.type eq \"Group\"".to_owned(), &[&outer]),
        ("displayName co \"e\"".to_owned(), &[&inner, &outer]),
        ("externalId eq \"x\"".to_owned(), &[]),
    ] {
        let path = format!("/Groups?excludedAttributes=members&filter={}", query(&filter));
        let list = world.get(ENTRA, &path).await.expect(200).body;
        assert_eq!(ids(&list).iter().collect::<Vec<_>>(), expected, "{filter}");
        assert!(
            list["Resources"]
                .as_array()
                .unwrap()
                .iter()
                .all(|group| group.get("members").is_none())
        );
    }
}

#[tokio::test]
async fn a_search_is_a_list_in_a_body() {
    let world = World::new().await;
    let id = world.user(ENTRA, "ida").await;
    world.user(ENTRA, "bo").await;
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "filter": "userName sw \"i\"", "attributes": ["userName"], "startIndex": 1, "count": 10,
    });
    let list = world.post(ENTRA, "/Users/.search", body).await.expect(200).body;
    assert_eq!(
        list["Resources"],
        json!([{"id": id, "userName": "ida",
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"]}])
    );
    world
        .post(ENTRA, "/Groups/.search", json!({"filter": "displayName pr"}))
        .await
        .expect(200);
    world
        .post(ENTRA, "/Users/.search", json!({"filter": "nonsense ~ 1"}))
        .await
        .expect_error(400, "invalidFilter");
}
