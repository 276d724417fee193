//! Reading the body of a POST or PUT.

use crate::coerce::{Coercer, is_blank, twice, wrong};
use crate::error::ScimError;
use crate::json::{count_values, parse_json};
use crate::limits::ATTRIBUTE_VALUES_MAX;
use crate::members::{self, MemberRef};
use crate::note::{Dialect, Note, NoteKind, Notes};
use crate::path::{AttrRef, Named, has_prefix, refuse_what_may_mean_active, resolve};
use crate::resource::Resource;
use crate::schema::{AttributeType, ResourceKind, Schema};
use crate::tolerance::{Quirk, Tolerated};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// What a POST or PUT says.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedResource {
    /// The resource without its members. A user's `active` is always there (true when not sent).
    pub resource: Resource,
    /// Whether the body says anything about `active`.
    pub says_active: bool,
    /// A group's members: none when the body does not name them, empty when it names none.
    pub members: Option<Vec<MemberRef>>,
    /// What was left out.
    pub notes: Vec<Note>,
    /// Which deviations from the RFCs it held.
    pub tolerated: Tolerated,
}

/// Reads and validates a whole resource.
///
/// # Errors
/// `invalidSyntax` for what is no JSON object, of another resource type or names an attribute twice; `invalidPath` for
/// a name that is not `active`, may be meant so and may say false;
/// `invalidValue` for a missing required attribute or a value of the wrong type; 413 above a bound.
pub fn parse_resource(
    kind: ResourceKind,
    dialect: Dialect,
    body: &[u8],
) -> Result<ParsedResource, ScimError> {
    read_resource(kind, dialect, parse_json(body)?)
}

/// As [`parse_resource`], for a body that is already JSON (within the bounds of [`parse_json`]).
///
/// # Errors
/// As there.
pub fn read_resource(kind: ResourceKind, dialect: Dialect, body: Value) -> Result<ParsedResource, ScimError> {
    let Value::Object(body) = body else {
        return Err(ScimError::invalid_syntax("the body is not a JSON object"));
    };
    let mut notes = Notes::default();
    let mut reader = Reader {
        kind,
        coercer: Coercer {
            dialect,
            notes: &mut notes,
        },
        attributes: Map::new(),
        members: None,
        values: 0,
        given: HashSet::new(),
        named: Vec::new(),
        used: Vec::new(),
    };
    reader.object(&body, true)?;
    reader.check_schemas()?;
    let Reader {
        mut attributes,
        members,
        ..
    } = reader;
    let says_active = attributes.contains_key("active");
    if kind == ResourceKind::User {
        attributes.entry("active").or_insert(Value::Bool(true));
    }
    let resource = Resource::from_stored(kind, attributes);
    check_required(&resource)?;
    Ok(ParsedResource {
        resource,
        says_active,
        members,
        notes: notes.list,
        tolerated: notes.tolerated,
    })
}

/// Every required attribute has a value that is more than blanks.
pub(crate) fn check_required(resource: &Resource) -> Result<(), ScimError> {
    let mut required = resource
        .kind()
        .schema()
        .attributes
        .iter()
        .filter(|attribute| attribute.required);
    match required.find(|attribute| is_blank(resource.attributes().get(attribute.name))) {
        None => Ok(()),
        Some(missing) => Err(wrong(missing.name, "is required")),
    }
}

struct Reader<'a> {
    kind: ResourceKind,
    coercer: Coercer<'a>,
    attributes: Map<String, Value>,
    members: Option<Vec<MemberRef>>,
    values: usize,
    /// The attributes that were there, with a value or without.
    given: HashSet<String>,
    /// What `schemas` names; none when it is missing or empty.
    named: Vec<String>,
    /// Extensions in the body.
    used: Vec<&'static Schema>,
}

impl Reader<'_> {
    fn object(&mut self, body: &Map<String, Value>, outermost: bool) -> Result<(), ScimError> {
        for (key, value) in body {
            if key.eq_ignore_ascii_case("schemas") {
                self.name("schemas")?;
                self.named = read_schemas(value)?;
                if !value.is_array() && !self.named.is_empty() {
                    self.coercer.allow(Quirk::SchemasMissing, "schemas")?;
                }
                continue;
            }
            if key.eq_ignore_ascii_case("password") {
                self.coercer.allow(Quirk::Password, "password")?;
                self.coercer.notes.add(NoteKind::Password, "password");
                continue;
            }
            match resolve(self.kind, key) {
                Some(Named::Attribute(path)) if path.sub.is_none() => {
                    if let Some(quirk) = key_deviation(&path, key) {
                        self.coercer.allow(quirk, path.attribute.name)?;
                    }
                    self.attribute(&path, value)?;
                }
                Some(Named::Core) if outermost => {
                    self.coercer.allow(Quirk::CoreUrnKey, key)?;
                    if let Some(inner) = object_or_null(key, value)? {
                        self.object(inner, false)?;
                    }
                }
                Some(Named::Extension(schema)) if outermost => {
                    if let Some(inner) = object_or_null(key, value)? {
                        self.extension(schema, inner)?;
                    }
                }
                _ => self.unknown(key, value)?,
            }
        }
        Ok(())
    }

    /// A name that no schema has.
    fn unknown(&mut self, name: &str, value: &Value) -> Result<(), ScimError> {
        refuse_what_may_mean_active(self.kind, name, Some(value))?;
        self.coercer.unknown(name)
    }

    fn extension(&mut self, schema: &'static Schema, body: &Map<String, Value>) -> Result<(), ScimError> {
        if !self.used.iter().any(|used| used.id == schema.id) {
            self.used.push(schema);
        }
        for (key, value) in body {
            match schema.attribute(key) {
                Some(attribute) => {
                    self.attribute(
                        &AttrRef {
                            extension: Some(schema),
                            attribute,
                            sub: None,
                        },
                        value,
                    )?;
                }
                None => self.unknown(&format!("{}:{key}", schema.id), value)?,
            }
        }
        Ok(())
    }

    /// `schemas` may be missing, empty or name extensions that are not known, but when it names anything it
    /// must name this resource type's core schema.
    fn check_schemas(&mut self) -> Result<(), ScimError> {
        let (core, extensions) = (self.kind.schema().id, self.kind.extensions());
        if self.named.is_empty() {
            return self.coercer.allow(Quirk::SchemasMissing, "schemas");
        }
        let names = |urn: &str| {
            self.named
                .iter()
                .any(|named| named.trim().eq_ignore_ascii_case(urn))
        };
        if !names(core) {
            let old = self
                .named
                .iter()
                .any(|urn| has_prefix(urn, "urn:scim:schemas:core:1."));
            return Err(if old {
                ScimError::invalid_vers("the body is of SCIM 1.1; this server speaks SCIM 2.0")
            } else {
                ScimError::invalid_syntax(format!("schemas does not name {core}"))
            });
        }
        let known = |urn: &str| {
            let urn = urn.trim();
            urn.eq_ignore_ascii_case(core) || extensions.iter().any(|e| urn.eq_ignore_ascii_case(e.id))
        };
        let unknown = self.named.iter().any(|urn| !known(urn));
        let unlisted = self.used.iter().any(|schema| !names(schema.id));
        if unknown {
            self.coercer.allow(Quirk::SchemaUnknown, "schemas")?;
        }
        if unlisted {
            self.coercer.allow(Quirk::ExtensionNotListed, "schemas")?;
        }
        Ok(())
    }

    fn attribute(&mut self, path: &AttrRef, value: &Value) -> Result<(), ScimError> {
        self.name(&path.to_string())?;
        if path.is_core("members", None) {
            if value.is_null() {
                let strict = self.coercer.dialect == Dialect::Strict;
                self.members = strict.then(Vec::new);
                return self.coercer.allow(Quirk::MembersNull, "members");
            }
            let Coercer { dialect, notes } = &mut self.coercer;
            self.members = Some(members::read_noting(value, *dialect, notes)?);
            return Ok(());
        }
        if path.attribute.is_read_only() {
            self.coercer.allow(Quirk::ReadOnlyInBody, path.attribute.name)?;
            self.coercer.notes.add(NoteKind::ReadOnly, path.attribute.name);
            return Ok(());
        }
        self.values += count_values(value);
        if self.values > ATTRIBUTE_VALUES_MAX {
            return Err(ScimError::too_large(format!(
                "more than {ATTRIBUTE_VALUES_MAX} attribute values"
            )));
        }
        let Some(value) = self.coercer.attribute(path, value)? else {
            return Ok(());
        };
        let container = match path.extension {
            None => &mut self.attributes,
            Some(schema) => {
                let entry = self
                    .attributes
                    .entry(schema.id)
                    .or_insert_with(|| Value::Object(Map::new()));
                match entry {
                    Value::Object(inner) => inner,
                    _ => return Err(twice(schema.id)),
                }
            }
        };
        container.insert(path.attribute.name.to_owned(), value);
        Ok(())
    }

    /// Two spellings of one attribute are one too many, even when one says nothing.
    fn name(&mut self, path: &str) -> Result<(), ScimError> {
        if self.given.insert(path.to_owned()) {
            return Ok(());
        }
        Err(twice(path))
    }
}

fn object_or_null<'a>(key: &str, value: &'a Value) -> Result<Option<&'a Map<String, Value>>, ScimError> {
    match value {
        Value::Null => Ok(None),
        Value::Object(map) => Ok(Some(map)),
        _ => Err(wrong(key, "must be an object")),
    }
}

/// In what a key of a body deviates from the plain name of a core attribute.
fn key_deviation(path: &AttrRef, key: &str) -> Option<Quirk> {
    match (path.extension, has_prefix(key.trim(), "urn:")) {
        (Some(_), true) => Some(Quirk::UrnKey),
        (Some(_), false) => Some(Quirk::ExtensionWithoutUrn),
        (None, true) => Some(Quirk::CoreUrnKey),
        (None, false) => None,
    }
}

/// The URNs in `schemas`; a single string is one of them.
fn read_schemas(value: &Value) -> Result<Vec<String>, ScimError> {
    let list = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) => list.as_slice(),
        single => std::slice::from_ref(single),
    };
    let urns = list.iter().map(|urn| urn.as_str().map(str::to_owned));
    let urns: Option<Vec<String>> = urns.collect();
    urns.ok_or_else(|| wrong("schemas", "must be a list of strings"))
}

/// Whether a null at `path` means “not sent” rather than “no value”: a missing `active` would be true.
pub(crate) fn null_is_ignored(path: &AttrRef) -> bool {
    path.leaf().kind == AttributeType::Boolean && path.sub.is_none()
}

#[cfg(test)]
mod tests;
