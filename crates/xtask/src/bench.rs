//! `cargo xtask bench`: the benchmarks are examples of the crates they measure; each prints its own table.

use anyhow::Result;

use crate::stage::{Verdict, passed, run as stage, summary};
use crate::tools::{cargo, root, succeeds};

/// Name of the benchmark, folder of its crate, package.
const BENCHMARKS: [(&str, &str, &str); 6] = [
    ("log_bench", "crates/eventlog", "rollcall-eventlog"),
    ("fold_bench", "crates/projector", "rollcall-projector"),
    ("memory_bench", "crates/projector", "rollcall-projector"),
    ("ingest_bench", "crates/ingest", "rollcall-ingest"),
    ("plan_bench", "crates/reconciler", "rollcall-reconciler"),
    ("engine_bench", "crates/rollcall", "rollcall"),
];

/// Runs those whose name holds `filter`; true when none failed.
pub(crate) fn run(filter: &str) -> Result<bool> {
    let mut stages = Vec::new();
    for (name, folder, package) in BENCHMARKS {
        if !name.contains(filter) {
            continue;
        }
        let source = root().join(folder).join("examples").join(format!("{name}.rs"));
        stages.push(stage(name, || {
            if !source.exists() {
                return Ok(Verdict::NotRun("no such example in this crate".to_owned()));
            }
            let run = cargo(&[
                "run",
                "--release",
                "--locked",
                "--package",
                package,
                "--example",
                name,
            ]);
            Ok(passed(succeeds(run)?))
        }));
    }
    anyhow::ensure!(!stages.is_empty(), "no benchmark's name holds {filter:?}");
    Ok(summary(&stages))
}
