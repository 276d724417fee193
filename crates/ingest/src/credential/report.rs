//! How the credentials are, for operators.

use rollcall_domain::{ConnectionName, TenantId, Timestamp};

use super::TokenId;

/// A credential that ends within this many milliseconds is warned of: 14 days, time for an operator to make the
/// next one and for an IdP's administrator to put it in.
pub const EXPIRY_WARNING_MILLIS: i64 = 14 * 24 * 3600 * 1000;

/// Where a credential comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    /// A token of the configuration.
    Configured,
    /// A token that `rollcall token new` made.
    Stored,
    /// An OAuth client.
    Client,
}

impl CredentialKind {
    /// One word for lists.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::Stored => "stored",
            Self::Client => "client",
        }
    }
}

/// Whether a credential is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialState {
    /// It is, for more than [`EXPIRY_WARNING_MILLIS`].
    Valid,
    /// It is, but not for long.
    ExpiresSoon,
    /// No more.
    Expired,
    /// No more: somebody revoked it.
    Revoked,
}

impl CredentialState {
    /// The state of something that expires, or never does.
    #[must_use]
    pub fn of(expires: Option<Timestamp>, now: Timestamp) -> Self {
        match expires.map(|expires| expires.millis_since(now)) {
            None => Self::Valid,
            Some(left) if left <= 0 => Self::Expired,
            Some(left) if left <= EXPIRY_WARNING_MILLIS => Self::ExpiresSoon,
            Some(_) => Self::Valid,
        }
    }

    /// One word for lists.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::ExpiresSoon => "expires-soon",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// One credential of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialReport {
    /// Whose.
    pub tenant: TenantId,
    /// Which connection it opens.
    pub connection: ConnectionName,
    /// Its name; empty for a connection's only configured token.
    pub name: String,
    /// Its public id, when it has one.
    pub id: Option<TokenId>,
    /// Where it comes from.
    pub kind: CredentialKind,
    /// Whether it is taken.
    pub state: CredentialState,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// When it was last taken, since the start of this process.
    pub last_used: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_told_in_time_and_is_sharp() {
        let now = Timestamp::from_millis(1_772_000_000_000);
        let state = |left: i64| CredentialState::of(Some(now.plus_millis(left)), now);
        assert_eq!(CredentialState::of(None, now), CredentialState::Valid);
        assert_eq!(state(EXPIRY_WARNING_MILLIS + 1), CredentialState::Valid);
        assert_eq!(state(EXPIRY_WARNING_MILLIS), CredentialState::ExpiresSoon);
        assert_eq!(state(1), CredentialState::ExpiresSoon);
        assert_eq!(state(0), CredentialState::Expired);
    }
}
