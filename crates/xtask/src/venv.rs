//! A Python environment of its own under `target/venv`, with the packages of `tests/scim/requirements.txt`
//! in exactly those versions and files (pip checks their hashes).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::tools::{program, root, succeeds};

/// The packages, with their versions and hashes.
const REQUIREMENTS: &str = "tests/scim/requirements.txt";
/// The oldest Python that the packages run on.
const OLDEST: (u32, u32) = (3, 11);
/// Where Python may be, the usual name first.
const NAMES: [&str; 5] = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"];
/// Says how old it is, and fails when it cannot make environments.
const PROBE: &str = "import sys, venv, ensurepip; print(sys.version_info[0], sys.version_info[1])";
/// What makes it available on Debian and its kin.
const INSTALL: [&str; 5] = ["apt-get", "install", "--yes", "python3", "python3-venv"];

/// The interpreter of the environment, which is made or made anew when the requirements changed.
///
/// # Errors
/// When there is no Python, or the packages cannot be installed; the text names the line to run.
pub(crate) fn python() -> Result<PathBuf> {
    let folder = target()?.join("venv");
    let interpreter = folder.join("bin").join("python");
    let wanted = std::fs::read_to_string(root().join(REQUIREMENTS))
        .with_context(|| format!("cannot read {REQUIREMENTS}"))?;
    let stamp = folder.join("requirements.txt");
    if interpreter.exists() && std::fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        return Ok(interpreter);
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder).context("cannot remove the old Python environment")?;
    }
    let mut make = program(&found_or_installed()?);
    make.args(["-m", "venv"]).arg(&folder);
    if !succeeds(make)? {
        bail!("cannot make a Python environment; run: {}", INSTALL.join(" "));
    }
    let mut install = Command::new(&interpreter);
    install.current_dir(root());
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    install.args(["--require-hashes", "--requirement", REQUIREMENTS]);
    if !succeeds(install)? {
        bail!("cannot install {REQUIREMENTS} (see above); it needs a way to a Python package index");
    }
    std::fs::write(&stamp, wanted).context("cannot note what the environment holds")?;
    Ok(interpreter)
}

/// Cargo's target folder, in which this program was built.
pub(crate) fn target() -> Result<PathBuf> {
    let here = std::env::current_exe().context("cannot find the target folder")?;
    let folder = here.ancestors().nth(2).map(Path::to_owned);
    folder.context("this program does not lie in a target folder")
}

/// A Python that is new enough; where apt-get is there and may, it is installed first.
fn found_or_installed() -> Result<String> {
    if let Some(found) = found() {
        return Ok(found);
    }
    println!(
        "no Python {}.{} or newer with venv; trying: {}",
        OLDEST.0,
        OLDEST.1,
        INSTALL.join(" ")
    );
    let [install, arguments @ ..] = INSTALL;
    let mut command = program(install);
    command.args(arguments);
    // Whether it worked is seen by looking again.
    let _tried = succeeds(command);
    found().with_context(|| {
        format!(
            "Python {}.{} or newer with venv and pip is needed; run: {}",
            OLDEST.0,
            OLDEST.1,
            INSTALL.join(" ")
        )
    })
}

fn found() -> Option<String> {
    NAMES
        .into_iter()
        .find(|name| is_new_enough(name))
        .map(str::to_owned)
}

fn is_new_enough(name: &str) -> bool {
    let mut probe = program(name);
    probe
        .args(["-c", PROBE])
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let Ok(output) = probe.output() else {
        return false;
    };
    version(&String::from_utf8_lossy(&output.stdout)).is_some_and(|version| version >= OLDEST)
}

/// Reads `3 11`.
fn version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers_and_nonsense_is_none() {
        assert_eq!(version("3 11\n"), Some((3, 11)));
        assert!(version("3 9").is_some_and(|old| old < OLDEST));
        assert!(version("3 14").is_some_and(|new| new > OLDEST));
        assert_eq!(version(""), None);
    }
}
