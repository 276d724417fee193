//! Credentials: what opens a connection, under which name it acts, and until when.
//!
//! A bearer token is known only by its SHA-256. Tokens are long random strings, so a fast hash is enough: there is
//! nothing to guess offline, and a request must not pay for a slow one. Whatever is presented costs one hash, one
//! look-up and one comparison in constant time.
//!
//! Pure but for [`desk`], which holds what is valid now.

pub(crate) mod desk;
mod hash;
mod name;
mod registry;
mod report;
mod stored;
mod token;

pub use desk::{Credentials, StoredTrouble};
pub use hash::TokenHash;
pub use name::{BadTokenName, TOKEN_NAME_MAX, TokenName};
pub(crate) use registry::LastUsed;
pub use report::{CredentialKind, CredentialReport, CredentialState, EXPIRY_WARNING_MILLIS};
pub use stored::{STORED_TOKENS_MAX, StoredToken, TokenFile, TokenFileError};
pub use token::{NEW_TOKEN_BYTES, NewToken, TOKEN_PREFIX, TokenId};

use rollcall_domain::Timestamp;

/// Shortest token that is taken, in bytes: 16 random bytes are out of reach of guessing over a network.
pub const TOKEN_BYTES_MIN: usize = 16;
/// Longest token that is looked at, in bytes; larger than any opaque token that an IdP stores.
pub const TOKEN_BYTES_MAX: usize = 1024;
/// Live tokens of one connection: the one in use, the one that follows it, and room for an IdP that provisions from
/// several places. What is revoked or has expired does not count.
pub const TOKENS_MAX: usize = 8;

/// A token that opens a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Part of the `actor` of its events; none for a connection's only configured token.
    pub name: Option<TokenName>,
    /// What is known of it.
    pub hash: TokenHash,
    /// From then on it is refused.
    pub expires: Option<Timestamp>,
}

impl From<TokenHash> for Token {
    /// A token without a name that never expires.
    fn from(hash: TokenHash) -> Self {
        Self {
            name: None,
            hash,
            expires: None,
        }
    }
}
