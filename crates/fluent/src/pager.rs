//! Walking through a search, with guards against a server that walks us in circles.

use std::collections::HashSet;

use rollcall_domain::ObservedUser;

use crate::answer::{Keyed, RawPage};
use crate::client::FluentClient;
use crate::error::{FluentError, Operation, PagingFault};

/// Users a page: a page costs one plus rows times nested objects, and the limit is 11,111.
pub const USERS_PER_PAGE: u32 = 500;

/// Pages without anything new before we give up (as Fluent's own SDK does).
const EMPTY_PAGES_MAX: u32 = 3;

/// Rows of one walk at most; the largest accounts have well under a million.
const ROWS_MAX: usize = 5_000_000;

/// One page of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows, in Fluent's order.
    pub rows: Vec<T>,
    /// The cursor of the next page; `None` on the last one.
    pub next: Option<String>,
}

/// Where a walk stands, and what it has seen.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    after: Option<String>,
    cursors: HashSet<String>,
    keys: HashSet<String>,
    empty_pages: u32,
    done: bool,
}

impl Walk {
    pub(crate) fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    pub(crate) fn done(&self) -> bool {
        self.done
    }

    /// Takes a page in: gives the rows that are new and moves on.
    ///
    /// # Errors
    /// [`PagingFault`]. Nothing is skipped silently: a reading that is not complete is an error.
    pub(crate) fn take<N: Keyed>(&mut self, page: RawPage<N>) -> Result<Vec<N>, PagingFault> {
        let mut rows = page.rows;
        rows.retain(|row| self.keys.insert(row.key().to_owned()));
        if self.keys.len() > ROWS_MAX {
            return Err(PagingFault::Endless);
        }
        self.done = !page.more;
        if self.done {
            return Ok(rows);
        }
        self.empty_pages = if rows.is_empty() { self.empty_pages + 1 } else { 0 };
        if self.empty_pages >= EMPTY_PAGES_MAX {
            return Err(PagingFault::Stalled);
        }
        match page.last {
            Some(cursor) if self.cursors.insert(cursor.clone()) => self.after = Some(cursor),
            Some(_) => return Err(PagingFault::RepeatedCursor),
            // An empty page leaves us where we are.
            None if rows.is_empty() => {}
            None => return Err(PagingFault::NoCursor),
        }
        Ok(rows)
    }
}

/// Walks through all users of the account, page by page.
#[derive(Debug)]
pub struct UserPager {
    client: FluentClient,
    walk: Walk,
}

impl UserPager {
    pub(crate) fn new(client: FluentClient) -> Self {
        Self {
            client,
            walk: Walk::default(),
        }
    }

    /// The next users (at most [`USERS_PER_PAGE`]; maybe none, when a page only repeated what came before);
    /// `None` after the last page. No user comes twice. Memory grows with the ids seen, some 50 bytes a user.
    ///
    /// # Errors
    /// As the request itself: then the same page is asked for again by the next call. After
    /// [`FluentError::Paging`] begin a new walk.
    pub async fn next(&mut self) -> Result<Option<Vec<ObservedUser>>, FluentError> {
        if self.walk.done() {
            return Ok(None);
        }
        let page = self.client.raw_users(self.walk.after()).await?;
        let operation = Operation::Users;
        let rows = self
            .walk
            .take(page)
            .map_err(|fault| FluentError::Paging { operation, fault })?;
        Ok(Some(
            rows.into_iter().map(crate::answer::UserNode::observed).collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Row(&'static str);

    impl Keyed for Row {
        fn key(&self) -> &str {
            self.0
        }
    }

    fn page(rows: &[&'static str], last: Option<&str>, more: bool) -> RawPage<Row> {
        RawPage {
            rows: rows.iter().map(|row| Row(row)).collect(),
            last: last.map(str::to_owned),
            more,
        }
    }

    #[test]
    fn rows_that_come_again_are_dropped() {
        let mut walk = Walk::default();
        assert_eq!(walk.take(page(&["1", "2"], Some("c2"), true)).unwrap().len(), 2);
        let second = walk.take(page(&["2", "3"], Some("c3"), false)).unwrap();
        assert_eq!(second.iter().map(|row| row.0).collect::<Vec<_>>(), ["3"]);
        assert!(walk.done());
    }

    #[test]
    fn circles_are_errors() {
        let mut walk = Walk::default();
        walk.take(page(&["1"], Some("c"), true)).unwrap();
        assert_eq!(
            walk.take(page(&["2"], Some("c"), true)).err(),
            Some(PagingFault::RepeatedCursor)
        );

        let mut walk = Walk::default();
        assert!(walk.take(page(&[], None, true)).is_ok());
        assert!(walk.take(page(&[], None, true)).is_ok());
        assert_eq!(walk.take(page(&[], None, true)).err(), Some(PagingFault::Stalled));

        let mut walk = Walk::default();
        assert_eq!(
            walk.take(page(&["1"], None, true)).err(),
            Some(PagingFault::NoCursor)
        );
    }
}
