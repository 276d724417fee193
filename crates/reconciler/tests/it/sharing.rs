//! Several processes share a tenant: partitions move, processes die and are cut off, and nobody is left unattended.

use std::collections::BTreeSet;
use std::time::Duration;

use rollcall_domain::DesiredStatus::{self, Active};
use rollcall_domain::{AppRole, Hold, RoleName};
use rollcall_fluent_sim::{Behavior, Fault, FaultKind};
use rollcall_reconciler::Scope;

use crate::fleet::{Fleet, PARTITIONS};
use crate::support::{Dice, LEFT, POINTS};

async fn shared_evenly(nodes: usize) -> Fleet {
    let mut fleet = Fleet::new(nodes, Behavior::default()).await;
    for partition in 0..PARTITIONS {
        fleet.give(partition, partition as usize % nodes).await;
    }
    fleet
}

#[tokio::test]
async fn every_account_is_looked_after_by_the_owner_of_its_partition_alone() {
    let fleet = shared_evenly(2).await;
    let names: Vec<String> = (0..40).map(|number| format!("p{number}")).collect();
    for name in &names {
        fleet.world.source.want(name, Active, &["PICK"]);
    }
    fleet.converge().await;
    let mut used = BTreeSet::new();
    for name in &names {
        fleet.world.expect(name, "ACTIVE", &["PICK"]);
        assert_eq!(fleet.world.journal_of(name).len(), 1, "{name} is created once");
        let account = fleet.world.source.account(name);
        used.insert(fleet.partition_of(name));
        for partition in 0..PARTITIONS {
            let knows = fleet.reconciler(partition).ledger(account).fluent_user.is_some();
            assert_eq!(knows, partition == fleet.partition_of(name), "{name}");
        }
    }
    assert_eq!(used.len() as u32, PARTITIONS, "the names are spread");
    fleet.expect_one_owner_at_a_time("at peace");
}

#[tokio::test]
async fn what_changes_while_nobody_owns_a_partition_is_found_by_its_next_owner() {
    let mut fleet = shared_evenly(2).await;
    for number in 0..12 {
        fleet.world.source.want(&format!("p{number}"), Active, &["PICK"]);
    }
    fleet.converge().await;
    let free = fleet.kill(0);
    for number in 0..12 {
        let (status, roles): (DesiredStatus, &[&str]) = match number % 3 {
            0 => (LEFT, &[]),
            1 => (Active, &["STORE"]),
            _ => (Active, &["PICK"]),
        };
        fleet.world.source.want(&format!("p{number}"), status, roles);
    }
    fleet.world.source.want("newcomer", Active, &["LEAD"]);
    fleet.session_runs_out();
    for partition in free {
        fleet.give(partition, 1).await;
    }
    fleet.converge().await;
    for number in 0..12 {
        let (status, roles): (&str, &[&str]) = match number % 3 {
            0 => ("INACTIVE", &[]),
            1 => ("ACTIVE", &["STORE"]),
            _ => ("ACTIVE", &["PICK"]),
        };
        fleet.world.expect(&format!("p{number}"), status, roles);
    }
    fleet.world.expect("newcomer", "ACTIVE", &["LEAD"]);
    fleet.expect_one_owner_at_a_time("after a death");
}

type Wanted = (DesiredStatus, &'static [&'static str]);

/// What ida is before, and what she becomes while her reconciler dies.
const STEPS: [(&str, &[Wanted], Wanted); 4] = [
    ("join", &[], (Active, &["PICK", "STORE"])),
    ("move", &[(Active, &["PICK"])], (Active, &["STORE", "LEAD"])),
    ("leave", &[(Active, &["PICK"])], (LEFT, &[])),
    (
        "return",
        &[(Active, &["PICK"]), (LEFT, &[])],
        (Active, &["PICK", "STORE"]),
    ),
];

#[tokio::test]
async fn whoever_takes_over_from_a_dead_owner_ends_what_it_began_at_every_point() {
    let mut deaths = 0;
    for (name, before, step) in STEPS {
        for point in POINTS {
            let what = format!("{name} {point:?}");
            let mut fleet = Fleet::new(
                2,
                Behavior {
                    fresh_status: "CREATED".into(),
                    ..Behavior::default()
                },
            )
            .await;
            let home = fleet.partition_of("ida");
            fleet.give(home, 0).await;
            for (status, roles) in before {
                fleet.world.source.want("ida", *status, roles);
                fleet.converge().await;
            }
            *fleet.death.lock() = Some(point);
            fleet.world.source.want("ida", step.0, step.1);
            let died = dead_or_done(&fleet, &what).await;
            deaths += usize::from(died);
            fleet.kill(0);
            fleet.session_runs_out();
            fleet.give(home, 1).await;
            fleet.converge().await;
            let status = if step.0 == Active { "ACTIVE" } else { "INACTIVE" };
            fleet.world.expect("ida", status, step.1);
            let roles = fleet.world.owned(fleet.reconciler(home), "ida");
            let mut owned: Vec<&str> = roles.iter().map(String::as_str).collect();
            owned.sort_unstable();
            assert_eq!(owned.len(), step.1.len(), "{what}: {owned:?}");
            fleet.expect_one_owner_at_a_time(&what);
            // A third one finds nothing to do, and knows the same.
            let (mutations, outcomes) = (fleet.world.fluent.journal_next(), fleet.outcomes());
            let entry = fleet.reconciler(home).ledger(fleet.world.source.account("ida"));
            fleet.give(home, 0).await;
            fleet.converge().await;
            let again = (fleet.world.fluent.journal_next(), fleet.outcomes());
            assert_eq!(again, (mutations, outcomes), "{what}");
            assert_eq!(
                fleet.reconciler(home).ledger(fleet.world.source.account("ida")),
                entry
            );
        }
    }
    assert!(deaths >= 24, "only {deaths} points were met");
}

async fn dead_or_done(fleet: &Fleet, what: &str) -> bool {
    let home = fleet.partition_of("ida");
    let account = fleet.world.source.account("ida");
    let done = || {
        let ledger = fleet.reconciler(home).ledger(account);
        ledger.open.is_empty() && ledger.serves == fleet.world.source.sequence_of("ida")
    };
    let mut died = false;
    let settled = async {
        while !died && !done() {
            died = fleet.died().is_some();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), settled).await;
    assert!(waited.is_ok(), "{what}: neither dead nor done");
    died
}

#[tokio::test]
async fn who_is_cut_off_sends_nothing_any_more_when_its_time_is_over() {
    let mut fleet = shared_evenly(2).await;
    fleet.world.source.want("ida", Active, &["PICK"]);
    fleet.converge().await;
    let home = fleet.partition_of("ida");
    let (old, new) = (home as usize % 2, (home as usize + 1) % 2);
    let free = fleet.cut_off(old);
    fleet.session_runs_out();
    // It still hears of changes, and still reaches Fluent and the log.
    let before = (fleet.world.fluent.journal_next(), fleet.outcomes());
    fleet.world.source.want("ida", LEFT, &[]);
    fleet
        .world
        .until("the one who is cut off has looked", || {
            !fleet.world.source.is_waiting()
        })
        .await;
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!((fleet.world.fluent.journal_next(), fleet.outcomes()), before);
    for partition in free {
        fleet.give(partition, new).await;
    }
    fleet.converge().await;
    fleet.world.expect("ida", "INACTIVE", &[]);
    fleet.expect_one_owner_at_a_time("cut off");
}

#[tokio::test]
async fn what_is_in_flight_when_a_partition_is_taken_away_ends_with_its_outcome_on_record() {
    let mut fleet = shared_evenly(2).await;
    fleet.converge().await;
    let home = fleet.partition_of("ida");
    let (old, new) = (home as usize % 2, (home as usize + 1) % 2);
    let slow = FaultKind::Latency {
        fixed_ms: 200,
        jitter_ms: 0,
    };
    fleet
        .world
        .fluent
        .inject(Fault::new(slow).only("createUser"))
        .unwrap();
    fleet.world.source.want("ida", Active, &["PICK"]);
    let account = fleet.world.source.account("ida");
    let begun = || !fleet.reconciler(home).ledger(account).open.is_empty();
    fleet.world.until("the intent is on record", begun).await;
    fleet.take_away(old, home).await;
    let entry = fleet.on_record(account).await;
    assert!(entry.open.is_empty() && entry.fluent_user.is_some(), "{entry:?}");
    fleet.give(home, new).await;
    fleet.converge().await;
    fleet.world.expect("ida", "ACTIVE", &["PICK"]);
    fleet.expect_one_owner_at_a_time("taken away");
}

#[tokio::test]
async fn a_write_that_lands_after_its_owner_died_is_taken_back_by_the_next_one() {
    let mut fleet = shared_evenly(2).await;
    fleet.world.source.want("ida", Active, &["PICK"]);
    fleet.converge().await;
    let home = fleet.partition_of("ida");
    let (old, new) = (home as usize % 2, (home as usize + 1) % 2);
    let late = FaultKind::LandLate { after_ms: 60_000 };
    fleet
        .world
        .fluent
        .inject(Fault::new(late).only("updateUser"))
        .unwrap();
    fleet.world.source.want("ida", Active, &["PICK", "LEAD"]);
    fleet
        .world
        .until("the write is under way", || fleet.world.fluent.pending() > 0)
        .await;
    let free = fleet.kill(old);
    // Meanwhile the role is not wanted any more: what lands late must not stay.
    fleet.world.source.want("ida", Active, &["PICK"]);
    fleet.session_runs_out();
    for partition in free {
        fleet.give(partition, new).await;
    }
    fleet.converge().await;
    fleet.advance(Duration::from_secs(180));
    fleet.converge().await;
    assert_eq!(fleet.world.fluent.pending(), 0);
    fleet.world.expect("ida", "ACTIVE", &["PICK"]);
    assert_eq!(fleet.world.owned(fleet.reconciler_of("ida"), "ida"), ["PICK"]);
    fleet.expect_one_owner_at_a_time("late");
}

#[tokio::test]
async fn a_rename_over_two_processes_makes_the_new_account_usable_first() {
    let fleet = shared_evenly(2).await;
    let (from, to) = (fleet.name_in(0, "old"), fleet.name_in(1, "new"));
    fleet.world.source.want(&from, Active, &["PICK"]);
    fleet.converge().await;
    let journal = fleet.world.fluent.journal_next();
    fleet.world.source.rename(&from, &to, &["PICK"]);
    fleet.converge().await;
    fleet.world.expect(&to, "ACTIVE", &["PICK"]);
    fleet.world.expect(&from, "INACTIVE", &[]);
    let entries = fleet.world.fluent.journal_since(journal);
    let order: Vec<_> = entries.into_iter().filter_map(|entry| entry.username).collect();
    assert_eq!(order.first(), Some(&to), "{order:?}");
}

#[tokio::test]
async fn the_old_account_of_a_rename_does_not_wait_for_a_process_that_is_gone() {
    let mut fleet = shared_evenly(2).await;
    let (from, to) = (fleet.name_in(0, "old"), fleet.name_in(1, "new"));
    fleet.world.source.want(&from, Active, &["PICK"]);
    fleet.converge().await;
    fleet.kill(1);
    fleet.world.source.rename(&from, &to, &["PICK"]);
    fleet.converge().await;
    fleet.world.expect(&from, "INACTIVE", &[]);
    assert_eq!(fleet.world.holds(&to), None, "nobody owns it yet");
}

#[tokio::test]
async fn the_catalog_is_read_by_one_and_at_the_wish_of_all() {
    let fleet = shared_evenly(2).await;
    fleet.converge().await;
    let reader = fleet.partition_of_tenant() as usize % 2;
    let readings = |node: usize| fleet.crew(node).metrics().counters().catalog_readings;
    fleet
        .world
        .until("it is read at the start", || readings(reader) == 1)
        .await;
    let other = (0..PARTITIONS)
        .find(|partition| *partition as usize % 2 != reader)
        .unwrap();
    let name = fleet.name_in(other, "p");
    let hold = Hold::UnknownRole {
        app_role: AppRole("ACCOUNT_0_NEW".to_owned()),
        role: RoleName("NEW".to_owned()),
        near: None,
    };
    fleet
        .world
        .source
        .want_as(&name, Active, &["PICK"], |desired| desired.holds = vec![hold]);
    fleet.advance(Duration::from_secs(12));
    fleet
        .world
        .until("it is read again", || readings(reader) == 2)
        .await;
    assert_eq!(readings(1 - reader), 0);
}

#[tokio::test]
async fn one_sweep_of_a_process_is_for_all_its_partitions() {
    let fleet = shared_evenly(1).await;
    fleet.world.source.want("ida", Active, &["PICK"]);
    fleet.converge().await;
    let sweeps = || fleet.crew(0).metrics().counters().resyncs;
    assert!(sweeps() <= 2, "those that came together are swept together");
    let before = sweeps();
    fleet.world.fluent.clear_faults();
    fleet.reconciler(2).want_resync();
    for partition in 0..PARTITIONS {
        let reconciler = fleet.reconciler(partition);
        assert_eq!(
            reconciler.scope(),
            Scope::Partition(rollcall_eventlog::Partition(partition))
        );
        let had = reconciler.status().resyncs;
        fleet
            .world
            .until("swept", || reconciler.status().resyncs > had || sweeps() > before)
            .await;
    }
    fleet.converge().await;
    assert_eq!(sweeps(), before + 1);
}

const ROLES: [&str; 4] = ["PICK", "PICK+", "STORE", "LEAD"];
const PEOPLE: u64 = 8;
const ROUNDS: u64 = 30;
const NODES: usize = 3;

async fn story(seed: u64) {
    let mut dice = Dice(seed);
    let mut fleet = shared_evenly(NODES).await;
    let name = |person: u64| format!("p{person}");
    let mut wanted: Vec<(DesiredStatus, Vec<&str>)> = vec![(LEFT, Vec::new()); PEOPLE as usize];
    for _ in 0..ROUNDS {
        for _ in 0..=dice.roll(2) {
            let person = dice.roll(PEOPLE);
            let change = if dice.roll(3) == 0 {
                (LEFT, Vec::new())
            } else {
                (Active, dice.some_of(&ROLES))
            };
            fleet.world.source.want(&name(person), change.0, &change.1);
            wanted[person as usize] = change;
        }
        let node = usize::try_from(dice.roll(NODES as u64)).unwrap();
        match dice.roll(8) {
            0 | 1 => {
                let partition = u32::try_from(dice.roll(u64::from(PARTITIONS))).unwrap();
                fleet.give(partition, node).await;
            }
            2 => {
                let free = fleet.kill(node);
                adopt(&mut fleet, free, node).await;
            }
            3 => {
                let point = usize::try_from(dice.roll(POINTS.len() as u64)).unwrap();
                *fleet.death.lock() = Some(POINTS[point]);
            }
            4 => {
                let free = fleet.cut_off(node);
                adopt(&mut fleet, free, node).await;
                fleet.heal(node);
            }
            5 => {
                let fault = match dice.roll(3) {
                    0 => FaultKind::LoseResponse,
                    1 => FaultKind::Cut,
                    _ => FaultKind::LandLate {
                        after_ms: 1 + dice.roll(30_000),
                    },
                };
                fleet
                    .world
                    .fluent
                    .inject(Fault::new(fault).only("createUser").only("updateUser"))
                    .unwrap();
            }
            _ => fleet.advance(Duration::from_millis(dice.roll(3000))),
        }
        for _ in 0..dice.roll(12) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if let Some(dead) = fleet.died() {
            let free = fleet.kill(dead);
            adopt(&mut fleet, free, dead).await;
        }
    }
    *fleet.death.lock() = None;
    while let Some(dead) = fleet.died() {
        let free = fleet.kill(dead);
        adopt(&mut fleet, free, dead).await;
    }
    fleet.world.fluent.clear_faults();
    fleet.converge().await;
    fleet.expect_one_owner_at_a_time(&format!("seed {seed}"));
    for person in 0..PEOPLE {
        let (status, roles) = &wanted[person as usize];
        let Some((is, held)) = fleet.world.holds(&name(person)) else {
            assert_ne!(*status, Active, "seed {seed}: {person} is not there");
            continue;
        };
        let held: BTreeSet<&str> = held.iter().map(String::as_str).collect();
        assert_eq!(
            held,
            roles.iter().copied().collect(),
            "seed {seed}: {person} {status:?}"
        );
        assert_eq!(is == "ACTIVE", *status == Active, "seed {seed}: {person} is {is}");
        assert!(
            fleet
                .world
                .owned(fleet.reconciler_of(&name(person)), &name(person))
                .len()
                == roles.len()
        );
    }
}

/// The partitions of a node that is gone, or seems so, go to another one when its session has run out.
async fn adopt(fleet: &mut Fleet, free: BTreeSet<u32>, gone: usize) {
    fleet.session_runs_out();
    for partition in free {
        fleet.give(partition, (gone + 1) % NODES).await;
    }
}

#[tokio::test]
async fn however_partitions_move_it_ends_as_desired_and_one_owner_acts_at_a_time() {
    for seed in 1..=8 {
        story(seed).await;
    }
}

/// What a new owner's directory has not taken in yet was served by the old one: it takes nobody back.
#[tokio::test]
async fn what_was_served_of_events_that_are_lost_holds_nobody_up() {
    let mut fleet = shared_evenly(2).await;
    let home = fleet.partition_of("ida");
    fleet.give(home, 0).await;
    for role in ["PICK", "STORE", "LEAD"] {
        fleet.world.source.want("ida", Active, &[role]);
        fleet.converge().await;
    }
    fleet.kill(0);
    fleet.session_runs_out();
    fleet.world.source.lose_events();
    fleet.world.source.want("ida", LEFT, &[]);
    fleet.give(home, 1).await;
    fleet.converge().await;
    fleet.world.expect("ida", "INACTIVE", &[]);
}

#[tokio::test]
async fn a_new_owner_whose_directory_lags_waits_for_what_was_served_before() {
    let mut fleet = shared_evenly(2).await;
    let home = fleet.partition_of("ida");
    fleet.give(home, 0).await;
    fleet.world.source.want("ida", Active, &["PICK"]);
    fleet.converge().await;
    fleet.world.source.want("ida", LEFT, &[]);
    fleet.converge().await;
    fleet.world.expect("ida", "INACTIVE", &[]);
    fleet.kill(0);
    fleet.session_runs_out();
    fleet.world.source.want_as("ida", Active, &["PICK"], |desired| {
        desired.sequence = rollcall_domain::Sequence(1);
    });
    let written = fleet.world.fluent.journal().len();
    fleet.give(home, 1).await;
    for _ in 0..3 {
        // Looked at, and put off each time.
        let waits = async {
            while fleet.reconciler(home).status().accounts.waiting == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waits)
            .await
            .expect("it is put off");
        fleet.advance(Duration::from_secs(2));
    }
    fleet.world.expect("ida", "INACTIVE", &[]);
    assert_eq!(fleet.world.fluent.journal().len(), written, "nothing was written");
    // The directory has caught up.
    fleet.world.source.want("ida", Active, &["PICK"]);
    fleet.converge().await;
    fleet.world.expect("ida", "ACTIVE", &["PICK"]);
}
