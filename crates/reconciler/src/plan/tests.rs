//! Golden plans, one per ruling.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use rollcall_domain::{
    AppRole, Claimant, ConnectionName, ContextType, DerivationId, DesiredGrant, DesiredStatus, EventId,
    FluentStatus, ForeignGrants, Gains, InactiveReason, NameKey, RoleName, UserId,
};
use rollcall_eventlog::MAX_RECORD_BYTES;
use uuid::Uuid;

use super::*;
use crate::ledger::{LastStatus, OpenIntent};

pub(super) const ACCOUNT: AccountKey = NameKey([1; 16]);

pub(super) fn grant(role: &str) -> Grant {
    match role.strip_suffix('+') {
        Some(role) => Grant::new(role, ContextType::Agent, "8"),
        None => Grant::new(role, ContextType::Agent, "7"),
    }
}

pub(super) fn grants(roles: &[&str]) -> BTreeSet<Grant> {
    roles.iter().map(|role| grant(role)).collect()
}

pub(super) fn profile() -> Profile {
    Profile {
        username: "ida@store.example".to_owned(),
        first_name: "Ida".to_owned(),
        last_name: "Berg".to_owned(),
        primary_email: Some("ida@store.example".to_owned()),
    }
}

pub(super) fn desired(status: DesiredStatus, roles: &[&str]) -> DesiredUser {
    let live = status == DesiredStatus::Active || status == DesiredStatus::Keep;
    DesiredUser {
        account: ACCOUNT,
        sequence: Sequence(9),
        status,
        gains: Gains::Allowed,
        profile: None,
        grants: grants(roles)
            .into_iter()
            .map(|grant| DesiredGrant {
                grant,
                because: vec![DerivationId(1)],
            })
            .collect(),
        retained: Vec::new(),
        holds: Vec::new(),
        notes: Vec::new(),
        claimants: vec![Claimant {
            user: UserId(Uuid::from_u128(1)),
            connection: ConnectionName::new("entra").unwrap(),
            live,
            external_key: Some(ExternalKey([1; 16])),
        }],
    }
}

pub(super) const LEFT: DesiredStatus = DesiredStatus::Inactive {
    reason: InactiveReason::Deactivated,
};

pub(super) fn observed(status: FluentStatus, roles: &[&str]) -> ObservedUser {
    ObservedUser {
        id: FluentUserId("11".to_owned()),
        username: "ida@store.example".to_owned(),
        status,
        first_name: "Ida".to_owned(),
        last_name: "Berg".to_owned(),
        primary_email: "ida@store.example".to_owned(),
        grants: grants(roles),
    }
}

pub(super) fn ours(owned: &[&str]) -> LedgerEntry {
    LedgerEntry {
        fluent_user: Some(FluentUserId("11".to_owned())),
        created: true,
        status: Some(LastStatus::Active),
        owned: grants(owned),
        claimant: Some(ExternalKey([1; 16])),
        ..LedgerEntry::default()
    }
}

/// The same claimant, gone.
fn former(desired: &DesiredUser) -> Claimant {
    Claimant {
        user: UserId(Uuid::from_u128(2)),
        live: false,
        ..desired.claimants[0].clone()
    }
}

fn open(create: bool, roles: &[&str]) -> OpenIntent {
    OpenIntent {
        id: EventId(Uuid::from_u128(5)),
        fluent_user: (!create).then(|| FluentUserId("11".to_owned())),
        create,
        user_name: None,
        grants: grants(roles),
        unsettled_until: None,
    }
}

struct Case {
    desired: DesiredUser,
    observed: Option<ObservedUser>,
    ledger: LedgerEntry,
    policy: Policy,
    profile: Option<Profile>,
}

fn case(desired: DesiredUser, observed: Option<ObservedUser>, ledger: LedgerEntry) -> Case {
    Case {
        desired,
        observed,
        ledger,
        policy: Policy::default(),
        profile: Some(profile()),
    }
}

impl Case {
    fn plan(&self) -> Plan {
        plan(&Facts {
            desired: &self.desired,
            profile: self.profile.as_ref(),
            observed: self.observed.as_ref(),
            ledger: &self.ledger,
            policy: &self.policy,
            own_user: None,
        })
    }

    #[track_caller]
    fn gives(&self, text: &str) {
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let plan = self.plan().to_string();
        assert_eq!(plan.lines().collect::<Vec<_>>(), lines);
    }
}

use DesiredStatus::{Active, Keep};
use FluentStatus::Active as Usable;
use FluentStatus::Inactive as Unusable;

fn held(mut desired: DesiredUser) -> DesiredUser {
    desired.gains = Gains::Withheld;
    desired.holds = vec![Hold::UnknownRole {
        app_role: AppRole("Agent_CHIC-01_X".to_owned()),
        role: RoleName("X".to_owned()),
        near: None,
    }];
    desired
}

#[test]
fn a_joiner_is_created_with_its_grants_and_made_usable() {
    case(desired(Active, &["PICK", "STORE"]), None, LedgerEntry::default()).gives(
        "1. create user with PICK at AGENT:7, STORE at AGENT:7
         2. set status ACTIVE",
    );
}

#[test]
fn a_new_user_that_fluent_made_but_left_unusable_is_made_usable() {
    let fresh = observed(FluentStatus::Other("CREATED".to_owned()), &["PICK"]);
    case(desired(Active, &["PICK"]), Some(fresh), ours(&["PICK"])).gives("1. set status ACTIVE");
}

#[test]
fn a_leaver_is_made_inactive_first_and_then_loses_what_is_ours() {
    case(
        desired(LEFT, &[]),
        Some(observed(Usable, &["PICK", "VIP"])),
        ours(&["PICK"]),
    )
    .gives(
        "1. set status INACTIVE
         2. remove PICK at AGENT:7
         foreign: VIP at AGENT:7",
    );
}

#[test]
fn a_mover_loses_before_it_gains() {
    let mut seen = observed(Usable, &["PICK", "VIP"]);
    seen.first_name = "Ada".to_owned();
    case(desired(Active, &["STORE"]), Some(seen), ours(&["PICK"])).gives(
        "1. remove PICK at AGENT:7
         2. write firstName
         3. add STORE at AGENT:7
         foreign: VIP at AGENT:7",
    );
}

#[test]
fn a_reactivated_user_gets_its_grants_and_its_profile_back() {
    let mut seen = observed(Unusable, &[]);
    seen.primary_email = "old@store.example".to_owned();
    case(desired(Active, &["PICK"]), Some(seen), ours(&[])).gives(
        "1. write primaryEmail
         2. add PICK at AGENT:7
         3. set status ACTIVE",
    );
}

#[test]
fn an_existing_user_that_is_desired_is_adopted() {
    case(
        desired(Active, &["PICK", "STORE"]),
        Some(observed(Usable, &["PICK", "VIP"])),
        LedgerEntry::default(),
    )
    .gives(
        "1. add STORE at AGENT:7
         adopt: PICK at AGENT:7
         foreign: VIP at AGENT:7",
    );
}

#[test]
fn what_is_as_desired_is_left_as_it_is() {
    case(
        desired(Active, &["PICK"]),
        Some(observed(Usable, &["PICK"])),
        ours(&["PICK"]),
    )
    .gives("as desired");
}

#[test]
fn a_user_that_was_never_ours_and_is_not_wanted_is_not_touched() {
    let seen = || Some(observed(Usable, &["PICK"]));
    case(desired(LEFT, &[]), seen(), LedgerEntry::default()).gives("left alone");
    case(desired(Keep, &[]), seen(), LedgerEntry::default()).gives("left alone");
    let text = "left alone
                hold unknown-role: Agent_CHIC-01_X: no role or rule named X";
    case(held(desired(Active, &["PICK"])), seen(), LedgerEntry::default()).gives(text);
    case(held(desired(Active, &["PICK"])), None, LedgerEntry::default()).gives(text);
}

#[test]
fn a_user_that_came_and_went_before_anything_was_written_is_not_created() {
    case(desired(LEFT, &[]), None, LedgerEntry::default()).gives("left alone");
}

#[test]
fn a_user_that_fluent_may_have_taken_while_we_died_is_ours_to_take_back() {
    let ledger = LedgerEntry {
        open: vec![open(true, &["PICK"])],
        ..LedgerEntry::default()
    };
    case(
        desired(LEFT, &[]),
        Some(observed(Usable, &["PICK", "VIP"])),
        ledger,
    )
    .gives(
        "1. set status INACTIVE
         2. remove PICK at AGENT:7
         foreign: VIP at AGENT:7",
    );
}

#[test]
fn a_grant_that_an_open_intent_holds_is_taken_back_when_it_is_no_longer_desired() {
    let mut ledger = ours(&["PICK"]);
    ledger.open.push(open(false, &["STORE"]));
    case(
        desired(Active, &["PICK"]),
        Some(observed(Usable, &["PICK", "STORE"])),
        ledger,
    )
    .gives("1. remove STORE at AGENT:7");
}

#[test]
fn a_held_user_gains_nothing_and_loses_what_ended() {
    let hold = "hold unknown-role: Agent_CHIC-01_X: no role or rule named X";
    let mut seen = observed(Usable, &["PICK"]);
    seen.last_name = "Old".to_owned();
    case(held(desired(Active, &["STORE"])), Some(seen), ours(&["PICK"])).gives(&format!(
        "1. remove PICK at AGENT:7
         2. write lastName
         {hold}"
    ));
    let mut asleep = observed(Unusable, &["PICK"]);
    asleep.last_name = "Old".to_owned();
    case(held(desired(Active, &["STORE"])), Some(asleep), ours(&["PICK"])).gives(&format!(
        "1. remove PICK at AGENT:7
         {hold}"
    ));
}

#[test]
fn no_hold_delays_a_leaver() {
    case(
        held(desired(LEFT, &[])),
        Some(observed(Usable, &["PICK"])),
        ours(&["PICK"]),
    )
    .gives(
        "1. set status INACTIVE
         2. remove PICK at AGENT:7
         hold unknown-role: Agent_CHIC-01_X: no role or rule named X",
    );
}

#[test]
fn a_retained_grant_stays_where_it_is_ours_and_is_never_added() {
    let mut want = desired(Active, &["PICK"]);
    want.retained = vec![grant("GONE"), grant("NEVER")];
    case(
        want,
        Some(observed(Usable, &["GONE", "PICK", "OLD"])),
        ours(&["GONE", "OLD", "PICK"]),
    )
    .gives("1. remove OLD at AGENT:7");
}

#[test]
fn a_user_whose_roles_are_all_unknown_keeps_its_status_and_loses_what_ended() {
    for status in [Usable, Unusable] {
        case(
            desired(Keep, &[]),
            Some(observed(status, &["PICK"])),
            ours(&["PICK"]),
        )
        .gives("1. remove PICK at AGENT:7");
    }
    case(desired(Keep, &[]), None, LedgerEntry::default()).gives("left alone");
}

#[test]
fn foreign_grants_go_only_when_the_policy_says_so_and_only_from_users_of_ours() {
    let mut with = case(
        desired(Active, &["PICK"]),
        Some(observed(Usable, &["PICK", "VIP"])),
        ours(&["PICK"]),
    );
    with.gives(
        "as desired
         foreign: VIP at AGENT:7",
    );
    with.policy.foreign_grants = ForeignGrants::Remove;
    with.gives("1. remove VIP at AGENT:7");
    with.ledger = LedgerEntry::default();
    with.desired = held(with.desired);
    assert!(with.plan().is_empty(), "not ours, not touched");
}

#[test]
fn protected_names_and_our_own_user_are_never_touched() {
    let mut with = case(desired(Active, &["PICK"]), None, LedgerEntry::default());
    with.profile.as_mut().unwrap().username = "Chicago_ADMIN".to_owned();
    with.gives(
        "left alone
         hold protected: the name is protected",
    );
    let seen = observed(Usable, &["PICK"]);
    let leaver = desired(LEFT, &[]);
    let own = OwnUser {
        id: seen.id.clone(),
        username: "else".to_owned(),
    };
    let by_name = OwnUser {
        id: FluentUserId("1".to_owned()),
        username: "IDA@store.example".to_owned(),
    };
    for own in [own, by_name] {
        let plan = plan(&Facts {
            desired: &leaver,
            profile: None,
            observed: Some(&seen),
            ledger: &ours(&["PICK"]),
            policy: &Policy::default(),
            own_user: Some(&own),
        });
        assert!(plan.is_empty() && plan.holds == [Hold::Protected], "{plan}");
    }
}

#[test]
fn a_name_that_passed_to_another_person_is_held_while_foreign_grants_are_there() {
    let mut want = desired(Active, &["PICK", "VIP"]);
    want.claimants.push(former(&want));
    want.claimants[0].external_key = Some(ExternalKey([2; 16]));
    let mut with = case(want, Some(observed(Unusable, &["OLD", "VIP"])), ours(&["OLD"]));
    with.profile.as_mut().unwrap().first_name = "Eve".to_owned();
    with.gives(
        "1. remove OLD at AGENT:7
         hold name-reused: the name passed to another person while the account holds grants that are not \
         ours",
    );
    assert_eq!(
        with.plan().claimant,
        with.ledger.claimant,
        "the new person is not remembered while held"
    );

    let former = with.desired.claimants.pop().unwrap(); // what an approval does
    let plan = with.plan();
    assert!(plan.holds.is_empty() && plan.adopt == grants(&["VIP"]), "{plan}");
    assert_eq!(plan.claimant, Some(ExternalKey([2; 16])));

    with.desired.claimants.push(former);
    with.observed = Some(observed(Unusable, &["OLD"]));
    assert!(
        with.plan().holds.is_empty(),
        "without foreign grants the account may pass on"
    );
}

#[test]
fn a_rehired_person_is_not_taken_for_another_one() {
    let mut want = desired(Active, &["PICK"]);
    want.claimants.push(former(&want));
    want.claimants[0].external_key = None;
    let with = case(want, Some(observed(Unusable, &["VIP"])), ours(&[]));
    assert!(
        with.plan().holds.is_empty(),
        "an unknown external id proves nothing"
    );
    let mut again = desired(Active, &["PICK"]);
    again.claimants.push(former(&again));
    let same = case(again, Some(observed(Unusable, &["VIP"])), ours(&[]));
    assert!(same.plan().holds.is_empty());
}

#[test]
fn a_user_without_an_address_is_held_before_it_is_created() {
    let mut with = case(desired(Active, &["PICK"]), None, LedgerEntry::default());
    with.profile.as_mut().unwrap().primary_email = None;
    with.gives(
        "left alone
         hold no-email: Fluent requires an e-mail address and none was sent",
    );
    with.observed = Some(observed(Usable, &[]));
    with.gives("1. add PICK at AGENT:7");
}

#[test]
fn a_ledger_that_speaks_of_another_fluent_user_owns_nothing_on_this_one() {
    let mut seen = observed(Usable, &["PICK"]);
    seen.id = FluentUserId("99".to_owned());
    case(desired(LEFT, &[]), Some(seen), ours(&["PICK"])).gives("left alone");
}

#[test]
fn nothing_personal_stands_in_a_plans_text_or_hash_input() {
    let plan = case(desired(Active, &["PICK"]), None, LedgerEntry::default()).plan();
    let shown = format!("{plan}{plan:?}");
    assert!(
        !shown.contains("ida") && !shown.contains("Ida") && !shown.contains("Berg"),
        "{shown}"
    );
    assert_eq!(plan.hash().len(), 32);
    assert_eq!(plan.hash(), plan.clone().hash());
}

#[test]
fn an_added_pair_takes_the_other_pairs_of_its_role_along_in_case_an_update_replaces_them() {
    let want = desired(Active, &["PICK", "PICK+"]);
    let plan = case(want, Some(observed(Usable, &["PICK", "VIP"])), ours(&["PICK"])).plan();
    let [Step::AddGrants { missing, beside }] = plan.steps.as_slice() else {
        panic!("{plan}")
    };
    assert_eq!((missing, beside), (&grants(&["PICK+"]), &grants(&["PICK"])));
}

#[test]
fn a_leaver_with_very_many_grants_is_closed_first_and_cleared_in_steps_that_fit_a_record() {
    let many: BTreeSet<Grant> = (0..5_000)
        .map(|number| Grant::new("FULFILLMENT_ASSOCIATE", ContextType::Agent, number.to_string()))
        .collect();
    let desired = desired(LEFT, &[]);
    let mut user = observed(FluentStatus::Active, &[]);
    user.grants = many.clone();
    let ledger = LedgerEntry {
        owned: many,
        ..ours(&[])
    };
    let policy = Policy::default();
    let mut plans = 0;
    loop {
        let plan = plan(&Facts {
            desired: &desired,
            profile: None,
            observed: Some(&user),
            ledger: &ledger,
            policy: &policy,
            own_user: None,
        });
        if plan.is_empty() {
            break;
        }
        plans += 1;
        assert_eq!(plan.steps[0].deactivates(), plans == 1);
        let removed = plan.removes();
        assert!(removed.len() <= decide::CHANGED_PER_PLAN_MAX);
        user.status = FluentStatus::Inactive;
        user.grants.retain(|grant| !removed.contains(grant));
    }
    assert!(plans == 3 && user.grants.is_empty());
}

/// Many different grants, from the given number on.
fn many(range: std::ops::Range<usize>) -> BTreeSet<Grant> {
    range
        .map(|n| {
            Grant::new(
                format!("FULFILLMENT_ASSOCIATE_OF_THE_STORE_{n}"),
                ContextType::Agent,
                "10007",
            )
        })
        .collect()
}

fn wants_many(range: std::ops::Range<usize>) -> DesiredUser {
    let mut desired = desired(DesiredStatus::Active, &[]);
    desired.grants = many(range)
        .into_iter()
        .map(|grant| DesiredGrant {
            grant,
            because: vec![DerivationId(1)],
        })
        .collect();
    desired
}

#[test]
fn a_full_account_is_built_up_and_exchanged_in_plans_that_fit_on_record() {
    let limit = decide::GRANTS_MAX;
    let mut user: Option<ObservedUser> = None;
    let mut ledger = LedgerEntry::default();
    let mut plans = 0;
    for desired in [wants_many(0..limit), wants_many(limit..2 * limit)] {
        loop {
            let mut case = case(desired.clone(), user.clone(), ledger.clone());
            case.profile = Some(profile());
            let plan = case.plan();
            if plan.is_empty() {
                break;
            }
            plans += 1;
            assert_eq!(plan.holds, []);
            assert!(plan.adds().len() + plan.removes().len() <= decide::CHANGED_PER_PLAN_MAX);
            let there = user.get_or_insert_with(|| observed(FluentStatus::Active, &[]));
            there.status = FluentStatus::Active;
            there.grants.retain(|grant| !plan.removes().contains(grant));
            there.grants.extend(plan.adds());
            ledger = LedgerEntry {
                owned: plan.owned_after(&ledger, user.as_ref()),
                ..ours(&[])
            };
            assert!(ledger.owned.len() <= limit);
            let named = serde_json::to_vec(&(&ledger.owned, plan.adds(), plan.removes())).unwrap();
            assert!(named.len() < MAX_RECORD_BYTES - 100_000, "{} bytes", named.len());
        }
        let wanted: BTreeSet<Grant> = desired.grants.iter().map(|d| d.grant.clone()).collect();
        assert_eq!(ledger.owned, wanted);
    }
    assert_eq!(plans, 6);
}

#[test]
fn above_the_most_grants_nothing_is_gained_and_everything_can_be_lost() {
    let limit = decide::GRANTS_MAX;
    let hold = Hold::TooManyGrants {
        count: u32::try_from(limit).unwrap() + 1,
        limit: u32::try_from(limit).unwrap(),
    };
    let with_profile = |desired, user, ledger| {
        let mut case = case(desired, user, ledger);
        case.profile = Some(profile());
        case.plan()
    };
    // Not created.
    let new = with_profile(wants_many(0..limit + 1), None, LedgerEntry::default());
    assert!(new.is_empty() && new.holds == [hold.clone()]);
    // Not adopted.
    let mut user = observed(FluentStatus::Active, &[]);
    user.grants = many(0..10);
    let foreign = with_profile(
        wants_many(0..limit + 1),
        Some(user.clone()),
        LedgerEntry::default(),
    );
    assert!(foreign.is_empty() && foreign.adopt.is_empty());
    assert_eq!(
        (foreign.treatment, foreign.holds),
        (Treatment::Untouched, vec![hold.clone()])
    );
    // Ours: what ended goes, nothing comes, and it is not made active.
    user.status = FluentStatus::Inactive;
    let ledger = LedgerEntry {
        owned: many(0..5),
        ..ours(&[])
    };
    let held = with_profile(wants_many(3..limit + 4), Some(user.clone()), ledger.clone());
    assert_eq!(held.steps, [Step::RemoveGrants(many(0..3))]);
    assert!(held.adopt.is_empty() && held.holds == [hold]);
    // What is retained and ours counts; what is not ours does not.
    let mut full = wants_many(5..limit + 5);
    full.retained = vec![many(4..5).pop_first().unwrap(), grant("FOREIGN")];
    let retained = with_profile(full.clone(), Some(user.clone()), ledger.clone());
    assert_eq!(retained.holds.len(), 1);
    full.retained.remove(0);
    let fits = with_profile(full.clone(), Some(user.clone()), ledger.clone());
    assert!(fits.holds.is_empty() && !fits.adds().is_empty());
    // A leaver leaves.
    user.status = FluentStatus::Active;
    let mut leaver = wants_many(0..limit + 1);
    leaver.status = LEFT;
    let left = with_profile(leaver, Some(user), ledger);
    assert!(left.steps[0].deactivates());
    assert_eq!((left.removes(), left.holds), (many(0..5), vec![]));
}
