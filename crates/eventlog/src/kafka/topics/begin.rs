//! Beginning a log: the first records of fresh topics.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::{ClientContext, client::OAuthToken};

use crate::contract::{LogId, Partition, Stream};
use crate::kafka::client::{Context, base_config, millis};
use crate::kafka::error::KafkaError;
use crate::kafka::heads::{Head, Heads, begun_with, expected, same_log, setting, signed};
use crate::kafka::marker::Marker;
use crate::kafka::options::KafkaOptions;
use crate::kafka::wait::pause;

/// How long whoever did not make the topics waits for the markers of whoever did, before it takes over from
/// one that seems to have died.
const TAKE_OVER_AFTER: Duration = Duration::from_secs(5);
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

type Beginnings = BTreeMap<Stream, BTreeMap<u32, Head>>;

/// Marks every partition of the three topics, which exist, as one log. What stands first in partition 0 of
/// `events` names the log; everybody copies that. Whoever made a topic writes its markers at once, others
/// only when nobody does.
///
/// Markers are only written while the log has no records: later their absence is an error.
pub(crate) fn begin(options: &KafkaOptions, heads: &Heads, created: &[Stream]) -> Result<LogId, KafkaError> {
    let began = Instant::now();
    let id = name_log(options, heads, created.contains(&Stream::Events), began)?;
    for stream in Stream::ALL {
        let first = created.contains(&stream);
        loop {
            let found = beginnings(options, heads)?;
            let missing = missing(options, &found, stream, id)?;
            if missing.is_empty() {
                break;
            }
            if first || began.elapsed() >= TAKE_OVER_AFTER {
                write(options, &missing)?;
            } else {
                pause(LOOK_AGAIN);
            }
        }
    }
    Ok(id)
}

/// Reads or writes the marker that names the log.
fn name_log(options: &KafkaOptions, heads: &Heads, first: bool, began: Instant) -> Result<LogId, KafkaError> {
    loop {
        let found = beginnings(options, heads)?;
        let events = found.get(&Stream::Events);
        let count = events.map_or(0, begun_with);
        let Some(head) = events.and_then(|events| events.get(&0)) else {
            return Err(KafkaError::NoTopic {
                topic: options.topic(Stream::Events),
            });
        };
        match head {
            Head::Marked { marker, .. } => return Ok(marker.log),
            Head::Empty => {
                refuse_used(options, &found, Stream::Events, 0)?;
                if let Some((other, marker)) = marked(&found) {
                    refuse_unnamed(options, heads, other, marker)?;
                } else if first || began.elapsed() >= TAKE_OVER_AFTER {
                    write(
                        options,
                        &[(
                            options.topic(Stream::Events),
                            expected(random_id()?, Stream::Events, 0, count),
                        )],
                    )?;
                } else {
                    pause(LOOK_AGAIN);
                }
            }
            head => {
                let any = expected(LogId([0; 16]), Stream::Events, 0, count);
                same_log(*head, &any, &options.topic(Stream::Events))?;
            }
        }
    }
}

/// The log that these topics hold, each of them whole.
pub(super) fn whole(options: &KafkaOptions, heads: &Heads, streams: &[Stream]) -> Result<LogId, KafkaError> {
    let mut log = None;
    for stream in streams {
        let topic = options.topic(*stream);
        let shape = heads.shape_of_existing(&topic)?;
        let found = heads.read(&topic, 0..shape.partitions)?;
        let count = begun_with(&found);
        for (partition, head) in found.range(..count).map(|(partition, head)| (*partition, *head)) {
            let id = match (log, head) {
                (Some(id), _) => id,
                (None, Head::Marked { marker, .. }) => *log.insert(marker.log),
                (None, _) => LogId([0; 16]),
            };
            same_log(head, &expected(id, *stream, partition, count), &topic)?;
        }
    }
    log.ok_or_else(|| KafkaError::NotBegun {
        prefix: options.topic_prefix.clone(),
    })
}

/// Marks every partition of a topic that has nothing but markers of this log.
pub(super) fn mark_empty(
    options: &KafkaOptions,
    heads: &Heads,
    stream: Stream,
    log: LogId,
) -> Result<(), KafkaError> {
    let topic = options.topic(stream);
    let shape = heads.shape_of_existing(&topic)?;
    let found = heads.read(&topic, 0..shape.partitions)?;
    let count = begun_with(&found);
    let mut missing = Vec::new();
    for (partition, head) in found.range(..count).map(|(partition, head)| (*partition, *head)) {
        let marker = expected(log, stream, partition, count);
        match head {
            Head::Empty => missing.push((topic.clone(), marker)),
            Head::Marked { more: true, .. } => {
                return Err(KafkaError::Refused {
                    action: "make anew",
                    topic,
                    reason: "it has records".to_owned(),
                });
            }
            head => drop(same_log(head, &marker, &topic)?),
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    write(options, &missing)
}

/// The beginnings of all partitions of the topics that exist.
fn beginnings(options: &KafkaOptions, heads: &Heads) -> Result<Beginnings, KafkaError> {
    let mut found = BTreeMap::new();
    for stream in Stream::ALL {
        let topic = options.topic(stream);
        let shape = heads.shape_of_existing(&topic)?;
        found.insert(stream, heads.read(&topic, 0..shape.partitions)?);
    }
    Ok(found)
}

/// The markers that `stream` lacks. One that is there must be right, and none may lack in a log with records.
fn missing(
    options: &KafkaOptions,
    found: &Beginnings,
    stream: Stream,
    id: LogId,
) -> Result<Vec<(String, Marker)>, KafkaError> {
    let topic = options.topic(stream);
    let Some(partitions) = found.get(&stream) else {
        return Err(KafkaError::NoTopic { topic });
    };
    let count = begun_with(partitions);
    let mut missing = Vec::new();
    for (partition, head) in partitions.range(..count) {
        let marker = expected(id, stream, *partition, count);
        if *head == Head::Empty {
            refuse_used(options, found, stream, *partition)?;
            missing.push((topic.clone(), marker));
        } else {
            same_log(*head, &marker, &topic)?;
        }
    }
    Ok(missing)
}

/// Refuses to mark a partition of a log that has records: what lacks its marker there was deleted.
fn refuse_used(
    options: &KafkaOptions,
    found: &Beginnings,
    stream: Stream,
    partition: u32,
) -> Result<(), KafkaError> {
    let used = found.iter().find(|(_, partitions)| {
        partitions
            .values()
            .any(|head| !matches!(head, Head::Empty | Head::Marked { more: false, .. }))
    });
    match used {
        None => Ok(()),
        Some((other, _)) => Err(KafkaError::Replaced {
            topic: options.topic(stream),
            what: format!(
                "partition {partition} is empty, its marker is missing, though {} has records",
                options.topic(*other)
            ),
        }),
    }
}

/// A marker that stands anywhere, with its stream.
fn marked(found: &Beginnings) -> Option<(Stream, Marker)> {
    found.iter().find_map(|(stream, heads)| {
        heads.values().find_map(|head| match head {
            Head::Marked { marker, .. } => Some((*stream, *marker)),
            _ => None,
        })
    })
}

/// Refuses to name a log that has a marker in another topic: the one in `events` was written before any of those, so
/// `events` was made anew. Looks once more, since the topics were read one after the other while somebody may have
/// begun the log.
fn refuse_unnamed(
    options: &KafkaOptions,
    heads: &Heads,
    other: Stream,
    marker: Marker,
) -> Result<(), KafkaError> {
    let events = options.topic(Stream::Events);
    match heads.read(&events, [0])?.get(&0) {
        None | Some(Head::Empty) => Err(KafkaError::Replaced {
            topic: events,
            what: format!(
                "partition 0 is empty, its marker is missing, though {} has that of log {}",
                options.topic(other),
                marker.log
            ),
        }),
        Some(_) => Ok(()), // the next look reads it
    }
}

fn random_id() -> Result<LogId, KafkaError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| KafkaError::Machine {
        action: "drawing the identity of a log",
        reason: error.to_string(),
    })?;
    Ok(LogId(id))
}

/// Counts what was not acknowledged.
struct Writing {
    base: Context,
    failed: parking_lot::Mutex<Option<String>>,
}

impl ClientContext for Writing {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.base.generate_oauth_token(config)
    }

    fn error(&self, error: rdkafka::error::KafkaError, reason: &str) {
        self.base.error(error, reason);
    }

    fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
        self.base.log(level, facility, message);
    }
}

impl ProducerContext for Writing {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            let partition = Partition(u32::try_from(message.partition()).unwrap_or(u32::MAX));
            *self.failed.lock() = Some(format!("partition {partition}: {error}"));
        }
    }
}

/// Writes markers and waits until they are durable.
fn write(options: &KafkaOptions, markers: &[(String, Marker)]) -> Result<(), KafkaError> {
    let failed = |reason: String| KafkaError::Unreachable {
        brokers: options.brokers.clone(),
        action: "writing the markers of a new log",
        reason,
    };
    let mut config = base_config(options);
    // Not idempotent: that costs half a second to begin, and a marker written twice is passed over twice.
    config.set("acks", "all");
    config.set("linger.ms", "0");
    config.set("delivery.timeout.ms", millis(options.request_timeout));
    let writing = Writing {
        base: Context::new(options),
        failed: parking_lot::Mutex::new(None),
    };
    let producer: BaseProducer<Writing> = config.create_with_context(writing).map_err(setting)?;
    for (topic, marker) in markers {
        let record = marker.record();
        let sent = producer.send(
            BaseRecord::to(topic)
                .partition(signed(marker.partition.0))
                .key(record.key.as_ref())
                .payload(record.value.as_ref()),
        );
        sent.map_err(|(error, _)| failed(error.to_string()))?;
    }
    producer
        .flush(options.request_timeout.saturating_add(Duration::from_secs(1)))
        .map_err(|error| failed(error.to_string()))?;
    let refused = producer.context().failed.lock().take();
    match refused {
        Some(reason) => Err(failed(reason)),
        None => Ok(()),
    }
}
