//! One request, one bounded answer.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, StatusCode};

use crate::config::{ConfigError, FluentConfig};
use crate::error::{FluentError, Operation, RETRY_AFTER_MAX, TransportFault};

/// Bytes of an answer at most. The largest we ask for, 500 users with 100 contexts each, has some 5 MB.
pub(crate) const ANSWER_MAX: usize = 64 * 1024 * 1024;

/// A connection that was idle for longer is not used again: the other side may be about to close it, and a
/// request on a dying connection is an ambiguous one.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// A status and a body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Bytes,
}

/// Builds the HTTP client: no redirects (they would carry credentials elsewhere), no retries of its own.
pub(crate) fn client(config: &FluentConfig) -> Result<reqwest::Client, ConfigError> {
    // Fails when a provider is installed already, which serves as well.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(config.connect_timeout)
        .timeout(config.request_timeout)
        .pool_idle_timeout(IDLE_MAX)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .user_agent(concat!("rollcall/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| ConfigError::Client(innermost(&error)))
}

/// Sends a request and reads the whole answer.
pub(crate) async fn send(request: RequestBuilder, operation: Operation) -> Result<Answer, FluentError> {
    let failed = |error: reqwest::Error| transport_error(&error, operation);
    let mut response = request.send().await.map_err(failed)?;
    let status = response.status();
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    // The date form is not read: it needs a clock that agrees with the other side's.
    let retry_after = retry_after
        .and_then(|text| text.trim().parse().ok())
        .map(Duration::from_secs);
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > ANSWER_MAX {
            return Err(FluentError::BadAnswer {
                operation,
                problem: "it is too long",
            });
        }
        body.extend_from_slice(&chunk);
    }
    tracing::debug!(
        operation = operation.as_str(),
        status = status.as_u16(),
        bytes = body.len(),
        "answered"
    );
    let retry_after = retry_after.map(|after| after.min(RETRY_AFTER_MAX));
    Ok(Answer {
        status,
        retry_after,
        body: body.into(),
    })
}

fn transport_error(error: &reqwest::Error, operation: Operation) -> FluentError {
    let fault = if error.is_connect() || error.is_builder() {
        TransportFault::NotConnected
    } else if error.is_timeout() {
        TransportFault::TimedOut
    } else {
        TransportFault::Broken
    };
    let detail = innermost(error);
    tracing::debug!(operation = operation.as_str(), %fault, detail, "no answer");
    FluentError::Transport {
        operation,
        fault,
        detail,
    }
}

/// The last cause of the chain: short, and without the URL that the outer ones carry.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if std::ptr::addr_eq(cause, error) {
        "request failed".to_owned()
    } else {
        cause.to_string()
    }
}
