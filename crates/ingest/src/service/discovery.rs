//! What this server can do, told from the same definitions that do it.

use rollcall_scim::limits::{BULK_BYTES_MAX, BULK_OPERATIONS_MAX};
use rollcall_scim::list_response;
use rollcall_scim::schema::{self, Features};
use serde_json::Value;

use super::query::has_filter;
use crate::http::answer::Answer;
use crate::http::failure::Failure;

/// Offered beyond filters and PATCH.
const FEATURES: Features = Features {
    sort: true,
    cursor: true,
    etag: true,
    bulk: Some((BULK_OPERATIONS_MAX, BULK_BYTES_MAX)),
    oauth: false,
};

/// Refuses a filter, as RFC 7644 section 4 asks. Every other parameter is ignored, as it asks, too.
pub(super) fn takes_no_filter(query: &str) -> Result<(), Failure> {
    if has_filter(query) {
        let status = http::StatusCode::FORBIDDEN;
        return Err(Failure::new(status, "discovery takes no filter"));
    }
    Ok(())
}

/// `oauth`: the connection has OAuth clients.
pub(super) fn service_provider_config(base: &str, oauth: bool) -> Answer {
    let features = Features { oauth, ..FEATURES };
    answer(&schema::service_provider_config(base, features))
}

pub(super) fn resource_types(base: &str) -> Answer {
    all(schema::resource_types(base))
}

pub(super) fn resource_type(base: &str, name: &str) -> Result<Answer, Failure> {
    let found = schema::resource_type(name, base);
    found
        .map(|found| answer(&found))
        .ok_or_else(|| Failure::not_found("there is no such resource type"))
}

pub(super) fn schemas(base: &str) -> Answer {
    all(schema::schemas(base))
}

pub(super) fn schema(base: &str, urn: &str) -> Result<Answer, Failure> {
    let found = schema::schema(urn, base);
    found
        .map(|found| answer(&found))
        .ok_or_else(|| Failure::not_found("there is no such schema"))
}

fn all(list: Vec<Value>) -> Answer {
    answer(&list_response(list.len(), 1, list))
}

fn answer(value: &Value) -> Answer {
    Answer::json(serde_json::to_vec(value).unwrap_or_default())
}
