//! By whose act: the events behind a derivation.

use rollcall_domain::{GroupId, GroupRoleOrigin};

use super::outline::{Assignment, Derived};
use super::resolve::By;
use crate::fold::{AppRoleIx, AssignedIx, Group, GroupIx, Link, Since, TenantState, targets};
use crate::{Act, Evidence};

/// A chain under construction.
struct Chain(Vec<Evidence>);

impl Chain {
    fn add(&mut self, act: Act, since: Option<Since>) {
        let sequence = since.and_then(Since::sequence);
        self.0.extend(sequence.map(|sequence| Evidence { act, sequence }));
    }
}

impl TenantState {
    /// The events that a derivation rests on, from the user to the grant. `path` leads from the direct group
    /// to the one that carries the app role; empty for a personal role.
    pub(super) fn evidence(&self, derived: &Derived, path: &[GroupId]) -> Vec<Evidence> {
        let mut chain = Chain(Vec::new());
        let assignment = &derived.assignment;
        let mut ruled = derived.expanded.by != By::Direct;
        match assignment.through {
            None => {
                let user = self.users.get(assignment.user);
                let since = user.and_then(|user| self.role_since(&user.roles, assignment.app_role));
                chain.add(Act::Assigned, since);
            }
            Some((direct, carrier, origin)) => {
                self.way(&mut chain, assignment, direct, path);
                if let Some(group) = self.groups.get(carrier) {
                    self.carrying(&mut chain, group, assignment.app_role, origin);
                }
                ruled |= origin == GroupRoleOrigin::RuleSet;
            }
        }
        if ruled {
            chain.add(Act::RulesActivated, Some(Since::of(self.rules_since)));
        }
        chain.0
    }

    /// How the user came into the group and that one into those above.
    fn way(&self, chain: &mut Chain, assignment: &Assignment, direct: GroupIx, path: &[GroupId]) {
        let user = self.users.get(assignment.user);
        let member = user.and_then(|user| user.groups.iter().find(|link| link.to == direct));
        if let Some(group) = path.first() {
            chain.add(Act::AddedTo(*group), member.map(|link| link.since));
        }
        for (inner, outer) in path.iter().zip(path.iter().skip(1)) {
            let inner = self.group_index.get(inner).and_then(|ix| self.groups.get(*ix));
            let parent = self.group_index.get(outer);
            let since = inner
                .zip(parent)
                .and_then(|(inner, parent)| inner.parents.get(parent));
            chain.add(Act::NestedIn(*outer), since.copied());
        }
    }

    /// How the group came to carry the app role.
    fn carrying(&self, chain: &mut Chain, group: &Group, app_role: AppRoleIx, origin: GroupRoleOrigin) {
        match origin {
            GroupRoleOrigin::Extension => {
                chain.add(
                    Act::RoleGivenTo(group.id),
                    self.role_since(&group.roles, app_role),
                );
            }
            GroupRoleOrigin::DisplayName => chain.add(Act::Named(group.id), Some(group.named)),
            GroupRoleOrigin::RuleSet => {
                let by_name = self.rules.by_group_name.get(&*group.display_name);
                // A rule that names it and one that has its external id may agree; then the name speaks.
                if by_name.is_some_and(|roles| roles.contains(&app_role)) {
                    chain.add(Act::Named(group.id), Some(group.named));
                } else {
                    chain.add(Act::Identified(group.id), Some(group.identified));
                }
            }
        }
    }

    fn role_since(&self, roles: &[Link<AssignedIx>], app_role: AppRoleIx) -> Option<Since> {
        let is_it = |ix: &AssignedIx| {
            self.roles
                .assigned
                .get(*ix)
                .is_some_and(|a| a.app_role == app_role)
        };
        let at = targets(roles).position(is_it)?;
        roles.get(at).map(|link| link.since)
    }
}
