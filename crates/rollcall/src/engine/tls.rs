//! The certificate of a running instance: read at the start, and again when its files change.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rollcall_ingest::Tls;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Core;
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
    core.note_certificate(tls.ends(), None);
    let (files, core, mut stop) = (files.clone(), Arc::clone(core), stop.clone());
    let presented = tls.clone();
    let watching = tokio::spawn(async move {
        loop {
            tokio::select! {
                _stopped = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
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
            core.note_certificate(presented.ends(), problem);
        }
    });
    Ok((tls, watching))
}
