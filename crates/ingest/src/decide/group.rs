//! Groups: what the client wants, against what is there.

use std::collections::BTreeSet;

use rollcall_domain::{AssignedRole, GroupChanged, GroupCreated, GroupId, MemberSet, Revision, Set};
use rollcall_projector::GroupResource;

use super::members::{MemberRef, member_set, members_of};
use super::user::has_external_id;

/// A group's attributes as a request wants them to be, normalised and validated. Members are apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupWanted {
    pub(crate) display_name: String,
    pub(crate) external_id: Option<String>,
    pub(crate) roles: Vec<AssignedRole>,
}

/// What a request says about the list of members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MemberChange {
    /// Nothing.
    Keep,
    /// These come and go, whoever else is there. Nobody is in both.
    Difference {
        /// Become members.
        added: Vec<MemberRef>,
        /// Are members no longer.
        removed: Vec<MemberRef>,
    },
    /// This is the whole list. The current list stands beside it, with its revision.
    Replace {
        /// The new list.
        wanted: BTreeSet<MemberRef>,
        /// The list that the difference is computed against.
        current: MemberSet,
        /// The revision of that list.
        base: Revision,
    },
}

/// A new group.
pub(crate) fn create_group(
    group: GroupId,
    wanted: GroupWanted,
    members: impl IntoIterator<Item = MemberRef>,
) -> GroupCreated {
    GroupCreated {
        group,
        display_name: wanted.display_name,
        external_id: wanted.external_id,
        roles: wanted.roles,
        members: member_set(members),
    }
}

/// What has to change for `current` to become as wanted; `None` when nothing has to. A difference of members
/// is carried as it was asked for, whoever is a member already: that costs nothing to the fold, and a look at
/// the list might be a stale one.
pub(crate) fn change_group(
    current: &GroupResource,
    wanted: GroupWanted,
    members: MemberChange,
) -> Option<GroupChanged> {
    let mut change = GroupChanged {
        group: current.id,
        base: None,
        display_name: (wanted.display_name != current.display_name).then_some(wanted.display_name),
        external_id: match wanted.external_id {
            same if same == current.external_id => Set::Keep,
            Some(new) => Set::To(new),
            None => Set::Clear,
        },
        roles: (wanted.roles != current.roles).then_some(wanted.roles),
        removed: MemberSet::default(),
        added: MemberSet::default(),
        member_base: None,
    };
    if change.display_name.is_some() || !change.external_id.is_kept() || change.roles.is_some() {
        change.base = Some(current.revision);
    }
    match members {
        MemberChange::Keep => {}
        MemberChange::Difference { added, removed } => {
            change.removed = member_set(removed);
            change.added = member_set(added);
        }
        MemberChange::Replace {
            wanted,
            current,
            base,
        } => {
            let there: BTreeSet<MemberRef> = members_of(&current).collect();
            change.removed = member_set(there.difference(&wanted).copied());
            change.added = member_set(wanted.difference(&there).copied());
            if !(change.removed.is_empty() && change.added.is_empty()) {
                change.member_base = Some(base);
            }
        }
    }
    let nothing = change.base.is_none() && change.removed.is_empty() && change.added.is_empty();
    (!nothing).then_some(change)
}

/// Whether a POST of `wanted` with these members is the one that made the group that is there, sent again. The
/// current members are to be in `current`.
pub(crate) fn is_repeated_group(
    current: &GroupResource,
    wanted: &GroupWanted,
    members: impl IntoIterator<Item = MemberRef>,
) -> bool {
    let members = MemberChange::Replace {
        wanted: members.into_iter().collect(),
        current: current.members.clone().unwrap_or_default(),
        base: current.member_revision,
    };
    has_external_id(wanted.external_id.as_deref()) && change_group(current, wanted.clone(), members).is_none()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rollcall_domain::{ConnectionName, Timestamp, UserId};
    use uuid::Uuid;

    fn user(n: u128) -> UserId {
        UserId(Uuid::from_u128(n))
    }

    fn current() -> GroupResource {
        GroupResource {
            id: GroupId(Uuid::from_u128(1)),
            connection: ConnectionName::new("entra").unwrap(),
            display_name: "Store staff".to_owned(),
            external_id: None,
            roles: Vec::new(),
            members: None,
            member_count: 2,
            revision: Revision(3),
            member_revision: Revision(9),
            created: Timestamp::default(),
            changed: Timestamp::default(),
        }
    }

    fn as_is() -> GroupWanted {
        GroupWanted {
            display_name: "Store staff".to_owned(),
            external_id: None,
            roles: Vec::new(),
        }
    }

    #[test]
    fn a_change_of_members_alone_names_no_revision() {
        let members = MemberChange::Difference {
            added: vec![MemberRef::User(user(5))],
            removed: vec![MemberRef::Group(GroupId(Uuid::from_u128(6)))],
        };
        let change = change_group(&current(), as_is(), members).unwrap();
        assert_eq!((change.base, change.member_base), (None, None));
        assert_eq!(
            (change.added.users, change.removed.groups),
            (vec![user(5)], vec![GroupId(Uuid::from_u128(6))])
        );
    }

    #[test]
    fn a_replaced_list_is_a_difference_against_the_list_that_was_seen() {
        let replace = |wanted: &[u128]| MemberChange::Replace {
            wanted: wanted.iter().map(|n| MemberRef::User(user(*n))).collect(),
            current: MemberSet {
                users: vec![user(1), user(2)],
                groups: Vec::new(),
            },
            base: Revision(9),
        };
        let change = change_group(&current(), as_is(), replace(&[2, 3])).unwrap();
        assert_eq!(
            (change.removed.users, change.added.users),
            (vec![user(1)], vec![user(3)])
        );
        assert_eq!(change.member_base, Some(Revision(9)));
        assert_eq!(change_group(&current(), as_is(), replace(&[1, 2])), None);
        let cleared = change_group(&current(), as_is(), replace(&[])).unwrap();
        assert_eq!(
            (cleared.removed.users.len(), cleared.member_base),
            (2, Some(Revision(9)))
        );
    }

    #[test]
    fn attributes_that_change_name_the_revision_and_others_are_left_out() {
        let wanted = GroupWanted {
            external_id: Some("g1".to_owned()),
            ..as_is()
        };
        let change = change_group(&current(), wanted, MemberChange::Keep).unwrap();
        assert_eq!((change.base, change.display_name), (Some(Revision(3)), None));
        assert_eq!(change.external_id, Set::To("g1".to_owned()));
        assert_eq!(change_group(&current(), as_is(), MemberChange::Keep), None);
    }
}
