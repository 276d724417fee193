//! What goes wrong on the way, told to the mock cluster.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::super::*;
use super::mock::Mock;
use crate::contract::{BatchLimits, Membership as _, Retry, Standing};

const SOON: Duration = Duration::from_secs(60);

async fn blocking<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(what).await.unwrap()
}

/// A log over one mock broker, with a short patience.
async fn start(delivery_timeout: Duration) -> (Arc<Mock>, Arc<KafkaLog>) {
    blocking(move || {
        let mut mock = Mock::start(1);
        mock.options.delivery_timeout = delivery_timeout;
        let log = mock.log();
        (Arc::new(mock), Arc::new(log))
    })
    .await
}

fn records(values: std::ops::Range<usize>) -> Vec<Record> {
    values
        .map(|value| Record::new("acme", format!("value {value}")))
        .collect()
}

async fn read(log: &Arc<KafkaLog>) -> Vec<String> {
    let log = Arc::clone(log);
    blocking(move || {
        let partition = log.partition_of(Stream::Events, b"acme");
        let mut reader = log.reader(Stream::Events, partition, None).unwrap();
        let mut all = Vec::new();
        loop {
            let batch = reader.next_batch_blocking(BatchLimits::REPLAY).unwrap();
            if batch.is_empty() {
                return all;
            }
            all.extend(
                batch
                    .iter()
                    .map(|record| String::from_utf8(record.value.to_vec()).unwrap()),
            );
        }
    })
    .await
}

async fn append(log: &KafkaLog, records: Vec<Record>) -> Result<Appended, AppendError> {
    tokio::time::timeout(SOON, log.append(Stream::Events, records))
        .await
        .expect("the append is answered")
}

fn values(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|value| format!("value {value}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_that_pass_are_passed_over_and_nothing_is_written_twice() {
    let (mock, log) = start(Duration::from_secs(30)).await;
    append(&log, records(0..1)).await.unwrap();
    mock.tell(|cluster| {
        cluster.request_errors(
            RDKafkaApiKey::Produce,
            &[
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT,
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
            ],
        );
        cluster.request_errors(
            RDKafkaApiKey::Fetch,
            &[
                RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT,
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            ],
        );
        cluster.request_errors(
            RDKafkaApiKey::ListOffsets,
            &[
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
                RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT,
            ],
        );
    });
    append(&log, records(1..50)).await.unwrap();
    assert_eq!(read(&log).await, values(0..50));
    assert_eq!(log.stats().records_failed, 0);
    blocking(move || drop((log, mock))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_away_refuses_for_now_and_serves_again_when_it_is_back() {
    let (mock, log) = start(Duration::from_secs(2)).await;
    append(&log, records(0..1)).await.unwrap();
    mock.tell(|cluster| cluster.broker_down(-1).unwrap());
    let refused = append(&log, records(1..2)).await.unwrap_err();
    assert!(matches!(refused, AppendError::Unavailable { .. }), "{refused}");
    assert_eq!(refused.retry(), Retry::Later);
    assert!(refused.may_have_been_written());
    let failing = log.failing_appends();
    assert!(
        failing.len() == 1 && failing[0].stream == Stream::Events && failing[0].reason.contains("2s"),
        "{failing:?}"
    );
    let partition = log.partition_of(Stream::Events, b"acme");
    let unknown = tokio::time::timeout(SOON, log.end(Stream::Events, partition))
        .await
        .unwrap()
        .unwrap_err();
    assert!(matches!(unknown, ReadError::Unavailable { .. }), "{unknown}");

    mock.tell(|cluster| cluster.broker_up(-1).unwrap());
    // What was refused for now may be tried again; the first attempts may come before the connection is back.
    let begun = std::time::Instant::now();
    while let Err(error) = append(&log, records(2..3)).await {
        assert!(begun.elapsed() < SOON, "{error}");
    }
    assert_eq!(log.failing_appends(), [], "the last one was taken");
    let read = read(&log).await;
    assert_eq!(
        (read.first(), read.last()),
        (Some(&"value 0".to_owned()), Some(&"value 2".to_owned()))
    );
    assert!(log.stats().records_failed >= 1);
    blocking(move || drop((log, mock))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_makes_appends_wait_and_loses_none() {
    let (mock, log) = start(Duration::from_secs(60)).await;
    append(&log, records(0..1)).await.unwrap();
    mock.tell(|cluster| {
        cluster
            .broker_round_trip_time(-1, Duration::from_millis(300))
            .unwrap()
    });
    // More than the queue has room for: each takes a thousandth of it, and far more are given.
    let appends: Vec<_> = (1..=34)
        .map(|number| {
            let log = Arc::clone(&log);
            // 34 times 8,000 records are more than the 262,144 that have room.
            let batch = vec![Record::new("acme", format!("value {number}")); 8_000];
            tokio::spawn(async move {
                append(&log, batch)
                    .await
                    .map(|appended| appended.placements().count())
            })
        })
        .collect();
    let mut most = 0;
    while log.stats().records_acknowledged < 34 * 8_000 {
        let stats = log.stats();
        assert_eq!(stats.records_failed, 0);
        most = most.max(stats.records_in_flight);
        tokio::task::yield_now().await;
    }
    assert!(most <= 262_144, "{most} records were in flight");
    for append in appends {
        assert_eq!(append.await.unwrap().unwrap(), 8_000);
    }
    blocking(move || drop((log, mock))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fatal_error_leads_to_a_new_producer_and_not_to_a_hang() {
    let (mock, log) = start(Duration::from_secs(30)).await;
    append(&log, records(0..1)).await.unwrap();
    for round in 1..4 {
        // The broker says that the producer's numbering is not what it knows: nothing can be reasoned any
        // more.
        mock.tell(|cluster| {
            cluster.request_errors(
                RDKafkaApiKey::Produce,
                &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER],
            );
        });
        let refused = append(&log, records(90..91)).await.unwrap_err();
        assert!(matches!(refused, AppendError::Unavailable { .. }), "{refused}");
        let begun = std::time::Instant::now();
        while let Err(error) = append(&log, records(round..round + 1)).await {
            assert_eq!(error.retry(), Retry::Later, "{error}");
            assert!(begun.elapsed() < SOON, "{error}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(log.stats().producer_reinitialised >= round as u64);
    }
    let read = read(&log).await;
    for value in values(0..4) {
        assert!(read.contains(&value), "{value} was acknowledged");
    }
    blocking(move || drop((log, mock))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fatal_error_answers_everything_that_is_on_its_way() {
    let (mock, log) = start(Duration::from_secs(30)).await;
    append(&log, records(0..1)).await.unwrap();
    mock.tell(|cluster| {
        cluster
            .broker_round_trip_time(-1, Duration::from_millis(100))
            .unwrap();
        cluster.request_errors(
            RDKafkaApiKey::Produce,
            &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER; 4],
        );
    });
    let appends: Vec<_> = (0..200)
        .map(|number| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let batch =
                    (0..20).map(|part| Record::new(format!("tenant {}", number % 17), format!("{part}")));
                append(&log, batch.collect()).await
            })
        })
        .collect();
    let mut refused = 0;
    for append in appends {
        if let Err(error) = append.await.unwrap() {
            assert_eq!(error.retry(), Retry::Later, "{error}");
            refused += 1;
        }
    }
    assert!(refused > 0, "the fatal error hit nobody");
    assert_eq!(log.stats().appends_in_flight, 0);
    blocking(move || drop((log, mock))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_finds_no_room_is_refused_while_what_has_it_still_waits() {
    let (mock, log) = blocking(|| {
        let mut mock = Mock::start(1);
        mock.options.delivery_timeout = Duration::from_secs(8);
        mock.options.queue_bytes = 16 * 1024;
        let log = mock.log();
        (Arc::new(mock), Arc::new(log))
    })
    .await;
    append(&log, records(0..1)).await.unwrap();
    mock.tell(|cluster| cluster.broker_down(1).unwrap());
    let large = || vec![Record::new("acme", vec![b'x'; 16 * 1024 - 4])];
    let first = tokio::spawn({
        let (log, large) = (Arc::clone(&log), large());
        async move { append(&log, large).await }
    });
    while log.stats().appends_in_flight == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let refused = append(&log, large()).await.unwrap_err();
    assert!(refused.to_string().contains("full"), "{refused}");
    assert_eq!(refused.retry(), Retry::Later);
    assert!(
        !first.is_finished(),
        "it waited as long as the one that has the room"
    );
    assert_eq!(log.stats().appends_without_room, 1);
    mock.tell(|cluster| cluster.broker_up(1).unwrap());
    let _in_time_or_not = first.await.unwrap();
    append(&log, large()).await.unwrap();
    blocking(move || drop((log, mock))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_its_group_refuses_is_no_spare_and_says_why() {
    let (mock, log) = start(Duration::from_secs(30)).await;
    mock.tell(|cluster| {
        cluster.request_errors(
            RDKafkaApiKey::FindCoordinator,
            &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED; 8],
        );
    });
    let opened = Arc::clone(&log);
    let member =
        blocking(move || KafkaMembership::join(&opened, "reconcile", Stream::Outcomes).unwrap()).await;
    let stands = async |wanted: fn(&Standing) -> bool| {
        while !wanted(&member.standing()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let refused = stands(
        |standing| matches!(standing, Standing::NotDealt { why: Some(why) } if why.contains("authorization")),
    );
    let refused = tokio::time::timeout(SOON, refused).await;
    assert!(refused.is_ok(), "{:?}", member.standing());
    // The right is given: it joins by itself.
    let joined = tokio::time::timeout(SOON, stands(|standing| *standing == Standing::Member)).await;
    assert!(joined.is_ok(), "{:?}", member.standing());
    blocking(move || drop((member, log, mock))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_that_a_login_lacks_are_named() {
    let (mock, log) = start(Duration::from_secs(30)).await;
    mock.tell(|cluster| {
        cluster.request_errors(
            RDKafkaApiKey::Produce,
            &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 3],
        );
        cluster.request_errors(
            RDKafkaApiKey::OffsetFetch,
            &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED],
        );
    });
    let options = mock.options.clone();
    let missing = blocking(move || missing_rights(&options, &["project", "reconcile"])).await;
    let mut missing = missing.unwrap();
    missing.sort();
    let lacks = |right: &str| missing.iter().any(|missing| missing == right);
    assert_eq!(missing.len(), 4, "{missing:?}");
    for stream in Stream::ALL {
        assert!(
            lacks(&format!("write on the topic {}", mock.options.topic(stream))),
            "{missing:?}"
        );
    }
    assert!(lacks("read on the group rollcall.project"), "{missing:?}");
    blocking(move || drop((log, mock))).await;
}

#[tokio::test]
async fn reading_by_blocking_in_the_wrong_place_is_slow_but_no_panic() {
    let (mock, log) = start(Duration::from_secs(30)).await;
    append(&log, records(0..3)).await.unwrap();
    let partition = log.partition_of(Stream::Events, b"acme");
    let mut reader = log.reader(Stream::Events, partition, None).unwrap();
    assert_eq!(reader.next_batch_blocking(BatchLimits::REPLAY).unwrap().len(), 3);
    drop(reader);
    blocking(move || drop((log, mock))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lag_is_what_a_reader_has_not_read_yet() {
    let (mock, log) = start(Duration::from_secs(30)).await;
    append(&log, records(0..10)).await.unwrap();
    let partition = log.partition_of(Stream::Events, b"acme");
    let lag = |log: &KafkaLog| {
        let stats = log.stats().partitions;
        let found = stats
            .into_iter()
            .find(|found| (found.stream, found.partition) == (Stream::Events, partition));
        found.map(|found| (found.lag, found.read)).unwrap()
    };
    assert_eq!(lag(&log), (0, None), "nobody reads it here");
    let mut reader = log.reader(Stream::Events, partition, None).unwrap();
    let batch = reader.next_batch(BatchLimits::REPLAY.records(4)).await.unwrap();
    assert_eq!(lag(&log), (6, batch.last_position()));
    reader.next_batch(BatchLimits::REPLAY).await.unwrap();
    assert_eq!(lag(&log).0, 0);
    drop(reader);
    assert_eq!(lag(&log), (0, None));
    blocking(move || drop((log, mock))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_ask_for_the_end_share_few_questions() {
    let (mock, log) = start(Duration::from_secs(30)).await;
    append(&log, records(0..1)).await.unwrap();
    let partition = log.partition_of(Stream::Events, b"acme");
    mock.tell(|cluster| {
        cluster
            .broker_round_trip_time(-1, Duration::from_millis(200))
            .unwrap()
    });
    let begun = std::time::Instant::now();
    let asks = (0..1_000).map(|_| log.end(Stream::Events, partition));
    for end in futures::future::join_all(asks).await {
        assert!(end.unwrap().is_some());
    }
    // One after the other they would take more than three minutes.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    blocking(move || drop((log, mock))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_log_refuses_and_hangs_nobody() {
    let (mock, log) = start(Duration::from_secs(30)).await;
    append(&log, records(0..3)).await.unwrap();
    let partition = log.partition_of(Stream::Events, b"acme");
    let closing = Arc::clone(&log);
    blocking(move || closing.close()).await;
    let refused = append(&log, records(3..4)).await.unwrap_err();
    assert!(matches!(refused, AppendError::Closed { .. }), "{refused}");
    let refused = log.end(Stream::Events, partition).await.unwrap_err();
    assert!(matches!(refused, ReadError::Unavailable { .. }), "{refused}");
    blocking(move || drop((log, mock))).await;
}
