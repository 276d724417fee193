//! What the simulated account holds: users, roles, retailers, locations, each found by id and by name in one
//! step.

mod mutate;
mod roles;
mod search;

pub(crate) use mutate::role_pairs;
pub(crate) use search::{Page, Paging, Pattern, cursor_of};

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::behavior::{Behavior, UsernameCase};
use crate::seed::{Seed, SeedError, SeedLocation, SeedRetailer, SeedUser};

/// A role in one context: the smallest thing that can be added or removed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrantPair {
    /// The role's name.
    pub role: String,
    /// `ACCOUNT`, `RETAILER`, `AGENT`, or whatever was stored.
    pub context_type: String,
    /// The platform id.
    pub context_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) kind: String,
    pub(crate) id: String,
}

/// One role of a user with all its contexts; never without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserRole {
    pub(crate) role: String,
    pub(crate) contexts: Vec<Context>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) value: serde_json::Value,
}

/// A user. Optional texts by their GraphQL name: `title`, `firstName`, `lastName`, `primaryEmail`,
/// `primaryPhone`, `department`, `country`, `timezone`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct User {
    pub(crate) id: u64,
    pub(crate) reference: String,
    pub(crate) username: String,
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) texts: BTreeMap<&'static str, String>,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) language: Option<(String, Option<String>)>,
    pub(crate) promotion_opt_in: Option<bool>,
    pub(crate) primary_retailer: Option<u64>,
    pub(crate) primary_location: Option<u64>,
    pub(crate) created_on: i64,
    pub(crate) updated_on: i64,
    pub(crate) roles: Vec<UserRole>,
}

impl User {
    /// All pairs, in the order held.
    pub(crate) fn pairs(&self) -> Vec<GrantPair> {
        let pairs = self.roles.iter().flat_map(|held| {
            held.contexts.iter().map(|context| GrantPair {
                role: held.role.clone(),
                context_type: context.kind.clone(),
                context_id: context.id.clone(),
            })
        });
        pairs.collect()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) permissions: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Retailer {
    pub(crate) id: u64,
    pub(crate) reference: String,
    pub(crate) trading_name: Option<String>,
    pub(crate) status: String,
    pub(crate) created_on: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Location {
    pub(crate) id: u64,
    pub(crate) reference: String,
    pub(crate) name: Option<String>,
    pub(crate) status: String,
    pub(crate) retailer: u64,
    pub(crate) created_on: i64,
}

/// Things with an id and a unique name.
#[derive(Debug, Clone)]
pub(crate) struct Table<T> {
    pub(crate) rows: BTreeMap<u64, T>,
    names: HashMap<String, u64>,
    next: u64,
}

impl<T> Table<T> {
    fn new(first_id: u64) -> Self {
        Self {
            rows: BTreeMap::new(),
            names: HashMap::new(),
            next: first_id,
        }
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<&T> {
        self.names.get(name).and_then(|id| self.rows.get(id))
    }

    pub(crate) fn by_id(&self, id: u64) -> Option<&T> {
        self.rows.get(&id)
    }

    /// The id to use: the wished one, or the next free one. `None` when it or the name is taken.
    fn claim(&mut self, wished: Option<u64>, name: &str) -> Option<u64> {
        let id = wished.unwrap_or(self.next);
        if self.rows.contains_key(&id) || self.names.contains_key(name) {
            return None;
        }
        self.next = self.next.max(id.saturating_add(1));
        Some(id)
    }

    fn put(&mut self, id: u64, name: String, row: T) {
        self.names.insert(name, id);
        self.rows.insert(id, row);
    }
}

/// The whole account.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) users: Table<User>,
    pub(crate) roles: Table<Role>,
    pub(crate) retailers: Table<Retailer>,
    pub(crate) locations: Table<Location>,
    pub(crate) behavior: Behavior,
    /// Users per `ref`, for the switch that makes it unique.
    refs: HashMap<String, u64>,
}

impl State {
    /// An account with one user: the API user the engine logs in as, an `ADMIN` of the whole account.
    pub(crate) fn new(behavior: Behavior, api_user: &str, now: i64) -> Self {
        let mut state = Self {
            users: Table::new(1),
            roles: Table::new(1),
            retailers: Table::new(1),
            locations: Table::new(1_001),
            behavior,
            refs: HashMap::new(),
        };
        state.add_role("ADMIN", Vec::new());
        let pair = GrantPair {
            role: "ADMIN".into(),
            context_type: "ACCOUNT".into(),
            context_id: state.behavior.account_context_id.clone(),
        };
        let api = SeedUser {
            id: None,
            username: api_user.to_owned(),
            reference: None,
            first_name: Some("API".into()),
            last_name: None,
            primary_email: None,
            kind: "API".into(),
            status: "ACTIVE".into(),
            roles: vec![pair],
        };
        // The tables are empty, so nothing can clash.
        let _added = state.add_user(&api, now);
        state
    }

    /// Adds a seed's content.
    pub(crate) fn load(&mut self, seed: &Seed, now: i64) -> Result<(), SeedError> {
        for name in &seed.roles {
            self.add_role(name, Vec::new());
        }
        for retailer in &seed.retailers {
            self.add_retailer(retailer, now)?;
        }
        for location in &seed.locations {
            self.add_location(location, now)?;
        }
        for user in &seed.users {
            self.add_user(user, now)?;
        }
        Ok(())
    }

    /// Adds a role or finds it; its id.
    pub(crate) fn add_role(&mut self, name: &str, permissions: Vec<String>) -> u64 {
        if let Some(role) = self.roles.by_name(name) {
            return role.id;
        }
        let id = self.roles.claim(None, name).unwrap_or_default();
        self.roles.put(
            id,
            name.to_owned(),
            Role {
                id,
                name: name.to_owned(),
                permissions,
            },
        );
        id
    }

    pub(crate) fn add_retailer(&mut self, seed: &SeedRetailer, now: i64) -> Result<u64, SeedError> {
        let id = self
            .retailers
            .claim(seed.id, &seed.reference)
            .ok_or_else(|| SeedError::Conflict(format!("retailer {} is there already", seed.reference)))?;
        let retailer = Retailer {
            id,
            reference: seed.reference.clone(),
            trading_name: seed.trading_name.clone(),
            status: seed.status.clone(),
            created_on: now,
        };
        self.retailers.put(id, seed.reference.clone(), retailer);
        Ok(id)
    }

    pub(crate) fn add_location(&mut self, seed: &SeedLocation, now: i64) -> Result<u64, SeedError> {
        let retailer = self
            .retailers
            .by_name(&seed.retailer)
            .map(|retailer| retailer.id)
            .ok_or_else(|| SeedError::Conflict(format!("no retailer {}", seed.retailer)))?;
        let id = self
            .locations
            .claim(seed.id, &seed.reference)
            .ok_or_else(|| SeedError::Conflict(format!("location {} is there already", seed.reference)))?;
        let location = Location {
            id,
            reference: seed.reference.clone(),
            name: seed.name.clone(),
            status: seed.status.clone(),
            retailer,
            created_on: now,
        };
        self.locations.put(id, seed.reference.clone(), location);
        Ok(id)
    }

    /// Adds a user as it is, without the checks of `createUser`.
    pub(crate) fn add_user(&mut self, seed: &SeedUser, now: i64) -> Result<u64, SeedError> {
        let key = self.name_key(&seed.username);
        let id = self
            .users
            .claim(seed.id, &key)
            .ok_or_else(|| SeedError::Conflict(format!("user {} is there already", seed.username)))?;
        let mut user = User {
            id,
            reference: seed.reference.clone().unwrap_or_else(|| seed.username.clone()),
            username: seed.username.clone(),
            kind: seed.kind.clone(),
            status: seed.status.clone(),
            created_on: now,
            updated_on: now,
            ..User::default()
        };
        let texts = [
            ("firstName", &seed.first_name),
            ("lastName", &seed.last_name),
            ("primaryEmail", &seed.primary_email),
        ];
        user.texts.extend(
            texts
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.clone()?))),
        );
        for pair in &seed.roles {
            roles::add(&mut user.roles, pair);
        }
        self.put_user(key, user);
        Ok(id)
    }

    fn put_user(&mut self, key: String, user: User) {
        self.refs.insert(user.reference.clone(), user.id);
        self.users.put(user.id, key, user);
    }

    /// The key under which a username is kept.
    pub(crate) fn name_key(&self, username: &str) -> String {
        match self.behavior.username_case {
            UsernameCase::Sensitive => username.to_owned(),
            UsernameCase::Insensitive => username.to_lowercase(),
        }
    }

    pub(crate) fn user_by_name(&self, username: &str) -> Option<&User> {
        self.users.by_name(&self.name_key(username))
    }

    /// Changes the switches; the name index follows.
    pub(crate) fn set_behavior(&mut self, behavior: Behavior) {
        self.behavior = behavior;
        let keys: Vec<_> = self
            .users
            .rows
            .values()
            .map(|user| (self.name_key(&user.username), user.id))
            .collect();
        self.users.names = keys.into_iter().collect();
    }
}
