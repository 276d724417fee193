//! What the reconcilers of one tenant in one process have in common: the pace at which Fluent is asked, the sweep for
//! drift, and what is counted. So a process that owns many partitions asks Fluent no faster, and no oftener for the
//! list of all users, than one that owns one.

use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::clock::Clock;
use crate::gate::Pacer;
use crate::metrics::Metrics;
use crate::shared::Shared;

/// See the module. Cheap to clone; give the same one to all reconcilers of a tenant.
#[derive(Clone)]
pub struct Crew(Arc<Inner>);

struct Inner {
    pacer: Arc<Pacer>,
    metrics: Arc<Metrics>,
    members: Mutex<Vec<Weak<Shared>>>,
    /// Held by the member that sweeps for all.
    turn: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crew({} members)", self.members().len())
    }
}

impl Crew {
    /// A crew that asks Fluent at most `concurrency` things at one time (0 is taken as 1).
    #[must_use]
    pub fn new(concurrency: usize, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            pacer: Arc::new(Pacer::new(concurrency, clock)),
            metrics: Arc::default(),
            members: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }))
    }

    /// From now on at most so many things at one time: this process's part of what all processes together may.
    /// 0 is taken as 1.
    pub fn set_concurrency(&self, concurrency: usize) {
        self.0.pacer.set_concurrency(concurrency);
    }

    /// What all members counted, those that have ended too.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn shared_metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.0.metrics)
    }

    pub(crate) fn pacer(&self) -> Arc<Pacer> {
        Arc::clone(&self.0.pacer)
    }

    pub(crate) fn join(&self, member: &Arc<Shared>) {
        let mut members = self.0.members.lock();
        members.retain(|member| member.strong_count() > 0);
        members.push(Arc::downgrade(member));
    }

    /// Those that are at work.
    pub(crate) fn members(&self) -> Vec<Arc<Shared>> {
        let members = self.0.members.lock();
        let alive = members.iter().filter_map(Weak::upgrade);
        alive.filter(|member| !member.is_stopping()).collect()
    }

    /// Waits until no other member sweeps.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.turn.lock().await
    }
}
