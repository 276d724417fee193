//! Plain pages beside the SCIM service on the same listener: health and metrics. The binary says what they are
//! without naming the HTTP server.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

/// A page that answers GET without a token.
#[derive(Clone)]
pub struct Page {
    path: &'static str,
    content_type: &'static str,
    answer: Arc<dyn Fn() -> (u16, String) + Send + Sync>,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Page({})", self.path)
    }
}

/// A page at `path` (such as `/livez`, not below `/scim/v2`). `answer` says status and body at the moment of the
/// request; it must not block. What it says is never cached.
pub fn page(
    path: &'static str,
    content_type: &'static str,
    answer: impl Fn() -> (u16, String) + Send + Sync + 'static,
) -> Page {
    Page {
        path,
        content_type,
        answer: Arc::new(answer),
    }
}

/// The router of these pages, to be given to [`Door::router`](crate::Door::router). Two pages of one path are a
/// mistake of the caller; the first one stays.
pub fn beside(pages: impl IntoIterator<Item = Page>) -> Router {
    let mut paths = Vec::new();
    let mut router = Router::new();
    for page in pages {
        if paths.contains(&page.path) {
            continue;
        }
        paths.push(page.path);
        router = router.route(page.path, get(async move || response(&page)));
    }
    router
}

fn response(page: &Page) -> Response {
    let (status, body) = (page.answer)();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(page.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
