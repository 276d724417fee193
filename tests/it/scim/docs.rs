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
        .filter(|line| line.starts_with("| 6") || line.starts_with("| 7") || line.starts_with("| 9"))
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

/// The guides and what they lead to.
fn guides() -> Vec<(std::path::PathBuf, String)> {
    let folder = root().join("docs/connect");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut guides: Vec<_> = files.chain([root().join("docs/scim.md")]).collect();
    guides.sort();
    guides
        .into_iter()
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

#[test]
fn links_in_the_guides_lead_to_files_and_headings_that_are_there() {
    for (path, text) in guides() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = path.parent().unwrap().join(file);
            let found = if file.is_empty() {
                text.clone()
            } else {
                std::fs::read_to_string(&target).unwrap_or_else(|_| panic!("{}: {link}", path.display()))
            };
            let anchors = found.lines().filter(|line| line.starts_with('#')).map(anchor);
            let leads = heading.is_empty() || anchors.into_iter().any(|anchor| anchor == heading);
            assert!(leads, "{}: {link}", path.display());
        }
    }
}

/// What a heading is called in a link.
fn anchor(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn warnings_in_the_guides_are_those_of_the_program() {
    let all: BTreeSet<&str> = Trap::ALL.iter().map(|trap| trap.name()).collect();
    let mut met = BTreeSet::new();
    for (path, text) in guides()
        .iter()
        .filter(|(path, _)| !path.ends_with("docs/scim.md"))
    {
        let rows = text.lines().filter(|line| line.starts_with("| `"));
        let words = rows.filter_map(|row| row.split('`').nth(1));
        // Names of attributes, filters and expressions are no warnings.
        for word in words
            .filter(|word| word.contains('-') && word.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
        {
            let known = all
                .get(word)
                .unwrap_or_else(|| panic!("{}: {word}", path.display()));
            met.insert(*known);
        }
    }
    assert_eq!(met, all, "every warning is explained in a guide");
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
