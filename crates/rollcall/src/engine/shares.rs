//! What a process shares with others, as it is told to operators.

use std::sync::Arc;

use rollcall_eventlog::{Membership, Partition, Standing};

use super::Core;
use crate::admin::api::ShareStatus;

/// The part of the process in `/readyz`.
const PART: &str = "group";

impl Core {
    /// The shares of this process, where there is somebody to share with.
    pub(super) fn share_status(&self) -> Vec<ShareStatus> {
        if self.opened.kafka().is_none() {
            return Vec::new();
        }
        let shares = self.shares.read();
        let told = shares.iter().map(|(group, membership)| ShareStatus {
            group: (*group).to_owned(),
            stream: membership.stream().name().to_owned(),
            partitions: owned(membership),
            of: u32::try_from(self.log.partitions(membership.stream()).len()).unwrap_or(u32::MAX),
            lease_ms: membership
                .remaining()
                .map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
        });
        told.collect()
    }

    /// Says whether this process belongs to its groups. One that was dealt nothing is a spare, and ready, only while its
    /// group counts it as a member.
    pub(super) fn look_at_shares(&self) {
        if self.opened.kafka().is_none() {
            return;
        }
        let shares = self.shares.read();
        let mut wrong = shares
            .iter()
            .filter_map(|(group, membership)| not_a_member(group, membership.standing()));
        let troubles = self.troubles.read();
        let mut untaken = troubles.iter().map(|((group, partition), trouble)| {
            format!("partition {partition} of the group {group} cannot be taken: {trouble}")
        });
        match wrong.next().or_else(|| untaken.next()) {
            Some(why) => self.health.not_ready(PART, why),
            None => self.health.ready(PART),
        }
    }

    /// A partition of ours is attended to, or what keeps it from that: it is owned and nobody works on it.
    pub(super) fn stands(&self, group: &'static str, partition: Partition, trouble: Option<String>) {
        let mut troubles = self.troubles.write();
        match trouble {
            Some(trouble) => troubles.insert((group, partition), trouble),
            None => troubles.remove(&(group, partition)),
        };
    }

    /// The membership of a group that was joined.
    ///
    /// # Errors
    /// When it was not.
    pub(super) fn share_named(&self, group: &str) -> anyhow::Result<Arc<dyn Membership>> {
        let shares = self.shares.read();
        let found = shares.iter().find(|(name, _)| *name == group);
        let found = found.map(|(_, membership)| Arc::clone(membership));
        found.ok_or_else(|| anyhow::anyhow!("the group {group} was not joined"))
    }
}

/// What keeps this process from being a member; nothing when it is one.
fn not_a_member(group: &str, standing: Standing) -> Option<String> {
    let (wrong, why) = match standing {
        Standing::Member => return None,
        Standing::NotDealt { why } => (format!("no partition was dealt by the group {group} yet"), why),
        Standing::Lapsed { why } => (format!("the lease from the group {group} has run out"), why),
    };
    Some(match why {
        Some(why) => format!("{wrong}: {why}"),
        None => wrong,
    })
}

fn owned(membership: &Arc<dyn Membership>) -> Vec<u32> {
    let assignment = membership.assignment();
    let partitions = assignment.borrow().partitions.clone();
    partitions.into_iter().map(|partition| partition.0).collect()
}
