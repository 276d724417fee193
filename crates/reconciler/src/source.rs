//! Where desired users come from: in one process the projector's tenant handle, else a store fed by a topic.

use std::fmt;

use rollcall_domain::{AccountKey, Catalog, DesiredUser, Policy, Sequence, TenantKey, Timestamp};

use crate::clock::BoxFuture;
use crate::queue::Lane;

/// An account to look at. It carries nothing into the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wake {
    /// Which.
    pub account: AccountKey,
    /// How urgent.
    pub lane: Lane,
    /// When the event behind it was received, where that is known: for latencies only.
    pub received: Option<Timestamp>,
}

/// Why a desired user could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the desired user could not be read: {reason}")]
pub struct SourceError {
    /// What the source said; nothing personal.
    pub reason: String,
}

/// Wakes of one subscription, merged per account and most urgent first; it holds at most one per account.
pub trait WakeStream: Send {
    /// Waits for the next one; `None` when the source has stopped. May be dropped at any await.
    fn recv(&mut self) -> BoxFuture<'_, Option<Wake>>;
    /// The next one, if one is there.
    fn try_recv(&mut self) -> Option<Wake>;
}

/// What the reconciler asks about one tenant. All reads are short and never wait.
pub trait DesiredSource: fmt::Debug + Send + Sync + 'static {
    /// What the account should hold now; `None` when nobody ever claimed it.
    ///
    /// # Errors
    /// [`SourceError`]; the account is tried again later.
    fn desired(&self, account: AccountKey) -> Result<Option<DesiredUser>, SourceError>;
    /// Up to where the tenant's events are taken in.
    fn sequence(&self) -> Sequence;
    /// The account that this one's claimant was renamed to.
    fn successor(&self, account: AccountKey) -> Option<AccountKey>;
    /// The user name behind an account, from a claimant that is not deleted. Personal.
    fn user_name(&self, account: AccountKey) -> Option<String>;
    /// Accounts in a stable order after `after`; an empty list is the end.
    fn accounts_page(&self, after: Option<AccountKey>, max: usize) -> Vec<AccountKey>;
    /// From now on every account that changes is told; walk [`DesiredSource::accounts_page`] afterwards.
    fn subscribe(&self) -> Box<dyn WakeStream>;
    /// The catalog that a new reading is to be compared with.
    fn catalog_reported(&self) -> Catalog;
    /// The policy in force.
    fn policy(&self) -> Policy;
    /// The key of the tenant's name hashes.
    fn key(&self) -> &TenantKey;
}

impl DesiredSource for rollcall_projector::TenantHandle {
    fn desired(&self, account: AccountKey) -> Result<Option<DesiredUser>, SourceError> {
        self.desired(account).map_err(|error| SourceError {
            reason: error.to_string(),
        })
    }
    fn sequence(&self) -> Sequence {
        self.status().sequence
    }
    fn successor(&self, account: AccountKey) -> Option<AccountKey> {
        self.successor(account)
    }
    fn user_name(&self, account: AccountKey) -> Option<String> {
        self.user_name(account)
    }
    fn accounts_page(&self, after: Option<AccountKey>, max: usize) -> Vec<AccountKey> {
        self.accounts_page(after, max)
    }
    fn subscribe(&self) -> Box<dyn WakeStream> {
        Box::new(self.subscribe())
    }
    fn catalog_reported(&self) -> Catalog {
        self.catalog_reported()
    }
    fn policy(&self) -> Policy {
        self.policy()
    }
    fn key(&self) -> &TenantKey {
        self.key()
    }
}

impl From<rollcall_projector::Wake> for Wake {
    fn from(wake: rollcall_projector::Wake) -> Self {
        let lane = match wake.lane {
            rollcall_projector::Lane::Leaver => Lane::Leaver,
            rollcall_projector::Lane::Removal => Lane::Removal,
            rollcall_projector::Lane::Rest => Lane::Rest,
        };
        Self {
            account: wake.account,
            lane,
            received: Some(wake.received),
        }
    }
}

impl WakeStream for rollcall_projector::WakeReceiver {
    fn recv(&mut self) -> BoxFuture<'_, Option<Wake>> {
        Box::pin(async move { Some(Wake::from(Self::recv(self).await?)) })
    }
    fn try_recv(&mut self) -> Option<Wake> {
        Self::try_recv(self).map(Wake::from)
    }
}
