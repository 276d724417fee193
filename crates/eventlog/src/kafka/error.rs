//! Why a log in Kafka could not be opened, created or checked.

use rdkafka::error::RDKafkaErrorCode;

use super::topics::TopicReport;
use crate::contract::{Partition, Retry};

/// Why a log in Kafka could not be opened, created or checked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KafkaError {
    /// A setting that cannot work.
    #[error("Kafka setting {setting}: {reason}")]
    Setting {
        /// The setting, as in the configuration.
        setting: &'static str,
        /// What is wrong with it. Never holds a secret.
        reason: String,
    },
    /// The cluster does not answer, or not in time.
    #[error("Kafka at {brokers}: {action}: {reason}")]
    Unreachable {
        /// The configured brokers.
        brokers: String,
        /// What was tried.
        action: &'static str,
        /// What the client said.
        reason: String,
    },
    /// The cluster answers, and does not take our login.
    #[error("Kafka at {brokers} refused the login: {reason}")]
    Login {
        /// The configured brokers.
        brokers: String,
        /// What the client said. Never holds a secret.
        reason: String,
    },
    /// No encrypted connection came about: one side does not trust the other, or does not speak TLS.
    #[error("Kafka at {brokers}: no encrypted connection: {reason}")]
    Encryption {
        /// The configured brokers.
        brokers: String,
        /// What the client said.
        reason: String,
    },
    /// The cluster answers, and refuses.
    #[error("Kafka refused to {action} {topic}: {reason}")]
    Refused {
        /// What was tried.
        action: &'static str,
        /// The topic.
        topic: String,
        /// What the broker said.
        reason: String,
    },
    /// A topic is missing and none should be created.
    #[error("there is no topic {topic}; `rollcall topics` creates what is missing")]
    NoTopic {
        /// The topic.
        topic: String,
    },
    /// The topics are there, and no log was begun in them.
    #[error("the topics {prefix}* hold no log yet; `rollcall topics` begins one")]
    NotBegun {
        /// What stands before the topics' names.
        prefix: String,
    },
    /// The topics are not set up as they must be.
    #[error("the topics are not set up as they must be\n{0}")]
    Topics(Box<TopicReport>),
    /// A topic was deleted or made anew behind the log's back, or belongs to another log: never a fresh
    /// start.
    #[error("topic {topic} was deleted or recreated: {what}")]
    Replaced {
        /// The topic.
        topic: String,
        /// What was found instead.
        what: String,
    },
    /// A topic holds something else than a log of Rollcall.
    #[error(
        "topic {topic} holds records that are not Rollcall's (partition {partition}); choose another \
         `kafka.topic_prefix` or remove the topic"
    )]
    Foreign {
        /// The topic.
        topic: String,
        /// The first such partition.
        partition: Partition,
    },
    /// The beginning of a topic is gone: records were deleted.
    #[error(
        "topic {topic}, partition {partition}: its first records were deleted (retention or a deletion of \
         records); the log is not whole"
    )]
    Cut {
        /// The topic.
        topic: String,
        /// The partition.
        partition: Partition,
    },
    /// Partitions were added to a topic after its log was begun, and something wrote to them.
    #[error(
        "topic {topic} was begun with {begun_with} partitions, and partition {partition} among those added later has \
         records, which nobody reads: see who writes there, and remove them (kafka-delete-records.sh)"
    )]
    Added {
        /// The topic.
        topic: String,
        /// The first added partition with records.
        partition: Partition,
        /// The partitions that the log has.
        begun_with: u32,
    },
    /// The machine failed: no thread, no randomness.
    #[error("{action}: {reason}")]
    Machine {
        /// What was tried.
        action: &'static str,
        /// What the system said.
        reason: String,
    },
}

impl KafkaError {
    /// Whether trying again can help.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Unreachable { .. } | Self::Machine { .. } => Retry::Later,
            Self::Setting { .. } | Self::Foreign { .. } => Retry::Never,
            Self::Refused { .. }
            | Self::Login { .. }
            | Self::Encryption { .. }
            | Self::NoTopic { .. }
            | Self::NotBegun { .. }
            | Self::Topics(_)
            | Self::Replaced { .. }
            | Self::Cut { .. }
            | Self::Added { .. } => Retry::AfterRestart,
        }
    }
}

/// What a client's error means to those who wait on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The topic or the partition is not (or no longer) known: compare the markers.
    Unknown,
    /// The offset asked for does not exist: compare the markers, then the ends.
    OutOfRange,
    /// The client can do nothing more and must be replaced.
    Fatal,
    /// Refused for lack of rights: an operator must act.
    Forbidden,
    /// Passes by itself; the client tries again.
    Passing,
}

/// Reads a code.
pub(crate) fn meaning(code: RDKafkaErrorCode) -> Meaning {
    match code {
        RDKafkaErrorCode::UnknownTopic
        | RDKafkaErrorCode::UnknownPartition
        | RDKafkaErrorCode::UnknownTopicOrPartition
        | RDKafkaErrorCode::UnknownTopicId => Meaning::Unknown,
        RDKafkaErrorCode::OffsetOutOfRange | RDKafkaErrorCode::AutoOffsetReset => Meaning::OutOfRange,
        RDKafkaErrorCode::Fatal => Meaning::Fatal,
        RDKafkaErrorCode::TopicAuthorizationFailed
        | RDKafkaErrorCode::GroupAuthorizationFailed
        | RDKafkaErrorCode::ClusterAuthorizationFailed
        | RDKafkaErrorCode::SaslAuthenticationFailed
        | RDKafkaErrorCode::Authentication => Meaning::Forbidden,
        _ => Meaning::Passing,
    }
}
