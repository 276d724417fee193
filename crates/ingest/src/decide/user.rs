//! Users: what the client wants, against what is there.

use std::fmt;

use rollcall_domain::{
    AssignedRole, PersonalChange, Revision, Set, TenantKey, UserChanged, UserCreated, UserId, seal,
};
use rollcall_projector::UserResource;
use serde_json::{Map, Value};

/// A user as a request wants it to be, normalised and validated.
#[derive(Clone, PartialEq)]
pub(crate) struct UserWanted {
    pub(crate) user_name: String,
    pub(crate) external_id: Option<String>,
    pub(crate) active: bool,
    pub(crate) roles: Vec<AssignedRole>,
    /// All other attributes by canonical name, `userName` and `externalId` included.
    pub(crate) attributes: Map<String, Value>,
}

/// Personal: only figures are shown.
impl fmt::Debug for UserWanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (active, roles, attributes) = (self.active, self.roles.len(), self.attributes.len());
        write!(
            f,
            "UserWanted(active {active}, {roles} roles, {attributes} attributes)"
        )
    }
}

/// A new user.
pub(crate) fn create_user(key: &TenantKey, user: UserId, wanted: &UserWanted) -> UserCreated {
    UserCreated {
        user,
        name_key: key.name_key(&wanted.user_name),
        external_key: wanted.external_id.as_deref().map(|id| key.external_key(id)),
        active: wanted.active,
        roles: wanted.roles.clone(),
        personal: seal(&PersonalChange {
            set: wanted.attributes.clone(),
            unset: Vec::new(),
        }),
    }
}

/// What has to change for `current` to become as wanted; `None` when nothing has to.
pub(crate) fn change_user(
    key: &TenantKey,
    current: &UserResource,
    wanted: &UserWanted,
) -> Option<UserChanged> {
    let name_key = key.name_key(&wanted.user_name);
    let external_key = wanted.external_id.as_deref().map(|id| key.external_key(id));
    let personal = personal_change(&current.attributes, &wanted.attributes);
    let change = UserChanged {
        user: current.id,
        base: current.revision,
        name_key: (name_key != current.name_key).then_some(name_key),
        external_key: match external_key {
            same if same == current.external_key => Set::Keep,
            Some(new) => Set::To(new),
            None => Set::Clear,
        },
        active: (wanted.active != current.active).then_some(wanted.active),
        roles: (wanted.roles != current.roles).then(|| wanted.roles.clone()),
        personal: (!personal.is_empty()).then(|| seal(&personal)),
        rehire: false,
    };
    (!is_nothing(&change)).then_some(change)
}

fn is_nothing(change: &UserChanged) -> bool {
    let UserChanged {
        user: _,
        base: Revision(_),
        name_key,
        external_key,
        active,
        roles,
        personal,
        rehire: _,
    } = change;
    name_key.is_none() && external_key.is_kept() && active.is_none() && roles.is_none() && personal.is_none()
}

fn personal_change(old: &Map<String, Value>, new: &Map<String, Value>) -> PersonalChange {
    let set = new.iter().filter(|(name, value)| old.get(*name) != Some(*value));
    let unset = old.keys().filter(|name| !new.contains_key(*name));
    PersonalChange {
        set: set.map(|(name, value)| (name.clone(), value.clone())).collect(),
        unset: unset.cloned().collect(),
    }
}

/// Whether a POST of `wanted` means the deactivated user that is there: the same person hired again. Both ids
/// must be the same; a name alone may have passed to somebody else.
pub(crate) fn is_rehire(key: &TenantKey, current: &UserResource, wanted: &UserWanted) -> bool {
    // To the letter, as `externalId` is compared everywhere (its key is not).
    let known = current.attributes.get("externalId").and_then(Value::as_str);
    !current.active
        && has_external_id(wanted.external_id.as_deref())
        && wanted.external_id.as_deref() == known
        && key.name_key(&wanted.user_name) == current.name_key
}

/// Whether a POST of `wanted` is the one that made the active user that is there, sent again: both ids and all else
/// are the same.
pub(crate) fn is_repeated(key: &TenantKey, current: &UserResource, wanted: &UserWanted) -> bool {
    current.active
        && has_external_id(wanted.external_id.as_deref())
        && change_user(key, current, wanted).is_none()
}

/// Whether there is an `externalId` that tells one from another: a blank one is as good as none.
pub(super) fn has_external_id(external_id: Option<&str>) -> bool {
    external_id.is_some_and(|id| !id.trim().is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rollcall_domain::{ConnectionName, Timestamp, open};
    use serde_json::json;
    use uuid::Uuid;

    fn key() -> TenantKey {
        TenantKey::new([7; 32])
    }

    fn wanted(attributes: Value) -> UserWanted {
        let Value::Object(attributes) = attributes else {
            unreachable!()
        };
        let text = |name: &str| attributes.get(name).and_then(Value::as_str).map(str::to_owned);
        UserWanted {
            user_name: text("userName").unwrap(),
            external_id: text("externalId"),
            active: true,
            roles: vec![AssignedRole::plain("Agent_1_A")],
            attributes,
        }
    }

    fn current(wanted: &UserWanted) -> UserResource {
        UserResource {
            id: UserId(Uuid::from_u128(1)),
            connection: ConnectionName::new("entra").unwrap(),
            attributes: wanted.attributes.clone(),
            active: wanted.active,
            roles: wanted.roles.clone(),
            groups: Vec::new(),
            name_key: key().name_key(&wanted.user_name),
            external_key: wanted.external_id.as_deref().map(|id| key().external_key(id)),
            revision: Revision(4),
            created: Timestamp::default(),
            changed: Timestamp::default(),
        }
    }

    fn ida() -> UserWanted {
        wanted(json!({"userName": "ida@store.example", "externalId": "e1", "title": "Clerk"}))
    }

    #[test]
    fn what_is_as_wanted_needs_no_event() {
        assert_eq!(change_user(&key(), &current(&ida()), &ida()), None);
    }

    #[test]
    fn a_change_carries_only_what_changed_and_the_revision_it_was_made_against() {
        let change = change_user(
            &key(),
            &current(&ida()),
            &UserWanted {
                active: false,
                ..ida()
            },
        )
        .unwrap();
        assert_eq!((change.base, change.active), (Revision(4), Some(false)));
        assert!(change.name_key.is_none() && change.external_key.is_kept());
        assert!(change.roles.is_none() && change.personal.is_none());

        let new = wanted(json!({"userName": "ida@store.example", "nickName": "I"}));
        let change = change_user(&key(), &current(&ida()), &new).unwrap();
        assert_eq!((change.external_key, change.active), (Set::Clear, None));
        let personal: PersonalChange = open(&change.personal.unwrap()).unwrap();
        assert_eq!(
            personal.set.into_iter().collect::<Vec<_>>(),
            [("nickName".to_owned(), json!("I"))]
        );
        assert_eq!(personal.unset, ["externalId", "title"]);
    }

    #[test]
    fn a_change_of_case_in_the_name_is_personal_only() {
        let new = wanted(json!({"userName": "Ida@store.example", "externalId": "e1", "title": "Clerk"}));
        let change = change_user(&key(), &current(&ida()), &new).unwrap();
        assert!(change.name_key.is_none() && change.personal.is_some());
    }

    #[test]
    fn only_the_very_same_create_of_an_active_user_is_one_sent_again() {
        let mut there = current(&ida());
        assert!(is_repeated(&key(), &there, &ida()));
        let promoted = wanted(json!({"userName": "ida@store.example", "externalId": "e1", "title": "Boss"}));
        assert!(!is_repeated(&key(), &there, &promoted), "another content");
        let nameless = wanted(json!({"userName": "ida@store.example"}));
        assert!(
            !is_repeated(&key(), &current(&nameless), &nameless),
            "nobody can tell"
        );
        there.active = false;
        assert!(!is_repeated(&key(), &there, &ida()), "a rehire");
    }

    #[test]
    fn a_blank_external_id_is_evidence_of_nothing() {
        for blank in ["", " "] {
            let nobody = wanted(json!({"userName": "ida@store.example", "externalId": blank}));
            let mut there = current(&nobody);
            assert!(!is_repeated(&key(), &there, &nobody));
            there.active = false;
            assert!(!is_rehire(&key(), &there, &nobody));
        }
    }

    #[test]
    fn only_an_inactive_user_with_both_ids_is_hired_again() {
        let mut there = current(&ida());
        assert!(!is_rehire(&key(), &there, &ida()), "active");
        there.active = false;
        assert!(is_rehire(&key(), &there, &ida()));
        let other = wanted(json!({"userName": "ida@store.example", "externalId": "e2"}));
        assert!(!is_rehire(&key(), &there, &other), "another person");
        let other = wanted(json!({"userName": "ida@store.example", "externalId": "E1"}));
        assert!(!is_rehire(&key(), &there, &other), "ids are compared exactly");
        let nameless = wanted(json!({"userName": "ida@store.example"}));
        there.external_key = None;
        assert!(!is_rehire(&key(), &there, &nameless), "nobody can tell");
    }
}
