//! `rollcall topics` and `rollcall log copy`: what an operator does to a log in Kafka.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use rollcall_eventlog::copy::{CopySummary, copy};
use rollcall_eventlog::kafka::topics::{self, Finding, TopicReport};
use rollcall_eventlog::kafka::{KafkaError, KafkaLog};
use rollcall_eventlog::{EmbeddedLog, EmbeddedOptions, EventLog, ReadLog, ReadOnlyLog, Retry, Verification};
use serde_json::json;

use super::progress::CopyShown;
use crate::config::{Config, Kafka};
use crate::engine::{kafka, open};
use crate::exit::Failure;
use crate::output::{Format, table};

/// What stands for the topics of the configuration as an end of a copy.
const KAFKA: &str = "kafka";

fn settings(config: &Config) -> Result<&Kafka, Failure> {
    let kafka = config.kafka.as_ref();
    kafka.ok_or_else(|| {
        Failure::Usage("the log of this configuration is not in Kafka: [log] engine".to_owned())
    })
}

/// Makes what is missing, the keys of new tenants too, and checks everything; blocks.
pub(super) fn create(config: &Config, format: Format) -> Result<(), Failure> {
    let settings = settings(config)?;
    let found = topics::check(&kafka::options(settings), &kafka::plan(settings)).map_err(failed)?;
    kafka::refuse_to_begin_anew(&config.log.path, &found)?;
    let keys = kafka::has_keys(&config.log.path)?;
    let report = topics::ensure(&kafka::options(settings), &kafka::plan(settings)).map_err(failed)?;
    show(
        &report,
        found.log_id.is_none() && report.log_id.is_some() && keys,
        format,
    );
    if report.log_id.is_some() {
        let log = KafkaLog::open(&kafka::options(settings)).map_err(failed)?;
        kafka::make_keys(config, &log)?;
    }
    judge(&report)
}

/// Makes the topic of desired users anew where it was lost; blocks.
pub(super) fn renew_desired(config: &Config, format: Format) -> Result<(), Failure> {
    let settings = settings(config)?;
    let report = topics::renew_desired(&kafka::options(settings), &kafka::plan(settings)).map_err(failed)?;
    show(&report, false, format);
    judge(&report)
}

/// Only looks; blocks.
pub(super) fn check(config: &Config, format: Format) -> Result<(), Failure> {
    let settings = settings(config)?;
    let report = topics::check(&kafka::options(settings), &kafka::plan(settings)).map_err(failed)?;
    show(&report, false, format);
    judge(&report)
}

fn failed(error: KafkaError) -> Failure {
    Failure::Other(anyhow::Error::new(error))
}

fn judge(report: &TopicReport) -> Result<(), Failure> {
    if report.is_good() {
        return Ok(());
    }
    Err(Failure::Differs(format!(
        "the topics are not set up as they must be\n{report}"
    )))
}

/// `kept`: a log was begun with keys that were there before.
fn show(report: &TopicReport, kept: bool, format: Format) {
    let value = json!({
        "good": report.is_good(),
        "begunWithKeys": kept,
        "logId": report.log_id.map(|id| id.to_string()),
        "unchecked": report.unchecked,
        "topics": report.topics.iter().map(|topic| json!({
            "name": topic.name,
            "exists": topic.exists,
            "created": topic.created,
            "partitions": topic.partitions,
            "added": topic.added,
            "replication": topic.replication,
            "settings": topic.settings.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
            "findings": topic.findings.iter().map(found).collect::<Vec<_>>(),
            "warnings": topic.warnings.iter().map(found).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    });
    format.print(&value, || {
        let rows = report.topics.iter().map(|topic| {
            let state = match (topic.exists, topic.created, topic.findings.is_empty()) {
                (false, ..) => "missing",
                (_, _, false) => "WRONG",
                (_, true, _) => "created",
                _ => "good",
            };
            vec![
                topic.name.clone(),
                state.to_owned(),
                topic.partitions.to_string(),
                topic.replication.to_string(),
            ]
        });
        let mut text = table(&["topic", "state", "partitions", "copies"], rows);
        if let Some(id) = report.log_id {
            text.push_str(&format!("\nlog {id}"));
        }
        if kept {
            text.push_str(
                "\na new, empty log was begun with the keys that were in keys.json: it knows nobody yet",
            );
        }
        for topic in &report.topics {
            for warning in &topic.warnings {
                text.push_str(&format!("\nwarning: {}: {warning}", topic.name));
            }
        }
        if let Some(unchecked) = &report.unchecked {
            text.push_str(&format!("\n{unchecked}"));
        }
        text
    });
}

fn found(finding: &Finding) -> serde_json::Value {
    json!({
        "about": finding.about, "found": finding.found, "wanted": finding.wanted,
        "why": finding.why, "change": finding.change,
    })
}

/// Copies a log from one place to another: a data folder, or `kafka`.
pub(super) async fn copy_log(
    config: &Config,
    from: PathBuf,
    to: PathBuf,
    format: Format,
) -> Result<(), Failure> {
    if from == to {
        return Err(Failure::Usage("--from and --to are the same".to_owned()));
    }
    let (owned, place) = (config.clone(), from.clone());
    let into_kafka = to == Path::new(KAFKA);
    let opened = tokio::task::spawn_blocking(move || {
        let source = open_source(&owned, &from)?;
        anyhow::Ok((source, open_target(&owned, &to)?))
    });
    let (source, target) = opened.await.context("opening the logs")??;
    if into_kafka {
        kafka::same_keys(&open::tenants(config), &place, target.as_ref()).await?;
    }
    let summary = with_progress(source.as_ref(), target.as_ref()).await?;
    let value = json!({"found": summary.found, "copied": summary.copied, "leftOut": summary.left_out});
    format.print(&value, || {
        let mut text = format!(
            "{} records copied, {} were there already; keys.json belongs beside the new log",
            summary.copied, summary.found
        );
        if summary.left_out > 0 {
            text.push_str(&format!(
                "\n{} records were left out: they stand in another partition than that of their key, where nobody \
                 takes them for part of the log; see who else writes to the topics",
                summary.left_out
            ));
        }
        text
    });
    Ok(())
}

async fn with_progress(source: &dyn ReadLog, target: &dyn EventLog) -> Result<CopySummary, Failure> {
    let mut shown = CopyShown::new();
    let summary = copy(source, target, |progress| shown.tell(&progress)).await;
    shown.over();
    summary.map_err(|error| {
        // A target that was refused stays refused: nothing goes on.
        let doing = match error.retry() {
            Retry::Never => "copying the log",
            Retry::Later | Retry::AfterRestart => "copying the log; running it again goes on where it stood",
        };
        Failure::Other(anyhow::Error::new(error).context(doing))
    })
}

fn in_kafka(config: &Config) -> anyhow::Result<Arc<KafkaLog>> {
    let settings = config.kafka.as_ref();
    let settings =
        settings.context("the configuration names no cluster: set [log] engine = \"kafka\" and [kafka]")?;
    Ok(Arc::new(KafkaLog::open(&kafka::options(settings))?))
}

fn open_source(config: &Config, place: &Path) -> anyhow::Result<Arc<dyn ReadLog>> {
    if place == Path::new(KAFKA) {
        return Ok(in_kafka(config)?);
    }
    let log = ReadOnlyLog::open(place.join("log"), Verification::default());
    let log = log.with_context(|| format!("opening the log in {}", place.display()))?;
    Ok(Arc::new(log))
}

fn open_target(config: &Config, place: &Path) -> anyhow::Result<Arc<dyn EventLog>> {
    if place == Path::new(KAFKA) {
        return Ok(in_kafka(config)?);
    }
    let log = EmbeddedLog::open(place.join("log"), EmbeddedOptions::default());
    let log = log.with_context(|| format!("opening the log in {}", place.display()))?;
    Ok(Arc::new(log))
}
