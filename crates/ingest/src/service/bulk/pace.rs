//! The speed of a bulk request, and its time.

use std::time::Duration;

use http::Method;
use tokio::time::Instant;

use crate::http::failure::{Failure, RETRY_AFTER_SECONDS};
use crate::limit::{TenantGate, takes_away};

/// How long operations of one request are begun at most: what is left is answered with 503 each, so that the client
/// learns what was done before its own time-out.
const BULK_TIME_MAX: Duration = Duration::from_secs(20);
/// How often an operation asks whether it is its turn, when the tenant is at its rate.
const TURN: Duration = Duration::from_millis(20);
/// Parts of the time until the door gives the request up: operations are begun in the first eight; those that take
/// access away for a quarter longer; until the eleventh what was begun may end; the last is for the answer.
const BEGIN_PARTS: u32 = 8;
const END_PARTS: u32 = 11;
const ALL_PARTS: u32 = 12;

/// The operations of a bulk request count against the tenant's rate as the requests that they are, but wait for their
/// turn instead of being refused, as long as there is time.
pub(super) struct Pace<'a> {
    gate: &'a TenantGate,
    /// On the clock of the tenant's rate, when the request came.
    ticks: u64,
    since: Instant,
    /// Until when operations are begun: any, and those that take access away.
    begin: [Instant; 2],
    answer_by: Instant,
    /// The request itself has paid for the first one.
    paid: bool,
}

impl<'a> Pace<'a> {
    /// `until`: when the door gives the request up.
    pub(super) fn new(gate: &'a TenantGate, ticks: u64, until: Instant) -> Self {
        let since = Instant::now();
        let part = until.saturating_duration_since(since) / ALL_PARTS;
        let begin = (part * BEGIN_PARTS).min(BULK_TIME_MAX);
        Self {
            gate,
            ticks,
            since,
            begin: [since + begin, since + begin + begin / 4],
            answer_by: since + part * END_PARTS,
            paid: true,
        }
    }

    /// When an operation that has been begun is given up, so that the others' answers are not lost with it.
    pub(super) const fn answer_by(&self) -> Instant {
        self.answer_by
    }

    /// # Errors
    /// 503 when the time is up, 429 when it is up for want of speed: the operation was not begun.
    pub(super) async fn wait(&mut self, method: &Method, body: &[u8]) -> Result<(), Failure> {
        let mut refused = None;
        let mut ends = None; // its body is read once, however often it asks
        loop {
            let mut ends = || *ends.get_or_insert_with(|| takes_away(method, body));
            let now = Instant::now();
            let [any, leavers] = self.begin;
            if now >= any && (now >= leavers || !ends()) {
                return Err(match refused {
                    Some(seconds) => Failure::too_fast(seconds),
                    None => Failure::busy("not carried out; send it again", RETRY_AFTER_SECONDS),
                });
            }
            if std::mem::take(&mut self.paid) {
                return Ok(());
            }
            let passed = now.saturating_duration_since(self.since).as_millis();
            let passed = u64::try_from(passed).unwrap_or(u64::MAX);
            match self.gate.pass_operation(ends, self.ticks.saturating_add(passed)) {
                Ok(()) => return Ok(()),
                Err(seconds) => refused = Some(seconds),
            }
            tokio::time::sleep(TURN).await;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::limit::RateLimit;
    use http::StatusCode;
    use rollcall_domain::TenantId;

    const LONG: Duration = Duration::from_secs(30);

    fn gate(per_second: u32, burst: u32) -> TenantGate {
        let limit = RateLimit { per_second, burst };
        TenantGate::new(TenantId::new("acme").unwrap(), Some(limit))
    }

    #[tokio::test]
    async fn operations_wait_for_the_tenants_rate_and_are_given_up_when_the_time_is_up() {
        let gate = gate(1_000, 4);
        while gate.pass_operation(|| false, 0).is_ok() {}
        let mut pace = Pace::new(&gate, 0, Instant::now() + LONG);
        for _ in 0..5 {
            pace.wait(&Method::POST, b"").await.unwrap();
        }
        let now = Instant::now();
        // Between the two bounds only what takes access away is begun.
        let mut late = Pace {
            begin: [now, now + LONG],
            ..Pace::new(&gate, 1_000, now + LONG)
        };
        let refused = late.wait(&Method::POST, b"").await.unwrap_err();
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        late.wait(&Method::DELETE, b"").await.unwrap();
        late.begin = [now, now];
        assert!(late.wait(&Method::DELETE, b"").await.is_err());
    }

    /// However short the time is, all are answered in it.
    #[tokio::test]
    async fn what_is_begun_ends_before_the_door_gives_the_request_up() {
        let gate = gate(1_000, 4);
        for seconds in [1, 2, 30, 300] {
            let until = Instant::now() + Duration::from_secs(seconds);
            let pace = Pace::new(&gate, 0, until);
            let [any, leavers] = pace.begin;
            assert!(pace.since < any && any < leavers && leavers < pace.answer_by && pace.answer_by < until);
            assert!(any.duration_since(pace.since) <= BULK_TIME_MAX);
        }
    }

    #[tokio::test]
    async fn an_operation_that_takes_access_away_has_what_is_kept_for_such() {
        let gate = gate(1, 8);
        while gate.pass_operation(|| false, 0).is_ok() {}
        assert!(
            gate.pass_operation(|| takes_away(&Method::DELETE, b""), 0)
                .is_ok()
        );
    }
}
