//! How fast Fluent is asked: requests at one time and per second, by AIMD; pauses; the slot that leavers
//! keep.
//!
//! Pure: `now` is an argument. the gate is its async face.

use std::time::Duration;

use rollcall_domain::Timestamp;

use crate::clock::millis;

/// Requests at one time to begin with: few, because nobody knows what Fluent takes.
const FIRST_LIMIT: f64 = 4.0;
/// Slots above the limit that only leavers get.
const URGENT_EXTRA: usize = 1;
/// Lowest rate, requests per second: one in ten seconds still finds out whether it got better.
const RATE_MIN: f64 = 0.1;
/// A rate above this is no rate at all: a single process does not reach it.
const RATE_MAX: f64 = 5_000.0;
/// The limit is lowered once in this time: one overload shows in many answers.
const DECREASE_EVERY_MS: i64 = 1_000;
/// So many answers in a row without use (time-out, 5xx, no connection) are an outage and not an accident.
const OUTAGE_AFTER: u32 = 5;
/// First pause of an outage; doubles.
const OUTAGE_FIRST_MS: i64 = 1_000;
/// Longest pause of an outage: an end of it is noticed within this time.
const OUTAGE_MAX_MS: i64 = 30_000;
/// An answer slower than so many times the usual one stops the limit from growing.
const SLOW_FACTOR: f64 = 3.0;

/// Why nothing but a leaver's probe is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseReason {
    /// Fluent asked for fewer requests.
    RateLimit,
    /// Fluent does not answer, or answers with server errors.
    Outage,
    /// The login is refused, or its endpoint is away.
    Login,
}

impl std::fmt::Display for PauseReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::RateLimit => "Fluent asked for fewer requests",
            Self::Outage => "Fluent does not answer, or answers with server errors",
            Self::Login => "the login is refused, or its endpoint is away",
        })
    }
}

/// A pause of all requests of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub reason: PauseReason,
}

/// What an answer says about the pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// It came, whatever it said of its subject.
    Answered {
        /// How long it took.
        latency_ms: i64,
    },
    /// Fewer requests, please.
    RateLimited {
        /// The pause asked for.
        after: Duration,
    },
    /// No answer of use: time-out, 5xx, cut, no connection.
    Failed,
    /// Server errors, with a time from which on it may work again.
    Unavailable {
        /// The pause asked for.
        after: Duration,
    },
    /// No login.
    NoLogin {
        /// When the next try is due.
        after: Duration,
    },
    /// Nothing was sent.
    Unused,
}

/// Whether a request may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Now.
    Go,
    /// Not before this time, or before another request ends.
    Wait(Option<Timestamp>),
}

/// The state of a tenant's pace.
#[derive(Debug, Clone)]
pub struct Pace {
    limit: f64,
    limit_max: f64,
    threshold: f64,
    rate: Option<f64>,
    next_at: Timestamp,
    in_flight: usize,
    pause: Option<Pause>,
    probing: bool,
    failures: u32,
    lowered_at: Option<Timestamp>,
    usual_ms: f64,
    sent: SentPerSecond,
}

/// Requests of this second and of the one before: what the rate was when Fluent said "too many".
#[derive(Debug, Clone, Copy, Default)]
struct SentPerSecond {
    second: i64,
    now: u32,
    before: u32,
}

impl SentPerSecond {
    fn add(&mut self, now: Timestamp) {
        let second = now.as_millis().div_euclid(1000);
        if second != self.second {
            self.before = if second == self.second.saturating_add(1) {
                self.now
            } else {
                0
            };
            (self.second, self.now) = (second, 0);
        }
        self.now = self.now.saturating_add(1);
    }
}

impl Pace {
    /// Starts slowly; never more than `limit_max` requests at one time (0 is taken as 1).
    #[must_use]
    pub fn new(limit_max: usize) -> Self {
        let limit_max = f64::from(u32::try_from(limit_max.max(1)).unwrap_or(u32::MAX));
        Self {
            limit: FIRST_LIMIT.min(limit_max),
            limit_max,
            threshold: limit_max,
            rate: None,
            next_at: Timestamp::from_millis(i64::MIN),
            in_flight: 0,
            pause: None,
            probing: false,
            failures: 0,
            lowered_at: None,
            usual_ms: 0.0,
            sent: SentPerSecond::default(),
        }
    }

    /// From now on never more than `limit_max` requests at one time (0 is taken as 1); those that are out are not
    /// called back.
    pub fn set_limit_max(&mut self, limit_max: usize) {
        let limit_max = f64::from(u32::try_from(limit_max.max(1)).unwrap_or(u32::MAX));
        if self.threshold >= self.limit_max {
            self.threshold = limit_max; // no overload was seen yet
        }
        self.limit_max = limit_max;
        self.limit = self.limit.min(limit_max);
    }

    /// Asks for a slot; [`Admission::Go`] takes it, and [`Pace::report`] gives it back. `urgent` is a
    /// leaver: it has a slot of its own, is not slowed by the rate, and is let through a pause one at a
    /// time.
    pub fn admit(&mut self, now: Timestamp, urgent: bool) -> Admission {
        if let Some(pause) = self.pause {
            if now < pause.until {
                if !urgent || self.probing {
                    return Admission::Wait((!urgent).then_some(pause.until));
                }
                self.probing = true;
                return self.go(now);
            }
            // After a pause one request at a time finds out how things are.
            self.pause = None;
            self.limit = 1.0;
        }
        let extra = if urgent { URGENT_EXTRA } else { 0 };
        if self.in_flight >= self.slots().saturating_add(extra) {
            return Admission::Wait(None);
        }
        if !urgent && now < self.next_at {
            return Admission::Wait(Some(self.next_at));
        }
        self.go(now)
    }

    fn go(&mut self, now: Timestamp) -> Admission {
        self.in_flight = self.in_flight.saturating_add(1);
        self.sent.add(now);
        if let Some(rate) = self.rate {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the rate is at least RATE_MIN: ten seconds at most"
            )]
            let gap = (1000.0 / rate.max(RATE_MIN)) as i64;
            self.next_at = self.next_at.max(now).plus_millis(gap);
        }
        Admission::Go
    }

    /// Requests that may be out at one time.
    #[must_use]
    pub fn slots(&self) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and limit_max"
        )]
        let slots = self.limit.max(1.0) as usize;
        slots
    }

    /// Requests that are out.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Requests per second at most, once Fluent has asked for fewer.
    #[must_use]
    pub const fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// The pause in force at `now`.
    #[must_use]
    pub fn pause(&self, now: Timestamp) -> Option<Pause> {
        self.pause.filter(|pause| now < pause.until)
    }

    /// Gives a slot back and learns from the answer.
    pub fn report(&mut self, now: Timestamp, signal: Signal) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.probing = false;
        match signal {
            Signal::Answered { latency_ms } => self.answered(latency_ms),
            Signal::RateLimited { after } => {
                if self.lower(now) {
                    self.lower_rate();
                }
                self.pause_until(now.plus_millis(millis(after)), PauseReason::RateLimit);
            }
            Signal::Failed => {
                self.lower(now);
                self.failures = self.failures.saturating_add(1);
                if let Some(beyond) = self.failures.checked_sub(OUTAGE_AFTER) {
                    let pause = OUTAGE_FIRST_MS
                        .checked_shl(beyond.min(16))
                        .unwrap_or(OUTAGE_MAX_MS);
                    self.pause_until(now.plus_millis(pause.min(OUTAGE_MAX_MS)), PauseReason::Outage);
                }
            }
            Signal::Unavailable { after } => {
                self.lower(now);
                self.failures = self.failures.saturating_add(1);
                self.pause_until(now.plus_millis(millis(after)), PauseReason::Outage);
            }
            Signal::NoLogin { after } => self.pause_until(now.plus_millis(millis(after)), PauseReason::Login),
            Signal::Unused => {}
        }
    }

    /// An answer ends an outage or a missing login at once. A pause that Fluent asked for is served to its
    /// end.
    fn answered(&mut self, latency_ms: i64) {
        self.failures = 0;
        if self
            .pause
            .is_some_and(|pause| pause.reason != PauseReason::RateLimit)
        {
            self.pause = None;
        }
        if let Some(rate) = self.rate {
            let rate = rate + 0.1 / rate.max(RATE_MIN);
            self.rate = (rate < RATE_MAX).then_some(rate);
        }
        let latency = f64::from(i32::try_from(latency_ms.max(0)).unwrap_or(i32::MAX));
        let slow = self.usual_ms > 0.0 && latency > self.usual_ms.max(5.0) * SLOW_FACTOR;
        self.usual_ms = if self.usual_ms > 0.0 {
            self.usual_ms.mul_add(0.95, latency * 0.05)
        } else {
            latency
        };
        if !slow {
            let more = if self.limit < self.threshold {
                1.0
            } else {
                1.0 / self.limit.max(1.0)
            };
            self.limit = (self.limit + more).min(self.limit_max);
        }
    }

    /// Halves the limit, at most once in [`DECREASE_EVERY_MS`]; whether it did.
    fn lower(&mut self, now: Timestamp) -> bool {
        if self
            .lowered_at
            .is_some_and(|at| now.millis_since(at) < DECREASE_EVERY_MS)
        {
            return false;
        }
        self.lowered_at = Some(now);
        self.limit = (self.limit / 2.0).max(1.0);
        self.threshold = self.limit;
        true
    }

    fn lower_rate(&mut self) {
        let seen = f64::from(self.sent.now.max(self.sent.before));
        let rate = self.rate.map_or(seen, |rate| rate.min(seen.max(1.0)));
        self.rate = Some((rate / 2.0).clamp(RATE_MIN, RATE_MAX));
    }

    fn pause_until(&mut self, until: Timestamp, reason: PauseReason) {
        if self.pause.is_none_or(|pause| pause.until < until) {
            self.pause = Some(Pause { until, reason });
        }
    }
}

#[cfg(test)]
mod tests;
