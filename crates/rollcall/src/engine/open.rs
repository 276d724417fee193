//! Opening the log and the tenants' keys, whichever engine keeps the log.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rollcall_domain::TenantId;
use rollcall_eventlog::{
    EmbeddedLog, EmbeddedOptions, EventLog, Membership, OpenError, Stream,
};
use rollcall_ingest::{Clock as _, SystemClock};
use rollcall_projector::StateFolders;

use super::alone::Alone;
use crate::config::Config;
use crate::keys::{KeyStore, LogPresence};

/// The group that shares the tenants.
pub(super) const PROJECT: &str = "project";
/// The group that shares the accounts.
pub(super) const RECONCILE: &str = "reconcile";

/// An open log.
#[derive(Debug, Clone)]
pub(super) enum OpenLog {
    Embedded(Arc<EmbeddedLog>),
}

/// What was opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) log: OpenLog,
    pub(super) keys: KeyStore,
}

impl OpenLog {
    pub(super) fn shared(&self) -> Arc<dyn EventLog> {
        match self {
            Self::Embedded(log) => Arc::<EmbeddedLog>::clone(log),
        }
    }

    /// The share of this process in the partitions of a stream.
    pub(super) async fn join(&self, stream: Stream, group: &str) -> anyhow::Result<Arc<dyn Membership>> {
        match self {
            Self::Embedded(log) => Ok(Arc::new(Alone::new(log.as_ref(), stream))),
        }
    }

    /// After that time an append that was not acknowledged has been refused.
    pub(super) fn delivery_timeout(&self) -> Duration {
        match self {
            Self::Embedded(_) => Duration::ZERO,
        }
    }

    pub(super) async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Embedded(log) => tokio::task::spawn_blocking(move || log.close())
                .await
                .context("closing the log"),
        }
    }
}

/// Where the projector's states lie.
pub(super) fn state_folders(config: &Config) -> StateFolders {
    match config.kafka {
        None => StateFolders::Only(config.log.path.join("state")),
        Some(_) => StateFolders::In(config.log.path.clone()),
    }
}

/// Opens the log and the keys.
pub(super) async fn open(config: &Config) -> anyhow::Result<Opened> {
    embedded(config).await
}

fn tenants(config: &Config) -> Vec<TenantId> {
    config.tenants.iter().map(|tenant| tenant.id.clone()).collect()
}

async fn embedded(config: &Config) -> anyhow::Result<Opened> {
    let folder = config.log.path.clone();
    let (log_folder, states) = (folder.join("log"), state_folders(config));
    let presence = if log_folder.exists() {
        LogPresence::Present
    } else {
        LogPresence::Absent
    };
    let keys = KeyStore::open(&folder, &tenants(config), presence).context("opening the key store")?;
    let opened = tokio::task::spawn_blocking(move || {
        let began = SystemClock.now();
        let log = Arc::new(open_log(&log_folder, &states)?);
        let log_ms = SystemClock.now().millis_since(began);
        tracing::info!(log_ms, "the log is open");
        anyhow::Ok(log)
    });
    let log = opened.await.context("opening the data folder")??;
    Ok(Opened {
        log: OpenLog::Embedded(log),
        keys,
    })
}

/// Opens the log, and makes one at the first start only: a state was computed from a log, so where one lies without the
/// other the log was lost. A fresh one would forget everybody.
fn open_log(log: &Path, states: &StateFolders) -> anyhow::Result<EmbeddedLog> {
    let begun = states.any_begun();
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
            states.of(rollcall_eventlog::Partition::ONLY).display()
        );
    }
    opened.context("opening the log")
}
