//! Users as plain values, for comparing with what should be.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::state::{GrantPair, User};

/// A user as the simulator holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserSnapshot {
    /// The platform id.
    pub id: u64,
    /// The business reference.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The login name.
    pub username: String,
    /// `ADMIN`, `RETAILER`, `LOCATION`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// `ACTIVE`, `INACTIVE`, …
    pub status: String,
    /// `firstName`, `lastName`, `primaryEmail`, `timezone`, … where set.
    pub profile: BTreeMap<String, String>,
    /// Attributes by name.
    pub attributes: BTreeMap<String, serde_json::Value>,
    /// All pairs, sorted.
    pub grants: Vec<GrantPair>,
    /// Milliseconds since 1970.
    pub created_on: i64,
    /// Milliseconds since 1970.
    pub updated_on: i64,
}

pub(crate) fn snapshot(user: &User) -> UserSnapshot {
    let mut grants = user.pairs();
    grants.sort();
    UserSnapshot {
        id: user.id,
        reference: user.reference.clone(),
        username: user.username.clone(),
        kind: user.kind.clone(),
        status: user.status.clone(),
        profile: user
            .texts
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
        attributes: user
            .attributes
            .iter()
            .map(|held| (held.name.clone(), held.value.clone()))
            .collect(),
        grants,
        created_on: user.created_on,
        updated_on: user.updated_on,
    }
}
