//! The doors: requests of identity providers, turned into events.
//!
//! What it is: a SCIM 2.0 server (RFC 7643, 7644) for the users and groups of many connections. A request is
//! admitted by its connection's token, brought into form by the `scim` crate, decided against the projector's
//! directory, appended to the log, and answered when the event is durable and the directory has taken it in.
//!
//! What it is not: it keeps no state of its own, it does not decide what a user may do, and it knows no
//! Fluent. The log is the arbiter: uniqueness and lost updates are decided by the fold, in log order.
//!
//! Invariants:
//! - nothing is acknowledged that is not durable and in the directory;
//! - a connection sees and changes only what it created;
//! - one request is one event (or the parts of one), or none when it changes nothing;
//! - a view that lags behind the log never says that something is missing, taken or done already;
//! - the cost of changing members is that of the request, never that of the group;
//! - every answer outside 2xx and 304 is a SCIM error; no personal data reaches a log line or an error text;
//! - the `decide` module is pure: no async, clock, socket or randomness.

mod admission;
mod beside;
mod config;
mod connection;
mod credential;
mod decide;
mod der;
mod directory;
mod door;
mod hex;
mod http;
mod limit;
mod metrics;
mod oauth;
mod patience;
mod runtime;
mod seat;
mod serve;
mod service;
mod tls;
mod traps;
mod writer;

/// What [`Door::router`] gives and [`serve()`] takes.
pub use axum::Router;
pub use beside::{Page, beside, page};
pub use config::{
    BODY_BYTES_MAX, BODY_BYTES_TOGETHER_MAX, BODY_TIMEOUT, DoorConfig, REQUEST_TIMEOUT,
    REQUESTS_IN_FLIGHT_MAX, SCIM_ROOT,
};
pub use connection::{CONNECTIONS_MAX, Connection, ConnectionError, RepeatedCreate};
pub use credential::{
    BadTokenName, CredentialKind, CredentialReport, CredentialState, Credentials, EXPIRY_WARNING_MILLIS,
    NEW_TOKEN_BYTES, NewToken, STORED_TOKENS_MAX, StoredToken, StoredTrouble, TOKEN_BYTES_MAX,
    TOKEN_BYTES_MIN, TOKEN_NAME_MAX, TOKEN_PREFIX, TOKENS_MAX, Token, TokenFile, TokenFileError, TokenHash,
    TokenId, TokenName,
};
pub use directory::Directory;
pub use door::{ConnectionWarning, Door, DoorError};
pub use limit::{
    ADDRESSES_MAX, AUTH_FAILURES_MAX, BadNetwork, FAILURE_WINDOW_MILLIS, LEAVER_RESERVE_PARTS, Network,
    REQUESTS_PER_SECOND_MIN, RateLimit, TRUSTED_PROXIES_MAX, TenantFigures, TrustedProxies,
};
pub use metrics::{
    AuthFailure, LATENCY_BOUNDS_US, Metrics, MetricsSnapshot, RequestCount, RouteLatency, ToleratedCount,
};
pub use oauth::{
    ACCESS_TOKEN_LIFETIME, ACCESS_TOKEN_PREFIX, BadClientId, CLIENT_ID_MAX, CLIENT_KEYS_MAX, Client,
    ClientError, ClientId, ClientProof, KeyError, OauthConfig, PublicKey, SigningKeys, public_keys,
};
pub use patience::SEND_TIMEOUT;
pub use rollcall_scim::Dialect;
pub use runtime::{Clock, IdSource, RandomIds, SystemClock};
pub use serve::{
    DRAIN_TIMEOUT, HEAD_TIMEOUT, HEADERS_MAX, OPEN_CONNECTIONS_MAX, READ_BUFFER_BYTES, ServeOptions, serve,
    serve_with,
};
pub use tls::{HANDSHAKE_TIMEOUT, Tls, TlsError};
pub use traps::{Trap, Warning};
