//! What can go wrong.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::machine::JAVA_MIN;

/// Why Kafka could not be fetched, started or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program is missing. Trying again helps once it is installed.
    #[error(
        "Kafka needs Java {JAVA_MIN} or later, and Maven to fetch its jars; missing here: {what}. To install:\n    \
         {line}\nor give the address of a broker that may be used for tests in ROLLCALL_TEST_KAFKA"
    )]
    Missing {
        /// Which.
        what: &'static str,
        /// The line to run.
        line: &'static str,
    },
    /// A file or a program could not be used.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A program ended with an error. For the one that fetches the jars, trying again may help.
    #[error("{program} failed ({status}):\n{said}")]
    Failed {
        /// What was run.
        program: &'static str,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The end of what it said.
        said: String,
    },
    /// A broker ended while it was waited for.
    #[error("broker {node} ended ({status}) while it was waited for; the end of its log:\n{said}")]
    Ended {
        /// The broker.
        node: u16,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The end of its log.
        said: String,
    },
    /// Something took too long. Trying again may help on a busy machine.
    #[error("not within {} s: {what}", within.as_secs())]
    TooLate {
        /// What was waited for.
        what: String,
        /// How long.
        within: Duration,
    },
    /// No port could be had. Trying again may help.
    #[error("port {port} of this machine cannot be listened on")]
    Port {
        /// The port, or the last one tried.
        port: u16,
    },
    /// There is no broker of this number.
    #[error("there is no broker {node}")]
    NoBroker {
        /// What was asked for.
        node: u16,
    },
    /// The broker is not in the state that was asked for (running, or not running).
    #[error("broker {node} is {is}")]
    State {
        /// The broker.
        node: u16,
        /// What it is.
        is: &'static str,
    },
    /// A broker's answer could not be read.
    #[error("a broker's answer cannot be read: {0}")]
    Answer(&'static str),
}

/// Makes an error of a failed use of a path.
pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { doing, path, source }
}
