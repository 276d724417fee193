//! Names of tokens, as they stand in `actor` and in `rollcall token list`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name of a token, in bytes: with the longest connection name it fits into an event's `actor`.
pub const TOKEN_NAME_MAX: usize = 32;

/// Why a text is no name of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a token's name has 1 to {TOKEN_NAME_MAX} characters of a-z, 0-9, -, _ and ., beginning with a letter or a digit"
)]
pub struct BadTokenName;

/// A token's name, unique among the live tokens of a connection. It stands in the log for ever, as part of `actor`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenName(String);

impl TokenName {
    /// Checks and takes the name.
    ///
    /// # Errors
    /// [`BadTokenName`].
    pub fn new(text: impl Into<String>) -> Result<Self, BadTokenName> {
        let text = text.into();
        let first = text.bytes().next().unwrap_or_default();
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let all = text.bytes().all(|b| plain(b) || matches!(b, b'-' | b'_' | b'.'));
        if all && plain(first) && text.len() <= TOKEN_NAME_MAX {
            Ok(Self(text))
        } else {
            Err(BadTokenName)
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TokenName {
    type Err = BadTokenName;
    fn from_str(text: &str) -> Result<Self, BadTokenName> {
        Self::new(text)
    }
}

impl TryFrom<String> for TokenName {
    type Error = BadTokenName;
    fn try_from(text: String) -> Result<Self, BadTokenName> {
        Self::new(text)
    }
}

impl From<TokenName> for String {
    fn from(name: TokenName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        for good in ["a", "2026-11", "next_1.b", &"a".repeat(TOKEN_NAME_MAX)] {
            assert!(TokenName::new(good).is_ok(), "{good:?}");
        }
        for bad in [
            "",
            "-a",
            ".",
            "A",
            "a b",
            "a/b",
            "ä",
            &"a".repeat(TOKEN_NAME_MAX + 1),
        ] {
            assert!(TokenName::new(bad).is_err(), "{bad:?}");
        }
    }
}
