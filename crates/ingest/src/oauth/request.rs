//! A token request as it came: its form, and by which way the client proves who it is (RFC 6749 sections 2.3 and
//! 4.4.2). Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE};

use super::SCOPE;
use crate::http::route::percent::decode_query;

/// Most parameters of a request; six have a meaning.
const PARAMETERS_MAX: usize = 32;
/// The only kind of assertion (RFC 7523 section 2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Why a request gets no token (RFC 6749 section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The request is none.
    Request(&'static str),
    /// The client did not prove who it is.
    Client(&'static str),
    /// Another grant than `client_credentials`.
    Grant,
    /// Another scope than ours.
    Scope,
}

impl Refused {
    /// The `error` of the answer.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Request(_) => "invalid_request",
            Self::Client(_) => "invalid_client",
            Self::Grant => "unsupported_grant_type",
            Self::Scope => "invalid_scope",
        }
    }

    /// The `error_description`.
    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::Request(what) | Self::Client(what) => what,
            Self::Grant => "grant_type must be client_credentials",
            Self::Scope => "the only scope is scim",
        }
    }
}

/// How a client says who it is.
#[derive(PartialEq, Eq)]
pub(super) enum Claimed {
    /// By id and secret.
    Secret { client: String, secret: String },
    /// By a signed assertion; the client's id beside it says the same or nothing.
    Assertion {
        client: Option<String>,
        assertion: String,
    },
}

#[derive(Default)]
struct Form {
    grant_type: Option<String>,
    scope: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    client_assertion: Option<String>,
    client_assertion_type: Option<String>,
}

/// Reads a request; what the client claims is not believed yet.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Claimed, Refused> {
    if !is_form(headers) {
        return Err(Refused::Request(
            "the body must be application/x-www-form-urlencoded",
        ));
    }
    let form = form(body)?;
    let claimed = claimed(headers, &form)?;
    match form.grant_type.as_deref() {
        Some("client_credentials") => {}
        Some(_) => return Err(Refused::Grant),
        None => return Err(Refused::Request("grant_type is missing")),
    }
    let scopes = form.scope.as_deref().unwrap_or(SCOPE);
    if scopes.split(' ').any(|scope| scope != SCOPE) {
        return Err(Refused::Scope);
    }
    Ok(claimed)
}

fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = value
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    kind.trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Every parameter at most once; those without a meaning are ignored (RFC 6749 section 3.2).
fn form(body: &[u8]) -> Result<Form, Refused> {
    const BROKEN: Refused = Refused::Request("the form cannot be read");
    let text = std::str::from_utf8(body).map_err(|_| BROKEN)?;
    let mut form = Form::default();
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    for (index, pair) in pairs.enumerate() {
        if index >= PARAMETERS_MAX {
            return Err(Refused::Request("too many parameters"));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode_query(name).ok_or(BROKEN)?;
        let value = decode_query(value).ok_or(BROKEN)?;
        let place = match name.as_str() {
            "grant_type" => &mut form.grant_type,
            "scope" => &mut form.scope,
            "client_id" => &mut form.client_id,
            "client_secret" => &mut form.client_secret,
            "client_assertion" => &mut form.client_assertion,
            "client_assertion_type" => &mut form.client_assertion_type,
            _ => continue,
        };
        if place.is_some() {
            return Err(Refused::Request("a parameter stands twice"));
        }
        // Sent without a value is as good as not sent.
        *place = Some(value).filter(|value| !value.is_empty());
    }
    Ok(form)
}

/// By exactly one way.
fn claimed(headers: &HeaderMap, form: &Form) -> Result<Claimed, Refused> {
    let mut authorizations = headers.get_all(AUTHORIZATION).iter();
    let header = match (authorizations.next(), authorizations.next()) {
        (None, _) => None,
        (Some(value), None) => Some(basic(value.as_bytes())?),
        (Some(_), Some(_)) => return Err(Refused::Request("two Authorization headers")),
    };
    let ways = [
        header.is_some(),
        form.client_secret.is_some(),
        form.client_assertion.is_some(),
    ];
    if ways.iter().filter(|way| **way).count() > 1 {
        return Err(Refused::Request("more than one way of client authentication"));
    }
    if let Some((client, secret)) = header {
        if form.client_id.as_ref().is_some_and(|other| *other != client) {
            return Err(Refused::Request("client_id differs from the one in the header"));
        }
        return Ok(Claimed::Secret { client, secret });
    }
    if let Some(assertion) = form.client_assertion.clone() {
        if form.client_assertion_type.as_deref() != Some(ASSERTION_TYPE) {
            return Err(Refused::Request(
                "client_assertion_type must be the one of RFC 7523",
            ));
        }
        let client = form.client_id.clone();
        return Ok(Claimed::Assertion { client, assertion });
    }
    match (form.client_id.clone(), form.client_secret.clone()) {
        (Some(client), Some(secret)) => Ok(Claimed::Secret { client, secret }),
        _ => Err(Refused::Client("the client did not say who it is")),
    }
}

/// Id and secret of a Basic header: each form-encoded before they were joined (RFC 6749 section 2.3.1).
fn basic(value: &[u8]) -> Result<(String, String), Refused> {
    const NOT_BASIC: Refused = Refused::Client("the Authorization header is not Basic");
    let (scheme, encoded) = value.split_at_checked(6).ok_or(NOT_BASIC)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return Err(NOT_BASIC);
    }
    let read = || {
        let decoded = STANDARD.decode(encoded.trim_ascii()).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        let (client, secret) = text.split_once(':')?;
        // Clients that do not encode are common: a secret that is not encoded correctly is taken as it is.
        let secret = decode_query(secret).unwrap_or_else(|| secret.to_owned());
        Some((decode_query(client)?, secret))
    };
    read().ok_or(Refused::Client("the Authorization header cannot be read"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http::HeaderName;

    use super::*;

    fn read_with(headers: &[(HeaderName, &str)], body: &str) -> Result<(String, String), Refused> {
        let mut all: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect();
        all.insert(
            CONTENT_TYPE,
            "application/x-www-form-urlencoded; charset=utf-8"
                .parse()
                .unwrap(),
        );
        read(&all, body.as_bytes()).map(|claimed| match claimed {
            Claimed::Secret { client, secret } => (client, secret),
            Claimed::Assertion { client, assertion } => (client.unwrap_or_default(), assertion),
        })
    }

    fn pair(client: &str, secret: &str) -> (String, String) {
        (client.to_owned(), secret.to_owned())
    }

    #[test]
    fn a_client_says_who_it_is_in_one_of_three_ways() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let grant = "grant_type=client_credentials";
        let header = basic("a:s%20e%3Acret");
        assert_eq!(
            read_with(&[(AUTHORIZATION, &header)], grant),
            Ok(pair("a", "s e:cret"))
        );
        let header = basic("a:100%");
        assert_eq!(
            read_with(&[(AUTHORIZATION, &header)], grant),
            Ok(pair("a", "100%")),
            "not encoded"
        );
        let post = format!("{grant}&scope=scim&client_id=a&client_secret=s+1&resource=x&empty");
        assert_eq!(read_with(&[], &post), Ok(pair("a", "s 1")));
        let jwt = format!(
            "{grant}&client_assertion=x.y.z&client_assertion_type={}",
            ASSERTION_TYPE.replace(':', "%3A")
        );
        assert_eq!(read_with(&[], &jwt), Ok(pair("", "x.y.z")));
    }

    #[test]
    fn everything_else_is_refused_with_the_error_of_the_standard() {
        let basic = format!("Basic {}", STANDARD.encode("a:b"));
        let secret = "client_id=a&client_secret=b";
        for (headers, body, code) in [
            (vec![], String::new(), "invalid_client"),
            (vec![], secret.to_owned(), "invalid_request"),
            (
                vec![],
                format!("{secret}&grant_type=password"),
                "unsupported_grant_type",
            ),
            (
                vec![],
                format!("{secret}&grant_type=client_credentials&scope=scim%20admin"),
                "invalid_scope",
            ),
            (
                vec![],
                format!("{secret}&grant_type=client_credentials&client_id=a"),
                "invalid_request",
            ),
            (vec![], format!("{secret}&grant_type=%ff"), "invalid_request"),
            (vec![], "x=1&".repeat(PARAMETERS_MAX + 1), "invalid_request"),
            (
                vec![(AUTHORIZATION, basic.as_str())],
                secret.to_owned(),
                "invalid_request",
            ),
            (
                vec![(AUTHORIZATION, basic.as_str())],
                "client_id=other".to_owned(),
                "invalid_request",
            ),
            (
                vec![(AUTHORIZATION, "Bearer x")],
                "grant_type=client_credentials".to_owned(),
                "invalid_client",
            ),
            (
                vec![(AUTHORIZATION, "Basic !!")],
                "grant_type=client_credentials".to_owned(),
                "invalid_client",
            ),
            (
                vec![],
                "client_assertion=x&grant_type=client_credentials".to_owned(),
                "invalid_request",
            ),
            (
                vec![],
                "client_id=a&grant_type=client_credentials".to_owned(),
                "invalid_client",
            ),
        ] {
            let refused = read_with(&headers, &body).unwrap_err();
            assert_eq!(refused.code(), code, "{headers:?} {body}");
            assert!(!refused.description().is_empty());
        }
        assert!(
            matches!(read(&HeaderMap::new(), b""), Err(Refused::Request(_))),
            "no form"
        );
    }
}
