//! Fluent's API as typed operations: OAuth, error codes, paging, aliased mutations.
//!
//! [`FluentClient`] sends HTTP and decides nothing: what to write, when to try again and whom to leave alone
//! is the reconciler's business. What it needs for that is in [`FluentError`]: what failed, whether trying
//! again helps, and whether the write may have been done after all ([`RetryClass::Ambiguous`]).
//!
//! # What it is not
//! Not a general Fluent client: users, roles and the places they hold, nothing else. No retries of its own
//! but one: a fresh token when the current one is refused.
//!
//! # Invariants
//! - At most one bad login per credential in 20 minutes, over restarts too (given a `breaker_file`).
//! - One login at a time, however many callers wait for a token.
//! - A write is sent at most once per call; again only after a 401, which Fluent answers before doing it.
//! - Neither secrets nor personal data are in errors, `Debug` output or log lines.
//! - A complete reading is complete: paging that goes wrong is an error, never a shorter list.

mod answer;
mod batch;
mod breaker;
mod client;
mod clock;
mod config;
mod error;
mod mutation;
mod pager;
mod password;
mod query;
mod token;
mod transport;

pub use batch::{BATCH_MAX, BODY_MAX};
pub use breaker::BAD_LOGIN_PAUSE;
pub use client::{FluentClient, SchemaCheck};
pub use clock::{Clock, SystemClock};
pub use config::{
    CONNECT_TIMEOUT, ConfigError, FluentConfig, FluentCredentials, LARGE_TIMEOUT, REQUEST_TIMEOUT,
};
pub use error::{
    FluentCode, FluentError, Operation, PagingFault, RATE_LIMIT_PAUSE, RETRY_AFTER_MAX, RetryClass,
    SERVER_PAUSE, TOKEN_READ_PAUSE, TransportFault,
};
pub use mutation::{Mutation, NewUser, UserUpdate, Written};
pub use pager::{Page, USERS_PER_PAGE, UserPager};
