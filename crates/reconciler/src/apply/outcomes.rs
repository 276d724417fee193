//! Outcomes as they are put on record.

use rollcall_domain::outcome::{OutcomeApplied, OutcomeFailed, OutcomeHeld, OutcomeIntended};
use rollcall_domain::{
    AccountKey, EventData, EventId, FluentStatus, Grant, ObservedUser, Sequence, Timestamp, seal,
};

use crate::ledger::{LastStatus, LedgerEntry, on_record, print_of_holds};
use crate::plan::{Plan, Step, Treatment};

/// The intent of a plan.
pub(super) fn intended(plan: &Plan, ledger: &LedgerEntry, observed: Option<&ObservedUser>) -> EventData {
    let claims = ledger.claims(observed);
    // Pairs of ours that are sent along may land late, after they were removed: the intent names them too.
    let resent = plan.resends().into_iter().filter(|grant| claims.contains(grant));
    let status = plan.steps.iter().find_map(|step| match step {
        Step::SetStatus(status) => Some(status.clone()),
        _ => None,
    });
    EventData::OutcomeIntended(OutcomeIntended {
        account: plan.account,
        serves: plan.serves,
        plan: plan.hash(),
        fluent_user: plan.fluent_user.clone(),
        create: plan.creates().is_some(),
        status,
        add: plan.adds().into_iter().chain(resent).collect(),
        adopt: plan.adopt.iter().cloned().collect(),
        remove: plan.removes().into_iter().collect(),
        profile: plan
            .steps
            .iter()
            .any(|step| matches!(step, Step::UpdateProfile(_))),
        claimant: plan.claimant,
        personal: plan.creates().map(|new| seal(&new.profile.username)),
    })
}

/// What was found by a read, after `carried` was sent under `intent`.
pub(super) fn applied(
    plan: &Plan,
    intent: Option<EventId>,
    carried: Option<&Plan>,
    ledger: &LedgerEntry,
    observed: &ObservedUser,
) -> EventData {
    let by_intent = |id: EventId| ledger.open.iter().any(|open| open.id == id && open.create);
    let made = carried.is_some_and(|plan| plan.creates().is_some()) || intent.is_some_and(by_intent);
    let added = |plan: &Plan| {
        plan.adds()
            .into_iter()
            .filter(|grant| observed.grants.contains(grant))
            .collect()
    };
    let removed = |plan: &Plan| -> Vec<Grant> {
        plan.removes()
            .into_iter()
            .filter(|grant| !observed.grants.contains(grant))
            .collect()
    };
    EventData::OutcomeApplied(OutcomeApplied {
        account: plan.account,
        intent,
        serves: plan.serves,
        fluent_user: Some(observed.id.clone()),
        created: made,
        status: Some(observed.status.clone()),
        owned: plan.owned_after(ledger, Some(observed)).into_iter().collect(),
        added: carried.map(added).unwrap_or_default(),
        removed: carried.map(removed).unwrap_or_default(),
        claimant: plan.claimant,
    })
}

/// True when the ledger does not say what was found, although nothing was sent: an adoption, a change made
/// by others.
pub(super) fn is_news(plan: &Plan, ledger: &LedgerEntry, observed: &ObservedUser) -> bool {
    let status: LastStatus = LastStatus::from(&observed.status);
    plan.treatment == Treatment::Managed
        && (ledger.fluent_user.as_ref() != Some(&observed.id)
            || ledger.status != Some(status)
            || (plan.claimant.is_some() && ledger.claimant != plan.claimant)
            || ledger.owned != plan.owned_after(ledger, Some(observed)))
}

/// The holds of a plan, when they are not those on record.
pub(super) fn held(plan: &Plan, ledger: &LedgerEntry) -> Option<EventData> {
    (print_of_holds(&plan.holds) != ledger.held).then(|| {
        EventData::OutcomeHeld(OutcomeHeld {
            account: plan.account,
            serves: plan.serves,
            holds: on_record(&plan.holds).to_vec(),
        })
    })
}

/// A failure.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) intent: Option<EventId>,
    pub(super) code: String,
    pub(super) retryable: bool,
    pub(super) settled: bool,
    pub(super) unsettled_until: Option<Timestamp>,
    pub(super) attempt: u32,
}

impl Failure {
    /// Nothing of the intent can still arrive: it is closed.
    pub(super) fn settled(self, intent: EventId) -> Self {
        Self {
            intent: Some(intent),
            settled: true,
            ..self
        }
    }

    pub(super) fn event(self, account: AccountKey, serves: Sequence) -> EventData {
        EventData::OutcomeFailed(OutcomeFailed {
            account,
            intent: self.intent,
            serves,
            code: self.code,
            retryable: self.retryable,
            settled: self.settled,
            unsettled_until: self.unsettled_until,
            attempt: self.attempt,
        })
    }
}

/// True for a status that lets its user in.
pub(super) fn is_usable(observed: Option<&ObservedUser>) -> bool {
    observed.is_some_and(|user| user.status == FluentStatus::Active)
}
