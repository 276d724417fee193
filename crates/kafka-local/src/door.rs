//! A way to the brokers for one client, which can be shut while others go on: a partition of the network.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, io};

/// A door in front of all brokers. A client that is given [`Door::bootstrap`] reaches them through this door
/// alone: the brokers tell whoever came through it its own ports.
#[derive(Debug)]
pub struct Door {
    ports: Vec<u16>,
    gate: Arc<Gate>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Passage {
    #[default]
    Open,
    /// Connections stay, and nothing gets through.
    Silent,
    /// Connections are cut and no new ones come about.
    Shut,
    /// The door is no more.
    Gone,
}

#[derive(Debug, Default)]
struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    passage: Passage,
    /// Both ends of all connections.
    streams: Vec<TcpStream>,
}

/// Bytes carried at once.
const CARRIED: usize = 32 * 1024;

impl Door {
    /// A door that leads to these ports of loopback, open.
    pub(crate) fn open_to(inner: &[u16]) -> Result<Self, Error> {
        let mut door = Self {
            ports: Vec::new(),
            gate: Arc::default(),
        };
        let anywhere = Path::new("a port of loopback");
        for inner in inner {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(io("listen on", anywhere))?;
            let own = listener.local_addr().map_err(io("listen on", anywhere))?;
            door.ports.push(own.port());
            let gate = Arc::clone(&door.gate);
            let inner = SocketAddr::from((Ipv4Addr::LOCALHOST, *inner));
            std::thread::spawn(move || welcome(&listener, inner, &gate));
        }
        Ok(door)
    }

    pub(crate) fn ports(&self) -> Vec<u16> {
        self.ports.clone()
    }

    /// The addresses for a client's `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        let addresses: Vec<String> = self
            .ports
            .iter()
            .map(|port| format!("127.0.0.1:{port}"))
            .collect();
        addresses.join(",")
    }

    /// Everything passes again. What was under way while the door was silent arrives late.
    pub fn open(&self) {
        self.gate.set(Passage::Open);
    }

    /// Connections stay, new ones are taken, and nothing gets through: what a lost cable looks like.
    pub fn silence(&self) {
        self.gate.set(Passage::Silent);
    }

    /// Connections are cut and new ones are cut at once: what a dead host behind a live router looks like.
    pub fn shut(&self) {
        self.gate.set(Passage::Shut);
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.gate.set(Passage::Gone);
        // A connection wakes who waits for one.
        for port in &self.ports {
            let _nobody_may_listen = TcpStream::connect((Ipv4Addr::LOCALHOST, *port));
        }
    }
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, passage: Passage) {
        let mut state = self.lock();
        state.passage = passage;
        if matches!(passage, Passage::Shut | Passage::Gone) {
            for stream in state.streams.drain(..) {
                let _it_may_be_cut = stream.shutdown(Shutdown::Both);
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Waits while nothing gets through; what then holds.
    fn pass(&self) -> Passage {
        let mut state = self.lock();
        while state.passage == Passage::Silent {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.passage
    }

    /// Takes note of a connection so that it can be cut; false when it must not be.
    fn admit(&self, ends: [&TcpStream; 2]) -> bool {
        let mut state = self.lock();
        if matches!(state.passage, Passage::Shut | Passage::Gone) {
            return false;
        }
        // Those that have ended are forgotten here, so that the list stays short.
        state.streams.retain(|stream| stream.peer_addr().is_ok());
        for end in ends {
            let Ok(copy) = end.try_clone() else { return false };
            state.streams.push(copy);
        }
        true
    }
}

/// Takes connections until the door is gone.
fn welcome(listener: &TcpListener, inner: SocketAddr, gate: &Arc<Gate>) {
    for client in listener.incoming() {
        let passage = gate.lock().passage;
        if passage == Passage::Gone {
            return;
        }
        let Ok(client) = client else { continue };
        if passage == Passage::Shut {
            continue; // dropped, so cut
        }
        let gate = Arc::clone(gate);
        std::thread::spawn(move || connect(client, inner, &gate));
    }
}

/// Leads one client to a broker, once something gets through.
fn connect(client: TcpStream, inner: SocketAddr, gate: &Arc<Gate>) {
    if gate.pass() != Passage::Open {
        return;
    }
    let Ok(broker) = TcpStream::connect(inner) else {
        return; // the client is cut, as if it had asked the broker itself
    };
    let _only_speed = client.set_nodelay(true).and(broker.set_nodelay(true));
    if !gate.admit([&client, &broker]) {
        return;
    }
    let (Ok(client_too), Ok(broker_too)) = (client.try_clone(), broker.try_clone()) else {
        return;
    };
    let other = Arc::clone(gate);
    std::thread::spawn(move || carry(broker_too, client_too, &other));
    carry(client, broker, gate);
}

/// Carries what one end says to the other until either ends.
fn carry(mut from: TcpStream, mut to: TcpStream, gate: &Gate) {
    let mut buffer = vec![0; CARRIED];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let carried = buffer.get(..count).unwrap_or_default();
        if gate.pass() != Passage::Open || to.write_all(carried).is_err() {
            break;
        }
    }
    let _it_may_be_cut = from.shutdown(Shutdown::Both);
    let _it_may_be_cut = to.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;

    /// Says back what it hears.
    fn echo() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let mut client = client.unwrap();
                std::thread::spawn(move || {
                    let mut back = client.try_clone().unwrap();
                    let _until_it_is_cut = std::io::copy(&mut client, &mut back);
                });
            }
        });
        port
    }

    fn client(door: &Door) -> TcpStream {
        let client = TcpStream::connect(door.bootstrap()).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        client
    }

    fn says(client: &mut TcpStream, word: &[u8; 4]) -> std::io::Result<[u8; 4]> {
        client.write_all(word)?;
        let mut back = [0; 4];
        client.read_exact(&mut back).map(|()| back)
    }

    #[test]
    fn what_is_said_to_a_silent_door_arrives_when_it_opens() {
        let door = Door::open_to(&[echo()]).unwrap();
        let mut early = client(&door);
        assert_eq!(&says(&mut early, b"open").unwrap(), b"open");
        door.silence();
        early.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(says(&mut early, b"late").is_err(), "it got through");
        let mut new = client(&door); // taken, and not answered
        new.write_all(b"also").unwrap();
        door.open();
        let mut back = [0; 4];
        early.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        early.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"late");
        new.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"also");
    }

    #[test]
    fn a_shut_door_cuts_old_and_new_connections() {
        let door = Door::open_to(&[echo()]).unwrap();
        let mut old = client(&door);
        assert_eq!(&says(&mut old, b"open").unwrap(), b"open");
        door.shut();
        assert!(says(&mut old, b"gone").is_err());
        assert!(says(&mut client(&door), b"gone").is_err());
        door.open();
        assert_eq!(&says(&mut client(&door), b"open").unwrap(), b"open");
    }
}
