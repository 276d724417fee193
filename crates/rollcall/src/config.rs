//! The configuration: one TOML file, read once at start, every mistake reported at once.
//!
//! Every key, its form, bounds and default stand in [`KEYS`]; the reader takes them from there and so does
//! the table in `docs/configuration.md`, so the three cannot differ. Durations are written `"30s"`, sizes `"4
//! MiB"`. Secrets come from the environment or from files and are never shown.

mod door;
mod kafka;
mod keys;
mod load;
mod near;
mod problem;
mod secret;
mod section;
mod tls;
pub(crate) mod values;
mod warnings;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rollcall_domain::{ConnectionName, Policy, RuleErrors, RuleSet, TenantId, Timestamp};
use rollcall_ingest::{ClientId, Network, PublicKey, RateLimit, RepeatedCreate, TokenName};
use secrecy::SecretString;

use crate::digest::sha256_hex;

pub use kafka::{
    Kafka, KafkaSasl, KafkaSecurity, KafkaTls, PasswordMechanism, TopicLayout, longest_under_lease,
};
pub use keys::{Form, KEYS, Key};
pub use load::{CONFIG_BYTES_MAX, Places, load, load_connections, load_places, parse};
pub use problem::{ConfigErrors, Problem};
pub use tls::{PEM_BYTES_MAX, TlsFiles};
pub(crate) use values::read_bounded;
pub use warnings::{TOKEN_CHARS_GOOD, Warning};

/// Where environment variables come from; the real one is [`crate::environment`].
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A rule file above this is refused unread; an event that holds its rules must fit its own bound many times
/// over.
pub const RULE_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The whole configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    /// How we are reached.
    pub server: Server,
    /// Where the log is.
    pub log: Log,
    /// The cluster, when the log is there.
    pub kafka: Option<Kafka>,
    /// How operators reach a running instance.
    pub admin: Admin,
    /// What is written to the error output.
    pub logging: Logging,
    /// At least one.
    pub tenants: Vec<Tenant>,
}

impl Config {
    /// Where the hashes of our own tokens are.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        let set = self.server.token_file.clone();
        set.unwrap_or_else(|| self.log.path.join(load::TOKENS))
    }
}

/// `[server]`
#[derive(Debug, Clone)]
pub struct Server {
    /// Address and port of the HTTP server.
    pub listen: SocketAddr,
    /// How identity providers reach us, without a slash at the end: the beginning of every `Location` and
    /// `$ref`.
    pub public_url: String,
    /// Largest request body in bytes.
    pub body_max: usize,
    /// A request that is not answered by then gets 503.
    pub request_timeout: Duration,
    /// Connections at once; more wait in the system's queue.
    pub connections_max: usize,
    /// How long requests and writes in flight may take to finish after SIGTERM.
    pub stop_grace: Duration,
    /// What it presents; plain HTTP when absent.
    pub tls: Option<TlsFiles>,
    /// Proxies whose word on the client's address is taken.
    pub trusted_proxies: Vec<Network>,
    /// Failed logins of one address within a minute that are answered as such.
    pub auth_failures_max: u32,
    /// How long an access token is valid.
    pub access_token_lifetime: Duration,
    /// Where the hashes of our own tokens are; in the data folder when absent.
    pub token_file: Option<PathBuf>,
}

/// `[log]`
#[derive(Debug, Clone)]
pub struct Log {
    /// Which engine.
    pub engine: LogEngine,
    /// The data folder: log, keys, state, socket.
    pub path: PathBuf,
}

/// The engine of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogEngine {
    /// In the data folder of this process.
    Embedded,
    /// In topics that several processes share.
    Kafka,
}

/// `[admin]`
#[derive(Debug, Clone)]
pub struct Admin {
    /// The Unix socket of the running instance.
    pub socket: PathBuf,
}

/// `[logging]`
#[derive(Debug, Clone)]
pub struct Logging {
    /// A level or a filter such as `info,rollcall_fluent=debug`.
    pub filter: String,
    /// How lines are written.
    pub format: LogFormat,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `[[tenant]]`
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Its id; part of the log for ever.
    pub id: TenantId,
    /// Its identity providers; at least one.
    pub connections: Vec<Connection>,
    /// Its Fluent account.
    pub fluent: Fluent,
    /// `[tenant.policy]` and `[tenant.guard]`, with our own API user among the protected names and the
    /// account's name.
    pub policy: Policy,
    /// Requests that it may send; no limit when absent.
    pub limit: Option<RateLimit>,
    /// Its rule file, when it has one.
    pub rules: Option<RuleFile>,
}

/// `[[tenant.connection]]`
#[derive(Debug, Clone)]
pub struct Connection {
    /// Its name; part of the log for ever.
    pub name: ConnectionName,
    /// What speaks there.
    pub kind: ConnectionKind,
    /// Its configured bearer tokens; no two connections have the same, since the tenant follows from it.
    pub tokens: Vec<ConfiguredToken>,
    /// Its OAuth clients.
    pub clients: Vec<OauthClient>,
    /// How strictly requests are read.
    pub dialect: Dialect,
    /// What a create that is sent again is answered with.
    pub repeated_create: RepeatedCreate,
}

/// A bearer token of the configuration.
#[derive(Debug, Clone)]
pub struct ConfiguredToken {
    /// Its name, unless it stands at the connection itself.
    pub name: Option<TokenName>,
    /// The token.
    pub secret: SecretString,
    /// When it ends.
    pub expires: Option<Timestamp>,
}

/// An OAuth client of a connection.
#[derive(Debug, Clone)]
pub struct OauthClient {
    /// Its id; no two clients have the same.
    pub id: ClientId,
    /// How it proves who it is.
    pub proof: OauthProof,
    /// When it ends.
    pub expires: Option<Timestamp>,
}

/// How an OAuth client proves who it is.
#[derive(Debug, Clone)]
pub enum OauthProof {
    /// By a secret.
    Secret(SecretString),
    /// By assertions that one of these keys signed.
    Keys(Vec<PublicKey>),
}

/// What kind of door a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionKind {
    /// SCIM 2.0.
    Scim,
}

/// How strictly requests are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// What Entra ID and Okta send in deviation from the RFCs is understood.
    Tolerant,
    /// RFC 7643 and 7644 to the letter.
    Strict,
}

/// `[tenant.fluent]`
#[derive(Debug, Clone)]
pub struct Fluent {
    /// Where the API is, without a slash at the end.
    pub url: String,
    /// The account's name.
    pub account: String,
    /// Our own API user: always protected.
    pub username: String,
    /// Its password.
    pub password: SecretString,
    /// OAuth client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// A call that is not answered by then is an ambiguous one.
    pub request_timeout: Duration,
    /// Most calls at once; the reconciler adapts below it.
    pub concurrency: usize,
    /// How long a lost write may still arrive at Fluent.
    pub late_write_window: Duration,
    /// Time between two complete comparisons with Fluent.
    pub resync_interval: Duration,
    /// Time between two readings of roles and places.
    pub catalog_interval: Duration,
}

/// `[tenant.rules]`
#[derive(Debug, Clone)]
pub struct RuleFile {
    /// Where it is.
    pub file: PathBuf,
}

/// A rule file that was read and is valid.
#[derive(Debug, Clone)]
pub struct ReadRules {
    /// SHA-256 of the file, hex: its version.
    pub version: String,
    /// The rules.
    pub rules: RuleSet,
}

/// Why a rule file cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum RuleFileError {
    /// It cannot be read; trying again may help.
    #[error("the rule file {} cannot be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is larger than [`RULE_FILE_BYTES_MAX`].
    #[error("the rule file {} has more than {RULE_FILE_BYTES_MAX} bytes", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
    /// It is no rule set; every mistake is named.
    #[error("the rule file {} is refused: {problems}", path.display())]
    Mistakes {
        /// Which.
        path: PathBuf,
        /// All mistakes.
        problems: RuleErrors,
    },
}

/// The content of a rule file as a fingerprint, to see whether it changed: SHA-256, hex. `None` when it cannot be read;
/// one that is too large is not read whole, and has the same fingerprint as any other such.
#[must_use]
pub fn rules_content(path: &Path) -> Option<String> {
    let bytes = values::read_bounded(path, RULE_FILE_BYTES_MAX).ok()?;
    Some(bytes.map_or_else(|| "too large".to_owned(), |bytes| sha256_hex(&bytes)))
}

/// Reads and validates a rule file whole.
///
/// # Errors
/// [`RuleFileError`] when it cannot be read, is too large, or has mistakes (all are named).
pub fn read_rules(path: &Path) -> Result<ReadRules, RuleFileError> {
    let unreadable = |source| RuleFileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let bytes = values::read_bounded(path, RULE_FILE_BYTES_MAX).map_err(unreadable)?;
    let Some(bytes) = bytes else {
        return Err(RuleFileError::TooLarge {
            path: path.to_owned(),
        });
    };
    let text = String::from_utf8(bytes).map_err(|_| {
        unreadable(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            "it is not UTF-8",
        ))
    })?;
    let rules = RuleSet::parse(&text).map_err(|problems| RuleFileError::Mistakes {
        path: path.to_owned(),
        problems,
    })?;
    Ok(ReadRules {
        version: sha256_hex(text.as_bytes()),
        rules,
    })
}
