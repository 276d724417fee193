//! What can be written, and its form on the wire.

use std::collections::BTreeMap;
use std::fmt;

use rollcall_domain::{FluentStatus, FluentUserId, Grant, ObservedUser};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::error::{FluentError, Operation};
use crate::password;

/// A user to be created. Fluent takes no status: read the one in the answer. Personal: not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct NewUser {
    /// `username`, at most 250 characters; can never be changed.
    pub username: String,
    /// `ref`, at most 100 characters.
    pub reference: String,
    /// `firstName`, at most 50 characters.
    pub first_name: String,
    /// `lastName`, at most 50 characters.
    pub last_name: String,
    /// `primaryEmail`, at most 250 characters; Fluent requires one.
    pub primary_email: String,
    /// `type`: `ADMIN`, `RETAILER` or `LOCATION`.
    pub kind: String,
    /// `timezone`, at most 32 characters.
    pub timezone: String,
    /// What the user holds from the start.
    pub grants: Vec<Grant>,
}

impl fmt::Debug for NewUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewUser")
            .field("kind", &self.kind)
            .field("grants", &self.grants)
            .finish_non_exhaustive()
    }
}

/// Changes of a user; what is `None` stays as it is. Personal: not shown by `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct UserUpdate {
    /// `status`.
    pub status: Option<FluentStatus>,
    /// `firstName`, at most 50 characters.
    pub first_name: Option<String>,
    /// `lastName`, at most 50 characters.
    pub last_name: Option<String>,
    /// `primaryEmail`, at most 250 characters.
    pub primary_email: Option<String>,
    /// Pairs to add. Send only those that are missing: what Fluent does with the other contexts of a role
    /// that is there already is not documented.
    pub add: Vec<Grant>,
}

impl fmt::Debug for UserUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserUpdate")
            .field("status", &self.status)
            .field("add", &self.add)
            .finish_non_exhaustive()
    }
}

/// One write, for [`FluentClient::batch`](crate::FluentClient::batch).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mutation {
    /// `createUser`.
    CreateUser(NewUser),
    /// `updateUser`.
    UpdateUser {
        /// The user.
        id: FluentUserId,
        /// What changes.
        update: UserUpdate,
    },
    /// `removeUserRolesFromUser`.
    RemoveRoles {
        /// The user.
        id: FluentUserId,
        /// The pairs to take away.
        grants: Vec<Grant>,
    },
}

impl Mutation {
    /// Its operation.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        match self {
            Self::CreateUser(_) => Operation::CreateUser,
            Self::UpdateUser { .. } => Operation::UpdateUser,
            Self::RemoveRoles { .. } => Operation::RemoveRoles,
        }
    }
}

/// What a write answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// The user after `createUser` or `updateUser`.
    User(ObservedUser),
    /// `removeUserRolesFromUser` answers no user, only that it went through.
    RolesRemoved,
}

/// The input type of an operation in the schema.
pub(crate) const fn input_type(operation: Operation) -> &'static str {
    match operation {
        Operation::CreateUser => "CreateUserInput",
        Operation::UpdateUser => "UpdateUserInput",
        _ => "RemoveUserRolesFromUserInput",
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateUserInput<'a> {
    r#ref: &'a str,
    username: &'a str,
    password: &'a str,
    first_name: &'a str,
    last_name: &'a str,
    primary_email: &'a str,
    r#type: &'a str,
    timezone: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: Vec<UserRoleInput<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UpdateUserInput<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_email: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: Vec<UserRoleInput<'a>>,
}

#[derive(Serialize)]
struct RemoveInput<'a> {
    user: UserKey<'a>,
    roles: Vec<UserRoleInput<'a>>,
}

#[derive(Serialize)]
struct UserKey<'a> {
    id: &'a str,
}

#[derive(Serialize)]
struct UserRoleInput<'a> {
    role: RoleKey<'a>,
    contexts: Vec<ContextInput<'a>>,
}

#[derive(Serialize)]
struct RoleKey<'a> {
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContextInput<'a> {
    context_type: &'static str,
    context_id: &'a str,
}

/// Pairs as Fluent takes them: one entry a role, with its contexts.
fn roles(grants: &[Grant]) -> Vec<UserRoleInput<'_>> {
    let mut by_role: BTreeMap<&str, Vec<ContextInput<'_>>> = BTreeMap::new();
    for grant in grants {
        by_role.entry(&grant.role.0).or_default().push(ContextInput {
            context_type: grant.context.kind.as_str(),
            context_id: &grant.context.id,
        });
    }
    by_role
        .into_iter()
        .map(|(name, contexts)| UserRoleInput {
            role: RoleKey { name },
            contexts,
        })
        .collect()
}

/// The input as JSON. It may hold a password, hence the wiping.
pub(crate) fn encode(mutation: &Mutation) -> Result<Zeroizing<Vec<u8>>, FluentError> {
    let json = match mutation {
        Mutation::CreateUser(user) => {
            let password = password::random().map_err(|_| FluentError::NoRandomness)?;
            // Big enough from the start, so that growing leaves no copies behind.
            let mut json = Zeroizing::new(Vec::with_capacity(2_048 + 128 * user.grants.len()));
            let input = CreateUserInput {
                r#ref: &user.reference,
                username: &user.username,
                password: &password,
                first_name: &user.first_name,
                last_name: &user.last_name,
                primary_email: &user.primary_email,
                r#type: &user.kind,
                timezone: &user.timezone,
                roles: roles(&user.grants),
            };
            return serde_json::to_writer(&mut *json, &input)
                .map(|()| json)
                .map_err(|_| unwritable(mutation));
        }
        Mutation::UpdateUser { id, update } => serde_json::to_vec(&UpdateUserInput {
            id: &id.0,
            status: update.status.clone().map(String::from),
            first_name: update.first_name.as_deref(),
            last_name: update.last_name.as_deref(),
            primary_email: update.primary_email.as_deref(),
            roles: roles(&update.add),
        }),
        Mutation::RemoveRoles { id, grants } => serde_json::to_vec(&RemoveInput {
            user: UserKey { id: &id.0 },
            roles: roles(grants),
        }),
    };
    json.map(Zeroizing::new).map_err(|_| unwritable(mutation))
}

/// Writing plain structs to memory does not fail; the type asks for an answer all the same.
fn unwritable(mutation: &Mutation) -> FluentError {
    FluentError::TooLarge {
        operation: mutation.operation(),
        bytes: usize::MAX,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rollcall_domain::ContextType;

    #[test]
    fn pairs_are_grouped_by_role_and_absent_fields_are_not_sent() {
        let update = UserUpdate {
            status: Some(FluentStatus::Inactive),
            add: vec![
                Grant::new("STORE", ContextType::Agent, "7"),
                Grant::new("ADMIN", ContextType::Account, "0"),
                Grant::new("STORE", ContextType::Retailer, "3"),
            ],
            ..UserUpdate::default()
        };
        let json = encode(&Mutation::UpdateUser {
            id: FluentUserId("5".into()),
            update,
        })
        .unwrap();
        let context = |kind: &str, id: &str| serde_json::json!({ "contextType": kind, "contextId": id });
        let expected = serde_json::json!({ "id": "5", "status": "INACTIVE", "roles": [
            { "role": { "name": "ADMIN" }, "contexts": [context("ACCOUNT", "0")] },
            { "role": { "name": "STORE" }, "contexts": [context("AGENT", "7"), context("RETAILER", "3")] },
        ] });
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&json).unwrap(),
            expected
        );
    }
}
