//! How the instance is: one picture of all its parts, for operators, health and metrics.

use rollcall_domain::Timestamp;
use rollcall_ingest::{Clock as _, ConnectionWarning, Door, SystemClock};
use rollcall_projector::TenantHandle;
use rollcall_reconciler::pace::PauseReason;
use rollcall_reconciler::{Reconciler, Status as ReconcilerStatus};

use super::{Core, Tenant};
use crate::admin::api::{FluentStatusReport, InstanceStatus, PutAside, TenantStatus, TrapReport};
use crate::metrics::{ReconcilerFigures, Scrape};

impl Core {
    /// The picture as it is now. Cheap: it is taken at every scrape.
    pub(super) fn status(&self) -> InstanceStatus {
        let here = self
            .tenants
            .iter()
            .filter_map(|tenant| self.tenant_status(tenant));
        let mut tenants: Vec<TenantStatus> = here.collect();
        for warning in self
            .door
            .get()
            .map(|door| door.warnings(SystemClock.now()))
            .unwrap_or_default()
        {
            if let Some(tenant) = tenants.iter_mut().find(|tenant| tenant.tenant == warning.tenant) {
                tenant.warnings.push(report(&warning));
            }
        }
        let not_ready = self.health.reasons();
        let now = SystemClock.now();
        InstanceStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            ready: not_ready.is_empty(),
            not_ready,
            warnings: self.warnings(now),
            certificate_ends: self.certificate.read().ends,
            role: self.role.to_string(),
            shares: self.share_status(),
            put_aside_of_nobody: self.projectors.put_aside_of_nobody(),
            tenants,
            credentials: self.credential_status(now),
        }
    }

    /// Everything that an operator should look at and that stops nothing.
    fn warnings(&self, now: Timestamp) -> Vec<String> {
        let mut warnings = self.standing.clone();
        warnings.extend(self.topic_warnings());
        warnings.extend(self.certificate_warnings(now));
        warnings.extend(self.credential_warnings(now));
        warnings.extend(self.tenants.iter().filter_map(unreadable_outcomes));
        warnings
    }

    /// Lets the parts say whether they can serve. Fluent is not among them: an IdP's change is taken while Fluent is
    /// down, so an instance that cannot reach it is ready all the same.
    pub(super) fn look_at_health(&self) {
        for tenant in &self.tenants {
            let directory = self.projectors.tenant(&tenant.id);
            if let Some(reason) = directory.as_ref().and_then(TenantHandle::stopped) {
                self.health.ended("projector", reason);
            }
            if let Some(reason) = directory.as_ref().and_then(TenantHandle::unpublished) {
                self.health.ended("publisher", reason);
            }
            let reconcilers = tenant.reconcilers.read();
            let halted = reconcilers.values().find_map(Reconciler::halted);
            if let Some(reason) = halted {
                self.health.ended("log", reason);
            }
        }
        self.look_at_shares();
        self.look_at_appends();
    }

    /// The door opened: from now on its counters are in the metrics, its credentials and what it saw in the status.
    pub(super) fn watch_door(&self, door: Door) {
        let _opened_once = self.door.set(door);
    }

    /// `/metrics`.
    pub(super) fn render_metrics(&self) -> String {
        let reconcilers = self
            .tenants
            .iter()
            .filter(|_| self.role.reconciles())
            .map(|tenant| {
                let metrics = tenant.crew.metrics();
                ReconcilerFigures {
                    tenant: tenant.id.clone(),
                    counters: metrics.counters(),
                    call: metrics.request.snapshot(),
                    leaver: metrics.leaver.snapshot(),
                    usable: metrics.usable.snapshot(),
                }
            });
        let scrape = Scrape {
            status: self.status(),
            door: self.door.get().map(|door| door.metrics().snapshot()),
            limits: self.door.get().map(Door::tenants).unwrap_or_default(),
            reconcilers: reconcilers.collect(),
            kafka: self.opened.kafka().map(rollcall_eventlog::kafka::KafkaLog::stats),
            topic_findings: self.topic_warnings().len(),
        };
        scrape.render()
    }

    /// True when nothing is left to be done for anybody: every event is in, every desired user computed, every account
    /// compared.
    pub(super) fn is_quiet(&self) -> bool {
        self.tenants.iter().all(|tenant| {
            let Some(directory) = self.projectors.tenant(&tenant.id) else {
                return true;
            };
            let reconcilers = tenant.reconcilers.read();
            let idle = reconcilers
                .values()
                .all(|reconciler| reconciler.status().accounts.is_idle());
            directory.lag() == 0 && directory.status().dirty == 0 && idle
        })
    }

    /// How a tenant is; none when it is not with this process.
    fn tenant_status(&self, tenant: &Tenant) -> Option<TenantStatus> {
        let handle = self.projectors.tenant(&tenant.id)?;
        let directory = handle.status();
        let reconcilers: Vec<ReconcilerStatus> = {
            let reconcilers = tenant.reconcilers.read();
            reconcilers.values().map(Reconciler::status).collect()
        };
        let sum = |of: fn(&ReconcilerStatus) -> usize| reconcilers.iter().map(of).sum::<usize>() as u64;
        let put_aside = handle.quarantined().into_iter().map(|put| PutAside {
            position: put.position.get(),
            reason: put.reason,
        });
        Some(TenantStatus {
            tenant: tenant.id.clone(),
            sequence: directory.sequence,
            lag_events: match self.opened.kafka() {
                None => handle.lag(),
                Some(_) => self.behind.of(&tenant.id), // the question to a broker is asked there
            },
            users: directory.users,
            active_users: directory.active_users,
            groups: directory.groups,
            accounts: directory.accounts,
            held: sum(|status| status.held),
            dirty: directory.dirty,
            queued: sum(|status| {
                let accounts = status.accounts;
                accounts.ready.iter().sum::<usize>() + accounts.waiting + accounts.processing
            }),
            waiting: sum(|status| status.accounts.waiting),
            rules: handle.rules_version(),
            unreadable: directory.unreadable,
            put_aside: put_aside.collect(),
            fluent: reconcilers.first().map(fluent).unwrap_or_default(),
            warnings: Vec::new(),
        })
    }
}

fn report(seen: &ConnectionWarning) -> TrapReport {
    let warning = seen.warning;
    TrapReport {
        connection: seen.connection.clone(),
        trap: warning.trap.name().to_owned(),
        count: warning.count,
        since: warning.since,
        last: warning.last,
        advice: warning.trap.advice().to_owned(),
    }
}

fn fluent(status: &ReconcilerStatus) -> FluentStatusReport {
    let away = |reason| matches!(reason, PauseReason::Outage | PauseReason::Login);
    let pause = status
        .pause
        .as_ref()
        .map(|pause| format!("paused until {}: {}", pause.until, pause.reason));
    FluentStatusReport {
        reachable: status.introduced && !status.pause.is_some_and(|pause| away(pause.reason)),
        problem: status.halted.clone().or(pause),
        catalog_read: status.catalog_read,
        resynced: status.resynced,
    }
}

/// Accounts that nothing can be done for, since an outcome of theirs cannot be read.
fn unreadable_outcomes(tenant: &Tenant) -> Option<String> {
    let reconcilers = tenant.reconcilers.read();
    let accounts: usize = reconcilers
        .values()
        .map(|reconciler| reconciler.status().unreadable)
        .sum();
    (accounts > 0).then(|| {
        format!(
            "tenant {}: of {accounts} account(s) an outcome cannot be read (the log names its place), so it is not \
             known what is ours there, and only leavers are served whose user \
             is ours by what can be read; start the version that wrote it",
            tenant.id
        )
    })
}
