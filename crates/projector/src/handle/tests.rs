//! Waiting for a log that is slow.
#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rollcall_domain::{TenantId, TenantKey};
use rollcall_eventlog::{
    AppendError, AppendLog, Appended, LogId, LogReader, MemoryLog, Partition, Position, ReadError, ReadLog,
    Record, Retry, Stream,
};

use crate::{Projector, ProjectorError, TenantSetup};

/// A log in memory that may take its time to say where it ends, and then name an end that nobody reaches.
#[derive(Debug)]
struct Slow {
    log: MemoryLog,
    /// In milliseconds.
    takes: AtomicU64,
    is_far: AtomicBool,
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl AppendLog for Slow {
    fn append(&self, stream: Stream, records: Vec<Record>) -> Boxed<'_, Result<Appended, AppendError>> {
        self.log.append(stream, records)
    }
}

impl ReadLog for Slow {
    fn log_id(&self) -> LogId {
        self.log.log_id()
    }

    fn partitions(&self, stream: Stream) -> Vec<Partition> {
        self.log.partitions(stream)
    }

    fn partition_of(&self, stream: Stream, key: &[u8]) -> Partition {
        self.log.partition_of(stream, key)
    }

    fn end(&self, stream: Stream, partition: Partition) -> Boxed<'_, Result<Option<Position>, ReadError>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(self.takes.load(Ordering::Relaxed))).await;
            if self.is_far.load(Ordering::Relaxed) {
                return Ok(Position::new(1_000));
            }
            self.log.end(stream, partition).await
        })
    }

    fn reader(
        &self,
        stream: Stream,
        partition: Partition,
        after: Option<Position>,
    ) -> Result<Box<dyn LogReader>, ReadError> {
        self.log.reader(stream, partition, after)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_deadline_holds_for_the_question_and_for_what_is_waited_for() {
    const MOST: Duration = Duration::from_millis(200);
    let log = Arc::new(Slow {
        log: MemoryLog::new(LogId([1; 16])),
        takes: AtomicU64::new(0),
        is_far: AtomicBool::new(false),
    });
    let folder = tempfile::tempdir().unwrap();
    let tenant = TenantId::new("acme").unwrap();
    let setup = TenantSetup {
        id: tenant.clone(),
        key: TenantKey::new([3; 32]),
    };
    let projector = Projector::start(Arc::<Slow>::clone(&log), folder.path(), vec![setup]).unwrap();
    let directory = projector.tenant(&tenant).unwrap();
    directory.read_barrier_within(MOST).await.unwrap();

    log.is_far.store(true, Ordering::Relaxed);
    log.takes.store(50, Ordering::Relaxed);
    let late = directory.read_barrier_within(MOST).await.unwrap_err();
    // What the question took is not there to be waited for any more.
    let left = |waited: &Duration| *waited <= Duration::from_millis(150);
    assert!(
        matches!(&late, ProjectorError::NotSettled { waited, .. } if left(waited)),
        "{late}"
    );
    log.takes.store(u64::MAX / 2, Ordering::Relaxed);
    let silent = directory.read_barrier_within(MOST).await.unwrap_err();
    assert!(matches!(silent, ProjectorError::Log(_)), "{silent}");
    assert_eq!(silent.retry(), Retry::Later);
    projector.stop().await;
}
