//! PATCH paths: `attr`, `attr.sub`, `attr[filter]`, `attr[filter].sub`, each with or without a URN.

use crate::error::ScimError;
use crate::filter::{Filter, Scope, parse_scoped};
use crate::limits::{FILTER_BYTES_MAX, PATH_TERMS_MAX};
use crate::path::{AttrRef, Named, resolve, sub_attribute};
use crate::schema::{ResourceKind, Schema};

/// A checked path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchPath {
    /// The attribute, with the sub-attribute if the path goes that far.
    pub attr: AttrRef,
    /// Which elements of it.
    pub filter: Option<Filter>,
}

/// What a path text stands for.
pub(super) enum Found {
    Path(PatchPath),
    /// The core schema as a whole.
    Core,
    /// An extension as a whole.
    Extension(&'static Schema),
    /// Well formed, but no schema here has it. As it is shown: what stands between brackets can be personal.
    Unknown(String),
}

/// # Errors
/// `invalidPath` when malformed, `invalidFilter` when what stands between the brackets is.
pub(super) fn parse(kind: ResourceKind, text: &str) -> Result<Found, ScimError> {
    let text = text.trim();
    if text.len() > FILTER_BYTES_MAX {
        return Err(ScimError::invalid_path(format!(
            "the path is longer than {FILTER_BYTES_MAX} bytes"
        )));
    }
    let (head, bracketed) = match text.find('[') {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at..)),
        None => (text, None),
    };
    let malformed = || ScimError::invalid_path("the path is malformed");
    if head.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(malformed());
    }
    let named = resolve(kind, head);
    if named.is_none() && !is_attr_path(head) {
        return Err(malformed());
    }
    let Some(rest) = bracketed else {
        return Ok(match named {
            Some(Named::Attribute(attr)) => Found::Path(PatchPath { attr, filter: None }),
            Some(Named::Core) => Found::Core,
            Some(Named::Extension(schema)) => Found::Extension(schema),
            None => Found::Unknown(head.to_owned()),
        });
    };
    match named {
        Some(Named::Attribute(attr)) => with_filter(attr, rest),
        Some(_) => Err(ScimError::invalid_path("a schema cannot be filtered")),
        None => {
            let (_, tail) = brackets(rest)?;
            sub_name(tail)?;
            Ok(Found::Unknown(format!("{head}{tail}")))
        }
    }
}

/// Whether a text is a URN, or an attribute's name with or without one (RFC 7644 figure 1). More than one level of
/// sub-attributes, or a letter beyond ASCII, is taken for an attribute that nobody knows.
fn is_attr_path(text: &str) -> bool {
    let is_name = |name: &str| {
        let name = name.strip_prefix('$').unwrap_or(name);
        name.starts_with(char::is_alphabetic)
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
    };
    match text.rsplit_once(':') {
        None => text.split('.').all(is_name),
        Some((urn, name)) => {
            let is_of_uri = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}[]()".contains(c);
            urn.starts_with(|c: char| c.is_ascii_alphabetic())
                && urn.chars().all(is_of_uri)
                && name.split('.').all(|part| !part.is_empty())
                && name.chars().all(is_of_uri)
        }
    }
}

/// What stands between the brackets, and what follows them.
fn brackets(rest: &str) -> Result<(&str, &str), ScimError> {
    let end = closing(rest).ok_or_else(|| ScimError::invalid_path("the path's bracket is not closed"))?;
    let tail = rest.get(end + 1..).unwrap_or_default();
    Ok((rest.get(1..end).unwrap_or_default(), tail))
}

/// The name that follows the brackets behind a dot, if anything does.
fn sub_name(tail: &str) -> Result<Option<&str>, ScimError> {
    match tail.strip_prefix('.') {
        None if tail.is_empty() => Ok(None),
        Some(name) if !name.contains(':') && is_attr_path(name) => Ok(Some(name)),
        _ => Err(ScimError::invalid_path(
            "something else than a sub-attribute follows the path's closing bracket",
        )),
    }
}

/// `rest` begins with the opening bracket.
fn with_filter(attr: AttrRef, rest: &str) -> Result<Found, ScimError> {
    if attr.sub.is_some() || !attr.attribute.is_complex() || !attr.attribute.multi_valued {
        return Err(ScimError::invalid_path(format!(
            "{attr} is not a list of objects"
        )));
    }
    let (text, tail) = brackets(rest)?;
    let filter = parse_scoped(Scope::Element(attr.attribute), text)?;
    if filter.terms() > PATH_TERMS_MAX {
        return Err(ScimError::invalid_path(format!(
            "the path holds more than {PATH_TERMS_MAX} comparisons"
        )));
    }
    let sub = match sub_name(tail)? {
        None => None,
        Some(name) => match sub_attribute(attr.attribute, name) {
            Some(sub) => Some(sub),
            None => return Ok(Found::Unknown(format!("{attr}{tail}"))),
        },
    };
    Ok(Found::Path(PatchPath {
        attr: AttrRef { sub, ..attr },
        filter: Some(filter),
    }))
}

/// Place of the bracket that closes the one at the start; brackets in strings do not count.
fn closing(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ']' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}
