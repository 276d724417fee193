//! The client of a tenant's Fluent, and the check of it.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use rollcall_domain::Catalog;
use rollcall_fluent::{FluentClient, FluentConfig, FluentCredentials, SystemClock};

use super::rules_check::missing_in_fluent;
use crate::config::{Config, Tenant, read_rules};
use crate::output::Checked;

/// The client, with the memory of its last bad login in the data folder.
pub(super) fn client(folder: &Path, tenant: &Tenant) -> anyhow::Result<FluentClient> {
    let fluent = &tenant.fluent;
    let credentials = FluentCredentials {
        username: fluent.username.clone(),
        password: fluent.password.clone(),
        client_id: fluent.client_id.clone(),
        client_secret: fluent.client_secret.clone(),
    };
    let mut config = FluentConfig::new(&fluent.url, &fluent.account, credentials);
    config.request_timeout = fluent.request_timeout;
    config.breaker_file = Some(folder.join(format!("breaker-{}.json", tenant.id)));
    FluentClient::new(config, Arc::new(SystemClock))
        .with_context(|| format!("setting up the Fluent client of {}", tenant.id))
}

/// Tries what the configuration leads to: each tenant's Fluent is logged in to and read. At most one login is
/// made, so that a wrong password cannot lock the account.
pub async fn check_connectivity(config: &Config) -> Vec<Checked> {
    let mut checks = Vec::new();
    for tenant in &config.tenants {
        let what = format!("Fluent of {}", tenant.id);
        match reach(&config.log.path, tenant).await {
            Ok((found, catalog)) => {
                checks.push(Checked::good(what, found));
                checks.extend(rules_in_fluent(tenant, &catalog));
            }
            Err(error) => checks.push(Checked::failed(what, format!("{error:#}"))),
        }
    }
    checks
}

/// What the tenant's rules name against the catalog; none without rules, or when they are no rules, which is told
/// elsewhere.
fn rules_in_fluent(tenant: &Tenant, catalog: &Catalog) -> Option<Checked> {
    let read = read_rules(&tenant.rules.as_ref()?.file).ok()?;
    let what = format!("rules of {} in Fluent", tenant.id);
    Some(
        match missing_in_fluent(&read.rules, catalog, &tenant.fluent.account) {
            Some(missing) => Checked::warning(what, missing),
            None => Checked::good(what, "all roles and places are there"),
        },
    )
}

async fn reach(folder: &Path, tenant: &Tenant) -> anyhow::Result<(String, Catalog)> {
    let client = client(folder, tenant)?;
    let me = client.me().await.context("asking who we are")?;
    let schema = client.check_schema().await.context("reading the schema")?;
    anyhow::ensure!(
        schema.is_complete(),
        "this Fluent lacks operations that Rollcall needs: {:?}",
        schema.missing
    );
    let catalog = client.read_catalog().await.context("reading roles and places")?;
    let found = format!(
        "logged in as user {}; {} roles, {} retailers, {} locations",
        me.id,
        catalog.roles.len(),
        catalog.retailers.len(),
        catalog.locations.len()
    );
    Ok((found, catalog))
}
