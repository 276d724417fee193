//! Settings, each with its default and reason.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rollcall_domain::{AccountKey, TenantId};

use crate::clock::{Clock, SystemClock};
use crate::crew::Crew;
use crate::scope::Scope;

/// How long a write whose answer was lost may still arrive at Fluent: well above any gateway's time-out
/// (DESIGN 8).
pub const LATE_WRITE_WINDOW: Duration = Duration::from_secs(120);
/// Requests to Fluent at one time at most. Fluent publishes no limit; AIMD finds the usable part of it.
pub const CONCURRENCY_MAX: usize = 16;
/// How often the catalog is read without a reason (DESIGN 7).
pub const CATALOG_EVERY: Duration = Duration::from_secs(5 * 60);
/// How often it is read at most when a role or place is unknown (DESIGN 7).
pub const CATALOG_WANTED_EVERY: Duration = Duration::from_secs(10);
/// How often drift is looked for. A page of 500 users is one request, so 100,000 users are 200 requests an
/// hour.
pub const RESYNC_EVERY: Duration = Duration::from_secs(60 * 60);
/// First pause of an account after a failure; doubles.
pub const BACK_OFF_FIRST: Duration = Duration::from_secs(1);
/// Longest pause of an account.
pub const BACK_OFF_MAX: Duration = Duration::from_secs(60);
/// Longest pause of a leaver: it is to be out, whatever Fluent's state.
pub const BACK_OFF_LEAVER_MAX: Duration = Duration::from_secs(5);
/// How long an account waits for its successor to become usable (a rename) before it is made INACTIVE all
/// the same: a new account that cannot be made must not keep the old one alive.
pub const RENAME_WAIT_MAX: Duration = Duration::from_secs(10);

/// How a reconciler runs. One per tenant, or one per tenant and partition when several processes share it.
#[derive(Clone)]
pub struct ReconcilerConfig {
    /// Whose accounts.
    pub tenant: TenantId,
    /// Which of them.
    pub scope: Scope,
    /// Whether it reads the catalog: of all reconcilers of a tenant exactly one does.
    pub catalog: bool,
    /// What it shares with the tenant's other reconcilers in this process; none when it is the only one.
    pub crew: Option<Crew>,
    /// See [`LATE_WRITE_WINDOW`].
    pub late_write_window: Duration,
    /// See [`CONCURRENCY_MAX`].
    pub concurrency_max: usize,
    /// See [`CATALOG_EVERY`].
    pub catalog_every: Duration,
    /// See [`RESYNC_EVERY`].
    pub resync_every: Duration,
    /// See [`RENAME_WAIT_MAX`].
    pub rename_wait_max: Duration,
    /// The time-out of one request to Fluent, as its client has it: what a lease must still cover.
    pub request_timeout: Duration,
    /// After that time an append has been refused if it was not acknowledged: what a lease must still cover before
    /// an outcome is put on record.
    pub delivery_timeout: Duration,
    /// Where the ledger's checkpoint lies; without one every start reads all outcomes there ever were.
    pub checkpoint: Option<PathBuf>,
    /// Says whether this process may still write.
    pub lease: Arc<dyn Lease>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For tests: dies at a point.
    pub crash: Option<CrashHook>,
}

impl ReconcilerConfig {
    /// The defaults, for a process that owns its tenant alone.
    #[must_use]
    pub fn new(tenant: TenantId) -> Self {
        Self {
            tenant,
            scope: Scope::Whole,
            catalog: true,
            crew: None,
            late_write_window: LATE_WRITE_WINDOW,
            concurrency_max: CONCURRENCY_MAX,
            catalog_every: CATALOG_EVERY,
            resync_every: RESYNC_EVERY,
            rename_wait_max: RENAME_WAIT_MAX,
            request_timeout: Duration::from_secs(30),
            delivery_timeout: Duration::ZERO,
            checkpoint: None,
            lease: Arc::new(Forever),
            clock: Arc::new(SystemClock::new()),
            crash: None,
        }
    }
}

impl fmt::Debug for ReconcilerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconcilerConfig")
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

/// The right to write a tenant's accounts. A send is started only when it will have ended before the lease
/// does.
pub trait Lease: fmt::Debug + Send + Sync + 'static {
    /// What is left of it; `None` when it does not end.
    fn remaining(&self) -> Option<Duration>;

    /// What is left for putting on record how something ended that was begun under it: also when the accounts were
    /// taken away in order, as long as they are not handed on.
    fn to_settle(&self) -> Option<Duration> {
        self.remaining()
    }
}

/// The lease of a process that owns its tenant alone.
#[derive(Debug, Clone, Copy)]
pub struct Forever;

impl Lease for Forever {
    fn remaining(&self) -> Option<Duration> {
        None
    }
}

/// What a lease must cover beyond a time-out: the time from the look at the lease to the request on the wire, and the
/// drift of clocks over that time-out. Both are milliseconds on a machine that is not halted.
pub const LEASE_MARGIN: Duration = Duration::from_secs(2);

/// Whether something that takes at most `longest` and begins now has ended before what is left of a lease.
pub(crate) fn covers(left: Option<Duration>, longest: Duration) -> bool {
    let needed = longest.saturating_add(LEASE_MARGIN);
    left.is_none_or(|left| left >= needed)
}

/// A place at which a process may die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashPoint {
    /// The plan is made, nothing is on record.
    BeforeIntent,
    /// The intent is durable, nothing was sent.
    AfterIntent,
    /// The n-th request of the visit is about to be sent, from 0.
    BeforeSend(usize),
    /// Its answer came.
    AfterSend(usize),
    /// It was read back, the outcome is not on record.
    BeforeOutcome,
    /// The outcome is durable.
    AfterOutcome,
}

/// Asked at every point; `true` dies there: nothing is sent or recorded any more.
pub type CrashHook = Arc<dyn Fn(CrashPoint, AccountKey) -> bool + Send + Sync>;
