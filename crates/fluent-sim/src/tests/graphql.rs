//! The GraphQL front end.

use serde_json::json;

use super::{Bench, create_input};

#[test]
fn aliases_fragments_variables_and_directives_work_together() {
    let bench = Bench::new();
    let query = "query Q($id: ID!, $no: Boolean = false) {
        a: userById(id: $id) { ...who __typename ref @skip(if: true) }
        b: userById(id: $id) { ... on User { id roles { role { name } } } status @include(if: $no) }
      }
      fragment who on User { username roles { contexts { contextType contextId } } id }";
    let data = bench.data(query, &json!({ "id": 1 }));
    let roles = json!([{ "contexts": [{ "contextType": "ACCOUNT", "contextId": "0" }] }]);
    let expected = json!({
        "a": { "username": "rollcall-api", "roles": roles, "id": "1", "__typename": "User" },
        "b": { "id": "1", "roles": [{ "role": { "name": "ADMIN" } }] },
    });
    assert_eq!(data, expected);
}

#[test]
fn fields_of_one_key_are_merged() {
    let bench = Bench::new();
    let data = bench.data(
        "{ me { roles { role { name } } roles { role { id } } } }",
        &json!({}),
    );
    assert_eq!(
        data["me"]["roles"][0]["role"],
        json!({ "name": "ADMIN", "id": "1" })
    );
}

#[test]
fn single_values_become_lists_and_numbers_become_ids() {
    let bench = Bench::new();
    let roles = r#"{ role: { name: "STORE" }, contexts: { contextType: "AGENT", contextId: 7001 } }"#;
    let query = format!("mutation {{ updateUser(input: {{ id: 1, roles: {roles} }}) {{ id }} }}");
    bench.data(&query, &json!({}));
    assert_eq!(
        bench.pairs("rollcall-api"),
        ["ADMIN@ACCOUNT/0", "STORE@AGENT/7001"]
    );
    let found = bench.data(
        r#"{ users(username: "rollcall-api") { edges { node { id } } } }"#,
        &json!({}),
    );
    assert_eq!(found["users"]["edges"][0]["node"]["id"], "1");
}

#[test]
fn what_the_schema_does_not_have_is_an_error_of_the_request() {
    let bench = Bench::new();
    for query in [
        "{ users { pageInfo { endCursor } } }",
        "{ users { totalCount } }",
        "mutation { deleteUser(id: 1) { id } }",
        "mutation { updateUser(input: { id: 1, username: \"x\" }) { id } }",
        "mutation { createUser(input: { status: \"ACTIVE\" }) { id } }",
        "{ me }",
        "{ me { id { x } } }",
        "{ userById { id } }",
        "query($a: String) { userById(id: $a) { id } }",
        "query($unused: ID) { me { id } }",
        "{ me { ...gone } }",
        "{ me { ...loop } } fragment loop on User { ...loop }",
        "{ me { id } ",
        "",
        "{ x: me { id } x: userById(id: 1) { id } }",
    ] {
        let body = bench.ask(query, &json!({}));
        assert!(
            body["data"].is_null() && !body["errors"][0]["message"].is_null(),
            "{query}: {body}"
        );
    }
}

#[test]
fn a_missing_variable_has_its_code() {
    let bench = Bench::new();
    assert_eq!(
        bench.code("query($id: ID!) { userById(id: $id) { id } }", &json!({})),
        "C0140E"
    );
}

#[test]
fn depth_is_bounded_without_recursing_to_death() {
    let bench = Bench::new();
    let deep = format!("{}{}", "{ me ".repeat(100_000), "}".repeat(100_000));
    assert!(bench.ask(&deep, &json!({}))["data"].is_null());
    let list = format!(
        "{{ role(name: {}1{}) {{ id }} }}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(bench.ask(&list, &json!({}))["data"].is_null());
}

#[test]
fn fragments_cannot_multiply_without_bound() {
    let bench = Bench::new();
    let mut query = String::from("{ me { ...f0 } }");
    for level in 0..40 {
        let next = level + 1;
        query.push_str(&format!(" fragment f{level} on User {{ ...f{next} ...f{next} }}"));
    }
    query.push_str(" fragment f40 on User { id }");
    assert_eq!(bench.code(&query, &json!({})), "C0001E");
}

#[test]
fn complexity_counts_rows_and_is_refused_above_the_limit() {
    let bench = Bench::new();
    let query = |rows: u32| {
        format!("{{ users(first: {rows}) {{ edges {{ node {{ id roles {{ role {{ name }} }} }} }} }} }}")
    };
    assert_eq!(bench.code(&query(5_000), &json!({})), "", "2 per row is below");
    let costly = "{ users(first: 5000) { edges { node { primaryRetailer { id } primaryLocation { id } \
                  roles { role { name } } } } } }";
    assert_eq!(bench.code(costly, &json!({})), "C0001E");
}

#[test]
fn introspection_tells_whether_removal_exists() {
    let query = "{ __schema { mutationType { fields { name args { type { name ofType { name } } } } } } \
                 __type(name: \"PageInfo\") { kind fields { name type { kind name } } } }";
    let bench = Bench::new();
    let data = bench.data(query, &json!({}));
    let fields = data["__schema"]["mutationType"]["fields"]
        .as_array()
        .unwrap()
        .clone();
    assert!(
        fields
            .iter()
            .any(|field| field["name"] == "removeUserRolesFromUser")
    );
    assert_eq!(data["__type"]["fields"].as_array().unwrap().len(), 2);

    let mut behavior = bench.core.with(|inner, _, _| inner.state.behavior.clone());
    behavior.removal_exists = false;
    bench.core.with(|inner, _, _| inner.state.set_behavior(behavior));
    assert!(
        !bench
            .data(query, &json!({}))
            .to_string()
            .contains("removeUserRolesFromUser\"")
    );
}

#[test]
fn aliased_mutations_fail_one_by_one() {
    let bench = Bench::new();
    let query = "mutation($a: CreateUserInput, $b: CreateUserInput) {
        first: createUser(input: $a) { username }
        second: createUser(input: $b) { username }
        third: createUser(input: $a) { username } }";
    let input = |name| create_input(name, &json!({}));
    let body = bench.ask(query, &json!({ "a": input("ann"), "b": input("bob") }));
    let expected = json!({ "first": { "username": "ann" }, "second": { "username": "bob" }, "third": null });
    assert_eq!(body["data"], expected);
    assert_eq!(body["errors"][0]["path"], json!(["third"]));
    assert_eq!(body["errors"][0]["extensions"]["code"], "C0123E");
}
