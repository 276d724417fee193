//! What is known of a token: its SHA-256.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{TOKEN_BYTES_MAX, TOKEN_BYTES_MIN};
use crate::connection::ConnectionError;
use crate::hex::{from_hex, hex};

/// SHA-256 of a bearer token. As text it is hex.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
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

    pub(crate) fn of_presented(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// The first eight bytes: where to look, never what to trust.
    pub(super) fn bucket(&self) -> [u8; 8] {
        let mut first = [0u8; 8];
        for (to, from) in first.iter_mut().zip(self.0) {
            *to = from;
        }
        first
    }

    /// Compares in constant time.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl From<TokenHash> for String {
    fn from(hash: TokenHash) -> Self {
        hex(&hash.0)
    }
}

impl TryFrom<String> for TokenHash {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        from_hex(text.as_bytes())
            .map(Self)
            .ok_or("a hash is 64 hexadecimal digits")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_short_or_long_token_is_refused_and_none_is_shown() {
        let hash = |text: &str| TokenHash::of(&SecretString::from(text));
        assert_eq!(hash("short"), Err(ConnectionError::TokenLength));
        assert_eq!(hash(&"x".repeat(1025)), Err(ConnectionError::TokenLength));
        assert!(!format!("{:?}", hash("0123456789abcdef-one").unwrap()).contains("one"));
    }

    #[test]
    fn a_hash_is_read_as_it_is_written_and_nothing_else_is() {
        let hash = TokenHash::of_presented(b"x");
        let text = serde_json::to_string(&hash).unwrap();
        assert_eq!(serde_json::from_str::<TokenHash>(&text).unwrap(), hash);
        let upper = text.to_uppercase();
        for bad in [upper.as_str(), "\"\"", "\"00\"", "1"] {
            assert!(serde_json::from_str::<TokenHash>(bad).is_err(), "{bad}");
        }
    }
}
