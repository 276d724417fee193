//! What holds for every plan, against a model Fluent that knows nothing of how plans are made.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use rollcall_domain::{
    Claimant, ConnectionName, DesiredStatus, EventId, FluentStatus, ForeignGrants, Gains, InactiveReason,
    UserId,
};
use uuid::Uuid;

use super::tests::{desired, grant, grants, observed, profile};
use super::*;
use crate::ledger::{LastStatus, OpenIntent};

/// A `+` stands for a second context of the same role.
const ROLES: [&str; 5] = ["A", "A+", "B", "B+", "C"];

fn some_roles() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(&ROLES[..], 0..=ROLES.len())
}

fn statuses() -> impl Strategy<Value = DesiredStatus> {
    prop_oneof![
        4 => Just(DesiredStatus::Active),
        2 => Just(DesiredStatus::Inactive { reason: InactiveReason::Deactivated }),
        1 => Just(DesiredStatus::Inactive { reason: InactiveReason::NoRoles }),
        1 => Just(DesiredStatus::Keep),
    ]
}

fn wants() -> impl Strategy<Value = DesiredUser> {
    let reused = prop::option::of(0u8..3);
    (
        statuses(),
        some_roles(),
        some_roles(),
        any::<bool>(),
        reused,
        any::<bool>(),
    )
        .prop_map(|(status, roles, retained, withheld, key, second)| {
            let mut desired = desired(status, &roles);
            desired.retained = retained.into_iter().map(grant).collect();
            desired.gains = if withheld { Gains::Withheld } else { Gains::Allowed };
            let external_key = key.map(|key| ExternalKey([key; 16]));
            desired
                .claimants
                .iter_mut()
                .for_each(|claimant| claimant.external_key = external_key);
            if second {
                desired.claimants.push(Claimant {
                    user: UserId(Uuid::from_u128(2)),
                    connection: ConnectionName::new("okta").unwrap(),
                    live: false,
                    external_key: Some(ExternalKey([1; 16])),
                });
            }
            desired
        })
}

fn seen() -> impl Strategy<Value = Option<ObservedUser>> {
    let status = prop_oneof![
        Just(FluentStatus::Active),
        Just(FluentStatus::Inactive),
        Just(FluentStatus::Other("CREATED".to_owned()))
    ];
    let user = (status, some_roles(), any::<bool>()).prop_map(|(status, roles, renamed)| {
        let mut user = observed(status, &roles);
        if renamed {
            user.first_name = "Other".to_owned();
        }
        user
    });
    prop::option::weighted(0.8, user)
}

fn ledgers() -> impl Strategy<Value = LedgerEntry> {
    let open = prop::option::weighted(0.3, (any::<bool>(), some_roles()));
    (any::<bool>(), some_roles(), open, prop::option::of(0u8..3)).prop_map(|(known, owned, open, key)| {
        LedgerEntry {
            fluent_user: known.then(|| FluentUserId("11".to_owned())),
            status: known.then_some(LastStatus::Active),
            owned: if known { grants(&owned) } else { BTreeSet::new() },
            claimant: key.filter(|_| known).map(|key| ExternalKey([key; 16])),
            open: open
                .into_iter()
                .map(|(create, roles)| OpenIntent {
                    id: EventId(Uuid::from_u128(1)),
                    fluent_user: (!create).then(|| FluentUserId("11".to_owned())),
                    create,
                    user_name: None,
                    grants: grants(&roles),
                    unsettled_until: None,
                })
                .collect(),
            ..LedgerEntry::default()
        }
    })
}

fn policies() -> impl Strategy<Value = Policy> {
    let foreign = prop::sample::select(vec![
        ForeignGrants::Keep,
        ForeignGrants::Report,
        ForeignGrants::Remove,
    ]);
    foreign.prop_map(|foreign_grants| Policy {
        foreign_grants,
        ..Policy::default()
    })
}

/// A Fluent of one user: roles are only added by an update (or the contexts of a role are replaced: nobody
/// knows), pairs removed, a new user is CREATED.
fn model(replaces: bool) -> impl Fn(Option<ObservedUser>, &Step) -> Option<ObservedUser> {
    move |user, step| one_user(replaces, user, step)
}

fn one_user(replaces: bool, user: Option<ObservedUser>, step: &Step) -> Option<ObservedUser> {
    let Step::CreateUser(new) = step else {
        let mut user = user?;
        match step {
            Step::SetStatus(status) => user.status = status.clone(),
            Step::RemoveGrants(pairs) => user.grants.retain(|pair| !pairs.contains(pair)),
            Step::AddGrants { missing, beside } => {
                if replaces {
                    user.grants
                        .retain(|held| !missing.iter().any(|pair| pair.role == held.role));
                }
                user.grants.extend(missing.iter().chain(beside).cloned());
            }
            Step::UpdateProfile(change) => {
                user.first_name = change.first_name.clone().unwrap_or(user.first_name);
                user.last_name = change.last_name.clone().unwrap_or(user.last_name);
                user.primary_email = change.primary_email.clone().unwrap_or(user.primary_email);
            }
            Step::CreateUser(_) => {}
        }
        return Some(user);
    };
    assert!(user.is_none(), "a user of that name is there");
    let mut made = observed(FluentStatus::Other("CREATED".to_owned()), &[]);
    made.grants = new.grants.clone();
    Some(made)
}

/// The ledger as it is after the plan was carried out, read back and recorded.
fn recorded(ledger: &LedgerEntry, plan: &Plan, user: Option<&ObservedUser>) -> LedgerEntry {
    if plan.treatment == Treatment::Untouched {
        return ledger.clone();
    }
    LedgerEntry {
        fluent_user: user.map(|user| user.id.clone()),
        owned: plan.owned_after(ledger, user),
        claimant: plan.claimant.or(ledger.claimant),
        open: Vec::new(),
        ..ledger.clone()
    }
}

#[derive(Debug, Clone)]
struct World {
    desired: DesiredUser,
    observed: Option<ObservedUser>,
    ledger: LedgerEntry,
    policy: Policy,
}

impl World {
    fn plan(&self) -> Plan {
        let profile = profile();
        plan(&Facts {
            desired: &self.desired,
            profile: Some(&profile),
            observed: self.observed.as_ref(),
            ledger: &self.ledger,
            policy: &self.policy,
            own_user: None,
        })
    }
}

fn worlds() -> impl Strategy<Value = World> {
    (wants(), seen(), ledgers(), policies()).prop_map(|(desired, observed, ledger, policy)| World {
        desired,
        observed,
        ledger,
        policy,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn after_a_plan_was_carried_out_nothing_is_left_to_do(world in worlds(), replaces: bool) {
        let plan = world.plan();
        let after = plan.steps.iter().fold(world.observed.clone(), model(replaces));
        let ledger = recorded(&world.ledger, &plan, after.as_ref());
        let next_observed = after.clone();
        let next = World { observed: after, ledger, ..world.clone() }.plan();
        prop_assert!(next.is_empty(), "{plan}\nthen\n{next}");
        prop_assert!(next.adopt.is_empty());
        if let (Some(before), Some(user)) = (&world.observed, &next_observed) {
            let gone: BTreeSet<Grant> = before.grants.difference(&user.grants).cloned().collect();
            prop_assert!(gone.is_subset(&plan.removes()), "something else was lost");
        }
    }

    #[test]
    fn doing_every_step_twice_equals_doing_it_once(world in worlds(), replaces: bool) {
        let plan = world.plan();
        let once = plan.steps.iter().fold(world.observed.clone(), model(replaces));
        let twice = plan.steps.iter().fold(world.observed.clone(), |user, step| {
            let user = one_user(replaces, user, step);
            if matches!(step, Step::CreateUser(_)) { user } else { one_user(replaces, user, step) }
        });
        prop_assert_eq!(once, twice);
    }

    /// Dying after any step, with the intent on record and no outcome: the next plans converge all the same.
    #[test]
    fn dying_after_any_step_converges(world in worlds(), at in 0usize..5, next in wants(), replaces: bool) {
        let plan = world.plan();
        let mut after = world.clone();
        after.observed = plan.steps.iter().take(at).fold(world.observed.clone(), model(replaces));
        if !plan.is_empty() {
            after.ledger.open.push(OpenIntent {
                id: EventId(Uuid::from_u128(2)),
                fluent_user: plan.fluent_user.clone(),
                create: plan.creates().is_some(),
                user_name: None,
                grants: plan.adds().union(&plan.removes()).chain(&plan.adopt).cloned().collect(),
                unsettled_until: None,
            });
        }
        after.desired = next;
        let resumed = after.plan();
        let end = resumed.steps.iter().fold(after.observed.clone(), model(replaces));
        let added: BTreeSet<Grant> = plan.steps.iter().take(at).flat_map(|step| match step {
            Step::AddGrants { missing, .. } => missing.clone(),
            Step::CreateUser(new) => new.grants.clone(),
            _ => BTreeSet::new(),
        }).collect();
        if after.desired.is_leaver()
            && let Some(user) = &end
            && (!plan.is_empty() || world.ledger.is_ours(Some(user)))
        {
            prop_assert_eq!(&user.status, &FluentStatus::Inactive);
            prop_assert!(user.grants.is_disjoint(&added), "what was added before the death is taken back");
        }
        let ledger = recorded(&after.ledger, &resumed, end.as_ref());
        let last = World { observed: end, ledger, ..after }.plan();
        prop_assert!(last.is_empty(), "{resumed}\nthen\n{last}");
    }

    #[test]
    fn nothing_is_removed_that_is_not_ours_unless_the_policy_says_so(world in worlds()) {
        let removed = world.plan().removes();
        let mut ours: BTreeSet<Grant> = world.ledger.owned.clone();
        ours.extend(world.ledger.open.iter().flat_map(|open| open.grants.clone()));
        if world.policy.foreign_grants != ForeignGrants::Remove {
            prop_assert!(removed.is_subset(&ours));
        }
    }

    #[test]
    fn nothing_is_gained_that_is_not_desired_and_allowed(world in worlds()) {
        let plan = world.plan();
        let desired = world.desired.grants.iter();
        let wanted: BTreeSet<Grant> = desired.map(|desired| desired.grant.clone()).collect();
        prop_assert!(plan.adds().is_subset(&wanted) && plan.adopt.is_subset(&wanted));
        let gains = !plan.adds().is_empty() || !plan.adopt.is_empty()
            || plan.creates().is_some() || plan.steps.contains(&Step::SetStatus(FluentStatus::Active));
        if world.desired.gains == Gains::Withheld || world.desired.status != DesiredStatus::Active {
            prop_assert!(!gains, "{plan}");
        }
    }

    #[test]
    fn a_leaver_of_ours_is_always_made_inactive_and_first(world in worlds()) {
        let plan = world.plan();
        if world.desired.is_leaver()
            && let Some(user) = &world.observed
            && world.ledger.is_ours(Some(user))
            && user.status != FluentStatus::Inactive
        {
            prop_assert_eq!(plan.steps.first(), Some(&Step::SetStatus(FluentStatus::Inactive)));
        }
        if let Some(at) = plan.steps.iter().position(Step::deactivates) {
            prop_assert_eq!(at, 0);
        }
    }

    #[test]
    fn losses_stand_before_gains(world in worlds()) {
        let plan = world.plan();
        let loss = plan.steps.iter().position(|step| matches!(step, Step::RemoveGrants(_)));
        let gain = plan.steps.iter().position(|step| matches!(step, Step::AddGrants { .. }));
        if let (Some(loss), Some(gain)) = (loss, gain) {
            prop_assert!(loss < gain);
        }
    }
}
