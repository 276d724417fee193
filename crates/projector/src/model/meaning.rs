//! What the model thinks an account should be: from texts, for one account, from the beginning.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rollcall_domain::*;

use super::{Fact, World};

/// The groups from the direct one to the carrier; none for a personal role.
type Way = Option<(Vec<GroupId>, GroupRoleOrigin)>;

/// A derivation without its id.
pub(super) type Why = (
    UserId,
    Option<(Vec<GroupId>, GroupRoleOrigin)>,
    String,
    String,
    Grant,
);

#[derive(Debug, Default)]
pub(super) struct Meaning {
    pub(super) whys: BTreeSet<Why>,
    pub(super) status: Option<DesiredStatus>,
    pub(super) withheld: bool,
    pub(super) retained: BTreeSet<Grant>,
    pub(super) holds: BTreeSet<Hold>,
    pub(super) notes: BTreeSet<Note>,
}

impl Meaning {
    pub(super) fn grants(&self) -> BTreeSet<Grant> {
        self.whys.iter().map(|why| why.4.clone()).collect()
    }
    pub(super) fn held(&self) -> BTreeSet<Grant> {
        self.grants().union(&self.retained).cloned().collect()
    }
}

#[derive(Default)]
struct Read {
    grants: Vec<(String, Grant)>,
    retained: Vec<Grant>,
    holds: Vec<Hold>,
    notes: Vec<Note>,
}

impl World {
    /// The facts that a derivation rests on, in order, and since when each holds.
    pub(super) fn chain(&self, (user, way, app_role, by, _): &Why) -> Vec<(Fact, u64)> {
        let mut facts = Vec::new();
        if let Some((path, origin)) = way {
            facts.push(Fact::Member(*user, path[0]));
            facts.extend(path.windows(2).map(|pair| Fact::Nested(pair[0], pair[1])));
            let (id, group) = self.groups.get_key_value(path.last().unwrap()).unwrap();
            let named = self.rules.groups.iter().any(|rule| {
                rule.group == GroupSelector::DisplayName(group.name.clone())
                    && rule.app_roles.contains(&AppRole(app_role.clone()))
            });
            facts.push(match origin {
                GroupRoleOrigin::Extension => Fact::Carries(*id, app_role.clone()),
                GroupRoleOrigin::RuleSet if !named => Fact::Identified(*id, group.external.clone().unwrap()),
                GroupRoleOrigin::RuleSet | GroupRoleOrigin::DisplayName => {
                    Fact::Named(*id, group.name.clone())
                }
            });
        } else {
            facts.push(Fact::Assigned(*user, app_role.clone()));
        }
        let from_rules = matches!(way, Some((_, GroupRoleOrigin::RuleSet)));
        if from_rules || by != "direct" {
            facts.push(Fact::Rules);
        }
        facts
            .into_iter()
            .map(|fact| (fact.clone(), self.since[&fact]))
            .collect()
    }

    /// Every (user, way, app role) of the live claimants.
    fn assigned(&self, account: AccountKey, notes: &mut BTreeSet<Note>) -> Vec<(UserId, Way, String)> {
        let mut all = Vec::new();
        for user in self.live(account) {
            for role in &self.users[&user].roles {
                all.push((user, None, role.clone()));
            }
            for (direct, group) in &self.groups {
                if !group.users.contains(&user) {
                    continue;
                }
                for (carrier, path) in self.shortest_paths(*direct) {
                    let group = &self.groups[&carrier];
                    let mut add =
                        |role: &str, origin| all.push((user, Some((path.clone(), origin)), role.to_owned()));
                    for role in &group.roles {
                        add(role, GroupRoleOrigin::Extension);
                    }
                    for rule in &self.rules.groups {
                        let named = match &rule.group {
                            GroupSelector::DisplayName(name) => *name == group.name,
                            GroupSelector::ExternalId(id) => Some(id) == group.external.as_ref(),
                        };
                        if named {
                            for role in &rule.app_roles {
                                add(&role.0, GroupRoleOrigin::RuleSet);
                            }
                        }
                    }
                    if let Shape::Scoped { kind, rest } = AppRole(group.name.clone()).shape() {
                        let known = splits(rest).any(|(id, _)| {
                            !self.places(kind, id).is_empty() || !self.ghosts(kind, id).is_empty()
                        });
                        if known {
                            add(&group.name, GroupRoleOrigin::DisplayName);
                        } else {
                            notes.insert(Note::NameOnly { group: carrier });
                        }
                    }
                }
            }
        }
        all
    }

    /// All groups at or above one, each with the smallest of its shortest paths.
    fn shortest_paths(&self, from: GroupId) -> BTreeMap<GroupId, Vec<GroupId>> {
        let mut best: BTreeMap<GroupId, Vec<GroupId>> = BTreeMap::new();
        let mut queue = VecDeque::from([vec![from]]);
        while let Some(path) = queue.pop_front() {
            let last = *path.last().unwrap();
            let better = best
                .get(&last)
                .is_none_or(|old| (path.len(), &path) < (old.len(), old));
            if !better {
                continue;
            }
            best.insert(last, path.clone());
            for (parent, group) in &self.groups {
                if group.groups.contains(&last) && !path.contains(parent) {
                    let mut longer = path.clone();
                    longer.push(*parent);
                    queue.push_back(longer);
                }
            }
        }
        best
    }

    fn places(&self, kind: ContextType, identifier: &str) -> BTreeSet<String> {
        let places = match kind {
            ContextType::Account => {
                let is = identifier == "0" || self.policy.account_name.as_deref() == Some(identifier);
                return is.then(|| "0".to_owned()).into_iter().collect();
            }
            ContextType::Retailer => &self.catalog.retailers,
            ContextType::Agent => &self.catalog.locations,
        };
        places
            .iter()
            .filter(|(id, p)| *id == identifier || p.reference == identifier)
            .map(|(id, _)| id.clone())
            .collect()
    }

    fn ghosts(&self, kind: ContextType, identifier: &str) -> BTreeSet<String> {
        let live = self.places(kind, identifier);
        if kind == ContextType::Account {
            let was = self.ever_account_names.contains(identifier) && live.is_empty();
            return was.then(|| "0".to_owned()).into_iter().collect();
        }
        let ever = self
            .ever_places
            .iter()
            .filter(|(k, name, _)| *k == kind && name == identifier)
            .map(|(_, _, id)| id.clone());
        ever.filter(|id| !live.contains(id)).collect()
    }

    fn has(&self, role: &str) -> bool {
        self.catalog.roles.contains(&RoleName(role.to_owned()))
    }
    fn had(&self, role: &str) -> bool {
        !self.has(role) && self.ever_roles.contains(&RoleName(role.to_owned()))
    }

    fn rules_of(&self, role: &str) -> Vec<(String, Vec<RoleName>, bool)> {
        let rules = self.rules.rules.iter().map(|rule| {
            let Action::MappingRoleAssignment {
                source_app_role,
                target_roles,
                also_retailer,
            } = &rule.action;
            (
                source_app_role.clone(),
                rule.condition.logical_role().to_owned(),
                target_roles.clone(),
                *also_retailer,
            )
        });
        rules
            .filter(|(source, ..)| source == role)
            .map(|(_, condition, targets, also)| (condition, targets, also))
            .collect()
    }

    fn known(&self, role: &str) -> bool {
        self.has(role) || !self.rules_of(role).is_empty()
    }

    /// The reading of a scoped app role that decides its last part.
    fn last_part(&self, text: &str) -> Option<String> {
        let role = AppRole(text.to_owned());
        let (kind, rest) = match role.shape() {
            Shape::NotConvention => return None,
            Shape::UnknownContextType(_) => return Some(text.splitn(3, '_').nth(2).unwrap().to_owned()),
            Shape::Scoped { kind, rest } => (kind, rest),
        };
        let readings: Vec<(&str, &str)> = splits(rest).collect();
        let place = |id: &str| !self.places(kind, id).is_empty();
        let haunted = |id: &str| place(id) || !self.ghosts(kind, id).is_empty();
        let pick = readings
            .iter()
            .find(|(id, role)| place(id) && self.known(role))
            .or_else(|| {
                readings
                    .iter()
                    .find(|(id, role)| haunted(id) && (self.known(role) || self.had(role)))
            })
            .or_else(|| readings.iter().find(|(id, _)| place(id)))
            .or_else(|| readings.iter().find(|(_, role)| self.known(role)))
            .or_else(|| readings.first());
        pick.map(|(_, role)| (*role).to_owned())
    }

    fn owner(&self, context: &Context) -> Option<Context> {
        if context.kind != ContextType::Agent {
            return None;
        }
        let retailer = self
            .last_place
            .get(&(context.kind, context.id.clone()))?
            .retailer
            .clone()?;
        Some(Context {
            kind: ContextType::Retailer,
            id: retailer,
        })
    }

    fn read(&self, text: &str, logical: &BTreeSet<String>) -> Read {
        let role = AppRole(text.to_owned());
        let mut read = Read::default();
        let (kind, rest) = match role.shape() {
            Shape::NotConvention => {
                read.notes.push(Note::NotConvention {
                    app_role: role.clone(),
                });
                return read;
            }
            Shape::UnknownContextType(_) => {
                read.holds.push(Hold::UnknownContextType {
                    app_role: role.clone(),
                });
                return read;
            }
            Shape::Scoped { kind, rest } => (kind, rest),
        };
        let context = |id: String| Context { kind, id };
        let fits: Vec<(Context, &str)> = splits(rest)
            .filter(|(_, r)| self.known(r))
            .flat_map(|(id, r)| {
                self.places(kind, id)
                    .into_iter()
                    .map(move |id| (Context { kind, id }, r))
            })
            .collect();
        if fits.len() == 1 {
            self.read_at(&role, fits[0].1, &fits[0].0, logical, &mut read);
            return read;
        }
        if fits.len() > 1 {
            read.holds.push(Hold::Ambiguous {
                app_role: role.clone(),
                first: fits[0].0.clone(),
                second: fits[1].0.clone(),
            });
            for (id, r) in splits(rest).filter(|(id, r)| self.known(r) && !self.places(kind, id).is_empty()) {
                for id in self.places(kind, id).union(&self.ghosts(kind, id)) {
                    self.keep(r, &context(id.clone()), &mut read);
                }
            }
            return read;
        }
        let haunted: Vec<(&str, &str)> = splits(rest)
            .filter(|(id, r)| {
                let place = !self.places(kind, id).is_empty() || !self.ghosts(kind, id).is_empty();
                place && (self.known(r) || self.had(r))
            })
            .collect();
        if !haunted.is_empty() {
            read.holds.push(Hold::Vanished {
                app_role: role.clone(),
            });
            for (id, r) in haunted {
                for id in self.places(kind, id).union(&self.ghosts(kind, id)) {
                    self.keep(r, &context(id.clone()), &mut read);
                }
            }
            return read;
        }
        let last = self.last_part(text).unwrap();
        let (id, _) = splits(rest).find(|(_, r)| *r == last).unwrap();
        if self.places(kind, id).is_empty() {
            read.holds.push(Hold::UnknownPlace {
                app_role: role.clone(),
                context_type: kind,
                identifier: id.to_owned(),
                near: None,
            });
        } else {
            read.holds.push(Hold::UnknownRole {
                app_role: role,
                role: RoleName(last),
                near: None,
            });
        }
        read
    }

    fn keep(&self, role: &str, context: &Context, read: &mut Read) {
        let rules = self.rules_of(role);
        let grant = |role: &str, context: &Context| Grant {
            role: RoleName(role.to_owned()),
            context: context.clone(),
        };
        if rules.is_empty() {
            read.retained.push(grant(role, context));
        }
        for (_, targets, also) in rules {
            for target in targets {
                read.retained.push(grant(&target.0, context));
                if let Some(owner) = self.owner(context).filter(|_| also) {
                    read.retained.push(grant(&target.0, &owner));
                }
            }
        }
    }

    fn read_at(
        &self,
        app_role: &AppRole,
        role: &str,
        context: &Context,
        logical: &BTreeSet<String>,
        read: &mut Read,
    ) {
        let place = match context.kind {
            ContextType::Account => None,
            ContextType::Retailer => self.catalog.retailers.get(&context.id),
            ContextType::Agent => self.catalog.locations.get(&context.id),
        };
        if place.is_some_and(|p| !p.active) {
            read.notes.push(Note::InactivePlace {
                context: context.clone(),
            });
        }
        let rules: Vec<_> = self
            .rules_of(role)
            .into_iter()
            .filter(|(condition, ..)| condition == role || logical.contains(condition))
            .collect();
        let target = |by: &str, target: &str, context: &Context, read: &mut Read| {
            let grant = Grant {
                role: RoleName(target.to_owned()),
                context: context.clone(),
            };
            if self.has(target) {
                read.grants.push((by.to_owned(), grant));
            } else if self.had(target) {
                read.retained.push(grant);
                read.holds.push(Hold::Vanished {
                    app_role: app_role.clone(),
                });
            } else {
                read.holds.push(Hold::UnknownRole {
                    app_role: app_role.clone(),
                    role: RoleName(target.to_owned()),
                    near: None,
                });
            }
        };
        if rules.is_empty() {
            target("direct", role, context, read);
        }
        for (_, targets, also) in rules {
            for name in targets {
                target(&format!("rule {role}"), &name.0, context, read);
                let Some(owner) = self.owner(context).filter(|_| also) else {
                    continue;
                };
                let ever =
                    self.ever_places
                        .contains(&(ContextType::Retailer, owner.id.clone(), owner.id.clone()));
                if self.catalog.retailers.contains_key(&owner.id) {
                    if self.has(&name.0) || self.had(&name.0) {
                        target(&format!("also {role}"), &name.0, &owner, read);
                    }
                } else if ever {
                    read.retained.push(Grant {
                        role: name.clone(),
                        context: owner,
                    });
                    read.holds.push(Hold::Vanished {
                        app_role: app_role.clone(),
                    });
                } else {
                    read.holds.push(Hold::UnknownPlace {
                        app_role: app_role.clone(),
                        context_type: ContextType::Retailer,
                        identifier: owner.id,
                        near: None,
                    });
                }
            }
        }
    }

    pub(super) fn meaning(&self, account: AccountKey) -> Meaning {
        let mut m = Meaning::default();
        let live = self.live(account);
        if live.is_empty() {
            let there = self.claims.get(&account).into_iter().flatten().any(|id| {
                let u = &self.users[id];
                !u.deleted && u.name == account
            });
            let reason = if there {
                InactiveReason::Deactivated
            } else {
                InactiveReason::Deleted
            };
            m.status = Some(DesiredStatus::Inactive { reason });
            return m;
        }
        let assigned = self.assigned(account, &mut m.notes);
        let logical: BTreeSet<String> = assigned
            .iter()
            .filter_map(|(_, _, role)| self.last_part(role))
            .collect();
        let mut has_role = false;
        for (user, way, role) in &assigned {
            let read = self.read(role, &logical);
            has_role |= !matches!(AppRole(role.clone()).shape(), Shape::NotConvention);
            m.whys.extend(
                read.grants
                    .into_iter()
                    .map(|(by, grant)| (*user, way.clone(), role.clone(), by, grant)),
            );
            m.retained.extend(read.retained);
            m.holds.extend(read.holds);
            m.notes.extend(read.notes);
        }
        let grants = m.grants();
        let held = !m.holds.is_empty();
        for one in self.kept.get(&account).into_iter().flatten() {
            let stopped: Vec<&Grant> = one.grants.iter().filter(|g| !grants.contains(g)).collect();
            if !stopped.is_empty() && !one.rejected {
                m.holds.insert(Hold::Guard { cause: one.cause });
            }
            m.retained.extend(stopped.into_iter().cloned());
        }
        m.retained.retain(|g| !grants.contains(g));
        let hold_user = self.policy.unknown_roles == UnknownRoles::HoldUser;
        m.withheld = held && hold_user;
        let connections: BTreeSet<&ConnectionName> =
            live.iter().map(|id| &self.users[id].connection).collect();
        if self.policy.shared_accounts == SharedAccounts::Hold && connections.len() > 1 {
            m.withheld = true;
            m.holds.insert(Hold::SeveralConnections);
        }
        m.status = Some(if !has_role && m.retained.is_empty() {
            DesiredStatus::Inactive {
                reason: InactiveReason::NoRoles,
            }
        } else if !grants.is_empty() || (has_role && hold_user) {
            DesiredStatus::Active
        } else {
            DesiredStatus::Keep
        });
        m
    }
}
