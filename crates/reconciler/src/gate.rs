//! The one way to Fluent: every request takes a slot of the pace, and gives it back with what it learnt.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use rollcall_domain::{Catalog, FluentUserId, ObservedUser};
use rollcall_fluent::{FluentClient, FluentError, Mutation, RetryClass, TransportFault, UserPager, Written};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::pace::{Admission, Pace, Pause, Signal};

/// The async face of [`Pace`]: waits for a slot, leavers first.
#[derive(Debug)]
pub(crate) struct Pacer {
    pace: Mutex<Pace>,
    changed: watch::Sender<()>,
    urgent_waiting: AtomicUsize,
    clock: Arc<dyn Clock>,
}

/// A slot; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    pacer: &'a Pacer,
    signal: Signal,
}

impl Slot<'_> {
    fn report(mut self, signal: Signal) {
        self.signal = signal;
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.pacer.pace.lock().report(self.pacer.clock.now(), self.signal);
        self.pacer.changed.send_replace(());
    }
}

/// Counts a waiting leaver for as long as it waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Pacer {
    pub(crate) fn new(concurrency_max: usize, clock: Arc<dyn Clock>) -> Self {
        Self {
            pace: Mutex::new(Pace::new(concurrency_max)),
            changed: watch::Sender::new(()),
            urgent_waiting: AtomicUsize::new(0),
            clock,
        }
    }

    /// Waits for a slot. While a leaver waits nobody else gets one.
    async fn slot(&self, urgent: bool) -> Slot<'_> {
        let _waiting = urgent.then(|| {
            self.urgent_waiting.fetch_add(1, Ordering::AcqRel);
            Waiting(&self.urgent_waiting)
        });
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            let yields = !urgent && self.urgent_waiting.load(Ordering::Acquire) > 0;
            let wait = match self.admit(urgent, yields) {
                Admission::Go => {
                    return Slot {
                        pacer: self,
                        signal: Signal::Unused,
                    };
                }
                Admission::Wait(until) => until,
            };
            // An error is impossible: the sender is in `self`.
            tokio::select! {
                _ = changed.changed() => {}
                () = async { match wait {
                    Some(until) => self.clock.sleep_until(until).await,
                    None => std::future::pending().await,
                } } => {}
            }
        }
    }

    fn admit(&self, urgent: bool, yields: bool) -> Admission {
        let mut pace = self.pace.lock();
        // A leaver that waits takes the next slot; with nothing out there is no next one to wait for.
        if yields && pace.in_flight() > 0 {
            return Admission::Wait(None);
        }
        pace.admit(self.clock.now(), urgent)
    }

    pub(crate) fn set_concurrency(&self, concurrency: usize) {
        self.pace.lock().set_limit_max(concurrency);
        self.changed.send_replace(());
    }

    pub(crate) fn pause(&self) -> Option<Pause> {
        self.pace.lock().pause(self.clock.now())
    }

    pub(crate) fn figures(&self) -> (usize, usize, Option<f64>) {
        let pace = self.pace.lock();
        (pace.slots(), pace.in_flight(), pace.rate())
    }
}

/// What an answer says about the pace.
fn signal(error: Option<&FluentError>, latency_ms: i64) -> Signal {
    let Some(error) = error else {
        return Signal::Answered { latency_ms };
    };
    let after = match error.retry_class() {
        RetryClass::Retryable { after } => after.unwrap_or_default(),
        RetryClass::Terminal | RetryClass::Ambiguous => std::time::Duration::ZERO,
    };
    match error {
        error if error.is_rate_limit() => Signal::RateLimited { after },
        FluentError::BadLogin { .. }
        | FluentError::LoginUnavailable { .. }
        | FluentError::Unauthorized { .. } => Signal::NoLogin { after },
        FluentError::Transport { .. } => Signal::Failed,
        FluentError::Http {
            status,
            retry_after: Some(after),
            ..
        } if *status >= 500 => Signal::Unavailable { after: *after },
        FluentError::Http { status, .. } if *status >= 500 => Signal::Failed,
        FluentError::NotSent { .. } | FluentError::NoRandomness | FluentError::TooLarge { .. } => {
            Signal::Unused
        }
        _ => Signal::Answered { latency_ms },
    }
}

/// A short word for a failure: Fluent's code, or ours. Never holds anything personal.
pub(crate) fn code(error: &FluentError) -> String {
    if let Some(code) = error.code() {
        return code.to_owned();
    }
    match error {
        FluentError::Http { status, .. } => format!("http-{status}"),
        FluentError::Transport {
            fault: TransportFault::NotConnected,
            ..
        } => "no-connection".to_owned(),
        FluentError::Transport {
            fault: TransportFault::TimedOut,
            ..
        } => "timed-out".to_owned(),
        FluentError::Transport {
            fault: TransportFault::Broken,
            ..
        } => "connection-broken".to_owned(),
        FluentError::Unauthorized { .. } => "unauthorized".to_owned(),
        FluentError::BadLogin { .. } => "bad-login".to_owned(),
        FluentError::LoginUnavailable { .. } => "login-unavailable".to_owned(),
        FluentError::BadAnswer { .. } => "bad-answer".to_owned(),
        FluentError::Paging { .. } => "paging".to_owned(),
        FluentError::TooLarge { .. } => "too-large".to_owned(),
        FluentError::NotSent { .. } => "not-sent".to_owned(),
        FluentError::NoRandomness => "no-randomness".to_owned(),
        FluentError::Rejected { .. } => "rejected".to_owned(),
        _ => "other".to_owned(),
    }
}

/// Fluent behind the pace.
#[derive(Debug)]
pub(crate) struct Gate {
    client: FluentClient,
    pub(crate) pacer: Arc<Pacer>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

impl Gate {
    pub(crate) fn new(
        client: FluentClient,
        pacer: Arc<Pacer>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            client,
            pacer,
            clock,
            metrics,
        }
    }

    async fn paced<T, F>(&self, urgent: bool, request: F) -> Result<T, FluentError>
    where
        F: Future<Output = Result<T, FluentError>>,
    {
        let slot = self.pacer.slot(urgent).await;
        let from = self.clock.now();
        let result = request.await;
        self.end(slot, from, result.as_ref().err());
        result
    }

    fn end(&self, slot: Slot<'_>, from: rollcall_domain::Timestamp, error: Option<&FluentError>) {
        let latency_ms = self.clock.now().millis_since(from);
        self.metrics.request.record(latency_ms);
        if let Some(error) = error {
            self.metrics.failed(&code(error));
        }
        slot.report(signal(error, latency_ms));
    }

    pub(crate) async fn me(&self) -> Result<ObservedUser, FluentError> {
        self.paced(true, self.client.me()).await
    }

    pub(crate) async fn by_id(
        &self,
        id: &FluentUserId,
        urgent: bool,
    ) -> Result<Option<ObservedUser>, FluentError> {
        self.paced(urgent, self.client.user_by_id(id)).await
    }

    pub(crate) async fn by_name(
        &self,
        name: &str,
        urgent: bool,
    ) -> Result<Option<ObservedUser>, FluentError> {
        self.paced(urgent, self.client.user_by_username(name)).await
    }

    pub(crate) async fn catalog(&self) -> Result<Catalog, FluentError> {
        self.paced(false, self.client.read_catalog()).await
    }

    pub(crate) fn users(&self) -> UserPager {
        self.client.user_pages()
    }

    pub(crate) async fn users_page(
        &self,
        pager: &mut UserPager,
    ) -> Result<Option<Vec<ObservedUser>>, FluentError> {
        self.paced(false, pager.next()).await
    }

    /// Sends one request of a few mutations. `just_before` runs when the slot is there and the request
    /// about to go: when it says no, or when `stopped` ends while a slot is waited for, nothing is sent and
    /// the result is `None`. `still` is asked again whenever something is about to go out: a login may come between.
    pub(crate) async fn send(
        &self,
        mutations: &[Mutation],
        urgent: bool,
        stopped: impl Future<Output = ()>,
        just_before: impl FnOnce() -> bool,
        still: &(dyn Fn() -> bool + Sync),
    ) -> Option<Vec<Result<Written, FluentError>>> {
        let slot = tokio::select! {
            biased;
            slot = self.pacer.slot(urgent) => slot,
            () = stopped => return None,
        };
        if !just_before() {
            return None;
        }
        let from = self.clock.now();
        let results = self.client.batch_while(mutations, still).await;
        let errors = || results.iter().filter_map(|result| result.as_ref().err());
        let worst = errors()
            .find(|error| error.concerns_all())
            .or_else(|| errors().next());
        self.end(slot, from, worst);
        Some(results)
    }
}
