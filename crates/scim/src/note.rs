//! What tolerance did to a request: for logs and warnings, never holding a value.

use crate::error::{ScimError, printable};
use crate::limits::NOTES_MAX;
use crate::tolerance::{Place, Quirk, Tolerated};

/// How exactly a request must follow the RFC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Dialect {
    /// What identity providers really send is brought into form; what cannot be kept is noted.
    #[default]
    Tolerant,
    /// As the RFC asks; everything else is refused.
    Strict,
}

/// Why something in a request was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoteKind {
    /// No schema here knows the attribute.
    UnknownAttribute,
    /// An extension that is not offered here.
    UnknownSchema,
    /// Only the server writes it.
    ReadOnly,
    /// A password was sent; it is not kept.
    Password,
    /// An explicit null in a place where it means “not sent”.
    NullIgnored,
    /// A label of a role that is not there.
    NoSuchRole,
}

/// One thing left out of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Why.
    pub kind: NoteKind,
    /// The attribute's path as sent, shortened.
    pub path: String,
}

/// Collects what tolerance did: notes, up to [`NOTES_MAX`], and which rows of its table were used.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) list: Vec<Note>,
    pub(crate) tolerated: Tolerated,
}

impl Notes {
    pub(crate) fn add(&mut self, kind: NoteKind, path: &str) {
        if self.list.len() < NOTES_MAX {
            self.list.push(Note {
                kind,
                path: printable(path).into_owned(),
            });
        }
    }

    /// See [`Quirk::allow`], for a body.
    pub(crate) fn allow(&mut self, dialect: Dialect, quirk: Quirk, path: &str) -> Result<(), ScimError> {
        quirk.allow(dialect, &mut self.tolerated, Place::Body, path)
    }

    /// See [`Quirk::allow`], for a path. `path` holds nothing of what may stand between its brackets.
    pub(crate) fn allow_path(&mut self, dialect: Dialect, quirk: Quirk, path: &str) -> Result<(), ScimError> {
        quirk.allow(dialect, &mut self.tolerated, Place::Path, path)
    }
}
