//! SCIM test suites of others, against the program itself and a simulated Fluent. What is right and what is
//! not is judged result by result in `tests/scim/*_gate.py`.

use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::stage::{Verdict, passed, run as stage, summary};
use crate::tools::{cargo, root, succeeds};
use crate::venv;

/// A suite: the name of its connection, the script that judges it, and how strictly the connection reads.
/// Each has a connection of its own: what one leaves behind does not bother the next.
const SUITES: [(&str, &str, &str); 4] = [
    ("tester", "tests/scim/tester_gate.py", "tolerant"),
    ("strict", "tests/scim/tester_gate.py", "strict"),
    ("sanity", "tests/scim/sanity_gate.py", "tolerant"),
    ("patch", "tests/scim/patch_gate.py", "strict"),
];
/// How long a program may take until it serves.
const START_MAX: Duration = Duration::from_secs(60);
/// What the simulator lets in, and the tokens of the connections: known to everybody, on loopback only.
const ENVIRONMENT: [(&str, &str); 6] = [
    ("TESTER_TOKEN", "suite-tester-token-0001"),
    ("STRICT_TOKEN", "suite-strict-token-0001"),
    ("SANITY_TOKEN", "suite-sanity-token-0001"),
    ("PATCH_TOKEN", "suite-patch-token-0001"),
    ("FLUENT_PASSWORD", "sim-password"),
    ("FLUENT_CLIENT_SECRET", "sim-client-secret"),
];

/// Runs the suites without anything else; true when they passed.
pub(crate) fn alone() -> Result<bool> {
    Ok(summary(&[stage("suites", run)]))
}

/// Runs all suites; each prints its figures.
pub(crate) fn run() -> Result<Verdict> {
    let python = venv::python()?;
    if !succeeds(cargo(&["build", "--workspace", "--bin", "rollcall", "--locked"]))? {
        return Ok(Verdict::Failed("the program was not built".to_owned()));
    }
    let target = venv::target()?;
    let folder = target.join("suites");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).context("cannot remove the data of the last run")?;
    }
    std::fs::create_dir_all(&folder).context("cannot make a folder for the suites")?;
    let binary = target.join("debug").join("rollcall");
    let fluent = Served::sim(&binary, &folder)?;
    std::fs::write(folder.join("rollcall.toml"), config(&fluent.address))
        .context("cannot write the configuration")?;
    let mut server = Served::run(&binary, &folder)?;
    let base = format!("http://{}/scim/v2", server.address);
    let mut good = true;
    for (name, gate, dialect) in SUITES {
        println!("-- {gate}, {dialect} connection");
        let mut suite = Command::new(&python);
        suite.current_dir(root()).arg(gate).arg(&base);
        suite.env("SCIM_TOKEN", token(name));
        good &= succeeds(suite)?;
    }
    if !server.is_running()? {
        bail!("the program did not survive the suites; see {}", folder.display());
    }
    Ok(passed(good))
}

fn token(suite: &str) -> &'static str {
    let name = format!("{}_TOKEN", suite.to_ascii_uppercase());
    let known = ENVIRONMENT.iter().find(|(known, _)| *known == name);
    known.map_or("", |(_, token)| token)
}

fn config(fluent: &str) -> String {
    let connections: String = SUITES
        .iter()
        .map(|(name, _, dialect)| {
            let token = name.to_ascii_uppercase();
            format!(
                "[[tenant.connection]]\nname = \"{name}\"\ndialect = \"{dialect}\"\ntoken_env = \"{token}_TOKEN\"\n"
            )
        })
        .collect();
    format!(
        r#"[server]
listen = "127.0.0.1:0"
[log]
path = "data"
[[tenant]]
id = "suites"
{connections}[tenant.fluent]
url = "{fluent}"
account = "SIM"
username = "rollcall-api"
password_env = "FLUENT_PASSWORD"
client_id = "SIM"
client_secret_env = "FLUENT_CLIENT_SECRET"
"#
    )
}

/// A program that serves, until this is dropped.
struct Served {
    child: Child,
    address: String,
}

impl Served {
    fn sim(binary: &Path, folder: &Path) -> Result<Self> {
        let mut command = Command::new(binary);
        command
            .args(["sim", "--listen", "127.0.0.1:0"])
            .current_dir(folder);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.context("cannot start the simulated Fluent")?;
        let output = child.stdout.take().context("it has no output")?;
        Self::waited_for(child, output, "Fluent simulator at ")
    }

    fn run(binary: &Path, folder: &Path) -> Result<Self> {
        let mut command = Command::new(binary);
        command.arg("run").current_dir(folder).envs(ENVIRONMENT);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.context("cannot start the program")?;
        let output = child.stderr.take().context("it has no error output")?;
        Self::waited_for(child, output, "listening address=")
    }

    /// Waits for the line with `mark`, after which the address stands, and goes on reading so that nothing
    /// blocks.
    fn waited_for(child: Child, output: impl Read + Send + 'static, mark: &'static str) -> Result<Self> {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some((_, address)) = line.split_once(mark) {
                    // Nobody waits any more when it was too late.
                    let _late = sender.send(address.trim().to_owned());
                }
            }
        });
        let mut served = Self {
            child,
            address: String::new(),
        };
        match receiver.recv_timeout(START_MAX) {
            Ok(address) => served.address = address,
            Err(_) => bail!("a program did not serve: no line with {mark:?}"),
        }
        Ok(served)
    }

    fn is_running(&mut self) -> Result<bool> {
        Ok(self
            .child
            .try_wait()
            .context("cannot ask for a program")?
            .is_none())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}
