//! Deciding: what must change in Fluent for one account, as a value.
//!
//! Pure: no clock, socket, randomness or async. The plan of an account is a function of what is desired,
//! what was observed and what the ledger says is ours; the event that woke the reconciler carries nothing
//! into it.

mod decide;
mod step;
mod text;

use std::collections::BTreeSet;

use rollcall_domain::{
    AccountKey, DesiredUser, ExternalKey, FluentUserId, Grant, Hold, Note, ObservedUser, Policy, Profile,
    Sequence,
};

pub use decide::plan;
pub use step::{Email, NewUser, ProfileChange, Step};

use crate::ledger::LedgerEntry;

/// All that a plan depends on.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What the account should hold.
    pub desired: &'a DesiredUser,
    /// The opened profile of the claimant that speaks for it.
    pub profile: Option<&'a Profile>,
    /// The Fluent user as just read; `None` when there is none of that name.
    pub observed: Option<&'a ObservedUser>,
    /// What is ours.
    pub ledger: &'a LedgerEntry,
    /// The policy in force.
    pub policy: &'a Policy,
    /// The Fluent user that Rollcall itself works as: never touched.
    pub own_user: Option<&'a OwnUser>,
}

/// The Fluent user that Rollcall logs in as. Its name is not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnUser {
    /// Fluent's id.
    pub id: FluentUserId,
    /// Its login name.
    pub username: String,
}

impl std::fmt::Debug for OwnUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OwnUser({})", self.id)
    }
}

/// Whether an account is any of our business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// Ours, or becoming ours by this plan.
    Managed,
    /// Left alone: never ours and not wanted, held before it was ours, or protected.
    Untouched,
}

/// The ordered difference for one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Which account.
    pub account: AccountKey,
    /// The sequence of the desired user that it serves.
    pub serves: Sequence,
    /// The Fluent user that it changes; none when it is to be created or nothing is done.
    pub fluent_user: Option<FluentUserId>,
    /// Whom it serves: remembered by the ledger once carried out.
    pub claimant: Option<ExternalKey>,
    /// Whether the account is any of our business.
    pub treatment: Treatment,
    /// What to do, in this order.
    pub steps: Vec<Step>,
    /// Pairs that were there before us, are desired, and become ours.
    pub adopt: BTreeSet<Grant>,
    /// Pairs that are not ours and not desired.
    pub foreign: BTreeSet<Grant>,
    /// Why something is not done; those of the desired user and the plan's own, in order.
    pub holds: Vec<Hold>,
    /// Worth knowing.
    pub notes: Vec<Note>,
}

impl Plan {
    /// True when there is nothing to send.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Pairs that it adds, by creation or later.
    #[must_use]
    pub fn adds(&self) -> BTreeSet<Grant> {
        let of = |step: &Step| match step {
            Step::CreateUser(new) => new.grants.clone(),
            Step::AddGrants { missing, .. } => missing.clone(),
            _ => BTreeSet::new(),
        };
        self.steps.iter().flat_map(of).collect()
    }

    /// Pairs that it sends along with additions although they are there.
    #[must_use]
    pub fn resends(&self) -> BTreeSet<Grant> {
        let of = |step: &Step| match step {
            Step::AddGrants { beside, .. } => beside.clone(),
            _ => BTreeSet::new(),
        };
        self.steps.iter().flat_map(of).collect()
    }

    /// Pairs that it removes.
    #[must_use]
    pub fn removes(&self) -> BTreeSet<Grant> {
        let of = |step: &Step| match step {
            Step::RemoveGrants(grants) => grants.clone(),
            _ => BTreeSet::new(),
        };
        self.steps.iter().flat_map(of).collect()
    }

    /// The user to be created, if one is.
    #[must_use]
    pub fn creates(&self) -> Option<&NewUser> {
        self.steps.iter().find_map(|step| match step {
            Step::CreateUser(new) => Some(new.as_ref()),
            _ => None,
        })
    }

    /// Pairs that are ours once `observed` was read back after this plan: what the ledger claims, and what
    /// the plan added or adopted, as far as it is really there.
    #[must_use]
    pub fn owned_after(&self, ledger: &LedgerEntry, observed: Option<&ObservedUser>) -> BTreeSet<Grant> {
        let Some(observed) = observed else {
            return BTreeSet::new();
        };
        let mut ours = ledger.claims(Some(observed));
        ours.extend(self.adds());
        ours.extend(self.adopt.iter().cloned());
        observed.grants.intersection(&ours).cloned().collect()
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
