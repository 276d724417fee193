//! The mutations. Each checks everything first, then changes; a refused one changes nothing.

use serde_json::{Map, Value as Json};

use super::{Attribute, GrantPair, State, User, roles};
use crate::behavior::{AgentIds, ContextCheck, ExistingRole, RemovalOfAbsent};
use crate::graphql::GraphError;

/// Texts a user may have, with their greatest length (fluent: create and update inputs).
const TEXTS: [(&str, usize); 8] = [
    ("title", 50),
    ("firstName", 50),
    ("lastName", 50),
    ("primaryEmail", 250),
    ("primaryPhone", 20),
    ("department", 255),
    ("country", 100),
    ("timezone", 32),
];

/// The other texts of the inputs. Where Fluent states none, 255.
const OTHER_LIMITS: [(&str, usize); 6] = [
    ("ref", 100),
    ("username", 250),
    ("password", 128),
    ("apiKey", 128),
    ("status", 50),
    ("type", 255),
];

/// The number that [`AgentIds::Separate`] adds.
const SEPARATE_AGENT_OFFSET: u64 = 1_000_000;

type Input = Map<String, Json>;

impl State {
    /// `createUser`: the new user's id.
    pub(crate) fn create_user(&mut self, input: &Input, now: i64) -> Result<u64, GraphError> {
        check_lengths(input)?;
        let username = required(input, "username")?;
        let reference = required(input, "ref")?;
        for name in ["password", "primaryEmail", "type", "timezone"] {
            required(input, name)?;
        }
        let key = self.name_key(username);
        if self.users.by_name(&key).is_some() {
            let code = self.behavior.duplicate_username_code.clone();
            return Err(GraphError::coded(code, "A user with this username exists"));
        }
        self.check_ref(reference, None)?;
        let pairs = role_pairs(input);
        self.check_pairs(&pairs)?;
        self.check_places(input)?;
        let mut user = User {
            reference: reference.to_owned(),
            username: username.to_owned(),
            status: self.behavior.fresh_status.clone(),
            created_on: now,
            updated_on: now,
            ..User::default()
        };
        set_profile(&mut user, input, false);
        pairs.iter().for_each(|pair| roles::add(&mut user.roles, pair));
        let id = self.users.claim(None, &key).ok_or_else(|| not_found("User"))?;
        user.id = id;
        self.put_user(key, user);
        Ok(id)
    }

    /// `updateUser`: the user's id. Roles are only ever added.
    pub(crate) fn update_user(&mut self, input: &Input, now: i64) -> Result<u64, GraphError> {
        check_lengths(input)?;
        let id = id_of(input.get("id")).ok_or_else(|| not_found("User"))?;
        if self.users.by_id(id).is_none() {
            return Err(not_found("User"));
        }
        let reference = text(input, "ref");
        if let Some(reference) = reference {
            self.check_ref(reference, Some(id))?;
        }
        let pairs = role_pairs(input);
        self.check_pairs(&pairs)?;
        self.check_places(input)?;
        let behavior = self.behavior.clone();
        let Some(user) = self.users.rows.get_mut(&id) else {
            return Err(not_found("User"));
        };
        let before = (user.roles.clone(), user.updated_on);
        set_profile(user, input, behavior.null_clears);
        if let Some(reference) = reference {
            self.refs.insert(reference.to_owned(), id);
            user.reference = reference.to_owned();
        }
        if behavior.existing_role == ExistingRole::Replace {
            user.roles
                .retain(|held| !pairs.iter().any(|pair| pair.role == held.role));
        }
        pairs.iter().for_each(|pair| roles::add(&mut user.roles, pair));
        if user.status == "INACTIVE" && input.contains_key("status") && behavior.inactive_drops_roles {
            user.roles.clear();
        }
        let only_roles = input.keys().all(|name| matches!(name.as_str(), "id" | "roles"));
        if !only_roles || (before.0 != user.roles && behavior.roles_move_updated_on) {
            user.updated_on = now;
        }
        Ok(id)
    }

    /// `removeUserRolesFromUser`: the user's id.
    pub(crate) fn remove_roles(&mut self, input: &Input, now: i64) -> Result<u64, GraphError> {
        let id = self.user_key(input).ok_or_else(|| not_found("User"))?;
        let pairs = role_pairs(input);
        let behavior = self.behavior.clone();
        let Some(user) = self.users.rows.get_mut(&id) else {
            return Err(not_found("User"));
        };
        let absent = pairs.iter().any(|pair| !roles::holds(&user.roles, pair));
        if absent && behavior.removal_of_absent == RemovalOfAbsent::NotFound {
            return Err(not_found("UserRole"));
        }
        let before = user.roles.len() + user.roles.iter().map(|held| held.contexts.len()).sum::<usize>();
        pairs.iter().for_each(|pair| roles::remove(&mut user.roles, pair));
        let after = user.roles.len() + user.roles.iter().map(|held| held.contexts.len()).sum::<usize>();
        if before != after && behavior.roles_move_updated_on {
            user.updated_on = now;
        }
        Ok(id)
    }

    /// `createRole`: the new role's id.
    pub(crate) fn create_role(&mut self, input: &Input) -> Result<u64, GraphError> {
        let name = required(input, "name")?;
        too_long("name", name, 255)?;
        if self.roles.by_name(name).is_some() {
            return Err(GraphError::coded("C0123E", "A role with this name exists"));
        }
        let permissions = input
            .get("permissions")
            .and_then(Json::as_array)
            .into_iter()
            .flatten();
        let permissions = permissions
            .filter_map(|p| p.get("name").and_then(Json::as_str))
            .map(str::to_owned)
            .collect();
        Ok(self.add_role(name, permissions))
    }

    /// The user a key names; both parts have to fit when both are given.
    pub(crate) fn user_key(&self, input: &Input) -> Option<u64> {
        let key = input.get("user")?.as_object()?;
        let by_id = key.get("id").filter(|id| !id.is_null());
        let by_name = text(key, "username");
        let user = match (by_id, by_name) {
            (Some(id), _) => self.users.by_id(id_of(Some(id))?)?,
            (None, Some(name)) => self.user_by_name(name)?,
            (None, None) => return None,
        };
        let fits = by_name.is_none_or(|name| self.name_key(name) == self.name_key(&user.username));
        fits.then_some(user.id)
    }

    fn check_ref(&self, reference: &str, own: Option<u64>) -> Result<(), GraphError> {
        let taken = self.refs.get(reference).is_some_and(|id| Some(*id) != own);
        if taken && self.behavior.unique_ref {
            return Err(GraphError::coded("C0123E", "A user with this ref exists"));
        }
        Ok(())
    }

    fn check_pairs(&self, pairs: &[GrantPair]) -> Result<(), GraphError> {
        for pair in pairs {
            if self.roles.by_name(&pair.role).is_none() {
                let code = self.behavior.unknown_role_code.clone();
                return Err(GraphError::coded(code, format!("Role '{}' not found", pair.role)));
            }
            let refused = match self.context_exists(pair) {
                Some(true) => continue,
                Some(false) => (&self.behavior.unknown_context, "contextId", &pair.context_id),
                None => (
                    &self.behavior.unknown_context_type,
                    "contextType",
                    &pair.context_type,
                ),
            };
            if let (ContextCheck::Refuse(code), what, value) = refused {
                return Err(GraphError::coded(
                    code.clone(),
                    format!("Unknown {what} '{value}'"),
                ));
            }
        }
        Ok(())
    }

    /// Whether the place exists; `None` when its type is unknown.
    fn context_exists(&self, pair: &GrantPair) -> Option<bool> {
        let id = pair.context_id.parse::<u64>().ok();
        match pair.context_type.as_str() {
            "ACCOUNT" => Some(pair.context_id == self.behavior.account_context_id),
            "RETAILER" => Some(id.is_some_and(|id| self.retailers.by_id(id).is_some())),
            "AGENT" => {
                let id = match self.behavior.agent_ids {
                    AgentIds::LocationId => id,
                    AgentIds::Separate => id.and_then(|id| id.checked_sub(SEPARATE_AGENT_OFFSET)),
                };
                Some(id.is_some_and(|id| self.locations.by_id(id).is_some()))
            }
            _ => None,
        }
    }

    fn check_places(&self, input: &Input) -> Result<(), GraphError> {
        if place(input, "primaryRetailer").is_some_and(|id| self.retailers.by_id(id).is_none()) {
            return Err(not_found("Retailer"));
        }
        if place(input, "primaryLocation").is_some_and(|id| self.locations.by_id(id).is_none()) {
            return Err(not_found("Location"));
        }
        Ok(())
    }
}

fn set_profile(user: &mut User, input: &Input, null_clears: bool) {
    for (name, _) in TEXTS {
        match input.get(name) {
            Some(Json::String(value)) => {
                user.texts.insert(name, value.clone());
            }
            Some(Json::Null) if null_clears => {
                user.texts.remove(name);
            }
            _ => {}
        }
    }
    if let Some(kind) = text(input, "type") {
        user.kind = kind.to_owned();
    }
    if let Some(status) = text(input, "status") {
        user.status = status.to_owned();
    }
    if let Some(flag) = input.get("promotionOptIn").and_then(Json::as_bool) {
        user.promotion_opt_in = Some(flag);
    }
    if let Some(language) = input.get("language").and_then(Json::as_object) {
        let label = text(language, "label").map(str::to_owned);
        user.language = text(language, "value").map(|value| (value.to_owned(), label));
    }
    user.primary_retailer = place(input, "primaryRetailer").or(user.primary_retailer);
    user.primary_location = place(input, "primaryLocation").or(user.primary_location);
    for attribute in input
        .get("attributes")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
    {
        set_attribute(user, attribute);
    }
}

/// Attributes are unique by name and only ever added or changed.
fn set_attribute(user: &mut User, attribute: &Json) {
    let part = |name: &str| {
        attribute
            .get(name)
            .and_then(Json::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let value = attribute.get("value").cloned().unwrap_or(Json::Null);
    let new = Attribute {
        name: part("name"),
        kind: part("type"),
        value,
    };
    match user.attributes.iter_mut().find(|held| held.name == new.name) {
        Some(held) => *held = new,
        None => user.attributes.push(new),
    }
}

/// The pairs of an input's `roles`, in order.
pub(crate) fn role_pairs(input: &Input) -> Vec<GrantPair> {
    let mut pairs = Vec::new();
    for entry in input.get("roles").and_then(Json::as_array).into_iter().flatten() {
        let role = entry
            .pointer("/role/name")
            .and_then(Json::as_str)
            .unwrap_or_default();
        for context in entry
            .get("contexts")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
        {
            let part = |name: &str| {
                context
                    .get(name)
                    .and_then(Json::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            pairs.push(GrantPair {
                role: role.to_owned(),
                context_type: part("contextType"),
                context_id: part("contextId"),
            });
        }
    }
    pairs
}

fn check_lengths(input: &Input) -> Result<(), GraphError> {
    for (name, limit) in TEXTS.into_iter().chain(OTHER_LIMITS) {
        if let Some(value) = text(input, name) {
            too_long(name, value, limit)?;
        }
    }
    Ok(())
}

fn too_long(name: &str, value: &str, limit: usize) -> Result<(), GraphError> {
    if value.chars().count() > limit {
        let message = format!("Field '{name}' is longer than {limit} characters");
        return Err(GraphError::coded("C0141E", message));
    }
    Ok(())
}

fn required<'a>(input: &'a Input, name: &str) -> Result<&'a str, GraphError> {
    text(input, name)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| GraphError::coded("C0140E", format!("Field '{name}' must not be empty")))
}

fn text<'a>(input: &'a Input, name: &str) -> Option<&'a str> {
    input.get(name).and_then(Json::as_str)
}

fn place(input: &Input, name: &str) -> Option<u64> {
    id_of(input.get(name)?.get("id"))
}

/// A platform id; anything else can not exist and becomes the id of nothing.
fn id_of(value: Option<&Json>) -> Option<u64> {
    value
        .and_then(Json::as_str)
        .map(|id| id.parse().unwrap_or(u64::MAX))
}

fn not_found(what: &str) -> GraphError {
    GraphError::coded("C0120E", format!("{what} not found"))
}
