//! What the headers of a request say: credential, media types, preconditions, request id. Pure.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, Version};
use rollcall_domain::REQUEST_ID_MAX;
use rollcall_scim::Precondition;

/// Media type of SCIM (RFC 7644 section 8.1).
pub(crate) const SCIM_JSON: &str = "application/scim+json";
/// Plain JSON, for clients that take nothing else.
pub(crate) const JSON: &str = "application/json";
/// Names a request across client, log and server.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Most bytes of all header names and values together: bearer tokens and proxies' headers fit with ease.
pub(crate) const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Longest request target: a filter of the longest kind that is parsed, percent-encoded, fits.
pub(crate) const TARGET_BYTES_MAX: usize = 8 * 1024;

/// Bytes of all names and values.
pub(crate) fn header_bytes(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .fold(0, usize::saturating_add)
}

/// The presented bearer token (RFC 6750 section 2.1). `None` when there is none, or several.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (all.next()?.as_bytes(), all.next()) else {
        return None;
    };
    let (scheme, token) = value.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
        .filter(|token| !token.is_empty())
}

/// The media type of the answer: the one of the two that is accepted with the higher quality (RFC 9110 section
/// 12.5.1), and SCIM's where that says nothing. Neither being accepted is no reason to give no answer.
pub(crate) fn answer_type(headers: &HeaderMap) -> &'static str {
    let (mut scim, mut plain) = (Accepted::default(), Accepted::default());
    for value in headers.get_all(ACCEPT) {
        for range in value.as_bytes().split(|b| *b == b',') {
            let mut parts = range.split(|b| *b == b';').map(<[u8]>::trim_ascii);
            let kind = parts.next().unwrap_or_default();
            let quality = parts.find_map(quality).unwrap_or(QUALITY_MAX);
            scim.take(kind, SCIM_JSON, quality);
            plain.take(kind, JSON, quality);
        }
    }
    if plain.quality > scim.quality {
        JSON
    } else {
        SCIM_JSON
    }
}

/// A quality of 1, in thousandths.
const QUALITY_MAX: u16 = 1000;

/// With which quality a media type is accepted, by the range that names it most exactly.
#[derive(Default)]
struct Accepted {
    exactness: u8,
    quality: u16,
}

impl Accepted {
    fn take(&mut self, range: &[u8], media_type: &str, quality: u16) {
        let exactness = match range {
            b"*/*" => 1,
            range if range.eq_ignore_ascii_case(b"application/*") => 2,
            range if range.eq_ignore_ascii_case(media_type.as_bytes()) => 3,
            _ => return,
        };
        if exactness >= self.exactness {
            *self = Self { exactness, quality };
        }
    }
}

/// The weight of a media range, when the parameter is one; a malformed one weighs nothing special.
fn quality(parameter: &[u8]) -> Option<u16> {
    let (name, value) = std::str::from_utf8(parameter).ok()?.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, digits) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    let whole: u16 = whole.parse().ok()?;
    let mut digits = digits.bytes().chain(*b"000").take(3);
    let thousandths = digits.try_fold(0, |sum, digit| {
        let digit = char::from(digit).to_digit(10)?;
        Some(sum * 10 + u16::try_from(digit).ok()?)
    })?;
    Some(
        whole
            .saturating_mul(QUALITY_MAX)
            .saturating_add(thousandths)
            .min(QUALITY_MAX),
    )
}

/// Whether a body of this content type is JSON for us. None at all is taken for JSON: some clients leave it
/// out.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return true;
    };
    let Ok(value) = value.to_str() else {
        return false;
    };
    let mut parts = value.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let json = [SCIM_JSON, JSON]
        .iter()
        .any(|known| kind.eq_ignore_ascii_case(known));
    let utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, set)) if name.trim().eq_ignore_ascii_case("charset") => {
            let set = set.trim().trim_matches('"');
            set.eq_ignore_ascii_case("utf-8") || set.eq_ignore_ascii_case("utf8")
        }
        _ => true,
    });
    json && utf8
}

/// Whether the body is as it is written: no coding is undone here (RFC 9110 section 8.4).
pub(crate) fn is_plain(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    codings.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Whether one host is named, as HTTP/1.1 wants it (RFC 9112 section 3.2): with none or two, servers on the
/// way may disagree on whom the request is for.
pub(crate) fn names_one_host(version: Version, headers: &HeaderMap) -> bool {
    version != Version::HTTP_11 || headers.get_all(HOST).iter().count() == 1
}

/// A request id that the client gave and that is safe to show in traces and headers.
pub(crate) fn given_request_id(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(REQUEST_ID)?.to_str().ok()?;
    let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    ((1..=REQUEST_ID_MAX).contains(&text.len()) && text.bytes().all(safe)).then_some(text)
}

/// What `If-Match` or `If-None-Match` says; `None` when the header is absent.
pub(crate) fn precondition(headers: &HeaderMap, name: HeaderName) -> Option<Precondition> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?.to_str().unwrap_or_default();
    let rest = all.filter_map(|value| value.to_str().ok());
    Some(Precondition::parse(
        &rest.fold(first.to_owned(), |joined, next| format!("{joined},{next}")),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use http::HeaderValue;
    use http::header::IF_MATCH;
    use rollcall_scim::EntityTag;

    fn with(name: HeaderName, values: &[&str]) -> HeaderMap {
        values
            .iter()
            .map(|v| (name.clone(), HeaderValue::from_str(v).unwrap()))
            .collect()
    }

    #[test]
    fn one_bearer_token_is_read_and_nothing_else() {
        let token = |values: &[&str]| bearer(&with(AUTHORIZATION, values)).map(<[u8]>::to_vec);
        assert_eq!(token(&["Bearer abc"]).unwrap(), b"abc");
        assert_eq!(token(&["bEARER  abc "]).unwrap(), b"abc");
        for bad in [
            &[][..],
            &["abc"],
            &["Basic abc"],
            &["Bearer"],
            &["Bearer "],
            &["Bearer a", "Bearer a"],
        ] {
            assert_eq!(token(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_media_type_that_is_accepted_with_the_higher_quality_is_given() {
        let given = |values: &[&str]| answer_type(&with(ACCEPT, values));
        for scim in [
            &[][..],
            &["*/*"],
            &["application/*"],
            &["application/scim+json"],
            &["application/json;q=0.5, application/scim+json;q=0.5"],
            &["application/json;q=0.1, */*;q=0.2"],
            &["application/json;q=0, text/html"],
            &["application/json;q=0", "application/scim+json;q=0"],
            &["application/scim+json;v=1;q=x, application/json;q=0.999"],
            &["application/json", "application/scim+json"],
            &["text/html"],
            &["application/json, */*"],
        ] {
            assert_eq!(given(scim), SCIM_JSON, "{scim:?}");
        }
        assert_eq!(given(&["Application/JSON; charset=utf-8"]), JSON);
        for plain in [
            &["application/json, text/plain"][..],
            &["application/scim+json;q=0, application/json"],
            &["application/scim+json;q=0, */*"],
            &["application/json, application/scim+json; q=0.5"],
            &["application/json;q=0.002, application/*;q=0.001"],
            &["application/scim+json;charset=utf-8;Q=0.8", "application/json"],
            &["application/json, */*;q=0.1"],
        ] {
            assert_eq!(given(plain), JSON, "{plain:?}");
        }
    }

    #[test]
    fn only_json_in_utf_8_is_read() {
        let taken = |values: &[&str]| is_json(&with(CONTENT_TYPE, values));
        for good in [
            &[][..],
            &["application/scim+json"],
            &["application/json; charset=UTF-8"],
            &["APPLICATION/JSON;charset=\"utf-8\"; v=1"],
        ] {
            assert!(taken(good), "{good:?}");
        }
        for bad in [
            &["text/plain"][..],
            &["application/xml"],
            &[""],
            &["application/json; charset=utf-16"],
        ] {
            assert!(!taken(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_precondition_is_read_from_all_its_lines_and_an_unreadable_one_matches_nothing() {
        let matches = |values: &[&str]| {
            precondition(&with(IF_MATCH, values), IF_MATCH)
                .unwrap()
                .matches(EntityTag(3))
        };
        assert!(matches(&["W/\"3\""]) && matches(&["\"1\"", "W/\"3\""]) && matches(&["*"]));
        assert!(!matches(&["3"]) && !matches(&["\"4\""]) && !matches(&[""]));
        assert_eq!(precondition(&HeaderMap::new(), IF_MATCH), None);
    }

    #[test]
    fn an_unsafe_request_id_is_not_taken_over() {
        assert_eq!(
            given_request_id(&with(REQUEST_ID, &["a-1.b:C_d"])),
            Some("a-1.b:C_d")
        );
        for bad in ["", "a b", "a\u{9}b", "<x>", &"a".repeat(REQUEST_ID_MAX + 1)] {
            assert_eq!(given_request_id(&with(REQUEST_ID, &[bad])), None, "{bad:?}");
        }
    }
}
