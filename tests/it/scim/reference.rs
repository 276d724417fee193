//! What Microsoft's reference collection of SCIM requests asks for, as a list of requests of our own: in its order,
//! with its peculiarities, and with the places where this server answers otherwise on purpose.

use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Client, Reply};
use super::dialect::{ENTERPRISE, ENTRA_DEFAULT, GROUP, USER};
use crate::engine::harness::{Settings, World};
use crate::engine::idp::{patch_body, query};

/// Where the collection wants something else, and why it does not get it.
const DEVIATIONS: [(&str, &str); 5] = [
    (
        "GET /serviceConfiguration",
        "the path is not RFC 7644's; /ServiceProviderConfig is",
    ),
    (
        "GET /users",
        "paths are compared exactly (RFC 3986 section 6.2.2.1); /Users is the endpoint",
    ),
    (
        "PUT without userName that deactivates",
        "a leaver is not kept waiting for the fault in the rest of the body",
    ),
    (
        "PATCH of a user",
        "200 with the resource instead of 204: RFC 7644 section 3.5.2 allows both, other suites want it",
    ),
    (
        "PATCH of a group with members that are nobody",
        "400: 200 would say that somebody has access who has none",
    ),
];

struct List {
    client: Client,
    /// Deviations that were met.
    met: Vec<&'static str>,
}

impl List {
    fn deviates(&mut self, name: &'static str) {
        assert!(
            DEVIATIONS
                .iter()
                .any(|(known, why)| *known == name && !why.is_empty()),
            "{name}"
        );
        self.met.push(name);
    }

    async fn put(&mut self, path: &str, body: &Value) -> Reply {
        self.client.send(Method::PUT, path, Some(body)).await
    }

    async fn operations(&mut self, path: &str, operations: Value) -> Reply {
        self.client.patch(path, &patch_body(operations)).await
    }

    /// How many users a filter finds; it stands in the address as it is.
    async fn found(&mut self, filter: &str) -> u64 {
        let path = format!("/Users?filter={}", query(filter));
        self.client.get(&path).await.expect(200).total()
    }
}

/// A user with everything that the collection sends, and some that no schema has.
fn worker(name: &str, family: &str) -> Value {
    json!({
        "schemas": [USER, ENTERPRISE],
        "userName": name,
        "externalId": format!("idp-id-{name}"),
        "active": true,
        "displayName": "Quirin Xylander",
        "title": "Clerk",
        "nickName": "Q",
        "userType": "Employee",
        "preferredLanguage": "en-US",
        "locale": "en-US",
        "timezone": "America/Chicago",
        "profileUrl": "https://people.example/q",
        "name": {"formatted": "Q X", "familyName": family, "givenName": "Quirin", "honorificPrefix": "Dr"},
        "emails": [{"value": format!("{name}@people.example"), "type": "work", "primary": true},
            {"value": format!("{name}@people.example.org"), "type": "other", "primary": false}],
        "phoneNumbers": [{"value": "+1 312 555 0100", "type": "work"}],
        "ims": [{"value": "q", "type": "xmpp"}],
        "addresses": [{"type": "work", "country": "US", "locality": "Chicago", "primary": true}],
        "groups": [],
        "roles": [],
        ENTERPRISE: {"employeeNumber": "4711", "department": "Floor"},
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reference_collection_is_answered_but_for_the_deviations_that_are_meant() {
    let world = World::running(Settings::default()).await;
    let mut list = List {
        client: Client::new(&world, ENTRA_DEFAULT),
        met: Vec::new(),
    };
    list.endpoints().await;
    list.users().await;
    list.groups().await;
    list.complex_attributes().await;
    list.odd_users().await;
    list.odd_groups().await;
    // Its last checks: everything was deleted, and nothing is left.
    for path in ["/Users", "/Groups"] {
        assert_eq!(list.client.get(path).await.expect(200).total(), 0, "{path}");
    }
    let all: Vec<&str> = DEVIATIONS.iter().map(|(name, _)| *name).collect();
    assert_eq!(list.met, all, "a deviation was not met, or not in order");
}

impl List {
    async fn endpoints(&mut self) {
        for path in ["/Users", "/Groups"] {
            assert_eq!(
                self.client.get(path).await.expect(200).total(),
                0,
                "{path}: it asks for an empty store"
            );
        }
        let types = self
            .client
            .get("/ResourceTypes")
            .await
            .expect(200)
            .body
            .to_string();
        assert!(types.contains("/Users") && types.contains("/Groups"), "{types}");
        let schemas = self.client.get("/Schemas").await.expect(200).body.to_string();
        assert!(schemas.contains("User Account"), "{schemas}");
        self.client.get("/serviceConfiguration").await.expect(404);
        let config = self.client.get("/ServiceProviderConfig").await.expect(200).body;
        assert_eq!(config["patch"]["supported"], true);
        self.deviates("GET /serviceConfiguration");
        self.client.get("/users").await.expect(404);
        self.deviates("GET /users");
    }

    async fn users(&mut self) {
        let plain = json!({"schemas": [USER], "userName": "user-1", "displayName": "BobIsFine",
            "emails": [{"value": "user-1@people.example", "type": "work", "primary": true}]});
        let first = self.client.post("/Users", &plain).await.expect(201).id();
        let second = self
            .client
            .post("/Users", &worker("user-2", "Xylander"))
            .await
            .expect(201)
            .id();
        for id in [&first, &second] {
            assert_eq!(
                self.client.get(&format!("/Users/{id}")).await.expect(200).id(),
                *id
            );
        }
        let shown = self
            .client
            .get("/Users?attributes=userName,emails")
            .await
            .expect(200)
            .body;
        for user in shown["Resources"].as_array().unwrap() {
            assert!(
                user.get("displayName").is_none() && user["userName"].is_string(),
                "{user}"
            );
        }
        assert_eq!(self.found("DisplayName eq \"BobIsFine\"").await, 1);
        let path = format!("/Users/{first}");
        self.operations(
            &path,
            json!([{"op": "replace", "path": "userName", "value": "user-1b"}]),
        )
        .await;
        assert_eq!(
            self.client.get(&path).await.expect(200).body["userName"],
            "user-1b"
        );
        let path = format!("/Users/{second}");
        self.put(&path, &worker("user-2b", "Ost")).await.expect(200);
        assert_eq!(
            self.client.get(&path).await.expect(200).body["name"]["familyName"],
            "Ost"
        );
        for id in [first, second] {
            self.client.delete(&format!("/Users/{id}")).await.expect(204);
        }
    }

    async fn groups(&mut self) {
        let named = |name: &str| json!({"schemas": [GROUP], "displayName": name, "externalId": name});
        let empty = self
            .client
            .post("/Groups", &named("group-1"))
            .await
            .expect(201)
            .id();
        let user = self
            .client
            .post("/Users", &worker("user-3", "Xylander"))
            .await
            .expect(201)
            .id();
        let mut filled = named("group-2");
        filled["members"] = json!([{"value": user, "display": "new User"}]);
        let filled = self.client.post("/Groups", &filled).await.expect(201).id();
        let third = self
            .client
            .post("/Groups", &named("group-3"))
            .await
            .expect(201)
            .id();
        let mut whole = named("group-3b");
        whole["id"] = json!(third);
        whole["members"] = json!([{"value": user, "$ref": null, "display": "new User"}]);
        self.put(&format!("/Groups/{third}"), &whole).await.expect(200);
        assert_eq!(self.client.get("/Groups").await.expect(200).total(), 3);
        let path = format!("/Groups/{empty}");
        for (operations, count) in [
            (
                json!([{"op": "add", "path": "members", "value": [{"$ref": null, "value": user}]}]),
                1,
            ),
            (
                json!([{"op": "remove", "path": format!("members[value eq \"{user}\"]")}]),
                0,
            ),
            (
                json!([{"op": "Add", "path": "members", "value": [{"value": user}]},
                {"op": "replace", "path": "displayName", "value": "group-1b"}]),
                1,
            ),
            (json!([{"op": "remove", "path": "members"}]), 0),
        ] {
            self.operations(&path, operations).await.expect(200);
            let members = self.client.get(&path).await.expect(200).body["members"].clone();
            assert_eq!(members.as_array().map_or(0, Vec::len), count, "{members}");
        }
        self.client.delete(&format!("/Users/{user}")).await.expect(204);
        for group in [empty, filled, third] {
            self.client.delete(&format!("/Groups/{group}")).await.expect(204);
        }
    }

    async fn complex_attributes(&mut self) {
        let mut ids = Vec::new();
        for name in ["user-5", "user-6"] {
            ids.push(
                self.client
                    .post("/Users", &worker(name, "Xylander"))
                    .await
                    .expect(201)
                    .id(),
            );
        }
        for attributes in [
            "emails[type eq \"work\"]",
            "emails[value eq \"user-5@people.example\"]",
        ] {
            let shown = self
                .client
                .get(&format!("/Users?attributes={}", query(attributes)))
                .await
                .expect(200);
            assert!(
                shown.body.to_string().contains("user-5@people.example"),
                "{attributes}: {}",
                shown.body
            );
        }
        for id in ids {
            self.client.delete(&format!("/Users/{id}")).await.expect(204);
        }
    }

    async fn odd_users(&mut self) {
        let omalley = self
            .client
            .post("/Users", &worker("OMalley", "O'Malley"))
            .await
            .expect(201);
        assert_eq!(
            (&omalley.body["userName"], &omalley.body["active"]),
            (&json!("OMalley"), &json!(true))
        );
        let mut text = worker("worker-1", "Employee");
        text["active"] = json!("True");
        let first = self.client.post("/Users", &text).await.expect(201);
        assert_eq!(first.body["active"], true);
        assert_eq!(self.client.get("/Users").await.expect(200).total(), 2);
        let mut all = vec![omalley.id(), first.id()];
        for name in ["worker-2", "worker-3"] {
            all.push(
                self.client
                    .post("/Users", &worker(name, "Employee"))
                    .await
                    .expect(201)
                    .id(),
            );
        }
        let mut nameless = worker("nobody", "Employee");
        nameless.as_object_mut().unwrap().remove("userName");
        self.client.post("/Users", &nameless).await.expect(400);
        self.client
            .post("/Users", &json!({"lorem": "ipsum", "dolor": [1, {"sit": null}]}))
            .await
            .expect(400);
        for _ in 0..2 {
            self.client
                .post("/Users", &worker("worker-3", "Employee"))
                .await
                .expect(409);
        }
        self.replaced_and_patched(&format!("/Users/{}", all[0]), nameless)
            .await;
        let page = self.client.get("/Users?startIndex=1&count=2").await.expect(200);
        assert_eq!((page.total(), &page.body["itemsPerPage"]), (4, &json!(2)));
        for (filter, total) in [
            (
                "name.FamilyName eq Employee and (emails.Value co people.example or emails.Value co elsewhere)",
                3,
            ),
            ("userName sw O", 1),
            ("meta.Created gt 2015-10-10T14:38:21.8617979-07:00", 4),
        ] {
            assert_eq!(self.found(filter).await, total, "{filter}");
        }
        for id in all {
            self.client.delete(&format!("/Users/{id}")).await.expect(204);
        }
    }

    async fn replaced_and_patched(&mut self, path: &str, nameless: Value) {
        self.put(path, &nameless).await.expect(400);
        let mut leaves = nameless;
        leaves["active"] = json!(false);
        assert_eq!(self.put(path, &leaves).await.expect(200).body["active"], false);
        self.deviates("PUT without userName that deactivates");
        let mut misspelled = worker("OMalley", "O'Malley");
        let addresses = misspelled.as_object_mut().unwrap().remove("addresses").unwrap();
        misspelled["adresses"] = addresses;
        let replaced = self.put(path, &misspelled).await.expect(200);
        assert!(
            replaced.body.get("addresses").is_none(),
            "what is misspelled is not there: {}",
            replaced.body
        );
        for operation in [
            json!({"op": "Replace", "path": "userName", "value": "omalley-2"}),
            json!({"op": "Replace", "path": "active", "value": false}),
        ] {
            assert!(
                self.operations(path, json!([operation]))
                    .await
                    .expect(200)
                    .body
                    .is_object()
            );
        }
        self.deviates("PATCH of a user");
        let read = self.client.get(path).await.expect(200).body;
        assert_eq!(
            (&read["userName"], &read["active"]),
            (&json!("omalley-2"), &json!(false))
        );
        let back = self
            .put(path, &worker("OMalley", "O'Malley"))
            .await
            .expect(200)
            .body;
        assert_eq!(
            (&back["active"], &back["addresses"][0]["country"]),
            (&json!(true), &json!("US"))
        );
    }

    async fn odd_groups(&mut self) {
        let body = json!({"schemas": [GROUP, "http://elsewhere.example/Group"], "displayName": "group-9"});
        let path = format!(
            "/Groups/{}",
            self.client.post("/Groups", &body).await.expect(201).id()
        );
        for nobody in ["text 1", "text 2"] {
            self.operations(&path, json!([{"op": "add", "path": "members", "value": nobody}]))
                .await
                .expect(400);
        }
        self.deviates("PATCH of a group with members that are nobody");
        let read = self
            .client
            .get(&format!("{path}?excludedAttributes=members"))
            .await
            .expect(200);
        assert!(read.body.get("members").is_none());
        let renamed = json!({"schemas": [GROUP], "displayName": "another name"});
        assert_eq!(
            self.put(&path, &renamed).await.expect(200).body["displayName"],
            "another name"
        );
        self.client.delete(&path).await.expect(204);
    }
}
