//! Lists: a page by itself, from an index, or by looking at every resource; by index or by cursor.

mod by_cursor;
mod cursor;
mod matching;
mod source;
#[cfg(test)]
mod tests;

use rollcall_scim::schema::ResourceKind;
use rollcall_scim::{Filter, ListAnswer, ListQuery, Selection, SortBy};
use serde_json::value::{RawValue, to_raw_value};

use super::Service;
use crate::http::answer::Answer;
use crate::http::failure::Failure;
use crate::seat::Seat;
use crate::writer::unsettled;
use cursor::Cursors;
use matching::{Found, complete};
use source::{Groups, Id, Shown, Source, Users};

/// Most resources that are read for a filter that no index answers, or to sort them: some 100 ms of one core.
/// A connection with more is asked to filter by an indexed attribute, or to page by cursor.
pub(crate) const SCAN_MAX: u64 = 20_000;
/// Most resources that are told apart by what is in memory (`active`, `meta.lastModified` …) before they are read: so
/// that one who polls for changes finds them in a larger directory. Some 200 ms of one core.
const FACTS_MAX: u64 = 200_000;
/// Resources looked at in one go; then other requests get their turn.
const SCAN_STEP: usize = 100;
/// Bytes of text that the comparisons of one request look at together: a filter of many comparisons over many
/// long values costs their product. Under a second of one core; real ones look at some megabytes.
const SCAN_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Memory for what resources are sorted by: 800 bytes each for the most that are sorted.
const SORT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most members on one page of groups; a page ends early before it holds more, except for its first group.
/// The client goes on from there, as RFC 7644 section 3.4.2.4 lets a page be smaller than asked for.
const MEMBERS_PER_PAGE_MAX: u64 = 50_000;

/// Most bytes of the resources on one page, as JSON; a page ends early before it holds more, except for its first
/// resource. As much as a request's body may have, and room for 200 users of 40 kB each.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A page of resources, each written by itself: as text it takes a fraction of what it takes as values.
type Listed = ListAnswer<Box<RawValue>>;

/// The resources of one kind, and what is asked of them.
struct Part<'a> {
    source: &'a dyn Source,
    filter: Option<Filter>,
    sort: Option<SortBy>,
    selection: Selection,
}

impl<'a> Part<'a> {
    /// `kinds` are all that the endpoint lists.
    fn new(
        source: &'a dyn Source,
        kinds: &[ResourceKind],
        kind: ResourceKind,
        query: &ListQuery,
    ) -> Result<Self, Failure> {
        let parse = |text: &str| match kinds {
            [_] => Filter::parse(kind, text),
            _ => Filter::parse_across(kind, text),
        };
        let sort = |text: &str| SortBy::parse(kinds, kind, text, query.descending);
        Ok(Self {
            source,
            filter: query.filter.as_deref().map(parse).transpose()?,
            sort: query.sort_by.as_deref().map(sort).transpose()?,
            selection: Selection::parse(
                kind,
                query.attributes.as_deref(),
                query.excluded_attributes.as_deref(),
            )?,
        })
    }
}

impl Service {
    /// Lists resources of these kinds, one after the other.
    pub(super) async fn list(
        &self,
        seat: &Seat,
        kinds: &[ResourceKind],
        query: ListQuery,
    ) -> Result<Answer, Failure> {
        let links = &self.links;
        let (users, groups) = (Users { seat, links }, Groups { seat, links });
        let part = |kind: &ResourceKind| match kind {
            ResourceKind::User => Part::new(&users, kinds, *kind, &query),
            ResourceKind::Group => Part::new(&groups, kinds, *kind, &query),
        };
        let parts = kinds.iter().map(part).collect::<Result<Vec<_>, _>>()?;
        let mut tolerated = query.tolerate(seat.connection.dialect)?;
        for filter in parts.iter().filter_map(|part| part.filter.as_ref()) {
            let text = query.filter.as_deref().unwrap_or_default();
            tolerated.join(filter.tolerate(seat.connection.dialect, kinds, text)?);
        }
        self.writer.metrics.tolerated(tolerated);
        seat.directory
            .read_barrier()
            .await
            .map_err(|error| unsettled(&error))?;
        let answer = match &query.cursor {
            None => by_index(&parts, &query).await?,
            Some(text) => {
                let cursors = Cursors::new(seat.directory.key(), seat.name(), kinds, &query);
                by_cursor::page(&parts, &query, &cursors, text).await?
            }
        };
        let json = answer.to_text().map_err(|_| Failure::internal())?;
        Ok(Answer::json(json))
    }
}

async fn by_index(parts: &[Part<'_>], query: &ListQuery) -> Result<Listed, Failure> {
    let skip = query.start_index.saturating_sub(1);
    let (total, ids) = match complete(parts).await? {
        None => plain(parts, skip, query.count),
        Some(found) => {
            let page = found.iter().skip(skip).take(query.count).copied();
            (found.len(), page.collect())
        }
    };
    let (resources, _) = shown(parts, &ids)?;
    Ok(ListAnswer {
        total: Some(total),
        start_index: Some(query.start_index),
        resources,
        ..Listed::default()
    })
}

/// The parts one after the other, unfiltered: how many there are, and a page.
fn plain(parts: &[Part<'_>], skip: usize, count: usize) -> (usize, Vec<Found>) {
    let mut total = 0usize;
    let mut ids = Vec::with_capacity(count);
    for (at, part) in parts.iter().enumerate() {
        let start = skip.saturating_sub(total).saturating_add(1);
        let start = u64::try_from(start).unwrap_or(u64::MAX);
        let page = part.source.page(start, count.saturating_sub(ids.len()));
        ids.extend(page.ids.into_iter().map(|id| Found { part: at, id }));
        total = total.saturating_add(usize::try_from(page.total).unwrap_or(usize::MAX));
    }
    (total, ids)
}

/// The resources as they are shown, and how many of `ids` they stand for: fewer when they hold too many members, or
/// too much.
fn shown(parts: &[Part<'_>], ids: &[Found]) -> Result<(Vec<Box<RawValue>>, usize), Failure> {
    let mut resources = Vec::with_capacity(ids.len());
    let (mut members, mut bytes) = (0u64, 0usize);
    for (done, found) in ids.iter().enumerate() {
        let Some(part) = parts.get(found.part) else {
            continue;
        };
        let room = if resources.is_empty() {
            u64::MAX
        } else {
            MEMBERS_PER_PAGE_MAX.saturating_sub(members)
        };
        match part.source.shown(found.id, &part.selection, room)? {
            Shown::Resource(resource, more) => {
                let text = to_raw_value(&resource).map_err(|_| Failure::internal())?;
                bytes = bytes.saturating_add(text.get().len());
                if bytes > PAGE_BYTES_MAX && !resources.is_empty() {
                    return Ok((resources, done));
                }
                members = members.saturating_add(more);
                resources.push(text);
            }
            Shown::Gone => {}
            Shown::TooLarge => return Ok((resources, done)),
        }
    }
    Ok((resources, ids.len()))
}
