//! The reconciler: makes Fluent hold what is desired, account by account.
//!
//! Woken by key, it reads the Fluent user, decides a [`plan`](plan::plan) (pure), puts the intent on
//! record, sends, reads back and puts the outcome on record. The [`ledger`] of what is ours is the fold of
//! those outcomes.
//!
//! What it is not: it does not compute what is desired (the projector does), takes no events from identity
//! providers, and knows no HTTP beyond the Fluent client.
//!
//! Invariants:
//! - nothing is sent before its intent is durable, and nothing after the lease;
//! - what is not ours is never removed, unless the policy says so; what is not desired is never added;
//! - a leaver is never held back: it is made INACTIVE first, and overtakes everything;
//! - one worker per account; the queue holds keys, never work, so its bound is the number of accounts;
//! - a lost answer is settled by reading again, and once more when nothing of it can arrive any more;
//! - doing any step twice, or dying after any step, converges;
//! - several reconcilers may share a tenant ([`Scope`]): each keeps to its own accounts.

mod apply;
mod catalog;
mod checkpoint;
mod clock;
mod config;
mod crew;
mod dispatch;
mod gate;
mod handle;
pub mod ledger;
mod metrics;
pub mod pace;
pub mod plan;
pub mod queue;
mod record;
mod resync;
mod scope;
mod shared;
mod source;

pub use clock::{BoxFuture, Clock, ManualClock, SystemClock};
pub use config::{
    BACK_OFF_FIRST, BACK_OFF_LEAVER_MAX, BACK_OFF_MAX, CATALOG_EVERY, CATALOG_WANTED_EVERY, CONCURRENCY_MAX,
    CrashHook, CrashPoint, Forever, LATE_WRITE_WINDOW, LEASE_MARGIN, Lease, RENAME_WAIT_MAX, RESYNC_EVERY,
    ReconcilerConfig,
};
pub use crew::Crew;
pub use handle::{Reconciler, Status};
pub use metrics::{BUCKETS_MS, Counters, Histogram, HistogramSnapshot, Metrics};
pub use record::{LoadError, read_entry, read_ledger};
pub use scope::{PartitionLease, Scope, partition_of_account, partition_of_tenant};
pub use source::{DesiredSource, SourceError, Wake, WakeStream};
