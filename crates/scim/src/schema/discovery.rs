//! `/Schemas`, `/ResourceTypes` and `/ServiceProviderConfig` (RFC 7643 sections 5 to 7), generated.

use super::{Attribute, AttributeType, Mutability, ResourceKind, Returned, Schema, Uniqueness};
use crate::limits::{PAGE_DEFAULT, PAGE_MAX};
use serde_json::{Map, Value, json};

const SCHEMA_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
const RESOURCE_TYPE_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
const CONFIG_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";

/// What the server around this library offers beyond filters and PATCH, which are always there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features {
    /// `sortBy` is honoured.
    pub sort: bool,
    /// Pages by cursor (RFC 9865). Cursors of this server hold all they need, so no time-out is told.
    pub cursor: bool,
    /// Versions are answered and preconditions honoured.
    pub etag: bool,
    /// Bulk: most operations and largest payload in bytes; none if not offered.
    pub bulk: Option<(usize, usize)>,
    /// The client may use OAuth 2.0 client credentials, beside bearer tokens.
    pub oauth: bool,
}

/// `/ServiceProviderConfig`: members of RFC 7643 section 5 and `pagination` of RFC 9865 section 4, and no others,
/// since clients that check it by its schema refuse it whole for one they do not know. `base` is the URI of the
/// SCIM root, without a slash at its end.
#[must_use]
pub fn service_provider_config(base: &str, features: Features) -> Value {
    let (operations, bytes) = features.bulk.unwrap_or((0, 0));
    json!({
        "schemas": [CONFIG_SCHEMA],
        "patch": {"supported": true},
        "bulk": {
            "supported": features.bulk.is_some(),
            "maxOperations": operations,
            "maxPayloadSize": bytes,
        },
        "filter": {"supported": true, "maxResults": PAGE_MAX},
        "changePassword": {"supported": false},
        "sort": {"supported": features.sort},
        "pagination": {
            "cursor": features.cursor,
            "index": true,
            "defaultPaginationMethod": "index",
            "defaultPageSize": PAGE_DEFAULT,
            "maxPageSize": PAGE_MAX,
        },
        "etag": {"supported": features.etag},
        "authenticationSchemes": authentication_schemes(features.oauth),
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{base}/ServiceProviderConfig"),
        },
    })
}

/// Bearer tokens in any case; OAuth, when it is offered, as the better of the two.
fn authentication_schemes(oauth: bool) -> Vec<Value> {
    let mut schemes = vec![json!({
        "type": "oauthbearertoken",
        "name": "Bearer token",
        "description": "The connection's token in the Authorization header",
        "specUri": "https://www.rfc-editor.org/info/rfc6750",
        "primary": !oauth,
    })];
    if oauth {
        schemes.push(json!({
            "type": "oauth2",
            "name": "OAuth 2.0 client credentials",
            "description": "An access token of /oauth/token, for a client secret or a signed assertion",
            "specUri": "https://www.rfc-editor.org/info/rfc6749",
            "primary": true,
        }));
    }
    schemes
}

/// All resource types, for a list answer.
#[must_use]
pub fn resource_types(base: &str) -> Vec<Value> {
    ResourceKind::ALL
        .iter()
        .map(|kind| render_resource_type(*kind, base))
        .collect()
}

/// `/ResourceTypes/{name}`.
#[must_use]
pub fn resource_type(name: &str, base: &str) -> Option<Value> {
    let kind = ResourceKind::ALL.into_iter().find(|kind| kind.name() == name)?;
    Some(render_resource_type(kind, base))
}

/// All schemas, for a list answer.
#[must_use]
pub fn schemas(base: &str) -> Vec<Value> {
    all_schemas().map(|schema| render_schema(schema, base)).collect()
}

/// `/Schemas/{urn}`; the URN is matched whatever its case.
#[must_use]
pub fn schema(urn: &str, base: &str) -> Option<Value> {
    all_schemas()
        .find(|schema| schema.id.eq_ignore_ascii_case(urn))
        .map(|schema| render_schema(schema, base))
}

fn all_schemas() -> impl Iterator<Item = &'static Schema> {
    ResourceKind::ALL
        .into_iter()
        .flat_map(|kind| std::iter::once(kind.schema()).chain(kind.extensions().iter().copied()))
}

fn render_resource_type(kind: ResourceKind, base: &str) -> Value {
    let extensions: Vec<Value> = kind
        .extensions()
        .iter()
        .map(|schema| json!({"schema": schema.id, "required": false}))
        .collect();
    json!({
        "schemas": [RESOURCE_TYPE_SCHEMA],
        "id": kind.name(),
        "name": kind.name(),
        "description": kind.schema().description,
        "endpoint": kind.endpoint(),
        "schema": kind.schema().id,
        "schemaExtensions": extensions,
        "meta": {
            "resourceType": "ResourceType",
            "location": format!("{base}/ResourceTypes/{}", kind.name()),
        },
    })
}

fn render_schema(schema: &Schema, base: &str) -> Value {
    json!({
        "schemas": [SCHEMA_SCHEMA],
        "id": schema.id,
        "name": schema.name,
        "description": schema.description,
        "attributes": schema.attributes.iter().map(render_attribute).collect::<Vec<_>>(),
        "meta": {"resourceType": "Schema", "location": format!("{base}/Schemas/{}", schema.id)},
    })
}

fn render_attribute(attribute: &Attribute) -> Value {
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
    put("name", attribute.name.into());
    put("type", type_name(attribute.kind).into());
    put("multiValued", attribute.multi_valued.into());
    put("description", attribute.description.into());
    put("required", attribute.required.into());
    put("mutability", mutability_name(attribute.mutability).into());
    put("returned", returned_name(attribute.returned).into());
    if !attribute.is_complex() {
        put("caseExact", attribute.case_exact.into());
        put("uniqueness", uniqueness_name(attribute.uniqueness).into());
    }
    if !attribute.canonical_values.is_empty() {
        put("canonicalValues", attribute.canonical_values.into());
    }
    if !attribute.reference_types.is_empty() {
        put("referenceTypes", attribute.reference_types.into());
    }
    if attribute.is_complex() {
        let subs = attribute.sub_attributes.iter();
        let published = subs.filter(|sub| sub.returned != Returned::Never);
        let subs: Vec<Value> = published.map(render_attribute).collect();
        put("subAttributes", subs.into());
    }
    Value::Object(map)
}

const fn type_name(kind: AttributeType) -> &'static str {
    match kind {
        AttributeType::String => "string",
        AttributeType::Boolean => "boolean",
        AttributeType::DateTime => "dateTime",
        AttributeType::Reference => "reference",
        AttributeType::Complex => "complex",
    }
}

const fn mutability_name(mutability: Mutability) -> &'static str {
    match mutability {
        Mutability::ReadOnly => "readOnly",
        Mutability::ReadWrite => "readWrite",
        Mutability::Immutable => "immutable",
    }
}

const fn returned_name(returned: Returned) -> &'static str {
    match returned {
        Returned::Always => "always",
        Returned::Default => "default",
        Returned::Never => "never",
    }
}

const fn uniqueness_name(uniqueness: Uniqueness) -> &'static str {
    match uniqueness {
        Uniqueness::None => "none",
        Uniqueness::Server => "server",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_a_resource_type_names_is_published() {
        for kind in resource_types("https://x") {
            assert!(schema(kind["schema"].as_str().unwrap(), "").is_some());
            for extension in kind["schemaExtensions"].as_array().unwrap() {
                assert!(schema(extension["schema"].as_str().unwrap(), "").is_some());
            }
        }
    }

    #[test]
    fn published_attributes_carry_every_characteristic() {
        for schema in schemas("https://x") {
            for attribute in schema["attributes"].as_array().unwrap() {
                for key in [
                    "name",
                    "type",
                    "multiValued",
                    "required",
                    "mutability",
                    "returned",
                ] {
                    assert!(attribute.get(key).is_some(), "{key} of {attribute}");
                }
                assert_eq!(
                    attribute["type"] == "complex",
                    attribute.get("subAttributes").is_some()
                );
            }
        }
    }

    #[test]
    fn a_schema_is_found_by_its_urn_in_any_case_and_an_unknown_one_is_not() {
        assert!(schema(&super::super::USER_URN.to_uppercase(), "").is_some());
        assert!(schema("urn:nothing", "").is_none());
        assert!(resource_type("Role", "").is_none());
    }
}
