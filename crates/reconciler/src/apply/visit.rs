//! One look at one account, by the one worker that has it.

use rollcall_domain::{AccountKey, DesiredUser, EventData, EventId, ObservedUser, Profile, Timestamp, open};
use rollcall_fluent::FluentError;

use super::outcomes::{Failure, applied, held, is_news, is_usable};
use crate::catalog::is_unknown;
use crate::clock::millis;
use crate::config::CrashPoint;
use crate::ledger::{LedgerEntry, OPEN_INTENTS_MAX};
use crate::metrics::Metrics;
use crate::plan::{Facts, Plan, plan};
use crate::queue::{Finish, Lane, Taken};
use crate::shared::Shared;

/// Reads of one visit at most: a plan, its read-back, and two more when answers were lost or others write
/// too.
const ROUNDS_MAX: usize = 4;
/// Before an account is looked at again whose desired user is older than the one that was served, in ms: a directory
/// that lags is seconds behind, and a wake-up comes when it has moved.
const BEHIND_PAUSE_MS: i64 = 1_000;

/// Looks at an account and makes Fluent so.
pub(crate) async fn visit(shared: &Shared, taken: Taken<AccountKey>, failures: u32) -> Finish {
    Metrics::count(&shared.metrics.visits);
    let mut visit = Visit {
        shared,
        account: taken.key,
        received: taken.received,
        failures,
        urgent: taken.lane == Lane::Leaver,
        carried: None,
        stop: None,
        conflict: None,
        sends: 0,
        wrote: false,
        held_up: false,
    };
    let finish = visit.rounds().await;
    visit.when_settled(finish)
}

pub(super) struct Visit<'a> {
    pub(super) shared: &'a Shared,
    pub(super) account: AccountKey,
    pub(super) received: Option<Timestamp>,
    pub(super) failures: u32,
    pub(super) urgent: bool,
    /// The plan that was sent last, all of whose answers came: its intent is closed by the next read.
    pub(super) carried: Option<(EventId, Plan)>,
    /// Nothing more is sent; the state is read back and this is how the visit ends.
    pub(super) stop: Option<Stop>,
    /// The last plan met a state that had moved: when the next one is the same, it is a refusal.
    pub(super) conflict: Option<FluentError>,
    pub(super) sends: usize,
    pub(super) wrote: bool,
    /// What is ours is not known, so nothing can be done, and nothing is waited for.
    pub(super) held_up: bool,
}

/// How a visit ends after a failure.
pub(super) struct Stop {
    pub(super) failure: Failure,
    pub(super) finish: Finish,
}

pub(super) enum Turn {
    Again,
    End(Finish),
}

/// All that one round has in hand.
pub(super) struct Round {
    pub(super) desired: DesiredUser,
    pub(super) entry: LedgerEntry,
    pub(super) observed: Option<ObservedUser>,
    pub(super) plan: Plan,
    pub(super) read_at: Timestamp,
}

impl Visit<'_> {
    async fn rounds(&mut self) -> Finish {
        let window = millis(self.shared.config.late_write_window);
        // An intent of ours without an end is one whose outcome could not be put on record.
        let until = self.shared.now().plus_millis(window);
        self.shared
            .recorder
            .with_ledger(|ledger| ledger.recover_account(self.account, until));
        for _ in 0..ROUNDS_MAX {
            match self.round().await {
                Turn::Again => {}
                Turn::End(finish) => return finish,
            }
        }
        self.back_off(None)
    }

    async fn round(&mut self) -> Turn {
        let desired = match self.shared.source.desired(self.account) {
            Ok(Some(desired)) => desired,
            Ok(None) => return Turn::End(Finish::Done),
            Err(error) => {
                tracing::warn!(account = %self.account, %error, "tried again later");
                return Turn::End(self.back_off(None));
            }
        };
        self.urgent = desired.is_leaver();
        self.release_predecessors(&desired);
        let entry = self.shared.recorder.entry(self.account);
        // What was served of events that the log has lost holds nobody up.
        if desired.sequence < entry.serves && entry.serves <= self.shared.began_at {
            // Another owner has served what our directory has not taken in yet: what we want is out of date, and to
            // make it so would take a leaver back.
            tracing::debug!(account = %self.account, "the directory is behind what was served; looked at again");
            return Turn::End(Finish::Again(self.shared.now().plus_millis(BEHIND_PAUSE_MS)));
        }
        if let Some(position) = self.shared.recorder.unreadable(self.account)
            && !(desired.is_leaver() && entry.is_ours(None))
        {
            // What is ours is not known: nothing is given or taken, but access that is certainly ours.
            if desired.is_leaver() {
                let account = self.account;
                tracing::error!(%account, position, "a leaver is not served, since an outcome there cannot be read");
            }
            self.held_up = true;
            return Turn::End(Finish::Done);
        }
        if desired.is_leaver() && !entry.is_ours(None) {
            return Turn::End(self.never_ours(&desired, &entry).await);
        }
        if self.carried.is_none()
            && let Some(until) = self.waits_for_successor(&desired, &entry).await
        {
            return Turn::End(Finish::Again(until));
        }
        let profile: Option<Profile> = match desired.profile.as_ref().map(open).transpose() {
            Ok(profile) => profile,
            Err(error) => {
                tracing::warn!(account = %self.account, %error, "the profile cannot be opened");
                None
            }
        };
        let read_at = self.shared.now();
        let read = tokio::select! {
            biased;
            read = self.read(&entry, profile.as_ref()) => read,
            () = self.shared.stopped(), if !self.wrote => return Turn::End(Finish::Again(read_at)),
        };
        let observed = match read {
            Ok(observed) => observed,
            Err(error) => return Turn::End(self.read_failed(&error, desired.sequence).await),
        };
        let own_user = self.shared.own_user.borrow().clone();
        let plan = plan(&Facts {
            desired: &desired,
            profile: profile.as_ref(),
            observed: observed.as_ref(),
            ledger: &entry,
            policy: &self.shared.source.policy(),
            own_user: own_user.as_ref(),
        });
        self.look_at_holds(&plan);
        self.act(Round {
            desired,
            entry,
            observed,
            plan,
            read_at,
        })
        .await
    }

    /// Reads by id where one is known, else by name: the claimant's, or the one that an open creation
    /// carried.
    async fn read(
        &self,
        entry: &LedgerEntry,
        profile: Option<&Profile>,
    ) -> Result<Option<ObservedUser>, FluentError> {
        let gate = &self.shared.gate;
        let by_intent = || entry.open.iter().find_map(|open| open.fluent_user.clone());
        let found = || self.shared.found.lock().get(&self.account).cloned();
        if let Some(id) = entry.fluent_user.clone().or_else(by_intent).or_else(found)
            && let Some(user) = gate.by_id(&id, self.urgent).await?
            && self.shared.source.key().name_key(&user.username) == self.account
        {
            return Ok(Some(user));
        }
        let carried = || {
            entry
                .open
                .iter()
                .find_map(|intent| open::<String>(intent.user_name.as_ref()?).ok())
        };
        let name = profile
            .map(|profile| profile.username.clone())
            .or_else(|| self.shared.source.user_name(self.account))
            .or_else(carried);
        match name {
            Some(name) => gate.by_name(&name, self.urgent).await,
            None => Ok(None),
        }
    }

    fn look_at_holds(&self, plan: &Plan) {
        if !plan.holds.is_empty() {
            Metrics::count(&self.shared.metrics.held);
        }
        if plan.holds.iter().any(is_unknown) {
            self.shared.catalog_wanted.notify_one();
        }
    }

    /// Closes what the read closes, then carries the plan out, or ends.
    async fn act(&mut self, round: Round) -> Turn {
        let mut records = self.closing(&round);
        records.extend(held(&round.plan, &round.entry));
        let stop = self.stop.take();
        let same = self
            .carried
            .take()
            .is_some_and(|(_, carried)| carried.hash() == round.plan.hash());
        let conflict = self.conflict.take();
        let differs = || conflict.map_or_else(|| self.differs(), |error| self.refused(&error));
        let stop = stop.or_else(|| (same && !round.plan.is_empty()).then(differs));
        let paused = self.shared.is_stopping();
        if round.plan.is_empty() || stop.is_some() || paused {
            if let Some(user) = &round.observed
                && round.plan.is_empty()
                && records
                    .iter()
                    .all(|record| !matches!(record, EventData::OutcomeApplied(_)))
                && is_news(&round.plan, &round.entry, user)
            {
                records.push(applied(&round.plan, None, None, &round.entry, user));
            }
            let failure = stop.as_ref().map(|stop| stop.failure.clone());
            records.extend(failure.map(|failure| failure.event(self.account, round.desired.sequence)));
            return Turn::End(self.end(records, stop, &round, paused).await);
        }
        if round.entry.open.len() >= OPEN_INTENTS_MAX {
            return Turn::End(self.back_off(None));
        }
        self.carry_out(records, round).await
    }

    /// The records that close intents: the one just carried out, and those that nothing can follow any more.
    fn closing(&self, round: &Round) -> Vec<EventData> {
        let ripe = round.entry.ripe(round.read_at).map(|id| (id, None));
        let carried = self.carried.iter().map(|(id, plan)| (*id, Some(plan)));
        let serves = round.desired.sequence;
        let close = |(id, carried): (EventId, Option<&Plan>)| match &round.observed {
            Some(user) if round.entry.is_ours(Some(user)) => {
                applied(&round.plan, Some(id), carried, &round.entry, user)
            }
            _ => self
                .failure("nothing-written", false)
                .settled(id)
                .event(self.account, serves),
        };
        carried.chain(ripe).map(close).collect()
    }

    async fn end(
        &mut self,
        records: Vec<EventData>,
        stop: Option<Stop>,
        round: &Round,
        paused: bool,
    ) -> Finish {
        let closes = records
            .iter()
            .any(|record| !matches!(record, EventData::OutcomeHeld(_)));
        // Written by an earlier visit, whose answer was lost, and seen by this one.
        let applies = records
            .iter()
            .any(|record| matches!(record, EventData::OutcomeApplied(applied) if applied.intent.is_some()));
        if closes {
            self.shared
                .crash_point(CrashPoint::BeforeOutcome, self.account)
                .await;
        }
        if let Err(error) = self.record(records).await {
            return self.not_recorded(&error);
        }
        if closes {
            self.shared
                .crash_point(CrashPoint::AfterOutcome, self.account)
                .await;
        }
        self.shared.found.lock().remove(&self.account);
        let now = self.shared.now();
        if let Some(stop) = stop {
            return stop.finish;
        }
        if paused && !round.plan.is_empty() {
            return Finish::Again(now);
        }
        if (self.wrote || applies)
            && is_usable(round.observed.as_ref())
            && let Some(received) = self.received
        {
            self.shared.metrics.usable.record(now.millis_since(received));
        }
        self.wake_predecessors();
        Finish::Done
    }
}
