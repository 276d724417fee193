//! The login breaker: at most one bad login per credential, remembered over restarts.
//!
//! Five bad logins lock the API user out for 15 minutes, and a process that restarts in a loop would get
//! there within seconds. So a refusal is written down with a hash of the credential: the same credential is
//! not tried again for 20 minutes, another one at once.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rollcall_domain::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::FluentConfig;

/// How long a refused credential rests: longer than the lock-out (15 minutes), so that a try always stands
/// alone.
pub const BAD_LOGIN_PAUSE: Duration = Duration::from_secs(20 * 60);

/// Bytes of the file at most; ours has some 150.
const FILE_LIMIT: u64 = 4 * 1024;

/// What stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Refusal {
    version: u32,
    /// SHA-256 over all parts of the credential, hexadecimal.
    credential: String,
    /// Milliseconds since 1970.
    refused_at: i64,
}

/// Remembers whether this credential was refused.
#[derive(Debug)]
pub(crate) struct LoginBreaker {
    file: Option<PathBuf>,
    credential: String,
    refused_at: Option<Timestamp>,
}

impl LoginBreaker {
    /// Reads what is remembered of this credential. A file that is missing or damaged remembers nothing; the
    /// next refusal replaces it.
    pub(crate) fn open(config: &FluentConfig) -> Self {
        let credential = fingerprint(config);
        let remembered = config.breaker_file.as_deref().and_then(read);
        let refused_at = remembered
            .filter(|refusal| refusal.credential == credential)
            .map(|refusal| Timestamp::from_millis(refusal.refused_at));
        Self {
            file: config.breaker_file.clone(),
            credential,
            refused_at,
        }
    }

    /// When the next login is allowed; `None` when it is allowed now.
    pub(crate) fn blocked_until(&mut self, now: Timestamp) -> Option<Timestamp> {
        let refused_at = self.refused_at?;
        // A refusal in the future means that the clock went back: it counts from now on.
        let from = refused_at.min(now);
        self.refused_at = Some(from);
        let until = from.plus_millis(millis(BAD_LOGIN_PAUSE));
        (now < until).then_some(until)
    }

    /// Notes a refusal, on disk too; until when it holds. When the disk fails it still holds in memory.
    pub(crate) fn refused(&mut self, now: Timestamp) -> Timestamp {
        self.refused_at = Some(now);
        let refusal = Refusal {
            version: 1,
            credential: self.credential.clone(),
            refused_at: now.as_millis(),
        };
        if let Some(file) = &self.file
            && let Err(error) = write(file, &refusal)
        {
            tracing::warn!(file = %file.display(), %error, "a refused login could not be written down");
        }
        now.plus_millis(millis(BAD_LOGIN_PAUSE))
    }

    /// Forgets the refusal after a login that worked.
    pub(crate) fn accepted(&mut self) {
        if self.refused_at.take().is_some()
            && let Some(file) = &self.file
        {
            // A file that stays only costs one pause after a restart.
            let _removed = std::fs::remove_file(file);
        }
    }
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A hash of everything a login depends on. Holding the client's secret, which Fluent makes long and random,
/// it tells nothing of the password.
fn fingerprint(config: &FluentConfig) -> String {
    let mut hash = Sha256::new();
    let parts = [
        config.url.as_str(),
        &config.account,
        &config.username,
        config.password.expose_secret(),
        &config.client_id,
        config.client_secret.expose_secret(),
    ];
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize()
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a String does not fail.
            let _written = write!(hex, "{byte:02x}");
            hex
        })
}

fn read(file: &Path) -> Option<Refusal> {
    if std::fs::metadata(file).ok()?.len() > FILE_LIMIT {
        return None;
    }
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

/// Replaces the file in one step, so that a crash leaves the old or the new one. The folder is made where it is not
/// there: a check may be the first thing that is ever done with a configuration.
fn write(file: &Path, refusal: &Refusal) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    let temporary = file.with_extension("tmp");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = options.open(&temporary)?;
    out.write_all(&serde_json::to_vec(refusal)?)?;
    out.sync_all()?;
    std::fs::rename(&temporary, file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::FluentCredentials;

    fn config(password: &str, file: &Path) -> FluentConfig {
        let credentials = FluentCredentials {
            username: "api".into(),
            password: password.to_owned().into(),
            client_id: "c".into(),
            client_secret: "client-secret".to_owned().into(),
        };
        let mut config = FluentConfig::new("https://a.example.com", "A", credentials);
        config.breaker_file = Some(file.to_owned());
        config
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_refusal_outlives_the_process_but_not_the_secret() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("data").join("login.json");
        let mut first = LoginBreaker::open(&config("old", &file));
        assert_eq!(first.blocked_until(at(0)), None);
        first.refused(at(0));
        let mut second = LoginBreaker::open(&config("old", &file));
        assert_eq!(second.blocked_until(at(1_199)), Some(at(1_200)));
        assert_eq!(second.blocked_until(at(1_200)), None);
        assert_eq!(
            LoginBreaker::open(&config("new", &file)).blocked_until(at(1)),
            None
        );
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("old") && !text.contains("client-secret"), "{text}");
    }

    #[test]
    fn a_login_that_worked_forgets_the_refusal() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("login.json");
        let mut breaker = LoginBreaker::open(&config("x", &file));
        breaker.refused(at(0));
        breaker.accepted();
        assert_eq!(breaker.blocked_until(at(1)), None);
        assert!(!file.exists());
    }

    #[test]
    fn a_clock_that_went_back_does_not_block_for_longer() {
        let dir = tempfile::tempdir().unwrap();
        let mut breaker = LoginBreaker::open(&config("x", &dir.path().join("login.json")));
        breaker.refused(at(1_000_000));
        assert_eq!(breaker.blocked_until(at(0)), Some(at(1_200)));
        assert_eq!(breaker.blocked_until(at(1_200)), None);
    }

    #[test]
    fn a_damaged_or_huge_file_remembers_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("login.json");
        for content in [b"{".to_vec(), vec![b' '; 10_000], Vec::new()] {
            std::fs::write(&file, content).unwrap();
            assert_eq!(LoginBreaker::open(&config("x", &file)).blocked_until(at(1)), None);
        }
    }
}
