//! What `rollcall check` asks the brokers. It writes nothing, in Kafka or here.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use rollcall_domain::TenantId;
use rollcall_eventlog::kafka::topics::{self, Finding, TopicReport, TopicState};
use rollcall_eventlog::kafka::{KafkaError, KafkaLog, KafkaOptions, missing_rights};
use tokio::sync::oneshot;

use super::kafka::{has_keys, keys_without_log, known_log, none_is_there, options, other_log, plan};
use super::{fingerprints, open};
use crate::config::{Config, Kafka, KafkaSasl, PasswordMechanism};
use crate::keys::KeyStore;
use crate::output::Checked;

/// How long one question to the brokers may take. Brokers that cannot be reached are told of after this.
const QUESTION: Duration = Duration::from_secs(8);
/// How long all questions together may take: brokers that answer slowly, each time.
const ALL_QUESTIONS: Duration = Duration::from_secs(30);
/// The check of the connection.
const BROKERS: &str = "Kafka";

/// Asks the brokers whether they let us in, how the topics are set up, and which log they hold. Empty over the embedded
/// log. Takes half a minute at most.
pub async fn check_brokers(config: &Config) -> Vec<Checked> {
    let Some(kafka) = config.kafka.clone() else {
        return Vec::new();
    };
    let config = config.clone();
    let (answer, answered) = oneshot::channel();
    // A thread of its own, which is left behind when it does not come back: the command must end.
    let asking = std::thread::Builder::new().name("check-kafka".to_owned());
    let brokers = kafka.brokers.clone();
    let asking = asking.spawn(move || answer.send(ask(&config, &kafka)));
    if let Err(error) = asking {
        return vec![Checked::failed(BROKERS, format!("no thread: {error}"))];
    }
    match tokio::time::timeout(ALL_QUESTIONS, answered).await {
        Ok(Ok(checks)) => checks,
        Ok(Err(_)) | Err(_) => {
            let found =
                format!("{brokers}: not all was answered within {ALL_QUESTIONS:?}: look at the brokers");
            vec![Checked::failed(BROKERS, found)]
        }
    }
}

/// Blocks.
fn ask(config: &Config, kafka: &Kafka) -> Vec<Checked> {
    let options = KafkaOptions {
        request_timeout: QUESTION,
        ..options(kafka)
    };
    let report = match topics::check(&options, &plan(kafka)) {
        Ok(report) => report,
        Err(error) => return vec![Checked::failed(BROKERS, advised(&error))],
    };
    let mut checks = vec![Checked::good(BROKERS, reached(kafka))];
    let known = known_log(&config.log.path);
    let keys_alone = report.log_id.is_none() && has_keys(&config.log.path).unwrap_or(false);
    let first_start =
        none_is_there(&report) && !keys_alone && kafka.create_topics && matches!(known, Ok(None));
    let lost = keys_alone.then(|| keys_without_log(&config.log.path, &kafka.topic_prefix));
    checks.extend(report.topics.iter().map(|topic| match &lost {
        Some(lost) => Checked::failed(format!("topic {}", topic.name), lost.clone()),
        None => about(topic, &report, first_start),
    }));
    if let Some(unchecked) = &report.unchecked {
        let found = format!("{unchecked}: compare them by hand with docs/deployment.md");
        checks.push(Checked::warning("settings of the topics", found));
    }
    match known {
        Ok(known) => checks.extend(identity(&config.log.path, known, &report, kafka)),
        Err(error) => checks.push(Checked::failed("log", format!("{error:#}"))),
    }
    if report.topics.iter().all(|topic| topic.exists) {
        checks.push(rights(&options));
    }
    if report.log_id.is_some() {
        checks.push(keys(config, &options));
    }
    checks
}

/// How the brokers were reached.
fn reached(kafka: &Kafka) -> String {
    let tls = kafka.security.tls.as_ref();
    let encrypted = if tls.is_some() { "over TLS" } else { "unencrypted" };
    let login = match &kafka.security.sasl {
        Some(KafkaSasl::Password {
            mechanism, username, ..
        }) => {
            let mechanism = match mechanism {
                PasswordMechanism::Plain => "PLAIN",
                PasswordMechanism::ScramSha256 => "SCRAM-SHA-256",
                PasswordMechanism::ScramSha512 => "SCRAM-SHA-512",
            };
            format!("logged in as {username} with {mechanism}")
        }
        Some(KafkaSasl::TokenFile(_) | KafkaSasl::Token(_)) => "logged in with a token".to_owned(),
        None if tls.is_some_and(|tls| tls.cert_file.is_some()) => "with our certificate".to_owned(),
        None => "without a login".to_owned(),
    };
    format!("{} answers {encrypted}, {login}", kafka.brokers)
}

/// What was wrong, and what to do.
fn advised(error: &KafkaError) -> String {
    let advice = match error {
        KafkaError::Unreachable { .. } => {
            "see that kafka.brokers names them and that they run and can be reached from here"
        }
        KafkaError::Login { .. } => {
            "correct kafka.sasl_mechanism, kafka.username and its password, or the token, or give the user that login"
        }
        KafkaError::Encryption { .. } => {
            "correct kafka.security, kafka.ca_file or our certificate; the broker's must bear the name in kafka.brokers"
        }
        KafkaError::Refused { .. } => "give the login the rights in docs/deployment.md",
        _ => return error.to_string(),
    };
    format!("{error}: {advice}")
}

/// A topic, with what changes whatever is wrong with it.
fn about(topic: &TopicState, report: &TopicReport, first_start: bool) -> Checked {
    let what = format!("topic {}", topic.name);
    if first_start {
        return Checked::warning(
            what,
            "is not there yet: `rollcall topics` makes it, or else the first start",
        );
    }
    if let Some(missing) = report.missing(topic) {
        return Checked::failed(what, missing);
    }
    if topic.findings.is_empty() {
        let (partitions, copies) = (topic.partitions, topic.replication);
        if !topic.warnings.is_empty() {
            return Checked::warning(what, listed(&topic.warnings));
        }
        return Checked::good(what, format!("partitions: {partitions}, copies: {copies}"));
    }
    Checked::failed(what, listed(&topic.findings))
}

fn listed(findings: &[Finding]) -> String {
    let findings: Vec<_> = findings.iter().map(ToString::to_string).collect();
    findings.join("; ")
}

/// Whether the topics hold the log that the data folder has seen.
fn identity(folder: &Path, known: Option<String>, report: &TopicReport, kafka: &Kafka) -> Option<Checked> {
    let what = "log";
    let shown = folder.display();
    let now = report.log_id.map(|id| id.to_string());
    Some(match (known, now) {
        (Some(known), Some(now)) if known == now => Checked::good(what, format!("{now}, as in {shown}")),
        (Some(known), Some(now)) => {
            Checked::failed(what, other_log(&kafka.topic_prefix, &now, folder, &known))
        }
        (None, Some(now)) => Checked::good(what, format!("{now}; {shown} has seen none yet")),
        (Some(known), None) => Checked::failed(
            what,
            format!("{shown} belongs to log {known}, and the topics hold none: restore them"),
        ),
        (None, None) => return None,
    })
}

/// Whether the names in the log can be recognised here: there is a key of every tenant, and it is the log's.
fn keys(config: &Config, options: &KafkaOptions) -> Checked {
    let what = "keys";
    let tenants = open::tenants(config);
    let keys = match KeyStore::open_existing(&config.log.path, &tenants) {
        Ok(keys) => keys,
        Err(error) => return Checked::failed(what, format!("{:#}", anyhow::Error::new(error))),
    };
    match compare(config, options, &tenants, &keys) {
        Ok(Compared {
            of_another: Some(found),
            ..
        }) => Checked::failed(what, found),
        Ok(Compared { unknown, .. }) if unknown.is_empty() => {
            Checked::good(what, "keys.json has the log's for every tenant")
        }
        Ok(Compared { unknown, .. }) => Checked::good(
            what,
            format!(
                "keys.json has one for every tenant; the log does not tell yet whether these are its own: {}",
                unknown.join(", ")
            ),
        ),
        Err(error) => Checked::warning(
            what,
            format!(
                "keys.json has one for every tenant; they could not be compared with the log's: {error:#}"
            ),
        ),
    }
}

/// How our keys compare with the fingerprints in the log.
#[derive(Default)]
struct Compared {
    /// The first that is not the log's, in words.
    of_another: Option<String>,
    /// The tenants of which the log has no fingerprint.
    unknown: Vec<String>,
}

/// Reads each tenant's partition up to its fingerprint.
fn compare(
    config: &Config,
    options: &KafkaOptions,
    tenants: &[TenantId],
    keys: &KeyStore,
) -> anyhow::Result<Compared> {
    let log = KafkaLog::open(options)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .context("starting a runtime")?;
    let mut compared = Compared::default();
    for tenant in tenants {
        let first = async { tokio::time::timeout(QUESTION, fingerprints::first(&log, tenant)).await };
        let first = runtime.block_on(first);
        let first = first.map_err(|_| anyhow::anyhow!("not found within {QUESTION:?}"))??;
        match first {
            None => compared.unknown.push(tenant.to_string()),
            Some(first) if keys.get(tenant).map(fingerprints::fingerprint).as_ref() == Some(&first) => {}
            Some(_) => {
                compared.of_another = Some(fingerprints::of_another(&config.log.path, tenant));
                break;
            }
        }
    }
    Ok(compared)
}

/// Whether this login may do what a process does: all roles alike, as in docs/deployment.md.
fn rights(options: &KafkaOptions) -> Checked {
    let what = "rights";
    match missing_rights(options, &[open::PROJECT, open::RECONCILE, "reader"]) {
        Ok(missing) if missing.is_empty() => {
            Checked::good(what, "may write to the topics, and read in the groups")
        }
        Ok(missing) => Checked::failed(
            what,
            format!(
                "this login lacks: {}; give it the rights in docs/deployment.md",
                missing.join(", ")
            ),
        ),
        Err(error) => Checked::failed(what, advised(&error)),
    }
}
