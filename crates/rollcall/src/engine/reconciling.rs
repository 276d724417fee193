//! What the owner of a partition of accounts does: for every tenant a reconciler that keeps to these accounts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::future::{BoxFuture, join_all};
use rollcall_eventlog::{Membership, Partition, Stream};
use rollcall_fluent::FluentClient;
use rollcall_ingest::{Clock as _, SystemClock};
use rollcall_reconciler::{Lease, PartitionLease, Reconciler, ReconcilerConfig, Scope, partition_of_tenant};

use tokio::sync::Semaphore;

use super::sharing::Attend;
use super::{Core, Tenant, caught_up, fluent};
use crate::config::{Config, Tenant as TenantConfig};

/// Ledgers that are read at one time, over all partitions and tenants: each has a client of its own with some MiB
/// ahead.
const LEDGERS_AT_ONCE: usize = 24;

/// The work of `rollcall reconcile`.
#[derive(Debug)]
pub(super) struct Reconciling {
    core: Arc<Core>,
    folder: PathBuf,
    tenants: Vec<(TenantConfig, FluentClient)>,
    membership: Arc<dyn Membership>,
    delivery_timeout: Duration,
    /// Partitions of accounts in all.
    of: usize,
    /// One process owns everything for ever, as over the embedded log.
    alone: bool,
    reading: Semaphore,
}

impl Reconciling {
    pub(super) fn new(
        core: Arc<Core>,
        config: &Config,
        membership: Arc<dyn Membership>,
        delivery_timeout: Duration,
    ) -> anyhow::Result<Self> {
        let folder = config.log.path.clone();
        let with_client = |tenant: &TenantConfig| Ok((tenant.clone(), fluent::client(&folder, tenant)?));
        Ok(Self {
            tenants: config
                .tenants
                .iter()
                .map(with_client)
                .collect::<anyhow::Result<_>>()?,
            of: core.log.partitions(Stream::Outcomes).len().max(1),
            alone: config.kafka.is_none(),
            reading: Semaphore::new(LEDGERS_AT_ONCE),
            folder,
            core,
            membership,
            delivery_timeout,
        })
    }

    fn settings(&self, tenant: &TenantConfig, member: &Tenant, partition: Partition) -> ReconcilerConfig {
        let fluent = &tenant.fluent;
        let singleton = partition_of_tenant(self.core.log.as_ref(), &tenant.id) == partition;
        let shared = ReconcilerConfig {
            late_write_window: fluent.late_write_window,
            concurrency_max: fluent.concurrency.div_ceil(self.of),
            catalog_every: fluent.catalog_interval,
            resync_every: fluent.resync_interval,
            request_timeout: fluent.request_timeout,
            crew: Some(member.crew.clone()),
            ..ReconcilerConfig::new(tenant.id.clone())
        };
        if self.alone {
            return ReconcilerConfig {
                checkpoint: Some(self.folder.join(format!("ledger-{}.checkpoint", tenant.id))),
                ..shared
            };
        }
        let lease: Arc<dyn Lease> = Arc::new(PartitionLease::new(Arc::clone(&self.membership), partition));
        ReconcilerConfig {
            scope: Scope::Partition(partition),
            catalog: singleton,
            delivery_timeout: self.delivery_timeout,
            checkpoint: Some(checkpoint(&self.folder, tenant, partition)),
            lease,
            ..shared
        }
    }

    /// Begins with every tenant, none waiting for another: those that cannot be begun keep nobody else unattended.
    async fn begin(&self, partition: Partition) -> anyhow::Result<()> {
        let tenants = self.tenants.iter();
        let begun =
            join_all(tenants.map(|(tenant, client)| self.begin_with(partition, tenant, client))).await;
        let failed: Vec<String> = begun
            .into_iter()
            .filter_map(Result::err)
            .map(|error| format!("{error:#}"))
            .collect();
        anyhow::ensure!(failed.is_empty(), "{}", failed.join("; "));
        Ok(())
    }

    /// Begins with one tenant, unless that is done.
    async fn begin_with(
        &self,
        partition: Partition,
        tenant: &TenantConfig,
        client: &FluentClient,
    ) -> anyhow::Result<()> {
        let (member, directory) = self.core.of(&tenant.id)?;
        if member.reconcilers.read().contains_key(&partition) {
            return Ok(());
        }
        // The owner before may have served what stands at the very end of the log: to plan from less would take a
        // leaver back. Its lease is over, so it serves nothing beyond what is there now.
        caught_up(&directory).await?;
        // Not before: whoever waits for the end of an unreachable partition of `events` keeps nobody from reading.
        let _reading = self.reading.acquire().await?;
        let settings = self.settings(tenant, member, partition);
        let log = Arc::clone(&self.core.log);
        let began = SystemClock.now();
        let reconciler = Reconciler::start(settings, log, Arc::new(directory), client.clone())
            .await
            .with_context(|| format!("starting the reconciler of {}", tenant.id))?;
        let ledger_ms = SystemClock.now().millis_since(began);
        tracing::info!(tenant = %tenant.id, %partition, ledger_ms, "what is ours in Fluent is known");
        member.reconcilers.write().insert(partition, reconciler);
        Ok(())
    }
}

fn checkpoint(folder: &Path, tenant: &TenantConfig, partition: Partition) -> PathBuf {
    folder.join(format!("ledger-{}-{partition}.checkpoint", tenant.id))
}

impl Attend for Reconciling {
    fn take(&self, partition: Partition) -> BoxFuture<'_, anyhow::Result<()>> {
        Box::pin(self.begin(partition))
    }

    fn let_go(&self, partition: Partition) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let ending = self.core.tenants.iter().filter_map(|tenant| {
                let reconciler = tenant.reconcilers.write().remove(&partition)?;
                Some(reconciler.stop())
            });
            let ending: Vec<_> = ending.collect();
            join_all(ending).await;
        })
    }

    /// This process's part of the requests that all together may have out at one time.
    fn dealt(&self, owned: usize) {
        for (tenant, _) in &self.tenants {
            let part = tenant.fluent.concurrency.saturating_mul(owned).div_ceil(self.of);
            if let Ok((member, _)) = self.core.of(&tenant.id) {
                member.crew.set_concurrency(part);
            }
        }
    }
}
