//! Order, cursors, search over all types, and filters over every kind of attribute.

use serde_json::{Value, json};

use crate::world::{ENTRA, OKTA, World, query, user};

async fn people(world: &World) {
    for (name, external, title, email) in [
        ("cy", "E3", Some("Clerk"), "a@store.example"),
        ("Ada", "e1", Some("lead"), "c@store.example"),
        ("bo", "E2", None, "b@store.example"),
    ] {
        let mut body = user(name);
        body["externalId"] = json!(external);
        if let Some(title) = title {
            body["title"] = json!(title);
        }
        body["emails"] = json!([{"value": "z@store.example"}, {"value": email, "primary": true}]);
        world.post(ENTRA, "/Users", body).await.expect(201);
    }
}

fn names(list: &Value) -> Vec<&str> {
    let resources = list["Resources"].as_array().unwrap().iter();
    let name = |r: &'_ Value| r.get("userName").is_some();
    let (users, groups): (Vec<&Value>, Vec<&Value>) = resources.partition(|r| name(r));
    assert!(groups.is_empty() || users.is_empty() || list["Resources"][0].get("userName").is_some());
    users
        .into_iter()
        .map(|r| r["userName"].as_str().unwrap())
        .chain(groups.into_iter().map(|r| r["displayName"].as_str().unwrap()))
        .collect()
}

/// RFC 7644 section 3.4.2.3.
#[tokio::test]
async fn a_list_is_sorted_by_any_attribute_with_and_without_a_filter() {
    let world = World::new().await;
    people(&world).await;
    for (parameters, expected) in [
        ("sortBy=userName", ["Ada", "bo", "cy"]),
        ("sortby=USERNAME&sortorder=Descending", ["cy", "bo", "Ada"]),
        ("sortBy=externalId", ["bo", "cy", "Ada"]),
        ("sortBy=title", ["cy", "Ada", "bo"]),
        ("sortBy=title&sortOrder=descending", ["bo", "Ada", "cy"]),
        ("sortBy=emails.value", ["cy", "bo", "Ada"]),
        ("sortBy=meta.created", ["cy", "Ada", "bo"]),
        ("sortOrder=descending", ["cy", "Ada", "bo"]),
        ("sortBy=userName&filter=userName%20pr", ["Ada", "bo", "cy"]),
    ] {
        let list = world
            .get(ENTRA, &format!("/Users?{parameters}"))
            .await
            .expect(200)
            .body;
        assert_eq!(names(&list), expected, "{parameters}");
    }
    let page = "/Users?sortBy=userName&startIndex=2&count=1";
    assert_eq!(names(&world.get(ENTRA, page).await.expect(200).body), ["bo"]);
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "sortBy": "userName", "sortOrder": "descending", "count": 2, "attributes": ["userName"]});
    let list = world.post(ENTRA, "/Users/.search", body).await.expect(200).body;
    assert_eq!(names(&list), ["cy", "bo"]);
    assert!(list["Resources"][0].get("emails").is_none());
    for bad in [
        "sortBy=nothing",
        "sortBy=name",
        "sortBy=emails%5Btype%20eq%20%22work%22%5D.value",
        "sortBy=userName&sortOrder=up",
    ] {
        world
            .get(ENTRA, &format!("/Users?{bad}"))
            .await
            .expect_error(400, "invalidValue");
    }
}

/// RFC 9865 section 2: pages follow one another, and resources that come and go in between disturb nobody else's place.
#[tokio::test]
async fn pages_by_cursor_lose_nobody_when_others_come_and_go() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for n in 0..7 {
        ids.push(world.user(ENTRA, &format!("u{n}")).await);
    }
    let first = world.get(ENTRA, "/Users?cursor&count=3").await.expect(200).body;
    assert_eq!(names(&first), ["u0", "u1", "u2"]);
    assert_eq!(
        (&first["totalResults"], first.get("startIndex")),
        (&json!(7), None)
    );
    assert!(first.get("previousCursor").is_none());
    let cursor = first["nextCursor"].as_str().unwrap();
    assert!(
        cursor.bytes().all(|b| b.is_ascii_alphanumeric()),
        "unreserved characters only"
    );
    for gone in [2, 0, 4] {
        world
            .delete(ENTRA, &format!("/Users/{}", ids[gone]))
            .await
            .expect(204);
    }
    world.user(ENTRA, "u7").await;
    let second = world
        .get(ENTRA, &format!("/Users?cursor={cursor}&count=3"))
        .await
        .expect(200)
        .body;
    assert_eq!(names(&second), ["u3", "u5", "u6"]);
    let next = second["nextCursor"].as_str().unwrap();
    let body = json!({"cursor": next, "count": 3});
    let third = world.post(ENTRA, "/Users/.search", body).await.expect(200).body;
    assert_eq!((names(&third), third.get("nextCursor")), (vec!["u7"], None));
    let back = third["previousCursor"].as_str().unwrap();
    let back = world
        .get(ENTRA, &format!("/Users?cursor={back}&count=3"))
        .await
        .expect(200)
        .body;
    assert_eq!(names(&back), ["u3", "u5", "u6"]);
    let by_default = world.get(ENTRA, "/Users?count=3").await.expect(200).body;
    assert!(
        by_default.get("nextCursor").is_none(),
        "pages are by index unless asked"
    );
}

/// RFC 9865 sections 2.1 and 5.2: a cursor is good for its own query and connection.
#[tokio::test]
async fn a_cursor_is_refused_by_its_keyword() {
    let world = World::new().await;
    for n in 0..4 {
        world.user(ENTRA, &format!("u{n}")).await;
        world.user(OKTA, &format!("u{n}")).await;
    }
    let first = world.get(ENTRA, "/Users?cursor=&count=2").await.expect(200).body;
    let cursor = first["nextCursor"].as_str().unwrap();
    for (token, path, keyword) in [
        (ENTRA, format!("/Users?cursor={cursor}&count=3"), "invalidCount"),
        (ENTRA, format!("/Users?cursor={cursor}&count=x"), "invalidCount"),
        (
            ENTRA,
            format!("/Users?cursor={cursor}&count=2&filter=active%20eq%20true"),
            "invalidCursor",
        ),
        (
            ENTRA,
            format!("/Users?cursor={cursor}&count=2&sortBy=userName"),
            "invalidCursor",
        ),
        (ENTRA, format!("/Groups?cursor={cursor}&count=2"), "invalidCursor"),
        (ENTRA, format!("/?cursor={cursor}&count=2"), "invalidCursor"),
        (OKTA, format!("/Users?cursor={cursor}&count=2"), "invalidCursor"),
        (ENTRA, "/Users?cursor=VZUTiyhEQJ94IR".to_owned(), "invalidCursor"),
    ] {
        world.get(token, &path).await.expect_error(400, keyword);
    }
    // Another selection is the same query.
    let path = format!("/Users?cursor={cursor}&count=2&attributes=userName");
    assert_eq!(
        names(&world.get(ENTRA, &path).await.expect(200).body),
        ["u2", "u3"]
    );
}

/// RFC 7644 section 3.4.2.1 and 3.4.3: the root lists all types; an attribute that a type lacks has no value there.
#[tokio::test]
async fn the_root_lists_and_finds_resources_of_all_types() {
    let world = World::new().await;
    let ida = world.user(ENTRA, "ida").await;
    world.user(ENTRA, "bo").await;
    world.group(ENTRA, "Staff", &[&ida]).await;
    world.group(ENTRA, "ada", &[]).await;
    let find = async |parameters: &str| {
        let list = world
            .get(ENTRA, &format!("/?{parameters}"))
            .await
            .expect(200)
            .body;
        let found = names(&list).into_iter().map(str::to_owned).collect::<Vec<_>>();
        (list["totalResults"].as_u64(), found)
    };
    let all = ["ida", "bo", "Staff", "ada"];
    assert_eq!(find("").await, (Some(4), all.map(str::to_owned).to_vec()));
    for (filter, expected) in [
        ("userName eq \"IDA\"", &["ida"][..]),
        (
            "userName eq \"ida\" or displayName eq \"staff\"",
            &["ida", "Staff"],
        ),
        ("meta.resourceType eq \"Group\"", &["Staff", "ada"]),
        ("userName pr", &["ida", "bo"]),
        ("not (userName pr)", &["Staff", "ada"]),
        ("members pr", &["Staff"]),
        ("displayName sw \"a\" and not (userName pr)", &["ada"]),
    ] {
        let (total, found) = find(&format!("filter={}", query(filter))).await;
        assert_eq!(
            (total, found.as_slice()),
            (
                Some(expected.len() as u64),
                &expected.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()[..]
            ),
            "{filter}"
        );
    }
    let (total, page) = find("startIndex=2&count=2").await;
    assert_eq!(
        (total, page),
        (Some(4), vec!["bo".to_owned(), "Staff".to_owned()])
    );
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let body = json!({"cursor": cursor, "count": 3, "attributes": "userName,displayName"});
        let list = world.post(ENTRA, "/.search", body).await.expect(200).body;
        seen.extend(names(&list).into_iter().map(str::to_owned));
        match list["nextCursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => {
                let back = json!({"cursor": list["previousCursor"], "count": 3});
                let back = world.post(ENTRA, "/.search", back).await.expect(200).body;
                assert_eq!(names(&back), ["ida", "bo", "Staff"]);
                break;
            }
        }
    }
    assert_eq!(seen, all);
    let bad = format!("/?filter={}", query("nothing eq 1"));
    world.get(ENTRA, &bad).await.expect_error(400, "invalidFilter");
    assert_eq!(world.get(OKTA, "/").await.expect(200).body["totalResults"], 0);
}

/// Entra may match by e-mail address, and asks before it creates: the index must follow every change at once.
#[tokio::test]
async fn an_address_is_found_in_any_case_as_soon_as_it_is_there_and_until_it_goes() {
    let world = World::new().await;
    let find = async |token: &str, filter: &str| {
        let path = format!("/Users?filter={}", query(filter));
        let list = world.get(token, &path).await.expect(200).body;
        names(&list).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let (work, home) = (
        "emails[type eq \"work\"].value eq \"Ida@Store.Example\"",
        "emails eq \"IDA@home.example\"",
    );
    assert!(find(ENTRA, work).await.is_empty());
    let mut ida = user("ida");
    ida["emails"] = json!([{"type": "work", "value": "ida@store.example"}, {"value": "ida@home.example"}]);
    let id = world.post(ENTRA, "/Users", ida.clone()).await.expect(201).id();
    ida["userName"] = json!("twin");
    world.post(ENTRA, "/Users", ida.clone()).await.expect(201);
    world.post(OKTA, "/Users", ida).await.expect(201);
    assert_eq!(find(ENTRA, work).await, ["ida", "twin"]);
    assert_eq!(
        find(ENTRA, "emails[type eq \"home\"].value eq \"ida@store.example\"").await,
        [""; 0]
    );
    assert_eq!(
        find(
            ENTRA,
            "emails.value eq \"ida@home.example\" and userName sw \"t\""
        )
        .await,
        ["twin"]
    );
    let path = format!("/Users/{id}");
    let change =
        json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "lind@store.example"}]);
    world.patch(ENTRA, &path, change).await.expect(200);
    assert_eq!(find(ENTRA, work).await, ["twin"]);
    assert_eq!(find(ENTRA, "emails eq \"LIND@store.example\"").await, ["ida"]);
    assert_eq!(find(ENTRA, home).await, ["ida", "twin"]);
    world.delete(ENTRA, &path).await.expect(204);
    assert_eq!(find(ENTRA, home).await, ["twin"]);
    assert_eq!(find(OKTA, home).await, ["twin"]);
}

/// What an IdP that reads asks (RFC 7644 section 3.4.2.2): seven digits of a second, names in any case.
#[tokio::test]
async fn a_poller_finds_what_changed_in_a_window_of_time() {
    let world = World::new().await;
    world.user(ENTRA, "before").await;
    let mut off = user("off");
    off["active"] = json!(false);
    world.post(ENTRA, "/Users", off).await.expect(201);
    world.user(ENTRA, "within").await;
    let modified = async |name: &str| {
        let path = format!("/Users?filter={}", query(&format!("userName eq \"{name}\"")));
        let list = world.get(ENTRA, &path).await.expect(200).body;
        list["Resources"][0]["meta"]["lastModified"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let seven = |time: String| time.replace('Z', "0000Z");
    let (from, to) = (seven(modified("off").await), seven(modified("within").await));
    assert_eq!(from.len(), "2026-02-25T06:13:20.0000000Z".len());
    let filter =
        format!("ActiVe eq true and (meta.lastmodified ge \"{from}\" and Meta.LastModified le \"{to}\")");
    let path = format!("/Users?filter={}&count=100&startindex=0", query(&filter));
    assert_eq!(names(&world.get(ENTRA, &path).await.expect(200).body), ["within"]);
}

/// RFC 7644 section 3.4.2.2: every attribute can be asked for, those that the server makes too.
#[tokio::test]
async fn a_filter_may_ask_for_what_the_server_writes() {
    let world = World::new().await;
    let (ida, bo) = (world.user(ENTRA, "ida").await, world.user(ENTRA, "bo").await);
    let group = world.group(ENTRA, "Staff", &[&bo]).await;
    let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let change = json!([{"op": "add", "path": format!("{urn}:manager"), "value": {"value": bo}}]);
    world
        .patch(ENTRA, &format!("/Users/{ida}"), change)
        .await
        .expect(200);
    for (filter, expected) in [
        (format!("schemas eq \"{urn}\""), "ida"),
        (format!("groups.value eq \"{group}\""), "bo"),
        (
            format!("groups[value eq \"{group}\" and display eq \"staff\"]"),
            "bo",
        ),
        ("groups.display eq \"STAFF\"".to_owned(), "bo"),
        ("meta.version eq \"W/\\\"2\\\"\"".to_owned(), "ida"),
        (format!("meta.location ew \"{ida}\""), "ida"),
        (format!("id eq \"{ida}\" and manager eq \"{bo}\""), "ida"),
        (format!("{urn}:manager.value eq \"{bo}\""), "ida"),
    ] {
        let list = world
            .get(ENTRA, &format!("/Users?filter={}", query(&filter)))
            .await
            .expect(200)
            .body;
        assert_eq!(names(&list), [expected], "{filter}");
    }
}
