//! One hostile request of the table and what it should get.

use serde_json::{Value, json};

use crate::world::{ENTRA, STRICT};

/// What a row should get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// A SCIM error of this status and `scimType`.
    Scim(u16, &'static str),
    /// 200 for the bulk request, and this SCIM error for its first operation.
    InBulk(u16, &'static str),
    /// What HTTP cannot frame: a closed connection or a bare 4xx.
    Unframed,
}

pub struct Row {
    pub name: String,
    pub request: Vec<u8>,
    pub want: Want,
}

pub const SYNTAX: Want = Want::Scim(400, "invalidSyntax");
pub const VALUE: Want = Want::Scim(400, "invalidValue");
pub const FILTER: Want = Want::Scim(400, "invalidFilter");
pub const PATH: Want = Want::Scim(400, "invalidPath");
pub const MUTABILITY: Want = Want::Scim(400, "mutability");
pub const TARGET: Want = Want::Scim(400, "noTarget");

pub const fn status(status: u16) -> Want {
    Want::Scim(status, "")
}

/// The resources that rows aim at.
pub struct Aim {
    pub user: String,
    /// A user of the connection that forgives nothing.
    pub strict: String,
    pub group: String,
}

pub fn row(name: impl Into<String>, request: Vec<u8>, want: Want) -> Row {
    Row {
        name: name.into(),
        request,
        want,
    }
}

/// The bytes of a request with these header lines and this body, and nothing beside.
pub fn raw(line: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{line}\r\n").into_bytes();
    for header in headers {
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

fn request(token: &str, line: &str, extra: &[&str], body: &[u8]) -> Vec<u8> {
    let (method, target) = line.split_once(' ').unwrap();
    let token = format!("authorization: Bearer {token}");
    let length = format!("content-length: {}", body.len());
    let mut headers = vec!["host: rollcall.example", "connection: close", &token, &length];
    if !extra.iter().any(|header| header.starts_with("content-type")) {
        headers.push("content-type: application/scim+json");
    }
    headers.extend(extra);
    raw(&format!("{method} /scim/v2{target} HTTP/1.1"), &headers, body)
}

/// A well-framed request: `line` is the method and the target below the root.
pub fn send(line: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    request(ENTRA, line, &[], body.as_ref())
}

/// The same over the connection that forgives nothing.
pub fn strictly(line: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    request(STRICT, line, &[], body.as_ref())
}

/// A well-framed request with more headers.
pub fn with(line: &str, extra: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    request(ENTRA, line, extra, body.as_ref())
}

pub fn operations(operations: &Value) -> String {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations})
        .to_string()
}

pub fn bulk(operations: &Value) -> String {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations})
        .to_string()
}
