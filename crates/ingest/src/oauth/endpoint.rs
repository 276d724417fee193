//! The two pages of the OAuth service: the token endpoint, and the server's metadata (RFC 8414).

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::SCOPE;
use super::desk::NoToken;
use super::key::Algorithm;
use super::request::{Refused, read};
use crate::admission::Admission;
use crate::http::failure::{Failure, RETRY_AFTER_SECONDS};
use crate::http::headers::JSON;
use crate::metrics::AuthFailure;

/// Where tokens are asked for, below the public URL.
const TOKEN_PATH: &str = "/oauth/token";
/// Where the metadata is; with a path in the public URL, that path follows (RFC 8414 section 3.1).
const METADATA_PATH: &str = "/.well-known/oauth-authorization-server";

/// A page of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// The token endpoint.
    Token,
    /// The metadata.
    Metadata,
}

impl Page {
    /// Its label in traces and metrics.
    pub(crate) const fn template(self) -> &'static str {
        match self {
            Self::Token => TOKEN_PATH,
            Self::Metadata => METADATA_PATH,
        }
    }

    /// The method it takes, as it stands in `Allow`.
    const fn allow(self) -> &'static str {
        match self {
            Self::Token => "POST",
            Self::Metadata => "GET",
        }
    }
}

/// The page at a path.
pub(crate) fn page(path: &str) -> Option<Page> {
    if path == TOKEN_PATH {
        return Some(Page::Token);
    }
    let rest = path.strip_prefix(METADATA_PATH)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(Page::Metadata)
}

/// Answers a page, in OAuth's own form. `body` is the request's, within its bound.
pub(crate) fn answer(
    page: Page,
    head: &Parts,
    body: &[u8],
    admission: &Admission,
    public_url: &str,
) -> Response {
    if head.method != page.allow() {
        return refused_as(&Failure {
            allow: Some(page.allow()),
            ..Failure::new(StatusCode::METHOD_NOT_ALLOWED, "another method is needed")
        });
    }
    match page {
        Page::Metadata => json_response(StatusCode::OK, &metadata(public_url)),
        Page::Token => token(head, body, admission, public_url),
    }
}

fn token(head: &Parts, body: &[u8], admission: &Admission, public_url: &str) -> Response {
    let oauth = admission.credentials.oauth();
    let endpoint = format!("{public_url}{TOKEN_PATH}");
    let audiences = [endpoint.as_str(), public_url];
    let issued = read(&head.headers, body)
        .map_err(NoToken::from)
        .and_then(|claimed| oauth.issue(&claimed, &audiences, admission.now()));
    match issued {
        Ok(issued) => json_response(
            StatusCode::OK,
            &json!({
                "access_token": issued.token,
                "token_type": "Bearer",
                "expires_in": issued.seconds,
                "scope": SCOPE,
            }),
        ),
        Err(NoToken::Refused(refused @ Refused::Client(_))) => {
            match admission.failed(head, AuthFailure::Client) {
                Ok(()) => not_proven(&head.headers, refused),
                Err(limited) => refused_as(&limited),
            }
        }
        Err(NoToken::Refused(refused)) => {
            error(StatusCode::BAD_REQUEST, refused.code(), refused.description())
        }
        Err(NoToken::Busy) => refused_as(&Failure::busy("too many assertions at once", RETRY_AFTER_SECONDS)),
    }
}

/// 401 with a challenge, which must be there when the client used the header (RFC 6749 section 5.2).
fn not_proven(headers: &HeaderMap, refused: Refused) -> Response {
    let mut response = error(StatusCode::UNAUTHORIZED, refused.code(), refused.description());
    if headers.contains_key(http::header::AUTHORIZATION) {
        let challenge = HeaderValue::from_static(r#"Basic realm="rollcall""#);
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// A failure of the door in OAuth's form.
pub(crate) fn refused_as(failure: &Failure) -> Response {
    let code = match failure.status.as_u16() {
        429 | 503 => "temporarily_unavailable",
        500.. => "server_error",
        _ => "invalid_request",
    };
    let mut response = error(failure.status, code, &failure.detail);
    failure.set_headers(response.headers_mut());
    response
}

fn error(status: StatusCode, code: &str, description: &str) -> Response {
    json_response(status, &json!({"error": code, "error_description": description}))
}

fn json_response(status: StatusCode, value: &Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

fn metadata(public_url: &str) -> Value {
    json!({
        "issuer": public_url,
        "token_endpoint": format!("{public_url}{TOKEN_PATH}"),
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "scopes_supported": [SCOPE],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": Algorithm::NAMES,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_their_paths_and_no_others() {
        assert_eq!(page("/oauth/token"), Some(Page::Token));
        assert_eq!(
            page("/.well-known/oauth-authorization-server"),
            Some(Page::Metadata)
        );
        assert_eq!(
            page("/.well-known/oauth-authorization-server/rollcall"),
            Some(Page::Metadata)
        );
        for other in [
            "/",
            "/oauth",
            "/oauth/token/",
            "/oauth/tokens",
            "/.well-known/oauth-authorization-serverx",
        ] {
            assert_eq!(page(other), None, "{other}");
        }
    }
}
