//! Looking for drift: all Fluent users page by page, against what is desired and ours.

use std::sync::Arc;
use std::time::Duration;

use rollcall_domain::outcome::OutcomeDrift;
use rollcall_domain::{
    AccountKey, DesiredStatus, DesiredUser, EventData, ForeignGrants, Gains, Grant, ObservedUser, Profile,
    open,
};
use rollcall_fluent::FluentError;
use rustc_hash::FxHashSet;

use crate::ledger::{LastStatus, LedgerEntry, fingerprint, print_of_holds};
use crate::metrics::Metrics;
use crate::plan::{Facts, Plan, Treatment, plan};
use crate::queue::Lane;
use crate::record::RecordError;
use crate::shared::Shared;

/// Accounts asked of the source at one time.
const ACCOUNTS_PER_PAGE: usize = 500;
/// Accounts compared before other tasks get their turn: some milliseconds.
const YIELD_EVERY: usize = 64;
/// Pause before a failed resync begins again; the pace adds its own when Fluent is away.
const RETRY: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
enum ResyncError {
    #[error(transparent)]
    Fluent(#[from] FluentError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("stopped")]
    Stopped,
}

/// At the start and on a timer, until the reconciler is to stop. One member of a crew sweeps at a time, for all of
/// them: who waited meanwhile finds that it was swept for.
pub(crate) async fn run(shared: Arc<Shared>) {
    urgent_first(&shared).await;
    loop {
        let before = *shared.resynced.borrow();
        let pause = match in_turn(&shared, before).await {
            Ok(()) => shared.config.resync_every,
            Err(ResyncError::Stopped) => return,
            Err(error) => {
                tracing::warn!(tenant = %shared.config.tenant, %error, "the resync begins again later");
                RETRY
            }
        };
        if !until_next(&shared, pause).await {
            return;
        }
    }
}

/// Sweeps, unless somebody else did since `before`.
async fn in_turn(shared: &Shared, before: u64) -> Result<(), ResyncError> {
    wait_for_own_user(shared).await?;
    let _turn = tokio::select! {
        turn = shared.crew.turn() => turn,
        () = shared.stopped() => return Err(ResyncError::Stopped),
    };
    if *shared.resynced.borrow() > before {
        return Ok(());
    }
    // Who joins from now on is swept for next time: it does not know yet what it missed.
    let members = shared.crew.members();
    sweep(shared, &members).await?;
    Metrics::count(&shared.metrics.resyncs);
    *shared.metrics.resynced.lock() = Some(shared.now());
    for member in &members {
        member
            .resynced
            .send_modify(|count| *count = count.saturating_add(1));
    }
    Ok(())
}

/// Waits for the next sweep; one that another member makes begins the wait anew. False when the reconciler is to stop.
async fn until_next(shared: &Shared, pause: Duration) -> bool {
    let mut resynced = shared.resynced.subscribe();
    loop {
        tokio::select! {
            slept = shared.sleep(pause) => return slept,
            () = shared.resync_wanted.notified() => return true,
            // An error is impossible: the sender is in `shared`.
            _ = resynced.changed() => {}
        }
    }
}

/// What must not wait for the pages: accounts with open intents, leavers that we left ACTIVE, and accounts that
/// hold what they should have lost. Their wakes died with the process that was told.
async fn urgent_first(shared: &Shared) {
    let open: Vec<AccountKey> = shared
        .recorder
        .with_ledger(|ledger| ledger.unsettled().map(|(account, _)| account).collect());
    for account in open {
        let leaver = shared
            .source
            .desired(account)
            .ok()
            .flatten()
            .is_some_and(|desired| desired.is_leaver());
        shared.push(account, if leaver { Lane::Leaver } else { Lane::Rest }, None);
    }
    let mut after = None;
    loop {
        let page = shared.source.accounts_page(after, ACCOUNTS_PER_PAGE);
        let Some(last) = page.last() else { return };
        after = Some(*last);
        for account in page {
            if let Some(lane) = lane_of_loss(shared, account) {
                shared.push(account, lane, None);
            }
        }
        tokio::task::yield_now().await;
    }
}

/// The lane of an account that is to lose something that we left there; none when it loses nothing.
fn lane_of_loss(shared: &Shared, account: AccountKey) -> Option<Lane> {
    let status = shared.recorder.with_ledger(|ledger| ledger.status(account))?;
    let desired = shared.source.desired(account).ok().flatten()?;
    if desired.is_leaver() {
        return (status != LastStatus::Inactive).then_some(Lane::Leaver);
    }
    let owned = shared.recorder.entry(account).owned;
    let stays = |grant: &Grant| {
        desired.grants.iter().any(|wanted| wanted.grant == *grant) || desired.retained.contains(grant)
    };
    (!owned.iter().all(stays)).then_some(Lane::Removal)
}

/// Reads all Fluent users, and compares each with what the member that looks after it wants.
async fn sweep(leader: &Shared, members: &[Arc<Shared>]) -> Result<(), ResyncError> {
    let mut seen: FxHashSet<AccountKey> = FxHashSet::default();
    let mut pager = leader.gate.users();
    while let Some(users) = leader.gate.users_page(&mut pager).await? {
        for (index, user) in users.iter().enumerate() {
            let account = leader.source.key().name_key(&user.username);
            let Some(shared) = keeper(members, account) else {
                continue;
            };
            // Two names that differ in case only are one account; which of them is ours the ledger knows.
            let known = shared
                .recorder
                .with_ledger(|ledger| ledger.entry(account).fluent_user);
            if known.is_some_and(|known| known != user.id) || !seen.insert(account) {
                continue;
            }
            if shared.recorder.unreadable(account).is_some() {
                continue; // what is ours is not known, so nothing is drift
            }
            if !shared.is_stopping() {
                compare(shared, account, user).await?;
            }
            if index % YIELD_EVERY == 0 {
                breathe(leader).await?;
            }
        }
    }
    missing(leader, members, &seen).await
}

/// The member that looks after an account.
fn keeper(members: &[Arc<Shared>], account: AccountKey) -> Option<&Shared> {
    let scope = members.first()?.share.scope_of(account);
    let keeper = members.iter().find(|member| member.share.scope() == scope);
    keeper.map(Arc::as_ref)
}

async fn wait_for_own_user(shared: &Shared) -> Result<(), ResyncError> {
    let mut known = shared.own_user.subscribe();
    tokio::select! {
        known = known.wait_for(Option::is_some) => known.map(|_| ()).map_err(|_| ResyncError::Stopped),
        () = shared.stopped() => Err(ResyncError::Stopped),
    }
}

async fn breathe(shared: &Shared) -> Result<(), ResyncError> {
    tokio::task::yield_now().await;
    if shared.is_stopping() {
        Err(ResyncError::Stopped)
    } else {
        Ok(())
    }
}

/// Compares one Fluent user; what drifted is put on record and queued.
async fn compare(shared: &Shared, account: AccountKey, user: &ObservedUser) -> Result<(), ResyncError> {
    let Ok(Some(desired)) = shared.source.desired(account) else {
        return Ok(());
    };
    let entry = shared.recorder.entry(account);
    let profile: Option<Profile> = desired.profile.as_ref().and_then(|sealed| open(sealed).ok());
    let own_user = shared.own_user.borrow().clone();
    let policy = shared.source.policy();
    let plan = plan(&Facts {
        desired: &desired,
        profile: profile.as_ref(),
        observed: Some(user),
        ledger: &entry,
        policy: &policy,
        own_user: own_user.as_ref(),
    });
    let idle = shared.queue.lock().is_idle(account);
    if idle && entry.open.is_empty() {
        report(shared, &desired, &entry, user, &plan, policy.foreign_grants).await?;
    }
    if entry.fluent_user.is_none() && plan.treatment == Treatment::Managed {
        shared.found.lock().insert(account, user.id.clone());
    }
    if !plan.is_empty() || !plan.adopt.is_empty() || needs_a_note(&plan, &entry) {
        let lane = if desired.is_leaver() {
            Lane::Leaver
        } else if plan.removes().is_empty() {
            Lane::Resync
        } else {
            Lane::Removal
        };
        shared.push(account, lane, None);
    }
    Ok(())
}

/// An adopted user without steps is recorded by a visit, and so are holds that are new.
fn needs_a_note(plan: &Plan, entry: &LedgerEntry) -> bool {
    print_of_holds(&plan.holds) != entry.held
        || (plan.treatment == Treatment::Managed && entry.fluent_user.is_none())
}

async fn report(
    shared: &Shared,
    desired: &DesiredUser,
    entry: &LedgerEntry,
    user: &ObservedUser,
    plan: &Plan,
    foreign: ForeignGrants,
) -> Result<(), ResyncError> {
    if plan.treatment == Treatment::Untouched || entry.fluent_user.as_ref() != Some(&user.id) {
        return Ok(());
    }
    let status = LastStatus::from(&user.status);
    let drift = OutcomeDrift {
        account: desired.account,
        serves: desired.sequence,
        missing: entry.owned.difference(&user.grants).cloned().collect(),
        foreign: match foreign {
            ForeignGrants::Keep => Vec::new(),
            ForeignGrants::Report => plan.foreign.iter().cloned().collect(),
            ForeignGrants::Remove => plan.removes().difference(&entry.owned).cloned().collect(),
        },
        status: entry
            .status
            .is_some_and(|known| known != status)
            .then(|| user.status.clone()),
    };
    let nothing = drift.missing.is_empty() && drift.foreign.is_empty() && drift.status.is_none();
    if nothing || fingerprint(&(&drift.missing, &drift.foreign, &drift.status)) == entry.drift {
        return Ok(());
    }
    Metrics::count(&shared.metrics.drifted);
    let id = shared.recorder.new_id()?;
    shared
        .recorder
        .outcomes(desired.account, vec![(id, EventData::OutcomeDrift(drift))])
        .await?;
    Ok(())
}

/// Desired accounts of the members that Fluent does not have.
async fn missing(
    leader: &Shared,
    members: &[Arc<Shared>],
    seen: &FxHashSet<AccountKey>,
) -> Result<(), ResyncError> {
    let mut after = None;
    loop {
        let page = leader.source.accounts_page(after, ACCOUNTS_PER_PAGE);
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(*last);
        for account in page.into_iter().filter(|account| !seen.contains(account)) {
            let Some(shared) = keeper(members, account) else {
                continue;
            };
            let Ok(Some(desired)) = shared.source.desired(account) else {
                continue;
            };
            let wanted = desired.status == DesiredStatus::Active && desired.gains == Gains::Allowed;
            if wanted || shared.recorder.entry(account).held != print_of_holds(&desired.holds) {
                shared.push(account, Lane::Resync, None);
            }
        }
        breathe(leader).await?;
    }
}
