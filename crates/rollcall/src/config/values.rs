//! Durations, sizes, addresses and files as they are written.

use std::io::Read;
use std::path::Path;

const DURATION_UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];
const SIZE_UNITS: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

fn number_and_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn in_largest_unit(value: u64, units: &[(&str, u64)], gap: &str) -> String {
    let fits = units
        .iter()
        .rev()
        .find(|(_, factor)| value >= *factor && value.is_multiple_of(*factor));
    match (fits, units.first()) {
        (Some((name, factor)), _) => format!("{}{gap}{name}", value / factor),
        (None, Some((name, _))) => format!("{value}{gap}{name}"),
        (None, None) => value.to_string(),
    }
}

/// `500ms`, `30s`, `2m`, `6h`, `7d` in milliseconds.
pub(crate) fn duration(text: &str) -> Option<u64> {
    number_and_unit(text, &DURATION_UNITS)
}

/// Milliseconds as [`duration`] reads them.
pub(super) fn duration_text(millis: u64) -> String {
    in_largest_unit(millis, &DURATION_UNITS, "")
}

/// `2027-01-31` (its beginning in UTC) or `2027-01-31T09:30:00Z`.
pub(crate) fn date(text: &str) -> Option<rollcall_domain::Timestamp> {
    let text = text.trim();
    let whole = if text.len() == "2027-01-31".len() {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    whole.parse().ok()
}

/// `512 B`, `64 KiB`, `8 MiB`, `1 GiB` in bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    number_and_unit(text, &SIZE_UNITS)
}

/// Bytes as [`size`] reads them.
pub(super) fn size_text(bytes: u64) -> String {
    in_largest_unit(bytes, &SIZE_UNITS, " ")
}

/// A URL without the slash at its end; `None` when it is none, has a query, a fragment or credentials.
pub(super) fn url(text: &str) -> Option<String> {
    let uri: hyper::Uri = text.parse().ok()?;
    let known = matches!(uri.scheme_str()?, "http" | "https");
    let authority = uri.authority()?.as_str();
    let plain = uri.query().is_none() && !authority.contains('@') && !text.contains('#');
    let host = !uri.host()?.is_empty();
    (known && plain && host).then(|| text.trim_end_matches('/').to_owned())
}

/// True when a secret may be sent to the URL: it is encrypted, or does not leave the machine.
pub(super) fn is_safe_for_secrets(url: &str) -> bool {
    let Ok(uri) = url.parse::<hyper::Uri>() else {
        return false;
    };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let here = host
        .parse::<std::net::IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    uri.scheme_str() == Some("https") || here || host == "localhost"
}

/// Reads a file of at most `max` bytes; `None` when it is larger.
pub(crate) fn read_bounded(path: &Path, max: u64) -> std::io::Result<Option<Vec<u8>>> {
    bounded(std::fs::File::open(path)?, max)
}

/// The same of something that is open.
pub(crate) fn bounded(from: impl Read, max: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    from.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= max).then_some(bytes))
}

/// Reads a text of at most `max` bytes; otherwise says what is wrong with the file.
pub(super) fn read_text(path: &Path, max: u64) -> Result<String, String> {
    let bytes = read_bounded(path, max)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?
        .ok_or_else(|| format!("{} is larger than {max} bytes", path.display()))?;
    String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_need_a_number_and_a_unit() {
        assert_eq!(duration("500ms"), Some(500));
        assert_eq!(duration("2 m"), Some(120_000));
        assert_eq!(size("8 MiB"), Some(8 << 20));
        assert_eq!(size("8MiB"), Some(8 << 20));
        for bad in [
            "",
            "5",
            "s",
            "-5s",
            "5 minutes",
            "1.5h",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert_eq!(duration(bad), None, "{bad:?}");
            assert_eq!(size(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_date_is_a_day_or_a_time() {
        let time = |text: &str| date(text).map(|time| time.to_string());
        assert_eq!(time("2027-01-31").as_deref(), Some("2027-01-31T00:00:00.000Z"));
        assert_eq!(
            time("2027-01-31T09:30:00Z").as_deref(),
            Some("2027-01-31T09:30:00.000Z")
        );
        for bad in ["", "2027-02-30", "31.01.2027", "2027-1-31", "tomorrow"] {
            assert_eq!(date(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for millis in [0, 1, 999, 1000, 90_000, 120_000, 3_600_000, 86_400_000] {
            assert_eq!(duration(&duration_text(millis)), Some(millis));
        }
        for bytes in [0, 1, 1023, 1024, 3 << 20, 1 << 30] {
            assert_eq!(size(&size_text(bytes)), Some(bytes));
        }
    }

    #[test]
    fn a_secret_goes_over_plain_http_to_this_machine_only() {
        for safe in [
            "https://a.example",
            "http://127.0.0.1:8090",
            "http://[::1]:80",
            "http://localhost:1",
        ] {
            assert!(is_safe_for_secrets(safe), "{safe}");
        }
        for unsafe_url in [
            "http://a.example",
            "http://127.0.0.1.a.example",
            "http://localhost.a.example",
        ] {
            assert!(!is_safe_for_secrets(unsafe_url), "{unsafe_url}");
        }
    }

    #[test]
    fn urls_have_a_scheme_and_a_host_and_nothing_behind_the_path() {
        assert_eq!(
            url("https://a.example/scim/").as_deref(),
            Some("https://a.example/scim")
        );
        for bad in [
            "",
            "a.example",
            "ftp://a",
            "https://",
            "https://a?b=c",
            "https://u:p@a",
            "https://a#b",
            "/x",
        ] {
            assert_eq!(url(bad), None, "{bad:?}");
        }
    }
}
