//! The work queue: keys, never work. Lanes, merging of bursts, one worker per key, back-off, ageing.
//!
//! Pure: `now` is an argument. Its bound is the number of keys, since a key stands in it at most once.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;

use rollcall_domain::Timestamp;
use rustc_hash::FxHashMap;

/// Which queue a key waits in, most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Accounts that lose their access altogether.
    Leaver,
    /// Accounts that lose something.
    Removal,
    /// Everything else that changed.
    Rest,
    /// Accounts that a resync found drifted.
    Resync,
}

impl Lane {
    /// All of them, most urgent first.
    pub const ALL: [Self; 4] = [Self::Leaver, Self::Removal, Self::Rest, Self::Resync];

    /// The lane's name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Leaver => "leaver",
            Self::Removal => "removal",
            Self::Rest => "rest",
            Self::Resync => "resync",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Leaver => 0,
            Self::Removal => 1,
            Self::Rest => 2,
            Self::Resync => 3,
        }
    }

    /// How often in a row a waiting lane may be passed over for a more urgent one: its ageing. Large enough
    /// that a leaver hardly ever waits for another lane, finite so that nothing starves.
    const fn patience(self) -> u32 {
        match self {
            Self::Leaver => u32::MAX,
            Self::Removal => 32,
            Self::Rest => 64,
            Self::Resync => 256,
        }
    }
}

/// Keys per lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Ready to be taken, by [`Lane::ALL`].
    pub ready: [usize; 4],
    /// Waiting for their time.
    pub waiting: usize,
    /// Being worked on.
    pub processing: usize,
}

impl Counts {
    /// True when nothing is ready, waiting or worked on.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.ready.iter().all(|count| *count == 0) && self.waiting == 0 && self.processing == 0
    }
}

/// A key that was taken, and what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken<K> {
    /// The key.
    pub key: K,
    /// The most urgent lane that it was pushed to.
    pub lane: Lane,
    /// The earliest receipt among the pushes that merged into it.
    pub received: Option<Timestamp>,
}

/// How the work on a key ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// Nothing more to do; its failures are forgotten.
    Done,
    /// Done for now; look again at that time. Its failures are forgotten.
    Again(Timestamp),
    /// It failed: again at that time; one more failure is counted.
    Failed(Timestamp),
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Ready {
        ticket: u64,
    },
    Waiting {
        due: Timestamp,
    },
    Processing {
        again: Option<Lane>,
        received: Option<Timestamp>,
    },
}

#[derive(Debug)]
struct Entry {
    place: Place,
    lane: Lane,
    received: Option<Timestamp>,
    failures: u32,
}

/// The queue.
#[derive(Debug)]
pub struct Queue<K> {
    entries: FxHashMap<K, Entry>,
    ready: [BTreeMap<u64, K>; 4],
    waiting: BTreeSet<(Timestamp, K)>,
    passed: [u32; 4],
    processing: usize,
    tickets: u64,
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        Self {
            entries: FxHashMap::default(),
            ready: [const { BTreeMap::new() }; 4],
            waiting: BTreeSet::new(),
            passed: [0; 4],
            processing: 0,
            tickets: 0,
        }
    }
}

fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

impl<K: Copy + Ord + Hash> Queue<K> {
    /// Marks a key as to be looked at. A key that waits already keeps its place, or moves up to the more
    /// urgent lane; one that is worked on is queued again when that ends. A leaver or a removal overrides a
    /// back-off: it is something new to do. Anything else waits out the back-off of its key.
    pub fn push(&mut self, key: K, lane: Lane, received: Option<Timestamp>) {
        let Some(entry) = self.entries.get_mut(&key) else {
            let entry = Entry {
                place: Place::Ready { ticket: 0 },
                lane,
                received,
                failures: 0,
            };
            self.entries.insert(key, entry);
            self.enqueue(key, lane);
            return;
        };
        entry.received = earliest(entry.received, received);
        match &mut entry.place {
            Place::Processing { again, .. } => {
                *again = Some(again.map_or(lane, |known| known.min(lane)));
            }
            Place::Ready { ticket } if lane < entry.lane => {
                if let Some(queue) = self.ready.get_mut(entry.lane.index()) {
                    queue.remove(ticket);
                }
                self.enqueue(key, lane);
            }
            Place::Ready { .. } => {}
            Place::Waiting { due } => {
                let (due, failing, lane) = (*due, entry.failures > 0, lane.min(entry.lane));
                entry.lane = lane;
                if !failing || lane <= Lane::Removal {
                    self.waiting.remove(&(due, key));
                    self.enqueue(key, lane);
                }
            }
        }
    }

    fn enqueue(&mut self, key: K, lane: Lane) {
        self.tickets = self.tickets.saturating_add(1);
        if let Some(queue) = self.ready.get_mut(lane.index()) {
            queue.insert(self.tickets, key);
        }
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.place = Place::Ready { ticket: self.tickets };
            entry.lane = lane;
        }
    }

    /// Puts a key aside until `due`, unless it is known already.
    pub fn push_at(&mut self, key: K, lane: Lane, due: Timestamp) {
        if self.entries.contains_key(&key) {
            return;
        }
        let entry = Entry {
            place: Place::Waiting { due },
            lane,
            received: None,
            failures: 0,
        };
        self.entries.insert(key, entry);
        self.waiting.insert((due, key));
    }

    /// Moves keys whose time has come to their lanes.
    pub fn ripen(&mut self, now: Timestamp) {
        while let Some((due, key)) = self.waiting.first().copied() {
            if due > now {
                return;
            }
            self.waiting.remove(&(due, key));
            let lane = self.entries.get(&key).map_or(Lane::Rest, |entry| entry.lane);
            self.enqueue(key, lane);
        }
    }

    /// When the next waiting key is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.waiting.first().map(|(due, _)| *due)
    }

    /// The next key to work on, from a lane up to `least`; nobody else gets it until [`Queue::finish`].
    pub fn take(&mut self, least: Lane) -> Option<Taken<K>> {
        let lane = self.next_lane(least)?;
        let (_, key) = self.ready.get_mut(lane.index())?.pop_first()?;
        let entry = self.entries.get_mut(&key)?;
        let received = entry.received.take();
        entry.place = Place::Processing {
            again: None,
            received,
        };
        self.processing = self.processing.saturating_add(1);
        Some(Taken { key, lane, received })
    }

    /// The most urgent lane that has a key, or one that was passed over too often.
    fn next_lane(&mut self, least: Lane) -> Option<Lane> {
        let has = |lane: Lane| {
            self.ready
                .get(lane.index())
                .is_some_and(|queue| !queue.is_empty())
        };
        let passed = |lane: Lane| self.passed.get(lane.index()).copied().unwrap_or_default();
        let waiting: Vec<Lane> = Lane::ALL
            .into_iter()
            .filter(|lane| *lane <= least && has(*lane))
            .collect();
        let overdue = waiting
            .iter()
            .copied()
            .find(|lane| passed(*lane) >= lane.patience());
        let chosen = overdue.or_else(|| waiting.first().copied())?;
        for lane in waiting {
            if let Some(passed) = self.passed.get_mut(lane.index()) {
                *passed = if lane == chosen {
                    0
                } else {
                    passed.saturating_add(1)
                };
            }
        }
        Some(chosen)
    }

    /// Ends the work on a key. A key that was pushed meanwhile is queued again at once, unless it failed
    /// and the push was not urgent. One that failed still counts from its first receipt.
    pub fn finish(&mut self, key: K, finish: Finish) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        let Place::Processing { again, received } = entry.place else {
            return;
        };
        self.processing = self.processing.saturating_sub(1);
        let due = match finish {
            Finish::Done => None,
            Finish::Again(due) | Finish::Failed(due) => Some(due),
        };
        let failed = matches!(finish, Finish::Failed(_));
        if failed {
            entry.failures = entry.failures.saturating_add(1);
            entry.received = earliest(entry.received, received);
        } else {
            entry.failures = 0;
        }
        match (again, due) {
            (Some(lane), _) if !failed || lane <= Lane::Removal => self.enqueue(key, lane),
            (again, Some(due)) => {
                entry.lane = if failed {
                    again.map_or(entry.lane, |again| again.min(entry.lane))
                } else {
                    Lane::Rest
                };
                entry.place = Place::Waiting { due };
                self.waiting.insert((due, key));
            }
            (_, None) => {
                self.entries.remove(&key);
            }
        }
    }

    /// How often in a row the work on a key has failed.
    #[must_use]
    pub fn failures(&self, key: K) -> u32 {
        self.entries.get(&key).map_or(0, |entry| entry.failures)
    }

    /// True when the key neither waits nor is worked on.
    #[must_use]
    pub fn is_idle(&self, key: K) -> bool {
        !self.entries.contains_key(&key)
    }

    /// Keys per lane.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts {
            waiting: self.waiting.len(),
            processing: self.processing,
            ..Counts::default()
        };
        for (count, queue) in counts.ready.iter_mut().zip(&self.ready) {
            *count = queue.len();
        }
        counts
    }
}

/// The pause after a number of failures in a row: doubling from `first` to `most` milliseconds, spread by
/// up to a quarter by `salt` so that keys that failed together do not come back together.
#[must_use]
pub fn back_off(failures: u32, first: u64, most: u64, salt: u64) -> i64 {
    let doubled = first.saturating_mul(1u64.checked_shl(failures.min(32)).unwrap_or(u64::MAX));
    let pause = doubled.clamp(1, most.max(1));
    let spread = salt % (pause / 4).max(1);
    i64::try_from(pause.saturating_sub(spread)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
