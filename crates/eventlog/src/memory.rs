//! The log in memory: for tests and demonstrations. Everything is gone with the process.

use std::sync::Arc;

use futures::future::{BoxFuture, ready};
use parking_lot::Mutex;

use crate::block::BlockBuilder;
use crate::contract::{
    AppendError, AppendLog, Appended, LogId, Partition, Position, Record, Stream, check_batch,
};
use crate::reader::OlderBlocks;
use crate::single::{SinglePartition, Tails};

/// A log without a disk that keeps the contract in all but durability. Keeps every record, so its
/// memory grows with the log; it never compacts, which the contract allows.
#[derive(Debug)]
pub struct MemoryLog {
    id: LogId,
    tails: Tails,
    /// Why appends are refused, if they are; held while one is carried out, so that they are ordered.
    refusal: Mutex<Option<String>>,
}

impl MemoryLog {
    /// An empty log with this identity.
    #[must_use]
    pub fn new(id: LogId) -> Self {
        Self {
            id,
            tails: Tails::new([0; 3], usize::MAX),
            refusal: Mutex::new(None),
        }
    }

    /// From now on every append is refused as [`AppendError::Poisoned`], as after a failed sync.
    pub fn poison(&self, reason: impl Into<String>) {
        *self.refusal.lock() = Some(reason.into());
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
        let tail = self.tails.of(stream);
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

impl SinglePartition for MemoryLog {
    fn id(&self) -> LogId {
        self.id
    }

    fn tails(&self) -> &Tails {
        &self.tails
    }

    fn older(&self) -> Option<Arc<dyn OlderBlocks>> {
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::contract::ReadLog as _;
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
