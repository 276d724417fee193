//! The rulings (DESIGN 7 and 8), one function each.

use std::collections::BTreeSet;

use rollcall_domain::{
    Claimant, DesiredStatus, ExternalKey, FluentStatus, ForeignGrants, Gains, Grant, Hold, ObservedUser,
};

use super::step::{Email, NewUser, ProfileChange, Step};
use super::{Facts, Plan, Treatment};

/// Most pairs that one plan removes and adds together: its intent and its outcome name them all beside what is
/// owned and have to fit into a record of the log, or a leaver with very many could never be put on record and so
/// never be closed. Removals come first; what is left over is the next plan's.
pub(super) const CHANGED_PER_PLAN_MAX: usize = 2_000;

/// Most grants that an account may come to own: every outcome names them all, at some 100 bytes each, and has to
/// fit into a record of 1 MiB with the [`CHANGED_PER_PLAN_MAX`] beside them. Above it nothing is gained.
pub(super) const GRANTS_MAX: usize = 4_000;

/// The plan for an account. Equal facts give equal plans; the plan of facts that are as desired is empty.
#[must_use]
pub fn plan(facts: &Facts<'_>) -> Plan {
    let mut plan = Plan {
        account: facts.desired.account,
        serves: facts.desired.sequence,
        fluent_user: facts.observed.map(|user| user.id.clone()),
        claimant: facts.speaker(),
        treatment: Treatment::Untouched,
        steps: Vec::new(),
        adopt: BTreeSet::new(),
        foreign: BTreeSet::new(),
        holds: facts.desired.holds.clone(),
        notes: facts.desired.notes.clone(),
    };
    if facts.is_protected() {
        add_hold(&mut plan, Hold::Protected);
        return plan;
    }
    match (facts.desired.status, facts.observed) {
        (DesiredStatus::Inactive { .. }, Some(user)) if facts.is_ours() => deactivate(facts, user, &mut plan),
        (DesiredStatus::Inactive { .. }, _) => {}
        (DesiredStatus::Active, None) if facts.may_gain() => create(facts, &mut plan),
        (DesiredStatus::Active | DesiredStatus::Keep, None) => {}
        (DesiredStatus::Active | DesiredStatus::Keep, Some(user)) => change(facts, user, &mut plan),
    }
    plan
}

fn add_hold(plan: &mut Plan, hold: Hold) {
    if !plan.holds.contains(&hold) {
        plan.holds.push(hold);
        plan.holds.sort();
    }
}

impl Facts<'_> {
    /// The external key of the first live claimant: they stand first.
    fn speaker(&self) -> Option<ExternalKey> {
        let first = self.desired.claimants.first().filter(|claimant| claimant.live)?;
        first.external_key
    }

    /// Gains are allowed by the desired user, and there is a status to gain.
    fn may_gain(&self) -> bool {
        self.desired.gains == Gains::Allowed && self.desired.status == DesiredStatus::Active
    }

    fn is_ours(&self) -> bool {
        self.ledger.is_ours(self.observed)
    }

    fn is_protected(&self) -> bool {
        let covered = |name: &str| {
            let own = |own: &super::OwnUser| {
                rollcall_domain::fold_case(&own.username) == rollcall_domain::fold_case(name)
            };
            self.policy.protected.iter().any(|pattern| pattern.matches(name))
                || self.own_user.is_some_and(own)
        };
        let own_id = |user: &ObservedUser| self.own_user.is_some_and(|own| own.id == user.id);
        self.profile.is_some_and(|profile| covered(&profile.username))
            || self
                .observed
                .is_some_and(|user| covered(&user.username) || own_id(user))
    }

    /// What may stay: wanted now, or kept where owned.
    fn kept(&self) -> BTreeSet<&Grant> {
        let wanted = self.desired.grants.iter().map(|desired| &desired.grant);
        wanted.chain(&self.desired.retained).collect()
    }

    /// The hold on an account whose owned grants would not fit on record: those wanted, and those kept because
    /// they are ours.
    fn too_many_grants(&self) -> Option<Hold> {
        let claims = self.ledger.claims(self.observed);
        let wanted = self.desired.grants.iter().map(|desired| &desired.grant);
        let retained = self
            .desired
            .retained
            .iter()
            .filter(|grant| claims.contains(grant));
        let count = wanted.chain(retained).collect::<BTreeSet<&Grant>>().len();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        (count > GRANTS_MAX).then(|| Hold::TooManyGrants {
            count: number(count),
            limit: number(GRANTS_MAX),
        })
    }

    fn wanted(&self) -> BTreeSet<Grant> {
        self.desired
            .grants
            .iter()
            .map(|desired| desired.grant.clone())
            .collect()
    }

    /// The name passed to another person: the claimant that the account served last is listed but no longer
    /// live, and no live one is the same person. An approval takes the former claimant off the list; an
    /// unknown external id proves nothing.
    fn is_reused(&self) -> bool {
        let Some(served) = self.ledger.claimant else {
            return false;
        };
        let is_served = |claimant: &&Claimant| claimant.external_key == Some(served);
        let (live, gone): (Vec<&Claimant>, Vec<&Claimant>) =
            self.desired.claimants.iter().partition(|claimant| claimant.live);
        let all_known = !live.is_empty() && live.iter().all(|claimant| claimant.external_key.is_some());
        all_known && !live.iter().any(is_served) && gone.iter().any(is_served)
    }
}

/// A leaver: INACTIVE first, whatever else is wrong, then our pairs go. No hold is asked.
fn deactivate(facts: &Facts<'_>, user: &ObservedUser, plan: &mut Plan) {
    plan.treatment = Treatment::Managed;
    if user.status != FluentStatus::Inactive {
        plan.steps.push(Step::SetStatus(FluentStatus::Inactive));
    }
    let ours = facts.ledger.claims(Some(user));
    let (owned, foreign): (BTreeSet<Grant>, BTreeSet<Grant>) = user
        .grants
        .iter()
        .cloned()
        .partition(|grant| ours.contains(grant));
    remove(facts, plan, owned, foreign);
}

fn create(facts: &Facts<'_>, plan: &mut Plan) {
    if let Some(hold) = facts.too_many_grants() {
        add_hold(plan, hold);
        return;
    }
    let Some(profile) = facts.profile else { return };
    let Some(email) = profile.primary_email.clone().filter(|email| !email.is_empty()) else {
        add_hold(plan, Hold::NoEmail);
        return;
    };
    plan.treatment = Treatment::Managed;
    plan.steps.push(Step::CreateUser(Box::new(NewUser {
        profile: profile.clone(),
        primary_email: Email(email),
        user_type: facts.policy.user_type.clone(),
        timezone: facts.policy.timezone.clone(),
        grants: facts.wanted().into_iter().take(CHANGED_PER_PLAN_MAX).collect(),
    })));
    plan.steps.push(Step::SetStatus(FluentStatus::Active));
}

/// A user that exists and is not to leave: removals, then profile, then additions, then the status.
fn change(facts: &Facts<'_>, user: &ObservedUser, plan: &mut Plan) {
    let ours = facts.is_ours();
    let mut gains = facts.may_gain();
    let claims = facts.ledger.claims(Some(user));
    let theirs: BTreeSet<&Grant> = user
        .grants
        .iter()
        .filter(|grant| !claims.contains(grant))
        .collect();
    let removes_foreign = facts.policy.foreign_grants == ForeignGrants::Remove;
    let reused = ours && !theirs.is_empty() && !removes_foreign && facts.is_reused();
    if reused {
        add_hold(plan, Hold::NameReused);
        plan.claimant = facts.ledger.claimant;
        gains = false;
    }
    if gains && let Some(hold) = facts.too_many_grants() {
        add_hold(plan, hold);
        gains = false;
    }
    if !ours && !gains {
        return;
    }
    plan.treatment = Treatment::Managed;
    let kept = facts.kept();
    let owned = user
        .grants
        .iter()
        .filter(|grant| claims.contains(grant) && !kept.contains(grant));
    let foreign = theirs
        .iter()
        .copied()
        .filter(|grant| !kept.contains(grant))
        .cloned()
        .collect();
    let wanted = facts.wanted();
    if gains {
        plan.adopt = theirs
            .iter()
            .copied()
            .filter(|grant| wanted.contains(grant))
            .cloned()
            .collect();
    }
    remove(facts, plan, owned.cloned().collect(), foreign);
    let usable = gains || user.status != FluentStatus::Inactive;
    if usable && !reused {
        write_profile(facts, user, plan);
    }
    if gains {
        let removed = plan.removes();
        let room = CHANGED_PER_PLAN_MAX.saturating_sub(removed.len());
        let missing = wanted.difference(&user.grants).take(room);
        let missing: BTreeSet<Grant> = missing.cloned().collect();
        if !missing.is_empty() {
            let same_role = |grant: &&Grant| missing.iter().any(|new| new.role == grant.role);
            let stays = user.grants.iter().filter(|grant| !removed.contains(grant));
            let beside = stays.filter(same_role).cloned().collect();
            plan.steps.push(Step::AddGrants { missing, beside });
        }
        if user.status != FluentStatus::Active {
            plan.steps.push(Step::SetStatus(FluentStatus::Active));
        }
    }
}

/// Removes what is ours, and under the policy `remove` what is foreign; else the foreign is only named.
fn remove(facts: &Facts<'_>, plan: &mut Plan, mut owned: BTreeSet<Grant>, foreign: BTreeSet<Grant>) {
    match facts.policy.foreign_grants {
        ForeignGrants::Remove => owned.extend(foreign),
        ForeignGrants::Keep | ForeignGrants::Report => plan.foreign = foreign,
    }
    if !owned.is_empty() {
        let first = owned.into_iter().take(CHANGED_PER_PLAN_MAX).collect();
        plan.steps.push(Step::RemoveGrants(first));
    }
}

fn write_profile(facts: &Facts<'_>, user: &ObservedUser, plan: &mut Plan) {
    let Some(profile) = facts.profile else { return };
    let differs = |want: &str, is: &str| (want != is).then(|| want.to_owned());
    let email = profile.primary_email.as_deref().filter(|email| !email.is_empty());
    let change = ProfileChange {
        first_name: differs(&profile.first_name, &user.first_name),
        last_name: differs(&profile.last_name, &user.last_name),
        primary_email: email.and_then(|email| differs(email, &user.primary_email)),
    };
    if !change.is_empty() {
        plan.steps.push(Step::UpdateProfile(change));
    }
}
