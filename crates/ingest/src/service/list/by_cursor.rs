//! Pages by cursor (RFC 9865): they begin beside a resource, so that a page costs the same wherever it lies.

use rollcall_scim::{ListQuery, ScimError, ScimType};

use super::cursor::{Cursors, Place};
use super::matching::{Budget, Found, complete, indexed};
use super::{Id, Listed, Part, SCAN_MAX, SCAN_STEP, shown};
use crate::http::failure::Failure;

/// The page that a cursor leads to; an empty one leads to the first.
pub(super) async fn page(
    parts: &[Part<'_>],
    query: &ListQuery,
    cursors: &Cursors<'_>,
    text: &str,
) -> Result<Listed, Failure> {
    let place = cursors.read(text)?;
    if query.count == 0 {
        return how_many(parts).await;
    }
    match place {
        Place::Offset(offset) if is_listed(parts)? => listed(parts, query, cursors, offset).await,
        // An index finds more by now than is counted through; from its first page on it is walked through.
        Place::Offset(_) => Err(expired().into()),
        Place::Start if is_listed(parts)? => listed(parts, query, cursors, 0).await,
        place => beside(parts, query, cursors, place).await,
    }
}

/// Asked for no resource at all: only how many there are (RFC 9865 section 2), where one request can tell.
async fn how_many(parts: &[Part<'_>]) -> Result<Listed, Failure> {
    let sorted = parts.iter().any(|part| part.sort.is_some());
    let total = match complete(parts).await {
        Ok(found) => Some(found.map_or_else(|| total(parts), |found| found.len())),
        // As on the pages of such a filter: it is not known, and no reason to refuse who does page by cursor.
        Err(failure) if failure.scim_type == Some(ScimType::TooMany.as_str()) && !sorted => None,
        Err(failure) => return Err(failure),
    };
    Ok(Listed {
        total,
        ..Listed::default()
    })
}

fn expired() -> ScimError {
    ScimError::expired_cursor("the place the cursor leads to is no longer known")
}

/// Whether all results are at hand at once: they are sorted, or an index finds them, and not more than one request
/// looks at.
fn is_listed(parts: &[Part<'_>]) -> Result<bool, Failure> {
    if parts.iter().any(|part| part.sort.is_some()) {
        return Ok(true);
    }
    for part in parts {
        match indexed(part)? {
            Some(found) if found.len() as u64 <= SCAN_MAX => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// Sorted, or found by an index: all of it is looked at for every page, and the cursor counts.
async fn listed(
    parts: &[Part<'_>],
    query: &ListQuery,
    cursors: &Cursors<'_>,
    offset: u64,
) -> Result<Listed, Failure> {
    let found = complete(parts).await?.unwrap_or_default();
    let skip = usize::try_from(offset).unwrap_or(usize::MAX);
    let ids: Vec<Found> = found.iter().skip(skip).take(query.count).copied().collect();
    let (resources, done) = shown(parts, &ids)?;
    let end = skip.saturating_add(done);
    let at = |place: usize| cursors.write(Place::Offset(u64::try_from(place).unwrap_or(u64::MAX)));
    Ok(Listed {
        total: Some(found.len()),
        start_index: None,
        next_cursor: (end < found.len()).then(|| at(end)),
        previous_cursor: (skip > 0).then(|| at(skip.min(found.len()).saturating_sub(query.count))),
        resources,
    })
}

/// Unsorted: on from where the last page ended, or back from where it began.
async fn beside(
    parts: &[Part<'_>],
    query: &ListQuery,
    cursors: &Cursors<'_>,
    place: Place,
) -> Result<Listed, Failure> {
    let back = matches!(place, Place::Before(_));
    let walked = walk(parts, place, back, query.count).await?;
    let (mut resources, done) = shown(parts, &walked.found)?;
    let (first, last) = (
        walked.found.first(),
        done.checked_sub(1).and_then(|at| walked.found.get(at)),
    );
    let far = if done < walked.found.len() {
        last.map(|found| found.id)
    } else {
        walked.more
    };
    let near = first.map(|found| found.id);
    let (next, previous) = if back {
        resources.reverse();
        (
            Some(near.map_or(Place::Start, Place::After)),
            far.map(Place::Before),
        )
    } else {
        let came = (place != Place::Start).then_some(near).flatten();
        (far.map(Place::After), came.map(Place::Before))
    };
    let whole = place == Place::Start && far.is_none();
    let unfiltered = parts.iter().all(|part| part.filter.is_none());
    Ok(Listed {
        total: match (unfiltered, whole) {
            (true, _) => Some(total(parts)),
            (false, true) => Some(walked.found.len()),
            (false, false) => None,
        },
        start_index: None,
        next_cursor: next.map(|place| cursors.write(place)),
        previous_cursor: previous.map(|place| cursors.write(place)),
        resources,
    })
}

fn total(parts: &[Part<'_>]) -> usize {
    let totals = parts.iter().map(|part| part.source.page(1, 0).total);
    usize::try_from(totals.fold(0, u64::saturating_add)).unwrap_or(usize::MAX)
}

/// What a walk met.
struct Walked {
    /// Matches, nearest first.
    found: Vec<Found>,
    /// The resource behind which more may follow; none when all has been seen.
    more: Option<Id>,
}

/// Walks from `place` until `count` resources match and one more does, there are none left, or as
/// many were looked at as one request may: then the page ends early and the next one goes on.
async fn walk(parts: &[Part<'_>], place: Place, back: bool, count: usize) -> Result<Walked, Failure> {
    let (mut at, mut anchor) = match place {
        Place::After(id) | Place::Before(id) => (parts.iter().position(|part| part.source.has(id)), Some(id)),
        Place::Start | Place::Offset(_) => (Some(0), None),
    };
    let mut found: Vec<Found> = Vec::with_capacity(count.saturating_add(1));
    let mut budget = Budget::default();
    while let Some((number, part)) = at.and_then(|at| Some((at, parts.get(at)?))) {
        let step = match &part.filter {
            None => count.saturating_add(1).saturating_sub(found.len()),
            Some(_) => SCAN_STEP,
        };
        let page = part.source.beside(anchor, back, step).ok_or_else(expired)?;
        let Some(last) = page.ids.last() else {
            at = if back {
                number.checked_sub(1)
            } else {
                Some(number + 1)
            };
            anchor = None;
            continue;
        };
        anchor = Some(*last);
        for id in page.ids {
            if part.filter.is_none() || budget.matching(part, id)?.is_some() {
                if found.len() == count {
                    let more = found.last().map(|found| found.id);
                    return Ok(Walked { found, more });
                }
                found.push(Found { part: number, id });
            }
            if budget.is_spent() {
                return Ok(Walked {
                    found,
                    more: Some(id),
                });
            }
        }
        tokio::task::yield_now().await;
    }
    Ok(Walked { found, more: None })
}
