//! What a process shares with others, as it is told to operators.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rollcall_eventlog::{Membership, Partition};
use rollcall_ingest::{Clock as _, SystemClock};

use super::Core;
use crate::admin::api::ShareStatus;

/// A member that has been dealt nothing after that time is a spare: there are more processes than partitions.
const SPARE_AFTER: Duration = Duration::from_secs(60);
/// The part of the process in `/readyz`.
const PART: &str = "group";

/// A share of this process: the group that deals it out, and what of it is attended to.
#[derive(Debug)]
pub(super) struct Share {
    group: &'static str,
    membership: Arc<dyn Membership>,
    /// Begun, and not let go since.
    attended: Mutex<BTreeSet<Partition>>,
    /// All that was ours was attended to at some time.
    begun: AtomicBool,
}

impl Share {
    pub(super) fn new(group: &'static str, membership: Arc<dyn Membership>) -> Arc<Self> {
        Arc::new(Self {
            group,
            membership,
            attended: Mutex::default(),
            begun: AtomicBool::new(false),
        })
    }

    pub(super) fn membership(&self) -> &Arc<dyn Membership> {
        &self.membership
    }

    /// A partition is attended to from now on, or no more.
    pub(super) fn attended(&self, partition: Partition, is_attended: bool) {
        let mut attended = self.attended.lock();
        if is_attended {
            attended.insert(partition);
        } else {
            attended.remove(&partition);
        }
    }

    /// Whether all that was dealt at first was begun: the state is loaded or rebuilt, and has caught up. What is dealt
    /// later does not make it untrue, so that a process that serves is not taken out for what it takes over.
    fn has_begun(&self) -> bool {
        let owned = owned(&self.membership);
        let all = owned.is_subset(&self.attended.lock());
        if all && !owned.is_empty() {
            self.begun.store(true, Ordering::Relaxed);
        }
        all || self.begun.load(Ordering::Relaxed)
    }
}

impl Core {
    /// The shares of this process, where there is somebody to share with.
    pub(super) fn share_status(&self) -> Vec<ShareStatus> {
        if self.opened.kafka().is_none() {
            return Vec::new();
        }
        let shares = self.shares.read();
        let told = shares.iter().map(|share| ShareStatus {
            group: share.group.to_owned(),
            stream: share.membership.stream().name().to_owned(),
            partitions: owned(&share.membership).iter().map(|owned| owned.0).collect(),
            of: u32::try_from(self.log.partitions(share.membership.stream()).len()).unwrap_or(u32::MAX),
            lease_ms: share
                .membership
                .remaining()
                .map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
        });
        told.collect()
    }

    /// Says whether this process belongs to its groups.
    pub(super) fn look_at_shares(&self) {
        let running = SystemClock.now().millis_since(self.started);
        let spare = u64::try_from(running).is_ok_and(|running| running > SPARE_AFTER.as_millis() as u64);
        let wrong = self.share_status().into_iter().find_map(|share| {
            let group = &share.group;
            if share.partitions.is_empty() {
                return (!spare).then(|| format!("no partition was dealt by the group {group} yet"));
            }
            (share.lease_ms == Some(0)).then(|| format!("the lease from the group {group} has run out"))
        });
        let beginning = || {
            let shares = self.shares.read();
            let share = shares.iter().find(|share| !share.has_begun())?;
            Some(format!("what the group {} dealt is being read", share.group))
        };
        let alone = self.opened.kafka().is_none();
        match wrong.or_else(|| if alone { None } else { beginning() }) {
            Some(why) => self.health.not_ready(PART, why),
            None => self.health.ready(PART),
        }
    }

    /// The share that a group deals out, where it was joined.
    ///
    /// # Errors
    /// When it was not.
    pub(super) fn share_named(&self, group: &str) -> anyhow::Result<Arc<Share>> {
        let shares = self.shares.read();
        let found = shares.iter().find(|share| share.group == group);
        found
            .cloned()
            .ok_or_else(|| anyhow::anyhow!("the group {group} was not joined"))
    }
}

fn owned(membership: &Arc<dyn Membership>) -> BTreeSet<Partition> {
    membership.assignment().borrow().partitions.clone()
}

#[cfg(test)]
mod tests {
    use rollcall_eventlog::Stream;
    use rollcall_eventlog::testing::DealtMembership;

    use super::*;

    #[test]
    fn a_process_has_begun_when_all_that_was_dealt_first_is_attended_to() {
        let membership = Arc::new(DealtMembership::new(Stream::Events));
        let share = Share::new("project", Arc::<DealtMembership>::clone(&membership));
        membership.deal([0, 1]);
        assert!(!share.has_begun(), "nothing is attended to");
        share.attended(Partition(0), true);
        assert!(!share.has_begun(), "one is still being read");
        share.attended(Partition(1), true);
        assert!(share.has_begun());
        membership.deal([0, 1, 2]);
        assert!(share.has_begun(), "what comes later takes nobody out");
    }

    #[test]
    fn what_was_let_go_before_it_was_begun_is_not_waited_for() {
        let membership = Arc::new(DealtMembership::new(Stream::Events));
        let share = Share::new("project", Arc::<DealtMembership>::clone(&membership));
        membership.deal([0, 1]);
        share.attended(Partition(0), true);
        share.attended(Partition(0), false);
        assert!(!share.has_begun());
        membership.deal([1]);
        share.attended(Partition(1), true);
        assert!(share.has_begun());
    }
}
