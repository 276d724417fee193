//! The tolerance: what identity providers send in deviation from the RFCs, as one table.
//!
//! The reader brings each of these into form before the strict engine sees it, and asks the table first:
//! in the tolerant dialect the deviation passes and is counted, in the strict one it is refused with the
//! row's `scimType`. What no row names is not forgiven. `docs/tolerance.md` shows the same table.

mod table;
#[cfg(test)]
mod tests;

pub use table::Quirk;

use crate::error::{ScimError, ScimType, printable};
use crate::note::Dialect;

/// One row: a deviation and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerance {
    /// Its name in metrics and documentation.
    pub key: &'static str,
    /// What arrives.
    pub arrives: &'static str,
    /// What it is taken for.
    pub becomes: &'static str,
    /// Who sends it.
    pub from: &'static str,
    /// What is left of it beside the outcome.
    pub trace: Trace,
    /// What the strict dialect does.
    pub strict: Strict,
}

/// What a tolerated deviation leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// Nothing: the RFCs allow it, or it cannot be told from what they ask for.
    Nothing,
    /// One more in its counter.
    Counted,
    /// One more in its counter, and a note that something was left out.
    Noted,
}

/// What the strict dialect does with a deviation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strict {
    /// The same: the RFCs allow it.
    Same,
    /// 400 with this keyword.
    Refuses(ScimType),
    /// 400 with the first keyword in a body, with the second in a PATCH path; `invalidFilter` in a filter.
    RefusesBy(ScimType, ScimType),
    /// 409 `uniqueness`.
    Conflict,
    /// Something else, in words.
    Otherwise(&'static str),
}

/// Where a deviation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a body.
    Body,
    /// In the path of a PATCH, or between its brackets.
    Path,
    /// In a filter.
    Filter,
}

impl Quirk {
    /// For deviations that a service decides: lets it pass, or in strict dialect gives the refusal.
    ///
    /// # Errors
    /// As the row says.
    pub fn tolerate(self, dialect: Dialect) -> Result<Tolerated, ScimError> {
        self.tolerate_at(dialect, "request")
    }

    /// As [`Quirk::tolerate`], of an attribute.
    ///
    /// # Errors
    /// As there; the detail names the attribute.
    pub fn tolerate_at(self, dialect: Dialect, attribute: &str) -> Result<Tolerated, ScimError> {
        let mut seen = Tolerated::NONE;
        self.allow(dialect, &mut seen, Place::Body, attribute)?;
        Ok(seen)
    }

    /// Lets it pass, or in strict dialect gives the refusal; `what` names the place, never a value.
    pub(crate) fn allow(
        self,
        dialect: Dialect,
        seen: &mut Tolerated,
        place: Place,
        what: &str,
    ) -> Result<(), ScimError> {
        let row = self.row();
        if dialect == Dialect::Tolerant {
            if row.trace != Trace::Nothing {
                seen.add(self);
            }
            return Ok(());
        }
        let kind = match (row.strict, place) {
            (Strict::Same | Strict::Otherwise(_), _) => return Ok(()),
            (Strict::Conflict, _) => ScimType::Uniqueness,
            (Strict::Refuses(kind) | Strict::RefusesBy(kind, _), Place::Body) => kind,
            (Strict::Refuses(kind) | Strict::RefusesBy(_, kind), Place::Path) => kind,
            (Strict::RefusesBy(..), Place::Filter) => ScimType::InvalidFilter,
            (Strict::Refuses(kind), Place::Filter) => kind,
        };
        let status = if kind == ScimType::Uniqueness { 409 } else { 400 };
        Err(ScimError {
            status,
            scim_type: Some(kind),
            detail: format!(
                "{}: not taken in the strict dialect of this connection: {}",
                printable(what),
                row.arrives
            ),
        })
    }
}

/// Which deviations a request held.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Tolerated(u128);

const _: () = assert!(Quirk::ALL.len() <= 128, "one bit each");

impl Tolerated {
    /// None.
    pub const NONE: Self = Self(0);

    /// Takes one in.
    pub fn add(&mut self, quirk: Quirk) {
        self.0 |= 1 << (quirk as u32);
    }

    /// Whether it was there.
    #[must_use]
    pub const fn has(self, quirk: Quirk) -> bool {
        self.0 & (1 << (quirk as u32)) != 0
    }

    /// Whether there was none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// All of either.
    pub const fn join(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Each of them, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Quirk> {
        Quirk::ALL.iter().copied().filter(move |quirk| self.has(*quirk))
    }
}

impl std::fmt::Debug for Tolerated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set()
            .entries(self.iter().map(|quirk| quirk.row().key))
            .finish()
    }
}
