//! The publisher: writes computed desired users to the `desired` stream, in the background and in batches,
//! those that lose access first. What is not durable there yet is marked in the state, so a restart publishes
//! it again.
//!
//! Over several processes the owner of the partition publishes, and only while its lease covers an append. What others
//! compute stays marked until they own the partition, or for ever.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rollcall_domain::{Event, EventData, EventId, Source};
use rollcall_eventlog::{MAX_RECORD_BYTES, Record, Retry, Stream};

use super::{Core, Live, Tenant};
use crate::Publishing;
use crate::api::Turn;
use crate::fold::{AccountIx, StableHash};
use crate::limits::{PUBLISH_BYTES, PUBLISH_RECORDS};

/// Pause before a failed append is tried again, and before the publisher looks again whether it is its turn.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// An account to be published. Bounded by the number of accounts: one that waits is not put in again.
#[derive(Debug, Clone)]
struct Item {
    tenant: Arc<Tenant>,
    account: AccountIx,
}

#[derive(Debug, Default)]
struct Queue {
    first: VecDeque<Item>,
    rest: VecDeque<Item>,
    waiting: std::collections::BTreeSet<(u16, AccountIx)>,
    /// Taken out, but not durable yet.
    in_flight: usize,
    stopped: bool,
}

/// The driver's end; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Publisher {
    publishing: Publishing,
    queue: Arc<(Mutex<Queue>, Condvar)>,
    /// What is put in is queued: the partition is ours.
    active: Arc<AtomicBool>,
    published: Arc<AtomicBool>,
}

impl Publisher {
    pub(crate) fn new(publishing: Publishing) -> Self {
        let active = matches!(publishing, Publishing::Always);
        Self {
            publishing,
            active: Arc::new(AtomicBool::new(active)),
            ..Self::default()
        }
    }

    /// Whether what was published last is certainly ours, or nobody asks.
    pub(super) fn is_ours(&self) -> bool {
        self.publishing.is_never() || self.active.load(Ordering::SeqCst)
    }

    /// An account is to be published; `first` when it loses its access.
    pub(super) fn put(&self, tenant: &Arc<Tenant>, account: AccountIx, first: bool) {
        if !self.active.load(Ordering::SeqCst) {
            return; // it is marked in the state
        }
        let mut queue = self.queue.0.lock();
        if !queue.waiting.insert((tenant.number, account)) {
            return;
        }
        let item = Item {
            tenant: Arc::clone(tenant),
            account,
        };
        if first {
            queue.first.push_back(item)
        } else {
            queue.rest.push_back(item)
        }
        drop(queue);
        self.queue.1.notify_one();
    }

    /// Puts in what is marked as not published, if it is ours to publish.
    pub(crate) fn resume(&self, tenant: &Arc<Tenant>) {
        if !self.active.load(Ordering::SeqCst) {
            return;
        }
        let live = tenant.live.read();
        let waiting = live
            .state
            .accounts
            .iter()
            .filter(|(_, account)| account.published.unpublished);
        for (account, entry) in waiting {
            self.put(tenant, account, !entry.published.had_access);
        }
    }

    /// Whether something was published since the last call: its marks are to be committed.
    pub(super) fn take_published(&self) -> bool {
        self.published.swap(false, Ordering::SeqCst)
    }

    pub(crate) fn stop(&self) {
        self.queue.0.lock().stopped = true;
        self.queue.1.notify_all();
    }

    /// How many are not durable yet.
    pub(crate) fn waiting(&self) -> usize {
        let queue = self.queue.0.lock();
        queue.waiting.len() + queue.in_flight
    }

    /// Whether it is our turn. When the partition becomes ours all that is marked is put in; when it is taken away
    /// nothing is left in the queue.
    fn is_our_turn(&self, core: &Core) -> bool {
        let turn = self.publishing.turn(core.partition);
        if turn == Turn::Theirs {
            if self.active.swap(false, Ordering::SeqCst) {
                let mut queue = self.queue.0.lock();
                queue.first.clear();
                queue.rest.clear();
                queue.waiting.clear();
                queue.in_flight = 0;
            }
            return false;
        }
        if !self.active.swap(true, Ordering::SeqCst) {
            let tenants: Vec<_> = core.tenants.read().values().cloned().collect();
            tenants.iter().for_each(|tenant| self.resume(tenant));
        }
        turn == Turn::Ours
    }

    /// Publishes until it is stopped.
    pub(crate) fn run(&self, core: &Core) {
        if self.publishing.is_never() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
        else {
            core.end("the publisher could not be started".to_owned());
            return;
        };
        while !self.is_stopped() {
            if !self.is_our_turn(core) {
                std::thread::park_timeout(RETRY_PAUSE);
                continue;
            }
            let items = self.take();
            let (records, done, left) = self.encode(&items);
            for item in left {
                self.put(&item.tenant, item.account, true);
            }
            if records.is_empty() {
                continue;
            }
            while self.is_still_ours(core) {
                match runtime.block_on(core.log.append(Stream::Desired, records.clone())) {
                    Ok(_) => {
                        self.mark(&done);
                        break;
                    }
                    // Whatever fails here stays marked, so the next start publishes it.
                    Err(_) if self.is_stopped() => return,
                    Err(error) => match error.retry() {
                        Retry::Later => {
                            tracing::warn!(%error, "desired users were not published; trying again");
                            std::thread::park_timeout(RETRY_PAUSE);
                        }
                        Retry::Never => {
                            tracing::error!(%error, "the log refuses desired users for good; they are left out");
                            break;
                        }
                        Retry::AfterRestart => {
                            tracing::error!(%error, "desired users cannot be published any more");
                            *core.unpublished.write() = Some(error.to_string());
                            return;
                        }
                    },
                }
            }
        }
    }

    /// Waits for our turn with something in hand; false when there is none to be had any more.
    fn is_still_ours(&self, core: &Core) -> bool {
        while !self.is_our_turn(core) {
            if self.is_stopped() || !self.active.load(Ordering::SeqCst) {
                return false;
            }
            std::thread::park_timeout(RETRY_PAUSE);
        }
        true
    }

    fn is_stopped(&self) -> bool {
        self.queue.0.lock().stopped
    }

    /// The next batch; empty when none came for a while.
    fn take(&self) -> Vec<Item> {
        let mut queue = self.queue.0.lock();
        queue.in_flight = 0; // those taken before are done
        if queue.waiting.is_empty() && !queue.stopped {
            self.queue.1.wait_for(&mut queue, RETRY_PAUSE);
        }
        if queue.stopped {
            return Vec::new();
        }
        let mut items = Vec::new();
        while items.len() < PUBLISH_RECORDS
            && let Some(item) = queue.first.pop_front()
        {
            items.push(item);
        }
        while items.len() < PUBLISH_RECORDS
            && let Some(item) = queue.rest.pop_front()
        {
            items.push(item);
        }
        for item in &items {
            queue.waiting.remove(&(item.tenant.number, item.account));
        }
        queue.in_flight = items.len();
        items
    }

    /// The records of a batch, what each publishes, and what did not fit into one append.
    fn encode<'i>(&self, items: &'i [Item]) -> (Vec<Record>, Vec<(Item, u64)>, &'i [Item]) {
        let (mut records, mut done, mut bytes) = (Vec::new(), Vec::new(), 0usize);
        for (at, item) in items.iter().enumerate() {
            let live = item.tenant.live.read();
            let Some(record) = self.record_of(item, &live) else {
                continue;
            };
            let hash = live
                .state
                .accounts
                .get(item.account)
                .map_or(0, |entry| entry.published.hash);
            drop(live);
            if record.size() > MAX_RECORD_BYTES {
                // The log refuses it for good, and one account must not stop the others. It stays marked.
                let (tenant, bytes) = (&item.tenant.id, record.size());
                tracing::error!(%tenant, bytes, "a desired user is too large to be published");
                continue;
            }
            bytes += record.size();
            if bytes > PUBLISH_BYTES && !records.is_empty() {
                return (records, done, items.get(at..).unwrap_or_default());
            }
            records.push(record);
            done.push((item.clone(), hash));
        }
        (records, done, &[])
    }

    fn record_of(&self, item: &Item, live: &Live) -> Option<Record> {
        let attributes = match item.tenant.attributes_for(live, item.account) {
            Ok(attributes) => attributes,
            // Its files are closed. It stays marked, so the next start publishes it.
            Err(_) if self.is_stopped() => return None,
            Err(error) => {
                tracing::error!(%error, "a desired user is not published until the state is rebuilt");
                return None;
            }
        };
        let desired = live.state.desired_user(item.account, attributes.as_ref())?;
        let tenant = item.tenant.id.clone();
        let key = format!("{tenant}/{}", desired.account);
        let event = Event {
            id: event_id(&key, desired.sequence.0),
            source: Source::Rollcall("projector".to_owned()),
            time: live.state.event_time(),
            tenant,
            actor: "projector".to_owned(),
            request_id: None,
            part: None,
            data: EventData::UserDesired(Box::new(desired)),
        };
        Some(Record::new(key, event.encode()))
    }

    /// Those that are still as they were published need no publishing any more.
    fn mark(&self, done: &[(Item, u64)]) {
        for (item, hash) in done {
            let mut live = item.tenant.live.write();
            if let Some(entry) = live.state.accounts.get_mut(item.account)
                && entry.published.hash == *hash
            {
                entry.published.unpublished = false;
                live.state.touched.accounts.push(item.account);
            }
        }
        self.published.store(true, Ordering::SeqCst);
    }
}

/// The id of a published desired user: a function of what it is about, so that publishing twice is seen as
/// such.
fn event_id(key: &str, sequence: u64) -> EventId {
    let half = |purpose| StableHash::new(purpose).text(key).number(sequence).finish();
    EventId(
        uuid::Builder::from_bytes(*uuid::Uuid::from_u64_pair(half(20), half(21)).as_bytes())
            .with_version(uuid::Version::Custom)
            .into_uuid(),
    )
}
