//! `rollcall status`.

use std::fmt::Write as _;

use super::table;
use crate::admin::api::{CredentialStatus, FluentStatusReport, InstanceStatus};

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
    for warning in &status.warnings {
        let _ = writeln!(text, "  warning: {}", super::table::clean(warning));
    }
    for share in &status.shares {
        let lease = share.lease_ms.map(|ms| format!(", certain for {} s", ms / 1000));
        let _ = writeln!(
            text,
            "  {}: {} of {} partitions of {}{}",
            share.group,
            share.partitions.len(),
            share.of,
            share.stream,
            lease.unwrap_or_default()
        );
    }
    if status.put_aside_of_nobody > 0 {
        let _ = writeln!(
            text,
            "  {} records of events belong to no tenant of this process and were put aside: who else writes there?",
            status.put_aside_of_nobody
        );
    }
    for tenant in status.tenants.iter().filter(|tenant| tenant.unreadable > 0) {
        let (id, count) = (&tenant.tenant, tenant.unreadable);
        let places = places(tenant.put_aside.iter().map(|put| put.position));
        let _ = writeln!(
            text,
            "  {id}: {count} records are no events and were put aside; {places}"
        );
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
            if status.reconciles() {
                fluent(&tenant.fluent)
            } else {
                "–".to_owned() // this process never calls it
            },
        ]
    });
    text.push_str(&table(&header, rows));
    if !status.credentials.is_empty() {
        text.push_str("\n\n");
        text.push_str(&credentials(&status.credentials));
    }
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

/// Where the newest records stand that were put aside. None is known of those that were met at an earlier start, nor of
/// those that many others came after: only so many are kept.
fn places(positions: impl Iterator<Item = u64>) -> String {
    let known: Vec<String> = positions.map(|position| position.to_string()).collect();
    if known.is_empty() {
        return "the log told the place of each when it was met".to_owned();
    }
    format!("the newest at {}", known.join(", "))
}

/// What every table of credentials shows.
const CREDENTIAL: [&str; 7] = [
    "tenant",
    "connection",
    "credential",
    "id",
    "kind",
    "state",
    "expires",
];

fn cells(credential: &CredentialStatus) -> Vec<String> {
    let named = Some(credential.name.as_str()).filter(|name| !name.is_empty());
    let expires = credential.expires.map(|end| end.to_string());
    vec![
        credential.tenant.to_string(),
        credential.connection.to_string(),
        named.unwrap_or("(its own)").to_owned(),
        credential.id.clone().unwrap_or_else(|| "–".to_owned()),
        credential.kind.clone(),
        credential.state.clone(),
        expires.unwrap_or_else(|| "never".to_owned()),
    ]
}

/// The tokens of the token file, for people.
#[must_use]
pub fn tokens(tokens: &[CredentialStatus]) -> String {
    table(&CREDENTIAL, tokens.iter().map(cells))
}

/// The credentials of a running instance, for people.
fn credentials(credentials: &[CredentialStatus]) -> String {
    let header: Vec<&str> = CREDENTIAL.into_iter().chain(["last used"]).collect();
    let rows = credentials.iter().map(|credential| {
        let used = credential.last_used.map(|time| time.to_string());
        let mut row = cells(credential);
        row.push(used.unwrap_or_else(|| "not since the start".to_owned()));
        row
    });
    table(&header, rows)
}

fn fluent(fluent: &FluentStatusReport) -> String {
    match (&fluent.problem, fluent.reachable) {
        (Some(problem), _) => problem.clone(),
        (None, true) => "reachable".to_owned(),
        (None, false) => "not reached yet".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::api::sample_status;

    #[test]
    fn places_that_are_no_longer_known_are_not_said_to_be_of_an_earlier_start() {
        assert_eq!(places([7, 12].into_iter()), "the newest at 7, 12");
        let unknown = places(std::iter::empty());
        assert_eq!(unknown, "the log told the place of each when it was met");
    }

    #[test]
    fn only_who_calls_fluent_says_how_it_is() {
        let mut sample = sample_status();
        for tenant in &mut sample.tenants {
            tenant.fluent = FluentStatusReport::default();
        }
        assert!(status(&sample).contains("not reached yet"));
        for role in ["ingest", "project"] {
            role.clone_into(&mut sample.role);
            assert!(!status(&sample).contains("not reached yet"), "{role}");
        }
    }
}
