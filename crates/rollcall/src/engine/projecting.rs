//! What the owner of a partition of `events` does for the tenants in it: it folds and publishes them, and brings their
//! configured policy into force.

use std::sync::Arc;

use anyhow::Context as _;
use futures::future::BoxFuture;
use rollcall_domain::{Policy, TenantId};
use rollcall_eventlog::Partition;

use super::sharing::Attend;
use super::{Core, caught_up, policy};
use crate::config::Config;

/// The work of `rollcall project`.
#[derive(Debug)]
pub(super) struct Projecting {
    core: Arc<Core>,
    policies: Vec<(TenantId, Policy)>,
}

impl Projecting {
    pub(super) fn new(core: Arc<Core>, config: &Config) -> Self {
        let policy = |tenant: &crate::config::Tenant| (tenant.id.clone(), tenant.policy.clone());
        Self {
            core,
            policies: config.tenants.iter().map(policy).collect(),
        }
    }

    async fn begin(&self, partition: Partition) -> anyhow::Result<()> {
        let projectors = &self.core.projectors;
        let tenants = self.policies.iter();
        let here: Vec<_> = tenants
            .filter(|(tenant, _)| projectors.partition_of(tenant) == partition)
            .collect();
        if here.is_empty() {
            return Ok(()); // nobody of ours stands there
        }
        if !self.core.role.folds_all() {
            self.core.start_projector(partition).await?; // else it runs since the start
        }
        for (tenant, policy) in here {
            let directory = projectors
                .tenant(tenant)
                .with_context(|| format!("tenant {tenant} is not projected"))?;
            caught_up(&directory).await?;
            self.core.fit(&directory).await?;
            policy::bring_into_force(&self.core.log, &directory, policy).await?;
        }
        Ok(())
    }
}

impl Attend for Projecting {
    fn take(&self, partition: Partition) -> BoxFuture<'_, anyhow::Result<()>> {
        Box::pin(async move {
            let begun = self.begin(partition).await;
            if begun.is_err() {
                self.let_go(partition).await;
            }
            begun
        })
    }

    fn let_go(&self, partition: Partition) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if !self.core.role.folds_all() {
                self.core.projectors.stop(partition).await;
            }
        })
    }

    fn dealt(&self, _owned: usize) {}
}
