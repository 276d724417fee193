//! Events of the demo's mix for benchmarks (hires into groups, role and profile changes, moves, leavers), at least 350
//! B on average, as one connection of the tenant `acme` sends them. The same in every run.
#![allow(dead_code, reason = "each benchmark uses a part of it")]

use rollcall_domain::{
    AssignedRole, CatalogChanged, CatalogDifference, ConnectionName, Event, EventData, EventId, GroupChanged,
    GroupCreated, GroupId, MemberSet, PersonalChange, Place, Revision, RoleName, RuleSet, RulesActivated,
    Set, Source, TenantId, TenantKey, Timestamp, UserChanged, UserCreated, UserId, seal,
};
use serde_json::{Value, json};
use uuid::Uuid;

/// A small generator of numbers, the same in every run.
struct Numbers(u64);
impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// Makes them, one after the other; equal for equal keys.
pub(crate) struct Mix {
    numbers: Numbers,
    key: TenantKey,
    events: u64,
    revisions: Vec<u32>,
}

const STORES: u64 = 200;
const GROUPS: u64 = 400;

fn spread(number: u64) -> Uuid {
    let mix = |x: u64| {
        x.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ x.rotate_left(31).wrapping_mul(0xff51_afd7_ed55_8ccd)
    };
    Uuid::from_u64_pair(mix(number), mix(number ^ 0xabcd_ef01))
}

fn user_id(user: u64) -> UserId {
    UserId(spread(user + 1))
}

pub(crate) fn group_id(group: u64) -> GroupId {
    GroupId(spread(group + (1 << 40)))
}

impl Mix {
    pub(crate) fn new(key: TenantKey) -> Self {
        Self {
            numbers: Numbers(7),
            key,
            events: 0,
            revisions: Vec::new(),
        }
    }

    pub(crate) fn event(&mut self, data: EventData) -> Vec<u8> {
        self.events += 1;
        let source = match &data {
            EventData::CatalogChanged(_) => Source::Fluent("catalog".to_owned()),
            EventData::RulesActivated(_) => Source::Operator("file".to_owned()),
            _ => Source::Scim(ConnectionName::new("entra").unwrap()),
        };
        Event {
            id: EventId(spread(self.events + (1 << 50))),
            source,
            time: Timestamp::from_millis(1_790_000_000_000 + i64::try_from(self.events).unwrap() * 1000),
            tenant: TenantId::new("acme").unwrap(),
            actor: "entra-token".to_owned(),
            request_id: None,
            part: None,
            data,
        }
        .encode()
    }

    /// Catalog, rules and groups.
    pub(crate) fn world(&mut self) -> Vec<Vec<u8>> {
        let place = |reference: String, retailer: Option<&str>| Place {
            reference,
            active: true,
            retailer: retailer.map(str::to_owned),
        };
        let difference = CatalogDifference {
            roles_added: ["STORE", "STORE_ASSOCIATE", "REPORT_VIEWER", "FULFILMENT"]
                .map(|r| RoleName(r.to_owned()))
                .into(),
            retailers_set: [("1".to_owned(), place("CHIC".to_owned(), None))].into(),
            locations_set: (0..STORES)
                .map(|n| ((n + 10).to_string(), place(format!("CHIC-{n:03}"), Some("1"))))
                .collect(),
            ..CatalogDifference::default()
        };
        let rules = r#"{"rules":[{"condition":{"type":"HAS_APP_ROLE","appRole":"Associate"},
            "action":{"type":"MAPPING_ROLE_ASSIGNMENT",
            "sourceAppRole":"Associate","targetRoles":["STORE_ASSOCIATE","FULFILMENT"]}}]}"#;
        let mut records = vec![
            self.event(EventData::CatalogChanged(CatalogChanged { difference })),
            self.event(EventData::RulesActivated(RulesActivated {
                version: "1".to_owned(),
                replaces: None,
                rules: RuleSet::parse(rules).unwrap(),
            })),
        ];
        for group in 0..GROUPS {
            let role = format!(
                "Agent_CHIC-{:03}_{}",
                group % STORES,
                ["Associate", "STORE"][(group % 2) as usize]
            );
            records.push(self.event(EventData::GroupCreated(GroupCreated {
                group: group_id(group),
                display_name: format!("Group {group}"),
                external_id: None,
                roles: vec![AssignedRole::plain(role)],
                members: MemberSet::default(),
            })));
        }
        records
    }

    fn role(&mut self) -> AssignedRole {
        let mut role = AssignedRole::plain(format!(
            "Agent_CHIC-{:03}_STORE_ASSOCIATE",
            self.numbers.next(STORES)
        ));
        role.kind = Some("WindowsAzureActiveDirectoryRole".to_owned());
        role
    }

    /// A hire: the user (1 or 2 roles) and four memberships.
    pub(crate) fn hire(&mut self, records: &mut Vec<Vec<u8>>) {
        let user = self.revisions.len() as u64;
        self.revisions.push(1);
        let name = format!("associate.{user}@chicago.example");
        let mut change = PersonalChange::default();
        change
            .set
            .insert("userName".to_owned(), Value::from(name.clone()));
        change.set.insert(
            "name".to_owned(),
            json!({"givenName": format!("Given{user}"), "familyName": format!("Family{user}")}),
        );
        change.set.insert(
            "emails".to_owned(),
            json!([{"value": name, "type": "work", "primary": true}]),
        );
        let roles = (0..=self.numbers.next(2)).map(|_| self.role()).collect();
        let data = UserCreated {
            user: user_id(user),
            name_key: self.key.name_key(&name),
            external_key: Some(self.key.external_key(&format!("{user}"))),
            active: true,
            roles,
            personal: seal(&change),
        };
        records.push(self.event(EventData::UserCreated(data)));
        for _ in 0..4 {
            let group = self.numbers.next(GROUPS);
            records.push(self.member(group, user, true));
        }
    }

    /// Somebody comes to a group, or goes.
    pub(crate) fn member(&mut self, group: u64, user: u64, comes: bool) -> Vec<u8> {
        let members = MemberSet {
            users: vec![user_id(user)],
            groups: vec![],
        };
        let (added, removed) = if comes {
            (members, MemberSet::default())
        } else {
            (MemberSet::default(), members)
        };
        self.event(EventData::GroupChanged(GroupChanged {
            group: group_id(group),
            base: None,
            display_name: None,
            external_id: Set::Keep,
            roles: None,
            removed,
            added,
            member_base: None,
        }))
    }

    fn change(&mut self, records: &mut Vec<Vec<u8>>) {
        let user = self.numbers.next(self.revisions.len() as u64);
        let base = Revision(self.revisions[usize::try_from(user).unwrap()]);
        self.revisions[usize::try_from(user).unwrap()] += 1;
        let mut data = UserChanged {
            user: user_id(user),
            base,
            name_key: None,
            external_key: Set::Keep,
            active: None,
            roles: None,
            personal: None,
            rehire: false,
        };
        match self.numbers.next(10) {
            0 => data.active = Some(false),
            1 | 2 => data.active = Some(true),
            3..6 => data.roles = Some(vec![self.role(), self.role()]),
            _ => {
                let mut change = PersonalChange::default();
                let family = "x".repeat(usize::try_from(self.numbers.next(20)).unwrap());
                let name =
                    json!({"givenName": format!("Given{user}"), "familyName": format!("F{user}{family}")});
                change.set.insert("name".to_owned(), name);
                change
                    .set
                    .insert("title".to_owned(), Value::from("Seasonal Fulfilment Associate"));
                data.personal = Some(seal(&change));
            }
        }
        records.push(self.event(EventData::UserChanged(data)));
    }

    /// One round of the mix: half of the events are a hire with its memberships, half are changes.
    pub(crate) fn round(&mut self, records: &mut Vec<Vec<u8>>) {
        self.hire(records);
        for _ in 0..4 {
            self.change(records);
        }
        if self.numbers.next(20) == 0 {
            let group = self.numbers.next(GROUPS);
            let user = self.numbers.next(self.revisions.len() as u64);
            let record = self.member(group, user, false);
            records.push(record);
        }
    }
}
