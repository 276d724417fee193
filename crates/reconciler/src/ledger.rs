//! The ownership ledger: the fold of the outcome stream. What we granted, adopted, created, and what is
//! still open.
//!
//! Pure and deterministic: the same outcomes give the same ledger. It is kept compact (grants are interned)
//! because it holds an entry for every account that was ever written.

pub(crate) mod codec;
mod compact;

use std::collections::BTreeSet;

use rollcall_domain::outcome::{OutcomeApplied, OutcomeFailed, OutcomeIntended};
use rollcall_domain::{
    AccountKey, Event, EventData, EventId, ExternalKey, FluentStatus, FluentUserId, Grant, Hold,
    ObservedUser, Sealed, Sequence, Timestamp,
};
use rustc_hash::FxHashMap;
use serde::Serialize;

use compact::{Compact, Interner};

/// Most open intents of one account. A lost answer leaves one open for the late-write window (two minutes);
/// a leaver is tried again every five seconds, up to four times each, which makes about 100: so no leaver
/// ever meets this bound.
pub const OPEN_INTENTS_MAX: usize = 256;

/// The status that an account was last seen with by one of our outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastStatus {
    /// ACTIVE.
    Active,
    /// INACTIVE.
    Inactive,
    /// Another word.
    Other,
}

impl From<&FluentStatus> for LastStatus {
    fn from(status: &FluentStatus) -> Self {
        match status {
            FluentStatus::Active => Self::Active,
            FluentStatus::Inactive => Self::Inactive,
            FluentStatus::Other(_) => Self::Other,
        }
    }
}

/// An intent whose end is not on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenIntent {
    /// Its name: the id of its event.
    pub id: EventId,
    /// The Fluent user that it changes, when it existed.
    pub fluent_user: Option<FluentUserId>,
    /// A user is created.
    pub create: bool,
    /// The sealed name of the user that is created.
    pub user_name: Option<Sealed>,
    /// Every pair that it adds, adopts or removes: ours until it is closed.
    pub grants: BTreeSet<Grant>,
    /// An answer was lost: a write may still arrive until then.
    pub unsettled_until: Option<Timestamp>,
}

/// What the ledger says of one account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LedgerEntry {
    /// The Fluent user that is ours; none when we never had one.
    pub fluent_user: Option<FluentUserId>,
    /// Whether we made it.
    pub created: bool,
    /// Its status by our last outcome.
    pub status: Option<LastStatus>,
    /// Pairs that are ours by a closed outcome.
    pub owned: BTreeSet<Grant>,
    /// Intents whose end is not on record, oldest first.
    pub open: Vec<OpenIntent>,
    /// The sequence of the desired user that was served last.
    pub serves: Sequence,
    /// The claimant that was served last.
    pub claimant: Option<ExternalKey>,
    /// Fingerprint of the holds on record; 0 when none.
    pub held: u64,
    /// Fingerprint of the drift on record; 0 when none.
    pub drift: u64,
}

impl LedgerEntry {
    /// Whether the Fluent user is ours: by an outcome, or by an intent that may have made or changed it.
    #[must_use]
    pub fn is_ours(&self, observed: Option<&ObservedUser>) -> bool {
        let Some(user) = observed else {
            return self.fluent_user.is_some() || !self.open.is_empty();
        };
        let by_intent = |open: &OpenIntent| open.create || open.fluent_user.as_ref() == Some(&user.id);
        self.fluent_user.as_ref() == Some(&user.id) || self.open.iter().any(by_intent)
    }

    /// All pairs that count as ours on `observed`: owned ones and those of open intents. Nothing, when the
    /// ledger speaks of another Fluent user.
    #[must_use]
    pub fn claims(&self, observed: Option<&ObservedUser>) -> BTreeSet<Grant> {
        if !self.is_ours(observed) {
            return BTreeSet::new();
        }
        let open = self.open.iter().flat_map(|open| &open.grants);
        let same_user = observed.is_none_or(|user| self.fluent_user.as_ref() == Some(&user.id));
        let owned = self.owned.iter().filter(|_| same_user);
        owned.chain(open).cloned().collect()
    }

    /// When the last of the open intents can be closed; `None` when there is none, or one of them has no
    /// end yet.
    #[must_use]
    pub fn settles_at(&self) -> Option<Timestamp> {
        self.open.iter().filter_map(|open| open.unsettled_until).max()
    }

    /// Open intents that nothing can follow any more when read at `now`.
    pub fn ripe(&self, now: Timestamp) -> impl Iterator<Item = EventId> + '_ {
        let ended = move |open: &&OpenIntent| open.unsettled_until.is_some_and(|until| until <= now);
        self.open.iter().filter(ended).map(|open| open.id)
    }
}

/// The ledger of a tenant.
#[derive(Debug, Default)]
pub struct Ledger {
    grants: Interner<Grant>,
    accounts: FxHashMap<AccountKey, Compact>,
    open: FxHashMap<AccountKey, Vec<OpenIntent>>,
}

impl Ledger {
    /// Takes in one record of the outcome stream. Other events change nothing.
    pub fn apply(&mut self, event: &Event) {
        match &event.data {
            EventData::OutcomeIntended(intent) => self.intended(event.id, intent),
            EventData::OutcomeApplied(applied) => self.applied(applied),
            EventData::OutcomeFailed(failed) => self.failed(failed),
            EventData::OutcomeHeld(held) => {
                self.accounts.entry(held.account).or_default().held = print_of_holds(&held.holds);
            }
            EventData::OutcomeDrift(drift) => {
                let print = fingerprint(&(&drift.missing, &drift.foreign, &drift.status));
                self.accounts.entry(drift.account).or_default().drift = print;
            }
            _ => {}
        }
    }

    fn intended(&mut self, id: EventId, intent: &OutcomeIntended) {
        let open = self.open.entry(intent.account).or_default();
        if open.iter().any(|known| known.id == id) {
            return; // our own producer's retry
        }
        let pairs = intent.add.iter().chain(&intent.adopt).chain(&intent.remove);
        open.push(OpenIntent {
            id,
            fluent_user: intent.fluent_user.clone(),
            create: intent.create,
            user_name: intent.personal.clone(),
            grants: pairs.cloned().collect(),
            unsettled_until: None,
        });
    }

    fn applied(&mut self, applied: &OutcomeApplied) {
        if let Some(intent) = applied.intent {
            self.close(applied.account, intent);
        }
        let owned = applied
            .owned
            .iter()
            .map(|grant| self.grants.intern(grant))
            .collect();
        let entry = self.accounts.entry(applied.account).or_default();
        entry.set_user(applied.fluent_user.as_ref(), applied.created);
        entry.status = applied.status.as_ref().map(LastStatus::from);
        entry.owned = owned;
        entry.serves = applied.serves;
        entry.drift = 0;
        if applied.claimant.is_some() {
            entry.claimant = applied.claimant; // an account keeps whom it served last when nobody claims it
        }
    }

    fn failed(&mut self, failed: &OutcomeFailed) {
        let Some(intent) = failed.intent else { return };
        if failed.settled {
            self.close(failed.account, intent);
        } else if let Some(open) = self.open.get_mut(&failed.account) {
            for open in open.iter_mut().filter(|open| open.id == intent) {
                open.unsettled_until = failed.unsettled_until.max(open.unsettled_until);
            }
        }
    }

    fn close(&mut self, account: AccountKey, intent: EventId) {
        if let Some(open) = self.open.get_mut(&account) {
            open.retain(|known| known.id != intent);
            if open.is_empty() {
                self.open.remove(&account);
            }
        }
    }

    /// Gives every intent without an end one: to be called once after the ledger was rebuilt, since the
    /// process that wrote it may have sent its mutations up to its death.
    pub fn recover(&mut self, until: Timestamp) {
        for open in self.open.values_mut().flatten() {
            open.unsettled_until.get_or_insert(until);
        }
    }

    /// The same for one account: its outcome could not be put on record.
    pub fn recover_account(&mut self, account: AccountKey, until: Timestamp) {
        for open in self.open.get_mut(&account).into_iter().flatten() {
            open.unsettled_until.get_or_insert(until);
        }
    }

    /// What the ledger says of an account; an empty entry when it says nothing.
    #[must_use]
    pub fn entry(&self, account: AccountKey) -> LedgerEntry {
        let open = self.open.get(&account).cloned().unwrap_or_default();
        let Some(compact) = self.accounts.get(&account) else {
            return LedgerEntry {
                open,
                ..LedgerEntry::default()
            };
        };
        LedgerEntry {
            fluent_user: compact.user(),
            created: compact.created,
            status: compact.status,
            owned: compact
                .owned
                .iter()
                .filter_map(|id| self.grants.get(*id))
                .cloned()
                .collect(),
            open,
            serves: compact.serves,
            claimant: compact.claimant,
            held: compact.held,
            drift: compact.drift,
        }
    }

    /// True when the account has, or may have, a Fluent user of ours. Cheap.
    #[must_use]
    pub fn is_ours(&self, account: AccountKey) -> bool {
        self.open.contains_key(&account)
            || self
                .accounts
                .get(&account)
                .is_some_and(|compact| compact.user().is_some())
    }

    /// The status of an account by our last outcome. Cheap.
    #[must_use]
    pub fn status(&self, account: AccountKey) -> Option<LastStatus> {
        self.accounts.get(&account)?.status
    }

    /// Accounts with open intents, and when each can be closed.
    pub fn unsettled(&self) -> impl Iterator<Item = (AccountKey, Option<Timestamp>)> + '_ {
        let end = |open: &Vec<OpenIntent>| open.iter().filter_map(|open| open.unsettled_until).max();
        self.open.iter().map(move |(account, open)| (*account, end(open)))
    }

    /// Accounts with holds on record. Counted: for a status, not for every step.
    #[must_use]
    pub fn held(&self) -> usize {
        self.accounts.values().filter(|account| account.held != 0).count()
    }

    /// The accounts with holds on record, and the fingerprint of these.
    pub fn held_accounts(&self) -> impl Iterator<Item = (AccountKey, u64)> + '_ {
        let held = self.accounts.iter().filter(|(_, account)| account.held != 0);
        held.map(|(key, account)| (*key, account.held))
    }

    /// The last event that was served for any account. Counted.
    #[must_use]
    pub fn serves_max(&self) -> Sequence {
        self.accounts
            .values()
            .map(|account| account.serves)
            .max()
            .unwrap_or_default()
    }

    /// Accounts on record.
    #[must_use]
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// True when nothing is on record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.open.is_empty()
    }
}

/// Most holds of one account that are put on record: whoever looks into it sees what is wrong by far fewer, and
/// an outcome above the log's bound of a record would keep the account's removals from being recorded, and so
/// from being made.
pub const HOLDS_ON_RECORD_MAX: usize = 256;

/// The holds that are put on record.
#[must_use]
pub fn on_record(holds: &[Hold]) -> &[Hold] {
    holds.get(..HOLDS_ON_RECORD_MAX).unwrap_or(holds)
}

/// Fingerprint of holds as they stand on record; 0 for none.
#[must_use]
pub fn print_of_holds(holds: &[Hold]) -> u64 {
    if holds.is_empty() {
        0
    } else {
        fingerprint(&on_record(holds))
    }
}

/// FNV-1a of a value's JSON: stable over processes and versions, never 0. It only tells "the same as on
/// record".
#[must_use]
pub fn fingerprint<T: Serialize>(value: &T) -> u64 {
    let json = serde_json::to_vec(value).unwrap_or_default();
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    json.iter().fold(0xcbf2_9ce4_8422_2325, mix).max(1)
}

#[cfg(test)]
mod tests;
