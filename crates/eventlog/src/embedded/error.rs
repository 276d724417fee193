//! What can go wrong with the file, and how the storage's own errors are read.

use std::any::Any;
use std::io;
use std::path::{Path, PathBuf};

use crate::contract::{Damage, ReadError, Retry, Stream};

/// Why an embedded log could not be opened, created, verified or copied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another part of this one, has the log open.
    #[error("{}: the log is in use by another instance", .dir.display())]
    InUse {
        /// The log's directory.
        dir: PathBuf,
    },
    /// There is no log, and none should be created.
    #[error("{}: there is no log here", .dir.display())]
    NoLog {
        /// The log's directory.
        dir: PathBuf,
    },
    /// A copy should be written where a log already is.
    #[error("{}: there already is a log here", .dir.display())]
    AlreadyThere {
        /// The directory.
        dir: PathBuf,
    },
    /// The log was not shut down cleanly; only an opening that may write can recover it.
    #[error("{}: the log was not shut down cleanly; start the instance once to recover it", .file.display())]
    NeedsRecovery {
        /// The log's file.
        file: PathBuf,
    },
    /// The log was written by a newer version.
    #[error("{}: the log has format {found}, this version reads format {known}", .file.display())]
    UnknownFormat {
        /// The log's file.
        file: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format known.
        known: u32,
    },
    /// What is stored is not what was written.
    #[error("the log is damaged: {0}")]
    Damaged(Box<Damage>),
    /// The operating system failed.
    #[error("{}: {action}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl OpenError {
    /// Whether trying again can help.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::InUse { .. } | Self::Io { .. } => Retry::Later,
            Self::NoLog { .. } | Self::AlreadyThere { .. } => Retry::Never,
            Self::NeedsRecovery { .. } | Self::UnknownFormat { .. } | Self::Damaged(_) => Retry::AfterRestart,
        }
    }

    pub(crate) fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, action, source }
    }
}

/// What went wrong inside the storage, before it is known on whose behalf it was used.
#[derive(Debug)]
pub(crate) enum StoreError {
    /// The log was closed.
    Closed,
    InUse,
    NeedsRecovery,
    /// The file contradicts itself, as the storage found (a panic of the storage included).
    Broken(String),
    /// A place in a stream is damaged.
    Damaged(Box<Damage>),
    Io(io::Error),
}

impl StoreError {
    /// The error of a panic inside the storage: with a checked program, only a damaged file leads there.
    pub(crate) fn panicked(payload: &(dyn Any + Send)) -> Self {
        let said = payload
            .downcast_ref::<&str>()
            .map(|said| (*said).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned());
        Self::Broken(format!(
            "the storage panicked: {}",
            said.as_deref().unwrap_or("no message")
        ))
    }

    /// One line for those who get no typed error.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Closed => "the log is closed".to_owned(),
            Self::InUse => "the file is in use".to_owned(),
            Self::NeedsRecovery => "the file was not shut down cleanly".to_owned(),
            Self::Broken(what) => what.clone(),
            Self::Damaged(damage) => damage.to_string(),
            Self::Io(error) => error.to_string(),
        }
    }

    pub(crate) fn into_open_error(self, file: &Path) -> OpenError {
        let dir = || file.parent().map(Path::to_owned).unwrap_or_default();
        match self {
            Self::InUse => OpenError::InUse { dir: dir() },
            Self::NeedsRecovery => OpenError::NeedsRecovery {
                file: file.to_owned(),
            },
            Self::Damaged(damage) => OpenError::Damaged(damage),
            Self::Broken(what) => OpenError::Damaged(Box::new(broken(file, None, what))),
            Self::Io(source) => OpenError::io(file, "reading or writing failed")(source),
            Self::Closed => OpenError::NoLog { dir: dir() },
        }
    }

    pub(crate) fn into_read_error(self, file: &Path, stream: Stream) -> ReadError {
        match self {
            Self::Damaged(damage) => ReadError::Damaged(damage),
            Self::Broken(what) => ReadError::Damaged(Box::new(broken(file, Some(stream), what))),
            Self::Io(error) => ReadError::Storage {
                stream,
                reason: error.to_string(),
            },
            other => ReadError::Unavailable {
                stream,
                reason: other.reason(),
            },
        }
    }
}

fn broken(file: &Path, stream: Option<Stream>, what: String) -> Damage {
    Damage {
        file: file.to_owned(),
        stream,
        position: None,
        what,
    }
}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) => match error.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Self::Broken(error.to_string()),
                _ => Self::Io(error),
            },
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => Self::InUse,
            redb::Error::RepairAborted => Self::NeedsRecovery,
            redb::Error::DatabaseClosed => Self::Closed,
            redb::Error::PreviousIo => Self::Io(io::Error::other("an earlier read or write failed")),
            other => Self::Broken(other.to_string()),
        }
    }
}

/// `?` from each of the storage's error types.
macro_rules! from_storage_errors {
    ($($error:ty),+) => {
        $(impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                redb::Error::from(error).into()
            }
        })+
    };
}

from_storage_errors!(
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::DatabaseError,
    redb::SetDurabilityError
);
