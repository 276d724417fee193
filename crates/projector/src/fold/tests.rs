//! What the model of the whole fold does not look at: lanes, and what the memory of a name keeps.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rollcall_domain::*;
use uuid::Uuid;

use super::TenantState;
use crate::Lane;

fn event(number: u128, source: Source, data: EventData) -> Event {
    Event {
        id: EventId(Uuid::from_u128(number)),
        source,
        time: Timestamp::from_millis(1_700_000_000_000),
        tenant: TenantId::new("acme").unwrap(),
        actor: "token".to_owned(),
        request_id: None,
        part: None,
        data,
    }
}

fn entra() -> Source {
    Source::Scim(ConnectionName::new("entra").unwrap())
}

fn name(number: u8) -> NameKey {
    NameKey([number; 16])
}

fn created(number: u128, external: u8) -> EventData {
    EventData::UserCreated(UserCreated {
        user: UserId(Uuid::from_u128(number)),
        name_key: name(1),
        external_key: Some(ExternalKey([external; 16])),
        active: true,
        roles: vec![AssignedRole::plain("Account_0_STORE")],
        personal: seal(&PersonalChange::default()),
    })
}

fn changed(base: u32, to: Option<NameKey>, active: Option<bool>) -> EventData {
    EventData::UserChanged(UserChanged {
        user: UserId(Uuid::from_u128(1)),
        base: Revision(base),
        name_key: to,
        external_key: Set::Keep,
        active,
        roles: None,
        personal: None,
        rehire: false,
    })
}

fn drained(state: &mut TenantState, lane: Lane) -> Vec<AccountKey> {
    std::iter::from_fn(|| state.next_dirty(lane))
        .collect::<Vec<_>>()
        .into_iter()
        .map(|ix| state.accounts.get(ix).unwrap().key)
        .collect()
}

#[test]
fn whoever_leaves_under_a_new_name_leaves_the_old_account_in_the_same_turn() {
    let mut state = TenantState::new();
    state.apply(&event(1, entra(), created(1, 1)));
    assert_eq!(drained(&mut state, Lane::Rest), [name(1)]);
    let verdict = state.apply(&event(2, entra(), changed(1, Some(name(2)), Some(false))));
    assert!(verdict.settled.verdict.is_accepted());
    let mut left = drained(&mut state, Lane::Leaver);
    left.sort_unstable();
    assert_eq!(left, [name(1), name(2)]);
}

#[test]
fn the_old_account_of_a_rename_does_not_wait_behind_those_who_only_gain() {
    let mut state = TenantState::new();
    state.apply(&event(1, entra(), created(1, 1)));
    drained(&mut state, Lane::Rest);
    state.apply(&event(2, entra(), changed(1, Some(name(2)), None)));
    assert_eq!(
        drained(&mut state, Lane::Removal),
        [name(2), name(1)],
        "the new one first"
    );
}

#[test]
fn a_file_of_rules_is_remembered_beside_the_rules_that_an_operator_put_in_its_place() {
    let rules = |version: &str, replaces: Option<&str>| {
        EventData::RulesActivated(RulesActivated {
            version: version.to_owned(),
            replaces: replaces.map(str::to_owned),
            rules: RuleSet::default(),
        })
    };
    let operator = |surface: &str| Source::Operator(surface.to_owned());
    let mut state = TenantState::new();
    state.apply(&event(1, operator("file"), rules("v1", None)));
    state.apply(&event(2, operator("cli"), rules("v2", Some("v1"))));
    state.apply(&event(3, operator("file"), rules("v3", Some("v1")))); // refused: v2 is in force
    assert_eq!(state.rules.version.as_deref(), Some("v2"));
    assert_eq!(state.rules.from_file.as_deref(), Some("v1"));
}

#[test]
fn one_person_deleted_and_hired_again_and_again_is_listed_once() {
    let mut state = TenantState::new();
    for round in 1..=200u128 {
        state.apply(&event(2 * round, entra(), created(round, 1)));
        let delete = EventData::UserDeleted(UserDeleted {
            user: UserId(Uuid::from_u128(round)),
            base: None,
        });
        state.apply(&event(2 * round + 1, entra(), delete));
    }
    let ix = state.account_ix(name(1)).unwrap();
    assert_eq!(state.accounts.get(ix).unwrap().claimants.len(), 1);
    state.apply(&event(1001, entra(), created(1001, 2)));
    assert_eq!(
        state.accounts.get(ix).unwrap().claimants.len(),
        2,
        "another person is another matter"
    );
}

#[test]
fn a_member_of_a_very_deep_nest_has_the_roles_of_all_groups_above() {
    const DEPTH: usize = 1_000;
    let group = |number: usize| GroupId(Uuid::from_u128(0x1_0000 + number as u128));
    let mut state = TenantState::new();
    for number in 0..DEPTH {
        let data = EventData::GroupCreated(GroupCreated {
            group: group(number),
            display_name: format!("group {number}"),
            external_id: None,
            roles: vec![AssignedRole::plain(format!("Account_0_R{number}"))],
            members: MemberSet {
                users: Vec::new(),
                groups: (number > 0).then(|| group(number - 1)).into_iter().collect(),
            },
        });
        state.apply(&event(1 + number as u128, entra(), data));
    }
    for (ix, number) in state.groups.iter().map(|(ix, _)| ix).zip(0..) {
        assert_eq!(state.effective(ix).len(), DEPTH - number);
    }
}

/// Groups that are all in one another have the same below them: who is in them is walked through once.
#[test]
fn a_group_that_waits_below_another_waits_for_nothing_more() {
    let group = |number: u128| GroupId(Uuid::from_u128(0x1_0000 + number));
    let mut state = TenantState::new();
    state.apply(&event(1, entra(), created(1, 1)));
    for number in 0..9 {
        let data = EventData::GroupCreated(GroupCreated {
            group: group(number),
            display_name: format!("group {number}"),
            external_id: None,
            roles: Vec::new(),
            members: MemberSet {
                users: Vec::from([UserId(Uuid::from_u128(1))]),
                groups: (0..number).map(group).collect(),
            },
        });
        state.apply(&event(100 + number, entra(), data));
    }
    let closing = EventData::GroupChanged(GroupChanged {
        group: group(0),
        base: None,
        display_name: None,
        external_id: Set::Keep,
        roles: None,
        removed: MemberSet::default(),
        added: MemberSet {
            users: Vec::new(),
            groups: (1..9).map(group).collect(),
        },
        member_base: None,
    });
    state.apply(&event(200, entra(), closing));
    assert!(state.expand_dirty(1));
    assert!(!state.expand_dirty(1), "all of them were below the first");
    assert!(state.next_dirty(Lane::Rest).is_some());
}

#[test]
fn each_kind_is_taken_from_its_own_source_alone() {
    let sources = [
        entra(),
        Source::Operator("file".to_owned()),
        Source::Fluent("catalog".to_owned()),
        Source::Rollcall("timer".to_owned()),
    ];
    let kinds = [
        (created(1, 1), 0),
        (
            EventData::RulesActivated(RulesActivated {
                version: "v1".to_owned(),
                replaces: None,
                rules: RuleSet::default(),
            }),
            1,
        ),
        (
            EventData::PolicyActivated(PolicyActivated {
                policy: Policy::default(),
            }),
            1,
        ),
        (
            EventData::CatalogChanged(CatalogChanged {
                difference: CatalogDifference::default(),
            }),
            2,
        ),
        (
            EventData::TimerFired(TimerFired {
                timer: "tick".to_owned(),
            }),
            3,
        ),
    ];
    let mut number = 0;
    for (data, own) in kinds {
        for (at, source) in sources.iter().enumerate() {
            number += 1;
            let mut state = TenantState::new();
            let verdict = state
                .apply(&event(number, source.clone(), data.clone()))
                .settled
                .verdict;
            let refused = crate::Verdict::Rejected {
                rejection: crate::Rejection::WrongSource,
            };
            assert_eq!(verdict != refused, at == own, "{source} {}", data.kind());
        }
    }
}
