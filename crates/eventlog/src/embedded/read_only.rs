//! Reading a log that no instance has open.

use std::path::Path;
use std::sync::Arc;

use futures::future::{BoxFuture, ready};

use super::error::OpenError;
use super::open::{Verification, check, refuse_empty, tails};
use super::store::Store;
use super::verify::Summary;
use super::{block_reader, files, verify};
use crate::contract::{LogId, LogReader, Partition, Position, ReadError, ReadLog, Stream};
use crate::memory::only;
use crate::tail::Tail;

/// An embedded log opened for reading only, while no instance runs. Several may read at once; none writes.
#[derive(Debug)]
pub struct ReadOnlyLog {
    id: LogId,
    store: Arc<Store>,
    tails: [Arc<Tail>; 3],
}

impl ReadOnlyLog {
    /// Opens the log in `dir`. `verification` is as for the writing side, but the storage's own page
    /// checksums are not verified.
    ///
    /// # Errors
    /// [`OpenError::NeedsRecovery`] when the log was not shut down cleanly, [`OpenError::InUse`] when an
    /// instance runs; see [`OpenError`].
    pub fn open(dir: impl AsRef<Path>, verification: Verification) -> Result<Self, OpenError> {
        let dir = dir.as_ref();
        let path = files::log_file(dir);
        if !path.exists() {
            return Err(OpenError::NoLog { dir: dir.to_owned() });
        }
        let lock = files::lock(dir, true)?;
        refuse_empty(&path)?;
        let opened = Store::open_read_only(path.clone(), lock);
        let store = opened.map_err(|error| error.into_open_error(&path))?;
        let (id, found) = check(&store, dir, verification)?;
        Ok(Self {
            id,
            store: Arc::new(store),
            tails: tails(found),
        })
    }

    /// As [`EmbeddedLog::verify`](super::EmbeddedLog::verify).
    ///
    /// # Errors
    /// [`OpenError::Damaged`] names the first place that is not as it was written.
    pub fn verify(&self) -> Result<Summary, OpenError> {
        verify::check(&self.store, true).map_err(|error| error.into_open_error(self.store.path()))
    }

    fn tail(&self, stream: Stream) -> &Arc<Tail> {
        let [events, desired, outcomes] = &self.tails;
        match stream {
            Stream::Events => events,
            Stream::Desired => desired,
            Stream::Outcomes => outcomes,
        }
    }
}

impl ReadLog for ReadOnlyLog {
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
        block_reader(&self.store, self.tail(stream), stream, after)
    }
}
