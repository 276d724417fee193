//! The memory of verdicts: the first occurrence of an event id decides, later ones get the same answer.

use hashbrown::HashTable;
use rollcall_domain::{EventId, Sequence};

use super::hash::of_key;
use crate::limits::VERDICTS_MAX;
use crate::{Settled, Verdict};

/// A remembered verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) id: EventId,
    pub(crate) sequence: Sequence,
    pub(crate) verdict: Verdict,
}

/// A ring of the last [`VERDICTS_MAX`] event ids.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verdicts {
    ring: Vec<Remembered>,
    /// Where the next one goes.
    next: usize,
    index: HashTable<u32>,
    /// How many were put in since the last commit.
    pub(crate) fresh: usize,
}

impl Verdicts {
    pub(crate) fn get(&self, id: EventId) -> Option<Settled> {
        let found = self.index.find(of_key(id.0.as_bytes()), |at| {
            self.at(*at).is_some_and(|r| r.id == id)
        })?;
        self.at(*found).map(|r| Settled {
            sequence: r.sequence,
            verdict: r.verdict,
        })
    }

    pub(crate) fn put(&mut self, entry: Remembered) {
        let hash = of_key(entry.id.0.as_bytes());
        let at = u32::try_from(self.next).unwrap_or(0);
        if let Some(old) = self.ring.get_mut(self.next) {
            let gone = std::mem::replace(old, entry);
            let old_hash = of_key(gone.id.0.as_bytes());
            if let Ok(found) = self.index.find_entry(old_hash, |slot| *slot == at) {
                found.remove();
            }
        } else {
            self.ring.push(entry);
        }
        let ring = &self.ring;
        self.index.insert_unique(hash, at, |slot| {
            ring.get(*slot as usize).map_or(0, |r| of_key(r.id.0.as_bytes()))
        });
        self.next = (self.next + 1) % VERDICTS_MAX;
        self.fresh = (self.fresh + 1).min(VERDICTS_MAX);
    }

    fn at(&self, slot: u32) -> Option<&Remembered> {
        self.ring.get(slot as usize)
    }

    /// The ring from `slot` on, at most `count`.
    pub(crate) fn page(&self, slot: usize, count: usize) -> &[Remembered] {
        let end = slot.saturating_add(count).min(self.ring.len());
        self.ring.get(slot..end).unwrap_or_default()
    }

    /// Where the next one goes.
    pub(crate) fn next(&self) -> usize {
        self.next
    }

    /// Oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Remembered> {
        let from = if self.ring.len() < VERDICTS_MAX {
            0
        } else {
            self.next
        };
        self.ring.iter().skip(from).chain(self.ring.iter().take(from))
    }

    /// Puts a stored ring back.
    pub(crate) fn restore(ring: Vec<Remembered>, next: usize) -> Self {
        let mut index = HashTable::with_capacity(ring.len());
        let hash_at = |slot: &u32| ring.get(*slot as usize).map_or(0, |r| of_key(r.id.0.as_bytes()));
        for slot in 0..u32::try_from(ring.len()).unwrap_or(0) {
            index.insert_unique(hash_at(&slot), slot, hash_at);
        }
        Self {
            ring,
            next,
            index,
            fresh: 0,
        }
    }
}
