//! Labels of roles that are not there: a display name or a type without a value is no role.

use super::{OnMissing, PatchKind, PatchOperation};
use crate::coerce::is_blank;
use crate::error::ScimError;
use crate::note::{Dialect, NoteKind, Notes};
use crate::path::AttrRef;
use crate::resource::Resource;
use crate::schema::{Attribute, Schema};
use crate::tolerance::Quirk;
use serde_json::{Map, Value};

/// Every role has a value in the end; parts of it may be written before it is. What is still without one is left out,
/// so that the label of a role that the same operations took away, or that somebody never had, holds up nothing else.
///
/// # Errors
/// `noTarget` when the operations do nothing else, or one asks for it.
pub(super) fn settle(
    resource: &mut Resource,
    operations: &[PatchOperation],
    notes: &mut Notes,
) -> Result<(), ScimError> {
    let kind = resource.kind();
    let asks = |operation: &PatchOperation| operation.on_missing == OnMissing::Refuse;
    let is_refused = operations.iter().all(labels) || operations.iter().any(asks);
    let attributes = resource.attributes_mut();
    for schema in kind.extensions() {
        let Some(Value::Object(inner)) = attributes.get_mut(schema.id) else {
            continue;
        };
        settle_in(inner, schema, Some(schema), is_refused, notes)?;
        if inner.is_empty() {
            attributes.remove(schema.id);
        }
    }
    settle_in(attributes, kind.schema(), None, is_refused, notes)
}

fn settle_in(
    container: &mut Map<String, Value>,
    schema: &'static Schema,
    extension: Option<&'static Schema>,
    is_refused: bool,
    notes: &mut Notes,
) -> Result<(), ScimError> {
    for attribute in schema.attributes.iter().filter(|attribute| attribute.holds_roles) {
        let Some(Value::Array(roles)) = container.get_mut(attribute.name) else {
            continue;
        };
        let before = roles.len();
        roles.retain(|role| !is_blank(role.get("value")));
        if roles.len() == before {
            continue;
        }
        if is_refused {
            let detail = format!(
                "there is no such role in {}, and none without a value",
                attribute.name
            );
            return Err(ScimError::no_target(detail));
        }
        if roles.is_empty() {
            container.remove(attribute.name);
        }
        let shown = AttrRef {
            extension,
            attribute,
            sub: None,
        }
        .to_string();
        notes.allow(Dialect::Tolerant, Quirk::RolePart, &shown)?;
        notes.add(NoteKind::NoSuchRole, &shown);
    }
    Ok(())
}

/// Whether it writes a part of roles other than their value.
fn labels(operation: &PatchOperation) -> bool {
    let is_label = |sub: &Attribute| sub.name != "value";
    operation.op != PatchKind::Remove
        && operation.path.attr.attribute.holds_roles
        && operation.path.attr.sub.is_some_and(is_label)
}
