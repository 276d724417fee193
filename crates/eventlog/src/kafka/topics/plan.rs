//! What the topics should be.

use crate::contract::{MAX_RECORD_BYTES, Stream};
use crate::kafka::client::MAX_MESSAGE_BYTES;
use crate::kafka::error::KafkaError;

/// Most partitions per topic: every one is read by a client of its own.
const MAX_PARTITIONS: u32 = 512;
/// What key, header and the frames of a batch take beside the largest record.
const FRAMING_BYTES: usize = 16 * 1024;

/// How the topics are made, and what they are checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicPlan {
    /// Partitions of `events`: the most projectors that can share the work. Default: 8.
    pub events_partitions: u32,
    /// Partitions of `desired` and of `outcomes`: the most reconcilers that can share the work. Default: 24.
    pub account_partitions: u32,
    /// Copies of every record. Default: 3.
    pub replication: u16,
    /// Copies that must be in step for an append to be taken. Default: 2.
    pub min_insync: u16,
}

impl Default for TopicPlan {
    fn default() -> Self {
        Self {
            events_partitions: 8,
            account_partitions: 24,
            replication: 3,
            min_insync: 2,
        }
    }
}

impl TopicPlan {
    /// Partitions of the topic of `stream`.
    #[must_use]
    pub const fn partitions(&self, stream: Stream) -> u32 {
        match stream {
            Stream::Events => self.events_partitions,
            Stream::Desired | Stream::Outcomes => self.account_partitions,
        }
    }

    /// The setting that gives [`TopicPlan::partitions`].
    pub(super) const fn partitions_setting(stream: Stream) -> &'static str {
        match stream {
            Stream::Events => "kafka.partitions",
            Stream::Desired | Stream::Outcomes => "kafka.account_partitions",
        }
    }

    pub(super) fn check(&self) -> Result<(), KafkaError> {
        let refuse = |setting, reason: String| Err(KafkaError::Setting { setting, reason });
        let range = 1..=MAX_PARTITIONS;
        if !range.contains(&self.events_partitions) {
            return refuse("partitions", format!("from 1 to {MAX_PARTITIONS}"));
        }
        if !range.contains(&self.account_partitions) {
            return refuse("account_partitions", format!("from 1 to {MAX_PARTITIONS}"));
        }
        if self.replication == 0 || self.replication > 100 {
            return refuse("replication", "from 1 to 100".to_owned());
        }
        if self.min_insync == 0 || self.min_insync > self.replication {
            return refuse(
                "min_insync",
                format!("from 1 to the replication, which is {}", self.replication),
            );
        }
        Ok(())
    }
}

/// One setting of a topic: its name, what we give a new topic, and whether a value found is good.
pub(super) struct Wanted {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) why: &'static str,
    good: Good,
}

enum Good {
    Exactly,
    AtLeast(i64),
}

impl Wanted {
    pub(super) fn accepts(&self, found: &str) -> bool {
        match self.good {
            Good::Exactly => found == self.value,
            Good::AtLeast(least) => found.parse::<i64>().is_ok_and(|found| found >= least),
        }
    }
}

/// The settings of the topic of `stream`.
pub(super) fn wanted(plan: &TopicPlan, stream: Stream) -> Vec<Wanted> {
    let exactly = |name, value: &str, why| Wanted {
        name,
        value: value.to_owned(),
        why,
        good: Good::Exactly,
    };
    let at_least = |name, least: usize, value: usize, why| Wanted {
        name,
        value: value.to_string(),
        why,
        good: Good::AtLeast(i64::try_from(least).unwrap_or(i64::MAX)),
    };
    let mut wanted = vec![
        exactly(
            "cleanup.policy",
            if stream.is_compacted() {
                "compact"
            } else {
                "delete"
            },
            if stream.is_compacted() {
                "the latest record of each account is kept, however old it is"
            } else {
                "every record is kept: the log is the truth, and is replayed from its beginning"
            },
        ),
        exactly(
            "retention.ms",
            "-1",
            "records are kept for ever; the log is replayed from its beginning",
        ),
        exactly("retention.bytes", "-1", "records are kept however many there are"),
        at_least(
            "min.insync.replicas",
            usize::from(plan.min_insync),
            usize::from(plan.min_insync),
            "an acknowledged record must survive the loss of a broker",
        ),
        exactly(
            "unclean.leader.election.enable",
            "false",
            "a replica that lacks acknowledged records must never lead",
        ),
        at_least(
            "max.message.bytes",
            MAX_RECORD_BYTES + FRAMING_BYTES,
            MAX_MESSAGE_BYTES,
            "the largest record must fit",
        ),
    ];
    if stream.is_compacted() {
        // Without retention by size or time a compacted topic has no use for these two.
        wanted.retain(|wanted| !wanted.name.starts_with("retention."));
    }
    wanted
}
