//! Members that are known to be users or groups of the connection.

use rollcall_domain::{GroupId, MemberSet, UserId};

/// A member of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum MemberRef {
    /// A user.
    User(UserId),
    /// A nested group.
    Group(GroupId),
}

/// The members as an event lists them: users and groups apart.
pub(crate) fn member_set(members: impl IntoIterator<Item = MemberRef>) -> MemberSet {
    let mut set = MemberSet::default();
    for member in members {
        match member {
            MemberRef::User(user) => set.users.push(user),
            MemberRef::Group(group) => set.groups.push(group),
        }
    }
    set
}

/// The members of a set one by one.
pub(crate) fn members_of(set: &MemberSet) -> impl Iterator<Item = MemberRef> + '_ {
    let users = set.users.iter().copied().map(MemberRef::User);
    users.chain(set.groups.iter().copied().map(MemberRef::Group))
}
