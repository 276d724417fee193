//! `server.tls_cert` and `server.tls_key`.

use std::path::{Path, PathBuf};

use rollcall_domain::Timestamp;
use rollcall_ingest::{Tls, TlsError};

use super::section::Section;
use super::values::read_bounded;

/// A PEM file above this is none.
pub const PEM_BYTES_MAX: u64 = 256 * 1024;

/// What the server presents. It was read once and is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, PEM.
    pub cert: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// When the certificate ended at the reading.
    pub ends: Option<Timestamp>,
}

/// Why the files cannot be presented.
#[derive(Debug, thiserror::Error)]
pub enum TlsFilesError {
    /// A file cannot be read; trying again may help.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is larger than [`PEM_BYTES_MAX`].
    #[error("{} has more than {PEM_BYTES_MAX} bytes", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
    /// They are no certificate and its key.
    #[error(transparent)]
    Refused(#[from] TlsError),
}

impl TlsFiles {
    /// Reads both files as they are now: chain and key.
    ///
    /// # Errors
    /// `TlsFilesError` when one cannot be read or is too large.
    pub fn read(&self) -> Result<(Vec<u8>, Vec<u8>), TlsFilesError> {
        Ok((bytes(&self.cert)?, bytes(&self.key)?))
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, TlsFilesError> {
    let path_buf = || path.to_owned();
    let read = read_bounded(path, PEM_BYTES_MAX);
    let read = read.map_err(|source| TlsFilesError::Unreadable {
        path: path_buf(),
        source,
    })?;
    read.ok_or_else(|| TlsFilesError::TooLarge { path: path_buf() })
}

/// Both files or neither; read and checked. The outer `None`: a problem was noted.
#[expect(
    clippy::option_option,
    reason = "none: a problem was noted; some none: plain HTTP"
)]
pub(super) fn files(section: &Section<'_>, folder: &Path) -> Option<Option<TlsFiles>> {
    let (cert, key) = (section.path("tls_cert", folder), section.path("tls_key", folder));
    for (name, other) in [("tls_cert", "tls_key"), ("tls_key", "tls_cert")] {
        if section.has(name) && !section.has(other) {
            section.wrong(name, format!("needs {other} beside it"), None);
            return None;
        }
    }
    if !section.has("tls_cert") {
        return Some(None);
    }
    let mut files = TlsFiles {
        cert: cert?,
        key: key?,
        ends: None,
    };
    let read = files
        .read()
        .and_then(|(chain, key)| Ok(Tls::from_pem(&chain, &key)?));
    match read {
        Ok(tls) => {
            files.ends = tls.ends();
            Some(Some(files))
        }
        Err(error) => {
            let name = match &error {
                TlsFilesError::Refused(TlsError::NoKey) => "tls_key",
                TlsFilesError::Unreadable { path, .. } | TlsFilesError::TooLarge { path }
                    if *path == files.key =>
                {
                    "tls_key"
                }
                _ => "tls_cert",
            };
            section.wrong(name, error.to_string(), None);
            None
        }
    }
}
