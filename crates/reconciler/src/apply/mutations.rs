//! A plan's steps as requests: what goes alone, what goes together, and what came of it.

use rollcall_domain::{FluentStatus, FluentUserId};
use rollcall_fluent::{FluentError, Mutation, NewUser, Operation, RetryClass, UserUpdate, Written};

use crate::plan::Step;

/// Cuts the steps into requests. A deactivation goes alone, so that nothing can hold it up or fail with it;
/// a creation goes alone, because what follows needs its answer. The rest goes together, losses first: each
/// is judged for itself.
pub(super) fn requests(steps: &[Step]) -> Vec<&[Step]> {
    let mut requests = Vec::new();
    let mut rest = steps;
    while let Some(first) = rest.first() {
        let alone = |step: &Step| step.deactivates() || matches!(step, Step::CreateUser(_));
        let length = if alone(first) {
            1
        } else {
            rest.iter().take_while(|step| !alone(step)).count()
        };
        let (request, after) = rest.split_at(length.max(1));
        requests.push(request);
        rest = after;
    }
    requests
}

/// The mutation of a step; `None` when the user that it changes is not known.
pub(super) fn mutation(step: &Step, user: Option<&FluentUserId>) -> Option<Mutation> {
    let update = |update: UserUpdate| {
        user.map(|id| Mutation::UpdateUser {
            id: id.clone(),
            update,
        })
    };
    match step {
        Step::CreateUser(new) => Some(Mutation::CreateUser(NewUser {
            username: new.profile.username.clone(),
            reference: new.profile.username.clone(),
            first_name: new.profile.first_name.clone(),
            last_name: new.profile.last_name.clone(),
            primary_email: new.primary_email.0.clone(),
            kind: new.user_type.clone(),
            timezone: new.timezone.clone(),
            grants: new.grants.iter().cloned().collect(),
        })),
        Step::SetStatus(status) => update(UserUpdate {
            status: Some(status.clone()),
            ..UserUpdate::default()
        }),
        Step::UpdateProfile(change) => update(UserUpdate {
            first_name: change.first_name.clone(),
            last_name: change.last_name.clone(),
            primary_email: change.primary_email.clone(),
            ..UserUpdate::default()
        }),
        Step::AddGrants { missing, beside } => update(UserUpdate {
            add: missing.union(beside).cloned().collect(),
            ..UserUpdate::default()
        }),
        Step::RemoveGrants(grants) => user.map(|id| Mutation::RemoveRoles {
            id: id.clone(),
            grants: grants.iter().cloned().collect(),
        }),
    }
}

/// What came of a plan's requests.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Mutations that Fluent took.
    pub(super) done: usize,
    /// An answer was lost.
    pub(super) ambiguous: Option<FluentError>,
    /// Not done, may work later.
    pub(super) later: Option<FluentError>,
    /// Not done, and the same will never work.
    pub(super) refused: Option<FluentError>,
    /// The state was not the one that the plan was made for: read again.
    pub(super) conflict: Option<FluentError>,
    /// The lease did not cover a request: nothing more was sent.
    pub(super) no_lease: bool,
    /// The user that a creation made.
    pub(super) created: Option<(FluentUserId, FluentStatus)>,
}

impl Report {
    /// Takes in what came of one mutation.
    pub(super) fn take(&mut self, result: Result<Written, FluentError>) {
        let error = match result {
            Ok(Written::User(user)) => {
                self.done = self.done.saturating_add(1);
                self.created.get_or_insert((user.id, user.status));
                return;
            }
            Ok(Written::RolesRemoved) => {
                self.done = self.done.saturating_add(1);
                return;
            }
            Err(error) => error,
        };
        let slot = match error.retry_class() {
            RetryClass::Ambiguous => &mut self.ambiguous,
            RetryClass::Retryable { .. } => &mut self.later,
            // The name was taken since it was read, or a pair is gone that was there (fluent.md 3.5).
            RetryClass::Terminal if error.is_duplicate() && error.operation() == Operation::CreateUser => {
                &mut self.conflict
            }
            RetryClass::Terminal if error.is_not_found() && error.operation() == Operation::RemoveRoles => {
                &mut self.conflict
            }
            RetryClass::Terminal => &mut self.refused,
        };
        slot.get_or_insert(error);
    }

    /// Nothing more is to be sent under this plan. What was refused stops nothing but itself.
    pub(super) const fn stops(&self) -> bool {
        self.ambiguous.is_some() || self.later.is_some() || self.conflict.is_some() || self.no_lease
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_deactivation_goes_alone_and_the_rest_together() {
        let status = |status| Step::SetStatus(status);
        let remove = Step::RemoveGrants(BTreeSet::new());
        let add = Step::AddGrants {
            missing: BTreeSet::new(),
            beside: BTreeSet::new(),
        };
        let sizes = |steps: &[Step]| requests(steps).iter().map(|part| part.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&[status(FluentStatus::Inactive), remove.clone()]), [1, 1]);
        assert_eq!(sizes(&[remove, add, status(FluentStatus::Active)]), [3]);
        assert!(sizes(&[]).is_empty());
    }
}
