//! Where partitions end: questions to the brokers, as few as possible.
//!
//! Whoever asks while a question about the same partition is on its way waits for the next one: an answer
//! that was on its way already may be older than the question. So at most one question per partition is under
//! way, however many ask, and every answer is younger than what was asked.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rdkafka::error::KafkaError as ClientError;
use tokio::sync::oneshot;

use super::error::{KafkaError, Meaning, meaning};
use super::heads::Heads;
use super::options::KafkaOptions;
use super::table::Table;
use super::wait::{block_on, pause};
use super::watch::Suspicion;
use crate::contract::{Damage, Partition, Position, ReadError, Stream};

/// Threads that ask. A partition without a leader holds one of them for as long as a question may take; the
/// others go on.
const THREADS: usize = 8;
/// Between two attempts of one question.
const AGAIN: Duration = Duration::from_millis(20);
/// Longest single attempt, so that a change of leader is noticed within the question.
const ATTEMPT: Duration = Duration::from_secs(2);

/// How long an end before one that was seen must be told before it is believed.
const BELIEVE_AFTER: Duration = Duration::from_secs(5);

type Answer = oneshot::Sender<Result<u64, ReadError>>;
type Key = (Stream, Partition);

#[derive(Debug, Default)]
struct Asked {
    /// Who waits for the next question.
    waiting: Vec<Answer>,
    /// Whether a question is under way or due.
    under_way: bool,
}

#[derive(Debug, Default)]
struct State {
    asked: HashMap<Key, Asked>,
    due: VecDeque<Key>,
    closed: bool,
}

struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
    /// Shared with the thread that compares the markers: its looks at the topics keep the client's knowledge
    /// of leaders fresh, without which a question takes half a second more.
    heads: Arc<Heads>,
    table: Arc<Table>,
    suspicion: Arc<Suspicion>,
    timeout: Duration,
}

/// Answers where partitions end.
pub(crate) struct Ends {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Ends {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ends")
    }
}

impl Ends {
    pub(crate) fn start(
        options: &KafkaOptions,
        heads: Arc<Heads>,
        table: Arc<Table>,
        suspicion: Arc<Suspicion>,
    ) -> Result<Self, KafkaError> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            arrived: Condvar::new(),
            heads,
            table,
            suspicion,
            timeout: options.request_timeout,
        });
        let ends = Self { shared };
        for number in 0..THREADS {
            let shared = Arc::clone(&ends.shared);
            thread::Builder::new()
                .name(format!("kafka-ends-{number}"))
                .spawn(move || shared.work())
                .map_err(|error| KafkaError::Machine {
                    action: "starting a thread that asks for ends",
                    reason: error.to_string(),
                })?;
        }
        Ok(ends)
    }

    /// Asks where the partition ends: the offset of the next record. The answer is younger than the question
    /// and comes within the request time-out or little more.
    pub(crate) fn ask(
        &self,
        stream: Stream,
        partition: Partition,
    ) -> oneshot::Receiver<Result<u64, ReadError>> {
        let (answer, answered) = oneshot::channel();
        let mut state = self.shared.state.lock();
        if state.closed {
            let _ = answer.send(Err(closed(stream)));
            return answered;
        }
        let asked = state.asked.entry((stream, partition)).or_default();
        asked.waiting.push(answer);
        if !std::mem::replace(&mut asked.under_way, true) {
            state.due.push_back((stream, partition));
            drop(state);
            self.shared.arrived.notify_one();
        }
        answered
    }

    /// The same, to be awaited.
    pub(crate) async fn end(&self, stream: Stream, partition: Partition) -> Result<u64, ReadError> {
        self.ask(stream, partition)
            .await
            .unwrap_or_else(|_| Err(closed(stream)))
    }

    /// The same, for threads.
    pub(crate) fn end_blocking(&self, stream: Stream, partition: Partition) -> Result<u64, ReadError> {
        // Not the channel's own waiting, which panics on a thread of a runtime.
        block_on(self.end(stream, partition))
    }

    /// Answers nobody any more.
    pub(crate) fn close(&self) {
        let mut state = self.shared.state.lock();
        state.closed = true;
        state.asked.clear();
        state.due.clear();
        drop(state);
        self.shared.arrived.notify_all();
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.close();
    }
}

fn closed(stream: Stream) -> ReadError {
    ReadError::Unavailable {
        stream,
        reason: "the log is closed".to_owned(),
    }
}

impl Shared {
    fn work(&self) {
        while let Some((key, waiting)) = self.next() {
            let answer = self.answer(key);
            for waiter in waiting {
                let _ = waiter.send(answer.clone());
            }
            self.done(key);
        }
    }

    fn next(&self) -> Option<(Key, Vec<Answer>)> {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(key) = state.due.pop_front() {
                let waiting = state
                    .asked
                    .get_mut(&key)
                    .map(|asked| std::mem::take(&mut asked.waiting));
                return Some((key, waiting.unwrap_or_default()));
            }
            self.arrived.wait(&mut state);
        }
    }

    /// Whoever came meanwhile gets the next question.
    fn done(&self, key: Key) {
        let mut state = self.state.lock();
        let again = match state.asked.get_mut(&key) {
            Some(asked) if asked.waiting.is_empty() => {
                asked.under_way = false;
                false
            }
            Some(_) => true,
            None => false,
        };
        if again {
            state.due.push_back(key);
            drop(state);
            self.arrived.notify_one();
        }
    }

    fn answer(&self, (stream, partition): Key) -> Result<u64, ReadError> {
        let known = self.table.known(stream, partition)?;
        self.suspicion.refusal(stream)?;
        let before = known.end();
        let end = self.question(stream, partition)?;
        if end == 0 || end < before {
            return self.shrunk(stream, partition, before, end);
        }
        known.saw_end(end);
        Ok(end)
    }

    /// A partition that ends before what was there: recreated, or its acknowledged records are lost.
    fn shrunk(&self, stream: Stream, partition: Partition, before: u64, end: u64) -> Result<u64, ReadError> {
        self.suspicion.verify_blocking(stream)?;
        // The log is the same. A new leader may be behind for a moment.
        let believed = Instant::now() + BELIEVE_AFTER;
        while Instant::now() < believed {
            pause(AGAIN);
            let again = self.question(stream, partition)?;
            if again >= before && again > 0 {
                return Ok(again);
            }
        }
        Err(ReadError::Damaged(Box::new(Damage {
            file: self.table.name(stream).into(),
            stream: Some(stream),
            position: Position::new(end.saturating_add(1)),
            what: format!(
                "partition {partition} ends at {end}, but {before} was seen before: records are lost (was an \
                 unclean leader elected?)"
            ),
        })))
    }

    fn question(&self, stream: Stream, partition: Partition) -> Result<u64, ReadError> {
        let deadline = Instant::now() + self.timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let topic = self.table.name(stream);
            match self.heads.watermarks(topic, partition.0, left.min(ATTEMPT)) {
                Ok((_, high)) => return Ok(high),
                Err(error) if left.is_zero() => return Err(self.failed(stream, partition, &error)),
                Err(error) => {
                    let code = error.rdkafka_error_code();
                    if code.is_some_and(|code| meaning(code) == Meaning::Unknown) {
                        self.suspicion.verify_blocking(stream)?;
                    }
                    pause(AGAIN);
                }
            }
        }
    }

    fn failed(&self, stream: Stream, partition: Partition, error: &ClientError) -> ReadError {
        ReadError::Unavailable {
            stream,
            reason: format!(
                "where partition {partition} of {} ends was not answered within {:?}: {error}",
                self.table.name(stream),
                self.timeout
            ),
        }
    }
}
