//! What `/Schemas` and `/ServiceProviderConfig` tell is what is done: every characteristic of every published
//! attribute is tried (RFC 7643 sections 2.2, 5 and 7).

use serde_json::{Map, Value, json};

use crate::world::{ENTRA, STRICT, World, query};

/// One published attribute, or sub-attribute of a complex one.
#[derive(Debug, Clone)]
struct Published {
    endpoint: String,
    /// Of an extension; empty for the core schema.
    urn: String,
    definition: Value,
}

impl Published {
    fn name(&self) -> &str {
        self.definition["name"].as_str().unwrap()
    }

    fn is(&self, characteristic: &str, value: impl Into<Value>) -> bool {
        self.definition[characteristic] == value.into()
    }

    fn path(&self) -> String {
        match self.urn.as_str() {
            "" => self.name().to_owned(),
            urn => format!("{urn}:{}", self.name()),
        }
    }

    fn is_core(&self, name: &str) -> bool {
        self.urn.is_empty() && self.name() == name
    }

    /// Puts a value of the attribute into a body.
    fn put(&self, body: &mut Value, value: Value) {
        match self.urn.as_str() {
            "" => body[self.name()] = value,
            urn => {
                body[urn][self.name()] = value;
                body["schemas"].as_array_mut().unwrap().push(json!(urn));
            }
        }
    }

    fn of<'v>(&self, body: &'v Value) -> Option<&'v Value> {
        let container = match self.urn.as_str() {
            "" => body,
            urn => body.get(urn)?,
        };
        container.get(self.name())
    }
}

/// Every attribute of every resource type, as a client finds them.
async fn published(world: &World) -> Vec<Published> {
    let types = world.get(ENTRA, "/ResourceTypes").await.expect(200).body;
    let mut found = Vec::new();
    for kind in types["Resources"].as_array().unwrap() {
        let core = kind["schema"].as_str().unwrap().to_owned();
        let extensions = kind["schemaExtensions"].as_array().unwrap().iter();
        let extensions = extensions.map(|e| e["schema"].as_str().unwrap().to_owned());
        for urn in std::iter::once(core.clone()).chain(extensions) {
            let schema = world
                .get(ENTRA, &format!("/Schemas/{urn}"))
                .await
                .expect(200)
                .body;
            for definition in schema["attributes"].as_array().unwrap() {
                found.push(Published {
                    endpoint: kind["endpoint"].as_str().unwrap().to_owned(),
                    urn: if urn == core { String::new() } else { urn.clone() },
                    definition: definition.clone(),
                });
            }
        }
    }
    found
}

/// A value of the attribute's type; `None` for a complex one that a client cannot write any part of.
fn sample(definition: &Value, member: &str) -> Option<Value> {
    let single = match definition["type"].as_str().unwrap() {
        "string" => json!("Sample-1"),
        "reference" => json!("https://store.example/Sample-1"),
        "boolean" => json!(true),
        "complex" => {
            let subs = definition["subAttributes"].as_array().unwrap().iter();
            let writable = subs.filter(|sub| sub["mutability"] != "readOnly");
            let object: Map<String, Value> = writable
                .filter_map(|sub| Some((sub["name"].as_str()?.to_owned(), sample(sub, member)?)))
                .collect();
            if object.is_empty() {
                return None;
            }
            Value::Object(object)
        }
        other => panic!("a type that is not expected: {other}"),
    };
    if definition["name"] == "members" {
        return Some(json!([{"value": member}]));
    }
    let is_list = definition["multiValued"].as_bool().unwrap();
    Some(if is_list { json!([single]) } else { single })
}

/// The least that makes a resource of the endpoint.
fn least(endpoint: &str, name: &str) -> Value {
    let kind = endpoint.trim_start_matches('/').trim_end_matches('s');
    let key = if kind == "User" { "userName" } else { "displayName" };
    json!({"schemas": [format!("urn:ietf:params:scim:schemas:core:2.0:{kind}")], key: name})
}

/// RFC 7643 section 2.2: `mutability`, `multiValued` and `type`: what can be written reads back in its type.
#[tokio::test]
async fn what_is_published_as_writable_reads_back_and_what_is_read_only_is_ignored() {
    let world = World::new().await;
    let member = world.user(ENTRA, "member").await;
    for (number, attribute) in published(&world).await.into_iter().enumerate() {
        let Published { endpoint, .. } = &attribute;
        let mut body = least(endpoint, &format!("n{number}"));
        let read_only = attribute.is("mutability", "readOnly");
        let value = match sample(&attribute.definition, &member) {
            Some(value) => value,
            None if read_only => json!([{"value": "x"}]),
            None => panic!("{attribute:?} has nothing that can be written"),
        };
        attribute.put(&mut body, value.clone());
        let created = world.post(ENTRA, endpoint, body.clone()).await.expect(201);
        let path = format!("{endpoint}/{}", created.id());
        let shown = world.get(ENTRA, &path).await.expect(200).body;
        let found = attribute.of(&shown).cloned();
        if read_only {
            assert_ne!(found, Some(value.clone()), "{attribute:?}");
        } else if attribute.is_core("members") {
            assert_eq!(found.unwrap()[0]["value"], member);
        } else {
            assert_eq!(found, Some(value.clone()), "{attribute:?}");
        }
        // RFC 7644 section 3.5.2: by PATCH, to write what is read-only is an error (or noted, when tolerant).
        let strict = world
            .post(STRICT, endpoint, least(endpoint, &format!("n{number}")))
            .await;
        let strict = format!("{endpoint}/{}", strict.expect(201).id());
        let change = json!([{"op": "replace", "path": attribute.path(), "value": value}]);
        if read_only {
            world
                .patch(STRICT, &strict, change.clone())
                .await
                .expect_error(400, "mutability");
            world.patch(ENTRA, &path, change).await.expect(200);
        } else if !attribute.is_core("members") {
            let patched = world.patch(STRICT, &strict, change).await.expect(200).body;
            assert_eq!(attribute.of(&patched), Some(&value), "{attribute:?}");
        }
    }
}

/// RFC 7643 section 2.2: `required`. `active` is: no request can leave a user without it, a POST is given true.
#[tokio::test]
async fn what_is_required_cannot_be_missing_and_nothing_else_is() {
    let world = World::new().await;
    for (number, attribute) in published(&world).await.into_iter().enumerate() {
        let Published { endpoint, .. } = &attribute;
        let required = attribute.is("required", true);
        let mut without = least(endpoint, &format!("n{number}"));
        without.as_object_mut().unwrap().remove(attribute.name());
        let reply = world.post(STRICT, endpoint, without).await;
        let named = ["userName", "displayName"]
            .iter()
            .any(|name| attribute.is_core(name));
        if required && named {
            reply.expect_error(400, "invalidValue");
        } else {
            reply.expect(201);
        }
        let whole = world
            .post(STRICT, endpoint, least(endpoint, &format!("w{number}")))
            .await;
        let path = format!("{endpoint}/{}", whole.expect(201).id());
        let remove = json!([{"op": "remove", "path": attribute.path()}]);
        let reply = world.patch(STRICT, &path, remove).await;
        if required || attribute.is("mutability", "readOnly") {
            reply.expect_error(400, "mutability");
        } else {
            reply.expect(200);
        }
    }
}

/// RFC 7643 section 2.2: `caseExact`, in filters (RFC 7644 section 3.4.2.2), of attributes and of their parts.
#[tokio::test]
async fn case_matters_in_a_filter_exactly_where_it_is_published() {
    let world = World::new().await;
    let member = world.user(ENTRA, "member").await;
    for (number, attribute) in published(&world).await.into_iter().enumerate() {
        let Published { endpoint, .. } = &attribute;
        let Some(value) = sample(&attribute.definition, &member) else {
            continue;
        };
        if attribute.is("mutability", "readOnly") || attribute.is_core("members") {
            continue;
        }
        let mut body = least(endpoint, &format!("n{number}"));
        attribute.put(&mut body, value.clone());
        world.post(ENTRA, endpoint, body).await.expect(201);
        let first = value.get(0).unwrap_or(&value);
        let parts: Vec<(String, &Value, &Value)> = match attribute.definition["subAttributes"].as_array() {
            None => vec![(attribute.path(), &attribute.definition, first)],
            Some(subs) => {
                let part = |sub: &'_ Value| format!("{}.{}", attribute.path(), sub["name"].as_str().unwrap());
                let with_value = subs
                    .iter()
                    .filter(|sub| first.get(sub["name"].as_str().unwrap()).is_some());
                with_value
                    .map(|sub| (part(sub), sub, &first[sub["name"].as_str().unwrap()]))
                    .collect()
            }
        };
        for (path, definition, value) in parts {
            let Some(text) = value.as_str() else { continue };
            for (text, expected) in [
                (text.to_owned(), true),
                (text.to_uppercase(), definition["caseExact"] == false),
            ] {
                let filter = query(&format!("{path} eq \"{text}\""));
                let list = world
                    .get(ENTRA, &format!("{endpoint}?filter={filter}"))
                    .await
                    .expect(200)
                    .body;
                assert_eq!(list["totalResults"] != json!(0), expected, "{path} eq {text}");
            }
        }
    }
}

/// RFC 7643 section 2.2: `uniqueness`: `server` is refused with 409, `none` is not.
#[tokio::test]
async fn a_value_is_unique_exactly_where_it_is_published() {
    let world = World::new().await;
    let member = world.user(ENTRA, "member").await;
    for (number, attribute) in published(&world).await.into_iter().enumerate() {
        let Published { endpoint, .. } = &attribute;
        let Some(value) = sample(&attribute.definition, &member) else {
            continue;
        };
        let body = |n: usize| {
            let mut body = least(endpoint, &format!("n{number}.{n}"));
            attribute.put(&mut body, value.clone());
            body
        };
        world.post(ENTRA, endpoint, body(1)).await.expect(201);
        let second = world.post(ENTRA, endpoint, body(2)).await;
        if attribute.is("uniqueness", "server") {
            second.expect_error(409, "uniqueness");
        } else {
            second.expect(201);
        }
    }
}

/// RFC 7643 section 2.2: `returned`; RFC 7644 section 3.9: on reads, lists, `.search` and answers to writes alike.
#[tokio::test]
async fn what_is_returned_by_default_can_be_left_out_and_asked_for_alone() {
    let world = World::new().await;
    let member = world.user(ENTRA, "member").await;
    let all = published(&world).await;
    for endpoint in ["/Users", "/Groups"] {
        let mut body = least(endpoint, "whole");
        let here = |attribute: &&Published| attribute.endpoint == endpoint;
        let writable: Vec<&Published> = all
            .iter()
            .filter(here)
            .filter(|attribute| !attribute.is("mutability", "readOnly"))
            .collect();
        for attribute in &writable {
            assert_eq!(attribute.definition["returned"], "default", "{attribute:?}");
            attribute.put(&mut body, sample(&attribute.definition, &member).unwrap());
        }
        let id = world.post(ENTRA, endpoint, body).await.expect(201).id();
        for attribute in writable {
            let path = query(&attribute.path());
            let nothing = json!([{"op": "add", "value": {}}]);
            for (parameter, there) in [("excludedAttributes", false), ("attributes", true)] {
                let one = format!("{endpoint}/{id}?{parameter}={path}");
                let list = format!(
                    "{endpoint}?{parameter}={path}&filter={}",
                    query(&format!("id eq \"{id}\""))
                );
                let search = json!({parameter: [attribute.path()], "filter": format!("id eq \"{id}\"")});
                let search = world
                    .post(ENTRA, &format!("{endpoint}/.search"), search)
                    .await
                    .expect(200)
                    .body;
                let shown = [
                    world.get(ENTRA, &one).await.expect(200).body,
                    world.patch(ENTRA, &one, nothing.clone()).await.expect(200).body,
                    world.get(ENTRA, &list).await.expect(200).body["Resources"][0].clone(),
                    search["Resources"][0].clone(),
                ];
                for shown in shown {
                    assert_eq!(
                        attribute.of(&shown).is_some(),
                        there,
                        "{parameter}={path}: {shown}"
                    );
                    assert!(
                        shown.get("id").is_some() && shown.get("schemas").is_some(),
                        "returned always"
                    );
                    assert_eq!(shown.get("meta").is_some(), !there, "{parameter}={path}");
                }
            }
        }
    }
}

/// RFC 7643 section 5, RFC 9865 section 4: every member of the configuration, and no other. Clients that check it
/// against its schema refuse the whole for a member that they do not know.
#[tokio::test]
async fn the_configuration_tells_what_is_done() {
    let world = World::new().await;
    let config = world.get(ENTRA, "/ServiceProviderConfig").await.expect(200).body;
    let members: Vec<&str> = config.as_object().unwrap().keys().map(String::as_str).collect();
    let known = [
        "authenticationSchemes",
        "bulk",
        "changePassword",
        "etag",
        "filter",
        "meta",
        "pagination",
        "patch",
        "schemas",
        "sort",
    ];
    assert_eq!(members, known);
    let pages = &config["pagination"];
    for n in 0..pages["maxPageSize"].as_u64().unwrap() + 2 {
        world.user(ENTRA, &format!("u{n}")).await;
    }
    let items = async |parameters: &str| {
        let list = world
            .get(ENTRA, &format!("/Users?{parameters}"))
            .await
            .expect(200)
            .body;
        (list["itemsPerPage"].clone(), list.get("nextCursor").is_some())
    };
    let (default, most) = (pages["defaultPageSize"].clone(), pages["maxPageSize"].clone());
    assert_eq!(config["filter"]["maxResults"], most);
    assert_eq!(
        (pages["index"].clone(), pages["defaultPaginationMethod"].clone()),
        (json!(true), json!("index"))
    );
    assert_eq!(items("").await, (default.clone(), false));
    assert_eq!(items("count=100000").await, (most.clone(), false));
    assert_eq!(items("cursor").await, (default, pages["cursor"] == true));
    assert_eq!(items("cursor&count=100000").await, (most.clone(), true));
    assert_eq!(items("count=100000&filter=userName%20pr").await, (most, false));
    assert!(pages.get("cursorTimeout").is_none(), "cursors do not expire");
    // A password is dropped, as `changePassword` says; nothing publishes one.
    assert_eq!(config["changePassword"]["supported"], false);
    assert!(
        published(&world)
            .await
            .iter()
            .all(|attribute| attribute.name() != "password")
    );
    for scheme in config["authenticationSchemes"].as_array().unwrap() {
        for member in ["type", "name", "description"] {
            assert!(!scheme[member].as_str().unwrap().is_empty());
        }
    }
}
