//! A small GraphQL front end: text to document, document and schema to a plan that is valid by construction.
//!
//! Only what Fluent's API needs: no interfaces, unions, enums or subscriptions, no directives beyond
//! `@skip` and `@include`. Everything a request can make deep or long is bounded.

mod ast;
mod coerce;
mod lexer;
mod parser;
mod plan;
mod schema;

pub(crate) use ast::{Document, OperationKind, TypeRef};
pub(crate) use parser::parse_document;
pub(crate) use plan::{Plan, PlanField, compile};
pub(crate) use schema::{FieldDef, Schema, TypeDef, TypeKind};

use serde_json::{Value as Json, json};

/// One entry of a GraphQL answer's `errors`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GraphError {
    pub(crate) message: String,
    /// Fluent's code (`C0120E`), put into `extensions.code`.
    pub(crate) code: Option<String>,
    /// The GraphQL library's own class (`ValidationError`), used where Fluent has no code.
    pub(crate) class: &'static str,
    pub(crate) location: Option<(u32, u32)>,
    /// The alias of the root field that failed; `None` when the whole request did.
    pub(crate) alias: Option<String>,
}

impl GraphError {
    /// A failure of the document itself.
    pub(crate) fn invalid(message: impl Into<String>, location: (u32, u32)) -> Self {
        Self {
            message: message.into(),
            code: None,
            class: "ValidationError",
            location: Some(location),
            alias: None,
        }
    }

    /// A failure with one of Fluent's codes.
    pub(crate) fn coded(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: Some(code.into()),
            class: "DataFetchingException",
            location: None,
            alias: None,
        }
    }

    pub(crate) fn to_json(&self) -> Json {
        let mut extensions = json!({ "classification": self.class });
        if let (Some(map), Some(code)) = (extensions.as_object_mut(), &self.code) {
            map.insert("code".into(), json!(code));
        }
        let mut error = json!({ "message": self.message, "extensions": extensions });
        if let Some(map) = error.as_object_mut() {
            if let Some((line, column)) = self.location {
                map.insert("locations".into(), json!([{ "line": line, "column": column }]));
            }
            if let Some(alias) = &self.alias {
                map.insert("path".into(), json!([alias]));
            }
        }
        error
    }
}
