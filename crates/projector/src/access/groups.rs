//! What a member of a group gets: the roles of that group and of all that it is nested in, each with the
//! shortest way there.

use std::collections::VecDeque;

use rollcall_domain::{GroupId, GroupRoleOrigin};
use rustc_hash::FxHashSet;

use crate::fold::{AppRoleIx, GroupIx, StableHash, TenantState};

/// An app role that a member of a group has through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupRole {
    pub(crate) app_role: AppRoleIx,
    /// The group that carries it.
    pub(crate) carrier: GroupIx,
    /// How; none when the name of the carrier is just a name (a note).
    pub(crate) origin: Option<GroupRoleOrigin>,
    /// Stable hash of the way, the origin and the app role.
    pub(crate) source_hash: u64,
}

impl TenantState {
    /// What a direct member of the group gets; computed when first asked for.
    pub(crate) fn effective(&self, group: GroupIx) -> &[GroupRole] {
        self.groups.get(group).map_or(&[], |entry| {
            entry
                .effective
                .get_or_init(|| self.collect_effective(group).into_boxed_slice())
        })
    }

    fn collect_effective(&self, group: GroupIx) -> Vec<GroupRole> {
        let mut found = Vec::new();
        let onwards = |hash: &StableHash, id: GroupId| hash.bytes(id.0.as_bytes());
        for (carrier, hash) in self.walk_upwards(group, &StableHash::new(5), onwards) {
            for (app_role, origin) in self.own_roles(carrier) {
                let text = self.roles.app_roles.get(app_role).map_or(0, |entry| entry.hash);
                let code = origin.map_or(9, |origin| origin as u64);
                let source_hash = hash.number(code).number(text).finish();
                found.push(GroupRole {
                    app_role,
                    carrier,
                    origin,
                    source_hash,
                });
            }
        }
        found
    }

    /// The group and all groups above it, nearest first, each with the shortest path to it; of several
    /// shortest ones the first in order of ids.
    pub(crate) fn upwards(&self, group: GroupIx) -> Vec<(GroupIx, Vec<GroupId>)> {
        self.walk_upwards(group, &Vec::new(), |path, id| {
            let mut longer = path.clone();
            longer.push(id);
            longer
        })
    }

    /// The same with whatever is made of a path step by step: a hash of it costs one step a group, where the paths
    /// themselves cost the square of the depth.
    fn walk_upwards<P>(
        &self,
        group: GroupIx,
        start: &P,
        onwards: impl Fn(&P, GroupId) -> P,
    ) -> Vec<(GroupIx, P)> {
        let mut seen = FxHashSet::default();
        let mut queue = VecDeque::new();
        let mut found = Vec::new();
        if let Some(entry) = self.groups.get(group) {
            seen.insert(group);
            queue.push_back((group, onwards(start, entry.id)));
        }
        while let Some((ix, path)) = queue.pop_front() {
            if let Some(entry) = self.groups.get(ix) {
                let mut parents: Vec<(GroupId, GroupIx)> = entry
                    .parents
                    .keys()
                    .filter(|parent| !seen.contains(*parent))
                    .filter_map(|parent| self.groups.get(*parent).map(|entry| (entry.id, *parent)))
                    .collect();
                parents.sort_unstable();
                for (id, parent) in parents {
                    seen.insert(parent);
                    queue.push_back((parent, onwards(&path, id)));
                }
            }
            found.push((ix, path));
        }
        found
    }

    /// The app roles that the group itself carries: its own, the rule set's, and its name.
    fn own_roles(&self, group: GroupIx) -> Vec<(AppRoleIx, Option<GroupRoleOrigin>)> {
        let Some(entry) = self.groups.get(group) else {
            return Vec::new();
        };
        let own = entry
            .roles
            .iter()
            .filter_map(|role| self.roles.assigned.get(role.to));
        let mut roles: Vec<_> = own
            .map(|a| (a.app_role, Some(GroupRoleOrigin::Extension)))
            .collect();
        let by_name = self.rules.by_group_name.get(&*entry.display_name);
        let by_external = entry
            .external_id
            .as_deref()
            .and_then(|id| self.rules.by_group_external.get(id));
        let ruled = by_name.into_iter().chain(by_external).flatten();
        roles.extend(ruled.map(|role| (*role, Some(GroupRoleOrigin::RuleSet))));
        if let Some(role) = entry.name_role {
            let known = self
                .roles
                .app_roles
                .get(role)
                .is_some_and(|entry| entry.resolution.place_known);
            roles.push((role, known.then_some(GroupRoleOrigin::DisplayName)));
        }
        roles.sort_unstable_by_key(|(role, origin)| (*role, origin.map(|o| o as u8)));
        roles.dedup();
        roles
    }
}
