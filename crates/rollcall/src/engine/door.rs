//! The HTTP server: SCIM, health and metrics on one listener.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use rollcall_ingest::{
    Connection, Dialect, Directory, Door, DoorConfig, RandomIds, ServeOptions, SystemClock, Token, TokenHash,
    TrustedProxies, page,
};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Core, oauth, stopped, tls, tokens};
use crate::config::{self, Config};
use crate::health::HealthAnswer;
use crate::keys::KeyStore;
use crate::metrics::CONTENT_TYPE;
use crate::tokens::TokenStore;

/// Binds the listener, serves until told to stop, and watches the token file and the certificate.
pub(super) async fn open(
    config: &Config,
    core: &Arc<Core>,
    keys: &KeyStore,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<(SocketAddr, JoinHandle<()>, Vec<JoinHandle<()>>)> {
    let listener = TcpListener::bind(config.server.listen)
        .await
        .with_context(|| format!("listening on {} (server.listen)", config.server.listen))?;
    let address = listener.local_addr().context("asking for our own address")?;
    let mut watchers = Vec::new();
    let router = if core.role.ingests() {
        let door = scim(config, core, keys, address)?;
        let store = TokenStore::at(config.token_file());
        watchers.push(tokens::watch(store, door.credentials(), core, &stop)?);
        door.router(beside(core))
    } else {
        beside(core)
    };
    let mut options = ServeOptions {
        tls: None,
        connections_max: config.server.connections_max,
    };
    if let Some(files) = &config.server.tls {
        let (tls, watcher) = tls::watch(files, core, &stop)?;
        options.tls = Some(tls);
        watchers.push(watcher);
    }
    let serving = tokio::spawn(async move {
        if let Err(error) = rollcall_ingest::serve_with(listener, options, router, stopped(stop)).await {
            tracing::error!(%error, "the HTTP server ended");
        }
    });
    Ok((address, serving, watchers))
}

/// The SCIM server, for processes that take what identity providers send.
fn scim(config: &Config, core: &Arc<Core>, keys: &KeyStore, address: SocketAddr) -> anyhow::Result<Door> {
    let door = Door::new(
        DoorConfig {
            oauth: oauth::config(config, keys)?,
            ..door_config(config, address)
        },
        connections(config)?,
        Arc::<dyn rollcall_eventlog::EventLog>::clone(&core.log),
        |tenant| {
            let directory = core.projectors.tenant(tenant)?;
            Some(Arc::new(directory) as Arc<dyn Directory>)
        },
        Arc::new(SystemClock),
        Arc::new(RandomIds),
    )
    .context("opening the SCIM server")?;
    core.watch_door(door.clone());
    Ok(door)
}

/// With port 0 the system chose one: the URL follows it.
fn door_config(config: &Config, address: SocketAddr) -> DoorConfig {
    let server = &config.server;
    let public_url = if server.listen.port() == 0 {
        server
            .public_url
            .replace(&server.listen.to_string(), &address.to_string())
    } else {
        server.public_url.clone()
    };
    let tenants = config.tenants.iter();
    let rate_limits = tenants.filter_map(|tenant| Some((tenant.id.clone(), tenant.limit?)));
    DoorConfig {
        body_bytes_max: server.body_max,
        request_timeout: server.request_timeout,
        auth_failures_max: server.auth_failures_max,
        trusted_proxies: TrustedProxies::new(server.trusted_proxies.clone()),
        rate_limits: rate_limits.collect(),
        ..DoorConfig::new(public_url)
    }
}

fn connections(config: &Config) -> anyhow::Result<Vec<Connection>> {
    let all = config
        .tenants
        .iter()
        .flat_map(|tenant| tenant.connections.iter().map(move |c| (tenant, c)));
    all.map(|(tenant, connection)| {
        let tokens = connection.tokens.iter().map(|token| {
            anyhow::Ok(Token {
                name: token.name.clone(),
                hash: TokenHash::of(&token.secret)?,
                expires: token.expires,
            })
        });
        Ok(Connection {
            tenant: tenant.id.clone(),
            name: connection.name.clone(),
            tokens: tokens.collect::<anyhow::Result<_>>()?,
            dialect: match connection.dialect {
                config::Dialect::Tolerant => Dialect::Tolerant,
                config::Dialect::Strict => Dialect::Strict,
            },
            repeated_create: connection.repeated_create,
        })
    })
    .collect()
}

/// Health and metrics.
fn beside(core: &Arc<Core>) -> rollcall_ingest::Router {
    let (live, ready, metrics) = (Arc::clone(core), Arc::clone(core), Arc::clone(core));
    let text = "text/plain; charset=utf-8";
    let health = |answer: HealthAnswer| (answer.status, answer.body);
    rollcall_ingest::beside([
        page("/livez", text, move || {
            live.look_at_health();
            health(live.health.livez())
        }),
        page("/readyz", text, move || {
            ready.look_at_health();
            health(ready.health.readyz())
        }),
        page("/metrics", CONTENT_TYPE, move || {
            metrics.look_at_health();
            (200, metrics.render_metrics())
        }),
    ])
}
