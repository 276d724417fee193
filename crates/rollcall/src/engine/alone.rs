//! The membership of a process that shares with nobody.

use std::time::Duration;

use rollcall_eventlog::{Assignment, Membership, Partition, ReadLog, Stream};
use tokio::sync::watch;

/// Owns every partition, for ever.
#[derive(Debug)]
pub(super) struct Alone {
    stream: Stream,
    assignment: watch::Sender<Assignment>,
}

impl Alone {
    pub(super) fn new(log: &dyn ReadLog, stream: Stream) -> Self {
        let all = Assignment {
            generation: 1,
            partitions: log.partitions(stream).into_iter().collect(),
        };
        Self {
            stream,
            assignment: watch::Sender::new(all),
        }
    }
}

impl Membership for Alone {
    fn stream(&self) -> Stream {
        self.stream
    }

    fn assignment(&self) -> watch::Receiver<Assignment> {
        self.assignment.subscribe()
    }

    fn remaining(&self) -> Option<Duration> {
        None
    }

    fn released(&self, _partitions: &[Partition]) {}
}
