//! The files of a log in their directory: lock, database, acknowledged ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::error::OpenError;
use crate::contract::{LogId, Stream};

/// The database.
pub(crate) const LOG_FILE: &str = "log.redb";
/// A database that is being made; renamed when it is whole.
pub(crate) const NEW_LOG_FILE: &str = "log.redb.new";
/// The ends that were acknowledged; see [`Ends`].
const ENDS_FILE: &str = "log.ends";
/// Locked while a log is open: shared by read-only openings.
const LOCK_FILE: &str = "log.lock";

/// Takes the lock of `dir`; held until the file is dropped.
pub(crate) fn lock(dir: &Path, shared: bool) -> Result<File, OpenError> {
    let path = dir.join(LOCK_FILE);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(OpenError::io(&path, "the lock file could not be opened"))?;
    let locked = if shared {
        file.try_lock_shared()
    } else {
        file.try_lock()
    };
    match locked {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(OpenError::Io {
            path,
            action: "the lock file could not be locked",
            source,
        }),
    }
}

/// Makes the names in `dir` durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), OpenError> {
    let sync = || File::open(dir)?.sync_all();
    sync().map_err(OpenError::io(dir, "the directory could not be synced"))
}

/// Puts the finished new database in its place, durably.
pub(crate) fn install_new_log(dir: &Path) -> Result<(), OpenError> {
    let (from, to) = (dir.join(NEW_LOG_FILE), dir.join(LOG_FILE));
    fs::rename(&from, &to).map_err(OpenError::io(&to, "the new log could not be put in its place"))?;
    sync_dir(dir)
}

/// The last position of each stream that was made durable, written beside the database after each commit
/// and before it is acknowledged, without a sync.
///
/// Why: after an unclean end the storage takes the newest commit that is whole. When the newest pages were
/// damaged meanwhile, that is silently an older one. The ends kept here are a lower bound of what was
/// acknowledged (exact after the death of the process, possibly older after that of the machine), so an
/// opening that finds less knows that records are lost.
#[derive(Debug)]
pub(crate) struct Ends {
    file: File,
    id: LogId,
}

/// Bytes of the file: format, id, three ends, checksum. One sector, so a write is never torn.
const ENDS_BYTES: usize = 4 + 16 + 3 * 8 + 4;
const ENDS_FORMAT: u32 = 1;

impl Ends {
    /// Whether ends were kept in `dir`.
    pub(crate) fn exist(dir: &Path) -> bool {
        dir.join(ENDS_FILE).exists()
    }

    /// The kept ends of the log `id`; `None` when there are none for it (then nothing can be compared).
    pub(crate) fn read(dir: &Path, id: LogId) -> Result<Option<[u64; 3]>, OpenError> {
        let path = dir.join(ENDS_FILE);
        let mut bytes = Vec::new();
        match File::open(&path).and_then(|file| file.take(1024).read_to_end(&mut bytes)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(OpenError::io(&path, "the kept ends could not be read")(error)),
        }
        let ends = decode(&bytes, id);
        if ends.is_none() {
            tracing::warn!(file = %path.display(), "the kept ends are of no use and made anew");
        }
        Ok(ends)
    }

    /// The file to write to, made when it is missing.
    pub(crate) fn open(dir: &Path, id: LogId) -> Result<Self, OpenError> {
        let path = dir.join(ENDS_FILE);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(OpenError::io(&path, "the kept ends could not be opened"))?;
        Ok(Self { file, id })
    }

    /// Keeps `ends`, in the order of [`Stream::ALL`].
    pub(crate) fn write(&self, ends: [u64; 3]) -> io::Result<()> {
        self.file.write_all_at(&encode(self.id, ends), 0)
    }
}

fn encode(id: LogId, ends: [u64; 3]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ENDS_BYTES);
    bytes.extend(ENDS_FORMAT.to_le_bytes());
    bytes.extend(id.0);
    bytes.extend(ends.iter().flat_map(|end| end.to_le_bytes()));
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    bytes
}

fn decode(bytes: &[u8], id: LogId) -> Option<[u64; 3]> {
    let (body, crc) = bytes.get(..ENDS_BYTES)?.split_last_chunk::<4>()?;
    let (format, rest) = body.split_first_chunk::<4>()?;
    let (found, rest) = rest.split_first_chunk::<16>()?;
    let whole = crc32c::crc32c(body) == u32::from_le_bytes(*crc);
    if !whole || u32::from_le_bytes(*format) != ENDS_FORMAT || *found != id.0 {
        return None;
    }
    let mut ends = rest.as_chunks::<8>().0.iter().map(|end| u64::from_le_bytes(*end));
    Some([ends.next()?, ends.next()?, ends.next()?])
}

/// Index of a stream in arrays kept per stream.
pub(crate) const fn slot(stream: Stream) -> usize {
    match stream {
        Stream::Events => 0,
        Stream::Desired => 1,
        Stream::Outcomes => 2,
    }
}

/// The paths of a log's directory.
pub(crate) fn log_file(dir: &Path) -> PathBuf {
    dir.join(LOG_FILE)
}
