//! From the file to [`Config`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rollcall_domain::{
    ConnectionName, ForeignGrants, GuardPolicy, NamePattern, Policy, SharedAccounts, TenantId, UnknownRoles,
};
use rollcall_ingest::RepeatedCreate;
use secrecy::ExposeSecret as _;
use toml::de::DeTable;

use super::problem::{ConfigErrors, Problem};
use super::section::{Section, Source};
use super::{
    Admin, Config, Connection, ConnectionKind, Dialect, Environment, Fluent, Log, LogEngine, LogFormat,
    Logging, RuleFile, Server, Tenant, door, kafka, secret, tls, values,
};

/// A configuration file above this is refused unread.
pub const CONFIG_BYTES_MAX: u64 = 1024 * 1024;
/// The admin socket's name in the data folder.
const SOCKET: &str = "admin.sock";
/// The token file's name in the data folder.
pub(super) const TOKENS: &str = "tokens.json";

/// Reads and checks a configuration file.
///
/// # Errors
/// [`ConfigErrors`] with every mistake at once; trying again without a change does not help.
pub fn load(file: &Path, env: Environment<'_>) -> Result<Config, ConfigErrors> {
    parse(&text(file)?, file, env)
}

/// What a command needs to ask an instance, or to look at the files of a stopped one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The admin socket.
    pub socket: PathBuf,
    /// The data folder.
    pub data: PathBuf,
    /// The token file.
    pub tokens: PathBuf,
}

/// Reads only where the admin socket and the data folder are. What else stands in the file is not looked at.
///
/// # Errors
/// [`ConfigErrors`] when the file cannot be read, is no TOML, or the keys that lead to the socket are wrong.
pub fn load_places(file: &Path) -> Result<Places, ConfigErrors> {
    let text = text(file)?;
    let source = Source::new(&text);
    let document = document(&source, &text, file)?;
    let folder = folder(file);
    let root = Section::root(&source, document.get_ref());
    let data = root.section("log").path("path", folder);
    let socket = root.section("admin").path("socket", folder);
    let socket = socket.or_else(|| Some(data.as_ref()?.join(SOCKET)));
    let tokens = root.section("server").path("token_file", folder);
    let tokens = tokens.or_else(|| Some(data.as_ref()?.join(TOKENS)));
    let problems = source.into_problems();
    match (socket, data, tokens) {
        (Some(socket), Some(data), Some(tokens)) if problems.is_empty() => {
            Ok(Places { socket, data, tokens })
        }
        _ => Err(ConfigErrors::new(file.to_owned(), problems)),
    }
}

/// Reads only which connections there are. What else stands in the file is not looked at, so that tokens can be made
/// where no secret is at hand.
///
/// # Errors
/// [`ConfigErrors`] when the file cannot be read, is no TOML, or names are wrong.
pub fn load_connections(file: &Path) -> Result<Vec<(TenantId, ConnectionName)>, ConfigErrors> {
    let text = text(file)?;
    let source = Source::new(&text);
    let document = document(&source, &text, file)?;
    let root = Section::root(&source, document.get_ref());
    let mut all = Vec::new();
    for tenant in root.sections("tenant") {
        let id: Option<TenantId> = tenant.parsed("id");
        for connection in tenant.sections("tenant.connection") {
            if let (Some(id), Some(name)) = (&id, connection.parsed("name")) {
                all.push((id.clone(), name));
            }
        }
    }
    let problems = source.into_problems();
    if problems.is_empty() {
        Ok(all)
    } else {
        Err(ConfigErrors::new(file.to_owned(), problems))
    }
}

fn folder(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

fn text(file: &Path) -> Result<String, ConfigErrors> {
    let whole = |what: String, expected: Option<&str>| {
        let expected = expected.map(str::to_owned);
        ConfigErrors::new(
            file.to_owned(),
            vec![Problem {
                line: None,
                key: String::new(),
                what,
                expected,
            }],
        )
    };
    let bytes = values::read_bounded(file, CONFIG_BYTES_MAX).map_err(|error| {
        whole(
            format!("cannot be read: {error}"),
            Some("a configuration file; name another with --config or ROLLCALL_CONFIG"),
        )
    })?;
    let bytes = bytes.ok_or_else(|| whole(format!("has more than {CONFIG_BYTES_MAX} bytes"), None))?;
    String::from_utf8(bytes).map_err(|_| whole("is not UTF-8".to_owned(), None))
}

fn document<'a>(
    source: &Source<'_>,
    text: &'a str,
    file: &Path,
) -> Result<toml::Spanned<DeTable<'a>>, ConfigErrors> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(document);
    }
    let problems = errors.iter().map(|error| Problem {
        line: error.span().map(|span| source.line(span.start)),
        key: String::new(),
        what: format!("not TOML: {}", error.message()),
        expected: None,
    });
    Err(ConfigErrors::new(file.to_owned(), problems.collect()))
}

/// Checks the text of a configuration file; `file` is its name in errors and the start of relative paths.
///
/// # Errors
/// [`ConfigErrors`] with every mistake at once. A text that is no TOML is reported as such before its keys
/// are.
pub fn parse(text: &str, file: &Path, env: Environment<'_>) -> Result<Config, ConfigErrors> {
    let source = Source::new(text);
    let document = document(&source, text, file)?;
    let config = whole(
        &Section::root(&source, document.get_ref()),
        file,
        folder(file),
        env,
    );
    let problems = source.into_problems();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        // A value that could not be read has been noted as a problem; see the test that breaks each.
        _ => Err(ConfigErrors::new(file.to_owned(), problems)),
    }
}

fn whole(root: &Section<'_>, file: &Path, folder: &Path, env: Environment<'_>) -> Option<Config> {
    root.refuse_unknown();
    let server = server(&root.section("server"), folder);
    let log = log(&root.section("log"), folder);
    let kafka_section = root.section("kafka");
    let kafka = kafka::read(&kafka_section, log.as_ref().map(|log| log.engine), folder, env);
    let admin = root.section("admin");
    admin.refuse_unknown();
    let socket = admin.path("socket", folder);
    let logging = logging(&root.section("logging"));
    let sections = root.sections("tenant");
    let read: Vec<Option<Tenant>> = sections
        .iter()
        .map(|section| tenant(section, folder, env))
        .collect();
    refuse_repeated(&sections, &read);
    let log = log?;
    let (kafka, tenants) = (kafka?, read.into_iter().collect::<Option<Vec<_>>>()?);
    kafka::refuse_long_requests(&kafka_section, kafka.as_ref(), &tenants);
    Some(Config {
        file: file.to_owned(),
        server: server?,
        admin: Admin {
            socket: socket.unwrap_or_else(|| log.path.join(SOCKET)),
        },
        log,
        kafka,
        logging: logging?,
        tenants,
    })
}

/// The tenant follows from the token, and its log from its id: neither may stand twice.
fn refuse_repeated(sections: &[Section<'_>], tenants: &[Option<Tenant>]) {
    let (mut ids, mut tokens, mut clients) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (section, tenant) in sections.iter().zip(tenants) {
        let Some(tenant) = tenant else { continue };
        if !ids.insert(tenant.id.as_str()) {
            section.wrong(
                "id",
                format!("\"{}\" stands twice", tenant.id),
                Some("an id of its own".to_owned()),
            );
        }
        let all = tenant
            .connections
            .iter()
            .flat_map(|connection| &connection.clients);
        for client in all {
            if !clients.insert(client.id.clone()) {
                let what = format!("the OAuth client \"{}\" stands twice", client.id);
                section.wrong("connection", what, Some("an id of its own".to_owned()));
            }
        }
        let all = tenant.connections.iter();
        let all = all.flat_map(|connection| connection.tokens.iter().map(move |token| (connection, token)));
        for (connection, token) in all {
            if !tokens.insert(token.secret.expose_secret()) {
                let what = format!("connection \"{}\" has the token of another one", connection.name);
                section.wrong(
                    "connection",
                    what,
                    Some("a token of its own: it tells whose request it is".to_owned()),
                );
            }
        }
    }
}

fn server(section: &Section<'_>, folder: &Path) -> Option<Server> {
    section.refuse_unknown();
    let listen = section.address("listen");
    let public_url = section.url("public_url");
    let body_max = section.size("body_max");
    let request_timeout = section.duration("request_timeout");
    let connections_max = section.integer("connections_max");
    let stop_grace = section.duration("stop_grace");
    let tls = tls::files(section, folder);
    let trusted_proxies = door::trusted_proxies(section);
    let auth_failures_max = section.integer("auth_failures_max");
    let access_token_lifetime = section.duration("access_token_lifetime");
    let token_file = section.path("token_file", folder);
    let listen = listen?;
    Some(Server {
        listen,
        public_url: public_url.unwrap_or_else(|| {
            let scheme = if matches!(tls, Some(Some(_))) {
                "https"
            } else {
                "http"
            };
            format!("{scheme}://{listen}")
        }),
        tls: tls?,
        body_max: body_max?,
        request_timeout: request_timeout?,
        connections_max: usize::try_from(connections_max?).ok()?,
        stop_grace: stop_grace?,
        trusted_proxies: trusted_proxies?,
        auth_failures_max: u32::try_from(auth_failures_max?).ok()?,
        access_token_lifetime: access_token_lifetime?,
        token_file,
    })
}

fn log(section: &Section<'_>, folder: &Path) -> Option<Log> {
    section.refuse_unknown();
    let engines = [("embedded", LogEngine::Embedded), ("kafka", LogEngine::Kafka)];
    let engine = section.choice("engine", &engines);
    let path = section.path("path", folder);
    Some(Log {
        engine: engine?,
        path: path?,
    })
}

fn logging(section: &Section<'_>) -> Option<Logging> {
    section.refuse_unknown();
    let filter = section.text("level");
    if let Some(problem) = filter.as_deref().and_then(crate::logging::filter_problem) {
        let expected = "a level such as \"info\", or a filter such as \"info,rollcall_fluent=debug\"";
        section.wrong("level", problem, Some(expected.to_owned()));
    }
    let format = section.choice("format", &[("text", LogFormat::Text), ("json", LogFormat::Json)]);
    Some(Logging {
        filter: filter?,
        format: format?,
    })
}

fn tenant(section: &Section<'_>, folder: &Path, env: Environment<'_>) -> Option<Tenant> {
    section.refuse_unknown();
    let id = section.parsed("id");
    let connections: Vec<Option<Connection>> = connections(section, folder, env);
    let fluent = fluent(&section.section("tenant.fluent"), folder, env);
    let policy = policy(
        &section.section("tenant.policy"),
        &section.section("tenant.guard"),
    );
    let limit = door::limits(&section.section("tenant.limits"));
    let rules = section.section("tenant.rules");
    rules.refuse_unknown();
    let rules = rules.path("file", folder).map(|file| RuleFile { file });
    let (fluent, mut policy) = (fluent?, policy?);
    let own = NamePattern(fluent.username.clone());
    if !policy.protected.contains(&own) {
        policy.protected.push(own);
    }
    policy.account_name = Some(fluent.account.clone());
    Some(Tenant {
        id: id?,
        connections: connections.into_iter().collect::<Option<_>>()?,
        fluent,
        policy,
        limit: limit?,
        rules,
    })
}

fn connections(tenant: &Section<'_>, folder: &Path, env: Environment<'_>) -> Vec<Option<Connection>> {
    let mut names = BTreeSet::new();
    let sections = tenant.sections("tenant.connection");
    let read = sections.iter().map(|section| {
        let connection = connection(section, folder, env);
        if let Some(connection) = &connection
            && !names.insert(connection.name.clone())
        {
            let what = format!("\"{}\" stands twice in this tenant", connection.name);
            section.wrong("name", what, Some("a name of its own".to_owned()));
        }
        connection
    });
    read.collect()
}

fn connection(section: &Section<'_>, folder: &Path, env: Environment<'_>) -> Option<Connection> {
    section.refuse_unknown();
    let name = section.parsed("name");
    let kind = section.choice("kind", &[("scim", ConnectionKind::Scim)]);
    let tokens = door::tokens(section, folder, env);
    let clients = door::clients(section, folder, env);
    let dialect = section.choice(
        "dialect",
        &[("tolerant", Dialect::Tolerant), ("strict", Dialect::Strict)],
    );
    let repeated_create = section.choice(
        "repeated_create",
        &[
            ("conflict", RepeatedCreate::Conflict),
            ("answer", RepeatedCreate::Answer),
        ],
    );
    Some(Connection {
        name: name?,
        kind: kind?,
        tokens: tokens?,
        clients: clients?,
        dialect: dialect?,
        repeated_create: repeated_create?,
    })
}

fn fluent(section: &Section<'_>, folder: &Path, env: Environment<'_>) -> Option<Fluent> {
    section.refuse_unknown();
    let url = section.url("url");
    if url
        .as_deref()
        .is_some_and(|url| !values::is_safe_for_secrets(url))
    {
        section.wrong(
            "url",
            "is not encrypted, and passwords go there",
            Some("https://…".to_owned()),
        );
    }
    let account = section.text("account");
    let username = section.text("username");
    let password = secret::read(section, "password", env, folder);
    let client_id = section.text("client_id");
    let client_secret = secret::read(section, "client_secret", env, folder);
    let request_timeout = section.duration("request_timeout");
    let concurrency = section.integer("concurrency");
    let late_write_window = section.duration("late_write_window");
    let resync_interval = section.duration("resync_interval");
    let catalog_interval = section.duration("catalog_interval");
    if let (Some(request), Some(window)) = (request_timeout, late_write_window)
        && request >= window
    {
        let expected = "a duration shorter than tenant.fluent.late_write_window".to_owned();
        section.wrong(
            "request_timeout",
            "is as long as the late-write window",
            Some(expected),
        );
    }
    Some(Fluent {
        url: url?,
        account: account?,
        username: username?,
        password: password?,
        client_id: client_id?,
        client_secret: client_secret?,
        request_timeout: request_timeout?,
        concurrency: usize::try_from(concurrency?).ok()?,
        late_write_window: late_write_window?,
        resync_interval: resync_interval?,
        catalog_interval: catalog_interval?,
    })
}

fn policy(section: &Section<'_>, guard: &Section<'_>) -> Option<Policy> {
    section.refuse_unknown();
    guard.refuse_unknown();
    let unknown = [
        ("hold-user", UnknownRoles::HoldUser),
        ("hold-role", UnknownRoles::HoldRole),
    ];
    let unknown_roles = section.choice("unknown_roles", &unknown);
    let foreign = [
        ("keep", ForeignGrants::Keep),
        ("report", ForeignGrants::Report),
        ("remove", ForeignGrants::Remove),
    ];
    let foreign_grants = section.choice("foreign_grants", &foreign);
    let shared = [("union", SharedAccounts::Union), ("hold", SharedAccounts::Hold)];
    let shared_accounts = section.choice("shared_accounts", &shared);
    let protected = section.texts("protected");
    let user_type = section.text("user_type");
    let timezone = section.text("timezone");
    let (min, percent) = (guard.integer("min"), guard.percent("percent"));
    Some(Policy {
        unknown_roles: unknown_roles?,
        foreign_grants: foreign_grants?,
        shared_accounts: shared_accounts?,
        guard: GuardPolicy {
            min: u32::try_from(min?).ok()?,
            percent: percent?,
        },
        protected: protected?.into_iter().map(NamePattern).collect(),
        user_type: user_type?,
        timezone: timezone?,
        account_name: None, // known to another table
    })
}
