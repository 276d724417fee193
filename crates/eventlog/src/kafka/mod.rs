//! The engine over Apache Kafka: three topics, one per stream.
//!
//! ```text
//!   append ─▶ room ─▶ one idempotent producer ─▶ acks=all ─▶ answered with every record's place
//!   reader ─▶ a client of its own, placed by us ─▶ batches           position = offset + 1
//!   end    ─▶ one question per partition at a time, shared by all who wait
//!   watch  ─▶ compares the markers: is this still the log that was opened?
//! ```
//!
//! Nothing rests on a broker's memory of us: positions are kept with the state they produced, and no
//! transaction is used. The first record of every partition is a marker with the log's identity, which
//! readers pass over; a topic that was deleted or made anew is an error that names it.
//!
//! # Rights
//! On the topics under the prefix: read, write, describe, describe the configuration, and create where
//! [`topics::ensure`] is to make them. On the groups under the prefix: read. On clusters before Kafka 2.8
//! also the idempotent write on the cluster. Readers need the group `reader` too: the client takes no
//! assignment without a group, although nothing is kept there.

mod client;
mod delivery;
mod ends;
mod error;
mod heads;
mod holes;
mod marker;
mod membership;
mod options;
mod partitioner;
mod producer;
mod reader;
mod rights;
mod security;
mod stats;
mod table;
#[cfg(test)]
mod tests;
pub mod topics;
pub(crate) mod wait;
mod watch;

use std::sync::Arc;
use std::thread;

use futures::future::BoxFuture;
use parking_lot::Mutex;

pub use error::KafkaError;
pub use holes::{AcceptedHole, NoHole};
pub use membership::KafkaMembership;
pub use options::KafkaOptions;
pub use rights::missing_rights;
pub use security::{Sasl, Security, Tls, TokenSource};
pub use stats::{DELIVERY_BUCKETS, FailingAppends, KafkaStats, PartitionStats};

use self::ends::Ends;
use self::heads::{Head, Heads, added_are_empty, begun_with, expected, same_log};
use self::partitioner::partition_of;
use self::producer::Producer;
use self::reader::{KafkaReader, Reading};
use self::stats::Counters;
use self::table::{Known, Table};
use self::watch::{Suspicion, Watch};
use crate::contract::{
    AppendError, AppendLog, Appended, LogId, LogReader, Partition, Position, ReadError, ReadLog, Record,
    Stream,
};

/// A log in the three topics of a cluster. Any number of processes have it open at a time.
///
/// Dropping it closes it, as [`KafkaLog::close`] does.
#[derive(Debug)]
pub struct KafkaLog {
    id: LogId,
    reading: Arc<Reading>,
    producer: Producer,
    suspicion: Arc<Suspicion>,
    counters: Arc<Counters>,
    heads: Arc<Heads>,
    watching: Mutex<Option<thread::JoinHandle<()>>>,
}

impl KafkaLog {
    /// Opens the log in the topics that `options` name; they must exist and be marked ([`topics::ensure`]).
    ///
    /// Blocks for some round trips, each [`KafkaOptions::request_timeout`] at most. Settings of the topics
    /// are not looked at here: that is [`topics::check`].
    ///
    /// # Errors
    /// See [`KafkaError`]. A topic that is missing, empty, cut or marked otherwise is never taken for a fresh
    /// log.
    pub fn open(options: &KafkaOptions) -> Result<Self, KafkaError> {
        options.check()?;
        let heads = Arc::new(Heads::new(options)?);
        let (id, table) = identify(options, &heads)?;
        let table = Arc::new(table);
        let counters = Arc::new(Counters::default());
        let (watch, suspicion) = Watch::new(Arc::clone(&heads), id, Arc::clone(&table));
        let ends = Arc::new(Ends::start(
            options,
            Arc::clone(&heads),
            Arc::clone(&table),
            Arc::clone(&suspicion),
        )?);
        let producer = Producer::start(
            options,
            Arc::clone(&table),
            Arc::clone(&suspicion),
            Arc::clone(&counters),
        )?;
        let watching = watch.start(Arc::clone(&ends))?;
        let reading = Arc::new(Reading {
            options: options.clone(),
            table,
            ends,
            suspicion: Arc::clone(&suspicion),
        });
        Ok(Self {
            id,
            reading,
            producer,
            suspicion,
            counters,
            heads,
            watching: Mutex::new(Some(watching)),
        })
    }

    /// How the cluster is reached.
    #[must_use]
    pub fn options(&self) -> &KafkaOptions {
        &self.reading.options
    }

    /// What was counted since the log was opened.
    #[must_use]
    pub fn stats(&self) -> KafkaStats {
        let partitions = self.reading.table.all().map(|(stream, partition, known)| {
            let (end, read) = (known.end(), known.read());
            let is_read = known.has_readers();
            PartitionStats {
                stream,
                partition,
                end: known.position(end),
                read: Position::new(read).filter(|_| is_read),
                lag: if is_read && known.position(end).is_some() {
                    end.saturating_sub(read)
                } else {
                    0
                },
            }
        });
        self.counters.snapshot(partitions.collect())
    }

    /// The streams of which the last append was not taken by the brokers. Only another append tells that they take
    /// one again.
    #[must_use]
    pub fn failing_appends(&self) -> Vec<FailingAppends> {
        self.counters.failing()
    }

    pub(crate) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Takes no more appends, waits a few seconds for those on their way, and ends the threads. Readers get
    /// errors from then on. Blocks. Doing it twice does nothing.
    pub fn close(&self) {
        self.producer.close();
        self.reading.ends.close();
        self.suspicion.close();
        if let Some(watching) = self.watching.lock().take() {
            let _ = watching.join();
        }
    }
}

impl Drop for KafkaLog {
    fn drop(&mut self) {
        self.close();
    }
}

/// Reads which log this is, and checks that every partition belongs to it.
fn identify(options: &KafkaOptions, heads: &Heads) -> Result<(LogId, Table), KafkaError> {
    let mut counts = [0; 3];
    let mut found = Vec::new();
    let mut shapes = Vec::new();
    for (count, stream) in counts.iter_mut().zip(Stream::ALL) {
        let topic = options.topic(stream);
        let shape = heads.shape_of_existing(&topic)?;
        let read = heads.read(&topic, 0..shape.partitions)?;
        *count = begun_with(&read);
        added_are_empty(&read, *count, &topic)?;
        shapes.push((stream, shape));
        found.extend(
            read.range(..*count)
                .map(|(partition, head)| (stream, *partition, *head)),
        );
    }
    let table = Table::new(options, counts);
    for (stream, shape) in shapes {
        table.saw_partitions(stream, shape.partitions);
    }
    let id = found.iter().find_map(|(_, _, head)| match head {
        Head::Marked { marker, .. } => Some(marker.log),
        _ => None,
    });
    if found.iter().all(|(_, _, head)| *head == Head::Empty) {
        return Err(KafkaError::NotBegun {
            prefix: options.topic_prefix.clone(),
        });
    }
    let id = id.unwrap_or(LogId([0; 16]));
    for (stream, partition, head) in found {
        let expected = expected(id, stream, partition, table.count(stream));
        let markers = same_log(head, &expected, table.name(stream))?;
        if let Some(known) = table.get(stream, Partition(partition)) {
            known.set_markers(markers);
        }
    }
    Ok((id, table))
}

impl AppendLog for KafkaLog {
    fn append(&self, stream: Stream, records: Vec<Record>) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(self.producer.append(stream, records))
    }
}

impl ReadLog for KafkaLog {
    fn log_id(&self) -> LogId {
        self.id
    }

    fn partitions(&self, stream: Stream) -> Vec<Partition> {
        (0..self.reading.table.count(stream)).map(Partition).collect()
    }

    fn partition_of(&self, stream: Stream, key: &[u8]) -> Partition {
        partition_of(key, self.reading.table.count(stream))
    }

    fn end(
        &self,
        stream: Stream,
        partition: Partition,
    ) -> BoxFuture<'_, Result<Option<Position>, ReadError>> {
        Box::pin(async move {
            let known: &Known = self.reading.table.known(stream, partition)?;
            let end = self.reading.ends.end(stream, partition).await?;
            Ok(known.position(end))
        })
    }

    fn reader(
        &self,
        stream: Stream,
        partition: Partition,
        after: Option<Position>,
    ) -> Result<Box<dyn LogReader>, ReadError> {
        let reading = Arc::clone(&self.reading);
        Ok(Box::new(KafkaReader::new(reading, stream, partition, after)?))
    }
}
