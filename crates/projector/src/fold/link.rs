//! Links between entries, each with the event that made it: what an explanation names as evidence.

use rollcall_domain::Sequence;
use smallvec::SmallVec;

use super::slab::{AppRoleIx, AssignedIx, GroupIx};
use super::state::TenantState;

/// The sequence of the accepted event that made something, in half the space: there are several for every
/// user. What came after the tenant's first 4,294,967,294 events is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Since(pub(crate) u32);

impl Since {
    pub(crate) fn of(sequence: Sequence) -> Self {
        Self(u32::try_from(sequence.0).unwrap_or(u32::MAX))
    }

    /// The sequence; none when it was too large to be kept.
    pub(crate) fn sequence(self) -> Option<Sequence> {
        (self.0 != u32::MAX).then(|| Sequence(u64::from(self.0)))
    }
}

/// A link to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link<I> {
    pub(crate) to: I,
    pub(crate) since: Since,
}

/// Roles as assigned; most have one or two.
pub(crate) type RoleLinks = SmallVec<[Link<AssignedIx>; 2]>;
/// Direct groups, ascending.
pub(crate) type GroupLinks = SmallVec<[Link<GroupIx>; 4]>;

/// Where links lead to.
pub(crate) fn targets<I>(links: &[Link<I>]) -> impl Iterator<Item = &I> {
    links.iter().map(|link| &link.to)
}

impl TenantState {
    /// A whole list of roles that takes the place of another: an app role that was assigned before keeps the
    /// event that assigned it, whatever else of its entry changed.
    pub(super) fn role_links(&self, roles: &[AssignedIx], before: &[Link<AssignedIx>]) -> RoleLinks {
        let app_role = |ix: &AssignedIx| self.roles.assigned.get(*ix).map(|assigned| assigned.app_role);
        let mut known: SmallVec<[(Option<AppRoleIx>, Since); 4]> = before
            .iter()
            .map(|link| (app_role(&link.to), link.since))
            .collect();
        known.sort_unstable_by_key(|(role, _)| *role);
        let now = Since::of(self.sequence);
        let since = |ix: &AssignedIx| {
            let at = known.binary_search_by_key(&app_role(ix), |(role, _)| *role).ok();
            at.and_then(|at| known.get(at)).map_or(now, |(_, since)| *since)
        };
        roles
            .iter()
            .map(|ix| Link {
                to: *ix,
                since: since(ix),
            })
            .collect()
    }
}
