//! Who is meant, and why an account holds what it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rollcall_domain::{
    AccountKey, Catalog, Context, ContextType, Derivation, GroupId, RoleSource, Sequence, TenantId, UserId,
};
use rollcall_eventlog::{EventLog, ReadLog};
use rollcall_projector::{Act, Evidence, Subject, TenantHandle};
use rollcall_reconciler::partition_of_account;

use super::Tenant;
use super::evidence::{self, Deed, Deeds};
use crate::admin::api::{Did, EventRef, ExplainedGrant, Explanation, LedgerEntry, Reason, Standing};
use crate::admin::{AdminError, ErrorCode};

/// A tenant whose directory is here.
pub(super) struct Known<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) directory: TenantHandle,
}

impl Known<'_> {
    /// The account that a userName, a SCIM id or an account key means.
    pub(super) fn account_of(&self, user: &str) -> Option<AccountKey> {
        if let Ok(id) = user.parse::<UserId>()
            && let Some(account) = self.directory.account_of(id)
        {
            return Some(account);
        }
        if let Ok(account) = user.parse::<AccountKey>()
            && matches!(self.directory.desired(account), Ok(Some(_)))
        {
            return Some(account);
        }
        let named = self.directory.account_named(user);
        matches!(self.directory.desired(named), Ok(Some(_))).then_some(named)
    }

    /// The explanation of an account, with what the ledger knows of it.
    pub(super) async fn explain(
        &self,
        log: &Arc<dyn EventLog>,
        user: &str,
    ) -> Result<Explanation, AdminError> {
        let id = &self.tenant.id;
        let unknown = || {
            AdminError::new(
                ErrorCode::NotFound,
                format!("nobody in {id} is known by that name"),
            )
        };
        let account = self.account_of(user).ok_or_else(unknown)?;
        let explained = self
            .directory
            .explain(Subject::Account(account))
            .map_err(super::admin::unavailable)?;
        let explained = explained.ok_or_else(unknown)?;
        let explained = Explained {
            tenant: id.clone(),
            username: self.directory.user_name(account),
            catalog: self.directory.catalog(),
            fluent: self.ledger(log.as_ref(), account).await?,
            explained,
        };
        explained.for_people(Arc::<dyn EventLog>::clone(log)).await
    }

    /// What our outcomes say of an account; none when we never wrote it.
    /// From the ledger where it is kept here, else from the log, as it is now.
    async fn ledger(
        &self,
        log: &dyn EventLog,
        account: AccountKey,
    ) -> Result<Option<LedgerEntry>, AdminError> {
        let id = &self.tenant.id;
        let partition = partition_of_account(log, id, account);
        let kept = {
            let reconcilers = self.tenant.reconcilers.read();
            reconcilers
                .get(&partition)
                .map(|reconciler| reconciler.ledger(account))
        };
        if let Some(entry) = kept {
            return Ok(ledger_entry(entry));
        }
        let read = rollcall_reconciler::read_entry(log, id, account).await;
        read.map(ledger_entry)
            .map_err(|error| AdminError::new(ErrorCode::Unavailable, error.to_string()))
    }
}

/// What our outcomes say of an account, for people; none when we never wrote it.
pub(super) fn ledger_entry(entry: rollcall_reconciler::ledger::LedgerEntry) -> Option<LedgerEntry> {
    if entry.fluent_user.is_none() && entry.open.is_empty() {
        return None;
    }
    Some(LedgerEntry {
        user: entry.fluent_user,
        owned: entry.owned.into_iter().collect(),
        served: Some(entry.serves),
        unsettled: !entry.open.is_empty(),
    })
}

/// An explanation and what makes it readable.
pub(super) struct Explained {
    pub(super) tenant: TenantId,
    pub(super) username: Option<String>,
    pub(super) catalog: Catalog,
    pub(super) fluent: Option<LedgerEntry>,
    pub(super) explained: rollcall_projector::Explanation,
}

impl Explained {
    /// With the names of groups and places, and the events from the log.
    pub(super) async fn for_people(self, log: Arc<dyn ReadLog>) -> Result<Explanation, AdminError> {
        let evidence = self.explained.evidence.values().flatten();
        let standing = self.explained.standing.iter().map(|(_, sequence)| *sequence);
        let wanted: BTreeSet<Sequence> = evidence
            .map(|evidence| evidence.sequence)
            .chain(standing)
            .collect();
        let deeds = evidence::find(log, self.tenant.clone(), wanted).await?;
        Ok(self.told(&deeds))
    }

    fn told(self, deeds: &Deeds) -> Explanation {
        let groups = self.explained.groups.into_iter();
        let names: BTreeMap<GroupId, String> = groups.map(|group| (group.id, group.display_name)).collect();
        let desired = self.explained.desired;
        let grants = desired.grants.into_iter().map(|wanted| {
            let because = self
                .explained
                .derivations
                .iter()
                .filter(|d| d.grant == wanted.grant);
            ExplainedGrant {
                place: place(&self.catalog, &wanted.grant.context),
                because: because
                    .map(|derivation| {
                        let evidence = self.explained.evidence.get(&derivation.id);
                        let evidence = evidence.map(Vec::as_slice).unwrap_or_default();
                        reason(derivation, evidence, deeds, &names)
                    })
                    .collect(),
                grant: wanted.grant,
            }
        });
        let standing = self.explained.standing.into_iter();
        let standing = standing.filter_map(|(user, sequence)| {
            let deed = deeds.get(&sequence)?;
            let event = event_ref(deed.to_user.clone()?, sequence, deed.clone());
            Some(Standing { user, event })
        });
        Explanation {
            standing: standing.collect(),
            tenant: self.tenant,
            account: desired.account,
            username: self.username,
            sequence: desired.sequence,
            status: desired.status,
            gains: desired.gains,
            grants: grants.collect(),
            retained: desired.retained,
            holds: desired.holds,
            notes: desired.notes,
            claimants: desired.claimants,
            fluent: self.fluent,
        }
    }
}

fn event_ref(did: Did, sequence: Sequence, deed: Deed) -> EventRef {
    EventRef {
        did,
        id: deed.id,
        sequence,
        time: deed.time,
        source: deed.source,
        actor: deed.actor,
    }
}

fn place(catalog: &Catalog, context: &Context) -> Option<String> {
    let places = match context.kind {
        ContextType::Account => return None,
        ContextType::Retailer => &catalog.retailers,
        ContextType::Agent => &catalog.locations,
    };
    places.get(&context.id).map(|place| place.reference.clone())
}

fn reason(
    derivation: &Derivation,
    evidence: &[Evidence],
    deeds: &Deeds,
    names: &BTreeMap<GroupId, String>,
) -> Reason {
    let name = |group: &GroupId| names.get(group).cloned().unwrap_or_else(|| group.to_string());
    let groups = match &derivation.source {
        RoleSource::Personal => Vec::new(),
        RoleSource::Group { path, .. } => path.iter().map(name).collect(),
    };
    let did = |act: Act| match act {
        Act::Assigned => Did::Assigned,
        Act::AddedTo(group) => Did::AddedTo { group: name(&group) },
        Act::NestedIn(group) => Did::NestedIn { group: name(&group) },
        Act::RoleGivenTo(group) => Did::RoleGivenTo { group: name(&group) },
        Act::Named(group) => Did::Named { group: name(&group) },
        Act::Identified(group) => Did::Identified { group: name(&group) },
        Act::RulesActivated => Did::RulesActivated,
    };
    let events = evidence.iter().filter_map(|one| {
        let deed = deeds.get(&one.sequence)?.clone();
        Some(event_ref(did(one.act), one.sequence, deed))
    });
    Reason {
        derivation: derivation.clone(),
        groups,
        events: events.collect(),
    }
}
