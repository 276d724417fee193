//! Records that were put aside.

use std::collections::VecDeque;

use parking_lot::Mutex;
use rollcall_domain::TenantId;
use rollcall_eventlog::Position;

/// Records that were put aside and are remembered with their positions: enough to see what is wrong; all are counted
/// and stand in the process's log.
pub const QUARANTINED_MAX: usize = 64;

/// A record that no event could be read from. It stays in the log, keeps its place in the order, and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Where it stands in the partition.
    pub position: Position,
    /// Whose it is by its key; none when the key names no tenant.
    pub tenant: Option<TenantId>,
    /// What is wrong with it. Nothing of its content.
    pub reason: String,
}

/// The newest of them since the start.
#[derive(Debug, Default)]
pub(crate) struct Quarantine(Mutex<VecDeque<Quarantined>>);

impl Quarantine {
    pub(crate) fn put(&self, tenant: Option<&TenantId>, position: Position, reason: String) {
        let whose = tenant.map_or("nobody", TenantId::as_str);
        tracing::error!(tenant = whose, %position, reason, "a record cannot be read and was put aside");
        let mut newest = self.0.lock();
        if newest.len() >= QUARANTINED_MAX {
            newest.pop_front();
        }
        newest.push_back(Quarantined {
            position,
            tenant: tenant.cloned(),
            reason,
        });
    }

    /// Those of a tenant, and those of nobody.
    pub(crate) fn of(&self, tenant: &TenantId) -> Vec<Quarantined> {
        let newest = self.0.lock();
        let concern = |put: &&Quarantined| put.tenant.as_ref().is_none_or(|whose| whose == tenant);
        newest.iter().filter(concern).cloned().collect()
    }
}
