//! PATCH (RFC 7644 section 3.5.2).
//!
//! Two layers. [`parse_patch`] brings every spelling into one form: operations that each have a path, a
//! value of the right type, and a rule for the case that the path selects nothing. [`apply()`] carries them
//! out and knows only that form. A group's members are split off as [`MembersChange`]: they are never
//! loaded to be changed.

mod apply;
mod given;
mod labels;
mod members;
mod normalise;
mod path;
#[cfg(test)]
mod tests;

pub use apply::{Applied, apply, apply_noting};
pub use members::{MemberOperation, MemberTarget, MembersChange, NetMembers};
pub use normalise::{parse_patch, read_patch};
pub use path::PatchPath;

use crate::note::Note;
use crate::tolerance::Tolerated;
use serde_json::Value;
use std::fmt;

/// URN of a PATCH body.
pub const PATCH_OP_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PatchKind {
    /// Adds values, or merges into a complex attribute.
    Add,
    /// Puts values in the place of others.
    Replace,
    /// Takes values away.
    Remove,
}

/// What happens when a value filter selects nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnMissing {
    /// `add` and `replace` create the element, with what the filter asks for filled in; `remove` does
    /// nothing.
    Tolerate,
    /// `noTarget`.
    Refuse,
}

/// One operation in form.
#[derive(Clone, PartialEq)]
pub struct PatchOperation {
    /// What it does.
    pub op: PatchKind,
    /// To what; never to members, never to a read-only attribute.
    pub path: PatchPath,
    /// For `add` and `replace` the new value, of the type of what the path ends in (an element without
    /// sub-attribute path: an object); for `remove` the elements to take away, or none for all.
    pub value: Option<Value>,
    /// When nothing is selected.
    pub on_missing: OnMissing,
}

/// Values can be personal: only the place is shown.
impl fmt::Debug for PatchOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PatchOperation({:?} {})", self.op, self.path.attr)
    }
}

/// What a PATCH says, in form.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Patch {
    /// Changes of attributes, in order.
    pub operations: Vec<PatchOperation>,
    /// Changes of a group's members, in order. Empty for users.
    pub members: MembersChange,
    /// What was left out.
    pub notes: Vec<Note>,
    /// Which deviations from the RFCs it held.
    pub tolerated: Tolerated,
}
