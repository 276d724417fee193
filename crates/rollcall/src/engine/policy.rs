//! The configured policy becomes an event when it differs from the one in force: the fold reads no configuration.

use std::sync::Arc;

use anyhow::Context as _;
use rollcall_domain::{EventData, Policy, PolicyActivated};
use rollcall_eventlog::EventLog;
use rollcall_projector::TenantHandle;

use super::operator;

/// Activates the configured policy unless it is in force.
pub(super) async fn bring_into_force(
    log: &Arc<dyn EventLog>,
    directory: &TenantHandle,
    configured: &Policy,
) -> anyhow::Result<()> {
    if directory.policy() == *configured {
        return Ok(());
    }
    let data = EventData::PolicyActivated(PolicyActivated {
        policy: configured.clone(),
    });
    let placed = operator::append(log, directory, "config", "configuration", data)
        .await
        .with_context(|| format!("activating the policy of {}", directory.id()))?;
    tracing::info!(tenant = %directory.id(), sequence = %placed.sequence, "the policy changed");
    Ok(())
}
