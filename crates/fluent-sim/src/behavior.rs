//! Switches for what nobody knows yet about the real Fluent. The engine has to be right under each setting.

use serde::{Deserialize, Serialize};

/// How the simulator answers where the public material leaves a question open. The defaults are the most
/// likely readings. All switches can be changed while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Behavior {
    /// Whether the schema has `removeUserRolesFromUser` at all.
    pub removal_exists: bool,
    /// The `status` that a removal answers.
    pub removal_status: String,
    /// What a removal does with a pair the user does not hold.
    pub removal_of_absent: RemovalOfAbsent,
    /// What `updateUser` does with the contexts of a role the user already has.
    pub existing_role: ExistingRole,
    /// The status of a user just created (`ACTIVE` or `CREATED`).
    pub fresh_status: String,
    /// Whether setting `INACTIVE` takes every role away.
    pub inactive_drops_roles: bool,
    /// Whether setting `INACTIVE` ends the live tokens of that user and refuses its logins.
    pub inactive_ends_sessions: bool,
    /// The code of a username that is taken.
    pub duplicate_username_code: String,
    /// The code of a role name that does not exist.
    pub unknown_role_code: String,
    /// A context id that belongs to no retailer or location.
    pub unknown_context: ContextCheck,
    /// A context type other than `ACCOUNT`, `RETAILER` and `AGENT`.
    pub unknown_context_type: ContextCheck,
    /// The HTTP status that comes with an `errors` body (200 by SDK reading).
    pub error_status: u16,
    /// Which ids an `AGENT` context takes.
    pub agent_ids: AgentIds,
    /// The context id of `ACCOUNT`.
    pub account_context_id: String,
    /// How usernames are compared.
    pub username_case: UsernameCase,
    /// Whether `ref` must be unique among users (`C0123E` otherwise).
    pub unique_ref: bool,
    /// Whether `_` in a search filter stands for any one character, as in SQL.
    pub underscore_wildcard: bool,
    /// Whether a change of roles moves `updatedOn`.
    pub roles_move_updated_on: bool,
    /// Whether an explicit null in `updateUser` clears the field.
    pub null_clears: bool,
}

impl Default for Behavior {
    fn default() -> Self {
        Self {
            removal_exists: true,
            removal_status: "SUCCESS".into(),
            removal_of_absent: RemovalOfAbsent::Accept,
            existing_role: ExistingRole::Merge,
            fresh_status: "ACTIVE".into(),
            inactive_drops_roles: false,
            inactive_ends_sessions: true,
            duplicate_username_code: "C0123E".into(),
            unknown_role_code: "C0120E".into(),
            unknown_context: ContextCheck::Store,
            unknown_context_type: ContextCheck::Store,
            error_status: 200,
            agent_ids: AgentIds::LocationId,
            account_context_id: "0".into(),
            username_case: UsernameCase::Sensitive,
            unique_ref: false,
            underscore_wildcard: true,
            roles_move_updated_on: true,
            null_clears: true,
        }
    }
}

/// What removing a pair that is not held does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RemovalOfAbsent {
    /// Nothing, and the answer is a success.
    Accept,
    /// The whole mutation is refused with `C0120E`; pairs that are held stay.
    NotFound,
}

/// What an update does with a role that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExistingRole {
    /// The given contexts are added to those held.
    Merge,
    /// The given contexts become the only ones of that role.
    Replace,
}

/// What happens to a context that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ContextCheck {
    /// It is stored as given.
    Store,
    /// The mutation is refused with this code.
    Refuse(String),
}

/// The numbers behind `AGENT` contexts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AgentIds {
    /// `Location.id`.
    LocationId,
    /// A number of its own: `Location.id` plus 1,000,000. Only visible with [`ContextCheck::Refuse`].
    Separate,
}

/// How usernames are matched by `user(username:)` and kept unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UsernameCase {
    /// `A` and `a` are two users.
    Sensitive,
    /// `A` and `a` are one user, stored as first written.
    Insensitive,
}
