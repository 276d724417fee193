//! Whether the topics are still those of this log: looked at now and then, and whenever something is odd.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use tokio::sync::oneshot;

use super::ends::Ends;
use super::error::KafkaError;
use super::heads::{Head, Heads, expected, same_log};
use super::table::Table;
use super::wait::{block_on, pause};
use crate::contract::{AppendError, LogId, ReadError, Stream};

/// How often the markers are compared without a reason: a topic that was made anew while nobody looked, and
/// filled beyond where we stand, is noticed by this alone.
const COMPARE_EVERY: Duration = Duration::from_secs(30);
/// How often the clients are served and the ends for the metrics refreshed.
const TICK: Duration = Duration::from_secs(1);
/// How often the ends of what is read are refreshed for the lag, in ticks.
const LAG_TICKS: u32 = 5;
/// A topic that is not there, or is empty, must be so this often before it is believed: a broker that just
/// started may not know yet.
const BELIEVE_AFTER: u32 = 4;
/// Between those looks.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Most requests to compare that wait: they are all answered by one comparison.
const MAX_REQUESTS: usize = 1024;

type Verdict = Result<(), KafkaError>;

/// The judgement over the log, and the way to ask for one.
#[derive(Debug)]
pub(crate) struct Suspicion {
    replaced: RwLock<Option<KafkaError>>,
    requests: mpsc::SyncSender<Option<oneshot::Sender<Verdict>>>,
}

impl Suspicion {
    /// Why nothing is read any more, if so.
    pub(crate) fn refusal(&self, stream: Stream) -> Result<(), ReadError> {
        match &*self.replaced.read() {
            Some(error) => Err(read_error(stream, error)),
            None => Ok(()),
        }
    }

    /// Why nothing is appended any more, if so.
    pub(crate) fn append_refusal(&self, stream: Stream) -> Result<(), AppendError> {
        match &*self.replaced.read() {
            Some(error) => Err(AppendError::Replaced {
                stream,
                reason: error.to_string(),
            }),
            None => Ok(()),
        }
    }

    /// Asks for a comparison without waiting for it.
    pub(crate) fn raise(&self) {
        let (answer, _) = oneshot::channel();
        let _ = self.requests.try_send(Some(answer));
    }

    /// Compares the markers now. Blocks.
    pub(crate) fn verify_blocking(&self, stream: Stream) -> Result<(), ReadError> {
        block_on(self.verify(stream))
    }

    /// Compares the markers now.
    pub(crate) async fn verify(&self, stream: Stream) -> Result<(), ReadError> {
        judged(stream, self.ask(stream)?.await)
    }

    fn ask(&self, stream: Stream) -> Result<oneshot::Receiver<Verdict>, ReadError> {
        self.refusal(stream)?;
        let (answer, answered) = oneshot::channel();
        self.requests
            .try_send(Some(answer))
            .map_err(|_| ReadError::Unavailable {
                stream,
                reason: "the topics' identity cannot be checked now".to_owned(),
            })?;
        Ok(answered)
    }

    pub(crate) fn close(&self) {
        let _ = self.requests.try_send(None);
    }
}

fn judged(stream: Stream, answer: Result<Verdict, oneshot::error::RecvError>) -> Result<(), ReadError> {
    match answer {
        Ok(verdict) => verdict.map_err(|error| read_error(stream, &error)),
        Err(_) => Err(ReadError::Unavailable {
            stream,
            reason: "the log is closed".to_owned(),
        }),
    }
}

fn read_error(stream: Stream, error: &KafkaError) -> ReadError {
    let reason = error.to_string();
    match error {
        KafkaError::Replaced { .. } | KafkaError::Cut { .. } | KafkaError::Foreign { .. } => {
            ReadError::Replaced { stream, reason }
        }
        _ => ReadError::Unavailable { stream, reason },
    }
}

/// The thread that compares.
pub(crate) struct Watch {
    heads: Arc<Heads>,
    id: LogId,
    table: Arc<Table>,
    suspicion: Arc<Suspicion>,
    requests: mpsc::Receiver<Option<oneshot::Sender<Verdict>>>,
}

impl Watch {
    pub(crate) fn new(heads: Arc<Heads>, id: LogId, table: Arc<Table>) -> (Self, Arc<Suspicion>) {
        let (sender, requests) = mpsc::sync_channel(MAX_REQUESTS);
        let suspicion = Arc::new(Suspicion {
            replaced: RwLock::new(None),
            requests: sender,
        });
        let watch = Self {
            heads,
            id,
            table,
            suspicion: Arc::clone(&suspicion),
            requests,
        };
        (watch, suspicion)
    }

    /// Starts the thread; it ends when [`Suspicion::close`] is called.
    pub(crate) fn start(self, ends: Arc<Ends>) -> Result<thread::JoinHandle<()>, KafkaError> {
        thread::Builder::new()
            .name("kafka-watch".to_owned())
            .spawn(move || self.run(&ends))
            .map_err(|error| KafkaError::Machine {
                action: "starting the thread that watches the topics",
                reason: error.to_string(),
            })
    }

    fn run(&self, ends: &Ends) {
        let mut compared = Instant::now();
        let mut ticks = 0_u32;
        loop {
            let mut asked = Vec::new();
            match self.requests.recv_timeout(TICK) {
                Ok(Some(answer)) => asked.push(answer),
                Ok(None) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    self.heads.serve();
                    ticks = ticks.wrapping_add(1);
                    if ticks.is_multiple_of(LAG_TICKS) {
                        self.refresh(ends);
                    }
                }
            }
            while let Ok(request) = self.requests.try_recv() {
                match request {
                    Some(answer) => asked.push(answer),
                    None => return,
                }
            }
            if !asked.is_empty() || compared.elapsed() >= COMPARE_EVERY {
                let verdict = self.compare();
                compared = Instant::now();
                for answer in asked {
                    let _ = answer.send(verdict.clone());
                }
            }
        }
    }

    /// Asks for the ends of what is read, without waiting: the answers are kept in the table.
    fn refresh(&self, ends: &Ends) {
        for (stream, partition, known) in self.table.all() {
            if known.has_readers() {
                drop(ends.ask(stream, partition));
            }
        }
    }

    /// Compares the first partition of every topic: a topic is deleted and made as a whole.
    fn compare(&self) -> Verdict {
        if let Some(error) = &*self.suspicion.replaced.read() {
            return Err(error.clone());
        }
        for stream in Stream::ALL {
            let verdict = self.look(stream);
            if let Err(
                error @ (KafkaError::Replaced { .. } | KafkaError::Cut { .. } | KafkaError::Foreign { .. }),
            ) = &verdict
            {
                tracing::error!(%error, "the log is not what it was: nothing is read or written any more");
                *self.suspicion.replaced.write() = Some(error.clone());
            }
            verdict?;
        }
        Ok(())
    }

    fn look(&self, stream: Stream) -> Verdict {
        let topic = self.table.name(stream);
        let count = self.table.count(stream);
        let mut looks = 0;
        loop {
            looks += 1;
            let believed = looks >= BELIEVE_AFTER;
            let what = match self.heads.shape(topic)? {
                None => "it is no longer there".to_owned(),
                Some(shape) if shape.partitions < count => {
                    format!("it had {count} partitions and has {} now", shape.partitions)
                }
                Some(shape) => match self.heads.read(topic, [0])?.get(&0).copied() {
                    None | Some(Head::Empty) => "it is empty, its marker is missing".to_owned(),
                    Some(head) => {
                        self.table.saw_partitions(stream, shape.partitions);
                        return same_log(head, &expected(self.id, stream, 0, count), topic).map(drop);
                    }
                },
            };
            if believed {
                return Err(KafkaError::Replaced {
                    topic: topic.to_owned(),
                    what,
                });
            }
            pause(LOOK_AGAIN);
        }
    }
}
