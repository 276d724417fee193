//! Running other programs from the repository's folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

/// The repository's folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// A program to be run in the repository's folder.
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root());
    command
}

/// The cargo that runs this task.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    #[expect(
        clippy::disallowed_methods,
        reason = "cargo names itself to its children this way"
    )]
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = program(&cargo);
    command.args(arguments);
    command
}

/// Runs a command with its output shown; true when it succeeded.
pub(crate) fn succeeds(mut command: Command) -> Result<bool> {
    let status = command
        .status()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    Ok(status.success())
}

/// Runs the whole-engine tests whose name holds one of `filters` (all when none) with golden files written.
pub(crate) fn write_golden(filters: &[&str]) -> Result<bool> {
    let mut command = cargo(&["test", "--package", "rollcall-tests", "--test", "it"]);
    if filters.is_empty() {
        // Command outputs and configuration errors are golden, too.
        command.args(["--package", "rollcall", "--lib"]);
    }
    command.arg("--").args(filters).env("ROLLCALL_GOLDEN", "write");
    succeeds(command)
}
