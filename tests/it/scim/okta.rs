//! What Okta has a new application pass: the twelve steps of its SCIM 2.0 SPEC test, and those of the older one that
//! it left out. Written from the list of steps; the time limits of the originals are left to the benchmarks.

use serde_json::{Value, json};

use super::client::Client;
use super::dialect::{Dialect, GROUP, OKTA_CATALOGUE, OKTA_WIZARD, Person, USER};
use crate::engine::harness::{Settings, World};
use crate::engine::idp::{named, patch_body};

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

fn person(name: &str) -> Person {
    Person::with(name, &[])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn okta_spec_steps_pass_for_a_catalogue_app() {
    all_steps(OKTA_CATALOGUE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn okta_spec_steps_pass_for_a_wizard_app() {
    all_steps(OKTA_WIZARD).await;
}

async fn all_steps(dialect: Dialect) {
    let world = World::running(Settings::default()).await;
    let mut okta = Client::new(&world, dialect);
    // The test asks for somebody to be there.
    okta.hire(&person("first")).await;
    let first = steps_1_to_5(&mut okta).await;
    let second = steps_6_to_9(&mut okta).await;
    assert_ne!(first, second);
    steps_10_to_12(&mut okta).await;
    older_steps(&mut okta, &second).await;
}

fn assert_is_list(list: &Value) {
    assert_eq!(list["schemas"], json!([LIST]), "{list}");
    for name in ["itemsPerPage", "startIndex", "totalResults"] {
        assert!(list[name].is_u64(), "{name}: {list}");
    }
}

fn assert_is_user(user: &Value) {
    for path in ["id", "userName"] {
        assert!(
            user[path].as_str().is_some_and(|text| !text.is_empty()),
            "{path}: {user}"
        );
    }
    for name in ["familyName", "givenName"] {
        assert!(user["name"][name].is_string(), "{name}: {user}");
    }
    assert!(
        user["active"].is_boolean() && user["emails"][0]["value"].is_string(),
        "{user}"
    );
    assert!(
        user["schemas"]
            .as_array()
            .is_some_and(|all| all.contains(&json!(USER))),
        "{user}"
    );
}

/// Lists and look-ups. The id of the user that was found.
async fn steps_1_to_5(okta: &mut Client) -> String {
    let list = okta.get("/Users?count=1&startIndex=1").await.expect(200).body;
    assert_is_list(&list);
    let first = &list["Resources"][0];
    assert_is_user(first);
    let id = first["id"].as_str().unwrap().to_owned();
    let user = okta.get(&format!("/Users/{id}")).await.expect(200).body;
    assert_is_user(&user);
    assert_eq!(user["id"], id);
    let none = okta
        .filter("/Users", &format!("userName eq \"{}\"", named("nobody-7f3a")), "")
        .await;
    let none = none.expect(200);
    assert_is_list(&none.body);
    assert_eq!(none.total(), 0);
    okta.get("/Users/010101001010101011001010101011")
        .await
        .expect(404);
    let random = okta
        .filter("/Users", "userName eq \"x6fa@elsewhere.example\"", "")
        .await
        .expect(200);
    assert_eq!((random.total(), &random.body["schemas"]), (0, &json!([LIST])));
    id
}

/// A new user. Its id.
async fn steps_6_to_9(okta: &mut Client) -> String {
    let (ida, body) = (person("ida"), okta.dialect.user(&person("ida")));
    let created = okta.post("/Users", &body).await.expect(201);
    assert_is_user(&created.body);
    assert_eq!(created.body["active"], true);
    assert_eq!(created.body["userName"], ida.user_name);
    assert_eq!(
        (
            &created.body["name"]["givenName"],
            &created.body["name"]["familyName"]
        ),
        (&json!(ida.given), &json!(ida.family))
    );
    let id = created.id();
    assert!(
        created.location.ends_with(&format!("/scim/v2/Users/{id}")),
        "{}",
        created.location
    );
    let read = okta.get(&format!("/Users/{id}")).await.expect(200);
    assert_eq!(read.body["userName"], ida.user_name);
    assert_eq!(read.body["active"], true);
    let refused = okta.post("/Users", &body).await.expect(409);
    assert_eq!(refused.body["scimType"], "uniqueness");
    let capitals = ida.user_name.to_uppercase();
    let found = okta
        .filter("/Users", &format!("userName eq \"{capitals}\""), "")
        .await
        .expect(200);
    assert_eq!(
        (found.total(), &found.body["Resources"][0]["id"]),
        (1, &json!(id))
    );
    id
}

async fn steps_10_to_12(okta: &mut Client) {
    let groups = okta.get("/Groups").await.expect(200);
    assert_is_list(&groups.body);
    let refused = okta
        .send_as("non-token", reqwest::Method::GET, "/Users", None)
        .await
        .expect(401);
    assert_eq!(refused.body["status"], "401");
    okta.get("/Users/00919288221112222").await.expect(404);
}

/// The connect tests, paging, deactivation, and groups in Okta's way.
async fn older_steps(okta: &mut Client, user: &str) {
    for path in ["/Users?startIndex=1&count=2", "/Groups?count=100&startIndex=1"] {
        assert_is_list(&okta.get(path).await.expect(200).body);
    }
    let path = format!("/Users/{user}");
    for active in [false, true, false] {
        let answer = okta
            .change(&path, |dialect, now| dialect.change_active(now, active))
            .await;
        assert_eq!(answer.body["active"], active);
        let found = okta
            .filter("/Users", &format!("userName eq \"{}\"", named("ida")), "")
            .await;
        assert_eq!(found.expect(200).total(), 1, "who is deactivated is still found");
    }
    // Assigned again: Okta sends the creation once more, and gets the same user back.
    let body = okta.dialect.user(&person("ida"));
    let back = okta.post("/Users", &body).await.expect(201);
    assert_eq!((back.id().as_str(), &back.body["active"]), (user, &json!(true)));
    let group = okta
        .post("/Groups", &okta.dialect.group("Chicago Floor"))
        .await
        .expect(201);
    assert_eq!(group.body["schemas"], json!([GROUP]));
    let path = format!("/Groups/{}", group.id());
    okta.change(&path, |dialect, now| dialect.change_members(now, &[user], &[]))
        .await;
    let members = okta.get(&path).await.expect(200).body["members"].clone();
    assert_eq!(members[0]["value"], user);
    let push_now = json!({"op": "replace", "path": "members", "value": []});
    okta.patch(&path, &patch_body(vec![push_now])).await.expect(200);
    let members = okta.get(&path).await.expect(200).body["members"].clone();
    assert!(
        members.as_array().is_none_or(Vec::is_empty),
        "an empty list clears: {members}"
    );
    okta.delete(&path).await.expect(204);
}
