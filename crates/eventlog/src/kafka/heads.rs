//! Reading the beginnings of partitions: where the markers are.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{Context, Said, consumer_config};
use super::error::{KafkaError, Meaning, meaning};
use super::marker::Marker;
use super::options::KafkaOptions;
use super::wait::pause;
use crate::contract::{Partition, Stream};

/// How long one poll waits; the deadline is looked at in between.
const POLL: Duration = Duration::from_millis(50);
/// Most news of the client that are served at once: more than a client without a broker has in a second.
const MAX_NEWS: usize = 64;
/// How much longer reading many beginnings may take for each of them: a round trip to a far cluster.
const PER_PARTITION: Duration = Duration::from_millis(100);
/// How long a topic may be unknown after it was made.
const KNOWN_WITHIN: Duration = Duration::from_secs(3);
/// How much longer a partition may be unknown to its brokers that the cluster has told of: a new topic's partitions get
/// their leaders one after the other, and a busy broker hears late of its own.
const HEARD_OF: Duration = Duration::from_secs(15);
/// Most markers at the beginning of a partition: more than one appears only when several instances took over
/// a creation that was cut short, at the same moment.
const MAX_MARKERS: u64 = 64;

/// What the beginning of a partition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Head {
    /// Nothing was ever written.
    Empty,
    /// A marker, and how many records at the beginning are markers. `more` when others follow.
    Marked {
        marker: Marker,
        markers: u64,
        more: bool,
    },
    /// A record that is no marker.
    Foreign,
    /// The first records were deleted; `more` when others are left.
    Cut { more: bool },
}

/// The topic as the brokers know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) partitions: u32,
    /// Replicas of the partition that has fewest.
    pub(crate) replication: u32,
    /// Replicas in step, of the partition that has fewest; none where it has no leader.
    pub(crate) in_step: u32,
}

/// A client that reads beginnings. Blocks; used from threads that may.
pub(crate) struct Heads {
    consumer: BaseConsumer<Context>,
    brokers: String,
    timeout: Duration,
}

impl std::fmt::Debug for Heads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Heads({})", self.brokers)
    }
}

impl Heads {
    pub(crate) fn new(options: &KafkaOptions) -> Result<Self, KafkaError> {
        let mut config = consumer_config(options);
        // One record is wanted of each partition, not a megabyte.
        config.set("fetch.message.max.bytes", "4096");
        config.set("queued.min.messages", "1");
        config.set("fetch.wait.max.ms", "50");
        // Otherwise the one record that was fetched ahead holds up the next partition for a second.
        config.set("fetch.queue.backoff.ms", "1");
        config.set("fetch.error.backoff.ms", "50");
        let consumer: BaseConsumer<Context> = config
            .create_with_context(Context::new(options))
            .map_err(setting)?;
        if options.security.token_source().is_some() {
            // The client asks for its token when it is served, and connects with it only then.
            let _ = consumer.poll(POLL);
        }
        Ok(Self {
            consumer,
            brokers: options.brokers.clone(),
            timeout: options.request_timeout,
        })
    }

    /// Serves what the client has to tell, which would pile up otherwise; to be called now and then.
    pub(crate) fn serve(&self) {
        // One answer cannot be told from none, so it is asked as often as there may be news.
        for _ in 0..MAX_NEWS {
            let _ = self.consumer.poll(Duration::ZERO);
        }
    }

    pub(crate) fn unreachable(&self, action: &'static str, error: &ClientError) -> KafkaError {
        self.failed(action, error.to_string())
    }

    fn late(&self, action: &'static str) -> KafkaError {
        self.failed(action, format!("no answer within {:?}", self.timeout))
    }

    fn failed(&self, action: &'static str, mut reason: String) -> KafkaError {
        self.serve();
        let brokers = self.brokers.clone();
        if let Some(Said { code, text }) = self.consumer.context().said() {
            match code {
                Some(RDKafkaErrorCode::Authentication) => {
                    return KafkaError::Login {
                        brokers,
                        reason: text,
                    };
                }
                Some(RDKafkaErrorCode::SSL) => {
                    return KafkaError::Encryption {
                        brokers,
                        reason: text,
                    };
                }
                _ => reason = format!("{reason} ({text})"),
            }
        }
        KafkaError::Unreachable {
            brokers,
            action,
            reason,
        }
    }

    /// The topic's partitions and replicas; `None` when there is no such topic.
    pub(crate) fn shape(&self, topic: &str) -> Result<Option<Shape>, KafkaError> {
        let action = "asking for topics";
        let deadline = Instant::now() + self.timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).max(POLL);
            let metadata = self
                .consumer
                .fetch_metadata(Some(topic), left)
                .map_err(|error| self.unreachable(action, &error))?;
            self.consumer.context().answered();
            let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
                return Ok(None);
            };
            match found.error().map(RDKafkaErrorCode::from) {
                None if !found.partitions().is_empty() => {
                    let replicas = found
                        .partitions()
                        .iter()
                        .map(|partition| partition.replicas().len());
                    let in_step = found
                        .partitions()
                        .iter()
                        .map(|partition| match partition.leader() {
                            leader if leader < 0 => 0,
                            _ => partition.isr().len(),
                        });
                    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
                    return Ok(Some(Shape {
                        partitions: count(found.partitions().len()),
                        replication: count(replicas.min().unwrap_or(0)),
                        in_step: count(in_step.min().unwrap_or(0)),
                    }));
                }
                Some(code) if meaning(code) == Meaning::Unknown => return Ok(None),
                Some(code) if meaning(code) == Meaning::Forbidden => {
                    return Err(KafkaError::Refused {
                        action: "describe",
                        topic: topic.to_owned(),
                        reason: code.to_string(),
                    });
                }
                // A topic just made has no leader for a moment.
                _ if Instant::now() >= deadline => return Err(self.late(action)),
                _ => pause(POLL),
            }
        }
    }

    /// The same for a topic that should exist: one that was just made, or made by somebody else a moment ago,
    /// is not known to every broker at once.
    pub(crate) fn shape_of_existing(&self, topic: &str) -> Result<Shape, KafkaError> {
        let deadline = Instant::now() + KNOWN_WITHIN;
        loop {
            if let Some(shape) = self.shape(topic)? {
                return Ok(shape);
            }
            if Instant::now() >= deadline {
                return Err(KafkaError::NoTopic {
                    topic: topic.to_owned(),
                });
            }
            pause(POLL);
        }
    }

    /// Where the partition begins and ends, in one attempt.
    pub(crate) fn watermarks(
        &self,
        topic: &str,
        partition: u32,
        timeout: Duration,
    ) -> Result<(u64, u64), ClientError> {
        let (low, high) = self
            .consumer
            .fetch_watermarks(topic, signed(partition), timeout)?;
        Ok((unsigned(low), unsigned(high)))
    }

    /// The same, in as many attempts as there is time for.
    fn bounds(&self, topic: &str, partition: u32, deadline: Instant) -> Result<(u64, u64), KafkaError> {
        let action = "asking for the bounds of a partition";
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).max(POLL);
            match self.watermarks(topic, partition, left) {
                Ok(bounds) => return Ok(bounds),
                Err(error) => {
                    let unheard_of = error.rdkafka_error_code().map(meaning) == Some(Meaning::Unknown);
                    let more = if unheard_of { HEARD_OF } else { Duration::ZERO };
                    if Instant::now() >= deadline + more {
                        return Err(self.unreachable(action, &error));
                    }
                    pause(POLL);
                }
            }
        }
    }

    /// The beginnings of these partitions of a topic that exists.
    pub(crate) fn read(
        &self,
        topic: &str,
        partitions: impl IntoIterator<Item = u32>,
    ) -> Result<BTreeMap<u32, Head>, KafkaError> {
        let partitions: Vec<u32> = partitions.into_iter().collect();
        let more = u32::try_from(partitions.len()).unwrap_or(u32::MAX);
        let deadline = Instant::now() + self.timeout + PER_PARTITION.saturating_mul(more);
        let mut heads = BTreeMap::new();
        let mut wanted = BTreeMap::new();
        for partition in partitions {
            match self.bounds(topic, partition, deadline)? {
                (low, high) if low > 0 => {
                    heads.insert(partition, Head::Cut { more: high > low });
                }
                (_, 0) => {
                    heads.insert(partition, Head::Empty);
                }
                (_, high) => {
                    wanted.insert(partition, high);
                }
            }
        }
        if !wanted.is_empty() {
            let read = self.first_records(topic, wanted, &mut heads, deadline);
            // Whoever reads them again is not to find them held back.
            let _ = self
                .consumer
                .assignment()
                .and_then(|all| self.consumer.resume(&all));
            let _ = self.consumer.unassign();
            read?;
        }
        Ok(heads)
    }

    /// Fetches no more of a partition whose beginning is known: else all its records would come by until the last
    /// partition is known, which takes seconds in a large log.
    fn hold_back(&self, topic: &str, partition: u32) {
        let mut known = TopicPartitionList::new();
        known.add_partition(topic, signed(partition));
        // When it does not work this is slower, no more.
        let _ = self.consumer.pause(&known);
    }

    fn first_records(
        &self,
        topic: &str,
        mut wanted: BTreeMap<u32, u64>,
        heads: &mut BTreeMap<u32, Head>,
        deadline: Instant,
    ) -> Result<(), KafkaError> {
        let action = "reading the beginning of a partition";
        let mut from = TopicPartitionList::new();
        for partition in wanted.keys() {
            from.add_partition_offset(topic, signed(*partition), Offset::Offset(0))
                .map_err(|error| self.unreachable(action, &error))?;
        }
        self.consumer
            .assign(&from)
            .map_err(|error| self.unreachable(action, &error))?;
        while !wanted.is_empty() {
            if Instant::now() >= deadline {
                return Err(self.late(action));
            }
            // Errors that matter end in the deadline; whoever compares markers asks again.
            let Some(Ok(message)) = self.consumer.poll(POLL) else {
                continue;
            };
            let partition = u32::try_from(message.partition()).unwrap_or(u32::MAX);
            let (Some(high), true) = (wanted.get(&partition).copied(), message.topic() == topic) else {
                continue;
            };
            let next = unsigned(message.offset()).saturating_add(1);
            let marker = Marker::read(
                message.key().unwrap_or_default(),
                message.payload().unwrap_or_default(),
            );
            let head = match (heads.get(&partition).copied(), marker) {
                (None, None) => Head::Foreign,
                (None, Some(marker)) => Head::Marked {
                    marker,
                    markers: next,
                    more: next < high,
                },
                (Some(Head::Marked { marker, .. }), Some(_)) if next <= MAX_MARKERS => Head::Marked {
                    marker,
                    markers: next,
                    more: next < high,
                },
                // The first record that is no marker tells how many there are.
                (Some(head), _) => {
                    heads.insert(partition, head);
                    wanted.remove(&partition);
                    self.hold_back(topic, partition);
                    continue;
                }
            };
            heads.insert(partition, head);
            if head == Head::Foreign || next >= high {
                wanted.remove(&partition);
                self.hold_back(topic, partition);
            }
        }
        Ok(())
    }
}

/// Compares what stands at the beginning of a partition with what must stand there; returns how many markers.
pub(crate) fn same_log(head: Head, expected: &Marker, topic: &str) -> Result<u64, KafkaError> {
    let replaced = |what: String| KafkaError::Replaced {
        topic: topic.to_owned(),
        what,
    };
    let partition = expected.partition;
    match head {
        Head::Marked { marker, markers, .. } if marker == *expected => Ok(markers),
        Head::Marked { marker, .. } if marker.log != expected.log => Err(replaced(format!(
            "partition {partition} belongs to log {}, this is log {}",
            marker.log, expected.log
        ))),
        Head::Marked { marker, .. } if marker.partitions != expected.partitions => Err(replaced(format!(
            "it was made with {} partitions and has {} now, which parts the records of one key",
            marker.partitions, expected.partitions
        ))),
        Head::Marked { marker, .. } => Err(replaced(format!(
            "partition {partition} begins with the marker of {}, partition {}",
            marker.stream, marker.partition
        ))),
        Head::Empty => Err(replaced(format!(
            "partition {partition} is empty, its marker is missing"
        ))),
        Head::Cut { .. } => Err(KafkaError::Cut {
            topic: topic.to_owned(),
            partition,
        }),
        Head::Foreign => Err(KafkaError::Foreign {
            topic: topic.to_owned(),
            partition,
        }),
    }
}

/// How many partitions of a topic its log has: as many as it was begun with, which the markers say. Who adds some
/// later must not part the records of a key, so they are never used. All of them where no log was begun yet.
pub(crate) fn begun_with(heads: &BTreeMap<u32, Head>) -> u32 {
    let all = u32::try_from(heads.len()).unwrap_or(u32::MAX);
    let marked = heads.values().find_map(|head| match head {
        Head::Marked { marker, .. } => Some(marker.partitions),
        _ => None,
    });
    marked.filter(|count| (1..=all).contains(count)).unwrap_or(all)
}

/// Whether nothing stands in the partitions that were added to a topic after its log was begun with `count`.
pub(crate) fn added_are_empty(
    heads: &BTreeMap<u32, Head>,
    count: u32,
    topic: &str,
) -> Result<(), KafkaError> {
    let used = heads
        .range(count..)
        .find(|(_, head)| !matches!(head, Head::Empty | Head::Cut { more: false }));
    match used {
        None => Ok(()),
        Some((partition, _)) => Err(KafkaError::Added {
            topic: topic.to_owned(),
            partition: Partition(*partition),
            begun_with: count,
        }),
    }
}

/// The marker that must stand at the beginning of a partition.
pub(crate) fn expected(
    log: crate::contract::LogId,
    stream: Stream,
    partition: u32,
    partitions: u32,
) -> Marker {
    Marker {
        log,
        stream,
        partition: Partition(partition),
        partitions,
    }
}

/// A client that cannot even be set up: a setting is wrong.
pub(crate) fn setting(error: ClientError) -> KafkaError {
    let reason = match &error {
        // The value is left out: it may be a secret.
        ClientError::ClientConfig(_, reason, key, _) => format!("{key}: {reason}"),
        other => other.to_string(),
    };
    KafkaError::Setting {
        setting: "kafka",
        reason,
    }
}

/// Partitions as the client counts them.
pub(crate) fn signed(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

/// Offsets are never negative where a record stands.
pub(crate) fn unsigned(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or(0)
}
