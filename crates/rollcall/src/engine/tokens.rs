//! The token file of a running instance: read at the start, again when it changes, and a word ahead of the end of a
//! credential.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rollcall_domain::Timestamp;
use rollcall_ingest::{Clock as _, CredentialReport, CredentialState, Credentials, SystemClock};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::warned::Warned;
use super::{Core, pause};
use crate::admin::api::CredentialStatus;
use crate::tokens::{TokenStore, TokenStoreError};

/// Time between two looks at the file: a revoked token is refused within two seconds.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What a look at the file saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// What is in force, or nothing where nothing was.
    Unchanged,
    /// Something new, which is in force now.
    Taken,
    /// No file where there was one.
    Gone,
}

/// What was last read, and what is wrong with it.
#[derive(Debug)]
struct Look {
    store: TokenStore,
    credentials: Credentials,
    /// The bytes that are in force.
    bytes: Option<Vec<u8>>,
    /// What has no effect in them.
    troubles: Vec<String>,
    warned: Warned,
}

/// Reads the file for the first time and watches it from then on.
///
/// # Errors
/// When the file is there and cannot be taken.
pub(super) fn watch(
    store: TokenStore,
    credentials: Credentials,
    core: &Arc<Core>,
    stop: &watch::Receiver<bool>,
) -> anyhow::Result<JoinHandle<()>> {
    let mut look = Look {
        store,
        credentials,
        bytes: None,
        troubles: Vec::new(),
        warned: Warned::default(),
    };
    look.again().context("reading the token file")?;
    look.tell(core, None);
    let (core, mut stop) = (Arc::clone(core), stop.clone());
    Ok(tokio::spawn(async move {
        while pause(&mut stop, LOOK_EVERY).await {
            let problem = match look.again() {
                Ok(Seen::Unchanged) => None,
                Ok(Seen::Taken) => {
                    tracing::info!(file = %look.store.path().display(), "the token file was read again");
                    None
                }
                Ok(Seen::Gone) => Some("it is gone".to_owned()),
                Err(error) => Some(error.to_string()),
            };
            look.tell(&core, problem);
        }
    }))
}

impl Look {
    /// Takes the file in when it has changed. It is small and local, and this runs every few seconds, so the thread may
    /// wait for it.
    fn again(&mut self) -> Result<Seen, TokenStoreError> {
        let bytes = self.store.bytes()?;
        if bytes == self.bytes {
            return Ok(Seen::Unchanged);
        }
        let Some(bytes) = bytes else { return Ok(Seen::Gone) };
        let file = self.store.parse(&bytes)?;
        let troubles = self.credentials.replace_stored(file.tokens());
        self.troubles = troubles.iter().map(ToString::to_string).collect();
        self.bytes = Some(bytes);
        Ok(Seen::Taken)
    }

    /// Lets operators know how the file is. A broken copy, or one that is away for a moment, must not lock every IdP
    /// out: what was read last stays in force.
    fn tell(&mut self, core: &Core, problem: Option<String>) {
        let mut troubles = self.troubles.clone();
        troubles.extend(problem.map(|problem| {
            let path = self.store.path().display();
            format!("the token file {path} is not taken, what was read last stays in force: {problem}")
        }));
        *core.token_troubles.write() = troubles;
        let now = SystemClock.now();
        self.warned.tell(core.credential_warnings(now), now);
    }
}

impl Core {
    /// Everything about credentials that an operator should look at.
    pub(super) fn credential_warnings(&self, now: Timestamp) -> Vec<String> {
        let mut warnings = self.token_troubles.read().clone();
        let Some(door) = self.door.get() else {
            return warnings;
        };
        let credentials = door.credentials();
        let reports = credentials.report(now);
        warnings.extend(reports.iter().filter_map(warning));
        let closed = credentials.closed(&reports);
        warnings.extend(closed.iter().map(|connection| {
            format!("nothing opens connection {connection}: make a token with `rollcall token new`")
        }));
        warnings
    }

    /// Every credential, for operators.
    pub(super) fn credential_status(&self, now: Timestamp) -> Vec<CredentialStatus> {
        let Some(door) = self.door.get() else {
            return Vec::new();
        };
        let reports = door.credentials().report(now);
        reports.into_iter().map(CredentialStatus::from).collect()
    }
}

fn warning(report: &CredentialReport) -> Option<String> {
    let expires = report.expires?;
    let name = match report.name.as_str() {
        "" => "the configured token".to_owned(),
        name => format!(
            "{} {name}",
            if report.id.is_some() {
                "token"
            } else {
                "credential"
            }
        ),
    };
    let whose = format!("{name} of {}/{}", report.tenant, report.connection);
    match report.state {
        CredentialState::ExpiresSoon => Some(format!("{whose} expires at {expires}")),
        CredentialState::Expired => Some(format!("{whose} expired at {expires}")),
        CredentialState::Valid | CredentialState::Revoked => None,
    }
}
