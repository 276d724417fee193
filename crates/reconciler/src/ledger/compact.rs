//! The small form of a ledger entry.

use std::hash::Hash;

use rollcall_domain::{ExternalKey, FluentUserId, Sequence};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::LastStatus;

/// Gives equal values one small number. Values are never dropped: there are as many grants as roles ×
/// places in use.
#[derive(Debug)]
pub(super) struct Interner<T> {
    values: Vec<T>,
    ids: FxHashMap<T, u32>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            ids: FxHashMap::default(),
        }
    }
}

impl<T: Clone + Eq + Hash> Interner<T> {
    pub(super) fn intern(&mut self, value: &T) -> u32 {
        if let Some(id) = self.ids.get(value) {
            return *id;
        }
        let id = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.values.push(value.clone());
        self.ids.insert(value.clone(), id);
        id
    }

    /// All of them, in order of their numbers.
    pub(super) fn values(&self) -> &[T] {
        &self.values
    }

    pub(super) fn get(&self, id: u32) -> Option<&T> {
        self.values.get(usize::try_from(id).ok()?)
    }
}

/// A Fluent id: a number today (8 bytes), any text by the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum UserId {
    Number(u64),
    Text(Box<str>),
}

#[derive(Debug, Default)]
pub(super) struct Compact {
    pub(super) user: Option<UserId>,
    pub(super) created: bool,
    pub(super) status: Option<LastStatus>,
    pub(super) owned: SmallVec<[u32; 4]>,
    pub(super) serves: Sequence,
    pub(super) claimant: Option<ExternalKey>,
    pub(super) held: u64,
    pub(super) drift: u64,
}

impl Compact {
    pub(super) fn user(&self) -> Option<FluentUserId> {
        self.user.as_ref().map(|user| match user {
            UserId::Number(number) => FluentUserId(number.to_string()),
            UserId::Text(text) => FluentUserId(text.to_string()),
        })
    }

    /// `created` sticks to a user until another one takes its place.
    pub(super) fn set_user(&mut self, user: Option<&FluentUserId>, created: bool) {
        let user = user.map(|FluentUserId(text)| match text.parse::<u64>() {
            Ok(number) if number.to_string() == *text => UserId::Number(number),
            _ => UserId::Text(text.as_str().into()),
        });
        self.created = created || (self.created && self.user == user);
        self.user = user;
    }
}
