//! `attributes` and `excludedAttributes` (RFC 7644 section 3.9).

use crate::error::ScimError;
use crate::limits::SELECTION_NAMES_MAX;
use crate::path::{AttrRef, Named, resolve, without_filter};
use crate::schema::{COMMON, ResourceKind, Returned, Schema};
use serde_json::{Map, Value};

/// Which attributes an answer shows. `id` and `schemas` are always shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Selection {
    /// All.
    #[default]
    All,
    /// Only these.
    Only(Vec<Selected>),
    /// All but these.
    Except(Vec<Selected>),
}

/// One name in a selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selected {
    /// An attribute or a sub-attribute.
    Attribute(AttrRef),
    /// A whole extension, by its URN.
    Extension(&'static Schema),
}

impl Selection {
    /// Reads the two parameters, lists separated by commas. With both, `attributes` decides; whether both may
    /// be, and what is no name, is said by [`ListQuery::tolerate`](crate::ListQuery::tolerate). Unknown names are
    /// passed over. A name to show with a value filter shows all values; one to leave out leaves nothing out.
    ///
    /// # Errors
    /// `invalidValue` above [`SELECTION_NAMES_MAX`] names.
    pub fn parse(
        kind: ResourceKind,
        attributes: Option<&str>,
        excluded: Option<&str>,
    ) -> Result<Self, ScimError> {
        let given = |text: &&str| !text.trim().is_empty();
        if let Some(text) = attributes.filter(given) {
            let bare = |name: &str| without_filter(name).unwrap_or_else(|| name.to_owned());
            let bare: Vec<String> = text.split(',').map(bare).collect();
            return Ok(Self::Only(names(kind, &bare)?));
        }
        match excluded.filter(given) {
            Some(text) => Ok(Self::Except(names(kind, &text.split(',').collect::<Vec<_>>())?)),
            None => Ok(Self::All),
        }
    }

    /// Whether a core attribute can be part of the answer, so that an expensive one (`members`, `groups`)
    /// need not be loaded.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        let whole = |selected: &Selected| matches!(selected, Selected::Attribute(a) if a.is_core(name, None));
        match self {
            Self::All => true,
            Self::Only(list) => list.iter().any(|selected| match selected {
                Selected::Attribute(path) => path.extension.is_none() && path.attribute.name == name,
                Selected::Extension(_) => false,
            }),
            Self::Except(list) => !list.iter().any(whole),
        }
    }

    pub(crate) fn apply(&self, attributes: Map<String, Value>) -> Map<String, Value> {
        match self {
            Self::All => attributes,
            Self::Only(list) => without_empty(only(list, &attributes)),
            Self::Except(list) => without_empty(except(list, attributes)),
        }
    }
}

/// An object of which nothing is shown is not shown itself, nor is a list of such (RFC 7643 section 2.5).
fn without_empty(mut attributes: Map<String, Value>) -> Map<String, Value> {
    let is_empty = |value: &Value| value.as_object().is_some_and(Map::is_empty);
    attributes.retain(|_, value| match value {
        Value::Array(list) => {
            let before = list.len();
            list.retain(|element| !is_empty(element));
            list.len() == before || !list.is_empty()
        }
        Value::Object(inner) => {
            *inner = without_empty(std::mem::take(inner));
            !inner.is_empty()
        }
        _ => true,
    });
    attributes
}

fn names(kind: ResourceKind, names: &[impl AsRef<str>]) -> Result<Vec<Selected>, ScimError> {
    if names.len() > SELECTION_NAMES_MAX {
        return Err(ScimError::invalid_value(format!(
            "more than {SELECTION_NAMES_MAX} attribute names"
        )));
    }
    let found = names
        .iter()
        .filter_map(|name| resolve(kind, name.as_ref().trim()));
    let selected = found.flat_map(|found| match found {
        Named::Attribute(found) => vec![Selected::Attribute(found)],
        Named::Extension(schema) => vec![Selected::Extension(schema)],
        // The URN of the core schema is all that it defines.
        Named::Core => {
            let core = kind.schema().attributes.iter();
            core.map(|attribute| Selected::Attribute(AttrRef::core(attribute)))
                .collect()
        }
    });
    Ok(selected.collect())
}

fn is_always_returned(name: &str) -> bool {
    COMMON
        .iter()
        .any(|attribute| attribute.name == name && attribute.returned == Returned::Always)
}

fn only(list: &[Selected], attributes: &Map<String, Value>) -> Map<String, Value> {
    let mut kept: Map<String, Value> = attributes
        .iter()
        .filter(|(name, _)| is_always_returned(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for selected in list {
        match selected {
            Selected::Extension(schema) => {
                if let Some(value) = attributes.get(schema.id) {
                    kept.insert(schema.id.to_owned(), value.clone());
                }
            }
            Selected::Attribute(path) => match path.extension {
                None => keep(path, attributes, &mut kept),
                Some(schema) => {
                    let Some(Value::Object(source)) = attributes.get(schema.id) else {
                        continue;
                    };
                    let mut inner = match kept.remove(schema.id) {
                        Some(Value::Object(inner)) => inner,
                        _ => Map::new(),
                    };
                    keep(path, source, &mut inner);
                    if !inner.is_empty() {
                        kept.insert(schema.id.to_owned(), Value::Object(inner));
                    }
                }
            },
        }
    }
    kept
}

fn keep(path: &AttrRef, source: &Map<String, Value>, kept: &mut Map<String, Value>) {
    let name = path.attribute.name;
    let Some(value) = source.get(name) else {
        return;
    };
    let Some(sub) = path.sub else {
        kept.insert(name.to_owned(), value.clone());
        return;
    };
    let part = |element: &Value, into: Option<&Value>| {
        let mut map = into.and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(value) = element.get(sub.name) {
            map.insert(sub.name.to_owned(), value.clone());
        }
        Value::Object(map)
    };
    let before = kept.get(name);
    let shown = match value {
        Value::Array(list) => Value::Array(
            list.iter()
                .enumerate()
                .map(|(index, element)| part(element, before.and_then(|list| list.get(index))))
                .collect(),
        ),
        single => part(single, before),
    };
    kept.insert(name.to_owned(), shown);
}

fn except(list: &[Selected], mut attributes: Map<String, Value>) -> Map<String, Value> {
    for selected in list {
        match selected {
            Selected::Extension(schema) => {
                attributes.remove(schema.id);
            }
            Selected::Attribute(path) if is_always_returned(path.attribute.name) => {}
            Selected::Attribute(path) => match path.extension {
                None => leave_out(path, &mut attributes),
                Some(schema) => {
                    if let Some(inner) = attributes.get_mut(schema.id).and_then(Value::as_object_mut) {
                        leave_out(path, inner);
                    }
                }
            },
        }
    }
    attributes
}

fn leave_out(path: &AttrRef, attributes: &mut Map<String, Value>) {
    let Some(sub) = path.sub else {
        attributes.remove(path.attribute.name);
        return;
    };
    match attributes.get_mut(path.attribute.name) {
        Some(Value::Array(list)) => {
            for element in list.iter_mut().filter_map(Value::as_object_mut) {
                element.remove(sub.name);
            }
        }
        Some(Value::Object(map)) => {
            map.remove(sub.name);
        }
        _ => {}
    }
}
