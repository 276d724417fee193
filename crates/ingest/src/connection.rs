//! Connections and their bearer tokens: who is asking, and for which tenant.
//!
//! A token is known only by its SHA-256. Tokens are long random strings (at least [`TOKEN_BYTES_MIN`] bytes),
//! so a plain fast hash is enough: there is nothing to guess offline, and a request must not pay for a slow
//! one.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use rollcall_domain::{ConnectionName, TenantId};
use rollcall_scim::Dialect;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Live tokens of one connection: the one in use and the one that will follow it, so that a token can be
/// renewed without a gap.
pub const TOKENS_MAX: usize = 2;
/// Shortest token that is taken, in bytes: 16 random bytes are out of reach of guessing over a network.
pub const TOKEN_BYTES_MIN: usize = 16;
/// Longest token that is looked at, in bytes; larger than any opaque token that an IdP stores.
pub const TOKEN_BYTES_MAX: usize = 1024;
/// Most connections of one process: bounds the registry and the metric labels made from it.
pub const CONNECTIONS_MAX: usize = 10_000;

/// SHA-256 of a bearer token.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

impl TokenHash {
    /// Hashes a token; the token itself is not kept.
    ///
    /// # Errors
    /// [`ConnectionError::TokenLength`] when it is shorter than [`TOKEN_BYTES_MIN`] or longer than
    /// [`TOKEN_BYTES_MAX`].
    pub fn of(token: &SecretString) -> Result<Self, ConnectionError> {
        let text = token.expose_secret();
        if !(TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX).contains(&text.len()) {
            return Err(ConnectionError::TokenLength);
        }
        Ok(Self::of_presented(text.as_bytes()))
    }

    fn of_presented(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// The first eight bytes: where to look, never what to trust.
    fn bucket(&self) -> u64 {
        let mut first = [0u8; 8];
        for (to, from) in first.iter_mut().zip(self.0) {
            *to = from;
        }
        u64::from_be_bytes(first)
    }

    fn equals(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// One SCIM connection of a tenant.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The tenant that everything arriving here belongs to.
    pub tenant: TenantId,
    /// Its name, unique in the tenant.
    pub name: ConnectionName,
    /// The live tokens, 1 to [`TOKENS_MAX`].
    pub tokens: Vec<TokenHash>,
    /// How much is forgiven.
    pub dialect: Dialect,
}

/// Why connections cannot be served. All are mistakes of the configuration; trying again does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// A token of the wrong length.
    #[error("a bearer token must have {TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX} bytes")]
    TokenLength,
    /// None or too many tokens.
    #[error("connection {connection} of tenant {tenant} has {count} tokens; it must have 1 to {TOKENS_MAX}")]
    TokenCount {
        /// Whose.
        tenant: TenantId,
        /// Which connection.
        connection: ConnectionName,
        /// How many it has.
        count: usize,
    },
    /// Two connections of one name.
    #[error("connection {connection} of tenant {tenant} is configured twice")]
    NameTwice {
        /// Whose.
        tenant: TenantId,
        /// Which connection.
        connection: ConnectionName,
    },
    /// One token for two connections: it could not be told which one is meant.
    #[error("connection {connection} of tenant {tenant} uses a token that another one has too")]
    TokenTwice {
        /// Whose.
        tenant: TenantId,
        /// Which connection.
        connection: ConnectionName,
    },
    /// More than [`CONNECTIONS_MAX`].
    #[error("{0} connections are configured, at most {CONNECTIONS_MAX} are served")]
    TooMany(usize),
}

/// What belongs to each connection, found by token.
#[derive(Debug)]
pub(crate) struct Registry<T> {
    by_bucket: HashMap<u64, (TokenHash, T)>,
    /// Compared when no token fits, so that an unknown token costs what a wrong one does.
    decoy: TokenHash,
}

impl<T: Clone> Registry<T> {
    /// Checks the connections and puts in what `seat` makes of each; one that it makes nothing of is left
    /// out.
    pub(crate) fn new(
        connections: Vec<Connection>,
        mut seat: impl FnMut(Arc<Connection>) -> Option<T>,
    ) -> Result<Self, ConnectionError> {
        if connections.len() > CONNECTIONS_MAX {
            return Err(ConnectionError::TooMany(connections.len()));
        }
        let mut names = std::collections::HashSet::new();
        let mut by_bucket = HashMap::new();
        for connection in connections {
            let (tenant, name) = (connection.tenant.clone(), connection.name.clone());
            let count = connection.tokens.len();
            if !(1..=TOKENS_MAX).contains(&count) {
                return Err(ConnectionError::TokenCount {
                    tenant,
                    connection: name,
                    count,
                });
            }
            if !names.insert((tenant.clone(), name.clone())) {
                return Err(ConnectionError::NameTwice {
                    tenant,
                    connection: name,
                });
            }
            let connection = Arc::new(connection);
            let Some(seat) = seat(Arc::clone(&connection)) else {
                continue;
            };
            for token in &connection.tokens {
                let entry = (token.clone(), seat.clone());
                if by_bucket.insert(token.bucket(), entry).is_some() {
                    return Err(ConnectionError::TokenTwice {
                        tenant,
                        connection: name,
                    });
                }
            }
        }
        let decoy = TokenHash::of_presented(b"no connection has this token");
        Ok(Self { by_bucket, decoy })
    }

    /// What belongs to the connection of a presented token. Whatever is presented costs one hash, one look-up
    /// and one comparison in constant time.
    pub(crate) fn find(&self, token: &[u8]) -> Option<&T> {
        let presented = TokenHash::of_presented(token);
        let found = self.by_bucket.get(&presented.bucket());
        let known = found.map_or(&self.decoy, |(hash, _)| hash);
        let equal = known.equals(&presented);
        found.filter(|_| equal).map(|(_, seat)| seat)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn token(text: &str) -> TokenHash {
        TokenHash::of(&SecretString::from(text)).unwrap()
    }

    fn connection(name: &str, tokens: &[&str]) -> Connection {
        Connection {
            tenant: TenantId::new("acme").unwrap(),
            name: ConnectionName::new(name).unwrap(),
            tokens: tokens.iter().map(|t| token(t)).collect(),
            dialect: Dialect::Tolerant,
        }
    }

    const ONE: &str = "0123456789abcdef-one";
    const TWO: &str = "0123456789abcdef-two";

    #[test]
    fn both_live_tokens_lead_to_the_connection_and_no_other_does() {
        let registry = Registry::new(vec![connection("entra", &[ONE, TWO])], Some).unwrap();
        for good in [ONE, TWO] {
            assert_eq!(registry.find(good.as_bytes()).unwrap().name.as_str(), "entra");
        }
        for bad in [
            "",
            "0123456789abcdef-on",
            "no connection has this token",
            "0123456789ABCDEF-one",
        ] {
            assert!(registry.find(bad.as_bytes()).is_none(), "{bad:?} was taken");
        }
    }

    #[test]
    fn ambiguous_or_tokenless_connections_are_refused() {
        let refused = |connections| Registry::new(connections, Some).unwrap_err();
        assert!(matches!(
            refused(vec![connection("a", &[])]),
            ConnectionError::TokenCount { .. }
        ));
        let three = ["0123456789abcdef-1", "0123456789abcdef-2", "0123456789abcdef-3"];
        assert!(matches!(
            refused(vec![connection("a", &three)]),
            ConnectionError::TokenCount { .. }
        ));
        let twice = vec![connection("a", &[ONE]), connection("a", &[TWO])];
        assert!(matches!(refused(twice), ConnectionError::NameTwice { .. }));
        let shared = vec![connection("a", &[ONE]), connection("b", &[ONE])];
        assert!(matches!(refused(shared), ConnectionError::TokenTwice { .. }));
    }

    #[test]
    fn a_short_token_is_refused_and_none_is_shown() {
        assert_eq!(
            TokenHash::of(&SecretString::from("short")),
            Err(ConnectionError::TokenLength)
        );
        assert!(!format!("{:?}", token(ONE)).contains("one"));
    }
}
