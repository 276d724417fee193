//! Against a real broker, shared by all tests of the process; each has topics of its own.

use std::sync::Arc;

use super::super::topics::TopicPlan;
use super::super::*;
use crate::testing::Subject;

/// Few partitions: a test reads all of them.
pub(super) const PLAN: TopicPlan = TopicPlan {
    events_partitions: 2,
    account_partitions: 3,
    replication: 1,
    min_insync: 1,
};

pub(super) fn options() -> KafkaOptions {
    let brokers = rollcall_kafka_local::shared().expect("a broker for tests");
    KafkaOptions {
        topic_prefix: rollcall_kafka_local::unique_prefix(),
        ..KafkaOptions::new(brokers)
    }
}

pub(super) fn fresh(options: &KafkaOptions) -> KafkaLog {
    let report = topics::ensure(options, &PLAN).expect("the topics are made");
    assert!(report.is_good(), "{report}");
    KafkaLog::open(options).expect("the log opens")
}

mod conformance {
    use super::*;

    crate::conformance_tests!(subject().await);

    async fn subject() -> Subject {
        tokio::task::spawn_blocking(|| {
            let log = fresh(&options());
            Subject {
                log: Arc::new(log),
                dense: false,
                atomic: false,
                keep: Box::new(()),
            }
        })
        .await
        .unwrap()
    }
}
