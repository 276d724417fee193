//! The database of a log: its tables, and reading and writing whole blocks.

use std::fs::{File, OpenOptions};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use parking_lot::RwLock;
use redb::{
    Builder, Database, ReadOnlyDatabase, ReadTransaction, ReadableDatabase, StorageBackend, TableDefinition,
    WriteTransaction,
};

use super::error::{OpenError, StoreError};
use crate::block::Block;
use crate::contract::{LogId, ReadError, Stream};
use crate::reader::OlderBlocks;

/// The format of the file as a whole.
const LOG_FORMAT: u32 = 1;
/// Memory for the storage's page cache. Replay reads each page once and the tail is kept beside it, so
/// little is gained by more; a tenth of it buffers the writes of one commit.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// What kind of log this is: `format` and `id`.
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// Blocks of a stream by the sequence of their last record.
pub(crate) const fn blocks_table(stream: Stream) -> TableDefinition<'static, u64, &'static [u8]> {
    TableDefinition::new(match stream {
        Stream::Events => "events.blocks",
        Stream::Desired => "desired.blocks",
        Stream::Outcomes => "outcomes.blocks",
    })
}

/// First sequence and number of records of each block, by the sequence of its last record: what an opening
/// checks without reading the blocks.
pub(crate) const fn index_table(stream: Stream) -> TableDefinition<'static, u64, (u64, u32)> {
    TableDefinition::new(match stream {
        Stream::Events => "events.index",
        Stream::Desired => "desired.index",
        Stream::Outcomes => "outcomes.index",
    })
}

/// An open database.
#[allow(clippy::large_enum_variant, reason = "there is one of them in a process")]
enum Db {
    Writable(Database),
    ReadOnly(ReadOnlyDatabase),
}

/// The database and its lock, until it is closed.
pub(crate) struct Store {
    file: PathBuf,
    open: RwLock<Option<(Db, File)>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// Runs something that uses the storage; a panic in it becomes an error.
pub(crate) fn contained<T>(run: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    // Nothing is used again after a panic but the database itself, whose locks then report it.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| Err(StoreError::panicked(&*payload)))
}

fn builder(check_pages: bool) -> Builder {
    let mut builder = Builder::new();
    builder
        .set_cache_size(CACHE_BYTES)
        .set_check_integrity_on_open(check_pages);
    builder
}

/// Opens the file for a backend.
pub(crate) fn open_file(path: &Path, create: bool) -> Result<File, OpenError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(create)
        .open(path)
        .map_err(OpenError::io(path, "the log's file could not be opened"))
}

/// Makes the tables of a new database on `backend` and fills it with `fill`. The record that makes it a log
/// is written last, so that what was begun and not finished is never taken for one.
pub(crate) fn create(
    backend: impl StorageBackend,
    id: LogId,
    fill: impl FnOnce(&Database) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    contained(|| {
        let db = builder(false).create_with_backend(backend)?;
        let begin = db.begin_write()?;
        for stream in Stream::ALL {
            begin.open_table(blocks_table(stream))?;
            begin.open_table(index_table(stream))?;
        }
        begin.commit()?;
        fill(&db)?;
        let finish = db.begin_write()?;
        {
            let mut meta = finish.open_table(META)?;
            meta.insert("format", LOG_FORMAT.to_le_bytes().as_slice())?;
            meta.insert("id", id.0.as_slice())?;
        }
        finish.commit()?;
        db.close()?;
        Ok(())
    })
}

impl Store {
    /// Opens the database on `backend`; `check_pages` verifies the checksum of every page.
    pub(crate) fn open(
        file: PathBuf,
        lock: File,
        backend: impl StorageBackend,
        check_pages: bool,
    ) -> Result<Self, StoreError> {
        let db = contained(|| Ok(builder(check_pages).create_with_backend(backend)?))?;
        Ok(Self {
            file,
            open: RwLock::new(Some((Db::Writable(db), lock))),
        })
    }

    /// Opens the database without ever writing to it.
    pub(crate) fn open_read_only(file: PathBuf, lock: File) -> Result<Self, StoreError> {
        let db = contained(|| Ok(builder(false).open_read_only(&file)?))?;
        Ok(Self {
            file,
            open: RwLock::new(Some((Db::ReadOnly(db), lock))),
        })
    }

    /// The database's file.
    pub(crate) fn path(&self) -> &Path {
        &self.file
    }

    /// Closes the database and gives up the lock; later uses fail.
    pub(crate) fn close(&self) -> Result<(), StoreError> {
        let Some((db, lock)) = self.open.write().take() else {
            return Ok(());
        };
        let closed = contained(|| match db {
            Db::Writable(db) => Ok(db.close()?),
            Db::ReadOnly(db) => Ok(db.close()?),
        });
        drop(lock);
        closed
    }

    /// Reads in one consistent view.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        contained(|| {
            let view = match &*self.open.read() {
                Some((Db::Writable(db), _)) => db.begin_read()?,
                Some((Db::ReadOnly(db), _)) => db.begin_read()?,
                None => return Err(StoreError::Closed),
            };
            read(&view)
        })
    }

    /// Writes in one durable commit: returns when it is synced.
    pub(crate) fn write(
        &self,
        write: impl FnOnce(&WriteTransaction) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        contained(|| {
            let open = self.open.read();
            let Some((Db::Writable(db), _)) = &*open else {
                return Err(StoreError::Closed);
            };
            let mut commit = db.begin_write()?;
            commit.set_durability(redb::Durability::Immediate)?;
            write(&commit)?;
            Ok(commit.commit()?)
        })
    }

    /// Checks the format and returns the identity.
    pub(crate) fn meta(&self) -> Result<LogId, OpenError> {
        let read = self.read(|view| {
            let meta = view.open_table(META)?;
            let get = |key| Ok::<_, StoreError>(meta.get_owned(key)?.map(|value| value.value().to_vec()));
            Ok((get("format")?, get("id")?))
        });
        let (format, id) = read.map_err(|error| error.into_open_error(&self.file))?;
        let damaged = |what: &str| StoreError::Broken(what.to_owned()).into_open_error(&self.file);
        let format = format
            .as_deref()
            .and_then(|bytes| bytes.try_into().ok())
            .map(u32::from_le_bytes);
        match format {
            Some(LOG_FORMAT) => {}
            Some(found) => {
                return Err(OpenError::UnknownFormat {
                    file: self.file.clone(),
                    found,
                    known: LOG_FORMAT,
                });
            }
            None => return Err(damaged("the format record is missing or damaged")),
        }
        let id = id.as_deref().and_then(|bytes| bytes.try_into().ok()).map(LogId);
        id.ok_or_else(|| damaged("the log's identity is missing or damaged"))
    }

    /// Blocks of `stream` with records after `after`, up to `end`: at least one, then up to `max_bytes`.
    pub(crate) fn blocks(
        &self,
        stream: Stream,
        after: u64,
        end: u64,
        max_bytes: usize,
    ) -> Result<Vec<Bytes>, StoreError> {
        self.read(|view| {
            let table = view.open_table(blocks_table(stream))?;
            let mut found = Vec::new();
            let mut bytes = 0_usize;
            for entry in table.range_owned(after.saturating_add(1)..=end)? {
                let block = Bytes::copy_from_slice(entry?.1.value());
                bytes = bytes.saturating_add(block.len());
                found.push(block);
                if bytes >= max_bytes {
                    break;
                }
            }
            Ok(found)
        })
    }
}

impl OlderBlocks for Store {
    fn load(&self, stream: Stream, after: u64, end: u64, max_bytes: usize) -> Result<Vec<Bytes>, ReadError> {
        self.blocks(stream, after, end, max_bytes)
            .map_err(|error| error.into_read_error(&self.file, stream))
    }

    fn file(&self) -> PathBuf {
        self.file.clone()
    }
}

/// Adds blocks of `stream` to a commit.
pub(crate) fn insert_blocks(
    commit: &WriteTransaction,
    stream: Stream,
    blocks: &[Block],
) -> Result<(), StoreError> {
    let mut table = commit.open_table(blocks_table(stream))?;
    let mut index = commit.open_table(index_table(stream))?;
    for block in blocks {
        table.insert(block.last, block.bytes.as_ref())?;
        index.insert(block.last, (block.first, block.count))?;
    }
    Ok(())
}

/// Takes blocks of `stream`, named by their last sequences, out of a commit.
pub(crate) fn remove_blocks(
    commit: &WriteTransaction,
    stream: Stream,
    lasts: &[u64],
) -> Result<(), StoreError> {
    let mut table = commit.open_table(blocks_table(stream))?;
    let mut index = commit.open_table(index_table(stream))?;
    for last in lasts {
        table.remove(last)?;
        index.remove(last)?;
    }
    Ok(())
}
