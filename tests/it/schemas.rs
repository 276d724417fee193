//! `schemas/`: one JSON Schema per type of event, an example of each, and every form that was ever stored.
//!
//! Schemas and examples are written by `cargo xtask schemas`. Stored forms are frozen: that command adds
//! lines to `schemas/fixtures/`, and nothing may change or remove one.

mod samples;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use rollcall_domain::{EVENT_BYTES_MAX, Event, EventData};
use rollcall_tests::{golden, root, writes_golden};
use serde_json::Value;

/// References between the schemas are relative to this.
const BASE: &str = "json-schema:///";

/// Something done to a good event.
type Break = fn(&mut Value);

fn pretty(value: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap();
    text.push('\n');
    text
}

fn fixture_path(kind: &str) -> String {
    format!("schemas/fixtures/v1/{kind}.jsonl")
}

/// The schemas of this version by file name.
fn schemas() -> HashMap<String, Value> {
    EventData::schemas()
        .into_iter()
        .map(|(kind, schema)| (format!("{BASE}{kind}.schema.json"), schema.to_value()))
        .collect()
}

struct Own(HashMap<String, Value>);

impl jsonschema::Retrieve for Own {
    fn retrieve(
        &self,
        uri: &jsonschema::Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let found = self.0.get(uri.as_str()).cloned();
        found.ok_or_else(|| format!("{uri} is no schema of ours").into())
    }
}

fn validator() -> jsonschema::Validator {
    jsonschema::options()
        .with_base_uri(format!("{BASE}event.schema.json"))
        .with_retriever(Own(schemas()))
        .should_validate_formats(true)
        .build(&Event::schema().to_value())
        .expect("the schema of an event is one")
}

fn assert_valid(validator: &jsonschema::Validator, event: &Value, place: &str) {
    let errors: Vec<String> = validator
        .iter_errors(event)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{place} does not fit its schema: {errors:#?}");
}

#[test]
fn the_files_are_those_of_the_types() {
    golden("schemas/event.schema.json", &pretty(&Event::schema()));
    for (kind, schema) in EventData::schemas() {
        golden(&format!("schemas/{kind}.schema.json"), &pretty(&schema));
    }
}

#[test]
fn every_type_has_an_example_that_fits_its_schema() {
    let validator = validator();
    let samples = samples::by_type();
    for kind in EventData::TYPES {
        let sample = samples[kind]
            .first()
            .unwrap_or_else(|| panic!("{kind} has no sample"));
        let value: Value = serde_json::from_slice(&sample.encode()).unwrap();
        assert_valid(&validator, &value, kind);
        golden(&format!("schemas/examples/{kind}.json"), &pretty(&value));
    }
}

#[test]
fn every_stored_form_is_kept_decodes_and_is_written_the_same_again() {
    let validator = validator();
    for (kind, samples) in samples::by_type() {
        let path = fixture_path(kind);
        let mut kept = std::fs::read_to_string(root().join(&path)).unwrap_or_default();
        for sample in samples {
            let bytes = String::from_utf8(sample.encode()).unwrap();
            if kept.lines().any(|line| line == bytes) {
                continue;
            }
            assert!(
                writes_golden(),
                "{path} lacks a form that is written now:\n{bytes}\nrun `cargo xtask schemas`"
            );
            writeln!(kept, "{bytes}").unwrap();
        }
        golden(&path, &kept);
        for (at, line) in kept.lines().enumerate() {
            let place = format!("{path}:{}", at + 1);
            let event = Event::decode(line.as_bytes()).unwrap_or_else(|e| panic!("{place}: {e}"));
            assert_eq!(event.data.kind(), kind, "{place}");
            let again = event.encode();
            assert_eq!(
                Event::decode(&again).as_ref(),
                Ok(&event),
                "{place} does not survive"
            );
            assert_eq!(
                String::from_utf8_lossy(&again),
                line,
                "{place} is written differently now"
            );
            assert!(again.len() <= EVENT_BYTES_MAX, "{place}");
            assert_valid(&validator, &serde_json::from_str(line).unwrap(), &place);
        }
    }
}

#[test]
fn no_file_is_left_of_a_type_that_is_gone() {
    // Fixtures of a type that is no longer written stay; schemas and examples of it may not.
    let expected: Vec<String> = EventData::TYPES
        .iter()
        .flat_map(|kind| [format!("{kind}.schema.json"), format!("{kind}.json")])
        .chain(["event.schema.json".to_owned()])
        .collect();
    for folder in ["schemas", "schemas/examples"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            let ours = !name.ends_with(".json") || expected.contains(&name);
            assert!(ours, "{folder}/{name} belongs to no type");
        }
    }
}

#[test]
fn what_is_broken_does_not_fit_its_schema() {
    let validator = validator();
    let whole: Value =
        serde_json::from_slice(&samples::by_type()["rollcall.user.created.v1"][0].encode()).unwrap();
    let breaks: [(&str, Break); 5] = [
        ("no such type", |event| {
            event["type"] = "rollcall.user.invented.v1".into()
        }),
        ("another version of CloudEvents", |event| {
            event["specversion"] = "0.3".into()
        }),
        ("a source without a kind", |event| {
            event["source"] = "entra".into()
        }),
        ("data of the wrong form", |event| {
            event["data"]["active"] = "yes".into()
        }),
        ("a part without a number of parts", |event| {
            event["part"] = 1.into()
        }),
    ];
    for (what, break_it) in breaks {
        let mut event = whole.clone();
        break_it(&mut event);
        assert!(!validator.is_valid(&event), "{what} was taken");
    }
}

#[test]
fn the_samples_name_every_type() {
    let samples: BTreeMap<_, _> = samples::by_type();
    let missing: Vec<_> = EventData::TYPES
        .iter()
        .filter(|kind| !samples.contains_key(*kind))
        .collect();
    assert!(
        missing.is_empty(),
        "no sample of {missing:?}: add one in tests/it/schemas/samples.rs"
    );
}
