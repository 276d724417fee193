//! From SCIM attributes to what Fluent is to know of a person.

use rollcall_domain::{Hold, Note, Policy, Profile};
use serde_json::{Map, Value};

/// Fluent's limit of `firstName` and `lastName` in characters (fluent.md 3.2).
const NAME_MAX: usize = 50;
/// Fluent's limit of `username` and `primaryEmail` in characters (fluent.md 3.2).
const LONG_MAX: usize = 250;

/// A profile with what is to be said about it.
#[derive(Debug, Default)]
pub(crate) struct Mapped {
    pub(crate) profile: Option<Profile>,
    pub(crate) holds: Vec<Hold>,
    pub(crate) notes: Vec<Note>,
}

/// Maps the attributes of the claimant that speaks for an account. A name is cut at Fluent's limit; a
/// userName or an address cannot be cut, so it is a hold.
pub(crate) fn map(attributes: Option<&Map<String, Value>>, policy: &Policy) -> Mapped {
    let mut mapped = Mapped::default();
    let Some(user_name) = attributes.and_then(user_name) else {
        mapped.holds.push(Hold::NoEmail); // a damaged document names nobody
        return mapped;
    };
    let length = user_name.chars().count();
    if length > LONG_MAX {
        let limit = u32::try_from(LONG_MAX).unwrap_or(u32::MAX);
        mapped.holds.push(Hold::UserNameTooLong {
            length: u32::try_from(length).unwrap_or(u32::MAX),
            limit,
        });
    }
    if policy.protected.iter().any(|pattern| pattern.matches(user_name)) {
        mapped.holds.push(Hold::Protected);
    }
    let name = attributes.and_then(|a| a.get("name")).and_then(Value::as_object);
    let mut part = |key: &str, field: &str| {
        let text = name
            .and_then(|name| name.get(key))
            .and_then(Value::as_str)
            .unwrap_or_default();
        match text.char_indices().nth(NAME_MAX) {
            Some((at, _)) => {
                mapped.notes.push(Note::Cut {
                    field: field.to_owned(),
                });
                text.get(..at).unwrap_or_default().to_owned()
            }
            None => text.to_owned(),
        }
    };
    let (first_name, last_name) = (part("givenName", "firstName"), part("familyName", "lastName"));
    let email = attributes
        .and_then(email)
        .or_else(|| user_name.contains('@').then_some(user_name));
    let primary_email = email
        .filter(|email| email.chars().count() <= LONG_MAX)
        .map(str::to_owned);
    if primary_email.is_none() {
        mapped.holds.push(Hold::NoEmail);
    }
    mapped.profile = Some(Profile {
        username: user_name.to_owned(),
        first_name,
        last_name,
        primary_email,
    });
    mapped
}

/// The userName of a document.
pub(crate) fn user_name(attributes: &Map<String, Value>) -> Option<&str> {
    attributes
        .get("userName")
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty())
}

/// The work address, else the primary one, else the first.
fn email(attributes: &Map<String, Value>) -> Option<&str> {
    let emails = attributes.get("emails")?.as_array()?;
    let entries = || {
        emails.iter().filter_map(Value::as_object).filter_map(|entry| {
            let value = entry
                .get("value")
                .and_then(Value::as_str)
                .filter(|value| !value.is_empty())?;
            Some((entry, value))
        })
    };
    let is_work = |entry: &Map<String, Value>| {
        entry
            .get("type")
            .and_then(Value::as_str)
            .is_some_and(|kind| kind.eq_ignore_ascii_case("work"))
    };
    let is_primary = |entry: &Map<String, Value>| entry.get("primary").and_then(Value::as_bool) == Some(true);
    let work = entries().find(|(entry, _)| is_work(entry));
    let primary = || entries().find(|(entry, _)| is_primary(entry));
    work.or_else(primary)
        .or_else(|| entries().next())
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use serde_json::json;

    fn mapped(attributes: &Value) -> Mapped {
        map(attributes.as_object(), &Policy::default())
    }

    #[test]
    fn the_work_address_is_taken_before_the_primary_and_that_before_the_first() {
        let mut user = json!({"userName": "ida", "emails": [{"value": "a@x"},
            {"value": "b@x", "primary": true},
            {"value": "c@x", "type": "Work"}]});
        let address = |user: &Value| mapped(user).profile.unwrap().primary_email;
        assert_eq!(address(&user).as_deref(), Some("c@x"));
        user["emails"].as_array_mut().unwrap().pop();
        assert_eq!(address(&user).as_deref(), Some("b@x"));
        user["emails"].as_array_mut().unwrap().pop();
        assert_eq!(address(&user).as_deref(), Some("a@x"));
        assert_eq!(address(&json!({"userName": "ida@x"})).as_deref(), Some("ida@x"));
    }

    #[test]
    fn names_are_cut_and_what_cannot_be_cut_is_held() {
        let long = "é".repeat(51);
        let got =
            mapped(&json!({"userName": "u".repeat(251), "name": {"givenName": long, "familyName": "F"}}));
        assert_eq!(got.profile.unwrap().first_name, "é".repeat(50));
        assert_eq!(
            got.notes,
            [Note::Cut {
                field: "firstName".to_owned()
            }]
        );
        assert_eq!(
            got.holds,
            [
                Hold::UserNameTooLong {
                    length: 251,
                    limit: 250
                },
                Hold::NoEmail
            ]
        );
    }

    #[test]
    fn a_protected_name_is_held() {
        assert_eq!(
            mapped(&json!({"userName": "eu_Admin", "emails": [{"value": "a@x"}]})).holds,
            [Hold::Protected]
        );
    }
}
