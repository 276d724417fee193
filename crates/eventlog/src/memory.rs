//! The log in memory: for tests and demonstrations. Everything is gone with the process.

use std::sync::Arc;

use futures::future::{BoxFuture, ready};
use parking_lot::Mutex;

use crate::block::BlockBuilder;
use crate::contract::{
    AppendError, AppendLog, Appended, LogId, LogReader, Partition, Position, ReadError, ReadLog, Record,
    Stream, check_batch,
};
use crate::reader::BlockReader;
use crate::tail::Tail;

/// A log without a disk that keeps the contract in all but durability. Keeps every record, so its
/// memory grows with the log; it never compacts, which the contract allows.
#[derive(Debug)]
pub struct MemoryLog {
    id: LogId,
    tails: [Arc<Tail>; 3],
    /// Why appends are refused, if they are; held while one is carried out, so that they are ordered.
    refusal: Mutex<Option<String>>,
}

impl MemoryLog {
    /// An empty log with this identity.
    #[must_use]
    pub fn new(id: LogId) -> Self {
        let tail = || Arc::new(Tail::new(0, usize::MAX));
        Self {
            id,
            tails: [tail(), tail(), tail()],
            refusal: Mutex::new(None),
        }
    }

    /// From now on every append is refused as [`AppendError::Poisoned`], as after a failed sync.
    pub fn poison(&self, reason: impl Into<String>) {
        *self.refusal.lock() = Some(reason.into());
    }

    fn tail(&self, stream: Stream) -> &Arc<Tail> {
        let [events, desired, outcomes] = &self.tails;
        match stream {
            Stream::Events => events,
            Stream::Desired => desired,
            Stream::Outcomes => outcomes,
        }
    }

    fn append_now(&self, stream: Stream, records: &[Record]) -> Result<Appended, AppendError> {
        let bytes = check_batch(stream, records)?;
        let refusal = self.refusal.lock();
        if let Some(reason) = refusal.as_ref() {
            return Err(AppendError::Poisoned {
                stream,
                reason: reason.clone(),
            });
        }
        let tail = self.tail(stream);
        let first = Position::to_stored(tail.end()).saturating_add(1);
        let mut builder = BlockBuilder::new(stream, bytes);
        for (sequence, record) in (first..).zip(records) {
            builder.push(sequence, record);
        }
        let block = builder.finish();
        let last = block.last;
        tail.publish([block]);
        drop(refusal);
        let position = |number| Position::new(number).unwrap_or(Position::FIRST);
        Ok(Appended::dense(Partition::ONLY, position(first), position(last)))
    }
}

impl AppendLog for MemoryLog {
    fn append(&self, stream: Stream, records: Vec<Record>) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(ready(self.append_now(stream, &records)))
    }
}

impl ReadLog for MemoryLog {
    fn log_id(&self) -> LogId {
        self.id
    }

    fn partitions(&self, _stream: Stream) -> Vec<Partition> {
        vec![Partition::ONLY]
    }

    fn partition_of(&self, _stream: Stream, _key: &[u8]) -> Partition {
        Partition::ONLY
    }

    fn end(
        &self,
        stream: Stream,
        partition: Partition,
    ) -> BoxFuture<'_, Result<Option<Position>, ReadError>> {
        let end = only(stream, partition).map(|()| self.tail(stream).end());
        Box::pin(ready(end))
    }

    fn reader(
        &self,
        stream: Stream,
        partition: Partition,
        after: Option<Position>,
    ) -> Result<Box<dyn LogReader>, ReadError> {
        only(stream, partition)?;
        Ok(Box::new(BlockReader::new(
            stream,
            Arc::clone(self.tail(stream)),
            None,
            after,
        )?))
    }
}

/// Refuses every partition but the only one.
pub(crate) fn only(stream: Stream, partition: Partition) -> Result<(), ReadError> {
    if partition == Partition::ONLY {
        Ok(())
    } else {
        Err(ReadError::UnknownPartition { stream, partition })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::Subject;

    crate::conformance_tests!(subject());

    fn subject() -> Subject {
        let log = Arc::new(MemoryLog::new(LogId([1; 16])));
        Subject {
            log,
            dense: true,
            atomic: true,
            keep: Box::new(()),
        }
    }

    #[tokio::test]
    async fn a_poisoned_log_refuses_appends() {
        let log = MemoryLog::new(LogId([1; 16]));
        log.append(Stream::Events, vec![Record::new("acme", "one")])
            .await
            .unwrap();
        log.poison("told to");
        let refused = log
            .append(Stream::Events, vec![Record::new("acme", "two")])
            .await
            .unwrap_err();
        assert!(matches!(refused, AppendError::Poisoned { .. }), "{refused}");
        assert_eq!(
            log.end(Stream::Events, Partition::ONLY).await.unwrap(),
            Some(Position::FIRST)
        );
    }
}
