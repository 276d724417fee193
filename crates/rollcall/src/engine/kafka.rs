//! A log in Kafka: its settings, its topics, and what a data folder knows of it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail, ensure};
use rollcall_domain::TenantId;
use rollcall_eventlog::kafka::topics::{self, TopicPlan, TopicReport};
use rollcall_eventlog::kafka::{KafkaError, KafkaLog, KafkaOptions, Sasl, Security, Tls, TokenSource};
use rollcall_eventlog::{BatchLimits, ReadLog, Stream};

use super::fingerprints::{self, Fingerprints};
use super::open;
use crate::config::{Config, Kafka, KafkaSasl, KafkaSecurity, KafkaTls, PasswordMechanism};
use crate::files::{self, Failed};
use crate::keys::{KeyStore, LogPresence};

/// The file that names the log of a data folder.
const LOG_FILE: &str = "log-id";
/// Bytes of that file: 32 digits and a line's end.
const LOG_FILE_MAX: u64 = 64;

/// How the cluster is reached.
pub(crate) fn options(kafka: &Kafka) -> KafkaOptions {
    KafkaOptions {
        topic_prefix: kafka.topic_prefix.clone(),
        security: security(&kafka.security),
        delivery_timeout: kafka.delivery_timeout,
        session_timeout: kafka.session_timeout,
        queue_bytes: kafka.queue,
        accepted_holes: kafka.accept_holes.clone(),
        ..KafkaOptions::new(kafka.brokers.clone())
    }
}

/// What the topics should be.
pub(crate) fn plan(kafka: &Kafka) -> TopicPlan {
    TopicPlan {
        events_partitions: kafka.topics.partitions,
        account_partitions: kafka.topics.account_partitions,
        replication: kafka.topics.replication,
        min_insync: kafka.topics.min_insync,
    }
}

fn security(security: &KafkaSecurity) -> Security {
    let tls = security.tls.as_ref().map(tls);
    let sasl = security.sasl.as_ref().map(sasl);
    match (tls, sasl) {
        (None, None) => Security::Plaintext,
        (Some(tls), None) => Security::Tls(tls),
        (None, Some(sasl)) => Security::SaslPlaintext(sasl),
        (Some(tls), Some(sasl)) => Security::SaslTls(sasl, tls),
    }
}

fn tls(tls: &KafkaTls) -> Tls {
    Tls {
        ca_file: tls.ca_file.clone(),
        cert_file: tls.cert_file.clone(),
        key_file: tls.key_file.clone(),
        key_password: tls.key_password.clone(),
    }
}

fn sasl(sasl: &KafkaSasl) -> Sasl {
    match sasl {
        KafkaSasl::TokenFile(file) => Sasl::OAuthBearer(TokenSource::File(file.clone())),
        KafkaSasl::Token(token) => Sasl::OAuthBearer(TokenSource::Fixed(token.clone())),
        KafkaSasl::Password {
            mechanism,
            username,
            password,
        } => {
            let (username, password) = (username.clone(), password.clone());
            match mechanism {
                PasswordMechanism::Plain => Sasl::Plain { username, password },
                PasswordMechanism::ScramSha256 => Sasl::ScramSha256 { username, password },
                PasswordMechanism::ScramSha512 => Sasl::ScramSha512 { username, password },
            }
        }
    }
}

/// Checks the topics, and makes those that are missing where that is wanted. True when this call began the log.
pub(super) fn topics(folder: &Path, kafka: &Kafka, make: bool) -> anyhow::Result<bool> {
    let (options, plan) = (options(kafka), plan(kafka));
    let report = if make {
        topics::ensure(&options, &plan)
    } else {
        topics::check(&options, &plan)
    };
    let report = report.context("looking at the topics")?;
    let made = began(&report);
    if let Some(unchecked) = &report.unchecked {
        tracing::warn!(unchecked, "the topics' settings");
    }
    refuse_to_begin_anew(folder, &report)?;
    if report.log_id.is_none() && has_keys(folder)? {
        bail!(keys_without_log(folder, &options.topic_prefix));
    }
    if !report.is_good() {
        return Err(KafkaError::Topics(Box::new(report)).into());
    }
    Ok(made)
}

/// Refuses to make topics for a data folder that has seen a log whose records are not there any more: whoever lost them
/// is to bring them back, or to say that they are given up. What is computed from the others (`desired`) is no loss.
pub(crate) fn refuse_to_begin_anew(folder: &Path, report: &TopicReport) -> anyhow::Result<()> {
    let lost = report
        .topics
        .iter()
        .filter(|topic| !topic.exists && topic.stream != Stream::Desired);
    let lost: Vec<&str> = lost.map(|topic| topic.name.as_str()).collect();
    if lost.is_empty() {
        return Ok(()); // the markers tell
    }
    match known_log(folder)? {
        None => Ok(()),
        Some(known) => bail!(
            "{} belongs to log {known}, and its topics are not there ({}): they were deleted, or these are other \
             brokers; restore them (to begin anew, or to copy a kept log back, move the whole data folder away but \
             keys.json)",
            folder.display(),
            lost.join(", ")
        ),
    }
}

/// Whether a data folder has keys of any tenant: then it, or the one that they are from, has had a log.
pub(crate) fn has_keys(folder: &Path) -> anyhow::Result<bool> {
    let keys = KeyStore::open_existing(folder, &[]).context("opening the key store")?;
    Ok(keys.tenants().next().is_some())
}

/// Whether there is none of the topics.
pub(super) fn none_is_there(report: &TopicReport) -> bool {
    report.topics.iter().all(|topic| !topic.exists)
}

/// What is said of keys beside no log: a fresh one in its place knows nobody, and everybody would be made once more.
pub(super) fn keys_without_log(folder: &Path, prefix: &str) -> String {
    format!(
        "{} has keys of a log, and the topics {prefix}* hold none: they were deleted, or these are other brokers; \
         restore them, or copy a kept log back (where there was none, `rollcall topics` begins a new one with these \
         keys)",
        folder.join(crate::keys::FILE).display()
    )
}

/// Whether whoever has this report made the topic of events: of several that try at once exactly one does.
pub(crate) fn began(report: &TopicReport) -> bool {
    let mut topics = report.topics.iter();
    topics.any(|topic| topic.stream == Stream::Events && topic.created)
}

/// Makes the keys of tenants that the log does not know yet, and puts their fingerprints into it; keys that are there
/// already stay, and must be the log's. Blocks.
pub(crate) fn make_keys(config: &Config, log: &KafkaLog) -> anyhow::Result<KeyStore> {
    let tenants = open::tenants(config);
    let folder = &config.log.path;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .context("starting a runtime")?;
    let missing = KeyStore::missing(folder, &tenants).context("opening the key store")?;
    for tenant in &missing {
        let begun = runtime.block_on(fingerprints::first(log, tenant))?.is_some();
        ensure!(
            !begun && !has_events(log, tenant.as_str())?,
            "tenant {tenant} is in the log already, but has no key in {}: copy keys.json from the machine that made \
             it (the one where `rollcall topics` or a process was the first), or restore it from a backup",
            folder.display()
        );
    }
    let keys = KeyStore::open(folder, &tenants, LogPresence::Absent).context("making the keys")?;
    let ours = Fingerprints::new(folder, &keys);
    for tenant in &tenants {
        // Who has events and no fingerprint is of an earlier version: a process that knows an account decides.
        let is_old = runtime.block_on(fingerprints::first(log, tenant))?.is_none()
            && has_events(log, tenant.as_str())?;
        if !is_old {
            runtime.block_on(ours.settle(log, tenant))?;
        }
    }
    Ok(keys)
}

/// Refuses to copy into topics that were begun with other keys than those of the log that comes into them.
pub(crate) async fn same_keys(
    tenants: &[TenantId],
    source: &Path,
    target: &(impl ReadLog + ?Sized),
) -> anyhow::Result<()> {
    let known = KeyStore::open_existing(source, &[]).context("opening the keys of the source")?;
    for tenant in tenants {
        let first = fingerprints::first(target, tenant).await?;
        let ours = known.get(tenant).map(fingerprints::fingerprint);
        ensure!(
            first.is_none() || ours.is_none() || first == ours,
            "the topics were begun with another key of tenant {tenant} than the one in {}: remove the topics, put that \
             keys.json into the data folder of the configuration, run `rollcall topics` and copy again",
            source.display()
        );
    }
    Ok(())
}

/// Whether a tenant has events. Reads its partition up to the first; blocks.
fn has_events(log: &KafkaLog, tenant: &str) -> anyhow::Result<bool> {
    let partition = log.partition_of(Stream::Events, tenant.as_bytes());
    let mut reader = log.reader(Stream::Events, partition, None)?;
    loop {
        let batch = reader.next_batch_blocking(BatchLimits::REPLAY)?;
        if batch.is_empty() {
            return Ok(false);
        }
        if batch.iter().any(|record| record.key == tenant.as_bytes()) {
            return Ok(true);
        }
    }
}

fn log_file(folder: &Path) -> PathBuf {
    folder.join(LOG_FILE)
}

/// The log that a data folder has seen, as text; none at the first start.
pub(super) fn known_log(folder: &Path) -> anyhow::Result<Option<String>> {
    let path = log_file(folder);
    match crate::config::read_bounded(&path, LOG_FILE_MAX) {
        Ok(Some(bytes)) => Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned())),
        Ok(None) => bail!("{} is no name of a log", path.display()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// What is said when the topics hold another log than the folder has seen.
pub(super) fn other_log(prefix: &str, now: &str, folder: &Path, known: &str) -> String {
    format!(
        "the topics {prefix}* were deleted or recreated, or are another log's: they hold log {now}, and {} belongs to \
         log {known}; restore the topics (to begin anew with these, move the whole data folder away but keys.json)",
        folder.display()
    )
}

/// Compares the log with the one that the folder has seen, and remembers it: topics that were made anew behind our back
/// are never taken for a fresh start.
pub(super) fn remember_log(folder: &Path, known: Option<String>, log: &KafkaLog) -> anyhow::Result<()> {
    let now = log.log_id().to_string();
    match known {
        Some(known) if known == now => Ok(()),
        Some(known) => bail!(other_log(&log.options().topic_prefix, &now, folder, &known)),
        None => {
            let path = log_file(folder);
            files::make_folder(&path)
                .and_then(|()| files::replace(&path, format!("{now}\n").as_bytes()))
                .map_err(|Failed { action, source }| {
                    anyhow!(source).context(format!("{}: {action} failed", path.display()))
                })
        }
    }
}
