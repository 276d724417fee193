//! Opening and creating an embedded log.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use redb::StorageBackend;
use redb::backends::FileBackend;

use super::committer::{Committer, Shared};
use super::compaction::{CompactionPolicy, Compactor};
use super::error::{OpenError, StoreError};
use super::files::{self, Ends, NEW_LOG_FILE};
use super::queue::Queue;
use super::store::{self, Store, open_file};
use super::verify::{self, Summary};
use super::{EmbeddedLog, TAIL_BYTES};
use crate::contract::{Damage, LogId, Position, Stream};
use crate::single::Tails;

/// How much is checked before a log is used. Whatever is chosen, every record is checked when it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verification {
    /// Every page and every record: a damaged log does not start. Reads the file twice, about a second per
    /// gigabyte that the system has cached.
    #[default]
    Full,
    /// Format, identity, that all sequences follow each other and reach the acknowledged ends, from the
    /// index alone. Damage within a record is met when it is read. After an unclean end the storage checks
    /// every page all the same.
    Quick,
}

/// How to open an embedded log.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// Create the log when there is none. Default: yes.
    pub create: bool,
    /// The identity of a log that is created; `None` draws a random one. Default: `None`.
    pub id: Option<LogId>,
    /// What to check. Default: [`Verification::Full`].
    pub verification: Verification,
    /// When to compact the stream of desired users.
    pub compaction: CompactionPolicy,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self {
            create: true,
            id: None,
            verification: Verification::default(),
            compaction: CompactionPolicy::default(),
        }
    }
}

/// The backend of a real log. A fault is injected by passing another one to [`open`].
pub(crate) fn file_backend(file: File) -> Result<FileBackend, StoreError> {
    Ok(FileBackend::new(file)?)
}

pub(crate) fn open<B: StorageBackend>(
    dir: &Path,
    options: &EmbeddedOptions,
    backend: impl Fn(File) -> Result<B, StoreError>,
) -> Result<EmbeddedLog, OpenError> {
    if options.create {
        make_dir(dir)?;
    } else if !dir.is_dir() {
        return Err(OpenError::NoLog { dir: dir.to_owned() });
    }
    let lock = files::lock(dir, false)?;
    let path = files::log_file(dir);
    if !path.exists() {
        create_missing(dir, options)?;
    }
    refuse_empty(&path)?;
    let opened = backend(open_file(&path, false)?).and_then(|backend| {
        Store::open(
            path.clone(),
            lock,
            backend,
            options.verification == Verification::Full,
        )
    });
    let store = opened.map_err(|error| error.into_open_error(&path))?;
    let (id, found) = check(&store, dir, options.verification)?;
    start(dir, id, store, found, options.compaction)
}

/// Makes the directory, durably: a log that vanished with its directory would look like a fresh start.
pub(crate) fn make_dir(dir: &Path) -> Result<(), OpenError> {
    if dir.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(dir).map_err(OpenError::io(dir, "the log's directory could not be made"))?;
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => files::sync_dir(parent),
        _ => files::sync_dir(Path::new(".")),
    }
}

/// Creates the log of a directory that has none and never had one.
fn create_missing(dir: &Path, options: &EmbeddedOptions) -> Result<(), OpenError> {
    if Ends::exist(dir) {
        return Err(damage(
            &files::log_file(dir),
            "the file is missing, though its kept ends are there",
        ));
    }
    if !options.create {
        return Err(OpenError::NoLog { dir: dir.to_owned() });
    }
    let id = match options.id {
        Some(id) => id,
        None => random_id(dir)?,
    };
    create_with(dir, id, |_| Ok(()))
}

/// Makes a whole log in `dir`, filled by `fill`, or none.
pub(crate) fn create_with(
    dir: &Path,
    id: LogId,
    fill: impl FnOnce(&redb::Database) -> Result<(), StoreError>,
) -> Result<(), OpenError> {
    let path = dir.join(NEW_LOG_FILE);
    if path.exists() {
        // Left behind by a creation that was cut short: never a log (the lock keeps others out).
        fs::remove_file(&path).map_err(OpenError::io(&path, "an unfinished log could not be removed"))?;
    }
    let created = file_backend(open_file(&path, true)?).and_then(|backend| store::create(backend, id, fill));
    created.map_err(|error| error.into_open_error(&path))?;
    files::install_new_log(dir)
}

fn random_id(dir: &Path) -> Result<LogId, OpenError> {
    let mut id = [0; 16];
    let drawn = getrandom::fill(&mut id).map_err(|error| std::io::Error::other(error.to_string()));
    drawn.map_err(OpenError::io(dir, "no identity could be drawn"))?;
    Ok(LogId(id))
}

pub(crate) fn refuse_empty(path: &Path) -> Result<(), OpenError> {
    let size = fs::metadata(path)
        .map_err(OpenError::io(path, "the log's file could not be read"))?
        .len();
    if size == 0 {
        Err(damage(path, "the file is empty"))
    } else {
        Ok(())
    }
}

/// Checks an opened database: identity, sequences, records where asked for, acknowledged ends.
pub(crate) fn check(
    store: &Store,
    dir: &Path,
    verification: Verification,
) -> Result<(LogId, Summary), OpenError> {
    let id = store.meta()?;
    let checked = verify::check(store, verification == Verification::Full);
    let found = checked.map_err(|error| error.into_open_error(store.path()))?;
    let Some(kept) = Ends::read(dir, id)? else {
        return Ok((id, found));
    };
    for ((stream, end), kept) in Stream::ALL.into_iter().zip(found.ends()).zip(kept) {
        if end < kept {
            return Err(OpenError::Damaged(Box::new(Damage {
                file: store.path().to_owned(),
                stream: Some(stream),
                position: Position::new(end.saturating_add(1)),
                what: format!("the stream ends at {end}, but {kept} was acknowledged"),
            })));
        }
    }
    Ok((id, found))
}

/// Starts the committing thread over a checked database.
fn start(
    dir: &Path,
    id: LogId,
    store: Store,
    found: Summary,
    compaction: CompactionPolicy,
) -> Result<EmbeddedLog, OpenError> {
    let ends = Ends::open(dir, id)?;
    ends.write(found.ends())
        .map_err(OpenError::io(dir, "the acknowledged ends could not be kept"))?;
    let shared = Arc::new(Shared {
        store: Arc::new(store),
        queue: Arc::new(Queue::new()),
        tails: tails(found),
        poison: RwLock::new(None),
    });
    let compactor = Compactor::new(compaction, found.stream(Stream::Desired).records);
    let committer = Committer::new(Arc::clone(&shared), ends, found.ends(), compactor);
    let started = committer.spawn();
    let committing = started.map_err(OpenError::io(dir, "the committing thread could not start"))?;
    Ok(EmbeddedLog {
        id,
        dir: dir.to_owned(),
        shared,
        committing: Mutex::new(Some(committing)),
    })
}

pub(crate) fn tails(found: Summary) -> Tails {
    Tails::new(found.ends(), TAIL_BYTES)
}

fn damage(file: &Path, what: &str) -> OpenError {
    StoreError::Broken(what.to_owned()).into_open_error(file)
}
