//! Which partitions a process may act on, and until when.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use tokio::sync::watch;

use super::stream::{Partition, Stream};

/// What a process owns of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assignment {
    /// Grows with every change, so that two assignments of the same partitions can be told apart.
    pub generation: u64,
    /// The owned partitions.
    pub partitions: BTreeSet<Partition>,
    /// The generation at which each of them was taken: another one than at the last look means that it was lost and
    /// came back meanwhile, and may have been another's in between.
    pub since: BTreeMap<Partition, u64>,
}

impl Assignment {
    /// From now on `partitions` are owned. What was owned before keeps its generation; false when nothing changed.
    pub fn own(&mut self, partitions: BTreeSet<Partition>) -> bool {
        if partitions == self.partitions {
            return false;
        }
        self.generation = self.generation.wrapping_add(1);
        self.since.retain(|partition, _| partitions.contains(partition));
        for partition in &partitions {
            self.since.entry(*partition).or_insert(self.generation);
        }
        self.partitions = partitions;
        true
    }
}

/// How a process stands with those that it shares with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It belongs to them, and knows what it owns: nothing at all, when there are more processes than partitions.
    Member,
    /// Nothing was dealt to it yet, or everything was lost.
    NotDealt {
        /// What is in the way, as far as it is known.
        why: Option<String>,
    },
    /// It may belong to them no more: its lease has run out.
    Lapsed {
        /// What is in the way, as far as it is known.
        why: Option<String>,
    },
}

/// The share of a stream's partitions that this process has among several: nobody else acts on them for as
/// long as [`Membership::remaining`] says.
pub trait Membership: fmt::Debug + Send + Sync + 'static {
    /// The stream whose partitions are shared out.
    fn stream(&self) -> Stream;

    /// What is owned now; changes are told. A partition that is taken away is gone from here before another
    /// process can get it.
    fn assignment(&self) -> watch::Receiver<Assignment>;

    /// How long what is owned is certain to stay ours; `None` when there is nobody to share with. Zero while
    /// this process is not known to belong to the group.
    fn remaining(&self) -> Option<Duration>;

    /// Whether this process belongs to those that it shares with. A process that owns nothing is a spare only while
    /// this says so.
    fn standing(&self) -> Standing {
        match self.remaining() {
            Some(Duration::ZERO) => Standing::Lapsed { why: None },
            _ => Standing::Member,
        }
    }

    /// Whether a partition is owned, and how long what is owned is certain to stay ours: looked at so that the time is
    /// never one that began after the partition was taken away.
    fn owns(&self, partition: Partition) -> (bool, Option<Duration>) {
        // In this order: what is taken away is gone from the assignment before the lease is another's.
        let remaining = self.remaining();
        let owned = self.assignment().borrow().partitions.contains(&partition);
        (owned, remaining)
    }

    /// As [`Membership::owns`], for the end of what is in flight: what was taken away in order is still ours until it
    /// is released or the time is over, and so may go on record; nothing new is begun for it.
    fn holds(&self, partition: Partition) -> (bool, Option<Duration>) {
        self.owns(partition)
    }

    /// Says that nothing is in flight any more for partitions that were taken away, so that they may be
    /// handed on. Those that are never released are handed on when the lease has run out.
    fn released(&self, partitions: &[Partition]);
}
