//! `keys.json`: the tenants' keys for name hashes.
//!
//! Accounts, uniqueness and verdicts in the log rest on these keys: a log can only be read with the keys it
//! was written with. So the file is made once, durably, before the log; and a missing file beside a log is
//! never replaced.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rollcall_domain::{TenantId, TenantKey};
use serde::{Deserialize, Serialize};

use crate::digest::hex;
use crate::files::{self, Failed};

/// The file's name in the data folder.
pub const FILE: &str = "keys.json";
/// The form of the file that this version writes.
const VERSION: u32 = 1;
/// A key, in bytes (HMAC-SHA256).
const KEY_BYTES: usize = 32;

/// Why there are no keys. Trying again without doing something does not help.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The log is there, its keys are not.
    #[error(
        "{} is missing, but a log is there: it can only be read with the keys it was written with; \
         restore that file from a backup (to begin anew, move the whole data folder away)", path.display()
    )]
    MissingBesideLog {
        /// Where the file should be.
        path: PathBuf,
    },
    /// Over Kafka every process needs the keys that the log was begun with.
    #[error(
        "{} has no key for tenant {tenant}: copy keys.json from a process that runs (a new tenant's key is made by \
         `rollcall topics`, on one machine, once)", path.display()
    )]
    NotHere {
        /// Where the file is, or should be.
        path: PathBuf,
        /// Whose key is missing.
        tenant: TenantId,
    },
    /// Others than the owner may read or write the file.
    #[error("{} may be used by others (mode {mode:o}); run: chmod 600 {}", path.display(), path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file is there but is no key file.
    #[error("{} is damaged: {problem}; restore it from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where; never a key.
        problem: String,
    },
    /// The file could not be read or written.
    #[error("{}: {action} failed", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes for a new key: {0}")]
    NoRandomness(getrandom::Error),
}

/// Whether a log lies beside the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogPresence {
    /// None yet: this is the first start.
    Absent,
    /// There is one, empty or not.
    Present,
}

/// The keys of all tenants.
#[derive(Debug)]
pub struct KeyStore {
    keys: BTreeMap<TenantId, TenantKey>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    /// Hex, by tenant.
    tenants: BTreeMap<TenantId, String>,
}

impl KeyStore {
    /// Reads the keys of a data folder and makes those that are missing, durably. The folder is made when it
    /// is not there (mode 0700), the file with mode 0600.
    ///
    /// # Errors
    /// [`KeyError`]; a missing file beside a log is never made anew.
    pub fn open(folder: &Path, tenants: &[TenantId], log: LogPresence) -> Result<Self, KeyError> {
        let path = folder.join(FILE);
        let stored = read_if_any(&path)?;
        let mut keys = match (stored, log) {
            (Some(keys), _) => keys,
            (None, LogPresence::Absent) => BTreeMap::new(),
            (None, LogPresence::Present) => return Err(KeyError::MissingBesideLog { path }),
        };
        let missing: Vec<&TenantId> = tenants
            .iter()
            .filter(|tenant| !keys.contains_key(*tenant))
            .collect();
        if !missing.is_empty() {
            for tenant in missing {
                let mut bytes = [0u8; KEY_BYTES];
                getrandom::fill(&mut bytes).map_err(KeyError::NoRandomness)?;
                keys.insert(tenant.clone(), bytes);
            }
            write(&path, &keys)?;
        }
        Ok(Self::of(keys))
    }

    /// Reads the keys of a data folder and makes none: for a log that others share.
    ///
    /// # Errors
    /// [`KeyError`]; a tenant without a key is one.
    pub fn open_existing(folder: &Path, tenants: &[TenantId]) -> Result<Self, KeyError> {
        let path = folder.join(FILE);
        let keys = read_if_any(&path)?.unwrap_or_default();
        match tenants.iter().find(|tenant| !keys.contains_key(*tenant)) {
            Some(tenant) => Err(KeyError::NotHere {
                path,
                tenant: tenant.clone(),
            }),
            None => Ok(Self::of(keys)),
        }
    }

    /// The tenants that have no key in a data folder.
    ///
    /// # Errors
    /// [`KeyError`] when the file is there and cannot be read.
    pub fn missing(folder: &Path, tenants: &[TenantId]) -> Result<Vec<TenantId>, KeyError> {
        let keys = read_if_any(&folder.join(FILE))?.unwrap_or_default();
        let missing = tenants.iter().filter(|tenant| !keys.contains_key(*tenant));
        Ok(missing.cloned().collect())
    }

    fn of(keys: Keys) -> Self {
        let keys = keys
            .into_iter()
            .map(|(tenant, bytes)| (tenant, TenantKey::new(bytes)))
            .collect();
        Self { keys }
    }

    /// Every tenant that has a key.
    pub fn tenants(&self) -> impl Iterator<Item = &TenantId> {
        self.keys.keys()
    }

    /// The key of a tenant; there is one for every tenant that [`KeyStore::open`] was called with.
    #[must_use]
    pub fn get(&self, tenant: &TenantId) -> Option<&TenantKey> {
        self.keys.get(tenant)
    }
}

type Keys = BTreeMap<TenantId, [u8; KEY_BYTES]>;

/// The keys of a file; none when there is no file.
fn read_if_any(path: &Path) -> Result<Option<Keys>, KeyError> {
    match File::open(path) {
        Ok(file) => read(file, path).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(KeyError::Io {
            path: path.to_owned(),
            action: "opening",
            source,
        }),
    }
}

fn read(file: File, path: &Path) -> Result<Keys, KeyError> {
    let io = |source| KeyError::Io {
        path: path.to_owned(),
        action: "reading",
        source,
    };
    let damaged = |problem: String| KeyError::Damaged {
        path: path.to_owned(),
        problem,
    };
    let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::OpenToOthers {
            path: path.to_owned(),
            mode,
        });
    }
    let text = std::io::read_to_string(file).map_err(io)?;
    let stored: Stored = serde_json::from_str(&text).map_err(|error| {
        damaged(format!(
            "no key file (line {}, column {})",
            error.line(),
            error.column()
        ))
    })?;
    if stored.version != VERSION {
        return Err(damaged(format!(
            "its form {} is not known to this version",
            stored.version
        )));
    }
    let mut keys = Keys::new();
    for (tenant, hex) in stored.tenants {
        let bytes = from_hex(&hex).ok_or_else(|| damaged(format!("the key of {tenant} is none")))?;
        keys.insert(tenant, bytes);
    }
    Ok(keys)
}

fn from_hex(hex: &str) -> Option<[u8; KEY_BYTES]> {
    let mut bytes = [0u8; KEY_BYTES];
    if hex.len() != 2 * KEY_BYTES || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// Exchanges the file, durably and as a whole.
fn write(path: &Path, keys: &Keys) -> Result<(), KeyError> {
    let io = |Failed { action, source }| KeyError::Io {
        path: path.to_owned(),
        action,
        source,
    };
    files::make_folder(path).map_err(io)?;
    let tenants = keys.iter().map(|(tenant, bytes)| (tenant.clone(), hex(bytes)));
    let stored = Stored {
        version: VERSION,
        tenants: tenants.collect(),
    };
    let mut text = serde_json::to_vec_pretty(&stored).unwrap_or_default(); // string keys only: cannot fail
    text.push(b'\n');
    files::replace(path, &text).map_err(io)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn tenants(names: &[&str]) -> Vec<TenantId> {
        names.iter().map(|name| TenantId::new(*name).unwrap()).collect()
    }

    #[test]
    fn keys_are_made_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let acme = tenants(&["acme"]);
        let first = KeyStore::open(&data, &acme, LogPresence::Absent).unwrap();
        let again = KeyStore::open(&data, &tenants(&["acme", "beta"]), LogPresence::Present).unwrap();
        let (acme, beta) = (acme.first().unwrap(), TenantId::new("beta").unwrap());
        assert_eq!(first.get(acme), again.get(acme));
        assert_ne!(again.get(acme), again.get(&beta), "every tenant has its own");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data.join(FILE)), 0o600);
        assert_eq!(mode(&data), 0o700);
        assert!(!data.join("keys.json.new").exists());
    }

    #[test]
    fn missing_keys_beside_a_log_are_never_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let error = KeyStore::open(folder.path(), &tenants(&["acme"]), LogPresence::Present).unwrap_err();
        assert!(matches!(error, KeyError::MissingBesideLog { .. }));
        assert!(!folder.path().join(FILE).exists());
    }

    #[test]
    fn a_key_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        KeyStore::open(folder.path(), &tenants(&["acme"]), LogPresence::Absent).unwrap();
        let path = folder.path().join(FILE);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = KeyStore::open(folder.path(), &tenants(&["acme"]), LogPresence::Present).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_damaged_key_file_is_refused_and_left_as_it_is() {
        for bad in [
            "",
            "{}",
            r#"{"version":1,"tenants":{"acme":"00"}}"#,
            r#"{"version":9,"tenants":{}}"#,
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(FILE);
            std::fs::write(&path, bad).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            let error = KeyStore::open(folder.path(), &tenants(&["acme"]), LogPresence::Present).unwrap_err();
            assert!(matches!(error, KeyError::Damaged { .. }), "{bad:?}: {error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), bad);
        }
    }

    #[test]
    fn what_was_left_of_a_death_while_writing_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("keys.json.new"), "half").unwrap();
        KeyStore::open(folder.path(), &tenants(&["acme"]), LogPresence::Absent).unwrap();
        KeyStore::open(folder.path(), &tenants(&["acme"]), LogPresence::Present).unwrap();
    }

    #[test]
    fn no_key_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyStore::open(folder.path(), &tenants(&["acme"]), LogPresence::Absent).unwrap();
        let text = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        let stored: Stored = serde_json::from_str(&text).unwrap();
        let hex = stored.tenants.values().next().unwrap();
        assert!(!format!("{keys:?}").contains(hex.as_str()));
    }
}
