//! The projector's state on disk: sled, and nothing else of the house names it.
//!
//! One tree. What one turn of the driver changed and the position that it is true for are one batch, so after
//! any death of the process both are of one moment. sled gives no guarantee about a damaged file (a cut one
//! may open as an older or empty store, a flipped byte may panic), therefore: every use is inside
//! [`contain`]; all pages are summed up and the sum stands beside the position; every document carries its
//! revision. What does not fit is moved aside and rebuilt from the log.

mod codec;
mod key;
mod load;
mod mails;
mod pages;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use rollcall_domain::{Revision, TenantId};
use rollcall_eventlog::LogId;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ProjectorError;
use crate::fold::{Index as _, StableHash, TenantState, UserIx, mix};
use crate::limits::STRANGERS_MAX;
use key::{Key, Kind};
use load::Loader;
pub(crate) use mails::{EMAILS, MAILS_MAX, MailChanges, mail_hash};

/// The version of the stored form; another one is rebuilt from the log.
const FORMAT: u32 = 8;
/// sled's page cache: enough for the documents in use, far below what the state itself takes.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// How often sled writes out what was committed; what is lost by a power cut is folded again.
const FLUSH_MS: u64 = 500;
/// How long a locked store is waited for: a clean stop of an earlier process takes less.
const LOCK_WAIT: Duration = Duration::from_secs(5);
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// sled's text for a locked store.
const LOCKED: &str = "could not acquire lock";
const META: &[u8] = b"meta";
/// The mark of a damaged store as earlier versions set it, inside.
const DAMAGED: &[u8] = b"damaged";

/// Why the stored state cannot be used. Its text names no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreError {
    /// What is stored is not what was written: to be moved aside.
    #[error("{0}")]
    Damaged(String),
    /// Another process has it, or the file system refuses: moving it aside would help nobody.
    #[error("{0}")]
    Unusable(String),
}

fn damaged(what: impl Into<String>) -> StoreError {
    StoreError::Damaged(what.into())
}

/// What stands beside every commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Meta {
    format: u32,
    log: LogId,
    position: u64,
    sum: u64,
    tenants: Vec<TenantId>,
    /// Records of tenants that are not among these were put aside: there were too many.
    #[serde(default)]
    turned_away: bool,
}

/// The open store.
#[derive(Debug)]
pub(crate) struct Store {
    tree: sled::Tree,
    db: sled::Db,
    meta: Meta,
    /// Hash of every page, by key, so that the sum can follow a change.
    hashes: FxHashMap<Key, u64>,
    mark: Mark,
    /// What the next commit fails with.
    #[cfg(test)]
    pub(crate) fails_with: Option<StoreError>,
}

/// A file beside the store that has it rebuilt at the next start. Beside it, because a store that can still be
/// read but no more written takes no mark.
#[derive(Debug, Clone)]
struct Mark(PathBuf);

impl Mark {
    fn of(dir: &Path) -> Self {
        Self(dir.with_file_name(format!("{}.damaged", name_of(dir))))
    }

    fn set(&self) {
        if let Err(error) = std::fs::write(&self.0, b"") {
            tracing::warn!(%error, "the state could not be marked as damaged");
        }
    }

    fn is_set(&self) -> bool {
        self.0.exists()
    }

    fn clear(&self) -> std::io::Result<()> {
        match std::fs::remove_file(&self.0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Reads documents while the driver writes. Empty once the projector has stopped, so that a handle that
/// somebody still holds does not keep the files open.
#[derive(Debug, Clone)]
pub(crate) struct Documents {
    tree: Arc<RwLock<Option<sled::Tree>>>,
    mark: Mark,
}

/// The documents that a turn changed: the new bytes, or none for a deleted user.
pub(crate) type DocumentChanges = FxHashMap<UserIx, Option<Vec<u8>>>;

/// An opened store with what was in it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) position: u64,
    pub(crate) tenants: BTreeMap<TenantId, TenantState>,
}

/// Opens the state in `dir`. A state that cannot be used is moved to `<dir>.damaged-<n>` and an empty one is
/// opened.
pub(crate) fn open(dir: &Path, log: LogId) -> Result<Opened, ProjectorError> {
    match open_patiently(dir, log) {
        Ok(opened) => Ok(opened),
        Err(StoreError::Unusable(reason)) => Err(cannot_use(dir, reason)),
        Err(error) => {
            let aside = move_aside(dir)?;
            // Only now: a death before this moves an empty state aside, one after it changes nothing.
            Mark::of(dir)
                .clear()
                .map_err(|error| cannot_use(dir, format!("its mark cannot be removed: {error}")))?;
            tracing::warn!(
                reason = %error, aside = %aside.display(),
                "the state could not be used; it was moved aside and is rebuilt from the log"
            );
            contain(|| try_open(dir, log)).map_err(|error| cannot_use(dir, error.to_string()))
        }
    }
}

/// Opens it empty: it lacks a tenant that it should have. What it held is moved aside.
pub(crate) fn anew(opened: Opened, dir: &Path, log: LogId) -> Result<Opened, ProjectorError> {
    opened.store.mark.set();
    drop(opened);
    open(dir, log)
}

/// The one who had the files before may need a moment to let go of them.
fn open_patiently(dir: &Path, log: LogId) -> Result<Opened, StoreError> {
    let until = Instant::now() + LOCK_WAIT;
    loop {
        match contain(|| try_open(dir, log)) {
            Err(StoreError::Unusable(reason)) if reason.contains(LOCKED) && Instant::now() < until => {
                std::thread::park_timeout(LOCK_PAUSE);
            }
            opened => return opened,
        }
    }
}

fn try_open(dir: &Path, log: LogId) -> Result<Opened, StoreError> {
    let config = sled::Config::new()
        .path(dir)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(Some(FLUSH_MS));
    let db = config.open().map_err(|e| failed("open", &e))?;
    let tree = db.open_tree("state").map_err(|e| failed("open", &e))?;
    let mark = Mark::of(dir);
    if mark.is_set() || tree.contains_key(DAMAGED).map_err(|e| failed("read", &e))? {
        return Err(damaged("it was found damaged while in use"));
    }
    let meta = match tree.get(META).map_err(|e| failed("read", &e))? {
        Some(bytes) => {
            serde_json::from_slice::<Meta>(&bytes).map_err(|_| damaged("its head is not readable"))?
        }
        None if tree.is_empty() => Meta {
            format: FORMAT,
            log,
            position: 0,
            sum: 0,
            tenants: Vec::new(),
            turned_away: false,
        },
        None => return Err(damaged("its head is missing")),
    };
    if meta.format != FORMAT {
        return Err(damaged(format!(
            "it has the form {}, this version writes {FORMAT}",
            meta.format
        )));
    }
    if meta.log != log {
        return Err(damaged(format!(
            "it belongs to log {}, this is log {log}",
            meta.log
        )));
    }
    let mut store = Store {
        tree,
        db,
        meta,
        hashes: FxHashMap::default(),
        mark,
        #[cfg(test)]
        fails_with: None,
    };
    let tenants = store.load()?;
    let position = store.meta.position;
    Ok(Opened {
        store,
        position,
        tenants,
    })
}

impl Store {
    fn load(&mut self) -> Result<BTreeMap<TenantId, TenantState>, StoreError> {
        let mut tenants = BTreeMap::new();
        let mut sum = 0u64;
        for (number, tenant) in (0u16..).zip(self.meta.tenants.clone()) {
            let mut loader = Loader::default();
            for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Document) {
                let first = Key {
                    tenant: number,
                    kind,
                    page: 0,
                }
                .bytes();
                let last = Key {
                    tenant: number,
                    kind,
                    page: u32::MAX,
                }
                .bytes();
                for entry in self.tree.range(first..=last) {
                    let (key, value) = entry.map_err(|e| failed("read", &e))?;
                    let key = Key::read(&key).ok_or_else(|| damaged("it has an unknown key"))?;
                    let hash = page_hash(key, &value);
                    sum = sum.wrapping_add(hash);
                    self.hashes.insert(key, hash);
                    let page = key.page;
                    loader
                        .page(kind, &value)
                        .map_err(|_| damaged(format!("page {page} of {kind:?} is not readable")))?;
                }
            }
            tenants.insert(tenant, loader.finish());
        }
        if sum == self.meta.sum {
            Ok(tenants)
        } else {
            Err(damaged("its pages are not of one moment"))
        }
    }

    /// The position of the last commit; 0 before the first.
    pub(crate) fn position(&self) -> u64 {
        self.meta.position
    }

    pub(crate) fn documents(&self) -> Documents {
        Documents {
            tree: Arc::new(RwLock::new(Some(self.tree.clone()))),
            mark: self.mark.clone(),
        }
    }

    /// Whether one more tenant that is not configured has room; that it had none is remembered with the state.
    pub(crate) fn has_room(&mut self) -> bool {
        let room = self.meta.tenants.len() < STRANGERS_MAX;
        self.meta.turned_away |= !room;
        room
    }

    /// Whether records of tenants that are not in the state were put aside.
    pub(crate) fn turned_away(&self) -> bool {
        self.meta.turned_away
    }

    /// The number of a tenant in keys, given when it is new.
    pub(crate) fn number(&mut self, tenant: &TenantId) -> u16 {
        let at = self.meta.tenants.iter().position(|known| known == tenant);
        let at = at.unwrap_or_else(|| {
            self.meta.tenants.push(tenant.clone());
            self.meta.tenants.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    /// Adds what changed of a tenant to a commit.
    pub(crate) fn stage(
        &mut self,
        commit: &mut Commit,
        tenant: &TenantId,
        state: &mut TenantState,
        documents: &DocumentChanges,
        mails: &MailChanges,
    ) {
        let number = self.number(tenant);
        for (key, has) in mails.keys(number) {
            if has {
                commit.0.insert(&key, &[]);
            } else {
                commit.0.remove(&key);
            }
        }
        for (kind, page, bytes) in pages::changed_pages(state, tenant) {
            let key = Key {
                tenant: number,
                kind,
                page,
            };
            let hash = page_hash(key, &bytes);
            let old = self.hashes.insert(key, hash).unwrap_or(0);
            self.meta.sum = self.meta.sum.wrapping_add(hash).wrapping_sub(old);
            commit.0.insert(&key.bytes(), bytes);
        }
        for (user, bytes) in documents {
            let key = Key {
                tenant: number,
                kind: Kind::Document,
                page: user.number(),
            }
            .bytes();
            match bytes {
                Some(bytes) => commit.0.insert(&key, bytes.as_slice()),
                None => commit.0.remove(&key),
            }
        }
    }

    /// Writes a commit: all of it and its position, or nothing. A store that fails otherwise than by a full or
    /// forbidden disk is rebuilt at the next start.
    pub(crate) fn commit(&mut self, mut commit: Commit, position: u64) -> Result<(), StoreError> {
        self.meta.position = position;
        let meta = serde_json::to_vec(&self.meta).map_err(|_| damaged("its head is not writable"))?;
        commit.0.insert(META, meta);
        let written = contain(|| {
            #[cfg(test)]
            if let Some(error) = self.fails_with.clone() {
                return Err(error);
            }
            self.tree.apply_batch(commit.0).map_err(|e| failed("write", &e))
        });
        if matches!(written, Err(StoreError::Damaged(_))) {
            self.mark.set();
        }
        written
    }

    /// Hands everything to the operating system.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        contain(|| self.db.flush().map(|_| ()).map_err(|e| failed("flush", &e)))
    }
}

/// What is to be written at once.
#[derive(Debug, Default)]
pub(crate) struct Commit(sled::Batch);

impl Documents {
    /// The attributes of a user at this revision; an error when another revision or none is there.
    pub(crate) fn read(
        &self,
        tenant: u16,
        user: UserIx,
        revision: Revision,
    ) -> Result<Map<String, Value>, StoreError> {
        let guard = self.tree.read();
        let tree = guard
            .as_ref()
            .ok_or_else(|| StoreError::Unusable("it is closed".to_owned()))?;
        let key = Key {
            tenant,
            kind: Kind::Document,
            page: user.number(),
        }
        .bytes();
        let bytes = contain(|| tree.get(key).map_err(|e| failed("read", &e)))
            .map_err(|_| self.found_damaged("a document could not be read"))?;
        let bytes = bytes.ok_or_else(|| self.found_damaged("a document is missing"))?;
        let (found, attributes) =
            decode_document(&bytes).ok_or_else(|| self.found_damaged("a document is not readable"))?;
        if found == revision {
            Ok(attributes)
        } else {
            Err(self.found_damaged("a document is of another revision than its user"))
        }
    }

    /// The users that have an address of that hash, as of the last commit; at most `max`.
    pub(crate) fn with_mail(&self, tenant: u16, hash: u64, max: usize) -> Result<Vec<UserIx>, StoreError> {
        let guard = self.tree.read();
        let tree = guard
            .as_ref()
            .ok_or_else(|| StoreError::Unusable("it is closed".to_owned()))?;
        let keys = mails::key(tenant, hash, 0)..=mails::key(tenant, hash, u32::MAX);
        contain(|| {
            let found = tree.range(keys).keys().take(max);
            let found = found.map(|key| {
                let key = key.map_err(|e| failed("read", &e))?;
                mails::user_of(&key).ok_or_else(|| damaged("it has an unknown key"))
            });
            found.collect()
        })
    }

    /// Has the state rebuilt at the next start.
    fn found_damaged(&self, what: &str) -> StoreError {
        self.mark.set();
        damaged(what)
    }

    /// Lets go of the files.
    pub(crate) fn close(&self) {
        *self.tree.write() = None;
    }
}

/// A document's bytes: its revision and the JSON of its attributes.
pub(crate) fn encode_document(revision: Revision, attributes: &Map<String, Value>) -> Vec<u8> {
    let mut bytes = revision.0.to_le_bytes().to_vec();
    if serde_json::to_writer(&mut bytes, attributes).is_err() {
        bytes.truncate(4); // our maps have text keys only, so this does not happen
    }
    bytes
}

pub(crate) fn decode_document(bytes: &[u8]) -> Option<(Revision, Map<String, Value>)> {
    let (revision, json) = bytes.split_first_chunk::<4>()?;
    Some((
        Revision(u32::from_le_bytes(*revision)),
        serde_json::from_slice(json).ok()?,
    ))
}

fn page_hash(key: Key, bytes: &[u8]) -> u64 {
    // Eight bytes a step: a million users are a hundred megabytes.
    let mut hash = StableHash::new(8)
        .bytes(&key.bytes())
        .number(bytes.len() as u64)
        .finish();
    let (chunks, rest) = bytes.as_chunks::<8>();
    for chunk in chunks {
        hash = (hash ^ u64::from_le_bytes(*chunk))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    mix(hash)
}

/// Runs code that calls sled; a panic in there is an error like any other.
fn contain<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(damaged("the store panicked")))
}

fn failed(what: &str, error: &sled::Error) -> StoreError {
    use std::io::ErrorKind;
    match error {
        sled::Error::Corruption { .. } => damaged(format!("{what} failed: it is corrupt")),
        sled::Error::Io(error) => {
            let text = format!("{what} failed: {error}");
            let refused = matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::StorageFull | ErrorKind::ReadOnlyFilesystem
            );
            // sled gives its lock no kind of its own.
            if refused || text.contains(LOCKED) {
                StoreError::Unusable(text)
            } else {
                damaged(text)
            }
        }
        other => damaged(format!("{what} failed: {other}")),
    }
}

/// Renames the directory to the first free `<dir>.damaged-<n>`.
fn move_aside(dir: &Path) -> Result<PathBuf, ProjectorError> {
    let refused = |reason: String| cannot_use(dir, reason);
    let name = name_of(dir);
    let aside = (1u32..)
        .map(|number| dir.with_file_name(format!("{name}.damaged-{number}")))
        .find(|path| !path.exists())
        .ok_or_else(|| refused("no free name to move it aside".to_owned()))?;
    std::fs::rename(dir, &aside).map_err(|e| refused(format!("cannot be moved aside: {e}")))?;
    Ok(aside)
}

fn name_of(dir: &Path) -> String {
    dir.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn cannot_use(dir: &Path, reason: String) -> ProjectorError {
    ProjectorError::State {
        dir: dir.to_owned(),
        reason,
    }
}
