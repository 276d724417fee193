//! Queries and list answers (RFC 7644 section 3.4.2).

use crate::error::ScimError;
use crate::json::parse_json;
use crate::limits::{PAGE_DEFAULT, PAGE_MAX};
use crate::note::Dialect;
use crate::path::is_attribute_path;
use crate::tolerance::{Place, Quirk, Tolerated};
use serde_json::{Map, Value, json};
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
    /// `cursor` (RFC 9865): empty for the first page. Asks for pages by cursor instead of by index.
    pub cursor: Option<String>,
    /// In what the query deviates from the RFC: see [`ListQuery::tolerate`].
    pub deviations: Tolerated,
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
            cursor: None,
            deviations: Tolerated::NONE,
        }
    }
}

impl ListQuery {
    /// The parameters that are read, by their canonical names.
    pub const PARAMETERS: [&'static str; 8] = [
        "filter",
        "startIndex",
        "count",
        "attributes",
        "excludedAttributes",
        "sortBy",
        "sortOrder",
        "cursor",
    ];

    /// Reads decoded query parameters; unknown ones are ignored.
    ///
    /// # Errors
    /// `invalidValue` when `startIndex` or `count` is no whole number or `sortOrder` none of its two words;
    /// `invalidCount` for `count` beside `cursor`.
    pub fn parse<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, ScimError> {
        let mut query = Self::default();
        let mut count = Ok(());
        for (name, value) in parameters {
            if name.eq_ignore_ascii_case("count") {
                count = query.set(name, value);
            } else {
                query.set(name, value)?;
            }
        }
        query.checked(count)
    }

    /// What was tolerated in it; that of its filter is the filter's own.
    ///
    /// # Errors
    /// In the strict dialect, which tolerates nothing: `invalidSyntax` for a search body without its schema,
    /// `invalidValue` for `attributes` together with `excludedAttributes`, and for a name there that is none.
    pub fn tolerate(&self, dialect: Dialect) -> Result<Tolerated, ScimError> {
        let mut seen = Tolerated::NONE;
        for quirk in self.deviations.iter() {
            let what = match quirk {
                Quirk::BothSelections => "excludedAttributes",
                Quirk::SelectionNoPath => "attributes or excludedAttributes",
                _ => "schemas",
            };
            quirk.allow(dialect, &mut seen, Place::Body, what)?;
        }
        Ok(seen)
    }

    /// What is wrong with `count` has another keyword where pages are by cursor (RFC 9865 section 2.1).
    fn checked(mut self, count: Result<(), ScimError>) -> Result<Self, ScimError> {
        if self.attributes.is_some() && self.excluded_attributes.is_some() {
            self.deviations.add(Quirk::BothSelections);
        }
        let selections = [&self.attributes, &self.excluded_attributes];
        let mut names = selections
            .into_iter()
            .flatten()
            .flat_map(|names| names.split(','));
        if !names.all(is_attribute_path) {
            self.deviations.add(Quirk::SelectionNoPath);
        }
        match count {
            Err(error) if self.cursor.is_some() => Err(ScimError::invalid_count(error.detail)),
            Err(error) => Err(error),
            Ok(()) => Ok(self),
        }
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
        let mut count = Ok(());
        if !names_search(&body) {
            query.deviations.add(Quirk::SchemasMissing);
        }
        for (name, value) in &body {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Array(list) => {
                    let names: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
                    names.join(",")
                }
                Value::Null => continue,
                Value::Bool(_) | Value::Object(_) => match Self::is_known(name) {
                    true => return Err(ScimError::invalid_value(format!("{name} has the wrong type"))),
                    false => continue,
                },
            };
            if name.eq_ignore_ascii_case("count") {
                count = query.set(name, &text);
            } else {
                query.set(name, &text)?;
            }
        }
        query.checked(count)
    }

    fn is_known(name: &str) -> bool {
        Self::PARAMETERS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
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
            "sortorder" => self.descending = is_descending(value)?,
            "cursor" => self.cursor = Some(value.trim().to_owned()),
            _ => {}
        }
        Ok(())
    }
}

fn names_search(body: &Map<String, Value>) -> bool {
    let named = body.iter().find(|(key, _)| key.eq_ignore_ascii_case("schemas"));
    let named = named.and_then(|(_, value)| value.as_array());
    named.is_some_and(|list| list.iter().any(|urn| urn == SEARCH_REQUEST_SCHEMA))
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

/// `sortOrder`; ascending when not given (RFC 7644 section 3.4.2.3).
fn is_descending(value: &str) -> Result<bool, ScimError> {
    match value.trim() {
        "" => Ok(false),
        word if word.eq_ignore_ascii_case("ascending") => Ok(false),
        word if word.eq_ignore_ascii_case("descending") => Ok(true),
        _ => Err(ScimError::invalid_value(
            "sortOrder must be ascending or descending",
        )),
    }
}

/// One page of a list (RFC 7644 section 3.4.2, RFC 9865 section 2).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListAnswer {
    /// How many resources match; none when that is not known.
    pub total: Option<usize>,
    /// Place of the first resource, from 1; none for pages by cursor.
    pub start_index: Option<usize>,
    /// Leads to the next page, if there is one.
    pub next_cursor: Option<String>,
    /// Leads to the page before, if there is one.
    pub previous_cursor: Option<String>,
    /// This page.
    pub resources: Vec<Value>,
}

impl ListAnswer {
    /// The body.
    #[must_use]
    pub fn into_json(self) -> Value {
        let mut map = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                map.insert(name.to_owned(), value);
            }
        };
        put("schemas", Some(json!([LIST_RESPONSE_SCHEMA])));
        put("totalResults", self.total.map(Value::from));
        put("startIndex", self.start_index.map(Value::from));
        put("itemsPerPage", Some(self.resources.len().into()));
        put("nextCursor", self.next_cursor.map(Value::from));
        put("previousCursor", self.previous_cursor.map(Value::from));
        put("Resources", Some(Value::Array(self.resources)));
        Value::Object(map)
    }
}

/// A list answer. `total` counts all matches, `resources` is this page. A page beyond the end is empty.
#[must_use]
pub fn list_response(total: usize, start_index: usize, resources: Vec<Value>) -> Value {
    let answer = ListAnswer {
        total: Some(total),
        start_index: Some(start_index),
        resources,
        ..ListAnswer::default()
    };
    answer.into_json()
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

    /// RFC 9865 section 2: an empty cursor asks for the first page; section 2.1: a bad count is `invalidCount`.
    #[test]
    fn a_cursor_may_be_empty_and_changes_what_a_bad_count_is_called() {
        use crate::error::ScimType;
        let query = ListQuery::parse([("cursor", ""), ("count", "7")]).unwrap();
        assert_eq!((query.cursor.as_deref(), query.count), (Some(""), 7));
        assert_eq!(ListQuery::parse([("count", "7")]).unwrap().cursor, None);
        for (parameters, expected) in [
            ([("count", "x"), ("cursor", "")], ScimType::InvalidCount),
            ([("count", "x"), ("filter", "")], ScimType::InvalidValue),
            ([("sortOrder", "up"), ("count", "1")], ScimType::InvalidValue),
        ] {
            assert_eq!(
                ListQuery::parse(parameters).unwrap_err().scim_type,
                Some(expected)
            );
        }
        let body = br#"{"cursor":"","count":"x"}"#;
        let error = ListQuery::parse_search(body).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidCount));
        assert!(ListQuery::parse_search(br#"{"count":true}"#).is_err());
        assert!(ListQuery::parse_search(br#"{"filter":null,"x":{}}"#).is_ok());
    }

    #[test]
    fn list_numbers_are_integers() {
        let list = list_response(3, 2, vec![json!({})]);
        for (name, number) in [("totalResults", 3), ("startIndex", 2), ("itemsPerPage", 1)] {
            assert_eq!(list.get(name).and_then(Value::as_u64), Some(number));
        }
    }
}
