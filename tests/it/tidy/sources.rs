//! What stands in the sources: purity of the deciding modules, sizes, words.

use std::path::Path;

use super::{files, is_rust};

/// Modules that decide: no async, clock, I/O or randomness. Each is a file `<name>.rs` or a folder `<name>/`.
const DECIDING: [&str; 3] = [
    "crates/projector/src/fold",
    "crates/projector/src/access",
    "crates/reconciler/src/plan",
];

/// Words that a deciding module cannot need. Whole words: `async` is not found in `asynchronous`.
const IMPURE: [&str; 22] = [
    "async",
    "await",
    "tokio",
    "futures",
    "SystemTime",
    "Instant",
    "Zoned",
    "now",
    "now_v7",
    "new_v4",
    "getrandom",
    "rand",
    "RandomState",
    "thread",
    "sleep",
    "env",
    "fs",
    "net",
    "sled",
    "parking_lot",
    "Mutex",
    "tracing",
];

/// A file above this has more than one subject.
const LINES_MAX: usize = 800;

/// Lines of code are formatted to 110; comments and long texts may be this long.
const COLUMNS_MAX: usize = 120;

/// True for the files of a deciding module. Their tests may do more: they are not what decides.
fn decides(path: &Path) -> bool {
    let text = path.to_string_lossy().replace('\\', "/");
    let inside = DECIDING
        .iter()
        .any(|module| text.starts_with(&format!("{module}/")) || text == format!("{module}.rs"));
    inside && !text.contains("/tests/") && !text.ends_with("/tests.rs") && is_rust(path)
}

/// The code of a source: without comments, texts and inline tests.
fn code(source: &str) -> String {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let without_comments = source
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    without_comments
        .map(|line| line.split('"').step_by(2).collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join("\n")
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_'))
}

#[test]
fn the_deciding_modules_have_no_async_clock_socket_or_randomness() {
    for (path, source) in files().iter().filter(|(path, _)| decides(path)) {
        let code = code(source);
        for word in words(&code) {
            assert!(
                !IMPURE.contains(&word),
                "{} decides, so it cannot need {word:?}",
                path.display()
            );
        }
    }
}

#[test]
fn impure_words_are_found_in_code_and_not_in_comments_or_texts() {
    let found = |source: &str| words(&code(source)).filter(|word| IMPURE.contains(word)).count();
    assert_eq!(found("let t = std::time::Instant::now();"), 2);
    assert_eq!(found("use tokio::sync::mpsc;"), 1);
    assert_eq!(
        found("/// It is async and reads the env.\nlet a = \"now\"; // now"),
        0
    );
    assert_eq!(
        found("fn f() {}\n#[cfg(test)]\nmod tests { use tokio::test; }"),
        0
    );
}

#[test]
fn no_file_and_no_line_is_too_long() {
    let mut found = Vec::new();
    for (path, source) in files().iter().filter(|(path, _)| is_rust(path)) {
        let lines = source.lines().count();
        if lines > LINES_MAX {
            found.push(format!(
                "{} has {lines} lines; the limit is {LINES_MAX}",
                path.display()
            ));
        }
        for (at, line) in source.lines().enumerate() {
            let columns = line.chars().count();
            if columns > COLUMNS_MAX {
                found.push(format!("{}:{} has {columns} columns", path.display(), at + 1));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_project_speaks_of_itself_alone() {
    // In two halves, so that this file does not hold them.
    let forbidden = [
        ("/wo", "rk/"),
        ("/ro", "ot/"),
        ("/ho", "me/"),
        ("/tmp/", "target"),
        ("/tmp/", "brief"),
        ("crates", ".io"),
        ("pypi", ".org"),
        ("npmjs", ".org"),
        ("maven", ".org"),
    ];
    let mut found = Vec::new();
    for (path, text) in files() {
        for (one, other) in forbidden {
            let word = format!("{one}{other}");
            if text.contains(&word) {
                found.push(format!("{} holds {word:?}", path.display()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
