//! Why things are as they are, for people.

use std::collections::BTreeMap;

use rollcall_domain::{
    AccountKey, AssignedRole, Derivation, DerivationId, DesiredUser, GroupId, Hold, HoldId, Sequence,
    Timestamp, UserId,
};
use rollcall_eventlog::Position;

use super::GroupRef;

/// A desired user with the text behind every derivation.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The desired user.
    pub desired: DesiredUser,
    /// Every derivation that its grants name, and those of held and retained app roles, in order of their
    /// ids.
    pub derivations: Vec<Derivation>,
    /// The events behind every derivation, by its id: in the order of the chain, from the user to the grant.
    pub evidence: BTreeMap<DerivationId, Vec<Evidence>>,
    /// The names of all groups that the derivations and notes mention, by id.
    pub groups: Vec<GroupRef>,
    /// The claimants' personal roles as assigned.
    pub personal_roles: Vec<(UserId, Vec<AssignedRole>)>,
    /// The event that made each claimant active, inactive or deleted, whichever it is; none for one that came after
    /// the tenant's first 4,294,967,294 events.
    pub standing: Vec<(UserId, Sequence)>,
    /// The claimants' direct groups.
    pub member_of: Vec<(UserId, Vec<GroupId>)>,
    /// The account that the claimant of this one was renamed to; the old one follows it.
    pub successor: Option<AccountKey>,
}

/// An accepted event that a derivation rests on. What was done again later without an end in between (a role
/// that stays in a new list) counts from its first event on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Evidence {
    /// What it did for the derivation.
    pub act: Act,
    /// Where it stands in the tenant's history.
    pub sequence: Sequence,
}

/// What an event did for a derivation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// It assigned the app role to the user.
    Assigned,
    /// It added the user to this group.
    AddedTo(GroupId),
    /// It nested the group before it on the path in this one.
    NestedIn(GroupId),
    /// It gave the app role to this group.
    RoleGivenTo(GroupId),
    /// It gave this group the display name that carries the app role.
    Named(GroupId),
    /// It gave this group the external id that a rule carries the app role for.
    Identified(GroupId),
    /// It activated the rule set that carries or expands the app role.
    RulesActivated,
}

/// An account that something is held for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldAccount {
    /// Which.
    pub account: AccountKey,
    /// Why.
    pub holds: Vec<Hold>,
}

/// Some of the held accounts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HoldsPage {
    /// The held accounts among those looked at.
    pub held: Vec<HeldAccount>,
    /// Where to go on; none at the end. A page may be empty and still go on.
    pub next: Option<AccountKey>,
}

/// A hold that waits for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenDecision {
    /// How a `decision.recorded` names it.
    pub hold: HoldId,
    /// The sequence of the event that caused it.
    pub sequence: Sequence,
    /// How many accounts (guard) or catalog entries (catalog loss) it stops.
    pub count: u64,
}

/// Figures of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TenantStatus {
    /// The tenant's events that are in.
    pub sequence: Sequence,
    /// Event time: the running maximum.
    pub event_time: Timestamp,
    /// Where the driver stands in the log.
    pub position: Option<Position>,
    /// Users that are not deleted.
    pub users: u64,
    /// Of those, active ones.
    pub active_users: u64,
    /// Groups that are not deleted.
    pub groups: u64,
    /// Accounts ever claimed.
    pub accounts: u64,
    /// Accounts and unexpanded groups whose desired user is to be computed again.
    pub dirty: u64,
    /// Desired users computed but not yet durable in the `desired` stream.
    pub unpublished: u64,
    /// Holds that wait for an operator.
    pub open_decisions: u64,
    /// Events that were rejected.
    pub rejected: u64,
    /// Events that came more than once.
    pub duplicates: u64,
    /// Records that this version could not read.
    pub unreadable: u64,
    /// Member references that named nobody and were dropped.
    pub dropped_members: u64,
    /// Events more than a day ahead of those before, which the safety catch's clock did not follow at once: one
    /// after every quiet day is usual, many point to a sender's clock.
    pub ahead_of_time: u64,
}
