//! The settings that all our clients share, and what they tell us from their own threads.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};

use super::options::KafkaOptions;
use super::security::TokenSource;
use crate::contract::MAX_RECORD_BYTES;

/// Largest request of our clients, and the `max.message.bytes` of our topics: the largest record with its
/// key, header and the frames of a record batch.
pub(crate) const MAX_MESSAGE_BYTES: usize = 2 * MAX_RECORD_BYTES;
/// How long a connection may be silent in the middle of a request: a machine that hangs is noticed by this.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(10);
/// Pauses between attempts to connect: a restarted broker is found again within a second.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// How long a token is taken as good: the file is read again a little before. What the token itself says is
/// the broker's matter.
const TOKEN_LIFE: Duration = Duration::from_secs(60);

/// Most characters kept of what the client said: one line of its log.
const MAX_SAID_CHARS: usize = 300;

/// What every client is set up with.
pub(crate) fn base_config(options: &KafkaOptions) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", options.brokers.as_str());
    config.set("client.id", options.client_id.as_str());
    config.set("socket.timeout.ms", millis(SOCKET_TIMEOUT));
    config.set("socket.keepalive.enable", "true");
    config.set("socket.nagle.disable", "true");
    config.set("reconnect.backoff.ms", millis(RECONNECT.0));
    config.set("reconnect.backoff.max.ms", millis(RECONNECT.1));
    config.set("message.max.bytes", MAX_MESSAGE_BYTES.to_string());
    // Broker side client metrics would tell the operator's cluster about us unasked.
    config.set("enable.metrics.push", "false");
    config.set_log_level(RDKafkaLogLevel::Warning);
    options.security.apply(&mut config);
    config
}

/// What every reading client is set up with: nothing is created, committed or reset by the client itself.
pub(crate) fn consumer_config(options: &KafkaOptions) -> ClientConfig {
    let mut config = base_config(options);
    config.set("group.id", options.group("reader"));
    config.set("enable.auto.commit", "false");
    config.set("enable.auto.offset.store", "false");
    config.set("auto.offset.reset", "error");
    config.set("allow.auto.create.topics", "false");
    config.set("isolation.level", "read_uncommitted");
    config.set("check.crcs", "true");
    config
}

/// Whole milliseconds, as the client's settings take them.
pub(crate) fn millis(time: Duration) -> String {
    time.as_millis().to_string()
}

/// What all clients do with log lines, errors and tokens.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    tokens: Option<TokenSource>,
    said: Arc<Mutex<Option<Said>>>,
}

/// What the client said of a connection that failed.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    /// What kind of failure it was, where the client knows one.
    pub(crate) code: Option<RDKafkaErrorCode>,
    /// Its words.
    pub(crate) text: String,
}

impl Context {
    pub(crate) fn new(options: &KafkaOptions) -> Self {
        Self {
            tokens: options.security.token_source(),
            said: Arc::default(),
        }
    }

    /// What the client said last of why it cannot reach a broker: a wrong password, an unknown certificate, a
    /// closed port. Its answers only say that there was none in time.
    pub(crate) fn said(&self) -> Option<Said> {
        self.said.lock().clone()
    }

    /// The cluster answered: what was said before explains nothing that comes later.
    pub(crate) fn answered(&self) {
        *self.said.lock() = None;
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => tracing::warn!(facility, "Kafka client: {message}"),
            _ => tracing::debug!(facility, "Kafka client: {message}"),
        }
    }

    fn stats_raw(&self, _statistics: &[u8]) {}

    fn error(&self, error: ClientError, reason: &str) {
        tracing::debug!(%error, "Kafka client: {reason}");
        // “All brokers are down” says less than what was said of each before.
        let code = error.rdkafka_error_code();
        if code != Some(RDKafkaErrorCode::AllBrokersDown) {
            let text = reason.chars().take(MAX_SAID_CHARS).collect();
            *self.said.lock() = Some(Said { code, text });
        }
    }

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        let source = self.tokens.as_ref().ok_or("no source of tokens is set")?;
        Ok(OAuthToken {
            token: source.token()?,
            principal_name: "rollcall".to_owned(),
            lifetime_ms: token_expiry(),
        })
    }
}

impl ConsumerContext for Context {}

/// When a token read now is to be read again, in milliseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the edge where the wall clock is read: the client takes nothing else"
)]
fn token_expiry() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.saturating_add(TOKEN_LIFE).as_millis()).unwrap_or(i64::MAX)
}
