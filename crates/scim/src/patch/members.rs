//! Membership as a difference: its cost is that of the request, never that of the group.

use super::{PatchKind, PatchPath};
use crate::error::ScimError;
use crate::filter::{CompareOp, Filter, Literal};
use crate::members::{self, MemberRef};
use crate::note::{Dialect, Notes};
use serde_json::Value;

/// One change of a member list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberOperation {
    /// These become members.
    Add(Vec<MemberRef>),
    /// These are members no longer; those that are none are passed over.
    Remove(Vec<MemberRef>),
    /// Nobody is a member.
    RemoveAll,
    /// These and nobody else are members; may be empty.
    Replace(Vec<MemberRef>),
}

/// All changes of a member list, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MembersChange {
    /// In the order of the request.
    pub operations: Vec<MemberOperation>,
}

/// The outcome of a [`MembersChange`]: a new list as a whole, or a difference to whatever is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetMembers {
    /// The list is this, whatever it was.
    Replace(Vec<MemberRef>),
    /// Added and removed; no id is in both. The order in which they are done does not matter.
    Difference {
        /// Become members.
        add: Vec<MemberRef>,
        /// Are members no longer.
        remove: Vec<MemberRef>,
    },
}

impl MembersChange {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// What the operations come to, done in order.
    #[must_use]
    pub fn net(self) -> NetMembers {
        // Per id the last word counts: true for a member. Order of first mention is kept.
        let mut replaced = false;
        let mut order: Vec<MemberRef> = Vec::new();
        let mut last = std::collections::HashMap::<String, (usize, bool)>::new();
        for operation in self.operations {
            let (list, member) = match operation {
                MemberOperation::Add(list) => (list, true),
                MemberOperation::Remove(list) => (list, false),
                MemberOperation::Replace(list) => {
                    (replaced, order, last) = (true, Vec::new(), std::collections::HashMap::new());
                    (list, true)
                }
                MemberOperation::RemoveAll => {
                    (replaced, order, last) = (true, Vec::new(), std::collections::HashMap::new());
                    continue;
                }
            };
            for reference in list {
                match last.get_mut(&reference.value) {
                    Some((place, is_member)) => {
                        *is_member = member;
                        if let Some(known) = order.get_mut(*place)
                            && known.kind.is_none()
                        {
                            known.kind = reference.kind;
                        }
                    }
                    None => {
                        last.insert(reference.value.clone(), (order.len(), member));
                        order.push(reference);
                    }
                }
            }
        }
        let is_member = |reference: &MemberRef| last.get(&reference.value).is_some_and(|(_, member)| *member);
        let (add, remove) = order.into_iter().partition(is_member);
        if replaced {
            NetMembers::Replace(add)
        } else {
            NetMembers::Difference { add, remove }
        }
    }
}

/// Reads the member operation at `path`, if it asks for anything.
///
/// # Errors
/// `invalidValue` for members without id, `invalidFilter` for a value filter that does not list ids, `mutability`
/// for another id in the place of one.
pub(super) fn operation(
    op: PatchKind,
    path: &PatchPath,
    value: Option<&Value>,
    (dialect, notes): (Dialect, &mut Notes),
) -> Result<Option<MemberOperation>, ScimError> {
    let mut read = |value: &Value| members::read_noting(value, dialect, notes);
    let value = value.filter(|value| !value.is_null());
    let listed = match &path.filter {
        Some(filter) => Some(ids(filter)?),
        None => None,
    };
    match (op, listed, value) {
        (PatchKind::Remove, Some(list), _) => Ok(some_if_any(list, MemberOperation::Remove)),
        // Without a value the group is cleared; with one, even an empty list, only what it names goes.
        (PatchKind::Remove, None, None) if path.attr.sub.is_none() => Ok(Some(MemberOperation::RemoveAll)),
        (PatchKind::Remove, None, None) => Err(ScimError::invalid_path(
            "a sub-attribute of all members cannot be removed",
        )),
        (PatchKind::Remove, None, Some(value)) => Ok(some_if_any(read(value)?, MemberOperation::Remove)),
        // The element a filter selects is created when missing; what else it says of it is not kept. Its id is
        // immutable: another one in its place is another member.
        (PatchKind::Add | PatchKind::Replace, Some(list), value) => {
            if value.is_some_and(|value| names_another(path, value, &list)) {
                return Err(ScimError::mutability(
                    "members.value is immutable; remove the member and add the other",
                ));
            }
            Ok(some_if_any(list, MemberOperation::Add))
        }
        (PatchKind::Add, None, Some(value)) => Ok(some_if_any(read(value)?, MemberOperation::Add)),
        (PatchKind::Replace, None, Some(value)) => Ok(Some(MemberOperation::Replace(read(value)?))),
        (PatchKind::Add | PatchKind::Replace, None, None) => {
            Err(ScimError::invalid_value("members: a value is required"))
        }
    }
}

/// Whether the value gives an id that is none of those selected.
fn names_another(path: &PatchPath, value: &Value, selected: &[MemberRef]) -> bool {
    let of_value = match path.attr.sub {
        Some(sub) => sub.name == "value",
        None => true,
    };
    let read = members::read(value).unwrap_or_default();
    of_value
        && read
            .iter()
            .any(|new| !selected.iter().any(|old| old.value == new.value))
}

fn some_if_any(
    list: Vec<MemberRef>,
    operation: fn(Vec<MemberRef>) -> MemberOperation,
) -> Option<MemberOperation> {
    (!list.is_empty()).then(|| operation(list))
}

/// The ids that a filter lists: `value eq "…"`, several of them joined by `or`.
fn ids(filter: &Filter) -> Result<Vec<MemberRef>, ScimError> {
    match filter {
        Filter::Compare(path, CompareOp::Equal, Literal::Text(id) | Literal::Number(id))
            if path.attribute.name == "value" =>
        {
            Ok(vec![MemberRef::new(id)])
        }
        Filter::Or(parts) => {
            let mut list = Vec::with_capacity(parts.len());
            for part in parts {
                list.extend(ids(part)?);
            }
            Ok(list)
        }
        _ => Err(ScimError::invalid_filter(
            "members can be selected by value eq only",
        )),
    }
}
