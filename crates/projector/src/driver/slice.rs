//! Stage 2 in slices: what waits is looked at again, and what changed is told and handed to the publisher.

use std::sync::Arc;
use std::time::Instant;

use rollcall_domain::DesiredStatus;

use super::{Publisher, Tenant};
use crate::fold::{AccountIx, TenantState};
use crate::limits::{EXPAND_ACCOUNTS, STEP_ACCOUNTS};
use crate::{Lane, Wake};

impl Publisher {
    /// Computes the leavers that the last events left, all of them: they wait for no slice. `begun`: see
    /// [`Publisher::look`].
    pub(super) fn leavers(&self, tenant: &Arc<Tenant>, begun: bool) {
        let mut live = tenant.live.write();
        let mut wakes = Vec::new();
        while let Some(account) = live.state.next_dirty(Lane::Leaver) {
            wakes.extend(self.look(tenant, &mut live.state, account, Lane::Leaver, begun));
        }
        drop(live);
        tenant.wake(&wakes);
    }

    /// Computes what waits until `deadline`. Whether anything was done, and whether something is left.
    pub(super) fn slice(&self, tenant: &Arc<Tenant>, begun: bool, deadline: Instant) -> (bool, bool) {
        let mut worked = false;
        loop {
            if tenant.live.read().state.dirty.len() == 0 {
                return (worked, false);
            }
            if worked && Instant::now() >= deadline {
                return (worked, true);
            }
            worked = true;
            let mut live = tenant.live.write();
            let wakes = self.step(tenant, &mut live.state, begun);
            drop(live);
            tenant.wake(&wakes);
        }
    }

    /// A few accounts, so that the lock is held shortly.
    fn step(&self, tenant: &Arc<Tenant>, state: &mut TenantState, begun: bool) -> Vec<Wake> {
        let mut wakes = Vec::new();
        for _ in 0..STEP_ACCOUNTS {
            let Some((lane, account)) = Lane::ALL
                .into_iter()
                .find_map(|lane| state.next_dirty(lane).map(|account| (lane, account)))
            else {
                state.expand_dirty(EXPAND_ACCOUNTS);
                break;
            };
            wakes.extend(self.look(tenant, state, account, lane, begun));
        }
        wakes
    }

    /// Looks at an account: when it is not as it was published last, it is told and published. What is as it was is
    /// published again when it may have been another's meanwhile, who published what stood between: before the driver
    /// has `begun`, and while the partition is not ours.
    fn look(
        &self,
        tenant: &Arc<Tenant>,
        state: &mut TenantState,
        account: AccountIx,
        lane: Lane,
        begun: bool,
    ) -> Option<Wake> {
        let outline = state.outline(account);
        let hash = state.outline_hash(account, &outline);
        let inactive = matches!(outline.status, DesiredStatus::Inactive { .. });
        drop(outline);
        let entry = state.accounts.get_mut(account)?;
        if entry.published.hash == hash {
            let certain = begun && self.is_ours();
            if !certain && !entry.published.unpublished {
                entry.published.unpublished = true;
                state.touched.accounts.push(account);
                self.put(tenant, account, inactive);
            }
            return None;
        }
        let leaves = inactive && entry.published.had_access;
        entry.published.hash = hash;
        entry.published.unpublished = true;
        entry.published.had_access = !inactive;
        let key = entry.key;
        let lane = match lane {
            // Renamed away from: its successor is made usable first.
            _ if leaves && state.successor(account).is_some() => Lane::Removal,
            _ if leaves => Lane::Leaver,
            Lane::Removal => Lane::Removal,
            Lane::Leaver | Lane::Rest => Lane::Rest,
        };
        state.touched.accounts.push(account);
        self.put(tenant, account, leaves);
        Some(Wake {
            account: key,
            lane,
            received: state.event_time(),
        })
    }
}
