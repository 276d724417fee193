//! Requests and answers of the admin socket, as JSON. Each operation is a POST of its request to its path.

use std::fmt;

use rollcall_domain::{
    AccountKey, Claimant, ConnectionName, Decision, Derivation, DesiredStatus, DesiredUser, EventId,
    FluentUserId, Gains, Grant, Hold, HoldId, Note, Sequence, TenantId, Timestamp, UserId,
};
use serde::{Deserialize, Serialize};

/// What all paths begin with.
pub const PREFIX: &str = "/admin/v1";

/// The operations. Each has a path below [`PREFIX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// [`InstanceStatus`] of the instance.
    Status,
    /// [`ExplainAsk`] to [`Explanation`].
    Explain,
    /// [`HoldsAsk`] to [`HoldsPage`].
    Holds,
    /// [`DecideAsk`] to [`Recorded`].
    Decide,
    /// [`RulesAsk`] to [`RulesInForce`].
    Rules,
    /// [`ActivateAsk`] to [`Recorded`].
    ActivateRules,
    /// [`ReplayAsk`] to lines of [`ReplayLine`].
    Replay,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Status,
        Self::Explain,
        Self::Holds,
        Self::Decide,
        Self::Rules,
        Self::ActivateRules,
        Self::Replay,
    ];

    /// The whole path.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Status => "/admin/v1/status",
            Self::Explain => "/admin/v1/explain",
            Self::Holds => "/admin/v1/holds",
            Self::Decide => "/admin/v1/decide",
            Self::Rules => "/admin/v1/rules",
            Self::ActivateRules => "/admin/v1/rules/activate",
            Self::Replay => "/admin/v1/replay",
        }
    }
}

/// How the instance is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceStatus {
    /// Its version.
    pub version: String,
    /// When it was started.
    pub started: Timestamp,
    /// Whether it serves requests.
    pub ready: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_ready: Vec<String>,
    /// What an operator should look at; it stops nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// When the server's certificate ends, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_ends: Option<Timestamp>,
    /// What this process does of the whole: `run`, `ingest`, `project` or `reconcile`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub role: String,
    /// What it shares with other processes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<ShareStatus>,
    /// Records of `events` that were put aside since the start and belong to none of its tenants.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub put_aside_of_nobody: u64,
    /// Every tenant that is with this process.
    pub tenants: Vec<TenantStatus>,
    /// What opens the connections.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<CredentialStatus>,
}

impl InstanceStatus {
    /// Whether accounts are compared with Fluent here.
    #[must_use]
    pub fn reconciles(&self) -> bool {
        matches!(self.role.as_str(), "" | "run" | "reconcile")
    }
}

/// What a process has of a stream that several processes share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShareStatus {
    /// The group that shares it, without the prefix.
    pub group: String,
    /// The stream.
    pub stream: String,
    /// The partitions that are this process's now.
    pub partitions: Vec<u32>,
    /// Partitions in all.
    pub of: u32,
    /// Milliseconds for which they are certain to stay so; absent when there is nobody to share with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<u64>,
}

/// A record that no event could be read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PutAside {
    /// Where it stands in its partition of `events`.
    pub position: u64,
    /// What is wrong with it. Nothing of its content.
    pub reason: String,
}

/// How a credential of a connection is. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialStatus {
    /// Whose.
    pub tenant: TenantId,
    /// Which connection it opens.
    pub connection: ConnectionName,
    /// Its name, as in the `actor` of its events; empty for a connection's own configured token.
    pub name: String,
    /// The id by which `rollcall token revoke` knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `configured`, `stored` or `client`.
    pub kind: String,
    /// `valid`, `expires-soon`, `expired` or `revoked`.
    pub state: String,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// When it was last taken, since the start of the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Timestamp>,
}

impl From<rollcall_ingest::CredentialReport> for CredentialStatus {
    fn from(report: rollcall_ingest::CredentialReport) -> Self {
        Self {
            tenant: report.tenant,
            connection: report.connection,
            name: report.name,
            id: report.id.map(|id| id.to_string()),
            kind: report.kind.as_str().to_owned(),
            state: report.state.as_str().to_owned(),
            expires: report.expires,
            last_used: report.last_used,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks for it")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How a tenant is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantStatus {
    /// Which.
    pub tenant: TenantId,
    /// Events that the directory has taken in.
    pub sequence: Sequence,
    /// Events in the log that it has not.
    pub lag_events: u64,
    /// Directory users that are not deleted.
    pub users: u64,
    /// Of these, active ones.
    pub active_users: u64,
    /// Directory groups that are not deleted.
    pub groups: u64,
    /// Accounts that a directory user leads to.
    pub accounts: u64,
    /// Accounts with at least one hold.
    pub held: u64,
    /// Accounts whose desired user is still to be computed.
    pub dirty: u64,
    /// Accounts that wait to be compared with Fluent, or are being compared.
    pub queued: u64,
    /// Of these, accounts that wait: for another try after a failure, or for the end of a late-write window.
    pub waiting: u64,
    /// The version of the rule set in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
    /// Records that no event could be read from: they stay in the log and change nothing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unreadable: u64,
    /// The newest of them since the start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub put_aside: Vec<PutAside>,
    /// The tenant's Fluent.
    pub fluent: FluentStatusReport,
    /// Known traps that the traffic of its connections shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<TrapReport>,
}

/// A known trap in how a connection's identity provider is set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrapReport {
    /// Whose traffic shows it.
    pub connection: ConnectionName,
    /// Its name, as in `docs/scim.md`.
    pub trap: String,
    /// Requests that showed it, or groups that are empty.
    pub count: u64,
    /// When it was seen first.
    pub since: Timestamp,
    /// When it was seen last.
    pub last: Timestamp,
    /// What it means and what to do.
    pub advice: String,
}

/// How a tenant's Fluent was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FluentStatusReport {
    /// The last call was answered.
    pub reachable: bool,
    /// What is wrong, when something is. No secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// When the catalog was last read completely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog_read: Option<Timestamp>,
    /// When all users were last compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resynced: Option<Timestamp>,
}

/// Which user to explain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainAsk {
    /// Whose; needed only when there are several tenants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// A userName, a SCIM id, or an account key.
    pub user: String,
}

/// What an account should hold and why, and what we last knew of it in Fluent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Whose.
    pub tenant: TenantId,
    /// Which account.
    pub account: AccountKey,
    /// The name it goes by; none after it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// All events up to this one are in.
    pub sequence: Sequence,
    /// What its status should be.
    pub status: DesiredStatus,
    /// Whether anything may be gained.
    pub gains: Gains,
    /// What it should hold, with every reason.
    pub grants: Vec<ExplainedGrant>,
    /// What is kept although it no longer resolves, or because the safety catch stopped its loss.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retained: Vec<Grant>,
    /// Why something is not done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// What is worth knowing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// The directory users whose name leads here.
    pub claimants: Vec<Claimant>,
    /// Since when each of them is what it is, and by whose act.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub standing: Vec<Standing>,
    /// What we last knew of it in Fluent; none when we never wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fluent: Option<LedgerEntry>,
}

/// Since when a directory user is active, inactive or deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Who.
    pub user: UserId,
    /// The event that made it so.
    pub event: EventRef,
}

/// A grant with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedGrant {
    /// The grant.
    pub grant: Grant,
    /// The place's `ref`, where the catalog has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Every reason; never empty.
    pub because: Vec<Reason>,
}

/// One chain from an event to the grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// From the assignment to the grant.
    pub derivation: Derivation,
    /// The display names of the groups on its path, in the same order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The events that it rests on, in the order of the chain: from the user to the grant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventRef>,
}

/// What an event did for a reason, or to a user. Groups go by their present display name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "kebab-case")]
pub enum Did {
    /// Assigned the app role to the user.
    Assigned,
    /// Added the user to the group.
    AddedTo {
        /// The first on the path.
        group: String,
    },
    /// Nested the group before it on the path in this one.
    NestedIn {
        /// The outer one.
        group: String,
    },
    /// Gave the app role to the group.
    RoleGivenTo {
        /// The last on the path.
        group: String,
    },
    /// Gave the group the display name that carries the app role.
    Named {
        /// The last on the path.
        group: String,
    },
    /// Gave the group the external id that a rule carries the app role for.
    Identified {
        /// The last on the path.
        group: String,
    },
    /// Activated the rule set that carries or expands the app role.
    RulesActivated,
    /// Created the user.
    Created,
    /// Activated the user, who was deactivated.
    Reactivated,
    /// Created the person once more, for which the deactivated user came back.
    Rehired,
    /// Deactivated the user.
    Deactivated,
    /// Deleted the user.
    Deleted,
}

/// An event, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRef {
    /// What it did.
    #[serde(flatten)]
    pub did: Did,
    /// Its id.
    pub id: EventId,
    /// Its place in the tenant's history.
    pub sequence: Sequence,
    /// When it was received.
    pub time: Timestamp,
    /// Where it came from, such as `scim/entra`.
    pub source: String,
    /// By which credential.
    pub actor: String,
}

/// What our outcomes say of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    /// The Fluent user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<FluentUserId>,
    /// Pairs that are ours.
    pub owned: Vec<Grant>,
    /// The sequence of the desired user that was last made so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served: Option<Sequence>,
    /// A write may still arrive.
    pub unsettled: bool,
}

/// Most holds on one page: an answer stays far below its bound.
pub const HOLDS_PAGE_MAX: u32 = 500;

/// Which holds to list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HoldsAsk {
    /// Whose; needed only when there are several tenants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// Continue after this account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<AccountKey>,
    /// Accounts on the page, at most [`HOLDS_PAGE_MAX`]; 0 means that many.
    pub limit: u32,
}

/// A page of held accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldsPage {
    /// Whose.
    pub tenant: TenantId,
    /// All events up to this one are in.
    pub sequence: Sequence,
    /// What waits for a decision; the same on every page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<WaitingDecision>,
    /// Held accounts in order of their keys.
    pub accounts: Vec<HeldAccount>,
    /// Continue after this account; none on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<AccountKey>,
}

/// Something that waits for an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingDecision {
    /// What to name in the decision.
    pub hold: HoldId,
    /// What it is about, in a line.
    pub about: String,
    /// How many accounts, or entries of the catalog.
    pub affected: u64,
    /// The sequence of the event that caused it.
    pub since: Sequence,
}

/// An account with its holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldAccount {
    /// Which.
    pub account: AccountKey,
    /// The name it goes by; none after it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Why; not empty.
    pub holds: Vec<Hold>,
}

/// A decision of an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecideAsk {
    /// Whose; needed only when there are several tenants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// About what.
    pub hold: HoldId,
    /// What.
    pub decision: Decision,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Something was recorded as an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Its id; none when nothing had to be recorded, since it is so already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventId>,
    /// The tenant's sequence with it.
    pub sequence: Sequence,
}

/// Which rule set to show.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RulesAsk {
    /// Whose; needed only when there are several tenants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
}

/// The rule set in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesInForce {
    /// Whose.
    pub tenant: TenantId,
    /// Its version; none when no rule set was ever activated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The rules.
    pub rules: rollcall_domain::RuleSet,
}

/// A rule set to be activated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivateAsk {
    /// Whose; needed only when there are several tenants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// SHA-256 of the file, hex.
    pub version: String,
    /// The rules; validated again by the instance.
    pub rules: rollcall_domain::RuleSet,
}

/// As of when to replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Until {
    /// All events up to this one.
    Sequence(Sequence),
    /// All events received up to this time.
    Time(Timestamp),
    /// All events.
    End,
}

/// Why a text is no point in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither a sequence number such as 1204, nor a time such as 2026-03-01T09:30:00Z, nor \"end\"")]
pub struct BadUntil;

impl std::str::FromStr for Until {
    type Err = BadUntil;
    fn from_str(text: &str) -> Result<Self, BadUntil> {
        if text == "end" {
            return Ok(Self::End);
        }
        if let Ok(sequence) = text.parse() {
            return Ok(Self::Sequence(Sequence(sequence)));
        }
        text.parse().map(Self::Time).map_err(|_| BadUntil)
    }
}

/// What to replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayAsk {
    /// Whose; needed only when there are several tenants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// As of when.
    pub until: Until,
}

/// One line of a replay's answer: progress, then every desired user, then the end. Without `End` it is not
/// whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
pub enum ReplayLine {
    /// How far the fold is.
    Progress {
        /// Events done.
        events: u64,
        /// Events to do, as far as known.
        of: u64,
    },
    /// A desired user as of then.
    User(Box<ReplayedUser>),
    /// All users were sent.
    End {
        /// All events up to this one are in.
        sequence: Sequence,
        /// How many users were sent.
        users: u64,
    },
    /// It failed; nothing follows.
    Failed {
        /// Why.
        message: String,
    },
}

/// A desired user as of a point in the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayedUser {
    /// The name it goes by; none after it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// What it should have held.
    pub desired: DesiredUser,
}

/// The body of every answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What kind.
    pub code: super::ErrorCode,
    /// For people; no secrets.
    pub message: String,
}

/// A [`HoldId`] as it is written on a command line: `guard:<event>`, `catalog-loss:<event>`,
/// `name-reused:<account>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldName(pub HoldId);

/// Why a text names no hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no hold such as guard:EVENT, catalog-loss:EVENT or name-reused:ACCOUNT; `rollcall holds` lists them"
)]
pub struct BadHoldName;

impl fmt::Display for HoldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            HoldId::Guard { cause } => write!(f, "guard:{cause}"),
            HoldId::CatalogLoss { cause } => write!(f, "catalog-loss:{cause}"),
            HoldId::NameReused { account } => write!(f, "name-reused:{account}"),
        }
    }
}

impl std::str::FromStr for HoldName {
    type Err = BadHoldName;
    fn from_str(text: &str) -> Result<Self, BadHoldName> {
        let (kind, name) = text.split_once(':').ok_or(BadHoldName)?;
        let cause = || name.parse().map_err(|_| BadHoldName);
        let hold = match kind {
            "guard" => HoldId::Guard { cause: cause()? },
            "catalog-loss" => HoldId::CatalogLoss { cause: cause()? },
            "name-reused" => HoldId::NameReused {
                account: name.parse().map_err(|_| BadHoldName)?,
            },
            _ => return Err(BadHoldName),
        };
        Ok(Self(hold))
    }
}

/// A status for tests.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) fn sample_status() -> InstanceStatus {
    InstanceStatus {
        version: "0.1.0".to_owned(),
        started: Timestamp::from_millis(1_772_357_400_000),
        ready: true,
        not_ready: Vec::new(),
        warnings: vec!["token 2026-11 of acme/entra expires at 2026-03-08T09:30:00.000Z".to_owned()],
        certificate_ends: Some(Timestamp::from_millis(1_772_962_200_000)),
        credentials: vec![CredentialStatus {
            tenant: TenantId::new("acme").unwrap(),
            connection: ConnectionName::new("entra").unwrap(),
            name: "2026-11".to_owned(),
            id: Some("01ababababababab".to_owned()),
            kind: "stored".to_owned(),
            state: "expires-soon".to_owned(),
            expires: Some(Timestamp::from_millis(1_772_962_200_000)),
            last_used: None,
        }],
        role: "run".to_owned(),
        shares: vec![ShareStatus {
            group: "reconcile".to_owned(),
            stream: "outcomes".to_owned(),
            partitions: vec![1, 5],
            of: 24,
            lease_ms: Some(12_400),
        }],
        put_aside_of_nobody: 0,
        tenants: vec![TenantStatus {
            tenant: TenantId::new("acme").unwrap(),
            sequence: Sequence(1204),
            lag_events: 0,
            users: 312,
            active_users: 309,
            groups: 4,
            accounts: 312,
            held: 1,
            dirty: 0,
            queued: 2,
            waiting: 0,
            rules: Some("9f86d081884c7d65".to_owned()),
            unreadable: 0,
            put_aside: Vec::new(),
            fluent: FluentStatusReport {
                reachable: true,
                ..FluentStatusReport::default()
            },
            warnings: vec![TrapReport {
                connection: ConnectionName::new("entra").unwrap(),
                trap: "unknown-members".to_owned(),
                count: 4,
                since: Timestamp::from_millis(1_772_357_400_000),
                last: Timestamp::from_millis(1_772_357_460_000),
                advice: "provision the users first".to_owned(),
            }],
        }],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_hold_is_named_as_it_is_read() {
        for text in [
            "guard:01995f00-0000-7000-8000-000000000001",
            "catalog-loss:01995f00-0000-7000-8000-000000000001",
            "name-reused:3f2340eab29a3874210c4767f47d6c00",
        ] {
            assert_eq!(text.parse::<HoldName>().unwrap().to_string(), text);
        }
        for bad in ["", "guard", "guard:", "guard:x", "other:1", "name-reused:xyz"] {
            assert!(bad.parse::<HoldName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_point_in_the_history_is_a_number_a_time_or_the_end() {
        assert_eq!("1204".parse(), Ok(Until::Sequence(Sequence(1204))));
        assert_eq!("end".parse(), Ok(Until::End));
        assert!(matches!("2026-03-01T09:30:00Z".parse(), Ok(Until::Time(_))));
        assert_eq!("yesterday".parse::<Until>(), Err(BadUntil));
    }

    #[test]
    fn every_operation_has_a_path_of_its_own() {
        for (at, one) in Operation::ALL.iter().enumerate() {
            assert!(one.path().starts_with(PREFIX));
            assert!(
                Operation::ALL
                    .iter()
                    .skip(at + 1)
                    .all(|other| other.path() != one.path())
            );
        }
    }
}
