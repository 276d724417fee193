//! OAuth 2.0 client credentials (RFC 6749 section 4.4) for connections: a client proves who it is by a secret or by a
//! signed assertion (RFC 7523) and gets an access token for an hour.
//!
//! Access tokens are signed, not stored: every process that has the tenants' keys takes them, and none has to tell
//! another. They end by themselves, or at once when the client is taken out of the configuration or its secret or keys
//! change. What is presented is judged by pure code; [`desk`] holds the clients and what was seen of assertions.

mod access;
mod assertion;
mod client;
mod desk;
mod endpoint;
mod key;
mod replay;
mod request;

pub use access::ACCESS_TOKEN_PREFIX;
pub(crate) use access::is_access_token;
pub use client::{BadClientId, CLIENT_ID_MAX, Client, ClientError, ClientId, ClientProof};
pub(crate) use desk::Oauth;
pub(crate) use endpoint::{Page, answer, page, refused_as};
pub use key::{CLIENT_KEYS_MAX, KeyError, PublicKey, public_keys};

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rollcall_domain::{TenantId, TenantKey};

/// How long an access token is valid by default: short enough that a leaked one is of little use, long enough for a
/// provisioning cycle.
pub const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_secs(3600);

/// The scope of every access token.
const SCOPE: &str = "scim";

/// What the OAuth service needs.
#[derive(Debug, Clone, Default)]
pub struct OauthConfig {
    /// The clients of all connections.
    pub clients: Vec<Client>,
    /// How long an access token is valid; see [`ACCESS_TOKEN_LIFETIME`].
    pub lifetime: Duration,
    /// What access tokens are signed with.
    pub keys: SigningKeys,
}

/// What access tokens are signed with, by tenant. Never shown.
#[derive(Clone, Default)]
pub struct SigningKeys(BTreeMap<String, [u8; 16]>);

impl SigningKeys {
    /// The keys that follow from the tenants' own: every process that can read the log has them.
    pub fn of<'a>(tenants: impl IntoIterator<Item = (&'a TenantId, &'a TenantKey)>) -> Self {
        let keys = tenants.into_iter();
        Self(
            keys.map(|(id, key)| (id.to_string(), key.access_token_key()))
                .collect(),
        )
    }

    fn get(&self, tenant: &str) -> Option<&[u8; 16]> {
        self.0.get(tenant)
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKeys({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use http::{HeaderMap, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn jwt(parts: &[String]) -> String {
        let parts: Vec<String> = parts.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
        parts.join(".")
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever comes from outside is read or refused; nothing of it ends in a panic.
        #[test]
        fn nothing_that_is_presented_makes_us_fall(
            bytes in proptest::collection::vec(any::<u8>(), 0..600),
            text in "[a-zA-Z0-9+/=._%&{}\":,\\-\\[\\] ]{0,300}",
            parts in proptest::collection::vec("[{}\"a-z0-9:,.\\[\\]-]{0,80}", 0..5),
        ) {
            let _ = access::verify(&SigningKeys::default(), &bytes);
            let _ = access::verify(&SigningKeys::default(), format!("rca_{text}").as_bytes());
            let headed = [r#"{"alg":"ES256"}"#, &text, &text].map(str::to_owned);
            for text in [text.clone(), jwt(&parts), jwt(&headed)] {
                if let Some(unproven) = assertion::Unproven::parse(&text) {
                    let _ = unproven.is_signed_by(&PublicKey::decoys());
                    let _ = unproven.check(&[], 0);
                }
            }
            let _ = public_keys(&text);
            let _ = public_keys(&format!("-----BEGIN PUBLIC KEY-----{text}-----END "));
            let mut input = bytes.as_slice();
            while crate::der::take(&mut input, crate::der::SEQUENCE).is_some() {}
            let mut headers = HeaderMap::new();
            headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
            let _ = request::read(&headers, &bytes);
            let _ = request::read(&headers, text.as_bytes());
            if let Ok(value) = HeaderValue::from_bytes(&[b"Basic ", bytes.as_slice()].concat()) {
                headers.insert("authorization", value);
                let _ = request::read(&headers, text.as_bytes());
            }
        }
    }
}
