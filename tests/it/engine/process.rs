//! The program as a child process: its address, its log lines, its ends.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::harness::{PATIENCE, until};

/// The program that the tests were built with.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_rollcall-under-test");

/// What a process needs to know and nobody else may.
pub(crate) const SECRETS: [(&str, &str); 4] = [
    ("ENTRA_TOKEN", "entra-token-5d0fc0c1b7a94e1f"),
    ("OKTA_TOKEN", "okta-token-91e07b2d6c3f4a58"),
    ("FLUENT_PASSWORD", "fluent-password-7Kq2"),
    ("FLUENT_CLIENT_SECRET", "fluent-client-secret-c41d"),
];

pub(crate) fn secret(name: &str) -> &'static str {
    let found = SECRETS.iter().find(|(known, _)| *known == name);
    found.expect("a secret of the tests").1
}

/// All lines that processes of a world wrote to their error output.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines(Arc<std::sync::Mutex<Vec<String>>>);

impl Lines {
    fn push(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn since(&self, at: usize) -> Vec<String> {
        self.0.lock().unwrap().iter().skip(at).cloned().collect()
    }

    /// The end of it, for a failing test.
    pub(crate) fn tail(&self) -> String {
        let all = self.all();
        let tail: Vec<&str> = all
            .iter()
            .filter(|line| !line.contains(" DEBUG "))
            .map(String::as_str)
            .collect();
        tail.iter()
            .skip(tail.len().saturating_sub(30))
            .copied()
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// A process that may be running.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    address: watch::Receiver<Option<SocketAddr>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Process {
    /// Starts `rollcall run` in a folder; its log lines go to `lines`, and its address to `announced` when it listens.
    pub(crate) fn start(folder: &Path, lines: &Lines, secrets: &[(&str, String)]) -> Self {
        Self::start_as("run", folder, lines, secrets)
    }

    /// As [`Process::start`], with another command that runs until it is told to end.
    pub(crate) fn start_as(role: &str, folder: &Path, lines: &Lines, secrets: &[(&str, String)]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.arg(role).current_dir(folder).env_clear();
        command
            .env("RUST_BACKTRACE", "1")
            .envs(secrets.iter().map(|(name, value)| (*name, value)));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program can be started");
        let output = child.stderr.take().expect("it has an error output");
        let (announce, address) = watch::channel(None);
        let lines = lines.clone();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let Ok(line) = line else { return };
                if let Some((_, text)) = line.split_once("listening address=") {
                    announce.send_replace(text.trim().parse().ok());
                }
                lines.push(line);
            }
        });
        Self {
            child,
            address,
            reader: Some(reader),
        }
    }

    /// Where it listens; `None` when it ended before it did.
    pub(crate) async fn address(&mut self) -> Option<SocketAddr> {
        let waited = tokio::time::timeout(PATIENCE, self.address.wait_for(Option::is_some)).await;
        waited
            .expect("it listens or ends")
            .ok()
            .and_then(|address| *address)
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked").is_none()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        // An error means that it has ended already.
        let _gone = self.child.kill();
        self.child.wait().expect("a child can be waited for");
        self.read_whole();
    }

    /// SIGTERM; returns how it ended and after how long.
    pub(crate) async fn terminate(self) -> (ExitStatus, Duration) {
        let asked = std::time::Instant::now();
        let sent = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill can be run").success());
        let status = self.ended().await;
        (status, asked.elapsed())
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(mut self) -> ExitStatus {
        let mut status = None;
        until("the process ends", async || {
            status = self.child.try_wait().expect("a child can be asked");
            status.is_some()
        })
        .await;
        self.read_whole();
        status.expect("it ended")
    }

    fn read_whole(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the lines are read");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}
