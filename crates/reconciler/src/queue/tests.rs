#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap as Map;

use proptest::prelude::*;

use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn drain(queue: &mut Queue<u32>) -> Vec<u32> {
    let mut order = Vec::new();
    while let Some(taken) = queue.take(Lane::Resync) {
        queue.finish(taken.key, Finish::Done);
        order.push(taken.key);
    }
    order
}

#[test]
fn leavers_overtake_removals_overtake_the_rest() {
    let mut queue = Queue::default();
    for key in 0..5 {
        queue.push(key, Lane::Rest, None);
    }
    queue.push(10, Lane::Resync, None);
    queue.push(20, Lane::Removal, None);
    queue.push(30, Lane::Leaver, None);
    assert_eq!(drain(&mut queue), [30, 20, 0, 1, 2, 3, 4, 10]);
    assert!(queue.counts().is_idle());
}

#[test]
fn a_burst_for_a_key_is_one_piece_of_work_in_the_most_urgent_lane_with_the_earliest_receipt() {
    let mut queue = Queue::default();
    queue.push(1, Lane::Rest, Some(at(50)));
    queue.push(2, Lane::Rest, None);
    queue.push(2, Lane::Leaver, Some(at(70)));
    queue.push(2, Lane::Rest, Some(at(60)));
    let taken = queue.take(Lane::Resync).unwrap();
    assert_eq!(
        taken,
        Taken {
            key: 2,
            lane: Lane::Leaver,
            received: Some(at(60))
        }
    );
    assert_eq!(queue.take(Lane::Resync).unwrap().key, 1);
    assert_eq!(queue.take(Lane::Resync), None);
}

#[test]
fn a_key_has_one_worker_and_comes_again_when_it_was_pushed_meanwhile() {
    let mut queue = Queue::default();
    queue.push(1, Lane::Rest, None);
    queue.take(Lane::Resync).unwrap();
    queue.push(1, Lane::Rest, None);
    queue.push(1, Lane::Leaver, Some(at(9)));
    assert_eq!(queue.take(Lane::Resync), None, "it is being worked on");
    queue.finish(1, Finish::Done);
    let again = queue.take(Lane::Resync).unwrap();
    assert_eq!((again.lane, again.received), (Lane::Leaver, Some(at(9))));
    queue.finish(1, Finish::Done);
    assert_eq!(queue.take(Lane::Resync), None);
}

#[test]
fn a_failed_key_waits_and_blocks_nobody_but_a_leaver_does_not_wait() {
    let mut queue = Queue::default();
    queue.push(1, Lane::Rest, None);
    queue.take(Lane::Resync).unwrap();
    queue.finish(1, Finish::Failed(at(1000)));
    queue.push(2, Lane::Rest, None);
    queue.push(1, Lane::Rest, None);
    queue.ripen(at(999));
    assert_eq!(drain(&mut queue), [2]);
    assert_eq!((queue.next_due(), queue.failures(1)), (Some(at(1000)), 1));
    queue.push(1, Lane::Leaver, None);
    assert_eq!(queue.take(Lane::Resync).unwrap().lane, Lane::Leaver);
    queue.finish(1, Finish::Failed(at(2000)));
    assert_eq!(queue.failures(1), 2);
    queue.ripen(at(2000));
    assert_eq!(drain(&mut queue), [1]);
    assert_eq!(queue.failures(1), 0, "success forgets failures");
}

#[test]
fn what_failed_counts_from_its_first_receipt_and_what_is_done_does_not() {
    let mut queue = Queue::default();
    queue.push(1, Lane::Rest, Some(at(50)));
    queue.take(Lane::Resync).unwrap();
    queue.push(1, Lane::Rest, Some(at(60)));
    queue.finish(1, Finish::Failed(at(90)));
    queue.ripen(at(90));
    assert_eq!(queue.take(Lane::Resync).unwrap().received, Some(at(50)));
    queue.finish(1, Finish::Again(at(95)));
    queue.ripen(at(95));
    assert_eq!(queue.take(Lane::Resync).unwrap().received, None);
}

#[test]
fn only_leavers_are_taken_when_only_they_may_go() {
    let mut queue = Queue::default();
    queue.push(1, Lane::Rest, None);
    assert_eq!(queue.take(Lane::Leaver), None);
    queue.push(2, Lane::Leaver, None);
    assert_eq!(queue.take(Lane::Leaver).unwrap().key, 2);
}

#[test]
fn nothing_starves_however_many_leavers_come() {
    let mut queue = Queue::default();
    queue.push(0, Lane::Removal, None);
    queue.push(1, Lane::Rest, None);
    queue.push(2, Lane::Resync, None);
    let mut taken_at = Map::new();
    for turn in 0..1000u32 {
        queue.push(100 + turn, Lane::Leaver, None);
        let key = queue.take(Lane::Resync).unwrap().key;
        queue.finish(key, Finish::Done);
        taken_at.insert(key, turn);
    }
    assert!(
        taken_at[&0] <= 32 && taken_at[&1] <= 65 && taken_at[&2] <= 258,
        "{taken_at:?}"
    );
    assert!(
        taken_at[&0] >= 32,
        "a leaver is passed over once in 32 turns at most"
    );
}

#[test]
fn back_off_doubles_to_its_bound_and_is_spread() {
    assert_eq!(back_off(0, 1000, 60_000, 0), 1000);
    assert_eq!(back_off(3, 1000, 60_000, 0), 8000);
    assert_eq!(back_off(99, 1000, 60_000, 0), 60_000);
    assert_eq!(back_off(0, 1000, 60_000, 249), 751);
    assert!(back_off(u32::MAX, u64::MAX, u64::MAX, u64::MAX) > 0);
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Push(u8, usize),
    Take,
    Finish(u8, Option<i64>, bool),
    Ripen(i64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        (0u8..6, 0usize..4).prop_map(|(key, lane)| Act::Push(key, lane)),
        Just(Act::Take),
        (0u8..6, prop::option::of(0i64..100), any::<bool>())
            .prop_map(|(k, due, failed)| Act::Finish(k, due, failed)),
        (0i64..100).prop_map(Act::Ripen),
    ];
    prop::collection::vec(act, 0..80)
}

proptest! {
    /// The naive model: a key that was pushed and not finished since is either held by a worker or still to
    /// come.
    #[test]
    fn no_key_is_lost_or_worked_on_twice(acts in acts()) {
        let mut queue = Queue::default();
        let mut held = BTreeSet::new();
        let mut owed = BTreeSet::new();
        for act in acts {
            match act {
                Act::Push(key, lane) => {
                    queue.push(key, Lane::ALL[lane], None);
                    owed.insert(key);
                }
                Act::Take => if let Some(taken) = queue.take(Lane::Resync) {
                    prop_assert!(held.insert(taken.key), "two workers for one key");
                    prop_assert!(owed.remove(&taken.key), "nobody asked for it");
                },
                Act::Finish(key, due, failed) => if held.remove(&key) {
                    let finish = match due {
                        None => Finish::Done,
                        Some(due) if failed => Finish::Failed(at(due)),
                        Some(due) => Finish::Again(at(due)),
                    };
                    if due.is_some() {
                        owed.insert(key);
                    }
                    queue.finish(key, finish);
                },
                Act::Ripen(now) => queue.ripen(at(now)),
            }
            let counts = queue.counts();
            prop_assert_eq!(counts.processing, held.len());
        }
        for key in held {
            queue.finish(key, Finish::Done);
        }
        queue.ripen(at(1000));
        let rest: BTreeSet<u8> = std::iter::from_fn(|| {
            let key = queue.take(Lane::Resync)?.key;
            queue.finish(key, Finish::Done);
            Some(key)
        }).collect();
        prop_assert_eq!(rest, owed);
        prop_assert!(queue.counts().is_idle());
    }
}
