//! The tolerance of PATCH: from any spelling to operations in form.

use super::given::Given;
use super::path::{self, Found, PatchPath};
use super::{MembersChange, OnMissing, PATCH_OP_SCHEMA, Patch, PatchKind, PatchOperation, members};
use crate::coerce::{Coercer, is_blank, member, wrong};
use crate::error::ScimError;
use crate::filter::{self, Filter};
use crate::json::{count_values, parse_json};
use crate::limits::{ATTRIBUTE_VALUES_MAX, MEMBERS_PER_REQUEST_MAX, PATCH_OPERATIONS_MAX, PATCH_TERMS_MAX};
use crate::note::{Dialect, NoteKind, Notes};
use crate::parse::null_is_ignored;
use crate::path::{AttrRef, has_prefix, refuse_what_may_mean_active};
use crate::roles;
use crate::schema::{ResourceKind, Schema};
use crate::tolerance::{Place, Quirk, Tolerated};
use serde_json::{Map, Value};

/// Reads the body of a PATCH.
///
/// # Errors
/// `invalidSyntax` for what is no PatchOp; `invalidPath` and `invalidFilter` for malformed paths;
/// `noTarget` for a `remove` without path; `mutability` for the removal of a required attribute (and, in
/// strict dialect, for writing a read-only one); `invalidValue` for wrong values; 413 above a bound.
pub fn parse_patch(kind: ResourceKind, dialect: Dialect, body: &[u8]) -> Result<Patch, ScimError> {
    read_patch(kind, dialect, &parse_json(body)?)
}

/// As [`parse_patch`], for a body that is already JSON (within the bounds of [`parse_json`]).
///
/// # Errors
/// As there.
pub fn read_patch(kind: ResourceKind, dialect: Dialect, body: &Value) -> Result<Patch, ScimError> {
    let Value::Object(body) = body else {
        return Err(ScimError::invalid_syntax("the body is not a JSON object"));
    };
    let mut notes = Notes::default();
    if !names_patch_op(body)? {
        notes.allow(dialect, Quirk::SchemasMissing, "schemas")?;
    }
    let operations = match member(body, "Operations")? {
        Some(Value::Array(list)) if !list.is_empty() => list.as_slice(),
        Some(single @ Value::Object(_)) => {
            notes.allow(dialect, Quirk::SingleOperation, "Operations")?;
            std::slice::from_ref(single)
        }
        _ => {
            return Err(ScimError::invalid_syntax(
                "Operations must be a list of at least one operation",
            ));
        }
    };
    if operations.len() > PATCH_OPERATIONS_MAX {
        return Err(ScimError::too_large(format!(
            "more than {PATCH_OPERATIONS_MAX} operations"
        )));
    }
    let mut normaliser = Normaliser {
        kind,
        dialect,
        notes: &mut notes,
        operations: Vec::new(),
        members: MembersChange::default(),
        values: 0,
        terms: 0,
        member_count: 0,
    };
    for (index, operation) in operations.iter().enumerate() {
        normaliser.operation(operation).map_err(|error| ScimError {
            detail: format!("operation {}: {}", index + 1, error.detail),
            ..error
        })?;
    }
    let Normaliser {
        operations, members, ..
    } = normaliser;
    Ok(Patch {
        operations,
        members,
        notes: notes.list,
        tolerated: notes.tolerated,
    })
}

fn names_patch_op(body: &Map<String, Value>) -> Result<bool, ScimError> {
    let named = member(body, "schemas")?.and_then(Value::as_array);
    Ok(named.is_some_and(|list| list.iter().any(|urn| urn == PATCH_OP_SCHEMA)))
}

struct Normaliser<'a> {
    kind: ResourceKind,
    dialect: Dialect,
    notes: &'a mut Notes,
    operations: Vec<PatchOperation>,
    members: MembersChange,
    values: usize,
    terms: usize,
    member_count: usize,
}

impl Normaliser<'_> {
    fn is_strict(&self) -> bool {
        self.dialect == Dialect::Strict
    }

    fn operation(&mut self, operation: &Value) -> Result<(), ScimError> {
        let Value::Object(operation) = operation else {
            return Err(ScimError::invalid_syntax("is not a JSON object"));
        };
        let op = match member(operation, "op")?.and_then(Value::as_str) {
            Some(word) => self.kind_of(word)?,
            None => return Err(ScimError::invalid_syntax("op is missing")),
        };
        let value = member(operation, "value")?;
        let given = &mut Given::default();
        match member(operation, "path")? {
            None | Some(Value::Null) => self.without_path(op, value, given),
            Some(Value::String(path)) if path.trim().is_empty() => {
                self.notes.allow_path(self.dialect, Quirk::EmptyPath, "path")?;
                self.without_path(op, value, given)
            }
            Some(Value::String(path)) => self.with_path(op, path, value, Place::Path, given),
            Some(_) => Err(ScimError::invalid_path("path must be a string")),
        }
    }

    fn kind_of(&mut self, word: &str) -> Result<PatchKind, ScimError> {
        let folded = word.trim().to_ascii_lowercase();
        let kind = match folded.as_str() {
            "add" => PatchKind::Add,
            "replace" => PatchKind::Replace,
            "remove" => PatchKind::Remove,
            _ => return Err(ScimError::invalid_syntax("op must be add, replace or remove")),
        };
        if folded != word {
            self.notes.allow(self.dialect, Quirk::OperationCase, "op")?;
        }
        Ok(kind)
    }

    /// `path` may hold values between its brackets: those are not shown.
    fn allow(&mut self, quirk: Quirk, place: Place, path: &str) -> Result<(), ScimError> {
        let shown = path.split('[').next().unwrap_or_default();
        match place {
            Place::Body => self.notes.allow(self.dialect, quirk, shown),
            Place::Path | Place::Filter => self.notes.allow_path(self.dialect, quirk, shown),
        }
    }

    /// The keys of the value are paths; nulls among them mean “not sent”.
    fn without_path(
        &mut self,
        op: PatchKind,
        value: Option<&Value>,
        given: &mut Given,
    ) -> Result<(), ScimError> {
        if op == PatchKind::Remove {
            return Err(ScimError::no_target("remove needs a path"));
        }
        match value {
            Some(Value::Object(object)) => self.object(op, object, given),
            Some(Value::Array(list)) => {
                self.allow(Quirk::PathlessList, Place::Body, "value")?;
                for object in list {
                    let object = object.as_object().ok_or_else(no_object)?;
                    self.object(op, object, &mut Given::default())?;
                }
                Ok(())
            }
            _ => Err(no_object()),
        }
    }

    /// Whole attributes first, then parts of them, however they are spelled.
    fn object(
        &mut self,
        op: PatchKind,
        object: &Map<String, Value>,
        given: &mut Given,
    ) -> Result<(), ScimError> {
        let is_part = |key: &str| key.contains('[') || behind_urn(key).contains('.');
        let (parts, wholes): (Vec<_>, Vec<_>) = object.iter().partition(|(key, _)| is_part(key));
        for (key, value) in wholes.into_iter().chain(parts) {
            if key.contains('[') || has_prefix(key.trim(), "urn:") || key.contains('.') {
                self.path_as_key(key)?;
            }
            self.keyed(op, key, value, given)?;
        }
        Ok(())
    }

    /// A key that is more than an attribute's name or an extension's URN.
    fn path_as_key(&mut self, key: &str) -> Result<(), ScimError> {
        match path::parse(self.kind, key) {
            Ok(Found::Path(_)) => self.allow(Quirk::KeysArePaths, Place::Body, key),
            Ok(Found::Core) => self.allow(Quirk::CoreUrnKey, Place::Body, key),
            Ok(Found::Extension(_) | Found::Unknown(_)) | Err(_) => Ok(()),
        }
    }

    fn keyed(&mut self, op: PatchKind, key: &str, value: &Value, given: &mut Given) -> Result<(), ScimError> {
        if key.eq_ignore_ascii_case("schemas") {
            return Ok(());
        }
        if value.is_null() && !self.is_strict() {
            self.allow(Quirk::PathlessNull, Place::Body, key)?;
            self.notes.add(NoteKind::NullIgnored, key);
            return Ok(());
        }
        match path::parse(self.kind, key) {
            Ok(_) => self.with_path(op, key, Some(value), Place::Body, given),
            // A key that is no path at all is an attribute nobody knows.
            Err(_) if !key.contains('[') => {
                refuse_what_may_mean_active(self.kind, key, Some(value))?;
                self.allow(Quirk::UnknownAttribute, Place::Body, key)?;
                self.notes.add(NoteKind::UnknownAttribute, key);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn with_path(
        &mut self,
        op: PatchKind,
        text: &str,
        value: Option<&Value>,
        place: Place,
        given: &mut Given,
    ) -> Result<(), ScimError> {
        if text.trim().eq_ignore_ascii_case("password") {
            self.allow(Quirk::Password, place, text)?;
            self.notes.add(NoteKind::Password, "password");
            return Ok(());
        }
        match path::parse(self.kind, text)? {
            Found::Path(path) => {
                given.name(&path, value)?;
                for quirk in path_deviations(self.kind, text, &path).iter() {
                    self.allow(quirk, place, text)?;
                }
                self.at(op, path, value)
            }
            Found::Core => self.without_path(op, value, given),
            Found::Extension(schema) => self.extension(op, schema, value, given),
            Found::Unknown(shown) => {
                refuse_what_may_mean_active(self.kind, &shown, value)?;
                let (quirk, kind) = if has_prefix(&shown, "urn:") {
                    (Quirk::UnknownExtension, NoteKind::UnknownSchema)
                } else {
                    (Quirk::UnknownAttribute, NoteKind::UnknownAttribute)
                };
                self.allow(quirk, place, &shown)?;
                self.notes.add(kind, &shown);
                Ok(())
            }
        }
    }

    fn extension(
        &mut self,
        op: PatchKind,
        schema: &'static Schema,
        value: Option<&Value>,
        given: &mut Given,
    ) -> Result<(), ScimError> {
        let whole = |attribute| AttrRef {
            extension: Some(schema),
            attribute,
            sub: None,
        };
        match (op, value) {
            (PatchKind::Remove, _) => {
                for attribute in schema.attributes {
                    self.at(
                        op,
                        PatchPath {
                            attr: whole(attribute),
                            filter: None,
                        },
                        None,
                    )?;
                }
                Ok(())
            }
            (_, Some(Value::Object(object))) => {
                // Some clients name the extension once more inside it.
                for (key, value) in object
                    .iter()
                    .filter(|(key, _)| !key.eq_ignore_ascii_case("schemas"))
                {
                    self.keyed(op, &format!("{}:{key}", schema.id), value, given)?;
                }
                Ok(())
            }
            _ => Err(wrong(schema.id, "must be an object")),
        }
    }

    fn at(&mut self, op: PatchKind, path: PatchPath, value: Option<&Value>) -> Result<(), ScimError> {
        if op == PatchKind::Remove && value.is_some_and(|value| !value.is_null()) {
            self.allow(Quirk::RemoveByValue, Place::Body, &path.attr.to_string())?;
        }
        if path.attr.is_core("members", path.attr.sub.map(|sub| sub.name)) {
            return self.member_operation(op, &path, value);
        }
        if path.attr.attribute.is_read_only() || path.attr.leaf().is_read_only() {
            return self.read_only(&path.attr);
        }
        if path.attr.is_core("schemas", None) {
            return Ok(());
        }
        self.values += value.map_or(0, count_values);
        if self.values > ATTRIBUTE_VALUES_MAX {
            return Err(ScimError::too_large(format!(
                "more than {ATTRIBUTE_VALUES_MAX} attribute values"
            )));
        }
        self.terms += path.filter.as_ref().map_or(0, Filter::terms);
        if self.terms > PATCH_TERMS_MAX {
            let detail = format!("more than {PATCH_TERMS_MAX} comparisons in value filters");
            return Err(ScimError::too_large(detail));
        }
        match op {
            PatchKind::Remove => self.remove(path, value),
            PatchKind::Add | PatchKind::Replace => self.write(op, path, value),
        }
    }

    fn read_only(&mut self, path: &AttrRef) -> Result<(), ScimError> {
        self.notes
            .allow(self.dialect, Quirk::ReadOnlyPath, &path.to_string())?;
        self.notes.add(NoteKind::ReadOnly, &path.to_string());
        Ok(())
    }

    fn member_operation(
        &mut self,
        op: PatchKind,
        path: &PatchPath,
        value: Option<&Value>,
    ) -> Result<(), ScimError> {
        let notes = (self.dialect, &mut *self.notes);
        let Some(operation) = members::operation(op, path, value, notes)? else {
            return Ok(());
        };
        self.member_count += match &operation {
            members::MemberOperation::Add(list)
            | members::MemberOperation::Remove(list)
            | members::MemberOperation::Replace(list)
            | members::MemberOperation::Meet(list) => list.len(),
            members::MemberOperation::RemoveAll => 0,
        };
        if self.member_count > MEMBERS_PER_REQUEST_MAX {
            return Err(ScimError::too_large(format!(
                "members: more than {MEMBERS_PER_REQUEST_MAX} in one request"
            )));
        }
        self.members.operations.push(operation);
        Ok(())
    }

    fn remove(&mut self, path: PatchPath, value: Option<&Value>) -> Result<(), ScimError> {
        let attribute = path.attr.attribute;
        if attribute.required && path.attr.sub.is_none() && path.filter.is_none() {
            return Err(ScimError::mutability(format!(
                "{} is required and cannot be removed",
                path.attr
            )));
        }
        // Only a list attribute as a whole can have some of its values named.
        let named = value.filter(|value| {
            !value.is_null() && attribute.multi_valued && path.filter.is_none() && path.attr.sub.is_none()
        });
        let value = match named {
            None => None,
            Some(named) => match self.coercer().attribute(&path.attr, named)? {
                Some(list) => Some(list),
                None => return Ok(()),
            },
        };
        self.push(PatchKind::Remove, path, value);
        Ok(())
    }

    fn write(&mut self, op: PatchKind, path: PatchPath, value: Option<&Value>) -> Result<(), ScimError> {
        let Some(value) = value else {
            return Err(wrong(&path.attr.to_string(), "needs a value"));
        };
        if value.is_null() && null_is_ignored(&path.attr) {
            self.notes
                .allow(self.dialect, Quirk::NullActive, &path.attr.to_string())?;
            self.notes.add(NoteKind::NullIgnored, &path.attr.to_string());
            return Ok(());
        }
        let value = match value.as_array().map(Vec::as_slice) {
            Some([only]) if names_another(&path) && !only.is_array() => {
                self.allow(Quirk::ListForSingle, Place::Body, &path.attr.to_string())?;
                only
            }
            _ => value,
        };
        if names_another(&path) && self.says_nobody(&path, value) {
            return self.blank(path);
        }
        let (path, value) = self.role_text(path, value);
        let shown = path.attr.to_string();
        let attribute = path.attr.attribute;
        let coerced = match (path.attr.sub, &path.filter) {
            (Some(sub), _) => self.coercer().singular(sub, &shown, &value)?,
            (None, Some(_)) => {
                let single = match value.as_array().map(Vec::as_slice) {
                    Some([only]) => only,
                    _ => &*value,
                };
                self.coercer().element(attribute, &shown, single)?
            }
            (None, None) => self.coercer().attribute(&path.attr, &value)?,
        };
        match (coerced, op) {
            (Some(value), _) => self.push(op, path, Some(value)),
            (None, PatchKind::Replace) => return self.remove(path, None),
            (None, _) if Self::says_none(&path) => return self.remove(path, None),
            (None, _) => {}
        }
        Ok(())
    }

    /// Whether a value in the place of what a reference or a role stands for is empty, or (in JSON text) describes no
    /// role.
    fn says_nobody(&self, path: &PatchPath, value: &Value) -> bool {
        let is_of_role = path.attr.attribute.holds_roles && !self.is_strict();
        (is_blank(Some(value)) && !value.is_null()) || (is_of_role && roles::describes_no_role(value))
    }

    /// An empty text in the place of what a reference or a role stands for.
    fn blank(&mut self, path: PatchPath) -> Result<(), ScimError> {
        let shown = path.attr.to_string();
        // Of all roles at once it would take everything away.
        if path.attr.attribute.multi_valued && path.filter.is_none() {
            return Err(wrong(&shown, "must not be empty"));
        }
        self.notes.allow(self.dialect, Quirk::EmptyForNone, &shown)?;
        self.remove(path, None)
    }

    /// Whether adding nothing means taking away: a single complex value set to an empty string (manager).
    fn says_none(path: &PatchPath) -> bool {
        path.attr.sub.is_none() && path.attr.attribute.is_complex() && !path.attr.attribute.multi_valued
    }

    /// `roles[…].value` may be given as JSON text: then it is the whole element that is meant.
    fn role_text<'v>(
        &mut self,
        path: PatchPath,
        value: &'v Value,
    ) -> (PatchPath, std::borrow::Cow<'v, Value>) {
        use std::borrow::Cow;
        let is_role_value =
            path.attr.attribute.holds_roles && path.attr.sub.is_some_and(|sub| sub.name == "value");
        if self.is_strict() || !is_role_value || !value.is_string() {
            return (path, Cow::Borrowed(value));
        }
        if roles::deviations(value).has(Quirk::RoleJson) {
            self.notes.tolerated.add(Quirk::RoleJson);
        }
        match roles::read_element(value) {
            Some(element) if element.len() > 1 => {
                let attr = AttrRef {
                    sub: None,
                    ..path.attr
                };
                (PatchPath { attr, ..path }, Cow::Owned(Value::Object(element)))
            }
            Some(mut element) => {
                let inner = element.remove("value").unwrap_or(Value::Null);
                (path, Cow::Owned(inner))
            }
            None => (path, Cow::Borrowed(value)),
        }
    }

    fn coercer(&mut self) -> Coercer<'_> {
        Coercer {
            dialect: self.dialect,
            notes: self.notes,
        }
    }

    fn push(&mut self, op: PatchKind, path: PatchPath, value: Option<Value>) {
        let on_missing = if self.is_strict() {
            OnMissing::Refuse
        } else {
            OnMissing::Tolerate
        };
        self.operations.push(PatchOperation {
            op,
            path,
            value,
            on_missing,
        });
    }
}

fn no_object() -> ScimError {
    ScimError::invalid_value("without path, value must be an object")
}

/// What stands behind the URN of a key, as far as that can be told without the schemas: behind its last colon.
fn behind_urn(key: &str) -> &str {
    key.rsplit(':').next().unwrap_or_default()
}

/// Whether the path ends in the `value` of a reference or of a role, without which the rest of it means nothing.
fn names_another(path: &PatchPath) -> bool {
    let attribute = path.attr.attribute;
    path.attr.sub.is_some_and(|sub| sub.name == "value")
        && (attribute.holds_roles || attribute.sub("$ref").is_some())
}

/// In what a path deviates from the RFC's.
fn path_deviations(kind: ResourceKind, text: &str, path: &PatchPath) -> Tolerated {
    let mut seen = path.filter.as_ref().map_or(Tolerated::NONE, |filter| {
        filter::deviations(&[kind], text, filter)
    });
    if path.attr.extension.is_some() && !has_prefix(text.trim(), "urn:") {
        seen.add(Quirk::ExtensionWithoutUrn);
    }
    let last = text.rsplit('.').next().unwrap_or_default();
    if path.attr.attribute.holds_roles && last.eq_ignore_ascii_case("displayName") {
        seen.add(Quirk::RoleDisplayName);
    }
    seen
}
