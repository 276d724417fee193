//! What the server of the admin socket calls: the engine, behind one small trait.

use std::future::Future;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::api::{
    ActivateAsk, DecideAsk, ErrorBody, ExplainAsk, Explanation, HoldsAsk, HoldsPage, InstanceStatus,
    Recorded, ReplayAsk, ReplayLine, RulesAsk, RulesInForce,
};

/// Who asks: the user of the system at the other end of the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The system's user id.
    pub uid: u32,
}

impl Caller {
    /// The actor of events that the caller causes.
    #[must_use]
    pub fn actor(self) -> String {
        format!("uid-{}", self.uid)
    }
}

/// What kind of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// Nothing of that name.
    NotFound,
    /// The request does not make sense as it is.
    Invalid,
    /// Not in this state; look again.
    Conflict,
    /// Not now; try again.
    Unavailable,
    /// A fault of ours.
    Internal,
}

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AdminError {
    /// What kind.
    pub code: ErrorCode,
    /// For people; no secrets.
    pub message: String,
}

impl AdminError {
    /// A refusal.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(super) fn body(&self) -> ErrorBody {
        ErrorBody {
            code: self.code,
            message: self.message.clone(),
        }
    }
}

/// Where a replay's lines go. Sending waits while the other end is slow, and fails when it is gone: stop
/// then.
pub type ReplaySink = mpsc::Sender<ReplayLine>;

/// The engine, as operators see it. Requests that name no tenant mean the only one; with several tenants they
/// are [`ErrorCode::Invalid`].
pub trait AdminService: Send + Sync + 'static {
    /// How the instance is. Cheap: it is asked at every scrape.
    fn status(&self) -> impl Future<Output = InstanceStatus> + Send;

    /// Why an account should hold what it should hold.
    fn explain(&self, ask: ExplainAsk) -> impl Future<Output = Result<Explanation, AdminError>> + Send;

    /// A page of held accounts.
    fn holds(&self, ask: HoldsAsk) -> impl Future<Output = Result<HoldsPage, AdminError>> + Send;

    /// Records a decision, durably. Deciding the same again is no error.
    fn decide(
        &self,
        caller: Caller,
        ask: DecideAsk,
    ) -> impl Future<Output = Result<Recorded, AdminError>> + Send;

    /// The rule set in force.
    fn rules(&self, ask: RulesAsk) -> impl Future<Output = Result<RulesInForce, AdminError>> + Send;

    /// Activates a rule set, durably, unless it is in force.
    fn activate_rules(
        &self,
        caller: Caller,
        ask: ActivateAsk,
    ) -> impl Future<Output = Result<Recorded, AdminError>> + Send;

    /// Folds the log anew up to a point and sends every desired user as of then. An error is sent as the last
    /// line.
    fn replay(
        &self,
        ask: ReplayAsk,
        lines: ReplaySink,
    ) -> impl Future<Output = Result<(), AdminError>> + Send;
}
