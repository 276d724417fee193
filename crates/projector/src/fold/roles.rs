//! App roles and grants, each text kept once; an app role is read against rules and catalog when it is first
//! seen and whenever those change.

use hashbrown::HashTable;
use rollcall_domain::{AppRole, AssignedRole, Grant};
use rustc_hash::FxHashMap;

use super::catalog::CatalogBook;
use super::hash::StableHash;
use super::input::RoleRef;
use super::rules::Rules;
use super::slab::{AppRoleIx, AssignedIx, GrantIx, Slab};
use super::state::TenantState;
use crate::access::{Resolution, resolve};

/// What an app role is read against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct World<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) catalog: &'a CatalogBook,
    pub(crate) account_name: Option<&'a str>,
}

/// An app role's text and what it means now.
#[derive(Debug, Clone)]
pub(crate) struct AppRoleEntry {
    pub(crate) text: AppRole,
    /// Stable hash of the text.
    pub(crate) hash: u64,
    pub(crate) resolution: Resolution,
}

/// A role as assigned.
#[derive(Debug, Clone)]
pub(crate) struct Assigned {
    pub(crate) role: AssignedRole,
    pub(crate) app_role: AppRoleIx,
}

/// Grants by index.
#[derive(Debug, Clone, Default)]
pub(crate) struct GrantBook {
    grants: Slab<GrantIx, (Grant, u64)>,
    index: FxHashMap<Grant, GrantIx>,
}

impl GrantBook {
    pub(crate) fn index(&mut self, grant: Grant) -> GrantIx {
        if let Some(ix) = self.index.get(&grant) {
            return *ix;
        }
        let hash = StableHash::new(3)
            .text(&grant.role.0)
            .text(grant.context.kind.as_str())
            .text(&grant.context.id)
            .finish();
        let ix = self.grants.push((grant.clone(), hash));
        self.index.insert(grant, ix);
        ix
    }
    pub(crate) fn get(&self, ix: GrantIx) -> Option<&Grant> {
        self.grants.get(ix).map(|(grant, _)| grant)
    }
    /// Stable hash of the grant's text.
    pub(crate) fn hash(&self, ix: GrantIx) -> u64 {
        self.grants.get(ix).map_or(0, |(_, hash)| *hash)
    }
}

/// Every role text that was ever seen. Nothing is forgotten: the book is as large as the variety of the
/// texts.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoleBook {
    pub(crate) assigned: Slab<AssignedIx, Assigned>,
    assigned_index: HashTable<AssignedIx>,
    pub(crate) app_roles: Slab<AppRoleIx, AppRoleEntry>,
    app_role_index: FxHashMap<Box<str>, AppRoleIx>,
    pub(crate) grants: GrantBook,
    /// How many of each the store has.
    pub(crate) stored: (usize, usize),
}

impl RoleBook {
    fn app_role_text(&self, text: &str) -> Option<AppRoleIx> {
        self.app_role_index.get(text).copied()
    }

    pub(crate) fn app_role(&mut self, text: &str, world: &World<'_>) -> AppRoleIx {
        if let Some(ix) = self.app_role_text(text) {
            return ix;
        }
        let role = AppRole(text.to_owned());
        let resolution = resolve(&role, world, &mut self.grants);
        let hash = StableHash::new(2).text(text).finish();
        let ix = self.app_roles.push(AppRoleEntry {
            text: role,
            hash,
            resolution,
        });
        self.app_role_index.insert(text.into(), ix);
        ix
    }

    /// What every app role means in this world, in their order; nothing is put into force by that.
    pub(crate) fn read_all(&mut self, world: &World<'_>) -> Vec<Resolution> {
        let entries = self.app_roles.iter();
        entries
            .map(|(_, entry)| resolve(&entry.text, world, &mut self.grants))
            .collect()
    }

    /// Whether somebody may hold less when these meanings are put into force.
    pub(crate) fn may_take(&self, meanings: &[Resolution], conditional: bool) -> bool {
        let mut pairs = self.app_roles.iter().zip(meanings);
        pairs.any(|((_, old), new)| old.resolution.may_take(new, conditional))
    }

    /// Puts what [`RoleBook::read_all`] gave into force.
    pub(crate) fn put(&mut self, meanings: Vec<Resolution>) {
        for ((_, entry), resolution) in self.app_roles.iter_mut().zip(meanings) {
            entry.resolution = resolution;
        }
    }

    pub(crate) fn assigned(&mut self, role: &RoleRef<'_>, world: &World<'_>) -> AssignedIx {
        let hash = hash_of(role);
        let assigned = &self.assigned;
        let same = |ix: &AssignedIx| assigned.get(*ix).is_some_and(|a| RoleRef::of(&a.role) == *role);
        if let Some(ix) = self.assigned_index.find(hash, same) {
            return *ix;
        }
        let app_role = self.app_role(&role.value, world);
        let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(str::to_owned);
        let ix = self.assigned.push(Assigned {
            role: AssignedRole {
                value: AppRole(role.value.clone().into_owned()),
                display: text(&role.display),
                kind: text(&role.kind),
                primary: role.primary,
                idp_id: text(&role.idp_id),
            },
            app_role,
        });
        let assigned = &self.assigned;
        self.assigned_index.insert_unique(hash, ix, |ix| {
            assigned.get(*ix).map_or(0, |a| hash_of(&RoleRef::of(&a.role)))
        });
        ix
    }
}

fn hash_of(role: &RoleRef<'_>) -> u64 {
    use std::hash::{BuildHasher as _, BuildHasherDefault};
    let state: BuildHasherDefault<rustc_hash::FxHasher> = BuildHasherDefault::default();
    state.hash_one(role)
}

impl TenantState {
    /// The indexes of roles as assigned, each once.
    pub(crate) fn assigned_roles<'r>(
        &mut self,
        roles: impl IntoIterator<Item = RoleRef<'r>>,
    ) -> smallvec::SmallVec<[AssignedIx; 4]> {
        let world = World {
            rules: &self.rules,
            catalog: &self.catalog,
            account_name: self.policy.account_name.as_deref(),
        };
        let mut indexes = smallvec::SmallVec::new();
        for role in roles {
            let ix = self.roles.assigned(&role, &world);
            if !indexes.contains(&ix) {
                indexes.push(ix);
            }
        }
        indexes
    }
}
