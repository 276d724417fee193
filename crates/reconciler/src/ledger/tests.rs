#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rollcall_domain::outcome::{OutcomeApplied, OutcomeFailed, OutcomeHeld, OutcomeIntended};
use rollcall_domain::{ContextType, Hold, NameKey, Source, TenantId};

use super::*;

const ACCOUNT: AccountKey = NameKey([1; 16]);

fn grant(role: &str) -> Grant {
    Grant::new(role, ContextType::Agent, "7")
}

fn id(number: u128) -> EventId {
    EventId(uuid::Uuid::from_u128(number))
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn event(number: u128, data: EventData) -> Event {
    Event {
        id: id(number),
        source: Source::Rollcall("reconciler".to_owned()),
        time: at(0),
        tenant: TenantId::new("acme").unwrap(),
        actor: "reconciler".to_owned(),
        request_id: None,
        part: None,
        data,
    }
}

fn intended(number: u128, add: &[&str]) -> Event {
    event(
        number,
        EventData::OutcomeIntended(OutcomeIntended {
            account: ACCOUNT,
            serves: Sequence(3),
            plan: "p".to_owned(),
            fluent_user: Some(FluentUserId("11".to_owned())),
            create: false,
            status: None,
            add: add.iter().map(|role| grant(role)).collect(),
            adopt: vec![grant("adopted")],
            remove: vec![grant("removed")],
            profile: false,
            claimant: None,
            personal: None,
        }),
    )
}

fn applied(number: u128, intent: Option<u128>, owned: &[&str]) -> Event {
    event(
        number,
        EventData::OutcomeApplied(OutcomeApplied {
            account: ACCOUNT,
            intent: intent.map(id),
            serves: Sequence(3),
            fluent_user: Some(FluentUserId("11".to_owned())),
            created: false,
            status: Some(FluentStatus::Active),
            owned: owned.iter().map(|role| grant(role)).collect(),
            added: Vec::new(),
            removed: Vec::new(),
            claimant: None,
        }),
    )
}

fn failed(number: u128, intent: u128, settled: bool, until: Option<i64>) -> Event {
    event(
        number,
        EventData::OutcomeFailed(OutcomeFailed {
            account: ACCOUNT,
            intent: Some(id(intent)),
            serves: Sequence(3),
            code: "timeout".to_owned(),
            retryable: true,
            settled,
            unsettled_until: until.map(at),
            attempt: 1,
        }),
    )
}

fn fold(events: &[Event]) -> Ledger {
    let mut ledger = Ledger::default();
    events.iter().for_each(|event| ledger.apply(event));
    ledger
}

fn observed(user: &str) -> ObservedUser {
    ObservedUser {
        id: FluentUserId(user.to_owned()),
        username: "ida".to_owned(),
        status: FluentStatus::Active,
        first_name: String::new(),
        last_name: String::new(),
        primary_email: String::new(),
        grants: BTreeSet::new(),
    }
}

#[test]
fn what_an_open_intent_holds_counts_as_owned_until_it_is_closed() {
    let mut ledger = fold(&[intended(1, &["a"])]);
    let entry = ledger.entry(ACCOUNT);
    assert!(entry.is_ours(Some(&observed("11"))) && entry.is_ours(None));
    assert!(
        !entry.is_ours(Some(&observed("12"))),
        "the intent speaks of another user"
    );
    let claims = entry.claims(Some(&observed("11")));
    assert_eq!(claims, [grant("a"), grant("adopted"), grant("removed")].into());
    ledger.apply(&applied(2, Some(1), &["a"]));
    let entry = ledger.entry(ACCOUNT);
    assert_eq!(entry.claims(Some(&observed("11"))), [grant("a")].into());
    assert!(entry.open.is_empty());
}

#[test]
fn an_outcome_closes_only_the_intent_that_it_names() {
    let ledger = fold(&[
        intended(1, &["a"]),
        intended(2, &["b"]),
        applied(3, Some(2), &["b"]),
    ]);
    let entry = ledger.entry(ACCOUNT);
    assert_eq!(entry.open.iter().map(|open| open.id).collect::<Vec<_>>(), [id(1)]);
    assert!(entry.claims(None).contains(&grant("a")));
}

#[test]
fn a_failure_closes_its_intent_only_when_nothing_can_still_arrive() {
    let open = fold(&[intended(1, &["a"]), failed(2, 1, false, Some(500))]);
    let entry = open.entry(ACCOUNT);
    assert_eq!(entry.settles_at(), Some(at(500)));
    assert_eq!(entry.ripe(at(499)).count(), 0);
    assert_eq!(entry.ripe(at(500)).collect::<Vec<_>>(), [id(1)]);
    let closed = fold(&[intended(1, &["a"]), failed(2, 1, true, None)]);
    assert!(closed.entry(ACCOUNT).open.is_empty());
    assert!(
        !closed.is_ours(ACCOUNT),
        "nothing was written, so nothing is ours"
    );
}

#[test]
fn after_a_restart_every_open_intent_has_an_end() {
    let mut ledger = fold(&[
        intended(1, &["a"]),
        intended(2, &["b"]),
        failed(3, 2, false, Some(10)),
    ]);
    ledger.recover(at(900));
    assert_eq!(ledger.entry(ACCOUNT).ripe(at(10)).collect::<Vec<_>>(), [id(2)]);
    assert_eq!(ledger.entry(ACCOUNT).ripe(at(900)).count(), 2);
    assert_eq!(ledger.unsettled().collect::<Vec<_>>(), [(ACCOUNT, Some(at(900)))]);
}

#[test]
fn a_repeated_intent_is_one_intent() {
    let ledger = fold(&[intended(1, &["a"]), intended(1, &["a"]), applied(2, Some(1), &[])]);
    assert!(ledger.entry(ACCOUNT).open.is_empty());
}

#[test]
fn a_user_that_we_made_stays_known_as_made_until_another_takes_its_place() {
    let with = |user: &str, created: bool| {
        let mut event = applied(1, None, &[]);
        if let EventData::OutcomeApplied(applied) = &mut event.data {
            applied.fluent_user = Some(FluentUserId(user.to_owned()));
            applied.created = created;
        }
        event
    };
    assert!(
        fold(&[with("11", true), with("11", false)])
            .entry(ACCOUNT)
            .created
    );
    assert!(
        !fold(&[with("11", true), with("0x", false)])
            .entry(ACCOUNT)
            .created
    );
    let text = fold(&[with("007", false)]).entry(ACCOUNT);
    assert_eq!(
        text.fluent_user,
        Some(FluentUserId("007".to_owned())),
        "leading zeros are kept"
    );
}

#[test]
fn holds_on_record_are_told_apart_and_cleared() {
    let held = |holds: Vec<Hold>| {
        event(
            9,
            EventData::OutcomeHeld(OutcomeHeld {
                account: ACCOUNT,
                serves: Sequence(1),
                holds,
            }),
        )
    };
    let one = fold(&[held(vec![Hold::NoEmail])]).entry(ACCOUNT).held;
    let other = fold(&[held(vec![Hold::Protected])]).entry(ACCOUNT).held;
    assert!(one != other && one != 0);
    assert_eq!(one, fingerprint(&vec![Hold::NoEmail]));
    assert_eq!(
        fold(&[held(vec![Hold::NoEmail]), held(vec![])])
            .entry(ACCOUNT)
            .held,
        0
    );
}
