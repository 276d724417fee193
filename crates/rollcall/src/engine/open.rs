//! Opening the log and the tenants' keys, whichever engine keeps the log.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use parking_lot::Mutex;
use rollcall_domain::TenantId;
use rollcall_eventlog::kafka::{KafkaLog, KafkaMembership};
use rollcall_eventlog::{
    EmbeddedLog, EmbeddedOptions, EventLog, Membership, OpenError, Partition, SoleMember, Stream,
};
use rollcall_ingest::{Clock as _, SystemClock};
use rollcall_projector::StateFolders;

use super::kafka;
use crate::config::{Config, Kafka};
use crate::keys::{KeyStore, LogPresence};

/// The group that shares the tenants.
pub(super) const PROJECT: &str = "project";
/// The group that shares the accounts.
pub(super) const RECONCILE: &str = "reconcile";

/// An open log.
#[derive(Debug, Clone)]
pub(super) enum OpenLog {
    Embedded(Arc<EmbeddedLog>),
    Kafka {
        log: Arc<KafkaLog>,
        members: Arc<Mutex<Vec<Arc<KafkaMembership>>>>,
    },
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
            Self::Kafka { log, .. } => Arc::<KafkaLog>::clone(log),
        }
    }

    /// The log over Kafka, when it is there.
    pub(super) fn kafka(&self) -> Option<&KafkaLog> {
        match self {
            Self::Embedded(_) => None,
            Self::Kafka { log, .. } => Some(log),
        }
    }

    /// The share of this process in the partitions of a stream.
    pub(super) fn join(&self, stream: Stream, group: &str) -> anyhow::Result<Arc<dyn Membership>> {
        match self {
            Self::Embedded(log) => Ok(Arc::new(SoleMember::new(log.as_ref(), stream))),
            Self::Kafka { log, members } => {
                let member = KafkaMembership::join(log, group, stream);
                let member = Arc::new(member.with_context(|| format!("joining the group {group}"))?);
                members.lock().push(Arc::clone(&member));
                Ok(member)
            }
        }
    }

    /// After that time an append that was not acknowledged has been refused.
    pub(super) fn delivery_timeout(&self) -> Duration {
        match self {
            Self::Embedded(_) => Duration::ZERO,
            Self::Kafka { log, .. } => log.options().delivery_timeout,
        }
    }

    /// Gives back all shares: everything is taken away, and handed on once it is let go. Ends when it is.
    pub(super) async fn leave(&self) -> anyhow::Result<()> {
        let Self::Kafka { members, .. } = self else {
            return Ok(());
        };
        let members = std::mem::take(&mut *members.lock());
        let leaving = members
            .into_iter()
            .map(|member| tokio::task::spawn_blocking(move || member.leave()));
        for left in futures::future::join_all(leaving).await {
            left.context("leaving a group")?;
        }
        Ok(())
    }

    pub(super) async fn close(self) -> anyhow::Result<()> {
        let closing = tokio::task::spawn_blocking(move || match self {
            Self::Embedded(log) => log.close(),
            Self::Kafka { log, .. } => log.close(),
        });
        closing.await.context("closing the log")
    }
}

/// Where the projector's states lie.
pub(super) fn state_folders(config: &Config) -> StateFolders {
    match config.kafka {
        None => StateFolders::Only(config.log.path.join("state")),
        Some(_) => StateFolders::In(config.log.path.clone()),
    }
}

/// Opens the log and the keys; both may take a while.
pub(super) async fn open(config: &Config) -> anyhow::Result<Opened> {
    let config = config.clone();
    let opened = tokio::task::spawn_blocking(move || {
        let began = SystemClock.now();
        let opened = match &config.kafka {
            None => embedded(&config),
            Some(kafka) => over_kafka(&config, kafka),
        }?;
        let log_ms = SystemClock.now().millis_since(began);
        tracing::info!(log_ms, "the log is open");
        anyhow::Ok(opened)
    });
    opened.await.context("opening the log")?
}

/// The tenants of the configuration.
pub(crate) fn tenants(config: &Config) -> Vec<TenantId> {
    config.tenants.iter().map(|tenant| tenant.id.clone()).collect()
}

fn embedded(config: &Config) -> anyhow::Result<Opened> {
    let log_folder = config.log.path.join("log");
    let presence = if log_folder.exists() {
        LogPresence::Present
    } else {
        LogPresence::Absent
    };
    let keys =
        KeyStore::open(&config.log.path, &tenants(config), presence).context("opening the key store")?;
    let log = open_log(&log_folder, &state_folders(config))?;
    Ok(Opened {
        log: OpenLog::Embedded(Arc::new(log)),
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
            states.of(Partition::ONLY).display()
        );
    }
    opened.context("opening the log")
}

/// Opens the topics. At the first start of all they are made, where that is wanted; a folder that has seen a log takes
/// no other one, and one that has keys begins none: the log that they were made for was lost.
fn over_kafka(config: &Config, kafka: &Kafka) -> anyhow::Result<Opened> {
    let known = kafka::known_log(&config.log.path)?;
    let make = kafka.create_topics && known.is_none() && !kafka::has_keys(&config.log.path)?;
    let made = kafka::topics(&config.log.path, kafka, make)?;
    let log = KafkaLog::open(&kafka::options(kafka)).context("opening the log")?;
    kafka::remember_log(&config.log.path, known, &log)?;
    let keys = if made {
        kafka::make_keys(config, &log)
    } else {
        KeyStore::open_existing(&config.log.path, &tenants(config)).context("opening the key store")
    };
    Ok(Opened {
        log: OpenLog::Kafka {
            log: Arc::new(log),
            members: Arc::default(),
        },
        keys: keys?,
    })
}
