//! One broker for many tests.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::cluster::{Cluster, Settings};
use crate::error::Error;
use crate::machine::setting;

/// The variable that names a broker which tests may use as they like, by its `bootstrap.servers`. `cargo xtask test`
/// starts one and sets it.
pub const GIVEN_BROKERS: &str = "ROLLCALL_TEST_KAFKA";

/// The broker that tests share: the one that [`GIVEN_BROKERS`] names, or one that the first call in this process
/// starts and that ends with the process. Tests do not disturb it, and keep to topics under a [`unique_prefix`].
///
/// # Errors
/// Those of the first call, for every call.
pub fn shared() -> Result<&'static str, &'static Error> {
    static SHARED: OnceLock<Result<(String, Option<Cluster>), Error>> = OnceLock::new();
    let started = SHARED.get_or_init(|| {
        if let Some(given) = setting(GIVEN_BROKERS) {
            return Ok((given, None));
        }
        let cluster = Cluster::start(&Settings::default())?;
        Ok((cluster.bootstrap(), Some(cluster)))
    });
    started.as_ref().map(|(bootstrap, _)| bootstrap.as_str())
}

/// A prefix for topics and groups that nobody else uses, in this process or another.
#[must_use]
pub fn unique_prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let any = RandomState::new().build_hasher().finish();
    format!("test-{}-{number}-{any:016x}.", std::process::id())
}
