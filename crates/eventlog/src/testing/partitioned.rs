//! A log in memory with several partitions, and a share of them that a test deals out.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _, ready};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    AppendError, AppendLog, Appended, Assignment, LogId, LogReader, Membership, MemoryLog, Partition,
    Placement, Position, ReadError, ReadLog, Record, Stream,
};

/// As [`MemoryLog`], partitioned by key.
#[derive(Debug)]
pub struct PartitionedLog {
    id: LogId,
    events: Vec<MemoryLog>,
    accounts: Vec<MemoryLog>,
}

impl PartitionedLog {
    /// An empty log with so many partitions of `events`, and of `desired` and `outcomes`.
    #[must_use]
    pub fn new(id: LogId, events: u32, accounts: u32) -> Self {
        let logs = |count: u32| (0..count.max(1)).map(|_| MemoryLog::new(id)).collect();
        Self {
            id,
            events: logs(events),
            accounts: logs(accounts),
        }
    }

    fn logs(&self, stream: Stream) -> &[MemoryLog] {
        match stream {
            Stream::Events => &self.events,
            Stream::Desired | Stream::Outcomes => &self.accounts,
        }
    }

    fn log(&self, stream: Stream, partition: Partition) -> Result<&MemoryLog, ReadError> {
        let log = self.logs(stream).get(partition.0 as usize);
        log.ok_or(ReadError::UnknownPartition { stream, partition })
    }

    /// Puts a record where its key does not belong, as somebody else's program may.
    ///
    /// # Errors
    /// [`ReadError::UnknownPartition`]
    pub fn misplace(
        &self,
        stream: Stream,
        partition: Partition,
        record: Record,
    ) -> Result<Position, ReadError> {
        let log = self.log(stream, partition)?;
        let appended = log.append(stream, vec![record]).now_or_never().unwrap().unwrap();
        Ok(appended.last().position)
    }

    fn append_now(&self, stream: Stream, records: Vec<Record>) -> Result<Appended, AppendError> {
        crate::contract::check_batch(stream, &records)?;
        let mut placements = Vec::new();
        for record in records {
            let partition = self.partition_of(stream, &record.key);
            let log = &self.logs(stream)[partition.0 as usize];
            let appended = log.append(stream, vec![record]).now_or_never().unwrap()?;
            placements.push(Placement {
                partition,
                position: appended.last().position,
            });
        }
        Ok(Appended::listed(placements).unwrap())
    }
}

impl AppendLog for PartitionedLog {
    fn append(&self, stream: Stream, records: Vec<Record>) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(ready(self.append_now(stream, records)))
    }
}

impl ReadLog for PartitionedLog {
    fn log_id(&self) -> LogId {
        self.id
    }

    fn partitions(&self, stream: Stream) -> Vec<Partition> {
        let count = u32::try_from(self.logs(stream).len()).unwrap();
        (0..count).map(Partition).collect()
    }

    fn partition_of(&self, stream: Stream, key: &[u8]) -> Partition {
        let count = u32::try_from(self.logs(stream).len()).unwrap();
        Partition(crc32c::crc32c(key) % count)
    }

    fn end(
        &self,
        stream: Stream,
        partition: Partition,
    ) -> BoxFuture<'_, Result<Option<Position>, ReadError>> {
        match self.log(stream, partition) {
            Ok(log) => log.end(stream, Partition::ONLY),
            Err(error) => Box::pin(ready(Err(error))),
        }
    }

    fn reader(
        &self,
        stream: Stream,
        partition: Partition,
        after: Option<Position>,
    ) -> Result<Box<dyn LogReader>, ReadError> {
        self.log(stream, partition)?
            .reader(stream, Partition::ONLY, after)
    }
}

/// How long a share lasts; asked at every look.
pub type Remaining = Arc<dyn Fn() -> Option<Duration> + Send + Sync>;

/// A process's share of a stream, as a test deals it.
pub struct DealtMembership {
    stream: Stream,
    assignment: watch::Sender<Assignment>,
    remaining: Mutex<Remaining>,
    /// Taken away and not released yet.
    ending: Mutex<BTreeSet<Partition>>,
    released: watch::Sender<BTreeSet<Partition>>,
}

impl fmt::Debug for DealtMembership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DealtMembership({:?})", self.assignment.borrow().partitions)
    }
}

impl DealtMembership {
    /// Owns nothing yet, for ever.
    #[must_use]
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            assignment: watch::Sender::new(Assignment::default()),
            remaining: Mutex::new(Arc::new(|| None)),
            ending: Mutex::default(),
            released: watch::Sender::new(BTreeSet::new()),
        }
    }

    /// From now on these and no others are owned.
    pub fn deal(&self, partitions: impl IntoIterator<Item = u32>) {
        self.ending
            .lock()
            .extend(self.assignment.borrow().partitions.iter().copied());
        self.assignment.send_modify(|assignment| {
            assignment.own(partitions.into_iter().map(Partition).collect());
        });
        let owned = self.assignment.borrow().partitions.clone();
        self.released
            .send_modify(|released| released.retain(|partition| !owned.contains(partition)));
    }

    /// From now on this says how long the share lasts.
    pub fn lasts(&self, remaining: Remaining) {
        *self.remaining.lock() = remaining;
    }

    /// What was released since it was owned last.
    #[must_use]
    pub fn let_go(&self) -> watch::Receiver<BTreeSet<Partition>> {
        self.released.subscribe()
    }
}

impl Membership for DealtMembership {
    fn stream(&self) -> Stream {
        self.stream
    }

    fn assignment(&self) -> watch::Receiver<Assignment> {
        self.assignment.subscribe()
    }

    fn remaining(&self) -> Option<Duration> {
        let remaining = Arc::clone(&self.remaining.lock());
        remaining()
    }

    fn holds(&self, partition: Partition) -> (bool, Option<Duration>) {
        let (owned, remaining) = self.owns(partition);
        (owned || self.ending.lock().contains(&partition), remaining)
    }

    fn released(&self, partitions: &[Partition]) {
        self.ending
            .lock()
            .retain(|partition| !partitions.contains(partition));
        self.released
            .send_modify(|released| released.extend(partitions.iter().copied()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Subject;

    crate::conformance_tests!(subject());

    fn subject() -> Subject {
        Subject {
            log: Arc::new(PartitionedLog::new(LogId([2; 16]), 1, 1)),
            dense: true,
            // As in Kafka: other appends may stand between the records of one.
            atomic: false,
            keep: Box::new(()),
        }
    }

    #[tokio::test]
    async fn records_of_one_key_stand_in_one_partition_and_keys_in_several() {
        let log = PartitionedLog::new(LogId([2; 16]), 4, 8);
        let records: Vec<Record> = (0..64)
            .map(|n| Record::new(format!("key-{}", n % 32), "v"))
            .collect();
        let appended = log.append(Stream::Outcomes, records.clone()).await.unwrap();
        let mut used = BTreeSet::new();
        for (record, placed) in records.iter().zip(appended.placements()) {
            assert_eq!(placed.partition, log.partition_of(Stream::Outcomes, &record.key));
            used.insert(placed.partition);
        }
        assert!(used.len() > 4, "{used:?}");
    }
}
