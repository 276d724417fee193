//! The projector: folds the `events` stream into a directory (users, groups, members, catalog, rules, policy)
//! and computes from that what every account should hold in Fluent, with a reason for every grant.
//!
//! What it is not: it knows no Fluent, no HTTP and no ownership; whether an account exists or is ours is
//! decided in the reconciler's plan.
//!
//! Invariants:
//! - the state is a function of the tenant's events alone: no configuration, no clock;
//! - an event is taken in once, whatever comes twice, and its verdict never changes;
//! - state and the position it is true for are committed together; deleting the state rebuilds it;
//! - a leaver's desired user is computed in its own event's turn, ahead of every dirty set.

mod access;
mod api;
mod decode;
mod driver;
mod fold;
mod handle;
pub mod limits;
mod measure;
#[cfg(test)]
mod model;
mod projector;
mod projectors;
mod replay;
mod store;

pub use api::{
    Act, Evidence, Explanation, GroupRef, GroupResource, HeldAccount, HoldsPage, Lane, OpenDecision, Page,
    Progress, ProjectorError, Publishing, QUARANTINED_MAX, Quarantined, RULES_FILE, Rejection, Settled,
    TenantSetup, TenantStatus, Until, UserFacts, UserResource, Verdict, Wake, WakeReceiver,
};
pub use fold::{Applied, TenantState};
pub use handle::{Subject, TenantHandle};
pub use limits::VERDICTS_MAX;
pub use measure::is_readable;
pub use projector::Projector;
pub use projectors::{Projectors, StateFolders};
pub use replay::{Replayed, replay};
