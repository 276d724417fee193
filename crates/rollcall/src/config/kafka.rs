//! `[kafka]`: which cluster, how it is spoken to, and how the topics are laid out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rollcall_eventlog::kafka::AcceptedHole;
use secrecy::SecretString;

use super::section::Section;
use super::{Environment, LogEngine, Tenant, secret};

/// Longest that something may take that is begun under a lease: what is left of a session when the last sign of life is
/// a tenth of it old, a tenth is kept as a margin, and two seconds are needed to begin and for the drift of clocks.
#[must_use]
pub fn longest_under_lease(session: Duration) -> Duration {
    (session * 4 / 5).saturating_sub(Duration::from_secs(2))
}

/// A log in Kafka.
#[derive(Debug, Clone)]
pub struct Kafka {
    /// Bootstrap servers, `host:port`, separated by commas.
    pub brokers: String,
    /// What the names of topics and groups begin with.
    pub topic_prefix: String,
    /// How the topics are laid out.
    pub topics: TopicLayout,
    /// Missing topics are made at the start.
    pub create_topics: bool,
    /// After how much silence the partitions of a process are handed to others.
    pub session_timeout: Duration,
    /// How long an append waits for its acknowledgement.
    pub delivery_timeout: Duration,
    /// Room for records that wait for their acknowledgement, in bytes.
    pub queue: usize,
    /// Holes that are passed over.
    pub accept_holes: Vec<AcceptedHole>,
    /// Encryption and login.
    pub security: KafkaSecurity,
}

/// How topics are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicLayout {
    /// Partitions of `events`; they never change.
    pub partitions: u32,
    /// Partitions of `desired` and `outcomes`; they never change.
    pub account_partitions: u32,
    /// Copies of every partition.
    pub replication: u16,
    /// Copies that must have a record before it is acknowledged.
    pub min_insync: u16,
}

/// How the cluster is spoken to.
#[derive(Debug, Clone, Default)]
pub struct KafkaSecurity {
    /// Over TLS, with these files; in the clear when absent.
    pub tls: Option<KafkaTls>,
    /// Who we are; nobody when absent.
    pub sasl: Option<KafkaSasl>,
}

/// Certificates.
#[derive(Debug, Clone, Default)]
pub struct KafkaTls {
    /// Whom to trust; the system's certificates when absent.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate.
    pub cert_file: Option<PathBuf>,
    /// Its key.
    pub key_file: Option<PathBuf>,
    /// The key's password.
    pub key_password: Option<SecretString>,
}

/// Who we are.
#[derive(Debug, Clone)]
pub enum KafkaSasl {
    /// With a password.
    Password {
        /// How it is proven.
        mechanism: PasswordMechanism,
        /// The user.
        username: String,
        /// Its password.
        password: SecretString,
    },
    /// With a token in a file that is read again before it ends.
    TokenFile(PathBuf),
    /// With a token that does not change.
    Token(SecretString),
}

/// How a password is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordMechanism {
    /// It is sent.
    Plain,
    /// Challenge and response with SHA-256.
    ScramSha256,
    /// Challenge and response with SHA-512.
    ScramSha512,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mechanism {
    Password(PasswordMechanism),
    Token,
}

/// Reads the section; secrets and what must be there only where the engine asks for it. `None` after a problem was
/// noted; `Some(None)` with another engine.
pub(super) fn read(
    section: &Section<'_>,
    engine: Option<LogEngine>,
    folder: &Path,
    env: Environment<'_>,
) -> Option<Option<Kafka>> {
    section.refuse_unknown();
    let wanted = engine == Some(LogEngine::Kafka);
    let brokers = section.text("brokers");
    if wanted && !section.has("brokers") {
        let expected = "the bootstrap servers, such as \"kafka-1:9092,kafka-2:9092\"";
        section.missing("brokers", Some(expected.to_owned()));
    }
    let topic_prefix = section.text("topic_prefix");
    let topics = layout(section);
    let create_topics = section.switch("create_topics");
    let session_timeout = section.duration("session_timeout");
    let delivery_timeout = section.duration("delivery_timeout");
    if let (Some(session), Some(delivery)) = (session_timeout, delivery_timeout)
        && delivery > longest_under_lease(session)
    {
        let most = longest_under_lease(session);
        let expected = format!("at most {most:?}: four fifths of kafka.session_timeout, less 2 s");
        section.wrong("delivery_timeout", "is too long for the session", Some(expected));
    }
    let queue = section.size("queue");
    let accept_holes = section.all_parsed("accept_holes");
    let security = security(section, wanted, folder, env);
    if !wanted {
        return Some(None);
    }
    Some(Some(Kafka {
        brokers: brokers?,
        topic_prefix: topic_prefix?,
        topics: topics?,
        create_topics: create_topics?,
        session_timeout: session_timeout?,
        delivery_timeout: delivery_timeout?,
        queue: queue?,
        accept_holes: accept_holes?,
        security: security?,
    }))
}

fn layout(section: &Section<'_>) -> Option<TopicLayout> {
    let partitions = section.integer("partitions");
    let account_partitions = section.integer("account_partitions");
    let replication = section.integer("replication");
    let min_insync = section.integer("min_insync");
    if let (Some(copies), Some(min)) = (replication, min_insync)
        && min > copies
    {
        let expected = "a number not above kafka.replication".to_owned();
        section.wrong("min_insync", "is more than there are copies", Some(expected));
    }
    Some(TopicLayout {
        partitions: u32::try_from(partitions?).ok()?,
        account_partitions: u32::try_from(account_partitions?).ok()?,
        replication: u16::try_from(replication?).ok()?,
        min_insync: u16::try_from(min_insync?).ok()?,
    })
}

fn security(
    section: &Section<'_>,
    wanted: bool,
    folder: &Path,
    env: Environment<'_>,
) -> Option<KafkaSecurity> {
    let security = section.choice(
        "security",
        &[
            ("plaintext", (false, false)),
            ("tls", (true, false)),
            ("sasl_plaintext", (false, true)),
            ("sasl_tls", (true, true)),
        ],
    );
    let key_password = secret::read_if_any(section, "key_password", wanted, env, folder);
    let tls = KafkaTls {
        ca_file: section.path("ca_file", folder),
        cert_file: section.path("cert_file", folder),
        key_file: section.path("key_file", folder),
        key_password: key_password?,
    };
    let sasl = sasl(
        section,
        wanted && security.is_some_and(|(_, sasl)| sasl),
        folder,
        env,
    );
    let (with_tls, with_sasl) = security?;
    Some(KafkaSecurity {
        tls: with_tls.then_some(tls),
        sasl: if with_sasl { sasl? } else { None },
    })
}

fn sasl(
    section: &Section<'_>,
    wanted: bool,
    folder: &Path,
    env: Environment<'_>,
) -> Option<Option<KafkaSasl>> {
    let mechanism = section.choice(
        "sasl_mechanism",
        &[
            ("PLAIN", Mechanism::Password(PasswordMechanism::Plain)),
            (
                "SCRAM-SHA-256",
                Mechanism::Password(PasswordMechanism::ScramSha256),
            ),
            (
                "SCRAM-SHA-512",
                Mechanism::Password(PasswordMechanism::ScramSha512),
            ),
            ("OAUTHBEARER", Mechanism::Token),
        ],
    );
    let username = section.text("username");
    let by_password = wanted && matches!(mechanism, Some(Mechanism::Password(_)));
    let by_token = wanted && mechanism == Some(Mechanism::Token);
    // The file is read again and again, so that it is kept, and not what stands in it.
    let token_file = section.path("token_file", folder);
    let password = if by_password {
        secret::read(section, "password", env, folder)
    } else {
        secret::read_if_any(section, "password", false, env, folder)?
    };
    let token = if by_token && !section.has("token_file") {
        secret::read(section, "token", env, folder)
    } else {
        let _checked = section.text("token_env");
        None
    };
    if !wanted {
        return Some(None);
    }
    if mechanism.is_none() && !section.has("sasl_mechanism") {
        let expected = "\"PLAIN\", \"SCRAM-SHA-256\", \"SCRAM-SHA-512\" or \"OAUTHBEARER\"".to_owned();
        section.missing("sasl_mechanism", Some(expected));
    }
    if by_password && !section.has("username") {
        section.missing("username", Some("the name to log in with".to_owned()));
    }
    Some(Some(match (mechanism?, token_file) {
        (Mechanism::Password(mechanism), _) => KafkaSasl::Password {
            mechanism,
            username: username?,
            password: password?,
        },
        (Mechanism::Token, Some(file)) => KafkaSasl::TokenFile(file),
        (Mechanism::Token, None) => KafkaSasl::Token(token?),
    }))
}

/// A request to Fluent must have ended before the session does: otherwise no process would ever dare to send one.
pub(super) fn refuse_long_requests(section: &Section<'_>, kafka: Option<&Kafka>, tenants: &[Tenant]) {
    let Some(kafka) = kafka else { return };
    let longest = tenants.iter().map(|tenant| tenant.fluent.request_timeout).max();
    if longest.is_some_and(|longest| longest > longest_under_lease(kafka.session_timeout)) {
        let what = "is too short for tenant.fluent.request_timeout: nothing could be sent";
        let expected = "a duration of which four fifths, less 2 s, hold the longest of them".to_owned();
        section.wrong("session_timeout", what, Some(expected));
    }
}
