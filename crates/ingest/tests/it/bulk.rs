//! Bulk requests (RFC 7644 section 3.7).

use serde_json::{Value, json};

use crate::world::{BASE, ENTRA, Reply, STRICT, World, user};

const REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

async fn bulk(world: &World, operations: Value) -> Reply {
    let body = json!({"schemas": [REQUEST], "Operations": operations});
    world.post(ENTRA, "/Bulk", body).await
}

fn post(path: &str, name: &str, data: Value) -> Value {
    json!({"method": "POST", "path": path, "bulkId": name, "data": data})
}

fn group(name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
    let data = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": name, "members": members});
    post("/Groups", name, data)
}

fn statuses(reply: &Reply) -> Vec<&str> {
    let operations = reply.body["Operations"].as_array().unwrap();
    operations
        .iter()
        .map(|one| one["status"].as_str().unwrap())
        .collect()
}

fn id(reply: &Reply, number: usize) -> String {
    let location = reply.body["Operations"][number]["location"].as_str().unwrap();
    location.rsplit('/').next().unwrap().to_owned()
}

/// RFC 7644 section 3.7.3: each operation has its own status, location and version; success needs no body.
#[tokio::test]
async fn every_method_is_carried_out_and_answered_by_itself() {
    let world = World::new().await;
    let (ida, bo) = (world.user(ENTRA, "ida").await, world.user(ENTRA, "bo").await);
    let off = json!({"Operations": [{"op": "replace", "path": "active", "value": false}]});
    let mut renamed = user("ida.lind");
    renamed["title"] = json!("Lead");
    let reply = bulk(
        &world,
        json!([
            post("/Users", "new", user("cy")),
            {"method": "PUT", "path": format!("/Users/{ida}"), "data": renamed},
            {"method": "PATCH", "path": format!("/Users/{bo}"), "bulkId": "x", "data": off},
            {"method": "DELETE", "path": format!("/Users/{ida}"), "version": "W/\"2\""},
        ]),
    )
    .await
    .expect(200);
    assert_eq!(statuses(&reply), ["201", "200", "200", "204"]);
    assert_eq!(
        reply.body["schemas"],
        json!(["urn:ietf:params:scim:api:messages:2.0:BulkResponse"])
    );
    let operations = &reply.body["Operations"];
    assert_eq!(
        (&operations[0]["bulkId"], &operations[0]["version"]),
        (&json!("new"), &json!("W/\"1\""))
    );
    assert_eq!(operations[1]["location"], format!("{BASE}/Users/{ida}"));
    assert!(
        operations
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one.get("response").is_none())
    );
    let cy = world
        .get(ENTRA, &format!("/Users/{}", id(&reply, 0)))
        .await
        .expect(200);
    assert_eq!(cy.body["userName"], "cy");
    let bo = world.get(ENTRA, &format!("/Users/{bo}")).await.expect(200);
    assert_eq!(bo.body["active"], false);
    world
        .get(ENTRA, &format!("/Users/{ida}"))
        .await
        .expect_error(404, "");
}

/// RFC 7644 section 3.7.3: what fails says why, as the single request would have, and the rest is done.
#[tokio::test]
async fn an_operation_that_fails_does_not_stop_the_others() {
    let world = World::new().await;
    world.user(ENTRA, "ida").await;
    let gone = "00000000-0000-4000-8000-000000000000";
    let reply = bulk(
        &world,
        json!([
            post("/Users", "a", user("IDA")),
            post("/Groups", "b", json!({"displayName": "B", "members": [{"value": "bulkId:a"}]})),
            post("/Groups", "c", json!({"displayName": "C", "members": [{"value": "bulkId:nobody"}]})),
            {"method": "PUT", "path": format!("/Users/{gone}"), "data": user("x")},
            {"method": "DELETE", "path": "/Schemas/x"},
            {"method": "POST", "path": format!("/Users/{gone}"), "bulkId": "p", "data": {}},
            {"method": "GET", "path": "/Users"},
            post("/Bulk", "d", json!({"Operations": []})),
            post("/Users", "e", user("eva")),
        ]),
    )
    .await
    .expect(200);
    assert_eq!(
        statuses(&reply),
        ["409", "409", "400", "404", "404", "405", "400", "404", "201"]
    );
    let operations = &reply.body["Operations"];
    assert_eq!(operations[0]["response"]["scimType"], "uniqueness");
    assert_eq!(operations[0]["response"]["status"], "409");
    assert_eq!(operations[0].get("location"), None, "a POST that failed has none");
    assert_eq!(operations[2]["response"]["scimType"], "invalidValue");
    assert_eq!(operations[3]["location"], format!("{BASE}/Users/{gone}"));
    assert_eq!(operations[6]["response"]["scimType"], "invalidSyntax");
}

/// RFC 7644 section 3.7.2: references to what the same request creates, before or after.
#[tokio::test]
async fn references_lead_to_what_the_request_creates() {
    let world = World::new().await;
    let reply = bulk(
        &world,
        json!([
            group("Outer", &["bulkId:Inner", "bulkId:ida"]),
            group("Inner", &["bulkId:bo"]),
            post("/Users", "ida", user("ida")),
            post("/Users", "bo", user("bo")),
            {"method": "PATCH", "path": "/Groups/bulkId:Inner", "data":
                {"Operations": [{"op": "add", "path": "members", "value": [{"value": "bulkId:ida"}]}]}},
        ]),
    )
    .await
    .expect(200);
    assert_eq!(statuses(&reply), ["201", "201", "201", "201", "200"]);
    let (outer, inner, ida, bo) = (id(&reply, 0), id(&reply, 1), id(&reply, 2), id(&reply, 3));
    assert_eq!(
        world.members(ENTRA, &outer).await,
        crate::world::sorted(&[&inner, &ida])
    );
    assert_eq!(
        world.members(ENTRA, &inner).await,
        crate::world::sorted(&[&bo, &ida])
    );
}

/// RFC 7644 section 3.7.1: two groups that are members of each other, and two who manage each other.
#[tokio::test]
async fn circles_are_resolved() {
    let world = World::new().await;
    let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let managed = |name: &str, by: &str| {
        let mut data = user(name);
        data["schemas"] = json!(["urn:ietf:params:scim:schemas:core:2.0:User", urn]);
        data[urn] = json!({"manager": {"value": format!("bulkId:{by}")}});
        post("/Users", name, data)
    };
    let reply = bulk(
        &world,
        json!([
            group("A", &["bulkId:B"]),
            group("B", &["bulkId:A"]),
            managed("ida", "bo"),
            managed("bo", "ida"),
            post("/Users", "cy", json!({"userName": "cy", "title": "bulkId:di"})),
            post("/Users", "di", json!({"userName": "di", "title": "bulkId:cy"})),
        ]),
    )
    .await
    .expect(200);
    // A circle through any other attribute is not resolved: 409, as the RFC allows.
    assert_eq!(statuses(&reply), ["201", "201", "201", "201", "409", "409"]);
    let (a, b) = (id(&reply, 0), id(&reply, 1));
    assert_eq!(world.members(ENTRA, &a).await, std::slice::from_ref(&b));
    assert_eq!(world.members(ENTRA, &b).await, [a]);
    let (ida, bo) = (id(&reply, 2), id(&reply, 3));
    for (user, manager) in [(&ida, &bo), (&bo, &ida)] {
        let shown = world.get(ENTRA, &format!("/Users/{user}")).await.expect(200);
        assert_eq!(shown.body[urn]["manager"]["value"], **manager);
        let version = reply.body["Operations"][if user == &ida { 2 } else { 3 }]["version"].clone();
        assert_eq!(
            shown.body["meta"]["version"], version,
            "the version is that of the whole"
        );
    }
}

/// RFC 7644 section 3.7.1: a group that names itself is a circle of one. Whichever way it comes to be its own
/// member, it is so, under the same version, and its members are in it once.
#[tokio::test]
async fn a_group_in_itself_is_the_same_by_every_way() {
    let world = World::new().await;
    for token in [ENTRA, STRICT] {
        let ida = world.user(token, "ida").await;
        let with_itself = |data: &str, own: &str| {
            let members = json!([{"value": ida}, {"value": own}]);
            json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
                "displayName": data, "members": members})
        };
        let add = |own: &str| {
            let operations = json!([{"op": "add", "path": "members", "value": [{"value": own}]}]);
            json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations})
        };
        let mut made = Vec::new();
        for (name, more) in [
            ("bulk-post", None),
            ("bulk-patch", Some(("PATCH", add("bulkId:g")))),
            ("bulk-put", Some(("PUT", with_itself("bulk-put", "bulkId:g")))),
        ] {
            let first: &[&str] = if more.is_some() {
                &[&ida]
            } else {
                &[&ida, "bulkId:g"]
            };
            let mut operations = vec![group(name, first)];
            operations[0]["bulkId"] = json!("g");
            if let Some((method, data)) = more {
                operations.push(json!({"method": method, "path": "/Groups/bulkId:g", "data": data}));
            }
            let body = json!({"schemas": [REQUEST], "Operations": operations});
            let reply = world.post(token, "/Bulk", body).await.expect(200);
            assert!(
                statuses(&reply).iter().all(|status| status.starts_with('2')),
                "{name}"
            );
            made.push(id(&reply, 0));
        }
        let patched = world.group(token, "patch", &[&ida]).await;
        let path = format!("/Groups/{patched}");
        world
            .patch(token, &path, add(&patched)["Operations"].clone())
            .await
            .expect(200);
        let put = world.group(token, "put", &[&ida]).await;
        let path = format!("/Groups/{put}");
        world
            .put(token, &path, with_itself("put", &put))
            .await
            .expect(200);
        made.extend([patched, put]);
        for group in &made {
            let shown = world.get(token, &format!("/Groups/{group}")).await.expect(200);
            assert_eq!(
                world.members(token, group).await,
                crate::world::sorted(&[&ida, group])
            );
            let first = world.get(token, &format!("/Groups/{}", made[0])).await;
            assert_eq!(
                shown.body["meta"]["version"], first.body["meta"]["version"],
                "{}",
                shown.text
            );
        }
        let shown = world.get(token, &format!("/Users/{ida}")).await.expect(200);
        assert_eq!(
            shown.body["groups"].as_array().unwrap().len(),
            made.len(),
            "{}",
            shown.text
        );
        for group in &made {
            world.delete(token, &format!("/Groups/{group}")).await.expect(204);
        }
    }
    // As outside of Bulk, one member needs no list in the tolerant dialect.
    let mut single = group("single", &[]);
    single["data"]["members"] = json!("bulkId:single");
    let reply = bulk(&world, json!([single])).await.expect(200);
    assert_eq!(statuses(&reply), ["201"]);
    assert_eq!(world.members(ENTRA, &id(&reply, 0)).await, [id(&reply, 0)]);
}

/// RFC 7644 section 3.7.3: after so many errors the rest is neither done nor answered.
#[tokio::test]
async fn fail_on_errors_leaves_out_the_rest() {
    let world = World::new().await;
    world.user(ENTRA, "ida").await;
    let operations = json!([
        post("/Users", "1", user("ida")),
        post("/Users", "2", user("bo")),
        post("/Users", "3", user("ida")),
        post("/Users", "4", user("cy")),
    ]);
    let body = json!({"schemas": [REQUEST], "failOnErrors": 2, "Operations": operations});
    let reply = world.post(ENTRA, "/Bulk", body).await.expect(200);
    assert_eq!(statuses(&reply), ["409", "201", "409"]);
    assert_eq!(
        world.get(ENTRA, "/Users").await.expect(200).body["totalResults"],
        2
    );
}

/// Of a circle that cannot be entered every operation fails once, and is counted once.
#[tokio::test]
async fn a_circle_that_cannot_be_entered_fails_once_for_each_operation() {
    let world = World::new().await;
    let mut nameless = group("B", &["bulkId:A"]);
    nameless["data"]["displayName"] = json!("");
    let operations = json!([
        group("A", &["bulkId:B"]),
        nameless,
        post("/Users", "u", user("ida"))
    ]);
    let body = json!({"schemas": [REQUEST], "failOnErrors": 3, "Operations": operations});
    let reply = world.post(ENTRA, "/Bulk", body).await.expect(200);
    assert_eq!(statuses(&reply), ["409", "400", "201"]);
}

async fn groups(world: &World) -> Value {
    world.get(ENTRA, "/Groups?count=0").await.expect(200).body["totalResults"].clone()
}

/// What a circle needs and does not get takes back what was made without it: a POST that failed has left nothing, has
/// no location (RFC 7644 section 3.7.3), and can be sent again.
#[tokio::test]
async fn of_a_circle_that_cannot_be_closed_nothing_is_left() {
    let world = World::new().await;
    let mut nameless = group("x", &["bulkId:B"]);
    nameless["data"]["displayName"] = json!("");
    let circle = [
        group("A", &["bulkId:B", "bulkId:x"]),
        group("B", &["bulkId:A"]),
        nameless.clone(),
        group("apart", &[]),
    ];
    for (fail_on_errors, expected) in [(1, &["409", "400"][..]), (9, &["409", "409", "400", "201"])] {
        let body = json!({"schemas": [REQUEST], "failOnErrors": fail_on_errors, "Operations": circle});
        let reply = world.post(ENTRA, "/Bulk", body).await.expect(200);
        assert_eq!(statuses(&reply), expected, "{}", reply.text);
        for failed in reply.body["Operations"].as_array().unwrap() {
            let is_there = failed["status"] == "201";
            assert_eq!(failed.get("location").is_some(), is_there, "{}", reply.text);
        }
        assert_eq!(groups(&world).await, if fail_on_errors == 1 { 0 } else { 1 });
    }
    // What was made in the circle and refers to what failed goes with it, and what refers to that fails.
    nameless["data"]["members"] = json!([{"value": "bulkId:B"}, {"value": "bulkId:D"}]);
    let reply = bulk(
        &world,
        json!([
            nameless,
            group("D", &["bulkId:B"]),
            group("B", &["bulkId:x"]),
            group("E", &["bulkId:D"])
        ]),
    )
    .await
    .expect(200);
    assert_eq!(statuses(&reply), ["400", "409", "409", "409"]);
    assert!(!reply.text.contains("location"), "{}", reply.text);
    assert_eq!(groups(&world).await, 1);
    // A circle inside of one that is not closed is made, completed, and taken back as a whole.
    let mut failing = group("W", &["bulkId:F"]);
    failing["data"]["displayName"] = json!("");
    let inner = [group("F", &["bulkId:G", "bulkId:Z"]), group("G", &["bulkId:F"])];
    let [f, g] = inner;
    let reply = bulk(&world, json!([failing, f, g, group("Z", &["bulkId:W"])]))
        .await
        .expect(200);
    assert_eq!(statuses(&reply), ["400", "409", "409", "409"]);
    assert!(!reply.text.contains("stands"), "{}", reply.text);
    assert_eq!(groups(&world).await, 1);
    let mut whole = nameless;
    whole["data"]["displayName"] = json!("x");
    let reply = bulk(
        &world,
        json!([whole, group("D", &["bulkId:B"]), group("B", &["bulkId:x"])]),
    )
    .await;
    assert_eq!(statuses(&reply), ["201", "201", "201"]);
    assert_eq!(groups(&world).await, 4);
}

/// In whichever way a manager may be named outside of Bulk.
#[tokio::test]
async fn two_who_manage_each_other_may_say_so_in_every_spelling() {
    let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let (lower, flat) = (urn.to_lowercase(), format!("{urn}:manager"));
    let world = World::new().await;
    for (at, spelling) in [
        "manager",
        "MANAGER",
        &flat,
        &flat.to_lowercase(),
        "bare",
        "extension",
    ]
    .iter()
    .enumerate()
    {
        let managed = |name: &str, by: &str| {
            let by = format!("bulkId:{by}");
            let mut data = user(&format!("{name}{at}"));
            match *spelling {
                "bare" => data["manager"] = json!(by),
                "extension" => data[&lower] = json!({"Manager": [{"value": by}]}),
                key => data[key] = json!({"value": by}),
            }
            post("/Users", name, data)
        };
        let reply = bulk(&world, json!([managed("ida", "bo"), managed("bo", "ida")]))
            .await
            .expect(200);
        assert_eq!(statuses(&reply), ["201", "201"], "{spelling}: {}", reply.text);
        for (one, other) in [(0, 1), (1, 0)] {
            let path = format!("/Users/{}", id(&reply, one));
            let shown = world.get(ENTRA, &path).await.expect(200);
            assert_eq!(
                shown.body[urn]["manager"]["value"],
                id(&reply, other),
                "{spelling}"
            );
        }
    }
}

/// RFC 7644 section 3.7: method and bulkId are those of the request, also where it could not be read; section 3.7.3:
/// only a POST that failed has no location.
#[tokio::test]
async fn an_operation_that_cannot_be_read_is_answered_under_its_name() {
    let world = World::new().await;
    let ida = world.user(ENTRA, "ida").await;
    let reply = bulk(
        &world,
        json!([
            group("G", &["bulkId:n"]),
            {"method": "POST", "path": "/Users", "bulkId": "n"},
            {"method": "PUT", "path": format!("/Users/{ida}"), "bulkId": "p"},
            {"method": "GET", "path": format!("/Users/{ida}"), "bulkId": "q"},
            {"method": 7},
        ]),
    )
    .await
    .expect(200);
    assert_eq!(
        statuses(&reply),
        ["409", "400", "400", "400", "400"],
        "{}",
        reply.text
    );
    let answers = reply.body["Operations"].as_array().unwrap();
    let said = |at: usize| ["method", "bulkId", "location"].map(|name| answers[at][name].clone());
    assert_eq!(said(1), [json!("POST"), json!("n"), Value::Null]);
    assert_eq!(
        said(2),
        [json!("PUT"), json!("p"), json!(format!("{BASE}/Users/{ida}"))]
    );
    assert_eq!(said(3), [json!("GET"), json!("q"), Value::Null]);
    assert_eq!(said(4), [Value::Null, Value::Null, Value::Null]);
}

/// RFC 7644 section 3.7.4: both limits, as ServiceProviderConfig tells them.
#[tokio::test]
async fn a_bulk_request_above_the_limits_is_413_and_nothing_is_done() {
    let world = World::new().await;
    let limits = world.get(ENTRA, "/ServiceProviderConfig").await.expect(200).body["bulk"].clone();
    let most = usize::try_from(limits["maxOperations"].as_u64().unwrap()).unwrap();
    let bytes = usize::try_from(limits["maxPayloadSize"].as_u64().unwrap()).unwrap();
    let many = vec![post("/Users", "", user("ida")); most + 1];
    let reply = bulk(&world, many.into()).await.expect_error(413, "");
    assert!(reply.text.contains("maxOperations"), "{}", reply.text);
    let reply = bulk(
        &world,
        json!([post("/Users", "x", json!({"title": "x".repeat(bytes)}))]),
    )
    .await
    .expect_error(413, "");
    assert!(reply.text.contains("maxPayloadSize"), "{}", reply.text);
    assert!(world.events().is_empty());
    // The strict dialect asks for a bulkId, the tolerant one does not.
    let operations = json!([{"method": "POST", "path": "/Users", "data": user("ida")}]);
    let body = json!({"schemas": [REQUEST], "Operations": operations});
    let strict = world.post(STRICT, "/Bulk", body.clone()).await.expect(200);
    assert_eq!(
        strict.body["Operations"][0]["response"]["scimType"],
        "invalidSyntax"
    );
    assert_eq!(
        statuses(&world.post(ENTRA, "/Bulk", body).await.expect(200)),
        ["201"]
    );
}

/// Whatever is sent: the right status with a SCIM error, or one for each operation, and nothing is written.
#[tokio::test]
async fn a_hostile_bulk_request_is_answered_and_writes_nothing() {
    let world = World::new().await;
    let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
    let long = "x".repeat(17 * 1024);
    for (body, status, keyword) in [
        ("[]".to_owned(), 400, "invalidSyntax"),
        ("{".to_owned(), 400, "invalidSyntax"),
        ("{\"Operations\": 7}".to_owned(), 400, "invalidSyntax"),
        (
            "{\"Operations\": [], \"Operations\": []}".to_owned(),
            400,
            "invalidSyntax",
        ),
        (format!("{{\"schemas\": {deep}}}"), 400, "invalidSyntax"),
        (format!("{{\"schemas\": [\"{long}\"]}}"), 400, "invalidValue"),
        (
            "{\"failOnErrors\": -1, \"Operations\": [1]}".to_owned(),
            400,
            "invalidValue",
        ),
        (
            "{\"failOnErrors\": \"many\", \"Operations\": [1]}".to_owned(),
            400,
            "invalidValue",
        ),
    ] {
        let request = world.build(ENTRA, http::Method::POST, "/Bulk", body);
        world.request(request).await.expect_error(status, keyword);
    }
    let delete = |path: &str| json!({"method": "DELETE", "path": path});
    let paths = [
        "",
        "/",
        "//Users/x",
        "/Users/../Groups/x",
        "/Users/%00",
        "/Users/%ff",
        "/Users/bulkId:",
        "bulkId:x",
        "/Bulk",
        "/Me",
        "/.search",
        "https://elsewhere.example/scim/v2/Users/x",
        "/Users/x/y",
        "/Users",
    ];
    let mut operations: Vec<Value> = paths.into_iter().map(delete).collect();
    let named = |name: &str, data: Value| post("/Groups", name, data);
    operations.extend([
        json!({"method": "DELETE", "path": "/Users/x", "version": "\r\nset-cookie: x"}),
        json!({"method": "POST", "path": "/Users", "bulkId": "", "data": []}),
        json!({"method": "PATCH", "path": "/Users/x", "data": "bulkId:x"}),
        json!({"method": "PUT", "path": "/Users/x", "data": {"title": long}}),
        serde_json::from_str(&deep).unwrap(),
        json!(long),
        named("self", json!({"displayName": "bulkId:self"})),
        named("none", Value::Null),
        Value::Null,
    ]);
    let count = operations.len();
    let reply = bulk(&world, operations.into()).await.expect(200);
    let statuses = statuses(&reply);
    assert_eq!(statuses.len(), count);
    assert!(
        statuses.iter().all(|status| status.starts_with('4')),
        "{statuses:?}"
    );
    for one in reply.body["Operations"].as_array().unwrap() {
        assert!(
            one["response"]["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty()),
            "{one}"
        );
    }
    // All refer to all: the most references that fit are put into an order at once.
    let members: Vec<String> = (0..200).map(|n| format!("bulkId:{n}")).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let tangled: Vec<Value> = (0..200).map(|n| group(&n.to_string(), &members)).collect();
    let mut broken = tangled;
    for one in &mut broken {
        one["data"]["displayName"] = json!("");
    }
    let reply = bulk(&world, broken.into()).await.expect(200);
    let failed = reply.body["Operations"].as_array().unwrap().iter();
    assert!(failed.clone().count() == 200 && failed.into_iter().all(|one| one["status"] != "201"));
    assert!(world.events().is_empty());
}

/// Groups that are all in one another: a circle that RFC 7644 section 3.7.1 lets a client ask for is made, by each of
/// them once, whatever the number of its nestings.
#[tokio::test]
async fn groups_that_are_all_in_one_another_are_made() {
    const GROUPS: usize = 20;
    let world = World::new().await;
    let names: Vec<String> = (0..GROUPS).map(|n| format!("bulkId:{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let tangle: Vec<Value> = (0..GROUPS).map(|n| group(&n.to_string(), &names)).collect();
    let reply = bulk(&world, tangle.into()).await.expect(200);
    assert!(
        statuses(&reply).iter().all(|status| *status == "201"),
        "{}",
        reply.text
    );
    for number in [0, GROUPS - 1] {
        assert_eq!(world.members(ENTRA, &id(&reply, number)).await.len(), GROUPS);
    }
}
