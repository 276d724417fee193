//! What needs no tolerance, and how the strict dialect refuses what does.

use super::*;

#[test]
fn a_strict_refusal_names_the_attribute_and_reads_as_a_sentence() {
    for (sent, start) in [
        (user(json!({"shoeSize": 44})), "shoeSize: "),
        (user(json!({"active": "False"})), "active: "),
        (user(json!({"password": "secret"})), "password: "),
        (user(json!({USER_URN: {"title": "x"}})), USER_URN),
        (
            patch(json!([{"op": "add", "path": "shoeSize", "value": 1}])),
            "operation 1: shoeSize: ",
        ),
        (
            patch(json!([{"op": "add", "path": "emails[value eq \"secret\"].label", "value": 1}])),
            "operation 1: emails.label: ",
        ),
        (
            patch(json!([{"op": "add", "path": "department", "value": "x"}])),
            "operation 1: department: ",
        ),
        (
            patch(json!([{"op": "add", "value": {"name.givenName": "x"}}])),
            "operation 1: name.givenName: ",
        ),
        (
            group(json!({"members": [{"value": "u", "type": "Robot"}]})),
            "members.type: ",
        ),
    ] {
        let detail = read(Dialect::Strict, &sent).map(|_| ()).unwrap_err().detail;
        assert!(detail.starts_with(start), "{detail}");
        assert!(
            detail.contains(": not taken in the strict dialect of this connection: "),
            "{detail}"
        );
        assert!(!detail.contains("secret"), "{detail}");
    }
}

#[test]
fn what_is_by_the_rfc_is_not_counted() {
    for sent in [
        user(
            json!({"active": true, "emails": [{"value": "i@x", "type": "work", "primary": true}],
                    "roles": [{"value": ROLE, "display": "d", "type": "t", "primary": true}],
                    ENTERPRISE_URN: {"manager": {"value": "u-1"}}}),
        ),
        group(json!({"members": [{"value": "u-1", "type": "User", "$ref": "../Users/u-1"}]})),
        patch(
            json!([{"op": "add", "path": "emails[type eq \"work\"].value", "value": "i@x"},
                     {"op": "replace", "value": {"title": "x", ENTERPRISE_URN: {"department": "d"}}}]),
        ),
        group_patch(json!([{"op": "remove", "path": "members[value eq \"u-1\"]"}])),
        Sent::Filter(
            r#"userName eq "ida" and (active eq true or not (meta.created gt "2026-01-01T00:00:00Z"))"#,
        ),
        Sent::Filter(r#"emails[type eq "work" and value co "\"x\""] and title pr"#),
    ] {
        for dialect in [Dialect::Tolerant, Dialect::Strict] {
            let seen = read(dialect, &sent).unwrap();
            assert!(seen.tolerated.is_empty() && !seen.noted, "{:?}", seen.tolerated);
        }
    }
}
