//! A checkpoint of the ledger on disk, so that a start reads the end of the outcome stream and not all of it.
//!
//! It can be deleted at any time: the ledger is then rebuilt from the log. One that is damaged, cut, of another log or
//! of another tenant is passed over with a warning. One that is *ahead* of the log is an error: the log has lost its
//! end.
//!
//! The file is a row of frames, each `kind, length, CRC32C, bytes`; the last one says that it is whole. It is written
//! beside its place, synced and renamed.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rollcall_domain::TenantId;
use rollcall_eventlog::{LogId, Partition};
use serde::{Deserialize, Serialize};

use crate::ledger::Ledger;
use crate::ledger::codec::{ACCOUNT_BYTES_MIN, TooLarge};

/// The form that this version writes; another one is passed over.
const VERSION: u32 = 1;
/// Accounts encoded under one lock of the ledger: a fraction of a millisecond.
const ACCOUNTS_PER_FRAME: usize = 1_000;
/// Bytes of a frame at most: the open intents of a hundred thousand accounts. A longer one is damage.
const FRAME_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Bytes of a frame's head: kind, length, checksum.
const HEAD_BYTES: usize = 9;
/// Bytes written or read at one time.
const BUFFER_BYTES: usize = 1024 * 1024;

/// Where a ledger stands: the last position taken in of each partition, 0 before the first.
pub(crate) type Positions = Vec<(Partition, u64)>;

/// What a checkpoint is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    version: u32,
    log: [u8; 16],
    tenant: TenantId,
    positions: Vec<(u32, u64)>,
    /// Accounts when the walk began: a hint of the room needed.
    accounts: usize,
}

impl Header {
    pub(crate) fn new(log: LogId, tenant: &TenantId, positions: &Positions) -> Self {
        Self {
            version: VERSION,
            log: log.0,
            tenant: tenant.clone(),
            positions: positions
                .iter()
                .map(|(partition, at)| (partition.0, *at))
                .collect(),
            accounts: 0,
        }
    }

    fn is_of(&self, log: LogId, tenant: &TenantId) -> bool {
        self.version == VERSION && self.log == log.0 && self.tenant == *tenant
    }

    /// Where the ledger of this checkpoint stands in a partition.
    pub(crate) fn position(&self, partition: Partition) -> u64 {
        let known = self.positions.iter().find(|(known, _)| *known == partition.0);
        known.map_or(0, |(_, at)| *at)
    }
}

/// Why a checkpoint was not written. Nothing is lost by it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("the checkpoint {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("an account does not fit into a checkpoint")]
    TooLarge,
    #[error("it was given up because the reconciler is to stop")]
    Stopped,
}

impl From<TooLarge> for WriteError {
    fn from(TooLarge: TooLarge) -> Self {
        Self::TooLarge
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Header = 1,
    Accounts = 2,
    Open = 3,
    Grants = 4,
    End = 5,
}

/// Writes a checkpoint of a ledger that goes on changing: the header's positions must be of a moment at which all
/// outcomes up to them were in, and which was before this call. `go_on` is asked between frames. Blocks.
pub(crate) fn write(
    path: &Path,
    mut header: Header,
    ledger: &Mutex<Ledger>,
    go_on: &dyn Fn() -> bool,
) -> Result<(), WriteError> {
    let beside = path.with_extension("new");
    let io = |source| WriteError::Io {
        path: path.to_owned(),
        source,
    };
    let keys = ledger.lock().keys();
    header.accounts = keys.len();
    let mut to = BufWriter::with_capacity(BUFFER_BYTES, File::create(&beside).map_err(io)?);
    frame(
        &mut to,
        Kind::Header,
        &serde_json::to_vec(&header).unwrap_or_default(),
    )
    .map_err(io)?;
    let mut bytes = Vec::new();
    for keys in keys.chunks(ACCOUNTS_PER_FRAME) {
        if !go_on() {
            return Err(WriteError::Stopped);
        }
        bytes.clear();
        ledger.lock().write_accounts(keys, &mut bytes)?;
        frame(&mut to, Kind::Accounts, &bytes).map_err(io)?;
    }
    bytes.clear();
    ledger.lock().write_open(&mut bytes);
    frame(&mut to, Kind::Open, &bytes).map_err(io)?;
    bytes.clear();
    ledger.lock().write_grants(&mut bytes);
    frame(&mut to, Kind::Grants, &bytes).map_err(io)?;
    frame(&mut to, Kind::End, &[]).map_err(io)?;
    let file = to.into_inner().map_err(|error| io(error.into_error()))?;
    file.sync_data().map_err(io)?;
    std::fs::rename(&beside, path).map_err(io)?;
    if let Some(folder) = path.parent() {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(io)?;
    }
    Ok(())
}

fn frame(to: &mut impl std::io::Write, kind: Kind, bytes: &[u8]) -> std::io::Result<()> {
    let too_long = |_| std::io::Error::other("a frame is too long");
    let length = u32::try_from(bytes.len()).map_err(too_long)?;
    to.write_all(&[kind as u8])?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(&sum(kind as u8, bytes).to_le_bytes())?;
    to.write_all(bytes)
}

fn sum(kind: u8, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&[kind]), bytes)
}

/// The ledger of a checkpoint and where it stands; `None` when there is none that can be used. Blocks.
pub(crate) fn read(path: &Path, log: LogId, tenant: &TenantId) -> Option<(Header, Ledger)> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(%tenant, %error, "the ledger's checkpoint cannot be opened; the log is read instead");
            return None;
        }
    };
    match read_from(file, log, tenant) {
        Ok(read) => Some(read),
        Err(reason) => {
            tracing::warn!(%tenant, reason, "the ledger's checkpoint is passed over; the log is read instead");
            None
        }
    }
}

fn read_from(file: File, log: LogId, tenant: &TenantId) -> Result<(Header, Ledger), &'static str> {
    const DAMAGED: &str = "it is damaged";
    let size = file.metadata().map(|data| data.len()).unwrap_or_default();
    let mut from = BufReader::with_capacity(BUFFER_BYTES, file);
    let (mut ledger, mut header, mut bytes) = (Ledger::default(), None::<Header>, Vec::new());
    let mut grants_came = false;
    loop {
        let kind = next_frame(&mut from, &mut bytes).ok_or(DAMAGED)?;
        if header.is_none() {
            if kind != Kind::Header as u8 {
                return Err(DAMAGED);
            }
            let read: Header = serde_json::from_slice(&bytes).map_err(|_| DAMAGED)?;
            if !read.is_of(log, tenant) {
                return Err("it is of another log, tenant or version");
            }
            let room = usize::try_from(size).unwrap_or(usize::MAX) / ACCOUNT_BYTES_MIN;
            ledger.reserve(read.accounts.min(room));
            header = Some(read);
            continue;
        }
        let taken = match kind {
            kind if kind == Kind::Accounts as u8 => ledger.read_accounts(&bytes),
            kind if kind == Kind::Open as u8 => ledger.read_open(&bytes),
            kind if kind == Kind::Grants as u8 => {
                grants_came = true;
                ledger.read_grants(&bytes)
            }
            kind if kind == Kind::End as u8 && grants_came => break,
            _ => return Err(DAMAGED),
        };
        taken.map_err(|_| DAMAGED)?;
    }
    Ok((header.ok_or(DAMAGED)?, ledger))
}

/// The next frame's kind, its bytes in `bytes`; `None` when it is not whole.
fn next_frame(from: &mut impl std::io::Read, bytes: &mut Vec<u8>) -> Option<u8> {
    let mut head = [0; HEAD_BYTES];
    from.read_exact(&mut head).ok()?;
    let [kind, l0, l1, l2, l3, s0, s1, s2, s3] = head;
    let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).ok()?;
    if length > FRAME_BYTES_MAX {
        return None;
    }
    bytes.clear();
    // Grows with what is there, so that a damaged length cannot ask for memory that no file fills.
    let read = from.take(u64::try_from(length).ok()?).read_to_end(bytes).ok()?;
    (read == length && sum(kind, bytes) == u32::from_le_bytes([s0, s1, s2, s3])).then_some(kind)
}

#[cfg(test)]
mod tests;
