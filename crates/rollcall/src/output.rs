//! What commands print: tables for people, JSON for programs. Rendering is pure; printing is one function.

mod explain;
mod holds;
mod replay;
mod status;
mod table;

use std::io::Write as _;

use serde::Serialize;

pub use explain::explanation;
pub use holds::holds;
pub use replay::replayed;
pub use status::{status, tokens};
pub use table::table;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Tables and lines.
    Human,
    /// One JSON document (or one a line, where results come by and by).
    Json,
}

impl Format {
    /// Prints a result.
    pub fn print(self, result: &impl Serialize, human: impl FnOnce() -> String) {
        match self {
            Self::Human => line(human().trim_end()),
            Self::Json => line(&serde_json::to_string_pretty(result).unwrap_or_default()),
        }
    }
}

/// Prints a line to the standard output. Whoever reads it may have gone (`… | head`): that is no error of
/// ours.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A check of `rollcall check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// What was checked.
    pub what: String,
    /// Whether it is good.
    pub good: bool,
    /// It is good, but somebody should look at it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub warning: bool,
    /// What was found; no secrets.
    pub found: String,
}

impl Checked {
    /// A check that went well.
    #[must_use]
    pub fn good(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            good: true,
            warning: false,
            found: found.into(),
        }
    }

    /// A check that went well and found something to look at.
    #[must_use]
    pub fn warning(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            warning: true,
            ..Self::good(what, found)
        }
    }

    /// A check that did not.
    #[must_use]
    pub fn failed(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            good: false,
            warning: false,
            found: found.into(),
        }
    }
}

/// The checks as a table.
#[must_use]
pub fn checks(checks: &[Checked]) -> String {
    let rows = checks.iter().map(|check| {
        let word = match (check.good, check.warning) {
            (false, _) => "FAILED",
            (true, true) => "warning",
            (true, false) => "ok",
        };
        vec![check.what.clone(), word.to_owned(), check.found.clone()]
    });
    table(&["check", "result", "found"], rows)
}
