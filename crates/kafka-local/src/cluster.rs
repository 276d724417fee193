//! A cluster of one broker or three.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::broker::{Broker, Program};
use crate::door::Door;
use crate::error::{Error, io};
use crate::folders;
use crate::jars;
use crate::machine::{java, tail};
use crate::metadata::{Metadata, metadata};
use crate::properties::{Endpoints, server};
use crate::wait::until;

/// How many brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Brokers {
    /// One: quick to start; nothing is replicated.
    #[default]
    One,
    /// Three, with every topic of this cluster on all of them and two in-sync replicas at least.
    Three,
}

impl Brokers {
    /// The number.
    #[must_use]
    pub fn count(self) -> u16 {
        match self {
            Self::One => 1,
            Self::Three => 3,
        }
    }
}

/// Where the brokers keep what they are given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Home {
    /// A folder of their own, removed at the end. When the owner dies they are killed.
    #[default]
    Temporary,
    /// `target/kafka/<name>`, kept from run to run. When the owner dies they have 10 s to end by themselves.
    Kept(String),
}

/// Which ports of loopback are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ports {
    /// Any that are free.
    #[default]
    Free,
    /// Clients connect to this port and the two after it; the controllers have those ten further.
    From(u16),
}

/// How a cluster is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How many brokers.
    pub brokers: Brokers,
    /// Where the data lies.
    pub home: Home,
    /// The ports.
    pub ports: Ports,
    /// Begin with nothing, even in a folder that is kept.
    pub fresh: bool,
    /// Ways in that can be shut, one for each client that is to be cut off.
    pub doors: usize,
    /// Heap of each broker, MiB. 384 serves small topics; below 256 brokers run out of memory.
    pub heap: u32,
    /// More lines for `server.properties`; they win over ours.
    pub properties: Vec<(String, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            brokers: Brokers::One,
            home: Home::Temporary,
            ports: Ports::Free,
            fresh: false,
            doors: 0,
            heap: 384,
            properties: Vec::new(),
        }
    }
}

/// A running cluster. Dropped, its brokers are killed, and a temporary folder is removed.
#[derive(Debug)]
pub struct Cluster {
    brokers: Vec<Mutex<Broker>>,
    doors: Vec<Door>,
    program: Program,
    folder: PathBuf,
    is_temporary: bool,
}

/// Somebody else may take a free port before the broker does.
const PORT_TRIES: usize = 3;
/// How long brokers whose owner died may take to end by themselves, in seconds, when their folder is kept.
const GRACE: u32 = 10;
/// From the first controllers of this cluster to the distance of the controllers' ports.
const CONTROLLERS: u16 = 10;

impl Cluster {
    /// Fetches what is needed, starts the brokers and waits until they are ready.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::Missing`] names the line that installs what is missing.
    pub fn start(settings: &Settings) -> Result<Self, Error> {
        let (is_temporary, grace) = match &settings.home {
            Home::Temporary => (true, 0),
            Home::Kept(_) => (false, GRACE),
        };
        let program = Program {
            java: java()?,
            jars: jars::folder()?,
            heap: settings.heap,
            grace,
        };
        let mut tries = 0;
        loop {
            tries += 1;
            let folder = match &settings.home {
                Home::Temporary => folders::temporary()?,
                Home::Kept(name) => folders::kept(name)?,
            };
            folders::end_left_brokers(&folder);
            if settings.fresh && !is_temporary {
                folders::empty(&folder)?;
            }
            // Owned before the brokers start, so that a failed start leaves nothing.
            let mut cluster = Self {
                brokers: Vec::new(),
                doors: Vec::new(),
                program: program.clone(),
                folder,
                is_temporary,
            };
            match cluster.start_brokers(settings) {
                Ok(()) => return Ok(cluster),
                Err(Error::Ended { said, .. })
                    if settings.ports == Ports::Free
                        && said.contains("Address already in use")
                        && tries < PORT_TRIES => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn start_brokers(&mut self, settings: &Settings) -> Result<(), Error> {
        let count = settings.brokers.count();
        let ends = endpoints(settings, &mut self.doors)?;
        let id = cluster_id(&self.folder)?;
        for (node, own) in (1..=count).zip(&ends) {
            let folder = self.folder.join(format!("broker-{node}"));
            let text = server(node, &ends, &folder, &settings.properties);
            let broker = Broker::prepare(node, own.client, folder, &text, &id, &self.program)?;
            self.brokers.push(Mutex::new(broker));
        }
        for node in 1..=count {
            self.broker(node)?.start(&self.program)?;
        }
        for node in 1..=count {
            self.broker(node)?.ready(usize::from(count))?;
        }
        Ok(())
    }

    fn broker(&self, node: u16) -> Result<MutexGuard<'_, Broker>, Error> {
        let broker = usize::from(node)
            .checked_sub(1)
            .and_then(|at| self.brokers.get(at));
        let broker = broker.ok_or(Error::NoBroker { node })?;
        Ok(broker.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The addresses for a client's `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        let addresses: Vec<String> = self.addresses().iter().map(SocketAddr::to_string).collect();
        addresses.join(",")
    }

    /// Where the brokers 1, 2, … listen.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let brokers = self.brokers.iter();
        brokers
            .map(|broker| broker.lock().unwrap_or_else(PoisonError::into_inner).address())
            .collect()
    }

    /// The ways in that can be shut, as many as the settings asked for.
    #[must_use]
    pub fn doors(&self) -> &[Door] {
        &self.doors
    }

    /// Where the brokers keep their data and their logs (`broker-<node>/kafka.log`).
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `kill -9` of one broker. Everything that it was given stays in its folder.
    ///
    /// # Errors
    /// [`Error::NoBroker`], or [`Error::State`] when it is not running.
    pub fn kill(&self, node: u16) -> Result<(), Error> {
        self.broker(node)?.kill()
    }

    /// SIGTERM to one broker, and waits until it has ended.
    ///
    /// # Errors
    /// As [`Cluster::kill`].
    pub fn stop(&self, node: u16) -> Result<(), Error> {
        self.broker(node)?.stop()
    }

    /// Starts a broker again that was killed or stopped, without waiting until it is ready.
    ///
    /// # Errors
    /// [`Error::NoBroker`], or [`Error::State`] when it is running.
    pub fn spawn(&self, node: u16) -> Result<(), Error> {
        self.broker(node)?.start(&self.program)
    }

    /// Starts a broker again that was killed or stopped, and waits until it is a member of the cluster.
    ///
    /// # Errors
    /// As [`Cluster::spawn`], or [`Error::TooLate`]: a cluster without a majority of its controllers is not ready.
    pub fn restart(&self, node: u16) -> Result<(), Error> {
        let mut broker = self.broker(node)?;
        broker.start(&self.program)?;
        broker.ready(1)
    }

    /// True while a broker's process has not been ended by one of these calls.
    ///
    /// # Errors
    /// [`Error::NoBroker`].
    pub fn is_running(&self, node: u16) -> Result<bool, Error> {
        Ok(self.broker(node)?.is_running())
    }

    /// SIGSTOP: the broker does nothing more, with all its connections open.
    ///
    /// # Errors
    /// As [`Cluster::kill`].
    pub fn pause(&self, node: u16) -> Result<(), Error> {
        self.broker(node)?.pause(true)
    }

    /// SIGCONT: goes on after [`Cluster::pause`].
    ///
    /// # Errors
    /// As [`Cluster::kill`].
    pub fn resume(&self, node: u16) -> Result<(), Error> {
        self.broker(node)?.pause(false)
    }

    /// What the first broker that answers says of the cluster and these topics; `None` when none does.
    #[must_use]
    pub fn metadata(&self, topics: &[&str]) -> Option<Metadata> {
        let running = (1..=self.brokers.len())
            .filter_map(|node| u16::try_from(node).ok())
            .filter_map(|node| {
                let broker = self.broker(node).ok()?;
                broker.is_running().then(|| broker.address())
            });
        let mut asked = running.map(|address| metadata(address, topics));
        asked.find_map(Result::ok)
    }

    /// The node that leads a partition of a topic, once one does.
    ///
    /// # Errors
    /// [`Error::TooLate`] when nobody leads it in 30 s.
    pub fn leader(&self, topic: &str, partition: i32) -> Result<u16, Error> {
        let what = format!("{topic}[{partition}] has a leader");
        until(&what, Duration::from_secs(30), || {
            let told = self.metadata(&[topic]).unwrap_or_default();
            let mut leaders = told
                .partitions
                .iter()
                .filter(|state| state.partition == partition);
            Ok(leaders.find_map(|state| u16::try_from(state.leader).ok()))
        })
    }

    /// Runs one of Kafka's own tools (`org.apache.kafka.tools.TopicCommand` …) against the cluster; what it printed.
    /// `--bootstrap-server` is given.
    ///
    /// # Errors
    /// [`Error::Failed`] with what it said.
    pub fn tool(&self, class: &str, arguments: &[&str]) -> Result<String, Error> {
        self.tool_given(class, arguments, "")
    }

    /// As [`Cluster::tool`], with this text on its standard input.
    ///
    /// # Errors
    /// As [`Cluster::tool`].
    pub fn tool_given(&self, class: &str, arguments: &[&str], input: &str) -> Result<String, Error> {
        let mut command = self.program.class(class, 128);
        command
            .args(["--bootstrap-server", &self.bootstrap()])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let run = || io("run", &self.program.java);
        let mut child = command.spawn().map_err(run())?;
        if let Some(mut stdin) = child.stdin.take() {
            // A tool that ends early closes it; what it says then counts.
            let _it_may_not_listen = stdin.write_all(input.as_bytes());
        }
        let output = child.wait_with_output().map_err(run())?;
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(out);
        }
        Err(Error::Failed {
            program: "a tool of Kafka",
            status: output.status,
            said: tail(&format!("{out}\n{}", String::from_utf8_lossy(&output.stderr))),
        })
    }

    /// Waits for ever, until a broker ends by itself: the error says which, and how.
    #[must_use]
    pub fn until_one_ends(&self) -> Error {
        let ended: Result<(), Error> = until("a broker ends", Duration::MAX, || {
            for broker in &self.brokers {
                broker.lock().unwrap_or_else(PoisonError::into_inner).lives()?;
            }
            Ok(None)
        });
        match ended {
            Err(error) => error,
            Ok(()) => Error::Answer("no broker ended"), // the wait ends with an error alone
        }
    }

    /// Ends all brokers properly. Without it they are killed when this is dropped.
    ///
    /// # Errors
    /// The first failure; the others are ended all the same.
    pub fn end(self) -> Result<(), Error> {
        let mut done = Ok(());
        for broker in &self.brokers {
            let mut broker = broker.lock().unwrap_or_else(PoisonError::into_inner);
            if broker.is_running() {
                let stopped = broker.stop();
                done = done.and(stopped);
            }
        }
        done
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.doors.clear();
        self.brokers.clear();
        if self.is_temporary {
            folders::remove(&self.folder);
        }
    }
}

/// Chooses ports and opens the doors.
fn endpoints(settings: &Settings, doors: &mut Vec<Door>) -> Result<Vec<Endpoints>, Error> {
    let mut ports = FreePorts::new();
    let mut all = Vec::new();
    for number in 0..settings.brokers.count() {
        let (client, controller) = match settings.ports {
            Ports::Free => (ports.next()?, ports.next()?),
            Ports::From(first) => {
                let client = first.saturating_add(number);
                let controller = client.saturating_add(CONTROLLERS);
                for port in [client, controller] {
                    if !is_free(port) {
                        return Err(Error::Port { port });
                    }
                }
                (client, controller)
            }
        };
        all.push(Endpoints {
            client,
            controller,
            doors: Vec::new(),
        });
    }
    for _ in 0..settings.doors {
        let inner = all.iter().map(|_| ports.next()).collect::<Result<Vec<_>, _>>()?;
        let door = Door::open_to(&inner)?;
        for ((ends, listens), tells) in all.iter_mut().zip(inner).zip(door.ports()) {
            ends.doors.push((listens, tells));
        }
        doors.push(door);
    }
    Ok(all)
}

/// Ports below those that systems give to outgoing connections, so that a broker that is started again finds its
/// port free.
struct FreePorts {
    next: u16,
}

impl FreePorts {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;

    /// Begins anywhere, since several processes choose at once.
    fn new() -> Self {
        let any = RandomState::new().build_hasher().finish();
        let any = u16::try_from(any % u64::from(Self::COUNT)).unwrap_or(0);
        Self { next: any }
    }

    fn next(&mut self) -> Result<u16, Error> {
        for _ in 0..Self::COUNT {
            let port = Self::FIRST + self.next;
            self.next = (self.next + 1) % Self::COUNT;
            if is_free(port) {
                return Ok(port);
            }
        }
        Err(Error::Port {
            port: Self::FIRST + Self::COUNT,
        })
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// The id that a kept cluster has, or a new one: 16 bytes in base64url without padding.
fn cluster_id(folder: &Path) -> Result<String, Error> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let path = folder.join("cluster-id");
    if let Ok(id) = std::fs::read_to_string(&path) {
        return Ok(id);
    }
    let random = || u128::from(RandomState::new().build_hasher().finish());
    let bits = random() << 64 | random();
    // 22 digits of 6 bits hold 132: the first four of the last digit are zero.
    let digit = |at: u32| {
        let six = if at < 21 {
            bits >> (122 - 6 * at)
        } else {
            bits << 4
        } & 63;
        let digit = usize::try_from(six).ok().and_then(|six| ALPHABET.get(six));
        char::from(*digit.unwrap_or(&b'A'))
    };
    let mut id: String = (0..22).map(digit).collect();
    if id.starts_with('-') {
        // It would be taken for an option of the command that formats.
        id.replace_range(0..1, "A");
    }
    std::fs::write(&path, &id).map_err(io("write", &path))?;
    Ok(id)
}
