//! The embedded engine: one redb database in a directory.
//!
//! Files: `log.redb` (the log), `log.ends` (the acknowledged ends, a lower bound), `log.lock` (exclusion).
//!
//! One thread commits. Whatever waits in its bounded queue goes into one commit, synced before anybody is
//! answered; per stream a commit holds a few blocks of framed records. The newest blocks stay in memory for
//! those who follow the tail.

mod backup;
mod committer;
mod compaction;
mod error;
mod files;
mod open;
mod queue;
mod read_only;
mod store;
#[cfg(test)]
mod tests;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::oneshot;

pub use self::compaction::CompactionPolicy;
pub use self::error::OpenError;
#[cfg(any(test, feature = "testing"))]
pub(crate) use self::open::open as open_with_backend;
pub use self::open::{EmbeddedOptions, Verification};
pub use self::read_only::ReadOnlyLog;
pub use self::verify::{StreamSummary, Summary};

use self::committer::Shared;
use self::queue::Submission;
use crate::contract::{AppendError, AppendLog, Appended, LogId, Record, Stream, check_batch};
use crate::reader::OlderBlocks;
use crate::single::{SinglePartition, Tails};

/// Bytes of the newest blocks kept in memory per stream, for readers that follow the tail.
pub(crate) const TAIL_BYTES: usize = 8 * 1024 * 1024;

/// A log in a directory of this machine. One process has it open at a time.
///
/// Dropping it closes it, as [`EmbeddedLog::close`] does.
#[derive(Debug)]
pub struct EmbeddedLog {
    id: LogId,
    dir: PathBuf,
    shared: Arc<Shared>,
    committing: Mutex<Option<thread::JoinHandle<()>>>,
}

impl EmbeddedLog {
    /// Opens the log in `dir`, or creates it there.
    ///
    /// Blocks, for as long as the chosen [`Verification`] reads; call it before serving, or from a thread
    /// that may block. After an unclean end the storage reads the whole file once.
    ///
    /// # Errors
    /// See [`OpenError`]. An existing log is never replaced by a fresh one: an empty, cut or foreign file,
    /// and kept ends without a log, are errors.
    pub fn open(dir: impl AsRef<Path>, options: EmbeddedOptions) -> Result<Self, OpenError> {
        open::open(dir.as_ref(), &options, open::file_backend)
    }

    /// Reads every record and checks all checksums and sequences.
    ///
    /// Blocks, about a second per gigabyte; runs beside appends and readers.
    ///
    /// # Errors
    /// [`OpenError::Damaged`] names the first place that is not as it was written.
    pub fn verify(&self) -> Result<Summary, OpenError> {
        verify::check(&self.shared.store, true)
            .map_err(|error| error.into_open_error(self.shared.store.path()))
    }

    /// Writes a consistent copy of the log, as of now, into the directory `to`, which must not hold a log.
    /// The copy keeps the [`LogId`]: it is the same log, at an earlier time.
    ///
    /// Blocks; runs beside appends and readers. Space of superseded pages is not reused meanwhile.
    ///
    /// # Errors
    /// See [`OpenError`]. What was written before an error is not a log and is not taken for one.
    pub fn backup(&self, to: impl AsRef<Path>) -> Result<Summary, OpenError> {
        backup::backup(&self.shared.store, self.id, to.as_ref())
    }

    /// The directory of the log.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Takes no more appends, commits what is queued, and closes the file. Blocks for those last commits.
    /// Readers that still exist get an error when they need the file. Doing it twice does nothing.
    pub fn close(&self) {
        self.shared.queue.close();
        if let Some(committing) = self.committing.lock().take() {
            let _ = committing.join();
            if let Err(error) = self.shared.store.close() {
                // Everything acknowledged is synced; the next opening recovers.
                tracing::warn!(reason = %error.reason(), "the log was not closed cleanly");
            }
        }
    }

    async fn submit(&self, stream: Stream, records: Vec<Record>) -> Result<Appended, AppendError> {
        let bytes = check_batch(stream, &records)?;
        if let Some(refusal) = self.shared.refusal(stream) {
            return Err(refusal);
        }
        let room = self
            .shared
            .queue
            .room(bytes)
            .await
            .ok_or(AppendError::Closed { stream })?;
        let (answer, answered) = oneshot::channel();
        let submission = Submission {
            stream,
            records,
            bytes,
            answer,
            _room: room,
        };
        self.shared
            .queue
            .submit(submission)
            .map_err(|_| AppendError::Closed { stream })?;
        answered.await.unwrap_or_else(|_| {
            let reason = "the committing thread stopped".to_owned();
            Err(AppendError::NotDurable { stream, reason })
        })
    }
}

impl Drop for EmbeddedLog {
    fn drop(&mut self) {
        self.close();
    }
}

impl AppendLog for EmbeddedLog {
    fn append(&self, stream: Stream, records: Vec<Record>) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(self.submit(stream, records))
    }
}

impl SinglePartition for EmbeddedLog {
    fn id(&self) -> LogId {
        self.id
    }

    fn tails(&self) -> &Tails {
        &self.shared.tails
    }

    fn older(&self) -> Option<Arc<dyn OlderBlocks>> {
        Some(Arc::<store::Store>::clone(&self.shared.store))
    }
}
