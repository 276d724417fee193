//! The rulings of DESIGN 7, one by one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod catalog;

use rollcall_domain::*;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{Act, Rejection, TenantState, Verdict};

/// A tenant told in a few words.
#[derive(Default)]
struct Story {
    state: TenantState,
    events: u128,
}

fn user_id(number: u8) -> UserId {
    UserId(Uuid::from_u128(u128::from(number) + 1))
}
fn group_id(number: u8) -> GroupId {
    GroupId(Uuid::from_u128(u128::from(number) + 1))
}
fn account(number: u8) -> AccountKey {
    NameKey([number; 16])
}
fn roles(names: &[&str]) -> Vec<AssignedRole> {
    names.iter().map(|name| AssignedRole::plain(*name)).collect()
}

impl Story {
    /// Fluent with a retailer, two locations and two roles.
    fn chicago() -> Self {
        let mut story = Self::default();
        let place = |reference: &str| Place {
            reference: reference.to_owned(),
            active: true,
            retailer: Some("1".to_owned()),
        };
        story.catalog(CatalogDifference {
            roles_added: (0..200)
                .map(|n| format!("filler-{n}"))
                .chain(["STORE".to_owned(), "VIEW".to_owned()])
                .map(RoleName)
                .collect(),
            retailers_set: [(
                "1".to_owned(),
                Place {
                    retailer: None,
                    ..place("CHIC")
                },
            )]
            .into(),
            locations_set: [
                ("17".to_owned(), place("CHIC-01")),
                ("18".to_owned(), place("CHIC-02")),
            ]
            .into(),
            ..CatalogDifference::default()
        });
        story
    }

    fn event(&mut self, data: EventData) -> Verdict {
        let source = match &data {
            EventData::CatalogChanged(_) => Source::Fluent("catalog".to_owned()),
            EventData::RulesActivated(_) | EventData::PolicyActivated(_) | EventData::DecisionRecorded(_) => {
                Source::Operator("cli".to_owned())
            }
            _ => Source::Scim(ConnectionName::new("entra").unwrap()),
        };
        self.events += 1;
        let event = Event {
            id: EventId(Uuid::from_u128(self.events)),
            source,
            time: Timestamp::from_millis(i64::try_from(self.events).unwrap() * 1000),
            tenant: TenantId::new("acme").unwrap(),
            actor: "token".to_owned(),
            request_id: None,
            part: None,
            data,
        };
        self.state.apply(&event).settled.verdict
    }

    fn last(&self) -> EventId {
        EventId(Uuid::from_u128(self.events))
    }

    fn catalog(&mut self, difference: CatalogDifference) {
        self.event(EventData::CatalogChanged(CatalogChanged { difference }));
    }

    fn user(&mut self, number: u8, names: &[&str]) {
        let verdict = self.event(EventData::UserCreated(UserCreated {
            user: user_id(number),
            name_key: account(number),
            external_key: None,
            active: true,
            roles: roles(names),
            personal: seal(&PersonalChange::default()),
        }));
        assert!(verdict.is_accepted());
    }

    fn change(&mut self, number: u8, change: impl FnOnce(&mut UserChanged)) -> Verdict {
        let ix = self.state.user_ix(user_id(number)).unwrap();
        let mut changed = UserChanged {
            user: user_id(number),
            base: self.state.users.get(ix).unwrap().revision,
            name_key: None,
            external_key: Set::Keep,
            active: None,
            roles: None,
            personal: None,
            rehire: false,
        };
        change(&mut changed);
        self.event(EventData::UserChanged(changed))
    }

    fn group(&mut self, number: u8, name: &str, names: &[&str], users: impl IntoIterator<Item = u8>) {
        let members = MemberSet {
            users: users.into_iter().map(user_id).collect(),
            groups: vec![],
        };
        self.event(EventData::GroupCreated(GroupCreated {
            group: group_id(number),
            display_name: name.to_owned(),
            external_id: None,
            roles: roles(names),
            members,
        }));
    }

    fn delete_group(&mut self, number: u8) {
        self.event(EventData::GroupDeleted(GroupDeleted {
            group: group_id(number),
            base: None,
        }));
    }

    fn rules(&mut self, json: &str) {
        let replaces = self.state.rules.version.clone();
        let version = format!("{}", self.events);
        let rules = RuleSet::parse(json).unwrap();
        self.event(EventData::RulesActivated(RulesActivated {
            version,
            replaces,
            rules,
        }));
    }

    fn policy(&mut self, policy: Policy) {
        self.event(EventData::PolicyActivated(PolicyActivated { policy }));
    }

    fn decide(&mut self, hold: HoldId, decision: Decision) -> Verdict {
        self.event(EventData::DecisionRecorded(DecisionRecorded {
            hold,
            decision,
            reason: None,
        }))
    }

    fn desired(&self, number: u8) -> DesiredUser {
        let attributes: Map<String, Value> = json!({"userName": format!("u{number}@x.example")})
            .as_object()
            .unwrap()
            .clone();
        self.state
            .desired_user(self.state.account_ix(account(number)).unwrap(), Some(&attributes))
            .unwrap()
    }

    /// The grants as text.
    fn grants(&self, number: u8) -> Vec<String> {
        self.desired(number)
            .grants
            .iter()
            .map(|grant| grant.grant.to_string())
            .collect()
    }
}

fn hold_role() -> Policy {
    Policy {
        unknown_roles: UnknownRoles::HoldRole,
        ..Policy::default()
    }
}

#[test]
fn a_personal_role_survives_when_its_twin_from_a_group_goes() {
    let mut story = Story::chicago();
    story.user(1, &["Agent_CHIC-01_STORE"]);
    story.group(1, "Associates", &["Agent_CHIC-01_STORE"], [1]);
    assert_eq!(story.desired(1).grants[0].because.len(), 2);
    story.delete_group(1);
    let desired = story.desired(1);
    assert_eq!((desired.grants.len(), desired.grants[0].because.len()), (1, 1));
}

#[test]
fn an_unknown_role_holds_its_user_names_the_near_miss_and_heals_when_the_rule_arrives() {
    let mut story = Story::chicago();
    story.user(
        1,
        &["Agent_CHIC-01_STORE", "Agent_CHIC-01_Lead", "Agent_chic-02_STORE"],
    );
    let held = story.desired(1);
    assert_eq!(
        (held.gains, held.status),
        (Gains::Withheld, DesiredStatus::Active)
    );
    let near = held.holds.iter().find_map(|hold| match hold {
        Hold::UnknownPlace { near, .. } => near.clone(),
        _ => None,
    });
    assert_eq!(near.as_deref(), Some("CHIC-02"), "{:?}", held.holds);
    story.change(1, |change| {
        change.roles = Some(roles(&["Agent_CHIC-01_STORE", "Agent_CHIC-01_Lead"]))
    });
    story.rules(
        r#"{"rules":[{"condition":{"type":"HAS_APP_ROLE","appRole":"Lead"},"action":
            {"type":"MAPPING_ROLE_ASSIGNMENT","sourceAppRole":"Lead","targetRoles":["VIEW"],"alsoRetailer":true}}]}"#,
    );
    let healed = story.desired(1);
    assert_eq!((healed.gains, healed.holds), (Gains::Allowed, vec![]));
    assert_eq!(
        story.grants(1),
        ["STORE at AGENT:17", "VIEW at RETAILER:1", "VIEW at AGENT:17"]
    );
}

#[test]
fn under_hold_role_the_known_roles_apply_and_only_unknown_ones_keep_the_status() {
    let mut story = Story::chicago();
    story.policy(hold_role());
    story.user(1, &["Agent_CHIC-01_STORE", "Agent_CHIC-01_Lead"]);
    story.user(2, &["Agent_CHIC-01_Lead"]);
    story.user(3, &["User"]);
    assert_eq!(
        (story.desired(1).gains, story.desired(1).grants.len()),
        (Gains::Allowed, 1)
    );
    assert_eq!(story.desired(2).status, DesiredStatus::Keep);
    let none = story.desired(3);
    assert_eq!(
        none.status,
        DesiredStatus::Inactive {
            reason: InactiveReason::NoRoles
        }
    );
    assert_eq!(
        none.notes,
        [Note::NotConvention {
            app_role: AppRole("User".to_owned())
        }]
    );
}

#[test]
fn what_vanishes_from_fluent_is_retained_and_comes_back() {
    let mut story = Story::chicago();
    story.user(1, &["Agent_CHIC-01_STORE"]);
    let gone = CatalogDifference {
        locations_removed: ["17".to_owned()].into(),
        ..CatalogDifference::default()
    };
    story.catalog(gone);
    let desired = story.desired(1);
    assert_eq!(desired.retained, [Grant::new("STORE", ContextType::Agent, "17")]);
    assert!(matches!(desired.holds[..], [Hold::Vanished { .. }]));
    assert_eq!(
        (desired.status, desired.gains),
        (DesiredStatus::Active, Gains::Withheld)
    );
    let back = Place {
        reference: "CHIC-01".to_owned(),
        active: false,
        retailer: None,
    };
    story.catalog(CatalogDifference {
        locations_set: [("17".to_owned(), back)].into(),
        ..CatalogDifference::default()
    });
    let desired = story.desired(1);
    assert_eq!(
        (desired.retained.len(), desired.holds.len(), desired.grants.len()),
        (0, 0, 1)
    );
    assert!(matches!(desired.notes[..], [Note::InactivePlace { .. }]));
}

#[test]
fn a_loss_of_many_catalog_entries_waits_for_an_approval_and_is_not_reported_twice() {
    let mut story = Story::chicago();
    story.user(1, &["Agent_CHIC-01_STORE"]);
    let losses = CatalogDifference {
        roles_removed: (0..20).map(|n| RoleName(format!("filler-{n}"))).collect(),
        locations_removed: ["17".to_owned()].into(),
        ..CatalogDifference::default()
    };
    story.catalog(losses.clone());
    let hold = HoldId::CatalogLoss { cause: story.last() };
    assert_eq!(story.desired(1).holds, []);
    let reported = story.state.catalog.reported();
    assert!(
        !reported.locations.contains_key("17") && story.state.catalog.catalog.locations.contains_key("17")
    );
    story.catalog(losses);
    assert_eq!(story.state.catalog.withheld.len(), 1);
    assert!(story.decide(hold.clone(), Decision::Approve).is_accepted());
    assert!(matches!(story.desired(1).holds[..], [Hold::Vanished { .. }]));
    assert_eq!(
        story.decide(hold, Decision::Approve),
        Verdict::Rejected {
            rejection: Rejection::NoSuchHold
        }
    );
}

#[test]
fn a_display_name_counts_only_when_its_place_is_there() {
    let mut story = Story::chicago();
    story.user(1, &[]);
    story.group(1, "Agent_CHIC-09_STORE", &[], [1]);
    assert_eq!(story.desired(1).notes, [Note::NameOnly { group: group_id(1) }]);
    assert_eq!(story.desired(1).holds, []);
    let place = Place {
        reference: "CHIC-09".to_owned(),
        active: true,
        retailer: None,
    };
    story.catalog(CatalogDifference {
        locations_set: [("9".to_owned(), place)].into(),
        ..CatalogDifference::default()
    });
    assert_eq!(story.grants(1), ["STORE at AGENT:9"]);
}

/// What came again without a change in between counts from its first event on.
#[test]
fn a_claimants_standing_rests_on_the_event_that_changed_it() {
    let mut story = Story::chicago();
    story.user(1, &["Agent_CHIC-01_STORE"]);
    let standing = |story: &Story| {
        let ix = story.state.account_ix(account(1)).unwrap();
        let explained = story.state.explanation(ix, None).unwrap();
        let (user, sequence) = explained.standing[0];
        assert_eq!((explained.standing.len(), user), (1, user_id(1)));
        u128::from(sequence.0)
    };
    let created = story.events;
    assert_eq!(standing(&story), created);
    story.change(1, |change| change.active = Some(true));
    story.change(1, |change| change.roles = Some(roles(&["Agent_CHIC-02_STORE"])));
    assert_eq!(standing(&story), created);
    for active in [false, true, false] {
        story.change(1, |change| change.active = Some(active));
        let changed = story.events;
        story.change(1, |change| change.active = Some(active));
        assert_eq!(standing(&story), changed);
    }
}

#[test]
fn nested_groups_in_a_circle_are_harmless() {
    let mut story = Story::chicago();
    story.user(1, &[]);
    story.group(1, "Team", &[], [1]);
    story.group(2, "Region", &["Agent_CHIC-02_STORE"], []);
    for (outer, inner) in [(2, 1), (1, 2), (1, 1)] {
        story.event(EventData::GroupChanged(GroupChanged {
            group: group_id(outer),
            base: None,
            display_name: None,
            external_id: Set::Keep,
            roles: None,
            removed: MemberSet::default(),
            added: MemberSet {
                users: vec![],
                groups: vec![group_id(inner)],
            },
            member_base: None,
        }));
    }
    assert_eq!(story.grants(1), ["STORE at AGENT:18"]);
}

#[test]
fn the_safety_catch_keeps_what_too_many_would_lose_until_somebody_decides() {
    let mut story = Story::chicago();
    for number in 0..40 {
        story.user(number, &[]);
    }
    story.group(1, "Associates", &["Agent_CHIC-01_STORE"], 0..40);
    story.delete_group(1);
    let cause = story.last();
    let kept = story.desired(7);
    assert_eq!(kept.status, DesiredStatus::Keep);
    assert_eq!(kept.retained, [Grant::new("STORE", ContextType::Agent, "17")]);
    assert_eq!(kept.holds, [Hold::Guard { cause }]);
    story.change(3, |change| change.active = Some(false));
    let leaver = story.desired(3);
    assert_eq!(
        (leaver.is_leaver(), leaver.retained.len(), leaver.holds.len()),
        (true, 0, 0),
        "no hold delays a leaver"
    );
    story.change(4, |change| change.roles = Some(roles(&["Agent_CHIC-01_STORE"])));
    assert_eq!(story.desired(4).holds, [], "desired again");
    assert!(
        story
            .decide(HoldId::Guard { cause }, Decision::Approve)
            .is_accepted()
    );
    assert_eq!(
        story.desired(7).status,
        DesiredStatus::Inactive {
            reason: InactiveReason::NoRoles
        }
    );
    assert_eq!(story.grants(4).len(), 1);
}

#[test]
fn leavers_are_neither_held_nor_counted_and_few_losses_pass() {
    let mut story = Story::chicago();
    for number in 0..40 {
        story.user(number, &["Agent_CHIC-01_STORE"]);
    }
    for number in 0..15 {
        story.change(number, |change| change.active = Some(false));
        assert!(story.desired(number).is_leaver());
    }
    for number in 15..35 {
        story.change(number, |change| change.roles = Some(vec![]));
        assert_eq!(story.desired(number).holds, [], "the first twenty pass");
    }
    story.change(35, |change| change.roles = Some(vec![]));
    assert!(matches!(story.desired(35).holds[..], [Hold::Guard { .. }]));
}

#[test]
fn every_derivation_names_the_events_of_its_chain_and_keeps_the_first_of_each_link() {
    let mut story = Story::chicago(); // 1
    story.user(1, &["Agent_CHIC-01_STORE"]); // 2
    story.group(1, "Team", &[], [1]); // 3
    story.group(2, "Region", &["Agent_CHIC-02_Lead"], []); // 4
    let nest = |group, users: &[u8], groups: &[u8]| {
        EventData::GroupChanged(GroupChanged {
            group: group_id(group),
            base: None,
            display_name: None,
            external_id: Set::Keep,
            roles: None,
            removed: MemberSet::default(),
            added: MemberSet {
                users: users.iter().copied().map(user_id).collect(),
                groups: groups.iter().copied().map(group_id).collect(),
            },
            member_base: None,
        })
    };
    story.event(nest(2, &[], &[1])); // 5
    story.rules(
        r#"{"rules":[{"condition":{"type":"HAS_APP_ROLE","appRole":"Lead"},"action":
            {"type":"MAPPING_ROLE_ASSIGNMENT","sourceAppRole":"Lead","targetRoles":["VIEW"]}}]}"#,
    ); // 6
    story.event(nest(2, &[], &[1])); // 7: it is there already
    story.event(nest(1, &[1], &[])); // 8: likewise
    story.change(1, |change| {
        change.name_key = Some(account(2)); // 9: a rename, and a longer list
        change.roles = Some(roles(&["Agent_CHIC-02_STORE", "Agent_CHIC-01_STORE"]));
    });
    let ix = story.state.account_ix(account(2)).unwrap();
    let explained = story.state.explanation(ix, None).unwrap();
    let mut told: Vec<(&str, Vec<(Act, u64)>)> = explained
        .derivations
        .iter()
        .map(|d| {
            let events = explained.evidence[&d.id].iter().map(|e| (e.act, e.sequence.0));
            (d.app_role.as_str(), events.collect())
        })
        .collect();
    told.sort_unstable();
    let chain = vec![
        (Act::AddedTo(group_id(1)), 3),
        (Act::NestedIn(group_id(2)), 5),
        (Act::RoleGivenTo(group_id(2)), 4),
        (Act::RulesActivated, 6),
    ];
    assert_eq!(
        told,
        [
            ("Agent_CHIC-01_STORE", vec![(Act::Assigned, 2)]),
            ("Agent_CHIC-02_Lead", chain),
            ("Agent_CHIC-02_STORE", vec![(Act::Assigned, 9)]),
        ]
    );
}

#[test]
fn a_rename_moves_the_claim_and_the_old_account_knows_its_successor() {
    let mut story = Story::chicago();
    story.user(1, &["Agent_CHIC-01_STORE"]);
    story.change(1, |change| change.name_key = Some(account(2)));
    let old = story.state.account_ix(account(1)).unwrap();
    assert_eq!(
        story.desired(1).status,
        DesiredStatus::Inactive {
            reason: InactiveReason::Deleted
        }
    );
    assert_eq!(story.desired(2).status, DesiredStatus::Active);
    assert_eq!(story.state.successor(old), Some(account(2)));
    assert_eq!(
        story
            .desired(1)
            .claimants
            .iter()
            .filter(|claimant| claimant.live)
            .count(),
        0
    );
}

#[test]
fn a_name_given_to_another_person_shows_both_claimants_until_it_is_approved() {
    let mut story = Story::chicago();
    story.user(1, &[]);
    story.event(EventData::UserDeleted(UserDeleted {
        user: user_id(1),
        base: None,
    }));
    let created = UserCreated {
        user: user_id(9),
        name_key: account(1),
        external_key: Some(ExternalKey([9; 16])),
        active: true,
        roles: roles(&["Agent_CHIC-01_STORE"]),
        personal: seal(&PersonalChange::default()),
    };
    assert!(
        story.event(EventData::UserCreated(created)).is_accepted(),
        "a deleted user's name is free"
    );
    let live: Vec<bool> = story
        .desired(1)
        .claimants
        .iter()
        .map(|claimant| claimant.live)
        .collect();
    assert_eq!(live, [true, false]);
    assert!(
        story
            .decide(HoldId::NameReused { account: account(1) }, Decision::Approve)
            .is_accepted()
    );
    assert_eq!(story.desired(1).claimants.len(), 1);
}
