//! Rule sets: how logical roles and groups become Fluent roles.
//!
//! The JSON of Fluent's own SCIM Connector (fluent.md 5.3) loads unchanged; beside its `rules` stands our `groups`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AppRole, RoleName};

/// Most rules and group entries in one set: far above any seen, and an event still fits into its bound.
pub const RULES_MAX: usize = 10_000;
/// Most targets of one rule, and most app roles of one group entry.
pub const TARGETS_MAX: usize = 256;

/// A validated rule set. Its meaning is the union of its entries; their order has none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct RuleSet {
    /// Expansions of logical roles.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// App roles that groups carry by their name or external id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupRule>,
}

/// One entry of `rules`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rule {
    /// When the rule applies.
    pub condition: Condition,
    /// What it does then.
    pub action: Action,
}

/// When a rule applies: the user holds an app role with this logical role, in whatever context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Condition {
    /// The only condition that Fluent's connector knows.
    #[serde(rename = "HAS_APP_ROLE", rename_all = "camelCase")]
    HasAppRole {
        /// The logical role: the last part of an app role, without type and place.
        app_role: String,
    },
}

impl Condition {
    /// The logical role that is asked for.
    #[must_use]
    pub fn logical_role(&self) -> &str {
        match self {
            Self::HasAppRole { app_role } => app_role,
        }
    }
}

/// What a rule does: the logical role is replaced by Fluent roles in the same context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Action {
    /// The only action that Fluent's connector knows.
    #[serde(rename = "MAPPING_ROLE_ASSIGNMENT", rename_all = "camelCase")]
    MappingRoleAssignment {
        /// The logical role that is translated; equal to the condition's in every file seen.
        source_app_role: String,
        /// The Fluent roles that it means.
        target_roles: Vec<RoleName>,
        /// Grant the same roles in the context of the owning retailer too. Off by default: it widens access.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        also_retailer: bool,
    },
}

/// A group, known by its display name or its external id, and the app roles that it carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupRule {
    /// How the group is known.
    #[serde(flatten)]
    pub group: GroupSelector,
    /// The app roles that its members get.
    pub app_roles: Vec<AppRole>,
}

/// How a group rule names its group. Compared exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GroupSelector {
    /// By `displayName`.
    #[serde(rename = "displayName")]
    DisplayName(String),
    /// By `externalId`.
    #[serde(rename = "externalId")]
    ExternalId(String),
}

/// One mistake in a rule file: where and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleProblem {
    /// A path such as `rules[3].action.targetRoles`.
    pub place: String,
    /// What is wrong and what belongs there.
    pub problem: String,
}

/// All mistakes of a rule file at once: it is taken whole or refused whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rule set has {} mistake(s): {}", .0.len(), list(.0))]
pub struct RuleErrors(pub Vec<RuleProblem>);

fn list(problems: &[RuleProblem]) -> String {
    problems
        .iter()
        .map(|p| format!("{}: {}", p.place, p.problem))
        .collect::<Vec<_>>()
        .join("; ")
}

impl RuleSet {
    /// Reads and validates a rule file whole. Unknown members are ignored, since the connector's file may hold some.
    ///
    /// # Errors
    /// [`RuleErrors`] with every mistake and its place; trying again without a change does not help.
    pub fn parse(json: &str) -> Result<Self, RuleErrors> {
        let one = |place: &str, problem: String| {
            RuleErrors(vec![RuleProblem {
                place: place.to_owned(),
                problem,
            }])
        };
        let file: Value =
            serde_json::from_str(json).map_err(|e| one("the file", format!("not JSON: {e}")))?;
        let Value::Object(file) = file else {
            return Err(one(
                "the file",
                "must be an object with \"rules\" and \"groups\"".to_owned(),
            ));
        };
        let mut problems = Vec::new();
        let set = Self {
            rules: read_list(file.get("rules"), "rules", &mut problems),
            groups: read_list(file.get("groups"), "groups", &mut problems),
        };
        if !file.contains_key("rules") && !file.contains_key("groups") {
            problems.push(problem("the file", "has neither \"rules\" nor \"groups\""));
        }
        set.check(&mut problems);
        if problems.is_empty() {
            Ok(set)
        } else {
            Err(RuleErrors(problems))
        }
    }

    fn check(&self, problems: &mut Vec<RuleProblem>) {
        for (at, rule) in self.rules.iter().enumerate() {
            let Action::MappingRoleAssignment {
                source_app_role,
                target_roles,
                ..
            } = &rule.action;
            let place = format!("rules[{at}]");
            if rule.condition.logical_role().trim().is_empty() {
                problems.push(problem(
                    &format!("{place}.condition.appRole"),
                    "must not be empty",
                ));
            }
            if source_app_role.trim().is_empty() {
                problems.push(problem(
                    &format!("{place}.action.sourceAppRole"),
                    "must not be empty",
                ));
            }
            let roles: Vec<&str> = target_roles.iter().map(|r| r.0.as_str()).collect();
            check_targets(&roles, &format!("{place}.action.targetRoles"), problems);
        }
        for (at, group) in self.groups.iter().enumerate() {
            let (GroupSelector::DisplayName(name) | GroupSelector::ExternalId(name)) = &group.group;
            if name.trim().is_empty() {
                problems.push(problem(&format!("groups[{at}]"), "its name must not be empty"));
            }
            let roles: Vec<&str> = group.app_roles.iter().map(AppRole::as_str).collect();
            check_targets(&roles, &format!("groups[{at}].appRoles"), problems);
            for role in &group.app_roles {
                if matches!(role.shape(), crate::Shape::NotConvention) {
                    let text = "an app role must read CONTEXT-TYPE_PLACE_ROLE, such as Agent_CHIC-01_Picker";
                    problems.push(problem(&format!("groups[{at}].appRoles"), text));
                }
            }
        }
    }
}

fn problem(place: &str, text: &str) -> RuleProblem {
    RuleProblem {
        place: place.to_owned(),
        problem: text.to_owned(),
    }
}

fn check_targets(targets: &[&str], place: &str, problems: &mut Vec<RuleProblem>) {
    if targets.is_empty() || targets.len() > TARGETS_MAX {
        problems.push(problem(place, &format!("must name 1 to {TARGETS_MAX} roles")));
    }
    let mut seen = BTreeSet::new();
    for target in targets {
        if target.trim().is_empty() {
            problems.push(problem(place, "a role name must not be empty"));
        } else if !seen.insert(*target) {
            problems.push(problem(place, &format!("names {target:?} twice")));
        }
    }
}

/// Reads a list entry by entry, so that every bad one is named and not only the first.
fn read_list<T: serde::de::DeserializeOwned>(
    list: Option<&Value>,
    place: &str,
    problems: &mut Vec<RuleProblem>,
) -> Vec<T> {
    let entries = match list {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(entries)) if entries.len() <= RULES_MAX => entries,
        Some(Value::Array(_)) => {
            problems.push(problem(place, &format!("holds more than {RULES_MAX} entries")));
            return Vec::new();
        }
        Some(_) => {
            problems.push(problem(place, "must be a list"));
            return Vec::new();
        }
    };
    let mut read = Vec::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        match T::deserialize(entry) {
            Ok(entry) => read.push(entry),
            Err(e) => problems.push(problem(&format!("{place}[{at}]"), &e.to_string())),
        }
    }
    read
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn the_json_of_fluents_connector_loads_unchanged() {
        let set = RuleSet::parse(
            r#"{"rules":[{"condition":{"type":"HAS_APP_ROLE","appRole":"Regional_Lead"},
                "action":{"type":"MAPPING_ROLE_ASSIGNMENT","sourceAppRole":"Regional_Lead",
                          "targetRoles":["STORE","REPORT_VIEWER"]}}]}"#,
        )
        .unwrap();
        let Action::MappingRoleAssignment {
            target_roles,
            also_retailer,
            ..
        } = &set.rules[0].action;
        assert_eq!(target_roles.len(), 2);
        assert!(!also_retailer, "it widens access, so it must be asked for");
        assert_eq!(
            RuleSet::parse(&serde_json::to_string(&set).unwrap()).unwrap(),
            set
        );
    }

    #[test]
    fn every_mistake_of_a_file_is_named_at_once() {
        let errors = RuleSet::parse(
            r#"{"rules":[{"condition":{"type":"HAS_APP_ROLE","appRole":""},
                          "action":{"type":"MAPPING_ROLE_ASSIGNMENT","sourceAppRole":"A","targetRoles":[]}},
                         {"condition":{"type":"IN_GROUP","appRole":"B"}}],
                "groups":[{"displayName":"X","appRoles":["nonsense"]},{"appRoles":["Agent_1_A"]}]}"#,
        )
        .unwrap_err();
        let places: Vec<&str> = errors.0.iter().map(|p| p.place.as_str()).collect();
        for place in [
            "rules[1]",
            "groups[1]",
            "rules[0].condition.appRole",
            "rules[0].action.targetRoles",
            "groups[0].appRoles",
        ] {
            assert!(places.contains(&place), "{place} is missing in {places:?}");
        }
    }

    #[test]
    fn files_that_are_no_rule_set_are_refused() {
        for bad in ["", "[]", "{}", "{\"rules\":3}", "{\"rules\":[1]}", "not json"] {
            assert!(RuleSet::parse(bad).is_err(), "{bad:?} was taken");
        }
    }
}
