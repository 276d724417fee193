//! Attending to partitions for as long as they are ours: each is taken, and let go when it is taken away, before
//! another process gets it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use rollcall_eventlog::{Assignment, Partition};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::shares::Share;

/// Pause before a partition that could not be taken is tried again.
const RETRY: Duration = if cfg!(test) {
    Duration::from_millis(10)
} else {
    Duration::from_secs(2)
};

/// What is done for a partition while it is ours.
pub(super) trait Attend: Send + Sync + 'static {
    /// Begins. May be dropped at any await, when the partition is taken away meanwhile; [`Attend::let_go`] follows.
    /// After an error it is called again, for what has not begun.
    fn take(&self, partition: Partition) -> BoxFuture<'_, anyhow::Result<()>>;

    /// Ends, whether or not it had begun. When this is over nothing is in flight any more.
    fn let_go(&self, partition: Partition) -> BoxFuture<'_, ()>;

    /// So many partitions are ours now.
    fn dealt(&self, owned: usize);
}

/// A partition that is attended to, by a task of its own: so none waits for another's slow beginning.
struct Attended {
    /// The generation at which it was dealt.
    since: Option<u64>,
    let_go: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// What ends: its partition when it has.
type Ending = FuturesUnordered<BoxFuture<'static, Partition>>;

/// Attends to what is dealt out until `stop`, then lets everything go. What is taken away ends beside what is begun:
/// only its own return waits for it.
pub(super) async fn attend(share: Arc<Share>, work: Arc<dyn Attend>, mut stop: watch::Receiver<bool>) {
    let membership = share.membership();
    let mut assignment = membership.assignment();
    let mut ours: BTreeMap<Partition, Attended> = BTreeMap::new();
    let mut ending = Ending::new();
    let mut leaving: BTreeSet<Partition> = BTreeSet::new();
    // The group may be gone for good: what is ours stays ours until the lease ends, which forbids every act.
    let mut is_dealing = true;
    loop {
        let stopping = *stop.borrow_and_update() || stop.has_changed().is_err();
        let Assignment {
            partitions: mut dealt,
            since,
            ..
        } = assignment.borrow_and_update().clone();
        if stopping {
            dealt.clear();
        }
        work.dealt(dealt.len());
        // What was lost and has come back was perhaps another's meanwhile: it is begun anew.
        let is_gone = |partition: &Partition, attended: &Attended| {
            !dealt.contains(partition) || since.get(partition).copied() != attended.since
        };
        for (partition, attended) in ours.extract_if(.., |partition, attended| is_gone(partition, attended)) {
            let _ended_already = attended.let_go.send(());
            leaving.insert(partition);
            ending.push(Box::pin(end(partition, attended.task)));
        }
        if stopping && leaving.is_empty() {
            return;
        }
        let is_new = |partition: &Partition| !ours.contains_key(partition) && !leaving.contains(partition);
        let new: Vec<Partition> = dealt.into_iter().filter(is_new).collect();
        if !new.is_empty() {
            tracing::info!(stream = %membership.stream(), partitions = ?numbers(&new), "taken");
        }
        for partition in new {
            let since = since.get(&partition).copied();
            let begun = attend_to(Arc::clone(&share), Arc::clone(&work), partition, since);
            ours.insert(partition, begun);
        }
        tokio::select! {
            changed = assignment.changed(), if is_dealing => is_dealing = changed.is_ok(),
            _stopping = stop.changed(), if !stopping => {}
            Some(ended) = ending.next(), if !ending.is_empty() => {
                leaving.remove(&ended);
                tracing::info!(stream = %membership.stream(), partition = %ended, "let go");
                membership.released(&[ended]);
            }
        }
    }
}

fn numbers(partitions: &[Partition]) -> Vec<u32> {
    partitions.iter().map(|partition| partition.0).collect()
}

/// Waits until nothing is in flight any more of what was let go.
async fn end(partition: Partition, task: JoinHandle<()>) -> Partition {
    if task.await.is_err() {
        tracing::error!(%partition, "attending to a partition ended badly");
    }
    partition
}

fn attend_to(share: Arc<Share>, work: Arc<dyn Attend>, partition: Partition, since: Option<u64>) -> Attended {
    let (let_go, mut gone) = oneshot::channel();
    let task = tokio::spawn(async move {
        loop {
            tokio::select! {
                biased;
                _ = &mut gone => break,
                taken = work.take(partition) => match taken {
                    Ok(()) => {
                        share.attended(partition);
                        let _let_go_or_dropped = (&mut gone).await;
                        break;
                    }
                    Err(error) => {
                        let error = format!("{error:#}");
                        tracing::warn!(%partition, error, "a partition could not be taken; trying again");
                        share.in_trouble(partition, error);
                    }
                },
            }
            tokio::select! {
                biased;
                _ = &mut gone => break,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
        share.let_go(partition);
        work.let_go(partition).await;
    });
    Attended { since, let_go, task }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use parking_lot::Mutex;
    use rollcall_eventlog::Stream;
    use rollcall_eventlog::testing::DealtMembership;

    use super::*;

    /// What was done, and which partitions take for ever or fail at first.
    #[derive(Default)]
    struct Noted {
        deeds: Mutex<Vec<String>>,
        slow: BTreeSet<u32>,
        failing: Mutex<BTreeSet<u32>>,
        /// Whose end waits for `may_end`.
        lingering: BTreeSet<u32>,
        may_end: tokio::sync::Notify,
        told: tokio::sync::Notify,
    }

    impl Noted {
        fn note(&self, deed: String) {
            self.deeds.lock().push(deed);
            self.told.notify_one();
        }

        async fn until(&self, deeds: &[&str]) {
            let all = async {
                while !deeds
                    .iter()
                    .all(|deed| self.deeds.lock().iter().any(|done| done == deed))
                {
                    self.told.notified().await;
                }
            };
            let waited = tokio::time::timeout(Duration::from_secs(20), all).await;
            assert!(waited.is_ok(), "{:?}, not {deeds:?}", self.deeds.lock());
        }
    }

    impl Attend for Noted {
        fn take(&self, partition: Partition) -> BoxFuture<'_, anyhow::Result<()>> {
            Box::pin(async move {
                self.note(format!("take {partition}"));
                if self.slow.contains(&partition.0) {
                    std::future::pending::<()>().await;
                }
                anyhow::ensure!(!self.failing.lock().remove(&partition.0), "not yet");
                self.note(format!("took {partition}"));
                Ok(())
            })
        }

        fn let_go(&self, partition: Partition) -> BoxFuture<'_, ()> {
            Box::pin(async move {
                if self.lingering.contains(&partition.0) {
                    self.note(format!("ending {partition}"));
                    self.may_end.notified().await;
                }
                self.note(format!("let go {partition}"));
            })
        }

        fn dealt(&self, owned: usize) {
            self.note(format!("dealt {owned}"));
        }
    }

    fn start(work: &Arc<Noted>) -> (Arc<DealtMembership>, watch::Sender<bool>, JoinHandle<()>) {
        let membership = Arc::new(DealtMembership::new(Stream::Outcomes));
        let (stop, stopping) = watch::channel(false);
        let share = Share::new("reconcile", Arc::<DealtMembership>::clone(&membership));
        let task = tokio::spawn(attend(share, Arc::clone(work) as _, stopping));
        (membership, stop, task)
    }

    #[tokio::test]
    async fn what_is_taken_away_is_let_go_before_it_is_released() {
        let work = Arc::new(Noted::default());
        let (membership, stop, task) = start(&work);
        membership.deal([0, 1]);
        work.until(&["took 0", "took 1"]).await;
        membership.deal([1, 2]);
        let mut released = membership.let_go();
        released
            .wait_for(|gone| gone.contains(&Partition(0)))
            .await
            .unwrap();
        work.until(&["let go 0", "took 2"]).await;
        stop.send_replace(true);
        task.await.unwrap();
        let all: BTreeSet<Partition> = released.borrow().clone();
        assert_eq!(all, [0, 1, 2].map(Partition).into());
        work.until(&["let go 1", "let go 2", "dealt 0"]).await;
    }

    #[tokio::test]
    async fn a_beginning_that_takes_long_is_broken_off_and_holds_up_no_other() {
        let work = Arc::new(Noted {
            slow: [0].into(),
            ..Noted::default()
        });
        let (membership, stop, task) = start(&work);
        membership.deal([0, 1]);
        work.until(&["take 0", "took 1"]).await;
        membership.deal([1]);
        let mut released = membership.let_go();
        released
            .wait_for(|gone| gone.contains(&Partition(0)))
            .await
            .unwrap();
        stop.send_replace(true);
        task.await.unwrap();
    }

    #[tokio::test]
    async fn what_was_lost_and_came_back_between_two_looks_is_begun_anew() {
        let work = Arc::new(Noted::default());
        let (membership, stop, task) = start(&work);
        membership.deal([0, 1]);
        work.until(&["took 0", "took 1"]).await;
        work.deeds.lock().clear();
        // Nobody looks in between: this thread has the runtime for itself.
        membership.deal([1]);
        membership.deal([0, 1]);
        work.until(&["let go 0", "took 0"]).await;
        assert!(
            !work.deeds.lock().contains(&"let go 1".to_owned()),
            "that one stayed"
        );
        stop.send_replace(true);
        task.await.unwrap();
    }

    #[tokio::test]
    async fn a_partition_that_cannot_be_taken_is_tried_again() {
        let work = Arc::new(Noted {
            failing: Mutex::new([3].into()),
            ..Noted::default()
        });
        let (membership, stop, task) = start(&work);
        membership.deal([3]);
        work.until(&["take 3", "took 3"]).await;
        stop.send_replace(true);
        task.await.unwrap();
    }

    #[tokio::test]
    async fn what_ends_slowly_holds_up_nothing_but_its_own_return() {
        let work = Arc::new(Noted {
            lingering: [0].into(),
            ..Noted::default()
        });
        let (membership, stop, task) = start(&work);
        membership.deal([0]);
        work.until(&["took 0"]).await;
        membership.deal([1]);
        work.until(&["ending 0", "took 1"]).await;
        assert!(membership.let_go().borrow().is_empty(), "it has not ended");
        work.deeds.lock().clear();
        membership.deal([0, 1, 2]);
        work.until(&["took 2"]).await;
        let early = work.deeds.lock().contains(&"take 0".to_owned());
        assert!(!early, "begun anew before it has ended");
        work.may_end.notify_one();
        work.until(&["let go 0", "took 0"]).await;
        stop.send_replace(true);
        work.may_end.notify_one();
        task.await.unwrap();
        assert_eq!(*membership.let_go().borrow(), [0, 1, 2].map(Partition).into());
    }
}
