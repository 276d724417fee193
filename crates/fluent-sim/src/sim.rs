//! Starting and stopping.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::behavior::Behavior;
use crate::clock::{ClockMode, SimClock};
use crate::control;
use crate::core::Core;
use crate::faults::Down;
use crate::graphql::Schema;
use crate::handle::SimHandle;
use crate::journal::DEFAULT_JOURNAL_LIMIT;
use crate::oauth::{Credentials, DEFAULT_EXPIRES_IN, Logins};
use crate::seed::{Seed, SeedError};
use crate::server;
use crate::state::State;

/// The schema's text.
const SCHEMA: &str = include_str!("../schema.graphql");

/// How a simulator starts.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Where Fluent's endpoints and `/sim/v1` listen; loopback only. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where `/sim/v1` also listens, and still does while the simulator is down. Loopback only.
    pub control: SocketAddr,
    /// What a client logs in with.
    pub credentials: Credentials,
    /// The switches.
    pub behavior: Behavior,
    /// Real or manual time.
    pub clock: ClockMode,
    /// What the account holds at the start, beside the API user and its `ADMIN` role.
    pub seed: Option<Seed>,
    /// Where jitter, ratios and token texts come from.
    pub random_seed: u64,
    /// Journal entries kept.
    pub journal_limit: usize,
    /// Life of a token in seconds.
    pub expires_in: u64,
}

impl Default for SimConfig {
    fn default() -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            listen: loopback,
            control: loopback,
            credentials: Credentials::default(),
            behavior: Behavior::default(),
            clock: ClockMode::Real,
            seed: None,
            random_seed: 1,
            journal_limit: DEFAULT_JOURNAL_LIMIT,
            expires_in: DEFAULT_EXPIRES_IN,
        }
    }
}

/// A simulator that cannot start, or a change to it that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// The address is not on this machine's loopback; the simulator has no protection of its own.
    #[error("{0} is not a loopback address")]
    NotLoopback(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The built-in schema cannot be read: a defect of this crate.
    #[error("the built-in schema is wrong: {0}")]
    Schema(String),
    /// The seed, or what was to be added, does not fit.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// Too many faults are set.
    #[error("too many faults are set")]
    TooManyFaults,
}

/// A running simulator; it stops when dropped.
#[derive(Debug)]
pub struct Sim {
    handle: SimHandle,
    tasks: Vec<JoinHandle<()>>,
}

impl Sim {
    /// Starts listening. Needs a tokio runtime; the work runs on it.
    ///
    /// # Errors
    /// [`SimError`]: not loopback, port taken, seed that does not fit.
    pub async fn start(config: SimConfig) -> Result<Self, SimError> {
        let schema = Schema::parse(SCHEMA).map_err(|error| SimError::Schema(error.message))?;
        let clock = SimClock::new(config.clock);
        let now = clock.unix_ms(Duration::ZERO);
        let mut state = State::new(config.behavior, &config.credentials.username, now);
        if let Some(seed) = &config.seed {
            state.load(seed, now)?;
        }
        let logins = Logins::new(config.credentials, config.expires_in);
        let core = Arc::new(Core::new(
            clock,
            schema,
            state,
            logins,
            config.random_seed,
            config.journal_limit,
        ));
        let (listener, addr) = bind(config.listen).await?;
        let (control_listener, control_addr) = bind(config.control).await?;
        let down = watch::Sender::new(None);
        let always_up = watch::Sender::new(None);
        let ack = watch::Sender::new(None);
        let handle = SimHandle {
            core: Arc::clone(&core),
            addr,
            control_addr,
            down: down.clone(),
            ack: ack.subscribe(),
        };
        let control = control::router(handle.clone());
        let router = server::router(core).merge(control.clone());
        let main = server::listen(listener, addr, router, down.subscribe(), ack);
        let silent = watch::Sender::new(None);
        let receiver = always_up.subscribe();
        let side = async move {
            // Holding the sender keeps this listener going until its task is stopped.
            let _always_up = always_up;
            server::listen(control_listener, control_addr, control, receiver, silent).await;
        };
        Ok(Self {
            handle,
            tasks: vec![tokio::spawn(main), tokio::spawn(side)],
        })
    }

    /// What steers it; cheap to clone.
    #[must_use]
    pub fn handle(&self) -> SimHandle {
        self.handle.clone()
    }

    /// The root URL, as a client is configured with.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.handle.addr)
    }

    /// The URL under which `/sim/v1` answers even while the simulator is down.
    #[must_use]
    pub fn control_url(&self) -> String {
        format!("http://{}", self.handle.control_addr)
    }

    /// Stops listening and cuts what is open.
    pub async fn stop(mut self) {
        for task in self.tasks.drain(..) {
            task.abort();
            // An aborted task ends with an error, which is what is waited for.
            let _ended = task.await;
        }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        // Connections end when they see this.
        self.handle.down.send_replace(Some(Down::Refuse));
    }
}

async fn bind(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), SimError> {
    if !addr.ip().is_loopback() {
        return Err(SimError::NotLoopback(addr));
    }
    let failed = |source| SimError::Listen { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    Ok((listener, addr))
}
