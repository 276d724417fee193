//! `/metrics`: counters and latencies that the engine records, and gauges that are set from its status when
//! scraped.
//!
//! Labels are tenants, lanes and fixed words: never a user, a group or a role, so the number of series is
//! bounded by the configuration.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::admin::api::InstanceStatus;

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;
type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// From a millisecond to a minute: requests answered and users made usable.
const LATENCY_BUCKETS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0,
];

fn latency() -> Histogram {
    Histogram::new(LATENCY_BUCKETS)
}

/// All metrics of the process. Recording is lock-free but for the first use of a label.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    request_seconds: Histograms,
    fluent_calls: Family<Labels, Counter>,
    fluent_call_seconds: Histograms,
    receipt_to_fluent_seconds: Histograms,
    gauges: Gauges,
}

#[derive(Debug, Default)]
struct Gauges {
    sequence: Family<Labels, Gauge>,
    lag_events: Family<Labels, Gauge>,
    users: Family<Labels, Gauge>,
    groups: Family<Labels, Gauge>,
    accounts: Family<Labels, Gauge>,
    held: Family<Labels, Gauge>,
    dirty: Family<Labels, Gauge>,
    queued: Family<Labels, Gauge>,
    failing: Family<Labels, Gauge>,
    fluent_reachable: Family<Labels, Gauge>,
    ready: Gauge,
}

/// Every metric with its help, as in `docs/metrics.md`.
pub const NAMES: [(&str, &str); 16] = [
    (
        "rollcall_requests",
        "Requests answered, by tenant, connection, method and status",
    ),
    (
        "rollcall_request_seconds",
        "Time from a request's arrival to its answer, by method",
    ),
    (
        "rollcall_fluent_calls",
        "Calls to Fluent, by tenant, operation and outcome",
    ),
    (
        "rollcall_fluent_call_seconds",
        "Time of a call to Fluent, by operation",
    ),
    (
        "rollcall_receipt_to_fluent_seconds",
        "Time from an event's durable receipt to the first mutation it led to, by tenant and lane",
    ),
    (
        "rollcall_sequence",
        "Events of the tenant that the directory has taken in",
    ),
    (
        "rollcall_lag_events",
        "Events in the log that the directory has not taken in yet",
    ),
    ("rollcall_users", "Directory users that are not deleted"),
    ("rollcall_groups", "Directory groups that are not deleted"),
    ("rollcall_accounts", "Accounts that a directory user leads to"),
    ("rollcall_held_accounts", "Accounts with at least one hold"),
    (
        "rollcall_dirty_accounts",
        "Accounts whose desired user is still to be computed",
    ),
    (
        "rollcall_queued_accounts",
        "Accounts that wait to be compared with Fluent",
    ),
    (
        "rollcall_failing_accounts",
        "Accounts that Fluent refused and that are tried again",
    ),
    (
        "rollcall_fluent_reachable",
        "1 when the last call to Fluent was answered",
    ),
    ("rollcall_ready", "1 when the instance is ready"),
];

fn help(name: &str) -> &'static str {
    NAMES
        .iter()
        .find(|(known, _)| *known == name)
        .map_or("", |(_, help)| help)
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        macro_rules! registered {
            ($name:literal, $metric:expr) => {{
                let metric = $metric;
                registry.register($name, help($name), metric.clone());
                metric
            }};
        }
        let histograms = || Histograms::new_with_constructor(latency as fn() -> Histogram);
        let gauges = Gauges {
            sequence: registered!("rollcall_sequence", Family::default()),
            lag_events: registered!("rollcall_lag_events", Family::default()),
            users: registered!("rollcall_users", Family::default()),
            groups: registered!("rollcall_groups", Family::default()),
            accounts: registered!("rollcall_accounts", Family::default()),
            held: registered!("rollcall_held_accounts", Family::default()),
            dirty: registered!("rollcall_dirty_accounts", Family::default()),
            queued: registered!("rollcall_queued_accounts", Family::default()),
            failing: registered!("rollcall_failing_accounts", Family::default()),
            fluent_reachable: registered!("rollcall_fluent_reachable", Family::default()),
            ready: registered!("rollcall_ready", Gauge::default()),
        };
        let requests = registered!("rollcall_requests", Family::default());
        let request_seconds = registered!("rollcall_request_seconds", histograms());
        let fluent_calls = registered!("rollcall_fluent_calls", Family::default());
        let fluent_call_seconds = registered!("rollcall_fluent_call_seconds", histograms());
        let receipt_to_fluent_seconds = registered!("rollcall_receipt_to_fluent_seconds", histograms());
        Self {
            registry,
            requests,
            request_seconds,
            fluent_calls,
            fluent_call_seconds,
            receipt_to_fluent_seconds,
            gauges,
        }
    }
}

impl Metrics {
    /// A request was answered. `method` and `status` are the protocol's; the connection is the authenticated
    /// one.
    pub fn request(&self, tenant: &str, connection: &str, method: &'static str, status: u16, seconds: f64) {
        let labels = vec![
            ("tenant", tenant.to_owned()),
            ("connection", connection.to_owned()),
            ("method", method.to_owned()),
            ("status", status.to_string()),
        ];
        self.requests.get_or_create(&labels).inc();
        self.request_seconds
            .get_or_create(&vec![("method", method.to_owned())])
            .observe(seconds);
    }

    /// A call to Fluent ended. `outcome` is `ok`, a code of Fluent's or a word of ours for a transport fault.
    pub fn fluent_call(&self, tenant: &str, operation: &'static str, outcome: &str, seconds: f64) {
        let labels = vec![
            ("tenant", tenant.to_owned()),
            ("operation", operation.to_owned()),
            ("outcome", outcome.to_owned()),
        ];
        self.fluent_calls.get_or_create(&labels).inc();
        self.fluent_call_seconds
            .get_or_create(&vec![("operation", operation.to_owned())])
            .observe(seconds);
    }

    /// The first mutation that an event led to was sent, so long after the event was durable.
    pub fn receipt_to_fluent(&self, tenant: &str, lane: &'static str, seconds: f64) {
        let labels = vec![("tenant", tenant.to_owned()), ("lane", lane.to_owned())];
        self.receipt_to_fluent_seconds
            .get_or_create(&labels)
            .observe(seconds);
    }

    /// All metrics as text, gauges from `status`.
    #[must_use]
    pub fn render(&self, status: &InstanceStatus) -> String {
        let gauges = &self.gauges;
        gauges.ready.set(i64::from(status.ready));
        for tenant in &status.tenants {
            let labels = vec![("tenant", tenant.tenant.to_string())];
            let set = |gauge: &Family<Labels, Gauge>, value: u64| {
                gauge
                    .get_or_create(&labels)
                    .set(i64::try_from(value).unwrap_or(i64::MAX));
            };
            set(&gauges.sequence, tenant.sequence.0);
            set(&gauges.lag_events, tenant.lag_events);
            set(&gauges.users, tenant.users);
            set(&gauges.groups, tenant.groups);
            set(&gauges.accounts, tenant.accounts);
            set(&gauges.held, tenant.held);
            set(&gauges.dirty, tenant.dirty);
            set(&gauges.queued, tenant.queued);
            set(&gauges.failing, tenant.failing);
            set(&gauges.fluent_reachable, u64::from(tenant.fluent.reachable));
        }
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            text.clear(); // a String takes everything
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::api::sample_status;

    #[test]
    fn what_was_recorded_is_rendered_with_its_labels() {
        let metrics = Metrics::default();
        metrics.request("acme", "entra", "POST", 201, 0.004);
        metrics.fluent_call("acme", "updateUser", "C0011E", 0.2);
        metrics.receipt_to_fluent("acme", "leaver", 0.03);
        let text = metrics.render(&sample_status());
        for line in [
            r#"rollcall_requests_total{tenant="acme",connection="entra",method="POST",status="201"} 1"#,
            r#"rollcall_fluent_calls_total{tenant="acme",operation="updateUser",outcome="C0011E"} 1"#,
            r#"rollcall_receipt_to_fluent_seconds_count{tenant="acme",lane="leaver"} 1"#,
            r#"rollcall_sequence{tenant="acme"} 1204"#,
            r#"rollcall_ready 1"#,
        ] {
            assert!(text.contains(line), "{line} is missing in:\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn every_metric_has_a_name_and_help_and_no_other_is_rendered() {
        let metrics = Metrics::default(); // a family without a label is not rendered
        metrics.request("acme", "entra", "POST", 201, 0.004);
        metrics.fluent_call("acme", "updateUser", "ok", 0.2);
        metrics.receipt_to_fluent("acme", "leaver", 0.03);
        let text = metrics.render(&sample_status());
        let described: Vec<&str> = text
            .lines()
            .filter_map(|line| {
                line.strip_prefix("# HELP ")?
                    .split_once(' ')
                    .map(|(name, _)| name)
            })
            .collect();
        for (name, help) in NAMES {
            assert!(
                described.contains(&name) && !help.is_empty(),
                "{name} is not described"
            );
        }
        assert_eq!(described.len(), NAMES.len());
    }
}
