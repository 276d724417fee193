//! Waiting for a condition outside this process.

use std::time::{Duration, Instant};

use crate::error::Error;

/// Between two looks: far below what a start takes.
const GLANCE: Duration = Duration::from_millis(25);

/// Looks until there is something, or an error, or the time is over.
pub(crate) fn until<T>(
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> Result<Option<T>, Error>,
) -> Result<T, Error> {
    let began = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if began.elapsed() > within {
            return Err(Error::TooLate {
                what: what.to_owned(),
                within,
            });
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "another process cannot wake us: its condition is looked at again"
        )]
        std::thread::sleep(GLANCE);
    }
}
