//! What tolerance did to a request: for logs and warnings, never holding a value.

use crate::error::printable;
use crate::limits::NOTES_MAX;

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
}

/// One thing left out of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Why.
    pub kind: NoteKind,
    /// The attribute's path as sent, shortened.
    pub path: String,
}

/// Collects notes, up to [`NOTES_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Notes(pub(crate) Vec<Note>);

impl Notes {
    pub(crate) fn add(&mut self, kind: NoteKind, path: &str) {
        if self.0.len() < NOTES_MAX {
            self.0.push(Note {
                kind,
                path: printable(path).into_owned(),
            });
        }
    }
}
