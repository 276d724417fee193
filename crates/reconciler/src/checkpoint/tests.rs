#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test ends where it cannot go on"
)]

use proptest::prelude::*;
use rollcall_domain::outcome::{OutcomeApplied, OutcomeDrift, OutcomeFailed, OutcomeHeld, OutcomeIntended};
use rollcall_domain::{
    AccountKey, ContextType, Event, EventData, EventId, ExternalKey, FluentStatus, FluentUserId, Grant, Hold,
    NameKey, Sequence, Source, Timestamp,
};
use uuid::Uuid;

use super::*;

const LOG: LogId = LogId([7; 16]);

fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn account(number: u8) -> AccountKey {
    NameKey([number; 16])
}

/// One of a few outcomes of one of a few accounts, so that they meet often.
#[derive(Debug, Clone)]
struct Choice {
    account: u8,
    kind: u8,
    user: Option<u8>,
    other: u8,
}

fn choices() -> impl Strategy<Value = Vec<Choice>> {
    let one = (0..4u8, 0..6u8, proptest::option::of(0..3u8), any::<u8>());
    let choice = one.prop_map(|(account, kind, user, other)| Choice {
        account,
        kind,
        user,
        other,
    });
    proptest::collection::vec(choice, 0..60)
}

fn grants(bits: u8) -> Vec<Grant> {
    let named = (0..4u8).filter(|bit| bits & (1 << bit) != 0);
    named
        .map(|bit| Grant::new(format!("role{bit}"), ContextType::Agent, "7"))
        .collect()
}

fn event(number: usize, choice: &Choice) -> Event {
    let (account, serves) = (account(choice.account), Sequence(number as u64));
    let id = |number: usize| EventId(Uuid::from_u128(number as u128 + 1));
    let earlier = id(number.saturating_sub(usize::from(choice.other % 8)));
    // One id is a text and not a number.
    let user = choice.user.map(|user| {
        FluentUserId(if user == 0 {
            "u-0".to_owned()
        } else {
            user.to_string()
        })
    });
    let data = match choice.kind {
        0 => EventData::OutcomeIntended(OutcomeIntended {
            account,
            serves,
            plan: "p".to_owned(),
            create: user.is_none(),
            fluent_user: user,
            status: None,
            add: grants(choice.other),
            adopt: Vec::new(),
            remove: Vec::new(),
            profile: false,
            claimant: None,
            personal: None,
        }),
        1 | 2 => EventData::OutcomeApplied(OutcomeApplied {
            account,
            intent: (choice.kind == 1).then_some(earlier),
            serves,
            fluent_user: user,
            created: choice.other & 16 != 0,
            status: [
                None,
                Some(FluentStatus::Active),
                Some(FluentStatus::Other("x".to_owned())),
            ][usize::from(choice.other % 3)]
            .clone(),
            owned: grants(choice.other),
            added: Vec::new(),
            removed: Vec::new(),
            claimant: (choice.other & 32 != 0).then_some(ExternalKey([choice.other; 16])),
        }),
        3 => EventData::OutcomeHeld(OutcomeHeld {
            account,
            serves,
            holds: if choice.other & 1 == 0 {
                Vec::new()
            } else {
                vec![Hold::Protected]
            },
        }),
        4 => EventData::OutcomeDrift(OutcomeDrift {
            account,
            serves,
            missing: grants(choice.other),
            foreign: Vec::new(),
            status: None,
        }),
        _ => EventData::OutcomeFailed(OutcomeFailed {
            account,
            intent: Some(earlier),
            serves,
            code: "c".to_owned(),
            retryable: true,
            settled: choice.other & 1 == 0,
            unsettled_until: None,
            attempt: 1,
        }),
    };
    Event {
        id: id(number),
        source: Source::Rollcall("reconciler".to_owned()),
        time: Timestamp::from_millis(0),
        tenant: tenant(),
        actor: "reconciler".to_owned(),
        request_id: None,
        part: None,
        data,
    }
}

fn header() -> Header {
    Header::new(LOG, &tenant(), &vec![(Partition::ONLY, 9)])
}

fn entries(ledger: &Ledger) -> Vec<crate::ledger::LedgerEntry> {
    (0..4).map(|number| ledger.entry(account(number))).collect()
}

fn written(ledger: Ledger) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger-acme.checkpoint");
    write(&path, header(), &Mutex::new(ledger), &|| true).unwrap();
    (folder, path)
}

fn example() -> Ledger {
    let mut ledger = Ledger::default();
    for number in 0..40u8 {
        let choice = Choice {
            account: number % 4,
            kind: number % 3,
            user: Some(number % 3),
            other: number.wrapping_mul(37),
        };
        ledger.apply(&event(usize::from(number), &choice));
    }
    ledger
}

proptest! {
    /// The walk meets the ledger of each account at another moment; what came since its begin is applied again.
    #[test]
    fn a_checkpoint_taken_while_outcomes_come_in_and_the_outcomes_after_it_make_the_same_ledger(
        choices in choices(),
        begin in 0..60usize,
        moments in proptest::collection::vec(0..20usize, 4),
    ) {
        let events: Vec<Event> = choices.iter().enumerate().map(|(n, choice)| event(n, choice)).collect();
        let begin = begin.min(events.len());
        let mut live = Ledger::default();
        events[..begin].iter().for_each(|event| live.apply(event));
        let (mut at, mut accounts, mut loaded) = (begin, Vec::new(), Ledger::default());
        for (number, moment) in (0..4u8).zip(moments) {
            let next = (at + moment).min(events.len());
            events[at..next].iter().for_each(|event| live.apply(event));
            at = next;
            live.write_accounts(&[account(number)], &mut accounts).unwrap();
        }
        let (mut open, mut grants) = (Vec::new(), Vec::new());
        live.write_open(&mut open);
        live.write_grants(&mut grants);
        loaded.read_accounts(&accounts).unwrap();
        loaded.read_open(&open).unwrap();
        loaded.read_grants(&grants).unwrap();
        events[begin..].iter().for_each(|event| loaded.apply(event));
        events[at..].iter().for_each(|event| live.apply(event));
        prop_assert_eq!(entries(&loaded), entries(&live));
    }

    #[test]
    fn a_checkpoint_with_a_flipped_byte_or_cut_short_is_passed_over(at in 0..10_000usize, cut in any::<bool>()) {
        let (_folder, path) = written(example());
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at % bytes.len();
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 0x20;
        }
        std::fs::write(&path, bytes).unwrap();
        prop_assert!(read(&path, LOG, &tenant()).is_none());
    }
}

#[test]
fn what_was_written_is_read() {
    let (_folder, path) = written(example());
    let (read_header, ledger) = read(&path, LOG, &tenant()).unwrap();
    assert_eq!(entries(&ledger), entries(&example()));
    assert_eq!(read_header.position(Partition::ONLY), 9);
}

#[test]
fn a_checkpoint_of_another_log_or_tenant_is_passed_over() {
    let (_folder, path) = written(example());
    assert!(read(&path, LogId([8; 16]), &tenant()).is_none());
    assert!(read(&path, LOG, &TenantId::new("other").unwrap()).is_none());
    assert!(read(&path.with_extension("absent"), LOG, &tenant()).is_none());
}

#[test]
fn a_checkpoint_that_is_given_up_leaves_the_one_before() {
    let (_folder, path) = written(example());
    let stopped = write(&path, header(), &Mutex::new(example()), &|| false);
    assert!(matches!(stopped, Err(WriteError::Stopped)));
    assert!(read(&path, LOG, &tenant()).is_some());
}
