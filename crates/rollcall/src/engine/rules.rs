//! Rule sets: from a watched file, or from an operator.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rollcall_domain::{EventData, RuleSet, RulesActivated};
use rollcall_eventlog::EventLog;
use rollcall_projector::{RULES_FILE, Rejection, TenantHandle};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::operator::{self, OperatorError, Placed};
use super::{Core, pause};
use crate::config::{Config, read_rules, rules_content};

/// How often a rule file is looked at: a change is noticed within five seconds (DESIGN 7).
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Activates a rule set unless that version is in force; `None` when it is.
pub(super) async fn activate(
    log: &Arc<dyn EventLog>,
    directory: &TenantHandle,
    surface: &str,
    actor: &str,
    version: String,
    rules: RuleSet,
) -> Result<Option<Placed>, OperatorError> {
    let replaces = directory.rules_version();
    if replaces.as_ref() == Some(&version) {
        return Ok(None);
    }
    let data = EventData::RulesActivated(RulesActivated {
        version,
        replaces,
        rules,
    });
    operator::append(log, directory, surface, actor, data)
        .await
        .map(Some)
}

/// Reads a rule file and activates it if it is not what the file activated last: rules that an operator put into force
/// since then stay, over restarts too, until the file is edited. A file that is refused changes nothing: the rules in
/// force stay, and leavers flow; the mistake is logged whole. False when trying again may help.
pub(super) async fn activate_file(log: &Arc<dyn EventLog>, directory: &TenantHandle, file: &Path) -> bool {
    let tenant = directory.id();
    let read = match read_rules(file) {
        Ok(read) => read,
        Err(error) => {
            tracing::error!(%tenant, %error, "the rule file is not taken; the rules in force stay");
            return true;
        }
    };
    if directory.rules_file_version().as_ref() == Some(&read.version) {
        return true;
    }
    match activate(log, directory, RULES_FILE, "rules-file", read.version, read.rules).await {
        Ok(Some(placed)) => {
            tracing::info!(%tenant, sequence = %placed.sequence, "the rule file was activated");
            true
        }
        Ok(None) => true,
        Err(OperatorError::Rejected(Rejection::RulesMoved)) => {
            tracing::warn!(%tenant, "other rules were activated meanwhile; the file is looked at again");
            false
        }
        Err(error) => {
            tracing::error!(%tenant, %error, "the rule file could not be activated; it is looked at again");
            false
        }
    }
}

/// A task for each tenant with a rule file that activates it when its content changes.
pub(super) fn watch(config: &Config, core: &Arc<Core>, stop: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
    let watched = config.tenants.iter().filter_map(|tenant| {
        let file = tenant.rules.as_ref()?.file.clone();
        let directory = core.projectors.tenant(&tenant.id)?;
        Some(tokio::spawn(look(
            Arc::clone(&core.log),
            directory,
            file,
            stop.clone(),
        )))
    });
    watched.collect()
}

/// Looks at the file's content, not at its time stamp: copies and restores keep those. The first look is at whatever
/// is there, since it may have changed after the start read it.
async fn look(
    log: Arc<dyn EventLog>,
    directory: TenantHandle,
    file: PathBuf,
    mut stop: watch::Receiver<bool>,
) {
    let mut last = None;
    while pause(&mut stop, LOOK_EVERY).await {
        let now = content(&file).await;
        if now != last && activate_file(&log, &directory, &file).await {
            last = now;
        }
    }
}

/// A fingerprint of what stands in the file. A file too large to be one is not read whole.
async fn content(file: &Path) -> Option<String> {
    let file = file.to_owned();
    let read = tokio::task::spawn_blocking(move || rules_content(&file));
    read.await.ok()?
}
