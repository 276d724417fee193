//! Users and groups as the directory has them, for the SCIM door.

use std::fmt;

use rollcall_domain::{
    AssignedRole, ConnectionName, ExternalKey, GroupId, MemberSet, NameKey, Revision, Timestamp, UserId,
};
use serde_json::{Map, Value};

/// A live user. Personal: attributes are not shown by `Debug`.
#[derive(Clone, PartialEq)]
pub struct UserResource {
    /// The SCIM `id`.
    pub id: UserId,
    /// The connection that created it.
    pub connection: ConnectionName,
    /// All SCIM attributes but `id`, `meta`, `active`, `roles` and `groups`, by canonical name.
    pub attributes: Map<String, Value>,
    /// SCIM `active`.
    pub active: bool,
    /// Personal roles as assigned, in the order they were sent.
    pub roles: Vec<AssignedRole>,
    /// Groups that the user is in directly, by id.
    pub groups: Vec<GroupRef>,
    /// Stands for `userName`; also the account that the user claims.
    pub name_key: NameKey,
    /// Stands for `externalId`.
    pub external_key: Option<ExternalKey>,
    /// How often it was changed; 1 when created.
    pub revision: Revision,
    /// Event time of its creation.
    pub created: Timestamp,
    /// Event time of its last change.
    pub changed: Timestamp,
}

impl fmt::Debug for UserResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserResource")
            .field("id", &self.id)
            .field("active", &self.active)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

/// What is known of a live user without reading its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserFacts {
    /// SCIM `active`.
    pub active: bool,
    /// Event time of its creation.
    pub created: Timestamp,
    /// Event time of its last change.
    pub changed: Timestamp,
}

/// A group's id and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupRef {
    /// The group.
    pub id: GroupId,
    /// Its display name.
    pub display_name: String,
}

/// A live group.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupResource {
    /// The SCIM `id`.
    pub id: GroupId,
    /// The connection that created it.
    pub connection: ConnectionName,
    /// `displayName`.
    pub display_name: String,
    /// `externalId`.
    pub external_id: Option<String>,
    /// Roles of the SCIM extension.
    pub roles: Vec<AssignedRole>,
    /// Direct members by id, when they were asked for.
    pub members: Option<MemberSet>,
    /// How many direct members there are.
    pub member_count: u64,
    /// How often its attributes were changed; 1 when created.
    pub revision: Revision,
    /// How often its list of members was changed; 1 when created.
    pub member_revision: Revision,
    /// Event time of its creation.
    pub created: Timestamp,
    /// Event time of its last change, of members too.
    pub changed: Timestamp,
}

/// One page of a list in a stable order (creation).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// How many there are in all.
    pub total: u64,
    /// The ids of this page.
    pub ids: Vec<T>,
}

impl<T> Page<T> {
    /// Nothing at all.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            total: 0,
            ids: Vec::new(),
        }
    }
}
