//! Stage 1, pure: what an event does to the directory, and what is refused. The rules of acceptance belong to
//! the event's version and never change: an old log folds to the same verdicts for ever.
//!
//! One file an event family: `users`, `groups`, `rules`, `policy`, `catalog`, `decisions`; beside them the
//! tables (`state`, `slab`, `link`, `roles`, `roster`), the memory of verdicts, the safety catch (`guard`) and what
//! is left to do for stage 2 (`dirty`).

mod catalog;
mod decisions;
mod digest;
mod dirty;
mod groups;
mod guard;
mod hash;
mod input;
mod link;
mod parts;
mod policy;
mod relink;
mod roles;
mod roster;
mod rules;
mod slab;
mod state;
#[cfg(test)]
mod tests;
mod touched;
mod users;
mod verdicts;

use rollcall_domain::{Event, EventData, Revision};

pub(crate) use catalog::CatalogBook;
pub(crate) use dirty::PublishedAs;
pub(crate) use guard::{Clock, Kept, Trip};
pub(crate) use hash::{StableHash, mix};
pub(crate) use input::{Data, Input, Personal, RoleRef, Roles, Sender};
pub(crate) use link::{Link, Since, targets};
pub(crate) use parts::{Request, RequestKey, part_event};
pub(crate) use roles::{GrantBook, World};
pub(crate) use roster::Roster;
pub(crate) use slab::{AccountIx, AppRoleIx, AssignedIx, ConnectionIx, GrantIx, GroupIx, Index, UserIx};
pub use state::TenantState;
pub(crate) use state::{Account, Connection, Group, User};
pub(crate) use verdicts::{Remembered, Verdicts};

use crate::{Rejection, Settled, Verdict};

/// What an event did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// The verdict, and the sequence of the event's first occurrence.
    pub settled: Settled,
    /// The event came before: nothing was done.
    pub duplicate: bool,
    /// Which document changes, and how.
    pub(crate) document: Option<DocumentWrite>,
}

/// A user's document changes as the event's personal part says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DocumentWrite {
    /// The personal part is applied to what is there (nothing, for a new user).
    Change(UserIx),
    /// It is gone.
    Delete(UserIx),
}

impl TenantState {
    /// Takes in the next event of the tenant.
    pub fn apply(&mut self, event: &Event) -> Applied {
        self.apply_input(&Input::from(event))
    }

    /// Takes in a record that this version cannot read: it keeps its place in the sequence.
    pub fn apply_unreadable(&mut self) {
        self.sequence = self.sequence.next();
        self.counts.unreadable += 1;
    }

    pub(crate) fn apply_input(&mut self, input: &Input<'_>) -> Applied {
        self.sequence = self.sequence.next();
        self.event_time = self.event_time.max(input.time);
        if let Some(settled) = self.verdicts.get(input.id) {
            self.counts.duplicates += 1;
            return Applied {
                settled,
                duplicate: true,
                document: None,
            };
        }
        self.counts.ahead_of_time += u64::from(self.guard.clock.tick(input.time.as_millis()));
        let (verdict, document) = match input.part {
            _ if !input.sender.may_send(&input.data) => {
                let rejection = Rejection::WrongSource;
                (Verdict::Rejected { rejection }, None)
            }
            None => self.decide(input, &input.data),
            Some(part) => (self.apply_part(input, part), None),
        };
        if matches!(verdict, Verdict::Rejected { .. }) {
            self.counts.rejected += 1;
        }
        let sequence = self.sequence;
        self.verdicts.put(Remembered {
            id: input.id,
            sequence,
            verdict,
        });
        Applied {
            settled: Settled { sequence, verdict },
            duplicate: false,
            document,
        }
    }

    fn decide(&mut self, input: &Input<'_>, data: &Data<'_>) -> (Verdict, Option<DocumentWrite>) {
        match data {
            Data::UserCreated { .. } | Data::UserChanged { .. } | Data::UserDeleted { .. } => {
                match self.user_event(input.id, input.connection, data) {
                    Ok((revision, document)) => (Verdict::Accepted { revision }, document),
                    Err(rejection) => (Verdict::Rejected { rejection }, None),
                }
            }
            Data::Other(data) => (self.decide_other(input, data), None),
        }
    }

    pub(super) fn decide_other(&mut self, input: &Input<'_>, data: &EventData) -> Verdict {
        let rejected = |rejection| Verdict::Rejected { rejection };
        let verdict_of = |result: Result<Revision, Rejection>| match result {
            Ok(revision) => Verdict::Accepted { revision },
            Err(rejection) => Verdict::Rejected { rejection },
        };
        match data {
            EventData::GroupCreated(d) => verdict_of(self.group_created(input.id, input.connection, d)),
            EventData::GroupChanged(d) => verdict_of(self.group_changed(input.id, input.connection, d)),
            EventData::GroupDeleted(d) => verdict_of(self.group_deleted(input.id, input.connection, d)),
            EventData::RulesActivated(d) => self.rules_activated(input.id, input.operator, d),
            EventData::PolicyActivated(d) => self.policy_activated(&d.policy),
            EventData::CatalogChanged(d) => self.catalog_changed(input.id, &d.difference),
            EventData::TimerFired(_) => Verdict::Accepted {
                revision: Revision(0),
            },
            EventData::DecisionRecorded(d) => verdict_of(self.decision_recorded(input.id, d)),
            EventData::UserCreated(_) | EventData::UserChanged(_) | EventData::UserDeleted(_) => {
                rejected(Rejection::PartsUnfit) // only as parts do they come here, and users have none
            }
            EventData::UserDesired(_)
            | EventData::OutcomeIntended(_)
            | EventData::OutcomeApplied(_)
            | EventData::OutcomeHeld(_)
            | EventData::OutcomeFailed(_)
            | EventData::OutcomeDrift(_) => rejected(Rejection::WrongStream),
        }
    }
}
