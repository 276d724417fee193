//! Queries and list answers (RFC 7644 section 3.4.2).

use crate::error::ScimError;
use crate::json::parse_json;
use crate::limits::{PAGE_DEFAULT, PAGE_MAX};
use serde_json::{Value, json};
use std::fmt;

/// URN of the list answer.
pub const LIST_RESPONSE_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// URN of a `POST …/.search` body.
pub const SEARCH_REQUEST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// What a list request asks for. Parameter names are taken in any case.
#[derive(Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Filter text.
    pub filter: Option<String>,
    /// First result wanted, from 1.
    pub start_index: usize,
    /// Most results wanted, at most [`PAGE_MAX`]; 0 asks for the total alone.
    pub count: usize,
    /// `attributes`.
    pub attributes: Option<String>,
    /// `excludedAttributes`.
    pub excluded_attributes: Option<String>,
    /// `sortBy`.
    pub sort_by: Option<String>,
    /// `sortOrder` is `descending`.
    pub descending: bool,
}

/// A filter can hold personal values: only whether it is there is shown.
impl fmt::Debug for ListQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListQuery")
            .field("filter", &self.filter.is_some())
            .field("start_index", &self.start_index)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

impl Default for ListQuery {
    fn default() -> Self {
        Self {
            filter: None,
            start_index: 1,
            count: PAGE_DEFAULT,
            attributes: None,
            excluded_attributes: None,
            sort_by: None,
            descending: false,
        }
    }
}

impl ListQuery {
    /// Reads decoded query parameters; unknown ones are ignored.
    ///
    /// # Errors
    /// `invalidValue` when `startIndex` or `count` is no whole number.
    pub fn parse<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, ScimError> {
        let mut query = Self::default();
        for (name, value) in parameters {
            query.set(name, value)?;
        }
        Ok(query)
    }

    /// Reads the body of `POST …/.search`.
    ///
    /// # Errors
    /// `invalidSyntax` when it is no JSON object, `invalidValue` for a member of the wrong type.
    pub fn parse_search(body: &[u8]) -> Result<Self, ScimError> {
        let Value::Object(body) = parse_json(body)? else {
            return Err(ScimError::invalid_syntax("the body is not a JSON object"));
        };
        let mut query = Self::default();
        for (name, value) in &body {
            match value {
                Value::String(text) => query.set(name, text)?,
                Value::Number(number) => query.set(name, &number.to_string())?,
                Value::Array(list) => {
                    let names: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
                    query.set(name, &names.join(","))?;
                }
                _ => {}
            }
        }
        Ok(query)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), ScimError> {
        let given = || Some(value.to_owned()).filter(|text| !text.trim().is_empty());
        match name.to_ascii_lowercase().as_str() {
            "filter" => self.filter = given(),
            "startindex" => self.start_index = whole("startIndex", value)?.max(1),
            "count" => self.count = whole("count", value)?.min(PAGE_MAX),
            "attributes" => self.attributes = given(),
            "excludedattributes" => self.excluded_attributes = given(),
            "sortby" => self.sort_by = given(),
            "sortorder" => self.descending = value.trim().eq_ignore_ascii_case("descending"),
            _ => {}
        }
        Ok(())
    }
}

/// A whole number; negative ones are 0 (RFC 7644 section 3.4.2.4), larger ones than fit are the largest.
fn whole(name: &str, value: &str) -> Result<usize, ScimError> {
    let value = value.trim();
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ScimError::invalid_value(format!("{name} must be a whole number")));
    }
    if value.starts_with('-') {
        return Ok(0);
    }
    Ok(digits.parse().unwrap_or(usize::MAX))
}

/// A list answer. `total` counts all matches, `resources` is this page. A page beyond the end is empty.
#[must_use]
pub fn list_response(total: usize, start_index: usize, resources: Vec<Value>) -> Value {
    json!({
        "schemas": [LIST_RESPONSE_SCHEMA],
        "totalResults": total,
        "startIndex": start_index,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn odd_paging_is_brought_within_bounds() {
        for (start, count, expected) in [
            ("0", "0", (1, 0)),
            ("-5", "-1", (1, 0)),
            ("2", "100", (2, 100)),
            ("3", "99999", (3, PAGE_MAX)),
            ("99999999999999999999999", "7", (usize::MAX, 7)),
        ] {
            let query = ListQuery::parse([("startindex", start), ("COUNT", count)]).unwrap();
            assert_eq!((query.start_index, query.count), expected);
        }
        let query = ListQuery::parse([]).unwrap();
        assert_eq!((query.start_index, query.count), (1, PAGE_DEFAULT));
        for bad in ["", "x", "1.5", "-"] {
            assert!(ListQuery::parse([("count", bad)]).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_search_body_reads_as_the_same_query_in_the_address() {
        let body = br#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
            "filter":"userName eq \"x\"","startIndex":2,"count":5,"attributes":["userName","emails.value"]}"#;
        let query = ListQuery::parse([
            ("filter", r#"userName eq "x""#),
            ("startIndex", "2"),
            ("count", "5"),
            ("attributes", "userName,emails.value"),
        ]);
        assert_eq!(ListQuery::parse_search(body), query);
    }

    #[test]
    fn list_numbers_are_integers() {
        let list = list_response(3, 2, vec![json!({})]);
        for (name, number) in [("totalResults", 3), ("startIndex", 2), ("itemsPerPage", 1)] {
            assert_eq!(list.get(name).and_then(Value::as_u64), Some(number));
        }
    }
}
