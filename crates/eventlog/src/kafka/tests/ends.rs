//! Where a partition ends, asked of brokers that do not answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::*;
use super::mock::Mock;

/// How long a question may take.
const MOST: Duration = Duration::from_secs(4);

/// What somebody who asks is told, and how long it took.
async fn ask(log: Arc<KafkaLog>) -> (ReadError, Duration) {
    let begun = Instant::now();
    let error = log.end(Stream::Events, Partition(0)).await.unwrap_err();
    (error, begun.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_while_a_question_is_under_way_waits_no_longer_than_who_asked_first() {
    let mock = tokio::task::spawn_blocking(|| {
        let mut mock = Mock::start(1);
        mock.options.request_timeout = MOST;
        let log = Arc::new(mock.log());
        (mock, log)
    });
    let (mock, log) = mock.await.unwrap();
    log.end(Stream::Events, Partition(0)).await.unwrap();
    mock.tell(|cluster| {
        cluster
            .broker_round_trip_time(-1, Duration::from_secs(600))
            .unwrap();
    });
    let first = tokio::spawn(ask(Arc::clone(&log)));
    // The first question is under way: somebody has taken it from those that are due.
    while !log.reading.ends.is_asking(Stream::Events, Partition(0)) {
        tokio::task::yield_now().await;
    }
    let second = tokio::spawn(ask(Arc::clone(&log)));
    for (error, waited) in [first.await.unwrap(), second.await.unwrap()] {
        assert!(matches!(error, ReadError::Unavailable { .. }), "{error}");
        // Two questions one after the other take twice the time.
        assert!(waited < MOST * 3 / 2, "{waited:?}");
    }
    tokio::task::spawn_blocking(move || drop((log, mock)))
        .await
        .unwrap();
}
