//! Which resources a filter finds, and in which order.

use rollcall_projector::Page;
use rollcall_scim::{Filter, Resource, SortBy, SortKey};

use super::{Id, Part, SCAN_BYTES_MAX, SCAN_MAX, SCAN_STEP, SORT_BYTES_MAX};
use crate::http::failure::Failure;

/// A resource that was found in the part of this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) part: usize,
    pub(super) id: Id,
}

/// What one request may still look at.
pub(super) struct Budget(usize);

impl Budget {
    pub(super) const fn new() -> Self {
        Self(SCAN_BYTES_MAX)
    }

    /// The resource when it satisfies the filter.
    pub(super) fn matching(&mut self, part: &Part<'_>, id: Id) -> Result<Option<Resource>, Failure> {
        let Some(resource) = part.source.candidate(id, part.filter.as_ref())? else {
            return Ok(None);
        };
        let Some(filter) = &part.filter else {
            return Ok(Some(resource));
        };
        let cost = filter.cost(resource.attributes());
        self.0 = self.0.checked_sub(cost).ok_or_else(|| {
            Failure::bad(
                "tooMany",
                "this filter would compare too many values; use fewer comparisons or an indexed attribute",
            )
        })?;
        Ok(filter.matches(resource.attributes()).then_some(resource))
    }
}

/// What an index finds for the part's filter: every match is among it.
pub(super) fn indexed(part: &Part<'_>) -> Option<Vec<Id>> {
    let lookup = part.filter.as_ref().and_then(Filter::lookup)?;
    part.source.find(&lookup.key)
}

/// All that is found, in the order in which it is answered: sorted, or else part by part in a stable order. None when
/// neither a filter nor an order is asked for.
///
/// # Errors
/// `tooMany` when no index answers and there is more to look at than is looked at.
pub(super) async fn complete(parts: &[Part<'_>]) -> Result<Option<Vec<Found>>, Failure> {
    if parts
        .iter()
        .all(|part| part.filter.is_none() && part.sort.is_none())
    {
        return Ok(None);
    }
    let mut collected = Collected::default();
    let mut budget = Budget::new();
    for (at, part) in parts.iter().enumerate() {
        match indexed(part) {
            Some(found) if found.len() as u64 > SCAN_MAX => return Err(too_many()),
            Some(found) => {
                for step in found.chunks(SCAN_STEP) {
                    collected.take(at, part, step, &mut budget)?;
                    tokio::task::yield_now().await;
                }
            }
            None => scan(at, part, &mut collected, &mut budget).await?,
        }
    }
    let sort = parts.iter().find_map(|part| part.sort);
    Ok(Some(collected.in_order(sort)))
}

async fn scan(
    at: usize,
    part: &Part<'_>,
    collected: &mut Collected,
    budget: &mut Budget,
) -> Result<(), Failure> {
    let mut anchor = None;
    loop {
        let Some(Page { total, ids }) = part.source.beside(anchor, false, SCAN_STEP) else {
            return Ok(());
        };
        if total > SCAN_MAX {
            return Err(too_many());
        }
        let Some(last) = ids.last() else {
            return Ok(());
        };
        anchor = Some(*last);
        collected.take(at, part, &ids, budget)?;
        tokio::task::yield_now().await;
    }
}

fn too_many() -> Failure {
    let detail = format!(
        "this would look at more than {SCAN_MAX} resources; filter by an id or a name, or page by cursor"
    );
    Failure::bad("tooMany", detail)
}

/// Matches, with what they are sorted by.
#[derive(Default)]
struct Collected {
    found: Vec<Found>,
    keys: Vec<SortKey>,
    bytes: usize,
}

impl Collected {
    fn take(&mut self, at: usize, part: &Part<'_>, ids: &[Id], budget: &mut Budget) -> Result<(), Failure> {
        for id in ids {
            let Some(resource) = budget.matching(part, *id)? else {
                continue;
            };
            self.found.push(Found { part: at, id: *id });
            if let Some(sort) = &part.sort {
                let key = sort.key(resource.attributes());
                self.bytes = self.bytes.saturating_add(key.bytes());
                if self.bytes > SORT_BYTES_MAX {
                    return Err(Failure::bad(
                        "tooMany",
                        "the values to sort by are too long to be sorted",
                    ));
                }
                self.keys.push(key);
            }
        }
        Ok(())
    }

    fn in_order(self, sort: Option<SortBy>) -> Vec<Found> {
        let Some(sort) = sort else {
            return self.found;
        };
        let mut both: Vec<(SortKey, Found)> = self.keys.into_iter().zip(self.found).collect();
        both.sort_by(|(left, _), (right, _)| sort.compare(left, right));
        both.into_iter().map(|(_, found)| found).collect()
    }
}
