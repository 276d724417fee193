//! The membership of a process that shares with nobody.

use std::time::Duration;

use tokio::sync::watch;

use crate::contract::{Assignment, Membership, Partition, ReadLog, Stream};

/// All partitions of a stream, for ever: for an engine that one process has open at a time.
#[derive(Debug)]
pub struct SoleMember {
    stream: Stream,
    assignment: watch::Sender<Assignment>,
}

impl SoleMember {
    /// Owns every partition that `log` has of `stream`.
    #[must_use]
    pub fn new(log: &dyn ReadLog, stream: Stream) -> Self {
        let mut all = Assignment::default();
        all.own(log.partitions(stream).into_iter().collect());
        Self {
            stream,
            assignment: watch::Sender::new(all),
        }
    }
}

impl Membership for SoleMember {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LogId, MemoryLog};

    #[test]
    fn a_sole_member_owns_everything_for_ever() {
        let log = MemoryLog::new(LogId([1; 16]));
        let member = SoleMember::new(&log, Stream::Events);
        assert_eq!(member.assignment().borrow().partitions, [Partition::ONLY].into());
        assert_eq!(member.remaining(), None);
    }
}
