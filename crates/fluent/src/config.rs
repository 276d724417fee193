//! What a client needs to know, checked once.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;

/// Time to get a connection, TLS included. A healthy Fluent takes a fraction; beyond it another try is
/// better.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for a whole request. Fluent publishes none; above this an answer is taken as lost (and the write as
/// ambiguous), well inside the reconciler's late-write window.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Time for a request that reads a page of hundreds or the schema, where that for others is shorter. No lease has to
/// cover a read.
pub const LARGE_TIMEOUT: Duration = Duration::from_secs(30);

/// How one Fluent account is reached.
#[derive(Clone)]
pub struct FluentConfig {
    /// The root, as `https://ACCOUNT.sandbox.api.fluentretail.com`. Plain http only to this machine.
    pub url: String,
    /// The account's id, sent as header `fluent.account` with a login.
    pub account: String,
    /// The API user.
    pub username: String,
    /// The API user's password.
    pub password: SecretString,
    /// The OAuth client, usually the account's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: SecretString,
    /// Time to get a connection.
    pub connect_timeout: Duration,
    /// Time for a whole request, answer and login included; reading pages has [`LARGE_TIMEOUT`] at least.
    pub request_timeout: Duration,
    /// Where a refused login is remembered over restarts; a small file of this client alone. `None`: only in
    /// memory.
    pub breaker_file: Option<PathBuf>,
}

impl FluentConfig {
    /// A configuration with the default time-outs and no memory of refused logins on disk.
    #[must_use]
    pub fn new(url: impl Into<String>, account: impl Into<String>, credentials: FluentCredentials) -> Self {
        Self {
            url: url.into(),
            account: account.into(),
            username: credentials.username,
            password: credentials.password,
            client_id: credentials.client_id,
            client_secret: credentials.client_secret,
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
            breaker_file: None,
        }
    }
}

impl fmt::Debug for FluentConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FluentConfig")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// What an API user logs in with.
#[derive(Clone)]
pub struct FluentCredentials {
    /// The API user.
    pub username: String,
    /// Its password.
    pub password: SecretString,
    /// The OAuth client.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: SecretString,
}

impl fmt::Debug for FluentCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FluentCredentials(…)")
    }
}

/// A configuration that cannot work; trying again does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The URL cannot be read, or holds a user, a query or a fragment.
    #[error("the Fluent URL is not a plain http(s) URL")]
    BadUrl,
    /// Credentials would travel in the clear.
    #[error("the Fluent URL must be https; plain http is only taken for this machine")]
    NotEncrypted,
    /// The account cannot be a header value.
    #[error("the Fluent account holds characters that a header cannot carry")]
    BadAccount,
    /// The HTTP client cannot be set up (no root certificates, for instance).
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}

/// The two endpoints under a checked root.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    pub(crate) token: Url,
    pub(crate) graphql: Url,
}

impl Endpoints {
    pub(crate) fn new(root: &str) -> Result<Self, ConfigError> {
        let url = Url::parse(root).map_err(|_| ConfigError::BadUrl)?;
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or(ConfigError::BadUrl)?;
        match url.scheme() {
            "https" if plain => {}
            "http" if plain && is_loopback(host) => {}
            "http" if plain => return Err(ConfigError::NotEncrypted),
            _ => return Err(ConfigError::BadUrl),
        }
        let base = url.as_str().trim_end_matches('/');
        let under = |path: &str| Url::parse(&format!("{base}{path}")).map_err(|_| ConfigError::BadUrl);
        Ok(Self {
            token: under("/oauth/token")?,
            graphql: under("/graphql")?,
        })
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_this_machine_is_taken() {
        for good in [
            "https://a.example.com",
            "https://a.example.com/x/",
            "http://127.0.0.1:1",
            "http://[::1]:1",
            "http://localhost",
        ] {
            assert!(Endpoints::new(good).is_ok(), "{good}");
        }
        for (bad, error) in [
            ("http://a.example.com", ConfigError::NotEncrypted),
            ("http://127.0.0.1.example.com", ConfigError::NotEncrypted),
            ("https://user:pass@a.example.com", ConfigError::BadUrl),
            ("https://a.example.com/?x=1", ConfigError::BadUrl),
            ("ftp://a.example.com", ConfigError::BadUrl),
            ("a.example.com", ConfigError::BadUrl),
        ] {
            assert_eq!(Endpoints::new(bad).err(), Some(error), "{bad}");
        }
    }

    #[test]
    fn endpoints_lie_under_the_root() {
        let endpoints = Endpoints::new("https://a.example.com/base/").map(|e| e.graphql.to_string());
        assert_eq!(endpoints.as_deref(), Ok("https://a.example.com/base/graphql"));
    }
}
