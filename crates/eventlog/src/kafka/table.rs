//! What is known of every partition, shared by producer, readers and those who ask for ends.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::options::KafkaOptions;
use crate::contract::{Partition, Position, ReadError, Stream};

/// One partition. All numbers are offsets of the *next* record, that is, positions of the last one.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Everything below is markers.
    markers: AtomicU64,
    /// The furthest end seen, by a question or an acknowledgement.
    end: AtomicU64,
    /// The furthest that a reader of this process has come.
    read: AtomicU64,
    /// Readers that exist now.
    readers: AtomicU64,
    /// The last acknowledgement of our producer.
    delivered: AtomicU64,
    /// First and last offsets of holes that an operator has accepted.
    holes: Vec<(u64, u64)>,
    /// Those of them that were found at the end of the partition, without a record behind them.
    trailing: Mutex<Vec<(u64, u64)>>,
}

impl Known {
    /// Learns of a marker at `offset`.
    pub(crate) fn saw_marker(&self, offset: u64) {
        let _ = self.markers.compare_exchange(
            offset,
            offset.saturating_add(1),
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
    }

    pub(crate) fn set_markers(&self, markers: u64) {
        self.markers.fetch_max(markers, Ordering::AcqRel);
    }

    /// Learns of an end; false when one beyond it was seen before.
    pub(crate) fn saw_end(&self, end: u64) -> bool {
        self.end.fetch_max(end, Ordering::AcqRel) <= end
    }

    pub(crate) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// Whether some hole here was accepted.
    pub(crate) fn has_holes(&self) -> bool {
        !self.holes.is_empty()
    }

    /// Whether an operator has accepted that all of these offsets have no record.
    pub(crate) fn accepts(&self, first: u64, last: u64) -> bool {
        let within = |(from, to): &(u64, u64)| *from <= first && last <= *to;
        self.holes.iter().any(within)
    }

    /// The end of the accepted hole around `next`, when the partition is known to reach beyond it.
    pub(crate) fn accepted_around(&self, next: u64) -> Option<u64> {
        let end = self.end();
        let around = |(first, last): &&(u64, u64)| (*first..=*last).contains(&next) && *last < end;
        self.holes.iter().find(around).map(|(_, last)| *last)
    }

    /// Learns that the partition ended with a hole when a reader came there.
    pub(crate) fn ended_with_hole(&self, first: u64, last: u64) {
        let mut trailing = self.trailing.lock();
        if !trailing.contains(&(first, last)) {
            trailing.push((first, last));
        }
    }

    /// The position of the last record of a partition that ends at `end`.
    pub(crate) fn position(&self, end: u64) -> Option<Position> {
        let hole = self
            .trailing
            .lock()
            .iter()
            .find(|(_, last)| last.saturating_add(1) == end)
            .copied();
        let end = hole.map_or(end, |(first, _)| first);
        if end <= self.markers.load(Ordering::Acquire) {
            None
        } else {
            Position::new(end)
        }
    }

    /// An acknowledgement that ends at `end`; false when a later one came before, which no log that only
    /// grows can give.
    pub(crate) fn acknowledged(&self, end: u64) -> bool {
        self.saw_end(end);
        self.delivered.swap(end, Ordering::AcqRel) < end
    }

    /// Forgets the order of acknowledgements: a new producer begins.
    pub(crate) fn new_producer(&self) {
        self.delivered.store(0, Ordering::Release);
    }

    pub(crate) fn was_read(&self, position: u64) {
        self.read.fetch_max(position, Ordering::AcqRel);
    }

    pub(crate) fn read(&self) -> u64 {
        self.read.load(Ordering::Acquire)
    }

    pub(crate) fn reader_began(&self) {
        self.readers.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn reader_ended(&self) {
        self.readers.fetch_sub(1, Ordering::AcqRel);
    }

    pub(crate) fn has_readers(&self) -> bool {
        self.readers.load(Ordering::Acquire) > 0
    }
}

/// The three topics and their partitions.
#[derive(Debug)]
pub(crate) struct Table {
    topics: [Topic; 3],
}

#[derive(Debug)]
struct Topic {
    stream: Stream,
    name: String,
    partitions: Vec<Known>,
    /// Partitions that the topic has beyond those of the log.
    added: AtomicU32,
}

impl Table {
    /// The topics with these numbers of partitions.
    pub(crate) fn new(options: &KafkaOptions, partitions: [u32; 3]) -> Self {
        let mut counts = partitions.into_iter();
        let accepted = &options.accepted_holes;
        let holes = |stream, partition| {
            let here = accepted
                .iter()
                .filter_map(|hole| hole.in_partition(stream, partition));
            here.collect()
        };
        let topics = Stream::ALL.map(|stream| Topic {
            stream,
            name: options.topic(stream),
            partitions: (0..counts.next().unwrap_or(0))
                .map(|number| Known {
                    holes: holes(stream, Partition(number)),
                    ..Known::default()
                })
                .collect(),
            added: AtomicU32::new(0),
        });
        Self { topics }
    }

    fn topic(&self, stream: Stream) -> &Topic {
        let [events, desired, outcomes] = &self.topics;
        match stream {
            Stream::Events => events,
            Stream::Desired => desired,
            Stream::Outcomes => outcomes,
        }
    }

    pub(crate) fn name(&self, stream: Stream) -> &str {
        &self.topic(stream).name
    }

    /// Number of partitions that the log has there.
    pub(crate) fn count(&self, stream: Stream) -> u32 {
        u32::try_from(self.topic(stream).partitions.len()).unwrap_or(u32::MAX)
    }

    /// Learns how many partitions the topic has, and says so once when they are more than the log's.
    pub(crate) fn saw_partitions(&self, stream: Stream, partitions: u32) {
        let (topic, count) = (self.topic(stream), self.count(stream));
        let added = partitions.saturating_sub(count);
        if topic.added.swap(added, Ordering::AcqRel) != added && added > 0 {
            tracing::warn!(
                topic = topic.name,
                partitions,
                begun_with = count,
                "partitions were added to a topic; they are not used, since a key's partition follows from the number \
                 that the log was begun with"
            );
        }
    }

    pub(crate) fn get(&self, stream: Stream, partition: Partition) -> Option<&Known> {
        self.topic(stream).partitions.get(partition.0 as usize)
    }

    /// The same, or the error for those who ask for one that is not there.
    pub(crate) fn known(&self, stream: Stream, partition: Partition) -> Result<&Known, ReadError> {
        self.get(stream, partition)
            .ok_or(ReadError::UnknownPartition { stream, partition })
    }

    /// Every partition of every stream.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Stream, Partition, &Known)> {
        self.topics.iter().flat_map(|topic| {
            (0_u32..)
                .zip(&topic.partitions)
                .map(|(number, known)| (topic.stream, Partition(number), known))
        })
    }
}
