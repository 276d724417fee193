//! Every bound of the projector, with its reason.

use std::time::Duration;

/// Event ids whose verdict is remembered per tenant: hours of a busy tenant, far longer than any producer repeats.
pub const VERDICTS_MAX: usize = 65_536;
/// Longest wait for the fold: it is microseconds behind the log, so a longer wait means that it is catching up.
pub const SETTLE_WAIT_MAX: Duration = Duration::from_secs(10);
/// Most ids of one page, and most accounts looked at for one page of holds: bounds the time of a shared lock.
pub const PAGE_MAX: usize = 1_000;
