//! What a process shares with others, and how it stands with it, as it is told to operators.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rollcall_eventlog::{Membership, Partition, Standing};

use super::Core;
use crate::admin::api::ShareStatus;

/// The part of the process in `/readyz`.
const PART: &str = "group";

/// A share of this process: the group that deals it out, and how it stands with what was dealt.
#[derive(Debug)]
pub(super) struct Share {
    group: &'static str,
    membership: Arc<dyn Membership>,
    /// Partitions that were begun, or could not be; one that is being begun for the first time is not in it.
    taken: Mutex<BTreeMap<Partition, Taken>>,
    /// All that was ours was attended to at some time.
    begun: AtomicBool,
}

/// How it stands with a partition that this process owns.
#[derive(Debug)]
enum Taken {
    Attended,
    /// It is owned and nobody works on it; what keeps this process from it.
    Trouble(String),
}

impl Share {
    pub(super) fn new(group: &'static str, membership: Arc<dyn Membership>) -> Arc<Self> {
        Arc::new(Self {
            group,
            membership,
            taken: Mutex::default(),
            begun: AtomicBool::new(false),
        })
    }

    pub(super) fn membership(&self) -> &Arc<dyn Membership> {
        &self.membership
    }

    /// A partition is attended to from now on.
    pub(super) fn attended(&self, partition: Partition) {
        self.taken.lock().insert(partition, Taken::Attended);
    }

    /// A partition of ours cannot be begun.
    pub(super) fn in_trouble(&self, partition: Partition, why: String) {
        self.taken.lock().insert(partition, Taken::Trouble(why));
    }

    /// A partition is let go.
    pub(super) fn let_go(&self, partition: Partition) {
        self.taken.lock().remove(&partition);
    }

    /// What keeps this process from its share; nothing when it is a member and attends to what it was dealt. One that
    /// was dealt nothing is a spare, and in order, only while its group counts it as a member.
    pub(super) fn wrong(&self) -> Option<String> {
        let outside = self.not_a_member();
        if outside.is_some() {
            // What is dealt after this is a beginning again.
            self.begun.store(false, Ordering::Relaxed);
        }
        outside.or_else(|| self.trouble()).or_else(|| {
            (!self.has_begun()).then(|| format!("what the group {} dealt is being read", self.group))
        })
    }

    fn not_a_member(&self) -> Option<String> {
        let group = self.group;
        let (wrong, why) = match self.membership.standing() {
            Standing::Member => return None,
            Standing::NotDealt { why } => (format!("no partition was dealt by the group {group} yet"), why),
            Standing::Lapsed { why } => (format!("the lease from the group {group} has run out"), why),
        };
        Some(match why {
            Some(why) => format!("{wrong}: {why}"),
            None => wrong,
        })
    }

    fn trouble(&self) -> Option<String> {
        self.taken
            .lock()
            .iter()
            .find_map(|(partition, taken)| match taken {
                Taken::Attended => None,
                Taken::Trouble(why) => Some(format!(
                    "partition {partition} of the group {} cannot be taken: {why}",
                    self.group
                )),
            })
    }

    /// Whether all that was dealt at first was begun: the state is loaded or rebuilt, and has caught up. What is dealt
    /// later does not make it untrue, so that a process that serves is not taken out for what it takes over.
    fn has_begun(&self) -> bool {
        let owned = self.owned();
        let taken = self.taken.lock();
        let all = owned
            .iter()
            .all(|owned| matches!(taken.get(owned), Some(Taken::Attended)));
        if all && !owned.is_empty() {
            self.begun.store(true, Ordering::Relaxed);
        }
        all || self.begun.load(Ordering::Relaxed)
    }

    fn owned(&self) -> BTreeSet<Partition> {
        self.membership.assignment().borrow().partitions.clone()
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
            partitions: share.owned().iter().map(|owned| owned.0).collect(),
            of: u32::try_from(self.log.partitions(share.membership.stream()).len()).unwrap_or(u32::MAX),
            lease_ms: share
                .membership
                .remaining()
                .map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
        });
        told.collect()
    }

    /// Says whether this process belongs to its groups, and attends to what they deal.
    pub(super) fn look_at_shares(&self) {
        if self.opened.kafka().is_none() {
            return;
        }
        match self.shares.read().iter().find_map(|share| share.wrong()) {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rollcall_eventlog::Stream;
    use rollcall_eventlog::testing::DealtMembership;

    use super::*;

    fn share() -> (Arc<DealtMembership>, Arc<Share>) {
        let membership = Arc::new(DealtMembership::new(Stream::Events));
        let share = Share::new("project", Arc::<DealtMembership>::clone(&membership));
        (membership, share)
    }

    #[test]
    fn a_process_has_begun_when_all_that_was_dealt_first_is_attended_to() {
        let (membership, share) = share();
        membership.deal([0, 1]);
        assert!(!share.has_begun(), "nothing is attended to");
        share.attended(Partition(0));
        assert!(!share.has_begun(), "one is still being read");
        share.attended(Partition(1));
        assert!(share.has_begun());
        membership.deal([0, 1, 2]);
        assert!(share.has_begun(), "what comes later takes nobody out");
    }

    #[test]
    fn what_is_dealt_after_everything_was_lost_is_begun_anew() {
        let (membership, share) = share();
        membership.deal([0]);
        share.attended(Partition(0));
        assert_eq!(share.wrong(), None);
        membership.lasts(Arc::new(|| Some(Duration::ZERO)));
        assert!(share.wrong().is_some());
        share.let_go(Partition(0));
        membership.lasts(Arc::new(|| None));
        assert!(share.wrong().is_some(), "it owns what it does not attend to yet");
        share.attended(Partition(0));
        assert_eq!(share.wrong(), None);
    }

    #[test]
    fn what_was_let_go_before_it_was_begun_is_not_waited_for() {
        let (membership, share) = share();
        membership.deal([0, 1]);
        share.attended(Partition(0));
        share.let_go(Partition(0));
        assert!(!share.has_begun());
        membership.deal([1]);
        share.attended(Partition(1));
        assert!(share.has_begun());
    }

    #[test]
    fn a_partition_that_cannot_be_taken_is_told_until_it_is_attended_to_or_let_go() {
        let (membership, share) = share();
        membership.deal([0]);
        share.attended(Partition(0));
        assert_eq!(share.wrong(), None);
        share.in_trouble(Partition(0), "no key".to_owned());
        let wrong = share.wrong().unwrap_or_default();
        assert!(
            wrong.contains("partition 0") && wrong.contains("no key"),
            "{wrong}"
        );
        share.attended(Partition(0));
        assert_eq!(share.wrong(), None);
        share.in_trouble(Partition(0), "no key".to_owned());
        share.let_go(Partition(0));
        assert_eq!(share.wrong(), None);
    }
}
