//! Public keys of clients, from PEM (`PUBLIC KEY`, `RSA PUBLIC KEY`), a JWK (RFC 7517) or a JWK set. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::der::{BIT_STRING, OBJECT_ID, SEQUENCE, take, unsigned};

/// Most keys of a client: the one in use, the one that follows it, and as many again.
pub const CLIENT_KEYS_MAX: usize = 4;
/// Bits that an RSA key may have: below is weak, above costs too much to check.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=512;
/// Longest exponent, in bytes; 65537 has three.
const EXPONENT_BYTES_MAX: usize = 4;
/// An uncompressed point of P-256.
const POINT_BYTES: usize = 65;

const RSA_OID: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC_OID: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256_OID: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// How an assertion is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Es256,
}

impl Algorithm {
    /// Their names in JOSE (RFC 7518).
    pub(super) const NAMES: [&str; 2] = ["RS256", "ES256"];

    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }
}

/// The public half of a client's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// Its `kid`, when it came with one.
    pub(super) id: Option<String>,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
}

/// Why there are no keys in a text. Trying again does not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither PEM nor a JWK.
    #[error("holds no public key: PEM (PUBLIC KEY) or a JWK (set) is expected")]
    None,
    /// It is there, and broken.
    #[error("holds a public key that cannot be read")]
    Broken,
    /// The other half.
    #[error("holds a private key; only its public half belongs here")]
    Private,
    /// Something else that PEM files hold.
    #[error("holds a certificate; take the key out of it: openssl x509 -pubkey -noout -in FILE")]
    Certificate,
    /// A key that is not taken.
    #[error("holds a key that is not taken: RSA of 2048 to 4096 bits (RS256) and P-256 (ES256) are")]
    Kind,
    /// More than [`CLIENT_KEYS_MAX`].
    #[error("holds more than {CLIENT_KEYS_MAX} keys")]
    TooMany,
}

impl PublicKey {
    fn rsa(n: &[u8], e: &[u8]) -> Result<Self, KeyError> {
        let n: Vec<u8> = n.iter().copied().skip_while(|byte| *byte == 0).collect();
        let e: Vec<u8> = e.iter().copied().skip_while(|byte| *byte == 0).collect();
        if !RSA_BYTES.contains(&n.len()) || !(1..=EXPONENT_BYTES_MAX).contains(&e.len()) {
            return Err(KeyError::Kind);
        }
        let material = Material::Rsa { n, e };
        Ok(Self { id: None, material })
    }

    fn p256(point: Vec<u8>) -> Result<Self, KeyError> {
        if point.len() != POINT_BYTES || point.first() != Some(&4) {
            return Err(KeyError::Kind);
        }
        let material = Material::P256(point);
        Ok(Self { id: None, material })
    }

    /// Keys of nobody: checked when the client is unknown, so that it costs what a known one does.
    pub(super) fn decoys() -> Vec<Self> {
        let rsa = Material::Rsa {
            n: vec![0xff; 256],
            e: vec![1, 0, 1],
        };
        // The base point of the curve: somebody's key only if one is the private one.
        let x = "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY";
        let y = "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU";
        let point = [x, y].map(|text| URL_SAFE_NO_PAD.decode(text).unwrap_or_default());
        let p256 = Material::P256([vec![4], point.concat()].concat());
        let decoy = |material| Self { id: None, material };
        vec![decoy(rsa), decoy(p256)]
    }

    pub(super) const fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Rsa { .. } => Algorithm::Rs256,
            Material::P256(_) => Algorithm::Es256,
        }
    }

    /// Whether this key made the signature.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Rsa { n, e } => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            Material::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(message, signature)
                .is_ok(),
        }
    }

    pub(super) fn digest_into(&self, hash: &mut Sha256) {
        match &self.material {
            Material::Rsa { n, e } => {
                hash.update(b"rsa");
                hash.update(n);
                hash.update(e);
            }
            Material::P256(point) => {
                hash.update(b"p256");
                hash.update(point);
            }
        }
    }
}

/// The public keys in a text: PEM, a JWK or a JWK set.
///
/// # Errors
/// [`KeyError`] when there are none, too many, or one that is not taken.
pub fn public_keys(text: &str) -> Result<Vec<PublicKey>, KeyError> {
    let keys = if text.trim_start().starts_with('{') {
        from_json(text)?
    } else {
        from_pem(text)?
    };
    match keys.len() {
        0 => Err(KeyError::None),
        1..=CLIENT_KEYS_MAX => Ok(keys),
        _ => Err(KeyError::TooMany),
    }
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<serde::de::IgnoredAny>,
}

fn from_json(text: &str) -> Result<Vec<PublicKey>, KeyError> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Jwk>,
    }
    if let Ok(set) = serde_json::from_str::<Set>(text) {
        let signing = set.keys.iter().filter(|key| key.usage.as_deref() != Some("enc"));
        return signing.map(from_jwk).collect();
    }
    let jwk: Jwk = serde_json::from_str(text).map_err(|_| KeyError::Broken)?;
    Ok(vec![from_jwk(&jwk)?])
}

fn from_jwk(jwk: &Jwk) -> Result<PublicKey, KeyError> {
    if jwk.d.is_some() {
        return Err(KeyError::Private);
    }
    let bytes = |text: &Option<String>| {
        let text = text.as_deref().ok_or(KeyError::Broken)?;
        URL_SAFE_NO_PAD
            .decode(text.trim_end_matches('='))
            .map_err(|_| KeyError::Broken)
    };
    let key = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => PublicKey::rsa(&bytes(&jwk.n)?, &bytes(&jwk.e)?)?,
        ("EC", Some("P-256")) => PublicKey::p256([vec![4], bytes(&jwk.x)?, bytes(&jwk.y)?].concat())?,
        _ => return Err(KeyError::Kind),
    };
    let other = jwk
        .alg
        .as_deref()
        .is_some_and(|alg| Algorithm::named(alg) != Some(key.algorithm()));
    if other || jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
        return Err(KeyError::Kind);
    }
    Ok(PublicKey {
        id: jwk.kid.clone(),
        ..key
    })
}

fn from_pem(text: &str) -> Result<Vec<PublicKey>, KeyError> {
    if text.contains("PRIVATE KEY-----") {
        return Err(KeyError::Private);
    }
    let mut keys = Vec::new();
    let mut rest = text;
    while let Some((_, block)) = rest.split_once("-----BEGIN ") {
        let (label, block) = block.split_once("-----").ok_or(KeyError::Broken)?;
        let (body, after) = block.split_once("-----END ").ok_or(KeyError::Broken)?;
        rest = after;
        let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let der = STANDARD.decode(body).map_err(|_| KeyError::Broken)?;
        keys.push(match label {
            "PUBLIC KEY" => from_spki(&der)?,
            "RSA PUBLIC KEY" => from_pkcs1(&der)?,
            "CERTIFICATE" => return Err(KeyError::Certificate),
            _ => return Err(KeyError::None),
        });
    }
    Ok(keys)
}

/// SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7).
fn from_spki(der: &[u8]) -> Result<PublicKey, KeyError> {
    let read = || {
        let mut input = der;
        let mut whole = take(&mut input, SEQUENCE)?;
        let mut algorithm = take(&mut whole, SEQUENCE)?;
        let kind = take(&mut algorithm, OBJECT_ID)?;
        let bits = take(&mut whole, BIT_STRING)?;
        let key = bits.strip_prefix(&[0])?; // no unused bits
        Some((kind, algorithm, key))
    };
    let (kind, mut parameters, key) = read().ok_or(KeyError::Broken)?;
    if kind == RSA_OID {
        return from_pkcs1(key);
    }
    if kind == EC_OID && take(&mut parameters, OBJECT_ID) == Some(&P256_OID) {
        return PublicKey::p256(key.to_vec());
    }
    Err(KeyError::Kind)
}

/// RSAPublicKey (RFC 8017 appendix A.1.1).
fn from_pkcs1(der: &[u8]) -> Result<PublicKey, KeyError> {
    let read = || {
        let mut input = der;
        let mut whole = take(&mut input, SEQUENCE)?;
        Some((unsigned(&mut whole)?, unsigned(&mut whole)?))
    };
    let (n, e) = read().ok_or(KeyError::Broken)?;
    PublicKey::rsa(n, e)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A public key whose private half was thrown away.
    const RSA_SPKI: &str = include_str!("testdata/rsa.pub.pem");

    /// The base point of the curve as a key, in PEM.
    fn ec_spki() -> String {
        let Some(Material::P256(point)) = PublicKey::decoys().pop().map(|key| key.material) else {
            return String::new();
        };
        pem(&point)
    }

    /// A point of P-256 in PEM.
    pub(crate) fn pem(point: &[u8]) -> String {
        let algorithm = [&[0x30, 19, OBJECT_ID, 7][..], &EC_OID, &[OBJECT_ID, 8], &P256_OID].concat();
        let key = [&[BIT_STRING, 66, 0][..], point].concat();
        let whole = [&[SEQUENCE, 89][..], &algorithm, &key].concat();
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            STANDARD.encode(whole)
        )
    }

    #[test]
    fn keys_are_read_from_pem_and_jwk_alike() {
        let pem = public_keys(&format!("{RSA_SPKI}\n{}", ec_spki())).unwrap();
        let [rsa, ec] = pem.as_slice() else {
            return assert_eq!(pem.len(), 2);
        };
        let (Material::Rsa { n, e }, Material::P256(point)) = (&rsa.material, &ec.material) else {
            return assert_eq!("RSA and P-256", "something else");
        };
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (x, y) = point.split_at(1).1.split_at(32);
        let set = format!(
            r#"{{"keys":[{{"kty":"RSA","kid":"a","n":"{}","e":"{}"}},
                {{"kty":"EC","crv":"P-256","use":"sig","alg":"ES256","x":"{}","y":"{}"}}]}}"#,
            text(n),
            text(e),
            text(x),
            text(y)
        );
        let jwk = public_keys(&set).unwrap();
        let materials = |keys: &[PublicKey]| keys.iter().map(|key| key.material.clone()).collect::<Vec<_>>();
        assert_eq!(materials(&jwk), materials(&pem));
        assert_eq!(jwk.first().unwrap().id.as_deref(), Some("a"));
    }

    #[test]
    fn what_is_no_public_key_is_told_apart() {
        let short = URL_SAFE_NO_PAD.encode([0xff; 128]);
        let cut: String = RSA_SPKI
            .lines()
            .enumerate()
            .filter(|(n, _)| *n != 2)
            .map(|(_, l)| l)
            .collect();
        for (text, expected) in [
            ("", KeyError::None),
            ("nonsense", KeyError::None),
            ("{}", KeyError::Broken),
            (r#"{"keys":[]}"#, KeyError::None),
            (
                "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----",
                KeyError::Private,
            ),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
                KeyError::Certificate,
            ),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n", KeyError::Broken),
            (&cut, KeyError::Broken),
            (&ec_spki().repeat(CLIENT_KEYS_MAX + 1), KeyError::TooMany),
            (
                r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}"#,
                KeyError::Private,
            ),
            (r#"{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}"#, KeyError::Kind),
            (r#"{"kty":"oct","k":"AA"}"#, KeyError::Kind),
            (
                &format!(r#"{{"kty":"RSA","n":"{short}","e":"AQAB"}}"#),
                KeyError::Kind,
            ),
        ] {
            assert_eq!(public_keys(text).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn decoys_check_signatures_and_take_none() {
        let decoys = PublicKey::decoys();
        assert_eq!(decoys.len(), 2);
        for key in decoys {
            assert!(!key.signed(b"message", &[1; 256]) && !key.signed(b"message", &[1; 64]));
        }
    }
}
