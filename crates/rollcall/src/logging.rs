//! Log lines: to the error output, as text or JSON, filtered by level and module.

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, Logging};

/// The variable that overrides `logging.level`.
pub const FILTER_VARIABLE: &str = "ROLLCALL_LOG";

/// What is wrong with a filter; `None` when it is good.
#[must_use]
pub fn filter_problem(filter: &str) -> Option<String> {
    EnvFilter::try_new(filter)
        .err()
        .map(|error| format!("{filter:?} is no filter: {error}"))
}

/// Begins to write log lines. A second call changes nothing, so that tests may call it.
///
/// # Errors
/// The filter of [`FILTER_VARIABLE`] when it is none; that of the configuration was checked before.
pub fn start(logging: &Logging) -> Result<(), String> {
    let overridden = crate::environment(FILTER_VARIABLE);
    let filter = overridden.as_deref().unwrap_or(&logging.filter);
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("{FILTER_VARIABLE}: {filter:?} is no filter: {error}"))?;
    let lines = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(filter);
    let started = match logging.format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .try_init(),
    };
    drop(started); // an error says only that it was started before
    Ok(())
}
