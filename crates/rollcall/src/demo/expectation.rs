//! What Fluent must hold at the end, written down by hand while the story is told, by rules of its own: it shares no
//! code with the engine, and knows places by the names of the seed.

use std::collections::{BTreeMap, BTreeSet};

/// A person in Fluent: usable or not, and its (role, context type, platform id) triples.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Expected {
    pub(crate) active: bool,
    pub(crate) roles: BTreeSet<(String, String, String)>,
}

/// Everybody that the story knows, by user name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Expectation(pub(crate) BTreeMap<String, Expected>);

impl Expectation {
    /// The person is usable and holds this, beside what it holds already.
    pub(crate) fn holds(&mut self, user_name: &str, role: &str, context_type: &str, id: &str) {
        let person = self.0.entry(user_name.to_owned()).or_default();
        person.active = true;
        person
            .roles
            .insert((role.to_owned(), context_type.to_owned(), id.to_owned()));
    }

    /// The person is out: inactive, and without what Rollcall granted.
    pub(crate) fn is_out(&mut self, user_name: &str) {
        self.0.insert(user_name.to_owned(), Expected::default());
    }

    /// Every difference as a line for people; empty when Fluent is as expected.
    pub(crate) fn differences(&self, fluent: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, expected) in &self.0 {
            match fluent.0.get(name) {
                None => lines.push(format!("{name}: expected in Fluent, not there")),
                Some(found) if found != expected => lines.push(difference(name, expected, found)),
                Some(_) => {}
            }
        }
        let unexpected = fluent.0.keys().filter(|name| !self.0.contains_key(*name));
        lines.extend(unexpected.map(|name| format!("{name}: in Fluent, not expected")));
        lines
    }
}

fn difference(name: &str, expected: &Expected, found: &Expected) -> String {
    let list = |roles: &BTreeSet<(String, String, String)>, others: &BTreeSet<(String, String, String)>| {
        let only: Vec<String> = roles
            .difference(others)
            .map(|(role, kind, id)| format!("{role}@{kind}:{id}"))
            .collect();
        if only.is_empty() {
            "nothing".to_owned()
        } else {
            only.join(", ")
        }
    };
    let word = |active: bool| if active { "ACTIVE" } else { "INACTIVE" };
    format!(
        "{name}: expected {}, found {}; missing {}, too much {}",
        word(expected.active),
        word(found.active),
        list(&expected.roles, &found.roles),
        list(&found.roles, &expected.roles)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_difference_is_named() {
        let mut expected = Expectation::default();
        expected.holds("ida", "Picker", "AGENT", "1");
        expected.holds("bo", "Picker", "AGENT", "1");
        let mut fluent = expected.clone();
        assert!(expected.differences(&fluent).is_empty());
        fluent.holds("ida", "Manager", "AGENT", "1");
        fluent.0.remove("bo");
        fluent.is_out("eve");
        assert_eq!(expected.differences(&fluent).len(), 3);
    }
}
