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
    /// One of these at least is a member already, and is what the request says: else it is refused. Changes nothing.
    Meet(Vec<MemberRef>),
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

/// A member that a request writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberTarget {
    /// The member, and what the request says that it is.
    pub member: MemberRef,
    /// Whether the request itself put it in.
    pub added: bool,
}

impl MembersChange {
    /// Lists of which one at least must be a member when the request comes to it ([`MemberOperation::Meet`]); those
    /// that the request itself has taken out by then are not among them.
    #[must_use]
    pub fn targets(&self) -> Vec<Vec<MemberTarget>> {
        let mut is_member = std::collections::HashMap::<&str, bool>::new();
        let mut otherwise = None; // what holds of those not named: whatever was before
        let mut targets = Vec::new();
        for operation in &self.operations {
            let (list, member) = match operation {
                MemberOperation::Add(list) => (list.as_slice(), true),
                MemberOperation::Remove(list) => (list.as_slice(), false),
                MemberOperation::Replace(list) => {
                    (is_member, otherwise) = (std::collections::HashMap::new(), Some(false));
                    (list.as_slice(), true)
                }
                MemberOperation::RemoveAll => {
                    (is_member, otherwise) = (std::collections::HashMap::new(), Some(false));
                    continue;
                }
                MemberOperation::Meet(list) => {
                    let known = |member: &MemberRef| {
                        let known = is_member.get(member.value.as_str()).copied();
                        known.or(otherwise)
                    };
                    let open = list.iter().filter(|member| known(member) != Some(false));
                    let open = open.map(|member| MemberTarget {
                        member: member.clone(),
                        added: known(member).is_some(),
                    });
                    targets.push(open.collect());
                    continue;
                }
            };
            is_member.extend(list.iter().map(|reference| (reference.value.as_str(), member)));
        }
        targets
    }

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
                MemberOperation::Meet(_) => continue,
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
/// for what is immutable (RFC 7643 section 2.2): another id or kind in the place of one, or a sub-attribute of all.
pub(super) fn operation(
    op: PatchKind,
    path: &PatchPath,
    value: Option<&Value>,
    notes: (Dialect, &mut Notes),
) -> Result<Option<MemberOperation>, ScimError> {
    if op == PatchKind::Remove && path.filter.is_none() && value.is_some_and(Value::is_null) {
        // Nobody, or everybody? A client that means to clear the group leaves the value out.
        return Err(ScimError::invalid_value(
            "members: null says neither whom nor all",
        ));
    }
    let value = value.filter(|value| !value.is_null());
    let sub = path.attr.sub.map(|sub| sub.name);
    match &path.filter {
        Some(filter) => of_selected(op, ids(filter)?, sub, value, notes),
        None => of_all(op, sub, value, notes),
    }
}

/// At `members`, or at a sub-attribute of all members.
fn of_all(
    op: PatchKind,
    sub: Option<&str>,
    value: Option<&Value>,
    (dialect, notes): (Dialect, &mut Notes),
) -> Result<Option<MemberOperation>, ScimError> {
    // Tolerated: ids under `members.value` that come or go. Put in the place of others they would be a guess.
    let ids_alone = sub == Some("value") && dialect == Dialect::Tolerant && value.is_some();
    if let Some(sub) = sub.filter(|_| !ids_alone || op == PatchKind::Replace) {
        return Err(immutable(sub));
    }
    let mut read = |value: &Value| members::read_noting(value, dialect, notes);
    match (op, value) {
        // Without a value the group is cleared; with one, even an empty list, only what it names goes.
        (PatchKind::Remove, None) => Ok(Some(MemberOperation::RemoveAll)),
        (PatchKind::Remove, Some(value)) => Ok(some_if_any(read(value)?, MemberOperation::Remove)),
        (PatchKind::Add, Some(value)) => Ok(some_if_any(read(value)?, MemberOperation::Add)),
        (PatchKind::Replace, Some(value)) => Ok(Some(MemberOperation::Replace(read(value)?))),
        (PatchKind::Add | PatchKind::Replace, None) => {
            Err(ScimError::invalid_value("members: a value is required"))
        }
    }
}

/// At the members with these ids. Nothing of a member can be changed, so a write can only say what is so: in the
/// tolerant dialect it makes members of those who are none, in the strict one it needs them to be there.
fn of_selected(
    op: PatchKind,
    list: Vec<MemberRef>,
    sub: Option<&str>,
    value: Option<&Value>,
    (dialect, notes): (Dialect, &mut Notes),
) -> Result<Option<MemberOperation>, ScimError> {
    let strict = dialect == Dialect::Strict;
    if op == PatchKind::Remove {
        return match sub {
            None => Ok(some_if_any(list, MemberOperation::Remove)),
            // Who loses the id is gone, as in any other list.
            Some("value") if !strict => Ok(some_if_any(list, MemberOperation::Remove)),
            Some(sub) => Err(immutable(sub)),
        };
    }
    let said = match (value, sub) {
        (None, _) if strict => return Err(ScimError::invalid_value("members: a value is required")),
        (None, _) => Vec::new(),
        (Some(value), None) => {
            // One element is selected, and one is given.
            let element = value.is_object().then(|| Value::Array(vec![value.clone()]));
            let read = members::read_noting(element.as_ref().unwrap_or(value), dialect, notes)?;
            read.into_iter().map(|one| (Some(one.value), one.kind)).collect()
        }
        (Some(value), Some(sub)) => members::read_part(sub, value, dialect, notes)?,
    };
    let is_another = |id: &String| !list.iter().any(|member| member.value == *id);
    if said.iter().filter_map(|(id, _)| id.as_ref()).any(is_another) {
        return Err(immutable("value"));
    }
    if !strict {
        return Ok(some_if_any(list, MemberOperation::Add));
    }
    let kind = said.first().and_then(|(_, kind)| *kind);
    let met = list.into_iter().map(|member| MemberRef { kind, ..member });
    Ok(some_if_any(met.collect(), MemberOperation::Meet))
}

fn immutable(sub: &str) -> ScimError {
    ScimError::mutability(format!(
        "members.{sub} is immutable; remove the member and add the other"
    ))
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
