//! Kafka's jars: fetched once by their coordinates, whole or not at all.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, io};
use crate::machine::{maven, tail, target};

/// The version of Kafka.
pub const VERSION: &str = "4.3.0";

/// The broker, its command-line tools, and what it needs to say anything: group, artifact, version.
const COORDINATES: [(&str, &str, &str); 4] = [
    ("org.apache.kafka", "kafka_2.13", VERSION),
    ("org.apache.kafka", "kafka-tools", VERSION),
    ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.24.3"),
    ("org.apache.logging.log4j", "log4j-core", "2.24.3"),
];

/// The folder of the jars; they are fetched when they are not there. Several processes may ask at once.
pub(crate) fn folder() -> Result<PathBuf, Error> {
    let home = target()?.join(VERSION);
    let lib = home.join("lib");
    if lib.is_dir() {
        return Ok(lib);
    }
    std::fs::create_dir_all(&home).map_err(io("make", &home))?;
    let lock_path = home.join("lock");
    let lock = File::create(&lock_path).map_err(io("make", &lock_path))?;
    lock.lock().map_err(io("lock", &lock_path))?;
    if !lib.is_dir() {
        fetch(&home, &lib)?;
    }
    Ok(lib) // the lock ends with its file
}

/// True when nothing has to be fetched.
pub(crate) fn are_there() -> bool {
    target().is_ok_and(|target| target.join(VERSION).join("lib").is_dir())
}

fn fetch(home: &Path, lib: &Path) -> Result<(), Error> {
    let maven = maven()?;
    let pom = home.join("pom.xml");
    std::fs::write(&pom, project()).map_err(io("write", &pom))?;
    // What an earlier try left half done is not mixed with this one.
    let half = home.join("lib.half");
    if half.exists() {
        std::fs::remove_dir_all(&half).map_err(io("remove", &half))?;
    }
    let output = Command::new(&maven)
        .current_dir(home)
        .args([
            "-q",
            "-B",
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
        ])
        .arg("-DoutputDirectory=lib.half")
        .stdin(Stdio::null())
        .output()
        .map_err(io("run", &maven))?;
    if !output.status.success() {
        return Err(Error::Failed {
            program: "mvn dependency:copy-dependencies",
            status: output.status,
            said: tail(&String::from_utf8_lossy(&output.stdout)),
        });
    }
    std::fs::rename(&half, lib).map_err(io("name", lib))
}

/// The text of a project that needs the coordinates and is nothing itself.
fn project() -> String {
    let dependencies: String = COORDINATES
        .iter()
        .map(|(group, artifact, version)| {
            format!(
                "    <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
                 <version>{version}</version></dependency>\n"
            )
        })
        .collect();
    format!(
        "<project>\n  <modelVersion>4.0.0</modelVersion>\n  <groupId>rollcall</groupId>\n  \
         <artifactId>kafka-local</artifactId>\n  <version>1</version>\n  <packaging>pom</packaging>\n  \
         <dependencies>\n{dependencies}  </dependencies>\n</project>\n"
    )
}
