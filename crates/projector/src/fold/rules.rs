//! The rule set in force, indexed, and its activation.

use rollcall_domain::{Action, AppRole, EventId, GroupSelector, Revision, RoleName, RuleSet, RulesActivated};
use rustc_hash::FxHashMap;

use super::roles::World;
use super::slab::AppRoleIx;
use super::state::TenantState;
use crate::access::Resolution;
use crate::{RULES_FILE, Rejection, Verdict};

/// A rule that translates some logical role.
#[derive(Debug, Clone)]
pub(crate) struct RuleEntry {
    /// Another logical role that the user must hold too; none when the rule always applies.
    pub(crate) condition: Option<Box<str>>,
    pub(crate) targets: Vec<RoleName>,
    pub(crate) also_retailer: bool,
}

/// The rule set in force.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    pub(crate) version: Option<String>,
    /// The version that the rule file activated last; other rules may be in force since.
    pub(crate) from_file: Option<String>,
    pub(crate) set: RuleSet,
    pub(crate) by_role: FxHashMap<Box<str>, Vec<RuleEntry>>,
    pub(crate) by_group_name: FxHashMap<Box<str>, Vec<AppRoleIx>>,
    pub(crate) by_group_external: FxHashMap<Box<str>, Vec<AppRoleIx>>,
    /// Some rule asks for another role than it translates.
    pub(crate) conditional: bool,
}

impl Rules {
    fn of(version: Option<String>, set: RuleSet) -> Self {
        let mut rules = Self {
            version,
            ..Self::default()
        };
        for rule in &set.rules {
            let Action::MappingRoleAssignment {
                source_app_role,
                target_roles,
                also_retailer,
            } = &rule.action;
            let asked = rule.condition.logical_role();
            let condition = (asked != source_app_role).then(|| asked.into());
            rules.conditional |= condition.is_some();
            rules
                .by_role
                .entry(source_app_role.as_str().into())
                .or_default()
                .push(RuleEntry {
                    condition,
                    targets: target_roles.clone(),
                    also_retailer: *also_retailer,
                });
        }
        rules.set = set;
        rules
    }

    pub(crate) fn of_role(&self, role: &str) -> &[RuleEntry] {
        self.by_role.get(role).map_or(&[], Vec::as_slice)
    }
}

impl TenantState {
    pub(super) fn rules_activated(
        &mut self,
        id: EventId,
        operator: Option<&str>,
        event: &RulesActivated,
    ) -> Verdict {
        if event.replaces != self.rules.version {
            return Verdict::Rejected {
                rejection: Rejection::RulesMoved,
            };
        }
        let everybody: Vec<_> = self.accounts.iter().map(|(ix, _)| ix).collect();
        self.guarded(id, everybody, |state| {
            state.put_rules(Some(event.version.clone()), event.rules.clone());
        });
        if operator == Some(RULES_FILE) {
            self.rules.from_file = Some(event.version.clone());
        }
        self.rules_since = self.sequence;
        self.touched.rules = true;
        Verdict::Accepted {
            revision: Revision(0),
        }
    }

    /// Puts a rule set into force: everything that was read through the old one is read again.
    pub(crate) fn put_rules(&mut self, version: Option<String>, set: RuleSet) {
        let from_file = self.rules.from_file.take();
        self.rules = Rules {
            from_file,
            ..Rules::of(version, set)
        };
        self.reread_roles();
        for at in 0..self.rules.set.groups.len() {
            let Some(rule) = self.rules.set.groups.get(at).cloned() else {
                continue;
            };
            let roles: Vec<AppRoleIx> = rule.app_roles.iter().map(|role| self.app_role(role)).collect();
            let index = match &rule.group {
                GroupSelector::DisplayName(_) => &mut self.rules.by_group_name,
                GroupSelector::ExternalId(_) => &mut self.rules.by_group_external,
            };
            let (GroupSelector::DisplayName(name) | GroupSelector::ExternalId(name)) = rule.group;
            index.entry(name.into()).or_default().extend(roles);
        }
    }

    /// The index of an app role, read when it is new.
    pub(crate) fn app_role(&mut self, role: &AppRole) -> AppRoleIx {
        let world = World {
            rules: &self.rules,
            catalog: &self.catalog,
            account_name: self.policy.account_name.as_deref(),
        };
        self.roles.app_role(&role.0, &world)
    }

    /// Reads every app role again, after the rules, the catalog or the account's name changed.
    pub(crate) fn reread_roles(&mut self) {
        let meanings = self.read_roles();
        self.put_meanings(meanings);
    }

    /// What every app role means by the rules, the catalog and the account's name as they are now.
    pub(super) fn read_roles(&mut self) -> Vec<Resolution> {
        let world = World {
            rules: &self.rules,
            catalog: &self.catalog,
            account_name: self.policy.account_name.as_deref(),
        };
        self.roles.read_all(&world)
    }

    /// Puts what [`TenantState::read_roles`] gave into force.
    pub(super) fn put_meanings(&mut self, meanings: Vec<Resolution>) {
        self.roles.put(meanings);
        for (_, group) in self.groups.iter_mut() {
            group.effective = std::sync::OnceLock::new();
        }
    }
}
