//! The first record of every partition: which log this is.
//!
//! A topic that is deleted and made anew has the same name and numbers its records from the beginning;
//! nothing in Kafka's client tells the two apart. The marker does.

use serde::{Deserialize, Serialize};

use crate::contract::{LogId, Partition, Record, Stream};

/// The key of a marker. No other record has it: a tenant's id has no slash, and what follows the slash in an
/// account's key is a hash in hexadecimal digits. So compaction keeps the markers.
pub(crate) const MARKER_KEY: &[u8] = b"rollcall/log";
/// The only form of the marker so far.
const MARKER_VERSION: u32 = 1;

/// What a marker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marker {
    /// The log.
    pub(crate) log: LogId,
    /// The stream whose topic it stands in.
    pub(crate) stream: Stream,
    /// The partition it stands in.
    pub(crate) partition: Partition,
    /// How many partitions the topic was made with.
    pub(crate) partitions: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    version: u32,
    log_id: String,
    stream: Stream,
    partition: Partition,
    partitions: u32,
}

impl Marker {
    /// The record that says it.
    pub(crate) fn record(&self) -> Record {
        let written = Written {
            version: MARKER_VERSION,
            log_id: self.log.to_string(),
            stream: self.stream,
            partition: self.partition,
            partitions: self.partitions,
        };
        // Strings and numbers always become JSON.
        Record::new(MARKER_KEY, serde_json::to_vec(&written).unwrap_or_default())
    }

    /// Reads a marker; `None` for any other record.
    pub(crate) fn read(key: &[u8], value: &[u8]) -> Option<Self> {
        if key != MARKER_KEY {
            return None;
        }
        let written: Written = serde_json::from_slice(value).ok()?;
        if written.version != MARKER_VERSION {
            return None;
        }
        Some(Self {
            log: parse_id(&written.log_id)?,
            stream: written.stream,
            partition: written.partition,
            partitions: written.partitions,
        })
    }
}

/// Reads what [`LogId`] shows.
fn parse_id(text: &str) -> Option<LogId> {
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    let mut id = [0; 16];
    for (byte, digits) in id.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(LogId(id))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_marker_reads_back_as_written() {
        let marker = Marker {
            log: LogId([7, 0, 255, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
            stream: Stream::Outcomes,
            partition: Partition(3),
            partitions: 24,
        };
        let record = marker.record();
        assert_eq!(Marker::read(&record.key, &record.value), Some(marker));
    }

    #[test]
    fn the_form_is_frozen() {
        let value = concat!(
            r#"{"version":1,"logId":"000102030405060708090a0b0c0d0e0f","#,
            r#""stream":"events","partition":0,"partitions":8}"#
        );
        let marker = Marker {
            log: LogId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
            stream: Stream::Events,
            partition: Partition(0),
            partitions: 8,
        };
        assert_eq!(marker.record().value, value.as_bytes());
        assert_eq!(Marker::read(MARKER_KEY, value.as_bytes()), Some(marker));
    }

    #[test]
    fn other_records_are_no_markers() {
        for value in ["", "{}", r#"{"version":2}"#, r#"{"version":1,"logId":"xyz"}"#] {
            assert_eq!(Marker::read(MARKER_KEY, value.as_bytes()), None);
        }
        assert_eq!(
            Marker::read(
                b"acme",
                &Marker::record(&Marker {
                    log: LogId([0; 16]),
                    stream: Stream::Events,
                    partition: Partition(0),
                    partitions: 1,
                })
                .value
            ),
            None
        );
    }
}
