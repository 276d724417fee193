//! Searches: filters with wildcards, and cursor paging over ids in order.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::graphql::{GraphError, PlanField};

/// Wildcards in one filter value at most; matching costs length times wildcards.
const MAX_WILDCARDS: usize = 16;

/// A filter value with `%` (and, by a switch, `_`) as wildcards.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    text: Vec<char>,
    underscore: bool,
}

impl Pattern {
    /// # Errors
    /// More than [`MAX_WILDCARDS`] wildcards.
    pub(crate) fn new(text: &str, underscore: bool) -> Result<Self, GraphError> {
        if text.matches('%').count() > MAX_WILDCARDS {
            return Err(GraphError::coded("C0001E", "Too many wildcards in a filter"));
        }
        Ok(Self {
            text: text.chars().collect(),
            underscore,
        })
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        // Greedy match with one point to come back to: the last '%'.
        let (mut p, mut t, mut back) = (0, 0, None);
        while let Some(&c) = text.get(t) {
            match self.text.get(p) {
                Some('%') => {
                    back = Some((p, t));
                    p += 1;
                }
                Some(&wanted) if wanted == c || (wanted == '_' && self.underscore) => {
                    p += 1;
                    t += 1;
                }
                _ => match back {
                    Some((star, from)) => {
                        p = star + 1;
                        t = from + 1;
                        back = Some((star, t));
                    }
                    None => return false,
                },
            }
        }
        self.text
            .get(p..)
            .is_some_and(|rest| rest.iter().all(|c| *c == '%'))
    }
}

/// The paging arguments of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paging {
    rows: usize,
    backwards: bool,
    after: Option<u64>,
    before: Option<u64>,
}

/// One page: rows in id order.
#[derive(Debug)]
pub(crate) struct Page<'a, T> {
    pub(crate) rows: Vec<(u64, &'a T)>,
    pub(crate) has_previous: bool,
    pub(crate) has_next: bool,
}

impl Paging {
    /// # Errors
    /// A cursor that this server did not make.
    pub(crate) fn read(field: &PlanField) -> Result<Self, GraphError> {
        Ok(Self {
            rows: field.rows(),
            backwards: field.args.contains_key("last") && !field.args.contains_key("first"),
            after: cursor(field, "after")?,
            before: cursor(field, "before")?,
        })
    }

    /// The page of the rows that fit, out of a table.
    pub(crate) fn page<'a, T>(self, rows: &'a BTreeMap<u64, T>, fits: impl Fn(&T) -> bool) -> Page<'a, T> {
        let from = self.after.map_or(Bound::Unbounded, Bound::Excluded);
        let to = self.before.map_or(Bound::Unbounded, Bound::Excluded);
        if matches!((self.after, self.before), (Some(after), Some(before)) if after >= before) {
            return Page {
                rows: Vec::new(),
                has_previous: false,
                has_next: false,
            };
        }
        let wanted = rows
            .range((from, to))
            .filter(|(_, row)| fits(row))
            .map(|(id, row)| (*id, row));
        let more = self.rows.saturating_add(1);
        let mut found: Vec<_> = if self.backwards {
            wanted.rev().take(more).collect()
        } else {
            wanted.take(more).collect()
        };
        let cut = found.len() > self.rows;
        found.truncate(self.rows);
        if self.backwards {
            found.reverse();
            return Page {
                rows: found,
                has_previous: cut,
                has_next: self.before.is_some(),
            };
        }
        Page {
            rows: found,
            has_previous: self.after.is_some(),
            has_next: cut,
        }
    }
}

/// The cursor of a row. Opaque to clients.
pub(crate) fn cursor_of(id: u64) -> String {
    format!("cursor:{id:08x}")
}

fn cursor(field: &PlanField, name: &str) -> Result<Option<u64>, GraphError> {
    let Some(text) = field.text(name) else {
        return Ok(None);
    };
    let id = text
        .strip_prefix("cursor:")
        .and_then(|hex| u64::from_str_radix(hex, 16).ok());
    id.map(Some)
        .ok_or_else(|| GraphError::coded("C0140E", format!("Argument '{name}' is not a cursor")))
}
