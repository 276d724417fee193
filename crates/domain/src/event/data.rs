//! What an event says. A change carries the new values of what changed, and the revision it was made against.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Set;
use crate::outcome::{OutcomeApplied, OutcomeDrift, OutcomeFailed, OutcomeHeld, OutcomeIntended};
use crate::{
    AccountKey, AppRole, CatalogDifference, DesiredUser, EventId, ExternalKey, GroupId, NameKey, Policy,
    Revision, RuleSet, Sealed, UserId,
};

/// Every kind of event; the CloudEvents `type` is beside each. Old versions stay readable for ever.
#[derive(Debug, Clone, PartialEq)]
pub enum EventData {
    /// `rollcall.user.created.v1`
    UserCreated(UserCreated),
    /// `rollcall.user.changed.v1`
    UserChanged(UserChanged),
    /// `rollcall.user.deleted.v1`
    UserDeleted(UserDeleted),
    /// `rollcall.group.created.v1`
    GroupCreated(GroupCreated),
    /// `rollcall.group.changed.v1`
    GroupChanged(GroupChanged),
    /// `rollcall.group.deleted.v1`
    GroupDeleted(GroupDeleted),
    /// `rollcall.rules.activated.v1`
    RulesActivated(RulesActivated),
    /// `rollcall.policy.activated.v1`
    PolicyActivated(PolicyActivated),
    /// `rollcall.catalog.changed.v1`
    CatalogChanged(CatalogChanged),
    /// `rollcall.timer.fired.v1`
    TimerFired(TimerFired),
    /// `rollcall.decision.recorded.v1`
    DecisionRecorded(DecisionRecorded),
    /// `rollcall.user.desired.v1`, in the `desired` stream only
    UserDesired(Box<DesiredUser>),
    /// `rollcall.outcome.intended.v1`, in the `outcomes` stream only, as all outcomes
    OutcomeIntended(OutcomeIntended),
    /// `rollcall.outcome.applied.v1`
    OutcomeApplied(OutcomeApplied),
    /// `rollcall.outcome.held.v1`
    OutcomeHeld(OutcomeHeld),
    /// `rollcall.outcome.failed.v1`
    OutcomeFailed(OutcomeFailed),
    /// `rollcall.outcome.drift.v1`
    OutcomeDrift(OutcomeDrift),
}

/// An app role as the IdP assigned it, with what it said beside the value as evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssignedRole {
    /// The app role.
    pub value: AppRole,
    /// `display` or `displayName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
    /// `type`, such as `WindowsAzureActiveDirectoryRole`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// `primary`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub primary: bool,
    /// The IdP's own id of the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idp_id: Option<String>,
}

impl AssignedRole {
    /// A role of which only the value is known.
    #[must_use]
    pub fn plain(value: impl Into<String>) -> Self {
        Self {
            value: AppRole(value.into()),
            display: None,
            kind: None,
            primary: false,
            idp_id: None,
        }
    }
}

/// A user came to be. The connection is the event's source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserCreated {
    /// The id that we gave out.
    pub user: UserId,
    /// Stands for `userName`; unique among the live users of a connection.
    pub name_key: NameKey,
    /// Stands for `externalId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_key: Option<ExternalKey>,
    /// SCIM `active`.
    pub active: bool,
    /// Personal roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<AssignedRole>,
    /// All other attributes.
    pub personal: Sealed,
}

/// A user changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserChanged {
    /// Who.
    pub user: UserId,
    /// The revision that the change was made against; rejected when it has moved.
    pub base: Revision,
    /// The new name, when that changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_key: Option<NameKey>,
    /// The new external id, when that changed; null when it was taken away.
    #[serde(default, skip_serializing_if = "Set::is_kept")]
    pub external_key: Set<ExternalKey>,
    /// The new value of `active`, when that changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// The whole list of personal roles, when that changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<AssignedRole>>,
    /// Changes of all other attributes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal: Option<Sealed>,
    /// The IdP created the person once more, and this user, deactivated before, came back for it. On record only:
    /// no verdict and no access depends on it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rehire: bool,
}

/// A user was deleted; its name is free again within its connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserDeleted {
    /// Who.
    pub user: UserId,
    /// Only if it still has this revision (If-Match).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Revision>,
}

/// Members of a group: users and nested groups.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MemberSet {
    /// Users.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<UserId>,
    /// Nested groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupId>,
}

impl MemberSet {
    /// True when it names nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty()
    }

    /// Users and groups together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.users.len() + self.groups.len()
    }
}

/// A group came to be. The connection is the event's source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupCreated {
    /// The id that we gave out.
    pub group: GroupId,
    /// Unique among the live groups of a connection, without regard to case.
    pub display_name: String,
    /// The IdP's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Roles of the SCIM extension `urn:rollcall:params:scim:schemas:extension:1.0:Group`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<AssignedRole>,
    /// First members.
    #[serde(default, skip_serializing_if = "MemberSet::is_empty")]
    pub members: MemberSet,
}

/// A group changed. Cost follows the change, never the size of the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupChanged {
    /// Which.
    pub group: GroupId,
    /// The revision that a change of attributes was made against; none for a pure change of members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Revision>,
    /// The new display name, when that changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The new external id, when that changed; null when it was taken away.
    #[serde(default, skip_serializing_if = "Set::is_kept")]
    pub external_id: Set<String>,
    /// The whole list of the group's roles, when that changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<AssignedRole>>,
    /// Members that left; applied before `added`.
    #[serde(default, skip_serializing_if = "MemberSet::is_empty")]
    pub removed: MemberSet,
    /// Members that came; who is a member already stays one.
    #[serde(default, skip_serializing_if = "MemberSet::is_empty")]
    pub added: MemberSet,
    /// Set when the request replaced the whole list: the difference above was made against this revision of the
    /// membership, and is rejected when it has moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_base: Option<Revision>,
}

/// A group was deleted; its name is free again, its members lose what came from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupDeleted {
    /// Which.
    pub group: GroupId,
    /// Only if it still has this revision (If-Match).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Revision>,
}

/// A rule set came into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RulesActivated {
    /// SHA-256 of the file, hex: its version.
    pub version: String,
    /// The version that it replaces; none for the first. Rejected when another is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// The rules.
    pub rules: RuleSet,
}

/// A policy came into force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyActivated {
    /// The policy.
    pub policy: Policy,
}

/// The catalog changed: differences only, from a complete reading. Losses above the bound of
/// [`Catalog::needs_approval`](crate::Catalog::needs_approval) wait in the fold for a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CatalogChanged {
    /// The difference.
    pub difference: CatalogDifference,
}

/// A point in event time was reached. It changes nothing but the running maximum of event time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimerFired {
    /// Which timer.
    pub timer: String,
}

/// An operator decided something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecisionRecorded {
    /// About which hold.
    pub hold: HoldId,
    /// What.
    pub decision: Decision,
    /// Why, in the operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What waits for a decision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum HoldId {
    /// Losses that the safety catch stopped, by the event that would have caused them.
    Guard {
        /// That event.
        cause: EventId,
    },
    /// Losses of a catalog reading, by its event.
    CatalogLoss {
        /// That event.
        cause: EventId,
    },
    /// A name that passed to another person.
    NameReused {
        /// The account of that name.
        account: AccountKey,
    },
}

/// The two answers to a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Let it happen.
    Approve,
    /// Keep things as they are and close the hold. For a catalog loss: the entries are kept as vanished.
    Reject,
}
