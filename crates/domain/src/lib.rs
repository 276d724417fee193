//! The shared language of Rollcall: ids, events, app roles, grants, rule sets, catalogs, desired and observed users.
//!
//! It is floor 0 of the house: it knows no log, no HTTP and no engine, and nothing here reads a clock, a socket or a
//! random source, or is async. Times and ids come in as arguments.
//!
//! Invariants:
//! - Personal data stands in a [`Sealed`] envelope (or in a [`Profile`] or [`ObservedUser`], whose `Debug` hides it)
//!   and nowhere else; accounts, uniqueness and verdicts use [`NameKey`] and [`ExternalKey`].
//! - An [`Event`] holds no log position; the [`Sequence`] shown to people is counted by readers.
//! - What was once written stays readable: see `schemas/` and its fixtures.

mod app_role;
mod catalog;
mod desired;
mod event;
mod grant;
mod ids;
mod observed;
pub mod outcome;
mod personal;
mod policy;
mod rules;
mod time;

pub use app_role::{APP_ROLE_MAX, AppRole, Shape, splits};
pub use catalog::{Catalog, CatalogDifference, LOSS_ENTRIES_MAX, LOSS_PERCENT_MAX, Place};
pub use desired::{
    Claimant, Derivation, DerivationId, DesiredGrant, DesiredStatus, DesiredUser, Expansion, Gains,
    GroupRoleOrigin, Hold, InactiveReason, Note, Profile, RoleSource,
};
pub use event::{
    AsOf, AssignedRole, BadSource, CatalogChanged, Decision, DecisionRecorded, DecodeError, EVENT_BYTES_MAX,
    EVENT_PARTS_MAX, Event, EventData, GroupChanged, GroupCreated, GroupDeleted, HoldId, MemberSet, Part,
    PolicyActivated, RulesActivated, Set, Source, TimerFired, UserChanged, UserCreated, UserDeleted,
};
pub use grant::{Context, ContextType, Grant, RoleName};
pub use ids::{
    BadName, ConnectionName, EventId, FluentUserId, GroupId, NAME_MAX, REQUEST_ID_MAX, Revision, Sequence,
    TenantId, UserId,
};
pub use observed::{FluentStatus, ObservedUser};
pub use personal::{
    AccountKey, BadKey, ExternalKey, NameKey, OpenError, PersonalChange, SealAlgorithm, Sealed, TenantKey,
    fold_case, open, seal,
};
pub use policy::{ForeignGrants, GuardPolicy, NamePattern, Policy, SharedAccounts, UnknownRoles};
pub use rules::{
    Action, Condition, GroupRule, GroupSelector, RULES_MAX, Rule, RuleErrors, RuleProblem, RuleSet,
    TARGETS_MAX,
};
pub use time::{BadTimestamp, Timestamp};
