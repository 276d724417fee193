//! Reading one partition: a client of its own, placed where the reader stands.

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::{BufMut as _, Bytes, BytesMut};
use futures::future::BoxFuture;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::Notify;

use super::client::{Context, consumer_config};
use super::ends::Ends;
use super::error::{Meaning, meaning};
use super::heads::{signed, unsigned};
use super::marker::Marker;
use super::options::KafkaOptions;
use super::table::{Known, Table};
use super::watch::Suspicion;
use crate::contract::{
    BatchLimits, Damage, LogReader, MAX_TAIL_WAIT, Partition, Position, ReadBatch, ReadError, Stream,
};

/// Most bytes fetched ahead per reader, and most of one answer: enough that the network is never waited for
/// in a replay, little enough for dozens of readers in one process.
const AHEAD_KIB: usize = 8 * 1024;
const FETCH_BYTES: usize = 2 * 1024 * 1024;
/// How often in a row the client must have nothing before there is nothing.
const QUIET_POLLS: u32 = 8;
/// Longest time without a look at the client, whatever its wake-ups do.
const LOOK: Duration = Duration::from_millis(500);
/// How long records that are known to be there may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a broker must say that a record is not there before it is believed: a new leader may be behind.
const BELIEVE_AFTER: u32 = 3;

/// What readers share with the log.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) options: KafkaOptions,
    pub(crate) table: Arc<Table>,
    pub(crate) ends: Arc<Ends>,
    pub(crate) suspicion: Arc<Suspicion>,
}

/// A reader of one partition.
pub(crate) struct KafkaReader {
    shared: Arc<Reading>,
    stream: Stream,
    partition: Partition,
    /// The last record given out, or where the reader was started.
    position: Option<Position>,
    /// The next offset: beyond `position` when markers were passed over.
    next: u64,
    client: Option<BaseConsumer<Context>>,
    arrived: Arc<Notify>,
    /// A record that did not fit into the last batch.
    carried: Option<Carried>,
    /// How often in a row the broker said that it has no record at `next`.
    out_of_range: u32,
    /// Where the reader stood when the client last came to the end of the partition; told where holes are accepted.
    ended_at: Option<u64>,
    /// The hole at the end that was passed over last.
    tail: Option<(u64, u64)>,
    /// Bytes of the last batch: what the next one begins with.
    last_bytes: usize,
}

struct Carried {
    position: Position,
    key: Vec<u8>,
    value: Vec<u8>,
}

/// What is to be done when no record is at hand.
enum Idle {
    /// Wait for this long at most.
    Wait(Duration),
    /// Ask where the partition ends.
    Ask,
    /// There is nothing.
    Empty,
    /// What is there does not arrive.
    Late,
}

/// The state of one call.
struct Call {
    began: Instant,
    wait: Option<Duration>,
    /// Whether the end was asked for during this call.
    asked: bool,
}

impl fmt::Debug for KafkaReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaReader")
            .field("stream", &self.stream)
            .field("partition", &self.partition)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl KafkaReader {
    pub(crate) fn new(
        shared: Arc<Reading>,
        stream: Stream,
        partition: Partition,
        after: Option<Position>,
    ) -> Result<Self, ReadError> {
        let known = shared.table.known(stream, partition)?;
        known.reader_began();
        known.was_read(Position::to_stored(after));
        Ok(Self {
            shared: Arc::clone(&shared),
            stream,
            partition,
            position: after,
            next: Position::to_stored(after),
            client: None,
            arrived: Arc::new(Notify::new()),
            carried: None,
            out_of_range: 0,
            ended_at: None,
            tail: None,
            last_bytes: 0,
        })
    }

    /// Passes over an accepted hole at the end of the partition: the client came to the end and had no record for it.
    fn pass_over_tail(&mut self) {
        if self.ended_at != Some(self.next) {
            return;
        }
        let Some(last) = self.known().and_then(|known| known.accepted_around(self.next)) else {
            return;
        };
        let first = self.next;
        if let Some(known) = self.known() {
            known.ended_with_hole(first, last);
        }
        self.passed_over(first, last);
        self.tail = Some((first, last));
    }

    fn passed_over(&mut self, first: u64, last: u64) {
        tracing::warn!(
            topic = self.shared.table.name(self.stream), partition = %self.partition, first, last,
            "an accepted hole is passed over"
        );
        self.next = last.saturating_add(1);
    }

    fn known(&self) -> Option<&Known> {
        self.shared.table.get(self.stream, self.partition)
    }

    fn end_known(&self) -> u64 {
        self.known().map_or(0, Known::end)
    }

    fn unavailable(&self, reason: String) -> ReadError {
        ReadError::Unavailable {
            stream: self.stream,
            reason,
        }
    }

    /// Checks where the reader starts against where the partition ends.
    fn begin(&mut self, end: u64) -> Result<(), ReadError> {
        if self.next > end {
            return Err(ReadError::AfterEnd {
                stream: self.stream,
                after: Position::new(self.next).unwrap_or(Position::FIRST),
                end: self.known().and_then(|known| known.position(end)),
            });
        }
        if self.out_of_range >= BELIEVE_AFTER {
            return Err(ReadError::Damaged(Box::new(Damage {
                file: self.shared.table.name(self.stream).into(),
                stream: Some(self.stream),
                position: Position::new(self.next.saturating_add(1)),
                what: format!(
                    "the records of partition {} after {} are no longer there, though it ends at {end}: they \
                     were deleted",
                    self.partition, self.next
                ),
            })));
        }
        self.connect()
    }

    /// Places a new client where the reader stands.
    fn connect(&mut self) -> Result<(), ReadError> {
        let mut config = consumer_config(&self.shared.options);
        config.set("queued.max.messages.kbytes", AHEAD_KIB.to_string());
        config.set("queued.min.messages", "100000");
        config.set("fetch.message.max.bytes", FETCH_BYTES.to_string());
        config.set("fetch.error.backoff.ms", "50");
        if self.known().is_some_and(Known::has_holes) {
            config.set("enable.partition.eof", "true");
        }
        // A full queue is looked at again soon: a replay empties it in a few milliseconds.
        config.set("fetch.queue.backoff.ms", "2");
        let failed = |error: ClientError| error.to_string();
        let created = config.create_with_context(Context::new(&self.shared.options));
        let mut client: BaseConsumer<Context> = created.map_err(|error| self.unavailable(failed(error)))?;
        let arrived = Arc::clone(&self.arrived);
        client.set_nonempty_callback(move || arrived.notify_one());
        let mut from = TopicPartitionList::new();
        let offset = Offset::Offset(i64::try_from(self.next).unwrap_or(i64::MAX));
        from.add_partition_offset(
            self.shared.table.name(self.stream),
            signed(self.partition.0),
            offset,
        )
        .and_then(|()| client.assign(&from))
        .map_err(|error| self.unavailable(failed(error)))?;
        self.retire(Some(client));
        Ok(())
    }

    /// Puts another client in place. The old one says goodbye to its brokers on a thread of its own, since
    /// that blocks.
    fn retire(&mut self, next: Option<BaseConsumer<Context>>) {
        if let Some(old) = std::mem::replace(&mut self.client, next) {
            let _ = thread::Builder::new()
                .name("kafka-reader-end".to_owned())
                .spawn(move || drop(old));
        }
    }

    /// What has arrived, up to the limits. An error is given out only when nothing stands before it.
    fn drain(&mut self, limits: BatchLimits, mut patience: Duration) -> Result<ReadBatch, ReadError> {
        let mut filling = Filling::new(limits, self.last_bytes);
        if let Some(carried) = self.carried.take() {
            // The first record always fits.
            filling.push(carried.position, &carried.key, &carried.value);
            self.give(carried.position);
        }
        let mut quiet = 0;
        while let Some(client) = &self.client {
            if filling.is_full() {
                break;
            }
            let polled = client.poll(if filling.is_empty() {
                patience
            } else {
                Duration::ZERO
            });
            patience = Duration::ZERO;
            match polled {
                // Nothing, or a line of the client's log that stood before a record: one cannot tell.
                None if quiet < QUIET_POLLS => quiet += 1,
                None => break,
                Some(Err(ClientError::PartitionEOF(_))) => self.ended_at = Some(self.next),
                Some(Err(error)) if filling.is_empty() => {
                    return self.failed(&error).map(|()| ReadBatch::default());
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, "Kafka reader");
                    break;
                }
                Some(Ok(message)) => {
                    let compacted = self.stream.is_compacted();
                    let at = (self.next, self.tail);
                    let taken = Self::take(&message, at, compacted, self.known(), &mut filling);
                    drop(message);
                    match taken {
                        Taken::Passed(next) => self.next = next,
                        Taken::Given(position) => self.give(position),
                        Taken::Carried(carried) => {
                            self.next = carried.position.get();
                            self.carried = Some(carried);
                            break;
                        }
                        Taken::Hole(offset) => {
                            // The next call stands before it again, and what stood before it is given out first.
                            self.retire(None);
                            if !filling.is_empty() {
                                break;
                            }
                            let (first, last) = (self.next, offset.saturating_sub(1));
                            if !self.known().is_some_and(|known| known.accepts(first, last)) {
                                return Err(self.hole(offset));
                            }
                            self.passed_over(first, last);
                            break;
                        }
                        Taken::InTail(offset) => return Err(self.record_in_hole(offset)),
                    }
                }
            }
        }
        self.last_bytes = filling.block.len();
        Ok(filling.finish())
    }

    fn give(&mut self, position: Position) {
        self.position = Some(position);
        self.next = self.next.max(position.get());
        self.out_of_range = 0;
    }

    /// A record stands in a hole that was passed over for one at the end.
    fn record_in_hole(&self, offset: u64) -> ReadError {
        ReadError::Damaged(Box::new(Damage {
            file: self.shared.table.name(self.stream).into(),
            stream: Some(self.stream),
            position: Position::new(offset.saturating_add(1)),
            what: format!(
                "partition {} has a record at offset {offset}, where kafka.accept_holes says that there is none: take \
                 it out there",
                self.partition
            ),
        }))
    }

    /// The records from where the reader stands up to `offset` are gone.
    fn hole(&self, offset: u64) -> ReadError {
        ReadError::Hole {
            stream: self.stream,
            topic: self.shared.table.name(self.stream).to_owned(),
            partition: self.partition,
            first: self.next,
            last: offset.saturating_sub(1),
        }
    }

    fn take(
        message: &BorrowedMessage<'_>,
        (next, tail): (u64, Option<(u64, u64)>),
        compacted: bool,
        known: Option<&Known>,
        filling: &mut Filling,
    ) -> Taken {
        let offset = unsigned(message.offset());
        if tail.is_some_and(|(first, last)| (first..=last).contains(&offset)) {
            return Taken::InTail(offset);
        }
        // We write without transactions, so only compaction leaves offsets out.
        if offset > next && !compacted {
            return Taken::Hole(offset);
        }
        let after = offset.saturating_add(1);
        let (key, value) = (
            message.key().unwrap_or_default(),
            message.payload().unwrap_or_default(),
        );
        // What stands before where we are was fetched along with what was asked for.
        let Some(position) = Position::new(after).filter(|_| offset >= next) else {
            return Taken::Passed(next);
        };
        if Marker::read(key, value).is_some() {
            if let Some(known) = known {
                known.saw_marker(offset);
            }
            return Taken::Passed(after);
        }
        if filling.fits(key.len().saturating_add(value.len())) {
            filling.push(position, key, value);
            return Taken::Given(position);
        }
        Taken::Carried(Carried {
            position,
            key: key.to_vec(),
            value: value.to_vec(),
        })
    }

    /// What the client reports instead of a record. Ok when it passes by itself.
    fn failed(&mut self, error: &ClientError) -> Result<(), ReadError> {
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        let meant = match error {
            ClientError::MessageConsumptionFatal(_) => Meaning::Fatal,
            _ => meaning(code),
        };
        match meant {
            Meaning::Passing => {
                tracing::debug!(%error, "Kafka reader");
                Ok(())
            }
            // The client stands still after these: the next call compares the markers and the end before it
            // makes a new one.
            Meaning::Unknown | Meaning::OutOfRange | Meaning::Fatal => {
                if meant == Meaning::OutOfRange {
                    self.out_of_range = self.out_of_range.saturating_add(1);
                }
                self.retire(None);
                self.shared.suspicion.raise();
                Ok(())
            }
            Meaning::Forbidden => Err(self.unavailable(format!("the broker refuses us: {code}"))),
        }
    }

    /// What to do when nothing is at hand.
    fn idle(&self, call: &Call) -> Idle {
        let elapsed = call.began.elapsed();
        if self.next < self.end_known() {
            // There are records: they must arrive.
            let patience = call.wait.unwrap_or_default().max(PATIENCE);
            return match patience.checked_sub(elapsed) {
                Some(left) if !left.is_zero() => Idle::Wait(left),
                _ => Idle::Late,
            };
        }
        match call.wait {
            Some(wait) if elapsed < wait => Idle::Wait(wait.saturating_sub(elapsed)),
            // Who waited has had the chance to see what came; who did not wait must be told the truth.
            Some(_) => Idle::Empty,
            None if call.asked => Idle::Empty,
            None => Idle::Ask,
        }
    }

    fn late(&self) -> ReadError {
        self.unavailable(format!(
            "partition {} goes on to {}, but nothing after {} arrived within {PATIENCE:?}",
            self.partition,
            self.end_known(),
            self.next
        ))
    }

    fn give_out(&self, batch: ReadBatch) -> ReadBatch {
        if let (Some(known), Some(last)) = (self.known(), batch.last_position()) {
            known.was_read(last.get());
            known.saw_end(last.get());
        }
        batch
    }

    fn call(limits: &BatchLimits) -> Call {
        Call {
            began: Instant::now(),
            wait: limits.wait.map(|wait| wait.min(MAX_TAIL_WAIT)),
            asked: false,
        }
    }

    async fn next(&mut self, limits: BatchLimits) -> Result<ReadBatch, ReadError> {
        let mut call = Self::call(&limits);
        loop {
            self.shared.suspicion.refusal(self.stream)?;
            if self.client.is_none() {
                let end = self.shared.ends.end(self.stream, self.partition).await?;
                if self.next > end {
                    self.shared.suspicion.verify(self.stream).await?;
                }
                self.begin(end)?;
            }
            self.pass_over_tail();
            let batch = self.drain(limits, Duration::ZERO)?;
            if !batch.is_empty() {
                return Ok(self.give_out(batch));
            }
            match self.idle(&call) {
                Idle::Wait(left) => {
                    let _ = tokio::time::timeout(left.min(LOOK), self.arrived.notified()).await;
                }
                Idle::Ask => {
                    self.shared.ends.end(self.stream, self.partition).await?;
                    call.asked = true;
                }
                Idle::Empty => return Ok(ReadBatch::default()),
                Idle::Late => return Err(self.late()),
            }
        }
    }

    fn next_blocking(&mut self, limits: BatchLimits) -> Result<ReadBatch, ReadError> {
        let mut call = Self::call(&limits);
        let mut patience = Duration::ZERO;
        loop {
            self.shared.suspicion.refusal(self.stream)?;
            if self.client.is_none() {
                let end = self.shared.ends.end_blocking(self.stream, self.partition)?;
                if self.next > end {
                    self.shared.suspicion.verify_blocking(self.stream)?;
                }
                self.begin(end)?;
            }
            self.pass_over_tail();
            let batch = self.drain(limits, std::mem::take(&mut patience))?;
            if !batch.is_empty() {
                return Ok(self.give_out(batch));
            }
            match self.idle(&call) {
                Idle::Wait(left) => patience = left.min(LOOK),
                Idle::Ask => {
                    self.shared.ends.end_blocking(self.stream, self.partition)?;
                    call.asked = true;
                }
                Idle::Empty => return Ok(ReadBatch::default()),
                Idle::Late => return Err(self.late()),
            }
        }
    }
}

enum Taken {
    Passed(u64),
    Given(Position),
    Carried(Carried),
    /// Records before this offset are missing.
    Hole(u64),
    /// A record at this offset, in a hole that was passed over.
    InTail(u64),
}

impl LogReader for KafkaReader {
    fn next_batch(&mut self, limits: BatchLimits) -> BoxFuture<'_, Result<ReadBatch, ReadError>> {
        Box::pin(self.next(limits))
    }

    fn next_batch_blocking(&mut self, limits: BatchLimits) -> Result<ReadBatch, ReadError> {
        self.next_blocking(limits)
    }

    fn position(&self) -> Option<Position> {
        self.position
    }
}

impl Drop for KafkaReader {
    fn drop(&mut self) {
        if let Some(known) = self.known() {
            known.reader_ended();
        }
        self.retire(None);
    }
}

/// Start and length within the block.
type Place = (u32, u32);

/// A batch being filled: keys and values side by side in one block.
struct Filling {
    limits: BatchLimits,
    expected: usize,
    block: BytesMut,
    slots: Vec<(Position, Place, Place)>,
}

impl Filling {
    fn new(limits: BatchLimits, expected: usize) -> Self {
        Self {
            limits,
            expected,
            block: BytesMut::new(),
            slots: Vec::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn is_full(&self) -> bool {
        self.slots.len() >= self.limits.max_records.get()
    }

    /// Whether a record of `bytes` may still come in; the first always may.
    fn fits(&self, bytes: usize) -> bool {
        self.slots.is_empty() || self.block.len().saturating_add(bytes) <= self.limits.max_bytes
    }

    fn push(&mut self, position: Position, key: &[u8], value: &[u8]) {
        if self.slots.is_empty() {
            // A foreign record may be larger than ours ever are; the block grows as it must.
            let first = key.len().saturating_add(value.len());
            self.block.reserve(first.max(self.expected));
        }
        let key_slot = self.put(key);
        let value_slot = self.put(value);
        self.slots.push((position, key_slot, value_slot));
    }

    fn put(&mut self, bytes: &[u8]) -> Place {
        // A block stays far below 4 GiB: its records come from fetches of a few megabytes.
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let slot = (narrow(self.block.len()), narrow(bytes.len()));
        self.block.put_slice(bytes);
        slot
    }

    fn finish(self) -> ReadBatch {
        let mut batch = ReadBatch::default();
        if !self.slots.is_empty() {
            let block: Bytes = self.block.freeze();
            batch.push_block(block);
            for (position, key, value) in self.slots {
                batch.push(position, key, value);
            }
        }
        batch
    }
}
