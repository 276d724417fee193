//! `rollcall status`.

use std::fmt::Write as _;

use super::table;
use crate::admin::api::{FluentStatusReport, InstanceStatus};

/// Versions of rule sets are hashes; this many digits tell them apart for people.
const VERSION_SHOWN: usize = 12;

/// The status for people.
#[must_use]
pub fn status(status: &InstanceStatus) -> String {
    let mut text = String::new();
    let ready = if status.ready { "ready" } else { "NOT READY" };
    // A String takes everything.
    let _ = writeln!(
        text,
        "rollcall {}, {ready}, running since {}",
        status.version, status.started
    );
    for reason in &status.not_ready {
        let _ = writeln!(text, "  {reason}");
    }
    text.push('\n');
    let header = [
        "tenant", "sequence", "lag", "users", "active", "groups", "accounts", "held", "dirty", "queued",
        "waiting", "rules", "fluent",
    ];
    let rows = status.tenants.iter().map(|tenant| {
        let rules = tenant.rules.as_deref().unwrap_or("none");
        vec![
            tenant.tenant.to_string(),
            tenant.sequence.to_string(),
            tenant.lag_events.to_string(),
            tenant.users.to_string(),
            tenant.active_users.to_string(),
            tenant.groups.to_string(),
            tenant.accounts.to_string(),
            tenant.held.to_string(),
            tenant.dirty.to_string(),
            tenant.queued.to_string(),
            tenant.waiting.to_string(),
            rules.chars().take(VERSION_SHOWN).collect(),
            fluent(&tenant.fluent),
        ]
    });
    text.push_str(&table(&header, rows));
    for tenant in &status.tenants {
        for warning in &tenant.warnings {
            let _ = write!(
                text,
                "\n\nwarning: connection {} of {}: {} ({} times since {}, last {})\n  {}",
                warning.connection,
                tenant.tenant,
                warning.trap,
                warning.count,
                warning.since,
                warning.last,
                warning.advice
            );
        }
    }
    text
}

fn fluent(fluent: &FluentStatusReport) -> String {
    match (&fluent.problem, fluent.reachable) {
        (Some(problem), _) => problem.clone(),
        (None, true) => "reachable".to_owned(),
        (None, false) => "not reached yet".to_owned(),
    }
}
