//! Reading the catalog: at the start, on a timer, and when an unknown role or place is met.

use std::sync::Arc;
use std::time::Duration;

use rollcall_domain::{
    AccountKey, Catalog, CatalogChanged, CatalogDifference, EVENT_BYTES_MAX, EVENT_PARTS_MAX, EventData, Hold,
};
use serde::Serialize;

use crate::clock::millis;
use crate::config::CATALOG_WANTED_EVERY;
use crate::metrics::Metrics;
use crate::shared::Shared;

/// Pause before a failed reading is repeated; the pace adds its own when Fluent is away.
const RETRY: Duration = Duration::from_secs(10);

/// Reads until the reconciler is to stop.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut last = None;
    loop {
        let pause = match read(&shared, &mut last).await {
            Ok(()) => shared.config.catalog_every,
            Err(reason) => {
                tracing::warn!(tenant = %shared.config.tenant, reason, "the catalog could not be read");
                RETRY
            }
        };
        let earliest = shared.now().plus_millis(millis(CATALOG_WANTED_EVERY));
        tokio::select! {
            slept = shared.sleep(pause) => if !slept { return },
            () = shared.catalog_wanted.notified() => {}
        }
        tokio::select! {
            () = shared.clock.sleep_until(earliest) => {}
            () = shared.stopped() => return,
        }
    }
}

/// Wants the catalog when an account of another reconciler meets an unknown role or place: of all reconcilers of a
/// tenant one reads the catalog, and it hears of all accounts.
pub(crate) async fn notice_others(shared: Arc<Shared>) {
    let mut wakes = shared.source.subscribe();
    loop {
        let wake = tokio::select! {
            wake = wakes.recv() => wake,
            () = shared.stopped() => return,
        };
        let Some(wake) = wake else { return };
        if shared.share.holds(wake.account) || !meets_unknown(&shared, wake.account) {
            continue;
        }
        shared.catalog_wanted.notify_one();
        // Until then it is not read again anyway; what comes meanwhile waits, once per account.
        if !shared.sleep(CATALOG_WANTED_EVERY).await {
            return;
        }
    }
}

fn meets_unknown(shared: &Shared, account: AccountKey) -> bool {
    let desired = shared.source.desired(account).ok().flatten();
    desired.is_some_and(|desired| desired.holds.iter().any(is_unknown))
}

/// A hold that a newer catalog may lift.
pub(crate) const fn is_unknown(hold: &Hold) -> bool {
    matches!(hold, Hold::UnknownRole { .. } | Hold::UnknownPlace { .. })
}

/// One reading. `last` is the difference that was appended last: the same one is not appended again while
/// the fold has not taken it in.
async fn read(shared: &Shared, last: &mut Option<CatalogDifference>) -> Result<(), String> {
    let reading = fetch(shared).await?;
    let mut difference = shared.source.catalog_reported().difference(&reading);
    if difference.losses() > 0 {
        difference = confirmed(shared, &difference).await?;
    }
    if difference.is_empty() {
        *last = None;
        return Ok(());
    }
    if last.as_ref() == Some(&difference) {
        return Ok(());
    }
    let parts = in_parts(&difference);
    if parts.len() > usize::from(EVENT_PARTS_MAX) {
        return Err(format!(
            "the catalog differs by more than {EVENT_PARTS_MAX} parts hold"
        ));
    }
    let data = parts
        .into_iter()
        .map(|difference| EventData::CatalogChanged(CatalogChanged { difference }));
    shared
        .recorder
        .input("catalog", data.collect())
        .await
        .map_err(|error| {
            if error.is_fatal() {
                shared.halt(&error.to_string());
            }
            error.to_string()
        })?;
    Metrics::count(&shared.metrics.catalog_changes);
    *last = Some(difference);
    Ok(())
}

/// The same difference as one event, or as several of which each fits: the first reading of a large Fluent is
/// larger than one event may be.
fn in_parts(difference: &CatalogDifference) -> Vec<CatalogDifference> {
    let mut parts = Parts::default();
    for role in &difference.roles_added {
        parts.part(&role).roles_added.insert(role.clone());
    }
    for (id, place) in &difference.retailers_set {
        let part = parts.part(&(id, place));
        part.retailers_set.insert(id.clone(), place.clone());
    }
    for (id, place) in &difference.locations_set {
        let part = parts.part(&(id, place));
        part.locations_set.insert(id.clone(), place.clone());
    }
    for role in &difference.roles_removed {
        parts.part(&role).roles_removed.insert(role.clone());
    }
    for id in &difference.retailers_removed {
        parts.part(&id).retailers_removed.insert(id.clone());
    }
    for id in &difference.locations_removed {
        parts.part(&id).locations_removed.insert(id.clone());
    }
    parts.full.push(parts.last);
    parts.full
}

/// Bytes of the entries of one part: half an event leaves ample room for the envelope.
const PART_BYTES: usize = EVENT_BYTES_MAX / 2;
/// The comma and the colon of an entry.
const ENTRY_FRAME: usize = 2;

#[derive(Default)]
struct Parts {
    full: Vec<CatalogDifference>,
    last: CatalogDifference,
    bytes: usize,
}

impl Parts {
    /// The part that takes an entry of this size.
    fn part<T: Serialize>(&mut self, entry: &T) -> &mut CatalogDifference {
        let bytes =
            serde_json::to_vec(entry).map_or(PART_BYTES, |json| json.len().saturating_add(ENTRY_FRAME));
        if self.bytes.saturating_add(bytes) > PART_BYTES && !self.last.is_empty() {
            self.full.push(std::mem::take(&mut self.last));
            self.bytes = 0;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        &mut self.last
    }
}

async fn fetch(shared: &Shared) -> Result<Catalog, String> {
    let reading = shared.gate.catalog().await.map_err(|error| error.to_string())?;
    Metrics::count(&shared.metrics.catalog_readings);
    *shared.metrics.catalog_read.lock() = Some(shared.now());
    Ok(reading)
}

/// What a second reading says too: a loss that only one of them saw is none.
async fn confirmed(shared: &Shared, first: &CatalogDifference) -> Result<CatalogDifference, String> {
    let again = fetch(shared).await?;
    let mut second = shared.source.catalog_reported().difference(&again);
    second
        .roles_removed
        .retain(|role| first.roles_removed.contains(role));
    second
        .retailers_removed
        .retain(|id| first.retailers_removed.contains(id));
    second
        .locations_removed
        .retain(|id| first.locations_removed.contains(id));
    Ok(second)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rollcall_domain::{Place, RoleName};

    use super::*;

    #[test]
    fn parts_hold_every_entry_once_and_each_fits() {
        let mut reading = Catalog::default();
        let place = |number: usize| Place {
            reference: format!("{number}-{}", "ö\"".repeat(100)),
            active: true,
            retailer: Some(number.to_string()),
        };
        for number in 0..5_000 {
            reading.roles.insert(RoleName(format!("ROLE_{number}")));
            reading.retailers.insert(number.to_string(), place(number));
            reading.locations.insert(number.to_string(), place(number));
        }
        for (old, new) in [
            (Catalog::default(), reading.clone()),
            (reading, Catalog::default()),
        ] {
            let difference = old.difference(&new);
            let parts = in_parts(&difference);
            let mut catalog = old;
            for part in &parts {
                assert!(serde_json::to_vec(part).unwrap().len() < EVENT_BYTES_MAX - 100_000);
                catalog.apply(part);
            }
            assert_eq!(catalog, new);
            let entries = |d: &CatalogDifference| {
                d.losses() + d.roles_added.len() + d.retailers_set.len() + d.locations_set.len()
            };
            assert_eq!(parts.iter().map(entries).sum::<usize>(), entries(&difference));
        }
        assert_eq!(in_parts(&CatalogDifference::default()).len(), 1);
    }
}
