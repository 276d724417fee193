//! How large a resource may become. Everything else that a request can hold is bounded where it is read (the
//! `scim` crate's limits: 500 roles of a user or a group among them).
//!
//! A bound is asked of what a change brings, never of what is there: a resource that is beyond one, from an
//! older log, can still lose roles and members, and a deactivation is never refused for its roles.

use std::collections::HashSet;

use rollcall_domain::{APP_ROLE_MAX, AssignedRole, GroupId};
use rollcall_projector::{GroupResource, UserResource};

use super::group::GroupWanted;
use super::user::UserWanted;

/// Longest displayName of a group, in characters: four times what Entra and Okta allow.
pub(crate) const GROUP_NAME_CHARS_MAX: usize = 1_024;
/// Longest externalId of a group, in characters: ids of identity providers are UUIDs or distinguished names.
pub(crate) const GROUP_EXTERNAL_ID_CHARS_MAX: usize = 512;
/// Most groups in a chain of groups one inside the other; directories nest a handful. Every level is another
/// group whose change reaches the users at the bottom.
pub(crate) const GROUP_DEPTH_MAX: usize = 64;
/// Most nestings (a group in a group) looked at to find that depth, above and below: who computes what the members of
/// these groups get walks all of them for every change, and stores the groups. Directories have some thousands; of
/// groups that are all in one another, 141 have as many.
pub(crate) const NESTINGS_WALKED_MAX: usize = 20_000;

/// A request would make a resource larger than it may be. Sending it again does not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BeyondBound {
    #[error("roles has a value of more than {APP_ROLE_MAX} bytes")]
    RoleText,
    #[error("displayName has more than {GROUP_NAME_CHARS_MAX} characters")]
    GroupName,
    #[error("externalId has more than {GROUP_EXTERNAL_ID_CHARS_MAX} characters")]
    GroupExternalId,
    #[error("members would nest groups more than {GROUP_DEPTH_MAX} deep")]
    GroupDepth,
    #[error("members would nest groups in one another in more than {NESTINGS_WALKED_MAX} places")]
    Nestings,
}

/// Refuses what a request brings to a user beyond the bounds; `current` is none for a new one.
pub(crate) fn user_within_bounds(
    current: Option<&UserResource>,
    wanted: &UserWanted,
) -> Result<(), BeyondBound> {
    match current {
        // A leaver, whatever roles come along.
        Some(current) if current.active && !wanted.active => Ok(()),
        Some(current) => roles_within_bounds(&current.roles, &wanted.roles),
        None => roles_within_bounds(&[], &wanted.roles),
    }
}

/// Refuses what a request brings to a group's attributes beyond the bounds; `current` is none for a new one.
pub(crate) fn group_within_bounds(
    current: Option<&GroupResource>,
    wanted: &GroupWanted,
) -> Result<(), BeyondBound> {
    let is_new = |there: Option<&str>, text: &str| there != Some(text);
    let name = wanted.display_name.as_str();
    let named = current.map(|group| group.display_name.as_str());
    if is_new(named, name) && has_more_chars(name, GROUP_NAME_CHARS_MAX) {
        return Err(BeyondBound::GroupName);
    }
    let known = current.and_then(|group| group.external_id.as_deref());
    let external = wanted.external_id.as_deref().filter(|id| is_new(known, id));
    if external.is_some_and(|id| has_more_chars(id, GROUP_EXTERNAL_ID_CHARS_MAX)) {
        return Err(BeyondBound::GroupExternalId);
    }
    roles_within_bounds(current.map_or(&[], |group| &group.roles), &wanted.roles)
}

fn roles_within_bounds(there: &[AssignedRole], wanted: &[AssignedRole]) -> Result<(), BeyondBound> {
    let too_long = |role: &&AssignedRole| role.value.as_str().len() > APP_ROLE_MAX;
    let brought = |role: &AssignedRole| !there.iter().any(|old| old.value == role.value);
    if wanted.iter().filter(too_long).any(brought) {
        Err(BeyondBound::RoleText)
    } else {
        Ok(())
    }
}

fn has_more_chars(text: &str, max: usize) -> bool {
    text.len() > max && text.chars().nth(max).is_some()
}

/// Refuses groups inside `group` (none for a new one) that make a chain of more than [`GROUP_DEPTH_MAX`], or that stand
/// in a tangle of more than [`NESTINGS_WALKED_MAX`].
/// `parents` and `children` look one level up or down. A group is met once, by the shortest way; one that
/// stands above `group` already closes a cycle, which adds no depth.
pub(crate) fn nesting_within_bounds(
    group: Option<GroupId>,
    added: impl IntoIterator<Item = GroupId>,
    parents: impl Fn(GroupId) -> Vec<GroupId>,
    children: impl Fn(GroupId) -> Vec<GroupId>,
) -> Result<(), BeyondBound> {
    let added: Vec<GroupId> = added.into_iter().collect();
    if added.is_empty() {
        return Ok(());
    }
    let mut met = Met::default();
    // A new group is a level of its own with nothing above it.
    let above = levels(&mut met, group, parents, GROUP_DEPTH_MAX)?.max(1);
    levels(&mut met, added, children, GROUP_DEPTH_MAX.saturating_sub(above))?;
    Ok(())
}

/// What was looked at.
#[derive(Default)]
struct Met {
    groups: HashSet<GroupId>,
    nestings: usize,
}

/// How many levels `next` gives from `first` on, `first` included, without the groups `met` before.
fn levels(
    met: &mut Met,
    first: impl IntoIterator<Item = GroupId>,
    next: impl Fn(GroupId) -> Vec<GroupId>,
    max: usize,
) -> Result<usize, BeyondBound> {
    let mut level: Vec<GroupId> = first
        .into_iter()
        .filter(|group| met.groups.insert(*group))
        .collect();
    met.nestings += level.len();
    let mut count = 0;
    while !level.is_empty() {
        count += 1;
        if count > max {
            return Err(BeyondBound::GroupDepth);
        }
        let mut below = Vec::new();
        for group in level {
            let nested = next(group);
            met.nestings += nested.len();
            if met.nestings > NESTINGS_WALKED_MAX {
                return Err(BeyondBound::Nestings);
            }
            below.extend(nested.into_iter().filter(|group| met.groups.insert(*group)));
        }
        level = below;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn group(number: usize) -> GroupId {
        GroupId(Uuid::from_u128(number as u128))
    }

    fn number(group: GroupId) -> usize {
        usize::try_from(group.0.as_u128()).unwrap_or(usize::MAX)
    }

    /// Chains of forty: 100 holds 101, 101 holds 102, … 139 holds nothing.
    fn up(of: GroupId) -> Vec<GroupId> {
        let number = number(of);
        (!number.is_multiple_of(100))
            .then(|| group(number - 1))
            .into_iter()
            .collect()
    }

    fn down(of: GroupId) -> Vec<GroupId> {
        let number = number(of);
        (number % 100 < 39)
            .then(|| group(number + 1))
            .into_iter()
            .collect()
    }

    #[test]
    fn a_chain_is_as_long_as_what_stands_above_and_what_hangs_below() {
        // 24 groups down to number 123, and 40 from number 200 on.
        assert_eq!(
            nesting_within_bounds(Some(group(123)), [group(200)], up, down),
            Ok(())
        );
        assert_eq!(
            nesting_within_bounds(Some(group(124)), [group(200)], up, down),
            Err(BeyondBound::GroupDepth)
        );
        assert_eq!(
            nesting_within_bounds(None, [group(100), group(239)], up, down),
            Ok(())
        );
        let endless = |of: GroupId| vec![group(number(of) + 1)];
        assert_eq!(
            nesting_within_bounds(None, [group(1)], up, endless),
            Err(BeyondBound::GroupDepth)
        );
    }

    #[test]
    fn a_cycle_adds_no_depth() {
        for (inner, outer) in [(139, 100), (139, 139), (120, 100)] {
            let closed = nesting_within_bounds(Some(group(inner)), [group(outer)], up, down);
            assert_eq!(closed, Ok(()), "{outer} in {inner}");
        }
    }

    #[test]
    fn more_nestings_than_are_walked_are_refused_however_few_groups_have_them() {
        let none = |_: GroupId| Vec::new();
        for (groups, expected) in [(141, Ok(())), (142, Err(BeyondBound::Nestings))] {
            let tangle = |_: GroupId| (0..groups).map(group).collect();
            let within = nesting_within_bounds(None, [group(0)], none, tangle);
            assert_eq!(within, expected, "{groups} below");
            let within = nesting_within_bounds(Some(group(0)), [group(1_000)], tangle, none);
            assert_eq!(within, expected, "{groups} above");
        }
        let wide = |of: GroupId| match number(of) {
            0 => (1..=NESTINGS_WALKED_MAX).map(group).collect(),
            _ => Vec::new(),
        };
        assert_eq!(
            nesting_within_bounds(None, [group(0)], none, wide),
            Err(BeyondBound::Nestings)
        );
    }
}
