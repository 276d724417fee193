//! Which cluster, which topics, how patient.

use std::time::Duration;

use super::error::KafkaError;
use super::holes::AcceptedHole;
use super::security::Security;
use crate::contract::Stream;

/// Most characters of a topic prefix: Kafka takes names of 249, the longest of ours is 8.
const MAX_PREFIX_CHARS: usize = 200;
/// Shortest session: brokers refuse less by default (`group.min.session.timeout.ms` = 6 s).
const MIN_SESSION: Duration = Duration::from_secs(6);
/// Longest session: how long the partitions of a dead process stay unattended.
const MAX_SESSION: Duration = Duration::from_secs(300);
/// Bounds of the producer's queue: a few small records, and what a process can spare.
const MIN_QUEUE: usize = 16 * 1024;
const MAX_QUEUE: usize = 1024 * 1024 * 1024;

/// How to reach a log in Kafka.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// Brokers to begin with, `host:port` separated by commas.
    pub brokers: String,
    /// What stands before `events`, `desired` and `outcomes`, and before the names of consumer groups.
    /// Default: `rollcall.`.
    pub topic_prefix: String,
    /// The name under which brokers list our connections and quotas. Default: `rollcall`.
    pub client_id: String,
    /// Encryption and login. Default: neither.
    pub security: Security,
    /// How long a question to the cluster (metadata, ends, creating topics) may take. Default: 10 s.
    pub request_timeout: Duration,
    /// How long an append waits for its acknowledgement before it is refused as unavailable; a change of
    /// leader must fit into three quarters of it, the first may be spent on room in the queue. Default: 30 s.
    pub delivery_timeout: Duration,
    /// Room for records that wait for their acknowledgement: what does not fit waits for a quarter of the delivery
    /// time-out and is refused then. Default: 32 MiB, as in the embedded engine; 16 KiB to 1 GiB.
    pub queue_bytes: usize,
    /// After how much silence of a process its partitions are handed to others. Default: 10 s, 6 to 300 s.
    pub session_timeout: Duration,
    /// Holes that are passed over. Default: none.
    pub accepted_holes: Vec<AcceptedHole>,
}

impl KafkaOptions {
    /// The defaults, with these brokers.
    #[must_use]
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            topic_prefix: "rollcall.".to_owned(),
            client_id: "rollcall".to_owned(),
            security: Security::default(),
            request_timeout: Duration::from_secs(10),
            delivery_timeout: Duration::from_secs(30),
            queue_bytes: 32 * 1024 * 1024,
            session_timeout: Duration::from_secs(10),
            accepted_holes: Vec::new(),
        }
    }

    /// The topic of `stream`.
    #[must_use]
    pub fn topic(&self, stream: Stream) -> String {
        format!("{}{}", self.topic_prefix, stream.name())
    }

    /// The consumer group `name` of this log.
    #[must_use]
    pub fn group(&self, name: &str) -> String {
        format!("{}{name}", self.topic_prefix)
    }

    /// Refuses what cannot work, before anything is asked.
    pub(crate) fn check(&self) -> Result<(), KafkaError> {
        let refuse = |setting, reason: &str| {
            Err(KafkaError::Setting {
                setting,
                reason: reason.to_owned(),
            })
        };
        if self.brokers.trim().is_empty() {
            return refuse("brokers", "no broker is named");
        }
        let prefix = &self.topic_prefix;
        if prefix.len() > MAX_PREFIX_CHARS {
            return refuse("topic_prefix", "longer than 200 characters");
        }
        if !prefix
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        {
            return refuse("topic_prefix", "topics take letters, digits, '.', '_' and '-'");
        }
        let whole = |time: Duration| (Duration::from_millis(100)..=Duration::from_secs(3600)).contains(&time);
        if !whole(self.request_timeout) {
            return refuse("request_timeout", "from 0.1 s to 1 h");
        }
        if !whole(self.delivery_timeout) {
            return refuse("delivery_timeout", "from 0.1 s to 1 h");
        }
        if !(MIN_QUEUE..=MAX_QUEUE).contains(&self.queue_bytes) {
            return refuse("queue", "from 16 KiB to 1 GiB");
        }
        if !(MIN_SESSION..=MAX_SESSION).contains(&self.session_timeout) {
            return refuse("session_timeout", "from 6 s to 300 s");
        }
        self.security.check()
    }
}
