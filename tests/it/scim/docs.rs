//! `docs/scim.md` against the code: every test it names is there, and every warning stands in it.

use std::collections::BTreeSet;

use rollcall_ingest::Trap;
use rollcall_tests::{golden_part, root};

/// Where the tests of SCIM stand.
const FOLDERS: [&str; 3] = ["crates/scim/src", "crates/ingest", "tests/it"];

/// Names of all tests below these folders.
fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders: Vec<_> = FOLDERS.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.extend(tests_in(&std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    found
}

/// Names of the functions that follow a test attribute.
fn tests_in(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim_start) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some((_, rest)) = line.split_once("fn ").filter(|_| !line.starts_with("//")) {
            if is_test {
                found.push(rest.split('(').next().unwrap().to_owned());
            }
            is_test = false;
        }
    }
    // Property tests put their attribute into a macro; it reads the same.
    found
}

fn conformance() -> String {
    let text = std::fs::read_to_string(root().join("docs/scim.md")).unwrap();
    let (_, rest) = text.split_once("<!-- conformance: begin -->").unwrap();
    rest.split_once("<!-- conformance: end -->").unwrap().0.to_owned()
}

/// What stands between backticks and reads like the name of a test.
fn named(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_name = |word: &&str| {
        word.matches('_').count() >= 2
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
    };
    quoted.filter(is_name).collect()
}

#[test]
fn every_row_of_the_conformance_table_names_tests_that_are_there() {
    let (table, tests) = (conformance(), tests());
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| 7") || line.starts_with("| 9"))
        .collect();
    assert!(rows.len() > 30, "{} rows", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [_, _, state, of] = cells[..] else {
            panic!("not four cells: {row}")
        };
        assert!(["whole", "part", "none"].contains(&state), "{state}: {row}");
        let named = named(of);
        assert!(!named.is_empty() || state == "none", "no test: {row}");
        for name in named {
            assert!(tests.contains(name), "there is no test {name}: {row}");
        }
    }
}

#[test]
fn every_test_that_the_documentation_of_scim_names_is_there() {
    let tests = tests();
    let text = std::fs::read_to_string(root().join("docs/scim.md")).unwrap();
    // Tables with a code of ours have names that are no tests: metrics.
    for name in named(&text)
        .into_iter()
        .filter(|name| !name.starts_with("rollcall_"))
    {
        assert!(tests.contains(name), "there is no test {name}");
    }
}

#[test]
fn the_documentation_names_every_warning() {
    let mut text = String::from("\n| warning | shown when | what it means and what to do |\n|---|---|---|\n");
    for trap in Trap::ALL {
        text.push_str(&format!(
            "| `{}` | {} | {} |\n",
            trap.name(),
            trap.shown_when(),
            trap.advice()
        ));
    }
    text.push('\n');
    golden_part("docs/scim.md", "traps", &text);
}

#[test]
fn tests_are_found_by_their_attribute() {
    let source =
        "#[test]\nfn a_b_c() {}\nfn d_e_f() {}\n#[tokio::test(flavor = \"x\")]\n    async fn g_h_i() {}\n";
    assert_eq!(tests_in(source), ["a_b_c", "g_h_i"]);
    assert_eq!(
        named("`a_b_c`, `no`, and `Not_A_Name`; `x_y_1`"),
        ["a_b_c", "x_y_1"]
    );
}
