//! Figures of the fold: `cargo run --release -p rollcall-projector --example fold_bench`.
//!
//! Events of the demo's mix (hires into groups, role and profile changes, moves, leavers), at least 350 B on
//! average; uniqueness, verdicts and derivations are on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::panic
)]

use std::sync::Arc;
use std::time::Instant;

use rollcall_domain::*;
use rollcall_eventlog::{AppendLog as _, LogId, MemoryLog, Record, Stream};
use rollcall_projector::{TenantSetup, TenantState, Until, is_readable, replay};

mod mix;
use mix::{Mix, group_id};

fn key() -> TenantKey {
    TenantKey::new([5; 32])
}

/// So many events of the mix.
fn mix(events: usize) -> Vec<Vec<u8>> {
    let mut source = Mix::new(key());
    let mut records = source.world();
    while records.len() < events {
        source.round(&mut records);
    }
    records
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap_or_default()
        .to_owned();
    line.split_whitespace()
        .nth(1)
        .and_then(|kb| kb.parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}

/// Processor time of this process in seconds, all threads: what counts where others share the processors.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / 100.0
}

/// When something began: on the wall and by the processor.
struct Started(Instant, f64);

impl Started {
    fn now() -> Self {
        Self(Instant::now(), processor())
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn rate(what: &str, count: usize, started: &Started) {
    let (seconds, cpu) = (started.0.elapsed().as_secs_f64(), processor() - started.1);
    let (count, million) = (count as f64, 1_000_000.0);
    println!(
        "{what:<60} {:>9.0}/s   {:.2} µs of processor each",
        count / seconds,
        cpu * million / count
    );
}

fn speed() {
    let records = mix(1_500_000);
    let bytes: usize = records.iter().map(Vec::len).sum();
    println!("{} events, {} B on average", records.len(), bytes / records.len());
    let started = Started::now();
    let mut spaces = 0usize;
    for record in &records {
        spaces += record.iter().filter(|byte| **byte == b'"').count();
    }
    rate(
        &format!("baseline: every byte looked at once ({spaces} quotes)"),
        records.len(),
        &started,
    );
    let started = Started::now();
    let decoded = records
        .iter()
        .filter(|record| Event::decode(record).is_ok())
        .count();
    rate(
        "baseline: decoded into the domain's types, one thread",
        decoded,
        &started,
    );
    let started = Started::now();
    let decoded = records.iter().filter(|record| is_readable(record)).count();
    rate(
        "read by the projector's own reader, one thread",
        decoded,
        &started,
    );
    let mut state = TenantState::new();
    let started = Started::now();
    for (at, record) in records.iter().enumerate() {
        state.apply_record(record);
        if at % 4096 == 0 {
            state.forget_changes();
        }
    }
    rate("decoded and folded, one thread", records.len(), &started);
    println!("sequence {}", state.sequence());
    let started = Started::now();
    let (seen, changed) = state.settle_all();
    rate(
        &format!("accounts computed with derivations ({changed} changed)"),
        usize::try_from(seen).unwrap(),
        &started,
    );
    drop(state);

    let log = Arc::new(MemoryLog::new(LogId([1; 16])));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for chunk in records.chunks(4096) {
        let batch = chunk
            .iter()
            .map(|record| Record::new("acme", record.clone()))
            .collect();
        runtime.block_on(log.append(Stream::Events, batch)).unwrap();
    }
    let count = records.len();
    drop(records);
    let setups = [TenantSetup {
        id: TenantId::new("acme").unwrap(),
        key: key(),
    }];
    let started = Started::now();
    let replayed = replay(&*log, &setups, Until::End, &mut |_| true).unwrap();
    rate(
        "replay() of a log in memory, two threads, no store",
        count,
        &started,
    );
    let grants = replayed[0].count_grants();
    rate(
        &format!("  the same with every desired user computed ({grants} grants)"),
        count,
        &started,
    );
}

fn memory() {
    let mut source = Mix::new(key());
    let mut state = TenantState::new();
    for record in source.world() {
        state.apply_record(&record);
    }
    let mut at_100k = 0;
    for user in 0..1_000_000u64 {
        if user == 100_000 {
            state.settle_all();
            state.forget_changes();
            at_100k = resident();
        }
        let mut records = Vec::new();
        source.hire(&mut records);
        for record in records {
            state.apply_record(&record);
        }
        if user % 1000 == 0 {
            state.settle_all();
            state.forget_changes();
        }
    }
    state.settle_all();
    state.forget_changes();
    let grown = resident() - at_100k - 900_000 * 4; // the generator's own list of revisions
    println!(
        "{:<58} {:>9} B a user (growth from 100,000 to 1,000,000)",
        "resident memory, 4 groups and 1.5 roles",
        grown / 900_000
    );
}

fn fan_out() {
    let mut source = Mix::new(key());
    let mut state = TenantState::new();
    for record in source.world() {
        state.apply_record(&record);
    }
    for user in 0..100_000u64 {
        let mut records = Vec::new();
        source.hire(&mut records);
        for record in records {
            state.apply_record(&record);
        }
        let record = source.member(0, user, true);
        state.apply_record(&record);
    }
    state.settle_all();
    for roles in [
        vec!["Agent_CHIC-000_Associate", "Agent_CHIC-001_STORE"],
        vec!["Agent_CHIC-001_STORE"],
    ] {
        let what = if roles.len() == 2 {
            "a role added to a group of 100,000"
        } else {
            "a role taken from it (the safety catch looks)"
        };
        let revision = if roles.len() == 2 { 1 } else { 2 };
        let record = source.event(EventData::GroupChanged(GroupChanged {
            group: group_id(0),
            base: Some(Revision(revision)),
            display_name: None,
            external_id: Set::Keep,
            roles: Some(roles.into_iter().map(AssignedRole::plain).collect()),
            removed: MemberSet::default(),
            added: MemberSet::default(),
            member_base: None,
        }));
        let started = Instant::now();
        let applied = state.apply_record(&record).unwrap();
        let folded = started.elapsed();
        let (seen, changed) = state.settle_all();
        println!(
            "{what:<58} folded {folded:?}, planned {:?} ({seen} seen, {changed} changed, {:?})",
            started.elapsed(),
            applied.settled.verdict
        );
    }
}

fn main() {
    let wanted = std::env::args().nth(1);
    let run = |name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
    if run("memory") {
        memory();
    }
    if run("fan-out") {
        fan_out();
    }
    if run("speed") {
        speed();
    }
}
