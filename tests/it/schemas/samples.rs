//! At least one event of every type, the fullest first; the shape of each is one that is stored.

use std::collections::BTreeMap;

use rollcall_domain::outcome::{OutcomeApplied, OutcomeDrift, OutcomeFailed, OutcomeHeld, OutcomeIntended};
use rollcall_domain::{
    AccountKey, Action, AppRole, AssignedRole, CatalogChanged, CatalogDifference, Claimant, Condition,
    ConnectionName, Context, ContextType, Decision, DecisionRecorded, DerivationId, DesiredGrant,
    DesiredStatus, DesiredUser, Event, EventData, EventId, FluentStatus, FluentUserId, Gains, Grant,
    GroupChanged, GroupCreated, GroupDeleted, GroupId, GroupRule, GroupSelector, Hold, HoldId,
    InactiveReason, MemberSet, Note, Part, PersonalChange, Place, Policy, PolicyActivated, Profile, Revision,
    RoleName, Rule, RuleSet, RulesActivated, Sequence, Set, Source, TenantId, TenantKey, TimerFired,
    Timestamp, UserChanged, UserCreated, UserDeleted, UserId, seal,
};
use serde_json::json;
use uuid::Uuid;

/// 2026-03-01T09:30:00Z.
const TIME: i64 = 1_772_357_400_000;

fn key() -> TenantKey {
    TenantKey::new([7; 32])
}

fn account() -> AccountKey {
    key().name_key("ida.moreno@chic.example")
}

fn user(n: u128) -> UserId {
    UserId(Uuid::from_u128(0x0199_5f00_0000_7000_8000_0000_0000_0000 | n))
}

fn group(n: u128) -> GroupId {
    GroupId(Uuid::from_u128(0x0199_5f00_0000_7000_8000_0001_0000_0000 | n))
}

fn event_id(n: u128) -> EventId {
    EventId(Uuid::from_u128(0x0199_5f00_0000_7000_8000_0002_0000_0000 | n))
}

fn picker() -> Grant {
    Grant::new("FULFILLMENT_PICKER", ContextType::Agent, "27")
}

fn viewer() -> Grant {
    Grant::new("REPORT_VIEWER", ContextType::Retailer, "5")
}

fn role() -> AppRole {
    AppRole("Agent_CHIC-01_Picker".to_owned())
}

fn personal() -> PersonalChange {
    let mut change = PersonalChange::default();
    change
        .set
        .insert("userName".to_owned(), json!("ida.moreno@chic.example"));
    change.set.insert(
        "name".to_owned(),
        json!({"givenName": "Ida", "familyName": "Moreno"}),
    );
    change.set.insert(
        "emails".to_owned(),
        json!([{"value": "ida.moreno@chic.example", "type": "work"}]),
    );
    change
}

fn event(source: Source, actor: &str, data: EventData) -> Event {
    Event {
        id: event_id(1),
        source,
        time: Timestamp::from_millis(TIME),
        tenant: TenantId::new("acme").unwrap(),
        actor: actor.to_owned(),
        request_id: None,
        part: None,
        data,
    }
}

fn scim(data: EventData) -> Event {
    event(Source::Scim(ConnectionName::new("entra").unwrap()), "entra", data)
}

fn operator(data: EventData) -> Event {
    event(Source::Operator("cli".to_owned()), "operator", data)
}

fn rollcall(part: &str, data: EventData) -> Event {
    event(Source::Rollcall(part.to_owned()), part, data)
}

/// All samples by their type.
pub(super) fn by_type() -> BTreeMap<&'static str, Vec<Event>> {
    let mut samples: BTreeMap<&'static str, Vec<Event>> = BTreeMap::new();
    let all = users()
        .into_iter()
        .chain(groups())
        .chain(settings())
        .chain(desired())
        .chain(outcomes());
    for event in all {
        samples.entry(event.data.kind()).or_default().push(event);
    }
    samples
}

fn users() -> Vec<Event> {
    let created = UserCreated {
        user: user(1),
        name_key: account(),
        external_key: Some(key().external_key("00u1a2b3")),
        active: true,
        roles: vec![AssignedRole {
            value: role(),
            display: Some("Picker at CHIC-01".to_owned()),
            kind: Some("WindowsAzureActiveDirectoryRole".to_owned()),
            primary: true,
            idp_id: Some("18d14569-c3bd-439b-9a66-3a2aee01d14f".to_owned()),
        }],
        personal: seal(&personal()),
    };
    let plain = UserCreated {
        external_key: None,
        active: false,
        roles: Vec::new(),
        ..created.clone()
    };
    let changed = UserChanged {
        user: user(1),
        base: Revision::FIRST,
        name_key: Some(key().name_key("ida.suarez@chic.example")),
        external_key: Set::To(key().external_key("00u1a2b4")),
        active: Some(true),
        roles: Some(vec![AssignedRole::plain("Agent_CHIC-01_Picker")]),
        personal: Some(seal(&personal())),
        rehire: false,
    };
    let deactivated = UserChanged {
        user: user(1),
        base: Revision(2),
        name_key: None,
        external_key: Set::Keep,
        active: Some(false),
        roles: None,
        personal: None,
        rehire: false,
    };
    let hired_again = UserChanged {
        base: Revision(3),
        active: Some(true),
        rehire: true,
        ..deactivated.clone()
    };
    let cleared = UserChanged {
        external_key: Set::Clear,
        active: None,
        roles: Some(Vec::new()),
        ..deactivated.clone()
    };
    let mut with_request = scim(EventData::UserCreated(created));
    with_request.request_id = Some("0f8fad5b-d9cb-469f-a165-70867728950e".to_owned());
    vec![
        with_request,
        scim(EventData::UserCreated(plain)),
        scim(EventData::UserChanged(changed)),
        scim(EventData::UserChanged(deactivated)),
        scim(EventData::UserChanged(hired_again)),
        scim(EventData::UserChanged(cleared)),
        scim(EventData::UserDeleted(UserDeleted {
            user: user(1),
            base: Some(Revision(3)),
        })),
        scim(EventData::UserDeleted(UserDeleted {
            user: user(1),
            base: None,
        })),
    ]
}

fn groups() -> Vec<Event> {
    let created = GroupCreated {
        group: group(1),
        display_name: "Seasonal CHIC-01".to_owned(),
        external_id: Some("9c1d".to_owned()),
        roles: vec![AssignedRole::plain("Agent_CHIC-01_Picker")],
        members: MemberSet {
            users: vec![user(1), user(2)],
            groups: vec![group(2)],
        },
    };
    let plain = GroupCreated {
        external_id: None,
        roles: Vec::new(),
        members: MemberSet::default(),
        ..created.clone()
    };
    let nothing = GroupChanged {
        group: group(1),
        base: None,
        display_name: None,
        external_id: Set::Keep,
        roles: None,
        removed: MemberSet::default(),
        added: MemberSet::default(),
        member_base: None,
    };
    let changed = GroupChanged {
        base: Some(Revision::FIRST),
        display_name: Some("Winter CHIC-01".to_owned()),
        external_id: Set::To("9c1e".to_owned()),
        roles: Some(vec![AssignedRole::plain("Agent_CHIC-01_Picker")]),
        removed: MemberSet {
            users: vec![user(1)],
            groups: vec![group(2)],
        },
        added: MemberSet {
            users: vec![user(3)],
            groups: vec![group(3)],
        },
        member_base: Some(Revision(4)),
        ..nothing.clone()
    };
    let member = GroupChanged {
        added: MemberSet {
            users: vec![user(3)],
            groups: Vec::new(),
        },
        ..nothing.clone()
    };
    let cleared = GroupChanged {
        base: Some(Revision(2)),
        external_id: Set::Clear,
        ..nothing
    };
    let mut part = scim(EventData::GroupChanged(member.clone()));
    part.request_id = Some("5b0c".to_owned());
    part.part = Some(Part { index: 2, count: 3 });
    vec![
        scim(EventData::GroupCreated(created)),
        scim(EventData::GroupCreated(plain)),
        scim(EventData::GroupChanged(changed)),
        scim(EventData::GroupChanged(member)),
        scim(EventData::GroupChanged(cleared)),
        part,
        scim(EventData::GroupDeleted(GroupDeleted {
            group: group(1),
            base: Some(Revision(3)),
        })),
        scim(EventData::GroupDeleted(GroupDeleted {
            group: group(1),
            base: None,
        })),
    ]
}

fn rules() -> RuleSet {
    RuleSet {
        rules: vec![Rule {
            condition: Condition::HasAppRole {
                app_role: "Picker".to_owned(),
            },
            action: Action::MappingRoleAssignment {
                source_app_role: "Picker".to_owned(),
                target_roles: vec![
                    RoleName("FULFILLMENT_PICKER".to_owned()),
                    RoleName("STORE".to_owned()),
                ],
                also_retailer: true,
            },
        }],
        groups: vec![
            GroupRule {
                group: GroupSelector::DisplayName("Seasonal CHIC-01".to_owned()),
                app_roles: vec![role()],
            },
            GroupRule {
                group: GroupSelector::ExternalId("9c1d".to_owned()),
                app_roles: vec![role()],
            },
        ],
    }
}

fn settings() -> Vec<Event> {
    let place = |reference: &str, retailer: Option<&str>| Place {
        reference: reference.to_owned(),
        active: true,
        retailer: retailer.map(str::to_owned),
    };
    let difference = CatalogDifference {
        roles_added: [RoleName("STORE".to_owned())].into(),
        roles_removed: [RoleName("OLD".to_owned())].into(),
        retailers_set: [("5".to_owned(), place("CHIC", None))].into(),
        retailers_removed: ["6".to_owned()].into(),
        locations_set: [("27".to_owned(), place("CHIC-01", Some("5")))].into(),
        locations_removed: ["28".to_owned()].into(),
    };
    let catalog = |difference| {
        let source = Source::Fluent("catalog".to_owned());
        event(
            source,
            "catalog",
            EventData::CatalogChanged(CatalogChanged { difference }),
        )
    };
    let decision = |hold, decision, reason: Option<&str>| {
        let reason = reason.map(str::to_owned);
        operator(EventData::DecisionRecorded(DecisionRecorded {
            hold,
            decision,
            reason,
        }))
    };
    let version = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned();
    let activated = |replaces: Option<&str>, rules| {
        operator(EventData::RulesActivated(RulesActivated {
            version: version.clone(),
            replaces: replaces.map(str::to_owned),
            rules,
        }))
    };
    vec![
        activated(
            Some("60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"),
            rules(),
        ),
        activated(None, RuleSet::default()),
        event(
            Source::Operator("config".to_owned()),
            "configuration",
            EventData::PolicyActivated(PolicyActivated {
                policy: Policy {
                    account_name: Some("ACME".to_owned()),
                    ..Policy::default()
                },
            }),
        ),
        catalog(difference),
        catalog(CatalogDifference::default()),
        rollcall(
            "timer",
            EventData::TimerFired(TimerFired {
                timer: "guard".to_owned(),
            }),
        ),
        decision(
            HoldId::Guard { cause: event_id(2) },
            Decision::Approve,
            Some("the store closes"),
        ),
        decision(HoldId::CatalogLoss { cause: event_id(3) }, Decision::Reject, None),
        decision(HoldId::NameReused { account: account() }, Decision::Approve, None),
    ]
}

fn holds() -> Vec<Hold> {
    let near = Some("CHIC-01".to_owned());
    let context = |id: &str| Context {
        kind: ContextType::Agent,
        id: id.to_owned(),
    };
    vec![
        Hold::UnknownRole {
            app_role: role(),
            role: RoleName("Picker".to_owned()),
            near: None,
        },
        Hold::UnknownPlace {
            app_role: role(),
            context_type: ContextType::Agent,
            identifier: "chic-01".to_owned(),
            near,
        },
        Hold::UnknownContextType {
            app_role: AppRole("Store_1_Manager".to_owned()),
        },
        Hold::Ambiguous {
            app_role: role(),
            first: context("27"),
            second: context("28"),
        },
        Hold::Vanished { app_role: role() },
        Hold::UserNameTooLong {
            length: 300,
            limit: 255,
        },
        Hold::NoEmail,
        Hold::TooManyGrants {
            count: 256_000,
            limit: 4_000,
        },
        Hold::NameReused,
        Hold::SeveralConnections,
        Hold::Guard { cause: event_id(2) },
        Hold::Protected,
    ]
}

fn desired() -> Vec<Event> {
    let claimant = Claimant {
        user: user(1),
        connection: ConnectionName::new("entra").unwrap(),
        live: true,
        external_key: Some(key().external_key("00u1a2b3")),
    };
    let profile = Profile {
        username: "ida.moreno@chic.example".to_owned(),
        first_name: "Ida".to_owned(),
        last_name: "Moreno".to_owned(),
        primary_email: Some("ida.moreno@chic.example".to_owned()),
    };
    let active = DesiredUser {
        account: account(),
        sequence: Sequence(42),
        status: DesiredStatus::Active,
        gains: Gains::Withheld,
        profile: Some(seal(&profile)),
        grants: vec![DesiredGrant {
            grant: picker(),
            because: vec![DerivationId(1), DerivationId(0xabc)],
        }],
        retained: vec![viewer()],
        holds: holds(),
        notes: vec![
            Note::NotConvention {
                app_role: AppRole("User".to_owned()),
            },
            Note::NameOnly { group: group(1) },
            Note::InactivePlace {
                context: picker().context,
            },
            Note::Cut {
                field: "firstName".to_owned(),
            },
        ],
        claimants: vec![claimant],
    };
    let leaver = |reason| DesiredUser {
        account: account(),
        sequence: Sequence(43),
        status: DesiredStatus::Inactive { reason },
        gains: Gains::Allowed,
        profile: None,
        grants: Vec::new(),
        retained: Vec::new(),
        holds: Vec::new(),
        notes: Vec::new(),
        claimants: Vec::new(),
    };
    let kept = DesiredUser {
        status: DesiredStatus::Keep,
        ..leaver(InactiveReason::Deleted)
    };
    [
        active,
        leaver(InactiveReason::Deactivated),
        leaver(InactiveReason::Deleted),
        leaver(InactiveReason::NoRoles),
        kept,
    ]
    .into_iter()
    .map(|user| rollcall("projector", EventData::UserDesired(Box::new(user))))
    .collect()
}

fn outcomes() -> Vec<Event> {
    let plan = "3b8e".repeat(16);
    let fluent_user = Some(FluentUserId("10042".to_owned()));
    let intended = OutcomeIntended {
        account: account(),
        serves: Sequence(42),
        plan,
        fluent_user: fluent_user.clone(),
        create: true,
        status: Some(FluentStatus::Active),
        add: vec![picker()],
        adopt: vec![viewer()],
        remove: vec![Grant::new("STORE", ContextType::Account, "0")],
        profile: true,
        claimant: Some(key().external_key("00u1a2b3")),
        personal: Some(seal(&"ida.moreno@chic.example")),
    };
    let applied = OutcomeApplied {
        account: account(),
        intent: Some(event_id(4)),
        serves: Sequence(42),
        fluent_user,
        created: true,
        status: Some(FluentStatus::Active),
        owned: vec![picker(), viewer()],
        added: vec![picker()],
        removed: vec![Grant::new("STORE", ContextType::Account, "0")],
        claimant: Some(key().external_key("00u1a2b3")),
    };
    let failed = OutcomeFailed {
        account: account(),
        intent: Some(event_id(4)),
        serves: Sequence(42),
        code: "C0011E".to_owned(),
        retryable: true,
        settled: true,
        unsettled_until: Some(Timestamp::from_millis(TIME + 120_000)),
        attempt: 3,
    };
    let drift = OutcomeDrift {
        account: account(),
        serves: Sequence(42),
        missing: vec![picker()],
        foreign: vec![viewer()],
        status: Some(FluentStatus::Other("CREATED".to_owned())),
    };
    let held = OutcomeHeld {
        account: account(),
        serves: Sequence(42),
        holds: holds(),
    };
    [
        EventData::OutcomeIntended(intended),
        EventData::OutcomeApplied(applied),
        EventData::OutcomeHeld(held),
        EventData::OutcomeFailed(failed),
        EventData::OutcomeDrift(drift),
    ]
    .into_iter()
    .map(|data| rollcall("reconciler", data))
    .collect()
}
