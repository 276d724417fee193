//! Handing accounts to workers: one worker per account, a bounded number of them, leavers always.

use std::sync::Arc;
use std::time::Duration;

use rollcall_domain::{AccountKey, Timestamp};
use rustc_hash::FxHashMap;
use tokio::task::{Id, JoinSet};

use crate::apply::visit;
use crate::clock::millis;
use crate::config::BACK_OFF_MAX;
use crate::queue::{Finish, Lane, Taken};
use crate::shared::Shared;
use crate::source::{Wake, WakeStream};

/// Workers beyond the usual number that only leavers get, so that none waits for a slow joiner to end.
const LEAVER_WORKERS: usize = 4;
/// Time for outcomes to become durable at a stop.
const STOP_MARGIN: Duration = Duration::from_secs(5);
/// Wakes taken over at one time, so that a flood of them does not keep finished work waiting.
const WAKES_AT_ONCE: usize = 1024;

/// Runs until the reconciler is to stop, then waits for what is under way: as long as a request may take
/// and be read back. What hangs beyond that is dropped; to the next start it is as if the process had died
/// there.
pub(crate) async fn run(shared: Arc<Shared>, wakes: Box<dyn WakeStream>) {
    let grace = shared
        .config
        .request_timeout
        .saturating_mul(2)
        .saturating_add(STOP_MARGIN);
    let stopped = async {
        shared.stopped().await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        () = work(Arc::clone(&shared), wakes) => {}
        () = stopped => tracing::warn!(tenant = %shared.config.tenant, "some accounts were left under way"),
    }
}

async fn work(shared: Arc<Shared>, mut wakes: Box<dyn WakeStream>) {
    let mut workers: JoinSet<Finish> = JoinSet::new();
    let mut accounts: FxHashMap<Id, AccountKey> = FxHashMap::default();
    let mut source_stopped = false;
    loop {
        let stopping = shared.is_stopping();
        let halted = shared.is_halted();
        if stopping && workers.is_empty() {
            return;
        }
        if !stopping && !halted {
            take_over(&shared, wakes.as_mut(), None);
            shared.queue.lock().ripen(shared.now());
            while let Some((taken, failures)) = next(&shared, workers.len()) {
                let work = Arc::clone(&shared);
                let handle = workers.spawn(async move { visit(&work, taken, failures).await });
                accounts.insert(handle.id(), taken.key);
            }
        }
        let due = wake_up_at(&shared).filter(|_| !halted);
        tokio::select! {
            biased;
            Some(ended) = workers.join_next_with_id() => {
                let (id, finish) = match ended {
                    Ok((id, finish)) => (id, finish),
                    Err(error) => {
                        // A defect in one visit must not take the account out of the queue for ever.
                        tracing::error!(%error, "a worker ended early");
                        (error.id(), Finish::Failed(shared.now().plus_millis(millis(BACK_OFF_MAX))))
                    }
                };
                if let Some(account) = accounts.remove(&id) {
                    shared.queue.lock().finish(account, finish);
                }
            }
            wake = wakes.recv(), if !stopping && !source_stopped => match wake {
                Some(wake) => take_over(&shared, wakes.as_mut(), Some(wake)),
                None => source_stopped = true,
            },
            () = shared.queue_changed.notified(), if !stopping => {}
            () = shared.clock.sleep_until(due.unwrap_or_default()), if !stopping && due.is_some() => {}
            () = shared.stopped(), if !stopping => {}
        }
    }
}

fn take_over(shared: &Shared, wakes: &mut dyn WakeStream, first: Option<Wake>) {
    let now = shared.now();
    let mut queue = shared.queue.lock();
    let more = std::iter::from_fn(|| wakes.try_recv());
    let ours = |wake: &Wake| shared.share.holds(wake.account);
    for wake in first.into_iter().chain(more).take(WAKES_AT_ONCE).filter(ours) {
        queue.push(wake.account, wake.lane, Some(wake.received.unwrap_or(now)));
    }
}

/// The next account, if a worker may take one.
fn next(shared: &Shared, busy: usize) -> Option<(Taken<AccountKey>, u32)> {
    shared.own_user.borrow().as_ref()?; // until we know who we are, nothing is touched
    let usual = shared.config.concurrency_max.max(1);
    if busy >= usual.saturating_add(LEAVER_WORKERS) {
        return None;
    }
    let only_leavers = busy >= usual || shared.gate.pacer.pause().is_some();
    let mut queue = shared.queue.lock();
    let taken = queue.take(if only_leavers { Lane::Leaver } else { Lane::Resync })?;
    Some((taken, queue.failures(taken.key)))
}

fn wake_up_at(shared: &Shared) -> Option<Timestamp> {
    let due = shared.queue.lock().next_due();
    let pause = shared.gate.pacer.pause().map(|pause| pause.until);
    due.into_iter().chain(pause).min()
}
