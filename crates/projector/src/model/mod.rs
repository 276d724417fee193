//! A naive model of the whole projector, written differently on purpose: the raw history, plain maps and
//! texts, no caches, no indexes; everything is computed from the beginning again after every event, for every
//! account.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod against;
mod generate;
mod meaning;
mod settings;

pub(crate) use generate::{events, ops};

use std::collections::{BTreeMap, BTreeSet};

use rollcall_domain::*;
use serde_json::{Map, Value};

use crate::{Rejection, Verdict};

#[derive(Debug, Clone)]
struct MUser {
    connection: ConnectionName,
    name: NameKey,
    external: Option<ExternalKey>,
    active: bool,
    deleted: bool,
    revision: u32,
    roles: Vec<String>,
    document: Map<String, Value>,
}

#[derive(Debug, Clone)]
struct MGroup {
    connection: ConnectionName,
    name: String,
    external: Option<String>,
    roles: Vec<String>,
    revision: u32,
    member_revision: u32,
    users: BTreeSet<UserId>,
    groups: BTreeSet<GroupId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct MKept {
    cause: EventId,
    grants: BTreeSet<Grant>,
    rejected: bool,
}

type Entry = (u8, String);

/// Something that holds between events: what evidence is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Fact {
    Assigned(UserId, String),
    Member(UserId, GroupId),
    Nested(GroupId, GroupId),
    Carries(GroupId, String),
    Named(GroupId, String),
    Identified(GroupId, String),
    Rules,
}

/// The world after some events.
#[derive(Debug, Default)]
struct World {
    sequence: u64,
    /// The times of all events that were not repetitions.
    times: Vec<i64>,
    users: BTreeMap<UserId, MUser>,
    /// Live groups only.
    groups: BTreeMap<GroupId, MGroup>,
    group_ids: BTreeSet<GroupId>,
    /// Who ever had an account's name, in order.
    claims: BTreeMap<AccountKey, Vec<UserId>>,
    kept: BTreeMap<AccountKey, Vec<MKept>>,
    window: Vec<(i64, u64)>,
    rules: RuleSet,
    rules_version: Option<String>,
    policy: Policy,
    catalog: Catalog,
    /// Every (kind, identifier, id) that ever was.
    ever_places: BTreeSet<(ContextType, String, String)>,
    last_place: BTreeMap<(ContextType, String), Place>,
    ever_roles: BTreeSet<RoleName>,
    ever_account_names: BTreeSet<String>,
    gone: BTreeSet<Entry>,
    withheld: BTreeMap<EventId, BTreeSet<Entry>>,
    verdicts: BTreeMap<EventId, Verdict>,
    parts: BTreeMap<String, BTreeMap<u16, EventData>>,
    /// Since which event every fact has held without an end.
    since: BTreeMap<Fact, u64>,
}

impl World {
    fn after(history: &[Event]) -> Self {
        let mut world = Self::default();
        for event in history {
            world.event(event);
        }
        world
    }

    fn event(&mut self, event: &Event) {
        self.sequence += 1;
        if self.verdicts.contains_key(&event.id) {
            return;
        }
        self.times.push(event.time.as_millis());
        let whole = match event.part {
            None => Some(event.data.clone()),
            Some(part) => {
                let parts = self.parts.entry(event.request_id.clone().unwrap()).or_default();
                parts.entry(part.index).or_insert_with(|| event.data.clone());
                if parts.len() < usize::from(part.count) {
                    self.verdicts.insert(event.id, Verdict::Buffered);
                    return;
                }
                let parts = self.parts.remove(&event.request_id.clone().unwrap()).unwrap();
                let mut parts = parts.into_values();
                let Some(EventData::GroupCreated(mut created)) = parts.next() else {
                    panic!("only these come in parts")
                };
                for part in parts {
                    let EventData::GroupChanged(part) = part else {
                        panic!("only these")
                    };
                    created.members.users.extend(part.added.users);
                    created.members.groups.extend(part.added.groups);
                }
                Some(EventData::GroupCreated(created))
            }
        };
        let result = self.decide(event, whole.unwrap());
        self.release_desired();
        let facts = self.facts();
        self.since.retain(|fact, _| facts.contains(fact));
        for fact in facts {
            self.since.entry(fact).or_insert(self.sequence);
        }
        let verdict = match result {
            Ok(revision) => Verdict::Accepted {
                revision: Revision(revision),
            },
            Err(rejection) => Verdict::Rejected { rejection },
        };
        self.verdicts.insert(event.id, verdict);
    }

    /// All that holds now.
    fn facts(&self) -> BTreeSet<Fact> {
        let mut facts = BTreeSet::from([Fact::Rules]);
        for (id, user) in &self.users {
            facts.extend(user.roles.iter().map(|role| Fact::Assigned(*id, role.clone())));
        }
        for (id, group) in &self.groups {
            facts.extend(group.roles.iter().map(|role| Fact::Carries(*id, role.clone())));
            facts.extend(group.users.iter().map(|user| Fact::Member(*user, *id)));
            facts.extend(group.groups.iter().map(|inner| Fact::Nested(*inner, *id)));
            facts.insert(Fact::Named(*id, group.name.clone()));
            facts.extend(
                group
                    .external
                    .iter()
                    .map(|external| Fact::Identified(*id, external.clone())),
            );
        }
        facts
    }

    fn decide(&mut self, event: &Event, data: EventData) -> Result<u32, Rejection> {
        let connection = event.source.connection().cloned();
        let from = event.source.to_string();
        let needs = match event.data.kind().split('.').nth(1) {
            Some("rules" | "policy" | "decision") => "operator/",
            Some("catalog") => "fluent/",
            Some("timer") => "rollcall/",
            _ => "",
        };
        if !from.starts_with(needs) {
            return Err(Rejection::WrongSource);
        }
        match data {
            EventData::UserCreated(d) => {
                let connection = connection.ok_or(Rejection::WrongSource)?;
                if self.users.contains_key(&d.user) {
                    return Err(Rejection::IdTaken);
                }
                self.check_name(&connection, d.name_key)?;
                let mut document = Map::new();
                open::<PersonalChange>(&d.personal).unwrap().apply(&mut document);
                let roles = d.roles.iter().map(|r| r.value.0.clone()).collect();
                self.users.insert(
                    d.user,
                    MUser {
                        connection,
                        name: d.name_key,
                        external: d.external_key,
                        active: d.active,
                        deleted: false,
                        revision: 1,
                        roles,
                        document,
                    },
                );
                self.claim(d.name_key, d.user);
                Ok(1)
            }
            EventData::UserChanged(d) => self.user_changed(event.id, connection, d),
            EventData::UserDeleted(d) => {
                let connection = connection.ok_or(Rejection::WrongSource)?;
                let user = self
                    .users
                    .get_mut(&d.user)
                    .filter(|u| !u.deleted && u.connection == connection)
                    .ok_or(Rejection::Missing)?;
                if d.base.is_some_and(|b| b.0 != user.revision) {
                    return Err(Rejection::RevisionMoved {
                        now: Revision(user.revision),
                    });
                }
                user.deleted = true;
                user.revision += 1;
                user.roles.clear();
                let (name, revision) = (user.name, user.revision);
                for group in self.groups.values_mut() {
                    if group.users.remove(&d.user) {
                        group.member_revision += 1;
                    }
                }
                self.left(name);
                Ok(revision)
            }
            EventData::GroupCreated(d) => {
                let connection = connection.ok_or(Rejection::WrongSource)?;
                if self.group_ids.contains(&d.group) {
                    return Err(Rejection::IdTaken);
                }
                self.check_group_name(&connection, &d.display_name, None)?;
                self.group_ids.insert(d.group);
                let roles = d.roles.iter().map(|r| r.value.0.clone()).collect();
                self.groups.insert(
                    d.group,
                    MGroup {
                        connection: connection.clone(),
                        name: d.display_name,
                        external: d.external_id,
                        roles,
                        revision: 1,
                        member_revision: 1,
                        users: BTreeSet::new(),
                        groups: BTreeSet::new(),
                    },
                );
                self.guarded(event.id, |world| world.add(d.group, &connection, &d.members));
                Ok(1)
            }
            EventData::GroupChanged(d) => {
                let connection = connection.ok_or(Rejection::WrongSource)?;
                let group = self
                    .groups
                    .get(&d.group)
                    .filter(|g| g.connection == connection)
                    .ok_or(Rejection::Missing)?;
                if d.base.is_some_and(|b| b.0 != group.revision) {
                    return Err(Rejection::RevisionMoved {
                        now: Revision(group.revision),
                    });
                }
                if d.member_base.is_some_and(|b| b.0 != group.member_revision) {
                    return Err(Rejection::MemberRevisionMoved {
                        now: Revision(group.member_revision),
                    });
                }
                if let Some(name) = &d.display_name {
                    self.check_group_name(&connection, name, Some(d.group))?;
                }
                self.guarded(event.id, |world| {
                    let group = world.groups.get_mut(&d.group).unwrap();
                    if let Some(name) = &d.display_name {
                        group.name = name.clone();
                    }
                    d.external_id.clone().apply(&mut group.external);
                    if let Some(roles) = &d.roles {
                        group.roles = roles.iter().map(|r| r.value.0.clone()).collect();
                    }
                    for user in &d.removed.users {
                        group.users.remove(user);
                        world.since.remove(&Fact::Member(*user, d.group));
                    }
                    for child in &d.removed.groups {
                        group.groups.remove(child);
                        world.since.remove(&Fact::Nested(*child, d.group));
                    }
                    world.add(d.group, &connection, &d.added);
                });
                let group = self.groups.get_mut(&d.group).unwrap();
                let attributes = d.display_name.is_some() || d.roles.is_some() || !d.external_id.is_kept();
                if attributes || d.base.is_some() {
                    group.revision += 1;
                }
                if !d.removed.is_empty() || !d.added.is_empty() || d.member_base.is_some() {
                    group.member_revision += 1;
                }
                Ok(group.revision)
            }
            EventData::GroupDeleted(d) => {
                let connection = connection.ok_or(Rejection::WrongSource)?;
                let group = self
                    .groups
                    .get(&d.group)
                    .filter(|g| g.connection == connection)
                    .ok_or(Rejection::Missing)?;
                let revision = group.revision;
                if d.base.is_some_and(|b| b.0 != revision) {
                    return Err(Rejection::RevisionMoved {
                        now: Revision(revision),
                    });
                }
                self.guarded(event.id, |world| {
                    world.groups.remove(&d.group);
                    for group in world.groups.values_mut() {
                        if group.groups.remove(&d.group) {
                            group.member_revision += 1;
                        }
                    }
                });
                Ok(revision + 1)
            }
            EventData::RulesActivated(d) => {
                if d.replaces != self.rules_version {
                    return Err(Rejection::RulesMoved);
                }
                self.guarded(event.id, |world| {
                    world.rules = d.rules.clone();
                    world.rules_version = Some(d.version.clone());
                    world.since.remove(&Fact::Rules);
                });
                Ok(0)
            }
            EventData::PolicyActivated(d) => {
                self.ever_account_names.extend(d.policy.account_name.clone());
                self.policy = d.policy;
                Ok(0)
            }
            EventData::CatalogChanged(d) => {
                self.compared(event.id, true, |world| {
                    world.catalog_changed(event.id, &d.difference)
                });
                Ok(0)
            }
            EventData::TimerFired(_) => Ok(0),
            EventData::DecisionRecorded(d) => self.decision(event.id, &d),
            _ => Err(Rejection::WrongStream),
        }
    }

    fn user_changed(
        &mut self,
        id: EventId,
        connection: Option<ConnectionName>,
        d: UserChanged,
    ) -> Result<u32, Rejection> {
        let connection = connection.ok_or(Rejection::WrongSource)?;
        let user = self
            .users
            .get(&d.user)
            .filter(|u| !u.deleted && u.connection == connection)
            .ok_or(Rejection::Missing)?
            .clone();
        if d.base.0 != user.revision {
            return Err(Rejection::RevisionMoved {
                now: Revision(user.revision),
            });
        }
        let name = d.name_key.filter(|name| *name != user.name);
        if let Some(name) = name {
            self.check_name(&connection, name)?;
        }
        let leaves = user.active && d.active == Some(false);
        if let Some(roles) = &d.roles {
            let roles: Vec<String> = roles.iter().map(|r| r.value.0.clone()).collect();
            let put = |world: &mut Self| world.users.get_mut(&d.user).unwrap().roles = roles.clone();
            if leaves || name.is_some() {
                put(self)
            } else {
                self.guarded(id, put)
            }
        }
        let entry = self.users.get_mut(&d.user).unwrap();
        d.external_key.apply(&mut entry.external);
        entry.active = d.active.unwrap_or(entry.active);
        entry.revision += 1;
        if let Some(personal) = &d.personal {
            open::<PersonalChange>(personal)
                .unwrap()
                .apply(&mut entry.document);
        }
        if let Some(name) = name {
            entry.name = name;
            self.claim(name, d.user);
            self.left(user.name);
        }
        if leaves {
            self.left(self.users[&d.user].name);
        }
        Ok(self.users[&d.user].revision)
    }

    fn check_name(&self, connection: &ConnectionName, name: NameKey) -> Result<(), Rejection> {
        let taken = self
            .users
            .values()
            .any(|u| !u.deleted && u.connection == *connection && u.name == name);
        if taken {
            Err(Rejection::UserNameTaken)
        } else {
            Ok(())
        }
    }

    fn check_group_name(
        &self,
        connection: &ConnectionName,
        name: &str,
        own: Option<GroupId>,
    ) -> Result<(), Rejection> {
        let taken = self.groups.iter().any(|(id, g)| {
            Some(*id) != own && g.connection == *connection && fold_case(&g.name) == fold_case(name)
        });
        if taken {
            Err(Rejection::GroupNameTaken)
        } else {
            Ok(())
        }
    }

    fn claim(&mut self, account: AccountKey, user: UserId) {
        let claims = self.claims.entry(account).or_default();
        if claims.contains(&user) {
            return;
        }
        let new = &self.users[&user];
        claims.retain(|old| {
            let old = &self.users[old];
            !old.deleted || old.connection != new.connection || old.external != new.external
        });
        claims.push(user);
    }

    fn live(&self, account: AccountKey) -> Vec<UserId> {
        let claims = self.claims.get(&account).cloned().unwrap_or_default();
        claims
            .into_iter()
            .filter(|id| {
                let u = &self.users[id];
                u.active && !u.deleted && u.name == account
            })
            .collect()
    }

    /// The last live claimant may have left: nothing is kept any more.
    fn left(&mut self, account: AccountKey) {
        if self.live(account).is_empty() {
            self.kept.remove(&account);
        }
    }

    fn add(&mut self, group: GroupId, connection: &ConnectionName, members: &MemberSet) {
        for id in &members.users {
            if self
                .users
                .get(id)
                .is_some_and(|u| !u.deleted && u.connection == *connection)
            {
                self.groups.get_mut(&group).unwrap().users.insert(*id);
            }
        }
        for id in &members.groups {
            if self.groups.get(id).is_some_and(|g| g.connection == *connection) {
                self.groups.get_mut(&group).unwrap().groups.insert(*id);
            }
        }
    }

    /// Compares every account before and after, and keeps what is lost when it is too much.
    fn guarded(&mut self, cause: EventId, change: impl FnOnce(&mut Self)) {
        self.compared(cause, false, change);
    }

    /// The same with a limit of nothing when the catalog is what changes.
    fn compared(&mut self, cause: EventId, catalog: bool, change: impl FnOnce(&mut Self)) {
        let active = self.users.values().filter(|u| u.active && !u.deleted).count() as u64;
        let limit = self.policy.guard.limit(active);
        let accounts: Vec<AccountKey> = self.claims.keys().copied().collect();
        let before: Vec<BTreeSet<Grant>> = accounts.iter().map(|a| self.meaning(*a).held()).collect();
        change(self);
        let mut losses = Vec::new();
        for (account, before) in accounts.iter().zip(before) {
            let lost: BTreeSet<Grant> = before
                .difference(&self.meaning(*account).held())
                .cloned()
                .collect();
            if !lost.is_empty() {
                losses.push((*account, lost));
            }
        }
        if losses.is_empty() {
            return;
        }
        let count = losses.len() as u64;
        let (now, _) = self.clock();
        let lately: u64 = self
            .window
            .iter()
            .filter(|(at, _)| *at > now - 600_000)
            .map(|(_, n)| n)
            .sum();
        match limit {
            limit if catalog || limit.is_some_and(|limit| lately + count > limit) => {
                for (account, grants) in losses {
                    self.kept.entry(account).or_default().push(MKept {
                        cause,
                        grants,
                        rejected: false,
                    });
                }
            }
            _ => self.window.push((now - now % 1000, count)),
        }
    }

    /// The catch's time, and how many events were too far ahead of it.
    fn clock(&self) -> (i64, u64) {
        const DAY: i64 = 86_400_000;
        let (mut now, mut ahead) = (0, 0);
        for (at, time) in self.times.iter().enumerate() {
            let far = |time: i64, now: i64| now > 0 && time > now + DAY;
            if at > 0 && far(*time, now) && far(self.times[at - 1], now) {
                now = self.times[at - 1].min(*time);
            }
            if far(*time, now) {
                ahead += 1;
            } else {
                now = now.max(*time);
            }
        }
        (now, ahead)
    }

    /// What is desired again is not kept any more.
    fn release_desired(&mut self) {
        let accounts: Vec<AccountKey> = self.kept.keys().copied().collect();
        for account in accounts {
            let desired = self.meaning(account).grants();
            let kept = self.kept.get_mut(&account).unwrap();
            for one in kept.iter_mut() {
                one.grants.retain(|g| !desired.contains(g));
            }
            kept.retain(|one| !one.grants.is_empty());
        }
        self.kept.retain(|_, kept| !kept.is_empty());
    }

    fn decision(&mut self, id: EventId, d: &DecisionRecorded) -> Result<u32, Rejection> {
        match &d.hold {
            HoldId::Guard { cause } => {
                let open = |one: &MKept| one.cause == *cause && !one.rejected;
                if !self.kept.values().flatten().any(open) {
                    return Err(Rejection::NoSuchHold);
                }
                for kept in self.kept.values_mut() {
                    match d.decision {
                        Decision::Approve => kept.retain(|one| one.cause != *cause),
                        Decision::Reject => kept
                            .iter_mut()
                            .filter(|one| one.cause == *cause)
                            .for_each(|one| one.rejected = true),
                    }
                }
            }
            HoldId::CatalogLoss { cause } => {
                let entries = self.withheld.remove(cause).ok_or(Rejection::NoSuchHold)?;
                if d.decision == Decision::Approve {
                    self.compared(id, true, |world| world.lose(&entries));
                }
            }
            HoldId::NameReused { account } => {
                let claims = self.claims.get(account).cloned().unwrap_or_default();
                let (there, gone): (Vec<UserId>, Vec<UserId>) = claims.into_iter().partition(|id| {
                    let u = &self.users[id];
                    !u.deleted && u.name == *account
                });
                if there.is_empty() || gone.is_empty() {
                    return Err(Rejection::NoSuchHold);
                }
                if d.decision == Decision::Approve {
                    self.claims.insert(*account, there);
                }
            }
        }
        Ok(0)
    }

    fn entries(&self) -> BTreeSet<Entry> {
        let c = &self.catalog;
        let roles = c.roles.iter().map(|r| (0, r.0.clone()));
        roles
            .chain(c.retailers.keys().map(|id| (1, id.clone())))
            .chain(c.locations.keys().map(|id| (2, id.clone())))
            .collect()
    }

    fn catalog_changed(&mut self, id: EventId, d: &CatalogDifference) {
        let removed = d
            .roles_removed
            .iter()
            .map(|r| (0, r.0.clone()))
            .chain(d.retailers_removed.iter().map(|id| (1, id.clone())))
            .chain(d.locations_removed.iter().map(|id| (2, id.clone())));
        let losses: BTreeSet<Entry> = removed
            .filter(|e| self.entries().contains(e) && !self.gone.contains(e))
            .collect();
        let withhold = losses.len() > 10 || losses.len() * 100 > self.entries().len();
        let came = d
            .roles_added
            .iter()
            .map(|r| (0, r.0.clone()))
            .chain(d.retailers_set.keys().map(|id| (1, id.clone())))
            .chain(d.locations_set.keys().map(|id| (2, id.clone())));
        for entry in came {
            self.gone.remove(&entry);
            for entries in self.withheld.values_mut() {
                entries.remove(&entry);
            }
        }
        self.withheld.retain(|_, entries| !entries.is_empty());
        self.catalog.roles.extend(d.roles_added.clone());
        self.catalog.retailers.extend(d.retailers_set.clone());
        self.catalog.locations.extend(d.locations_set.clone());
        self.ever_roles.extend(d.roles_added.clone());
        for (kind, set) in [
            (ContextType::Retailer, &d.retailers_set),
            (ContextType::Agent, &d.locations_set),
        ] {
            for (id, place) in set {
                self.ever_places
                    .insert((kind, place.reference.clone(), id.clone()));
                self.ever_places.insert((kind, id.clone(), id.clone()));
                self.last_place.insert((kind, id.clone()), place.clone());
            }
        }
        if withhold {
            self.gone.extend(losses.clone());
            self.withheld.insert(id, losses);
        } else {
            self.lose(&losses);
        }
    }

    fn lose(&mut self, entries: &BTreeSet<Entry>) {
        for entry in entries {
            self.gone.remove(entry);
            match entry.0 {
                0 => {
                    self.catalog.roles.remove(&RoleName(entry.1.clone()));
                }
                1 => {
                    self.catalog.retailers.remove(&entry.1);
                }
                _ => {
                    self.catalog.locations.remove(&entry.1);
                }
            }
        }
    }
}
