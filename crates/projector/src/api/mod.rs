//! What the other rooms see of the projector: plain values, no locks and no engines.

mod error;
mod explanation;
mod publishing;
mod quarantine;
mod resource;
mod setup;
mod verdict;
mod wake;

pub use error::ProjectorError;
pub use explanation::{Act, Evidence, Explanation, HeldAccount, HoldsPage, OpenDecision, TenantStatus};
pub use publishing::Publishing;
pub(crate) use publishing::Turn;
pub(crate) use quarantine::Quarantine;
pub use quarantine::{QUARANTINED_MAX, Quarantined};
pub use resource::{GroupRef, GroupResource, Page, UserFacts, UserResource};
pub use setup::{Progress, RULES_FILE, TenantSetup, Until};
pub use verdict::{Rejection, Settled, Verdict};
pub(crate) use wake::WakeQueue;
pub use wake::{Lane, Wake, WakeReceiver};
