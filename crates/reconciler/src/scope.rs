//! Which of a tenant's accounts a reconciler looks after.
//!
//! Several processes share a tenant's accounts by the partition in which an account's outcomes stand: a reconciler of
//! one partition sees the wakes, the accounts and the Fluent users of the whole tenant, and passes over those that are
//! another one's.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rollcall_domain::{AccountKey, TenantId};
use rollcall_eventlog::{Membership, Partition, ReadLog, Stream};

use crate::config::Lease;

/// The share of a tenant's accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// All of them: there is one reconciler.
    #[default]
    Whole,
    /// Those whose outcomes stand in this partition.
    Partition(Partition),
}

impl Scope {
    /// The partitions of the outcome stream that belong to it.
    pub(crate) fn partitions(self, log: &dyn ReadLog) -> Vec<Partition> {
        match self {
            Self::Whole => log.partitions(Stream::Outcomes),
            Self::Partition(partition) => vec![partition],
        }
    }
}

/// The key under which an account's outcomes stand.
pub(crate) fn outcome_key(tenant: &TenantId, account: AccountKey) -> Vec<u8> {
    format!("{tenant}/{account}").into_bytes()
}

/// The partition of an account's outcomes: who owns it owns the account.
#[must_use]
pub fn partition_of_account(log: &dyn ReadLog, tenant: &TenantId, account: AccountKey) -> Partition {
    log.partition_of(Stream::Outcomes, &outcome_key(tenant, account))
}

/// The partition whose owner does what is done once for a tenant: reading the catalog.
#[must_use]
pub fn partition_of_tenant(log: &dyn ReadLog, tenant: &TenantId) -> Partition {
    log.partition_of(Stream::Outcomes, tenant.as_str().as_bytes())
}

/// A scope that can say whether an account belongs to it.
pub(crate) struct Share {
    scope: Scope,
    tenant: TenantId,
    log: Arc<dyn ReadLog>,
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({}, {:?})", self.tenant, self.scope)
    }
}

impl Share {
    pub(crate) fn new(scope: Scope, tenant: TenantId, log: Arc<dyn ReadLog>) -> Self {
        Self { scope, tenant, log }
    }

    pub(crate) const fn scope(&self) -> Scope {
        self.scope
    }

    /// The scope of an account among reconcilers that share the tenant as this one does.
    pub(crate) fn scope_of(&self, account: AccountKey) -> Scope {
        match self.scope {
            Scope::Whole => Scope::Whole,
            Scope::Partition(_) => {
                Scope::Partition(partition_of_account(self.log.as_ref(), &self.tenant, account))
            }
        }
    }

    pub(crate) fn holds(&self, account: AccountKey) -> bool {
        self.scope_of(account) == self.scope
    }
}

/// The right to write the accounts of a partition, for as long as the group says that it is ours.
#[derive(Debug, Clone)]
pub struct PartitionLease {
    membership: Arc<dyn Membership>,
    partition: Partition,
    /// When it was taken: what was lost and came back is leased anew.
    since: Option<u64>,
}

impl PartitionLease {
    /// The lease of `partition` of the stream that `membership` shares out.
    #[must_use]
    pub fn new(membership: Arc<dyn Membership>, partition: Partition) -> Self {
        let since = since(membership.as_ref(), partition);
        Self {
            membership,
            partition,
            since,
        }
    }
}

fn since(membership: &dyn Membership, partition: Partition) -> Option<u64> {
    membership.assignment().borrow().since.get(&partition).copied()
}

impl Lease for PartitionLease {
    fn remaining(&self) -> Option<Duration> {
        let (owned, remaining) = self.membership.owns(self.partition);
        let same = since(self.membership.as_ref(), self.partition) == self.since;
        if owned && same {
            remaining
        } else {
            Some(Duration::ZERO)
        }
    }

    fn to_settle(&self) -> Option<Duration> {
        let (held, remaining) = self.membership.holds(self.partition);
        let since = since(self.membership.as_ref(), self.partition);
        let same = since.is_none() || since == self.since;
        if held && same {
            remaining
        } else {
            Some(Duration::ZERO)
        }
    }
}

#[cfg(test)]
mod tests {
    use rollcall_eventlog::testing::DealtMembership;

    use super::*;

    #[test]
    fn a_partition_that_was_lost_and_came_back_is_not_leased_to_the_work_before() {
        let membership = Arc::new(DealtMembership::new(Stream::Outcomes));
        membership.deal([0, 1]);
        let lease = PartitionLease::new(Arc::<DealtMembership>::clone(&membership), Partition(0));
        let none = Some(Duration::ZERO);
        assert_eq!((lease.remaining(), lease.to_settle()), (None, None), "for ever");
        membership.deal([1]);
        assert_eq!(
            (lease.remaining(), lease.to_settle()),
            (none, None),
            "what is in flight may end"
        );
        membership.deal([0, 1]);
        assert_eq!((lease.remaining(), lease.to_settle()), (none, none));
        let anew = PartitionLease::new(membership, Partition(0));
        assert_eq!(anew.remaining(), None);
    }
}
