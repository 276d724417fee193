//! The state as of some point, from the log alone.

use std::collections::BTreeMap;

use rollcall_domain::{
    AccountKey, Catalog, DecodeError, DesiredUser, RuleSet, Sequence, TenantId, Timestamp, UserId,
};
use rollcall_eventlog::{BatchLimits, Partition, Position, ReadBatch, ReadLog, RecordRef, Stream};
use serde_json::{Map, Value};
use smallvec::SmallVec;

use crate::access::user_name;
use crate::decode::{Decoded, decode};
use crate::fold::{AccountIx, DocumentWrite, Index as _, Personal, TenantState, UserIx};
use crate::{Explanation, OpenDecision, Progress, ProjectorError, TenantSetup, Until};

/// Batches that are read ahead of the fold: enough that neither waits for the other's pauses, and a few megabytes.
const BATCHES_AHEAD: usize = 4;

/// A tenant's state as of some point of the log, from the log alone.
pub struct Replayed {
    tenant: TenantId,
    state: TenantState,
    /// Sealed personal parts by user, oldest first; opened when somebody asks.
    personal: Vec<SmallVec<[Box<str>; 1]>>,
    done: bool,
}

/// Personal parts are not shown.
impl std::fmt::Debug for Replayed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Replayed({} up to {})", self.tenant, self.sequence())
    }
}

impl Replayed {
    fn new(tenant: TenantId) -> Self {
        Self {
            tenant,
            state: TenantState::new(),
            personal: Vec::new(),
            done: false,
        }
    }

    /// The tenant.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// All events up to this one are in.
    #[must_use]
    pub fn sequence(&self) -> Sequence {
        self.state.sequence()
    }

    /// Event time.
    #[must_use]
    pub fn event_time(&self) -> Timestamp {
        self.state.event_time()
    }

    /// Every account in the order it was first claimed.
    pub fn accounts(&self) -> impl Iterator<Item = AccountKey> + '_ {
        self.state.accounts.iter().map(|(_, account)| account.key)
    }

    /// What Fluent should have held for the account.
    #[must_use]
    pub fn desired(&self, account: AccountKey) -> Option<DesiredUser> {
        let ix = self.state.account_ix(account)?;
        self.state.desired_user(ix, self.attributes_for(ix).as_ref())
    }

    /// The same with the text of every derivation.
    #[must_use]
    pub fn explain(&self, account: AccountKey) -> Option<Explanation> {
        let ix = self.state.account_ix(account)?;
        self.state.explanation(ix, self.attributes_for(ix).as_ref())
    }

    /// The account that the user claims, deleted users too.
    #[must_use]
    pub fn account_of(&self, user: UserId) -> Option<AccountKey> {
        let account = self.state.users.get(self.state.user_ix(user)?)?.account;
        self.state.accounts.get(account).map(|account| account.key)
    }

    /// The catalog as of then.
    #[must_use]
    pub fn catalog(&self) -> Catalog {
        self.state.catalog.catalog.clone()
    }

    /// The version of the rule set as of then.
    #[must_use]
    pub fn rules_version(&self) -> Option<String> {
        self.state.rules.version.clone()
    }

    /// The rule set as of then.
    #[must_use]
    pub fn rules(&self) -> RuleSet {
        self.state.rules.set.clone()
    }

    /// Holds that waited for an operator then.
    #[must_use]
    pub fn open_decisions(&self) -> Vec<OpenDecision> {
        self.state.open_decisions()
    }

    /// The userName behind an account, from a claimant that is not deleted. Personal.
    #[must_use]
    pub fn user_name(&self, account: AccountKey) -> Option<String> {
        let attributes = self.attributes_for(self.state.account_ix(account)?)?;
        user_name(&attributes).map(str::to_owned)
    }

    /// A fingerprint of the whole state, hex: equal for equal histories, whoever folded them.
    #[must_use]
    pub fn digest(&self) -> String {
        self.state.digest(&mut |user| Some(self.attributes(user)))
    }

    /// Computes every account once, without texts; how many grants there are. For measuring.
    #[doc(hidden)]
    #[must_use]
    pub fn count_grants(&self) -> u64 {
        self.state
            .accounts
            .iter()
            .map(|(ix, _)| self.state.desired_grants(ix).len() as u64)
            .sum()
    }

    fn is_key(&self, key: &[u8]) -> bool {
        self.tenant.as_str().as_bytes() == key
    }

    fn attributes_for(&self, account: AccountIx) -> Option<Map<String, Value>> {
        self.state.document_of(account).map(|user| self.attributes(user))
    }

    fn attributes(&self, user: UserIx) -> Map<String, Value> {
        let mut attributes = Map::new();
        for sealed in self.personal.get(user.number() as usize).into_iter().flatten() {
            if let Ok(change) = Personal::Raw(sealed).open() {
                change.apply(&mut attributes);
            }
        }
        attributes
    }

    fn take(&mut self, decoded: Option<&Decoded<'_>>, until: Until) {
        let stop = match until {
            Until::End => false,
            Until::Sequence(last) => self.state.sequence() >= last,
            Until::Time(last) => decoded.is_some_and(|d| d.input.time.max(self.state.event_time()) > last),
        };
        self.done |= stop;
        if self.done {
            return;
        }
        let Some(decoded) = decoded.filter(|decoded| decoded.tenant == self.tenant.as_str()) else {
            self.state.apply_unreadable();
            return;
        };
        match self.state.apply_input(&decoded.input).document {
            Some(DocumentWrite::Delete(user)) => {
                if let Some(sealed) = self.personal.get_mut(user.number() as usize) {
                    sealed.clear();
                }
            }
            Some(DocumentWrite::Change(user)) => {
                if let Personal::Raw(json) = decoded.input.data.personal() {
                    let at = user.number() as usize;
                    if self.personal.len() <= at {
                        self.personal.resize_with(at + 1, SmallVec::new);
                    }
                    if let Some(sealed) = self.personal.get_mut(at) {
                        sealed.push(json.into());
                    }
                }
            }
            None => {}
        }
        self.state.touched.clear();
        self.state.verdicts.fresh = 0;
    }
}

/// Folds the log from its beginning, without any stored state. Blocks; not to be called from async code.
/// `progress` is told after every batch; `false` from it ends the replay where it stands.
///
/// # Errors
/// [`ProjectorError::Log`].
pub fn replay(
    log: &dyn ReadLog,
    tenants: &[TenantSetup],
    until: Until,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<Vec<Replayed>, ProjectorError> {
    let mut replayed: Vec<Replayed> = tenants
        .iter()
        .map(|setup| Replayed::new(setup.id.clone()))
        .collect();
    let mut by_partition: BTreeMap<Partition, Vec<&mut Replayed>> = BTreeMap::new();
    for one in &mut replayed {
        let partition = log.partition_of(Stream::Events, one.tenant.as_str().as_bytes());
        by_partition.entry(partition).or_default().push(one);
    }
    for (partition, mut tenants) in by_partition {
        replay_partition(log, partition, &mut tenants, until, progress)?;
    }
    Ok(replayed)
}

fn replay_partition(
    log: &dyn ReadLog,
    partition: Partition,
    tenants: &mut [&mut Replayed],
    until: Until,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<(), ProjectorError> {
    let end = Position::to_stored(crate::projector::wait_for(log.end(Stream::Events, partition))?);
    let mut reader = log.reader(Stream::Events, partition, None)?;
    let mut done = 0u64;
    // A log may be far away: the next batches are read while one is folded.
    let (give, batches) = std::sync::mpsc::sync_channel(BATCHES_AHEAD);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            loop {
                let batch = reader.next_batch_blocking(BatchLimits::REPLAY);
                let is_last = match &batch {
                    Ok(batch) => batch.is_empty() || Position::to_stored(batch.last_position()) >= end,
                    Err(_) => true,
                };
                // Nobody takes it when the replay was ended.
                if give.send(batch).is_err() || is_last {
                    return;
                }
            }
        });
        // Dropped with this closure, before the thread is waited for.
        for batch in batches {
            let batch = batch?;
            done += batch.len() as u64;
            take_batch(&batch, end, tenants, until);
            let more = progress(Progress {
                done,
                total: end.max(done),
            });
            if !more || tenants.iter().all(|tenant| tenant.done) {
                break;
            }
        }
        Ok(())
    })
}

/// Decodes a batch on two threads and folds it in order. Each thread also looks up what its events name: the
/// entries of a million users lie far apart in memory, and fetching them here, many at once, spares the fold
/// the wait.
fn take_batch(batch: &ReadBatch, end: u64, tenants: &mut [&mut Replayed], until: Until) {
    let records: Vec<_> = batch
        .iter()
        .filter(|record| record.position.get() <= end)
        .collect();
    let (first, second) = records.split_at(records.len() / 2);
    let decoded = std::thread::scope(|scope| {
        let tenants = &*tenants;
        let other = scope.spawn(move || decode_all(second, tenants));
        let mut decoded = decode_all(first, tenants);
        match other.join() {
            Ok(rest) => decoded.extend(rest),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        decoded
    });
    for (record, decoded) in records.iter().zip(decoded) {
        let Some(decoded) = decoded else { continue };
        for tenant in tenants.iter_mut().filter(|tenant| tenant.is_key(record.key)) {
            tenant.take(decoded.as_ref().ok(), until);
        }
    }
}

/// The events of some records; none where the tenant is not wanted.
fn decode_all<'r>(
    records: &[RecordRef<'r>],
    tenants: &[&mut Replayed],
) -> Vec<Option<Result<Decoded<'r>, DecodeError>>> {
    let decode_one = |record: &RecordRef<'r>| {
        let tenant = tenants.iter().find(|tenant| tenant.is_key(record.key))?;
        let decoded = decode(record.value);
        if let Ok(decoded) = &decoded {
            std::hint::black_box(tenant.state.look_up(&decoded.input));
        }
        Some(decoded)
    };
    records.iter().map(decode_one).collect()
}
