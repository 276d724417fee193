//! Which partitions a process may act on, and until when.

use std::collections::BTreeSet;
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

    /// Whether a partition is owned, and how long what is owned is certain to stay ours: looked at so that the time is
    /// never one that began after the partition was taken away.
    fn owns(&self, partition: Partition) -> (bool, Option<Duration>) {
        // In this order: what is taken away is gone from the assignment before the lease is another's.
        let remaining = self.remaining();
        let owned = self.assignment().borrow().partitions.contains(&partition);
        (owned, remaining)
    }

    /// Says that nothing is in flight any more for partitions that were taken away, so that they may be
    /// handed on. Those that are never released are handed on when the lease has run out.
    fn released(&self, partitions: &[Partition]);
}
