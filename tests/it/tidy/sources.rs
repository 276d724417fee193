//! What stands in the sources: purity of the deciding modules, sizes, words.

use std::path::Path;

use super::{files, is_rust};

/// Modules that decide: no async, clock, I/O or randomness. Each is a file `<name>.rs` or a folder `<name>/`.
const DECIDING: [&str; 5] = [
    "crates/ingest/src/decide",
    "crates/ingest/src/traps",
    "crates/projector/src/fold",
    "crates/projector/src/access",
    "crates/reconciler/src/plan",
];

/// Words that a deciding module cannot need. Whole words: `async` is not found in `asynchronous`.
const IMPURE: [&str; 21] = [
    "async",
    "await",
    "tokio",
    "futures",
    "SystemTime",
    "Instant",
    "Zoned",
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
    let source = without_inline_tests(source);
    let without_comments = source
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    without_comments
        .map(|line| line.split('"').step_by(2).collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What stands before `#[cfg(test)] mod tests {`. A test module in a file of its own (`mod tests;`) ends nothing.
fn without_inline_tests(source: &str) -> &str {
    for (at, _) in source.match_indices("#[cfg(test)]") {
        let item = source[at..]
            .lines()
            .find(|line| !line.trim_start().starts_with("#["));
        if item.is_some_and(|item| item.contains("mod ") && item.trim_end().ends_with('{')) {
            return &source[..at];
        }
    }
    source
}

/// What a deciding module must not hold, in its code.
fn impurities(source: &str) -> Vec<String> {
    let code = code(source);
    let words = words(&code).filter(|word| IMPURE.contains(word));
    let clocks = code.matches("::now(").map(|_| "::now");
    words.chain(clocks).map(str::to_owned).collect()
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_'))
}

#[test]
fn the_deciding_modules_have_no_async_clock_socket_or_randomness() {
    let mut found = Vec::new();
    for (path, source) in files().iter().filter(|(path, _)| decides(path)) {
        let impure = impurities(source);
        if !impure.is_empty() {
            found.push(format!(
                "{} decides, so it cannot need {impure:?}",
                path.display()
            ));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn impurities_are_found_in_code_and_not_in_comments_texts_or_tests() {
    let count = |source: &str| impurities(source).len();
    assert_eq!(count("let t = std::time::Instant::now();"), 2);
    assert_eq!(count("let now = jiff::Timestamp::now();"), 1);
    assert_eq!(count("use tokio::sync::mpsc;"), 1);
    assert_eq!(
        count("/// It is async and reads the env.\nlet now = \"async\"; // sleep"),
        0
    );
    assert_eq!(
        count("fn f() {}\n#[cfg(test)]\n#[allow(x)]\nmod tests { }\nuse tokio::test;"),
        1
    );
    assert_eq!(
        count("fn f() {}\n#[cfg(test)]\n#[allow(x)]\nmod tests {\nuse tokio::test; }"),
        0
    );
    assert_eq!(
        count("#[cfg(test)]\nmod tests;\nuse tokio::test;"),
        1,
        "the rest still counts"
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
