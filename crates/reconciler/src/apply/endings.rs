//! How a visit ends: failures, pauses, and what is put on record of them.

use std::time::Duration;

use rollcall_domain::outcome::OutcomeHeld;
use rollcall_domain::{DesiredUser, EventData, EventId, Sequence};
use rollcall_fluent::{FluentError, RetryClass};

use super::outcomes::Failure;
use super::visit::{Stop, Visit};
use crate::clock::millis;
use crate::config::{BACK_OFF_FIRST, BACK_OFF_LEAVER_MAX, BACK_OFF_MAX};
use crate::gate::code;
use crate::ledger::LedgerEntry;
use crate::queue::{Finish, back_off};
use crate::record::RecordError;

/// Before an account is looked at again whose intent should have been closed by now, in ms.
const OVERDUE_PAUSE_MS: i64 = 1_000;
/// Pause of an account when a permission is missing: an administrator has to act.
const PERMISSION_PAUSE: Duration = Duration::from_secs(300);

impl Visit<'_> {
    /// A leaver that was never ours, or that came and went: nothing to read. What held it holds it no more.
    pub(super) async fn never_ours(&self, desired: &DesiredUser, entry: &LedgerEntry) -> Finish {
        if entry.held == 0 {
            return Finish::Done;
        }
        let held = OutcomeHeld {
            account: self.account,
            serves: desired.sequence,
            holds: Vec::new(),
        };
        match self.record(vec![EventData::OutcomeHeld(held)]).await {
            Ok(()) => Finish::Done,
            Err(error) => self.not_recorded(&error),
        }
    }

    pub(super) fn stop(&self, failure: Failure, finish: Finish) -> Stop {
        Stop { failure, finish }
    }

    /// What was carried out and answered is not what is there: others write too, or Fluent ignores it.
    pub(super) fn differs(&self) -> Stop {
        let finish = if self.urgent {
            self.back_off(None)
        } else {
            Finish::Done
        };
        self.shared.metrics.failed("read-back-differs");
        self.stop(self.failure("read-back-differs", self.urgent), finish)
    }

    /// Refused for good: tried again at the next change or resync; a missing permission also by itself, and
    /// a leaver, and a user that somebody else made meanwhile: it is read again, and adopted.
    pub(super) fn refused(&self, error: &FluentError) -> Stop {
        tracing::warn!(account = %self.account, %error, "refused");
        let finish = if error.concerns_all() {
            Finish::Failed(self.shared.now().plus_millis(millis(PERMISSION_PAUSE)))
        } else if self.urgent || error.is_duplicate() {
            self.back_off(None)
        } else {
            Finish::Done
        };
        self.stop(
            self.failure(&code(error), !matches!(finish, Finish::Done)),
            finish,
        )
    }

    pub(super) fn failure(&self, code: &str, retryable: bool) -> Failure {
        Failure {
            intent: None,
            code: code.to_owned(),
            retryable,
            settled: false,
            unsettled_until: None,
            attempt: self.failures.saturating_add(1),
        }
    }

    /// A read that failed is this account's own failure only when it does not concern all.
    pub(super) async fn read_failed(&mut self, error: &FluentError, serves: Sequence) -> Finish {
        let mut records: Vec<EventData> = Vec::new();
        if self.failures == 0 && !error.concerns_all() {
            records.push(self.failure(&code(error), true).event(self.account, serves));
        }
        match self.record(records).await {
            Ok(()) => self.back_off(Some(error)),
            Err(error) => self.not_recorded(&error),
        }
    }

    pub(super) async fn record(&self, records: Vec<EventData>) -> Result<(), RecordError> {
        self.record_with(records, None).await
    }

    /// Puts records on record; the last one under the given id.
    pub(super) async fn record_with(
        &self,
        records: Vec<EventData>,
        last: Option<EventId>,
    ) -> Result<(), RecordError> {
        let count = records.len();
        let mut named = Vec::with_capacity(count);
        for (index, record) in records.into_iter().enumerate() {
            let id = match last {
                Some(last) if index.saturating_add(1) == count => last,
                _ => self.shared.recorder.new_id()?,
            };
            named.push((id, record));
        }
        self.shared.recorder.outcomes(self.account, named).await
    }

    pub(super) fn not_recorded(&self, error: &RecordError) -> Finish {
        self.shared.metrics.failed("not-recorded");
        if error.is_fatal() {
            self.shared.halt(&error.to_string());
        }
        self.back_off(None)
    }

    /// The pause after a failure: the account's own, or what Fluent asks for on its behalf. What concerns
    /// all is the pace's business.
    pub(super) fn back_off(&self, error: Option<&FluentError>) -> Finish {
        let most = if self.urgent {
            BACK_OFF_LEAVER_MAX
        } else {
            BACK_OFF_MAX
        };
        let [salt, ..] = self.account.0.map(u64::from);
        let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let own = back_off(self.failures, ms(BACK_OFF_FIRST), ms(most), salt);
        let asked =
            error
                .filter(|error| !error.concerns_all())
                .map_or(0, |error| match error.retry_class() {
                    RetryClass::Retryable { after: Some(after) } => millis(after),
                    _ => 0,
                });
        let asked = if self.urgent {
            asked.min(millis(most))
        } else {
            asked
        };
        Finish::Failed(self.shared.now().plus_millis(own.max(asked)))
    }

    /// An account with open intents is read once more when nothing of them can arrive any more.
    pub(super) fn when_settled(&self, finish: Finish) -> Finish {
        if self.held_up {
            return finish;
        }
        let settles = self
            .shared
            .recorder
            .with_ledger(|ledger| ledger.entry(self.account).settles_at())
            // What should be closed by now, and was not, is not looked at again without a pause.
            .map(|at| at.max(self.shared.now().plus_millis(OVERDUE_PAUSE_MS)));
        match (finish, settles) {
            (Finish::Done, Some(at)) => Finish::Again(at),
            (Finish::Again(due), Some(at)) => Finish::Again(due.min(at)),
            (finish, _) => finish,
        }
    }
}
