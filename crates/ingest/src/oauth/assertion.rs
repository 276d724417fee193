//! Client assertions: signed JWTs by which a client proves who it is (RFC 7523 sections 2.2 and 3). Pure: time is an
//! argument.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::key::{Algorithm, PublicKey};

/// Longest assertion, in bytes; with a few claims and an RSA signature it has below 2,000.
const BYTES_MAX: usize = 8 * 1024;
/// How far the client's clock may be from ours, in seconds.
pub(super) const CLOCK_SKEW: i64 = 60;
/// Longest life of an assertion, in seconds: clients sign a new one for each access token.
const LIFETIME_MAX: i64 = 3600;
/// Longest `jti`, in bytes.
const JTI_BYTES_MAX: usize = 256;

/// An assertion that was taken apart and is not believed yet.
#[derive(Debug)]
pub(super) struct Unproven<'a> {
    message: &'a str,
    signature: Vec<u8>,
    algorithm: Algorithm,
    key_id: Option<String>,
    claims: Claims,
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
    jti: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// What a proven assertion is remembered by.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Proven {
    pub(super) jti: String,
    /// Until when it could be used again, in seconds since 1970.
    pub(super) until: i64,
}

impl<'a> Unproven<'a> {
    /// Takes a JWT in compact form apart; `None` when it is none, or asks for something that we do not do.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if text.len() > BYTES_MAX {
            return None;
        }
        let (message, signature) = text.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let header: Header = serde_json::from_slice(&bytes(header)?).ok()?;
        if header.crit.is_some() {
            return None; // RFC 7515 section 4.1.11
        }
        Some(Self {
            message,
            signature: bytes(signature)?,
            algorithm: Algorithm::named(&header.alg)?,
            key_id: header.kid,
            claims: serde_json::from_slice(&bytes(claims)?).ok()?,
        })
    }

    /// Who it says it is of.
    pub(super) fn subject(&self) -> &str {
        &self.claims.sub
    }

    /// Whether one of the keys signed it. A key with an id signs for that id only.
    pub(super) fn is_signed_by(&self, keys: &[PublicKey]) -> bool {
        let fits = |key: &&PublicKey| {
            let other_id = key.id.is_some() && self.key_id.is_some() && key.id != self.key_id;
            key.algorithm() == self.algorithm && !other_id
        };
        keys.iter()
            .filter(fits)
            .any(|key| key.signed(self.message.as_bytes(), &self.signature))
    }

    /// Checks what a signed assertion says, at `now` (seconds since 1970).
    ///
    /// # Errors
    /// What is wrong, in words for who signed it.
    pub(super) fn check(&self, audiences: &[&str], now: i64) -> Result<Proven, &'static str> {
        let claims = &self.claims;
        if claims.iss != claims.sub {
            return Err("iss and sub of the assertion differ");
        }
        let ours = |audience: &String| audiences.contains(&audience.trim_end_matches('/'));
        let meant = match &claims.aud {
            Audience::One(one) => ours(one),
            Audience::Many(many) => many.iter().any(ours),
        };
        if !meant {
            return Err("aud of the assertion is not this server");
        }
        let exp = seconds(claims.exp).ok_or("exp of the assertion is no time")?;
        if exp.saturating_add(CLOCK_SKEW) <= now {
            return Err("the assertion has expired");
        }
        if exp > now.saturating_add(LIFETIME_MAX + CLOCK_SKEW) {
            return Err("the assertion lives longer than an hour");
        }
        for begin in [claims.nbf, claims.iat].into_iter().flatten() {
            let begin = seconds(begin).ok_or("nbf or iat of the assertion is no time")?;
            if begin > now.saturating_add(CLOCK_SKEW) {
                return Err("the assertion is of the future");
            }
        }
        let jti = claims.jti.as_deref().unwrap_or_default();
        if !(1..=JTI_BYTES_MAX).contains(&jti.len()) {
            return Err("the assertion has no usable jti");
        }
        Ok(Proven {
            jti: jti.to_owned(),
            until: exp.saturating_add(CLOCK_SKEW),
        })
    }
}

/// A NumericDate (RFC 7519 section 2), which may have a fraction.
fn seconds(date: f64) -> Option<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the fraction is dropped, the range checked"
    )]
    let whole = date as i64;
    (0.0..=1e15).contains(&date).then_some(whole)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use serde_json::{Value, json};

    use super::super::key::public_keys;
    use super::*;

    const NOW: i64 = 1_772_000_000;
    const US: &[&str] = &["https://rollcall.example/oauth/token", "https://rollcall.example"];
    /// Signed with RS256 by a key that was thrown away.
    const SIGNED: &str = include_str!("testdata/rsa-assertion.txt");

    fn unsigned(header: &Value, claims: &Value) -> String {
        let text = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.AAAA", text(header), text(claims))
    }

    fn claims() -> Value {
        json!({"iss": "c", "sub": "c", "aud": US[0], "exp": NOW + 300, "iat": NOW, "jti": "1"})
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[name] = value;
        claims
    }

    fn checked(claims: &Value) -> Result<Proven, &'static str> {
        let text = unsigned(&json!({"alg": "ES256"}), claims);
        Unproven::parse(&text).unwrap().check(US, NOW)
    }

    #[test]
    fn a_signed_assertion_is_proven_by_its_key_and_by_no_other() {
        let keys = public_keys(include_str!("testdata/rsa.pub.pem")).unwrap();
        let assertion = Unproven::parse(SIGNED.trim()).unwrap();
        assert_eq!(assertion.subject(), "gallery-rsa");
        assert!(assertion.is_signed_by(&keys));
        assert!(!assertion.is_signed_by(&PublicKey::decoys()));
        let proven = assertion.check(US, NOW).unwrap();
        assert_eq!(
            (proven.jti.as_str(), proven.until),
            ("one", NOW + 300 + CLOCK_SKEW)
        );
        let (message, signature) = SIGNED.trim().rsplit_once('.').unwrap();
        let header = message.split_once('.').unwrap().0;
        let other = URL_SAFE_NO_PAD.encode(claims().to_string());
        let forged = format!("{header}.{other}.{signature}");
        assert!(!Unproven::parse(&forged).unwrap().is_signed_by(&keys));
    }

    #[test]
    fn a_key_with_an_id_signs_for_that_id_only() {
        let mut keys = public_keys(include_str!("testdata/rsa.pub.pem")).unwrap();
        keys.iter_mut().for_each(|key| key.id = Some("a".to_owned()));
        let mut assertion = Unproven::parse(SIGNED.trim()).unwrap();
        assert!(
            assertion.is_signed_by(&keys),
            "an assertion without an id may be anybody's"
        );
        assertion.key_id = Some("b".to_owned());
        assert!(!assertion.is_signed_by(&keys));
    }

    #[test]
    fn every_claim_is_checked() {
        assert!(checked(&claims()).is_ok());
        for good in [
            with("aud", json!("https://rollcall.example/")),
            with(
                "aud",
                json!(["https://other.example", "https://rollcall.example"]),
            ),
            with("exp", json!(NOW - CLOCK_SKEW + 1)),
            with("exp", json!(1_772_000_300.5)),
            with("iat", json!(NOW + CLOCK_SKEW)),
        ] {
            assert!(checked(&good).is_ok(), "{good}: {:?}", checked(&good));
        }
        for (bad, word) in [
            (with("iss", json!("d")), "differ"),
            (with("aud", json!("https://other.example")), "not this server"),
            (with("aud", json!([])), "not this server"),
            (with("exp", json!(NOW - CLOCK_SKEW)), "expired"),
            (
                with("exp", json!(NOW + LIFETIME_MAX + CLOCK_SKEW + 1)),
                "longer than an hour",
            ),
            (with("exp", json!(-1)), "no time"),
            (with("exp", json!(1e300)), "no time"),
            (with("nbf", json!(NOW + CLOCK_SKEW + 1)), "future"),
            (with("iat", json!(NOW + CLOCK_SKEW + 1)), "future"),
            (with("jti", json!("")), "jti"),
            (with("jti", json!(null)), "jti"),
            (with("jti", json!("x".repeat(JTI_BYTES_MAX + 1))), "jti"),
        ] {
            assert!(checked(&bad).unwrap_err().contains(word), "{bad}");
        }
    }

    #[test]
    fn what_is_no_assertion_of_ours_is_not_looked_into() {
        let es256 = json!({"alg": "ES256"});
        let good = unsigned(&es256, &claims());
        for bad in [
            String::new(),
            ".".to_owned(),
            "..".to_owned(),
            "a.b.c".to_owned(),
            good.replace('.', ""),
            format!("{good}.AAAA"),
            format!("{good}!"),
            unsigned(&json!({"alg": "none"}), &claims()),
            unsigned(&json!({"alg": "HS256"}), &claims()),
            unsigned(&json!({"alg": "ES256", "crit": ["exp"]}), &claims()),
            unsigned(&es256, &json!({"sub": "c"})),
            unsigned(&es256, &with("exp", json!("soon"))),
            unsigned(&es256, &with("jti", json!("x".repeat(9000)))),
        ] {
            assert!(Unproven::parse(&bad).is_none(), "{bad}");
        }
        let twice = r#"{"iss":"c","sub":"c","sub":"d","aud":"x","exp":1}"#;
        let twice = format!(
            "{}.{}.AAAA",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#),
            URL_SAFE_NO_PAD.encode(twice)
        );
        assert!(Unproven::parse(&twice).is_none(), "a claim that stands twice");
    }
}
