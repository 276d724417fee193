//! Query strings, taken apart and decoded. What the parameters mean is the `scim` crate's matter.

use rollcall_scim::ListQuery;

use crate::http::failure::Failure;
use crate::http::route::percent::decode_query;

/// Most parameters of a query string that are looked at; SCIM knows nine.
const PARAMETERS_MAX: usize = 64;

/// Reads a query string. Parameters that SCIM does not know (`aadOptscim062020` and the like) are ignored.
///
/// # Errors
/// 400 naming the parameter that stands twice or cannot be read.
pub(crate) fn list_query(query: &str) -> Result<ListQuery, Failure> {
    let mut read: Vec<(&'static str, String)> = Vec::new();
    for pair in query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .take(PARAMETERS_MAX)
    {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode_query(name).unwrap_or_default();
        let Some(name) = ListQuery::PARAMETERS
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(&name))
        else {
            continue;
        };
        let scim_type = if name == "filter" {
            "invalidFilter"
        } else {
            "invalidValue"
        };
        if read.iter().any(|(there, _)| *there == name) {
            return Err(Failure::bad(scim_type, format!("the query names {name} twice")));
        }
        let value = decode_query(value);
        let value =
            value.ok_or_else(|| Failure::bad(scim_type, format!("{name} is not encoded as it should be")))?;
        read.push((name, value));
    }
    Ok(ListQuery::parse(
        read.iter().map(|(name, value)| (*name, value.as_str())),
    )?)
}

/// Whether a query string has a filter, readable or not.
pub(crate) fn has_filter(query: &str) -> bool {
    query.split('&').any(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let is_filter = decode_query(name).is_some_and(|name| name.eq_ignore_ascii_case("filter"));
        is_filter && decode_query(value).is_none_or(|value| !value.trim().is_empty())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_query_is_read_in_any_case_and_decoded() {
        let read =
            list_query("Filter=userName%20eq+%22ida%2B1%22&startindex=2&x=%ff&attributes=a,b&&=").unwrap();
        assert_eq!(read.filter.as_deref(), Some("userName eq \"ida+1\""));
        assert_eq!((read.start_index, read.attributes.as_deref()), (2, Some("a,b")));
        assert_eq!(list_query("filter=&&=").unwrap(), ListQuery::default());
    }

    /// Forms write a space as `+` and a plus as `%2B`; RFC 3986 writes a space as `%20` and a plus as itself.
    #[test]
    fn a_plus_is_found_whichever_way_it_is_written() {
        for written in [
            "userName+eq+%22ida%2B1@x%22",
            "userName%20eq%20%22ida+1@x%22",
            "userName%20eq%20%22ida%2B1@x%22",
            "userName%20eq+\"ida+1@x\"",
        ] {
            let read = list_query(&format!("filter={written}")).unwrap();
            assert_eq!(
                read.filter.as_deref(),
                Some("userName eq \"ida+1@x\""),
                "{written}"
            );
        }
        let read = list_query(r#"filter=title+eq+"a+\"b"+or%20title+eq+"c%5C%22+d""#).unwrap();
        assert_eq!(
            read.filter.as_deref(),
            Some(r#"title eq "a+\"b" or title eq "c\"+d""#)
        );
        let read = list_query("filter=title+eq+%22a+b%22").unwrap();
        assert_eq!(read.filter.as_deref(), Some("title eq \"a b\""));
    }

    #[test]
    fn a_filter_is_seen_however_it_is_written() {
        for query in ["filter=x", "a=b&FILTER=%20x", "%66ilter=%ff"] {
            assert!(has_filter(query), "{query}");
        }
        for query in ["", "filter=&count=1", "filter", "filters=x", "x=filter"] {
            assert!(!has_filter(query), "{query}");
        }
    }

    #[test]
    fn what_stands_twice_or_cannot_be_read_is_refused_by_its_name() {
        for (query, name, scim_type) in [
            ("filter=a&FILTER=b", "filter", "invalidFilter"),
            ("filter=%ff", "filter", "invalidFilter"),
            ("filter=%f", "filter", "invalidFilter"),
            ("count=ten", "count", "invalidValue"),
            ("startIndex=1.5", "startIndex", "invalidValue"),
            ("attributes=%zz", "attributes", "invalidValue"),
        ] {
            let failure = list_query(query).unwrap_err();
            assert!(failure.detail.contains(name), "{query}: {}", failure.detail);
            assert_eq!(failure.scim_type, Some(scim_type), "{query}");
        }
    }
}
