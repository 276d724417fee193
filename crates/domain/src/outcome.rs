//! Outcomes: what we were about to write to Fluent, and what came of it. The ownership ledger is their fold.
//!
//! An intent is durable before the first mutation is sent. What stands in an open intent counts as owned until an
//! `applied` or `failed` of the same intent closes it (DESIGN 8), so a grant that Fluent took while we died is ours
//! to take back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AccountKey, EventId, ExternalKey, FluentStatus, FluentUserId, Grant, Hold, Sealed, Sequence, Timestamp,
};

/// We are about to write this. Its event id names the intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutcomeIntended {
    /// Which account.
    pub account: AccountKey,
    /// The sequence of the desired user that it serves.
    pub serves: Sequence,
    /// Hash of the whole plan, hex.
    pub plan: String,
    /// The Fluent user, when it exists already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fluent_user: Option<FluentUserId>,
    /// The user is to be created.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub create: bool,
    /// The status that is to be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<FluentStatus>,
    /// Pairs to be added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<Grant>,
    /// Pairs that were there before us, are desired, and become ours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adopt: Vec<Grant>,
    /// Pairs to be removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<Grant>,
    /// Profile fields are to be written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub profile: bool,
    /// The external key of the claimant that it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimant: Option<ExternalKey>,
    /// With `create`: the sealed user name (a JSON string), by which the user can be found although nobody claims the
    /// account any more and the id that Fluent gave was never seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal: Option<Sealed>,
}

/// What an account was found to hold by a read that no write of the intent can follow any more: its plan was carried
/// out, or as much of it as Fluent took (an [`OutcomeFailed`] beside it says what was refused).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutcomeApplied {
    /// Which account.
    pub account: AccountKey,
    /// The intent that this settles; none when the account was found as desired and only that is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<EventId>,
    /// The sequence of the desired user that it served.
    pub serves: Sequence,
    /// The Fluent user; none when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fluent_user: Option<FluentUserId>,
    /// Whether the user was made by us.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub created: bool,
    /// Its status as read back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<FluentStatus>,
    /// All pairs that are ours from now on: the whole list, as read back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owned: Vec<Grant>,
    /// Pairs that this plan added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<Grant>,
    /// Pairs that this plan removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Grant>,
    /// The external key of the claimant that it served: another one later is another person on the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimant: Option<ExternalKey>,
}

/// Nothing, or not all, is done for an account, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutcomeHeld {
    /// Which account.
    pub account: AccountKey,
    /// The sequence of the desired user that is held.
    pub serves: Sequence,
    /// Every reason.
    pub holds: Vec<Hold>,
}

/// Fluent refused, or could not be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutcomeFailed {
    /// Which account.
    pub account: AccountKey,
    /// The intent under which it failed; it stays open, and its pairs owned, unless `settled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<EventId>,
    /// The sequence of the desired user that it served.
    pub serves: Sequence,
    /// Fluent's code, or ours for a transport fault.
    pub code: String,
    /// Whether it is tried again by itself.
    pub retryable: bool,
    /// Nothing of the intent can still arrive at Fluent: it is closed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
    /// An answer was lost: the account stays unsettled, and is read once more, until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsettled_until: Option<Timestamp>,
    /// Which attempt it was, from 1.
    pub attempt: u32,
}

/// A difference in Fluent that we did not make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutcomeDrift {
    /// Which account.
    pub account: AccountKey,
    /// The sequence of the desired user at that time.
    pub serves: Sequence,
    /// Owned pairs that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Grant>,
    /// Pairs that are not ours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign: Vec<Grant>,
    /// The status found, when it is not the one that we set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<FluentStatus>,
}
