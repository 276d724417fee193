//! An online, consistent copy of a log.

use std::path::Path;

use bytes::Bytes;
use redb::{Database, Durability, ReadTransaction};

use super::error::{OpenError, StoreError};
use super::files::{self, Ends};
use super::open::{create_with, make_dir};
use super::store::{Store, blocks_table, insert_blocks};
use super::verify::{self, Summary, damaged};
use crate::block::{Block, BlockCursor};
use crate::contract::{LogId, Stream};

/// Bytes of blocks copied per commit of the copy: bounds the memory of a backup.
const COPY_BYTES: usize = 8 * 1024 * 1024;

/// Copies all streams as of now into `to`; every record is checked on the way.
pub(crate) fn backup(store: &Store, id: LogId, to: &Path) -> Result<Summary, OpenError> {
    make_dir(to)?;
    let lock = files::lock(to, false)?;
    if files::log_file(to).exists() || Ends::exist(to) {
        return Err(OpenError::AlreadyThere { dir: to.to_owned() });
    }
    let copied = store.read(|view| {
        let copy = create_with(to, id, |target| {
            Stream::ALL
                .into_iter()
                .try_for_each(|stream| copy_stream(store, view, target, stream))
        });
        Ok(copy)
    });
    copied.map_err(|error| error.into_open_error(store.path()))??;
    let path = files::log_file(to);
    let copy = Store::open_read_only(path.clone(), lock).map_err(|error| error.into_open_error(&path))?;
    verify::check(&copy, false).map_err(|error| error.into_open_error(&path))
}

fn copy_stream(
    store: &Store,
    view: &ReadTransaction,
    target: &Database,
    stream: Stream,
) -> Result<(), StoreError> {
    let (mut blocks, mut bytes) = (Vec::new(), 0_usize);
    for entry in view.open_table(blocks_table(stream))?.range_owned(0..)? {
        let block = Bytes::copy_from_slice(entry?.1.value());
        bytes = bytes.saturating_add(block.len());
        blocks.push(checked(store, stream, block)?);
        if bytes >= COPY_BYTES {
            put(target, stream, &blocks)?;
            blocks.clear();
            bytes = 0;
        }
    }
    put(target, stream, &blocks)
}

fn checked(store: &Store, stream: Stream, bytes: Bytes) -> Result<Block, StoreError> {
    let cursor = BlockCursor::new(stream, bytes.clone());
    let block = cursor.and_then(|cursor| {
        let block = Block {
            first: cursor.first(),
            last: cursor.last(),
            count: cursor.left(),
            bytes,
        };
        cursor.check_all().map(|_| block)
    });
    block.map_err(|damage| damaged(store, stream, &damage))
}

/// Not synced: the commit that makes the copy a log is, and with it all before.
fn put(target: &Database, stream: Stream, blocks: &[Block]) -> Result<(), StoreError> {
    let mut commit = target.begin_write()?;
    commit.set_durability(Durability::None)?;
    insert_blocks(&commit, stream, blocks)?;
    Ok(commit.commit()?)
}
