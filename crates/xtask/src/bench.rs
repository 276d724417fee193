//! `cargo xtask bench`: the benchmarks are examples of the crates they measure; each prints its own table.

use anyhow::Result;

use crate::stage::{Verdict, passed, run as stage, summary};
use crate::tools::{cargo, root, succeeds};

/// Name of the benchmark, folder of its crate, package.
const BENCHMARKS: [(&str, &str, &str); 10] = [
    ("log_bench", "crates/eventlog", "rollcall-eventlog"),
    ("kafka_bench", "crates/eventlog", "rollcall-eventlog"),
    ("fold_bench", "crates/projector", "rollcall-projector"),
    ("memory_bench", "crates/projector", "rollcall-projector"),
    ("restart_bench", "crates/projector", "rollcall-projector"),
    ("ingest_bench", "crates/ingest", "rollcall-ingest"),
    ("scim_bench", "crates/ingest", "rollcall-ingest"),
    ("plan_bench", "crates/reconciler", "rollcall-reconciler"),
    ("engine_bench", "crates/rollcall", "rollcall"),
    ("process_bench", "crates/rollcall", "rollcall"),
];

/// Runs those whose name holds `filter`, with these arguments; true when none failed.
pub(crate) fn run(filter: &str, arguments: &[String]) -> Result<bool> {
    let mut stages = Vec::new();
    for (name, folder, package) in BENCHMARKS {
        if !name.contains(filter) {
            continue;
        }
        let examples = root().join(folder).join("examples");
        let sources = [format!("{name}.rs"), format!("{name}/main.rs")];
        stages.push(stage(name, || {
            if !sources.iter().any(|source| examples.join(source).exists()) {
                return Ok(Verdict::NotRun("no such example in this crate".to_owned()));
            }
            let mut run = cargo(&[
                "run",
                "--release",
                "--locked",
                "--package",
                package,
                "--example",
                name,
                "--",
            ]);
            run.args(arguments);
            Ok(passed(succeeds(run)?))
        }));
    }
    anyhow::ensure!(!stages.is_empty(), "no benchmark's name holds {filter:?}");
    Ok(summary(&stages))
}
