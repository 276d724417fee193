//! Where partitions end: questions to the brokers, as few as possible.
//!
//! Whoever asks while a question about the same partition is on its way waits for the next one: an answer
//! that was on its way already may be older than the question. So at most one question per partition is under
//! way, however many ask, and every answer is younger than what was asked. Each waits for the request time-out at
//! most, both questions and the turn for a thread together.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
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

/// Somebody who waits, and until when.
#[derive(Debug)]
struct Waiter {
    answer: Answer,
    until: Instant,
}

#[derive(Debug, Default)]
struct Asked {
    /// Who waits for the question under way.
    current: Vec<Waiter>,
    /// Who waits for the next question.
    waiting: Vec<Waiter>,
    /// Whether a question is under way or due.
    under_way: bool,
    /// What the client said last of why there is no answer.
    said: String,
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
    /// and comes within the request time-out, or an attempt later.
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
        let until = Instant::now() + self.shared.timeout;
        asked.waiting.push(Waiter { answer, until });
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

    /// Whether somebody waits for a question that has begun.
    #[cfg(test)]
    pub(crate) fn is_asking(&self, stream: Stream, partition: Partition) -> bool {
        let state = self.shared.state.lock();
        let asked = state.asked.get(&(stream, partition));
        asked.is_some_and(|asked| !asked.current.is_empty())
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
        while let Some(key) = self.next() {
            let answer = self.answer(key);
            self.done(key, &answer);
        }
    }

    fn next(&self) -> Option<Key> {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(key) = state.due.pop_front() {
                if let Some(asked) = state.asked.get_mut(&key) {
                    asked.current = std::mem::take(&mut asked.waiting);
                }
                return Some(key);
            }
            self.arrived.wait(&mut state);
        }
    }

    /// Answers those who waited; whoever came meanwhile gets the next question.
    fn done(&self, key: Key, answer: &Result<u64, ReadError>) {
        let mut state = self.state.lock();
        let Some(asked) = state.asked.get_mut(&key) else {
            return;
        };
        if answer.is_ok() {
            asked.said.clear();
        }
        for waiter in asked.current.drain(..) {
            let _ = waiter.answer.send(answer.clone());
        }
        asked.under_way = !asked.waiting.is_empty();
        if asked.under_way {
            state.due.push_back(key);
            drop(state);
            self.arrived.notify_one();
        }
    }

    /// How long the question about `key` may go on: until the first of those who wait for it has waited long enough;
    /// none when nobody waits any more. Whoever has waited long enough is told, for whatever partition: its turn may
    /// not have come.
    fn left(&self, key: Key) -> Option<Duration> {
        let now = Instant::now();
        let mut state = self.state.lock();
        for (key, asked) in &mut state.asked {
            let overdue = |waiter: &mut Waiter| waiter.until <= now;
            let late = asked.current.extract_if(.., overdue);
            for waiter in late.chain(asked.waiting.extract_if(.., overdue)) {
                let _ = waiter.answer.send(Err(self.late(*key, &asked.said)));
            }
        }
        let current = &state.asked.get(&key)?.current;
        let first = current.iter().map(|waiter| waiter.until).min()?;
        Some(first.saturating_duration_since(now))
    }

    /// Gives those who wait for the question about `key` the whole time once more: the broker did answer.
    fn wait_on(&self, key: Key) {
        let until = Instant::now() + self.timeout.max(BELIEVE_AFTER.saturating_mul(2));
        if let Some(asked) = self.state.lock().asked.get_mut(&key) {
            asked.current.iter_mut().for_each(|waiter| waiter.until = until);
        }
    }

    fn answer(&self, (stream, partition): Key) -> Result<u64, ReadError> {
        let known = self.table.known(stream, partition)?;
        self.suspicion.refusal(stream)?;
        let before = known.end();
        let end = self.question((stream, partition))?;
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
        self.wait_on((stream, partition));
        let believed = Instant::now() + BELIEVE_AFTER;
        while Instant::now() < believed {
            pause(AGAIN);
            let again = self.question((stream, partition))?;
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

    fn question(&self, key: Key) -> Result<u64, ReadError> {
        let (stream, partition) = key;
        let mut said = String::new();
        while let Some(left) = self.left(key) {
            let topic = self.table.name(stream);
            match self.heads.watermarks(topic, partition.0, left.min(ATTEMPT)) {
                Ok((_, high)) => return Ok(high),
                Err(error) => {
                    said = error.to_string();
                    if let Some(asked) = self.state.lock().asked.get_mut(&key) {
                        asked.said.clone_from(&said);
                    }
                    let code = error.rdkafka_error_code();
                    if code.is_some_and(|code| meaning(code) == Meaning::Unknown) {
                        self.suspicion.verify_blocking(stream)?;
                    }
                    pause(AGAIN);
                }
            }
        }
        Err(self.late(key, &said))
    }

    fn late(&self, (stream, partition): Key, said: &str) -> ReadError {
        let said = if said.is_empty() { "no answer" } else { said };
        ReadError::Unavailable {
            stream,
            reason: format!(
                "where partition {partition} of {} ends was not answered within {:?}: {said}",
                self.table.name(stream),
                self.timeout
            ),
        }
    }
}
