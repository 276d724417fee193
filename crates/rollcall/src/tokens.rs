//! The token file on disk: read whole, changed under a lock, exchanged as a whole.
//!
//! It holds hashes of random secrets, so reading it lets nobody in; writing to it does. So it is refused when others
//! may write to it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rollcall_ingest::{STORED_TOKENS_MAX, TokenFile, TokenFileError};

use crate::config::values::bounded;
use crate::files::{self, Failed};

/// A token file above this is refused unread: more than [`STORED_TOKENS_MAX`] tokens take.
pub const TOKEN_FILE_BYTES_MAX: u64 = 1024 * STORED_TOKENS_MAX as u64;

/// Why the token file could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TokenStoreError {
    /// Others may write to it, and so let themselves in.
    #[error("{} may be written by others (mode {mode:o}); run: chmod go-w {}", path.display(), path.display())]
    WritableByOthers {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is larger than [`TOKEN_FILE_BYTES_MAX`].
    #[error("{} has more than {TOKEN_FILE_BYTES_MAX} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is no token file, or cannot take the change.
    #[error("{}: {problem}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: TokenFileError,
    },
    /// It could not be read or written; trying again may help.
    #[error("{}: {action} failed: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

/// The token file at a path.
#[derive(Debug, Clone)]
pub struct TokenStore {
    path: PathBuf,
}

impl TokenStore {
    /// The store at this path; nothing is opened yet.
    #[must_use]
    pub const fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn io(&self, action: &'static str) -> impl FnOnce(std::io::Error) -> TokenStoreError + use<> {
        let path = self.path.clone();
        move |source| TokenStoreError::Io { path, action, source }
    }

    fn failed(&self) -> impl FnOnce(Failed) -> TokenStoreError + use<> {
        let path = self.path.clone();
        move |Failed { action, source }| TokenStoreError::Io { path, action, source }
    }

    fn refused(&self) -> impl FnOnce(TokenFileError) -> TokenStoreError + use<> {
        let path = self.path.clone();
        move |problem| TokenStoreError::Refused { path, problem }
    }

    /// Its bytes; `None` when it is not there.
    ///
    /// # Errors
    /// [`TokenStoreError`] when it cannot be read, is too large, or others may write to it.
    pub fn bytes(&self) -> Result<Option<Vec<u8>>, TokenStoreError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.io("opening")(error)),
        };
        let mode = file.metadata().map_err(self.io("reading"))?.mode() & 0o777;
        if mode & 0o022 != 0 {
            let path = self.path.clone();
            return Err(TokenStoreError::WritableByOthers { path, mode });
        }
        let bytes = bounded(file, TOKEN_FILE_BYTES_MAX).map_err(self.io("reading"))?;
        let path = self.path.clone();
        bytes.ok_or(TokenStoreError::TooLarge { path }).map(Some)
    }

    /// The tokens in these bytes of the file.
    ///
    /// # Errors
    /// [`TokenStoreError::Refused`] when they are none.
    pub fn parse(&self, bytes: &[u8]) -> Result<TokenFile, TokenStoreError> {
        TokenFile::parse(bytes).map_err(self.refused())
    }

    /// The tokens; none when the file is not there.
    ///
    /// # Errors
    /// [`TokenStoreError`] when it cannot be read or is no token file.
    pub fn read(&self) -> Result<TokenFile, TokenStoreError> {
        let bytes = self.bytes()?;
        bytes.map_or_else(|| Ok(TokenFile::default()), |bytes| self.parse(&bytes))
    }

    /// Changes the file: alone (other commands wait), durably, and as a whole. The folder is made when it is not there.
    ///
    /// # Errors
    /// [`TokenStoreError`]; the file is as it was then.
    pub fn change<T>(
        &self,
        change: impl FnOnce(&mut TokenFile) -> Result<T, TokenFileError>,
    ) -> Result<T, TokenStoreError> {
        files::make_folder(&self.path).map_err(self.failed())?;
        let lock = files::beside(&self.path, "lock");
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(lock)
            .map_err(self.io("locking"))?;
        lock.lock().map_err(self.io("locking"))?;
        let mut tokens = self.read()?;
        let result = change(&mut tokens).map_err(self.refused())?;
        files::replace(&self.path, &tokens.to_text()).map_err(self.failed())?;
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt as _;

    use rollcall_domain::{ConnectionName, TenantId, Timestamp};
    use rollcall_ingest::{NEW_TOKEN_BYTES, NewToken, StoredToken, TokenName};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_772_000_000_000);

    fn token(number: u8) -> StoredToken {
        let made = NewToken::from_random(&[number; NEW_TOKEN_BYTES]);
        StoredToken {
            id: made.id,
            tenant: TenantId::new("acme").unwrap(),
            connection: ConnectionName::new("entra").unwrap(),
            name: TokenName::new(format!("t{number}")).unwrap(),
            hash: made.hash,
            created: NOW,
            expires: None,
            revoked: None,
        }
    }

    #[test]
    fn a_file_is_made_for_its_owner_alone_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = TokenStore::at(folder.path().join("data/tokens.json"));
        assert_eq!(store.read().unwrap().tokens(), []);
        store.change(|file| file.add(token(1), NOW)).unwrap();
        store.change(|file| file.add(token(2), NOW)).unwrap();
        assert_eq!(store.read().unwrap().tokens(), [token(1), token(2)]);
        let mode = std::fs::metadata(store.path()).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o600);
    }

    #[test]
    fn a_refused_change_and_a_death_while_writing_leave_the_file_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let store = TokenStore::at(folder.path().join("tokens.json"));
        store.change(|file| file.add(token(1), NOW)).unwrap();
        std::fs::write(folder.path().join("tokens.json.new"), "half").unwrap();
        let refused = store.change(|file| file.add(token(1), NOW)).unwrap_err();
        assert!(matches!(refused, TokenStoreError::Refused { .. }), "{refused}");
        assert_eq!(store.read().unwrap().tokens(), [token(1)]);
        store.change(|file| file.add(token(2), NOW)).unwrap();
    }

    #[test]
    fn a_file_that_others_may_write_to_lets_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        let store = TokenStore::at(folder.path().join("tokens.json"));
        store.change(|file| file.add(token(1), NOW)).unwrap();
        for (mode, good) in [(0o640, true), (0o444, true), (0o620, false), (0o602, false)] {
            std::fs::set_permissions(store.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(store.read().is_ok(), good, "{mode:o}");
        }
    }

    #[test]
    fn commands_at_the_same_time_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = TokenStore::at(folder.path().join("tokens.json"));
        std::thread::scope(|scope| {
            for number in 1..=8 {
                let store = &store;
                scope.spawn(move || store.change(|file| file.add(token(number), NOW)).unwrap());
            }
        });
        assert_eq!(store.read().unwrap().tokens().len(), 8);
    }
}
