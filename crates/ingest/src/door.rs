//! The door: every request passes the same steps in the same order, and every answer leaves through one
//! place.
//!
//! bounds of head and URI → credential → route and method → place → rate → body → the service, all within one
//! time-out and inside a net that turns a panic into 500.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::response::Response;
use futures::FutureExt as _;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use rollcall_domain::{ConnectionName, TenantId, Timestamp};
use rollcall_eventlog::AppendLog;
use rollcall_scim::Dialect;
use tokio::time::{Instant, timeout};
use tracing::{Instrument as _, Span, field};

use crate::admission::Admission;
use crate::config::{DoorConfig, SCIM_ROOT};
use crate::connection::{Connection, ConnectionError};
use crate::credential::Credentials;
use crate::directory::Directory;
use crate::http::answer::Answer;
use crate::http::body::{BodyBudget, ReadBody};
use crate::http::failure::{Failure, RETRY_AFTER_SECONDS};
use crate::http::headers::{
    HEADER_BYTES_MAX, REQUEST_ID, TARGET_BYTES_MAX, answer_type, given_request_id, header_bytes, is_json,
    is_plain, names_one_host,
};
use crate::http::route::{self, Endpoint, endpoint};
use crate::limit::{Place, Room, TenantFigures, TenantGate, Wish};
use crate::metrics::Metrics;
use crate::oauth;
use crate::runtime::{Clock, IdSource};
use crate::seat::Seat;
use crate::service::{Call, Service};
use crate::traps::Warning;
use crate::writer::Writer;

/// Largest form at the token endpoint: the longest assertion that is looked at, encoded.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// Why the door cannot open. All are mistakes of the configuration; trying again does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DoorError {
    /// The connections cannot be told apart or have no tokens.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// A connection of a tenant that this process does not project.
    #[error("tenant {0} has a connection but no directory in this process")]
    UnknownTenant(TenantId),
    /// The public URL is none.
    #[error("public_url must be an http or https URL without query or fragment")]
    PublicUrl,
}

/// A trap that the traffic of a connection shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionWarning {
    /// Whose connection.
    pub tenant: TenantId,
    /// Which.
    pub connection: ConnectionName,
    /// What it shows.
    pub warning: Warning,
}

/// The SCIM server of this process: all connections of all tenants.
#[derive(Debug, Clone)]
pub struct Door {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: DoorConfig,
    admission: Admission,
    /// By tenant, in their order.
    gates: BTreeMap<TenantId, Arc<TenantGate>>,
    budget: BodyBudget,
    /// Forms are small enough to need no share of a budget.
    forms: BodyBudget,
    room: Arc<Room>,
    service: Service,
    metrics: Arc<Metrics>,
    ids: Arc<dyn IdSource>,
}

impl Door {
    /// A door for these connections.
    ///
    /// `log` takes the events; `tenants` gives each tenant's directory, which is asked once per connection
    /// here; `clock` stamps events with the time of their receipt; `ids` gives out the ids of users, groups
    /// and events.
    ///
    /// # Errors
    /// [`DoorError`]: what is configured cannot be served.
    pub fn new(
        config: DoorConfig,
        connections: Vec<Connection>,
        log: Arc<dyn AppendLog>,
        tenants: impl Fn(&TenantId) -> Option<Arc<dyn Directory>>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Result<Self, DoorError> {
        check_url(&config.public_url)?;
        let (credentials, gates) = seated(&config, connections, tenants)?;
        let metrics = Arc::new(Metrics::default());
        let admission = Admission::new(
            credentials,
            config.auth_failures_max,
            config.trusted_proxies.clone(),
            Arc::clone(&clock),
            Arc::clone(&metrics),
        );
        let writer = Writer::new(log, clock, Arc::clone(&ids), Arc::clone(&metrics));
        Ok(Self {
            inner: Arc::new(Inner {
                admission,
                budget: BodyBudget::new(config.body_bytes_max, config.body_bytes_together_max),
                forms: BodyBudget::new(FORM_BYTES_MAX, FORM_BYTES_MAX),
                room: Arc::new(Room::new(config.requests_in_flight_max, gates.len())),
                gates,
                service: Service::new(config.base(), writer),
                metrics,
                ids,
                config,
            }),
        })
    }

    /// What opens this door; shared with it.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        self.inner.admission.credentials.clone()
    }

    /// What became of each tenant's requests at its limits.
    #[must_use]
    pub fn tenants(&self) -> Vec<TenantFigures> {
        self.inner.gates.values().map(|gate| gate.figures()).collect()
    }

    /// What was counted; shared with the door.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.inner.metrics)
    }

    /// What the traffic of each connection shows of known traps, as of `now`; connections without any are left out.
    #[must_use]
    pub fn warnings(&self, now: Timestamp) -> Vec<ConnectionWarning> {
        let all = self.inner.admission.credentials.seats();
        all.flat_map(|seat| {
            let warnings = seat.traps.lock().warnings(now);
            warnings.into_iter().map(|warning| ConnectionWarning {
                tenant: seat.connection.tenant.clone(),
                connection: seat.connection.name.clone(),
                warning,
            })
        })
        .collect()
    }

    /// The routes of the door: all of `/scim/v2`, and a SCIM 404 for every path that `beside` does not know.
    /// `beside` holds what else is served on the same listener (health, metrics); a fallback it may have is
    /// dropped, and it must not use `/scim/v2`.
    pub fn router(&self, beside: Router) -> Router {
        beside
            .reset_fallback()
            .merge(Router::new().fallback(enter).with_state(Arc::clone(&self.inner)))
    }
}

/// Seats every connection: with its tenant's directory and gate.
fn seated(
    config: &DoorConfig,
    connections: Vec<Connection>,
    tenants: impl Fn(&TenantId) -> Option<Arc<dyn Directory>>,
) -> Result<(Credentials, BTreeMap<TenantId, Arc<TenantGate>>), DoorError> {
    let (mut unknown, mut gates) = (None, BTreeMap::new());
    let clients = config.oauth.clients.iter();
    let with_clients: BTreeSet<_> = clients
        .map(|client| (&client.tenant, &client.connection))
        .collect();
    let credentials = Credentials::new(connections, config.oauth.clone(), |connection| {
        let tenant = &connection.tenant;
        let Some(directory) = tenants(tenant) else {
            unknown = Some(tenant.clone());
            return None;
        };
        let gate = gates.entry(tenant.clone()).or_insert_with(|| {
            let limit = config.rate_limits.get(tenant).copied();
            Arc::new(TenantGate::new(tenant.clone(), limit))
        });
        let gate = Arc::clone(gate);
        let oauth = with_clients.contains(&(tenant, &connection.name));
        Some(Seat::new(connection, directory, gate, oauth))
    })?;
    match unknown {
        Some(tenant) => Err(DoorError::UnknownTenant(tenant)),
        None => Ok((credentials, gates)),
    }
}

fn check_url(url: &str) -> Result<(), DoorError> {
    let uri: http::Uri = url.parse().map_err(|_| DoorError::PublicUrl)?;
    let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    let plain = uri.query().is_none() && !url.contains('#') && HeaderValue::try_from(url).is_ok();
    if scheme && plain && uri.authority().is_some() {
        Ok(())
    } else {
        Err(DoorError::PublicUrl)
    }
}

/// Bounds of what is looked at before anything is known of who asks.
fn within_bounds(head: &Parts) -> Result<(), Failure> {
    let target = head.uri.path_and_query();
    if target.map_or(0, |target| target.as_str().len()) > TARGET_BYTES_MAX {
        return Err(Failure::new(
            StatusCode::URI_TOO_LONG,
            "the request's target is too long",
        ));
    }
    if header_bytes(&head.headers) > HEADER_BYTES_MAX {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Err(Failure::new(status, "the request's headers are too large"));
    }
    if !names_one_host(head.version, &head.headers) {
        let status = StatusCode::BAD_REQUEST;
        return Err(Failure::new(status, "the request must have one Host header"));
    }
    Ok(())
}

/// Takes a request in, sees to it that it is answered whatever happens, and puts it on record.
async fn enter(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let started = Instant::now();
    let media_type = answer_type(request.headers());
    let head_only = request.method() == Method::HEAD;
    let request_id = match given_request_id(request.headers()) {
        Some(given) => given.to_owned(),
        None => inner.ids.request().to_string(),
    };
    let page = oauth::page(request.uri().path());
    if let Some(page) = page.filter(|_| inner.admission.credentials.oauth().is_offered()) {
        return oauth_page(&inner, page, request, request_id, started).await;
    }
    let endpoint = request.uri().path().strip_prefix(SCIM_ROOT).and_then(endpoint);
    let template = endpoint.as_ref().map_or(route::UNKNOWN, Endpoint::template);
    let span = tracing::info_span!(
        "scim",
        request_id,
        method = %request.method(),
        route = template,
        tenant = field::Empty,
        connection = field::Empty,
        status = field::Empty,
        scim_type = field::Empty,
        ms = field::Empty,
    );
    let work = inner.answer(request, endpoint, span.clone());
    let work = inner.contained(work, inner.config.request_timeout, late_request);
    let response = match work.instrument(span.clone()).await {
        Ok((answer, place)) => answer.into_response(media_type, place),
        Err(failure) => {
            span.record("scim_type", failure.scim_type);
            failure.into_response(media_type)
        }
    };
    let response = if head_only {
        without_body(response)
    } else {
        response
    };
    recorded(&inner.metrics, &span, template, request_id, started, response)
}

/// The answer to HEAD: that to GET without its body, which tells its length (RFC 9110 section 9.3.2).
fn without_body(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Response::from_parts(head, Body::empty())
}

/// A page of the OAuth service: beside SCIM, and answered in its own form.
async fn oauth_page(
    inner: &Inner,
    page: oauth::Page,
    request: Request,
    request_id: String,
    started: Instant,
) -> Response {
    let template = page.template();
    let span = tracing::info_span!(
        "oauth",
        request_id,
        route = template,
        status = field::Empty,
        ms = field::Empty,
    );
    let work = inner.contained(inner.oauth(page, request), inner.config.body_timeout, late_body);
    let outcome = work.instrument(span.clone()).await;
    let response = outcome.unwrap_or_else(|failure| oauth::refused_as(&failure));
    recorded(&inner.metrics, &span, template, request_id, started, response)
}

fn late_request() -> Failure {
    Failure::busy(
        "the request took too long; send the same again",
        RETRY_AFTER_SECONDS,
    )
}

/// The body of a request did not come in time, and the connection is of no more use.
fn late_body() -> Failure {
    Failure {
        close: true,
        ..Failure::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")
    }
}

/// Names the request in its answer and puts it on record.
fn recorded(
    metrics: &Metrics,
    span: &Span,
    template: &'static str,
    request_id: String,
    started: Instant,
    mut response: Response,
) -> Response {
    if let Ok(value) = HeaderValue::try_from(request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let (took, status) = (started.elapsed(), response.status().as_u16());
    metrics.request(template, status, took);
    span.record("status", status);
    span.record("ms", took.as_secs_f64() * 1000.0);
    span.in_scope(|| match status {
        500.. => tracing::warn!("failed"),
        429 => tracing::debug!("refused"), // an attack or a backfill must not fill the log
        400.. => tracing::info!("refused"),
        _ => tracing::debug!("answered"),
    });
    response
}

impl Inner {
    /// Does the work within a time-out and inside a net that turns a panic into 500.
    async fn contained<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
        limit: Duration,
        late: fn() -> Failure,
    ) -> Result<T, Failure> {
        match AssertUnwindSafe(timeout(limit, work)).catch_unwind().await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_elapsed)) => Err(late()),
            Err(_panic) => {
                self.metrics.panics.fetch_add(1, Relaxed);
                Err(Failure::internal())
            }
        }
    }

    async fn answer(
        &self,
        request: Request,
        endpoint: Option<Endpoint>,
        span: Span,
    ) -> Result<(Answer, Place), Failure> {
        let until = Instant::now() + self.config.request_timeout;
        let (head, body) = request.into_parts();
        within_bounds(&head)?;
        if !head.uri.path().starts_with(SCIM_ROOT) {
            return Err(unknown_path()); // nothing to protect here
        }
        let seat = self.admission.admit(&head)?;
        span.record("tenant", seat.connection.tenant.as_str());
        span.record("connection", seat.connection.name.as_str());
        let endpoint = endpoint.ok_or_else(unknown_path)?;
        if !endpoint.allows(&head.method) {
            let failure = Failure::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "the endpoint does not take this method",
            );
            return Err(Failure {
                allow: Some(endpoint.allow()),
                ..failure
            });
        }
        let wish = Wish::of(&head.method, &endpoint);
        let Some(place) = seat.gate.enter(&self.room, wish) else {
            return Err(Failure::busy("too many requests at once", RETRY_AFTER_SECONDS));
        };
        let ticks = self.admission.ticks();
        seat.gate.pass(wish, ticks).map_err(Failure::too_fast)?;
        let media = body_type(&head);
        // A body of another type is only looked at for who is to go.
        let may_leave = endpoint.is_one_resource() && seat.connection.dialect == Dialect::Tolerant;
        if !may_leave {
            media.clone()?;
        }
        let body = self.body(&head, body).await?;
        let body = body.as_ref().map_or(&[][..], |body| &body.bytes);
        let passed = seat.gate.pass_with_body(wish, &head.method, body, ticks);
        passed.map_err(Failure::too_fast)?;
        let call = Call {
            seat: &seat,
            // Who asks for the head alone asks for the same.
            method: if head.method == Method::HEAD {
                &Method::GET
            } else {
                &head.method
            },
            query: head.uri.query().unwrap_or_default(),
            headers: &head.headers,
            body,
            ticks,
            until,
        };
        let answer = match media {
            Ok(()) => self.service.answer(&endpoint, call).await?,
            Err(failure) => self.service.refuse(&endpoint, call, failure).await?,
        };
        Ok((answer, place))
    }

    /// Answers a page of the OAuth service.
    async fn oauth(&self, page: oauth::Page, request: Request) -> Result<Response, Failure> {
        let (head, body) = request.into_parts();
        within_bounds(&head)?;
        let body = self.forms.read(&head.headers, body).await?;
        let answered = oauth::answer(page, &head, &body.bytes, &self.admission, &self.config.public_url);
        if page == oauth::Page::Token && answered.status() == StatusCode::OK {
            self.metrics.access_tokens.fetch_add(1, Relaxed);
        }
        Ok(answered)
    }

    /// The body of a method that has one.
    async fn body(&self, head: &Parts, body: Body) -> Result<Option<ReadBody>, Failure> {
        if !has_body(&head.method) {
            return Ok(None);
        }
        match timeout(self.config.body_timeout, self.budget.read(&head.headers, body)).await {
            Ok(read) => read.map(Some),
            Err(_elapsed) => Err(late_body()),
        }
    }
}

fn has_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// Whether the body is said to be one that is read here, where the method has one.
fn body_type(head: &Parts) -> Result<(), Failure> {
    let detail = if !has_body(&head.method) {
        return Ok(());
    } else if !is_json(&head.headers) {
        "the body must be application/scim+json or application/json in UTF-8"
    } else if !is_plain(&head.headers) {
        "the body must not be compressed: no Content-Encoding is understood"
    } else {
        return Ok(());
    };
    Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
}

fn unknown_path() -> Failure {
    Failure::not_found("there is nothing at this path")
}
