//! Why: every derivation as text.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_domain::{
    AccountKey, AssignedRole, Derivation, DerivationId, Expansion, GroupId, Note, RoleName, RoleSource,
    UserId,
};
use serde_json::{Map, Value};

use super::outline::{Assignment, Derived};
use super::resolve::By;
use crate::fold::{AccountIx, AssignedIx, GroupIx, Link, TenantState, targets};
use crate::{Evidence, Explanation, GroupRef};

impl TenantState {
    /// The desired user with the text of every derivation.
    pub(crate) fn explanation(
        &self,
        account: AccountIx,
        attributes: Option<&Map<String, Value>>,
    ) -> Option<Explanation> {
        let outline = self.outline(account);
        let desired = self.expand(account, &outline, attributes)?;
        let mut derivations: Vec<Derivation> = Vec::new();
        let mut evidence: BTreeMap<DerivationId, Vec<Evidence>> = BTreeMap::new();
        for (derived, derivation) in outline
            .grants
            .iter()
            .filter_map(|d| Some((d, self.derivation(d)?)))
        {
            let path: &[GroupId] = match &derivation.source {
                RoleSource::Personal => &[],
                RoleSource::Group { path, .. } => path,
            };
            evidence
                .entry(derived.id)
                .or_insert_with(|| self.evidence(derived, path));
            derivations.push(derivation);
        }
        derivations.sort_unstable_by_key(|d| (d.id, d.grant.clone()));
        let mut groups: BTreeSet<GroupId> = BTreeSet::new();
        for derivation in &derivations {
            if let RoleSource::Group { path, .. } = &derivation.source {
                groups.extend(path);
            }
        }
        groups.extend(desired.notes.iter().filter_map(|note| match note {
            Note::NameOnly { group } => Some(*group),
            _ => None,
        }));
        let users = || self.claimants(account).filter_map(|ix| self.users.get(ix));
        let member_of: Vec<(UserId, Vec<GroupId>)> = users()
            .map(|user| (user.id, self.group_ids(targets(&user.groups))))
            .collect();
        groups.extend(member_of.iter().flat_map(|(_, groups)| groups));
        let standing = users()
            .filter_map(|user| Some((user.id, user.standing.sequence()?)))
            .collect();
        Some(Explanation {
            desired,
            standing,
            derivations,
            evidence,
            groups: groups.into_iter().filter_map(|id| self.group_ref(id)).collect(),
            personal_roles: users()
                .map(|user| (user.id, self.assigned_list(&user.roles)))
                .collect(),
            member_of,
            successor: self.successor(account),
        })
    }

    fn derivation(&self, derived: &Derived) -> Option<Derivation> {
        let assignment = &derived.assignment;
        let entry = self.roles.app_roles.get(assignment.app_role)?;
        let logical_role = RoleName(entry.resolution.last_part.to_string());
        Some(Derivation {
            id: derived.id,
            user: self.users.get(assignment.user)?.id,
            source: self.source(assignment),
            app_role: entry.text.clone(),
            expansion: match derived.expanded.by {
                By::Direct => Expansion::Direct,
                By::Rule => Expansion::Rule { logical_role },
                By::AlsoRetailer => Expansion::AlsoRetailer { logical_role },
            },
            grant: self.roles.grants.get(derived.grant)?.clone(),
        })
    }

    fn source(&self, assignment: &Assignment) -> RoleSource {
        let Some((direct, carrier, origin)) = assignment.through else {
            return RoleSource::Personal;
        };
        let way = self
            .upwards(direct)
            .into_iter()
            .find(|(group, _)| *group == carrier);
        RoleSource::Group {
            path: way.map(|(_, path)| path).unwrap_or_default(),
            origin,
        }
    }

    /// The account that a claimant of this one was renamed to, when nobody claims this one any more.
    pub(crate) fn successor(&self, account: AccountIx) -> Option<AccountKey> {
        if self.claimants(account).next().is_some() {
            return None;
        }
        let entry = self.accounts.get(account)?;
        let renamed = entry.claimants.iter().rev().filter_map(|ix| self.users.get(*ix));
        let to = renamed
            .filter(|user| user.is_live() && user.account != account)
            .map(|user| user.account)
            .next()?;
        self.accounts.get(to).map(|entry| entry.key)
    }

    /// Ids of groups, in order.
    pub(crate) fn group_ids<'g>(&self, groups: impl IntoIterator<Item = &'g GroupIx>) -> Vec<GroupId> {
        let mut ids: Vec<GroupId> = groups
            .into_iter()
            .filter_map(|ix| self.groups.get(*ix))
            .map(|group| group.id)
            .collect();
        ids.sort_unstable();
        ids
    }

    pub(crate) fn group_ref(&self, id: GroupId) -> Option<GroupRef> {
        let group = self.groups.get(*self.group_index.get(&id)?)?;
        Some(GroupRef {
            id,
            display_name: group.display_name.to_string(),
        })
    }

    pub(crate) fn assigned_list(&self, roles: &[Link<AssignedIx>]) -> Vec<AssignedRole> {
        targets(roles)
            .filter_map(|ix| self.roles.assigned.get(*ix))
            .map(|a| a.role.clone())
            .collect()
    }
}
