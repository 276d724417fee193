//! Between the directory's users and groups and SCIM resources, both ways.

use rollcall_domain::{AppRole, AssignedRole, GroupId, MemberSet, Timestamp, UserId};
use rollcall_projector::{GroupRef, GroupResource, UserFacts, UserResource};
use rollcall_scim::roles::IDP_ID_KEY;
use rollcall_scim::schema::GROUP_ROLES_URN;
use rollcall_scim::{AttrRef, EntityTag, Resource, ResourceKind, RoleValue, location};
use serde_json::{Map, Value};

use crate::decide::{GroupWanted, UserWanted};

/// Makes links under the service's public address.
#[derive(Debug, Clone)]
pub(crate) struct Links {
    /// Without a slash at the end.
    pub(crate) base: String,
}

impl Links {
    pub(crate) fn user(&self, id: UserId) -> String {
        location(ResourceKind::User, &self.base, &id.to_string())
    }

    pub(crate) fn group(&self, id: GroupId) -> String {
        location(ResourceKind::Group, &self.base, &id.to_string())
    }
}

/// Version of a user: its revision, and above it a digest of the groups it is shown with, since those come
/// and go without the user's own revision.
pub(crate) fn user_version(user: &UserResource) -> EntityTag {
    let digest = if user.groups.is_empty() {
        0
    } else {
        groups_digest(&user.groups)
    };
    EntityTag(u64::from(digest) << 32 | u64::from(user.revision.0))
}

/// FNV-1a over ids and names: a change is seen, nothing is secured by it.
fn groups_digest(groups: &[GroupRef]) -> u32 {
    let mut digest = 0x811c_9dc5_u32;
    let mut take = |bytes: &[u8]| {
        for byte in bytes {
            digest = (digest ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    };
    for group in groups {
        take(group.id.0.as_bytes());
        take(group.display_name.as_bytes());
    }
    digest
}

/// Version of a group: the revision of its attributes, and above it that of its members.
pub(crate) fn group_version(group: &GroupResource) -> EntityTag {
    EntityTag(u64::from(group.member_revision.0) << 32 | u64::from(group.revision.0))
}

/// What a client can write of a user, as a normalised resource: what PATCH works on.
pub(crate) fn writable_user(user: &UserResource) -> Resource {
    let mut attributes = user.attributes.clone();
    attributes.insert("active".to_owned(), Value::from(user.active));
    if !user.roles.is_empty() {
        attributes.insert("roles".to_owned(), roles_value(&user.roles));
    }
    Resource::from_stored(ResourceKind::User, attributes)
}

/// A user's resource, whole.
pub(crate) fn user_resource(links: &Links, user: &UserResource) -> Resource {
    let groups = user.groups.iter().map(|group| {
        object([
            ("value", Value::from(group.id.to_string())),
            ("$ref", Value::from(links.group(group.id))),
            ("display", Value::from(group.display_name.as_str())),
            ("type", Value::from("direct")),
        ])
    });
    let id = user.id.to_string();
    let meta = meta(
        ResourceKind::User,
        links,
        &id,
        (user.created, user.changed),
        user_version(user),
    );
    writable_user(user)
        .with("groups", groups.collect())
        .with("id", Value::from(id))
        .with("meta", meta)
}

/// Whether [`user_facts`] holds the attribute.
pub(crate) fn is_fact(path: &AttrRef) -> bool {
    let facts = ["created", "lastModified", "resourceType"];
    path.is_core("id", None)
        || path.is_core("active", None)
        || facts.iter().any(|fact| path.is_core("meta", Some(fact)))
}

/// A user as far as it is known without its document.
pub(crate) fn user_facts(id: UserId, facts: UserFacts) -> Resource {
    let meta = object([
        ("resourceType", Value::from(ResourceKind::User.name())),
        ("created", Value::from(facts.created.to_string())),
        ("lastModified", Value::from(facts.changed.to_string())),
    ]);
    Resource::from_stored(ResourceKind::User, Map::new())
        .with("id", Value::from(id.to_string()))
        .with("active", Value::from(facts.active))
        .with("meta", meta)
}

/// What a client can write of a group, its members apart.
pub(crate) fn writable_group(group: &GroupResource) -> Resource {
    let mut attributes = Map::new();
    attributes.insert("displayName".to_owned(), Value::from(group.display_name.as_str()));
    if let Some(external_id) = &group.external_id {
        attributes.insert("externalId".to_owned(), Value::from(external_id.as_str()));
    }
    if !group.roles.is_empty() {
        attributes.insert(
            GROUP_ROLES_URN.to_owned(),
            object([("roles", roles_value(&group.roles))]),
        );
    }
    Resource::from_stored(ResourceKind::Group, attributes)
}

/// A group's resource; with `members` when the directory gave them.
pub(crate) fn group_resource(links: &Links, group: &GroupResource) -> Resource {
    let id = group.id.to_string();
    let meta = meta(
        ResourceKind::Group,
        links,
        &id,
        (group.created, group.changed),
        group_version(group),
    );
    let members = group
        .members
        .as_ref()
        .map_or(Value::Null, |members| members_value(links, members));
    writable_group(group)
        .with("members", members)
        .with("id", Value::from(id))
        .with("meta", meta)
}

/// Members as SCIM shows them.
pub(crate) fn members_value(links: &Links, members: &MemberSet) -> Value {
    let member = |id: String, location: String, kind: &str| {
        object([
            ("value", Value::from(id)),
            ("$ref", Value::from(location)),
            ("type", Value::from(kind)),
        ])
    };
    let users = members
        .users
        .iter()
        .map(|id| member(id.to_string(), links.user(*id), "User"));
    let groups = members
        .groups
        .iter()
        .map(|id| member(id.to_string(), links.group(*id), "Group"));
    users.chain(groups).collect()
}

/// What a validated user resource wants. Where it says nothing of `active`, the status is to be `otherwise`.
pub(crate) fn user_wanted(resource: Resource, otherwise: bool) -> UserWanted {
    let active = resource.assigned_active().unwrap_or(otherwise);
    let roles = resource.roles().into_iter().map(assigned).collect();
    let user_name = resource.user_name().unwrap_or_default().to_owned();
    let external_id = resource.external_id().map(str::to_owned);
    let mut attributes = resource.into_attributes();
    for apart in ["active", "roles", "id", "meta", "groups", "schemas", "password"] {
        attributes.remove(apart);
    }
    UserWanted {
        user_name,
        external_id,
        active,
        roles,
        attributes,
    }
}

/// What a validated group resource wants.
pub(crate) fn group_wanted(resource: &Resource) -> GroupWanted {
    GroupWanted {
        display_name: resource.display_name().unwrap_or_default().to_owned(),
        external_id: resource.external_id().map(str::to_owned),
        roles: resource.roles().into_iter().map(assigned).collect(),
    }
}

fn assigned(role: RoleValue) -> AssignedRole {
    AssignedRole {
        value: AppRole(role.value),
        display: role.display,
        kind: role.kind,
        primary: role.primary,
        idp_id: role.idp_id,
    }
}

/// Roles as normalised elements, evidence included.
fn roles_value(roles: &[AssignedRole]) -> Value {
    let role = |role: &AssignedRole| {
        let mut value = Map::new();
        value.insert("value".to_owned(), Value::from(role.value.as_str()));
        for (name, text) in [
            ("display", &role.display),
            ("type", &role.kind),
            (IDP_ID_KEY, &role.idp_id),
        ] {
            if let Some(text) = text {
                value.insert(name.to_owned(), Value::from(text.as_str()));
            }
        }
        // Not given means false (RFC 7643 section 2.4), and a client that sent false reads it back.
        value.insert("primary".to_owned(), Value::Bool(role.primary));
        Value::Object(value)
    };
    roles.iter().map(role).collect()
}

fn meta(
    kind: ResourceKind,
    links: &Links,
    id: &str,
    (created, changed): (Timestamp, Timestamp),
    version: EntityTag,
) -> Value {
    object([
        ("resourceType", Value::from(kind.name())),
        ("created", Value::from(created.to_string())),
        ("lastModified", Value::from(changed.to_string())),
        ("location", Value::from(location(kind, &links.base, id))),
        ("version", Value::from(version.to_string())),
    ])
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use rollcall_domain::{ConnectionName, ExternalKey, NameKey, Revision};
    use serde_json::json;
    use uuid::Uuid;

    fn user() -> UserResource {
        let Value::Object(attributes) = json!({"userName": "ida", "title": "Clerk"}) else {
            unreachable!()
        };
        UserResource {
            id: UserId(Uuid::from_u128(1)),
            connection: ConnectionName::new("entra").unwrap(),
            attributes,
            active: true,
            roles: vec![AssignedRole {
                idp_id: Some("7f0c".to_owned()),
                ..AssignedRole::plain("Agent_1_A")
            }],
            groups: Vec::new(),
            name_key: NameKey([1; 16]),
            external_key: Some(ExternalKey([2; 16])),
            revision: Revision(4),
            created: Timestamp::default(),
            changed: Timestamp::default(),
        }
    }

    #[test]
    fn what_is_represented_reads_back_as_the_same_user() {
        let there = user();
        let links = Links {
            base: "https://x".to_owned(),
        };
        let wanted = user_wanted(user_resource(&links, &there), false);
        assert_eq!((wanted.user_name.as_str(), wanted.active), ("ida", true));
        assert_eq!(
            (&wanted.roles, &wanted.attributes),
            (&there.roles, &there.attributes)
        );
    }

    #[test]
    fn the_version_of_a_user_moves_with_its_groups_and_keeps_its_revision() {
        let mut there = user();
        let alone = user_version(&there);
        assert_eq!(alone, EntityTag(4));
        there.groups.push(GroupRef {
            id: GroupId(Uuid::from_u128(2)),
            display_name: "a".to_owned(),
        });
        let in_group = user_version(&there);
        there.groups[0].display_name = "b".to_owned();
        let renamed = user_version(&there);
        assert!(alone != in_group && in_group != renamed);
        assert_eq!((in_group.0 as u32, renamed.0 as u32), (4, 4));
    }
}
