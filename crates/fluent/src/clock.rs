//! Time as this crate sees it: token lives, pauses, the memory of a refused login.

use std::fmt;

use rollcall_domain::Timestamp;

/// Where the time comes from. Tests bring their own.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time now. May jump: nothing here relies on it for correctness, a token that is used too long is
    /// renewed on the 401.
    fn now(&self) -> Timestamp;
}

/// The system's clock, for the edge of the program.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place where this crate reads the real time"
    )]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
