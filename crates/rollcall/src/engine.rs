//! What the commands start: the place where log, projector, ingest, reconciler and simulator are put together.
//!
//! A running instance answers operators through the admin service of this module; what it does with the
//! world is in the crates below.

mod admin;
mod door;
mod evidence;
mod explain;
mod fluent;
mod offline;
mod operator;
mod policy;
mod rules;
mod run;
mod status;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rollcall_domain::{TenantId, Timestamp};
use rollcall_eventlog::{EmbeddedLog, EmbeddedOptions, EventLog, OpenError};
use rollcall_ingest::{Clock as _, SystemClock};
use rollcall_projector::{Projector, TenantHandle, TenantSetup};
use rollcall_reconciler::{Reconciler, ReconcilerConfig};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use self::fluent::check_connectivity;
pub use self::offline::Offline;
pub(crate) use self::rules::version_of as rules_version;
pub(crate) use self::run::terminated;
pub use self::run::{DemoOptions, Running, SimOptions, demo, run, sim};
use crate::admin::AdminServer;
use crate::config::{Config, Tenant as TenantConfig};
use crate::health::Health;
use crate::keys::{KeyStore, LogPresence};

/// How long the start waits between two looks at the projector while it catches up with the log.
const CATCH_UP_GLANCE: Duration = Duration::from_millis(20);

/// A running instance: every part of it, in one process, on the embedded log.
#[derive(Debug)]
pub struct Engine {
    core: Arc<Core>,
    projector: Projector,
    log: Arc<EmbeddedLog>,
    address: SocketAddr,
    stopping: watch::Sender<bool>,
    /// The doors: they end first, so that nothing new comes in.
    doors: Vec<JoinHandle<()>>,
    watchers: Vec<JoinHandle<()>>,
}

/// What the parts of an instance share.
#[derive(Debug)]
pub(crate) struct Core {
    started: Timestamp,
    health: Health,
    door: std::sync::OnceLock<Arc<rollcall_ingest::Metrics>>,
    log: Arc<dyn EventLog>,
    tenants: Vec<Tenant>,
}

/// A tenant of the instance.
#[derive(Debug)]
pub(crate) struct Tenant {
    id: TenantId,
    directory: TenantHandle,
    /// Taken out when it is stopped.
    reconciler: parking_lot::RwLock<Option<Reconciler>>,
}

impl Engine {
    /// Opens everything below the data folder, brings rules and policy into force, and serves.
    ///
    /// # Errors
    /// Anything that keeps it from starting, with what to do. Nothing is left running then.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let folder = config.log.path.clone();
        let keys = open_keys(&config)?;
        let (log, projector) = open_state(&folder, &config, &keys).await?;
        let shared: Arc<dyn EventLog> = Arc::<EmbeddedLog>::clone(&log);
        let health = Health::default();
        let mut tenants = Vec::new();
        for tenant in &config.tenants {
            tenants.push(start_tenant(&folder, tenant, &projector, &shared).await?);
        }
        let core = Arc::new(Core {
            started: SystemClock.now(),
            health,
            door: std::sync::OnceLock::new(),
            log: shared,
            tenants,
        });
        let (stopping, stop) = watch::channel(false);
        let (address, door) = door::open(&config, &core, stop.clone()).await?;
        let operators = AdminServer::bind(&config.admin.socket)
            .await
            .context("opening the admin socket")?;
        let service = Arc::new(admin::Service(Arc::clone(&core)));
        let operators = tokio::spawn(operators.serve(service, stopped(stop.clone())));
        let watchers = rules::watch(&config, &core, &stop);
        Ok(Self {
            core,
            projector,
            log,
            address,
            stopping,
            doors: vec![door, operators],
            watchers,
        })
    }

    /// Where the HTTP server listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The log that everything is written to.
    #[must_use]
    pub fn log(&self) -> Arc<dyn EventLog> {
        Arc::clone(&self.core.log)
    }

    /// The directory and the desired users of a tenant; `None` when there is no such tenant.
    #[must_use]
    pub fn directory(&self, tenant: &TenantId) -> Option<TenantHandle> {
        let tenant = self.core.tenants.iter().find(|known| known.id == *tenant)?;
        Some(tenant.directory.clone())
    }

    /// How the reconciler of a tenant stands; `None` when there is no such tenant, or while it is stopped.
    #[must_use]
    pub fn reconciler(&self, tenant: &TenantId) -> Option<rollcall_reconciler::Status> {
        let tenant = self.core.tenants.iter().find(|known| known.id == *tenant)?;
        tenant.reconciler.read().as_ref().map(Reconciler::status)
    }

    /// Takes nothing new, lets requests and writes in flight end, and closes the log.
    ///
    /// # Errors
    /// When a part did not end as it should; the log is durable all the same.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.core.health.not_ready("instance", "stopping");
        self.stopping.send_replace(true);
        for door in self.doors {
            door.await.context("a door ended badly")?;
        }
        for watcher in self.watchers {
            watcher.abort();
        }
        for tenant in &self.core.tenants {
            let reconciler = tenant.reconciler.write().take();
            if let Some(reconciler) = reconciler {
                reconciler.stop().await;
            }
        }
        self.projector.stop().await;
        let log = self.log;
        tokio::task::spawn_blocking(move || log.close())
            .await
            .context("closing the log")?;
        Ok(())
    }
}

/// Resolves when the instance is asked to stop.
async fn stopped(mut stop: watch::Receiver<bool>) {
    let _sender_gone_means_stop = stop.wait_for(|stop| *stop).await;
}

fn open_keys(config: &Config) -> anyhow::Result<KeyStore> {
    let log = if config.log.path.join("log").exists() {
        LogPresence::Present
    } else {
        LogPresence::Absent
    };
    let tenants: Vec<TenantId> = config.tenants.iter().map(|tenant| tenant.id.clone()).collect();
    KeyStore::open(&config.log.path, &tenants, log).context("opening the key store")
}

/// Opens the log and the projector's state beside it; both may take a while.
async fn open_state(
    folder: &Path,
    config: &Config,
    keys: &KeyStore,
) -> anyhow::Result<(Arc<EmbeddedLog>, Projector)> {
    let setups = config.tenants.iter().map(|tenant| {
        let key = keys
            .get(&tenant.id)
            .with_context(|| format!("tenant {} has no key", tenant.id))?;
        anyhow::Ok(TenantSetup {
            id: tenant.id.clone(),
            key: key.clone(),
        })
    });
    let setups: Vec<TenantSetup> = setups.collect::<anyhow::Result<_>>()?;
    let (log_folder, state_folder) = (folder.join("log"), folder.join("state"));
    let opened = tokio::task::spawn_blocking(move || {
        let began = SystemClock.now();
        let log = Arc::new(open_log(&log_folder, &state_folder)?);
        let open = SystemClock.now();
        let shared: Arc<dyn EventLog> = Arc::<EmbeddedLog>::clone(&log);
        let projector = Projector::start(shared, &state_folder, setups).context("opening the state")?;
        let log_ms = open.millis_since(began);
        let state_ms = SystemClock.now().millis_since(open);
        tracing::info!(log_ms, state_ms, "log and state are open");
        anyhow::Ok((log, projector))
    });
    opened.await.context("opening the data folder")?
}

/// Opens the log, and makes one at the first start only: a state was computed from a log, so where one lies without the
/// other the log was lost. A fresh one would forget everybody.
fn open_log(log: &Path, state: &Path) -> anyhow::Result<EmbeddedLog> {
    let begun = std::fs::read_dir(state).is_ok_and(|mut entries| entries.next().is_some());
    let options = EmbeddedOptions {
        create: !begun,
        ..EmbeddedOptions::default()
    };
    let opened = EmbeddedLog::open(log, options);
    if begun && matches!(opened, Err(OpenError::NoLog { .. })) {
        anyhow::bail!(
            "{} is missing or empty, but {} was computed from it; restore the log from a backup (to begin anew, \
             move the whole data folder away)",
            log.display(),
            state.display()
        );
    }
    opened.context("opening the log")
}

async fn start_tenant(
    folder: &Path,
    config: &TenantConfig,
    projector: &Projector,
    log: &Arc<dyn EventLog>,
) -> anyhow::Result<Tenant> {
    let directory = projector
        .tenant(&config.id)
        .with_context(|| format!("tenant {} is not projected", config.id))?;
    caught_up(&directory).await?;
    policy::bring_into_force(log, &directory, &config.policy).await?;
    if let Some(file) = &config.rules {
        rules::activate_file(log, &directory, &file.file).await;
    }
    let client = fluent::client(folder, config)?;
    let settings = ReconcilerConfig {
        late_write_window: config.fluent.late_write_window,
        concurrency_max: config.fluent.concurrency,
        catalog_every: config.fluent.catalog_interval,
        resync_every: config.fluent.resync_interval,
        request_timeout: config.fluent.request_timeout,
        checkpoint: Some(folder.join(format!("ledger-{}.checkpoint", config.id))),
        ..ReconcilerConfig::new(config.id.clone())
    };
    let began = SystemClock.now();
    let reconciler = Reconciler::start(settings, Arc::clone(log), Arc::new(directory.clone()), client)
        .await
        .with_context(|| format!("starting the reconciler of {}", config.id))?;
    let ledger_ms = SystemClock.now().millis_since(began);
    tracing::info!(tenant = %config.id, ledger_ms, "what is ours in Fluent is known");
    Ok(Tenant {
        id: config.id.clone(),
        directory,
        reconciler: parking_lot::RwLock::new(Some(reconciler)),
    })
}

/// Waits until the projector has taken in all that the log holds; a long rebuild is told of.
async fn caught_up(directory: &TenantHandle) -> anyhow::Result<()> {
    while let Err(error) = directory.read_barrier().await {
        if error.retry() != rollcall_eventlog::Retry::Later {
            return Err(error).context("catching up with the log");
        }
        tracing::info!(tenant = %directory.id(), sequence = %directory.status().sequence, "still reading the log");
        tokio::time::sleep(CATCH_UP_GLANCE).await;
    }
    Ok(())
}
