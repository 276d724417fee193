//! The form of the tokens that Rollcall makes: `rct_` + 16 digits of id + `_` + 64 digits of secret.
//!
//! The prefix lets scanners of source code find a leaked one; the id, which is no secret, names it in lists and
//! logs and leads to it; the secret has 256 random bits. Tokens that others made are opaque and have no id.

use std::fmt;
use std::str::FromStr;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::hash::TokenHash;
use crate::hex::{from_hex, hex};

/// What every token of ours begins with.
pub const TOKEN_PREFIX: &str = "rct_";
/// Random bytes that a new token is made of: 8 for its id, 32 for its secret.
pub const NEW_TOKEN_BYTES: usize = ID_BYTES + SECRET_BYTES;

const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;

/// The public part of a token, as text 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenId([u8; ID_BYTES]);

impl TokenId {
    /// The id in a presented token of our form; `None` for any other token.
    #[must_use]
    pub fn of_presented(token: &[u8]) -> Option<Self> {
        let rest = token.strip_prefix(TOKEN_PREFIX.as_bytes())?;
        let (id, rest) = rest.split_at_checked(2 * ID_BYTES)?;
        let secret = rest.strip_prefix(b"_")?;
        from_hex::<SECRET_BYTES>(secret)?;
        from_hex(id).map(Self)
    }

    pub(super) const fn bytes(self) -> [u8; ID_BYTES] {
        self.0
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({self})")
    }
}

impl FromStr for TokenId {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = from_hex(text.as_bytes()).map(Self);
        id.ok_or("a token's id is 16 hexadecimal digits")
    }
}

impl TryFrom<String> for TokenId {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TokenId> for String {
    fn from(id: TokenId) -> Self {
        id.to_string()
    }
}

/// A token that was just made: the only time that its text is known.
#[derive(Debug)]
pub struct NewToken {
    /// Its public part.
    pub id: TokenId,
    /// What the IdP is to present.
    pub text: SecretString,
    /// What is kept.
    pub hash: TokenHash,
}

impl NewToken {
    /// A token of these random bytes.
    #[must_use]
    pub fn from_random(random: &[u8; NEW_TOKEN_BYTES]) -> Self {
        let (first, secret) = random.split_at(ID_BYTES);
        let mut id = [0u8; ID_BYTES];
        id.copy_from_slice(first);
        let text = format!("{TOKEN_PREFIX}{}_{}", hex(&id), hex(secret));
        Self {
            id: TokenId(id),
            hash: TokenHash::of_presented(text.as_bytes()),
            text: SecretString::from(text),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use secrecy::ExposeSecret as _;

    use super::*;

    fn new() -> NewToken {
        let mut random = [0xab; NEW_TOKEN_BYTES];
        random[0] = 1;
        NewToken::from_random(&random)
    }

    #[test]
    fn a_new_token_names_its_id_and_holds_all_its_randomness() {
        let token = new();
        let text = token.text.expose_secret();
        assert_eq!(text.len(), 4 + 16 + 1 + 64);
        assert_eq!(TokenId::of_presented(text.as_bytes()), Some(token.id));
        assert_eq!(token.id.to_string(), "01ababababababab");
        assert_eq!(TokenHash::of(&token.text).unwrap(), token.hash);
    }

    #[test]
    fn a_token_of_another_form_has_no_id() {
        let text = new().text.expose_secret().to_owned();
        for bad in [
            "",
            "rct_",
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text}0"),
            &text.to_uppercase(),
            &text.replace("_a", "-a"),
        ] {
            assert_eq!(TokenId::of_presented(bad.as_bytes()), None, "{bad}");
        }
    }
}
