//! A starting state as JSON: what an account holds before anything happens.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::state::GrantPair;

/// Bytes of a seed file at most: a million users of some 250 bytes.
const SEED_LIMIT: u64 = 256 * 1024 * 1024;

/// A starting state. Ids that are left out are given in order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Seed {
    /// Role names.
    pub roles: Vec<String>,
    /// Retailers.
    pub retailers: Vec<SeedRetailer>,
    /// Locations.
    pub locations: Vec<SeedLocation>,
    /// Users.
    pub users: Vec<SeedUser>,
}

/// A retailer of a [`Seed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SeedRetailer {
    /// The platform id.
    #[serde(default)]
    pub id: Option<u64>,
    /// The business reference, unique.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The name shown.
    #[serde(default)]
    pub trading_name: Option<String>,
    /// `ACTIVE` unless said.
    #[serde(default = "active")]
    pub status: String,
}

/// A location of a [`Seed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SeedLocation {
    /// The platform id.
    #[serde(default)]
    pub id: Option<u64>,
    /// The store code, unique.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The name shown.
    #[serde(default)]
    pub name: Option<String>,
    /// The `ref` of its retailer.
    pub retailer: String,
    /// `ACTIVE` unless said.
    #[serde(default = "active")]
    pub status: String,
}

/// A user of a [`Seed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SeedUser {
    /// The platform id.
    #[serde(default)]
    pub id: Option<u64>,
    /// The login name, unique.
    pub username: String,
    /// Its business reference; the username unless said.
    #[serde(rename = "ref", default)]
    pub reference: Option<String>,
    /// Given name.
    #[serde(default)]
    pub first_name: Option<String>,
    /// Family name.
    #[serde(default)]
    pub last_name: Option<String>,
    /// E-mail address.
    #[serde(default)]
    pub primary_email: Option<String>,
    /// `ADMIN`, `RETAILER` or `LOCATION`; `ADMIN` unless said.
    #[serde(rename = "type", default = "admin")]
    pub kind: String,
    /// `ACTIVE` unless said.
    #[serde(default = "active")]
    pub status: String,
    /// Roles in their contexts, stored as given.
    #[serde(default)]
    pub roles: Vec<GrantPair>,
}

fn active() -> String {
    "ACTIVE".into()
}

fn admin() -> String {
    "ADMIN".into()
}

/// A seed that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// The file cannot be read.
    #[error("seed file {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is larger than 256 MiB.
    #[error("seed file {} is larger than {SEED_LIMIT} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The text is not a seed.
    #[error("the seed is not valid")]
    Parse(#[source] serde_json::Error),
    /// Two things share a name or id, or one refers to something that is not there.
    #[error("the seed contradicts itself: {0}")]
    Conflict(String),
}

impl Seed {
    /// Reads a seed file.
    ///
    /// # Errors
    /// [`SeedError`]: unreadable, too large or not valid.
    pub fn read(path: &Path) -> Result<Self, SeedError> {
        let unreadable = |source| SeedError::Read {
            path: path.to_owned(),
            source,
        };
        if std::fs::metadata(path).map_err(unreadable)?.len() > SEED_LIMIT {
            return Err(SeedError::TooLarge {
                path: path.to_owned(),
            });
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        serde_json::from_slice(&bytes).map_err(SeedError::Parse)
    }
}
