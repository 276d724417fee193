//! Requests that nobody means well with: each gets the right status and a SCIM error, and nothing is written.

mod framing;
mod payload;
mod row;
mod search;
mod table;

use http::{HeaderValue, Method};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::{ENTRA, World, query, user};

struct Case {
    name: &'static str,
    method: Method,
    path: String,
    body: Vec<u8>,
    status: u16,
    scim_type: &'static str,
}

fn case(
    name: &'static str,
    method: Method,
    path: impl Into<String>,
    body: impl AsRef<[u8]>,
    (status, scim_type): (u16, &'static str),
) -> Case {
    Case {
        name,
        method,
        path: path.into(),
        body: body.as_ref().to_vec(),
        status,
        scim_type,
    }
}

const SYNTAX: (u16, &str) = (400, "invalidSyntax");
const VALUE: (u16, &str) = (400, "invalidValue");
const FILTER: (u16, &str) = (400, "invalidFilter");
const PATH: (u16, &str) = (400, "invalidPath");

fn bodies() -> Vec<Case> {
    let post = |name, body: &[u8], expected| case(name, Method::POST, "/Users", body, expected);
    let named = |extra: Value| {
        let mut body = user("mallory");
        body.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        body.to_string()
    };
    let deep = |open: &str, close: &str, depth: usize| {
        format!("{{\"userName\":{}1{}}}", open.repeat(depth), close.repeat(depth))
    };
    vec![
        post("nothing", b"", SYNTAX),
        post("not JSON", b"userName=mallory", SYNTAX),
        post("cut JSON", b"{\"userName\":\"mallory\"", SYNTAX),
        post("text behind the JSON", b"{\"userName\":\"mallory\"}{}", SYNTAX),
        post("a list", b"[{\"userName\":\"mallory\"}]", SYNTAX),
        post("null", b"null", SYNTAX),
        post("broken UTF-8", b"{\"userName\":\"\xff\xfe\"}", SYNTAX),
        post("overlong UTF-8", b"{\"userName\":\"\xc0\x80\"}", SYNTAX),
        post("half a surrogate", b"{\"userName\":\"\\ud800\"}", SYNTAX),
        post("a raw control character", b"{\"userName\":\"a\nb\"}", SYNTAX),
        post("NaN", b"{\"userName\":NaN}", SYNTAX),
        post(
            "a number beyond all bounds",
            b"{\"userName\":\"m\",\"title\":1e999}",
            SYNTAX,
        ),
        post(
            "a member twice",
            b"{\"userName\":\"a\",\"userName\":\"b\"}",
            SYNTAX,
        ),
        post(
            "a member twice in other case",
            b"{\"userName\":\"a\",\"USERNAME\":\"b\"}",
            SYNTAX,
        ),
        post("deep lists", deep("[", "]", 100_000).as_bytes(), SYNTAX),
        post("deep objects", deep("{\"a\":", "}", 100_000).as_bytes(), SYNTAX),
        post(
            "a null character in UTF-16",
            "{}".encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<u8>>()
                .as_slice(),
            SYNTAX,
        ),
        post("no name", b"{}", VALUE),
        post("an empty name", b"{\"userName\":\"\"}", VALUE),
        post("a blank name", b"{\"userName\":\"  \\t\"}", VALUE),
        post("a null name", b"{\"userName\":null}", VALUE),
        post("a name that is an object", b"{\"userName\":{\"a\":1}}", VALUE),
        post(
            "a name without end",
            format!("{{\"userName\":\"{}\"}}", "x".repeat(100_000)).as_bytes(),
            VALUE,
        ),
        post(
            "active that is no boolean",
            named(json!({"active": "perhaps"})).as_bytes(),
            VALUE,
        ),
        post(
            "active that is a list",
            named(json!({"active": [true, false]})).as_bytes(),
            VALUE,
        ),
        post(
            "a mail list of texts in lists",
            named(json!({"emails": [[["x"]]]})).as_bytes(),
            VALUE,
        ),
        post(
            "a name object that is text",
            named(json!({"name": "Mallory"})).as_bytes(),
            VALUE,
        ),
        post(
            "schemas of another type",
            named(json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"]})).as_bytes(),
            SYNTAX,
        ),
        post(
            "schemas that are numbers",
            named(json!({"schemas": [1, 2]})).as_bytes(),
            VALUE,
        ),
        post(
            "SCIM 1.1",
            named(json!({"schemas": ["urn:scim:schemas:core:1.0"]})).as_bytes(),
            (400, "invalidVers"),
        ),
        post(
            "an extension that is a list",
            named(json!({"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": []})).as_bytes(),
            VALUE,
        ),
        post(
            "too many values",
            format!("{{\"userName\":\"m\",\"emails\":[{}0]}}", "0,".repeat(300_000)).as_bytes(),
            (413, ""),
        ),
        case(
            "a group without a name",
            Method::POST,
            "/Groups",
            "{\"members\":[]}",
            VALUE,
        ),
        case(
            "members that are a number",
            Method::POST,
            "/Groups",
            "{\"displayName\":\"g\",\"members\":[{}]}",
            VALUE,
        ),
        case(
            "a search that is text",
            Method::POST,
            "/Users/.search",
            "\"filter\"",
            SYNTAX,
        ),
    ]
}

fn patches(user: &str, group: &str) -> Vec<Case> {
    let on = |path: String| {
        move |name, operations: Value, expected| {
            let schemas = json!(["urn:ietf:params:scim:api:messages:2.0:PatchOp"]);
            let body = json!({"schemas": schemas, "Operations": operations});
            case(name, Method::PATCH, path.clone(), body.to_string(), expected)
        }
    };
    let (on_user, on_group) = (on(format!("/Users/{user}")), on(format!("/Groups/{group}")));
    let many: Vec<Value> = (0..1001)
        .map(|_| json!({"op": "remove", "path": "title"}))
        .collect();
    vec![
        case(
            "a patch of nothing",
            Method::PATCH,
            format!("/Users/{user}"),
            "{}",
            SYNTAX,
        ),
        case(
            "operations that are an object",
            Method::PATCH,
            format!("/Users/{user}"),
            "{\"Operations\":{}}",
            SYNTAX,
        ),
        on_user(
            "an unknown operation",
            json!([{"op": "drop", "path": "title"}]),
            SYNTAX,
        ),
        on_user(
            "an operation without its name",
            json!([{"path": "title", "value": "x"}]),
            SYNTAX,
        ),
        on_user("removal of nothing", json!([{"op": "remove"}]), (400, "noTarget")),
        on_user(
            "a path that is a number",
            json!([{"op": "replace", "path": 7, "value": "x"}]),
            PATH,
        ),
        on_user(
            "a path with open brackets",
            json!([{"op": "replace", "path": "emails[type eq \"work\"", "value": "x"}]),
            PATH,
        ),
        on_user(
            "a path of brackets",
            json!([{"op": "replace", "path": "[".repeat(10_000), "value": "x"}]),
            PATH,
        ),
        on_user(
            "removal of the name",
            json!([{"op": "remove", "path": "userName"}]),
            (400, "mutability"),
        ),
        on_user(
            "an empty new name",
            json!([{"op": "replace", "path": "userName", "value": ""}]),
            VALUE,
        ),
        on_user(
            "active that is an object",
            json!([{"op": "replace", "path": "active", "value": {"a": 1}}]),
            VALUE,
        ),
        on_user(
            "a good operation before a bad one",
            json!([
                {"op": "replace", "path": "title", "value": "Lead"},
                {"op": "replace", "path": "userName", "value": ""},
            ]),
            VALUE,
        ),
        on_user("more operations than are taken", Value::Array(many), (413, "")),
        on_group(
            "members without ids",
            json!([{"op": "add", "path": "members", "value": [{"display": "x"}]}]),
            VALUE,
        ),
        on_group(
            "members by their display",
            json!([{"op": "remove", "path": "members[display eq \"x\"]"}]),
            FILTER,
        ),
        on_group(
            "an absurd member id",
            json!([{"op": "add", "path": "members", "value": [{"value": "../../etc/passwd"}]}]),
            VALUE,
        ),
        on_group(
            "removal of the name",
            json!([{"op": "remove", "path": "displayName"}]),
            (400, "mutability"),
        ),
    ]
}

fn queries() -> Vec<Case> {
    let get = |name, path: String, expected| case(name, Method::GET, path, "", expected);
    let filter = |name, text: &str| get(name, format!("/Users?filter={}", query(text)), FILTER);
    vec![
        filter("a filter of one word", "userName"),
        filter("a filter with an open quote", "userName eq \"x"),
        filter("an unknown operator", "userName is \"x\""),
        filter("an unknown attribute", "shoeSize eq \"46\""),
        filter(
            "an attribute of another schema",
            "urn:evil:User:userName eq \"x\"",
        ),
        filter(
            "a deep filter",
            &format!("{}userName pr{}", "(".repeat(1000), ")".repeat(1000)),
        ),
        filter("a filter of many terms", &vec!["title pr"; 200].join(" or ")),
        filter("an order of booleans", "active gt true"),
        filter("injected SQL", "userName eq \"x\" ; drop table users"),
        get("a broken escape", "/Users?filter=%zz".to_owned(), FILTER),
        get(
            "bytes that are no UTF-8",
            "/Users?filter=%ff%fe".to_owned(),
            FILTER,
        ),
        get(
            "two filters",
            "/Users?filter=title%20pr&filter=active%20pr".to_owned(),
            FILTER,
        ),
        get("a count in words", "/Users?count=ten".to_owned(), VALUE),
        get(
            "a start that is a fraction",
            "/Groups?startIndex=1.5".to_owned(),
            VALUE,
        ),
        get(
            "too many attribute names",
            format!("/Users?attributes={}", "title,".repeat(200)),
            VALUE,
        ),
        get(
            "a target without end",
            format!("/Users?filter={}", "a".repeat(9_000)),
            (414, ""),
        ),
        get(
            "an id that climbs",
            "/Users/..%2F..%2Fetc%2Fpasswd".to_owned(),
            (404, ""),
        ),
        get("an id with a null", "/Users/%00".to_owned(), (404, "")),
        get(
            "an id without end",
            format!("/Users/{}", "a".repeat(4_000)),
            (404, ""),
        ),
        get(
            "an id that is a URN",
            "/Users/urn:uuid:00000000-0000-4000-8000-000000000000".to_owned(),
            (404, ""),
        ),
        get(
            "a group as a user",
            "/Users/{00000000-0000-4000-8000-000000000000}".replace(['{', '}'], ""),
            (404, ""),
        ),
        get("an unknown URN", "/Schemas/urn:evil:schema".to_owned(), (404, "")),
    ]
}

#[tokio::test]
async fn a_hostile_request_gets_its_status_and_writes_nothing() {
    let world = World::new().await;
    let ida = world.user(ENTRA, "ida").await;
    let group = world.group(ENTRA, "g", &[&ida]).await;
    let before = world.events();
    let mut cases = bodies();
    cases.extend(patches(&ida, &group));
    cases.extend(queries());
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let reply = world
            .request(world.build(ENTRA, case.method, &case.path, case.body))
            .await;
        let seen = (
            reply.status.as_u16(),
            reply.body["scimType"].as_str().unwrap_or_default(),
        );
        if seen != (case.status, case.scim_type) {
            wrong.push(format!(
                "{}: expected {} {}, got {seen:?} {}",
                case.name, case.status, case.scim_type, reply.text
            ));
        }
        if reply.text.contains("mallory") || reply.text.len() > 2048 {
            wrong.push(format!("{}: the answer repeats the request", case.name));
        }
        if reply.body["schemas"] != json!(["urn:ietf:params:scim:api:messages:2.0:Error"]) {
            wrong.push(format!("{}: no SCIM error", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(world.events() == before, "something was written");
    assert_eq!(world.metrics.snapshot().panics, 0);
}

#[tokio::test]
async fn a_body_that_is_no_json_by_its_type_is_415() {
    let world = World::new().await;
    for kind in [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-16",
        "\u{e9}",
    ] {
        let mut request = world.build(ENTRA, Method::POST, "/Users", user("ida").to_string());
        request
            .headers_mut()
            .insert("content-type", HeaderValue::from_bytes(kind.as_bytes()).unwrap());
        world.request(request).await.expect_error(415, "");
    }
    assert_eq!(world.events().len(), 0);
}

#[tokio::test]
async fn headers_beyond_the_bound_are_431() {
    let world = World::new().await;
    let mut request = world.build(ENTRA, Method::GET, "/Users", "");
    request
        .headers_mut()
        .insert("x-filler", HeaderValue::from_str(&"a".repeat(20_000)).unwrap());
    world.request(request).await.expect_error(431, "");
}

#[tokio::test]
async fn what_is_no_http_ends_the_connection_and_nothing_else() {
    let world = World::new().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET /scim/v2/Users\r\n\r\n",
        b"POST /scim/v2/Users HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n{}",
        b"POST /scim/v2/Users HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n{}",
        b"GET /scim/v2/Users HTTP/1.1\r\nhost: x\r\nauth\0orization: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let text = String::from_utf8_lossy(&answer);
        assert!(
            answer.is_empty() || text.starts_with("HTTP/1.1 4") || text.starts_with("HTTP/1.0 4"),
            "{text}"
        );
    }
    world.get(ENTRA, "/Users").await.expect(200);
    assert_eq!(world.events().len(), 0);
}
