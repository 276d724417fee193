//! A process of `rollcall`: this program again, under that name.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::client::Client;

const NAME: &str = "rollcall";
/// What its log says when it serves.
const READY: &str = "ready address=";

/// Whether this process was started to be `rollcall`.
pub(crate) fn is_meant() -> bool {
    std::env::args_os().next().is_some_and(|name| name == NAME)
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg0(NAME).args(arguments).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Runs a command that ends by itself.
pub(crate) fn run(folder: &Path, arguments: &[&str]) {
    let status = command(folder, arguments).status().unwrap();
    assert!(status.success(), "rollcall {arguments:?}: {status}");
}

/// A process that runs until it is dropped or stopped.
pub(crate) struct Program {
    child: Child,
    address: SocketAddr,
}

impl Program {
    /// Starts a command that runs until it is told to end, with the configuration in `folder`; gives it when it serves.
    pub(crate) fn start(role: &str, folder: &Path) -> Self {
        let mut child = command(folder, &[role]).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.stderr.take().unwrap();
        let (announce, announced) = mpsc::channel();
        std::thread::spawn(move || pass_on(output, &announce));
        let address = announced.recv().expect("the process serves");
        Self { child, address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it says that it is ready.
    pub(crate) async fn ready(&self) {
        let mut client = Client::new(self.address).await;
        while client.try_send("GET", "/readyz", String::new()).await.unwrap().0 != 200 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The sum of a figure over all its series in `/metrics`.
    pub(crate) async fn figure(&self, name: &str) -> f64 {
        let mut client = Client::new(self.address).await;
        let page = client.send("GET", "/metrics", String::new(), 200).await;
        let page = String::from_utf8(page.to_vec()).unwrap();
        let series = page.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let is_it = rest.starts_with('{') || rest.starts_with(' ');
            is_it.then(|| rest.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        });
        series.sum()
    }

    /// Tells it to end, and waits until it has.
    pub(crate) fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Tells the address, and shows errors; all lines when `PHASES` is set.
fn pass_on(output: ChildStderr, announce: &mpsc::Sender<SocketAddr>) {
    let all = std::env::var("PHASES").is_ok();
    for line in BufReader::new(output).lines() {
        let Ok(line) = line else { return };
        if let Some((_, address)) = line.split_once(READY) {
            // Nobody listens when the bench has given up.
            let _told = announce.send(address.trim().parse().unwrap());
        }
        if all || line.contains(" ERROR ") || line.starts_with("error") {
            println!("    | {line}");
        }
    }
}
