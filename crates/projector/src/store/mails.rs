//! Which users have an e-mail address: an index on disk, so that a look-up by address costs the same in a directory of
//! any size. It only says where to look: whoever asks compares the address itself.

use rustc_hash::FxHashMap;
use serde_json::Value;

use crate::fold::{Index as _, StableHash, UserIx};

/// The kind of these keys; [`Kind`](super::key::Kind) ends before it. They are longer than those of pages, have no
/// value, and are no part of the sum.
const KIND: u8 = 15;
/// Most users that are given for one address; who shares one with more is not looked up by it.
pub(crate) const MAILS_MAX: usize = 1_000;

/// The attribute that holds the addresses.
pub(crate) const EMAILS: &str = "emails";

/// What changed since the last commit, by hash of the address: the last word on each user counts.
#[derive(Debug, Default)]
pub(crate) struct MailChanges(FxHashMap<u64, Vec<(UserIx, bool)>>);

impl MailChanges {
    /// A user's `emails` before and after a change; none before it is created or after it is deleted.
    pub(crate) fn note(&mut self, user: UserIx, old: Option<&Value>, new: Option<&Value>) {
        if old == new {
            return;
        }
        let (old, new) = (hashes(old), hashes(new));
        for hash in old.iter().filter(|hash| !new.contains(hash)) {
            self.put(*hash, user, false);
        }
        for hash in new.iter().filter(|hash| !old.contains(hash)) {
            self.put(*hash, user, true);
        }
    }

    fn put(&mut self, hash: u64, user: UserIx, has: bool) {
        let users = self.0.entry(hash).or_default();
        match users.iter_mut().find(|(known, _)| *known == user) {
            Some((_, known)) => *known = has,
            None => users.push((user, has)),
        }
    }

    /// Brings what was committed up to now.
    pub(crate) fn apply(&self, hash: u64, users: &mut Vec<UserIx>) {
        for (user, has) in self.0.get(&hash).into_iter().flatten() {
            users.retain(|known| known != user);
            if *has {
                users.push(*user);
            }
        }
        users.sort_unstable();
    }

    /// What a commit has to write: keys, and whether they are there.
    pub(super) fn keys(&self, tenant: u16) -> impl Iterator<Item = ([u8; 15], bool)> + '_ {
        let all = self
            .0
            .iter()
            .flat_map(|(hash, users)| users.iter().map(move |user| (*hash, user)));
        all.map(move |(hash, (user, has))| (key(tenant, hash, user.number()), *has))
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

fn hashes(emails: Option<&Value>) -> Vec<u64> {
    let list = emails.and_then(Value::as_array);
    let texts = list
        .into_iter()
        .flatten()
        .filter_map(|email| email.get("value")?.as_str());
    let mut hashes: Vec<u64> = texts.map(mail_hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// The hash of an address, whatever its case: two that SCIM takes for equal have the same.
pub(crate) fn mail_hash(address: &str) -> u64 {
    StableHash::new(9).text(&address.to_lowercase()).finish()
}

pub(super) fn key(tenant: u16, hash: u64, user: u32) -> [u8; 15] {
    let mut key = [0; 15];
    let parts = tenant.to_be_bytes().into_iter().chain([KIND]);
    let parts = parts.chain(hash.to_be_bytes()).chain(user.to_be_bytes());
    for (to, from) in key.iter_mut().zip(parts) {
        *to = from;
    }
    key
}

/// The user at the end of a key.
pub(super) fn user_of(key: &[u8]) -> Option<UserIx> {
    let (_, user) = key.split_last_chunk::<4>()?;
    Some(UserIx(u32::from_be_bytes(*user)))
}
