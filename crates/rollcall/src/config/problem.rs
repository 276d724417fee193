//! What is wrong with a configuration file.

use std::fmt;
use std::path::PathBuf;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, from 1; none when the file as a whole is meant.
    pub line: Option<usize>,
    /// The key's path, such as `tenant.fluent.url`; empty when the file as a whole is meant.
    pub key: String,
    /// What is wrong. Never holds a secret.
    pub what: String,
    /// What belongs there.
    pub expected: Option<String>,
}

/// All mistakes of a file, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it; not empty.
    pub problems: Vec<Problem>,
}

impl ConfigErrors {
    pub(super) fn new(file: PathBuf, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.line);
        Self { file, problems }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            write!(f, "{}", self.file.display())?;
            if let Some(line) = problem.line {
                write!(f, ":{line}")?;
            }
            if !problem.key.is_empty() {
                write!(f, ": {}", problem.key)?;
            }
            writeln!(f, ": {}", problem.what)?;
            if let Some(expected) = &problem.expected {
                writeln!(f, "    expected: {expected}")?;
            }
        }
        let count = self.problems.len();
        write!(
            f,
            "{count} {} in {}",
            if count == 1 { "mistake" } else { "mistakes" },
            self.file.display()
        )
    }
}
