//! Commands that check or ask.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use rollcall_domain::{Decision, TenantId};
use rollcall_ingest::{Clock as _, SCIM_ROOT, SystemClock};

use super::{print_json_line, print_recorded};
use crate::admin::AdminClient;
use crate::admin::api::{DecideAsk, ExplainAsk, HoldName, HoldsAsk, ReplayAsk, ReplayLine, Until};
use crate::config::{Config, Dialect, read_rules};
use crate::engine;
use crate::exit::Failure;
use crate::output::{self, Checked, Format, line};

pub(super) fn check(
    config: &Config,
    offline: bool,
    format: Format,
    runtime: &tokio::runtime::Runtime,
) -> Result<(), Failure> {
    let tenants = config.tenants.len();
    let mut checks = vec![Checked::good(
        "configuration",
        format!(
            "{}: {tenants} {}",
            config.file.display(),
            if tenants == 1 { "tenant" } else { "tenants" }
        ),
    )];
    for tenant in &config.tenants {
        for connection in &tenant.connections {
            let dialect = match connection.dialect {
                Dialect::Tolerant => "tolerant",
                Dialect::Strict => "strict",
            };
            // What an admin types into the identity provider.
            let found = format!("{}{SCIM_ROOT}, {dialect}", config.server.public_url);
            checks.push(Checked::good(
                format!("connection {}/{}", tenant.id, connection.name),
                found,
            ));
        }
        let Some(rules) = &tenant.rules else { continue };
        let what = format!("rules of {}", tenant.id);
        checks.push(match read_rules(&rules.file) {
            Ok(read) => Checked::good(
                what,
                format!(
                    "rules: {}, groups: {}",
                    read.rules.rules.len(),
                    read.rules.groups.len()
                ),
            ),
            Err(error) => Checked::failed(what, format!("{:#}", anyhow::Error::new(error))),
        });
    }
    let now = SystemClock.now();
    let warnings = config.warnings(now).into_iter();
    checks.extend(warnings.map(|warning| Checked::warning(warning.what, warning.found)));
    checks.extend(super::token::check(config, now));
    if !offline {
        checks.extend(runtime.block_on(engine::check_brokers(config)));
        checks.extend(runtime.block_on(engine::check_connectivity(config)));
    }
    format.print(&checks, || output::checks(&checks));
    let failed = checks.iter().filter(|check| !check.good).count();
    if failed == 0 {
        return Ok(());
    }
    Err(Failure::Differs(format!(
        "{failed} of {} checks failed",
        checks.len()
    )))
}

pub(super) async fn status(client: AdminClient, format: Format) -> Result<(), Failure> {
    let status = client.status().await?;
    format.print(&status, || output::status(&status));
    Ok(())
}

pub(super) async fn explain(
    client: AdminClient,
    user: String,
    role: Option<String>,
    tenant: Option<TenantId>,
    format: Format,
) -> Result<(), Failure> {
    let explanation = client.explain(&ExplainAsk { tenant, user }).await?;
    format.print(&explanation, || {
        output::explanation(&explanation, role.as_deref())
    });
    Ok(())
}

/// Pages are asked for one by one; for people they make one table, for programs one document a page.
pub(super) async fn holds(
    client: AdminClient,
    tenant: Option<TenantId>,
    format: Format,
) -> Result<(), Failure> {
    let mut ask = HoldsAsk {
        tenant,
        ..HoldsAsk::default()
    };
    let (mut decisions, mut accounts) = (Vec::new(), Vec::new());
    loop {
        let page = client.holds(&ask).await?;
        let next = page.next;
        if format == Format::Json {
            print_json_line(&page);
        } else {
            decisions = page.decisions;
            accounts.extend(page.accounts);
        }
        // A page that does not go on would be asked for forever.
        if next.is_none() || next == ask.after {
            break;
        }
        ask.after = next;
    }
    if format == Format::Human {
        line(output::holds(&decisions, &accounts).trim_end());
    }
    Ok(())
}

pub(super) async fn decide(
    client: AdminClient,
    hold: HoldName,
    reject: bool,
    reason: Option<String>,
    tenant: Option<TenantId>,
    format: Format,
) -> Result<(), Failure> {
    let (decision, word) = if reject {
        (Decision::Reject, "rejected")
    } else {
        (Decision::Approve, "approved")
    };
    let what = format!("{hold} {word}");
    let recorded = client
        .decide(&DecideAsk {
            tenant,
            hold: hold.0,
            decision,
            reason,
        })
        .await?;
    print_recorded(&recorded, format, &what);
    Ok(())
}

pub(super) async fn replay(
    client: AdminClient,
    until: Until,
    tenant: Option<TenantId>,
    format: Format,
) -> Result<(), Failure> {
    let mut lines = client.replay(&ReplayAsk { tenant, until }).await?;
    let bar = progress_bar();
    while let Some(line) = lines.next().await? {
        match line {
            ReplayLine::Progress { events, of } => {
                bar.set_length(of);
                bar.set_position(events);
            }
            ReplayLine::User(user) => {
                bar.finish_and_clear();
                match format {
                    Format::Human => output::line(&output::replayed(&user)),
                    Format::Json => print_json_line(&ReplayLine::User(user)),
                }
            }
            ReplayLine::End { sequence, users } => {
                bar.finish_and_clear();
                match format {
                    Format::Human => output::line(&format!("\n{users} users as of sequence {sequence}")),
                    Format::Json => print_json_line(&ReplayLine::End { sequence, users }),
                }
                return Ok(());
            }
            ReplayLine::Failed { message } => return Err(Failure::Other(anyhow::anyhow!(message))),
        }
    }
    Err(Failure::Other(anyhow::anyhow!(
        "the instance broke the replay off: what was printed is not all"
    )))
}

/// To the error output, and only where a person looks at it.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) =
        ProgressStyle::with_template("{wide_bar} {human_pos} of {human_len} events, {eta} left")
    {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
