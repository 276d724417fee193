//! The JSON Schema of a whole event: the envelope, and which form of data belongs to which type.

use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Event, EventData};
use crate::{EventId, TenantId, Timestamp};

/// A record of the log: a CloudEvents 1.0 event in JSON. Readers ignore members that they do not know.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Event")]
struct Envelope {
    /// The version of CloudEvents.
    #[schemars(extend("const" = "1.0"))]
    specversion: String,
    /// UUIDv7; the first occurrence of an id decides, later ones get the same verdict.
    id: EventId,
    /// Which door it came through: `scim/entra`, `webhook/okta`, `operator/cli`, `fluent/catalog`,
    /// `rollcall/timer`.
    #[schemars(regex(pattern = r"^(scim|webhook|operator|fluent|rollcall)/.+$"))]
    source: String,
    /// What happened, and the version of its form.
    #[serde(rename = "type")]
    kind: String,
    /// When it was received.
    time: Timestamp,
    /// What it is about: `users/<id>`, `groups/<id>`, `accounts/<key>` …
    subject: String,
    /// Whose log it is in.
    tenant: TenantId,
    /// By which credential: a connection's or an operator's token name, or a part of Rollcall.
    actor: String,
    /// The delivery's idempotency key, where it has one; all parts of one request share it.
    #[serde(skip_serializing_if = "Option::is_none")]
    requestid: Option<String>,
    /// Which part of a request that was too large for one event, from 1; stands beside `parts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<u16>,
    /// How many parts the request has; applied all or none, when the last one arrives.
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<u16>,
    /// What its type says; see the schema of that type.
    data: serde_json::Map<String, Value>,
}

impl Event {
    /// The JSON Schema of an event as it stands in the log. The forms of data are named by relative
    /// references to `<type>.schema.json`, which [`EventData::schemas`] gives.
    #[must_use]
    pub fn schema() -> Schema {
        let mut schema = schema_of::<Envelope>();
        if let Some(kind) = schema
            .pointer_mut("/properties/type")
            .and_then(Value::as_object_mut)
        {
            kind.insert("enum".to_owned(), json!(EventData::TYPES));
        }
        let forms = EventData::TYPES.iter().map(|kind| {
            json!({
                "if": {"properties": {"type": {"const": kind}}},
                "then": {"properties": {"data": {"$ref": format!("{kind}.schema.json")}}},
            })
        });
        schema.insert("allOf".to_owned(), Value::Array(forms.collect()));
        schema.insert(
            "dependentRequired".to_owned(),
            json!({"part": ["parts", "requestid"], "parts": ["part"]}),
        );
        schema
    }
}

/// The JSON Schema (draft 2020-12) of a type, its descriptions made fit for readers outside.
pub(super) fn schema_of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12()
        .with_transform(outward)
        .into_generator()
        .into_root_schema_for::<T>()
}

/// Descriptions are our own documentation: its line breaks and its references to papers of ours mean nothing
/// outside.
fn outward(schema: &mut Schema) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        let mut text = description.replace('\n', " ");
        for reference in [" (DESIGN ", " (fluent.md "] {
            while let Some(from) = text.find(reference) {
                let to = text
                    .get(from..)
                    .and_then(|rest| rest.find(')'))
                    .map_or(text.len(), |to| from + to + 1);
                text.replace_range(from..to, "");
            }
        }
        *description = text;
    }
    transform_subschemas(&mut outward, schema);
}
