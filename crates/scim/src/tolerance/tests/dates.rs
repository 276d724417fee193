//! Dates in filters.

use super::*;

#[test]
fn a_date_without_zone_is_in_utc() {
    for (text, plain) in [
        (
            "meta.created ge \"2026-01-02T00:00:00\"",
            "meta.created ge \"2026-01-02T00:00:00Z\"",
        ),
        (
            "meta.created ge \"2026-01-02\"",
            "meta.created ge \"2026-01-02T00:00:00Z\"",
        ),
    ] {
        let (lax, seen) = parse_filter(Dialect::Tolerant, text).unwrap();
        let (plain, none) = parse_filter(Dialect::Strict, plain).unwrap();
        assert!(seen.has(Quirk::LooseDate) && none.is_empty(), "{text}");
        for created in ["2026-01-01T23:59:59.999Z", "2026-01-02T00:00:00Z"] {
            let there = json!({"meta": {"created": created}});
            let there = there.as_object().unwrap();
            assert_eq!(lax.matches(there), plain.matches(there), "{text} {created}");
        }
        let refused = parse_filter(Dialect::Strict, text).unwrap_err();
        assert_eq!(
            Strict::Refuses(refused.scim_type.unwrap()),
            Quirk::LooseDate.row().strict
        );
    }
}

/// RFC 7643 section 2.3.5 asks for an xsd:dateTime; what only reads as a point in time is not one.
#[test]
fn a_date_is_strict_only_as_the_rfc_writes_it() {
    let strict = |date: &str| {
        let text = format!("meta.created ge \"{date}\"");
        parse_filter(Dialect::Tolerant, &text).unwrap().1.is_empty()
            && parse_filter(Dialect::Strict, &text).is_ok()
    };
    for date in [
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05.1234567Z",
        "2026-01-02T03:04:05+01:00",
    ] {
        assert!(strict(date), "{date}");
    }
    for date in [
        "2026-01-02 03:04:05Z",
        "2026-01-02T03:04Z",
        "2026-01-02T03:04:05z",
        "2026-01-02T03:04:05+0100",
    ] {
        assert!(!strict(date), "{date}");
    }
}

/// What looks for a part of a text needs no date.
#[test]
fn a_part_of_a_date_is_no_loose_date() {
    for text in [
        "meta.lastModified co \"2026\"",
        "meta.created sw \"2026-01\"",
        "meta.created ew \"Z\"",
    ] {
        assert!(parse_filter(Dialect::Strict, text).is_ok(), "{text}");
        assert!(
            parse_filter(Dialect::Tolerant, text).unwrap().1.is_empty(),
            "{text}"
        );
    }
    assert!(parse_filter(Dialect::Strict, "meta.created eq \"2026\"").is_err());
}
