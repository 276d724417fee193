//! What a process does of the whole.

use std::fmt;

use rollcall_eventlog::Stream;

/// The part of a process in an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// All of it.
    Whole,
    /// Takes what identity providers send.
    Ingest,
    /// Publishes what accounts should hold, and answers operators.
    Project,
    /// Makes Fluent so.
    Reconcile,
}

impl Role {
    pub(super) const fn ingests(self) -> bool {
        matches!(self, Self::Whole | Self::Ingest)
    }

    pub(super) const fn projects(self) -> bool {
        matches!(self, Self::Whole | Self::Project)
    }

    pub(super) const fn reconciles(self) -> bool {
        matches!(self, Self::Whole | Self::Reconcile)
    }

    /// Whether it appends to a stream. The events of a reconciler are the catalog's.
    pub(super) const fn appends_to(self, stream: Stream) -> bool {
        match stream {
            Stream::Events => true,
            Stream::Desired => self.projects(),
            Stream::Outcomes => self.reconciles(),
        }
    }

    /// Whether it folds every partition with tenants of ours, and not only those that it owns: whoever answers an
    /// identity provider or compares accounts needs all.
    pub(super) const fn folds_all(self) -> bool {
        self.ingests() || self.reconciles()
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole => "run",
            Self::Ingest => "ingest",
            Self::Project => "project",
            Self::Reconcile => "reconcile",
        })
    }
}
