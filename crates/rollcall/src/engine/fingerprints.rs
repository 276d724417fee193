//! The fingerprint of each tenant's key, in the log itself: the log decides whose key is a tenant's, since only one of
//! several processes that begin at the same moment can be first in it
//! (`docs/adr/0013-the-log-knows-each-tenants-key.md`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, ensure};
use rollcall_domain::{TenantId, TenantKey};
use rollcall_eventlog::{BatchLimits, EventLog, ReadLog, Record, Stream, note_key};
use serde::{Deserialize, Serialize};

use crate::digest::hex;
use crate::files::{self, Failed};
use crate::keys::KeyStore;

/// The file of a data folder that keeps what was found in the log: it never changes there, and is looked for once.
const FILE: &str = "keys-in-log";
/// Most bytes of that file: some thousand tenants.
const FILE_MAX: u64 = 1024 * 1024;
/// The only form of the note so far.
const VERSION: u32 = 1;

/// A note about a tenant's key.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Note {
    version: u32,
    tenant: TenantId,
    fingerprint: String,
}

/// What a data folder knows.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Known {
    log: String,
    tenants: BTreeMap<TenantId, String>,
}

/// The fingerprints of the keys that this process has.
#[derive(Debug)]
pub(crate) struct Fingerprints {
    folder: PathBuf,
    ours: BTreeMap<TenantId, String>,
    /// One at a time looks and remembers.
    turn: tokio::sync::Mutex<()>,
}

impl Fingerprints {
    /// Of all keys of a data folder.
    pub(crate) fn new(folder: &Path, keys: &KeyStore) -> Self {
        let of = |tenant: &TenantId| Some((tenant.clone(), fingerprint(keys.get(tenant)?)));
        Self {
            folder: folder.to_owned(),
            ours: keys.tenants().filter_map(of).collect(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Compares the tenant's key with the first fingerprint in the log. False when there is none.
    ///
    /// # Errors
    /// When the first one is another's, with what to do; nothing may be written with our key then.
    pub(crate) async fn compare(&self, log: &dyn EventLog, tenant: &TenantId) -> anyhow::Result<bool> {
        let _turn = self.turn.lock().await;
        let ours = self.ours(tenant)?;
        let mut known = self.known(log);
        if known.tenants.get(tenant) == Some(ours) {
            return Ok(true);
        }
        let Some(first) = first(log, tenant).await? else {
            return Ok(false);
        };
        ensure!(first == *ours, of_another(&self.folder, tenant));
        known.tenants.insert(tenant.clone(), first);
        self.remember(&known)?;
        Ok(true)
    }

    /// The same, and puts ours there when there is none: only for a key that fits what is known of the tenant.
    ///
    /// # Errors
    /// As [`Fingerprints::compare`].
    pub(crate) async fn settle(&self, log: &dyn EventLog, tenant: &TenantId) -> anyhow::Result<()> {
        if self.compare(log, tenant).await? {
            return Ok(());
        }
        write(log, tenant, self.ours(tenant)?).await?;
        // Somebody else may have done the same at this moment: the log says who was first.
        ensure!(
            self.compare(log, tenant).await?,
            "the fingerprint of the key of {tenant} was written, but is not in the log"
        );
        tracing::info!(%tenant, "the log has the fingerprint of the tenant's key");
        Ok(())
    }

    /// Writes ours once more, where it is the tenant's: the first one counts, so it changes nothing. It only shows
    /// whether the log takes an append.
    ///
    /// # Errors
    /// When it does not, or the key is another's.
    pub(crate) async fn repeat(&self, log: &dyn EventLog, tenant: &TenantId) -> anyhow::Result<()> {
        if self.compare(log, tenant).await? {
            write(log, tenant, self.ours(tenant)?).await?;
        }
        Ok(())
    }

    fn ours(&self, tenant: &TenantId) -> anyhow::Result<&String> {
        let ours = self.ours.get(tenant);
        ours.with_context(|| format!("tenant {tenant} has no key"))
    }

    /// What the folder knows of this log.
    fn known(&self, log: &dyn EventLog) -> Known {
        let log = log.log_id().to_string();
        let read = crate::config::read_bounded(&self.folder.join(FILE), FILE_MAX);
        let known = read.ok().flatten();
        // What cannot be read is looked for in the log again.
        let known: Option<Known> = known.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        known.filter(|known| known.log == log).unwrap_or(Known {
            log,
            tenants: BTreeMap::new(),
        })
    }

    fn remember(&self, known: &Known) -> anyhow::Result<()> {
        let path = self.folder.join(FILE);
        let bytes = serde_json::to_vec(known)?;
        files::replace(&path, &bytes).map_err(|Failed { action, source }| {
            anyhow!(source).context(format!("{}: {action} failed", path.display()))
        })
    }
}

/// What is said of a key that is not the log's.
pub(super) fn of_another(folder: &Path, tenant: &TenantId) -> String {
    format!(
        "the key of tenant {tenant} in {} is not the one that its log was begun with; nothing was written with it: \
         copy keys.json from the machine whose `rollcall topics` or whose process was the first, or from any process \
         that runs",
        folder.join(crate::keys::FILE).display()
    )
}

/// A key's fingerprint as it is written.
pub(crate) fn fingerprint(key: &TenantKey) -> String {
    hex(&key.fingerprint())
}

/// The first fingerprint of a tenant in the log. Reads the partition up to it.
///
/// # Errors
/// When the log cannot be read.
pub(crate) async fn first(
    log: &(impl ReadLog + ?Sized),
    tenant: &TenantId,
) -> anyhow::Result<Option<String>> {
    let key = note_key(tenant.as_str());
    let mut reader = log.reader(Stream::Events, log.partition_of(Stream::Events, &key), None)?;
    loop {
        let batch = reader.next_batch(BatchLimits::REPLAY).await;
        let batch = batch.context("looking for the fingerprint of a key in the log")?;
        if batch.is_empty() {
            return Ok(None);
        }
        let notes = batch.iter().filter(|record| record.key == key);
        let mut prints = notes.filter_map(|record| read(record.value, tenant));
        if let Some(first) = prints.next() {
            return Ok(Some(first));
        }
    }
}

fn read(value: &[u8], tenant: &TenantId) -> Option<String> {
    let note: Note = serde_json::from_slice(value).ok()?;
    (note.version == VERSION && note.tenant == *tenant).then_some(note.fingerprint)
}

async fn write(log: &dyn EventLog, tenant: &TenantId, fingerprint: &str) -> anyhow::Result<()> {
    let note = Note {
        version: VERSION,
        tenant: tenant.clone(),
        fingerprint: fingerprint.to_owned(),
    };
    let record = Record::new(note_key(tenant.as_str()), serde_json::to_vec(&note)?);
    let appended = log.append(Stream::Events, vec![record]).await;
    appended.context("writing the fingerprint of a key into the log")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use rollcall_eventlog::{AppendLog as _, LogId, MemoryLog};

    use super::*;
    use crate::keys::LogPresence;

    const LOG: LogId = LogId([3; 16]);

    fn acme() -> TenantId {
        TenantId::new("acme").unwrap()
    }

    /// A machine with keys of its own.
    fn machine() -> (tempfile::TempDir, Fingerprints) {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyStore::open(folder.path(), &[acme()], LogPresence::Absent).unwrap();
        let fingerprints = Fingerprints::new(folder.path(), &keys);
        (folder, fingerprints)
    }

    #[tokio::test]
    async fn of_two_keys_the_first_in_the_log_is_the_tenants_and_the_other_is_refused() {
        let log = MemoryLog::new(LOG);
        let ((_one, first), (_two, second)) = (machine(), machine());
        first.settle(&log, &acme()).await.unwrap();
        let refused = second.settle(&log, &acme()).await.unwrap_err().to_string();
        assert!(refused.contains("copy keys.json"), "{refused}");
        first.settle(&log, &acme()).await.unwrap();
        let end = log
            .end(Stream::Events, rollcall_eventlog::Partition::ONLY)
            .await
            .unwrap();
        assert_eq!(end.unwrap().get(), 1, "one note is enough");
    }

    #[tokio::test]
    async fn of_two_that_write_at_the_same_moment_one_is_refused() {
        let log = MemoryLog::new(LOG);
        let ((_one, first), (_two, second)) = (machine(), machine());
        // Both found nothing, and both have written.
        for machine in [&second, &first] {
            write(&log, &acme(), &machine.ours[&acme()]).await.unwrap();
        }
        assert!(first.settle(&log, &acme()).await.is_err());
        second.settle(&log, &acme()).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_no_note_counts_for_nothing() {
        let log = MemoryLog::new(LOG);
        let (_folder, machine) = machine();
        for value in ["", "{}", r#"{"version":1,"tenant":"beta","fingerprint":"00"}"#] {
            let record = Record::new(note_key("acme"), value);
            log.append(Stream::Events, vec![record]).await.unwrap();
        }
        machine.settle(&log, &acme()).await.unwrap();
    }

    #[tokio::test]
    async fn what_was_found_is_remembered_for_this_log_alone() {
        let (_folder, machine) = machine();
        machine.settle(&MemoryLog::new(LOG), &acme()).await.unwrap();
        // The same identity, and nothing in it: nobody looks again.
        let emptied = MemoryLog::new(LOG);
        machine.settle(&emptied, &acme()).await.unwrap();
        assert_eq!(first(&emptied, &acme()).await.unwrap(), None);
        let other = MemoryLog::new(LogId([4; 16]));
        machine.settle(&other, &acme()).await.unwrap();
        assert!(first(&other, &acme()).await.unwrap().is_some());
    }

    #[test]
    fn the_form_is_frozen() {
        let print = fingerprint(&TenantKey::new([7; 32]));
        assert_eq!(print.len(), 32);
        let value = format!(r#"{{"version":1,"tenant":"acme","fingerprint":"{print}"}}"#);
        assert_eq!(read(value.as_bytes(), &acme()), Some(print));
    }
}
