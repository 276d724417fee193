//! What Fluent should hold for an account, with the reason for everything: grants with their derivations, and holds.

mod hold;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use hold::{Hold, Note};

use crate::{
    AccountKey, AppRole, ConnectionName, ExternalKey, Grant, GroupId, RoleName, Sealed, Sequence, UserId,
};

/// The desired user of an account: a pure function of the tenant's `events` up to `sequence`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DesiredUser {
    /// Which account.
    pub account: AccountKey,
    /// All events up to this one are in.
    pub sequence: Sequence,
    /// What the account's status should be.
    pub status: DesiredStatus,
    /// Whether anything may be gained.
    pub gains: Gains,
    /// The sealed [`Profile`] of the claimant that speaks for the account; none when nobody live does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Sealed>,
    /// What it should hold, in order of the grants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<DesiredGrant>,
    /// What is kept where we own it, and never added: its app role is still assigned but no longer resolves, or the
    /// safety catch stopped its loss. In order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retained: Vec<Grant>,
    /// Why something is not done. In order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// What is worth knowing and holds nothing up. In order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// The directory users whose name leads here, live ones first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claimants: Vec<Claimant>,
}

impl DesiredUser {
    /// True when this account is to lose its access altogether: the reconciler's first lane.
    #[must_use]
    pub const fn is_leaver(&self) -> bool {
        matches!(self.status, DesiredStatus::Inactive { .. })
    }
}

/// What the status of an account should be. Whether it exists and is ours is decided in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "want", rename_all = "kebab-case")]
pub enum DesiredStatus {
    /// To be usable.
    Active,
    /// To be INACTIVE and to lose what we granted.
    Inactive {
        /// Why.
        reason: InactiveReason,
    },
    /// To stay as it is: only unknown roles under `hold-role`. Not created; owned grants that ended are removed.
    Keep,
}

/// Why an account is to be INACTIVE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InactiveReason {
    /// SCIM `active` is false for every live claimant.
    Deactivated,
    /// No claimant is left.
    Deleted,
    /// No claimant holds any role.
    NoRoles,
}

/// Whether the account may gain anything: be created, reactivated, adopted, granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Gains {
    /// It may.
    Allowed,
    /// A hold forbids it; removals, deactivation and profile changes go through.
    Withheld,
}

/// A grant and all its derivations; it disappears only when the last of them does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct DesiredGrant {
    /// The grant.
    #[serde(flatten)]
    pub grant: Grant,
    /// Why, in order; never empty.
    pub because: Vec<DerivationId>,
}

/// A directory user whose userName leads to the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Claimant {
    /// Who.
    pub user: UserId,
    /// Through which connection.
    pub connection: ConnectionName,
    /// Neither deleted nor deactivated.
    pub live: bool,
    /// Stands for the externalId: another one on the same name is another person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_key: Option<ExternalKey>,
}

/// What Fluent is to know of a person. Personal: travels in a [`Sealed`] only, and is not shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Fluent `username` and, at creation, `ref`.
    pub username: String,
    /// `name.givenName`; empty when the IdP sends none.
    pub first_name: String,
    /// `name.familyName`; empty when the IdP sends none.
    pub last_name: String,
    /// Work e-mail, else primary, else first, else the userName when that is an address; Fluent requires one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_email: Option<String>,
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Profile(…)")
    }
}

/// Names a derivation within an account: a hash of its parts, equal for equal parts in every process and version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DerivationId(pub u64);

impl fmt::Display for DerivationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
impl fmt::Debug for DerivationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DerivationId({self})")
    }
}
impl Serialize for DerivationId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for DerivationId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}
impl JsonSchema for DerivationId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DerivationId".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^[0-9a-f]{16}$"})
    }
}

/// Why a grant is desired: the chain from assignment to rule to grant. Computed for people on request; the desired
/// user carries its id only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Derivation {
    /// Its name.
    pub id: DerivationId,
    /// The claimant that it comes through.
    pub user: UserId,
    /// Where the claimant has the app role from.
    pub source: RoleSource,
    /// The app role as assigned.
    pub app_role: AppRole,
    /// How the app role became the grant.
    pub expansion: Expansion,
    /// The grant.
    pub grant: Grant,
}

/// Where a user has an app role from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum RoleSource {
    /// Assigned to the user directly.
    Personal,
    /// Carried by a group.
    Group {
        /// The groups from the one that the user is in to the one that carries the role.
        path: Vec<GroupId>,
        /// How that group carries it.
        origin: GroupRoleOrigin,
    },
}

/// How a group carries an app role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GroupRoleOrigin {
    /// Its own `roles`.
    Extension,
    /// The rule set's `groups`.
    RuleSet,
    /// Its display name follows the convention.
    DisplayName,
}

/// How an app role became a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Expansion {
    /// Its last part is the Fluent role.
    Direct,
    /// A rule translated its last part.
    Rule {
        /// The logical role.
        logical_role: RoleName,
    },
    /// A rule with `alsoRetailer` added the owning retailer's context.
    AlsoRetailer {
        /// The logical role.
        logical_role: RoleName,
    },
}
