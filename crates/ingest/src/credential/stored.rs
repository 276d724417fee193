//! The token file: hashes of the tokens that `rollcall token new` made. Pure: reading and writing files is the
//! binary's.

use rollcall_domain::{ConnectionName, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{CredentialState, TOKENS_MAX, TokenHash, TokenId, TokenName};

/// Most tokens of one file, live or not: far above [`TOKENS_MAX`] for each connection of a large installation.
pub const STORED_TOKENS_MAX: usize = 10_000;
/// The form of the file that this version writes.
const VERSION: u32 = 1;
/// How long a token that is no longer valid stays listed, in milliseconds: 90 days, so that an audit finds it.
const REMEMBERED_MILLIS: i64 = 90 * 24 * 3600 * 1000;

/// A token that was made here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredToken {
    /// Its public part.
    pub id: TokenId,
    /// Whose connection it opens.
    pub tenant: TenantId,
    /// The connection that it opens.
    pub connection: ConnectionName,
    /// Its name in `actor`.
    pub name: TokenName,
    /// SHA-256 of its text.
    pub hash: TokenHash,
    /// When it was made.
    pub created: Timestamp,
    /// From then on it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Since then it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Timestamp>,
}

impl StoredToken {
    /// How it is at `now`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> CredentialState {
        if self.revoked.is_some() {
            return CredentialState::Revoked;
        }
        CredentialState::of(self.expires, now)
    }

    /// Whether it opens its connection at `now`.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        matches!(
            self.state(now),
            CredentialState::Valid | CredentialState::ExpiresSoon
        )
    }
}

/// Why a token file is none, or cannot take another token. Trying again does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFileError {
    /// It is no token file.
    #[error("no token file (line {line}, column {column})")]
    Unreadable {
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
    },
    /// It was written by a newer version.
    #[error("its form {0} is not known to this version")]
    Version(u32),
    /// Two tokens of one id.
    #[error("token {0} stands twice in it")]
    Twice(TokenId),
    /// More than [`STORED_TOKENS_MAX`].
    #[error("more than {STORED_TOKENS_MAX} tokens")]
    TooMany,
    /// The connection has [`TOKENS_MAX`] live tokens.
    #[error("connection {connection} of {tenant} has {TOKENS_MAX} live tokens; revoke one first")]
    Full {
        /// Whose.
        tenant: TenantId,
        /// Which connection.
        connection: ConnectionName,
    },
    /// A live token of the connection has this name.
    #[error("connection {connection} of {tenant} has a live token named {name}")]
    NameTaken {
        /// Whose.
        tenant: TenantId,
        /// Which connection.
        connection: ConnectionName,
        /// The name.
        name: TokenName,
    },
}

/// All tokens that were made here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenFile {
    /// In the order in which they were made.
    tokens: Vec<StoredToken>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    tokens: Vec<StoredToken>,
}

impl TokenFile {
    /// Reads the text of a token file.
    ///
    /// # Errors
    /// [`TokenFileError`] when it is none.
    pub fn parse(text: &[u8]) -> Result<Self, TokenFileError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let unreadable = |error: serde_json::Error| TokenFileError::Unreadable {
            line: error.line(),
            column: error.column(),
        };
        let Version { version } = serde_json::from_slice(text).map_err(unreadable)?;
        if version != VERSION {
            return Err(TokenFileError::Version(version));
        }
        let Document { tokens, .. } = serde_json::from_slice(text).map_err(unreadable)?;
        if tokens.len() > STORED_TOKENS_MAX {
            return Err(TokenFileError::TooMany);
        }
        let mut ids = std::collections::BTreeSet::new();
        if let Some(twice) = tokens.iter().find(|token| !ids.insert(token.id)) {
            return Err(TokenFileError::Twice(twice.id));
        }
        Ok(Self { tokens })
    }

    /// The text of the file.
    #[must_use]
    pub fn to_text(&self) -> Vec<u8> {
        let document = Document {
            version: VERSION,
            tokens: self.tokens.clone(),
        };
        let mut text = serde_json::to_vec_pretty(&document).unwrap_or_default(); // string keys only: cannot fail
        text.push(b'\n');
        text
    }

    /// All of them, in the order in which they were made.
    #[must_use]
    pub fn tokens(&self) -> &[StoredToken] {
        &self.tokens
    }

    /// Takes up a new token; what has been invalid for 90 days is forgotten.
    ///
    /// # Errors
    /// [`TokenFileError`] when there is no room for it, or its name is taken; nothing is changed then.
    pub fn add(&mut self, token: StoredToken, now: Timestamp) -> Result<(), TokenFileError> {
        let whose = |known: &&StoredToken| {
            known.tenant == token.tenant && known.connection == token.connection && known.is_live(now)
        };
        let (tenant, connection) = (token.tenant.clone(), token.connection.clone());
        if self.tokens.iter().filter(whose).count() >= TOKENS_MAX {
            return Err(TokenFileError::Full { tenant, connection });
        }
        if self
            .tokens
            .iter()
            .filter(whose)
            .any(|known| known.name == token.name)
        {
            let name = token.name;
            return Err(TokenFileError::NameTaken {
                tenant,
                connection,
                name,
            });
        }
        if self.tokens.iter().any(|known| known.id == token.id) {
            return Err(TokenFileError::Twice(token.id));
        }
        let remembered =
            |ended: Option<Timestamp>| ended.is_none_or(|ended| now.millis_since(ended) < REMEMBERED_MILLIS);
        let kept = |known: &StoredToken| remembered(known.expires) && remembered(known.revoked);
        if self.tokens.iter().filter(|known| kept(known)).count() >= STORED_TOKENS_MAX {
            return Err(TokenFileError::TooMany);
        }
        self.tokens.retain(kept);
        self.tokens.push(token);
        Ok(())
    }

    /// Marks a token as revoked; `None` when there is none of this id. Revoking twice keeps the first time.
    pub fn revoke(&mut self, id: TokenId, now: Timestamp) -> Option<&StoredToken> {
        let token = self.tokens.iter_mut().find(|token| token.id == id)?;
        token.revoked.get_or_insert(now);
        Some(token)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::credential::{NEW_TOKEN_BYTES, NewToken};

    const NOW: Timestamp = Timestamp::from_millis(1_772_000_000_000);

    fn token(number: u8, name: &str) -> StoredToken {
        let made = NewToken::from_random(&[number; NEW_TOKEN_BYTES]);
        StoredToken {
            id: made.id,
            tenant: TenantId::new("acme").unwrap(),
            connection: ConnectionName::new("entra").unwrap(),
            name: TokenName::new(name).unwrap(),
            hash: made.hash,
            created: NOW,
            expires: None,
            revoked: None,
        }
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let mut file = TokenFile::default();
        let expires = Some(NOW.plus_millis(1));
        file.add(
            StoredToken {
                expires,
                ..token(1, "a")
            },
            NOW,
        )
        .unwrap();
        file.add(token(2, "b"), NOW).unwrap();
        file.revoke(token(2, "b").id, NOW).unwrap();
        assert_eq!(TokenFile::parse(&file.to_text()).unwrap(), file);
    }

    #[test]
    fn what_is_no_token_file_is_refused_with_its_place() {
        let twice = TokenFile {
            tokens: vec![token(1, "a"), token(1, "b")],
        };
        assert_eq!(
            TokenFile::parse(&twice.to_text()),
            Err(TokenFileError::Twice(token(1, "a").id))
        );
        assert_eq!(
            TokenFile::parse(br#"{"version":2,"tokens":"other"}"#),
            Err(TokenFileError::Version(2))
        );
        for bad in [
            "",
            "{",
            "[]",
            r#"{"version":1}"#,
            r#"{"version":1,"tokens":[{}]}"#,
        ] {
            let error = TokenFile::parse(bad.as_bytes()).unwrap_err();
            assert!(
                matches!(error, TokenFileError::Unreadable { .. }),
                "{bad}: {error}"
            );
        }
    }

    #[test]
    fn live_tokens_are_few_and_differ_in_name_and_dead_ones_give_way() {
        let mut file = TokenFile::default();
        for number in 0..TOKENS_MAX {
            let number = u8::try_from(number).unwrap();
            file.add(token(number, &format!("t{number}")), NOW).unwrap();
        }
        assert!(matches!(
            file.add(token(99, "more"), NOW),
            Err(TokenFileError::Full { .. })
        ));
        file.revoke(token(0, "t0").id, NOW).unwrap();
        assert!(matches!(
            file.add(token(99, "t1"), NOW),
            Err(TokenFileError::NameTaken { .. })
        ));
        file.add(token(99, "t0"), NOW).unwrap();
        assert_eq!(
            file.tokens().len(),
            TOKENS_MAX + 1,
            "the revoked one is still listed"
        );
        file.revoke(token(1, "t1").id, NOW).unwrap();
        let later = NOW.plus_millis(REMEMBERED_MILLIS);
        file.add(token(100, "t1"), later).unwrap();
        assert_eq!(file.tokens().len(), TOKENS_MAX, "both revoked ones are forgotten");
    }

    #[test]
    fn a_token_is_revoked_once_and_for_all() {
        let mut file = TokenFile::default();
        file.add(token(1, "a"), NOW).unwrap();
        assert!(file.revoke(token(2, "b").id, NOW).is_none());
        file.revoke(token(1, "a").id, NOW).unwrap();
        let again = file.revoke(token(1, "a").id, NOW.plus_millis(5)).unwrap();
        assert_eq!(again.revoked, Some(NOW));
        assert_eq!(again.state(NOW), CredentialState::Revoked);
    }
}
