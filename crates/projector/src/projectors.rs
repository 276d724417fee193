//! The projectors of a process, one for each partition that it folds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use rollcall_domain::TenantId;
use rollcall_eventlog::{EventLog, Partition, Stream};

use crate::{Projector, ProjectorError, Publishing, TenantHandle, TenantSetup};

/// Where the states of partitions lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateFolders {
    /// There is one partition, and this is its state.
    Only(PathBuf),
    /// `state-<partition>` in this folder.
    In(PathBuf),
}

impl StateFolders {
    /// The folder of a partition's state.
    #[must_use]
    pub fn of(&self, partition: Partition) -> PathBuf {
        match self {
            Self::Only(dir) => dir.clone(),
            Self::In(folder) => folder.join(format!("state-{partition}")),
        }
    }

    /// True when a state lies in one of them: the log was folded here before.
    #[must_use]
    pub fn any_begun(&self) -> bool {
        let begun = |dir: &Path| std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
        match self {
            Self::Only(dir) => begun(dir),
            Self::In(folder) => std::fs::read_dir(folder).is_ok_and(|entries| {
                entries.flatten().any(|entry| {
                    entry.file_name().to_string_lossy().starts_with("state-") && begun(&entry.path())
                })
            }),
        }
    }
}

/// A projector for each partition that is folded here; they start and stop one by one.
#[derive(Debug)]
pub struct Projectors {
    log: Arc<dyn EventLog>,
    folders: StateFolders,
    tenants: Vec<TenantSetup>,
    publishing: Publishing,
    running: RwLock<BTreeMap<Partition, Projector>>,
    /// What those that ended had put aside of nobody.
    put_aside: AtomicU64,
}

impl Projectors {
    /// None runs yet.
    #[must_use]
    pub fn new(
        log: Arc<dyn EventLog>,
        folders: StateFolders,
        tenants: Vec<TenantSetup>,
        publishing: Publishing,
    ) -> Self {
        Self {
            log,
            folders,
            tenants,
            publishing,
            running: RwLock::default(),
            put_aside: AtomicU64::new(0),
        }
    }

    /// The partition in which a tenant's events stand.
    #[must_use]
    pub fn partition_of(&self, tenant: &TenantId) -> Partition {
        self.log.partition_of(Stream::Events, tenant.as_str().as_bytes())
    }

    /// The partitions in which the tenants stand.
    #[must_use]
    pub fn partitions(&self) -> BTreeSet<Partition> {
        self.tenants
            .iter()
            .map(|tenant| self.partition_of(&tenant.id))
            .collect()
    }

    /// Starts the projector of a partition, unless it runs. Blocks, as [`Projector::start`] does; to be called by one
    /// at a time for one partition.
    ///
    /// # Errors
    /// As [`Projector::start`].
    pub fn start(&self, partition: Partition) -> Result<(), ProjectorError> {
        if self.running.read().contains_key(&partition) {
            return Ok(());
        }
        let projector = Projector::start_partition(
            Arc::clone(&self.log),
            partition,
            &self.folders.of(partition),
            self.tenants.clone(),
            self.publishing.clone(),
        )?;
        self.running.write().insert(partition, projector);
        Ok(())
    }

    /// Stops the projector of a partition after its turn, if it runs.
    pub async fn stop(&self, partition: Partition) {
        let projector = self.running.write().remove(&partition);
        if let Some(projector) = projector {
            self.end(projector).await;
        }
    }

    /// Stops all of them.
    pub async fn stop_all(&self) {
        let all = std::mem::take(&mut *self.running.write());
        for projector in all.into_values() {
            self.end(projector).await;
        }
    }

    async fn end(&self, projector: Projector) {
        self.put_aside
            .fetch_add(projector.put_aside_of_nobody(), Ordering::Relaxed);
        projector.stop().await;
    }

    /// Records that were put aside since the start and belong to none of the tenants here: their key names no tenant,
    /// one that is not configured, or one whose place is another partition.
    #[must_use]
    pub fn put_aside_of_nobody(&self) -> u64 {
        let running = self.running.read();
        let now = running.values().map(Projector::put_aside_of_nobody).sum::<u64>();
        now.saturating_add(self.put_aside.load(Ordering::Relaxed))
    }

    /// The partitions that are folded.
    #[must_use]
    pub fn running(&self) -> BTreeSet<Partition> {
        self.running.read().keys().copied().collect()
    }

    /// The handle of a tenant; `None` while its partition is not folded here.
    #[must_use]
    pub fn tenant(&self, tenant: &TenantId) -> Option<TenantHandle> {
        let running = self.running.read();
        running.get(&self.partition_of(tenant))?.tenant(tenant)
    }
}
