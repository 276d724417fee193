//! Questions about a data folder in which no instance runs: the log is opened read-only and folded anew, and the
//! same service answers over a socket of its own, so that a command need not know the difference.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use rollcall_domain::{AccountKey, TenantId, TenantKey, UserId};
use rollcall_eventlog::{ReadLog, ReadOnlyLog, Verification};
use rollcall_projector::{Replayed, TenantSetup, Until};
use tokio::sync::watch;

use super::admin::replay;
use super::explain::Explained;
use crate::admin::api::{
    ActivateAsk, DecideAsk, ExplainAsk, Explanation, HeldAccount, HoldsAsk, HoldsPage, InstanceStatus,
    Recorded, ReplayAsk, RulesAsk, RulesInForce,
};
use crate::admin::{AdminClient, AdminError, AdminServer, AdminService, Caller, ErrorCode, ReplaySink};
use crate::keys::{KeyStore, LogPresence};

/// Answers from the files as long as it lives.
#[derive(Debug)]
pub struct Offline {
    socket: PathBuf,
    _stop: watch::Sender<bool>,
    _folder: tempfile::TempDir,
}

impl Offline {
    /// Opens the data folder read-only.
    ///
    /// # Errors
    /// When there is no log, an instance holds it, or it was not closed cleanly (start the instance then).
    pub async fn open(data: &Path) -> anyhow::Result<Self> {
        let log_folder = data.join("log");
        let log =
            ReadOnlyLog::open(&log_folder, Verification::default()).context("opening the log read-only")?;
        let keys = KeyStore::open(data, &[], LogPresence::Present).context("opening the key store")?;
        let tenants = keys
            .tenants()
            .filter_map(|id| Some((id.clone(), keys.get(id)?.clone())));
        let service = Files {
            log: Arc::new(log),
            tenants: tenants.collect(),
        };
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        let socket = folder.path().join("admin.sock");
        let server = AdminServer::bind(&socket).await.context("opening a socket")?;
        let (stop, stopping) = watch::channel(false);
        tokio::spawn(server.serve(Arc::new(service), super::stopped(stopping)));
        Ok(Self {
            socket,
            _stop: stop,
            _folder: folder,
        })
    }

    /// A client of it.
    #[must_use]
    pub fn client(&self) -> AdminClient {
        AdminClient::new(&self.socket)
    }
}

/// The files of a stopped instance.
#[derive(Debug)]
struct Files {
    log: Arc<dyn ReadLog>,
    tenants: Vec<(TenantId, TenantKey)>,
}

fn needs_instance() -> AdminError {
    AdminError::new(
        ErrorCode::Unavailable,
        "this needs a running instance, and none runs",
    )
}

impl Files {
    fn setup(&self, asked: Option<&TenantId>) -> Result<TenantSetup, AdminError> {
        let found = match (asked, self.tenants.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => {
                return Err(AdminError::new(
                    ErrorCode::Invalid,
                    "there are several tenants: name one with --tenant",
                ));
            }
            (Some(id), tenants) => tenants.iter().find(|(tenant, _)| tenant == id),
        };
        let (id, key) =
            found.ok_or_else(|| AdminError::new(ErrorCode::NotFound, "there is no such tenant"))?;
        Ok(TenantSetup {
            id: id.clone(),
            key: key.clone(),
        })
    }

    /// The state at the end of the log.
    async fn folded(&self, setup: TenantSetup) -> Result<Replayed, AdminError> {
        let log = Arc::clone(&self.log);
        let work = tokio::task::spawn_blocking(move || {
            rollcall_projector::replay(log.as_ref(), &[setup], Until::End, &mut |_progress| true)
        });
        let replayed = work
            .await
            .map_err(|_| AdminError::new(ErrorCode::Internal, "folding the log failed"))?;
        let replayed = replayed.map_err(super::admin::unavailable)?;
        replayed
            .into_iter()
            .next()
            .ok_or_else(|| AdminError::new(ErrorCode::Internal, "nothing was folded"))
    }
}

fn account_of(replayed: &Replayed, key: &TenantKey, user: &str) -> Option<AccountKey> {
    let by_id = user.parse::<UserId>().ok().and_then(|id| replayed.account_of(id));
    let by_key = user.parse::<AccountKey>().ok();
    let candidates = [by_id, by_key, Some(key.name_key(user))];
    candidates
        .into_iter()
        .flatten()
        .find(|account| replayed.desired(*account).is_some())
}

impl AdminService for Files {
    async fn status(&self) -> InstanceStatus {
        InstanceStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: rollcall_domain::Timestamp::default(),
            ready: false,
            not_ready: vec!["no instance runs".to_owned()],
            warnings: Vec::new(),
            certificate_ends: None,
            role: String::new(),
            shares: Vec::new(),
            put_aside_of_nobody: 0,
            tenants: Vec::new(),
            credentials: Vec::new(),
        }
    }

    async fn explain(&self, ask: ExplainAsk) -> Result<Explanation, AdminError> {
        let setup = self.setup(ask.tenant.as_ref())?;
        let (tenant, key) = (setup.id.clone(), setup.key.clone());
        let replayed = self.folded(setup).await?;
        let account = account_of(&replayed, &key, &ask.user);
        let explained = account.and_then(|account| Some((account, replayed.explain(account)?)));
        let unknown = || {
            AdminError::new(
                ErrorCode::NotFound,
                format!("nobody in {tenant} is known by that name"),
            )
        };
        let (account, explained) = explained.ok_or_else(unknown)?;
        let username = replayed.user_name(account);
        let catalog = replayed.catalog();
        let ledger = rollcall_reconciler::read_ledger(self.log.as_ref(), &tenant).await;
        let ledger = ledger.map_err(|error| AdminError::new(ErrorCode::Unavailable, error.to_string()))?;
        let fluent = super::explain::ledger_entry(ledger.entry(account));
        let explained = Explained {
            tenant,
            username,
            catalog,
            fluent,
            explained,
        };
        explained.for_people(Arc::clone(&self.log)).await
    }

    async fn holds(&self, ask: HoldsAsk) -> Result<HoldsPage, AdminError> {
        let setup = self.setup(ask.tenant.as_ref())?;
        let tenant = setup.id.clone();
        let replayed = self.folded(setup).await?;
        let held = replayed.accounts().filter_map(|account| {
            let holds = replayed.desired(account)?.holds;
            let username = replayed.user_name(account);
            (!holds.is_empty()).then_some(HeldAccount {
                account,
                username,
                holds,
            })
        });
        let decisions = replayed
            .open_decisions()
            .into_iter()
            .map(super::admin::waiting)
            .collect();
        Ok(HoldsPage {
            tenant,
            sequence: replayed.sequence(),
            decisions,
            accounts: held.collect(),
            next: None,
        })
    }

    async fn decide(&self, _caller: Caller, _ask: DecideAsk) -> Result<Recorded, AdminError> {
        Err(needs_instance())
    }

    async fn rules(&self, ask: RulesAsk) -> Result<RulesInForce, AdminError> {
        let setup = self.setup(ask.tenant.as_ref())?;
        let tenant = setup.id.clone();
        let replayed = self.folded(setup).await?;
        Ok(RulesInForce {
            tenant,
            version: replayed.rules_version(),
            rules: replayed.rules(),
        })
    }

    async fn activate_rules(&self, _caller: Caller, _ask: ActivateAsk) -> Result<Recorded, AdminError> {
        Err(needs_instance())
    }

    async fn replay(&self, ask: ReplayAsk, lines: ReplaySink) -> Result<(), AdminError> {
        let setup = self.setup(ask.tenant.as_ref())?;
        let log = Arc::clone(&self.log);
        let work = tokio::task::spawn_blocking(move || replay(log.as_ref(), setup, ask.until, &lines));
        // The lines carry what went wrong; whoever reads them may have gone.
        let _ended = work.await;
        Ok(())
    }
}
