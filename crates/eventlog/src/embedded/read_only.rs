//! Reading a log that no instance has open.

use std::path::Path;
use std::sync::Arc;

use super::error::OpenError;
use super::open::{Verification, check, refuse_empty, tails};
use super::store::Store;
use super::verify::Summary;
use super::{files, verify};
use crate::contract::LogId;
use crate::reader::OlderBlocks;
use crate::single::{SinglePartition, Tails};

/// An embedded log opened for reading only, while no instance runs. Several may read at once; none writes.
#[derive(Debug)]
pub struct ReadOnlyLog {
    id: LogId,
    store: Arc<Store>,
    tails: Tails,
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
}

impl SinglePartition for ReadOnlyLog {
    fn id(&self) -> LogId {
        self.id
    }

    fn tails(&self) -> &Tails {
        &self.tails
    }

    fn older(&self) -> Option<Arc<dyn OlderBlocks>> {
        Some(Arc::<Store>::clone(&self.store))
    }
}
