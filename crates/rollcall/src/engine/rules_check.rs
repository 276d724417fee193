//! What a rule file names against what Fluent has. Nothing here is a mistake of the file: a place may be opened later.
//! The operator is told before anybody is held for it.

use std::collections::BTreeSet;

use rollcall_domain::{Action, AppRole, Catalog, ContextType, Place, RoleName, RuleSet, Shape, splits};

/// Most findings that are told one by one.
const TOLD_MAX: usize = 10;

/// What the rules name and Fluent does not have, as one text; none when all is there.
pub(super) fn missing_in_fluent(rules: &RuleSet, catalog: &Catalog, account: &str) -> Option<String> {
    let known = Known {
        catalog,
        account,
        logical: rules
            .rules
            .iter()
            .map(|rule| rule.condition.logical_role())
            .collect(),
    };
    let mut found = Vec::new();
    for (index, rule) in rules.rules.iter().enumerate() {
        let Action::MappingRoleAssignment { target_roles, .. } = &rule.action;
        let missing = target_roles.iter().filter(|role| !catalog.roles.contains(role));
        found.extend(missing.map(|role| format!("role {} (rules[{index}])", role.0)));
    }
    for (index, group) in rules.groups.iter().enumerate() {
        let unresolved = group.app_roles.iter().filter(|role| !known.resolves(role));
        found.extend(unresolved.map(|role| format!("app role {role} (groups[{index}])")));
    }
    let more = found.len().saturating_sub(TOLD_MAX);
    found.truncate(TOLD_MAX);
    if more > 0 {
        found.push(format!("{more} more"));
    }
    (!found.is_empty()).then(|| format!("not in Fluent: {}", found.join(", ")))
}

struct Known<'a> {
    catalog: &'a Catalog,
    account: &'a str,
    logical: BTreeSet<&'a str>,
}

impl Known<'_> {
    /// Whether one of the ways to cut the app role leads to a place and a role.
    fn resolves(&self, role: &AppRole) -> bool {
        match role.shape() {
            Shape::Scoped { kind, rest } => {
                splits(rest).any(|(place, role)| self.has_place(kind, place) && self.has_role(role))
            }
            Shape::NotConvention | Shape::UnknownContextType(_) => false,
        }
    }

    fn has_role(&self, role: &str) -> bool {
        self.logical.contains(role) || self.catalog.roles.contains(&RoleName(role.to_owned()))
    }

    fn has_place(&self, kind: ContextType, place: &str) -> bool {
        let has = |places: &std::collections::BTreeMap<String, Place>| {
            places.contains_key(place) || places.values().any(|known| known.reference == place)
        };
        match kind {
            ContextType::Account => place == "0" || place == self.account,
            ContextType::Retailer => has(&self.catalog.retailers),
            ContextType::Agent => has(&self.catalog.locations),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn catalog() -> Catalog {
        let place = |reference: &str| Place {
            reference: reference.to_owned(),
            active: true,
            retailer: None,
        };
        Catalog {
            roles: ["Lead", "Clerk"].map(|role| RoleName(role.to_owned())).into(),
            retailers: [("1".to_owned(), place("MIDWEST"))].into(),
            locations: [
                ("101".to_owned(), place("CHIC-01")),
                ("102".to_owned(), place("OLD_TOWN")),
            ]
            .into(),
        }
    }

    fn rules(targets: &str, app_roles: &str) -> RuleSet {
        let text = format!(
            r#"{{"rules": [{{"condition": {{"type": "HAS_APP_ROLE", "appRole": "Supervisor"}},
                "action": {{"type": "MAPPING_ROLE_ASSIGNMENT", "sourceAppRole": "Supervisor",
                "targetRoles": {targets}}}}}],
                "groups": [{{"displayName": "Floor", "appRoles": {app_roles}}}]}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn what_fluent_has_is_found_by_reference_id_logical_role_and_any_cut() {
        let all = r#"["Agent_CHIC-01_Lead", "agent_101_Supervisor", "Retailer_MIDWEST_Clerk", "Account_0_Lead",
            "Account_ACME_Lead", "Agent_OLD_TOWN_Lead"]"#;
        assert_eq!(
            missing_in_fluent(&rules(r#"["Lead", "Clerk"]"#, all), &catalog(), "ACME"),
            None
        );
    }

    #[test]
    fn what_fluent_has_not_is_told_with_its_place_in_the_file() {
        let missing = rules(
            r#"["Lead", "Boss"]"#,
            r#"["Agent_MILW-01_Lead", "Agent_CHIC-01_Boss", "User"]"#,
        );
        assert_eq!(
            missing_in_fluent(&missing, &catalog(), "ACME").unwrap(),
            "not in Fluent: role Boss (rules[0]), app role Agent_MILW-01_Lead (groups[0]), \
             app role Agent_CHIC-01_Boss (groups[0]), app role User (groups[0])"
        );
        let many: Vec<String> = (0..15)
            .map(|number| format!("\"Agent_{number}x_Lead\""))
            .collect();
        let many = rules("[\"Lead\"]", &format!("[{}]", many.join(",")));
        assert!(
            missing_in_fluent(&many, &catalog(), "ACME")
                .unwrap()
                .ends_with(", 5 more")
        );
    }
}
