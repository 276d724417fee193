//! What Fluent must hold, worked out from what the identity providers said: from scratch each time, by rules written
//! for these tests alone.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_fluent_sim::SimHandle;

/// Fluent's roles.
pub(crate) const ROLES: [&str; 7] = [
    "ADMIN",
    "Associate",
    "Clerk",
    "Lead",
    "Store_Manager",
    "Viewer",
    "Returns_Agent",
];
/// Places by their reference, with their platform ids.
pub(crate) const PLACES: [(&str, &str); 4] = [
    ("0", "0"),
    ("MIDWEST", "1"),
    ("CHIC-01", "101"),
    ("MILW-01", "102"),
];

/// A role, a kind of context and a platform id.
pub(crate) type Pair = (String, String, String);

/// A person as an identity provider describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) user_name: String,
    pub(crate) active: bool,
    pub(crate) roles: BTreeSet<String>,
}

/// A group with its app roles and the ids of what is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) roles: BTreeSet<String>,
    pub(crate) members: BTreeSet<String>,
}

/// All that the identity providers said and got a 2xx for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    /// By SCIM id; who was deleted is not there.
    pub(crate) people: BTreeMap<String, Person>,
    pub(crate) groups: BTreeMap<String, Group>,
    /// What a logical role means.
    pub(crate) rules: BTreeMap<String, Vec<String>>,
    /// Names that somebody had and nobody has any more.
    pub(crate) gone: BTreeSet<String>,
    /// What others gave in Fluent, by name: stays whatever happens.
    pub(crate) foreign: BTreeMap<String, BTreeSet<Pair>>,
}

/// What an account must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) active: bool,
    pub(crate) pairs: BTreeSet<Pair>,
}

impl Model {
    /// The app roles of a user: its own, and those of every group it is in, however deep.
    fn app_roles(&self, id: &str) -> BTreeSet<String> {
        let mut roles = self.people[id].roles.clone();
        let mut inside: BTreeSet<&str> = BTreeSet::from([id]);
        loop {
            let more: Vec<&str> = self
                .groups
                .iter()
                .filter(|(group, _)| !inside.contains(group.as_str()))
                .filter(|(_, group)| {
                    group
                        .members
                        .iter()
                        .any(|member| inside.contains(member.as_str()))
                })
                .map(|(id, _)| id.as_str())
                .collect();
            if more.is_empty() {
                return roles;
            }
            for group in more {
                inside.insert(group);
                roles.extend(self.groups[group].roles.iter().cloned());
            }
        }
    }

    /// The pairs that an app role means; `None` when it is not known, which holds its user.
    fn pairs(&self, app_role: &str) -> Option<BTreeSet<Pair>> {
        let parts: Vec<&str> = app_role.splitn(3, '_').collect();
        let [kind, place, role] = parts[..] else {
            return Some(BTreeSet::new());
        };
        let (_, place) = PLACES.iter().find(|(name, _)| *name == place)?;
        let roles = match self.rules.get(role) {
            Some(targets) => targets.clone(),
            None if ROLES.contains(&role) => vec![role.to_owned()],
            None => return None,
        };
        let pair = |role| (role, kind.to_uppercase(), (*place).to_owned());
        Some(roles.into_iter().map(pair).collect())
    }

    /// What every account must hold, by name. Nobody here is held: tests of holds say themselves what they expect.
    pub(crate) fn expected(&self) -> BTreeMap<String, Account> {
        let mut all: BTreeMap<String, Account> = BTreeMap::new();
        for name in &self.gone {
            all.entry(name.clone()).or_default();
        }
        for (id, person) in &self.people {
            let account = all.entry(person.user_name.to_lowercase()).or_default();
            let roles = self.app_roles(id);
            if !person.active || roles.is_empty() {
                continue;
            }
            account.active = true;
            for role in roles {
                let pairs = self.pairs(&role).unwrap_or_else(|| panic!("{role} is not known"));
                account.pairs.extend(pairs);
            }
        }
        for (name, pairs) in &self.foreign {
            all.entry(name.clone())
                .or_default()
                .pairs
                .extend(pairs.iter().cloned());
        }
        all
    }

    /// Every difference between this and Fluent, a line each. Who never had access need not be there.
    pub(crate) fn differences(&self, fluent: &SimHandle) -> Vec<String> {
        let users: BTreeMap<String, Account> = fluent
            .users()
            .into_iter()
            .map(|user| {
                let pairs = user.grants.into_iter();
                let account = Account {
                    active: user.status == "ACTIVE",
                    pairs: pairs
                        .map(|pair| (pair.role, pair.context_type, pair.context_id))
                        .collect(),
                };
                (user.username, account)
            })
            .collect();
        let expected = self.expected();
        let mut lines = Vec::new();
        for (name, account) in &expected {
            match users.get(name) {
                None if account == &Account::default() => {}
                Some(found) if found == account => {}
                found => lines.push(format!("{name}: expected {account:?}, found {found:?}")),
            }
        }
        for name in users.keys() {
            if !expected.contains_key(name) && !is_of_the_seed(name) {
                lines.push(format!("{name}: not expected"));
            }
        }
        lines
    }
}

/// Users that Fluent had before us and that no identity provider speaks of.
pub(crate) fn is_of_the_seed(name: &str) -> bool {
    ["rollcall_api", "midwest_admin"].contains(&name) || name.starts_with("veteran@")
}
