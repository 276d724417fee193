//! Whether the brokers take what this process appends, and whether the topics are still what they were at the start.
//!
//! An append that fails makes the process unready, and the next good one ready again. Nobody needs to send a request
//! for that, which a balancer would keep away: this tries to append to `events` by itself.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use parking_lot::RwLock;
use rollcall_eventlog::Stream;
use rollcall_eventlog::kafka::FailingAppends;
use rollcall_eventlog::kafka::topics::{TopicWatch, TopicsNow};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::roles::Role;
use super::{Core, kafka, pause};
use crate::config::Kafka;

/// How often it is seen whether something is due.
const TURN: Duration = Duration::from_secs(1);
/// How often the topics are looked at: some round trips.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// The same while appends fail or copies are missing.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Pauses between two attempts to append while appends to `events` fail: doubled up to the second, since one that was
/// given up may be found in the log all the same.
const TRY_AGAIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));
/// What was refused in the other two streams is sent again by whoever sent it, unless it is not needed any more: a
/// refusal that none has followed for so long tells nothing.
const REFUSAL_COUNTS: Duration = Duration::from_secs(120);
/// The part of the process in `/readyz`.
const PART: &str = "append";

/// What was found at the last look at the topics.
#[derive(Debug, Default)]
pub(super) struct Appending(RwLock<TopicsNow>);

impl Core {
    /// Says whether appends are taken.
    pub(super) fn look_at_appends(&self) {
        let Some(log) = self.opened.kafka() else {
            return;
        };
        let failing = log.failing_appends().into_iter().find(counts);
        let failing = failing.map(|failing| format!("{}: {}", failing.stream, failing.reason));
        let closed = closed_to(self.role, &self.appending.0.read().closed);
        match closed.or(failing) {
            Some(why) => self.health.not_ready(PART, why),
            None => self.health.ready(PART),
        }
    }

    /// What is wrong with the settings of the topics, for operators.
    pub(super) fn topic_warnings(&self) -> Vec<String> {
        self.appending.0.read().findings.clone()
    }
}

/// Why a process of that role cannot append what it has to: what it never writes keeps it from nothing.
fn closed_to(role: Role, closed: &[(Stream, String)]) -> Option<String> {
    let ours = closed.iter().find(|(stream, _)| role.appends_to(*stream));
    ours.map(|(_, why)| why.clone())
}

fn counts(failing: &FailingAppends) -> bool {
    failing.stream == Stream::Events || failing.last.elapsed() < REFUSAL_COUNTS
}

/// Begins to look at the topics and to try to append, now and then, until told to stop.
///
/// # Errors
/// When the client for it cannot be made.
pub(super) fn begin(
    core: &Arc<Core>,
    settings: &Kafka,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<JoinHandle<()>> {
    let log = core.opened.kafka().context("the log is not in Kafka")?;
    let topics = TopicWatch::new(log, &kafka::plan(settings)).context("watching the topics")?;
    Ok(tokio::spawn(run(Arc::clone(core), Arc::new(topics), stop)))
}

async fn run(core: Arc<Core>, topics: Arc<TopicWatch>, mut stop: watch::Receiver<bool>) {
    let Some(log) = core.opened.kafka() else {
        return;
    };
    let mut looked = Instant::now();
    let mut attempts = Attempts::default();
    while pause(&mut stop, TURN).await {
        let failing = log.failing_appends();
        let every = if failing.is_empty() && core.appending.0.read().closed.is_empty() {
            LOOK_EVERY
        } else {
            LOOK_AGAIN
        };
        if looked.elapsed() >= every {
            look(&core, &topics).await;
            looked = Instant::now();
        }
        attempts.turn(
            &core,
            failing.iter().any(|failing| failing.stream == Stream::Events),
        );
    }
}

/// What changes is told once in the log.
async fn look(core: &Core, topics: &Arc<TopicWatch>) {
    let topics = Arc::clone(topics);
    let (answer, answered) = oneshot::channel();
    // A thread of its own, which nobody waits for: a process that stops does not stay for brokers that are silent.
    let looking = std::thread::Builder::new().name("kafka-look".to_owned());
    let looking = looking.spawn(move || answer.send(topics.look()));
    let now = match (looking, answered.await) {
        (Ok(_), Ok(Ok(now))) => now,
        (Ok(_), Ok(Err(error))) => {
            tracing::debug!(%error, "the topics could not be looked at");
            return;
        }
        (Ok(_), Err(_)) | (Err(_), _) => return,
    };
    let before = core.appending.0.read().clone();
    for new in now.findings.iter().filter(|new| !before.findings.contains(new)) {
        tracing::error!(
            topic = new,
            "a topic's settings were changed, and records may be lost"
        );
    }
    for (_, new) in now.closed.iter().filter(|new| !before.closed.contains(new)) {
        tracing::warn!(topic = new, "appends are refused");
    }
    *core.appending.0.write() = now;
}

/// Attempts to append to `events` while it refuses: one at a time, less often the longer it lasts.
#[derive(Debug, Default)]
struct Attempts {
    running: Option<JoinHandle<()>>,
    next: Option<(Instant, Duration)>,
}

impl Attempts {
    fn turn(&mut self, core: &Arc<Core>, failing: bool) {
        if !failing {
            self.next = None;
            return;
        }
        let (at, pause) = *self
            .next
            .get_or_insert_with(|| (Instant::now() + TRY_AGAIN.0, TRY_AGAIN.0));
        if Instant::now() < at
            || self
                .running
                .as_ref()
                .is_some_and(|running| !running.is_finished())
        {
            return;
        }
        let longer = pause.saturating_mul(2).min(TRY_AGAIN.1);
        self.next = Some((Instant::now() + longer, longer));
        let core = Arc::clone(core);
        self.running = Some(tokio::spawn(async move {
            let Some(fingerprints) = &core.fingerprints else {
                return;
            };
            // What the log knows already, said once more: it changes nothing, and every reader passes over it.
            if let Some(tenant) = core.tenants.first()
                && let Err(error) = fingerprints.repeat(core.log.as_ref(), &tenant.id).await
            {
                tracing::debug!(error = format!("{error:#}"), "events are still refused");
            }
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_a_process_never_writes_does_not_make_it_unready() {
        let closed = |stream: Stream| [(stream, "too few copies".to_owned())];
        for (role, streams) in [
            (Role::Ingest, &[Stream::Events][..]),
            (Role::Project, &[Stream::Events, Stream::Desired][..]),
            (Role::Reconcile, &[Stream::Events, Stream::Outcomes][..]),
            (Role::Whole, &Stream::ALL[..]),
        ] {
            for stream in Stream::ALL {
                let is_closed = closed_to(role, &closed(stream)).is_some();
                assert_eq!(is_closed, streams.contains(&stream), "{role} {stream}");
            }
        }
    }
}
