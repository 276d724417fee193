//! cargo-deny: licences, sources and bans always; advisories where their database can be reached.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::stage::{Verdict, passed};
use crate::tools::{cargo, program, root, succeeds};

/// The version whose configuration format and verdicts `deny.toml` was written for.
const VERSION: &str = "0.20.2";
/// The advisory database is a git repository outside; a machine without a way there waits no longer than
/// this.
const FETCH_MAX: Duration = Duration::from_secs(60);

/// Licences, bans and sources, without the network.
pub(crate) fn dependencies() -> Result<Verdict> {
    let mut deny = deny()?;
    // `unused-wrapper`: the Kafka client is banned elsewhere before it is used at home.
    deny.args([
        "--offline",
        "--locked",
        "check",
        "--hide-inclusion-graph",
        "-A",
        "unused-wrapper",
    ]);
    deny.args(["bans", "licenses", "sources"]);
    Ok(passed(succeeds(deny)?))
}

/// Known vulnerabilities, if the database can be fetched.
pub(crate) fn advisories() -> Result<Verdict> {
    let mut fetch = deny()?;
    fetch.args(["--locked", "fetch", "db"]);
    if let Err(why) = within(fetch, FETCH_MAX)? {
        println!("advisories were NOT checked: {why}");
        return Ok(Verdict::NotRun(why));
    }
    let mut check = deny()?;
    check.args(["--locked", "check", "--disable-fetch", "advisories"]);
    Ok(passed(succeeds(check)?))
}

/// Runs a command with a limit. `Ok(Err(why))` when it did not succeed in time.
fn within(mut command: Command, limit: Duration) -> Result<Result<(), String>> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // Nobody is there to type a name and a password.
        .env("GIT_TERMINAL_PROMPT", "0")
        .spawn()
        .context("cannot run cargo-deny")?;
    let mut errors = child.stderr.take().context("cargo-deny has no error output")?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let _ = errors.read_to_string(&mut text);
        let _ = sender.send(text); // nobody listens any more after the limit
    });
    let Ok(text) = receiver.recv_timeout(limit) else {
        child.kill().context("cannot end cargo-deny")?;
        child.wait().context("cannot wait for cargo-deny")?;
        return Ok(Err(format!("no database within {} s", limit.as_secs())));
    };
    if child.wait().context("cannot wait for cargo-deny")?.success() {
        return Ok(Ok(()));
    }
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("no reason given");
    let reason = first.split(": [").next().unwrap_or(first); // less the arguments that it ran with
    Ok(Err(format!("the database cannot be fetched: {}", reason.trim())))
}

/// cargo-deny in the pinned series. When there is none it is installed where cargo installs programs, so that
/// the next clone finds it; when there is another series that one is left alone, and ours goes into
/// `target/tools`.
fn deny() -> Result<Command> {
    let own_root = root().join("target/tools");
    let own = own_root.join("bin/cargo-deny").to_string_lossy().into_owned();
    if let Some(name) = ["cargo-deny", own.as_str()]
        .into_iter()
        .find(|name| is_pinned(name))
    {
        return Ok(program(name));
    }
    let other = program("cargo-deny").arg("--version").output().is_ok();
    let package = format!("cargo-deny@{VERSION}");
    println!("installing {package} (once; takes some minutes)");
    let mut install = cargo(&["install", "--locked", &package]);
    if other {
        install.arg("--root").arg(&own_root);
    }
    anyhow::ensure!(
        succeeds(install)?,
        "{package} is not there and cannot be installed; by hand:\n    cargo install --locked {package}"
    );
    Ok(program(if other { &own } else { "cargo-deny" }))
}

/// True when the program is there in the series that `deny.toml` was written for.
fn is_pinned(name: &str) -> bool {
    let series = VERSION.rsplit_once('.').map_or(VERSION, |(series, _)| series);
    let output = program(name).arg("--version").output();
    output.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .starts_with(&format!("cargo-deny {series}."))
    })
}
