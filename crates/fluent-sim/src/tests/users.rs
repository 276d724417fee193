//! Users, roles, searches, switches, logins.

use std::time::Duration;

use serde_json::json;

use super::{Bench, CREATE, REMOVE, UPDATE, create_input, role};
use crate::{AgentIds, Behavior, ContextCheck, ExistingRole, JournalResult, RemovalOfAbsent, UsernameCase};

#[test]
fn roles_are_only_added_and_only_removed_by_pairs() {
    let bench = Bench::new();
    let store = role("STORE", &[("RETAILER", "3"), ("AGENT", "7001")]);
    let id = bench.create("ann", &json!({ "roles": [store] }))["id"].clone();
    let viewer = role("REPORT_VIEWER", &[("RETAILER", "3")]);
    bench.data(UPDATE, &json!({ "input": { "id": id, "roles": [viewer] } }));
    assert_eq!(
        bench.pairs("ann"),
        ["REPORT_VIEWER@RETAILER/3", "STORE@AGENT/7001", "STORE@RETAILER/3"]
    );
    bench.data(UPDATE, &json!({ "input": { "id": id, "roles": [] } }));
    assert_eq!(bench.pairs("ann").len(), 3);

    let remove = json!({ "input": { "user": { "username": "ann" },
        "roles": [role("STORE", &[("AGENT", "7001")]), role("REPORT_VIEWER", &[("RETAILER", "3")])] } });
    assert_eq!(
        bench.data(REMOVE, &remove)["removeUserRolesFromUser"]["status"],
        "SUCCESS"
    );
    assert_eq!(bench.pairs("ann"), ["STORE@RETAILER/3"]);
}

#[test]
fn a_user_key_has_to_fit_in_all_parts() {
    let bench = Bench::new();
    bench.create("ann", &json!({}));
    for user in [
        json!({ "id": "1", "username": "ann" }),
        json!({}),
        json!({ "id": "999" }),
    ] {
        let input = json!({ "input": { "user": user, "roles": [] } });
        assert_eq!(bench.code(REMOVE, &input), "C0120E");
    }
    for query in [
        "{ user(id: 1, username: \"ann\") { id } }",
        "{ user(username: \"an%\") { id } }",
    ] {
        assert!(bench.data(query, &json!({}))["user"].is_null());
    }
}

#[test]
fn each_switch_changes_its_answer() {
    let mut behavior = Behavior {
        existing_role: ExistingRole::Replace,
        fresh_status: "CREATED".into(),
        inactive_drops_roles: true,
        duplicate_username_code: "S0002E".into(),
        unknown_role_code: "C0199E".into(),
        unknown_context: ContextCheck::Refuse("C0198E".into()),
        unknown_context_type: ContextCheck::Refuse("C0197E".into()),
        removal_of_absent: RemovalOfAbsent::NotFound,
        username_case: UsernameCase::Insensitive,
        unique_ref: true,
        ..Behavior::default()
    };
    let bench = Bench::with(behavior.clone());
    let user = bench.create("Ann", &json!({ "roles": [role("STORE", &[("AGENT", "7001")])] }));
    assert_eq!(user["status"], "CREATED");
    let code = |query: &str, input| bench.code(query, &json!({ "input": input }));
    assert_eq!(code(CREATE, create_input("ANN", &json!({}))), "S0002E");
    assert_eq!(
        code(CREATE, create_input("bob", &json!({ "ref": "Ann" }))),
        "C0123E"
    );
    let grant = |grant| json!({ "id": user["id"], "roles": [grant] });
    assert_eq!(code(UPDATE, grant(role("GONE", &[("AGENT", "7001")]))), "C0199E");
    assert_eq!(code(UPDATE, grant(role("STORE", &[("AGENT", "1")]))), "C0198E");
    assert_eq!(code(UPDATE, grant(role("STORE", &[("PLANET", "1")]))), "C0197E");
    bench.data(
        UPDATE,
        &json!({ "input": grant(role("STORE", &[("RETAILER", "3")])) }),
    );
    assert_eq!(bench.pairs("ann"), ["STORE@RETAILER/3"], "replaced");
    let absent = json!({ "user": { "username": "ANN" },
        "roles": [role("STORE", &[("RETAILER", "3"), ("AGENT", "7001")])] });
    assert_eq!(code(REMOVE, absent), "C0120E");
    assert_eq!(
        bench.pairs("ann"),
        ["STORE@RETAILER/3"],
        "a refused removal removes nothing"
    );
    behavior.agent_ids = AgentIds::Separate;
    bench.core.with(|inner, _, _| inner.state.set_behavior(behavior));
    assert_eq!(code(UPDATE, grant(role("STORE", &[("AGENT", "7001")]))), "C0198E");
    assert_eq!(code(UPDATE, grant(role("STORE", &[("AGENT", "1007001")]))), "");
    bench.data(
        UPDATE,
        &json!({ "input": { "id": user["id"], "status": "INACTIVE" } }),
    );
    assert!(bench.pairs("ann").is_empty());
}

#[test]
fn lengths_keys_and_permissions_are_checked() {
    let bench = Bench::new();
    let create = |name: &str, more| bench.code(CREATE, &json!({ "input": create_input(name, &more) }));
    assert_eq!(create("ann", json!({ "firstName": "x".repeat(51) })), "C0141E");
    assert_eq!(create("ann", json!({ "ref": "x".repeat(101) })), "C0141E");
    assert_eq!(create("ann", json!({ "password": "" })), "C0140E");
    assert_eq!(
        bench.code(UPDATE, &json!({ "input": { "id": "999", "status": "INACTIVE" } })),
        "C0120E"
    );
    bench
        .core
        .with(|inner, _, _| inner.denied.insert("USER_CREATE".into()));
    let both = "mutation($a: CreateUserInput) { updateUser(input: { id: 1, firstName: \"Z\" }) { id } \
                createUser(input: $a) { id } }";
    let body = bench.ask(both, &json!({ "a": create_input("ann", &json!({})) }));
    assert_eq!(body["errors"][0]["extensions"]["code"], "C0020E");
    assert!(
        body["data"].is_null(),
        "one missing permission fails the whole operation"
    );
    let me = bench.data("{ me { firstName } }", &json!({}));
    assert_eq!(me["me"]["firstName"], "API", "and nothing of it was done");
}

#[test]
fn pages_are_ten_by_default_clamped_and_walkable_by_the_last_cursor() {
    let bench = Bench::new();
    for number in 0..25 {
        bench.create(&format!("user-{number:02}"), &json!({}));
    }
    let page = "query($n: Int, $after: String) { users(first: $n, after: $after) \
                { edges { cursor node { username } } pageInfo { hasNextPage hasPreviousPage } } }";
    let edges = |variables| {
        bench.data(page, &variables)["users"]["edges"]
            .as_array()
            .unwrap()
            .clone()
    };
    assert_eq!(edges(json!({})).len(), 10);
    assert_eq!(edges(json!({ "n": 9_999_999 })).len(), 26);
    let mut seen = Vec::new();
    let mut after = json!(null);
    loop {
        let data = bench.data(page, &json!({ "n": 7, "after": after }));
        let edges = data["users"]["edges"].as_array().unwrap().clone();
        seen.extend(
            edges
                .iter()
                .map(|edge| edge["node"]["username"].as_str().unwrap().to_owned()),
        );
        after = edges.last().unwrap()["cursor"].clone();
        if data["users"]["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(seen.len(), 26);
    assert_eq!(seen[25], "user-24");
    let last = bench.data("{ users(last: 2) { edges { node { username } } } }", &json!({}));
    assert_eq!(last["users"]["edges"][0]["node"]["username"], "user-23");
    assert_eq!(
        bench.code("{ users(after: \"x\") { edges { cursor } } }", &json!({})),
        "C0140E"
    );
}

#[test]
fn filters_take_lists_and_wildcards() {
    let bench = Bench::new();
    for name in ["a_1", "ab1", "b1"] {
        bench.create(name, &json!({}));
    }
    let names = |filter: &str| {
        let data = bench.data(
            &format!("{{ users({filter}) {{ edges {{ node {{ username }} }} }} }}"),
            &json!({}),
        );
        let edges = data["users"]["edges"].as_array().unwrap().clone();
        edges
            .iter()
            .map(|e| e["node"]["username"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("username: \"a%1\""), ["a_1", "ab1"]);
    assert_eq!(names("username: [\"b1\", \"a\\u00621\"]"), ["ab1", "b1"]);
    assert_eq!(names("username: \"a_1\""), ["a_1", "ab1"]);
    assert_eq!(names("username: \"%1\", type: \"ADMIN\""), Vec::<String>::new());
    assert_eq!(
        names("createdOn: { from: \"2030-01-01T00:00:00Z\" }"),
        Vec::<String>::new()
    );
    let behavior = Behavior {
        underscore_wildcard: false,
        ..Behavior::default()
    };
    bench.core.with(|inner, _, _| inner.state.set_behavior(behavior));
    assert_eq!(names("username: \"a_1\""), ["a_1"]);
}

#[test]
fn five_bad_logins_lock_out_for_fifteen_minutes() {
    let bench = Bench::new();
    for _ in 0..5 {
        let (status, body) = bench.login("wrong");
        assert_eq!((status, body["error"].as_str()), (400, Some("invalid_grant")));
        assert_eq!(body["error_description"], "Bad credentials");
    }
    assert_eq!(bench.login("sim-password").0, 400);
    bench.core.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(bench.login("sim-password").0, 200);
}

#[test]
fn tokens_end_by_time_and_by_revocation() {
    let bench = Bench::new();
    assert!(bench.data("{ me { id } }", &json!({}))["me"].is_object());
    bench.core.clock.advance(Duration::from_secs(86_399));
    let (status, body) = super::read(bench.raw("{ me { id } }", &json!({})));
    assert_eq!((status, body["errors"][0]["code"].as_str()), (401, Some("401")));
}

#[test]
fn the_journal_tells_what_became_of_each_mutation_and_stays_bounded() {
    let bench = Bench::new();
    let id = bench.create("ann", &json!({}))["id"].clone();
    bench.data(UPDATE, &json!({ "input": { "id": id, "status": "INACTIVE" } }));
    bench.code(CREATE, &json!({ "input": create_input("ann", &json!({})) }));
    let journal = bench.core.with(|inner, _, _| inner.journal.since(0));
    let told: Vec<_> = journal
        .iter()
        .map(|e| {
            (
                e.seq,
                e.operation.as_str(),
                e.username.as_deref(),
                e.status.as_deref(),
                e.result.clone(),
            )
        })
        .collect();
    let expected = [
        (0, "createUser", Some("ann"), None, JournalResult::Applied),
        (
            1,
            "updateUser",
            Some("ann"),
            Some("INACTIVE"),
            JournalResult::Applied,
        ),
        (
            2,
            "createUser",
            Some("ann"),
            None,
            JournalResult::Refused("C0123E".into()),
        ),
    ];
    assert_eq!(told, expected);
    for _ in 0..1_200 {
        bench.data(UPDATE, &json!({ "input": { "id": id, "firstName": "x" } }));
    }
    let journal = bench.core.with(|inner, _, _| inner.journal.since(0));
    assert_eq!((journal.len(), journal[0].seq), (1_000, 203));
}
