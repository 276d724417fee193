//! The people and groups of the benchmarks: as SCIM requests, as events, and as users of the simulator.

use rollcall_domain::{
    AssignedRole, CatalogChanged, CatalogDifference, ConnectionName, Event, EventData, EventId, GroupChanged,
    GroupCreated, GroupId, MemberSet, PersonalChange, Place, Revision, RoleName, RuleSet, RulesActivated,
    Set, Source, TenantId, TenantKey, Timestamp, UserCreated, UserId, seal,
};
use rollcall_eventlog::Record;
use rollcall_fluent_sim::{Seed, SeedLocation, SeedRetailer};
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) const STORES: u64 = 200;
pub(crate) const GROUPS: u64 = 400;
/// Users of one append.
pub(crate) const BATCH: u64 = 500;

pub(crate) const RULES: &str = r#"{"rules":[{"condition":{"type":"HAS_APP_ROLE","appRole":"Associate"},
"action":{"type":"MAPPING_ROLE_ASSIGNMENT","sourceAppRole":"Associate",
"targetRoles":["STORE_ASSOCIATE","FULFILMENT"]}}]}"#;

const ROLES: [&str; 5] = ["ADMIN", "STORE", "STORE_ASSOCIATE", "REPORT_VIEWER", "FULFILMENT"];

pub(crate) fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn store(number: u64) -> String {
    format!("CHIC-{number:03}")
}

pub(crate) fn store_role(number: u64, role: &str) -> String {
    format!("Agent_{}_{role}", store(number % STORES))
}

/// What the simulated Fluent holds at first.
pub(crate) fn seed() -> Seed {
    Seed {
        roles: ROLES.map(str::to_owned).into(),
        retailers: vec![SeedRetailer {
            id: Some(1),
            reference: "CHIC".to_owned(),
            trading_name: None,
            status: "ACTIVE".to_owned(),
        }],
        locations: (0..STORES)
            .map(|number| SeedLocation {
                id: Some(number + 10),
                reference: store(number),
                name: None,
                retailer: "CHIC".to_owned(),
                status: "ACTIVE".to_owned(),
            })
            .collect(),
        users: Vec::new(),
    }
}

pub(crate) fn name(kind: &str, number: u64) -> String {
    format!("{kind}.{number}@chicago.example")
}

/// The SCIM resource of a person with these app roles.
pub(crate) fn scim_user(kind: &str, number: u64, roles: &[String]) -> String {
    let name = name(kind, number);
    let roles: Vec<Value> = roles
        .iter()
        .map(|role| json!({"primary": true, "type": "WindowsAzureActiveDirectoryRole", "value": role}))
        .collect();
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "externalId": format!("00u-{kind}-{number:08}"),
        "userName": name,
        "active": true,
        "displayName": format!("Given{number} Family{number}"),
        "name": {"formatted": format!("Given{number} Family{number}"), "familyName": format!("Family{number}"),
                 "givenName": format!("Given{number}")},
        "emails": [{"primary": true, "type": "work", "value": name}],
        "roles": roles,
    })
    .to_string()
}

/// Makes events as a SCIM connection would.
pub(crate) struct Events {
    key: TenantKey,
    now: Timestamp,
}

impl Events {
    pub(crate) fn new(key: TenantKey, now_ms: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970")]
        let now = Timestamp::from_millis(now_ms as i64);
        Self { key, now }
    }

    pub(crate) fn key(&self) -> &TenantKey {
        &self.key
    }

    pub(crate) fn event(&self, source: Source, data: EventData) -> Event {
        Event {
            id: EventId(Uuid::now_v7()),
            source,
            time: self.now,
            tenant: tenant(),
            actor: "entra-token".to_owned(),
            request_id: None,
            part: None,
            data,
        }
    }

    fn scim(&self, data: EventData) -> Record {
        let source = Source::Scim(ConnectionName::new("entra").unwrap());
        Record::new(tenant().as_str().to_owned(), self.event(source, data).encode())
    }

    /// Catalog and rules, as the simulator and the rule file have them.
    pub(crate) fn world(&self) -> Vec<Record> {
        let place = |reference: String, retailer: Option<&str>| Place {
            reference,
            active: true,
            retailer: retailer.map(str::to_owned),
        };
        let difference = CatalogDifference {
            roles_added: ROLES.map(|role| RoleName(role.to_owned())).into(),
            retailers_set: [("1".to_owned(), place("CHIC".to_owned(), None))].into(),
            locations_set: (0..STORES)
                .map(|number| ((number + 10).to_string(), place(store(number), Some("1"))))
                .collect(),
            ..CatalogDifference::default()
        };
        let rules = RulesActivated {
            version: "1".to_owned(),
            replaces: None,
            rules: RuleSet::parse(RULES).unwrap(),
        };
        let of = |source, data| Record::new(tenant().as_str().to_owned(), self.event(source, data).encode());
        vec![
            of(
                Source::Fluent("catalog".to_owned()),
                EventData::CatalogChanged(CatalogChanged { difference }),
            ),
            of(
                Source::Operator("file".to_owned()),
                EventData::RulesActivated(rules),
            ),
        ]
    }

    pub(crate) fn group(&self, group: GroupId, display_name: &str, roles: &[String]) -> Record {
        self.scim(EventData::GroupCreated(GroupCreated {
            group,
            display_name: display_name.to_owned(),
            external_id: None,
            roles: roles.iter().cloned().map(AssignedRole::plain).collect(),
            members: MemberSet::default(),
        }))
    }

    /// The groups that everybody is spread over.
    pub(crate) fn groups(&self) -> (Vec<GroupId>, Vec<Record>) {
        let ids: Vec<GroupId> = (0..GROUPS).map(|_| GroupId(Uuid::new_v4())).collect();
        let records = ids.iter().zip(0..).map(|(id, number)| {
            let role = store_role(number, ["Associate", "STORE"][usize::from(number % 2 == 1)]);
            self.group(*id, &format!("Group {number}"), &[role])
        });
        let records = records.collect();
        (ids, records)
    }

    pub(crate) fn members(&self, group: GroupId, added: Vec<UserId>) -> Record {
        self.scim(EventData::GroupChanged(GroupChanged {
            group,
            base: None::<Revision>,
            display_name: None,
            external_id: Set::Keep,
            roles: None,
            removed: MemberSet::default(),
            added: MemberSet {
                users: added,
                groups: vec![],
            },
            member_base: None,
        }))
    }

    /// A person with one or two personal roles.
    pub(crate) fn hire(&self, user: UserId, kind: &str, number: u64) -> Record {
        let name = name(kind, number);
        let mut change = PersonalChange::default();
        change
            .set
            .insert("userName".to_owned(), Value::from(name.clone()));
        change.set.insert(
            "name".to_owned(),
            json!({"givenName": format!("Given{number}"), "familyName": format!("Family{number}")}),
        );
        change.set.insert(
            "emails".to_owned(),
            json!([{"value": name, "type": "work", "primary": true}]),
        );
        let roles = (0..=number % 2).map(|at| {
            let mut role = AssignedRole::plain(store_role(number * 7 + at * 31, "STORE_ASSOCIATE"));
            role.kind = Some("WindowsAzureActiveDirectoryRole".to_owned());
            role
        });
        self.scim(EventData::UserCreated(UserCreated {
            user,
            name_key: self.key.name_key(&name),
            external_key: Some(self.key.external_key(&format!("00u-{kind}-{number:08}"))),
            active: true,
            roles: roles.collect(),
            personal: seal(&change),
        }))
    }

    /// A batch of people, each in the groups given and in others of `groups` so that there are four in all.
    pub(crate) fn batch(&self, kind: &str, batch: u64, groups: &[GroupId], also: &[GroupId]) -> Vec<Record> {
        let users: Vec<UserId> = (0..BATCH).map(|_| UserId(Uuid::new_v4())).collect();
        let numbers = batch * BATCH..;
        let mut records: Vec<Record> = numbers
            .zip(&users)
            .map(|(number, user)| self.hire(*user, kind, number))
            .collect();
        for group in also {
            records.push(self.members(*group, users.clone()));
        }
        for place in also.len()..4 {
            let at = usize::try_from((batch + 97 * place as u64) % GROUPS).unwrap();
            records.push(self.members(groups[at], users.clone()));
        }
        records
    }
}
