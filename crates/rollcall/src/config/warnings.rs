//! What a configuration allows and an operator should know of.

use std::net::IpAddr;

use rollcall_domain::Timestamp;
use rollcall_ingest::CredentialState;
use secrecy::{ExposeSecret as _, SecretString};

use super::{Config, Connection, Kafka, KafkaSasl, OauthProof, PasswordMechanism, Tenant, values};

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
        warnings.extend(self.kafka.iter().flat_map(Kafka::warnings));
        let ends = self.server.tls.as_ref().and_then(|tls| tls.ends);
        warnings.extend(end_warning("server.tls_cert", ends, now));
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
        let encrypted = server.tls.is_some() || !server.trusted_proxies.is_empty();
        if !server.listen.ip().is_loopback() && !encrypted {
            warnings.push(Warning {
                what: "server.listen".to_owned(),
                found: format!(
                    "{} can be reached from outside without encryption, and tokens go there: set server.tls_cert, \
                     or put a proxy that ends TLS in front and name it in server.trusted_proxies",
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

impl Kafka {
    /// What to know of the cluster and the log in it.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let holes: Vec<String> = self.accept_holes.iter().map(ToString::to_string).collect();
        let accepted = (!holes.is_empty()).then(|| Warning {
            what: "kafka.accept_holes".to_owned(),
            found: format!(
                "what may have stood at {} is passed over: acknowledged records may be missing",
                holes.join(", ")
            ),
        });
        self.in_the_clear().into_iter().chain(accepted).collect()
    }

    /// Brokers that are spoken to in the clear over a network.
    fn in_the_clear(&self) -> Option<Warning> {
        if self.security.tls.is_some() {
            return None;
        }
        let open: Vec<&str> = self
            .brokers
            .split(',')
            .map(str::trim)
            .filter(|broker| !is_here(broker))
            .collect();
        if open.is_empty() {
            return None;
        }
        let (read, instead) = match &self.security.sasl {
            None => ("names and access rights", "tls"),
            Some(KafkaSasl::Password {
                mechanism: PasswordMechanism::ScramSha256 | PasswordMechanism::ScramSha512,
                ..
            }) => ("names and access rights", "sasl_tls"),
            Some(KafkaSasl::Password { .. }) => ("names, access rights and the password", "sasl_tls"),
            Some(KafkaSasl::TokenFile(_) | KafkaSasl::Token(_)) => {
                ("names, access rights and the token", "sasl_tls")
            }
        };
        let brokers = open.join(", ");
        Some(Warning {
            what: "kafka.security".to_owned(),
            found: format!(
                "the brokers at {brokers} are spoken to without encryption: {read} can be read and changed on the way; \
                 give the brokers a certificate and set kafka.security = \"{instead}\""
            ),
        })
    }
}

/// Whether a bootstrap server, `host:port`, is this machine by its name. What brokers then name themselves is theirs.
fn is_here(broker: &str) -> bool {
    let host = broker.rsplit_once(':').map_or(broker, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn token_warnings(tenant: &Tenant, connection: &Connection, now: Timestamp) -> Vec<Warning> {
    let whose = format!("{}/{}", tenant.id, connection.name);
    let mut warnings = Vec::new();
    for token in &connection.tokens {
        let name = token
            .name
            .as_ref()
            .map_or(String::new(), |name| format!("/{name}"));
        let what = format!("token of {whose}{name}");
        warnings.extend(end_warning(&what, token.expires, now));
        warnings.extend(length_warning(
            &what,
            &token.secret,
            "`rollcall token new` makes one",
        ));
    }
    for client in &connection.clients {
        let what = format!("OAuth client of {whose}/{}", client.id);
        warnings.extend(end_warning(&what, client.expires, now));
        if let OauthProof::Secret(secret) = &client.proof {
            warnings.extend(length_warning(&what, secret, "take one made at random"));
        }
    }
    warnings
}

fn end_warning(what: &str, expires: Option<Timestamp>, now: Timestamp) -> Option<Warning> {
    let end = expires.map(|expires| expires.to_string()).unwrap_or_default();
    let found = match CredentialState::of(expires, now) {
        CredentialState::Expired => format!("expired at {end}: it is refused"),
        CredentialState::ExpiresSoon => format!("expires at {end}: have the next one ready"),
        CredentialState::Valid | CredentialState::Revoked => return None,
    };
    let what = what.to_owned();
    Some(Warning { what, found })
}

fn length_warning(what: &str, secret: &SecretString, instead: &str) -> Option<Warning> {
    let length = secret.expose_secret().len();
    (length < TOKEN_CHARS_GOOD).then(|| Warning {
        what: what.to_owned(),
        found: format!("has {length} characters and may be guessed: {instead} that cannot be"),
    })
}
