//! What is decided, carried out on a plain model, gives what was wanted.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests say what they expect")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use rollcall_domain::{
    AssignedRole, ConnectionName, EventData, GroupId, PersonalChange, Revision, Set, TenantKey, Timestamp,
    UserId, open,
};
use rollcall_projector::{GroupResource, UserResource};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::members::members_of;
use super::{
    GroupWanted, MemberChange, MemberRef, UserWanted, change_group, change_user, create_user, in_parts,
    member_set,
};

fn key() -> TenantKey {
    TenantKey::new([7; 32])
}

fn roles() -> impl Strategy<Value = Vec<AssignedRole>> {
    prop::collection::vec("[AB]", 0..3).prop_map(|names| names.into_iter().map(AssignedRole::plain).collect())
}

fn wanted() -> impl Strategy<Value = UserWanted> {
    let others = prop::collection::btree_map("title|nickName|locale", "[xy]", 0..3);
    (
        "ida|Ida|bo",
        prop::option::of("e1|E1|e2"),
        any::<bool>(),
        roles(),
        others,
    )
        .prop_map(|(user_name, external_id, active, roles, others)| {
            let mut attributes: Map<String, Value> = others
                .into_iter()
                .map(|(name, value)| (name, Value::from(value)))
                .collect();
            attributes.insert("userName".to_owned(), Value::from(user_name.as_str()));
            if let Some(id) = &external_id {
                attributes.insert("externalId".to_owned(), Value::from(id.as_str()));
            }
            UserWanted {
                user_name,
                external_id,
                active,
                roles,
                attributes,
            }
        })
}

/// The user that an event makes of nothing, field by field.
fn made_of(wanted: &UserWanted) -> UserResource {
    let created = create_user(&key(), UserId(Uuid::from_u128(1)), wanted);
    let mut attributes = Map::new();
    open::<PersonalChange>(&created.personal)
        .unwrap()
        .apply(&mut attributes);
    UserResource {
        id: created.user,
        connection: ConnectionName::new("entra").unwrap(),
        attributes,
        active: created.active,
        roles: created.roles,
        groups: Vec::new(),
        name_key: created.name_key,
        external_key: created.external_key,
        revision: Revision::FIRST,
        created: Timestamp::default(),
        changed: Timestamp::default(),
    }
}

fn people() -> impl Strategy<Value = BTreeSet<u8>> {
    prop::collection::btree_set(0u8..12, 0..12)
}

fn refs(people: &BTreeSet<u8>) -> BTreeSet<MemberRef> {
    let member = |n: &u8| match n % 2 {
        0 => MemberRef::User(UserId(Uuid::from_u128((*n).into()))),
        _ => MemberRef::Group(GroupId(Uuid::from_u128((*n).into()))),
    };
    people.iter().map(member).collect()
}

proptest! {
    #[test]
    fn a_user_changed_as_decided_is_the_user_that_was_wanted(before in wanted(), after in wanted()) {
        let mut user = made_of(&before);
        let target = made_of(&after);
        match change_user(&key(), &user, &after) {
            None => {}
            Some(change) => {
                prop_assert_eq!(change.base, user.revision);
                user.name_key = change.name_key.unwrap_or(user.name_key);
                change.external_key.apply(&mut user.external_key);
                user.active = change.active.unwrap_or(user.active);
                user.roles = change.roles.unwrap_or(user.roles);
                if let Some(sealed) = change.personal {
                    open::<PersonalChange>(&sealed).unwrap().apply(&mut user.attributes);
                }
                prop_assert!(before != after, "an event for nothing");
            }
        }
        prop_assert!(user == target);
    }

    #[test]
    fn a_list_replaced_as_decided_is_the_list_that_was_wanted(before in people(), after in people()) {
        let group = GroupResource {
            id: GroupId(Uuid::from_u128(99)),
            connection: ConnectionName::new("entra").unwrap(),
            display_name: "g".to_owned(),
            external_id: None,
            roles: Vec::new(),
            members: None,
            member_count: 0,
            revision: Revision(3),
            member_revision: Revision(5),
            created: Timestamp::default(),
            changed: Timestamp::default(),
        };
        let same = GroupWanted { display_name: "g".to_owned(), external_id: None, roles: Vec::new() };
        let members = MemberChange::Replace {
            wanted: refs(&after),
            current: member_set(refs(&before)),
            base: group.member_revision,
        };
        let mut list = refs(&before);
        let decided = change_group(&group, same, members);
        prop_assert_eq!(decided.is_none(), before == after);
        for part in decided.into_iter().flat_map(|change| in_parts(EventData::GroupChanged(change)).unwrap()) {
            let EventData::GroupChanged(change) = part else { panic!("not a change") };
            prop_assert_eq!((change.external_id, change.member_base), (Set::Keep, Some(Revision(5))));
            let gone: BTreeSet<MemberRef> = members_of(&change.removed).collect();
            let come: BTreeSet<MemberRef> = members_of(&change.added).collect();
            prop_assert!(gone.is_subset(&list) && come.is_disjoint(&list), "more than the difference");
            list.retain(|member| !gone.contains(member));
            list.extend(come);
        }
        prop_assert_eq!(list, refs(&after));
    }
}
