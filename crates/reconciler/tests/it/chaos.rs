//! Everything at once, by a seed: changes, faults, deaths. It ends as desired, with nothing foreign lost.

use std::collections::BTreeSet;
use std::time::Duration;

use rollcall_domain::DesiredStatus::{self, Active, Keep};
use rollcall_fluent_sim::{Behavior, ExistingRole, Fault, FaultKind, RemovalOfAbsent};

use crate::support::{Dice, LEFT, World};

const ROLES: [&str; 5] = ["PICK", "PICK+", "REPORT+", "STORE", "LEAD"];

/// People with an even number exist before, with `REPORT`, which is foreign and stays.
const PEOPLE: u64 = 6;
const ROUNDS: u64 = 25;

async fn story(seed: u64) {
    let mut dice = Dice(seed);
    let world = World::with(Behavior {
        fresh_status: if dice.roll(2) == 0 { "CREATED" } else { "ACTIVE" }.to_owned(),
        existing_role: if dice.roll(2) == 0 {
            ExistingRole::Merge
        } else {
            ExistingRole::Replace
        },
        removal_of_absent: if dice.roll(2) == 0 {
            RemovalOfAbsent::Accept
        } else {
            RemovalOfAbsent::NotFound
        },
        ..Behavior::default()
    })
    .await;
    let name = |person: u64| format!("p{person}");
    for person in (0..PEOPLE).filter(|person| person % 2 == 0) {
        world.seed_user(&name(person), "ACTIVE", &["REPORT"]);
    }
    let mut wanted: Vec<(DesiredStatus, Vec<&str>)> = vec![(LEFT, Vec::new()); PEOPLE as usize];
    let mut managed = BTreeSet::new();
    let mut reconciler = world.start().await;
    for _ in 0..ROUNDS {
        let person = dice.roll(PEOPLE);
        let (status, roles) = match dice.roll(6) {
            0 | 1 => (LEFT, Vec::new()),
            2 => (Keep, Vec::new()),
            _ => (Active, dice.some_of(&ROLES)),
        };
        world.source.want(&name(person), status, &roles);
        wanted[person as usize] = (status, roles);
        match dice.roll(8) {
            0 => drop(
                world
                    .fluent
                    .inject(Fault::new(FaultKind::LoseResponse).times(1 + dice.roll(3))),
            ),
            1 => {
                let late = FaultKind::LandLate {
                    after_ms: 1 + dice.roll(60_000),
                };
                let late = Fault::new(late).only("createUser").only("updateUser");
                drop(
                    world
                        .fluent
                        .inject(late.only("removeUserRolesFromUser").times(1 + dice.roll(2))),
                );
            }
            2 => drop(
                world
                    .fluent
                    .inject(Fault::new(FaultKind::Cut).times(1 + dice.roll(3))),
            ),
            3 => {
                let away = FaultKind::Status {
                    status: 502,
                    retry_after: None,
                };
                drop(world.fluent.inject(Fault::new(away).times(1 + dice.roll(4))));
            }
            4 => {
                drop(reconciler); // as if killed, with requests under way
                reconciler = world.start().await;
            }
            5 => {
                world.fluent.clear_faults();
                world.converge(&reconciler).await;
                managed.extend((0..PEOPLE).filter(|person| wanted[*person as usize].0 == Active));
            }
            _ => world.advance(Duration::from_millis(dice.roll(3000))),
        }
        for _ in 0..dice.roll(20) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    world.fluent.clear_faults();
    world.converge(&reconciler).await;
    assert_eq!(
        world.fluent.pending(),
        0,
        "seed {seed}: something has yet to land"
    );
    for person in 0..PEOPLE {
        let (status, roles) = &wanted[person as usize];
        let Some((is, held)) = world.holds(&name(person)) else {
            assert_ne!(*status, Active, "seed {seed}: {person} is not there");
            continue;
        };
        let held: BTreeSet<&str> = held.iter().map(String::as_str).collect();
        assert!(
            person % 2 != 0 || held.contains("REPORT"),
            "seed {seed}: {person} lost what is not ours"
        );
        let ours: BTreeSet<&str> = held.into_iter().filter(|role| *role != "REPORT").collect();
        let desired: BTreeSet<&str> = roles.iter().copied().collect();
        assert_eq!(ours, desired, "seed {seed}: {person} {status:?}");
        match status {
            Active => assert_eq!(is, "ACTIVE", "seed {seed}: {person}"),
            Keep => {}
            DesiredStatus::Inactive { .. } if managed.contains(&person) || person % 2 != 0 => {
                assert_eq!(is, "INACTIVE", "seed {seed}: {person}");
            }
            DesiredStatus::Inactive { .. } => {}
        }
        assert!(
            reconciler
                .ledger(world.source.account(&name(person)))
                .open
                .is_empty()
        );
    }
}

#[tokio::test]
async fn whatever_happens_it_ends_as_desired() {
    for seed in 1..=12 {
        story(seed).await;
    }
}
