//! Cutting what is too large for one event into parts. Only lists of members grow that large.

use rollcall_domain::{EVENT_PARTS_MAX, EventData, GroupChanged, GroupId, MemberSet};

use super::members::{MemberRef, member_set, members_of};

/// Members named by one part: 40 bytes each make 400 kB, which leaves 112 kB of an event for the group's
/// attributes.
pub(crate) const MEMBERS_PER_PART: usize = 10_000;

/// The change does not fit into the largest number of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the change names more members than {EVENT_PARTS_MAX} parts of {MEMBERS_PER_PART} hold")]
pub(crate) struct TooLarge;

/// The same change as one event, or as several of which each fits. The first part carries all attributes;
/// those who leave are named before those who come.
pub(crate) fn in_parts(data: EventData) -> Result<Vec<EventData>, TooLarge> {
    match data {
        EventData::GroupCreated(mut group) if group.members.len() > MEMBERS_PER_PART => {
            let members: Vec<MemberRef> = members_of(&group.members).collect();
            let mut chunks = members.chunks(MEMBERS_PER_PART);
            group.members = member_set(chunks.next().unwrap_or_default().iter().copied());
            let id = group.group;
            let rest =
                chunks.map(|chunk| part_of(id, MemberSet::default(), member_set(chunk.iter().copied())));
            bounded(
                std::iter::once(EventData::GroupCreated(group))
                    .chain(rest)
                    .collect(),
            )
        }
        EventData::GroupChanged(mut group) if group.removed.len() + group.added.len() > MEMBERS_PER_PART => {
            let removed: Vec<MemberRef> = members_of(&group.removed).collect();
            let added: Vec<MemberRef> = members_of(&group.added).collect();
            group.removed = MemberSet::default();
            group.added = MemberSet::default();
            let id = group.group;
            let leaving = removed.chunks(MEMBERS_PER_PART);
            let leaving = leaving.map(|c| part_of(id, member_set(c.iter().copied()), MemberSet::default()));
            let coming = added.chunks(MEMBERS_PER_PART);
            let coming = coming.map(|c| part_of(id, MemberSet::default(), member_set(c.iter().copied())));
            bounded(
                std::iter::once(EventData::GroupChanged(group))
                    .chain(leaving)
                    .chain(coming)
                    .collect(),
            )
        }
        small => Ok(vec![small]),
    }
}

fn part_of(group: GroupId, removed: MemberSet, added: MemberSet) -> EventData {
    EventData::GroupChanged(GroupChanged {
        group,
        base: None,
        display_name: None,
        external_id: rollcall_domain::Set::Keep,
        roles: None,
        removed,
        added,
        member_base: None,
    })
}

fn bounded(parts: Vec<EventData>) -> Result<Vec<EventData>, TooLarge> {
    if parts.len() > usize::from(EVENT_PARTS_MAX) {
        Err(TooLarge)
    } else {
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use rollcall_domain::{
        ConnectionName, EVENT_BYTES_MAX, Event, EventId, GroupCreated, Part, Revision, Source, TenantId,
        Timestamp, UserId,
    };
    use uuid::Uuid;

    fn users(from: u128, count: usize) -> MemberSet {
        let users = (from..)
            .take(count)
            .map(|n| UserId(Uuid::from_u128(u128::MAX - n)));
        MemberSet {
            users: users.collect(),
            groups: Vec::new(),
        }
    }

    fn change(removed: usize, added: usize) -> GroupChanged {
        let EventData::GroupChanged(part) = part_of(GroupId(Uuid::nil()), users(0, removed), users(9, added))
        else {
            panic!("not a change")
        };
        GroupChanged {
            base: Some(Revision(3)),
            member_base: Some(Revision(4)),
            ..part
        }
    }

    fn encoded(data: EventData) -> usize {
        let event = Event {
            id: EventId(Uuid::max()),
            source: Source::Scim(ConnectionName::new("e".repeat(64)).unwrap()),
            time: Timestamp::default(),
            tenant: TenantId::new("t".repeat(64)).unwrap(),
            actor: "a".repeat(128),
            request_id: Some("r".repeat(128)),
            part: Some(Part {
                index: 256,
                count: 256,
            }),
            data,
        };
        event.encode().len()
    }

    #[test]
    fn a_small_change_stays_one_event() {
        let small = EventData::GroupChanged(change(1, 2));
        assert_eq!(in_parts(small.clone()).unwrap(), [small]);
    }

    #[test]
    fn parts_fit_keep_every_member_and_only_the_first_names_revisions() {
        let parts = in_parts(EventData::GroupChanged(change(25_000, 10_001))).unwrap();
        let (mut removed, mut added) = (MemberSet::default(), MemberSet::default());
        for (index, part) in parts.iter().enumerate() {
            let EventData::GroupChanged(group) = part else {
                panic!("not a change")
            };
            assert_eq!(
                (group.base.is_some(), group.member_base.is_some()),
                (index == 0, index == 0)
            );
            assert!(
                encoded(part.clone()) < EVENT_BYTES_MAX - 100_000,
                "no room for attributes"
            );
            removed.users.extend(&group.removed.users);
            added.users.extend(&group.added.users);
        }
        assert_eq!((removed, added), (users(0, 25_000), users(9, 10_001)));
    }

    #[test]
    fn a_large_new_group_is_created_by_its_first_part() {
        let created = GroupCreated {
            group: GroupId(Uuid::nil()),
            display_name: "all".to_owned(),
            external_id: None,
            roles: Vec::new(),
            members: users(0, 20_001),
        };
        let parts = in_parts(EventData::GroupCreated(created)).unwrap();
        assert_eq!(parts.len(), 3);
        assert!(
            matches!(parts.first(), Some(EventData::GroupCreated(g)) if g.members.len() == MEMBERS_PER_PART)
        );
        assert!(
            matches!(parts.last(), Some(EventData::GroupChanged(g)) if g.added.len() == 1 && g.base.is_none())
        );
    }

    #[test]
    fn what_needs_too_many_parts_is_refused() {
        let many = MEMBERS_PER_PART * usize::from(EVENT_PARTS_MAX) + 1;
        assert_eq!(in_parts(EventData::GroupChanged(change(0, many))), Err(TooLarge));
    }
}
