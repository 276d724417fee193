//! Reading the catalog: at the start, on a timer, and when an unknown role or place is met.

use std::sync::Arc;
use std::time::Duration;

use rollcall_domain::{Catalog, CatalogChanged, CatalogDifference, EventData};

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
    let data = EventData::CatalogChanged(CatalogChanged {
        difference: difference.clone(),
    });
    shared.recorder.input("catalog", data).await.map_err(|error| {
        if error.is_fatal() {
            shared.halt(&error.to_string());
        }
        error.to_string()
    })?;
    Metrics::count(&shared.metrics.catalog_changes);
    *last = Some(difference);
    Ok(())
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
