//! A stage of the checks: its name, what came of it, how long it took.

use std::time::{Duration, Instant};

use anyhow::Result;

/// What came of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    Failed(String),
    /// Not run, and why: never silent.
    NotRun(String),
}

/// A stage that is over.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) took: Duration,
}

/// Runs a stage and times it.
pub(crate) fn run(name: &'static str, work: impl FnOnce() -> Result<Verdict>) -> Stage {
    println!("\n=== {name}");
    let start = Instant::now();
    let verdict = work().unwrap_or_else(|error| Verdict::Failed(format!("{error:#}")));
    Stage {
        name,
        verdict,
        took: start.elapsed(),
    }
}

/// A verdict from success or not.
pub(crate) fn passed(success: bool) -> Verdict {
    if success {
        Verdict::Passed
    } else {
        Verdict::Failed("see above".to_owned())
    }
}

/// The summary of all stages; true when none failed.
pub(crate) fn summary(stages: &[Stage]) -> bool {
    println!("\n=== summary");
    for stage in stages {
        let (word, why) = match &stage.verdict {
            Verdict::Passed => ("ok", String::new()),
            Verdict::Failed(why) => ("FAILED", format!("  {why}")),
            Verdict::NotRun(why) => ("NOT RUN", format!("  {why}")),
        };
        println!(
            "{:<14} {:>8.1} s  {word}{why}",
            stage.name,
            stage.took.as_secs_f64()
        );
    }
    !stages
        .iter()
        .any(|stage| matches!(stage.verdict, Verdict::Failed(_)))
}
