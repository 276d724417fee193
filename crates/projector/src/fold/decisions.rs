//! `decision.recorded`: an operator's answer to a hold.

use rollcall_domain::{AccountKey, Decision, DecisionRecorded, EventId, HoldId, Revision};

use super::state::TenantState;
use crate::{Lane, OpenDecision, Rejection};

impl TenantState {
    /// Holds that wait for an operator, in the order of the events that caused them.
    pub(crate) fn open_decisions(&self) -> Vec<OpenDecision> {
        let trips = self.guard.trips.iter().map(|(cause, trip)| OpenDecision {
            hold: HoldId::Guard { cause: *cause },
            sequence: trip.sequence,
            count: trip.open,
        });
        let losses = self
            .catalog
            .withheld
            .iter()
            .map(|(cause, withheld)| OpenDecision {
                hold: HoldId::CatalogLoss { cause: *cause },
                sequence: withheld.sequence,
                count: withheld.entries.len() as u64,
            });
        let mut open: Vec<OpenDecision> = trips.chain(losses).collect();
        open.sort_by_key(|decision| decision.sequence);
        open
    }

    pub(super) fn decision_recorded(
        &mut self,
        id: EventId,
        event: &DecisionRecorded,
    ) -> Result<Revision, Rejection> {
        match &event.hold {
            HoldId::Guard { cause } => self.decide_guard(*cause, event.decision)?,
            HoldId::CatalogLoss { cause } => self.decide_catalog_loss(id, *cause, event.decision)?,
            HoldId::NameReused { account } => self.decide_name_reused(*account, event.decision)?,
        }
        Ok(Revision(0))
    }

    fn decide_guard(&mut self, cause: EventId, decision: Decision) -> Result<(), Rejection> {
        let accounts = self
            .guard
            .trips
            .get(&cause)
            .map(|trip| trip.accounts.clone())
            .unwrap_or_default();
        for account in &accounts {
            self.release_desired(*account);
        }
        if !self.guard.trips.contains_key(&cause) {
            return Err(Rejection::NoSuchHold);
        }
        for account in accounts {
            match decision {
                Decision::Approve => self.release(account, |of, _| of == cause),
                Decision::Reject => {
                    let kept = self
                        .accounts
                        .get_mut(account)
                        .and_then(|entry| entry.kept.as_mut());
                    for one in kept
                        .into_iter()
                        .flat_map(|kept| kept.iter_mut())
                        .filter(|k| k.cause == cause)
                    {
                        one.rejected = true;
                        self.guard.rejected.insert(account);
                    }
                    self.touched.accounts.push(account);
                }
            }
            self.mark(account, Lane::Removal);
        }
        self.guard.trips.remove(&cause);
        self.touched.guard = true;
        Ok(())
    }

    /// Approved: who had the name before is forgotten, so the name is the new claimant's alone. Rejected: the
    /// hold stays with the account, since the name is still another person's.
    fn decide_name_reused(&mut self, account: AccountKey, decision: Decision) -> Result<(), Rejection> {
        let ix = self.account_ix(account).ok_or(Rejection::NoSuchHold)?;
        let users = &self.users;
        let entry = self.accounts.get_mut(ix).ok_or(Rejection::NoSuchHold)?;
        let claims =
            |user: &super::slab::UserIx| users.get(*user).is_some_and(|u| !u.deleted && u.account == ix);
        let (gone, left) = (
            entry.claimants.iter().filter(|user| !claims(user)).count(),
            entry.claimants.iter().filter(|user| claims(user)).count(),
        );
        if gone == 0 || left == 0 {
            return Err(Rejection::NoSuchHold);
        }
        if decision == Decision::Approve {
            entry.claimants.retain(|user| claims(user));
            self.touched.accounts.push(ix);
            self.mark(ix, Lane::Rest);
        }
        Ok(())
    }
}
