//! The table of hostile requests, sent as bytes over a socket, row by row.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::row::{Aim, Row, Want};
use super::{framing, payload, search};
use crate::world::{ENTRA, STRICT, World};

/// The table holds at least this many rows that get a SCIM error.
const ROWS_MIN: usize = 200;
/// An answer that takes longer is a hang; the slowest row needs a small part of a second.
const HANG: Duration = Duration::from_secs(25);
/// Resident growth that is not a leak. Other tests of this binary run beside the table in the same process,
/// some with bodies of many megabytes, so the bound is wide: it is for a request that multiplies itself.
const GROWTH_MAX: u64 = 512 * 1024 * 1024;
/// Never in an answer: tokens, and names that stand in requests or in the directory.
const PRIVATE: [&str; 7] = [
    ENTRA,
    STRICT,
    "wrong-token",
    "bWFsbG9yeTpzZWNyZXQ",
    "mallory",
    "ida.lovelace",
    "passwd",
];

fn table(aim: &Aim) -> Vec<Row> {
    let mut rows = framing::unframed();
    rows.extend(framing::headers(aim));
    rows.extend(framing::targets(aim));
    rows.extend(payload::broken_json(aim));
    rows.extend(payload::wrong_types(aim));
    rows.extend(payload::resources(aim));
    rows.extend(payload::changes(aim));
    rows.extend(payload::bulks(aim));
    rows.extend(search::filters());
    rows.extend(search::pages());
    rows
}

/// What came back as text, or `None` when nothing came in time. A broken connection ends the text.
async fn exchange(world: &World, request: &[u8], cut: bool) -> Option<String> {
    let (mut read, mut write) = TcpStream::connect(world.address).await.unwrap().into_split();
    let sent = async {
        let _ = write.write_all(request).await;
        if cut {
            let _ = write.shutdown().await;
        }
        write
    };
    let received = async {
        let mut answer = Vec::new();
        let mut part = [0; 4096];
        while !whole(&answer) {
            match read.read(&mut part).await {
                Ok(0) | Err(_) => break,
                Ok(count) => answer.extend_from_slice(&part[..count]),
            }
        }
        answer
    };
    let (_write, answer) = tokio::time::timeout(HANG, async { tokio::join!(sent, received) })
        .await
        .ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}

/// Whether the head and the body that it announces are there.
fn whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .split_once("content-length: ")
        .map(|(_, rest)| rest.split("\r\n").next().unwrap());
    length.is_some_and(|length| body.len() >= length.parse::<usize>().unwrap())
}

fn status_of(answer: &str) -> u16 {
    answer
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or(0)
}

fn body_of(answer: &str) -> Value {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).unwrap_or(Value::Null)
}

/// What is wrong with a SCIM error of this status and keyword.
fn scim_error(error: &Value, status: u16, scim_type: &str) -> Option<String> {
    let fits = error["schemas"] == json!(["urn:ietf:params:scim:api:messages:2.0:Error"])
        && error["status"] == json!(status.to_string())
        && error["scimType"].as_str().unwrap_or_default() == scim_type
        && error["detail"].as_str().is_some_and(|detail| !detail.is_empty());
    (!fits).then(|| format!("wanted {status} {scim_type}"))
}

fn fault(row: &Row, answer: &str) -> Option<String> {
    let (status, body) = (status_of(answer), body_of(answer));
    let private = PRIVATE
        .iter()
        .find(|text| answer.to_ascii_lowercase().contains(**text));
    if let Some(text) = private {
        return Some(format!("the answer repeats {text}"));
    }
    match row.want {
        Want::Unframed => (!answer.is_empty() && !(400..500).contains(&status)).then(|| "taken".to_owned()),
        Want::Scim(wanted, _) if status != wanted => Some(format!("wanted {:?}", row.want)),
        Want::Scim(wanted, scim_type) => scim_error(&body, wanted, scim_type),
        Want::InBulk(..) if status != 200 => Some(format!("wanted {:?}", row.want)),
        Want::InBulk(wanted, scim_type) => {
            let operation = &body["Operations"][0];
            let right = operation["status"] == json!(wanted.to_string());
            let wrong = (!right).then(|| format!("wanted {:?}", row.want));
            wrong.or_else(|| scim_error(&operation["response"], wanted, scim_type))
        }
    }
}

/// Bytes of this process in memory; zero where `/proc` is not.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

#[tokio::test]
async fn every_row_of_the_table_gets_its_error_writes_nothing_and_leaves_the_door_open() {
    let world = World::new().await;
    let user = world.user(ENTRA, "ida.lovelace").await;
    let group = world.group(ENTRA, "g", &[&user]).await;
    let strict = world.user(STRICT, "ida.lovelace").await;
    let rows = table(&Aim { user, strict, group });
    let mut names = BTreeSet::new();
    let twice: Vec<&str> = rows
        .iter()
        .map(|row| row.name.as_str())
        .filter(|name| !names.insert(*name))
        .collect();
    assert!(twice.is_empty(), "names that stand twice: {twice:?}");
    let unframed = rows.iter().filter(|row| row.want == Want::Unframed).count();
    let framed = rows.len() - unframed;
    assert!(
        framed >= ROWS_MIN,
        "{framed} rows and {unframed} that HTTP cannot frame"
    );
    let (before, memory) = (world.events(), resident());
    let (mut wrong, mut written) = (Vec::new(), before.len());
    for row in &rows {
        let answer = exchange(&world, &row.request, row.want == Want::Unframed).await;
        let fault = answer
            .as_deref()
            .map_or(Some("hangs".to_owned()), |answer| fault(row, answer));
        if let Some(fault) = fault {
            let shown: String = answer.unwrap_or_default().chars().take(600).collect();
            let last = shown.split("\r\n\r\n").last().unwrap_or_default();
            wrong.push(format!("{}: {fault}; got {} {last}", row.name, status_of(&shown)));
        }
        let length = world.events().len();
        if length != written {
            wrong.push(format!("{}: something was written", row.name));
            written = length;
        }
        world.get(ENTRA, "/Users?count=1").await.expect(200);
    }
    let grown = resident().saturating_sub(memory);
    println!(
        "{framed} rows and {unframed} that HTTP cannot frame; resident growth {} KiB",
        grown / 1024
    );
    assert!(
        wrong.is_empty(),
        "{} of {framed} + {unframed} rows:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(world.events() == before, "something was written");
    assert!(grown < GROWTH_MAX, "{grown} bytes more in memory");
    assert_eq!(world.metrics.snapshot().panics, 0);
}
