//! “Did you mean”: the known name that is nearly the same as an unknown one.

use rollcall_domain::{ContextType, Hold};

use super::resolve::HeldReason;
use crate::fold::TenantState;

/// Most edits between a name and its near miss.
const EDITS_MAX: usize = 2;
/// Longer names are not compared: the cost is the product of the lengths, and such names are no slips of a
/// finger.
const LENGTH_MAX: usize = 64;

impl TenantState {
    /// The hold with its near miss filled in.
    pub(crate) fn with_near(&self, held: &HeldReason) -> Hold {
        let near = || held.near.get_or_init(|| self.near(&held.hold)).clone();
        match held.hold.clone() {
            Hold::UnknownRole { app_role, role, .. } => Hold::UnknownRole {
                app_role,
                role,
                near: near(),
            },
            Hold::UnknownPlace {
                app_role,
                context_type,
                identifier,
                ..
            } => Hold::UnknownPlace {
                app_role,
                context_type,
                identifier,
                near: near(),
            },
            other => other,
        }
    }

    fn near(&self, hold: &Hold) -> Option<String> {
        let catalog = &self.catalog.catalog;
        match hold {
            Hold::UnknownRole { role, .. } => {
                let roles = catalog.roles.iter().map(|role| role.0.as_str());
                nearest(
                    &role.0,
                    roles.chain(self.rules.by_role.keys().map(|role| &**role)),
                )
            }
            Hold::UnknownPlace {
                context_type,
                identifier,
                ..
            } => {
                let places = match context_type {
                    ContextType::Retailer => &catalog.retailers,
                    ContextType::Agent => &catalog.locations,
                    ContextType::Account => {
                        return nearest(identifier, self.policy.account_name.as_deref().into_iter());
                    }
                };
                nearest(identifier, places.values().map(|place| place.reference.as_str()))
            }
            _ => None,
        }
    }
}

/// The nearest name within [`EDITS_MAX`] edits (a third of the length at most), without regard to case; the
/// first in order of the names when several are as near.
fn nearest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    let wanted: Vec<char> = wanted.to_lowercase().chars().collect();
    let most = EDITS_MAX.min(wanted.len() / 3);
    if wanted.len() > LENGTH_MAX {
        return None;
    }
    let far =
        |name: &str| name.len().abs_diff(wanted.len()) > most + name.len() / 2 || name.len() > 4 * LENGTH_MAX;
    names
        .filter(|name| !far(name))
        .filter_map(|name| {
            let folded: Vec<char> = name.to_lowercase().chars().collect();
            (folded.len().abs_diff(wanted.len()) <= most).then(|| (edits(&wanted, &folded), name))
        })
        .filter(|(edits, _)| *edits <= most)
        .min()
        .map(|(_, name)| name.to_owned())
}

/// Levenshtein's distance.
fn edits(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, to) in row.iter_mut().skip(1).zip(b) {
            let replaced = diagonal + usize::from(from != to);
            diagonal = *cell;
            left = replaced.min(*cell + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_case_or_finger_is_noticed_and_a_stranger_is_not() {
        let known = ["CHIC-01", "CHIC-02", "NYC-01"];
        let near = |wanted: &str| nearest(wanted, known.into_iter());
        assert_eq!(near("chic-02").as_deref(), Some("CHIC-02"));
        assert_eq!(near("CHIC01").as_deref(), Some("CHIC-01"));
        assert_eq!(near("BOSTON-7"), None);
        assert_eq!(edits(&['k', 'i', 't'], &['s', 'i', 't', 's']), 2);
    }
}
