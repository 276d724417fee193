#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where it cannot go on"
)]

use rollcall_domain::outcome::OutcomeApplied;
use rollcall_domain::{ContextType, FluentStatus, FluentUserId, Grant, NameKey, Sequence};
use rollcall_eventlog::{AppendLog as _, LogId, MemoryLog};

use super::*;
use crate::clock::ManualClock;

const LOG: LogId = LogId([3; 16]);

fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn account(number: u8) -> AccountKey {
    NameKey([number; 16])
}

async fn recorder(log: &Arc<MemoryLog>, checkpoint: Option<&Path>) -> Result<Arc<Recorder>, LoadError> {
    let loaded = load(log.as_ref(), &tenant(), Scope::Whole, checkpoint).await?;
    let config = ReconcilerConfig {
        clock: Arc::new(ManualClock::new(Timestamp::from_millis(1_000))),
        ..ReconcilerConfig::new(tenant())
    };
    Ok(Arc::new(Recorder::new(Arc::clone(log) as _, &config, loaded)))
}

async fn applied(recorder: &Recorder, number: u8, role: &str) {
    let outcome = EventData::OutcomeApplied(OutcomeApplied {
        account: account(number),
        intent: None,
        serves: Sequence(1),
        fluent_user: Some(FluentUserId(number.to_string())),
        created: true,
        status: Some(FluentStatus::Active),
        owned: vec![Grant::new(role, ContextType::Agent, "7")],
        added: Vec::new(),
        removed: Vec::new(),
        claimant: None,
    });
    let id = recorder.new_id().unwrap();
    recorder
        .outcomes(account(number), vec![(id, outcome)])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_start_reads_only_the_outcomes_after_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger-acme.checkpoint");
    let log = Arc::new(MemoryLog::new(LOG));
    let first = recorder(&log, None).await.unwrap();
    for number in 0..10 {
        applied(&first, number, "before").await;
    }
    Arc::clone(&first)
        .checkpoint(path.clone(), || true)
        .await
        .unwrap();
    applied(&first, 3, "after").await;
    applied(&first, 11, "after").await;

    let loaded = load(log.as_ref(), &tenant(), Scope::Whole, Some(&path))
        .await
        .unwrap();
    let whole = load(log.as_ref(), &tenant(), Scope::Whole, None).await.unwrap();
    assert_eq!((loaded.read, whole.read), (2, 12));
    for number in 0..12 {
        let entry = |ledger: &Ledger| ledger.entry(account(number));
        assert_eq!(entry(&loaded.ledger), entry(&whole.ledger));
        assert_eq!(entry(&loaded.ledger), first.entry(account(number)));
    }
}

#[tokio::test]
async fn a_checkpoint_ahead_of_the_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger-acme.checkpoint");
    let log = Arc::new(MemoryLog::new(LOG));
    let first = recorder(&log, None).await.unwrap();
    applied(&first, 1, "lost").await;
    first.checkpoint(path.clone(), || true).await.unwrap();

    let shorter = Arc::new(MemoryLog::new(LOG));
    match recorder(&shorter, Some(&path)).await {
        Err(LoadError::AheadOfLog {
            checkpoint: 1,
            log: 0,
            ..
        }) => {}
        other => panic!("the start went on: {other:?}"),
    }
}

#[tokio::test]
async fn outcomes_that_were_given_up_half_way_end_the_checkpoints_of_this_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger-acme.checkpoint");
    let log = Arc::new(MemoryLog::new(LOG));
    let recorder = recorder(&log, None).await.unwrap();
    drop(Unfinished(Some(&recorder.unsure)));
    recorder.checkpoint(path.clone(), || true).await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn what_is_no_event_of_ours_is_put_aside_and_what_a_newer_version_wrote_marks_its_account() {
    let log = Arc::new(MemoryLog::new(LOG));
    let first = recorder(&log, None).await.unwrap();
    applied(&first, 1, "PICK").await;
    let key = outcome_key(&tenant(), account(2));
    for poison in ["no event", "{\"specversion\":\"9\"}", "[]"] {
        let record = Record::new(key.clone(), poison);
        log.append(Stream::Outcomes, vec![record]).await.unwrap();
    }
    applied(&first, 3, "PICK").await;
    let again = recorder(&log, None).await.unwrap();
    assert_eq!(again.with_ledger(|ledger| ledger.len()), 2);
    let event = first.event(
        first.new_id().unwrap(),
        Source::Rollcall("reconciler".to_owned()),
        EventData::TimerFired(rollcall_domain::TimerFired {
            timer: "tick".to_owned(),
        }),
    );
    let newer = String::from_utf8(event.encode().to_vec()).unwrap();
    let newer = newer.replace("rollcall.timer.fired.v1", "rollcall.outcome.undone.v7");
    log.append(Stream::Outcomes, vec![Record::new(key, newer)])
        .await
        .unwrap();
    let later = recorder(&log, None).await.unwrap();
    assert_eq!(later.unreadable(account(2)), Some(6));
    assert_eq!(later.unreadable(account(1)), None, "the others are served");
    assert_eq!(later.with_ledger(|ledger| ledger.len()), 2);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger-acme.checkpoint");
    later.checkpoint(path.clone(), || true).await.unwrap();
    assert!(!path.exists(), "it would hide the record from the next start");
}

/// A lease whose renewal comes after so many looks.
#[derive(Debug)]
struct RenewedLate(AtomicUsize);

impl Lease for RenewedLate {
    fn remaining(&self) -> Option<Duration> {
        let looks = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        Some(if looks.is_ok() {
            Duration::from_secs(1)
        } else {
            Duration::from_secs(60)
        })
    }
}

#[tokio::test]
async fn an_outcome_waits_for_a_lease_that_is_renewed_a_moment_late() {
    let log = Arc::new(MemoryLog::new(LOG));
    let config = ReconcilerConfig {
        clock: Arc::new(ManualClock::new(Timestamp::from_millis(1_000))),
        lease: Arc::new(RenewedLate(AtomicUsize::new(3))),
        delivery_timeout: Duration::from_secs(5),
        ..ReconcilerConfig::new(tenant())
    };
    let loaded = load(log.as_ref(), &tenant(), Scope::Whole, None).await.unwrap();
    let recorder = Recorder::new(Arc::clone(&log) as _, &config, loaded);
    applied(&recorder, 1, "PICK").await;
    assert_eq!(recorder.with_ledger(|ledger| ledger.len()), 1);
}
