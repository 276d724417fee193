//! The policy in force: every setting that can change a desired user or a plan. It becomes an event when it changes,
//! because the fold reads no configuration (DESIGN 2).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The policy of a tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Policy {
    /// What an unknown role or place does to its user.
    pub unknown_roles: UnknownRoles,
    /// What becomes of grants in Fluent that we neither made nor adopted.
    pub foreign_grants: ForeignGrants,
    /// What happens when users of several connections lead to one account.
    pub shared_accounts: SharedAccounts,
    /// The safety catch.
    pub guard: GuardPolicy,
    /// Names that are never touched.
    pub protected: Vec<NamePattern>,
    /// `type` of users that we create: required by Fluent, sent by no IdP (fluent.md 3.6).
    pub user_type: String,
    /// `timezone` of users that we create: required by Fluent, sent by no IdP.
    pub timezone: String,
    /// The Fluent account's own name: an identifier of the account-wide context beside `0`. Compared exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_name: Option<String>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            unknown_roles: UnknownRoles::default(),
            foreign_grants: ForeignGrants::default(),
            shared_accounts: SharedAccounts::default(),
            guard: GuardPolicy::default(),
            protected: vec![NamePattern("*_admin".to_owned())],
            user_type: "ADMIN".to_owned(),
            timezone: "UTC".to_owned(),
            account_name: None,
        }
    }
}

/// What an app role that does not resolve does to its user. Under both, removals and deactivation go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownRoles {
    /// The user is not created and gains nothing until every role is known: what Fluent documents.
    #[default]
    HoldUser,
    /// Known roles apply, the unknown one waits.
    HoldRole,
}

/// What becomes of a foreign grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ForeignGrants {
    /// It stays.
    #[default]
    Keep,
    /// It stays and is reported as drift.
    Report,
    /// It is removed from users that we manage.
    Remove,
}

/// What happens when live users of several connections claim one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SharedAccounts {
    /// The account gets the union.
    #[default]
    Union,
    /// The account is held.
    Hold,
}

/// The safety catch: more than `max(min, percent of the active users)` accounts losing access by one event or within
/// ten minutes of event time stops those losses with a hold (DESIGN 8).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GuardPolicy {
    /// As many accounts may always lose access.
    pub min: u32,
    /// This share of the active users may lose access, in percent; 0 turns the catch off.
    pub percent: f64,
}

impl Default for GuardPolicy {
    fn default() -> Self {
        Self {
            min: 20,
            percent: 2.0,
        }
    }
}

impl GuardPolicy {
    /// How many accounts may lose access among `active` users; `None` when the catch is off.
    #[must_use]
    pub fn limit(&self, active: u64) -> Option<u64> {
        if self.percent.is_nan() || self.percent <= 0.0 {
            return None;
        }
        // The share is rounded down: a catch errs on the side of stopping.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a count of users, far below 2^53, and not negative"
        )]
        let share = (active as f64 * self.percent.min(100.0) / 100.0) as u64;
        Some(share.max(u64::from(self.min)))
    }
}

/// A user name, or a pattern in which `*` stands for any run of characters; compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct NamePattern(pub String);

impl NamePattern {
    /// True when the pattern covers the name.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.to_lowercase(), name.to_lowercase());
        let mut parts = pattern.split('*');
        let Some(first) = parts.next() else { return false };
        let Some(mut rest) = name.strip_prefix(first) else {
            return false;
        };
        let mut parts: Vec<&str> = parts.collect();
        let Some(last) = parts.pop() else {
            return rest.is_empty();
        };
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = rest.get(at + part.len()..).unwrap_or_default();
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_what_its_stars_stand_for() {
        let covers = |pattern: &str, name: &str| NamePattern(pattern.to_owned()).matches(name);
        assert!(covers("*_admin", "Chicago_ADMIN"));
        assert!(!covers("*_admin", "admin"));
        assert!(covers("root", "Root") && !covers("root", "roots"));
        assert!(covers("a*b*c", "aXbYc") && !covers("a*b*c", "aXcYb"));
        assert!(covers("*", "") && !covers("aa*aa", "aaa"));
    }

    #[test]
    fn the_guard_takes_the_larger_of_its_two_bounds() {
        let guard = GuardPolicy::default();
        assert_eq!(guard.limit(100), Some(20));
        assert_eq!(guard.limit(5000), Some(100));
        assert_eq!(GuardPolicy { min: 5, percent: 0.0 }.limit(5000), None);
        assert_eq!(
            GuardPolicy {
                min: 5,
                percent: f64::NAN
            }
            .limit(5000),
            None
        );
    }
}
