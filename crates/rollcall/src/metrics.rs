//! `/metrics`: what the parts of the instance counted, as one picture taken at every scrape.
//!
//! Labels are tenants, connections, names of credentials, routes, statuses, lanes, Fluent's codes and fixed words:
//! never a user, a group or a role, so the number of series is bounded by the configuration and by the parts' own
//! bounds.

use std::collections::BTreeMap;
mod shared;

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use rollcall_domain::TenantId;
use rollcall_eventlog::kafka::KafkaStats;
use rollcall_ingest::{AuthFailure, LATENCY_BOUNDS_US, MetricsSnapshot, TenantFigures};
use rollcall_reconciler::{BUCKETS_MS, Counters, HistogramSnapshot};

use crate::admin::api::InstanceStatus;

/// The content type of [`Scrape::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What kind of number a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only rises; its series end in `_total`.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Seconds in buckets; its series end in `_bucket`, `_sum`, `_count`.
    Histogram,
}

/// Every metric with its kind and help, as in `docs/metrics.md`.
pub const NAMES: [(&str, Kind, &str); 49] = [
    (
        "rollcall_requests",
        Kind::Counter,
        "SCIM requests answered, by route and status",
    ),
    (
        "rollcall_request_seconds",
        Kind::Histogram,
        "Time from the head of a request to its answer, by route",
    ),
    (
        "rollcall_events_appended",
        Kind::Counter,
        "Events acknowledged by the log for SCIM requests",
    ),
    (
        "rollcall_conflicts_retried",
        Kind::Counter,
        "Requests decided again because the resource had moved",
    ),
    (
        "rollcall_rejections",
        Kind::Counter,
        "Events of SCIM requests that the fold rejected",
    ),
    (
        "rollcall_append_failures",
        Kind::Counter,
        "Appends for SCIM requests that the log refused",
    ),
    (
        "rollcall_requests_unchanged",
        Kind::Counter,
        "SCIM requests that changed nothing and wrote no event",
    ),
    (
        "rollcall_tolerated",
        Kind::Counter,
        "SCIM requests that held a deviation which was tolerated, by its key in docs/tolerance.md",
    ),
    (
        "rollcall_panics",
        Kind::Counter,
        "Requests that ended in a caught panic; each is a bug",
    ),
    (
        "rollcall_auth_failures",
        Kind::Counter,
        "Requests that were not let in, by reason: missing, unknown, expired, client, limited",
    ),
    (
        "rollcall_access_tokens",
        Kind::Counter,
        "Access tokens given to OAuth clients",
    ),
    (
        "rollcall_requests_limited",
        Kind::Counter,
        "Requests refused with 429 for being beyond the tenant's rate",
    ),
    (
        "rollcall_requests_crowded",
        Kind::Counter,
        "Requests refused with 503 because the tenant had its share of places",
    ),
    (
        "rollcall_requests_in_flight",
        Kind::Gauge,
        "Requests of the tenant being worked on, or whose answer is not taken yet",
    ),
    (
        "rollcall_credentials",
        Kind::Gauge,
        "Credentials of a connection, by state: valid, expires-soon, expired",
    ),
    (
        "rollcall_credential_expires_seconds",
        Kind::Gauge,
        "When a credential that expires does so, in seconds since 1970",
    ),
    (
        "rollcall_certificate_expires_seconds",
        Kind::Gauge,
        "When the server's certificate ends, in seconds since 1970; absent without TLS",
    ),
    ("rollcall_visits", Kind::Counter, "Accounts compared with Fluent"),
    (
        "rollcall_intents",
        Kind::Counter,
        "Intents put on record before a write to Fluent",
    ),
    (
        "rollcall_writes",
        Kind::Counter,
        "Changes made in Fluent, by kind",
    ),
    (
        "rollcall_answers_lost",
        Kind::Counter,
        "Writes whose answer was lost and that were settled by reading again",
    ),
    (
        "rollcall_drifted",
        Kind::Counter,
        "Accounts that a resync found changed by others",
    ),
    (
        "rollcall_fluent_failures",
        Kind::Counter,
        "Failed calls to Fluent, by Fluent's code or ours",
    ),
    (
        "rollcall_fluent_call_seconds",
        Kind::Histogram,
        "Time of a call to Fluent",
    ),
    (
        "rollcall_leaver_seconds",
        Kind::Histogram,
        "Time from the receipt of a leaver to the deactivating call being sent",
    ),
    (
        "rollcall_usable_seconds",
        Kind::Histogram,
        "Time from the receipt of a change to the user being usable in Fluent",
    ),
    (
        "rollcall_sequence",
        Kind::Gauge,
        "Events of the tenant that the directory has taken in",
    ),
    (
        "rollcall_lag_events",
        Kind::Gauge,
        "Events in the log that the directory has not taken in yet",
    ),
    (
        "rollcall_users",
        Kind::Gauge,
        "Directory users that are not deleted",
    ),
    (
        "rollcall_groups",
        Kind::Gauge,
        "Directory groups that are not deleted",
    ),
    (
        "rollcall_accounts",
        Kind::Gauge,
        "Accounts that a directory user leads to",
    ),
    (
        "rollcall_held_accounts",
        Kind::Gauge,
        "Accounts with at least one hold when last looked at",
    ),
    (
        "rollcall_dirty_accounts",
        Kind::Gauge,
        "Accounts whose desired user is still to be computed",
    ),
    (
        "rollcall_queued_accounts",
        Kind::Gauge,
        "Accounts that wait to be compared with Fluent, or are being compared",
    ),
    (
        "rollcall_fluent_reachable",
        Kind::Gauge,
        "1 when Fluent can be reached and lets us in",
    ),
    (
        "rollcall_connection_warnings",
        Kind::Gauge,
        "Requests of a connection that show a known trap, by trap",
    ),
    (
        "rollcall_records_put_aside",
        Kind::Counter,
        "Records of the tenant that no event could be read from; `?`: of no tenant of this process",
    ),
    (
        "rollcall_partitions_owned",
        Kind::Gauge,
        "Partitions that this process owns, by group (Kafka)",
    ),
    (
        "rollcall_lease_seconds",
        Kind::Gauge,
        "How long they are certain to stay its own, by group (Kafka)",
    ),
    (
        "rollcall_rebalances",
        Kind::Counter,
        "Changes of what this process owns (Kafka)",
    ),
    (
        "rollcall_assignments_lost",
        Kind::Counter,
        "Times that everything was lost since the session had run out (Kafka)",
    ),
    (
        "rollcall_appends_without_room",
        Kind::Counter,
        "Appends that were refused since the producer's queue was full (Kafka)",
    ),
    (
        "rollcall_records_sent",
        Kind::Counter,
        "Records sent to the brokers, by result: acknowledged, failed (Kafka)",
    ),
    (
        "rollcall_records_in_flight",
        Kind::Gauge,
        "Records that wait for their acknowledgement (Kafka)",
    ),
    (
        "rollcall_append_seconds",
        Kind::Histogram,
        "Time from sending an append to its answer (Kafka)",
    ),
    (
        "rollcall_producer_restarts",
        Kind::Counter,
        "Producers made anew after a fatal error (Kafka)",
    ),
    (
        "rollcall_partition_lag",
        Kind::Gauge,
        "Records of a partition that its reader here has not read yet (Kafka)",
    ),
    (
        "rollcall_topic_findings",
        Kind::Gauge,
        "Settings of topics that are not what they must be (Kafka)",
    ),
    ("rollcall_ready", Kind::Gauge, "1 when the instance is ready"),
];

/// What a reconciler counted.
#[derive(Debug, Clone)]
pub struct ReconcilerFigures {
    /// Whose.
    pub tenant: TenantId,
    /// Its counters.
    pub counters: Counters,
    /// Calls to Fluent.
    pub call: HistogramSnapshot,
    /// Receipt to the deactivating call.
    pub leaver: HistogramSnapshot,
    /// Receipt to a usable user.
    pub usable: HistogramSnapshot,
}

/// The picture of one scrape.
#[derive(Debug, Clone)]
pub struct Scrape {
    /// How the instance is.
    pub status: InstanceStatus,
    /// What the door counted; none before it opened.
    pub door: Option<MetricsSnapshot>,
    /// What became of each tenant's requests at its limits.
    pub limits: Vec<TenantFigures>,
    /// What each tenant's reconciler counted.
    pub reconcilers: Vec<ReconcilerFigures>,
    /// What the log over Kafka counted.
    pub kafka: Option<KafkaStats>,
    /// Settings of its topics that are not what they must be.
    pub topic_findings: usize,
}

type Labels = Vec<(&'static str, String)>;

/// One series of a metric.
enum Value {
    Counter(u64),
    Gauge(u64),
    /// Sum in seconds, and the count of each bucket with its upper bound in seconds.
    Histogram(f64, Vec<(f64, u64)>),
}

type Series = Vec<(&'static str, Labels, Value)>;

impl Scrape {
    /// All metrics as OpenMetrics text.
    #[must_use]
    pub fn render(self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Collected(self)));
        let mut text = String::new();
        if encode(&mut text, &registry).is_err() {
            text.clear(); // a String takes everything
        }
        text
    }

    fn series(&self) -> Series {
        let mut series = Series::new();
        series.push((
            "rollcall_ready",
            Vec::new(),
            Value::Gauge(u64::from(self.status.ready)),
        ));
        self.of_tenants(&mut series);
        self.of_shares(&mut series);
        self.of_door(&mut series);
        self.of_limits(&mut series);
        self.of_credentials(&mut series);
        for figures in &self.reconcilers {
            of_reconciler(figures, &mut series);
        }
        series
    }

    fn of_tenants(&self, series: &mut Series) {
        // No tenant is called so: a name has letters, digits, '-' and '_' alone.
        let nobody = vec![("tenant", "?".to_owned())];
        let put_aside = Value::Counter(self.status.put_aside_of_nobody);
        series.push(("rollcall_records_put_aside", nobody, put_aside));
        for tenant in &self.status.tenants {
            for (name, value) in [
                ("rollcall_sequence", tenant.sequence.0),
                ("rollcall_lag_events", tenant.lag_events),
                ("rollcall_users", tenant.users),
                ("rollcall_groups", tenant.groups),
                ("rollcall_accounts", tenant.accounts),
                ("rollcall_held_accounts", tenant.held),
                ("rollcall_dirty_accounts", tenant.dirty),
                ("rollcall_queued_accounts", tenant.queued),
            ] {
                series.push((
                    name,
                    vec![("tenant", tenant.tenant.to_string())],
                    Value::Gauge(value),
                ));
            }
            let labels = || vec![("tenant", tenant.tenant.to_string())];
            if self.status.reconciles() {
                let reachable = Value::Gauge(u64::from(tenant.fluent.reachable));
                series.push(("rollcall_fluent_reachable", labels(), reachable));
            }
            let put_aside = Value::Counter(tenant.unreadable);
            series.push(("rollcall_records_put_aside", labels(), put_aside));
            for warning in &tenant.warnings {
                let labels = vec![
                    ("tenant", tenant.tenant.to_string()),
                    ("connection", warning.connection.to_string()),
                    ("trap", warning.trap.clone()),
                ];
                series.push((
                    "rollcall_connection_warnings",
                    labels,
                    Value::Gauge(warning.count),
                ));
            }
        }
    }

    fn of_limits(&self, series: &mut Series) {
        for figures in &self.limits {
            let tenant = || vec![("tenant", figures.tenant.to_string())];
            let mut push = |name, value| series.push((name, tenant(), value));
            push("rollcall_requests_limited", Value::Counter(figures.limited));
            push("rollcall_requests_crowded", Value::Counter(figures.crowded));
            push("rollcall_requests_in_flight", Value::Gauge(figures.in_flight));
        }
    }

    fn of_credentials(&self, series: &mut Series) {
        if let Some(ends) = self.status.certificate_ends {
            let seconds = u64::try_from(ends.as_millis() / 1000).unwrap_or(0);
            series.push((
                "rollcall_certificate_expires_seconds",
                Vec::new(),
                Value::Gauge(seconds),
            ));
        }
        let mut counts: BTreeMap<(String, String, String), u64> = BTreeMap::new();
        for credential in &self.status.credentials {
            let (tenant, connection) = (credential.tenant.to_string(), credential.connection.to_string());
            if let Some(expires) = credential.expires {
                let seconds = u64::try_from(expires.as_millis() / 1000).unwrap_or(0);
                let labels = vec![
                    ("tenant", tenant.clone()),
                    ("connection", connection.clone()),
                    ("credential", credential.name.clone()),
                ];
                series.push((
                    "rollcall_credential_expires_seconds",
                    labels,
                    Value::Gauge(seconds),
                ));
            }
            let key = (tenant, connection, credential.state.clone());
            *counts.entry(key).or_default() += 1;
        }
        for ((tenant, connection, state), count) in counts {
            let labels = vec![("tenant", tenant), ("connection", connection), ("state", state)];
            series.push(("rollcall_credentials", labels, Value::Gauge(count)));
        }
    }

    fn of_door(&self, series: &mut Series) {
        let Some(door) = &self.door else { return };
        for (why, count) in AuthFailure::ALL.into_iter().zip(door.auth_failures) {
            let labels = vec![("reason", why.as_str().to_owned())];
            series.push(("rollcall_auth_failures", labels, Value::Counter(count)));
        }
        for request in &door.requests {
            let labels = vec![
                ("route", request.route.to_owned()),
                ("status", request.status.to_string()),
            ];
            series.push(("rollcall_requests", labels, Value::Counter(request.count)));
        }
        for route in &door.latency {
            let mut before = 0;
            let bounds = LATENCY_BOUNDS_US.iter().zip(route.at_most);
            let mut buckets: Vec<(f64, u64)> = bounds
                .map(|(bound, at_most)| {
                    let own = at_most.saturating_sub(before);
                    before = at_most;
                    (seconds(*bound, 1e6), own)
                })
                .collect();
            buckets.push((f64::INFINITY, route.count.saturating_sub(before)));
            let labels = vec![("route", route.route.to_owned())];
            series.push((
                "rollcall_request_seconds",
                labels,
                Value::Histogram(seconds(route.sum_us, 1e6), buckets),
            ));
        }
        for tolerated in &door.tolerated {
            let labels = vec![("quirk", tolerated.quirk.to_owned())];
            series.push(("rollcall_tolerated", labels, Value::Counter(tolerated.count)));
        }
        for (name, value) in [
            ("rollcall_events_appended", door.events_appended),
            ("rollcall_conflicts_retried", door.conflicts_retried),
            ("rollcall_rejections", door.rejections),
            ("rollcall_append_failures", door.append_failures),
            ("rollcall_requests_unchanged", door.unchanged),
            ("rollcall_panics", door.panics),
            ("rollcall_access_tokens", door.access_tokens),
        ] {
            series.push((name, Vec::new(), Value::Counter(value)));
        }
    }
}

fn of_reconciler(figures: &ReconcilerFigures, series: &mut Series) {
    let (counters, tenant) = (&figures.counters, || ("tenant", figures.tenant.to_string()));
    for (name, value) in [
        ("rollcall_visits", counters.visits),
        ("rollcall_intents", counters.intents),
        ("rollcall_answers_lost", counters.ambiguous),
        ("rollcall_drifted", counters.drifted),
    ] {
        series.push((name, vec![tenant()], Value::Counter(value)));
    }
    for (kind, value) in [
        ("create", counters.users_created),
        ("deactivate", counters.users_deactivated),
        ("activate", counters.users_activated),
        ("add", counters.grants_added),
        ("remove", counters.grants_removed),
        ("profile", counters.profiles_written),
    ] {
        series.push((
            "rollcall_writes",
            vec![tenant(), ("kind", kind.to_owned())],
            Value::Counter(value),
        ));
    }
    for (code, value) in &counters.failures {
        let labels = vec![tenant(), ("code", code.clone())];
        series.push(("rollcall_fluent_failures", labels, Value::Counter(*value)));
    }
    for (name, histogram) in [
        ("rollcall_fluent_call_seconds", &figures.call),
        ("rollcall_leaver_seconds", &figures.leaver),
        ("rollcall_usable_seconds", &figures.usable),
    ] {
        let bounds = BUCKETS_MS
            .iter()
            .map(|bound| seconds(*bound, 1e3))
            .chain([f64::INFINITY]);
        let buckets = bounds.zip(histogram.buckets.iter().copied()).collect();
        let value = Value::Histogram(seconds(histogram.sum_ms, 1e3), buckets);
        series.push((name, vec![tenant()], value));
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people; far below 2^53")]
fn seconds(value: u64, per_second: f64) -> f64 {
    value as f64 / per_second
}

#[derive(Debug)]
struct Collected(Scrape);

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let all = self.0.series();
        for (name, kind, help) in NAMES {
            let of_name: Vec<_> = all.iter().filter(|(series, ..)| *series == name).collect();
            if of_name.is_empty() {
                continue;
            }
            let kind = match kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            let mut metric = encoder.encode_descriptor(name, help, None, kind)?;
            for (_, labels, value) in of_name {
                if labels.is_empty() {
                    one(&mut metric, value)?;
                } else {
                    one(&mut metric.encode_family(labels)?, value)?;
                }
            }
        }
        Ok(())
    }
}

fn one(metric: &mut MetricEncoder<'_>, value: &Value) -> Result<(), fmt::Error> {
    match value {
        Value::Counter(count) => metric.encode_counter::<NoLabelSet, u64, u64>(count, None),
        Value::Gauge(value) => metric.encode_gauge(&i64::try_from(*value).unwrap_or(i64::MAX)),
        Value::Histogram(sum, buckets) => {
            let count = buckets.iter().map(|(_, count)| count).sum();
            metric.encode_histogram::<NoLabelSet>(*sum, count, buckets, None)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rollcall_eventlog::kafka::PartitionStats;
    use rollcall_ingest::{RequestCount, RouteLatency};

    use super::*;
    use crate::admin::api::sample_status;

    fn scrape() -> Scrape {
        let mut at_most = [0; LATENCY_BOUNDS_US.len()];
        at_most.iter_mut().skip(3).for_each(|count| *count = 2);
        let histogram = HistogramSnapshot {
            buckets: vec![1; BUCKETS_MS.len() + 1],
            sum_ms: 1500,
        };
        let mut counters = Counters {
            visits: 7,
            ..Counters::default()
        };
        counters.failures.insert("C0011E".to_owned(), 3);
        Scrape {
            status: sample_status(),
            door: Some(MetricsSnapshot {
                requests: vec![RequestCount {
                    route: "/Users",
                    status: 201,
                    count: 2,
                }],
                latency: vec![RouteLatency {
                    route: "/Users",
                    at_most,
                    count: 3,
                    sum_us: 4_000,
                }],
                tolerated: vec![rollcall_ingest::ToleratedCount {
                    quirk: "password",
                    count: 2,
                }],
                ..MetricsSnapshot::default()
            }),
            limits: vec![TenantFigures {
                tenant: TenantId::new("acme").unwrap(),
                in_flight: 2,
                limited: 5,
                crowded: 0,
            }],
            reconcilers: vec![ReconcilerFigures {
                tenant: TenantId::new("acme").unwrap(),
                counters,
                call: histogram.clone(),
                leaver: histogram.clone(),
                usable: histogram,
            }],
            topic_findings: 1,
            kafka: Some(KafkaStats {
                records_acknowledged: 9,
                records_failed: 1,
                producer_reinitialised: 0,
                rebalances: 2,
                assignments_lost: 0,
                appends_without_room: 0,
                appends_in_flight: 0,
                records_in_flight: 0,
                delivery_buckets: vec![(0.001, 3), (0.01, 4)],
                delivery_sum: std::time::Duration::from_millis(250),
                appends_answered: 5,
                partitions: vec![PartitionStats {
                    stream: rollcall_eventlog::Stream::Events,
                    partition: rollcall_eventlog::Partition(3),
                    end: rollcall_eventlog::Position::new(8),
                    read: rollcall_eventlog::Position::new(6),
                    lag: 2,
                }],
            }),
        }
    }

    #[test]
    fn what_was_counted_is_rendered_with_its_labels() {
        let text = scrape().render();
        for line in [
            r#"rollcall_requests_total{route="/Users",status="201"} 2"#,
            r#"rollcall_request_seconds_bucket{le="0.0025",route="/Users"} 2"#,
            r#"rollcall_request_seconds_bucket{le="+Inf",route="/Users"} 3"#,
            r#"rollcall_request_seconds_sum{route="/Users"} 0.004"#,
            r#"rollcall_fluent_failures_total{tenant="acme",code="C0011E"} 3"#,
            r#"rollcall_leaver_seconds_count{tenant="acme"} 17"#,
            r#"rollcall_sequence{tenant="acme"} 1204"#,
            "rollcall_events_appended_total 0",
            r#"rollcall_tolerated_total{quirk="password"} 2"#,
            r#"rollcall_auth_failures_total{reason="unknown"} 0"#,
            r#"rollcall_requests_limited_total{tenant="acme"} 5"#,
            r#"rollcall_credentials{tenant="acme",connection="entra",state="expires-soon"} 1"#,
            r#"rollcall_credential_expires_seconds{tenant="acme",connection="entra",credential="2026-11"} 1772962200"#,
            r#"rollcall_partitions_owned{group="reconcile"} 2"#,
            r#"rollcall_lease_seconds{group="reconcile"} 12"#,
            r#"rollcall_append_seconds_bucket{le="0.01"} 4"#,
            r#"rollcall_append_seconds_count 5"#,
            r#"rollcall_partition_lag{stream="events",partition="3"} 2"#,
            r#"rollcall_records_sent_total{result="failed"} 1"#,
            "rollcall_topic_findings 1",
            "rollcall_ready 1",
        ] {
            assert!(text.contains(line), "{line} is missing in:\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn every_metric_is_described_and_no_other_is_rendered() {
        let text = scrape().render();
        let described: Vec<&str> = text
            .lines()
            .filter_map(|line| {
                line.strip_prefix("# HELP ")?
                    .split_once(' ')
                    .map(|(name, _)| name)
            })
            .collect();
        assert_eq!(described, NAMES.map(|(name, ..)| name));
    }
}
