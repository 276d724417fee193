//! The house stays in order: arrows between crates, what may use what, purity, sizes, words.

mod arrows;
mod sources;

use std::path::{Path, PathBuf};

use rollcall_tests::root;

/// Folders (and, in a linked work tree, a file) that hold nothing of ours.
const NOT_OURS: [&str; 3] = ["target", ".git", "data"];

/// Every file of the repository that a person wrote, with its path from the repository's folder.
fn files() -> Vec<(PathBuf, String)> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the repository can be read") {
            let entry = entry.expect("the repository can be read");
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().expect("a file has a type");
            if kind.is_dir() && !NOT_OURS.contains(&name.as_str()) {
                folders.push(entry.path());
            } else if kind.is_file() && !NOT_OURS.contains(&name.as_str()) && name != "Cargo.lock" {
                // What is no text has no lines and no words.
                if let Ok(text) = std::fs::read_to_string(entry.path()) {
                    let path = entry.path().strip_prefix(&root).expect("it is below").to_owned();
                    found.push((path, text));
                }
            }
        }
    }
    found.sort();
    found
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}
