//! Exit codes, and failures that have one.

use std::process::ExitCode;

use crate::admin::ClientError;
use crate::config::ConfigErrors;

/// All went well.
pub const OK: u8 = 0;
/// The command failed, or found a difference it was asked to find.
pub const FAILED: u8 = 1;
/// The command line is wrong.
pub const USAGE: u8 = 2;
/// The configuration is wrong.
pub const CONFIG: u8 = 3;
/// No running instance can be reached.
pub const NO_INSTANCE: u8 = 4;
/// The running instance refused: nothing of that name, or not in this state.
pub const REFUSED: u8 = 5;

/// Every exit code with its meaning, as in `docs/commands.md`.
pub const ALL: [(u8, &str); 6] = [
    (OK, "all went well"),
    (FAILED, "the command failed, or found a difference"),
    (USAGE, "the command line is wrong"),
    (CONFIG, "the configuration is wrong"),
    (NO_INSTANCE, "no running instance can be reached"),
    (
        REFUSED,
        "the running instance refused: nothing of that name, or not in this state",
    ),
];

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration is wrong.
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    /// The running instance could not be asked, or refused.
    #[error("{0}")]
    Instance(#[from] ClientError),
    /// Something that was asked for together does not go together.
    #[error("{0}")]
    Usage(String),
    /// A difference was found; what it is has been printed.
    #[error("{0}")]
    Differs(String),
    /// Anything else, with its causes.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl Failure {
    /// Its exit code.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::Config(_) => CONFIG,
            Self::Instance(ClientError::NoInstance { .. }) => NO_INSTANCE,
            Self::Instance(ClientError::Refused { .. }) => REFUSED,
            Self::Usage(_) => USAGE,
            Self::Instance(_) | Self::Differs(_) | Self::Other(_) => FAILED,
        }
    }

    /// As JSON, for `--json`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let mut error = serde_json::json!({"exit": self.code(), "message": self.to_string()});
        if let Self::Config(errors) = self {
            let problems = errors.problems.iter().map(|problem| {
                serde_json::json!({
                    "file": errors.file, "line": problem.line, "key": problem.key,
                    "problem": problem.what, "expected": problem.expected,
                })
            });
            let problems: Vec<_> = problems.collect();
            if let Some(error) = error.as_object_mut() {
                error.insert("problems".to_owned(), problems.into());
            }
        }
        serde_json::json!({"error": error})
    }
}

impl From<&Failure> for ExitCode {
    fn from(failure: &Failure) -> Self {
        Self::from(failure.code())
    }
}
