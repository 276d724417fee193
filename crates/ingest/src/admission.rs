//! Admission: who comes in, and how those who do not are answered.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::StatusCode;
use http::request::Parts;
use parking_lot::Mutex;
use rollcall_domain::Timestamp;
use tokio::time::Instant;

use crate::credential::Credentials;
use crate::credential::desk::Refusal;
use crate::http::failure::Failure;
use crate::http::headers::bearer;
use crate::limit::{FailureTable, FailureVerdict, TrustedProxies};
use crate::metrics::{AuthFailure, Metrics};
use crate::runtime::Clock;
use crate::seat::Seat;
use crate::serve::Peer;

/// Decides who comes in.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) credentials: Credentials,
    failures: Mutex<FailureTable>,
    trusted: TrustedProxies,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    /// Limits are measured from here: the wall clock may jump.
    opened: Instant,
}

impl Admission {
    pub(crate) fn new(
        credentials: Credentials,
        failures_max: u32,
        trusted: TrustedProxies,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            credentials,
            failures: Mutex::new(FailureTable::new(failures_max)),
            trusted,
            clock,
            metrics,
            opened: Instant::now(),
        }
    }

    /// Milliseconds since the door opened.
    pub(crate) fn ticks(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The time at which credentials are judged.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The seat of the presented token.
    pub(crate) fn admit(&self, head: &Parts) -> Result<Arc<Seat>, Failure> {
        let presented = bearer(&head.headers);
        let refusal = match self.credentials.admit(presented.unwrap_or_default(), self.now()) {
            Ok(seat) => return Ok(seat),
            Err(refusal) => refusal,
        };
        let (why, detail) = match (presented, refusal) {
            (None, _) => (AuthFailure::Missing, "a valid bearer token is needed"),
            (Some(_), Refusal::Unknown) => (AuthFailure::Unknown, "a valid bearer token is needed"),
            (Some(_), Refusal::Expired) => (AuthFailure::Expired, "the bearer token has expired"),
        };
        self.failed(head, why)?;
        let challenge = match presented {
            Some(_) => r#"Bearer realm="rollcall", error="invalid_token""#,
            None => r#"Bearer realm="rollcall""#,
        };
        Err(Failure {
            challenge: Some(challenge),
            ..Failure::new(StatusCode::UNAUTHORIZED, detail)
        })
    }

    /// Counts a failed attempt.
    ///
    /// # Errors
    /// 429 when its address has failed too often.
    pub(crate) fn failed(&self, head: &Parts, why: AuthFailure) -> Result<(), Failure> {
        let address = self.client(head);
        let verdict = self.failures.lock().failed(address, self.ticks());
        let retry_after = match verdict {
            FailureVerdict::Answered => {
                self.metrics.auth_failure(why);
                return Ok(());
            }
            FailureVerdict::FirstBeyond { retry_after } => {
                tracing::warn!(%address, "too many failed logins; further ones of this minute get 429");
                retry_after
            }
            FailureVerdict::Beyond { retry_after } => retry_after,
        };
        self.metrics.auth_failure(AuthFailure::Limited);
        Err(Failure {
            retry_after: Some(retry_after),
            close: true,
            ..Failure::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too many failed logins from this address; a valid token is taken at any time",
            )
        })
    }

    fn client(&self, head: &Parts) -> IpAddr {
        let peer = head.extensions.get::<Peer>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
        self.trusted.client(peer, &head.headers)
    }
}
