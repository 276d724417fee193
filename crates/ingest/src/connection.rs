//! Connections: which IdP of which tenant, and what is configured for it.

use rollcall_domain::{ConnectionName, TenantId};
use rollcall_scim::Dialect;

use crate::credential::{TOKEN_BYTES_MAX, TOKEN_BYTES_MIN, TOKENS_MAX, Token};
use crate::oauth::ClientError;

/// Most connections of one process: bounds the registry and the metric labels made from it.
pub const CONNECTIONS_MAX: usize = 10_000;

/// One SCIM connection of a tenant.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The tenant that everything arriving here belongs to.
    pub tenant: TenantId,
    /// Its name, unique in the tenant.
    pub name: ConnectionName,
    /// Its configured tokens, at most [`TOKENS_MAX`]. Without any it is opened by tokens of the token file or by OAuth
    /// clients alone.
    pub tokens: Vec<Token>,
    /// How much is forgiven.
    pub dialect: Dialect,
    /// What a create that is sent again is answered with.
    pub repeated_create: RepeatedCreate,
}

/// What the same POST of a user is answered with while that user is active and just as sent: a client that waited in
/// vain for the first answer sends it again. The strict dialect knows [`RepeatedCreate::Conflict`] alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RepeatedCreate {
    /// 409 `uniqueness`, as RFC 7644 section 3.3 asks.
    #[default]
    Conflict,
    /// The user, 200.
    Answer,
}

/// Why connections cannot be served. All are mistakes of the configuration; trying again does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// A token of the wrong length.
    #[error("a bearer token must have {TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX} bytes")]
    TokenLength,
    /// Too many tokens.
    #[error(
        "connection {connection} of tenant {tenant} has {count} tokens; it may have at most {TOKENS_MAX}"
    )]
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
    /// Its OAuth clients cannot be served.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// More than [`CONNECTIONS_MAX`].
    #[error("{0} connections are configured, at most {CONNECTIONS_MAX} are served")]
    TooMany(usize),
}
