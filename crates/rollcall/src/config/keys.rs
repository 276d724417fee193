//! Every key of the configuration.

/// What a key takes. Bounds are inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A text that is not empty.
    Text,
    /// `a-z 0-9 - _`, at most 64 characters.
    Name,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// An IP address and a port.
    Address,
    /// `https://…`, or `http://…`, without query.
    Url,
    /// A path; a relative one starts at the configuration file's folder.
    Path,
    /// The name of an environment variable that holds a secret, of `A-Z 0-9 _`: a secret written there by
    /// mistake is recognised as no name, and not repeated in an error.
    SecretEnv,
    /// The path of a file that holds a secret.
    SecretFile,
    /// Milliseconds from … to ….
    Duration(u64, u64),
    /// Bytes from … to ….
    Size(u64, u64),
    /// A whole number from … to ….
    Integer(u64, u64),
    /// `true` or `false`.
    Switch,
    /// A number from 0 to 100.
    Percent,
    /// A list of texts.
    Texts,
    /// A list of IP addresses and networks.
    Networks,
    /// A list of holes in topics.
    Holes,
    /// A day (its beginning in UTC) or a time.
    Date,
    /// The id of an OAuth client: `A-Z a-z 0-9 - _ .`, at most 48 characters.
    ClientId,
    /// The name of a token: `a-z 0-9 - _ .`, at most 32 characters.
    TokenName,
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its full path, such as `tenant.fluent.url`.
    pub path: &'static str,
    /// What it takes.
    pub form: Form,
    /// What holds when it is absent, as it would be written in the file; `None`: see [`Key::required`].
    pub default: Option<&'static str>,
    /// It must be given.
    pub required: bool,
    /// What it does.
    pub about: &'static str,
}

const fn key(path: &'static str, form: Form, default: &'static str, about: &'static str) -> Key {
    Key {
        path,
        form,
        default: Some(default),
        required: false,
        about,
    }
}

const fn required(path: &'static str, form: Form, about: &'static str) -> Key {
    Key {
        path,
        form,
        default: None,
        required: true,
        about,
    }
}

const fn optional(path: &'static str, form: Form, about: &'static str) -> Key {
    Key {
        path,
        form,
        default: None,
        required: false,
        about,
    }
}

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Every key there is, in the order of the documentation.
pub const KEYS: &[Key] = &[
    key(
        "server.listen",
        Form::Address,
        "\"127.0.0.1:8080\"",
        "Address and port of the HTTP server.",
    ),
    optional(
        "server.public_url",
        Form::Url,
        "How identity providers reach it: the beginning of every `Location` and `$ref`. By default \
         `http://` (`https://` with `tls_cert`) and `server.listen`.",
    ),
    // Most parts of an event (128 MB) is the outer bound of what a body may become in the log.
    key(
        "server.body_max",
        Form::Size(64 * KIB, 64 * MIB),
        "\"8 MiB\"",
        "Largest request body; a larger one gets 413. Entra ID and Okta stay far below 1 MiB.",
    ),
    key(
        "server.request_timeout",
        Form::Duration(SECOND, 5 * MINUTE),
        "\"30s\"",
        "A request that is not answered by then gets 503 with `Retry-After`. Identity providers give up \
         after 30 to 60 seconds.",
    ),
    key(
        "server.connections_max",
        Form::Integer(1, 65_536),
        "1024",
        "Connections at once. More wait in the system's queue.",
    ),
    key(
        "server.stop_grace",
        Form::Duration(0, 10 * MINUTE),
        "\"20s\"",
        "How long requests and writes in flight may take to finish after SIGTERM.",
    ),
    optional(
        "server.tls_cert",
        Form::Path,
        "Certificate chain, PEM, leaf first: with it and `tls_key` the server speaks HTTPS. Read again within five \
         seconds when it changes.",
    ),
    optional(
        "server.tls_key",
        Form::Path,
        "Its private key, PEM, without a passphrase.",
    ),
    key(
        "server.trusted_proxies",
        Form::Networks,
        "[]",
        "Proxies whose word on the client's address (`X-Forwarded-For`) is taken. Without them failed logins are \
         counted by the address that the connection comes from.",
    ),
    key(
        "server.auth_failures_max",
        Form::Integer(1, 1_000_000),
        "20",
        "Failed logins of one address within a minute that are answered as such; further failing requests get \
         429. A valid credential is taken at any time.",
    ),
    key(
        "server.access_token_lifetime",
        Form::Duration(MINUTE, 24 * HOUR),
        "\"1h\"",
        "How long an access token of `/oauth/token` is valid.",
    ),
    optional(
        "server.token_file",
        Form::Path,
        "Hashes of the tokens that `rollcall token new` made, read again within two seconds when it changes. By \
         default `tokens.json` in `log.path`; several processes need copies of one file.",
    ),
    key(
        "log.engine",
        Form::Choice(&["embedded", "kafka"]),
        "\"embedded\"",
        "Where events are kept: in `log.path`, or in topics that several processes share.",
    ),
    key(
        "log.path",
        Form::Path,
        "\"data\"",
        "The data folder: the log (of `embedded`), the tenants' keys, state that can be rebuilt, the admin socket. \
         Every process has its own; over Kafka `keys.json` must be the same in all of them.",
    ),
    optional(
        "kafka.brokers",
        Form::Text,
        "Bootstrap servers, `host:port`, separated by commas. Must be given with `engine = \"kafka\"`.",
    ),
    key(
        "kafka.topic_prefix",
        Form::Text,
        "\"rollcall.\"",
        "What the names of topics and consumer groups begin with.",
    ),
    key(
        "kafka.partitions",
        Form::Integer(1, 512),
        "8",
        "Partitions of `events`: so many processes can share the tenants. They can never be changed.",
    ),
    key(
        "kafka.account_partitions",
        Form::Integer(1, 512),
        "24",
        "Partitions of `desired` and `outcomes`: so many processes can share the accounts. They can never be changed.",
    ),
    key(
        "kafka.replication",
        Form::Integer(1, 9),
        "3",
        "Copies of every partition. Topics that have fewer are refused; a single broker can hold 1.",
    ),
    key(
        "kafka.min_insync",
        Form::Integer(1, 9),
        "2",
        "Copies that must have a record before it is acknowledged.",
    ),
    key(
        "kafka.create_topics",
        Form::Switch,
        "true",
        "Missing topics are made at the first start of all, and with the first of them the tenants' keys. Otherwise, \
         and where `keys.json` has keys already, only `rollcall topics` makes them.",
    ),
    key(
        "kafka.session_timeout",
        Form::Duration(6 * SECOND, 5 * MINUTE),
        "\"10s\"",
        "After so much silence the partitions of a process are handed to others: so long a crash keeps its leavers \
         waiting. A request to Fluent and an append must fit into four fifths of it, less 2 s.",
    ),
    key(
        "kafka.delivery_timeout",
        Form::Duration(SECOND, 4 * MINUTE),
        "\"5s\"",
        "How long an append waits for its acknowledgement before it is refused; what was refused is sent again. A \
         quarter of it at most is for room in the queue.",
    ),
    key(
        "kafka.queue",
        Form::Size(16 * KIB, 1024 * MIB),
        "\"32 MiB\"",
        "Room for records that wait for their acknowledgement. What finds none is refused with 503, and sent again.",
    ),
    key(
        "kafka.accept_holes",
        Form::Holes,
        "[]",
        "Holes in `events` or `outcomes` that are passed over, as the error names them; the same for all processes, \
         and for `rollcall log copy`. Only for who knows what stood there: acknowledged records may be missing.",
    ),
    key(
        "kafka.security",
        Form::Choice(&["plaintext", "tls", "sasl_plaintext", "sasl_tls"]),
        "\"plaintext\"",
        "Whether connections are encrypted, and whether we log in.",
    ),
    optional(
        "kafka.ca_file",
        Form::Path,
        "Whom to trust, PEM. By default the system's certificates.",
    ),
    optional(
        "kafka.cert_file",
        Form::Path,
        "Our certificate, PEM, for brokers that ask for one.",
    ),
    optional("kafka.key_file", Form::Path, "Its private key, PEM."),
    optional(
        "kafka.key_password_env",
        Form::SecretEnv,
        "Variable that holds the key's password, if it has one.",
    ),
    optional(
        "kafka.key_password_file",
        Form::SecretFile,
        "File that holds the key's password.",
    ),
    optional(
        "kafka.sasl_mechanism",
        Form::Choice(&["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]),
        "How we log in. Must be given with `sasl_plaintext` and `sasl_tls`.",
    ),
    optional(
        "kafka.username",
        Form::Text,
        "Whom we log in as, with a password.",
    ),
    optional(
        "kafka.password_env",
        Form::SecretEnv,
        "Variable that holds its password. Either this or `password_file`.",
    ),
    optional(
        "kafka.password_file",
        Form::SecretFile,
        "File that holds its password.",
    ),
    optional(
        "kafka.token_env",
        Form::SecretEnv,
        "Variable that holds the token of `OAUTHBEARER`, for the life of the process. Either this or `token_file`.",
    ),
    optional(
        "kafka.token_file",
        Form::SecretFile,
        "File that holds the token; it is read again about once a minute.",
    ),
    optional(
        "admin.socket",
        Form::Path,
        "The Unix socket by which commands reach the running instance. By default `admin.sock` in \
         `log.path`.",
    ),
    key(
        "logging.level",
        Form::Text,
        "\"info\"",
        "A level (`error`, `warn`, `info`, `debug`, `trace`) or a filter such as \
         `info,rollcall_fluent=debug`. The variable `ROLLCALL_LOG` overrides it.",
    ),
    key(
        "logging.format",
        Form::Choice(&["text", "json"]),
        "\"text\"",
        "How log lines are written to the error output.",
    ),
    required(
        "tenant.id",
        Form::Name,
        "The tenant's name: one Fluent account and what feeds it. It stands in the log for ever: never \
         rename it.",
    ),
    required(
        "tenant.connection.name",
        Form::Name,
        "The connection's name, such as `entra`. Its users and groups belong to it for ever: never rename \
         it.",
    ),
    key(
        "tenant.connection.kind",
        Form::Choice(&["scim"]),
        "\"scim\"",
        "What speaks there.",
    ),
    optional(
        "tenant.connection.token_env",
        Form::SecretEnv,
        "Variable that holds a bearer token, at least 16 characters and not beginning with `rca_`, as the access \
         tokens of OAuth clients do. Either this or `token_file`; neither when \
         tokens have names of their own below, or come from `rollcall token new`.",
    ),
    optional(
        "tenant.connection.token_file",
        Form::SecretFile,
        "File that holds the bearer token.",
    ),
    optional(
        "tenant.connection.token_expires",
        Form::Date,
        "When that token ends; warned of 14 days before. By default it does not.",
    ),
    key(
        "tenant.connection.dialect",
        Form::Choice(&["tolerant", "strict"]),
        "\"tolerant\"",
        "`tolerant` understands what Entra ID and Okta send in deviation from the RFCs; `strict` refuses it.",
    ),
    key(
        "tenant.connection.repeated_create",
        Form::Choice(&["conflict", "answer"]),
        "\"conflict\"",
        "What the same POST of an active user or of a group again, as after a time-out, is answered with: 409 or, \
         with `answer`, the user or group and 200, if all of it is as before (the members too) and it has an \
         `externalId`. In the strict dialect always 409.",
    ),
    required(
        "tenant.connection.token.name",
        Form::TokenName,
        "A further token's name, such as `2026-11`: part of the `actor` of its events. Several may be valid at \
         once, so that one follows the other without a gap.",
    ),
    optional(
        "tenant.connection.token.token_env",
        Form::SecretEnv,
        "Variable that holds it, at least 16 characters. Either this or `token_file`.",
    ),
    optional(
        "tenant.connection.token.token_file",
        Form::SecretFile,
        "File that holds it.",
    ),
    optional(
        "tenant.connection.token.expires",
        Form::Date,
        "When it ends; warned of 14 days before. By default it does not.",
    ),
    required(
        "tenant.connection.client.id",
        Form::ClientId,
        "An OAuth client of the connection, which gets access tokens at `/oauth/token`. No two clients have the same \
         id; it is part of the `actor` of its events.",
    ),
    optional(
        "tenant.connection.client.secret_env",
        Form::SecretEnv,
        "Variable that holds the client's secret, at least 16 characters. Either this, `secret_file` or `key_file`.",
    ),
    optional(
        "tenant.connection.client.secret_file",
        Form::SecretFile,
        "File that holds the client's secret.",
    ),
    optional(
        "tenant.connection.client.key_file",
        Form::Path,
        "File with the public keys of a client that signs assertions (`private_key_jwt`): PEM, a JWK or a JWK set; \
         RSA (RS256) or P-256 (ES256), at most four.",
    ),
    optional(
        "tenant.connection.client.expires",
        Form::Date,
        "When the client ends; warned of 14 days before. By default it does not.",
    ),
    key(
        "tenant.limits.requests_per_second",
        Form::Integer(0, 1_000_000),
        "0",
        "Requests per second that the tenant can keep up, over all its connections; beyond them they get 429 with \
         `Retry-After`. At least 25, which Entra ID asks for; 0: no limit, places are shared fairly all the same. \
         A quarter of the burst is kept for requests that take access away.",
    ),
    optional(
        "tenant.limits.burst",
        Form::Integer(25, 10_000_000),
        "Requests that may come at once after a pause. By default four times `requests_per_second`.",
    ),
    required(
        "tenant.fluent.url",
        Form::Url,
        "Where the API is: `https://ACCOUNT.sandbox.api.fluentretail.com`. Plain `http` only to this \
         machine.",
    ),
    required("tenant.fluent.account", Form::Text, "The Fluent account's name."),
    required(
        "tenant.fluent.username",
        Form::Text,
        "Our API user in Fluent. It is protected: never changed by Rollcall.",
    ),
    optional(
        "tenant.fluent.password_env",
        Form::SecretEnv,
        "Variable that holds its password. Either this or `password_file`.",
    ),
    optional(
        "tenant.fluent.password_file",
        Form::SecretFile,
        "File that holds its password.",
    ),
    required(
        "tenant.fluent.client_id",
        Form::Text,
        "OAuth client id; usually the account's name.",
    ),
    optional(
        "tenant.fluent.client_secret_env",
        Form::SecretEnv,
        "Variable that holds the client's secret. Either this or `client_secret_file`.",
    ),
    optional(
        "tenant.fluent.client_secret_file",
        Form::SecretFile,
        "File that holds the client's secret.",
    ),
    key(
        "tenant.fluent.request_timeout",
        Form::Duration(SECOND, 2 * MINUTE),
        "\"5s\"",
        "A call that is not answered by then, its login included, is settled by reading again; readings of whole \
         pages have 30 s at least. Must be shorter than `late_write_window`, and over Kafka fit into \
         `kafka.session_timeout`.",
    ),
    key(
        "tenant.fluent.concurrency",
        Form::Integer(1, 256),
        "8",
        "Most calls at once; Rollcall goes below it by itself when Fluent slows down.",
    ),
    key(
        "tenant.fluent.late_write_window",
        Form::Duration(5 * SECOND, HOUR),
        "\"2m\"",
        "How long a write whose answer was lost may still arrive: the account is read once more at its end.",
    ),
    key(
        "tenant.fluent.resync_interval",
        Form::Duration(MINUTE, 7 * 24 * HOUR),
        "\"6h\"",
        "Time between two complete comparisons with Fluent.",
    ),
    key(
        "tenant.fluent.catalog_interval",
        Form::Duration(10 * SECOND, 24 * HOUR),
        "\"5m\"",
        "Time between two readings of Fluent's roles, retailers and locations; an unknown one is looked \
         for at once.",
    ),
    key(
        "tenant.policy.unknown_roles",
        Form::Choice(&["hold-user", "hold-role"]),
        "\"hold-user\"",
        "`hold-user`: nothing is gained until every role is known. `hold-role`: known ones apply, the \
         unknown one waits. Removals go through under both.",
    ),
    key(
        "tenant.policy.foreign_grants",
        Form::Choice(&["keep", "report", "remove"]),
        "\"keep\"",
        "What becomes of grants that Rollcall neither made nor adopted.",
    ),
    key(
        "tenant.policy.shared_accounts",
        Form::Choice(&["union", "hold"]),
        "\"union\"",
        "When users of several connections lead to one account: it gets the union, or is held.",
    ),
    key(
        "tenant.policy.protected",
        Form::Texts,
        "[\"*_admin\"]",
        "User names that are never touched; `*` stands for any run of characters. \
         `tenant.fluent.username` always is.",
    ),
    key(
        "tenant.policy.user_type",
        Form::Text,
        "\"ADMIN\"",
        "`type` of users that are created.",
    ),
    key(
        "tenant.policy.timezone",
        Form::Text,
        "\"UTC\"",
        "`timezone` of users that are created.",
    ),
    key(
        "tenant.guard.min",
        Form::Integer(0, 1_000_000),
        "20",
        "The safety catch: as many accounts may always lose access, by one event or within ten minutes.",
    ),
    key(
        "tenant.guard.percent",
        Form::Percent,
        "2.0",
        "This share of the active users may, if it is more. 0 turns the catch off, but for losses that a change \
         in Fluent would cause, which always wait. Leavers are neither held nor counted.",
    ),
    optional(
        "tenant.rules.file",
        Form::Path,
        "The rule file. It is activated when its content changes, within five seconds, whole or not at all. Over Kafka \
         only `rollcall rules activate` does it.",
    ),
];

impl Key {
    /// What is allowed, for people.
    #[must_use]
    pub fn form_text(&self) -> String {
        match self.form {
            Form::Text => "text".to_owned(),
            Form::Name => "name: `a-z`, `0-9`, `-`, `_`".to_owned(),
            Form::Choice(words) => words
                .iter()
                .map(|word| format!("`\"{word}\"`"))
                .collect::<Vec<_>>()
                .join(", "),
            Form::Address => "IP address and port".to_owned(),
            Form::Url => "URL".to_owned(),
            Form::Path => "path".to_owned(),
            Form::SecretEnv => "name of an environment variable".to_owned(),
            Form::SecretFile => "path of a file".to_owned(),
            Form::Duration(from, to) => {
                format!(
                    "duration, {} to {}",
                    super::values::duration_text(from),
                    super::values::duration_text(to)
                )
            }
            Form::Size(from, to) => {
                format!(
                    "size, {} to {}",
                    super::values::size_text(from),
                    super::values::size_text(to)
                )
            }
            Form::Integer(from, to) => format!("whole number, {from} to {to}"),
            Form::Switch => "`true`, `false`".to_owned(),
            Form::Percent => "number, 0 to 100".to_owned(),
            Form::Texts => "list of texts".to_owned(),
            Form::Networks => "list of IP addresses and networks".to_owned(),
            Form::Holes => "list of `stream/partition/first-last`".to_owned(),
            Form::Date => "day or time".to_owned(),
            Form::ClientId => "id: `A-Z`, `a-z`, `0-9`, `-`, `_`, `.`".to_owned(),
            Form::TokenName => "name: `a-z`, `0-9`, `-`, `_`, `.`".to_owned(),
        }
    }
}

/// The key of a path.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// The names of keys and sections directly below a section (`""` is the whole file), without repetition.
pub(super) fn names_below(section: &str) -> Vec<&'static str> {
    let mut names = Vec::new();
    for key in KEYS {
        let rest = if section.is_empty() {
            Some(key.path)
        } else {
            key.path
                .strip_prefix(section)
                .and_then(|rest| rest.strip_prefix('.'))
        };
        let name = rest.and_then(|rest| rest.split('.').next());
        names.extend(name.filter(|name| !names.contains(name)));
    }
    names
}
