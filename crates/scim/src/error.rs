//! SCIM errors (RFC 7644 section 3.12).

use serde_json::{Value, json};
use std::borrow::Cow;
use std::fmt;

/// URN of the error message schema.
pub const ERROR_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// The detail keyword of a 4xx answer (RFC 7644 table 9, RFC 9865 table 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScimType {
    /// The filter is not understood, or not allowed on the attribute.
    InvalidFilter,
    /// The answer would be larger than the server gives.
    TooMany,
    /// A value is taken by another resource.
    Uniqueness,
    /// A read-only or required attribute would be changed.
    Mutability,
    /// The body is not what the message's schema asks for.
    InvalidSyntax,
    /// A PATCH path is malformed or names nothing known.
    InvalidPath,
    /// A PATCH path selects nothing.
    NoTarget,
    /// A value is missing, or of the wrong type, length or form.
    InvalidValue,
    /// The protocol version is not supported.
    InvalidVers,
    /// The request would put personal data into a URI.
    Sensitive,
    /// A cursor that was not given out for this query (RFC 9865 section 2.1).
    InvalidCursor,
    /// A cursor whose place is no longer known (RFC 9865 section 2.1).
    ExpiredCursor,
    /// `count` is no number, or another one than the cursor was given out for (RFC 9865 section 2.1).
    InvalidCount,
}

impl ScimType {
    /// The keyword on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVers => "invalidVers",
            Self::Sensitive => "sensitive",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }
}

impl fmt::Display for ScimType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An answer that refuses a request. `detail` names attribute paths and positions, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {detail}")]
pub struct ScimError {
    /// HTTP status.
    pub status: u16,
    /// Keyword, for 400 and 409.
    pub scim_type: Option<ScimType>,
    /// What is wrong, for a person.
    pub detail: String,
}

macro_rules! constructors {
    ($($name:ident, $status:literal, $kind:expr, $doc:literal;)*) => { $(
        #[doc = $doc]
        #[must_use]
        pub fn $name(detail: impl Into<String>) -> Self {
            Self { status: $status, scim_type: $kind, detail: detail.into() }
        }
    )* };
}

impl ScimError {
    constructors! {
        invalid_filter, 400, Some(ScimType::InvalidFilter), "400 `invalidFilter`.";
        too_many, 400, Some(ScimType::TooMany), "400 `tooMany`.";
        uniqueness, 409, Some(ScimType::Uniqueness), "409 `uniqueness`.";
        mutability, 400, Some(ScimType::Mutability), "400 `mutability`.";
        invalid_syntax, 400, Some(ScimType::InvalidSyntax), "400 `invalidSyntax`.";
        invalid_path, 400, Some(ScimType::InvalidPath), "400 `invalidPath`.";
        no_target, 400, Some(ScimType::NoTarget), "400 `noTarget`.";
        invalid_value, 400, Some(ScimType::InvalidValue), "400 `invalidValue`.";
        invalid_vers, 400, Some(ScimType::InvalidVers), "400 `invalidVers`.";
        sensitive, 400, Some(ScimType::Sensitive), "400 `sensitive`.";
        invalid_cursor, 400, Some(ScimType::InvalidCursor), "400 `invalidCursor`.";
        expired_cursor, 400, Some(ScimType::ExpiredCursor), "400 `expiredCursor`.";
        invalid_count, 400, Some(ScimType::InvalidCount), "400 `invalidCount`.";
        unauthorized, 401, None, "401: no or a wrong credential.";
        forbidden, 403, None, "403: the credential may not do this.";
        not_found, 404, None, "404: no such resource or endpoint.";
        method_not_allowed, 405, None, "405: the endpoint does not know the method.";
        conflict, 409, None, "409 without keyword.";
        precondition_failed, 412, None, "412: the resource is at another version.";
        too_large, 413, None, "413: the body is above a named bound.";
        unsupported_media_type, 415, None, "415: the body is not JSON.";
        too_many_requests, 429, None, "429: slow down; the caller adds `Retry-After`.";
        internal, 500, None, "500: our own fault.";
        not_implemented, 501, None, "501: not offered.";
        unavailable, 503, None, "503: try again later.";
    }

    /// The body of the answer. `status` is a string, as the RFC asks.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut body = json!({
            "schemas": [ERROR_SCHEMA],
            "status": self.status.to_string(),
            "detail": self.detail,
        });
        if let (Some(kind), Some(map)) = (self.scim_type, body.as_object_mut()) {
            map.insert("scimType".to_owned(), Value::from(kind.as_str()));
        }
        body
    }
}

/// A name the client sent, made fit for a note or a detail: short, printable, without what stands between brackets,
/// which is a filter's and may hold a person's data, and only when it reads as the name of an attribute or a schema.
/// An address does not.
pub(crate) fn printable(name: &str) -> Cow<'_, str> {
    const MAX: usize = 120;
    let told: Cow<'_, str> = match name.trim().split_once('[') {
        None => Cow::Borrowed(name.trim()),
        Some((before, filter)) => match filter.rsplit_once(']') {
            Some((_, after)) => Cow::Owned(format!("{before}[…]{after}")),
            None => Cow::Owned(format!("{before}[…")),
        },
    };
    let is_of_name = |c: char| c.is_alphanumeric() || "-_.:$/#[]…".contains(c);
    if !told.chars().all(is_of_name) {
        return Cow::Borrowed("a name that is no attribute's");
    }
    match told.char_indices().nth(MAX) {
        None => told,
        Some((end, _)) => Cow::Owned(told.get(..end).unwrap_or_default().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_name_holds_nothing_of_a_filter() {
        assert_eq!(printable("emails.value"), "emails.value");
        assert_eq!(
            printable(r#"emails[value eq "ann@chic.example"].display"#),
            "emails[…].display"
        );
        assert_eq!(
            printable(r#"emails[value eq "a]b"].display"#),
            "emails[…].display"
        );
        assert_eq!(printable("emails[value eq ann@chic.example"), "emails[…");
        for other in [
            "a\nb",
            "mailto:ida@store.example",
            "x:ida@store.example",
            "members.ida@x",
            "+46 8 12",
        ] {
            assert_eq!(printable(other), "a name that is no attribute's");
        }
        for name in [
            "straße",
            "http://schemas.example/2006/11/Group:name",
            "urn:x:User:a-b_c.$ref",
        ] {
            assert_eq!(printable(name), name);
        }
        assert_eq!(printable(&"x".repeat(1000)).len(), 120);
    }
}
