//! `rollcall explain`: every grant with every reason, in sentences.

use std::fmt::Write as _;

use rollcall_domain::{DesiredStatus, Expansion, Gains, Grant, GroupRoleOrigin, InactiveReason, RoleSource};

use super::table::clean;
use crate::admin::api::{Did, EventRef, ExplainedGrant, Explanation, LedgerEntry, Reason};

/// The explanation for people; with `role` only what concerns that role or app role.
#[must_use]
pub fn explanation(explanation: &Explanation, role: Option<&str>) -> String {
    let mut text = String::new();
    let who = explanation
        .username
        .as_deref()
        .map_or_else(|| "(erased)".to_owned(), clean);
    // A String takes everything, so no write can fail.
    let _ = writeln!(
        text,
        "{who}  account {}  tenant {}",
        explanation.account, explanation.tenant
    );
    let _ = writeln!(
        text,
        "as of sequence {}: {}",
        explanation.sequence,
        status(explanation)
    );
    let grants: Vec<&ExplainedGrant> = explanation
        .grants
        .iter()
        .filter(|grant| role.is_none_or(|role| concerns(grant, role)))
        .collect();
    if grants.is_empty() {
        let _ = writeln!(
            text,
            "\n{}",
            role.map_or("no grants".to_owned(), |role| format!("no grant from {role}"))
        );
    }
    for grant in grants {
        let _ = writeln!(text, "\n{}", grant_line(grant, explanation.fluent.as_ref()));
        for reason in &grant.because {
            let _ = writeln!(text, "  because {}", reason_line(reason));
            for event in &reason.events {
                let _ = writeln!(text, "    {}", event_line(event));
            }
        }
    }
    list(
        &mut text,
        "kept, though it no longer resolves",
        explanation.retained.iter().map(Grant::to_string),
    );
    list(
        &mut text,
        "held",
        explanation
            .holds
            .iter()
            .map(|hold| format!("{}: {hold}", hold.reason())),
    );
    list(
        &mut text,
        "notes",
        explanation.notes.iter().map(ToString::to_string),
    );
    let claimants = explanation.claimants.iter().map(|claimant| {
        let live = if claimant.live { "live" } else { "not live" };
        let standing = explanation.standing.iter().find(|one| one.user == claimant.user);
        let since = standing.map(|one| format!(": {}", event_line(&one.event)));
        format!(
            "user {} of connection {} ({live}){}",
            claimant.user,
            claimant.connection,
            since.unwrap_or_default()
        )
    });
    list(&mut text, "claimed by", claimants);
    text.push_str(&ledger(explanation.fluent.as_ref()));
    text
}

fn concerns(grant: &ExplainedGrant, role: &str) -> bool {
    let logical = |reason: &Reason| match &reason.derivation.expansion {
        Expansion::Direct => false,
        Expansion::Rule { logical_role } | Expansion::AlsoRetailer { logical_role } => logical_role.0 == role,
    };
    grant.grant.role.0 == role
        || grant
            .because
            .iter()
            .any(|reason| reason.derivation.app_role.as_str() == role || logical(reason))
}

fn status(explanation: &Explanation) -> String {
    let status = match explanation.status {
        DesiredStatus::Active => "ACTIVE",
        DesiredStatus::Inactive {
            reason: InactiveReason::Deactivated,
        } => "INACTIVE, deactivated by the IdP",
        DesiredStatus::Inactive {
            reason: InactiveReason::Deleted,
        } => "INACTIVE, deleted by the IdP",
        DesiredStatus::Inactive {
            reason: InactiveReason::NoRoles,
        } => "INACTIVE, without any role",
        DesiredStatus::Keep => "its status stays as it is",
    };
    match explanation.gains {
        Gains::Allowed => status.to_owned(),
        Gains::Withheld => format!("{status}; nothing is gained while it is held"),
    }
}

fn grant_line(grant: &ExplainedGrant, ledger: Option<&LedgerEntry>) -> String {
    let place = grant
        .place
        .as_deref()
        .map(|place| format!(" ({})", clean(place)))
        .unwrap_or_default();
    let done = match ledger {
        Some(ledger) if ledger.owned.contains(&grant.grant) => "granted by us",
        _ => "not granted by us yet",
    };
    format!("{}{place}  [{done}]", clean(&grant.grant.to_string()))
}

fn reason_line(reason: &Reason) -> String {
    let derivation = &reason.derivation;
    let source = match &derivation.source {
        RoleSource::Personal => "assigned to the user".to_owned(),
        RoleSource::Group { path, origin } => {
            let names: Vec<String> = if reason.groups.len() == path.len() {
                reason
                    .groups
                    .iter()
                    .map(|name| format!("“{}”", clean(name)))
                    .collect()
            } else {
                path.iter().map(ToString::to_string).collect()
            };
            let how = match origin {
                GroupRoleOrigin::Extension => "as its own role",
                GroupRoleOrigin::RuleSet => "by the rule set",
                GroupRoleOrigin::DisplayName => "by its name",
            };
            format!("carried by group {} {how}", names.join(" in "))
        }
    };
    let expansion = match &derivation.expansion {
        Expansion::Direct => String::new(),
        Expansion::Rule { logical_role } => format!(", expanded by the rule for {logical_role}"),
        Expansion::AlsoRetailer { logical_role } => {
            format!(", expanded to its retailer by the rule for {logical_role}")
        }
    };
    let app_role = clean(derivation.app_role.as_str());
    format!("{app_role} is {source}{expansion}")
}

/// What was done, by whom and when.
fn event_line(event: &EventRef) -> String {
    let did = match &event.did {
        Did::Assigned => "assigned".to_owned(),
        Did::AddedTo { group } => format!("added to “{}”", clean(group)),
        Did::NestedIn { group } => format!("nested in “{}”", clean(group)),
        Did::RoleGivenTo { group } => format!("role given to “{}”", clean(group)),
        Did::Named { group } => format!("named “{}”", clean(group)),
        Did::Identified { group } => format!("external id given to “{}”", clean(group)),
        Did::RulesActivated => "rules activated".to_owned(),
        Did::Created => "created".to_owned(),
        Did::Reactivated => "activated again".to_owned(),
        Did::Rehired => "hired again (created once more while deactivated)".to_owned(),
        Did::Deactivated => "deactivated".to_owned(),
        Did::Deleted => "deleted".to_owned(),
    };
    let actor = clean(&event.actor);
    format!("{did} by {actor} at {} (sequence {})", event.time, event.sequence)
}

fn ledger(ledger: Option<&LedgerEntry>) -> String {
    let Some(ledger) = ledger else {
        return "\nFluent: never written by us\n".to_owned();
    };
    let user = ledger
        .user
        .as_ref()
        .map_or_else(|| "none".to_owned(), ToString::to_string);
    let served = ledger
        .served
        .map_or_else(|| "nothing yet".to_owned(), |at| format!("as of sequence {at}"));
    let mut text = format!(
        "\nFluent: user {user}, made so {served}, {} grants are ours",
        ledger.owned.len()
    );
    if ledger.unsettled {
        text.push_str("; a write may still arrive");
    }
    text.push('\n');
    text
}

fn list(text: &mut String, title: &str, entries: impl Iterator<Item = String>) {
    let mut entries = entries.peekable();
    if entries.peek().is_some() {
        let _ = writeln!(text, "\n{title}:");
    }
    for entry in entries {
        let _ = writeln!(text, "  {}", clean(&entry));
    }
}
