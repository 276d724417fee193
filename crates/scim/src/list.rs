//! Queries and list answers (RFC 7644 section 3.4.2).

use crate::error::ScimError;
use crate::json::parse_json;
use crate::limits::{PAGE_DEFAULT, PAGE_MAX};
use crate::note::Dialect;
use crate::path::{is_attribute_path, without_filter};
use crate::tolerance::{Place, Quirk, Tolerated};
use serde::Serialize;
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
    /// In the strict dialect, which tolerates nothing: `invalidSyntax` for a search body that does not name its schema
    /// and no other, `invalidValue` for `attributes` together with `excludedAttributes`, for a name there that is
    /// none, and for what stands as text in a search body and is none.
    pub fn tolerate(&self, dialect: Dialect) -> Result<Tolerated, ScimError> {
        let mut seen = Tolerated::NONE;
        for quirk in self.deviations.iter() {
            let what = match quirk {
                Quirk::BothSelections => "excludedAttributes",
                Quirk::SelectionFilter | Quirk::SelectionNoPath | Quirk::SearchNamesText => {
                    "attributes or excludedAttributes"
                }
                Quirk::SearchNumberText => "startIndex or count",
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
        let mut seen = Tolerated::NONE;
        let names = |names: &Option<String>, shown: bool, seen: &mut Tolerated| {
            for name in names.iter().flat_map(|names| names.split(',')) {
                if !is_attribute_path(name) {
                    seen.add(no_path(name, shown));
                }
            }
        };
        names(&self.attributes, true, &mut seen);
        names(&self.excluded_attributes, false, &mut seen);
        self.deviations.join(seen);
        match count {
            Err(error) if self.cursor.is_some() => Err(ScimError::invalid_count(error.detail)),
            Err(error) => Err(error),
            Ok(()) => Ok(self),
        }
    }

    /// Reads the body of `POST …/.search`. Members that are no parameters are ignored, as unknown parameters of an
    /// address are.
    ///
    /// # Errors
    /// `invalidSyntax` when it is no JSON object or names a parameter twice, in whatever case; `invalidValue` for one
    /// of the wrong type (`invalidFilter` for the filter), and as for [`ListQuery::parse`].
    pub fn parse_search(body: &[u8]) -> Result<Self, ScimError> {
        let Value::Object(body) = parse_json(body)? else {
            return Err(ScimError::invalid_syntax("the body is not a JSON object"));
        };
        let mut query = Self::default();
        let (mut count, mut schemas) = (Ok(()), None);
        let mut named: Vec<&str> = Vec::new();
        for (name, value) in &body {
            let known = Self::PARAMETERS.into_iter().chain(["schemas"]);
            let Some(known) = known.into_iter().find(|known| known.eq_ignore_ascii_case(name)) else {
                continue;
            };
            if named.contains(&known) {
                return Err(ScimError::invalid_syntax(format!("the body names {known} twice")));
            }
            named.push(known);
            match (known, value) {
                ("schemas", value) => schemas = Some(value),
                (_, Value::Null) => {}
                ("count", value) => count = query.set_member(known, value),
                (_, value) => query.set_member(known, value)?,
            }
        }
        query.deviations.join(deviations_of(schemas));
        query.checked(count)
    }

    /// Sets a parameter from a member of a search body (RFC 7644 section 3.4.3).
    fn set_member(&mut self, name: &str, value: &Value) -> Result<(), ScimError> {
        match (name, value) {
            ("startIndex" | "count", Value::Number(number)) => self.set(name, &number.to_string()),
            ("startIndex" | "count", Value::String(text)) => {
                self.deviations.add(Quirk::SearchNumberText);
                self.set(name, text)
            }
            ("attributes" | "excludedAttributes", Value::Array(list)) => {
                let shown = name == "attributes";
                let mut names = Vec::with_capacity(list.len());
                for element in list {
                    let one = element.as_str().ok_or_else(|| wrong_type(name))?;
                    if is_attribute_path(one) {
                        names.push(one.to_owned());
                        continue;
                    }
                    self.deviations.add(no_path(one, shown));
                    names.extend(without_filter(one).filter(|_| shown));
                }
                // Where all of it is passed over, nothing is left of what was asked for: not everything.
                let is_left = list.is_empty() || !names.is_empty();
                self.set(
                    name,
                    if is_left { names.join(",") } else { ",".to_owned() }.as_str(),
                )
            }
            ("attributes" | "excludedAttributes", Value::String(text)) => {
                self.deviations.add(Quirk::SearchNamesText);
                self.set(name, text)
            }
            ("filter" | "sortBy" | "sortOrder" | "cursor", Value::String(text)) => self.set(name, text),
            _ => Err(wrong_type(name)),
        }
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

/// What a name in `attributes` (`shown`) or `excludedAttributes` is that is no attribute path.
fn no_path(name: &str, shown: bool) -> Quirk {
    if shown && without_filter(name).is_some() {
        Quirk::SelectionFilter
    } else {
        Quirk::SelectionNoPath
    }
}

/// In what the `schemas` of a search body deviate: it is one URN (RFC 7644 section 3.4.3).
fn deviations_of(schemas: Option<&Value>) -> Tolerated {
    let mut seen = Tolerated::NONE;
    match schemas {
        Some(Value::Array(list)) if !list.is_empty() => {
            if list.iter().any(|urn| urn != SEARCH_REQUEST_SCHEMA) {
                seen.add(Quirk::SchemaUnknown);
            }
        }
        _ => seen.add(Quirk::SchemasMissing),
    }
    seen
}

fn wrong_type(name: &str) -> ScimError {
    let detail = format!("{name} has the wrong type");
    match name {
        "filter" => ScimError::invalid_filter(detail),
        _ => ScimError::invalid_value(detail),
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

/// One page of a list (RFC 7644 section 3.4.2, RFC 9865 section 2), each resource in a form that writes itself as JSON.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListAnswer<R = Value> {
    /// How many resources match; none when that is not known.
    pub total: Option<usize>,
    /// Place of the first resource, from 1; none for pages by cursor.
    pub start_index: Option<usize>,
    /// Leads to the next page, if there is one.
    pub next_cursor: Option<String>,
    /// Leads to the page before, if there is one.
    pub previous_cursor: Option<String>,
    /// This page.
    pub resources: Vec<R>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a, R> {
    schemas: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    total_results: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_index: Option<usize>,
    items_per_page: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_cursor: Option<&'a str>,
    #[serde(rename = "Resources")]
    resources: &'a [R],
}

impl<R: Serialize> ListAnswer<R> {
    /// The body, as JSON text.
    ///
    /// # Errors
    /// When a resource cannot be written.
    pub fn to_text(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Body {
            schemas: [LIST_RESPONSE_SCHEMA],
            total_results: self.total,
            start_index: self.start_index,
            items_per_page: self.resources.len(),
            next_cursor: self.next_cursor.as_deref(),
            previous_cursor: self.previous_cursor.as_deref(),
            resources: &self.resources,
        })
    }
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
        assert!(ListQuery::parse_search(br#"{"filter":null,"x":{}}"#).is_ok());
    }

    /// As a parameter that stands twice in an address is; which of them decided was a matter of their spelling.
    #[test]
    fn a_search_names_nothing_twice_and_nothing_of_another_type() {
        use crate::error::ScimType::{InvalidFilter, InvalidSyntax, InvalidValue};
        for (body, expected) in [
            (
                json!({"filter": "title pr", "FILTER": "userName pr"}),
                InvalidSyntax,
            ),
            (json!({"count": 1, "Count": null}), InvalidSyntax),
            (
                json!({"schemas": [SEARCH_REQUEST_SCHEMA], "Schemas": []}),
                InvalidSyntax,
            ),
            (json!({"filter": 5}), InvalidFilter),
            (json!({"filter": ["title pr"]}), InvalidFilter),
            (json!({"sortBy": 5}), InvalidValue),
            (json!({"sortOrder": true}), InvalidValue),
            (json!({"count": true}), InvalidValue),
            (json!({"count": 1.5}), InvalidValue),
            (json!({"startIndex": {}}), InvalidValue),
            (json!({"cursor": 7}), InvalidValue),
            (json!({"attributes": [1, 2]}), InvalidValue),
            (json!({"attributes": {"userName": true}}), InvalidValue),
            (json!({"excludedAttributes": 7}), InvalidValue),
        ] {
            let error = ListQuery::parse_search(body.to_string().as_bytes()).unwrap_err();
            assert_eq!(error.scim_type, Some(expected), "{body}");
        }
    }

    #[test]
    fn a_search_that_selects_only_what_is_no_name_does_not_select_everything() {
        use crate::schema::ResourceKind;
        use crate::select::Selection;
        let query = ListQuery::parse_search(br#"{"attributes":["*"]}"#).unwrap();
        let selection = Selection::parse(ResourceKind::User, query.attributes.as_deref(), None);
        assert_eq!(selection, Ok(Selection::Only(Vec::new())));
    }

    #[test]
    fn list_numbers_are_integers() {
        let list = list_response(3, 2, vec![json!({})]);
        for (name, number) in [("totalResults", 3), ("startIndex", 2), ("itemsPerPage", 1)] {
            assert_eq!(list.get(name).and_then(Value::as_u64), Some(number));
        }
    }
}
