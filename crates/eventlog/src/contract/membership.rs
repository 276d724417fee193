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

    /// Says that nothing is in flight any more for partitions that were taken away, so that they may be
    /// handed on. Those that are never released are handed on when the lease has run out.
    fn released(&self, partitions: &[Partition]);
}
