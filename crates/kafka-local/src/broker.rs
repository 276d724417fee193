//! One broker: a folder, ports, and a process that may be running.

use std::fs::OpenOptions;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::error::{Error, io};
use crate::machine::tail;
use crate::metadata::metadata;
use crate::properties::LOGGING;
use crate::wait::until;

/// From the start of the process to the first answer: 2 to 3 s on an idle machine.
const START: Duration = Duration::from_secs(90);
/// A controlled shutdown moves its leaders away first.
const STOP: Duration = Duration::from_secs(30);

/// Ends the broker when the owner's end of the pipe closes. `$1` is the broker, `$2` the seconds of grace.
const WATCHER: &str = "read -r _; [ \"$2\" = 0 ] || { kill -TERM \"$1\"; n=\"$2\"; \
    while [ \"$n\" -gt 0 ] && kill -0 \"$1\"; do sleep 1; n=$((n-1)); done; }; kill -KILL \"$1\"";

/// What all brokers of a cluster have in common.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) java: PathBuf,
    pub(crate) jars: PathBuf,
    /// Mebibytes of heap.
    pub(crate) heap: u32,
    /// How long a broker may take to end by itself when its owner is gone.
    pub(crate) grace: u32,
}

impl Program {
    /// A command that runs a class of the jars.
    pub(crate) fn class(&self, class: &str, heap: u32) -> Command {
        let mut command = Command::new(&self.java);
        // Quick to start, small, and no threads of its own that fight the tests for two cores.
        command.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]);
        command.arg(format!("-Xmx{heap}m"));
        command.arg("-cp").arg(self.jars.join("*"));
        command.arg(class).stdin(Stdio::null());
        command
    }
}

#[derive(Debug)]
pub(crate) struct Broker {
    node: u16,
    folder: PathBuf,
    port: u16,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    /// Holds the pipe that it waits on.
    watcher: Child,
}

impl Broker {
    /// Writes the configuration and formats the folder unless it was formatted before.
    pub(crate) fn prepare(
        node: u16,
        port: u16,
        folder: PathBuf,
        properties: &str,
        cluster_id: &str,
        program: &Program,
    ) -> Result<Self, Error> {
        std::fs::create_dir_all(&folder).map_err(io("make", &folder))?;
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(io("write", &path))
        };
        write("server.properties", properties)?;
        write("log4j2.properties", LOGGING)?;
        if !folder.join("data/meta.properties").exists() {
            let mut format = program.class("kafka.tools.StorageTool", 128);
            format.args(["format", "-t", cluster_id, "-c"]);
            format.arg(folder.join("server.properties"));
            let output = format.output().map_err(io("run", &program.java))?;
            if !output.status.success() {
                return Err(Error::Failed {
                    program: "StorageTool format",
                    status: output.status,
                    said: tail(&String::from_utf8_lossy(&output.stderr)),
                });
            }
        }
        Ok(Self {
            node,
            folder,
            port,
            running: None,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("kafka.log")
    }

    fn is(&self, is: &'static str) -> Error {
        Error::State { node: self.node, is }
    }

    /// Starts the process; does not wait until it is ready.
    pub(crate) fn start(&mut self, program: &Program) -> Result<(), Error> {
        if self.running.is_some() {
            return Err(self.is("running already"));
        }
        let log = self.log();
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(io("open", &log))?;
        let errors = output.try_clone().map_err(io("open", &log))?;
        let mut java = Command::new(&program.java);
        java.arg(format!(
            "-Dlog4j2.configurationFile={}",
            self.folder.join("log4j2.properties").display()
        ));
        let class = program.class("kafka.Kafka", program.heap);
        java.args(class.get_args())
            .arg(self.folder.join("server.properties"));
        java.stdin(Stdio::null()).stdout(output).stderr(errors);
        own_group(&mut java);
        let mut child = java.spawn().map_err(io("run", &program.java))?;
        let pid = child.id().to_string();
        let told = std::fs::write(self.folder.join("pid"), &pid).map_err(io("write", &self.folder));
        match told.and_then(|()| watch(&pid, program.grace)) {
            Ok(watcher) => self.running = Some(Running { child, watcher }),
            Err(error) => {
                let _it_may_be_gone = child.kill();
                let _it_was_killed = child.wait();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Waits until it answers as a member of a cluster of so many brokers that has a controller.
    pub(crate) fn ready(&mut self, brokers: usize) -> Result<(), Error> {
        let what = format!("broker {} is ready", self.node);
        let node = i32::from(self.node);
        until(&what, START, || {
            self.lives()?;
            // Until it is ready it refuses, or answers with fewer brokers.
            let Ok(told) = metadata(self.address(), &[]) else {
                return Ok(None);
            };
            let is_there = told.brokers.iter().any(|(id, _, _)| *id == node);
            let whole = is_there && told.brokers.len() >= brokers && told.controller >= 0;
            Ok(whole.then_some(()))
        })
    }

    /// That its process has not ended by itself.
    pub(crate) fn lives(&mut self) -> Result<(), Error> {
        let log = self.log();
        let running = self.running.as_mut().ok_or(Error::State {
            node: self.node,
            is: "not running",
        })?;
        match running.child.try_wait().map_err(io("ask", &log))? {
            None => Ok(()),
            Some(status) => Err(Error::Ended {
                node: self.node,
                status,
                said: tail(&std::fs::read_to_string(&log).unwrap_or_default()),
            }),
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) -> Result<(), Error> {
        let mut running = self.running.take().ok_or_else(|| self.is("not running"))?;
        let _it_may_be_gone = running.child.kill();
        let _it_was_killed = running.child.wait();
        end_watcher(running.watcher);
        Ok(())
    }

    /// SIGTERM, and `kill -9` when it does not end in 30 s.
    pub(crate) fn stop(&mut self) -> Result<(), Error> {
        let running = self.running.as_mut().ok_or(Error::State {
            node: self.node,
            is: "not running",
        })?;
        signal("TERM", running.child.id())?;
        let folder = self.folder.clone();
        let ended = until("the broker ends", STOP, || {
            running.child.try_wait().map_err(io("wait for", &folder))
        });
        match ended {
            Ok(_) | Err(Error::TooLate { .. }) => self.kill(),
            Err(error) => Err(error),
        }
    }

    /// Stops it in its tracks, with all its connections open; or lets it go on.
    pub(crate) fn pause(&self, pause: bool) -> Result<(), Error> {
        let running = self.running.as_ref().ok_or_else(|| self.is("not running"))?;
        signal(if pause { "STOP" } else { "CONT" }, running.child.id())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _it_may_not_run = self.kill();
    }
}

/// A keyboard's interrupt is the owner's to act on.
fn own_group(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _no_such_thing = command;
}

fn watch(pid: &str, grace: u32) -> Result<Child, Error> {
    let mut watcher = Command::new("sh");
    watcher.args(["-c", WATCHER, "sh", pid, &grace.to_string()]);
    watcher
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    own_group(&mut watcher);
    watcher.spawn().map_err(io("run", Path::new("sh")))
}

/// Before its pipe is closed, so that it never looks for a process that has ended.
fn end_watcher(mut watcher: Child) {
    let _it_may_be_gone = watcher.kill();
    let _it_was_killed = watcher.wait();
}

fn signal(name: &str, pid: u32) -> Result<(), Error> {
    let mut kill = Command::new("kill");
    kill.arg(format!("-{name}")).arg(pid.to_string());
    let status = kill.status().map_err(io("run", Path::new("kill")))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed {
        program: "kill",
        status,
        said: String::new(),
    })
}
