//! The sockets: listening, refusing, cutting, and the two endpoints of the real thing.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State as Extract};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::core::{Answer, Core, Reaction};
use crate::faults::Down;
use crate::oauth::TokenRequest;

/// Bytes of a request body; more is HTTP 413. Fluent says 2 MB, the strict reading is the safe one.
pub const MAX_BODY: usize = 2_000_000;

/// How much of a body that is too large is read and dropped, so that the sender gets to see the 413.
const DRAIN_LIMIT: usize = 32 * 1024 * 1024;

/// How long to wait before listening again when the port is still held.
const REBIND_PAUSE: Duration = Duration::from_millis(5);

/// Marks a response that is to be cut instead of sent.
#[derive(Debug, Clone, Copy)]
struct Cut;

/// The connection was cut on purpose.
#[derive(Debug, thiserror::Error)]
#[error("cut")]
struct CutConnection;

/// The endpoints of the real Fluent.
pub(crate) fn router(core: Arc<Core>) -> Router {
    Router::new()
        .route("/oauth/token", post(token))
        .route("/graphql", post(graphql))
        .with_state(core)
}

async fn token(Extract(core): Extract<Arc<Core>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let query = Query::<TokenRequest>::try_from_uri(&parts.uri)
        .map(|Query(query)| query)
        .unwrap_or_default();
    let Some(body) = read_body(body).await else {
        return too_large();
    };
    let form = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let request = if form { parse_form(&body) } else { query };
    respond(core.token(&request)).await
}

/// Reads a form by the same reader as a query.
fn parse_form(body: &[u8]) -> TokenRequest {
    let uri = std::str::from_utf8(body)
        .ok()
        .and_then(|form| format!("/?{form}").parse().ok());
    let form = uri.and_then(|uri| Query::<TokenRequest>::try_from_uri(&uri).ok());
    form.map(|Query(form)| form).unwrap_or_default()
}

async fn graphql(Extract(core): Extract<Arc<Core>>, headers: HeaderMap, body: Body) -> Response {
    let Some(body) = read_body(body).await else {
        return too_large();
    };
    respond(core.graphql(bearer(&headers), &body)).await
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn too_large() -> Response {
    (StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large").into_response()
}

/// The whole body; `None` when it is larger than [`MAX_BODY`] or breaks off.
async fn read_body(mut body: Body) -> Option<Bytes> {
    let mut read = BytesMut::new();
    let mut total = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.ok()?.into_data() else {
            continue;
        };
        total = total.saturating_add(data.len());
        if total > DRAIN_LIMIT {
            return None;
        }
        if total <= MAX_BODY {
            read.extend_from_slice(&data);
        }
    }
    (total <= MAX_BODY).then(|| read.freeze())
}

#[allow(clippy::disallowed_methods, reason = "a latency fault is a real wait")]
async fn respond(reaction: Reaction) -> Response {
    if !reaction.delay.is_zero() {
        tokio::time::sleep(reaction.delay).await;
    }
    match reaction.answer {
        Answer::Cut => {
            let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
            response.extensions_mut().insert(Cut);
            response
        }
        Answer::Json {
            status,
            retry_after,
            body,
        } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            }
            response
        }
    }
}

/// Listens until the `down` sender is dropped. Says in `ack` which mode is in force.
pub(crate) async fn listen(
    listener: TcpListener,
    addr: SocketAddr,
    router: Router,
    mut down: watch::Receiver<Option<Down>>,
    ack: watch::Sender<Option<Down>>,
) {
    let mut listener = Some(listener);
    loop {
        let mode = *down.borrow_and_update();
        if mode == Some(Down::Refuse) {
            listener = None;
            ack.send_replace(mode);
            if down.changed().await.is_err() {
                return;
            }
            continue;
        }
        let open = match listener.take() {
            Some(open) => open,
            None => rebind(addr).await,
        };
        ack.send_replace(mode);
        tokio::select! {
            accepted = open.accept() => {
                if let Ok((stream, _)) = accepted && mode.is_none() {
                    tokio::spawn(connection(stream, router.clone(), down.clone()));
                }
            }
            changed = down.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
        listener = Some(open);
    }
}

#[allow(clippy::disallowed_methods, reason = "waits for the system to free the port")]
async fn rebind(addr: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(addr).await {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(REBIND_PAUSE).await,
        }
    }
}

/// Serves one connection until it ends, the simulator goes down, or it stops.
async fn connection(stream: TcpStream, router: Router, mut down: watch::Receiver<Option<Down>>) {
    // Small answers must not wait for a full packet; a failure only costs time.
    let _set = stream.set_nodelay(true);
    let inner = TowerToHyperService::new(router);
    let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let answer = hyper::service::Service::call(&inner, request);
        async move {
            let response: Result<Response, Infallible> = answer.await;
            match response {
                Ok(response) if response.extensions().get::<Cut>().is_some() => Err(CutConnection),
                Ok(response) => Ok(response),
                Err(never) => match never {},
            }
        }
    });
    let serving = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    loop {
        tokio::select! {
            _ended = &mut serving => return,
            changed = down.changed() => {
                if changed.is_err() || down.borrow_and_update().is_some() {
                    return;
                }
            }
        }
    }
}
