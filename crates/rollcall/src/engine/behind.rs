//! How far the directories of this process are behind the log. Over Kafka the log's end is a question to a broker,
//! so it is asked now and then, and not at every scrape.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use parking_lot::RwLock;
use rollcall_domain::TenantId;
use rollcall_eventlog::{Partition, Position, Stream};
use tokio::sync::watch;

use super::{Core, pause};

/// How often the end is asked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long the log may take to say where all its partitions end; who asks `/readyz` is told soon after that.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// A directory that has not reached an end of the log after so many looks is behind; fewer happen under load.
const LOOKS_MAX: u32 = 10;
/// The part of the instance in `/readyz`.
const PART: &str = "directory";

/// What was seen at the last look.
#[derive(Debug, Default)]
pub(super) struct Behind(RwLock<BTreeMap<TenantId, u64>>);

impl Behind {
    /// Events that the tenant's directory lacked.
    pub(super) fn of(&self, tenant: &TenantId) -> u64 {
        self.0.read().get(tenant).copied().unwrap_or_default()
    }
}

/// An end of the log that a directory is to reach, and how long it has not.
#[derive(Debug, Clone, Copy, Default)]
struct Goal {
    end: u64,
    looks: u32,
}

/// Looks until told to stop.
pub(super) async fn watch(core: Arc<Core>, mut stop: watch::Receiver<bool>) {
    let mut goals: BTreeMap<TenantId, Goal> = BTreeMap::new();
    loop {
        look(&core, &mut goals).await;
        if !pause(&mut stop, LOOK_EVERY).await {
            return;
        }
    }
}

/// Where the partitions that are folded here end; all are asked at once, so that one deadline holds for all of them.
async fn ends(core: &Core) -> BTreeMap<Partition, Result<Option<Position>, String>> {
    let asked = core.projectors.running().into_iter().map(async |partition| {
        let end = core.log.end(Stream::Events, partition);
        let end = match tokio::time::timeout(ANSWER_WITHIN, end).await {
            Ok(answered) => answered.map_err(|error| error.to_string()),
            Err(_) => Err(format!(
                "the brokers did not say within {ANSWER_WITHIN:?} where partition {partition} of events ends"
            )),
        };
        (partition, end)
    });
    join_all(asked).await.into_iter().collect()
}

async fn look(core: &Core, goals: &mut BTreeMap<TenantId, Goal>) {
    let ends = ends(core).await;
    let mut lags = BTreeMap::new();
    let mut wrong = None;
    for tenant in &core.tenants {
        let end = ends.get(&core.projectors.partition_of(&tenant.id));
        let (Some(directory), Some(end)) = (core.projectors.tenant(&tenant.id), end) else {
            goals.remove(&tenant.id);
            continue;
        };
        let end = match end {
            Ok(end) => Position::to_stored(*end),
            Err(error) => {
                wrong = Some(error.clone());
                continue;
            }
        };
        let at = Position::to_stored(directory.status().position);
        lags.insert(tenant.id.clone(), end.saturating_sub(at));
        let goal = goals.entry(tenant.id.clone()).or_default();
        if at >= goal.end {
            *goal = Goal { end, looks: 0 };
        } else {
            goal.looks = goal.looks.saturating_add(1);
        }
        if goal.looks > LOOKS_MAX {
            wrong = Some(format!("{} events behind the log", end.saturating_sub(at)));
        }
    }
    *core.behind.0.write() = lags;
    match wrong {
        Some(why) => core.health.not_ready(PART, why),
        None => core.health.ready(PART),
    }
}
