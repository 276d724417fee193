//! Waking the reconciler: keys and lanes, never work. Merged per account, so a queue is bounded by the number
//! of accounts and the driver never waits for its reader.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use rollcall_domain::{AccountKey, Timestamp};
use tokio::sync::Notify;

/// How urgent a wake-up is; the first is the most urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// The account is to lose its access altogether.
    Leaver,
    /// The account loses some grant.
    Removal,
    /// Anything else.
    Rest,
}

impl Lane {
    /// All of them, most urgent first.
    pub const ALL: [Self; 3] = [Self::Leaver, Self::Removal, Self::Rest];
}

/// An account whose desired user may have changed. No decision is made from the lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Wake {
    /// Which account.
    pub account: AccountKey,
    /// How urgent.
    pub lane: Lane,
    /// Event time when it was found changed: for a leaver the receipt of its own event, for one of a large fan-out
    /// maybe later. The earliest of those that merged. For latencies only.
    pub received: Timestamp,
}

#[derive(Debug, Default)]
struct Waiting {
    lanes: [VecDeque<AccountKey>; 3],
    pending: HashMap<AccountKey, (Lane, Timestamp)>,
    closed: bool,
}

/// The driver's end of one subscription.
#[derive(Clone, Default)]
pub(crate) struct WakeQueue {
    inner: Arc<(Mutex<Waiting>, Notify)>,
}

impl fmt::Debug for WakeQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WakeQueue({} waiting)", self.len())
    }
}

impl WakeQueue {
    /// Puts an account in, or moves it to a more urgent lane. Never blocks.
    pub(crate) fn push(&self, wakes: impl IntoIterator<Item = Wake>) {
        let mut waiting = self.inner.0.lock();
        for wake in wakes {
            let known = waiting.pending.get(&wake.account).copied();
            let received = known.map_or(wake.received, |(_, first)| first.min(wake.received));
            if known.is_some_and(|(lane, _)| lane <= wake.lane) {
                continue;
            }
            waiting.pending.insert(wake.account, (wake.lane, received));
            if let Some(queue) = waiting.lanes.get_mut(wake.lane as usize) {
                queue.push_back(wake.account);
            }
        }
        drop(waiting);
        self.inner.1.notify_one();
    }

    /// Lets the receiver see the end.
    pub(crate) fn close(&self) {
        self.inner.0.lock().closed = true;
        self.inner.1.notify_one();
    }

    /// True when the receiver is gone.
    pub(crate) fn is_abandoned(&self) -> bool {
        Arc::strong_count(&self.inner) == 1
    }

    fn len(&self) -> usize {
        self.inner.0.lock().pending.len()
    }

    pub(crate) fn receiver(&self) -> WakeReceiver {
        WakeReceiver { queue: self.clone() }
    }
}

/// The reader's end of one subscription.
#[derive(Debug)]
pub struct WakeReceiver {
    queue: WakeQueue,
}

impl WakeReceiver {
    /// The most urgent account, when one waits. Oldest first within a lane.
    #[must_use]
    pub fn try_recv(&mut self) -> Option<Wake> {
        let mut waiting = self.queue.inner.0.lock();
        for lane in Lane::ALL {
            while let Some(account) = waiting.lanes.get_mut(lane as usize).and_then(VecDeque::pop_front) {
                // An account that moved to another lane left its old place behind.
                let received = match waiting.pending.get(&account) {
                    Some((known, received)) if *known == lane => *received,
                    _ => continue,
                };
                waiting.pending.remove(&account);
                return Some(Wake {
                    account,
                    lane,
                    received,
                });
            }
        }
        None
    }

    /// Waits for the next account; `None` when the projector has stopped. May be dropped at any await.
    pub async fn recv(&mut self) -> Option<Wake> {
        loop {
            if let Some(wake) = self.try_recv() {
                return Some(wake);
            }
            if self.queue.inner.0.lock().closed {
                return self.try_recv();
            }
            self.queue.inner.1.notified().await;
        }
    }

    /// Accounts that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// True when none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wake(account: u8, lane: Lane) -> Wake {
        Wake {
            account: rollcall_domain::NameKey([account; 16]),
            lane,
            received: Timestamp::default(),
        }
    }

    #[test]
    fn leavers_overtake_and_an_account_waits_once() {
        let queue = WakeQueue::default();
        let mut receiver = queue.receiver();
        queue.push([wake(1, Lane::Rest), wake(2, Lane::Rest), wake(1, Lane::Rest)]);
        queue.push([wake(2, Lane::Leaver), wake(3, Lane::Removal), wake(2, Lane::Rest)]);
        assert_eq!(receiver.len(), 3);
        let got: Vec<Wake> = std::iter::from_fn(|| receiver.try_recv()).collect();
        assert_eq!(
            got,
            [wake(2, Lane::Leaver), wake(3, Lane::Removal), wake(1, Lane::Rest)]
        );
        assert!(receiver.is_empty());
    }
}
