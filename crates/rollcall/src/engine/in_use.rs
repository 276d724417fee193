//! One process at a time uses a data folder. Over the embedded log the log itself sees to that; over Kafka nothing else
//! in the folder is opened by every role from the start to the end.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::files::{self, Failed};

/// The file that is locked; the lock ends with the process, however it ends.
const FILE: &str = "in-use";

/// A data folder that is ours until this is dropped.
#[derive(Debug)]
pub(super) struct InUse {
    _file: File,
}

/// Takes the folder.
///
/// # Errors
/// When another process has it, with what to do; when it cannot be written.
pub(super) fn take(folder: &Path) -> anyhow::Result<InUse> {
    let path = folder.join(FILE);
    files::make_folder(&path)
        .map_err(|Failed { action, source }| anyhow::Error::new(source).context(action))
        .and_then(|()| {
            let options = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
            Ok(options?)
        })
        .and_then(|file| match file.try_lock() {
            Ok(()) => Ok(InUse { _file: file }),
            Err(TryLockError::WouldBlock) => bail!(
                "the data folder {} is in use by another process, and every process needs its own: stop the other one, \
                 or set another log.path in the configuration of this one",
                folder.display()
            ),
            Err(TryLockError::Error(error)) => Err(error.into()),
        })
        .with_context(|| format!("taking {}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_is_taken_once_and_free_again_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let ours = take(&data).unwrap();
        let refused = format!("{:#}", take(&data).unwrap_err());
        assert!(refused.contains("set another log.path"), "{refused}");
        drop(ours);
        take(&data).unwrap();
    }
}
