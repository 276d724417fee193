//! What of the machine is needed: a Java to run brokers, and Maven to fetch them once.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, io};
use crate::jars;

/// The oldest Java that Kafka's brokers run on.
pub(crate) const JAVA_MIN: u32 = 17;

/// Where distributions put several versions beside each other.
const JVMS: &str = "/usr/lib/jvm";

/// The packages of Debian and its relatives.
const PACKAGES: [&str; 2] = ["default-jre-headless", "maven"];

/// A program of the machine that is Java in a good version.
pub(crate) fn java() -> Result<PathBuf, Error> {
    let mut candidates = Vec::new();
    candidates.extend(setting("JAVA_HOME").map(|home| Path::new(&home).join("bin/java")));
    candidates.push(PathBuf::from("java"));
    if let Ok(entries) = std::fs::read_dir(JVMS) {
        let mut others: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path().join("bin/java")))
            .collect();
        others.sort();
        candidates.extend(others);
    }
    let good = candidates
        .into_iter()
        .find(|java| java_version(java).is_some_and(|version| version >= JAVA_MIN));
    good.ok_or_else(|| missing("java"))
}

/// The program Maven.
pub(crate) fn maven() -> Result<PathBuf, Error> {
    let mut candidates = Vec::new();
    for home in ["MAVEN_HOME", "M2_HOME"] {
        candidates.extend(setting(home).map(|home| Path::new(&home).join("bin/mvn")));
    }
    candidates.push(PathBuf::from("mvn"));
    let good = candidates.into_iter().find(|maven| {
        let mut command = Command::new(maven);
        command
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    });
    good.ok_or_else(|| missing("mvn"))
}

/// Installs what is missing, where that can be done without asking anybody; else says what to run.
///
/// # Errors
/// [`Error::Missing`] with the line to run.
pub fn install_missing() -> Result<(), Error> {
    let Err(why) = needed() else { return Ok(()) };
    if !Path::new("/usr/bin/apt-get").exists() {
        return Err(why);
    }
    // Without a password, or not at all.
    let as_root = |line: &[&str]| {
        ["", "sudo"].into_iter().any(|with| {
            let mut command = if with.is_empty() {
                Command::new("apt-get")
            } else {
                let mut sudo = Command::new(with);
                sudo.args(["-n", "apt-get"]);
                sudo
            };
            command.args(line).env("DEBIAN_FRONTEND", "noninteractive");
            command.stdin(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        })
    };
    let mut install = vec!["install", "-y", "--no-install-recommends"];
    install.extend(PACKAGES);
    if !as_root(&install) {
        // The machine's list of packages may be old or empty.
        let _may_fail = as_root(&["update"]);
        let _may_fail = as_root(&install);
    }
    needed()
}

/// Whether brokers can be run here: Java always, Maven only as long as the jars are not there.
fn needed() -> Result<(), Error> {
    java()?;
    if !jars::are_there() {
        maven()?;
    }
    Ok(())
}

fn missing(what: &'static str) -> Error {
    let line = if cfg!(target_os = "macos") {
        "brew install openjdk@21 maven"
    } else if Path::new("/usr/bin/dnf").exists() {
        "sudo dnf install java-21-openjdk-headless maven"
    } else {
        "sudo apt-get install -y default-jre-headless maven"
    };
    Error::Missing { what, line }
}

/// The main version of a Java, by its own word.
fn java_version(java: &Path) -> Option<u32> {
    let output = Command::new(java).arg("-version").output().ok()?;
    version_of(&String::from_utf8_lossy(&output.stderr))
}

/// Reads `openjdk version "17.0.15" 2025-04-15`; 8 and older called themselves `1.8`.
fn version_of(said: &str) -> Option<u32> {
    let (_, rest) = said.split_once("version \"")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// A variable of the environment with something in it.
#[expect(
    clippy::disallowed_methods,
    reason = "the machine's own variables say where its programs are"
)]
pub(crate) fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where build results go, as cargo has it.
pub(crate) fn target() -> Result<PathBuf, Error> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2).unwrap_or(here);
    let target = root.join(setting("CARGO_TARGET_DIR").unwrap_or_else(|| "target".to_owned()));
    let folder = target.join("kafka");
    std::fs::create_dir_all(&folder).map_err(io("make", &folder))?;
    Ok(folder)
}

/// The end of a text that may be long, for an error.
pub(crate) fn tail(text: &str) -> String {
    const LINES: usize = 25;
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LINES);
    lines.into_iter().skip(from).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_javas_main_version_is_read_from_its_own_word() {
        assert_eq!(
            version_of("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK"),
            Some(17)
        );
        assert_eq!(version_of("openjdk version \"21\" 2023-09-19"), Some(21));
        assert_eq!(version_of("java version \"1.8.0_402\""), Some(1));
        assert_eq!(version_of("no such program"), None);
    }
}
