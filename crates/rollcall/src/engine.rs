//! What the commands start: the place where log, projector, ingest, reconciler and simulator are put together.
//!
//! A running instance answers operators through the admin service of this module; what it does with the
//! world is in the crates below. An instance is one process over the embedded log, or several over Kafka, each with
//! its [`Role`]; the parts are the same.

mod admin;
mod appending;
mod behind;
mod brokers;
mod door;
mod evidence;
mod explain;
pub(crate) mod fingerprints;
mod fluent;
mod in_use;
pub(crate) mod kafka;
mod keys;
mod oauth;
mod offline;
pub(crate) mod open;
mod operator;
mod policy;
mod projecting;
mod reconciling;
mod roles;
mod rules;
mod rules_check;
mod run;
mod shares;
mod sharing;
mod status;
mod tls;
mod tokens;
mod warned;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use parking_lot::RwLock;
use rollcall_domain::{TenantId, Timestamp};
use rollcall_eventlog::{EventLog, Partition, Stream};
use rollcall_ingest::{Clock as _, SystemClock};
use rollcall_projector::{Projectors, Publishing, TenantHandle, TenantSetup};
use rollcall_reconciler::{Crew, Reconciler};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use self::brokers::check_brokers;
pub use self::fluent::check_connectivity;
pub use self::offline::Offline;
use self::open::OpenLog;
use self::projecting::Projecting;
use self::reconciling::Reconciling;
pub use self::roles::Role;
pub(crate) use self::run::terminated;
pub use self::run::{DemoOptions, Running, SimOptions, demo, run, sim};
use self::shares::Share;
use self::sharing::Attend;
use crate::admin::AdminServer;
use crate::config::{self, Config, Tenant as TenantConfig, Warning};
use crate::health::Health;
use crate::keys::KeyStore;

/// How long the start waits between two looks at the projector while it catches up with the log.
const CATCH_UP_GLANCE: Duration = Duration::from_millis(20);

/// A running process of an instance: every part of its role.
#[derive(Debug)]
pub struct Engine {
    core: Arc<Core>,
    address: SocketAddr,
    stopping: watch::Sender<bool>,
    /// The doors: they end first, so that nothing new comes in.
    doors: Vec<JoinHandle<()>>,
    /// What attends to partitions: it ends when it is told to and everything is let go.
    sharing: Vec<JoinHandle<()>>,
    unshare: watch::Sender<bool>,
    watchers: Vec<JoinHandle<()>>,
}

/// What the parts of a process share.
#[derive(Debug)]
pub(crate) struct Core {
    role: Role,
    started: Timestamp,
    health: Health,
    door: std::sync::OnceLock<rollcall_ingest::Door>,
    /// What the configuration allows and an operator should know of as long as the process lives.
    standing: Vec<String>,
    /// What is wrong with the token file.
    token_troubles: RwLock<Vec<String>>,
    /// What the server presents, when it speaks TLS.
    certificate: RwLock<tls::Certificate>,
    log: Arc<dyn EventLog>,
    opened: OpenLog,
    projectors: Arc<Projectors>,
    tenants: Vec<Tenant>,
    behind: behind::Behind,
    appending: appending::Appending,
    /// Of the tenants' keys; none over the embedded log, which has one process.
    fingerprints: Option<fingerprints::Fingerprints>,
    /// The data folder is ours, where several processes could have it by mistake.
    in_use: parking_lot::Mutex<Option<in_use::InUse>>,
    /// What is shared with other processes.
    shares: RwLock<Vec<Arc<Share>>>,
}

/// A tenant of the instance.
#[derive(Debug)]
pub(crate) struct Tenant {
    id: TenantId,
    /// What its reconcilers here have in common.
    crew: Crew,
    /// By the partition of the accounts; taken out when they are stopped.
    reconcilers: RwLock<BTreeMap<Partition, Reconciler>>,
}

impl Engine {
    /// Opens everything, brings rules and policy into force, and serves, with all roles in this process.
    ///
    /// # Errors
    /// Anything that keeps it from starting, with what to do. Nothing is left running then.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        Self::start_as(config, Role::Whole).await
    }

    /// The same with one role of several.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub async fn start_as(config: Config, role: Role) -> anyhow::Result<Self> {
        anyhow::ensure!(
            role == Role::Whole || config.kafka.is_some(),
            "`rollcall {role}` needs [log] engine = \"kafka\"; over the embedded log `rollcall run` does everything"
        );
        let (core, keys) = open_core(&config, role).await?;
        let core = Arc::new(core);
        let (stopping, stop) = watch::channel(false);
        if role.folds_all() {
            for partition in core.projectors.partitions() {
                core.start_projector(partition).await?;
            }
            for tenant in &core.tenants {
                let (_, directory) = core.of(&tenant.id)?;
                caught_up(&directory).await?;
                core.fit(&directory).await?;
            }
        }
        let (unshare, sharing_stop) = watch::channel(false);
        let sharing = share(&config, &core, &sharing_stop).await?;
        let (address, door, mut watchers) = door::open(&config, &core, &keys, stop.clone()).await?;
        let operators = AdminServer::bind(&config.admin.socket)
            .await
            .context("opening the admin socket")?;
        let service = Arc::new(admin::Service(Arc::clone(&core)));
        let operators = tokio::spawn(operators.serve(service, stopped(stop.clone())));
        if let Some(kafka) = &config.kafka {
            watchers.push(tokio::spawn(behind::watch(Arc::clone(&core), stop.clone())));
            let appending = appending::begin(&core, kafka, stop.clone())?;
            watchers.push(appending);
        } else {
            watchers.extend(rules::watch(&config, &core, &stop));
        }
        Ok(Self {
            core,
            address,
            stopping,
            doors: vec![door, operators],
            sharing,
            unshare,
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

    /// The directory and the desired users of a tenant; `None` when there is no such tenant here.
    #[must_use]
    pub fn directory(&self, tenant: &TenantId) -> Option<TenantHandle> {
        self.core.projectors.tenant(tenant)
    }

    /// How a reconciler of a tenant stands, the first of those that run here; `None` when none does.
    #[must_use]
    pub fn reconciler(&self, tenant: &TenantId) -> Option<rollcall_reconciler::Status> {
        let tenant = self.core.tenants.iter().find(|known| known.id == *tenant)?;
        tenant.reconcilers.read().values().next().map(Reconciler::status)
    }

    /// Takes nothing new, lets requests and writes in flight end, gives back what is shared, and closes the log.
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
        // What is taken away by leaving is let go first, and then handed on.
        self.core.opened.leave().await?;
        self.unshare.send_replace(true);
        for sharing in self.sharing {
            sharing.await.context("attending to partitions ended badly")?;
        }
        for tenant in &self.core.tenants {
            let running = std::mem::take(&mut *tenant.reconcilers.write());
            futures::future::join_all(running.into_values().map(Reconciler::stop)).await;
        }
        self.core.shares.write().clear();
        self.core.projectors.stop_all().await;
        let closed = self.core.opened.clone().close().await;
        drop(self.core.in_use.lock().take());
        closed
    }
}

impl Core {
    /// A tenant and its directory.
    ///
    /// # Errors
    /// When there is none here.
    fn of(&self, id: &TenantId) -> anyhow::Result<(&Tenant, TenantHandle)> {
        let tenant = self.tenants.iter().find(|tenant| tenant.id == *id);
        let tenant = tenant.with_context(|| format!("there is no tenant {id}"))?;
        let directory = self.projectors.tenant(id);
        let directory = directory.with_context(|| format!("tenant {id} is not projected"))?;
        Ok((tenant, directory))
    }

    /// Whether the tenant's key is the one that its log is written with, once its directory has caught up: by an
    /// account that is there, and by the fingerprint in the log.
    ///
    /// # Errors
    /// When it is not, with what to do.
    async fn fit(&self, directory: &TenantHandle) -> anyhow::Result<()> {
        keys::fit(directory)?;
        match &self.fingerprints {
            Some(fingerprints) => fingerprints.settle(self.log.as_ref(), directory.id()).await,
            None => Ok(()),
        }
    }

    /// Starts the projector of a partition, on a thread that may block.
    async fn start_projector(&self, partition: Partition) -> anyhow::Result<()> {
        let projectors = Arc::clone(&self.projectors);
        let began = SystemClock.now();
        tokio::task::spawn_blocking(move || projectors.start(partition))
            .await
            .context("opening the state")?
            .context("opening the state")?;
        let state_ms = SystemClock.now().millis_since(began);
        tracing::info!(%partition, state_ms, "the state is open");
        Ok(())
    }
}

/// Opens the log and makes what the parts share.
async fn open_core(config: &Config, role: Role) -> anyhow::Result<(Core, KeyStore)> {
    let in_use = config
        .kafka
        .as_ref()
        .map(|_| in_use::take(&config.log.path))
        .transpose()?;
    let open::Opened { log, keys } = open::open(config).await?;
    let setup = |tenant: &TenantConfig| {
        let key = keys.get(&tenant.id);
        let key = key.with_context(|| format!("tenant {} has no key", tenant.id))?;
        anyhow::Ok(TenantSetup {
            id: tenant.id.clone(),
            key: key.clone(),
        })
    };
    let setups: Vec<TenantSetup> = config.tenants.iter().map(setup).collect::<anyhow::Result<_>>()?;
    let fingerprints = config
        .kafka
        .as_ref()
        .map(|_| fingerprints::Fingerprints::new(&config.log.path, &keys));
    if let Some(fingerprints) = &fingerprints {
        // Before anything is joined: who has another key takes no partition from those that have the right one.
        for tenant in &config.tenants {
            fingerprints.compare(log.shared().as_ref(), &tenant.id).await?;
        }
    }
    let mut shares = Vec::new();
    let publishing = if role.projects() {
        let membership = log.join(Stream::Events, open::PROJECT)?;
        shares.push(Share::new(open::PROJECT, Arc::clone(&membership)));
        Publishing::WhileOwned {
            membership,
            delivery_timeout: log.delivery_timeout(),
        }
    } else {
        Publishing::Never
    };
    let clock = Arc::new(rollcall_reconciler::SystemClock::new());
    let tenant = |tenant: &TenantConfig| Tenant {
        id: tenant.id.clone(),
        crew: Crew::new(
            tenant.fluent.concurrency,
            Arc::<rollcall_reconciler::SystemClock>::clone(&clock),
        ),
        reconcilers: RwLock::default(),
    };
    let projectors = Projectors::new(log.shared(), open::state_folders(config), setups, publishing);
    let core = Core {
        role,
        started: SystemClock.now(),
        health: Health::default(),
        door: std::sync::OnceLock::new(),
        standing: standing(config),
        token_troubles: RwLock::default(),
        certificate: RwLock::default(),
        log: log.shared(),
        opened: log,
        projectors: Arc::new(projectors),
        tenants: config.tenants.iter().map(tenant).collect(),
        behind: behind::Behind::default(),
        appending: appending::Appending::default(),
        fingerprints,
        in_use: parking_lot::Mutex::new(in_use),
        shares: RwLock::new(shares),
    };
    Ok((core, keys))
}

/// What the configuration allows and somebody should look at; told in the log.
fn standing(config: &Config) -> Vec<String> {
    let warnings = config.kafka.iter().flat_map(config::Kafka::warnings);
    let told = warnings.map(|Warning { what, found }| format!("{what}: {found}"));
    told.inspect(|warning| tracing::warn!("{warning}")).collect()
}

/// Begins what this process does for partitions. Alone it owns all of them, and begins before anything is served; with
/// others it attends to what it is dealt.
async fn share(
    config: &Config,
    core: &Arc<Core>,
    stop: &watch::Receiver<bool>,
) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let mut tasks = Vec::new();
    let mut begin = |share: Arc<Share>, work: Arc<dyn Attend>| {
        tasks.push(tokio::spawn(sharing::attend(share, work, stop.clone())));
    };
    let alone = config.kafka.is_none();
    if core.role.projects() {
        let share = core.share_named(open::PROJECT)?;
        let projecting = Projecting::new(Arc::clone(core), config);
        if alone {
            for partition in core.projectors.partitions() {
                projecting.take(partition).await?;
            }
            activate_rules(config, core).await?;
        } else {
            begin(share, Arc::new(projecting));
        }
    }
    if core.role.reconciles() {
        let membership = core.opened.join(Stream::Outcomes, open::RECONCILE)?;
        let share = Share::new(open::RECONCILE, Arc::clone(&membership));
        core.shares.write().push(Arc::clone(&share));
        let delivery = core.opened.delivery_timeout();
        let work = Reconciling::new(Arc::clone(core), config, membership, delivery)?;
        if alone {
            let all = core.log.partitions(Stream::Outcomes);
            work.dealt(all.len());
            for partition in all {
                work.take(partition).await?;
            }
        } else {
            begin(share, Arc::new(work));
        }
    }
    Ok(tasks)
}

/// Activates the rule files as they are.
async fn activate_rules(config: &Config, core: &Core) -> anyhow::Result<()> {
    for tenant in &config.tenants {
        if let Some(file) = &tenant.rules {
            let (_, directory) = core.of(&tenant.id)?;
            rules::activate_file(&core.log, &directory, &file.file).await;
        }
    }
    Ok(())
}

/// Resolves when the instance is asked to stop.
async fn stopped(mut stop: watch::Receiver<bool>) {
    let _sender_gone_means_stop = stop.wait_for(|stop| *stop).await;
}

/// Waits so long; false when the instance is asked to stop meanwhile.
async fn pause(stop: &mut watch::Receiver<bool>, how_long: Duration) -> bool {
    tokio::time::timeout(how_long, stop.wait_for(|stop| *stop))
        .await
        .is_err()
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
