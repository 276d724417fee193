//! OAuth clients as they are configured.

use std::fmt;
use std::str::FromStr;

use rollcall_domain::{ConnectionName, TenantId, Timestamp};
use sha2::{Digest as _, Sha256};

use super::key::PublicKey;
use crate::credential::TokenHash;
use crate::hex::hex;

/// Longest client id, in bytes: with the longest connection name it fits into an event's `actor`.
pub const CLIENT_ID_MAX: usize = 48;

/// Bytes of a digest that tell one secret or one set of keys from the one before it.
const FINGERPRINT_BYTES: usize = 8;

/// Why a text is no client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a client id has 1 to {CLIENT_ID_MAX} characters of A-Z, a-z, 0-9, -, _ and .")]
pub struct BadClientId;

/// A client's id: unique in the process, and part of the `actor` of its events.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(String);

impl ClientId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientId {
    type Err = BadClientId;
    fn from_str(text: &str) -> Result<Self, BadClientId> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if (1..=CLIENT_ID_MAX).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadClientId)
        }
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a client proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientProof {
    /// By a secret, of which the hash is known: `client_secret_basic` and `client_secret_post`.
    Secret(TokenHash),
    /// By an assertion that one of these keys signed: `private_key_jwt`. Not empty.
    Keys(Vec<PublicKey>),
}

/// An OAuth client of a connection.
#[derive(Debug, Clone)]
pub struct Client {
    /// Whose connection it opens.
    pub tenant: TenantId,
    /// The connection that it opens.
    pub connection: ConnectionName,
    /// Its id.
    pub id: ClientId,
    /// How it proves who it is.
    pub proof: ClientProof,
    /// From then on it gets no access token, and those that it has are refused.
    pub expires: Option<Timestamp>,
}

impl Client {
    /// What stands in its access tokens for secret or keys: another one makes them invalid.
    pub(super) fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        match &self.proof {
            ClientProof::Secret(secret) => hash.update(String::from(secret.clone())),
            ClientProof::Keys(keys) => {
                for key in keys {
                    key.digest_into(&mut hash);
                }
            }
        }
        let mut text = hex(&hash.finalize());
        text.truncate(2 * FINGERPRINT_BYTES);
        text
    }
}

/// Why clients cannot be served. All are mistakes of the configuration; trying again does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Two clients of one id.
    #[error("client {0} stands twice: it could not be told which connection is meant")]
    Twice(ClientId),
    /// A client of a connection that is not served.
    #[error("client {0} is of a connection that is not configured")]
    NoConnection(ClientId),
    /// A tenant without a key for its access tokens.
    #[error("client {0} is of a tenant that has no key")]
    NoKey(ClientId),
}
