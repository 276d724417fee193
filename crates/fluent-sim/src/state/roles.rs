//! A user's roles as pairs: adding and removing.

use super::{Context, GrantPair, UserRole};

/// Adds a pair; a pair that is there already stays once.
pub(super) fn add(roles: &mut Vec<UserRole>, pair: &GrantPair) {
    let context = Context {
        kind: pair.context_type.clone(),
        id: pair.context_id.clone(),
    };
    match roles.iter_mut().find(|held| held.role == pair.role) {
        Some(held) if held.contexts.contains(&context) => {}
        Some(held) => held.contexts.push(context),
        None => roles.push(UserRole {
            role: pair.role.clone(),
            contexts: vec![context],
        }),
    }
}

pub(super) fn holds(roles: &[UserRole], pair: &GrantPair) -> bool {
    roles.iter().any(|held| {
        held.role == pair.role
            && held
                .contexts
                .iter()
                .any(|c| c.kind == pair.context_type && c.id == pair.context_id)
    })
}

/// Removes a pair; a role whose last context goes, goes too.
pub(super) fn remove(roles: &mut Vec<UserRole>, pair: &GrantPair) {
    for held in roles.iter_mut().filter(|held| held.role == pair.role) {
        held.contexts
            .retain(|c| !(c.kind == pair.context_type && c.id == pair.context_id));
    }
    roles.retain(|held| !held.contexts.is_empty());
}
