//! Rows about bodies: what is no JSON, and JSON that is no resource, change or bulk request.

use serde_json::{Value, json};

use super::row::{
    Aim, FILTER, MUTABILITY, PATH, Row, SYNTAX, TARGET, VALUE, Want, bulk, operations, row, send, status,
    strictly,
};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// Every broken text at every door that takes a body.
pub fn broken_json(aim: &Aim) -> Vec<Row> {
    let deep =
        |open: &str, close: &str| format!("{{\"a\":{}1{}}}", open.repeat(50_000), close.repeat(50_000));
    let utf16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let texts: [(&str, Vec<u8>); 16] = [
        ("cut JSON", b"{\"userName\":\"mallory\"".to_vec()),
        ("text behind", b"{}{}".to_vec()),
        ("null", b"null".to_vec()),
        ("a list", b"[{}]".to_vec()),
        ("broken UTF-8", b"{\"userName\":\"\xff\xfe\"}".to_vec()),
        ("overlong UTF-8", b"{\"userName\":\"\xc0\x80\"}".to_vec()),
        ("half a surrogate", b"{\"userName\":\"\\ud800\"}".to_vec()),
        ("UTF-16", utf16),
        ("a raw NUL", b"{\"userName\":\"a\0b\"}".to_vec()),
        ("a number beyond all bounds", b"{\"a\":1e999}".to_vec()),
        ("a number that starts with zero", b"{\"a\":007}".to_vec()),
        ("a key twice", b"{\"userName\":\"a\",\"userName\":\"b\"}".to_vec()),
        (
            "a key twice, once escaped",
            b"{\"userName\":\"a\",\"user\\u004eame\":\"b\"}".to_vec(),
        ),
        ("deep lists", deep("[", "]").into_bytes()),
        ("deep objects", deep("{\"a\":", "}").into_bytes()),
        ("a comment", b"{/* a */\"userName\":\"mallory\"}".to_vec()),
    ];
    let (user, group) = (&aim.user, &aim.group);
    let doors = [
        ("create a user", "POST /Users".to_owned()),
        ("replace a user", format!("PUT /Users/{user}")),
        ("change a user", format!("PATCH /Users/{user}")),
        ("change a group", format!("PATCH /Groups/{group}")),
        ("search", "POST /Users/.search".to_owned()),
        ("bulk", "POST /Bulk".to_owned()),
    ];
    let mut rows = Vec::new();
    for (door, line) in &doors {
        for (text, body) in &texts {
            rows.push(row(format!("{door}: {text}"), send(line, body), SYNTAX));
        }
    }
    rows
}

/// Values of the wrong type, over the strict connection: created, put and patched.
pub fn wrong_types(aim: &Aim) -> Vec<Row> {
    let mut rows = Vec::new();
    for (attribute, value) in [
        ("userName", json!(7)),
        ("userName", json!(["mallory"])),
        ("userName", json!("")),
        ("userName", json!("m".repeat(70_000))),
        ("active", json!("perhaps")),
        ("active", json!([true])),
        ("active", json!(1)),
        ("name", json!("Mallory")),
        ("name", json!([])),
        ("name", json!({"familyName": {}})),
        ("displayName", json!({"value": "x"})),
        ("title", json!(true)),
        ("externalId", json!({})),
        ("emails", json!("mallory@evil.example")),
        ("emails", json!([7])),
        ("emails", json!([{"value": []}])),
        ("emails", json!([{"value": "a@b.example", "primary": "first"}])),
        ("phoneNumbers", json!([[["x"]]])),
        ("addresses", json!([{"locality": 7}])),
        ("roles", json!([{"value": {}}])),
        (ENTERPRISE, json!("sales")),
        (ENTERPRISE, json!([])),
    ] {
        let text: String = format!("{attribute} as {value}").chars().take(90).collect();
        let mut body = json!({"schemas": [USER], "userName": "mallory"});
        body[attribute] = value.clone();
        let put = format!("PUT /Users/{}", aim.strict);
        rows.push(row(
            format!("create: {text}"),
            strictly("POST /Users", body.to_string()),
            VALUE,
        ));
        rows.push(row(
            format!("put: {text}"),
            strictly(&put, body.to_string()),
            VALUE,
        ));
        let change = operations(&json!([{"op": "replace", "path": attribute, "value": value}]));
        let patch = format!("PATCH /Users/{}", aim.strict);
        rows.push(row(format!("patch: {text}"), strictly(&patch, change), VALUE));
    }
    rows
}

/// Bodies that are JSON and no resource.
pub fn resources(aim: &Aim) -> Vec<Row> {
    let post = |name: &str, body: Value, want| row(name, strictly("POST /Users", body.to_string()), want);
    let group = |name: &str, members: Value, want| {
        let body = json!({"schemas": [GROUP], "displayName": "h", "members": members});
        row(name, send("POST /Groups", body.to_string()), want)
    };
    let stranger = "00000000-0000-4000-8000-000000000000";
    vec![
        post("no attributes", json!({}), SYNTAX),
        post("no schemas", json!({"userName": "mallory"}), SYNTAX),
        post("no name", json!({"schemas": [USER]}), VALUE),
        post(
            "the URN of a group",
            json!({"schemas": [GROUP], "userName": "mallory"}),
            SYNTAX,
        ),
        post(
            "SCIM 1.1",
            json!({"schemas": ["urn:scim:schemas:core:1.0"], "userName": "m"}),
            Want::Scim(400, "invalidVers"),
        ),
        post(
            "a name taken",
            json!({"schemas": [USER], "userName": "IDA.Lovelace"}),
            Want::Scim(409, "uniqueness"),
        ),
        group("members as text", json!("x"), VALUE),
        group("a member without an id", json!([{"display": "x"}]), VALUE),
        group(
            "a member id that climbs",
            json!([{"value": "../../etc/passwd"}]),
            VALUE,
        ),
        group("a member id as a number", json!([{"value": 7}]), VALUE),
        group("a member id as a list", json!([{"value": [aim.user]}]), VALUE),
        group("a member that is nobody", json!([{"value": stranger}]), VALUE),
        group(
            "a member by bulkId outside bulk",
            json!([{"value": "bulkId:x"}]),
            VALUE,
        ),
        group("a member id with a NUL", json!([{"value": "a\0b"}]), VALUE),
        row(
            "a group without a name",
            send("POST /Groups", json!({"schemas": [GROUP]}).to_string()),
            VALUE,
        ),
    ]
}

/// PATCH of RFC 7644 section 3.5.2.
pub fn changes(aim: &Aim) -> Vec<Row> {
    let user = |name: &str, ops: Value, want| {
        row(
            format!("patch: {name}"),
            strictly(&format!("PATCH /Users/{}", aim.strict), operations(&ops)),
            want,
        )
    };
    let group = |name: &str, ops: Value, want| {
        row(
            format!("patch a group: {name}"),
            send(&format!("PATCH /Groups/{}", aim.group), operations(&ops)),
            want,
        )
    };
    let mut rows = vec![
        user("no operations", json!([]), SYNTAX),
        user("operations as text", json!("x"), SYNTAX),
        user("an operation as a number", json!([7]), SYNTAX),
        user(
            "an unknown operation",
            json!([{"op": "move", "path": "title", "value": "x"}]),
            SYNTAX,
        ),
        user(
            "an operation as a list",
            json!([{"op": ["add"], "path": "title", "value": "x"}]),
            SYNTAX,
        ),
        user("removal of all", json!([{"op": "remove"}]), TARGET),
        user(
            "removal of the name",
            json!([{"op": "remove", "path": "userName"}]),
            MUTABILITY,
        ),
        user(
            "a new id",
            json!([{"op": "replace", "path": "id", "value": "x"}]),
            MUTABILITY,
        ),
        user(
            "a new meta",
            json!([{"op": "replace", "path": "meta.created", "value": "x"}]),
            MUTABILITY,
        ),
        user(
            "groups of a user",
            json!([{"op": "add", "path": "groups", "value": [{"value": aim.group}]}]),
            MUTABILITY,
        ),
        user(
            "removal of groups",
            json!([{"op": "remove", "path": "groups"}]),
            MUTABILITY,
        ),
        user(
            "a change of what is not there",
            json!([{"op": "replace", "path": "emails[type eq \"fax\"].value", "value": "a@b.example"}]),
            TARGET,
        ),
        user(
            "a change and its contradiction",
            json!([
                {"op": "replace", "path": "title", "value": "Lead"},
                {"op": "remove", "path": "userName"},
            ]),
            MUTABILITY,
        ),
        user(
            "a value that only the second operation spoils",
            json!([
                {"op": "replace", "path": "active", "value": false},
                {"op": "replace", "path": "active", "value": {"off": true}},
            ]),
            VALUE,
        ),
        user(
            "more operations than are taken",
            Value::Array(vec![json!({"op": "remove", "path": "title"}); 1_500]),
            status(413),
        ),
        group(
            "members without ids",
            json!([{"op": "add", "path": "members", "value": [{}]}]),
            VALUE,
        ),
        group(
            "a member id that climbs",
            json!([{"op": "add", "path": "members", "value": [{"value": "../x"}]}]),
            VALUE,
        ),
        group(
            "removal of the name",
            json!([{"op": "remove", "path": "displayName"}]),
            MUTABILITY,
        ),
        group(
            "members as a number",
            json!([{"op": "replace", "path": "members", "value": 7}]),
            VALUE,
        ),
    ];
    let deep = format!("emails[{}type pr{}]", "(".repeat(5_000), ")".repeat(5_000));
    let wide = format!("emails[{}]", vec!["type eq \"a\""; 500].join(" and "));
    let inner = "emails[type eq \"a\" and ".repeat(300);
    for path in [
        "emails[",
        "emails[type",
        "emails[type eq",
        "emails[type eq \"work\"",
        "emails]",
        "emails[type pr].",
        "emails[type pr]..value",
        "emails[type pr]value",
        ".",
        "..",
        "name..familyName",
        "name.",
        "[",
        "\"",
        "\0",
        "urn:",
        "urn:evil:User:",
        "$.userName",
        "/userName",
        "userName[0]",
        "userName eq \"x\"",
        &deep,
        &wide,
        &inner,
    ] {
        let text: String = path.escape_debug().take(40).collect();
        rows.push(user(
            &format!("the path {text}, {} bytes", path.len()),
            json!([{"op": "replace", "path": path, "value": "x"}]),
            PATH,
        ));
    }
    for path in [
        "emails[]",
        "emails[[type pr]]",
        "emails[0].value",
        "emails[type like \"work\"].value",
    ] {
        let ops = json!([{"op": "replace", "path": path, "value": "x"}]);
        rows.push(user(&format!("the filter in {path}"), ops, FILTER));
    }
    rows
}

/// Bulk of RFC 7644 section 3.7: refused whole, or in the operation alone.
pub fn bulks(aim: &Aim) -> Vec<Row> {
    let whole =
        |name: &str, ops: Value, want| row(format!("bulk: {name}"), send("POST /Bulk", bulk(&ops)), want);
    let one = |name: &str, op: Value, want| {
        row(
            format!("bulk: {name}"),
            send("POST /Bulk", bulk(&json!([op]))),
            want,
        )
    };
    let syntax = Want::InBulk(400, "invalidSyntax");
    let mallory = json!({"schemas": [USER], "userName": "mallory"});
    let member = |of: &str| {
        let members = json!([{"value": format!("bulkId:{of}")}]);
        json!({"schemas": [GROUP], "displayName": of, "members": members})
    };
    let taken = json!({"schemas": [USER], "userName": "ida.lovelace"});
    vec![
        whole("operations as text", json!("x"), SYNTAX),
        whole("no operations", Value::Null, SYNTAX),
        one("an operation as a number", json!(7), syntax),
        whole(
            "too many",
            Value::Array(vec![json!({"method": "DELETE", "path": "/Users/x"}); 5_000]),
            status(413),
        ),
        one(
            "an unknown method",
            json!({"method": "BREW", "path": "/Users", "bulkId": "a", "data": mallory}),
            syntax,
        ),
        one(
            "GET",
            json!({"method": "GET", "path": format!("/Users/{}", aim.user)}),
            syntax,
        ),
        one(
            "no method",
            json!({"path": "/Users", "bulkId": "a", "data": mallory}),
            syntax,
        ),
        one(
            "no path",
            json!({"method": "POST", "bulkId": "a", "data": mallory}),
            syntax,
        ),
        one(
            "no data",
            json!({"method": "POST", "path": "/Users", "bulkId": "a"}),
            syntax,
        ),
        one(
            "bulk in bulk",
            json!({"method": "POST", "path": "/Bulk", "bulkId": "a", "data": {"Operations": []}}),
            Want::InBulk(404, ""),
        ),
        one(
            "a path that climbs",
            json!({"method": "DELETE", "path": "/Users/../Groups/x"}),
            Want::InBulk(404, ""),
        ),
        one(
            "the path of another server",
            json!({"method": "DELETE", "path": "https://evil.example/Users/x"}),
            Want::InBulk(404, ""),
        ),
        one(
            "a resource that is not there",
            json!({"method": "DELETE", "path": "/Users/x"}),
            Want::InBulk(404, ""),
        ),
        one(
            "a stale version",
            json!({"method": "DELETE", "path": format!("/Users/{}", aim.user), "version": "W/\"99\""}),
            Want::InBulk(412, ""),
        ),
        one(
            "a name taken",
            json!({"method": "POST", "path": "/Users", "bulkId": "a", "data": taken}),
            Want::InBulk(409, "uniqueness"),
        ),
        one(
            "a bulkId that nobody has",
            json!({"method": "POST", "path": "/Groups", "bulkId": "a", "data": member("b")}),
            Want::InBulk(400, "invalidValue"),
        ),
    ]
}
