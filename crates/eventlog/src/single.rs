//! What the engines with one partition per stream share: a tail for each stream, and reading from it.

use std::fmt;
use std::sync::Arc;

use futures::future::{BoxFuture, ready};

use crate::contract::{LogId, LogReader, Partition, Position, ReadError, ReadLog, Stream};
use crate::reader::{BlockReader, OlderBlocks};
use crate::tail::Tail;

/// The tails of the three streams.
#[derive(Debug)]
pub(crate) struct Tails([Arc<Tail>; 3]);

impl Tails {
    /// Tails of streams that end here, in the order of [`Stream::ALL`]; each keeps about `keep_bytes` of blocks.
    pub(crate) fn new(ends: [u64; 3], keep_bytes: usize) -> Self {
        Self(ends.map(|end| Arc::new(Tail::new(end, keep_bytes))))
    }

    /// The tail of this stream.
    pub(crate) fn of(&self, stream: Stream) -> &Arc<Tail> {
        let [events, desired, outcomes] = &self.0;
        match stream {
            Stream::Events => events,
            Stream::Desired => desired,
            Stream::Outcomes => outcomes,
        }
    }
}

/// A log whose streams have one partition each.
pub(crate) trait SinglePartition: fmt::Debug + Send + Sync {
    /// Its identity.
    fn id(&self) -> LogId;

    /// The newest blocks and the end of each stream.
    fn tails(&self) -> &Tails;

    /// What is asked for blocks that the tails no longer hold; none when they hold all.
    fn older(&self) -> Option<Arc<dyn OlderBlocks>>;
}

impl<Log: SinglePartition> ReadLog for Log {
    fn log_id(&self) -> LogId {
        self.id()
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
        let end = only(stream, partition).map(|()| self.tails().of(stream).end());
        Box::pin(ready(end))
    }

    fn reader(
        &self,
        stream: Stream,
        partition: Partition,
        after: Option<Position>,
    ) -> Result<Box<dyn LogReader>, ReadError> {
        only(stream, partition)?;
        let tail = Arc::clone(self.tails().of(stream));
        Ok(Box::new(BlockReader::new(stream, tail, self.older(), after)?))
    }
}

/// Refuses every partition but the only one.
fn only(stream: Stream, partition: Partition) -> Result<(), ReadError> {
    if partition == Partition::ONLY {
        Ok(())
    } else {
        Err(ReadError::UnknownPartition { stream, partition })
    }
}
