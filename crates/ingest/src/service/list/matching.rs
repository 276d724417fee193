//! Which resources a filter finds, and in which order.

use rollcall_projector::Page;
use rollcall_scim::{Filter, Resource, SortBy, SortKey};

use super::super::represent::is_fact;
use super::{FACTS_MAX, Id, Part, SCAN_BYTES_MAX, SCAN_MAX, SCAN_STEP, SORT_BYTES_MAX};
use crate::http::failure::Failure;

/// A resource that was found in the part of this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) part: usize,
    pub(super) id: Id,
}

/// What one request has looked at.
#[derive(Default)]
pub(super) struct Budget {
    /// Resources of which only what is in memory was looked at.
    facts: u64,
    /// Resources that were read.
    read: u64,
    /// Text that was compared.
    bytes: usize,
}

impl Budget {
    /// Whether the next resource may be one too many: who can go on from here with another request ends here.
    pub(super) const fn is_spent(&self) -> bool {
        self.facts >= FACTS_MAX || self.read >= SCAN_MAX || self.bytes >= SCAN_BYTES_MAX
    }

    /// Refuses what cannot be ended within one request.
    fn within(&self, part: &Part<'_>) -> Result<(), Failure> {
        if self.facts > FACTS_MAX || self.read > SCAN_MAX {
            return Err(too_many(part.sort.is_some()));
        }
        if self.bytes > SCAN_BYTES_MAX {
            return Err(Failure::bad(
                "tooMany",
                "this filter would compare too many values; use fewer comparisons or an indexed attribute",
            ));
        }
        Ok(())
    }

    /// The resource when it satisfies the filter; as much of it as is known, when that is enough and no order is
    /// asked for.
    pub(super) fn matching(&mut self, part: &Part<'_>, id: Id) -> Result<Option<Resource>, Failure> {
        if let Some(filter) = &part.filter
            && let Some(facts) = part.source.facts(id)
        {
            self.facts += 1;
            match filter.decide(facts.attributes(), &is_fact) {
                Some(false) => return Ok(None),
                Some(true) if part.sort.is_none() => return Ok(Some(facts)),
                Some(true) | None => {}
            }
        }
        self.read += 1;
        let Some(resource) = part.source.candidate(id, part.filter.as_ref())? else {
            return Ok(None);
        };
        let Some(filter) = &part.filter else {
            return Ok(Some(resource));
        };
        self.bytes = self.bytes.saturating_add(filter.cost(resource.attributes()));
        Ok(filter.matches(resource.attributes()).then_some(resource))
    }
}

/// What an index finds for the part's filter: every match is among it.
pub(super) fn indexed(part: &Part<'_>) -> Result<Option<Vec<Id>>, Failure> {
    match part.filter.as_ref().and_then(Filter::lookup) {
        Some(lookup) => part.source.find(&lookup.key),
        None => Ok(None),
    }
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
    let mut budget = Budget::default();
    for (at, part) in parts.iter().enumerate() {
        match indexed(part)? {
            Some(found) if found.len() as u64 > SCAN_MAX => return Err(too_many(part.sort.is_some())),
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
        // Nothing is begun that cannot be ended.
        if total > SCAN_MAX
            && !part
                .filter
                .as_ref()
                .is_some_and(|filter| filter.asks_for(&is_fact))
        {
            return Err(too_many(part.sort.is_some()));
        }
        let Some(last) = ids.last() else {
            return Ok(());
        };
        anchor = Some(*last);
        collected.take(at, part, &ids, budget)?;
        tokio::task::yield_now().await;
    }
}

/// A cursor leads through any filter, but to no order: that needs all there is.
fn too_many(sorted: bool) -> Failure {
    let cursor = if sorted { "" } else { ", or page by cursor" };
    let detail = format!("this would read more than {SCAN_MAX} resources; filter by an id or a name{cursor}");
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
            let resource = budget.matching(part, *id)?;
            budget.within(part)?;
            let Some(resource) = resource else {
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
