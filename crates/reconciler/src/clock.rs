//! Time as something that is given in: the system's, or one that a test moves.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use rollcall_domain::Timestamp;
use tokio::sync::watch;
use tokio::time::{Duration, Instant};

/// A future that can be kept and sent.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Tells the time and waits for it.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time now; never goes back.
    fn now(&self) -> Timestamp;
    /// Ends when that time is reached; at once when it is past.
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()>;
}

/// The system's time: the wall clock read once, and from then on the monotonic clock.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    epoch: Timestamp,
}

impl SystemClock {
    /// Reads the wall clock.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "the edge where the wall clock is read")]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            epoch: Timestamp::from_millis(jiff::Timestamp::now().as_millisecond()),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.epoch.plus_millis(elapsed)
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        let left = u64::try_from(at.millis_since(self.now())).unwrap_or(0);
        Box::pin(tokio::time::sleep(Duration::from_millis(left)))
    }
}

/// A time that stands still until it is moved. For tests.
#[derive(Debug)]
pub struct ManualClock {
    now: watch::Sender<Timestamp>,
}

impl ManualClock {
    /// Stands at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            now: watch::Sender::new(now),
        }
    }

    /// Moves on.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.now.send_modify(|now| *now = now.plus_millis(millis));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        let mut now = self.now.subscribe();
        Box::pin(async move {
            // An error means that the clock is gone, and with it all that could wait.
            let _reached = now.wait_for(|now| *now >= at).await;
        })
    }
}

/// A span in milliseconds, as [`Timestamp`] counts.
pub(crate) fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
