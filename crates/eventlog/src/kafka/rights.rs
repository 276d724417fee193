//! Which rights a login has, asked without using them.

use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::{ClientContext, TopicPartitionList};

use super::client::{Context, base_config, consumer_config, millis};
use super::error::{KafkaError, Meaning, meaning};
use super::heads::setting;
use super::options::KafkaOptions;
use crate::contract::{Stream, note_key};

/// An acknowledgement that no broker can give: a broker looks at the right to write first, and refuses this next, so
/// nothing is ever written.
const IMPOSSIBLE_ACKS: &str = "2";
/// How much longer than its requests a client may take to answer for them.
const MORE: Duration = Duration::from_secs(1);

/// The rights that this login lacks, each named with what it is on: writing to the topics, which must exist, and
/// reading in the groups `groups` (without the prefix). What could not be learnt is not among them.
///
/// Blocks for some round trips, [`KafkaOptions::request_timeout`] at most for each group and for all topics.
///
/// # Errors
/// [`KafkaError::Setting`].
pub fn missing_rights(options: &KafkaOptions, groups: &[&str]) -> Result<Vec<String>, KafkaError> {
    options.check()?;
    let mut missing = unwritable(options)?;
    for group in groups {
        let group = options.group(group);
        if is_forbidden(options, &group)? {
            missing.push(format!("read on the group {group}"));
        }
    }
    Ok(missing)
}

/// What the topics answered.
struct Trying {
    base: Context,
    forbidden: Mutex<Vec<String>>,
}

impl ClientContext for Trying {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.base.generate_oauth_token(config)
    }

    fn error(&self, error: ClientError, reason: &str) {
        self.base.error(error, reason);
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.base.log(level, facility, message);
    }
}

impl ProducerContext for Trying {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result
            && is_refusal(error)
        {
            self.forbidden
                .lock()
                .push(format!("write on the topic {}", message.topic()));
        }
    }
}

fn is_refusal(error: &ClientError) -> bool {
    let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
    meaning(code) == Meaning::Forbidden
}

fn unwritable(options: &KafkaOptions) -> Result<Vec<String>, KafkaError> {
    let mut config = base_config(options);
    config.set("acks", IMPOSSIBLE_ACKS);
    config.set("linger.ms", "0");
    config.set("retries", "0");
    config.set("delivery.timeout.ms", millis(options.request_timeout));
    let trying = Trying {
        base: Context::new(options),
        forbidden: Mutex::default(),
    };
    let producer: BaseProducer<Trying> = config.create_with_context(trying).map_err(setting)?;
    // A key that every reader passes over, should something else than Kafka take it all the same.
    let key = note_key("");
    for stream in Stream::ALL {
        let topic = options.topic(stream);
        let record = BaseRecord::to(&topic).partition(0).key(&key[..]).payload("{}");
        // One that the client does not take tells nothing.
        let _ = producer.send(record);
    }
    let _ = producer.flush(options.request_timeout.saturating_add(MORE));
    let forbidden = std::mem::take(&mut *producer.context().forbidden.lock());
    Ok(forbidden)
}

/// Whether the group may not be asked where it stands; nothing stands there.
fn is_forbidden(options: &KafkaOptions, group: &str) -> Result<bool, KafkaError> {
    let mut config = consumer_config(options);
    config.set("group.id", group);
    let consumer: BaseConsumer<Context> = config
        .create_with_context(Context::new(options))
        .map_err(setting)?;
    if options.security.token_source().is_some() {
        // The client asks for its token when it is served, and connects with it only then.
        let _ = consumer.poll(Duration::ZERO);
    }
    let mut asked = TopicPartitionList::new();
    asked.add_partition(&options.topic(Stream::Events), 0);
    match consumer.committed_offsets(asked, options.request_timeout) {
        Ok(_) => Ok(false),
        Err(error) => Ok(is_refusal(&error)),
    }
}
