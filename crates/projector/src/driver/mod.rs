//! The driver thread: reads the log, folds, tells who waits, commits, computes desired users in slices.
//!
//! One turn: a bounded batch of records is folded in short steps; after each step those who wait for a
//! position are told and leavers are computed; then a slice of the dirty set is computed, removals first; then what
//! changed is committed with its position, unless the last commit was a moment ago.
//!
//! Until it has come to where the log ended when it was started, nobody reads from it: it computes leavers alone, and
//! commits seldom. It says that it has come there only when the rest is computed and committed: else whoever begins
//! with it would be told of every account once more, and the first requests would wait for the commit.

mod publish;
mod shared;
mod slice;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rollcall_domain::TenantId;
use rollcall_eventlog::{
    BatchLimits, LogReader, Position, ReadBatch, ReadError, RecordRef, Retry, Stream, is_note,
};
use serde_json::{Map, Value};

use crate::api::Quarantine;
use crate::decode::decode;
use crate::fold::{DocumentWrite, Input};
use crate::limits::{CATCH_UP_BYTES, CATCH_UP_RECORDS, SLICE, STEP_RECORDS, TURN_RECORDS};
use crate::store::{Commit, EMAILS, Store, decode_document, encode_document};
use crate::{ProjectorError, Verdict};
pub(crate) use publish::Publisher;
pub(crate) use shared::{Core, Live, Tenant};

/// How long an idle driver waits for a record before it looks whether it should stop.
const IDLE_WAIT: Duration = Duration::from_millis(50);
/// How long what changed may wait to be committed. A page that holds the newest users changes with each of them: it is
/// written once in that time, and not for every few events.
const COMMIT_EVERY: Duration = Duration::from_millis(20);
/// Pause before a failed read or commit is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// The driver of one log partition.
#[derive(Debug)]
pub(crate) struct Driver {
    core: Arc<Core>,
    store: Store,
    publisher: Publisher,
    reader: Box<dyn LogReader>,
    /// Where the fold stands.
    position: u64,
    /// Where the log ended when it was started.
    goal: u64,
    /// It has come there, and what it left on the way is done.
    begun: bool,
    /// Something changed since the last commit.
    unsaved: bool,
    /// The position of the last commit, and when it was.
    saved: u64,
    committed: Instant,
    /// Why a commit failed: pages are lost, and nothing more may be committed.
    broken: Option<String>,
}

impl Driver {
    /// `goal` is where the log ends now.
    pub(crate) fn new(
        core: Arc<Core>,
        store: Store,
        publisher: Publisher,
        goal: u64,
    ) -> Result<Self, ProjectorError> {
        let position = store.position();
        let after = Position::new(position);
        let reader = core.log.reader(Stream::Events, core.partition, after)?;
        // Also where the end was reached before the start: it may have left something to be computed.
        core.progress.send_replace(position.min(goal.saturating_sub(1)));
        Ok(Self {
            core,
            store,
            publisher,
            reader,
            position,
            goal,
            begun: false,
            unsaved: false,
            saved: position,
            committed: Instant::now(),
            broken: None,
        })
    }

    /// Runs until it is stopped or the log fails for good.
    pub(crate) fn run(mut self) {
        let mut reason = "it was shut down".to_owned();
        let mut busy = true;
        while !self.core.is_stopping() {
            match self.turn(busy) {
                Ok(more) => busy = more,
                Err(error) if error.retry() == Retry::Later => {
                    tracing::warn!(%error, "the projector could not read the log; trying again");
                    self.pause();
                }
                Err(error) => {
                    tracing::error!(%error, "the projector cannot read the log any more");
                    reason = error.to_string();
                    break;
                }
            }
        }
        self.commit();
        if let Err(error) = self.store.flush() {
            tracing::warn!(%error, "the state was not flushed; its end is folded again at the next start");
        }
        self.publisher.stop();
        self.core.documents.close();
        self.core.end(self.broken.unwrap_or(reason));
    }

    /// One turn; true when there is more to do at once.
    fn turn(&mut self, busy: bool) -> Result<bool, ReadError> {
        let wait = match (busy, self.unsaved) {
            (true, _) => Duration::ZERO,
            (false, true) => COMMIT_EVERY,
            (false, false) => IDLE_WAIT,
        };
        // Never without a wait, even of nothing: a log that is far away would be asked whether this is really its end.
        let limits = BatchLimits::REPLAY.records(TURN_RECORDS).waiting(wait);
        let batch = self.reader.next_batch_blocking(limits)?;
        self.fold(&batch);
        if batch.is_empty() {
            self.goal = self.position; // the log ends here, whatever it said
        }
        if self.catches_up() {
            return Ok(true);
        }
        let more = self.slice(Instant::now() + SLICE);
        if !self.begun && !more {
            self.commit();
            self.begun = true;
            self.core.progress.send_replace(self.position);
        }
        let much = self.position.saturating_sub(self.saved) >= TURN_RECORDS as u64;
        if much || batch.is_empty() || self.committed.elapsed() >= COMMIT_EVERY {
            self.commit();
        }
        Ok(more)
    }

    /// Whether it has not come to its goal yet. Commits when much has gathered.
    fn catches_up(&mut self) -> bool {
        if self.position >= self.goal {
            return false;
        }
        let waiting: usize = (self.core.tenants.read().values())
            .map(|tenant| tenant.live.read().overlay_bytes)
            .sum();
        if self.position.saturating_sub(self.saved) >= CATCH_UP_RECORDS as u64 || waiting >= CATCH_UP_BYTES {
            self.commit();
        }
        true
    }

    fn fold(&mut self, batch: &ReadBatch) {
        let mut records = batch.iter().peekable();
        while records.peek().is_some() {
            let step: Vec<_> = records.by_ref().take(STEP_RECORDS).collect();
            let mut by_tenant: BTreeMap<&[u8], Vec<RecordRef<'_>>> = BTreeMap::new();
            for record in step.iter().filter(|record| !is_note(record.key)) {
                by_tenant.entry(record.key).or_default().push(*record);
            }
            for (key, records) in by_tenant {
                match self.tenant_of(key) {
                    Ok(tenant) => {
                        fold_step(&self.core.quarantine, &tenant, &records);
                        self.publisher.leavers(&tenant, self.begun);
                    }
                    Err(reason) => records.iter().for_each(|record| {
                        self.core.quarantine.put(None, record.position, reason.to_owned());
                    }),
                }
            }
            if let Some(last) = step.last() {
                self.position = last.position.get();
                self.unsaved = true;
                if self.begun || self.position < self.goal {
                    self.core.progress.send_replace(self.position);
                }
            }
        }
    }

    /// The tenant of a record's key, made when it is new; or why there is none here.
    fn tenant_of(&mut self, key: &[u8]) -> Result<Arc<Tenant>, &'static str> {
        let id = std::str::from_utf8(key)
            .ok()
            .and_then(|key| TenantId::new(key).ok());
        let id = id.ok_or("its key is no tenant")?;
        // A producer that is not ours may choose another partition: to fold it here would make a second tenant of that
        // name, with half of its events.
        if self.core.log.partition_of(Stream::Events, key) != self.core.partition {
            return Err("it stands in another partition than its tenant's");
        }
        if let Some(tenant) = self.core.tenant(&id) {
            return Ok(tenant);
        }
        if !self.store.has_room() {
            return Err("its tenant is not configured, as too many others");
        }
        let number = self.store.number(&id);
        let tenant = Arc::new(Tenant::new(
            id.clone(),
            number,
            crate::TenantState::new(),
            self.core.documents.clone(),
        ));
        self.core.tenants.write().insert(id, Arc::clone(&tenant));
        Ok(tenant)
    }

    /// Computes desired users of the dirty sets until `deadline`; true when some are left.
    fn slice(&mut self, deadline: Instant) -> bool {
        let tenants: Vec<Arc<Tenant>> = self.core.tenants.read().values().cloned().collect();
        let mut more = false;
        for tenant in tenants {
            let (worked, left) = self.publisher.slice(&tenant, self.begun, deadline);
            self.unsaved |= worked;
            more |= left;
        }
        more
    }

    /// Writes what changed with the position that it is true for.
    fn commit(&mut self) {
        self.unsaved |= self.publisher.take_published();
        if !self.unsaved || self.broken.is_some() {
            return;
        }
        let mut commit = Commit::default();
        let tenants: Vec<Arc<Tenant>> = self.core.tenants.read().values().cloned().collect();
        for tenant in &tenants {
            let mut live = tenant.live.write();
            let Live {
                state,
                overlay,
                mails,
                ..
            } = &mut *live;
            self.store.stage(&mut commit, &tenant.id, state, overlay, mails);
        }
        match self.store.commit(commit, self.position) {
            Ok(()) => {
                for tenant in &tenants {
                    let mut live = tenant.live.write();
                    live.overlay.clear();
                    live.overlay_bytes = 0;
                    live.mails.clear();
                }
                self.unsaved = false;
                self.saved = self.position;
                self.committed = Instant::now();
            }
            Err(error) => {
                // The pages that were to be written are forgotten, so nothing more may be committed: what is
                // in memory stays right, and the next start folds from the last good commit or rebuilds.
                tracing::error!(%error, "the state cannot be written any more; the next start folds again");
                let reason = format!("the state cannot be written: {error}");
                self.core.end(reason.clone());
                self.broken = Some(reason);
            }
        }
    }

    fn pause(&self) {
        let until = Instant::now() + RETRY_PAUSE;
        while Instant::now() < until && !self.core.is_stopping() {
            std::thread::park_timeout(IDLE_WAIT);
        }
    }
}

/// Folds some records of one tenant under one lock.
fn fold_step(quarantine: &Quarantine, tenant: &Tenant, records: &[RecordRef<'_>]) {
    let mut live = tenant.live.write();
    for record in records {
        let reason = match decode(record.value) {
            Ok(decoded) if decoded.tenant == tenant.id.as_str() => {
                apply(tenant, &mut live, &decoded.input);
                continue;
            }
            Ok(_) => "it is another tenant's".to_owned(),
            Err(error) => error.to_string(),
        };
        quarantine.put(Some(&tenant.id), record.position, reason);
        live.state.apply_unreadable();
    }
}

fn apply(tenant: &Tenant, live: &mut Live, input: &Input<'_>) {
    // The old document is read before the revision moves.
    let old = old_document(tenant, live, input);
    let applied = live.state.apply_input(input);
    match applied.document {
        None => {}
        Some(DocumentWrite::Delete(user)) => {
            live.overlay.insert(user, None);
            live.mails
                .note(user, old.as_ref().and_then(|old| old.get(EMAILS)), None);
        }
        Some(DocumentWrite::Change(user)) => {
            let Verdict::Accepted { revision } = applied.settled.verdict else {
                return;
            };
            let mut attributes = old.unwrap_or_default();
            let mails = attributes.get(EMAILS).cloned();
            match input.data.personal().open() {
                Ok(change) => change.apply(&mut attributes),
                Err(error) => tracing::warn!(%error, "the personal part of an event was passed over"),
            }
            live.mails.note(user, mails.as_ref(), attributes.get(EMAILS));
            let document = encode_document(revision, &attributes);
            live.overlay_bytes = live.overlay_bytes.saturating_add(document.len());
            live.overlay.insert(user, Some(document));
        }
    }
}

fn old_document(tenant: &Tenant, live: &Live, input: &Input<'_>) -> Option<Map<String, Value>> {
    let user = live.state.user_ix(input.data.user_with_document()?)?;
    match live.overlay.get(&user) {
        Some(changed) => changed
            .as_deref()
            .and_then(decode_document)
            .map(|(_, attributes)| attributes),
        None if live.state.users.get(user).is_some_and(|entry| entry.deleted) => None,
        None => match tenant.attributes(live, user) {
            Ok(attributes) => attributes,
            Err(error) => {
                tracing::error!(%error, "a document is lost until the state is rebuilt at the next start");
                None
            }
        },
    }
}
