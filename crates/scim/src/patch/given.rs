//! What one value of a PATCH names, and whether it names a thing twice.

use super::PatchPath;
use crate::coerce::twice;
use crate::error::ScimError;
use crate::filter::Filter;
use crate::path::{AttrRef, sub_attribute};
use crate::schema::Attribute;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// What the keys of one value have named so far, by whole attributes: two spellings of one are one too many, since
/// their order, which is none, would decide.
#[derive(Debug, Default)]
pub(super) struct Given(HashMap<String, Parts>);

#[derive(Debug, Default)]
struct Parts {
    whole: bool,
    /// The whole is a single value that its parts would contradict.
    closed: bool,
    named: HashSet<String>,
}

impl Given {
    /// # Errors
    /// `invalidSyntax` when it is named already.
    pub(super) fn name(&mut self, path: &PatchPath, value: Option<&Value>) -> Result<(), ScimError> {
        let (attribute, sub) = (path.attr.attribute, path.attr.sub);
        let whole = AttrRef {
            sub: None,
            ..path.attr
        };
        let parts = self.0.entry(whole.to_string()).or_default();
        let is_new = match (&path.filter, sub) {
            (None, None) => {
                let subs = value
                    .and_then(Value::as_object)
                    .filter(|_| !attribute.multi_valued);
                let open = attribute.multi_valued || subs.is_some();
                let was_named = std::mem::replace(&mut parts.whole, true);
                parts.closed = !open;
                let keys = subs.into_iter().flatten().map(|(key, _)| key);
                let mut subs = keys.filter_map(|key| sub_attribute(attribute, key));
                !was_named && (open || parts.named.is_empty()) && subs.all(|sub| parts.name(None, Some(sub)))
            }
            (filter, sub) => !parts.closed && parts.name(filter.as_ref(), sub),
        };
        if is_new {
            Ok(())
        } else {
            Err(twice(&path.attr.to_string()))
        }
    }
}

impl Parts {
    /// Whether it was not named yet.
    fn name(&mut self, filter: Option<&Filter>, sub: Option<&Attribute>) -> bool {
        let filter = filter.map(Filter::canonical).unwrap_or_default();
        self.named
            .insert(format!("[{filter}]{}", sub.map_or("", |sub| sub.name)))
    }
}
