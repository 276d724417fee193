//! The owner of the driver thread.

use std::path::Path;
use std::sync::Arc;

use rollcall_domain::{AccountKey, DesiredUser, Sequence, TenantId, Timestamp};
use rollcall_eventlog::{EventLog, ReadLog};

use crate::{Explanation, Progress, ProjectorError, TenantHandle, TenantSetup, Until};

/// Folds one log partition for its tenants, keeps the state, wakes reconcilers, publishes desired users.
#[derive(Debug)]
pub struct Projector {
    _private: (),
}

impl Projector {
    /// Loads the state in `dir` (or rebuilds it from the log) and starts the driver thread. Blocks while it loads;
    /// catching up with the log goes on in the background, see [`TenantHandle::read_barrier`].
    ///
    /// A state that cannot be read, belongs to another log or disagrees with it is moved to `state.damaged-<n>`
    /// beside `dir` and rebuilt.
    ///
    /// # Errors
    /// [`ProjectorError::StateAheadOfLog`] when the log is empty or shorter than what the state has taken in;
    /// [`ProjectorError::State`] when `dir` cannot be used; [`ProjectorError::Log`].
    pub fn start(
        log: Arc<dyn EventLog>,
        dir: &Path,
        tenants: Vec<TenantSetup>,
    ) -> Result<Self, ProjectorError> {
        let _ = (log, dir, tenants);
        Ok(Self { _private: () })
    }

    /// The handle of a tenant; `None` for one that it was not started with.
    #[must_use]
    pub fn tenant(&self, tenant: &TenantId) -> Option<TenantHandle> {
        let _ = tenant;
        None
    }

    /// Stops after the current turn: state and position are flushed, waiting requests fail, subscriptions end.
    pub async fn stop(self) {}
}

/// A tenant's state as of some point of the log, from the log alone.
#[derive(Debug)]
pub struct Replayed {
    tenant: TenantId,
}

impl Replayed {
    /// The tenant.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// All events up to this one are in.
    #[must_use]
    pub fn sequence(&self) -> Sequence {
        Sequence::default()
    }

    /// Event time.
    #[must_use]
    pub fn event_time(&self) -> Timestamp {
        Timestamp::default()
    }

    /// Every account in the order it was first claimed.
    pub fn accounts(&self) -> impl Iterator<Item = AccountKey> + '_ {
        std::iter::empty()
    }

    /// What Fluent should have held for the account.
    #[must_use]
    pub fn desired(&self, account: AccountKey) -> Option<DesiredUser> {
        let _ = account;
        None
    }

    /// The same with the text of every derivation.
    #[must_use]
    pub fn explain(&self, account: AccountKey) -> Option<Explanation> {
        let _ = account;
        None
    }

    /// The userName behind an account, from a claimant that is not deleted. Personal.
    #[must_use]
    pub fn user_name(&self, account: AccountKey) -> Option<String> {
        let _ = account;
        None
    }

    /// A fingerprint of the whole state, hex: equal for equal histories, whoever folded them.
    #[must_use]
    pub fn digest(&self) -> String {
        String::new()
    }
}

/// Folds the log from its beginning, without any stored state. Blocks; not to be called from async code.
/// `progress` is told now and then; `false` from it ends the replay where it stands.
///
/// # Errors
/// [`ProjectorError::Log`].
pub fn replay(
    log: &dyn ReadLog,
    tenants: &[TenantSetup],
    until: Until,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<Vec<Replayed>, ProjectorError> {
    let _ = (log, until, progress);
    Ok(tenants
        .iter()
        .map(|tenant| Replayed {
            tenant: tenant.id.clone(),
        })
        .collect())
}
