//! Plain answers beside the SCIM service on the same listener: health and metrics. The binary says what they
//! are without naming the HTTP server.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

/// A plain answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainAnswer {
    /// HTTP status; 500 is given for what is none.
    pub status: u16,
    /// `text/plain; charset=utf-8` and the like.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

/// A route that answers GET at `path` (such as `/livez`) with what `answer` says at that moment. It needs no
/// token and is never cached. Merge several with [`Router::merge`] and give them to
/// [`Door::router`](crate::Door::router).
pub fn plain_route(path: &str, answer: impl Fn() -> PlainAnswer + Clone + Send + Sync + 'static) -> Router {
    Router::new().route(path, get(async move || response(answer())))
}

fn response(answer: PlainAnswer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
