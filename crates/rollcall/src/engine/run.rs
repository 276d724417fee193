//! The commands that run until they are told to end.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use rollcall_domain::TenantId;
use rollcall_fluent_sim::{Seed, Sim, SimConfig};
use tokio::signal::unix::{SignalKind, signal};

use super::explain::Known;
use super::{Engine, Role, operator::OperatorError, rules};
use crate::config::Config;
use crate::digest::sha256_hex;
use crate::output::{self, line};

/// What `rollcall demo` is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoOptions {
    /// Leave everything running at the end, with the addresses printed.
    pub keep: bool,
    /// Print the account as JSON.
    pub json: bool,
    /// Keep the log in topics of these brokers, instead of in a temporary folder.
    pub kafka: Option<String>,
    /// Processes that run already, to which the story is told instead.
    pub running: Option<Running>,
}

/// Processes that run already, for the demo.
#[derive(Clone, PartialEq, Eq)]
pub struct Running {
    /// Where Entra and Okta send to: `http://…/scim/v2`.
    pub scim: Vec<String>,
    /// The simulated Fluent.
    pub fluent: String,
    /// The admin sockets of all processes.
    pub admin: Vec<PathBuf>,
    /// Entra's token and Okta's.
    pub tokens: [String; 2],
}

impl std::fmt::Debug for Running {
    /// Without the tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("scim", &self.scim)
            .field("fluent", &self.fluent)
            .field("admin", &self.admin)
            .finish_non_exhaustive()
    }
}

/// What `rollcall sim` is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimOptions {
    /// Where the simulated Fluent listens.
    pub listen: SocketAddr,
    /// What it holds at first; empty when absent.
    pub seed: Option<PathBuf>,
}

/// Runs an instance, or one role of it, until SIGTERM or SIGINT.
///
/// # Errors
/// Anything that keeps it from starting, with what to do.
pub async fn run(config: Config, role: Role) -> anyhow::Result<()> {
    let grace = config.server.stop_grace;
    let mut ended = std::pin::pin!(terminated()?);
    let engine = tokio::select! {
        engine = Engine::start_as(config, role) => engine?,
        () = &mut ended => {
            tracing::info!("told to stop before the start was over");
            return Ok(());
        }
    };
    tracing::info!(address = %engine.address(), "ready");
    ended.await;
    tracing::info!("stopping: requests and writes in flight may end");
    match tokio::time::timeout(grace, engine.stop()).await {
        Ok(stopped) => stopped,
        Err(_elapsed) => {
            tracing::warn!(
                "not all that was in flight ended within server.stop_grace; it is settled at the next start"
            );
            Ok(())
        }
    }
}

/// Tells the whole story against the simulator; false when Fluent differs from the expectation at the end.
///
/// # Errors
/// Anything that keeps it from being told.
pub async fn demo(options: DemoOptions) -> anyhow::Result<bool> {
    crate::demo::run(options).await
}

/// Runs the simulator until SIGTERM or SIGINT.
///
/// # Errors
/// Anything that keeps it from starting.
pub async fn sim(options: SimOptions) -> anyhow::Result<()> {
    let seed = options
        .seed
        .as_deref()
        .map(Seed::read)
        .transpose()
        .context("reading the seed")?;
    let ended = terminated()?;
    let config = SimConfig {
        listen: options.listen,
        seed,
        ..SimConfig::default()
    };
    let credentials = config.credentials.clone();
    let sim = Sim::start(config).await.context("starting the simulator")?;
    line(&format!("Fluent simulator at {}", sim.url()));
    line(&format!("control API at {}/sim/v1", sim.control_url()));
    line(&format!(
        "it lets in user {} with password {}, client {} with secret {}",
        credentials.username, credentials.password, credentials.client_id, credentials.client_secret
    ));
    ended.await;
    sim.stop().await;
    Ok(())
}

/// Resolves at SIGTERM or SIGINT.
pub(crate) fn terminated() -> anyhow::Result<impl Future<Output = ()>> {
    let mut term = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// What the demo does with an engine in its own process; operators do the same over the admin socket.
impl Engine {
    /// Activates a rule set.
    pub(crate) async fn activate_rules(
        &self,
        tenant: &TenantId,
        text: &str,
        actor: &str,
    ) -> anyhow::Result<()> {
        let rules = rollcall_domain::RuleSet::parse(text)?;
        let tenant = self.tenant(tenant)?;
        let activated: Result<_, OperatorError> = rules::activate(
            &self.core.log,
            &tenant.directory,
            "demo",
            actor,
            sha256_hex(text.as_bytes()),
            rules,
        )
        .await;
        activated?;
        Ok(())
    }

    /// The explanation of a user as `rollcall explain` prints it.
    pub(crate) async fn explain_lines(&self, tenant: &TenantId, user: &str) -> anyhow::Result<Vec<String>> {
        let explanation = self.tenant(tenant)?.explain(&self.core.log, user).await?;
        Ok(output::explanation(&explanation, None)
            .lines()
            .map(str::to_owned)
            .collect())
    }

    /// Why a user is held.
    pub(crate) fn hold_reasons(&self, tenant: &TenantId, user: &str) -> Vec<String> {
        let Ok(tenant) = self.tenant(tenant) else {
            return Vec::new();
        };
        let desired = tenant
            .account_of(user)
            .and_then(|account| tenant.directory.desired(account).ok()?);
        desired
            .map(|desired| desired.holds.iter().map(ToString::to_string).collect())
            .unwrap_or_default()
    }

    /// Nothing is left to be done for anybody.
    pub(crate) fn is_quiet(&self) -> bool {
        self.core.is_quiet()
    }

    fn tenant(&self, id: &TenantId) -> anyhow::Result<Known<'_>> {
        let (tenant, directory) = self.core.of(id)?;
        Ok(Known { tenant, directory })
    }
}
