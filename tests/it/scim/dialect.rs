//! How identity providers put the same wish into requests.

use serde_json::{Map, Value, json};

pub(crate) use crate::engine::idp::{ENTERPRISE, GROUP, USER};
use crate::engine::idp::{named, patch_body};

/// What Entra names beside the core schema of a group.
const ENTRA_GROUP: &str = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";
const ENTRA_ROLE: &str = "WindowsAzureActiveDirectoryRole";

/// How changes of a resource are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Entra without a flag: a capitalised operation for each attribute, booleans as text.
    EntraDefault,
    /// Entra with `aadOptscim062020`: paths with a filter one by one, all others in one operation without a path.
    EntraFlagged,
    /// Entra's validator: as the default, with `"True"` in bodies, names in odd case and a last operation without path.
    EntraValidator,
    /// Okta's catalogue: PATCH without a path for the state of a user and for groups, PUT for profiles.
    OktaCatalogue,
    /// Applications made by Okta's wizard: GET, then PUT of the whole resource, for everything.
    OktaWizard,
}

/// A dialect: a name for messages and files, headers, and the style.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    pub(crate) name: &'static str,
    pub(crate) style: Style,
    pub(crate) agent: &'static str,
    /// Content type of what is sent.
    pub(crate) sends: &'static str,
}

const ENTRA_AGENT: &str = "Microsoft-Entra-Provisioning";
const OKTA_AGENT: &str = "Okta SCIM Client 1.0.0";

pub(crate) const ENTRA_DEFAULT: Dialect = Dialect {
    name: "entra-default",
    style: Style::EntraDefault,
    agent: ENTRA_AGENT,
    sends: "application/scim+json; charset=utf-8",
};
pub(crate) const ENTRA_FLAGGED: Dialect = Dialect {
    name: "entra-flagged",
    style: Style::EntraFlagged,
    ..ENTRA_DEFAULT
};
pub(crate) const ENTRA_VALIDATOR: Dialect = Dialect {
    name: "entra-validator",
    style: Style::EntraValidator,
    ..ENTRA_DEFAULT
};
pub(crate) const OKTA_CATALOGUE: Dialect = Dialect {
    name: "okta-catalogue",
    style: Style::OktaCatalogue,
    agent: OKTA_AGENT,
    sends: "application/json",
};
pub(crate) const OKTA_WIZARD: Dialect = Dialect {
    name: "okta-wizard",
    style: Style::OktaWizard,
    ..OKTA_CATALOGUE
};

/// A wish for one attribute: a path as Entra writes it, and its new value.
pub(crate) type Wish = (String, Value);

pub(crate) fn wish(path: &str, value: impl Into<Value>) -> Wish {
    (path.to_owned(), value.into())
}

/// A request that changes a resource.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    Patch(Value),
    Put(Value),
}

/// A person as an identity provider knows it.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) user_name: String,
    pub(crate) external: String,
    pub(crate) given: String,
    pub(crate) family: String,
    pub(crate) roles: Vec<String>,
}

impl Person {
    /// Somebody of our domain, with these app roles.
    pub(crate) fn with(name: &str, roles: &[&str]) -> Self {
        Self {
            user_name: named(name),
            external: format!("idp-id-{name}"),
            given: "Quirin".to_owned(),
            family: "Xylander".to_owned(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        }
    }
}

impl Dialect {
    pub(crate) fn is_okta(&self) -> bool {
        matches!(self.style, Style::OktaCatalogue | Style::OktaWizard)
    }

    /// The body that creates a user.
    pub(crate) fn user(&self, person: &Person) -> Value {
        let display = format!("{} {}", person.given, person.family);
        let mut body = json!({
            "schemas": [USER],
            "externalId": person.external,
            "userName": person.user_name,
            "active": true,
            "displayName": display,
            "emails": [{"primary": true, "type": "work", "value": person.user_name}],
            "name": {"familyName": person.family, "givenName": person.given},
            "roles": self.roles(&person.roles, true),
        });
        if self.is_okta() {
            for (name, value) in [
                ("locale", json!("en-US")),
                ("groups", json!([])),
                ("password", json!("1mz050nq")),
            ] {
                body[name] = value;
            }
        } else {
            body["schemas"] = json!([USER, ENTERPRISE]);
            body["name"]["formatted"] = json!(display);
            body["meta"] = json!({"resourceType": "User"});
        }
        if self.style == Style::EntraValidator {
            body["active"] = json!("True");
            body["emails"][0]["primary"] = json!("True");
        }
        body
    }

    /// The body that creates a group.
    pub(crate) fn group(&self, name: &str) -> Value {
        let external = format!("idp-id-{name}");
        if self.is_okta() {
            json!({"schemas": [GROUP], "displayName": name, "members": []})
        } else {
            json!({"schemas": [GROUP, ENTRA_GROUP], "externalId": external, "displayName": name,
                "meta": {"resourceType": "Group"}})
        }
    }

    /// The value of `roles`: `AssertiveAppRoleAssignmentsComplex` in Entra, entitlements in Okta.
    fn roles(&self, roles: &[String], created: bool) -> Value {
        let role = |role: &String| match self.style {
            Style::EntraValidator if created => {
                json!({"primary": "True", "type": ENTRA_ROLE, "display": role, "value": role})
            }
            Style::EntraDefault if !created => {
                let text = json!({"id": "7f0c", "value": role, "displayName": role}).to_string();
                json!({"value": text})
            }
            Style::OktaCatalogue | Style::OktaWizard => json!({"value": role, "display": role}),
            _ => json!({"primary": false, "type": ENTRA_ROLE, "display": role, "value": role}),
        };
        roles.iter().map(role).collect()
    }

    /// All app roles of a user at once.
    pub(crate) fn change_roles(&self, current: &Value, roles: &[String]) -> Change {
        let value = self.roles(roles, false);
        match self.style {
            Style::OktaWizard | Style::OktaCatalogue => put(current, &[("roles".to_owned(), value)]),
            _ => patch(vec![json!({"op": "replace", "path": "roles", "value": value})]),
        }
    }

    /// The profile of a user.
    pub(crate) fn change_profile(&self, current: &Value, wishes: &[Wish]) -> Change {
        match self.style {
            Style::OktaWizard | Style::OktaCatalogue => put(current, wishes),
            _ => patch(self.operations("Replace", wishes)),
        }
    }

    /// New attributes of a user.
    pub(crate) fn add_to_profile(&self, current: &Value, wishes: &[Wish]) -> Change {
        match self.style {
            Style::OktaWizard | Style::OktaCatalogue => put(current, wishes),
            _ => patch(self.operations("Add", wishes)),
        }
    }

    /// Whether a user may work.
    pub(crate) fn change_active(&self, current: &Value, active: bool) -> Change {
        let text = if active { "True" } else { "False" };
        match self.style {
            Style::EntraDefault => patch(vec![json!({"op": "Replace", "path": "active", "value": text})]),
            Style::EntraValidator => patch(vec![json!({"op": "replace", "path": "ActiVe", "value": text})]),
            Style::EntraFlagged => patch(vec![json!({"op": "replace", "path": "active", "value": active})]),
            Style::OktaCatalogue => patch(vec![json!({"op": "replace", "value": {"active": active}})]),
            Style::OktaWizard => put(current, &[wish("active", active)]),
        }
    }

    /// The manager of a user; `None` takes it away.
    pub(crate) fn change_manager(&self, current: &Value, manager: Option<&str>) -> Change {
        let path = format!("{ENTERPRISE}:manager");
        let value = manager.unwrap_or_default();
        match self.style {
            Style::EntraDefault => patch(vec![json!({"op": "Add", "path": path, "value": value})]),
            Style::EntraValidator => patch(vec![json!({"op": "Replace", "path": path, "value": value})]),
            Style::EntraFlagged => patch(vec![match manager {
                Some(id) => json!({"op": "add", "path": "manager", "value": [{"$ref": null, "value": id}]}),
                None => json!({"op": "remove", "path": path}),
            }]),
            Style::OktaCatalogue | Style::OktaWizard => put(
                current,
                &[(path, manager.map_or(Value::Null, |id| json!({"value": id})))],
            ),
        }
    }

    /// The attributes of a group.
    pub(crate) fn change_group(&self, current: &Value, wishes: &[Wish]) -> Change {
        match self.style {
            Style::OktaWizard => put(current, wishes),
            Style::OktaCatalogue => {
                let mut value = json!({"id": current["id"]});
                wishes.iter().for_each(|(path, new)| set(&mut value, path, new));
                patch(vec![json!({"op": "replace", "value": value})])
            }
            _ => patch(self.operations("Replace", wishes)),
        }
    }

    /// Members that come and go.
    pub(crate) fn change_members(&self, current: &Value, add: &[&str], remove: &[&str]) -> Change {
        let list = |ids: &[&str]| -> Value { ids.iter().map(|id| json!({"value": id})).collect() };
        let with_ref =
            |ids: &[&str]| -> Value { ids.iter().map(|id| json!({"$ref": null, "value": id})).collect() };
        let one_by_one = |ids: &[&str]| -> Vec<Value> {
            let path = |id: &&str| format!("members[value eq \"{id}\"]");
            ids.iter()
                .map(|id| json!({"op": "remove", "path": path(id)}))
                .collect()
        };
        let mut operations = Vec::new();
        match self.style {
            Style::EntraDefault | Style::EntraValidator => {
                if !add.is_empty() {
                    operations.push(json!({"op": "Add", "path": "members", "value": with_ref(add)}));
                }
                if !remove.is_empty() {
                    operations.push(json!({"op": "Remove", "path": "members", "value": with_ref(remove)}));
                }
            }
            Style::EntraFlagged | Style::OktaCatalogue => {
                operations.extend(one_by_one(remove));
                if !add.is_empty() {
                    operations.push(json!({"op": "add", "path": "members", "value": list(add)}));
                }
                if self.style == Style::OktaCatalogue {
                    let name = json!({"id": current["id"], "displayName": current["displayName"]});
                    operations.insert(0, json!({"op": "replace", "value": name}));
                }
            }
            Style::OktaWizard => {
                let there = current["members"].as_array().cloned().unwrap_or_default();
                let stays = |member: &&str| !remove.contains(member);
                let there: Vec<&str> = there.iter().filter_map(|m| m["value"].as_str()).collect();
                let all: Vec<&str> = there
                    .into_iter()
                    .chain(add.iter().copied())
                    .filter(stays)
                    .collect();
                return put(current, &[wish("members", list(&all))]);
            }
        }
        patch(operations)
    }

    /// One operation for each wish, or as few as the style allows.
    fn operations(&self, op: &str, wishes: &[Wish]) -> Vec<Value> {
        let whole: fn(&Wish) -> bool = match self.style {
            Style::EntraFlagged => |(path, _)| !path.contains('['),
            Style::EntraValidator => |(path, _)| !path.contains(['[', '.', ':']),
            _ => |_| false,
        };
        let op = match self.style {
            Style::EntraDefault => op.to_owned(),
            _ => op.to_lowercase(),
        };
        let single = wishes.iter().filter(|wish| !whole(wish));
        let mut operations: Vec<Value> = single
            .map(|(path, value)| json!({"op": op, "path": path, "value": self.spelled(value)}))
            .collect();
        let rest: Map<String, Value> = wishes.iter().filter(|wish| whole(wish)).cloned().collect();
        if !rest.is_empty() {
            operations.push(json!({"op": op, "value": rest}));
        }
        operations
    }

    fn spelled(&self, value: &Value) -> Value {
        match value {
            Value::Bool(true) if self.style != Style::EntraFlagged => json!("True"),
            Value::Bool(false) if self.style != Style::EntraFlagged => json!("False"),
            other => other.clone(),
        }
    }
}

pub(crate) fn patch(operations: Vec<Value>) -> Change {
    Change::Patch(patch_body(operations))
}

/// What a GET gave, with the wishes worked in: as Okta sends it back.
fn put(current: &Value, wishes: &[Wish]) -> Change {
    let mut whole = current.clone();
    wishes
        .iter()
        .for_each(|(path, value)| set(&mut whole, path, value));
    Change::Put(whole)
}

type Parts<'a> = (
    Option<&'a str>,
    &'a str,
    Option<(&'a str, &'a str)>,
    Option<&'a str>,
);

/// The parts of a path as Entra writes it: an extension, an attribute, the literal of a filter, a sub-attribute.
fn parts(path: &str) -> Parts<'_> {
    let (extension, rest) = match path.strip_prefix(ENTERPRISE) {
        Some(rest) => (Some(ENTERPRISE), &rest[1..]),
        None => (None, path),
    };
    match rest.split_once('[') {
        None => match rest.split_once('.') {
            Some((attribute, sub)) => (extension, attribute, None, Some(sub)),
            None => (extension, rest, None, None),
        },
        Some((attribute, rest)) => {
            let (filter, sub) = rest.split_once("].").unwrap();
            let (name, literal) = filter.split_once(" eq ").unwrap();
            (
                extension,
                attribute,
                Some((name, literal.trim_matches('"'))),
                Some(sub),
            )
        }
    }
}

/// Puts a value where a path points, making what is not there.
fn set(whole: &mut Value, path: &str, value: &Value) {
    let (extension, attribute, filter, sub) = parts(path);
    let holder = match extension {
        Some(urn) => &mut whole[urn],
        None => whole,
    };
    let place = &mut holder[attribute];
    match (filter, sub) {
        (None, None) => *place = value.clone(),
        (None, Some(sub)) => place[sub] = value.clone(),
        (Some((name, literal)), sub) => {
            if place.is_null() {
                *place = json!([]);
            }
            let list = place.as_array_mut().unwrap();
            let at = list.iter().position(|element| is(&element[name], literal));
            let at = at.unwrap_or_else(|| {
                list.push(json!({name: literal}));
                list.len() - 1
            });
            list[at][sub.unwrap()] = value.clone();
        }
    }
}

/// The value where a path points; null when nothing is there.
pub(crate) fn get(whole: &Value, path: &str) -> Value {
    let (extension, attribute, filter, sub) = parts(path);
    let holder = extension.map_or(whole, |urn| &whole[urn]);
    let place = match filter {
        None => holder[attribute].clone(),
        Some((name, literal)) => {
            let list = holder[attribute].as_array().cloned().unwrap_or_default();
            let found = list.into_iter().find(|element| is(&element[name], literal));
            found.unwrap_or_default()
        }
    };
    sub.map_or(place.clone(), |sub| place[sub].clone())
}

fn is(value: &Value, literal: &str) -> bool {
    match value {
        Value::Bool(flag) => flag.to_string().eq_ignore_ascii_case(literal),
        Value::String(text) => text == literal,
        _ => false,
    }
}
