//! The rule sets, policies and catalogs that the generator draws from, by number.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_domain::*;

const FLUENT_ROLES: [&str; 5] = ["STORE", "VIEW", "B_STORE", "BOTH", "GONE"];

fn rule(condition: &str, source: &str, targets: &[&str], also_retailer: bool) -> Rule {
    Rule {
        condition: Condition::HasAppRole {
            app_role: condition.to_owned(),
        },
        action: Action::MappingRoleAssignment {
            source_app_role: source.to_owned(),
            target_roles: targets.iter().map(|t| RoleName((*t).to_owned())).collect(),
            also_retailer,
        },
    }
}

pub(super) fn rules(set: u8) -> RuleSet {
    let by_name = GroupRule {
        group: GroupSelector::DisplayName("g0".to_owned()),
        app_roles: vec![
            AppRole("Agent_A_STORE".to_owned()),
            AppRole("Retailer_R_LEAD".to_owned()),
        ],
    };
    let by_external = GroupRule {
        group: GroupSelector::ExternalId("x0".to_owned()),
        app_roles: vec![AppRole("Agent_A_LEAD".to_owned())],
    };
    let lead = rule("LEAD", "LEAD", &["STORE", "VIEW"], false);
    match set {
        0 => RuleSet::default(),
        1 => RuleSet {
            rules: vec![lead],
            groups: vec![by_name],
        },
        2 => RuleSet {
            rules: vec![rule("LEAD", "LEAD", &["STORE", "MISSING"], true)],
            groups: vec![by_external],
        },
        3 => RuleSet {
            rules: vec![lead, rule("BOTH", "BOTH", &["VIEW"], true)],
            groups: vec![by_name, by_external],
        },
        4 => RuleSet {
            rules: vec![
                lead,
                rule("LEAD", "COND", &["VIEW"], false),
                rule("LEAD", "STORE", &["GONE"], true),
            ],
            groups: vec![by_name],
        },
        _ => RuleSet {
            rules: vec![
                rule("LEAD", "LEAD", &["VIEW"], true),
                rule("LEAD", "LEAD", &["GONE"], false),
            ],
            groups: vec![],
        },
    }
}

pub(super) fn policy(number: u8) -> Policy {
    let guard = GuardPolicy {
        min: u32::from(number % 3),
        percent: if number == 3 { 0.0 } else { 1.0 },
    };
    let mut policy = Policy {
        guard,
        ..Policy::default()
    };
    if number.is_multiple_of(2) {
        policy.unknown_roles = UnknownRoles::HoldRole;
    }
    if number == 4 {
        policy.shared_accounts = SharedAccounts::Hold;
    }
    if number != 5 {
        policy.account_name = Some("acme".to_owned());
    }
    policy
}

/// A difference of the catalog. The first is large enough for single losses to need no approval.
pub(super) fn catalog(gone: bool, what: u8) -> CatalogDifference {
    let mut d = CatalogDifference::default();
    let place = |reference: &str, active| Place {
        reference: reference.to_owned(),
        active,
        retailer: Some("9".to_owned()),
    };
    let role = |n: usize| RoleName(FLUENT_ROLES[n].to_owned());
    match (what, gone) {
        (0..=4, false) => {
            d.roles_added = BTreeSet::from([role(usize::from(what))]);
        }
        (0..=4, true) => {
            d.roles_removed = BTreeSet::from([role(usize::from(what))]);
        }
        (5, false) => {
            d.retailers_set = BTreeMap::from([(
                "9".to_owned(),
                Place {
                    retailer: None,
                    ..place("R", true)
                },
            )]);
        }
        (5, true) => {
            d.retailers_removed = BTreeSet::from(["9".to_owned()]);
        }
        (6, false) => {
            d.locations_set = BTreeMap::from([("1".to_owned(), place("A", true))]);
        }
        (6, true) => {
            d.locations_removed = BTreeSet::from(["1".to_owned()]);
        }
        (7, false) => {
            d.locations_set = BTreeMap::from([("2".to_owned(), place("A_B", false))]);
        }
        (7, true) => {
            d.locations_removed = BTreeSet::from(["2".to_owned()]);
        }
        (8, false) => {
            d.locations_set = BTreeMap::from([("3".to_owned(), place("1", true))]);
        }
        (8, true) => {
            d.locations_removed = BTreeSet::from(["3".to_owned()]);
        }
        (9, _) => {
            d.locations_set = BTreeMap::from([("1".to_owned(), place("Z", true))]);
        }
        (10, false) => {
            d.locations_set = BTreeMap::from([("4".to_owned(), place("A", true))]);
        }
        (10, true) => {
            d.locations_removed = BTreeSet::from(["4".to_owned(), "2".to_owned()]);
        }
        // So much that it waits for an approval.
        (11, true) => {
            d.roles_removed = (0..20).map(|n| RoleName(format!("filler-{n}"))).collect();
            d.locations_removed = BTreeSet::from(["4".to_owned()]);
        }
        // Two places swap their refs, or a ref comes to a place that had another.
        (13, false) => {
            d.locations_set = BTreeMap::from([
                ("1".to_owned(), place("A_B", true)),
                ("2".to_owned(), place("A", true)),
            ]);
        }
        (13, true) => {
            d.locations_set = BTreeMap::from([
                ("1".to_owned(), place("Z", true)),
                ("4".to_owned(), place("A", true)),
            ]);
        }
        // Another retailer, and a location that passes to it.
        (14, _) => {
            let second = Place {
                retailer: None,
                ..place(if gone { "R" } else { "R8" }, true)
            };
            d.retailers_set = BTreeMap::from([("8".to_owned(), second)]);
        }
        (15, _) => {
            let passed = Place {
                retailer: (!gone).then(|| "8".to_owned()),
                ..place("A", true)
            };
            d.locations_set = BTreeMap::from([("1".to_owned(), passed)]);
        }
        // Of two that share a ref one goes or is renamed.
        (16, false) => {
            d.locations_set = BTreeMap::from([("4".to_owned(), place("Q", true))]);
        }
        (16, true) => {
            d.locations_removed = BTreeSet::from(["4".to_owned()]);
        }
        _ => {
            d.roles_added = (0..300)
                .map(|n| RoleName(format!("filler-{n}")))
                .chain((0..5).map(role))
                .collect();
            d.locations_set = BTreeMap::from([("1".to_owned(), place("A", true))]);
            d.retailers_set = BTreeMap::from([(
                "9".to_owned(),
                Place {
                    retailer: None,
                    ..place("R", true)
                },
            )]);
        }
    }
    d
}
