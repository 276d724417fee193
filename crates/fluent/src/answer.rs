//! Fluent's answers as types, and from there into the shared language.

use std::collections::HashMap;

use rollcall_domain::{
    Context, ContextType, FluentStatus, FluentUserId, Grant, ObservedUser, Place, RoleName,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use crate::error::{FluentCode, FluentError, Operation, permissions};

/// What a GraphQL answer holds, each root field still unread.
#[derive(Debug, Deserialize)]
pub(crate) struct Envelope {
    #[serde(default)]
    data: Option<HashMap<String, Box<RawValue>>>,
    #[serde(default)]
    errors: Option<Vec<GraphError>>,
}

#[derive(Debug, Deserialize)]
struct GraphError {
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    path: Option<Vec<Json>>,
    #[serde(default)]
    extensions: Option<HashMap<String, Json>>,
}

impl GraphError {
    fn code(&self) -> Option<FluentCode> {
        let said = self
            .extensions
            .as_ref()
            .and_then(|all| all.get("code"))
            .and_then(Json::as_str);
        said.and_then(FluentCode::find)
            .or_else(|| self.message.as_deref().and_then(FluentCode::find))
    }

    fn is_warning(&self) -> bool {
        self.code().is_some_and(|code| code.is_warning())
    }

    fn concerns(&self, key: &str) -> bool {
        self.path
            .as_ref()
            .and_then(|path| path.first())
            .is_some_and(|first| first.as_str() == Some(key))
    }

    fn has_path(&self) -> bool {
        self.path.as_ref().is_some_and(|path| !path.is_empty())
    }

    fn to_error(&self, operation: Operation) -> FluentError {
        let Some(code) = self.code() else {
            /// The longest class we pass on; the graphql-java ones have about 20 letters.
            const CLASS_MAX: usize = 40;
            let class = self.extensions.as_ref().and_then(|all| all.get("classification"));
            let class = class
                .and_then(Json::as_str)
                .filter(|class| class.len() <= CLASS_MAX && class.bytes().all(|b| b.is_ascii_alphanumeric()));
            return FluentError::Rejected {
                operation,
                class: class.unwrap_or("no class").to_owned(),
            };
        };
        let missing = match code.as_str() {
            "C0020E" => permissions(self.message.as_deref().unwrap_or_default()),
            _ => Vec::new(),
        };
        FluentError::Refused {
            operation,
            code,
            missing,
        }
    }
}

impl Envelope {
    /// Reads an answer's body.
    pub(crate) fn read(operation: Operation, body: &[u8]) -> Result<Self, FluentError> {
        let envelope: Self = serde_json::from_slice(body).map_err(|_| FluentError::BadAnswer {
            operation,
            problem: "it is not a GraphQL answer",
        })?;
        if envelope.data.is_none() && envelope.errors.as_ref().is_none_or(Vec::is_empty) {
            return Err(FluentError::BadAnswer {
                operation,
                problem: "it holds neither data nor errors",
            });
        }
        Ok(envelope)
    }

    /// Whether it holds an error with a code.
    pub(crate) fn has_code(&self) -> bool {
        self.errors.iter().flatten().any(|error| error.code().is_some())
    }

    /// The value of one root field: `None` when it is null without an error.
    ///
    /// An error of the field itself wins over everything, one of the whole request counts where the value is
    /// missing. Warnings do not count where there is a value.
    pub(crate) fn field<T: DeserializeOwned>(
        &self,
        operation: Operation,
        key: &str,
    ) -> Result<Option<T>, FluentError> {
        let raw = self
            .data
            .as_ref()
            .and_then(|data| data.get(key))
            .filter(|raw| raw.get() != "null");
        let errors = || self.errors.iter().flatten();
        let own = errors().find(|error| error.concerns(key) && !(raw.is_some() && error.is_warning()));
        if let Some(error) = own {
            return Err(error.to_error(operation));
        }
        let Some(raw) = raw else {
            return match errors().find(|error| !error.has_path()) {
                Some(error) => Err(error.to_error(operation)),
                None => Ok(None),
            };
        };
        serde_json::from_str(raw.get())
            .map(Some)
            .map_err(|_| FluentError::BadAnswer {
                operation,
                problem: "it has another shape than asked for",
            })
    }
}

/// An id, which the schema calls `ID`: a text, or a number on some servers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Id(pub(crate) String);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Text(String),
            Number(u64),
        }
        Ok(match Either::deserialize(deserializer)? {
            Either::Text(text) => Self(text),
            Either::Number(number) => Self(number.to_string()),
        })
    }
}

/// A user as [`crate::query::USER_FIELDS`] asks for it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserNode {
    pub(crate) id: Id,
    pub(crate) username: String,
    status: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    primary_email: Option<String>,
    roles: Option<Vec<Option<UserRoleNode>>>,
}

#[derive(Deserialize)]
struct UserRoleNode {
    role: Option<RoleNode>,
    contexts: Option<Vec<Option<ContextNode>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContextNode {
    context_type: String,
    context_id: Id,
}

impl UserNode {
    /// The user in our words. Pairs of a context type that nobody knows are left out: we can neither grant
    /// nor remove them.
    pub(crate) fn observed(self) -> ObservedUser {
        let mut grants = std::collections::BTreeSet::new();
        for held in self.roles.into_iter().flatten().flatten() {
            let Some(role) = held.role else { continue };
            for context in held.contexts.into_iter().flatten().flatten() {
                let known = ContextType::from_text(&context.context_type);
                // Removal has to name the pair exactly as stored, which is upper case for every known one.
                let Some(kind) = known.filter(|kind| kind.as_str() == context.context_type) else {
                    tracing::debug!("a grant of an unknown context type is left out");
                    continue;
                };
                let role = RoleName(role.name.clone());
                grants.insert(Grant {
                    role,
                    context: Context {
                        kind,
                        id: context.context_id.0,
                    },
                });
            }
        }
        ObservedUser {
            id: FluentUserId(self.id.0),
            username: self.username,
            status: FluentStatus::from(self.status.unwrap_or_default()),
            first_name: self.first_name.unwrap_or_default(),
            last_name: self.last_name.unwrap_or_default(),
            primary_email: self.primary_email.unwrap_or_default(),
            grants,
        }
    }
}

/// A role of the catalog.
#[derive(Deserialize)]
pub(crate) struct RoleNode {
    pub(crate) name: String,
}

/// A retailer or location of the catalog.
#[derive(Deserialize)]
pub(crate) struct PlaceNode {
    pub(crate) id: Id,
    #[serde(rename = "ref")]
    reference: Option<String>,
    status: Option<String>,
    #[serde(default)]
    retailer: Option<RetailerNode>,
}

#[derive(Deserialize)]
struct RetailerNode {
    id: Id,
}

impl PlaceNode {
    /// The id and the place. A place without a `ref` can still be named by its id.
    pub(crate) fn place(self) -> (String, Place) {
        let place = Place {
            reference: self.reference.unwrap_or_default(),
            active: self.status.as_deref() != Some("INACTIVE"),
            retailer: self.retailer.map(|retailer| retailer.id.0),
        };
        (self.id.0, place)
    }
}

/// What tells one row of a search from another.
pub(crate) trait Keyed {
    fn key(&self) -> &str;
}

impl Keyed for UserNode {
    fn key(&self) -> &str {
        &self.id.0
    }
}

impl Keyed for RoleNode {
    fn key(&self) -> &str {
        &self.name
    }
}

impl Keyed for PlaceNode {
    fn key(&self) -> &str {
        &self.id.0
    }
}

/// A page of a search.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "N: Deserialize<'de>")]
pub(crate) struct Connection<N> {
    edges: Option<Vec<Option<Edge<N>>>>,
    page_info: Option<PageInfo>,
}

#[derive(Deserialize)]
#[serde(bound = "N: Deserialize<'de>")]
struct Edge<N> {
    cursor: Option<String>,
    node: Option<N>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: Option<bool>,
}

/// A page without Relay's wrappers.
pub(crate) struct RawPage<N> {
    pub(crate) rows: Vec<N>,
    /// The last row's cursor. (`PageInfo` has no `endCursor`.)
    pub(crate) last: Option<String>,
    pub(crate) more: bool,
}

impl<N> Connection<N> {
    pub(crate) fn page(self) -> RawPage<N> {
        let more = self
            .page_info
            .and_then(|info| info.has_next_page)
            .unwrap_or(false);
        let mut page = RawPage {
            rows: Vec::new(),
            last: None,
            more,
        };
        for edge in self.edges.into_iter().flatten().flatten() {
            page.last = edge.cursor.or(page.last);
            page.rows.extend(edge.node);
        }
        page
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn envelope(text: &str) -> Envelope {
        Envelope::read(Operation::CreateUser, text.as_bytes()).unwrap()
    }

    fn field(text: &str) -> Result<Option<u32>, FluentError> {
        envelope(text).field(Operation::CreateUser, "a")
    }

    fn code(result: Result<Option<u32>, FluentError>) -> String {
        result.unwrap_err().code().unwrap_or("none").to_owned()
    }

    #[test]
    fn an_error_belongs_to_its_alias_alone() {
        let text = r#"{"data":{"a":null,"b":2},
            "errors":[{"message":"x","path":["a"],"extensions":{"code":"C0123E"}}]}"#;
        assert_eq!(code(field(text)), "C0123E");
        assert_eq!(
            envelope(text).field::<u32>(Operation::CreateUser, "b"),
            Ok(Some(2))
        );
    }

    #[test]
    fn a_code_may_stand_in_the_message_only() {
        assert_eq!(
            code(field(r#"{"data":null,"errors":[{"message":"S0002E: broken"}]}"#)),
            "S0002E"
        );
        let odd =
            r#"{"data":null,"errors":[{"message":"m","extensions":{"code":7,"classification":{"x":1}}}]}"#;
        let rejected = FluentError::Rejected {
            operation: Operation::CreateUser,
            class: "no class".into(),
        };
        assert_eq!(field(odd), Err(rejected));
    }

    #[test]
    fn a_warning_beside_a_value_is_no_error() {
        let text = r#"{"data":{"a":1},"errors":[{"path":["a"],"extensions":{"code":"C0100W"}}]}"#;
        assert_eq!(field(text), Ok(Some(1)));
        let null = r#"{"data":{"a":null},"errors":[{"path":["a"],"extensions":{"code":"C0100W"}}]}"#;
        assert_eq!(code(field(null)), "C0100W");
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for text in [
            "",
            "<html>",
            "[]",
            "{}",
            r#"{"data":null}"#,
            r#"{"data":null,"errors":[]}"#,
            r#"{"data":7}"#,
        ] {
            assert!(Envelope::read(Operation::Me, text.as_bytes()).is_err(), "{text}");
        }
        assert!(field(r#"{"data":{"a":"text"}}"#).is_err());
        assert_eq!(field(r#"{"data":{}}"#), Ok(None));
    }

    #[test]
    fn pairs_of_unknown_context_types_are_left_out() {
        let node: UserNode = serde_json::from_str(
            r#"{"id":7,"username":"u","status":null,"firstName":null,"lastName":"L","primaryEmail":null,
                "roles":[{"role":{"name":"R"},"contexts":[{"contextType":"AGENT","contextId":1},
                {"contextType":"agent","contextId":"2"},{"contextType":"MOON","contextId":"3"},null]},
                null,{"role":null,"contexts":null}]}"#,
        )
        .unwrap();
        let user = node.observed();
        assert_eq!(
            user.grants.into_iter().collect::<Vec<_>>(),
            [Grant::new("R", ContextType::Agent, "1")]
        );
        assert_eq!(
            (user.id.0.as_str(), user.status),
            ("7", FluentStatus::Other(String::new()))
        );
    }
}
