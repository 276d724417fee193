//! Small files for their owner alone, exchanged as a whole: keys, hashes of tokens, what a data folder
//! knows of its log.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A step that failed.
#[derive(Debug)]
pub(crate) struct Failed {
    /// What was tried.
    pub(crate) action: &'static str,
    /// Why.
    pub(crate) source: std::io::Error,
}

fn failed(action: &'static str) -> impl FnOnce(std::io::Error) -> Failed {
    move |source| Failed { action, source }
}

/// The folder of a file.
fn folder(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// The file's name with an extension behind it.
pub(crate) fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(".");
    name.push(extension);
    name.into()
}

/// Makes the folder of a file (mode 0700) when it is not there.
///
/// # Errors
/// [`Failed`].
pub(crate) fn make_folder(path: &Path) -> Result<(), Failed> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder(path));
    made.map_err(failed("making the folder"))
}

/// Writes a new file (mode 0600) beside the old one, makes it durable, and puts it in the old one's place.
///
/// # Errors
/// [`Failed`]; the old file is as it was, unless only the folder could not be made durable.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failed> {
    let new = beside(path, "new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(failed("removing what was left of an earlier try")(error));
        }
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)
        .map_err(failed("writing"))?;
    file.write_all(bytes).map_err(failed("writing"))?;
    file.sync_all().map_err(failed("syncing"))?;
    std::fs::rename(&new, path).map_err(failed("renaming"))?;
    File::open(folder(path))
        .and_then(|folder| folder.sync_all())
        .map_err(failed("syncing the folder"))
}
