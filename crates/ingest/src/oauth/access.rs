//! Access tokens: signed statements of who may come in until when. Pure.
//!
//! `rca_` + payload + `.` + HMAC-SHA256 over the payload under the tenant's key, both in base64url.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use rollcall_domain::Timestamp;
use serde::{Deserialize, Serialize};

use super::SigningKeys;
use super::client::Client;

/// What every access token begins with, and no other token may: what begins so is looked up nowhere.
pub const ACCESS_TOKEN_PREFIX: &str = "rca_";
/// Longest access token that is looked at, in bytes; ours are about half of it.
const BYTES_MAX: usize = 1024;

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    /// Tenant.
    #[serde(rename = "t")]
    pub(super) tenant: String,
    /// Client.
    #[serde(rename = "k")]
    pub(super) client: String,
    /// Of the client's secret or keys.
    #[serde(rename = "f")]
    pub(super) fingerprint: String,
    /// When it ends, in seconds since 1970.
    #[serde(rename = "e")]
    pub(super) expires: i64,
}

impl Claims {
    /// What is said of a client until then.
    pub(super) fn of(client: &Client, expires: i64) -> Self {
        Self {
            tenant: client.tenant.to_string(),
            client: client.id.to_string(),
            fingerprint: client.fingerprint(),
            expires,
        }
    }

    /// Whether it has ended.
    pub(super) fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.saturating_mul(1000) <= now.as_millis()
    }
}

/// Whether what is presented wants to be an access token.
pub(crate) fn is_access_token(presented: &[u8]) -> bool {
    presented.starts_with(ACCESS_TOKEN_PREFIX.as_bytes())
}

/// The token that says this; `None` for a tenant without a key.
pub(super) fn issue(keys: &SigningKeys, claims: &Claims) -> Option<String> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, keys.get(&claims.tenant)?);
    let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims).ok()?);
    let tag = hmac::sign(&key, payload.as_bytes());
    Some(format!(
        "{ACCESS_TOKEN_PREFIX}{payload}.{}",
        URL_SAFE_NO_PAD.encode(tag)
    ))
}

/// What a presented token says, when it is ours. An unknown tenant costs what a wrong signature does.
pub(super) fn verify(keys: &SigningKeys, presented: &[u8]) -> Option<Claims> {
    if presented.len() > BYTES_MAX {
        return None;
    }
    let text = std::str::from_utf8(presented.strip_prefix(ACCESS_TOKEN_PREFIX.as_bytes())?).ok()?;
    let (payload, tag) = text.split_once('.')?;
    let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let known = keys.get(&claims.tenant);
    let key = hmac::Key::new(hmac::HMAC_SHA256, known.unwrap_or(&[0; 16]));
    let signed = hmac::verify(&key, payload.as_bytes(), &tag).is_ok();
    (signed && known.is_some()).then_some(claims)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rollcall_domain::{TenantId, TenantKey};

    use super::*;

    fn keys(byte: u8) -> SigningKeys {
        let (id, key) = (TenantId::new("acme").unwrap(), TenantKey::new([byte; 32]));
        SigningKeys::of([(&id, &key)])
    }

    fn claims(tenant: &str) -> Claims {
        Claims {
            tenant: tenant.to_owned(),
            client: "gallery".to_owned(),
            fingerprint: "00".to_owned(),
            expires: 1_772_000_000,
        }
    }

    #[test]
    fn what_was_signed_is_read_and_nothing_else() {
        let token = issue(&keys(7), &claims("acme")).unwrap();
        assert_eq!(verify(&keys(7), token.as_bytes()), Some(claims("acme")));
        assert_eq!(verify(&keys(8), token.as_bytes()), None, "another key");
        assert_eq!(issue(&keys(7), &claims("beta")), None, "a tenant without a key");
        let (payload, tag) = token.strip_prefix("rca_").unwrap().split_once('.').unwrap();
        let forged = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims("acme2")).unwrap());
        for bad in [
            String::new(),
            "rca_".to_owned(),
            "rca_.".to_owned(),
            format!("rca_{payload}"),
            format!("rca_{payload}."),
            format!("rca_{forged}.{tag}"),
            format!("rca_{payload}.{}", tag.to_lowercase()),
            format!("{payload}.{tag}"),
            format!("{token}{}", "A".repeat(2000)),
        ] {
            assert_eq!(verify(&keys(7), bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_zero_key_signs_for_nobody() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[0; 16]);
        let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims("nobody")).unwrap());
        let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&key, payload.as_bytes()));
        assert_eq!(verify(&keys(7), format!("rca_{payload}.{tag}").as_bytes()), None);
    }

    #[test]
    fn the_end_is_sharp() {
        let claims = claims("acme");
        assert!(!claims.has_expired(Timestamp::from_millis(1_771_999_999_999)));
        assert!(claims.has_expired(Timestamp::from_millis(1_772_000_000_000)));
    }
}
