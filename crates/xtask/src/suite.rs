//! `cargo xtask test`. Every stage runs even when an earlier one failed, so that one run shows all that is
//! wrong.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::deny;
use crate::kafka::TestBroker;
use crate::stage::{Stage, Verdict, passed, run as stage, summary};
use crate::suites;
use crate::tools::{cargo, succeeds};

/// Tests that ran, summed over the test binaries and the documentation tests.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
}

/// Runs all checks; true when nothing failed. The last line is the number of tests.
pub(crate) fn run(quick: bool) -> Result<bool> {
    let mut stages = vec![
        stage("format", || {
            Ok(passed(succeeds(cargo(&["fmt", "--all", "--check"]))?))
        }),
        stage("lints", lints),
    ];
    if quick {
        for name in ["documentation", "dependencies", "advisories", "suites"] {
            stages.push(stage(name, || Ok(Verdict::NotRun("--quick".to_owned()))));
        }
    } else {
        stages.push(stage("documentation", documentation));
        stages.push(stage("dependencies", deny::dependencies));
        stages.push(stage("advisories", deny::advisories));
        stages.push(stage("suites", suites::run));
    }
    let mut count = Count::default();
    let mut broker = TestBroker::none();
    stages.push(stage("kafka", || broker.start()));
    stages.push(stage("tests", || tests(&broker, &mut count)));
    drop(broker);
    let good = summary(&stages);
    println!("\n{} passed, {} failed", count.passed, count.failed);
    Ok(good && count.failed == 0 && count.passed > 0 && !tests_failed(&stages))
}

fn tests_failed(stages: &[Stage]) -> bool {
    stages.last().is_none_or(|stage| stage.verdict != Verdict::Passed)
}

fn lints() -> Result<Verdict> {
    let clippy = cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--keep-going",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]);
    Ok(passed(succeeds(clippy)?))
}

fn documentation() -> Result<Verdict> {
    let mut doc = cargo(&[
        "doc",
        "--workspace",
        "--no-deps",
        "--keep-going",
        "--document-private-items",
        "--locked",
    ]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    Ok(passed(succeeds(doc)?))
}

/// All tests of all crates, documentation tests included; a failing binary does not stop the others.
fn tests(broker: &TestBroker, count: &mut Count) -> Result<Verdict> {
    let mut command = cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]);
    broker.tell(&mut command);
    let success = counted(command, count)?;
    if !success && count.failed == 0 {
        // It did not compile, or a test binary died before it could say how many failed.
        count.failed = 1;
        return Ok(Verdict::Failed(
            "a test binary was not built or died; counted as one".to_owned(),
        ));
    }
    Ok(passed(success))
}

/// Runs a command, shows its output as it comes, and adds up what its test binaries report.
fn counted(mut command: Command, count: &mut Count) -> Result<bool> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run the tests")?;
    let output = child.stdout.take().context("the tests have no output")?;
    for line in BufReader::new(output).lines() {
        let line = line.context("cannot read what the tests print")?;
        println!("{line}");
        if let Some(more) = result_of(&line) {
            count.passed += more.passed;
            count.failed += more.failed;
        }
    }
    Ok(child.wait().context("cannot wait for the tests")?.success())
}

/// Reads `test result: ok. 12 passed; 0 failed; …`.
fn result_of(line: &str) -> Option<Count> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number = |word: &str| {
        counts
            .split("; ")
            .find_map(|part| part.strip_suffix(word)?.trim().parse().ok())
    };
    Some(Count {
        passed: number("passed")?,
        failed: number("failed")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_test_binary_is_counted_and_no_other() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; finished in 0.5s";
        assert_eq!(
            result_of(line),
            Some(Count {
                passed: 12,
                failed: 3
            })
        );
        assert_eq!(result_of("test a::b ... ok"), None);
        assert_eq!(result_of("running 3 tests"), None);
        assert_eq!(result_of("test result: ok. nonsense"), None);
    }
}
