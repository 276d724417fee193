//! How fast plans are made and accounts go through the queue and the ledger, beside the least that a plan needs:
//! comparing two sets of grants.
//!
//!     cargo run --release -p rollcall-reconciler --example plan_bench
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a tool for developers"
)]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Instant;

use rollcall_domain::outcome::{OutcomeApplied, OutcomeIntended};
use rollcall_domain::*;
use rollcall_reconciler::ledger::{Ledger, LedgerEntry};
use rollcall_reconciler::plan::{Facts, plan};
use rollcall_reconciler::queue::{Finish, Lane, Queue};
use uuid::Uuid;

const ROUNDS: u64 = 300_000;
/// Grants of the planned account: four groups and two personal roles, some of which expand.
const GRANTS: u64 = 8;

/// The median of five runs, per second.
fn rate(rounds: u64, mut run: impl FnMut()) -> f64 {
    let mut rates: Vec<f64> = (0..5)
        .map(|_| {
            let started = Instant::now();
            run();
            rounds as f64 / started.elapsed().as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    rates.get(2).copied().unwrap_or_default()
}

fn row(name: &str, rate: f64, baseline: f64) {
    println!("{name:<58} {rate:>12.0}/s  ratio {:.3}", rate / baseline);
}

fn grant(number: u64) -> Grant {
    Grant::new(
        if number % 2 == 1 { "FULFILMENT" } else { "STORE" },
        ContextType::Agent,
        number.to_string(),
    )
}

fn account(number: u64) -> AccountKey {
    let mixed = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    NameKey(mixed.to_le_bytes())
}

fn desired(status: DesiredStatus) -> DesiredUser {
    let wanted = |grant| DesiredGrant {
        grant,
        because: vec![DerivationId(1), DerivationId(2)],
    };
    DesiredUser {
        account: account(1),
        sequence: Sequence(9),
        status,
        gains: Gains::Allowed,
        profile: None,
        grants: (0..GRANTS).map(grant).map(wanted).collect(),
        retained: Vec::new(),
        holds: Vec::new(),
        notes: Vec::new(),
        claimants: vec![Claimant {
            user: UserId(Uuid::from_u128(1)),
            connection: ConnectionName::new("entra").unwrap(),
            live: true,
            external_key: Some(ExternalKey([1; 16])),
        }],
    }
}

fn observed(grants: BTreeSet<Grant>) -> ObservedUser {
    ObservedUser {
        id: FluentUserId("11".to_owned()),
        username: "ida@store.example".to_owned(),
        status: FluentStatus::Active,
        first_name: "Ida".to_owned(),
        last_name: "Berg".to_owned(),
        primary_email: "ida@store.example".to_owned(),
        grants,
    }
}

fn plans() {
    let profile = Profile {
        username: "ida@store.example".to_owned(),
        first_name: "Ida".to_owned(),
        last_name: "Berg".to_owned(),
        primary_email: Some("ida@store.example".to_owned()),
    };
    let all: BTreeSet<Grant> = (0..GRANTS).map(grant).collect();
    let some: BTreeSet<Grant> = (0..GRANTS - 1).map(grant).collect();
    let baseline = rate(ROUNDS, || {
        for _ in 0..ROUNDS {
            black_box(
                black_box(&all)
                    .difference(black_box(&some))
                    .cloned()
                    .collect::<BTreeSet<_>>(),
            );
        }
    });
    println!(
        "{:<58} {baseline:>12.0}/s",
        "baseline: the difference of two sets of 8 grants"
    );
    let ledger = |owned: &BTreeSet<Grant>| LedgerEntry {
        fluent_user: Some(FluentUserId("11".to_owned())),
        created: true,
        owned: owned.clone(),
        claimant: Some(ExternalKey([1; 16])),
        ..LedgerEntry::default()
    };
    let left = DesiredStatus::Inactive {
        reason: InactiveReason::Deactivated,
    };
    let cases = [
        (
            "plan: nothing to do (what a resync compares)",
            DesiredStatus::Active,
            Some(&all),
        ),
        ("plan: a grant is added", DesiredStatus::Active, Some(&some)),
        ("plan: a joiner", DesiredStatus::Active, None),
        ("plan: a leaver", left, Some(&all)),
    ];
    let policy = Policy::default();
    for (name, status, there) in cases {
        let desired = desired(status);
        let user = there.map(|grants| observed(grants.clone()));
        let entry = there.map_or_else(LedgerEntry::default, ledger);
        let made = rate(ROUNDS, || {
            for _ in 0..ROUNDS {
                black_box(plan(black_box(&Facts {
                    desired: &desired,
                    profile: Some(&profile),
                    observed: user.as_ref(),
                    ledger: &entry,
                    policy: &policy,
                    own_user: None,
                })));
            }
        });
        row(name, made, baseline);
    }
}

fn queue() {
    let keys: Vec<AccountKey> = (0..ROUNDS).map(account).collect();
    let baseline = rate(ROUNDS, || {
        let mut set = BTreeSet::new();
        for key in &keys {
            set.insert(*key);
        }
        while black_box(set.pop_first()).is_some() {}
    });
    println!(
        "{:<58} {baseline:>12.0}/s",
        "baseline: a BTreeSet of as many keys, filled and emptied"
    );
    let through = rate(ROUNDS, || {
        let mut queue = Queue::default();
        keys.iter().for_each(|key| queue.push(*key, Lane::Rest, None));
        while let Some(taken) = queue.take(Lane::Resync) {
            queue.finish(taken.key, Finish::Done);
        }
    });
    row(
        "queue: 300,000 accounts pushed, taken, finished",
        through,
        baseline,
    );
}

fn outcome(number: u64) -> [Event; 2] {
    let grants: Vec<Grant> = (0..GRANTS).map(|at| grant(number % 100 + at)).collect();
    let event = |half: u64, data| Event {
        id: EventId(Uuid::from_u64_pair(number, half)),
        source: Source::Rollcall("reconciler".to_owned()),
        time: Timestamp::from_millis(1_790_000_000_000),
        tenant: TenantId::new("acme").unwrap(),
        actor: "reconciler".to_owned(),
        request_id: None,
        part: None,
        data,
    };
    let intended = EventData::OutcomeIntended(OutcomeIntended {
        account: account(number),
        serves: Sequence(number),
        plan: format!("{number:016x}"),
        fluent_user: None,
        create: true,
        status: None,
        add: grants.clone(),
        adopt: Vec::new(),
        remove: Vec::new(),
        profile: false,
        claimant: Some(ExternalKey([1; 16])),
        personal: Some(seal(&format!("associate.{number}@store.example"))),
    });
    let applied = EventData::OutcomeApplied(OutcomeApplied {
        account: account(number),
        intent: Some(EventId(Uuid::from_u64_pair(number, 0))),
        serves: Sequence(number),
        fluent_user: Some(FluentUserId(number.to_string())),
        created: true,
        status: Some(FluentStatus::Active),
        owned: grants.clone(),
        added: grants,
        removed: Vec::new(),
        claimant: Some(ExternalKey([1; 16])),
    });
    [event(0, intended), event(1, applied)]
}

fn ledger() {
    let records: Vec<Vec<u8>> = (0..ROUNDS / 2)
        .flat_map(outcome)
        .map(|event| event.encode())
        .collect();
    let bytes: usize = records.iter().map(Vec::len).sum();
    println!("outcomes of {} B on average", bytes / records.len());
    let baseline = rate(ROUNDS, || {
        let mut quotes = 0usize;
        for record in &records {
            quotes += record.iter().filter(|byte| **byte == b'"').count();
        }
        black_box(quotes);
    });
    println!("{:<58} {baseline:>12.0}/s", "baseline: every byte looked at once");
    let decoded = rate(ROUNDS, || {
        records
            .iter()
            .for_each(|record| drop(black_box(Event::decode(record))));
    });
    row("outcomes decoded", decoded, baseline);
    let folded = rate(ROUNDS, || {
        let mut ledger = Ledger::default();
        for record in &records {
            ledger.apply(&Event::decode(record).unwrap());
        }
        black_box(ledger.len());
    });
    row("outcomes decoded and folded into the ledger", folded, baseline);
}

fn main() {
    plans();
    queue();
    ledger();
}
