//! What all tasks of a reconciler hold together.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rollcall_domain::{AccountKey, FluentUserId, Sequence, Timestamp};
use rustc_hash::FxHashMap;
use tokio::sync::{Notify, watch};

use crate::clock::{Clock, millis};
use crate::config::{CrashPoint, ReconcilerConfig, covers};
use crate::crew::Crew;
use crate::gate::Gate;
use crate::metrics::Metrics;
use crate::plan::OwnUser;
use crate::queue::{Lane, Queue};
use crate::record::Recorder;
use crate::scope::Share;
use crate::source::DesiredSource;

pub(crate) struct Shared {
    pub(crate) config: ReconcilerConfig,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) source: Arc<dyn DesiredSource>,
    /// Up to where the source stood at the start, when it had taken in all that was in the log.
    pub(crate) began_at: Sequence,
    /// The accounts that are ours to look at.
    pub(crate) share: Share,
    pub(crate) crew: Crew,
    pub(crate) gate: Gate,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) metrics: Arc<Metrics>,
    /// Who we are in Fluent; nothing is written before that is known.
    pub(crate) own_user: watch::Sender<Option<OwnUser>>,
    pub(crate) queue: Mutex<Queue<AccountKey>>,
    pub(crate) queue_changed: Notify,
    pub(crate) catalog_wanted: Notify,
    pub(crate) resync_wanted: Notify,
    pub(crate) resynced: watch::Sender<u64>,
    /// Fluent users that a resync saw and that are not in the ledger yet, by account. Finds users whose
    /// name is written in another case. At most one per account; gone once the account is in the ledger.
    pub(crate) found: Mutex<FxHashMap<AccountKey, FluentUserId>>,
    /// Accounts that wait for their successor, and until when. At most one per account.
    pub(crate) renames: Mutex<FxHashMap<AccountKey, Rename>>,
    pub(crate) stopping: watch::Sender<bool>,
    /// Why nothing is written any more until a restart.
    pub(crate) fatal: Mutex<Option<String>>,
    pub(crate) dead: AtomicBool,
}

/// An account that waits for the one its claimant was renamed to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rename {
    pub(crate) successor: AccountKey,
    pub(crate) until: Timestamp,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Marks an account as to be looked at; nothing when it is another reconciler's.
    pub(crate) fn push(&self, account: AccountKey, lane: Lane, received: Option<Timestamp>) {
        if !self.share.holds(account) {
            return;
        }
        self.queue.lock().push(account, lane, received);
        self.queue_changed.notify_one();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Ends when the reconciler is to stop.
    pub(crate) async fn stopped(&self) {
        let mut stopping = self.stopping.subscribe();
        // An error is impossible: the sender is in `self`.
        let _stopped = stopping.wait_for(|stopping| *stopping).await;
    }

    /// Sleeps; false when the reconciler is to stop instead.
    pub(crate) async fn sleep(&self, span: std::time::Duration) -> bool {
        let until = self.now().plus_millis(millis(span));
        tokio::select! {
            () = self.clock.sleep_until(until) => true,
            () = self.stopped() => false,
        }
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.fatal.lock().is_some()
    }

    /// Nothing more is written until a restart.
    pub(crate) fn halt(&self, reason: &str) {
        tracing::error!(tenant = %self.config.tenant, reason, "nothing is written until a restart");
        *self.fatal.lock() = Some(reason.to_owned());
    }

    /// Whether a request started now has ended before the lease does.
    pub(crate) fn lease_covers_a_request(&self) -> bool {
        covers(self.config.lease.remaining(), self.config.request_timeout)
    }

    /// For tests: dies at this point when told to. What is dead does nothing any more.
    pub(crate) async fn crash_point(&self, point: CrashPoint, account: AccountKey) {
        let Some(hook) = &self.config.crash else { return };
        if self.dead.load(Ordering::Acquire) || hook(point, account) {
            self.dead.store(true, Ordering::Release);
            std::future::pending::<()>().await;
        }
    }
}
