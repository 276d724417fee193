//! The owner of the driver thread.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use rollcall_domain::{TenantId, TenantKey};
use rollcall_eventlog::{EventLog, Partition, Position, Stream};

use crate::driver::{Core, Driver, Publisher, Tenant};
use crate::store::{self, Opened};
use crate::{ProjectorError, Publishing, TenantHandle, TenantSetup, TenantState};

/// Folds one log partition for its tenants, keeps the state, wakes reconcilers, publishes desired users.
///
/// Dropping it stops it too, and waits for the current turn.
#[derive(Debug)]
pub struct Projector {
    core: Arc<Core>,
    publisher: Publisher,
    keys: BTreeMap<TenantId, TenantKey>,
    threads: Vec<JoinHandle<()>>,
}

impl Projector {
    /// Loads the state in `dir` (or rebuilds it from the log) and starts the driver thread. Blocks while it
    /// loads; catching up with the log goes on in the background, see [`TenantHandle::read_barrier`].
    ///
    /// A state that cannot be read, belongs to another log or disagrees with it is moved to
    /// `<dir>.damaged-<n>` and rebuilt.
    ///
    /// # Errors
    /// [`ProjectorError::StateAheadOfLog`] when the log is empty or shorter than what the state has taken in;
    /// [`ProjectorError::State`] when `dir` cannot be used; [`ProjectorError::Log`].
    pub fn start(
        log: Arc<dyn EventLog>,
        dir: &Path,
        tenants: Vec<TenantSetup>,
    ) -> Result<Self, ProjectorError> {
        let partition = tenants.first().map_or(Partition::ONLY, |tenant| {
            log.partition_of(Stream::Events, tenant.id.as_str().as_bytes())
        });
        Self::start_partition(log, partition, dir, tenants, Publishing::Always)
    }

    /// The same for one partition of several. Each has a `dir` of its own; of `tenants` only those stand there
    /// whose events do.
    ///
    /// # Errors
    /// As [`Projector::start`].
    pub fn start_partition(
        log: Arc<dyn EventLog>,
        partition: Partition,
        dir: &Path,
        mut tenants: Vec<TenantSetup>,
        publishing: Publishing,
    ) -> Result<Self, ProjectorError> {
        tenants.retain(|tenant| log.partition_of(Stream::Events, tenant.id.as_str().as_bytes()) == partition);
        let mut opened = store::open(dir, log.log_id())?;
        let lacks = |tenant: &TenantSetup| !opened.tenants.contains_key(&tenant.id);
        if opened.store.turned_away() && tenants.iter().any(lacks) {
            opened = store::anew(opened, dir, log.log_id())?;
        }
        let Opened {
            mut store,
            position,
            tenants: states,
        } = opened;
        let end = Position::to_stored(wait_for(log.end(Stream::Events, partition))?);
        if position > end {
            return Err(ProjectorError::StateAheadOfLog {
                dir: dir.to_owned(),
                state: position,
                log: end,
            });
        }
        let core = Arc::new(Core::new(log, partition, store.documents(), position));
        core.quarantine.know(tenants.iter().map(|setup| setup.id.clone()));
        let publisher = Publisher::new(publishing);
        let mut states = states;
        for setup in &tenants {
            states.entry(setup.id.clone()).or_insert_with(TenantState::new);
        }
        for (id, state) in states {
            let number = store.number(&id);
            let tenant = Arc::new(Tenant::new(id.clone(), number, state, core.documents.clone()));
            publisher.resume(&tenant);
            core.tenants.write().insert(id, tenant);
        }
        let driver = Driver::new(Arc::clone(&core), store, publisher.clone(), end)?;
        let mut projector = Self {
            core,
            publisher,
            keys: tenants.into_iter().map(|setup| (setup.id, setup.key)).collect(),
            threads: Vec::new(),
        };
        projector.spawn(dir, driver)?;
        Ok(projector)
    }

    fn spawn(&mut self, dir: &Path, driver: Driver) -> Result<(), ProjectorError> {
        let refused = |error: std::io::Error| ProjectorError::State {
            dir: dir.to_owned(),
            reason: error.to_string(),
        };
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let (core, publisher) = (Arc::clone(&self.core), self.publisher.clone());
        self.threads
            .push(thread("projector").spawn(move || driver.run()).map_err(refused)?);
        let publishing = thread("publisher")
            .spawn(move || publisher.run(&core))
            .map_err(refused)?;
        self.threads.push(publishing);
        Ok(())
    }

    /// The handle of a tenant; `None` for one that it was not started with.
    #[must_use]
    pub fn tenant(&self, tenant: &TenantId) -> Option<TenantHandle> {
        let key = self.keys.get(tenant)?.clone();
        Some(TenantHandle::new(
            Arc::clone(&self.core),
            self.core.tenant(tenant)?,
            key,
            self.publisher.clone(),
        ))
    }

    /// Records that were put aside and belong to none of the tenants that it was started with.
    #[must_use]
    pub fn put_aside_of_nobody(&self) -> u64 {
        self.core.quarantine.of_nobody()
    }

    /// Stops after the current turn: state and position are flushed, waiting requests fail, subscriptions
    /// end.
    pub async fn stop(mut self) {
        self.core.stop();
        let threads = std::mem::take(&mut self.threads);
        let joined = tokio::task::spawn_blocking(move || join(threads)).await;
        if joined.is_err() {
            tracing::error!("the projector's threads could not be waited for");
        }
    }
}

impl Drop for Projector {
    fn drop(&mut self) {
        self.core.stop();
        self.publisher.stop();
        join(std::mem::take(&mut self.threads));
    }
}

fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!("a thread of the projector panicked");
        }
    }
}

/// Waits for a future of the log. On a thread of its own, since the caller's may belong to a runtime.
pub(crate) fn wait_for<T: Send>(
    future: impl Future<Output = Result<T, rollcall_eventlog::ReadError>> + Send,
) -> Result<T, ProjectorError> {
    let stopped = |reason: String| ProjectorError::Stopped { reason };
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build();
            Ok(runtime
                .map_err(|error| stopped(format!("no runtime: {error}")))?
                .block_on(future)?)
        });
        waiting
            .join()
            .unwrap_or_else(|_| Err(stopped("the log panicked".to_owned())))
    })
}
