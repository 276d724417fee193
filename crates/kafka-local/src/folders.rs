//! Folders of clusters: made for one run and removed after it, or kept; and what dead owners left.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::error::{Error, io};
use crate::machine::target;
use crate::wait::until;

/// How long a killed process may take to be gone.
const GONE: Duration = Duration::from_secs(5);

/// Names the process that a folder belongs to.
const OWNER: &str = "owner";

/// A new folder for one run of this process.
pub(crate) fn temporary() -> Result<PathBuf, Error> {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let runs = target()?.join("run");
    std::fs::create_dir_all(&runs).map_err(io("make", &runs))?;
    sweep(&runs);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = runs.join(format!("{}-{number}", std::process::id()));
    // A process of the same number may have left one.
    remove(&folder);
    std::fs::create_dir_all(&folder).map_err(io("make", &folder))?;
    let owner = folder.join(OWNER);
    std::fs::write(&owner, identity(std::process::id())).map_err(io("write", &owner))?;
    Ok(folder)
}

/// A folder that is kept from run to run.
pub(crate) fn kept(name: &str) -> Result<PathBuf, Error> {
    let folder = target()?.join(name);
    std::fs::create_dir_all(&folder).map_err(io("make", &folder))?;
    Ok(folder)
}

/// Removes what is in a folder. Nothing may use it.
pub(crate) fn empty(folder: &Path) -> Result<(), Error> {
    std::fs::remove_dir_all(folder).map_err(io("remove", folder))?;
    std::fs::create_dir_all(folder).map_err(io("make", folder))
}

/// Removes a folder; what cannot be removed now is removed by the next start.
pub(crate) fn remove(folder: &Path) {
    let _next_time = std::fs::remove_dir_all(folder);
}

/// Ends the brokers and removes the folders of owners that are no more.
fn sweep(runs: &Path) {
    let Ok(entries) = std::fs::read_dir(runs) else {
        return;
    };
    for folder in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let Ok(owner) = std::fs::read_to_string(folder.join(OWNER)) else {
            continue; // being made or being removed at this moment
        };
        let pid = owner.split(' ').next().and_then(|pid| pid.parse().ok());
        if pid.is_some_and(|pid| identity(pid) == owner) {
            continue;
        }
        end_left_brokers(&folder);
        remove(&folder);
    }
}

/// Kills the brokers that a dead owner left in a folder: only processes whose command line names that folder.
pub(crate) fn end_left_brokers(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for broker in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let Ok(pid) = std::fs::read_to_string(broker.join("pid")) else {
            continue;
        };
        let command = PathBuf::from(format!("/proc/{}/cmdline", pid.trim()));
        let is_there = || {
            let command = std::fs::read(&command).unwrap_or_default();
            String::from_utf8_lossy(&command).contains(&*broker.to_string_lossy())
        };
        if is_there() {
            let mut kill = std::process::Command::new("kill");
            let _it_may_be_gone = kill.args(["-KILL", pid.trim()]).status();
            let _then_its_ports_are_taken = until("it is gone", GONE, || Ok((!is_there()).then_some(())));
        }
    }
}

/// A process by its number and, where the system tells it, the moment of its start; empty when there is none.
fn identity(pid: u32) -> String {
    /// The place of the start time after the name in `/proc/PID/stat` (proc(5): field 22, the name is field 2).
    const START: usize = 19;
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return if Path::new("/proc/self").exists() {
            String::new()
        } else {
            format!("{pid} ") // no such file system: the number alone
        };
    };
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let start = after_name.split(' ').nth(START).unwrap_or_default();
    format!("{pid} {start}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_another_of_the_same_number() {
        let me = identity(std::process::id());
        assert!(me.starts_with(&format!("{} ", std::process::id())));
        assert_eq!(me, identity(std::process::id()));
        assert_ne!(me, identity(1));
        assert_ne!(me, identity(u32::MAX));
    }
}
