//! Whether a tenant's key is the one that its log was written with. Over Kafka every process has a key file of its own,
//! and a wrong one would make every known user a new one.

use anyhow::ensure;
use rollcall_domain::AccountKey;
use rollcall_projector::TenantHandle;

/// Accounts looked at for one whose name is known: deleted users have none.
const LOOK_MAX: usize = 10_000;
/// Accounts asked for at one time.
const PAGE: usize = 500;

/// Compares the key with an account of the directory, once that has caught up.
///
/// # Errors
/// When it does not fit, with what to do.
pub(super) fn fit(directory: &TenantHandle) -> anyhow::Result<()> {
    let Some((account, name)) = named_account(directory) else {
        return Ok(()); // nobody is there yet, or nobody is left
    };
    ensure!(
        directory.account_named(&name) == account,
        "the key of tenant {} in keys.json is not the one that its log was written with: copy keys.json from a \
         process that runs, or restore it from a backup",
        directory.id()
    );
    Ok(())
}

/// An account and the userName behind it.
fn named_account(directory: &TenantHandle) -> Option<(AccountKey, String)> {
    let mut after = None;
    for _ in 0..LOOK_MAX / PAGE {
        let page = directory.accounts_page(after, PAGE);
        after = Some(*page.last()?);
        let named = page
            .into_iter()
            .find_map(|account| Some((account, directory.user_name(account)?)));
        if named.is_some() {
            return named;
        }
    }
    None
}
