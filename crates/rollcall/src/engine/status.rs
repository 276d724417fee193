//! How the instance is: one picture of all its parts, for operators, health and metrics.

use rollcall_ingest::{Clock as _, ConnectionWarning, Door, SystemClock};
use rollcall_reconciler::Status as ReconcilerStatus;
use rollcall_reconciler::pace::PauseReason;

use super::{Core, Tenant};
use crate::admin::api::{FluentStatusReport, InstanceStatus, TenantStatus, TrapReport};
use crate::metrics::{ReconcilerFigures, Scrape};

impl Core {
    /// The picture as it is now. Cheap: it is taken at every scrape.
    pub(super) fn status(&self) -> InstanceStatus {
        let mut tenants: Vec<TenantStatus> = self.tenants.iter().map(Tenant::status).collect();
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
            warnings: self.credential_warnings(now),
            certificate_ends: self.certificate.read().ends,
            tenants,
            credentials: self.credential_status(now),
        }
    }

    /// Lets the parts say whether they can serve. Fluent is not among them: an IdP's change is taken while Fluent is
    /// down, so an instance that cannot reach it is ready all the same.
    pub(super) fn look_at_health(&self) {
        for tenant in &self.tenants {
            if let Some(reason) = tenant.directory.stopped() {
                self.health.ended("projector", reason);
            }
            let halted = tenant
                .reconciler
                .read()
                .as_ref()
                .and_then(|reconciler| reconciler.status().halted);
            if let Some(reason) = halted {
                self.health.ended("log", reason);
            }
        }
    }

    /// The door opened: from now on its counters are in the metrics, its credentials and what it saw in the status.
    pub(super) fn watch_door(&self, door: Door) {
        let _opened_once = self.door.set(door);
    }

    /// `/metrics`.
    pub(super) fn render_metrics(&self) -> String {
        let reconcilers = self.tenants.iter().filter_map(|tenant| {
            let reconciler = tenant.reconciler.read();
            let metrics = reconciler.as_ref()?.metrics();
            Some(ReconcilerFigures {
                tenant: tenant.id.clone(),
                counters: metrics.counters(),
                call: metrics.request.snapshot(),
                leaver: metrics.leaver.snapshot(),
                usable: metrics.usable.snapshot(),
            })
        });
        let scrape = Scrape {
            status: self.status(),
            door: self.door.get().map(|door| door.metrics().snapshot()),
            limits: self.door.get().map(Door::tenants).unwrap_or_default(),
            reconcilers: reconcilers.collect(),
        };
        scrape.render()
    }

    /// True when nothing is left to be done for anybody: every event is in, every desired user computed, every account
    /// compared.
    pub(super) fn is_quiet(&self) -> bool {
        self.tenants.iter().all(|tenant| {
            let status = tenant.directory.status();
            let idle = tenant
                .reconciler
                .read()
                .as_ref()
                .is_none_or(|r| r.status().accounts.is_idle());
            tenant.directory.lag() == 0 && status.dirty == 0 && idle
        })
    }
}

impl Tenant {
    fn status(&self) -> TenantStatus {
        let directory = self.directory.status();
        let reconciler = self
            .reconciler
            .read()
            .as_ref()
            .map(rollcall_reconciler::Reconciler::status);
        let accounts = reconciler
            .as_ref()
            .map(|status| status.accounts)
            .unwrap_or_default();
        let queued = accounts.ready.iter().sum::<usize>() + accounts.waiting + accounts.processing;
        TenantStatus {
            tenant: self.id.clone(),
            sequence: directory.sequence,
            lag_events: self.directory.lag(),
            users: directory.users,
            active_users: directory.active_users,
            groups: directory.groups,
            accounts: directory.accounts,
            held: reconciler.as_ref().map_or(0, |status| status.held as u64),
            dirty: directory.dirty,
            queued: queued as u64,
            waiting: accounts.waiting as u64,
            rules: self.directory.rules_version(),
            fluent: reconciler.map(|status| fluent(&status)).unwrap_or_default(),
            warnings: Vec::new(),
        }
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
