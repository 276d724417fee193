//! Damaged files: cut, flipped, emptied, at many places. A log either refuses to open or to read, naming its
//! file, or still gives every acknowledged record: never less without an error, never a panic.
//!
//! What may go unnoticed, and rightly: bytes of pages that no committed tree uses (free or superseded ones),
//! and unused bytes at the end of a page beyond what its checksum covers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::path::Path;

use rollcall_eventlog::{
    AppendLog, BatchLimits, EmbeddedLog, EmbeddedOptions, LogId, OpenError, Partition, ReadError, ReadLog,
    Record, Stream, Verification,
};

/// Records of all streams, as (stream, position, value).
type Content = Vec<(Stream, u64, Vec<u8>)>;

/// Writes a log; returns its file after a clean end, the same as a kill would have left it, the kept ends and
/// the content.
fn written() -> (Vec<u8>, Vec<u8>, Vec<u8>, Content) {
    let dir = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions {
        id: Some(LogId([9; 16])),
        ..Default::default()
    };
    let log = EmbeddedLog::open(dir.path(), options).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for number in 0..60_usize {
        let records = (0..1 + number % 9 * 10).map(|part| {
            Record::new(
                format!("account {number} {part}"),
                format!("value {number} {part} ").repeat(1 + part % 30),
            )
        });
        let appended = log.append(Stream::ALL[number % 3], records.collect());
        runtime.block_on(appended).unwrap();
    }
    let killed = fs::read(dir.path().join("log.redb")).unwrap();
    let ends = fs::read(dir.path().join("log.ends")).unwrap();
    let content = content(&log).unwrap();
    drop(log);
    (
        fs::read(dir.path().join("log.redb")).unwrap(),
        killed,
        ends,
        content,
    )
}

fn content(log: &EmbeddedLog) -> Result<Content, ReadError> {
    let mut all = Vec::new();
    for stream in Stream::ALL {
        let mut reader = log.reader(stream, Partition::ONLY, None)?;
        loop {
            let batch = reader.next_batch_blocking(BatchLimits::REPLAY)?;
            if batch.is_empty() {
                break;
            }
            all.extend(
                batch
                    .iter()
                    .map(|record| (stream, record.position.get(), record.value.to_vec())),
            );
        }
    }
    Ok(all)
}

/// Whether a log of these files is refused; when it is not, it must hold everything.
fn refused(file: &[u8], ends: &[u8], expected: &Content, verification: Verification, what: &str) -> bool {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("log.redb"), file).unwrap();
    fs::write(dir.path().join("log.ends"), ends).unwrap();
    match EmbeddedLog::open(
        dir.path(),
        EmbeddedOptions {
            verification,
            ..Default::default()
        },
    ) {
        Ok(log) => match content(&log) {
            Ok(found) => {
                assert!(
                    found == *expected,
                    "{what}: {} of {} records without an error",
                    found.len(),
                    expected.len()
                );
                false
            }
            Err(ReadError::Damaged(damage)) => named(&damage.file, what),
            Err(other) => panic!("{what}: {other}"),
        },
        Err(OpenError::Damaged(damage)) => named(&damage.file, what),
        Err(other) => panic!("{what}: {other}"),
    }
}

fn named(file: &Path, what: &str) -> bool {
    assert!(
        file.ends_with("log.redb"),
        "{what}: the damage does not name the file"
    );
    true
}

/// Flips one and eight bytes at each place; returns how many files were tried and how many refused.
fn flips(
    file: &[u8],
    ends: &[u8],
    content: &Content,
    verification: Verification,
    places: impl Iterator<Item = usize>,
) -> (usize, usize) {
    let (mut tried, mut noticed) = (0, 0);
    for at in places {
        for width in [1, 8] {
            let mut damaged = file.to_vec();
            for byte in damaged.iter_mut().skip(at).take(width) {
                *byte ^= 0x41;
            }
            let what = format!(
                "{verification:?}, {width} bytes flipped at {at} of {}",
                file.len()
            );
            noticed += usize::from(refused(&damaged, ends, content, verification, &what));
            tried += 1;
        }
    }
    (tried, noticed)
}

#[test]
fn flipped_bytes_never_lose_a_record_silently() {
    let (clean, killed, ends, content) = written();
    assert!(!refused(&clean, &ends, &content, Verification::Full, "undamaged"));
    assert!(!refused(
        &killed,
        &ends,
        &content,
        Verification::Full,
        "undamaged but killed"
    ));
    for (file, name) in [(&clean, "clean"), (&killed, "killed")] {
        for verification in [Verification::Full, Verification::Quick] {
            // A step without a common divisor with a page's size, so that all places of a page are met; the
            // header more densely.
            let places = (0..400).step_by(3).chain((400..file.len()).step_by(2999));
            let (tried, noticed) = flips(file, &ends, &content, verification, places);
            println!("{name}, {verification:?}: {noticed} of {tried} flips refused, the rest without effect");
            assert!(
                noticed > tried / 20,
                "{name}, {verification:?}: {noticed} of {tried} noticed"
            );
        }
    }
}

#[test]
fn a_cut_file_is_refused() {
    let (clean, killed, ends, content) = written();
    for file in [&clean, &killed] {
        for kept in (0..file.len())
            .step_by(7919)
            .chain([1, 63, 64, 320, 4095, 4096, file.len() - 1])
        {
            for verification in [Verification::Full, Verification::Quick] {
                let what = format!("{verification:?}, cut to {kept} of {}", file.len());
                assert!(
                    refused(&file[..kept], &ends, &content, verification, &what),
                    "{what}: opened"
                );
            }
        }
    }
}

#[test]
fn a_zeroed_stretch_never_loses_a_record_silently() {
    let (clean, killed, ends, content) = written();
    for file in [&clean, &killed] {
        for at in (0..file.len()).step_by(4096 * 3) {
            let mut damaged = file.clone();
            damaged[at..(at + 4096).min(file.len())].fill(0);
            for verification in [Verification::Full, Verification::Quick] {
                refused(
                    &damaged,
                    &ends,
                    &content,
                    verification,
                    &format!("{verification:?}, zeroed at {at}"),
                );
            }
        }
    }
}
