//! The simulator's time: real, or standing still until a test moves it.

use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Where a manual clock starts: 2026-01-01T00:00:00Z, in milliseconds.
const MANUAL_EPOCH_MS: i64 = 1_767_225_600_000;

/// Which time the simulator lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClockMode {
    /// Real time, plus whatever was advanced.
    #[default]
    Real,
    /// Only what was advanced. Token lives, lock-outs, rate limits and late landings then happen exactly when
    /// a test says so.
    Manual,
}

#[derive(Debug)]
pub(crate) struct SimClock {
    /// `None` for a manual clock.
    started: Option<Instant>,
    epoch_ms: i64,
    advanced: Mutex<Duration>,
}

impl SimClock {
    #[allow(
        clippy::disallowed_methods,
        reason = "the simulator's one reading of the real clock"
    )]
    pub(crate) fn new(mode: ClockMode) -> Self {
        let (started, epoch_ms) = match mode {
            ClockMode::Real => (Some(Instant::now()), Timestamp::now().as_millisecond()),
            ClockMode::Manual => (None, MANUAL_EPOCH_MS),
        };
        Self {
            started,
            epoch_ms,
            advanced: Mutex::new(Duration::ZERO),
        }
    }

    /// Time since the simulator started.
    pub(crate) fn elapsed(&self) -> Duration {
        let real = self.started.map_or(Duration::ZERO, |started| started.elapsed());
        real.saturating_add(*self.advanced.lock())
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut advanced = self.advanced.lock();
        *advanced = advanced.saturating_add(by);
    }

    /// Milliseconds since 1970 at a point of simulator time.
    pub(crate) fn unix_ms(&self, elapsed: Duration) -> i64 {
        self.epoch_ms
            .saturating_add(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A time as Fluent prints it: ISO 8601 with milliseconds, UTC.
pub(crate) fn iso(unix_ms: i64) -> String {
    Timestamp::from_millisecond(unix_ms).map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}

/// Reads an ISO 8601 time; `None` when it is not one.
pub(crate) fn parse_iso(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(|at| at.as_millisecond())
}
