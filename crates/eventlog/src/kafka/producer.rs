//! Appending: one idempotent producer, its thread, and a new one when it cannot go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::{Header, Message as _, OwnedHeaders};
use rdkafka::producer::{
    BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext, PurgeConfig,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::client::{Context, base_config, millis};
use super::delivery::{Delivery, Ticket, reason};
use super::error::{KafkaError, Meaning, meaning};
use super::heads::{setting, signed, unsigned};
use super::options::KafkaOptions;
use super::partitioner::partition_of;
use super::stats::Counters;
use super::table::Table;
use super::watch::Suspicion;
use crate::contract::{AppendError, Appended, Record, Stream, check_batch};

/// Bytes per unit of room.
const UNIT_BYTES: usize = 1024;
/// Records per unit of room: bounds the client's memory for very small records (262,144 in the usual queue).
const UNIT_RECORDS: usize = 8;
/// The client's own bounds lie above ours, so that it never refuses what we let through: so many records more, and
/// twice the bytes with room for one batch.
const CLIENT_MORE_RECORDS: usize = 40_000;
const CLIENT_MORE_KIB: usize = 16 * 1024;
/// The part of the delivery time-out for which room in the queue is waited for; the rest is left for the
/// acknowledgement. So no append takes longer than what its sender's lease was looked at for.
const ROOM_PART: u32 = 4;
/// How long records are gathered into one request: one millisecond costs a single write little and lets many
/// writers share a request.
const LINGER: Duration = Duration::from_millis(1);
/// How long the thread waits for something to do before it looks whether it should stop.
const POLL: Duration = Duration::from_millis(100);
/// Pauses before a producer that failed at once is made anew: doubled up to the second.
const RENEW_PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// A producer that lived this long has worked: the next pause begins small again.
const LIVED: Duration = Duration::from_secs(60);
/// How long a closing log waits for what is on its way.
const FLUSH: Duration = Duration::from_secs(5);
/// Structured mode: the whole event is the value.
const CONTENT_TYPE: (&str, &str) = ("content-type", "application/cloudevents+json; charset=UTF-8");

/// What the client tells of deliveries, from the producer's thread.
pub(crate) struct ProducerCallbacks {
    base: Context,
    table: Arc<Table>,
    suspicion: Arc<Suspicion>,
    fatal: AtomicBool,
}

impl ClientContext for ProducerCallbacks {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.base.log(level, facility, message);
    }

    fn stats_raw(&self, _statistics: &[u8]) {}

    fn error(&self, error: ClientError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            self.fatal.store(true, Ordering::Release);
        }
        self.base.error(error, reason);
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.base.generate_oauth_token(config)
    }
}

impl ProducerContext for ProducerCallbacks {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        match result {
            Ok(message) => {
                // The offset is missing when the broker knows only that the record is there already.
                let end = match message.offset() {
                    offset if offset < 0 => 0,
                    offset => unsigned(offset).saturating_add(1),
                };
                let place = ticket
                    .place()
                    .and_then(|(stream, partition)| self.table.get(stream, partition));
                if end > 0 && place.is_some_and(|known| !known.acknowledged(end)) {
                    // Acknowledgements of one producer only go forward within a partition.
                    self.suspicion.raise();
                    return ticket
                        .failed(|_| "the partition went back; the topics are being checked".to_owned());
                }
                ticket.acknowledged(end);
            }
            Err((error, _)) => {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                match meaning(code) {
                    Meaning::Fatal => self.fatal.store(true, Ordering::Release),
                    Meaning::Unknown => self.suspicion.raise(),
                    _ => {}
                }
                ticket.failed(|patience| reason(code, patience));
            }
        }
    }
}

type Client = BaseProducer<ProducerCallbacks>;

/// The writing end.
pub(crate) struct Producer {
    shared: Arc<Shared>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

struct Shared {
    options: KafkaOptions,
    table: Arc<Table>,
    suspicion: Arc<Suspicion>,
    counters: Arc<Counters>,
    room: Arc<Semaphore>,
    /// All of it, in units.
    room_units: u32,
    /// None while a new one is being made.
    current: RwLock<Option<Arc<Client>>>,
    stop: AtomicBool,
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Producer")
    }
}

impl Producer {
    pub(crate) fn start(
        options: &KafkaOptions,
        table: Arc<Table>,
        suspicion: Arc<Suspicion>,
        counters: Arc<Counters>,
    ) -> Result<Self, KafkaError> {
        let room_units = u32::try_from(options.queue_bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let shared = Arc::new(Shared {
            options: options.clone(),
            table,
            suspicion,
            counters,
            room: Arc::new(Semaphore::new(room_units as usize)),
            room_units,
            current: RwLock::new(None),
            stop: AtomicBool::new(false),
        });
        let first = Arc::new(shared.make()?);
        *shared.current.write() = Some(Arc::clone(&first));
        let thread = thread::Builder::new()
            .name("kafka-producer".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.run(first)
            })
            .map_err(|error| KafkaError::Machine {
                action: "starting the producer's thread",
                reason: error.to_string(),
            })?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(crate) async fn append(&self, stream: Stream, records: Vec<Record>) -> Result<Appended, AppendError> {
        let shared = &self.shared;
        let bytes = check_batch(stream, &records)?;
        shared.suspicion.append_refusal(stream)?;
        let units = bytes
            .div_ceil(UNIT_BYTES)
            .max(records.len().div_ceil(UNIT_RECORDS));
        let room = shared.room(stream, units).await?;
        let client = shared
            .current
            .read()
            .clone()
            .ok_or_else(|| AppendError::Unavailable {
                stream,
                reason: "the producer is being made anew".to_owned(),
            })?;
        let count = shared.table.count(stream);
        let partitions = records
            .iter()
            .map(|record| partition_of(&record.key, count))
            .collect();
        let (answer, answered) = oneshot::channel();
        let patience = shared.options.delivery_timeout;
        let delivery = Delivery::new(
            stream,
            partitions,
            answer,
            room,
            patience,
            Arc::clone(&shared.counters),
        );
        shared.send(&client, stream, &records, &delivery);
        // The client must not be held while waiting: a producer that is replaced ends, and answers what is on
        // its way, only when nobody holds it any more.
        drop((client, delivery, records));
        answered.await.unwrap_or_else(|_| {
            Err(AppendError::Unavailable {
                stream,
                reason: "the producer stopped".to_owned(),
            })
        })
    }

    /// Takes no more, waits a little for what is on its way, and ends the thread. Blocks.
    pub(crate) fn close(&self) {
        self.shared.room.close();
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// Room for so many units in the queue. An append that is larger than the whole queue has it for itself.
    async fn room(&self, stream: Stream, units: usize) -> Result<OwnedSemaphorePermit, AppendError> {
        let units = u32::try_from(units).unwrap_or(u32::MAX).clamp(1, self.room_units);
        if let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(units) {
            return Ok(room);
        }
        let patience = self.room_patience();
        let room = Arc::clone(&self.room).acquire_many_owned(units);
        match tokio::time::timeout(patience, room).await {
            Ok(room) => room.map_err(|_| AppendError::Closed { stream }),
            Err(_) => {
                self.counters.had_no_room();
                Err(AppendError::Unavailable {
                    stream,
                    reason: format!(
                        "the queue of records that wait for their acknowledgement was full for {patience:?}"
                    ),
                })
            }
        }
    }

    fn room_patience(&self) -> Duration {
        self.options.delivery_timeout / ROOM_PART
    }

    fn make(&self) -> Result<Client, KafkaError> {
        let mut config = base_config(&self.options);
        config.set("enable.idempotence", "true");
        config.set("acks", "all");
        config.set("linger.ms", millis(LINGER));
        config.set("compression.type", "zstd");
        let delivery = self.options.delivery_timeout.saturating_sub(self.room_patience());
        config.set("delivery.timeout.ms", millis(delivery));
        let units = self.room_units as usize;
        let records = units
            .saturating_mul(UNIT_RECORDS)
            .saturating_add(CLIENT_MORE_RECORDS);
        config.set("queue.buffering.max.messages", records.to_string());
        let kib = units.saturating_mul(2).saturating_add(CLIENT_MORE_KIB);
        config.set("queue.buffering.max.kbytes", kib.to_string());
        let callbacks = ProducerCallbacks {
            base: Context::new(&self.options),
            table: Arc::clone(&self.table),
            suspicion: Arc::clone(&self.suspicion),
            fatal: AtomicBool::new(false),
        };
        config.create_with_context(callbacks).map_err(setting)
    }

    /// Gives the records to the client, in order. One that it does not take is answered at once.
    fn send(&self, client: &Client, stream: Stream, records: &[Record], delivery: &Arc<Delivery>) {
        let topic = self.table.name(stream);
        let count = self.table.count(stream);
        for (index, record) in records.iter().enumerate() {
            let (name, value) = CONTENT_TYPE;
            let headers = OwnedHeaders::new_with_capacity(1).insert(Header {
                key: name,
                value: Some(value),
            });
            let sent = client.send(
                BaseRecord::with_opaque_to(topic, delivery.ticket(index))
                    .partition(signed(partition_of(&record.key, count).0))
                    .key(record.key.as_ref())
                    .payload(record.value.as_ref())
                    .headers(headers),
            );
            if let Err((error, refused)) = sent {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                if meaning(code) == Meaning::Fatal {
                    client.context().fatal.store(true, Ordering::Release);
                }
                refused.delivery_opaque.failed(|patience| reason(code, patience));
            }
        }
    }

    /// Serves the producer, and makes a new one whenever it had a fatal error.
    fn run(&self, mut client: Arc<Client>) {
        let mut pause = RENEW_PAUSES.0;
        let mut born = Instant::now();
        while !self.stop.load(Ordering::Acquire) {
            client.poll(POLL);
            if !client.context().fatal.load(Ordering::Acquire) {
                continue;
            }
            let why = client
                .client()
                .fatal_error()
                .map(|(_, why)| why)
                .unwrap_or_default();
            tracing::warn!(reason = %why, "the producer had a fatal error and is made anew");
            self.current.write().take();
            // Whoever is about to send with the old one has it in hand for a moment longer; what they send
            // fails at once.
            end(&client);
            drop(client);
            if born.elapsed() >= LIVED {
                pause = RENEW_PAUSES.0;
            }
            let Some(next) = self.renew(&mut pause) else {
                return;
            };
            born = Instant::now();
            client = next;
        }
        self.current.write().take();
        let _ = client.flush(FLUSH);
        end(&client);
    }

    fn renew(&self, pause: &mut Duration) -> Option<Arc<Client>> {
        while !self.stop.load(Ordering::Acquire) {
            super::wait::pause(*pause);
            *pause = pause.saturating_mul(2).min(RENEW_PAUSES.1);
            match self.make() {
                Ok(client) => {
                    self.table.all().for_each(|(_, _, known)| known.new_producer());
                    self.counters.reinitialised();
                    let client = Arc::new(client);
                    *self.current.write() = Some(Arc::clone(&client));
                    return Some(client);
                }
                Err(error) => tracing::warn!(%error, "no new producer could be made"),
            }
        }
        None
    }
}

/// Answers everything that is on its way with a producer that is no more used.
fn end(client: &Client) {
    client.purge(PurgeConfig::default().queue().inflight());
    if client.flush(FLUSH).is_err() {
        tracing::warn!("a producer that ended left records unanswered");
    }
}
