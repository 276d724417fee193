//! Known traps in how an identity provider is set up, seen in what it sends. Nothing is refused for one: the operator
//! is told. Pure: what was seen and when are arguments, and nothing that a client sent is kept but digests and ids.
//!
//! The memory is the process's own: a restart forgets, and traffic shows the trap again.

use std::collections::{BTreeMap, HashMap};

use rollcall_domain::{GroupId, Timestamp};

/// A sighting older than this no longer warns: Entra's cycle is 40 minutes, and it tries again daily at the least.
pub(crate) const LASTS_MILLIS: i64 = 24 * 60 * 60 * 1_000;
/// A new group that nobody is in after this long was most likely pushed without its members: Entra sends them within
/// three of its cycles.
pub(crate) const GROUP_FILLED_MILLIS: i64 = 2 * 60 * 60 * 1_000;
/// Most new groups that are watched at a time; the rest is not. A provider pushes hundreds.
pub(crate) const GROUPS_WATCHED_MAX: usize = 4_096;
/// Most creations whose refusals are counted at a time; then counting begins anew.
pub(crate) const REFUSALS_WATCHED_MAX: usize = 1_024;
/// The same creation refused this often is not going to succeed by itself.
pub(crate) const REFUSALS_TO_WARN: u64 = 5;
/// Requests of one kind before a warning: a single one may be a person trying something out.
pub(crate) const SIGHTINGS_TO_WARN: u64 = 3;
/// Users before it is said that none of them is as it should be.
pub(crate) const USERS_TO_WARN: u64 = 5;

/// A known trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Trap {
    /// Roles are added one by one and never taken away.
    RolesNeverRemoved,
    /// Groups were pushed and nobody is in them.
    GroupsWithoutMembers,
    /// Members are named that are nobody here.
    UnknownMembers,
    /// Users carry roles, and none of them has the shape of an app role.
    NoAppRoles,
    /// Users are sent without `active`.
    ActiveNeverSent,
    /// A filter asks for an attribute that does not exist, or cannot be read.
    UnreadableFilter,
    /// The same creation is refused again and again.
    RepeatedRefusal,
}

impl Trap {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::RolesNeverRemoved,
        Self::GroupsWithoutMembers,
        Self::UnknownMembers,
        Self::NoAppRoles,
        Self::ActiveNeverSent,
        Self::UnreadableFilter,
        Self::RepeatedRefusal,
    ];

    /// Its name in `status`, in metrics and in the documentation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RolesNeverRemoved => "roles-never-removed",
            Self::GroupsWithoutMembers => "groups-without-members",
            Self::UnknownMembers => "unknown-members",
            Self::NoAppRoles => "no-app-roles",
            Self::ActiveNeverSent => "active-never-sent",
            Self::UnreadableFilter => "unreadable-filter",
            Self::RepeatedRefusal => "repeated-refusal",
        }
    }

    /// What traffic shows it, for the documentation.
    #[must_use]
    pub const fn shown_when(self) -> &'static str {
        match self {
            Self::RolesNeverRemoved => {
                "roles are added as `AppRoleAssignmentsComplex` adds them, and no request takes one away"
            }
            Self::GroupsWithoutMembers => {
                "a group was created two hours ago or more and nobody was put in it"
            }
            Self::UnknownMembers => "three requests named members that are nobody of this connection",
            Self::NoAppRoles => {
                "five users came with roles, and none with one of the shape `TYPE_IDENTIFIER_ROLE`"
            }
            Self::ActiveNeverSent => "five users came without `active`, and no request ever named it",
            Self::UnreadableFilter => "three searches were refused with `invalidFilter`",
            Self::RepeatedRefusal => "the very same creation was refused five times",
        }
    }

    /// What it means and what to do, for people.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::RolesNeverRemoved => {
                "roles arrive in a form that never takes one away; map AssertiveAppRoleAssignmentsComplex"
            }
            Self::GroupsWithoutMembers => {
                "new groups have been empty for hours; assign their members to the application, too"
            }
            Self::UnknownMembers => "members were refused that are nobody here; provision the users first",
            Self::NoAppRoles => {
                "users come with roles of which none reads TYPE_IDENTIFIER_ROLE; look at the mapping of roles"
            }
            Self::ActiveNeverSent => "users come without active, so leavers may never arrive; map active",
            Self::UnreadableFilter => {
                "searches cannot be read, so users may be made twice; look at the matching attribute"
            }
            Self::RepeatedRefusal => "the same creation is refused each time; the answer's detail says why",
        }
    }
}

/// A trap that a connection's traffic shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warning {
    /// Which.
    pub trap: Trap,
    /// Requests that showed it, or groups that are empty.
    pub count: u64,
    /// When it was seen first.
    pub since: Timestamp,
    /// When it was seen last.
    pub last: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Sighting {
    count: u64,
    since: Timestamp,
    last: Timestamp,
}

/// A whole user as a request describes it, as far as traps can be seen in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SentUser {
    /// The body names `active`.
    pub(crate) active_named: bool,
    /// Whether one of its roles has the shape of an app role; none when it has no roles.
    pub(crate) any_app_role: Option<bool>,
}

/// What was seen of one connection.
#[derive(Debug, Default)]
pub(crate) struct Traps {
    sightings: BTreeMap<Trap, Sighting>,
    empty_groups: HashMap<GroupId, Timestamp>,
    refusals: HashMap<u64, u64>,
}

impl Traps {
    /// A whole user came, in a POST or PUT that was taken.
    pub(crate) fn user(&mut self, user: SentUser, now: Timestamp) {
        if user.active_named {
            self.forget(Trap::ActiveNeverSent);
        } else {
            self.sight(Trap::ActiveNeverSent, now);
        }
        match user.any_app_role {
            Some(true) => self.forget(Trap::NoAppRoles),
            Some(false) => self.sight(Trap::NoAppRoles, now),
            None => {}
        }
    }

    /// A PATCH of a user was taken.
    pub(crate) fn user_patched(&mut self, active_named: bool) {
        if active_named {
            self.forget(Trap::ActiveNeverSent);
        }
    }

    /// Roles were added as `AppRoleAssignmentsComplex` adds them.
    pub(crate) fn roles_added_one_by_one(&mut self, now: Timestamp) {
        self.sight(Trap::RolesNeverRemoved, now);
    }

    /// A request took roles away, or put others in their place: that works.
    pub(crate) fn roles_taken(&mut self) {
        self.forget(Trap::RolesNeverRemoved);
    }

    /// A group was made, with members or without.
    pub(crate) fn group_made(&mut self, group: GroupId, has_members: bool, now: Timestamp) {
        if !has_members && self.empty_groups.len() < GROUPS_WATCHED_MAX {
            self.empty_groups.insert(group, now);
        }
    }

    /// A group got members, or was deleted.
    pub(crate) fn group_settled(&mut self, group: GroupId) {
        self.empty_groups.remove(&group);
    }

    /// A request named members that are nobody here.
    pub(crate) fn unknown_members(&mut self, now: Timestamp) {
        self.sight(Trap::UnknownMembers, now);
    }

    /// A filter was refused.
    pub(crate) fn filter_refused(&mut self, now: Timestamp) {
        self.sight(Trap::UnreadableFilter, now);
    }

    /// A creation was refused for what it says; `digest` stands for its body.
    pub(crate) fn creation_refused(&mut self, digest: u64, now: Timestamp) {
        if self.refusals.len() >= REFUSALS_WATCHED_MAX && !self.refusals.contains_key(&digest) {
            self.refusals.clear();
        }
        let refused = self.refusals.entry(digest).or_default();
        *refused = refused.saturating_add(1);
        if *refused >= REFUSALS_TO_WARN {
            self.sight(Trap::RepeatedRefusal, now);
        }
    }

    /// What the operator should know now.
    pub(crate) fn warnings(&self, now: Timestamp) -> Vec<Warning> {
        let seen = self.sightings.iter().filter(|(trap, sighting)| {
            sighting.count >= to_warn(**trap) && now.millis_since(sighting.last) <= LASTS_MILLIS
        });
        let mut warnings: Vec<Warning> = seen
            .map(|(trap, sighting)| Warning {
                trap: *trap,
                count: sighting.count,
                since: sighting.since,
                last: sighting.last,
            })
            .collect();
        let empty = self.empty_groups.values();
        let empty = empty.filter(|made| now.millis_since(**made) >= GROUP_FILLED_MILLIS);
        let (mut count, mut since, mut last) = (0, now, Timestamp::from_millis(i64::MIN));
        for made in empty {
            count += 1;
            since = since.min(*made);
            last = last.max(*made);
        }
        if count > 0 {
            warnings.push(Warning {
                trap: Trap::GroupsWithoutMembers,
                count,
                since,
                last,
            });
        }
        warnings.sort_by_key(|warning| warning.trap);
        warnings
    }

    fn sight(&mut self, trap: Trap, now: Timestamp) {
        let sighting = self.sightings.entry(trap).or_insert(Sighting {
            count: 0,
            since: now,
            last: now,
        });
        if now.millis_since(sighting.last) > LASTS_MILLIS {
            (sighting.count, sighting.since) = (0, now);
        }
        sighting.count = sighting.count.saturating_add(1);
        sighting.last = sighting.last.max(now);
    }

    fn forget(&mut self, trap: Trap) {
        self.sightings.remove(&trap);
    }
}

/// Sightings of a trap before it warns.
const fn to_warn(trap: Trap) -> u64 {
    match trap {
        // Its form leaves no doubt, and it was counted to the bound already.
        Trap::RolesNeverRemoved | Trap::RepeatedRefusal | Trap::GroupsWithoutMembers => 1,
        Trap::UnknownMembers | Trap::UnreadableFilter => SIGHTINGS_TO_WARN,
        Trap::NoAppRoles | Trap::ActiveNeverSent => USERS_TO_WARN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const HOUR: i64 = 60 * 60 * 1_000;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(hours * HOUR)
    }

    fn named(traps: &Traps, hours: i64) -> Vec<(&'static str, u64)> {
        let warnings = traps.warnings(at(hours));
        warnings
            .iter()
            .map(|warning| (warning.trap.name(), warning.count))
            .collect()
    }

    fn group(number: u128) -> GroupId {
        GroupId(Uuid::from_u128(number))
    }

    fn user(active_named: bool, any_app_role: Option<bool>) -> SentUser {
        SentUser {
            active_named,
            any_app_role,
        }
    }

    #[test]
    fn roles_that_never_go_warn_at_once_and_until_some_go() {
        let mut traps = Traps::default();
        traps.roles_added_one_by_one(at(0));
        assert_eq!(named(&traps, 1), [("roles-never-removed", 1)]);
        traps.roles_taken();
        assert_eq!(named(&traps, 1), []);
    }

    #[test]
    fn users_without_any_app_role_warn_until_one_has_one() {
        let mut traps = Traps::default();
        for _ in 1..USERS_TO_WARN {
            traps.user(user(true, Some(false)), at(0));
            traps.user(user(true, None), at(0));
        }
        assert_eq!(named(&traps, 0), [], "who has no role at all may have groups");
        traps.user(user(true, Some(false)), at(0));
        assert_eq!(named(&traps, 0), [("no-app-roles", USERS_TO_WARN)]);
        traps.user(user(true, Some(true)), at(0));
        assert_eq!(named(&traps, 0), []);
    }

    #[test]
    fn active_warns_when_nobody_ever_sends_it() {
        let mut traps = Traps::default();
        for _ in 0..USERS_TO_WARN {
            traps.user(user(false, None), at(0));
        }
        assert_eq!(named(&traps, 0), [("active-never-sent", USERS_TO_WARN)]);
        traps.user_patched(true);
        assert_eq!(named(&traps, 0), []);
    }

    #[test]
    fn a_group_that_stays_empty_warns_after_its_time_until_it_is_filled_or_gone() {
        let mut traps = Traps::default();
        for number in 0..3 {
            traps.group_made(group(number), false, at(0));
        }
        traps.group_made(group(9), true, at(0));
        assert_eq!(named(&traps, 1), []);
        assert_eq!(named(&traps, 2), [("groups-without-members", 3)]);
        traps.group_settled(group(0));
        traps.group_settled(group(1));
        assert_eq!(named(&traps, 100), [("groups-without-members", 1)]);
    }

    #[test]
    fn the_same_creation_refused_again_and_again_warns_and_different_ones_do_not() {
        let mut traps = Traps::default();
        for digest in 0..REFUSALS_TO_WARN {
            traps.creation_refused(digest, at(0));
        }
        assert_eq!(named(&traps, 0), []);
        for _ in 1..REFUSALS_TO_WARN {
            traps.creation_refused(7, at(0));
            assert_eq!(named(&traps, 0), []);
        }
        traps.creation_refused(7, at(1));
        assert_eq!(named(&traps, 1), [("repeated-refusal", 1)]);
    }

    #[test]
    fn a_few_refusals_are_no_trap_and_old_ones_are_forgotten() {
        let mut traps = Traps::default();
        for _ in 1..SIGHTINGS_TO_WARN {
            traps.filter_refused(at(0));
            traps.unknown_members(at(0));
        }
        assert_eq!(named(&traps, 0), []);
        traps.filter_refused(at(1));
        assert_eq!(named(&traps, 1), [("unreadable-filter", SIGHTINGS_TO_WARN)]);
        assert_eq!(named(&traps, 25).len(), 1);
        assert_eq!(named(&traps, 26), []);
        traps.filter_refused(at(50));
        assert_eq!(named(&traps, 50), [], "counting begins anew");
    }

    #[test]
    fn memory_is_bounded_whatever_comes() {
        let mut traps = Traps::default();
        for number in 0..10_000_u64 {
            traps.group_made(group(u128::from(number)), false, at(0));
            traps.creation_refused(number, at(0));
        }
        assert_eq!(traps.empty_groups.len(), GROUPS_WATCHED_MAX);
        assert!(traps.refusals.len() <= REFUSALS_WATCHED_MAX);
    }
}
