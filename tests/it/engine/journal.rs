//! What was done to Fluent on the way: from the simulator's own journal.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_fluent_sim::{JournalResult, SimHandle};

use super::model::{Model, Pair};

/// Whether a change may be made again that was made already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeats {
    Never,
    /// A change that lands late may have been sent again meanwhile: it must do no harm, but it is there.
    WhenLate,
}

#[derive(Default)]
struct Seen {
    created: u32,
    pairs: BTreeSet<Pair>,
    /// All that we ever gave.
    given: BTreeSet<Pair>,
    status: Option<String>,
}

/// Nobody is made twice, nobody is touched that no identity provider speaks of, nothing is taken that we did not give,
/// and nothing is done that was done already.
#[track_caller]
pub(crate) fn check(fluent: &SimHandle, model: &Model, repeats: Repeats) {
    let names: BTreeSet<String> = model.expected().into_keys().collect();
    let mut users: BTreeMap<String, Seen> = BTreeMap::new();
    for entry in fluent.journal() {
        let name = entry.username.clone().unwrap_or_default();
        assert!(names.contains(&name), "a stranger was written to: {entry:?}");
        let known = ["createUser", "updateUser", "removeUserRolesFromUser"];
        assert!(known.contains(&entry.operation.as_str()), "{entry:?}");
        if entry.result != JournalResult::Applied {
            continue;
        }
        let seen = users.entry(name.clone()).or_default();
        let pairs: BTreeSet<Pair> = entry
            .grants
            .iter()
            .map(|pair| {
                (
                    pair.role.clone(),
                    pair.context_type.clone(),
                    pair.context_id.clone(),
                )
            })
            .collect();
        let before = (seen.pairs.clone(), seen.status.clone());
        match entry.operation.as_str() {
            "createUser" => {
                seen.created += 1;
                assert_eq!(seen.created, 1, "{name} was made twice");
                seen.status = Some("ACTIVE".to_owned());
                seen.pairs.extend(pairs.clone());
                seen.given.extend(pairs.clone());
            }
            "updateUser" => {
                seen.pairs.extend(pairs.clone());
                seen.given.extend(pairs.clone());
                seen.status = entry.status.clone().or(seen.status.take());
            }
            _ => {
                assert!(
                    pairs.is_subset(&seen.given),
                    "{name} lost what we never gave: {entry:?}"
                );
                seen.pairs.retain(|pair| !pairs.contains(pair));
            }
        }
        let says_something = !pairs.is_empty() || entry.status.is_some();
        let did_something = before != (seen.pairs.clone(), seen.status.clone());
        assert!(
            !says_something || did_something || repeats == Repeats::WhenLate,
            "done already: {entry:?}"
        );
    }
}

/// How often this was asked of Fluent and done, for a user.
pub(crate) fn count(fluent: &SimHandle, user_name: &str, operation: &str) -> usize {
    let journal = fluent.journal();
    let of_user = journal
        .iter()
        .filter(|entry| entry.username.as_deref() == Some(user_name));
    of_user
        .filter(|entry| entry.operation == operation && entry.result == JournalResult::Applied)
        .count()
}

/// The number of the first change of a user that set this status.
pub(crate) fn first_status(fluent: &SimHandle, user_name: &str, status: &str) -> Option<u64> {
    let journal = fluent.journal();
    let mut found = journal.iter().filter(|entry| {
        entry.username.as_deref() == Some(user_name)
            && entry.status.as_deref() == Some(status)
            && entry.result == JournalResult::Applied
    });
    found.next().map(|entry| entry.seq)
}
