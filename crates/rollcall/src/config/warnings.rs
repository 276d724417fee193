//! What a configuration allows and an operator should know of.

use rollcall_domain::Timestamp;
use rollcall_ingest::CredentialState;
use secrecy::ExposeSecret as _;

use super::{Config, Connection, Tenant, values};

/// A token of fewer characters is warned of: with 32 characters even one of hexadecimal digits has 128 bits.
pub const TOKEN_CHARS_GOOD: usize = 32;

/// Something to look at. It stops nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What is meant.
    pub what: String,
    /// What is to be known, and what to do. No secrets.
    pub found: String,
}

impl Config {
    /// Everything to look at, as of `now`. Tokens of the token file are not looked at here.
    #[must_use]
    pub fn warnings(&self, now: Timestamp) -> Vec<Warning> {
        let mut warnings = self.server_warnings();
        for tenant in &self.tenants {
            for connection in &tenant.connections {
                warnings.extend(token_warnings(tenant, connection, now));
            }
        }
        warnings
    }

    fn server_warnings(&self) -> Vec<Warning> {
        let server = &self.server;
        let mut warnings = Vec::new();
        if !server.listen.ip().is_loopback() && server.trusted_proxies.is_empty() {
            warnings.push(Warning {
                what: "server.listen".to_owned(),
                found: format!(
                    "{} can be reached from outside without encryption, and tokens go there: put a proxy that ends \
                     TLS in front and name it in server.trusted_proxies",
                    server.listen
                ),
            });
        }
        if !values::is_safe_for_secrets(&server.public_url) {
            warnings.push(Warning {
                what: "server.public_url".to_owned(),
                found: "begins with http://: identity providers send tokens over https only".to_owned(),
            });
        }
        warnings
    }
}

fn token_warnings(tenant: &Tenant, connection: &Connection, now: Timestamp) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for token in &connection.tokens {
        let name = token
            .name
            .as_ref()
            .map_or(String::new(), |name| format!("/{name}"));
        let what = format!("token of {}/{}{name}", tenant.id, connection.name);
        let expires = token
            .expires
            .map(|expires| expires.to_string())
            .unwrap_or_default();
        let found = match CredentialState::of(token.expires, now) {
            CredentialState::Expired => Some(format!("expired at {expires}: it is refused")),
            CredentialState::ExpiresSoon => Some(format!(
                "expires at {expires}: give the identity provider its next one"
            )),
            CredentialState::Valid | CredentialState::Revoked => None,
        };
        let length = token.secret.expose_secret().len();
        let short = (length < TOKEN_CHARS_GOOD).then(|| {
            format!("has {length} characters: `rollcall token new` makes one that cannot be guessed")
        });
        warnings.extend(found.into_iter().chain(short).map(|found| Warning {
            what: what.clone(),
            found,
        }));
    }
    warnings
}
