//! The figures of a process that shares a log in Kafka.

use rollcall_eventlog::kafka::KafkaStats;

use super::{Scrape, Series, Value, seconds};

impl Scrape {
    pub(super) fn of_shares(&self, series: &mut Series) {
        for share in &self.status.shares {
            let group = || vec![("group", share.group.clone())];
            let owned = u64::try_from(share.partitions.len()).unwrap_or(u64::MAX);
            series.push(("rollcall_partitions_owned", group(), Value::Gauge(owned)));
            if let Some(left) = share.lease_ms {
                series.push(("rollcall_lease_seconds", group(), Value::Gauge(left / 1000)));
            }
        }
        if let Some(stats) = &self.kafka {
            of_log(stats, series);
            let findings = u64::try_from(self.topic_findings).unwrap_or(u64::MAX);
            series.push(("rollcall_topic_findings", Vec::new(), Value::Gauge(findings)));
        }
    }
}

fn of_log(stats: &KafkaStats, series: &mut Series) {
    for (result, count) in [
        ("acknowledged", stats.records_acknowledged),
        ("failed", stats.records_failed),
    ] {
        let labels = vec![("result", result.to_owned())];
        series.push(("rollcall_records_sent", labels, Value::Counter(count)));
    }
    for (name, count) in [
        ("rollcall_producer_restarts", stats.producer_reinitialised),
        ("rollcall_rebalances", stats.rebalances),
        ("rollcall_assignments_lost", stats.assignments_lost),
        ("rollcall_appends_without_room", stats.appends_without_room),
    ] {
        series.push((name, Vec::new(), Value::Counter(count)));
    }
    let in_flight = Value::Gauge(stats.records_in_flight);
    series.push(("rollcall_records_in_flight", Vec::new(), in_flight));
    let mut below = 0;
    let buckets = stats.delivery_buckets.iter().map(|(bound, at_most)| {
        let own = at_most.saturating_sub(below);
        below = *at_most;
        (*bound, own)
    });
    let mut buckets: Vec<(f64, u64)> = buckets.collect();
    buckets.push((f64::INFINITY, stats.appends_answered.saturating_sub(below)));
    let sum = seconds(
        u64::try_from(stats.delivery_sum.as_micros()).unwrap_or(u64::MAX),
        1e6,
    );
    series.push((
        "rollcall_append_seconds",
        Vec::new(),
        Value::Histogram(sum, buckets),
    ));
    for partition in stats
        .partitions
        .iter()
        .filter(|partition| partition.read.is_some())
    {
        let labels = vec![
            ("stream", partition.stream.name().to_owned()),
            ("partition", partition.partition.to_string()),
        ];
        series.push(("rollcall_partition_lag", labels, Value::Gauge(partition.lag)));
    }
}
