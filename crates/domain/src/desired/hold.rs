//! Typed reasons for inaction, and notes.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AppRole, Context, ContextType, EventId, GroupId, RoleName};

/// Why something is not done. Its text names roles and places, never a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "reason", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Hold {
    /// The role is neither in Fluent nor in the rule set. Clears when it appears in either.
    UnknownRole {
        /// The app role that asks for it.
        app_role: AppRole,
        /// The role that is not known.
        role: RoleName,
        /// A known name that is nearly the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        near: Option<String>,
    },
    /// The place is not in Fluent. Clears when it appears.
    UnknownPlace {
        /// The app role that asks for it.
        app_role: AppRole,
        /// The kind of place.
        context_type: ContextType,
        /// The identifier as written.
        identifier: String,
        /// A known one that is nearly the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        near: Option<String>,
    },
    /// The app role has the convention's shape but no known context type.
    UnknownContextType {
        /// The app role.
        app_role: AppRole,
    },
    /// The identifier leads to two places, or two splits fit.
    Ambiguous {
        /// The app role.
        app_role: AppRole,
        /// One reading.
        first: Context,
        /// Another.
        second: Context,
    },
    /// The app role is still assigned but its role or place vanished from Fluent: what we granted stays.
    Vanished {
        /// The app role.
        app_role: AppRole,
    },
    /// The user name is longer than Fluent takes.
    UserNameTooLong {
        /// Its length in characters.
        length: u32,
        /// Fluent's limit.
        limit: u32,
    },
    /// Fluent requires an e-mail address and the IdP sends none.
    NoEmail,
    /// More grants are desired than can be put on record. Clears when roles end or a rule gives fewer.
    TooManyGrants {
        /// How many the account would own.
        count: u32,
        /// How many one may.
        limit: u32,
    },
    /// The name passed to another person while the account holds grants that are not ours.
    NameReused,
    /// Live users of several connections claim the account, and the policy says hold.
    SeveralConnections,
    /// The safety catch stopped losses of access.
    Guard {
        /// The event that would have caused them.
        cause: EventId,
    },
    /// The name is protected: never touched.
    Protected,
}

impl Hold {
    /// The reason's name as it stands in JSON, metrics and the documentation.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::UnknownRole { .. } => "unknown-role",
            Self::UnknownPlace { .. } => "unknown-place",
            Self::UnknownContextType { .. } => "unknown-context-type",
            Self::Ambiguous { .. } => "ambiguous",
            Self::Vanished { .. } => "vanished",
            Self::UserNameTooLong { .. } => "user-name-too-long",
            Self::NoEmail => "no-email",
            Self::TooManyGrants { .. } => "too-many-grants",
            Self::NameReused => "name-reused",
            Self::SeveralConnections => "several-connections",
            Self::Guard { .. } => "guard",
            Self::Protected => "protected",
        }
    }
}

fn did_you_mean(near: Option<&String>) -> String {
    near.map(|near| format!(" (did you mean {near}?)"))
        .unwrap_or_default()
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownRole { app_role, role, near } => {
                let near = did_you_mean(near.as_ref());
                write!(f, "{app_role}: no role or rule named {role}{near}")
            }
            Self::UnknownPlace {
                app_role,
                context_type,
                identifier,
                near,
            } => {
                let near = did_you_mean(near.as_ref());
                write!(
                    f,
                    "{app_role}: no {context_type} with ref or id {identifier}{near}"
                )
            }
            Self::UnknownContextType { app_role } => {
                write!(
                    f,
                    "{app_role}: the context type must be Account, Retailer or Agent"
                )
            }
            Self::Ambiguous {
                app_role,
                first,
                second,
            } => {
                write!(f, "{app_role}: may mean {first} or {second}; use the platform id")
            }
            Self::Vanished { app_role } => {
                write!(
                    f,
                    "{app_role}: its role or place is gone from Fluent; what was granted stays"
                )
            }
            Self::UserNameTooLong { length, limit } => {
                write!(f, "the user name has {length} characters, Fluent takes {limit}")
            }
            Self::NoEmail => f.write_str("Fluent requires an e-mail address and none was sent"),
            Self::TooManyGrants { count, limit } => {
                write!(f, "the roles come to {count} grants, an account may have {limit}")
            }
            Self::NameReused => f.write_str(
                "the name passed to another person while the account holds grants that are not ours",
            ),
            Self::SeveralConnections => f.write_str("users of several connections claim this account"),
            Self::Guard { cause } => write!(
                f,
                "the safety catch stopped a loss of access caused by event {cause}"
            ),
            Self::Protected => f.write_str("the name is protected"),
        }
    }
}

/// Something worth knowing that holds nothing up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "note", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Note {
    /// A string with fewer than two underscores was ignored.
    NotConvention {
        /// The string.
        app_role: AppRole,
    },
    /// A group's display name looks like the convention, but its place is not in the catalog: it is just a name.
    NameOnly {
        /// The group.
        group: GroupId,
    },
    /// A location or retailer is INACTIVE in Fluent.
    InactivePlace {
        /// Which.
        context: Context,
    },
    /// A value was cut at Fluent's limit.
    Cut {
        /// Fluent's field.
        field: String,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConvention { app_role } => {
                write!(f, "{app_role} is not of the naming convention: ignored")
            }
            Self::NameOnly { group } => {
                write!(
                    f,
                    "the name of group {group} looks like an app role of a place that is not in Fluent"
                )
            }
            Self::InactivePlace { context } => write!(f, "{context} is inactive in Fluent"),
            Self::Cut { field } => write!(f, "{field} was cut to Fluent's limit"),
        }
    }
}
