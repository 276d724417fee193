//! Where the story is played: everything in this process, or processes that run already and a simulated Fluent of
//! theirs.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use rollcall_domain::{RuleSet, TenantId};
use rollcall_fluent_sim::{Fault, JournalEntry, Sim, UserSnapshot};
use serde::de::DeserializeOwned;

use crate::admin::api::{ActivateAsk, ExplainAsk, Explanation};
use crate::admin::{AdminClient, ClientError};
use crate::digest::sha256_hex;
use crate::engine::Engine;
use crate::output;

/// Largest answer of the simulator's control API that is read: its journal of the story.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What the story acts on and looks at.
pub(crate) enum Stage {
    /// An engine and a simulator of our own.
    Here(Box<Here>),
    /// Somebody else's.
    There(Box<There>),
}

/// An engine and a simulator in this process.
pub(crate) struct Here {
    pub(crate) engine: Engine,
    pub(crate) sim: Sim,
    pub(crate) tenant: TenantId,
}

/// Processes that run already.
pub(crate) struct There {
    /// Where the providers send to.
    scim: Vec<String>,
    /// The simulator.
    fluent: String,
    /// The admin sockets of all processes; each folds everything that matters to its role.
    admin: Vec<PathBuf>,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Stage {
    pub(crate) async fn activate_rules(&self, text: &str) -> anyhow::Result<()> {
        match self {
            Self::Here(here) => here.engine.activate_rules(&here.tenant, text, "demo").await,
            Self::There(there) => there.activate_rules(text).await,
        }
    }

    /// The explanation of a user as `rollcall explain` prints it.
    pub(crate) async fn explain_lines(&self, user: &str) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Here(here) => here.engine.explain_lines(&here.tenant, user).await,
            Self::There(there) => {
                let explanation = there.explain(user).await?.context("nobody goes by that name")?;
                let text = output::explanation(&explanation, None);
                Ok(text.lines().map(str::to_owned).collect())
            }
        }
    }

    /// Why a user is held.
    pub(crate) async fn hold_reasons(&self, user: &str) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Here(here) => Ok(here.engine.hold_reasons(&here.tenant, user)),
            Self::There(there) => {
                let holds = there.explain(user).await?.map(|explanation| explanation.holds);
                Ok(holds
                    .unwrap_or_default()
                    .iter()
                    .map(ToString::to_string)
                    .collect())
            }
        }
    }

    /// Nothing is left to be done for anybody.
    pub(crate) async fn is_quiet(&self) -> anyhow::Result<bool> {
        match self {
            Self::Here(here) => Ok(here.engine.is_quiet()),
            Self::There(there) => there.is_quiet().await,
        }
    }

    /// Everybody in Fluent.
    pub(crate) async fn users(&self) -> anyhow::Result<Vec<UserSnapshot>> {
        match self {
            Self::Here(here) => Ok(here.sim.handle().users()),
            Self::There(there) => there.get("/sim/v1/users").await,
        }
    }

    /// What was done to Fluent, in order.
    pub(crate) async fn journal(&self) -> anyhow::Result<Vec<JournalEntry>> {
        match self {
            Self::Here(here) => Ok(here.sim.handle().journal()),
            Self::There(there) => there.get("/sim/v1/journal").await,
        }
    }

    /// Makes Fluent misbehave.
    pub(crate) async fn inject(&self, fault: Fault) -> anyhow::Result<()> {
        match self {
            Self::Here(here) => here.sim.handle().inject(fault).map(|_id| ()).map_err(Into::into),
            Self::There(there) => {
                let body = serde_json::to_string(&fault)?;
                there
                    .send(Method::POST, "/sim/v1/faults", body)
                    .await
                    .map(|_answer| ())
            }
        }
    }

    /// Where Fluent's own interface is.
    pub(crate) fn fluent_url(&self) -> String {
        match self {
            Self::Here(here) => here.sim.url(),
            Self::There(there) => there.fluent.clone(),
        }
    }

    /// Where Entra and Okta send to.
    pub(crate) fn scim_urls(&self) -> [String; 2] {
        match self {
            Self::Here(here) => {
                let url = format!("http://{}/scim/v2", here.engine.address());
                [url.clone(), url]
            }
            Self::There(there) => {
                let first = there.scim.first().cloned().unwrap_or_default();
                let second = there.scim.get(1).cloned().unwrap_or_else(|| first.clone());
                [first, second]
            }
        }
    }

    /// The addresses, for `--keep`.
    pub(crate) fn addresses(&self) -> Vec<(&'static str, String)> {
        let [scim, _] = self.scim_urls();
        let mut addresses = vec![("SCIM", scim), ("Fluent simulator", self.fluent_url())];
        if let Self::Here(here) = self {
            let pages = format!("http://{}/readyz and /metrics", here.engine.address());
            addresses.push(("health and metrics", pages));
            let control = format!("{}/sim/v1", here.sim.control_url());
            addresses.push(("its control API", control));
        }
        addresses
    }

    /// Ends what is ours.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let Self::Here(here) = self else { return Ok(()) };
        let stopped = here.engine.stop().await;
        here.sim.stop().await;
        stopped
    }
}

impl There {
    pub(crate) fn new(scim: Vec<String>, fluent: &str, admin: Vec<PathBuf>) -> Self {
        let plain = |url: &str| url.trim_end_matches('/').to_owned();
        Self {
            scim: scim.iter().map(|url| plain(url)).collect(),
            fluent: plain(fluent),
            admin,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    fn admins(&self) -> impl Iterator<Item = (&Path, AdminClient)> {
        let paths = self.admin.iter().map(PathBuf::as_path);
        paths.map(|path| (path, AdminClient::new(path)))
    }

    /// By the first process that takes it: not every role does.
    async fn activate_rules(&self, text: &str) -> anyhow::Result<()> {
        let ask = ActivateAsk {
            tenant: None,
            version: sha256_hex(text.as_bytes()),
            rules: RuleSet::parse(text)?,
        };
        let mut refusals = Vec::new();
        for (path, admin) in self.admins() {
            match admin.activate_rules(&ask).await {
                Ok(_recorded) => return Ok(()),
                Err(error) => refusals.push(format!("{}: {error}", path.display())),
            }
        }
        bail!("no process activates the rules:\n  {}", refusals.join("\n  "))
    }

    /// By the process that is furthest: each answers from what it has taken in. `None` when none knows the user.
    async fn explain(&self, user: &str) -> anyhow::Result<Option<Explanation>> {
        let ask = ExplainAsk {
            tenant: None,
            user: user.to_owned(),
        };
        let mut newest: Option<Explanation> = None;
        for (path, admin) in self.admins() {
            match admin.explain(&ask).await {
                Ok(found) => {
                    if newest
                        .as_ref()
                        .is_none_or(|known| known.sequence < found.sequence)
                    {
                        newest = Some(found);
                    }
                }
                // It knows no such user, or does not answer such questions in its role.
                Err(ClientError::Refused { .. }) => {}
                Err(error) => return Err(error).with_context(|| format!("asking {}", path.display())),
            }
        }
        Ok(newest)
    }

    async fn is_quiet(&self) -> anyhow::Result<bool> {
        for (path, admin) in self.admins() {
            let status = admin.status().await;
            let status = status.with_context(|| format!("asking {}", path.display()))?;
            let quiet = status
                .tenants
                .iter()
                .all(|tenant| tenant.lag_events == 0 && tenant.dirty == 0 && tenant.queued == 0);
            if !status.ready || !quiet {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let answer = self.send(Method::GET, path, String::new()).await?;
        serde_json::from_slice(&answer).with_context(|| format!("reading the simulator's answer to {path}"))
    }

    async fn send(&self, method: Method, path: &str, body: String) -> anyhow::Result<Bytes> {
        let url = format!("{}{path}", self.fluent);
        let request = Request::builder()
            .method(method)
            .uri(&url)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let answer = self
            .client
            .request(request)
            .await
            .with_context(|| format!("asking {url}"))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body
            .map_err(|error| anyhow::anyhow!("reading {url}: {error}"))?
            .to_bytes();
        if !status.is_success() {
            bail!("{url} was answered {status}");
        }
        Ok(body)
    }
}
