//! What was asked of the simulator: every mutation, in order, bounded.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::state::GrantPair;

/// Entries kept when the configuration does not say: enough for a backfill of 100,000 users with two
/// mutations each, at some 300 bytes an entry.
pub const DEFAULT_JOURNAL_LIMIT: usize = 250_000;

/// One mutation that reached the simulator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JournalEntry {
    /// Dense number from 0, over the life of the simulator.
    pub seq: u64,
    /// The HTTP request it came in; mutations of one request share it.
    pub request: u64,
    /// Milliseconds since 1970 in simulator time, when the request was read.
    pub received_at: i64,
    /// The same, when the change was made; `None` while it has not been.
    pub applied_at: Option<i64>,
    /// The alias (or name) of the root field.
    pub alias: String,
    /// `createUser`, `updateUser`, `removeUserRolesFromUser` or `createRole`.
    pub operation: String,
    /// The user it was about, when it named or made one.
    pub user_id: Option<u64>,
    /// The same user's name.
    pub username: Option<String>,
    /// The status asked for.
    pub status: Option<String>,
    /// The pairs to be added (or removed, for a removal).
    pub grants: Vec<GrantPair>,
    /// What became of it.
    pub result: JournalResult,
    /// Whether the answer was sent; false when the connection was cut.
    pub answered: bool,
}

/// What became of a mutation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "is", content = "code")]
pub enum JournalResult {
    /// The change was made.
    Applied,
    /// Refused with this Fluent code.
    Refused(String),
    /// A fault answered with this HTTP status, or cut the connection (`"cut"`), before anything was done.
    NotRun(String),
    /// The connection was cut and the change has yet to land.
    Pending,
}

#[derive(Debug)]
pub(crate) struct Journal {
    entries: VecDeque<JournalEntry>,
    next: u64,
    limit: usize,
}

impl Journal {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            next: 0,
            limit: limit.max(1),
        }
    }

    /// Adds an entry and gives its number; the oldest one goes when the journal is full.
    pub(crate) fn push(&mut self, mut entry: JournalEntry) -> u64 {
        entry.seq = self.next;
        self.next += 1;
        if self.entries.len() >= self.limit {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
        self.next - 1
    }

    pub(crate) fn get_mut(&mut self, seq: u64) -> Option<&mut JournalEntry> {
        let first = self.entries.front()?.seq;
        let index = usize::try_from(seq.checked_sub(first)?).ok()?;
        self.entries.get_mut(index)
    }

    /// Entries with a number of at least `from`, oldest first.
    pub(crate) fn since(&self, from: u64) -> Vec<JournalEntry> {
        let first = self.entries.front().map_or(0, |entry| entry.seq);
        let skip = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
        self.entries.iter().skip(skip).cloned().collect()
    }

    pub(crate) fn next_seq(&self) -> u64 {
        self.next
    }
}
