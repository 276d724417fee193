//! Rows about the head: framing, headers, methods, paths and conditions.

use super::row::{Aim, Row, SYNTAX, Want, raw, row, send, status, with};
use crate::world::ENTRA;

const POST: &str = "POST /scim/v2/Users HTTP/1.1";
const GET: &str = "GET /scim/v2/Users HTTP/1.1";
const HOST: &str = "host: rollcall.example";
const JSON: &str = "content-type: application/scim+json";
const CHUNKED: &str = "transfer-encoding: chunked";
const MALLORY: &str = r#"{"userName":"mallory"}"#;

/// What is not HTTP, or may be read in two ways by two servers.
pub fn unframed() -> Vec<Row> {
    let token = format!("authorization: Bearer {ENTRA}");
    let head = |extra: &[&str]| {
        let mut headers = vec![HOST, JSON, token.as_str()];
        headers.extend(extra);
        headers.iter().map(ToString::to_string).collect::<Vec<String>>()
    };
    let post = |name: &str, extra: &[&str], body: &[u8]| {
        let headers = head(extra);
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        row(name, raw(POST, &headers, body), Want::Unframed)
    };
    let bytes = |name: &str, bytes: &[u8]| row(name, bytes.to_vec(), Want::Unframed);
    let body = MALLORY.as_bytes();
    vec![
        post("two lengths", &["content-length: 22", "content-length: 21"], body),
        post("two lengths in one line", &["content-length: 22, 21"], body),
        post("a negative length", &["content-length: -1"], body),
        post("a signed length", &["content-length: +22"], body),
        post("a length in hexadecimal", &["content-length: 0x16"], body),
        post("a length of words", &["content-length: many"], body),
        post(
            "a length beyond 64 bits",
            &["content-length: 99999999999999999999"],
            body,
        ),
        post("an empty length", &["content-length:"], body),
        post(
            "chunked that is not last",
            &["transfer-encoding: chunked, identity"],
            body,
        ),
        post(
            "an unknown transfer coding",
            &["transfer-encoding: xchunked"],
            body,
        ),
        post("a chunk without a size", &[CHUNKED], b"\r\n{}\r\n0\r\n\r\n"),
        post("a chunk size of letters", &[CHUNKED], b"zz\r\n{}\r\n0\r\n\r\n"),
        post("a negative chunk size", &[CHUNKED], b"-2\r\n{}\r\n0\r\n\r\n"),
        post(
            "a chunk size beyond 64 bits",
            &[CHUNKED],
            b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        ),
        post(
            "a chunk longer than it says",
            &[CHUNKED],
            b"2\r\n{\"userName\":\"m\"}\r\n0\r\n\r\n",
        ),
        post("a chunk extension without end", &[CHUNKED], &endless_extension()),
        post("a body that is cut", &["content-length: 500"], body),
        post("chunks that are cut", &[CHUNKED], b"16\r\n{\"userName\""),
        post("a space before the colon", &["content-length : 22"], body),
        post(
            "a folded header",
            &["x-a: b\r\n c: d", "content-length: 22"],
            body,
        ),
        post("a header without a name", &[": x", "content-length: 22"], body),
        post(
            "a header without a colon",
            &["nothing", "content-length: 22"],
            body,
        ),
        post("a NUL in a header", &["x-a: b\0c", "content-length: 22"], body),
        post(
            "a NUL in a header's name",
            &["x\0a: b", "content-length: 22"],
            body,
        ),
        post(
            "a bare return in a header",
            &["x-a: b\rc", "content-length: 22"],
            body,
        ),
        row("no host", raw(GET, &[&token], b""), status(400)),
        row(
            "two hosts",
            raw(GET, &[HOST, "host: evil.example", &token], b""),
            status(400),
        ),
        bytes("no version", b"GET /scim/v2/Users\r\n\r\n"),
        bytes(
            "a version to come",
            b"GET /scim/v2/Users HTTP/9.9\r\nhost: x\r\n\r\n",
        ),
        bytes("HTTP 2 without warning", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        bytes("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        bytes("nothing but zeros", &[0; 4096]),
        bytes(
            "a NUL in the target",
            b"GET /scim/v2/Us\0ers HTTP/1.1\r\nhost: x\r\n\r\n",
        ),
        bytes(
            "a space in the target",
            b"GET /scim/v2/Us ers HTTP/1.1\r\nhost: x\r\n\r\n",
        ),
        bytes(
            "broken UTF-8 in the target",
            b"GET /scim/v2/\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
        ),
        bytes(
            "a target that is no path",
            b"GET scim/v2/Users HTTP/1.1\r\nhost: x\r\n\r\n",
        ),
        bytes(
            "a method of brackets",
            b"G{}T /scim/v2/Users HTTP/1.1\r\nhost: x\r\n\r\n",
        ),
    ]
}

fn endless_extension() -> Vec<u8> {
    let mut bytes = b"2;".to_vec();
    bytes.extend(std::iter::repeat_n(b'a', 200_000));
    bytes
}

/// Headers that frame well and mean ill.
pub fn headers(aim: &Aim) -> Vec<Row> {
    let user = format!("/Users/{}", aim.user);
    let (patch, delete) = (format!("PATCH {user}"), format!("DELETE {user}"));
    let rename = r#"{"Operations":[{"op":"replace","path":"title","value":"Lead"}]}"#;
    let mut rows = Vec::new();
    for kind in [
        "text/plain",
        "text/html",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/jsonx",
        "json",
        "\u{e9}",
    ] {
        let header = format!("content-type: {kind}");
        rows.push(row(
            format!("a body of type {kind}"),
            with("POST /Users", &[&header], MALLORY),
            status(415),
        ));
    }
    for condition in [
        "W/\"99\"",
        "\"",
        "nonsense",
        "W/",
        "W/\"1",
        "\u{e9}",
        "W/\"-1\"",
        "W/\"1e9\"",
    ] {
        let header = format!("if-match: {condition}");
        let name = |verb| format!("{verb} if it matches {condition}");
        rows.push(row(name("change"), with(&patch, &[&header], rename), status(412)));
        rows.push(row(name("delete"), with(&delete, &[&header], ""), status(412)));
    }
    for coding in ["gzip", "br", "deflate, gzip", "nonsense"] {
        let header = format!("content-encoding: {coding}");
        rows.push(row(
            format!("a body in {coding}"),
            with("POST /Users", &[&header], MALLORY),
            status(415),
        ));
    }
    rows.extend(credentials());
    let long = format!("x-filler: {}", "a".repeat(40_000));
    rows.push(row(
        "a head without end",
        with("GET /Users", &[&long], ""),
        status(431),
    ));
    let many: Vec<String> = (0..300).map(|n| format!("x-{n}: a")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    rows.push(row(
        "more headers than are read",
        with("GET /Users", &many, ""),
        Want::Unframed,
    ));
    rows.push(row(
        "delete unless there",
        with(&delete, &["if-none-match: *"], ""),
        status(412),
    ));
    rows
}

/// Few: an address that fails often is made to wait.
fn credentials() -> Vec<Row> {
    let good = format!("authorization: Bearer {ENTRA}");
    let get = |name: &str, headers: &[&str]| {
        let mut all = vec![HOST, "connection: close"];
        all.extend(headers);
        row(name, raw(GET, &all, b""), status(401))
    };
    vec![
        get("no credentials", &[]),
        get(
            "two tokens",
            &[&good, "authorization: Bearer wrong-token-0123456789"],
        ),
        get(
            "two tokens, the good one last",
            &["authorization: Bearer wrong-token-0123456789", &good],
        ),
        get("another scheme", &["authorization: Basic bWFsbG9yeTpzZWNyZXQ="]),
        get("a scheme without a token", &["authorization: Bearer"]),
        get("bytes that are no text", &["authorization: Bearer \u{e9}\u{e9}"]),
    ]
}

/// Methods that an endpoint does not take, and paths that lead nowhere.
pub fn targets(aim: &Aim) -> Vec<Row> {
    let mut rows = Vec::new();
    let user = format!("/Users/{}", aim.user);
    for (endpoint, methods) in [
        ("/Users", &["PUT", "PATCH", "DELETE", "OPTIONS"][..]),
        ("/Groups", &["PUT", "PATCH", "DELETE", "TRACE"]),
        (user.as_str(), &["POST", "PROPFIND"]),
        ("/Bulk", &["GET", "PUT", "DELETE"]),
        ("/Users/.search", &["GET", "PUT", "DELETE"]),
        ("/ServiceProviderConfig", &["POST", "PUT", "DELETE"]),
        ("/Schemas", &["POST", "PATCH"]),
        ("/ResourceTypes", &["POST", "BREW"]),
    ] {
        for method in methods {
            let line = format!("{method} {endpoint}");
            rows.push(row(
                line.replace(&aim.user, "ID"),
                send(&line, MALLORY),
                status(405),
            ));
        }
    }
    for path in [
        "/..",
        "/../Users",
        "/Users/..",
        "/Users/../Groups",
        "/Users/.",
        "/Users/%2e%2e",
        "/Users/%2E%2E%2FGroups",
        "//Users",
        "//",
        "/./Users",
        "/Users//",
        "/users",
        "/USERS",
        "/Users%00",
        "/Users/%00",
        "/Users/%ff%fe",
        "/Users/%zz",
        "/Users;x=y",
        "/Users/..%5c..%5cwindows",
        "/Users/a/b/c/d/e/f",
        "/Robots",
        "/Users/urn:uuid:00000000-0000-4000-8000-000000000000",
        "/Schemas/urn:evil:schema",
        "/Schemas/..%2f",
        "/ResourceTypes/Robot",
    ] {
        rows.push(row(
            format!("the path {path}"),
            send(&format!("GET {path}"), ""),
            status(404),
        ));
    }
    rows.push(row(
        "a user as a group",
        send(&format!("GET /Groups/{}", aim.user), ""),
        status(404),
    ));
    rows.push(row(
        "a group as a user",
        send(&format!("DELETE /Users/{}", aim.group), ""),
        status(404),
    ));
    rows.push(row(
        "an id in capitals that is nobody",
        send("DELETE /Users/ABC", ""),
        status(404),
    ));
    rows.push(row(
        "the self of nobody",
        send("GET /Me", ""),
        Want::Scim(501, ""),
    ));
    let target = format!("GET /Users?filter={}", "a".repeat(9_000));
    rows.push(row("a target without end", send(&target, ""), status(414)));
    rows.push(row(
        "a body with an announced size beyond the bound",
        oversized(),
        status(413),
    ));
    rows.push(row("a body without a type or length", untyped(), SYNTAX));
    rows
}

/// Only announced: the answer comes before the body does.
fn oversized() -> Vec<u8> {
    let token = format!("authorization: Bearer {ENTRA}");
    raw(POST, &[HOST, JSON, &token, "content-length: 900000000"], b"{")
}

fn untyped() -> Vec<u8> {
    let token = format!("authorization: Bearer {ENTRA}");
    raw(POST, &[HOST, &token, JSON, "connection: close"], b"")
}
