//! What belongs to each token, found by what is presented.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use rollcall_domain::Timestamp;

use super::{TokenHash, TokenId};

/// Where to look for a token: under its id when it has our form, else under the beginning of its hash. No secret:
/// what is found there is compared in constant time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Id([u8; 8]),
    Hash([u8; 8]),
}

impl Place {
    /// The place of a token of which only the hash is known.
    pub(super) fn opaque(hash: &TokenHash) -> Self {
        Self::Hash(hash.bucket())
    }

    /// The place of a token of our form.
    pub(super) const fn ours(id: TokenId) -> Self {
        Self::Id(id.bytes())
    }
}

/// When a credential was last taken; shared by all registries that hold it, so that a reload forgets nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastUsed(Arc<AtomicI64>);

impl LastUsed {
    /// It was taken at `now`.
    pub(crate) fn note(&self, now: Timestamp) {
        self.0.fetch_max(now.as_millis(), Relaxed);
    }

    /// When it was taken, if it ever was.
    pub(crate) fn get(&self) -> Option<Timestamp> {
        let millis = self.0.load(Relaxed);
        (millis != 0).then(|| Timestamp::from_millis(millis))
    }
}

/// A known token.
#[derive(Debug, Clone)]
pub(super) struct Known<T> {
    pub(super) hash: TokenHash,
    pub(super) expires: Option<Timestamp>,
    pub(super) opens: T,
    pub(super) used: LastUsed,
}

/// What a presented token is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<T> {
    /// It opens this.
    Opens(T),
    /// It did, until it expired.
    Expired,
    /// Nobody's.
    Unknown,
}

/// Every known token, by its place.
#[derive(Debug)]
pub(super) struct Registry<T> {
    known: HashMap<Place, Known<T>>,
    /// Compared when nothing is found, so that an unknown token costs what a wrong one does.
    decoy: TokenHash,
}

impl<T: Clone> Registry<T> {
    pub(super) fn new() -> Self {
        Self {
            known: HashMap::new(),
            decoy: TokenHash::of_presented(b"no connection has this token"),
        }
    }

    /// Takes up a token; false when its place is taken: it could not be told which one is meant.
    pub(super) fn insert(&mut self, place: Place, token: Known<T>) -> bool {
        match self.known.entry(place) {
            Slot::Occupied(_) => false,
            Slot::Vacant(slot) => {
                slot.insert(token);
                true
            }
        }
    }

    /// What is known at a place.
    pub(super) fn at(&self, place: Place) -> Option<&Known<T>> {
        self.known.get(&place)
    }

    /// What a presented token is at `now`. Whatever is presented costs one hash, one look-up (two when it has our
    /// form, whether its id is known or not) and one comparison in constant time.
    pub(super) fn find(&self, presented: &[u8], now: Timestamp) -> Found<T> {
        let hash = TokenHash::of_presented(presented);
        let id = TokenId::of_presented(presented);
        // A token of our form may also stand in the configuration, where only its hash is known.
        let by_id = id.and_then(|id| self.known.get(&Place::ours(id)));
        let by_hash = self.known.get(&Place::opaque(&hash));
        let found = by_id.or(by_hash);
        let equal = found.map_or(&self.decoy, |known| &known.hash).equals(&hash);
        match found {
            Some(known) if equal => {
                if known.expires.is_some_and(|expires| expires <= now) {
                    return Found::Expired;
                }
                known.used.note(now);
                Found::Opens(known.opens.clone())
            }
            _ => Found::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::credential::{NEW_TOKEN_BYTES, NewToken};

    const NOW: Timestamp = Timestamp::from_millis(1_772_000_000_000);
    const OPAQUE: &str = "0123456789abcdef-one";

    fn known(hash: &TokenHash, opens: &'static str, expires: Option<Timestamp>) -> Known<&'static str> {
        Known {
            hash: hash.clone(),
            expires,
            opens,
            used: LastUsed::default(),
        }
    }

    #[test]
    fn a_token_is_found_by_its_id_or_by_its_hash_and_by_nothing_less() {
        let ours = NewToken::from_random(&[7; NEW_TOKEN_BYTES]);
        let opaque = TokenHash::of_presented(OPAQUE.as_bytes());
        let mut registry = Registry::new();
        assert!(registry.insert(Place::ours(ours.id), known(&ours.hash, "ours", None)));
        assert!(registry.insert(Place::opaque(&opaque), known(&opaque, "opaque", None)));
        assert!(!registry.insert(Place::opaque(&opaque), known(&opaque, "again", None)));
        let text = ours.text.expose_secret();
        assert_eq!(registry.find(text.as_bytes(), NOW), Found::Opens("ours"));
        assert_eq!(registry.find(OPAQUE.as_bytes(), NOW), Found::Opens("opaque"));
        let other_secret = format!("{}0", text.strip_suffix('7').unwrap());
        for bad in [
            "",
            "0123456789abcdef-on",
            "no connection has this token",
            "0123456789ABCDEF-one",
            other_secret.as_str(),
        ] {
            assert_eq!(registry.find(bad.as_bytes(), NOW), Found::Unknown, "{bad:?}");
        }
        let used = registry.at(Place::ours(ours.id)).unwrap().used.get();
        assert_eq!(used, Some(NOW));
    }

    #[test]
    fn a_token_of_our_form_may_stand_in_the_configuration() {
        let ours = NewToken::from_random(&[7; NEW_TOKEN_BYTES]);
        let mut registry = Registry::new();
        registry.insert(Place::opaque(&ours.hash), known(&ours.hash, "configured", None));
        let found = registry.find(ours.text.expose_secret().as_bytes(), NOW);
        assert_eq!(found, Found::Opens("configured"));
    }

    #[test]
    fn an_expired_token_is_told_only_to_who_has_it() {
        let opaque = TokenHash::of_presented(OPAQUE.as_bytes());
        let mut registry = Registry::new();
        let expires = Some(NOW.plus_millis(1));
        registry.insert(Place::opaque(&opaque), known(&opaque, "opaque", expires));
        assert_eq!(registry.find(OPAQUE.as_bytes(), NOW), Found::Opens("opaque"));
        let later = NOW.plus_millis(1);
        assert_eq!(registry.find(OPAQUE.as_bytes(), later), Found::Expired);
        assert_eq!(registry.find(b"0123456789abcdef-two", later), Found::Unknown);
    }
}
