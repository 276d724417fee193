//! Kafka's `Metadata` request (version 4, without flexible fields), by hand: who is there and who leads what.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::error::{Error, io};

/// How long a broker on loopback may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Far above the answer of a handful of brokers and topics.
const ANSWER_MAX: usize = 1 << 20;

/// The number of the request, the version that is spoken, and the number that comes back with the answer.
const API: i16 = 3;
const API_VERSION: i16 = 4;
const CORRELATION: i32 = 1;

/// What a broker says of its cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The brokers that are there: node, host, port.
    pub brokers: Vec<(i32, String, u16)>,
    /// The node that clients are told is the controller; negative while there is none.
    pub controller: i32,
    /// The partitions of the topics that were asked for. A topic that is not there has none.
    pub partitions: Vec<PartitionState>,
}

/// A partition as a broker knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionState {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The node that leads it; negative while nobody does.
    pub leader: i32,
    /// The nodes that are in step.
    pub in_sync: Vec<i32>,
}

/// Asks one broker for the cluster and these topics.
///
/// # Errors
/// [`Error::Io`] when it does not answer in 2 s, [`Error::Answer`] when it answers something else.
pub fn metadata(broker: SocketAddr, topics: &[&str]) -> Result<Metadata, Error> {
    let place = broker.to_string();
    let place = std::path::Path::new(&place);
    let mut stream = TcpStream::connect_timeout(&broker, PATIENCE).map_err(io("connect to", place))?;
    let limits = stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
    limits.map_err(io("use", place))?;
    stream.write_all(&request(topics)).map_err(io("ask", place))?;
    let mut size = [0; 4];
    stream.read_exact(&mut size).map_err(io("hear", place))?;
    let size = usize::try_from(i32::from_be_bytes(size)).unwrap_or(usize::MAX);
    if size > ANSWER_MAX {
        return Err(Error::Answer("too long"));
    }
    let mut body = vec![0; size];
    stream.read_exact(&mut body).map_err(io("hear", place))?;
    read(&body).ok_or(Error::Answer("not an answer to Metadata"))
}

fn request(topics: &[&str]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(API.to_be_bytes());
    body.extend(API_VERSION.to_be_bytes());
    body.extend(CORRELATION.to_be_bytes());
    text(&mut body, "rollcall-kafka-local");
    body.extend(i32::try_from(topics.len()).unwrap_or(0).to_be_bytes());
    for topic in topics {
        text(&mut body, topic);
    }
    body.push(0); // topics are not created by asking
    let mut whole = i32::try_from(body.len()).unwrap_or(0).to_be_bytes().to_vec();
    whole.append(&mut body);
    whole
}

fn text(to: &mut Vec<u8>, text: &str) {
    to.extend(i16::try_from(text.len()).unwrap_or(0).to_be_bytes());
    to.extend(text.as_bytes());
}

fn read(body: &[u8]) -> Option<Metadata> {
    let mut rest = Rest(body);
    if rest.i32()? != CORRELATION {
        return None;
    }
    let _throttle = rest.i32()?;
    let mut found = Metadata::default();
    for _ in 0..rest.i32()? {
        let (node, host, port) = (rest.i32()?, rest.text()?, rest.i32()?);
        let _rack = rest.text()?;
        found.brokers.push((node, host, u16::try_from(port).ok()?));
    }
    let _cluster = rest.text()?;
    found.controller = rest.i32()?;
    for _ in 0..rest.i32()? {
        let _error = rest.i16()?;
        let topic = rest.text()?;
        let _internal = rest.take(1)?;
        for _ in 0..rest.i32()? {
            let _error = rest.i16()?;
            let (partition, leader) = (rest.i32()?, rest.i32()?);
            let _replicas = rest.nodes()?;
            found.partitions.push(PartitionState {
                topic: topic.clone(),
                partition,
                leader,
                in_sync: rest.nodes()?,
            });
        }
    }
    Some(found)
}

/// What has not been read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn i16(&mut self) -> Option<i16> {
        Some(i16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn i32(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    /// A text; what is null is empty.
    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.i16()?).unwrap_or(0);
        Some(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    fn nodes(&mut self) -> Option<Vec<i32>> {
        (0..self.i32()?).map(|_| self.i32()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_answer_is_none_and_never_a_panic() {
        let mut body = CORRELATION.to_be_bytes().to_vec();
        body.extend([0; 4]);
        body.extend(1i32.to_be_bytes());
        body.extend(7i32.to_be_bytes());
        text(&mut body, "127.0.0.1");
        body.extend(9092i32.to_be_bytes());
        body.extend((-1i16).to_be_bytes()); // no rack
        text(&mut body, "cluster");
        body.extend(7i32.to_be_bytes());
        body.extend(0i32.to_be_bytes());
        let whole = Metadata {
            brokers: vec![(7, "127.0.0.1".to_owned(), 9092)],
            controller: 7,
            partitions: Vec::new(),
        };
        assert_eq!(read(&body), Some(whole));
        for end in 0..body.len() {
            assert_eq!(read(body.get(..end).unwrap_or_default()), None);
        }
    }
}
