//! The engine as operators see it.

use std::sync::Arc;

use rollcall_domain::{AccountKey, DecisionRecorded, EventData, Hold, HoldId, TenantId};
use rollcall_eventlog::{EventLog, ReadLog};
use rollcall_projector::{OpenDecision, Progress, ProjectorError, Rejection, TenantSetup};
use rollcall_reconciler::Reconciler;
use rollcall_reconciler::ledger::print_of_holds;

use super::explain::Known;
use super::operator::{self, OperatorError, Placed};
use super::{Core, rules};
use crate::admin::api::{
    ActivateAsk, DecideAsk, ExplainAsk, Explanation, HOLDS_PAGE_MAX, HeldAccount, HoldsAsk, HoldsPage,
    InstanceStatus, Recorded, ReplayAsk, ReplayLine, ReplayedUser, RulesAsk, RulesInForce, Until,
    WaitingDecision,
};
use crate::admin::{AdminError, AdminService, Caller, ErrorCode, ReplaySink};

/// Events between two lines of a replay's progress.
const PROGRESS_EVERY: u64 = 50_000;

/// Answers the admin socket.
#[derive(Debug)]
pub(crate) struct Service(pub(crate) Arc<Core>);

/// The projector could not answer.
pub(super) fn unavailable(error: ProjectorError) -> AdminError {
    AdminError::new(ErrorCode::Unavailable, error.to_string())
}

impl From<OperatorError> for AdminError {
    fn from(error: OperatorError) -> Self {
        let code = match &error {
            OperatorError::Rejected(Rejection::NoSuchHold) => ErrorCode::NotFound,
            OperatorError::Rejected(_) => ErrorCode::Conflict,
            OperatorError::Log(_) | OperatorError::Directory(_) => ErrorCode::Unavailable,
        };
        Self::new(code, error.to_string())
    }
}

impl Service {
    /// The tenant that is asked for, when its directory is here.
    fn tenant(&self, asked: Option<&TenantId>) -> Result<Known<'_>, AdminError> {
        let tenant = match (asked, self.0.tenants.as_slice()) {
            (None, [only]) => only,
            (None, _) => {
                return Err(AdminError::new(
                    ErrorCode::Invalid,
                    "there are several tenants: name one with --tenant",
                ));
            }
            (Some(id), tenants) => {
                let found = tenants.iter().find(|tenant| tenant.id == *id);
                let missing = || AdminError::new(ErrorCode::NotFound, format!("there is no tenant {id}"));
                found.ok_or_else(missing)?
            }
        };
        let projectors = &self.0.projectors;
        let directory = projectors.tenant(&tenant.id).ok_or_else(|| {
            let (id, partition) = (&tenant.id, projectors.partition_of(&tenant.id));
            AdminError::new(
                ErrorCode::Unavailable,
                format!(
                    "tenant {id} is not with this process: ask a `rollcall ingest` process, or the `rollcall project` \
                     process that owns partition {partition} of events"
                ),
            )
        })?;
        Ok(Known { tenant, directory })
    }
}

impl Known<'_> {
    /// Accounts whose plan has a hold that the directory knows nothing of: a reused name, a protected one. The
    /// ledger has only the fingerprint of all holds of an account, so each such hold is tried. At most
    /// [`HOLDS_PAGE_MAX`], of the accounts that are this process's.
    fn held_by_plan(&self) -> Vec<(AccountKey, Vec<Hold>)> {
        let reconcilers = self.tenant.reconcilers.read();
        let held: Vec<_> = reconcilers.values().flat_map(Reconciler::held_accounts).collect();
        drop(reconcilers);
        let with = held.into_iter().filter_map(|(account, print)| {
            let holds = self.directory.desired(account).ok()??.holds;
            [Hold::NameReused, Hold::Protected].into_iter().find_map(|hold| {
                let mut holds = holds.clone();
                if !holds.contains(&hold) {
                    holds.push(hold);
                    holds.sort();
                }
                (print_of_holds(&holds) == print).then_some((account, holds))
            })
        });
        with.take(HOLDS_PAGE_MAX as usize).collect()
    }
}

impl AdminService for Service {
    async fn status(&self) -> InstanceStatus {
        self.0.look_at_health();
        self.0.status()
    }

    async fn explain(&self, ask: ExplainAsk) -> Result<Explanation, AdminError> {
        let tenant = self.tenant(ask.tenant.as_ref())?;
        tenant.explain(&self.0.log, &ask.user).await
    }

    async fn holds(&self, ask: HoldsAsk) -> Result<HoldsPage, AdminError> {
        let tenant = self.tenant(ask.tenant.as_ref())?;
        let page = tenant.directory.holds_page(ask.after).map_err(unavailable)?;
        let status = tenant.directory.status();
        let decisions = tenant.directory.open_decisions();
        // What the plan holds is not in the directory; it comes with the first page.
        let by_plan = if ask.after.is_none() {
            tenant.held_by_plan()
        } else {
            Vec::new()
        };
        Ok(HoldsPage {
            tenant: tenant.tenant.id.clone(),
            sequence: status.sequence,
            decisions: decisions.into_iter().map(waiting).collect(),
            accounts: page
                .held
                .into_iter()
                .map(|held| (held.account, held.holds))
                .filter(|(account, _)| by_plan.iter().all(|(other, _)| other != account))
                .chain(by_plan.iter().cloned())
                .map(|(account, holds)| HeldAccount {
                    account,
                    username: tenant.directory.user_name(account),
                    holds,
                })
                .collect(),
            next: page.next,
        })
    }

    async fn decide(&self, caller: Caller, ask: DecideAsk) -> Result<Recorded, AdminError> {
        let tenant = self.tenant(ask.tenant.as_ref())?;
        let data = DecisionRecorded {
            hold: ask.hold,
            decision: ask.decision,
            reason: ask.reason,
        };
        let data = EventData::DecisionRecorded(data);
        let placed = operator::append(&self.0.log, &tenant.directory, "cli", &caller.actor(), data).await?;
        Ok(recorded(placed))
    }

    async fn rules(&self, ask: RulesAsk) -> Result<RulesInForce, AdminError> {
        let tenant = self.tenant(ask.tenant.as_ref())?;
        Ok(RulesInForce {
            tenant: tenant.tenant.id.clone(),
            version: tenant.directory.rules_version(),
            rules: tenant.directory.rules(),
        })
    }

    async fn activate_rules(&self, caller: Caller, ask: ActivateAsk) -> Result<Recorded, AdminError> {
        let tenant = self.tenant(ask.tenant.as_ref())?;
        let text = serde_json::to_string(&ask.rules).unwrap_or_default();
        let rules = rollcall_domain::RuleSet::parse(&text)
            .map_err(|error| AdminError::new(ErrorCode::Invalid, error.to_string()))?;
        let actor = caller.actor();
        let placed =
            rules::activate(&self.0.log, &tenant.directory, "cli", &actor, ask.version, rules).await?;
        let now = Recorded {
            event: None,
            sequence: tenant.directory.status().sequence,
        };
        Ok(placed.map_or(now, recorded))
    }

    async fn replay(&self, ask: ReplayAsk, lines: ReplaySink) -> Result<(), AdminError> {
        let tenant = self.tenant(ask.tenant.as_ref())?;
        let setup = TenantSetup {
            id: tenant.tenant.id.clone(),
            key: tenant.directory.key().clone(),
        };
        let log: Arc<dyn ReadLog> = Arc::<dyn EventLog>::clone(&self.0.log);
        let work = tokio::task::spawn_blocking(move || replay(log.as_ref(), setup, ask.until, &lines));
        // The lines carry what went wrong; whoever reads them may have gone.
        let _ended = work.await;
        Ok(())
    }
}

const fn recorded(placed: Placed) -> Recorded {
    Recorded {
        event: Some(placed.event),
        sequence: placed.sequence,
    }
}

pub(super) fn waiting(open: OpenDecision) -> WaitingDecision {
    let about = match &open.hold {
        HoldId::Guard { .. } => format!("{} accounts would lose access by one event", open.count),
        HoldId::CatalogLoss { .. } => format!("{} roles or places are gone from Fluent", open.count),
        HoldId::NameReused { .. } => "the name passed to another person".to_owned(),
    };
    WaitingDecision {
        hold: open.hold,
        about,
        affected: open.count,
        since: open.sequence,
    }
}

/// Folds the log anew and sends every user; stops when nobody reads any more.
pub(super) fn replay(log: &dyn ReadLog, setup: TenantSetup, until: Until, lines: &ReplaySink) {
    let until = match until {
        Until::Sequence(sequence) => rollcall_projector::Until::Sequence(sequence),
        Until::Time(time) => rollcall_projector::Until::Time(time),
        Until::End => rollcall_projector::Until::End,
    };
    let mut told = 0;
    let mut progress = |progress: Progress| {
        if progress.done < told + PROGRESS_EVERY {
            return true;
        }
        told = progress.done;
        lines
            .blocking_send(ReplayLine::Progress {
                events: progress.done,
                of: progress.total,
            })
            .is_ok()
    };
    let line = match rollcall_projector::replay(log, &[setup], until, &mut progress) {
        Err(error) => ReplayLine::Failed {
            message: error.to_string(),
        },
        Ok(replayed) => {
            let Some(replayed) = replayed.into_iter().next() else {
                return;
            };
            let mut users = 0;
            for account in replayed.accounts() {
                let Some(desired) = replayed.desired(account) else {
                    continue;
                };
                let user = ReplayedUser {
                    username: replayed.user_name(account),
                    desired,
                };
                if lines.blocking_send(ReplayLine::User(Box::new(user))).is_err() {
                    return;
                }
                users += 1;
            }
            ReplayLine::End {
                sequence: replayed.sequence(),
                users,
            }
        }
    };
    let _gone = lines.blocking_send(line);
}
