//! Members of one group on a real broker.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::*;
use super::broker::{fresh, options};
use crate::contract::{Assignment, Membership as _, Standing};

const SOON: Duration = Duration::from_secs(60);

fn all() -> BTreeSet<Partition> {
    (0..3).map(Partition).collect()
}

fn member(log: &KafkaLog) -> KafkaMembership {
    KafkaMembership::join(log, "reconcile", Stream::Outcomes).unwrap()
}

/// Waits until what the member owns is as wanted, and gives it.
async fn until(member: &KafkaMembership, wanted: impl FnMut(&Assignment) -> bool) -> Assignment {
    let mut assignment = member.assignment();
    tokio::time::timeout(SOON, assignment.wait_for(wanted))
        .await
        .unwrap_or_else(|_| panic!("nothing changed: {member:?}"))
        .unwrap()
        .clone()
}

/// Waits until the lease is proven.
async fn leased(member: &KafkaMembership) {
    let begun = std::time::Instant::now();
    while member.remaining() == Some(Duration::ZERO) {
        assert!(begun.elapsed() < SOON, "no lease was proven: {member:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let remaining = member.remaining().unwrap();
    assert!(remaining <= Duration::from_secs(9), "{remaining:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_alone_owns_everything_and_a_second_one_gets_its_share_after_the_release() {
    let log = tokio::task::spawn_blocking(|| fresh(&options())).await.unwrap();
    let one = member(&log);
    until(&one, |owned| owned.partitions == all()).await;
    leased(&one).await;

    let two = member(&log);
    let kept = until(&one, |owned| owned.partitions != all()).await.partitions;
    assert!(!kept.is_empty(), "only what moves is taken away");
    let moved: Vec<_> = all().difference(&kept).copied().collect();
    // What moves is not handed on while its work is in flight, and what stays is leased all the while.
    let mut others = two.assignment();
    let early = others.wait_for(|owned| !owned.partitions.is_empty());
    let early = tokio::time::timeout(Duration::from_secs(3), early);
    assert!(early.await.is_err(), "handed on before the release");
    assert!(
        one.remaining() > Some(Duration::from_secs(5)),
        "{:?}",
        one.remaining()
    );
    one.released(&moved);
    let got = until(&two, |owned| !owned.partitions.is_empty()).await.partitions;
    assert_eq!(got, moved.iter().copied().collect());
    leased(&two).await;
    assert_eq!(one.assignment().borrow().partitions, kept);
    assert!(log.stats().rebalances >= 3);

    // Whoever leaves hands everything on at once.
    tokio::task::spawn_blocking(move || drop(two)).await.unwrap();
    until(&one, |owned| owned.partitions == all()).await;
    tokio::task::spawn_blocking(move || drop((one, log)))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_cannot_take_is_dealt_to_a_new_one_and_not_left_to_nobody() {
    let log = tokio::task::spawn_blocking(|| fresh(&options())).await.unwrap();
    let member = KafkaMembership::join_refusing(&log, "reconcile", Stream::Outcomes, 2).unwrap();
    until(&member, |owned| owned.partitions == all()).await;
    leased(&member).await;
    assert_eq!(member.standing(), Standing::Member);
    tokio::task::spawn_blocking(move || drop((member, log)))
        .await
        .unwrap();
}

/// Waits until the member stands as wanted.
async fn stands(member: &KafkaMembership, wanted: impl Fn(&Standing) -> bool) {
    let begun = std::time::Instant::now();
    while !wanted(&member.standing()) {
        assert!(begun.elapsed() < SOON, "{:?}: {member:?}", member.standing());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_dealt_nothing_is_a_spare_only_while_its_group_counts_it() {
    let (cluster, log, behind_door) = tokio::task::spawn_blocking(|| {
        let settings = rollcall_kafka_local::Settings {
            doors: 1,
            ..rollcall_kafka_local::Settings::default()
        };
        let cluster = rollcall_kafka_local::Cluster::start(&settings).unwrap();
        let open = |brokers: String| {
            let options = KafkaOptions {
                session_timeout: Duration::from_secs(6),
                ..KafkaOptions::new(brokers)
            };
            topics::ensure(&options, &super::broker::PLAN).unwrap();
            KafkaLog::open(&options).unwrap()
        };
        let (direct, through_door) = (open(cluster.bootstrap()), open(cluster.doors()[0].bootstrap()));
        (cluster, direct, through_door)
    })
    .await
    .unwrap();
    let owners = [member(&log), member(&log), member(&log)];
    for owner in &owners {
        let mut assignment = owner.assignment();
        let settled = assignment.wait_for(|owned| {
            // What moves on to another is let go at once.
            owner.released(&all().difference(&owned.partitions).copied().collect::<Vec<_>>());
            owned.partitions.len() == 1
        });
        tokio::time::timeout(SOON, settled).await.unwrap().unwrap();
    }
    let spare = member(&behind_door);
    assert!(
        matches!(spare.standing(), Standing::NotDealt { .. }),
        "not yet a member"
    );
    stands(&spare, |standing| *standing == Standing::Member).await;
    assert!(spare.assignment().borrow().partitions.is_empty(), "{spare:?}");
    // Longer than a lease lasts: it is renewed though nothing is owned.
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(spare.standing(), Standing::Member);
    cluster.doors()[0].silence();
    stands(&spare, |standing| matches!(standing, Standing::Lapsed { .. })).await;
    cluster.doors()[0].open();
    stands(&spare, |standing| *standing == Standing::Member).await;
    tokio::task::spawn_blocking(move || drop((spare, owners, behind_door, log, cluster)))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_cut_off_has_no_lease_any_more_when_another_gets_its_partitions() {
    let (cluster, cut_off, other) = tokio::task::spawn_blocking(|| {
        let settings = rollcall_kafka_local::Settings {
            doors: 1,
            ..rollcall_kafka_local::Settings::default()
        };
        let cluster = rollcall_kafka_local::Cluster::start(&settings).unwrap();
        let open = |brokers: String| {
            let options = KafkaOptions {
                session_timeout: Duration::from_secs(6),
                ..KafkaOptions::new(brokers)
            };
            topics::ensure(&options, &super::broker::PLAN).unwrap();
            KafkaLog::open(&options).unwrap()
        };
        let through_door = open(cluster.doors()[0].bootstrap());
        let direct = open(cluster.bootstrap());
        (cluster, through_door, direct)
    })
    .await
    .unwrap();
    let one = member(&cut_off);
    until(&one, |owned| owned.partitions == all()).await;
    leased(&one).await;
    let two = member(&other);
    let kept = until(&one, |owned| owned.partitions != all()).await.partitions;
    let moved: Vec<_> = all().difference(&kept).copied().collect();
    one.released(&moved);
    until(&two, |owned| !owned.partitions.is_empty()).await;

    cluster.doors()[0].silence();
    until(&two, |owned| owned.partitions == all()).await;
    assert_eq!(one.remaining(), Some(Duration::ZERO), "two owners at one time");
    assert_ne!(one.standing(), Standing::Member);
    assert!(two.remaining() > Some(Duration::ZERO));

    // Let in again it learns what happened, owns nothing for a moment, and gets a share again.
    cluster.doors()[0].open();
    let moving = until(&two, |owned| owned.partitions != all()).await.partitions;
    let moved: Vec<_> = all().difference(&moving).copied().collect();
    two.released(&moved);
    until(&one, |owned| owned.partitions == moved.iter().copied().collect()).await;
    leased(&one).await;
    assert!(cut_off.stats().assignments_lost >= 1);
    tokio::task::spawn_blocking(move || drop((one, two, cut_off, other, cluster)))
        .await
        .unwrap();
}
