//! OAuth 2.0 client credentials (RFC 6749 section 4.4) for connections: a client proves who it is by a secret or by a
//! signed assertion (RFC 7523) and gets an access token for an hour.
//!
//! Access tokens are signed, not stored: every process that has the tenants' keys takes them, and none has to tell
//! another. They end by themselves, or at once when the client is taken out of the configuration or its secret or keys
//! change. What is presented is judged by pure code; [`desk`] holds the clients and what was seen of assertions.

mod access;
mod assertion;
mod client;
mod desk;
mod endpoint;
mod key;
mod replay;
mod request;

pub(crate) use access::is_access_token;
pub use client::{BadClientId, CLIENT_ID_MAX, Client, ClientError, ClientId, ClientProof};
pub(crate) use desk::Oauth;
pub(crate) use endpoint::{Page, answer, page, refused_as};
pub use key::{CLIENT_KEYS_MAX, KeyError, PublicKey, public_keys};

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rollcall_domain::{TenantId, TenantKey};

/// How long an access token is valid by default: short enough that a leaked one is of little use, long enough for a
/// provisioning cycle.
pub const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_secs(3600);

/// The scope of every access token.
const SCOPE: &str = "scim";

/// What the OAuth service needs.
#[derive(Debug, Clone, Default)]
pub struct OauthConfig {
    /// The clients of all connections.
    pub clients: Vec<Client>,
    /// How long an access token is valid; see [`ACCESS_TOKEN_LIFETIME`].
    pub lifetime: Duration,
    /// What access tokens are signed with.
    pub keys: SigningKeys,
}

/// What access tokens are signed with, by tenant. Never shown.
#[derive(Clone, Default)]
pub struct SigningKeys(BTreeMap<TenantId, [u8; 16]>);

impl SigningKeys {
    /// The keys that follow from the tenants' own: every process that can read the log has them.
    pub fn of<'a>(tenants: impl IntoIterator<Item = (&'a TenantId, &'a TenantKey)>) -> Self {
        let keys = tenants.into_iter();
        Self(
            keys.map(|(id, key)| (id.clone(), key.access_token_key()))
                .collect(),
        )
    }

    fn get(&self, tenant: &str) -> Option<&[u8; 16]> {
        self.0
            .iter()
            .find(|(known, _)| known.as_str() == tenant)
            .map(|(_, key)| key)
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKeys({})", self.0.len())
    }
}
