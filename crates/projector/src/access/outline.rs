//! An account put together from indexes and hashes only: cheap enough to be made for every member of a large
//! group.

use rollcall_domain::{
    AppRole, DerivationId, DesiredStatus, EventId, GroupRoleOrigin, InactiveReason, Note, SharedAccounts,
    UnknownRoles,
};
use smallvec::SmallVec;

use super::resolve::{Expanded, HeldReason, Outcome};
use crate::fold::{AccountIx, AppRoleIx, GrantIx, GroupIx, StableHash, TenantState, UserIx, mix};

/// Where a claimant has an app role from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Assignment {
    pub(crate) user: UserIx,
    pub(crate) app_role: AppRoleIx,
    /// The direct group and the one that carries it, and how; none for a personal role.
    pub(crate) through: Option<(GroupIx, GroupIx, GroupRoleOrigin)>,
    pub(crate) source_hash: u64,
}

/// One derivation of one grant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Derived {
    pub(crate) grant: GrantIx,
    pub(crate) id: DerivationId,
    pub(crate) assignment: Assignment,
    pub(crate) expanded: Expanded,
}

/// Grants of one account; most have few.
pub(crate) type GrantList = SmallVec<[GrantIx; 16]>;

/// What an account should be, with the personal part left out.
#[derive(Debug)]
pub(crate) struct Outline<'s> {
    pub(crate) status: DesiredStatus,
    /// Some role or the number of connections forbids gains.
    pub(crate) withheld: bool,
    /// In order of grant and derivation, each once.
    pub(crate) grants: Vec<Derived>,
    /// Ascending, none of them desired.
    pub(crate) retained: Vec<GrantIx>,
    pub(crate) holds: Vec<&'s HeldReason>,
    pub(crate) several_connections: bool,
    pub(crate) guards: Vec<EventId>,
    pub(crate) notes: Vec<&'s Note>,
    /// Strings that are no app roles.
    pub(crate) strings: Vec<&'s AppRole>,
    /// Groups whose name looks like an app role and is none.
    pub(crate) names_only: Vec<GroupIx>,
    /// The live claimant that speaks for the account.
    pub(crate) speaker: Option<UserIx>,
}

impl TenantState {
    /// The users whose name leads to the account now.
    pub(crate) fn claimants(&self, account: AccountIx) -> impl Iterator<Item = UserIx> + '_ {
        let claimants = self
            .accounts
            .get(account)
            .map(|entry| entry.claimants.as_slice())
            .unwrap_or_default();
        claimants.iter().copied().filter(move |ix| {
            self.users
                .get(*ix)
                .is_some_and(|user| !user.deleted && user.account == account)
        })
    }

    pub(crate) fn live_claimants(&self, account: AccountIx) -> impl Iterator<Item = UserIx> + '_ {
        self.claimants(account)
            .filter(|ix| self.users.get(*ix).is_some_and(|user| user.active))
    }

    /// Every app role that the live claimants have, from wherever. `names_only` gets groups that are just
    /// named.
    fn assignments(&self, account: AccountIx, names_only: &mut Vec<GroupIx>) -> SmallVec<[Assignment; 16]> {
        let mut found = SmallVec::new();
        for user in self.live_claimants(account) {
            let Some(entry) = self.users.get(user) else {
                continue;
            };
            for assigned in &entry.roles {
                let Some(app_role) = self.roles.assigned.get(assigned.to).map(|a| a.app_role) else {
                    continue;
                };
                let text = self.roles.app_roles.get(app_role).map_or(0, |entry| entry.hash);
                let source_hash = StableHash::new(6).number(text).finish();
                found.push(Assignment {
                    user,
                    app_role,
                    through: None,
                    source_hash,
                });
            }
            for group in &entry.groups {
                for role in self.effective(group.to) {
                    match role.origin {
                        Some(origin) => found.push(Assignment {
                            user,
                            app_role: role.app_role,
                            through: Some((group.to, role.carrier, origin)),
                            source_hash: role.source_hash,
                        }),
                        None => names_only.push(role.carrier),
                    }
                }
            }
        }
        found
    }

    /// Whether any of the assignments has this last part; rules with another condition ask for it.
    fn has_last_part(&self, assignments: &[Assignment], last_part: &str) -> bool {
        assignments
            .iter()
            .filter_map(|a| self.roles.app_roles.get(a.app_role))
            .any(|entry| entry.resolution.convention && &*entry.resolution.last_part == last_part)
    }

    /// What the account should be.
    pub(crate) fn outline(&self, account: AccountIx) -> Outline<'_> {
        let mut outline = Outline {
            status: DesiredStatus::Active,
            withheld: false,
            grants: Vec::new(),
            retained: Vec::new(),
            holds: Vec::new(),
            several_connections: false,
            guards: Vec::new(),
            notes: Vec::new(),
            strings: Vec::new(),
            names_only: Vec::new(),
            speaker: self.live_claimants(account).next(),
        };
        if outline.speaker.is_none() {
            let reason = match self.claimants(account).next() {
                Some(_) => InactiveReason::Deactivated,
                None => InactiveReason::Deleted,
            };
            outline.status = DesiredStatus::Inactive { reason };
            return outline;
        }
        let has_role = self.collect(account, &mut outline);
        self.collect_kept(account, &mut outline);
        outline.tidy();
        self.decide_status(account, has_role, &mut outline);
        outline
    }

    /// Collects grants, holds and notes; true when some app role is assigned, resolved or not.
    fn collect<'s>(&'s self, account: AccountIx, outline: &mut Outline<'s>) -> bool {
        let assignments = self.assignments(account, &mut outline.names_only);
        let mut has_role = false;
        for assignment in &assignments {
            let Some(entry) = self.roles.app_roles.get(assignment.app_role) else {
                continue;
            };
            if !entry.resolution.convention {
                outline.strings.push(&entry.text);
                continue;
            }
            has_role = true;
            let holds = |last_part: &str| self.has_last_part(&assignments, last_part);
            for outcome in entry.resolution.outcomes(holds) {
                let user = self
                    .users
                    .get(assignment.user)
                    .map_or(0, |user| user_hash(user.id));
                outline
                    .grants
                    .extend(outcome.grants.iter().map(|expanded| Derived {
                        grant: expanded.grant,
                        id: DerivationId(mix(
                            mix(user ^ assignment.source_hash.rotate_left(17)) ^ expanded.hash
                        )),
                        assignment: *assignment,
                        expanded: *expanded,
                    }));
                outline.retained.extend(&outcome.retained);
                outline.holds.extend(&outcome.holds);
                outline.notes.extend(&outcome.notes);
            }
        }
        has_role
    }

    fn collect_kept(&self, account: AccountIx, outline: &mut Outline<'_>) {
        let kept = self.accounts.get(account).and_then(|entry| entry.kept.as_deref());
        for one in kept.into_iter().flatten() {
            let stopped = one
                .grants
                .iter()
                .filter(|grant| outline.grants.iter().all(|d| d.grant != **grant));
            let before = outline.retained.len();
            outline.retained.extend(stopped);
            if outline.retained.len() > before && !one.rejected {
                outline.guards.push(one.cause);
            }
        }
    }

    fn decide_status(&self, account: AccountIx, has_role: bool, outline: &mut Outline<'_>) {
        let held = !outline.holds.is_empty();
        let hold_user = self.policy.unknown_roles == UnknownRoles::HoldUser;
        let mut connections = self
            .live_claimants(account)
            .filter_map(|ix| self.users.get(ix))
            .map(|user| user.connection);
        let first = connections.next();
        outline.several_connections = self.policy.shared_accounts == SharedAccounts::Hold
            && connections.any(|other| Some(other) != first);
        outline.withheld = (held && hold_user) || outline.several_connections;
        outline.status = if !has_role && outline.retained.is_empty() {
            DesiredStatus::Inactive {
                reason: InactiveReason::NoRoles,
            }
        } else if outline.grants.is_empty() && !(has_role && hold_user) {
            DesiredStatus::Keep
        } else {
            DesiredStatus::Active
        };
    }

    /// The grants that the account should have: ascending, each once.
    pub(crate) fn desired_grants(&self, account: AccountIx) -> GrantList {
        let mut grants = GrantList::new();
        self.each_outcome(account, |outcome| {
            grants.extend(outcome.grants.iter().map(|e| e.grant))
        });
        grants.sort_unstable();
        grants.dedup();
        grants
    }

    /// The grants that the account should have or keep: ascending, each once.
    pub(crate) fn held(&self, account: AccountIx) -> GrantList {
        let mut grants = GrantList::new();
        let mut live = false;
        self.each_outcome(account, |outcome| {
            grants.extend(outcome.grants.iter().map(|e| e.grant));
            grants.extend(outcome.retained.iter().copied());
        });
        if let Some(kept) = self.accounts.get(account).and_then(|entry| entry.kept.as_deref()) {
            live |= self.live_claimants(account).next().is_some();
            grants.extend(
                kept.iter()
                    .filter(|_| live)
                    .flat_map(|one| one.grants.iter().copied()),
            );
        }
        grants.sort_unstable();
        grants.dedup();
        grants
    }

    /// What every assignment of the account leads to; an app role that comes several ways is looked at
    /// several times.
    fn each_outcome<'s>(&'s self, account: AccountIx, mut look: impl FnMut(&'s Outcome)) {
        if self.rules.conditional {
            let assignments = self.assignments(account, &mut Vec::new());
            for entry in assignments
                .iter()
                .filter_map(|a| self.roles.app_roles.get(a.app_role))
            {
                let holds = |last_part: &str| self.has_last_part(&assignments, last_part);
                entry.resolution.outcomes(holds).into_iter().for_each(&mut look);
            }
            return;
        }
        let mut look_at = |app_role: AppRoleIx| {
            if let Some(entry) = self.roles.app_roles.get(app_role) {
                entry.resolution.plain_outcomes(&mut look);
            }
        };
        for user in self.live_claimants(account).filter_map(|ix| self.users.get(ix)) {
            let own = user
                .roles
                .iter()
                .filter_map(|role| self.roles.assigned.get(role.to));
            own.for_each(|assigned| look_at(assigned.app_role));
            for group in &user.groups {
                let roles = self
                    .effective(group.to)
                    .iter()
                    .filter(|role| role.origin.is_some());
                roles.for_each(|role| look_at(role.app_role));
            }
        }
    }

    /// A hash of all that a desired user says but its sequence: when it is equal, nothing needs to be
    /// published. Never 0.
    pub(crate) fn outline_hash(&self, account: AccountIx, outline: &Outline<'_>) -> u64 {
        let status = match outline.status {
            DesiredStatus::Active => 1,
            DesiredStatus::Keep => 2,
            DesiredStatus::Inactive { reason } => 3 + reason as u64,
        };
        let mut hash = StableHash::new(7)
            .number(status)
            .number(u64::from(outline.withheld))
            .number(u64::from(outline.several_connections))
            .number(self.policy_since.0);
        // Indexes may differ after a restart, so what hangs on their order is summed up.
        let sum = |sum: u64, next: u64| sum.wrapping_add(mix(next));
        hash = hash.number(
            outline
                .grants
                .iter()
                .map(|d| self.roles.grants.hash(d.grant) ^ mix(d.id.0))
                .fold(0, sum),
        );
        hash = hash.number(
            outline
                .retained
                .iter()
                .map(|g| self.roles.grants.hash(*g))
                .fold(1, sum),
        );
        for held in &outline.holds {
            hash = hash.text(&held.hold.to_string());
        }
        for cause in &outline.guards {
            hash = hash.bytes(cause.0.as_bytes());
        }
        for note in &outline.notes {
            hash = hash.text(&note.to_string());
        }
        for text in &outline.strings {
            hash = hash.text(&text.0);
        }
        for group in &outline.names_only {
            hash = hash.number(u64::from(group.0));
        }
        let claimants = self
            .accounts
            .get(account)
            .map(|entry| entry.claimants.as_slice())
            .unwrap_or_default();
        for user in claimants.iter().filter_map(|ix| self.users.get(*ix)) {
            let live = user.is_live() && user.account == account;
            hash = hash.number(user_hash(user.id) ^ u64::from(live));
            // One who was renamed away may change without a word to this account: it is told when it matters,
            // that is when the next claimant comes.
            if user.account == account
                && let Some(external) = user.external
            {
                hash = hash.bytes(&external.0);
            }
        }
        let speaker = outline
            .speaker
            .and_then(|ix| self.users.get(ix))
            .map_or(0, |user| user.revision.0);
        hash.number(u64::from(speaker)).finish().max(1)
    }
}

fn user_hash(id: rollcall_domain::UserId) -> u64 {
    let (high, low) = id.0.as_u64_pair();
    mix(high ^ mix(low))
}

impl Outline<'_> {
    fn tidy(&mut self) {
        self.grants.sort_unstable_by_key(|d| (d.grant, d.id));
        self.grants.dedup_by_key(|d| (d.grant, d.id));
        self.retained.sort_unstable();
        self.retained.dedup();
        let grants = &self.grants;
        self.retained
            .retain(|grant| grants.binary_search_by_key(grant, |d| d.grant).is_err());
        self.holds.sort_unstable_by(|a, b| a.hold.cmp(&b.hold));
        self.holds.dedup_by(|a, b| a.hold == b.hold);
        self.guards.sort_unstable();
        self.guards.dedup();
        self.notes.sort_unstable();
        self.notes.dedup();
        self.strings.sort_unstable();
        self.strings.dedup();
        self.names_only.sort_unstable();
        self.names_only.dedup();
    }
}
