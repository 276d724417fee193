//! Starting, watching and stopping a reconciler.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use parking_lot::Mutex;
use rollcall_domain::{AccountKey, Timestamp};
use rollcall_eventlog::{EventLog, ReadLog};
use rollcall_fluent::FluentClient;
use rustc_hash::FxHashMap;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::clock::millis;
use crate::config::ReconcilerConfig;
use crate::crew::Crew;
use crate::gate::Gate;
use crate::metrics::Metrics;
use crate::pace::Pause;
use crate::plan::OwnUser;
use crate::queue::{Counts, Lane, Queue};
use crate::record::{LoadError, Recorder, load};
use crate::scope::{Scope, Share};
use crate::shared::Shared;
use crate::source::DesiredSource;
use crate::{catalog, dispatch, resync};

/// Longest pause before we ask again who we are.
const OWN_USER_RETRY_MAX: Duration = Duration::from_secs(5);

/// A running reconciler of one tenant. Dropping it ends it at once; [`Reconciler::stop`] ends it cleanly.
#[derive(Debug)]
pub struct Reconciler {
    shared: Arc<Shared>,
    dispatcher: Option<JoinHandle<()>>,
    tasks: Vec<JoinHandle<()>>,
}

/// How things stand.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Accounts per lane, waiting and worked on.
    pub accounts: Counts,
    /// When the next waiting account is due: after a back-off, or at the end of its late-write window.
    pub next_due: Option<Timestamp>,
    /// Accounts in the ledger.
    pub known: usize,
    /// Accounts with intents that are not closed.
    pub unsettled: usize,
    /// Requests that may be out at one time.
    pub slots: usize,
    /// Requests that are out.
    pub in_flight: usize,
    /// Requests per second at most, once Fluent asked for fewer.
    pub rate: Option<f64>,
    /// All but a leaver's probe waits, until when and why.
    pub pause: Option<Pause>,
    /// The newest failure code.
    pub last_failure: Option<String>,
    /// Why nothing is written any more until a restart.
    pub halted: Option<String>,
    /// Resyncs that came to their end.
    pub resyncs: u64,
    /// When the last of them did.
    pub resynced: Option<Timestamp>,
    /// When the catalog was last read completely.
    pub catalog_read: Option<Timestamp>,
    /// Accounts that were held when last looked at.
    pub held: usize,
    /// Accounts of which an outcome cannot be read: what is ours there is not known, so nothing is written but the end
    /// of a leaver's access that is certainly ours.
    pub unreadable: usize,
    /// Fluent has told us who we are, so writing may begin.
    pub introduced: bool,
    /// Nothing waits, nothing is worked on, and a resync has been through.
    pub converged: bool,
}

impl Reconciler {
    /// Rebuilds the ledger from the log and begins. Needs a tokio runtime. `source` must have taken in all that was in
    /// the log when the accounts became ours: what was served beyond that is taken for lost.
    ///
    /// # Errors
    /// [`LoadError`] when the outcomes cannot be read whole: what is ours would be taken for foreign.
    pub async fn start(
        config: ReconcilerConfig,
        log: Arc<dyn EventLog>,
        source: Arc<dyn DesiredSource>,
        client: FluentClient,
    ) -> Result<Self, LoadError> {
        let clock = Arc::clone(&config.clock);
        let checkpoint = config.checkpoint.as_deref();
        let mut loaded = load(log.as_ref(), &config.tenant, config.scope, checkpoint).await?;
        loaded
            .ledger
            .recover(clock.now().plus_millis(millis(config.late_write_window)));
        let (began_at, served) = (source.sequence(), loaded.ledger.serves_max());
        if served > began_at {
            tracing::warn!(
                tenant = %config.tenant, %served, events = %began_at,
                "events that were served are not in the log any more: accounts are made as the log says now"
            );
        }
        let crew = config.crew.clone();
        let crew = crew.unwrap_or_else(|| Crew::new(config.concurrency_max, Arc::clone(&clock)));
        let metrics = crew.shared_metrics();
        let read: Arc<dyn ReadLog> = Arc::<dyn EventLog>::clone(&log);
        let shared = Arc::new(Shared {
            gate: Gate::new(client, crew.pacer(), Arc::clone(&clock), Arc::clone(&metrics)),
            recorder: Arc::new(Recorder::new(log, &config, loaded)),
            share: Share::new(config.scope, config.tenant.clone(), read),
            crew,
            clock,
            metrics,
            own_user: watch::Sender::new(None),
            queue: Mutex::new(Queue::default()),
            queue_changed: Notify::new(),
            catalog_wanted: Notify::new(),
            resync_wanted: Notify::new(),
            resynced: watch::Sender::new(0),
            found: Mutex::new(FxHashMap::default()),
            renames: Mutex::new(FxHashMap::default()),
            stopping: watch::Sender::new(false),
            fatal: Mutex::new(None),
            dead: AtomicBool::new(false),
            began_at,
            source,
            config,
        });
        // Subscribed before the accounts are walked, so that no change falls between.
        let wakes = shared.source.subscribe();
        shared.crew.join(&shared);
        let mut tasks = vec![
            tokio::spawn(learn_own_user(Arc::clone(&shared))),
            tokio::spawn(resync::run(Arc::clone(&shared))),
            tokio::spawn(keep_checkpoints(Arc::clone(&shared))),
        ];
        if shared.config.catalog {
            tasks.push(tokio::spawn(catalog::run(Arc::clone(&shared))));
            if shared.share.scope() != Scope::Whole {
                tasks.push(tokio::spawn(catalog::notice_others(Arc::clone(&shared))));
            }
        }
        let dispatcher = Some(tokio::spawn(dispatch::run(Arc::clone(&shared), wakes)));
        Ok(Self {
            shared,
            dispatcher,
            tasks,
        })
    }

    /// How things stand.
    #[must_use]
    pub fn status(&self) -> Status {
        let shared = &self.shared;
        let (accounts, next_due) = {
            let queue = shared.queue.lock();
            (queue.counts(), queue.next_due())
        };
        let (known, unsettled) = shared
            .recorder
            .with_ledger(|ledger| (ledger.len(), ledger.unsettled().count()));
        let (slots, in_flight, rate) = shared.gate.pacer.figures();
        let resyncs = *shared.resynced.borrow();
        let halted = self.halted();
        Status {
            accounts,
            next_due,
            known,
            unsettled,
            slots,
            in_flight,
            rate,
            pause: shared.gate.pacer.pause(),
            last_failure: shared.metrics.last_failure(),
            converged: accounts.is_idle() && resyncs > 0 && halted.is_none(),
            halted,
            resyncs,
            resynced: *shared.metrics.resynced.lock(),
            catalog_read: *shared.metrics.catalog_read.lock(),
            held: shared.recorder.with_ledger(|ledger| ledger.held()),
            unreadable: shared.recorder.unreadable_accounts(),
            introduced: shared.own_user.borrow().is_some(),
        }
    }

    /// Why nothing is written any more until a restart, as in [`Status`]: without the counting that a status costs.
    #[must_use]
    pub fn halted(&self) -> Option<String> {
        self.shared.fatal.lock().clone()
    }

    /// Counters and histograms.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// What the ledger says of an account.
    #[must_use]
    pub fn ledger(&self, account: AccountKey) -> crate::ledger::LedgerEntry {
        self.shared.recorder.entry(account)
    }

    /// The accounts that were held when last looked at, with the fingerprint of their holds
    /// ([`print_of_holds`](crate::ledger::print_of_holds)), in order of their keys.
    #[must_use]
    pub fn held_accounts(&self) -> Vec<(AccountKey, u64)> {
        let recorder = &self.shared.recorder;
        let mut held: Vec<_> = recorder.with_ledger(|ledger| ledger.held_accounts().collect());
        held.sort_unstable();
        held
    }

    /// Looks at an account now.
    pub fn look_at(&self, account: AccountKey) {
        self.shared.push(account, Lane::Rest, None);
    }

    /// The accounts that it looks after.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.shared.share.scope()
    }

    /// Reads the catalog soon: at most every 10 s. Nothing when another reconciler reads it.
    pub fn want_catalog(&self) {
        self.shared.catalog_wanted.notify_one();
    }

    /// Looks for drift now, for the whole crew.
    pub fn want_resync(&self) {
        self.shared.resync_wanted.notify_one();
    }

    /// Waits until so many resyncs have come to their end since the start.
    pub async fn resynced(&self, count: u64) {
        let mut resynced = self.shared.resynced.subscribe();
        // An error is impossible: the sender is in `self`.
        let _reached = resynced.wait_for(|done| *done >= count).await;
    }

    /// Takes nothing new, finishes what is under way (its read-back and outcome included) and ends.
    pub async fn stop(mut self) {
        self.shared.stopping.send_replace(true);
        if let Some(dispatcher) = self.dispatcher.take() {
            // An error means that it had ended by itself, which is what is waited for.
            let _ended = dispatcher.await;
        }
        if self.shared.recorder.checkpoint_at_stop() {
            write_checkpoint(&self.shared, || true).await;
        }
    }
}

impl Drop for Reconciler {
    fn drop(&mut self) {
        for task in self.tasks.iter().chain(&self.dispatcher) {
            task.abort();
        }
    }
}

/// Writes a checkpoint of the ledger whenever one is due.
async fn keep_checkpoints(shared: Arc<Shared>) {
    if shared.config.checkpoint.is_none() {
        return;
    }
    loop {
        tokio::select! {
            () = shared.recorder.checkpoint_due() => {}
            () = shared.stopped() => return,
        }
        let stopping = shared.stopping.subscribe();
        write_checkpoint(&shared, move || !*stopping.borrow()).await;
    }
}

async fn write_checkpoint(shared: &Shared, go_on: impl Fn() -> bool + Send + 'static) {
    let Some(path) = shared.config.checkpoint.clone() else {
        return;
    };
    if let Err(error) = Arc::clone(&shared.recorder).checkpoint(path, go_on).await {
        tracing::warn!(tenant = %shared.config.tenant, %error, "no checkpoint of the ledger was written");
    }
}

/// Until we know who we are in Fluent nothing is written: our own user is never touched.
async fn learn_own_user(shared: Arc<Shared>) {
    let mut pause = Duration::from_millis(250);
    loop {
        match shared.gate.me().await {
            Ok(user) => {
                shared.own_user.send_replace(Some(OwnUser {
                    id: user.id,
                    username: user.username,
                }));
                shared.queue_changed.notify_one();
                return;
            }
            Err(error) => {
                tracing::warn!(tenant = %shared.config.tenant, %error, "Fluent does not say who we are")
            }
        }
        if !shared.sleep(pause).await {
            return;
        }
        pause = pause.saturating_mul(2).min(OWN_USER_RETRY_MAX);
    }
}
