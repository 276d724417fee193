//! Helpers shared by the whole-engine tests: where the repository lies, and golden files.
//!
//! A golden file holds what a test expects to be produced. `ROLLCALL_GOLDEN=write` (set by `cargo xtask
//! golden` and `cargo xtask schemas`) writes what is produced instead of comparing; the difference is then
//! reviewed as text.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of tests fails by panicking"
)]

use std::path::{Path, PathBuf};

/// The repository's folder.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the repository")
        .to_owned()
}

/// True when golden files are to be written instead of compared.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one switch of the golden files")]
pub fn writes_golden() -> bool {
    std::env::var("ROLLCALL_GOLDEN").is_ok_and(|value| value == "write")
}

/// Compares `actual` with the golden file at `path` (from the repository's folder), or writes it.
///
/// # Panics
/// When they differ: with the first line that does.
pub fn golden(path: &str, actual: &str) {
    let file = root().join(path);
    if writes_golden() {
        std::fs::create_dir_all(file.parent().expect("a file has a folder")).expect("the folder can be made");
        std::fs::write(&file, actual).expect("the golden file can be written");
        return;
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    if expected == actual {
        return;
    }
    let differs = expected
        .lines()
        .zip(actual.lines())
        .position(|(old, new)| old != new)
        .unwrap_or_else(|| expected.lines().count().min(actual.lines().count()));
    let line = |text: &str| text.lines().nth(differs).unwrap_or("(no such line)").to_owned();
    panic!(
        "{path} differs from what is produced, first at line {}:\n  file:     {}\n  produced: {}\n\
         If the change is meant, run `cargo xtask golden` and review the difference.",
        differs + 1,
        line(&expected),
        line(actual),
    );
}

/// As [`golden`], for the part of a document between `<!-- NAME: begin -->` and `<!-- NAME: end -->`, each on
/// a line of its own; the rest of the document is written by hand.
///
/// # Panics
/// When they differ, or the marks are not there.
pub fn golden_part(path: &str, name: &str, actual: &str) {
    let text = std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let (begin, end) = (
        format!("<!-- {name}: begin -->\n"),
        format!("<!-- {name}: end -->"),
    );
    let (before, rest) = text
        .split_once(&begin)
        .unwrap_or_else(|| panic!("{path} has no line {begin}"));
    let (_, after) = rest
        .split_once(&end)
        .unwrap_or_else(|| panic!("{path} has no line {end}"));
    golden(path, &format!("{before}{begin}{actual}{end}{after}"));
}
