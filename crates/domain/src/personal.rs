//! Personal data: the one envelope it travels in, and the keyed hashes that stand for it outside.
//!
//! All that identifies a person (userName, externalId, names, e-mail and the rest of the SCIM resource) is in a
//! [`Sealed`] and nowhere else in an event. [`open`] is the only way in, so that sealing with a key per person can
//! be added without touching a caller. Uniqueness, accounts and verdicts use the [`NameKey`] and [`ExternalKey`].

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hmac::{KeyInit as _, Mac as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The sealed personal part of an event's data.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sealed {
    /// How `bytes` is sealed.
    pub alg: SealAlgorithm,
    /// Which key sealed it; empty for [`SealAlgorithm::None`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kid: String,
    /// The sealed JSON, base64 without padding.
    pub bytes: String,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({:?}, {} bytes)", self.alg, self.bytes.len())
    }
}

/// How personal data is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SealAlgorithm {
    /// Not at all: the JSON text as it is.
    None,
}

/// What an event changes in the personal part of a resource: SCIM attributes by their canonical name.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PersonalChange {
    /// New values, whole attributes.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub set: Map<String, Value>,
    /// Attributes that lost their value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unset: Vec<String>,
}

impl fmt::Debug for PersonalChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "PersonalChange(set {}, unset {})",
            self.set.len(),
            self.unset.len()
        )
    }
}

impl PersonalChange {
    /// True when nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.unset.is_empty()
    }

    /// Applies the change to a resource's attributes.
    pub fn apply(self, attributes: &mut Map<String, Value>) {
        for name in &self.unset {
            attributes.remove(name);
        }
        attributes.extend(self.set);
    }
}

/// Why an envelope could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The bytes are no base64.
    #[error("the personal part of the event is not base64")]
    NotBase64,
    /// What was sealed is no JSON of the expected form.
    #[error("the personal part of the event is not of the expected form")]
    WrongForm,
}

/// Seals a [`PersonalChange`] or a [`Profile`](crate::Profile). Today as it is; the one place where a key per person
/// will come in.
#[must_use]
pub fn seal<T: Serialize>(personal: &T) -> Sealed {
    let json = serde_json::to_vec(personal).unwrap_or_default();
    Sealed {
        alg: SealAlgorithm::None,
        kid: String::new(),
        bytes: STANDARD_NO_PAD.encode(json),
    }
}

/// Opens an envelope: the only door to personal data in the log.
///
/// # Errors
/// [`OpenError`] when the bytes are damaged; trying again does not help.
pub fn open<T: serde::de::DeserializeOwned>(sealed: &Sealed) -> Result<T, OpenError> {
    match sealed.alg {
        SealAlgorithm::None => {
            let json = STANDARD_NO_PAD
                .decode(&sealed.bytes)
                .map_err(|_| OpenError::NotBase64)?;
            serde_json::from_slice(&json).map_err(|_| OpenError::WrongForm)
        }
    }
}

/// The key of a tenant's name hashes, 32 random bytes from the key store. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct TenantKey([u8; 32]);

impl fmt::Debug for TenantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TenantKey(…)")
    }
}

/// Bytes kept of an HMAC-SHA256: 128 bits make a chance collision among a million names 10^-27.
const KEY_BYTES: usize = 16;

impl TenantKey {
    /// A key from its bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn keyed(&self, purpose: &[u8], text: &str) -> [u8; KEY_BYTES] {
        let mut block = [0u8; 64]; // HMAC pads a short key with zeros to the block of its hash
        for (to, from) in block.iter_mut().zip(self.0) {
            *to = from;
        }
        let mut mac = hmac::Hmac::<sha2::Sha256>::new(&block.into());
        mac.update(purpose);
        mac.update(text.as_bytes());
        let whole = mac.finalize().into_bytes();
        let mut kept = [0u8; KEY_BYTES];
        for (to, from) in kept.iter_mut().zip(whole) {
            *to = from;
        }
        kept
    }

    /// The key of a user name, without regard to case.
    #[must_use]
    pub fn name_key(&self, user_name: &str) -> NameKey {
        NameKey(self.keyed(b"name\0", &fold_case(user_name)))
    }

    /// The key under which access tokens of the tenant's connections are signed: it follows from this one, so that
    /// every process that can read the tenant's log has it, and says nothing of it.
    #[must_use]
    pub fn access_token_key(&self) -> [u8; KEY_BYTES] {
        self.keyed(b"access-token\0", "")
    }

    /// What the key is known by where it must not stand itself: the same for the same key, and says nothing of it.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; KEY_BYTES] {
        self.keyed(b"fingerprint\0", "")
    }

    /// The key of an external id. Folded like a name, so that one spelling cannot hide another.
    #[must_use]
    pub fn external_key(&self, external_id: &str) -> ExternalKey {
        ExternalKey(self.keyed(b"external\0", &fold_case(external_id)))
    }
}

/// Case folding for names: Unicode lower case of the trimmed text.
#[must_use]
pub fn fold_case(text: &str) -> String {
    text.trim().to_lowercase()
}

macro_rules! keyed_hash {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; KEY_BYTES]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", u128::from_be_bytes(self.0))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
        impl std::str::FromStr for $name {
            type Err = BadKey;
            fn from_str(text: &str) -> Result<Self, BadKey> {
                let plain = text.len() == 2 * KEY_BYTES && text.bytes().all(|b| b.is_ascii_hexdigit());
                let value = plain.then(|| u128::from_str_radix(text, 16).ok()).flatten().ok_or(BadKey)?;
                Ok(Self(value.to_be_bytes()))
            }
        }
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("32 hexadecimal digits")
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Visitor)
            }
        }
        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "pattern": "^[0-9a-f]{32}$"})
            }
        }
    };
}

keyed_hash! {
    /// HMAC of a case-folded userName under the tenant key. Within a tenant it *is* the account: what is desired,
    /// observed, locked and written.
    NameKey
}
keyed_hash! {
    /// HMAC of an externalId under the tenant key.
    ExternalKey
}

/// An account of a tenant: the key of its case-folded Fluent user name.
pub type AccountKey = NameKey;

/// Why a text is no keyed hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key of 32 hexadecimal digits")]
pub struct BadKey;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_that_differ_in_case_only_have_one_key() {
        let key = TenantKey::new([7; 32]);
        assert_eq!(
            key.name_key("Ida@Store.Example"),
            key.name_key("ida@store.example")
        );
        assert_ne!(key.name_key("ida"), key.name_key("idb"));
        assert_ne!(key.name_key("ida"), TenantKey::new([8; 32]).name_key("ida"));
        assert_ne!(
            key.name_key("ida").0,
            key.external_key("ida").0,
            "the purposes are apart"
        );
        let name = key.name_key("ida");
        assert_eq!(name.to_string().parse::<NameKey>().unwrap(), name);
        assert_eq!(
            serde_json::from_str::<NameKey>(&serde_json::to_string(&name).unwrap()).unwrap(),
            name
        );
    }

    #[test]
    fn what_is_sealed_opens_and_damage_is_an_error() {
        let mut change = PersonalChange::default();
        change.set.insert("userName".to_owned(), Value::from("ida"));
        change.unset.push("title".to_owned());
        let mut sealed = seal(&change);
        assert_eq!(open::<PersonalChange>(&sealed).unwrap(), change);
        sealed.bytes.push('!');
        assert_eq!(open::<PersonalChange>(&sealed), Err(OpenError::NotBase64));
        sealed.bytes = STANDARD_NO_PAD.encode("[]x");
        assert_eq!(open::<PersonalChange>(&sealed), Err(OpenError::WrongForm));
    }

    #[test]
    fn nothing_personal_is_shown_by_debug() {
        let mut change = PersonalChange::default();
        change.set.insert("userName".to_owned(), Value::from("ida"));
        assert!(!format!("{change:?}{:?}", seal(&change)).contains("ida"));
    }
}
