//! PATCH paths: `attr`, `attr.sub`, `attr[filter]`, `attr[filter].sub`, each with or without a URN.

use crate::error::{ScimError, printable};
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
    /// Well formed, but no schema here has it.
    Unknown,
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
    if head.is_empty()
        || head
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || "\"()]{}".contains(c))
    {
        return Err(ScimError::invalid_path("the path is malformed"));
    }
    let (named, rest) = (resolve(kind, head), bracketed);
    let Some(rest) = rest else {
        return Ok(match named {
            Some(Named::Attribute(attr)) => Found::Path(PatchPath { attr, filter: None }),
            Some(Named::Core) => Found::Core,
            Some(Named::Extension(schema)) => Found::Extension(schema),
            None => Found::Unknown,
        });
    };
    match named {
        Some(Named::Attribute(attr)) => with_filter(attr, rest).map(Found::Path),
        Some(_) => Err(ScimError::invalid_path("a schema cannot be filtered")),
        None => Ok(Found::Unknown),
    }
}

/// `rest` begins with the opening bracket.
fn with_filter(attr: AttrRef, rest: &str) -> Result<PatchPath, ScimError> {
    if attr.sub.is_some() || !attr.attribute.is_complex() || !attr.attribute.multi_valued {
        return Err(ScimError::invalid_path(format!(
            "{attr} is not a list of objects"
        )));
    }
    let end = closing(rest).ok_or_else(|| ScimError::invalid_path("the path's bracket is not closed"))?;
    let filter = parse_scoped(
        Scope::Element(attr.attribute),
        rest.get(1..end).unwrap_or_default(),
    )?;
    if filter.terms() > PATH_TERMS_MAX {
        return Err(ScimError::invalid_path(format!(
            "the path holds more than {PATH_TERMS_MAX} comparisons"
        )));
    }
    let sub = match rest.get(end + 1..).unwrap_or_default() {
        "" => None,
        tail => {
            let name = tail
                .strip_prefix('.')
                .ok_or_else(|| ScimError::invalid_path("text follows the path's closing bracket"))?;
            let sub = sub_attribute(attr.attribute, name);
            Some(sub.ok_or_else(|| {
                ScimError::invalid_path(format!("{attr} has no sub-attribute {}", printable(name)))
            })?)
        }
    };
    Ok(PatchPath {
        attr: AttrRef { sub, ..attr },
        filter: Some(filter),
    })
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
