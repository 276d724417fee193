//! Events from small pools, so that names collide, groups nest in circles and the catalog comes and goes.

use proptest::prelude::*;
use rollcall_domain::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::settings::{catalog, policy, rules};
use crate::TenantState;

const ROLES: [&str; 16] = [
    "Agent_A_STORE",
    "agent_A_STORE",
    "Agent_A_B_STORE",
    "Agent_1_STORE",
    "Retailer_R_LEAD",
    "Agent_A_LEAD",
    "Account_0_BOTH",
    "Account_acme_STORE",
    "Agent_Z_STORE",
    "Store_A_STORE",
    "User",
    "Agent_A_COND",
    "Agent_A_GONE",
    "Retailer_R_STORE",
    "Agent_A_BOTH",
    "Agent_A_NOBODY",
];
const GROUP_NAMES: [&str; 5] = ["g0", "G1", "Agent_A_STORE", "Agent_Z_STORE", "Agent_A_B_STORE"];

/// An event in small numbers; what it becomes depends on the state when it is sent.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Create {
        user: u8,
        name: u8,
        external: Option<u8>,
        active: bool,
        roles: Vec<u8>,
        connection: bool,
    },
    Change {
        user: u8,
        stale: bool,
        name: Option<u8>,
        external: Option<u8>,
        active: Option<bool>,
        roles: Option<Vec<u8>>,
        connection: bool,
    },
    Delete {
        user: u8,
        connection: bool,
    },
    CreateGroup {
        group: u8,
        name: u8,
        external: Option<u8>,
        roles: Vec<u8>,
        users: Vec<u8>,
        groups: Vec<u8>,
        connection: bool,
        parts: bool,
    },
    ChangeGroup {
        group: u8,
        name: Option<u8>,
        external: Option<u8>,
        roles: Option<Vec<u8>>,
        removed: (Vec<u8>, Vec<u8>),
        added: (Vec<u8>, Vec<u8>),
        replace: bool,
        stale: bool,
        connection: bool,
    },
    DeleteGroup {
        group: u8,
        connection: bool,
    },
    Rules {
        set: u8,
        stale: bool,
    },
    Policy(u8),
    Catalog {
        gone: bool,
        what: u8,
    },
    Timer(u8),
    Decide {
        which: u8,
        approve: bool,
    },
    Repeat(u8),
    /// What another source should have said.
    Stray(u8),
    Restart,
}

pub(crate) fn ops() -> impl Strategy<Value = Vec<Op>> {
    let roles = prop::collection::vec(0u8..16, 0..3).boxed();
    let members = (
        prop::collection::vec(0u8..6, 0..4),
        prop::collection::vec(0u8..5, 0..2),
    )
        .boxed();
    // Nine of ten come through the first connection, so that most of them find what they name.
    let connection = prop::bool::weighted(0.12);
    let op = prop_oneof![
        13 => user_ops(roles.clone(), connection),
        13 => group_ops(roles, members, connection),
        2 => (0u8..6, prop::bool::weighted(0.1)).prop_map(|(set, stale)| Op::Rules { set, stale }),
        1 => (0u8..6).prop_map(Op::Policy),
        5 => (prop::bool::weighted(0.4), 0u8..17).prop_map(|(gone, what)| Op::Catalog { gone, what }),
        1 => (0u8..25).prop_map(Op::Timer),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(which, approve)| Op::Decide { which, approve }),
        1 => any::<u8>().prop_map(Op::Repeat),
        1 => any::<u8>().prop_map(Op::Stray),
        1 => Just(Op::Restart),
    ];
    // Most histories begin with a world in which something can be lost.
    let role_lists = prop::collection::vec(prop::collection::vec(0u8..16, 0..3), 7);
    let world = (0u8..6, 0u8..6, role_lists).prop_map(|(policy, set, roles)| world(policy, set, &roles));
    (
        prop::option::weighted(0.8, world),
        prop::collection::vec(op, 1..45),
    )
        .prop_map(|(world, ops)| world.into_iter().flatten().chain(ops).collect())
}

/// A policy, a catalog, rules, four users and three groups, nested in each other.
fn world(policy: u8, set: u8, roles: &[Vec<u8>]) -> Vec<Op> {
    let mut ops = vec![
        Op::Policy(policy),
        Op::Catalog {
            gone: false,
            what: 12,
        },
        Op::Rules { set, stale: false },
    ];
    for (number, roles) in (0u8..).zip(roles) {
        let (roles, external, connection) = (roles.clone(), Some(number % 3), false);
        ops.push(if number < 4 {
            Op::Create {
                user: number,
                name: number,
                external,
                active: true,
                roles,
                connection,
            }
        } else {
            let group = number - 4;
            let (users, groups) = (
                vec![group, group + 1],
                if group == 0 { vec![] } else { vec![group - 1] },
            );
            Op::CreateGroup {
                group,
                name: group,
                external: None,
                roles,
                users,
                groups,
                connection,
                parts: false,
            }
        });
    }
    ops
}

type Numbers = BoxedStrategy<Vec<u8>>;
type Members = BoxedStrategy<(Vec<u8>, Vec<u8>)>;
type Weighted = prop::bool::Weighted;

fn user_ops(roles: Numbers, connection: Weighted) -> impl Strategy<Value = Op> {
    let external = || prop::option::of(0u8..3);
    let create = (
        0u8..6,
        0u8..5,
        external(),
        prop::bool::weighted(0.85),
        roles.clone(),
        connection,
    );
    let create = create.prop_map(|(user, name, external, active, roles, connection)| Op::Create {
        user,
        name,
        external,
        active,
        roles,
        connection,
    });
    let (name, active) = (
        prop::option::weighted(0.2, 0u8..5),
        prop::option::weighted(0.4, any::<bool>()),
    );
    let rare = prop::option::weighted(0.2, 0u8..3);
    let change = (
        0u8..6,
        prop::bool::weighted(0.05),
        name,
        rare,
        active,
        prop::option::of(roles),
        connection,
    );
    let change = change.prop_map(
        |(user, stale, name, external, active, roles, connection)| Op::Change {
            user,
            stale,
            name,
            external,
            active,
            roles,
            connection,
        },
    );
    let delete = (0u8..6, connection).prop_map(|(user, connection)| Op::Delete { user, connection });
    prop_oneof![5 => create, 6 => change, 2 => delete]
}

fn group_ops(roles: Numbers, members: Members, connection: Weighted) -> impl Strategy<Value = Op> {
    let external = prop::option::of(0u8..2);
    let parts = prop::bool::weighted(0.2);
    let create = (
        0u8..5,
        0u8..5,
        external,
        roles.clone(),
        members.clone(),
        connection,
        parts,
    );
    let create = create.prop_map(
        |(group, name, external, roles, (users, groups), connection, parts)| Op::CreateGroup {
            group,
            name,
            external,
            roles,
            users,
            groups,
            connection,
            parts,
        },
    );
    let names = (
        prop::option::weighted(0.15, 0u8..5),
        prop::option::weighted(0.15, 0u8..2),
    );
    let how = (any::<bool>(), prop::bool::weighted(0.05));
    let change = (
        0u8..5,
        names,
        prop::option::weighted(0.3, roles),
        members.clone(),
        members,
        how,
        connection,
    );
    let change = change.prop_map(
        |(group, (name, external), roles, removed, added, (replace, stale), connection)| Op::ChangeGroup {
            group,
            name,
            external,
            roles,
            removed,
            added,
            replace,
            stale,
            connection,
        },
    );
    let delete = (0u8..5, connection).prop_map(|(group, connection)| Op::DeleteGroup { group, connection });
    prop_oneof![4 => create, 8 => change, 1 => delete]
}

pub(super) fn user_id(number: u8) -> UserId {
    UserId(Uuid::from_u128(0x100 + u128::from(number)))
}
pub(super) fn group_id(number: u8) -> GroupId {
    GroupId(Uuid::from_u128(0x200 + u128::from(number)))
}
pub(super) fn name_key(number: u8) -> NameKey {
    NameKey([number + 1; 16])
}

fn assigned(roles: &[u8]) -> Vec<AssignedRole> {
    roles
        .iter()
        .map(|role| {
            let mut assigned = AssignedRole::plain(ROLES[usize::from(*role)]);
            assigned.primary = role % 3 == 0;
            assigned.display = (role % 2 == 0).then(|| format!("role {role}"));
            assigned
        })
        .collect()
}

fn personal(name: u8, external: Option<u8>) -> Sealed {
    let mut change = PersonalChange::default();
    change.set.insert(
        "userName".to_owned(),
        Value::from(if name == 4 {
            "x_admin".to_owned()
        } else {
            format!("n{name}")
        }),
    );
    if name != 3 {
        change.set.insert(
            "emails".to_owned(),
            json!([{"value": format!("n{name}@x.example"), "type": "work"}]),
        );
    }
    match external {
        Some(external) => {
            change.set.insert("title".to_owned(), Value::from(external));
        }
        None => change.unset.push("title".to_owned()),
    }
    seal(&change)
}

/// Members to remove: those that the numbers pick among the members that are there, and one that may not be.
fn present(state: &TenantState, group: u8, picked: &(Vec<u8>, Vec<u8>)) -> MemberSet {
    let entry = state
        .group_index
        .get(&group_id(group))
        .and_then(|ix| state.groups.get(*ix));
    let Some(entry) = entry else {
        return MemberSet {
            users: users(&picked.0),
            groups: groups(&picked.1),
        };
    };
    let mut there: Vec<UserId> = entry
        .users
        .iter()
        .filter_map(|ix| state.users.get(*ix))
        .map(|u| u.id)
        .collect();
    there.sort_unstable();
    let nested = state.group_ids(&entry.children);
    let pick = |number: &u8, count: usize| usize::from(*number) % (count + 1);
    MemberSet {
        users: picked
            .0
            .iter()
            .map(|n| {
                there
                    .get(pick(n, there.len()))
                    .copied()
                    .unwrap_or_else(|| user_id(*n))
            })
            .collect(),
        groups: picked
            .1
            .iter()
            .map(|n| {
                nested
                    .get(pick(n, nested.len()))
                    .copied()
                    .unwrap_or_else(|| group_id(*n))
            })
            .collect(),
    }
}

fn users(numbers: &[u8]) -> Vec<UserId> {
    numbers.iter().map(|n| user_id(*n)).collect()
}
fn groups(numbers: &[u8]) -> Vec<GroupId> {
    numbers.iter().map(|n| group_id(*n)).collect()
}

/// Turns an operation into events, against the state as it is.
pub(crate) fn events(op: &Op, state: &TenantState, history: &[Event]) -> Vec<Event> {
    let number = history.len() as u128 + 1;
    let revision = |user: u8| {
        state
            .user_ix(user_id(user))
            .and_then(|ix| state.users.get(ix))
            .map_or(Revision(1), |u| u.revision)
    };
    let group = |group: u8| {
        state
            .group_index
            .get(&group_id(group))
            .and_then(|ix| state.groups.get(*ix))
    };
    let (connection, data) = match op {
        Op::Create {
            user,
            name,
            external,
            active,
            roles,
            connection,
        } => (
            Some(*connection),
            EventData::UserCreated(UserCreated {
                user: user_id(*user),
                name_key: name_key(*name),
                external_key: external.map(|e| ExternalKey([e; 16])),
                active: *active,
                roles: assigned(roles),
                personal: personal(*name, *external),
            }),
        ),
        Op::Change {
            user,
            stale,
            name,
            external,
            active,
            roles,
            connection,
        } => (
            Some(*connection),
            EventData::UserChanged(UserChanged {
                user: user_id(*user),
                base: Revision(revision(*user).0 + u32::from(*stale)),
                name_key: name.map(name_key),
                external_key: match external {
                    None => Set::Keep,
                    Some(0) => Set::Clear,
                    Some(e) => Set::To(ExternalKey([*e; 16])),
                },
                active: *active,
                roles: roles.as_deref().map(assigned),
                personal: name.map(|name| personal(name, None)),
                rehire: false,
            }),
        ),
        Op::Delete { user, connection } => (
            Some(*connection),
            EventData::UserDeleted(UserDeleted {
                user: user_id(*user),
                base: None,
            }),
        ),
        Op::CreateGroup {
            group,
            name,
            external,
            roles,
            users: us,
            groups: gs,
            connection,
            parts,
        } => {
            let members = MemberSet {
                users: users(us),
                groups: groups(gs),
            };
            let created = |members| {
                EventData::GroupCreated(GroupCreated {
                    group: group_id(*group),
                    display_name: GROUP_NAMES[usize::from(*name)].to_owned(),
                    external_id: external.map(|e| format!("x{e}")),
                    roles: assigned(roles),
                    members,
                })
            };
            if *parts {
                let rest = EventData::GroupChanged(GroupChanged {
                    group: group_id(*group),
                    base: None,
                    display_name: None,
                    external_id: Set::Keep,
                    roles: None,
                    removed: MemberSet::default(),
                    added: members,
                    member_base: None,
                });
                let part = |data, index, number| Event {
                    part: Some(Part { index, count: 2 }),
                    request_id: Some(format!("r{}", history.len())),
                    ..event(data, Some(*connection), number, state)
                };
                return vec![
                    part(created(MemberSet::default()), 1, number),
                    part(rest, 2, number + 1),
                ];
            }
            (Some(*connection), created(members))
        }
        Op::ChangeGroup {
            group: g,
            name,
            external,
            roles,
            removed,
            added,
            replace,
            stale,
            connection,
        } => {
            let attributes = name.is_some() || external.is_some() || roles.is_some();
            let now = |revision: Revision| Revision(revision.0 + u32::from(*stale));
            (
                Some(*connection),
                EventData::GroupChanged(GroupChanged {
                    group: group_id(*g),
                    base: attributes.then(|| {
                        if *replace {
                            group(*g).map_or(Revision(1), |g| g.revision)
                        } else {
                            now(group(*g).map_or(Revision(1), |g| g.revision))
                        }
                    }),
                    display_name: name.map(|n| GROUP_NAMES[usize::from(n)].to_owned()),
                    external_id: match external {
                        None => Set::Keep,
                        Some(0) => Set::Clear,
                        Some(e) => Set::To(format!("x{}", e - 1)),
                    },
                    roles: roles.as_deref().map(assigned),
                    removed: present(state, *g, removed),
                    added: MemberSet {
                        users: users(&added.0),
                        groups: groups(&added.1),
                    },
                    member_base: replace.then(|| now(group(*g).map_or(Revision(1), |g| g.member_revision))),
                }),
            )
        }
        Op::DeleteGroup { group, connection } => (
            Some(*connection),
            EventData::GroupDeleted(GroupDeleted {
                group: group_id(*group),
                base: None,
            }),
        ),
        Op::Rules { set, stale } => (
            None,
            EventData::RulesActivated(RulesActivated {
                version: format!("v{}", history.len()),
                replaces: if *stale {
                    Some("none".to_owned())
                } else {
                    state.rules.version.clone()
                },
                rules: rules(*set),
            }),
        ),
        Op::Policy(policy) => (
            None,
            EventData::PolicyActivated(PolicyActivated {
                policy: self::policy(*policy),
            }),
        ),
        Op::Catalog { gone, what } => (
            None,
            EventData::CatalogChanged(CatalogChanged {
                difference: catalog(*gone, *what),
            }),
        ),
        Op::Timer(minutes) => {
            let mut timer = event(
                EventData::TimerFired(TimerFired {
                    timer: "t".to_owned(),
                }),
                None,
                number,
                state,
            );
            // Some minutes, or most of a day and more.
            let minutes = match i64::from(*minutes) {
                minutes @ 0..20 => minutes,
                more => (more - 19) * 20 * 60,
            };
            timer.time = now(state).plus_millis(minutes * 60_000);
            return vec![timer];
        }
        Op::Decide { which, approve } => {
            let mut holds: Vec<HoldId> = state
                .guard
                .trips
                .keys()
                .map(|cause| HoldId::Guard { cause: *cause })
                .collect();
            holds.extend(
                state
                    .catalog
                    .withheld
                    .keys()
                    .map(|cause| HoldId::CatalogLoss { cause: *cause }),
            );
            if holds.is_empty() || which % 3 == 0 {
                holds.extend((0..5).map(|n| HoldId::NameReused { account: name_key(n) }));
            }
            let hold = holds[usize::from(*which) % holds.len()].clone();
            let decision = if *approve {
                Decision::Approve
            } else {
                Decision::Reject
            };
            (
                None,
                EventData::DecisionRecorded(DecisionRecorded {
                    hold,
                    decision,
                    reason: None,
                }),
            )
        }
        Op::Repeat(which) => {
            return history
                .get(usize::from(*which) % history.len().max(1))
                .cloned()
                .into_iter()
                .collect();
        }
        Op::Stray(number) => {
            let op = match number % 5 {
                0 => Op::Rules { set: 0, stale: false },
                1 => Op::Policy(3),
                2 => Op::Catalog { gone: true, what: 6 },
                3 => Op::Decide {
                    which: number / 5,
                    approve: true,
                },
                _ => Op::Timer(60),
            };
            let mut stray = events(&op, state, history);
            for event in &mut stray {
                event.source = match (&event.source, number / 5 % 2) {
                    (_, 0) => Source::Scim(ConnectionName::new("entra").unwrap()),
                    (Source::Fluent(_), _) => Source::Rollcall("timer".to_owned()),
                    (Source::Rollcall(_), _) => Source::Operator("cli".to_owned()),
                    _ => Source::Fluent("catalog".to_owned()),
                };
            }
            return stray;
        }
        Op::Restart => return Vec::new(),
    };
    vec![event(data, connection, number, state)]
}

/// The time for the catch, which one sender with a wrong clock does not move.
fn now(state: &TenantState) -> Timestamp {
    Timestamp::from_millis(state.guard.clock.now)
}

fn event(data: EventData, connection: Option<bool>, number: u128, state: &TenantState) -> Event {
    let source = match connection {
        Some(second) => Source::Scim(ConnectionName::new(if second { "okta" } else { "entra" }).unwrap()),
        None => match &data {
            EventData::CatalogChanged(_) => Source::Fluent("catalog".to_owned()),
            EventData::TimerFired(_) => Source::Rollcall("timer".to_owned()),
            _ => Source::Operator("cli".to_owned()),
        },
    };
    Event {
        id: EventId(Uuid::from_u128(number)),
        source,
        time: now(state).plus_millis(1000),
        tenant: TenantId::new("acme").unwrap(),
        actor: "test".to_owned(),
        request_id: None,
        part: None,
        data,
    }
}
