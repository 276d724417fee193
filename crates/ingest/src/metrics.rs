//! Counters and latencies of the door, as plain numbers that the binary gives out.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rollcall_scim::tolerance::{Quirk, Tolerated};

use crate::http::route::TEMPLATES;

/// Upper bounds of the latency buckets in microseconds: from a read in memory to the request time-out.
pub const LATENCY_BOUNDS_US: [u64; 14] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000,
    30_000_000,
];

/// Statuses that are counted one by one; any other is counted as 0.
const STATUSES: [u16; 21] = [
    200, 201, 204, 304, 400, 401, 403, 404, 405, 408, 409, 412, 413, 414, 415, 429, 431, 500, 501, 503, 0,
];
const ROUTES: usize = TEMPLATES.len();

/// Why a request was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthFailure {
    /// It presented nothing.
    Missing,
    /// It presented something that is nobody's.
    Unknown,
    /// It presented what was valid once.
    Expired,
    /// An OAuth client did not prove who it is.
    Client,
    /// Its address had failed too often.
    Limited,
}

impl AuthFailure {
    /// All of them, in the order in which they are counted.
    pub const ALL: [Self; 5] = [
        Self::Missing,
        Self::Unknown,
        Self::Expired,
        Self::Client,
        Self::Limited,
    ];

    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Client => "client",
            Self::Limited => "limited",
        }
    }
}

/// Counts since the start of the process. Shared, never blocking.
#[derive(Debug)]
pub struct Metrics {
    requests: Vec<AtomicU64>,
    latency: Vec<Histogram>,
    /// Events that were acknowledged by the log (parts counted one by one).
    pub(crate) events_appended: AtomicU64,
    /// Requests decided again because the resource had moved.
    pub(crate) conflicts_retried: AtomicU64,
    /// Events that the fold rejected.
    pub(crate) rejections: AtomicU64,
    /// Appends that the log refused.
    pub(crate) append_failures: AtomicU64,
    /// Requests that changed nothing and so wrote no event.
    pub(crate) unchanged: AtomicU64,
    /// Things that tolerance left out of requests (unknown attributes, passwords, nulls).
    pub(crate) left_out: AtomicU64,
    /// Requests that ended in a caught panic.
    pub(crate) panics: AtomicU64,
    /// Requests that held each deviation of the table of tolerance.
    tolerated: Vec<AtomicU64>,
    /// Access tokens given to OAuth clients.
    pub(crate) access_tokens: AtomicU64,
    /// Requests that were not let in, by reason.
    auth_failures: [AtomicU64; AuthFailure::ALL.len()],
}

#[derive(Debug, Default)]
struct Histogram {
    buckets: [AtomicU64; LATENCY_BOUNDS_US.len()],
    count: AtomicU64,
    sum_us: AtomicU64,
}

/// One series of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestCount {
    /// Route template below `/scim/v2`, or `unknown`.
    pub route: &'static str,
    /// HTTP status; 0 for one that is not counted by itself.
    pub status: u16,
    /// How many.
    pub count: u64,
}

/// Latency of one route, from the head of the request to its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteLatency {
    /// Route template below `/scim/v2`, or `unknown`.
    pub route: &'static str,
    /// Requests at or below each of [`LATENCY_BOUNDS_US`], cumulative.
    pub at_most: [u64; LATENCY_BOUNDS_US.len()],
    /// All requests.
    pub count: u64,
    /// Sum of all latencies in microseconds.
    pub sum_us: u64,
}

/// What was counted, at one moment (each number by itself).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetricsSnapshot {
    /// Requests by route and status, without those that never came.
    pub requests: Vec<RequestCount>,
    /// Latencies by route, without those that never came.
    pub latency: Vec<RouteLatency>,
    /// Events that were acknowledged by the log (parts counted one by one).
    pub events_appended: u64,
    /// Requests decided again because the resource had moved.
    pub conflicts_retried: u64,
    /// Events that the fold rejected.
    pub rejections: u64,
    /// Appends that the log refused.
    pub append_failures: u64,
    /// Requests that changed nothing and so wrote no event.
    pub unchanged: u64,
    /// Things that tolerance left out of requests (unknown attributes, passwords, nulls).
    pub left_out: u64,
    /// Requests that ended in a caught panic; each is a bug.
    pub panics: u64,
    /// Requests that held a deviation which was tolerated, without those that never came.
    pub tolerated: Vec<ToleratedCount>,
    /// Access tokens given to OAuth clients.
    pub access_tokens: u64,
    /// Requests that were not let in, by [`AuthFailure::ALL`].
    pub auth_failures: [u64; AuthFailure::ALL.len()],
}

/// Requests that held one deviation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToleratedCount {
    /// Key of the row in the table of tolerance.
    pub quirk: &'static str,
    /// How many.
    pub count: u64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: (0..ROUTES * STATUSES.len()).map(|_| AtomicU64::new(0)).collect(),
            latency: (0..ROUTES).map(|_| Histogram::default()).collect(),
            events_appended: AtomicU64::new(0),
            conflicts_retried: AtomicU64::new(0),
            rejections: AtomicU64::new(0),
            append_failures: AtomicU64::new(0),
            unchanged: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            tolerated: Quirk::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            access_tokens: AtomicU64::new(0),
            auth_failures: Default::default(),
        }
    }
}

impl Metrics {
    pub(crate) fn request(&self, route: &'static str, status: u16, took: Duration) {
        let route = TEMPLATES.iter().position(|t| *t == route).unwrap_or(ROUTES - 1);
        let status = STATUSES
            .iter()
            .position(|s| *s == status)
            .unwrap_or(STATUSES.len() - 1);
        if let Some(counter) = self.requests.get(route * STATUSES.len() + status) {
            counter.fetch_add(1, Relaxed);
        }
        if let Some(histogram) = self.latency.get(route) {
            histogram.record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        }
    }

    /// Counts what a request held that was tolerated. Whose it was is on record at level debug only: all connections
    /// times all rows would be too many series.
    pub(crate) fn tolerated(&self, seen: Tolerated) {
        if !seen.is_empty() {
            tracing::debug!(?seen, "tolerated");
        }
        for quirk in seen.iter() {
            if let Some(counter) = self.tolerated.get(quirk as usize) {
                counter.fetch_add(1, Relaxed);
            }
        }
    }

    fn tolerated_counts(&self) -> Vec<ToleratedCount> {
        let counts = Quirk::ALL
            .iter()
            .zip(&self.tolerated)
            .map(|(quirk, count)| ToleratedCount {
                quirk: quirk.row().key,
                count: count.load(Relaxed),
            });
        counts.filter(|tolerated| tolerated.count > 0).collect()
    }

    /// A request was not let in.
    pub(crate) fn auth_failure(&self, why: AuthFailure) {
        let index = AuthFailure::ALL.iter().position(|known| *known == why);
        if let Some(counter) = index.and_then(|index| self.auth_failures.get(index)) {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn snapshot(&self) -> MetricsSnapshot {
        let series = TEMPLATES
            .iter()
            .flat_map(|route| STATUSES.iter().map(move |status| (route, status)));
        let requests = series
            .zip(&self.requests)
            .map(|((route, status), count)| RequestCount {
                route,
                status: *status,
                count: count.load(Relaxed),
            });
        let latency = TEMPLATES
            .iter()
            .zip(&self.latency)
            .map(|(route, h)| h.read(route));
        MetricsSnapshot {
            requests: requests.filter(|r| r.count > 0).collect(),
            latency: latency.filter(|l| l.count > 0).collect(),
            events_appended: self.events_appended.load(Relaxed),
            conflicts_retried: self.conflicts_retried.load(Relaxed),
            rejections: self.rejections.load(Relaxed),
            append_failures: self.append_failures.load(Relaxed),
            unchanged: self.unchanged.load(Relaxed),
            left_out: self.left_out.load(Relaxed),
            panics: self.panics.load(Relaxed),
            tolerated: self.tolerated_counts(),
            access_tokens: self.access_tokens.load(Relaxed),
            auth_failures: self.auth_failures.each_ref().map(|count| count.load(Relaxed)),
        }
    }
}

impl Histogram {
    fn record(&self, micros: u64) {
        let bucket = LATENCY_BOUNDS_US.iter().position(|bound| micros <= *bound);
        if let Some(counter) = bucket.and_then(|index| self.buckets.get(index)) {
            counter.fetch_add(1, Relaxed);
        }
        self.count.fetch_add(1, Relaxed);
        self.sum_us.fetch_add(micros, Relaxed);
    }

    fn read(&self, route: &'static str) -> RouteLatency {
        let mut at_most = [0; LATENCY_BOUNDS_US.len()];
        let mut sum = 0u64;
        for (to, from) in at_most.iter_mut().zip(&self.buckets) {
            sum = sum.saturating_add(from.load(Relaxed));
            *to = sum;
        }
        RouteLatency {
            route,
            at_most,
            count: self.count.load(Relaxed),
            sum_us: self.sum_us.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_and_status_and_latencies_cumulate() {
        let metrics = Metrics::default();
        metrics.request("/Users", 201, Duration::from_micros(300));
        metrics.request("/Users", 201, Duration::from_secs(60));
        metrics.request("/Users", 418, Duration::ZERO);
        metrics.request("nonsense", 404, Duration::ZERO);
        let seen = metrics.snapshot();
        let count = |route, status| {
            seen.requests
                .iter()
                .find(|r| r.route == route && r.status == status)
                .map_or(0, |r| r.count)
        };
        assert_eq!(
            (count("/Users", 201), count("/Users", 0), count("unknown", 404)),
            (2, 1, 1)
        );
        let users = seen
            .latency
            .iter()
            .find(|l| l.route == "/Users")
            .map(|l| (l.count, l.at_most));
        assert!(
            users.is_some_and(
                |(all, at_most)| all == 3 && at_most == [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]
            )
        );
    }
}
