//! Carrying a plan out: the intent, the requests, and what the answers mean.

use rollcall_domain::{EventData, EventId, FluentStatus, Sequence};
use rollcall_fluent::FluentError;

use super::mutations::{Report, mutation, requests};
use super::outcomes::{Failure, intended};
use super::visit::{Round, Turn, Visit};
use crate::clock::millis;
use crate::config::CrashPoint;
use crate::gate::code;
use crate::metrics::Metrics;
use crate::plan::{Plan, Step};

impl Visit<'_> {
    /// Intent, then the requests.
    pub(super) async fn carry_out(&mut self, mut records: Vec<EventData>, round: Round) -> Turn {
        let plan = round.plan;
        let Ok(intent) = self.shared.recorder.new_id() else {
            return Turn::End(self.back_off(None));
        };
        self.shared
            .crash_point(CrashPoint::BeforeIntent, self.account)
            .await;
        records.push(intended(&plan, &round.entry, round.observed.as_ref()));
        if let Err(error) = self.record_with(records, Some(intent)).await {
            return Turn::End(self.not_recorded(&error));
        }
        Metrics::count(&self.shared.metrics.intents);
        self.shared
            .crash_point(CrashPoint::AfterIntent, self.account)
            .await;
        let report = self.send(&plan).await;
        self.judge(report, intent, plan).await
    }

    pub(super) async fn send(&mut self, plan: &Plan) -> Report {
        let mut report = Report::default();
        let mut user = plan.fluent_user.clone();
        for request in requests(&plan.steps) {
            let fresh = report.created.as_ref().filter(|_| plan.fluent_user.is_none());
            let is_set = |step: &&Step| match (step, fresh) {
                (Step::SetStatus(status), Some((_, made))) => status == made,
                _ => false,
            };
            let steps: Vec<&Step> = request.iter().filter(|step| !is_set(step)).collect();
            let mutations: Vec<_> = steps
                .iter()
                .filter_map(|step| mutation(step, user.as_ref()))
                .collect();
            if mutations.is_empty() {
                continue;
            }
            self.shared
                .crash_point(CrashPoint::BeforeSend(self.sends), self.account)
                .await;
            let deactivates = request.iter().any(Step::deactivates);
            let results = self
                .shared
                .gate
                .send(
                    &mutations,
                    self.urgent,
                    self.shared.stopped(),
                    || self.may_send(deactivates),
                    &|| self.shared.lease_covers_a_request() && !self.shared.is_halted(),
                )
                .await;
            self.shared
                .crash_point(CrashPoint::AfterSend(self.sends), self.account)
                .await;
            self.sends = self.sends.saturating_add(1);
            let Some(results) = results else {
                report.no_lease = true;
                break;
            };
            for (step, result) in steps.iter().zip(results) {
                if result.is_ok() {
                    self.count(step);
                }
                report.take(result);
            }
            let failed_creation = user.is_none() && report.created.is_none();
            user = user.or_else(|| report.created.as_ref().map(|(id, _)| id.clone()));
            if report.stops() || failed_creation {
                break;
            }
        }
        report
    }

    /// The last look before a request goes out.
    pub(super) fn may_send(&self, deactivates: bool) -> bool {
        if !self.shared.lease_covers_a_request() || self.shared.is_halted() {
            return false;
        }
        if deactivates && let Some(received) = self.received {
            self.shared
                .metrics
                .leaver
                .record(self.shared.now().millis_since(received));
        }
        true
    }

    pub(super) fn count(&self, step: &Step) {
        let metrics = &self.shared.metrics;
        Metrics::count(match step {
            Step::CreateUser(_) => &metrics.users_created,
            Step::SetStatus(FluentStatus::Inactive) => &metrics.users_deactivated,
            Step::SetStatus(_) => &metrics.users_activated,
            Step::RemoveGrants(_) => &metrics.grants_removed,
            Step::AddGrants { .. } => &metrics.grants_added,
            Step::UpdateProfile(_) => &metrics.profiles_written,
        });
    }

    /// What the answers mean for the intent and for the visit.
    pub(super) async fn judge(&mut self, report: Report, intent: EventId, plan: Plan) -> Turn {
        self.wrote |= report.done > 0 || report.ambiguous.is_some();
        if let Some(error) = &report.ambiguous {
            return self.unsettled(error, intent, plan.serves).await;
        }
        let serves = plan.serves;
        let stop = if report.no_lease {
            Some(self.stop(self.failure("no-lease", true), self.back_off(None)))
        } else if let Some(error) = &report.later {
            Some(self.stop(self.failure(&code(error), true), self.back_off(Some(error))))
        } else {
            let refused = report.refused.as_ref().filter(|_| report.conflict.is_none());
            refused.map(|error| self.refused(error))
        };
        self.conflict = report.conflict;
        match stop {
            Some(stop) if report.done == 0 => {
                // Nothing of it can ever arrive: the intent ends here.
                let failure = stop.failure.settled(intent).event(self.account, serves);
                match self.record(vec![failure]).await {
                    Ok(()) => Turn::End(stop.finish),
                    Err(error) => Turn::End(self.not_recorded(&error)),
                }
            }
            stop => {
                self.stop = stop;
                self.carried = Some((intent, plan));
                Turn::Again
            }
        }
    }

    /// An answer was lost: the intent stays open to the end of the window, and the state is read at once.
    pub(super) async fn unsettled(&mut self, error: &FluentError, intent: EventId, serves: Sequence) -> Turn {
        Metrics::count(&self.shared.metrics.ambiguous);
        let until = self
            .shared
            .now()
            .plus_millis(millis(self.shared.config.late_write_window));
        let failure = Failure {
            intent: Some(intent),
            unsettled_until: Some(until),
            ..self.failure(&code(error), true)
        };
        match self.record(vec![failure.event(self.account, serves)]).await {
            Ok(()) => Turn::Again,
            Err(error) => Turn::End(self.not_recorded(&error)),
        }
    }
}
