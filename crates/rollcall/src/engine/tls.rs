//! The certificate of a running instance: read at the start, and again when its files change.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rollcall_domain::Timestamp;
use rollcall_ingest::{Clock as _, CredentialState, SystemClock, Tls};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::warned::Warned;
use super::{Core, pause};
use crate::config::TlsFiles;

/// Time between two looks at the files.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Reads the files and watches them from then on.
///
/// # Errors
/// When they cannot be presented.
pub(super) fn watch(
    files: &TlsFiles,
    core: &Arc<Core>,
    stop: &watch::Receiver<bool>,
) -> anyhow::Result<(Tls, JoinHandle<()>)> {
    let mut last = files.read().context("reading server.tls_cert")?;
    let tls = Tls::from_pem(&last.0, &last.1).context("reading server.tls_cert")?;
    let mut warned = Warned::default();
    core.note_certificate(tls.ends(), None, &mut warned);
    let (files, core, mut stop) = (files.clone(), Arc::clone(core), stop.clone());
    let presented = tls.clone();
    let watching = tokio::spawn(async move {
        while pause(&mut stop, LOOK_EVERY).await {
            let problem = match files.read() {
                Ok(now) if now == last => None,
                // The two files are not exchanged in one moment: a mixture is looked at again.
                Ok(now) => match presented.replace(&now.0, &now.1) {
                    Ok(()) => {
                        last = now;
                        tracing::info!(ends = ?presented.ends(), "another certificate is presented from now on");
                        None
                    }
                    Err(error) => Some(error.to_string()),
                },
                Err(error) => Some(error.to_string()),
            };
            core.note_certificate(presented.ends(), problem, &mut warned);
        }
    });
    Ok((tls, watching))
}

/// The certificate in use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Certificate {
    /// When it ends.
    pub(super) ends: Option<Timestamp>,
    /// Why the files are not taken.
    problem: Option<String>,
}

impl Core {
    /// Keeps it for operators, and warns in the log, whatever the role of this process.
    fn note_certificate(&self, ends: Option<Timestamp>, problem: Option<String>, warned: &mut Warned) {
        *self.certificate.write() = Certificate { ends, problem };
        let now = SystemClock.now();
        warned.tell(self.certificate_warnings(now), now);
    }

    /// What an operator should know of the certificate.
    pub(super) fn certificate_warnings(&self, now: Timestamp) -> Vec<String> {
        let certificate = self.certificate.read().clone();
        let end = certificate.ends.map(|end| end.to_string()).unwrap_or_default();
        let end = match CredentialState::of(certificate.ends, now) {
            CredentialState::ExpiresSoon => Some(format!("the server's certificate expires at {end}")),
            CredentialState::Expired => Some(format!("the server's certificate expired at {end}")),
            CredentialState::Valid | CredentialState::Revoked => None,
        };
        let problem = certificate.problem.map(|problem| {
            format!("server.tls_cert and tls_key are not taken, what was read last stays in use: {problem}")
        });
        end.into_iter().chain(problem).collect()
    }
}
