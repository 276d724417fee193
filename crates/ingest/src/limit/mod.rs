//! Limits: how much one address, one tenant and all together may ask for. Each part is a value with time as an
//! argument; [`gate`] puts those of a tenant together.

mod address;
mod failures;
mod gate;
mod rate;
mod room;

pub use address::{BadNetwork, Network, TRUSTED_PROXIES_MAX, TrustedProxies};
pub use failures::{ADDRESSES_MAX, AUTH_FAILURES_MAX, FAILURE_WINDOW_MILLIS};
pub(crate) use failures::{FailureTable, Verdict as FailureVerdict};
pub use gate::TenantFigures;
pub(crate) use gate::{TenantGate, Wish, takes_away};
pub use rate::{LEAVER_RESERVE_PARTS, REQUESTS_PER_SECOND_MIN, RateLimit};
pub(crate) use room::{Place, Room};
