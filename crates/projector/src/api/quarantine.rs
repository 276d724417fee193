//! Records that were put aside.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rollcall_domain::TenantId;
use rollcall_eventlog::Position;

/// Records that were put aside and are remembered with their positions: enough to see what is wrong; all are
/// counted.
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

/// Lines of the process's log about such records in one minute; more of them are summed up. Somebody who writes to the
/// topic by mistake writes thousands.
const LINES_MAX: u32 = 20;
/// For how long lines are counted.
const LINES_FOR: Duration = Duration::from_secs(60);

/// Those that were put aside since the start.
#[derive(Debug, Default)]
pub(crate) struct Quarantine(Mutex<Aside>);

#[derive(Debug, Default)]
struct Aside {
    /// The tenants that this process has; the records of all others are nobody's here.
    known: BTreeSet<TenantId>,
    /// The newest of known tenants.
    newest: VecDeque<Quarantined>,
    /// The newest of nobody.
    strays: VecDeque<Quarantined>,
    /// All of nobody.
    strays_all: u64,
    lines: Lines,
}

/// Lines written in this minute.
#[derive(Debug, Default)]
struct Lines {
    since: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl Lines {
    /// Whether one more line may be written, and how many were not since the last one that was.
    fn one_more(&mut self, now: Instant) -> Option<u64> {
        if self
            .since
            .is_none_or(|since| now.duration_since(since) >= LINES_FOR)
        {
            self.since = Some(now);
            self.written = 0;
        }
        if self.written >= LINES_MAX {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

impl Quarantine {
    /// These tenants are known here.
    pub(crate) fn know(&self, tenants: impl Iterator<Item = TenantId>) {
        self.0.lock().known = tenants.collect();
    }

    pub(crate) fn put(&self, tenant: Option<&TenantId>, position: Position, reason: String) {
        let mut aside = self.0.lock();
        let tenant = tenant.filter(|tenant| aside.known.contains(*tenant));
        if let Some(left_out) = aside.lines.one_more(Instant::now()) {
            let whose = tenant.map_or("nobody", TenantId::as_str);
            tracing::error!(
                tenant = whose, %position, reason, left_out, "a record cannot be read and was put aside"
            );
        }
        let put = Quarantined {
            position,
            tenant: tenant.cloned(),
            reason,
        };
        let ring = if put.tenant.is_some() {
            &mut aside.newest
        } else {
            aside.strays_all = aside.strays_all.saturating_add(1);
            &mut aside.strays
        };
        if ring.len() >= QUARANTINED_MAX {
            ring.pop_front();
        }
        ring.push_back(put);
    }

    /// Those of a tenant, and those of nobody.
    pub(crate) fn of(&self, tenant: &TenantId) -> Vec<Quarantined> {
        let aside = self.0.lock();
        let theirs = aside
            .newest
            .iter()
            .filter(|put| put.tenant.as_ref() == Some(tenant));
        let mut all: Vec<Quarantined> = theirs.chain(&aside.strays).cloned().collect();
        all.sort_by_key(|put| put.position);
        all
    }

    /// How many were nobody's: their key names no tenant that this process has, or stands in a wrong partition.
    pub(crate) fn of_nobody(&self) -> u64 {
        self.0.lock().strays_all
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_are_bounded_and_those_left_out_are_told() {
        let (mut lines, now) = (Lines::default(), Instant::now());
        let written = (0..1_000).filter(|_| lines.one_more(now).is_some()).count();
        assert_eq!(written, LINES_MAX as usize);
        assert_eq!(lines.one_more(now + LINES_FOR), Some(980));
        assert_eq!(lines.one_more(now + LINES_FOR), Some(0));
    }

    #[test]
    fn what_is_nobodys_is_counted_whole_and_pushes_out_nothing_of_a_tenant() {
        let (acme, other) = (TenantId::new("acme").unwrap(), TenantId::new("other").unwrap());
        let quarantine = Quarantine::default();
        quarantine.know([acme.clone()].into_iter());
        let put = |tenant, number| quarantine.put(tenant, Position::new(number).unwrap(), "bad".to_owned());
        put(Some(&acme), 1);
        for number in 2..1_002 {
            put((number % 2 == 0).then_some(&other), number);
        }
        assert_eq!(quarantine.of_nobody(), 1_000);
        let shown = quarantine.of(&acme);
        assert_eq!(shown.len(), QUARANTINED_MAX + 1);
        assert_eq!(shown.first().unwrap().tenant, Some(acme));
    }
}
