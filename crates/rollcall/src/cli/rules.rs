//! `rollcall rules`.

use std::path::{Path, PathBuf};

use rollcall_domain::TenantId;

use super::print_recorded;
use crate::admin::AdminClient;
use crate::admin::api::{ActivateAsk, RulesAsk};
use crate::config::{ReadRules, read_rules};
use crate::exit::Failure;
use crate::output::{Format, line};

fn read(file: &Path) -> Result<ReadRules, Failure> {
    read_rules(file).map_err(|error| Failure::Other(anyhow::Error::new(error)))
}

pub(super) fn check(file: &Path, format: Format) -> Result<(), Failure> {
    let read = read(file)?;
    let (rules, groups) = (read.rules.rules.len(), read.rules.groups.len());
    let result = serde_json::json!({"version": read.version, "rules": rules, "groups": groups});
    format.print(&result, || {
        format!("good; rules: {rules}, groups: {groups}, version {}", read.version)
    });
    Ok(())
}

pub(super) async fn show(
    client: AdminClient,
    tenant: Option<TenantId>,
    format: Format,
) -> Result<(), Failure> {
    let in_force = client.rules(&RulesAsk { tenant }).await?;
    if format == Format::Human {
        // What is printed is a rule file, so the version goes elsewhere.
        eprintln!(
            "version {}",
            in_force
                .version
                .as_deref()
                .unwrap_or("none: no rule set was ever activated")
        );
        line(&serde_json::to_string_pretty(&in_force.rules).unwrap_or_default());
        return Ok(());
    }
    format.print(&in_force, String::new);
    Ok(())
}

pub(super) async fn activate(
    client: AdminClient,
    file: PathBuf,
    tenant: Option<TenantId>,
    format: Format,
) -> Result<(), Failure> {
    let ReadRules { version, rules } = read(&file)?;
    let what = format!("rule set {version} activated");
    let recorded = client
        .activate_rules(&ActivateAsk {
            tenant,
            version,
            rules,
        })
        .await?;
    print_recorded(&recorded, format, &what);
    Ok(())
}
