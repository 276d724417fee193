//! A file that fails on command.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use crate::embedded::{EmbeddedLog, EmbeddedOptions, OpenError, open_with_backend};

/// The switches of a faulty file. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    switches: Arc<Switches>,
}

#[derive(Debug, Default)]
struct Switches {
    sync_fails: AtomicBool,
    sync_panics: AtomicBool,
    write_fails: AtomicBool,
    syncs: AtomicU64,
}

impl Faults {
    /// From now on syncs fail, or no longer.
    pub fn fail_sync(&self, fail: bool) {
        self.switches.sync_fails.store(fail, Ordering::SeqCst);
    }

    /// From now on syncs panic, or no longer.
    pub fn panic_in_sync(&self, panic: bool) {
        self.switches.sync_panics.store(panic, Ordering::SeqCst);
    }

    /// From now on writes fail as on a full disk, or no longer.
    pub fn fail_write(&self, fail: bool) {
        self.switches.write_fails.store(fail, Ordering::SeqCst);
    }

    /// How often the file was synced.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.switches.syncs.load(Ordering::SeqCst)
    }
}

/// Opens an embedded log on a file that obeys `faults`.
///
/// # Errors
/// As [`EmbeddedLog::open`].
pub fn open_faulty(
    dir: impl AsRef<Path>,
    options: EmbeddedOptions,
    faults: &Faults,
) -> Result<EmbeddedLog, OpenError> {
    open_with_backend(dir.as_ref(), &options, |file: File| {
        Ok(FaultyFile {
            file: FileBackend::new(file)?,
            faults: faults.clone(),
        })
    })
}

#[derive(Debug)]
struct FaultyFile {
    file: FileBackend,
    faults: Faults,
}

impl StorageBackend for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let switches = &self.faults.switches;
        switches.syncs.fetch_add(1, Ordering::SeqCst);
        assert!(
            !switches.sync_panics.load(Ordering::SeqCst),
            "the sync panics as told"
        );
        if switches.sync_fails.load(Ordering::SeqCst) {
            return Err(io::Error::other("the sync fails as told"));
        }
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if self.faults.switches.write_fails.load(Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}
