//! What Microsoft's SCIM validator checks: twenty-five mandatory tests and seven of its preview, in the four dialects
//! and as a wizard-made Okta application puts the same wishes. Written from the list of its tests.

use serde_json::{Value, json};

use super::client::Client;
use super::dialect::{
    Change, Dialect, ENTERPRISE, ENTRA_DEFAULT, ENTRA_FLAGGED, ENTRA_VALIDATOR, OKTA_CATALOGUE, OKTA_WIZARD,
    Person, Wish, get, patch, wish,
};
use crate::engine::harness::{Settings, World};
use crate::engine::idp::named;

/// Every test of the list; each dialect must have gone through all of them.
const MANDATORY: [&str; 25] = [
    "create a user",
    "create a duplicate user",
    "filter an existing user",
    "filter a user that is not there",
    "filter a user in another case",
    "replace attributes of a user",
    "add attributes to a user",
    "change userName",
    "disable a user",
    "add a manager",
    "replace a manager",
    "remove a manager",
    "delete a user",
    "create a group",
    "create a duplicate group",
    "read a group without members",
    "filter a group without members",
    "filter a group",
    "filter a group that is not there",
    "filter a group in another case",
    "replace attributes of a group",
    "change the joining attribute of a group",
    "add a member",
    "remove a member",
    "delete a group",
];
const PREVIEW: [&str; 7] = [
    "several operations on different attributes of a user",
    "several operations on one attribute of a user",
    "delete a user that is not there",
    "delete a user twice",
    "several operations on a group",
    "delete a group that is not there",
    "delete a group twice",
];
const NOBODY: &str = "5e0d5fd0-7ee2-4f52-9a4c-2cd3c9f5a5a5";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entra_validator_list_passes_in_the_default_dialect() {
    whole_list(ENTRA_DEFAULT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entra_validator_list_passes_in_the_flagged_dialect() {
    whole_list(ENTRA_FLAGGED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entra_validator_list_passes_in_the_validators_own_dialect() {
    whole_list(ENTRA_VALIDATOR).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entra_validator_list_passes_for_an_okta_wizard_app() {
    whole_list(OKTA_WIZARD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entra_validator_list_passes_for_an_okta_catalogue_app() {
    whole_list(OKTA_CATALOGUE).await;
}

async fn whole_list(dialect: Dialect) {
    let world = World::running(Settings::default()).await;
    let mut list = List {
        client: Client::new(&world, dialect),
        passed: Vec::new(),
    };
    let ida = list.create_and_find_users().await;
    list.change_user(&ida).await;
    list.manager(&ida).await;
    list.delete_user().await;
    let group = list.create_and_find_groups().await;
    list.change_group(&group, &ida).await;
    list.preview(&ida).await;
    let all: Vec<&str> = MANDATORY.into_iter().chain(PREVIEW).collect();
    assert_eq!(
        list.passed, all,
        "{}: not all tests were run, or not in order",
        dialect.name
    );
}

struct List {
    client: Client,
    passed: Vec<&'static str>,
}

fn person(name: &str) -> Person {
    Person::with(name, &["User"])
}

/// What the validator changes in a user, in the words of Entra.
fn verbose() -> Vec<Wish> {
    let address = |sub: &str| format!("addresses[type eq \"work\"].{sub}");
    let mut wishes = vec![
        wish("emails[type eq \"work\"].value", "new@people.example"),
        wish("emails[type eq \"untyped\"].value", "untyped@people.example"),
        wish("phoneNumbers[type eq \"work\"].value", "+46 8 555 010"),
        wish("phoneNumbers[type eq \"mobile\"].value", "+46 70 555 010"),
        wish("phoneNumbers[type eq \"fax\"].value", "+46 8 555 011"),
        wish(&address("formatted"), "1 Long Road\nChicago"),
        wish(&address("streetAddress"), "1 Long Road"),
        wish(&address("locality"), "Chicago"),
        wish(&address("postalCode"), "60601"),
        wish(&address("country"), "US"),
        wish("name.givenName", "Ida"),
        wish("name.familyName", "Lind"),
        wish("name.formatted", "Ida Lind"),
        wish("name.middleName", "B."),
        wish("name.honorificPrefix", "Dr"),
        wish("name.honorificSuffix", "jr"),
        wish("roles[primary eq \"True\"].display", "a role"),
        wish("roles[primary eq \"True\"].value", "msiam_access"),
        wish(
            "roles[primary eq \"True\"].type",
            "WindowsAzureActiveDirectoryRole",
        ),
    ];
    for name in [
        "employeeNumber",
        "department",
        "costCenter",
        "organization",
        "division",
    ] {
        wishes.push(wish(&format!("{ENTERPRISE}:{name}"), format!("a {name}")));
    }
    for name in [
        "displayName",
        "nickName",
        "title",
        "userType",
        "preferredLanguage",
        "locale",
        "timezone",
    ] {
        wishes.push(wish(name, format!("a {name}")));
    }
    wishes.push(wish("profileUrl", "https://people.example/ida"));
    wishes
}

/// Whether a resource has what was wished for, as it was sent.
fn assert_granted(user: &Value, wishes: &[Wish]) {
    for (path, value) in wishes {
        assert_eq!(&get(user, path), value, "{path} of {user}");
    }
}

impl List {
    fn pass(&mut self, test: &'static str) {
        self.passed.push(test);
    }

    async fn create_and_find_users(&mut self) -> String {
        let (ida, body) = (person("ida"), self.client.dialect.user(&person("ida")));
        let created = self.client.post("/Users", &body).await.expect(201);
        let id = created.id();
        assert!(
            created.location.ends_with(&format!("/Users/{id}")),
            "{}",
            created.location
        );
        for name in ["userName", "externalId", "displayName"] {
            assert_eq!(created.body[name], body[name], "{name}");
        }
        assert_eq!(
            (&created.body["active"], &created.body["meta"]["resourceType"]),
            (&json!(true), &json!("User"))
        );
        self.pass("create a user");
        let other = Person {
            external: "idp-id-other".to_owned(),
            ..person("ida")
        };
        let again = self.client.dialect.user(&other);
        let refused = self.client.post("/Users", &again).await.expect(409);
        assert_eq!(refused.body["scimType"], "uniqueness");
        self.pass("create a duplicate user");
        for (filter, total, test) in [
            (
                format!("userName eq \"{}\"", ida.user_name),
                1,
                "filter an existing user",
            ),
            (
                format!("userName eq \"{NOBODY}\""),
                0,
                "filter a user that is not there",
            ),
            (
                format!("userName eq \"{}\"", ida.user_name.to_uppercase()),
                1,
                "filter a user in another case",
            ),
        ] {
            let found = self.client.filter("/Users", &filter, "").await.expect(200);
            assert_eq!(found.total(), total, "{filter}");
            assert_eq!(
                found.body["Resources"].as_array().map(|all| all.len() as u64),
                Some(total)
            );
            self.pass(test);
        }
        id
    }

    async fn change_user(&mut self, id: &str) {
        let path = format!("/Users/{id}");
        let wishes = verbose();
        let answer = self
            .client
            .change(&path, |dialect, now| dialect.change_profile(now, &wishes))
            .await;
        assert_granted(&answer.body, &wishes);
        assert_granted(&self.client.get(&path).await.expect(200).body, &wishes);
        self.pass("replace attributes of a user");
        let bo = self
            .client
            .hire(&Person {
                roles: Vec::new(),
                ..person("bo")
            })
            .await;
        let path = format!("/Users/{bo}");
        self.client
            .change(&path, |dialect, now| dialect.add_to_profile(now, &wishes))
            .await;
        assert_granted(&self.client.get(&path).await.expect(200).body, &wishes);
        self.pass("add attributes to a user");
        let wishes = [wish("userName", named("bo.renamed"))];
        self.client
            .change(&path, |dialect, now| dialect.change_profile(now, &wishes))
            .await;
        let found = self
            .client
            .filter("/Users", &format!("userName eq \"{}\"", named("bo.renamed")), "")
            .await;
        assert_eq!(found.expect(200).body["Resources"][0]["id"], bo);
        self.pass("change userName");
        let answer = self
            .client
            .change(&path, |dialect, now| dialect.change_active(now, false))
            .await;
        assert_eq!(answer.body["active"], false);
        assert_eq!(self.client.get(&path).await.expect(200).body["active"], false);
        self.pass("disable a user");
    }

    async fn manager(&mut self, id: &str) {
        let path = format!("/Users/{id}");
        let first = self.client.hire(&person("first-manager")).await;
        let second = self.client.hire(&person("second-manager")).await;
        for (manager, test) in [
            (Some(first.as_str()), "add a manager"),
            (Some(second.as_str()), "replace a manager"),
            (None, "remove a manager"),
        ] {
            self.client
                .change(&path, |dialect, now| dialect.change_manager(now, manager))
                .await;
            let user = self.client.get(&path).await.expect(200).body;
            assert_eq!(
                user[ENTERPRISE]["manager"]["value"].as_str(),
                manager,
                "{test}: {user}"
            );
            self.pass(test);
        }
    }

    async fn delete_user(&mut self) {
        let path = format!("/Users/{}", self.client.hire(&person("leaver")).await);
        self.client.delete(&path).await.expect(204);
        self.client.get(&path).await.expect(404);
        let found = self
            .client
            .filter("/Users", &format!("userName eq \"{}\"", named("leaver")), "")
            .await;
        assert_eq!(found.expect(200).total(), 0);
        self.pass("delete a user");
    }

    async fn create_and_find_groups(&mut self) -> String {
        let body = self.client.dialect.group("Chicago Floor");
        let created = self.client.post("/Groups", &body).await.expect(201);
        let id = created.id();
        assert_eq!(created.body["displayName"], "Chicago Floor");
        self.pass("create a group");
        let refused = self.client.post("/Groups", &body).await.expect(409);
        assert_eq!(refused.body["scimType"], "uniqueness");
        self.pass("create a duplicate group");
        let path = format!("/Groups/{id}?excludedAttributes=members");
        let read = self.client.get(&path).await.expect(200).body;
        assert_eq!(
            (&read["displayName"], read.get("members")),
            (&json!("Chicago Floor"), None)
        );
        self.pass("read a group without members");
        let without = "&excludedAttributes=members";
        for (name, more, total, test) in [
            ("Chicago Floor", without, 1, "filter a group without members"),
            ("Chicago Floor", "", 1, "filter a group"),
            (NOBODY, without, 0, "filter a group that is not there"),
            ("CHICAGO floor", without, 1, "filter a group in another case"),
        ] {
            let found = self
                .client
                .filter("/Groups", &format!("displayName eq \"{name}\""), more)
                .await;
            assert_eq!(found.expect(200).total(), total, "{test}");
            self.pass(test);
        }
        id
    }

    async fn change_group(&mut self, group: &str, user: &str) {
        let path = format!("/Groups/{group}");
        for (name, value, test) in [
            ("displayName", "Chicago Floor 2", "replace attributes of a group"),
            (
                "externalId",
                "idp-id-joined",
                "change the joining attribute of a group",
            ),
        ] {
            let wishes = [wish(name, value)];
            self.client
                .change(&path, |dialect, now| dialect.change_group(now, &wishes))
                .await;
            assert_granted(&self.client.get(&path).await.expect(200).body, &wishes);
            let found = self
                .client
                .filter("/Groups", &format!("{name} eq \"{value}\""), "")
                .await;
            assert_eq!(found.expect(200).body["Resources"][0]["id"], group);
            self.pass(test);
        }
        let other = self.client.hire(&person("member")).await;
        for (add, remove, count, test) in [
            (vec![user, other.as_str()], vec![], 2, "add a member"),
            (vec![], vec![user], 1, "remove a member"),
        ] {
            self.client
                .change(&path, |dialect, now| dialect.change_members(now, &add, &remove))
                .await;
            let members = self.client.get(&path).await.expect(200).body["members"].clone();
            assert_eq!(members.as_array().map(Vec::len), Some(count), "{test}: {members}");
            self.pass(test);
        }
        self.client.delete(&path).await.expect(204);
        self.client.get(&path).await.expect(404);
        self.pass("delete a group");
    }

    async fn preview(&mut self, user: &str) {
        let path = format!("/Users/{user}");
        let several = patch(vec![
            json!({"op": "remove", "path": "phoneNumbers[type eq \"fax\"]"}),
            json!({"op": "add", "path": "title", "value": "Lead"}),
            json!({"op": "replace", "path": "emails[type eq \"work\"].value", "value": "lead@people.example"}),
        ]);
        let user = self.patched(&path, several).await;
        assert_eq!(user["phoneNumbers"].as_array().map(Vec::len), Some(2));
        assert_eq!(user["title"], "Lead");
        assert_eq!(
            get(&user, "emails[type eq \"work\"].value"),
            "lead@people.example"
        );
        self.pass("several operations on different attributes of a user");
        let in_order = patch(vec![
            json!({"op": "remove", "path": "emails[type eq \"work\"]"}),
            json!({"op": "add", "path": "emails[type eq \"work\"].value", "value": "first@people.example"}),
            json!({"op": "replace", "path": "emails[type eq \"work\"].value", "value": "last@people.example"}),
        ]);
        let user = self.patched(&path, in_order).await;
        assert_eq!(
            get(&user, "emails[type eq \"work\"].value"),
            "last@people.example"
        );
        self.pass("several operations on one attribute of a user");
        self.deletions("/Users", "delete a user that is not there", "delete a user twice")
            .await;
        let group = self.client.dialect.group("Milwaukee Floor");
        let id = self.client.post("/Groups", &group).await.expect(201).id();
        let member = self.client.hire(&person("floor")).await;
        let several = patch(vec![
            json!({"op": "Add", "path": "members", "value": [{"value": member}]}),
            json!({"op": "Replace", "path": "displayName", "value": "Milwaukee"}),
        ]);
        let group = self.patched(&format!("/Groups/{id}"), several).await;
        assert_eq!(
            (&group["displayName"], &group["members"][0]["value"]),
            (&json!("Milwaukee"), &json!(member))
        );
        self.pass("several operations on a group");
        self.deletions(
            "/Groups",
            "delete a group that is not there",
            "delete a group twice",
        )
        .await;
    }

    /// The resource after a PATCH, read again.
    async fn patched(&mut self, path: &str, change: Change) -> Value {
        self.client.change(path, |_, _| change.clone()).await;
        self.client.get(path).await.expect(200).body
    }

    async fn deletions(&mut self, kind: &str, unknown: &'static str, twice: &'static str) {
        self.client.delete(&format!("{kind}/{NOBODY}")).await.expect(404);
        self.pass(unknown);
        let body = match kind {
            "/Users" => self.client.dialect.user(&person("twice")),
            _ => self.client.dialect.group("Twice"),
        };
        let path = format!("{kind}/{}", self.client.post(kind, &body).await.expect(201).id());
        self.client.delete(&path).await.expect(204);
        self.client.delete(&path).await.expect(404);
        self.pass(twice);
    }
}
