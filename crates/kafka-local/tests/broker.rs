//! A broker through its whole life: started, killed, started again, paused, reached through a door, ended.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{SocketAddr, TcpStream};

use rollcall_kafka_local::{Cluster, Error, Settings, metadata};

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";

#[test]
fn a_killed_broker_comes_back_with_what_it_was_given_and_nothing_is_left_at_the_end() {
    let settings = Settings {
        doors: 1,
        ..Settings::default()
    };
    let cluster = Cluster::start(&settings).unwrap();
    let folder = cluster.folder().to_owned();
    let [address] = cluster.addresses()[..] else {
        unreachable!("one broker");
    };
    cluster
        .tool(TOPICS, &["--create", "--topic", "kept", "--partitions", "2"])
        .unwrap();
    assert_eq!(cluster.leader("kept", 1).unwrap(), 1);

    // Who comes through the door is told the door's port.
    let [door] = cluster.doors() else {
        unreachable!("one door");
    };
    let outside: SocketAddr = door.bootstrap().parse().unwrap();
    let told = metadata(outside, &["kept"]).unwrap();
    assert_eq!(told.brokers, [(1, "127.0.0.1".to_owned(), outside.port())]);
    assert_eq!(told.partitions.len(), 2);
    door.shut();
    assert!(metadata(outside, &[]).is_err());
    assert!(metadata(address, &[]).is_ok(), "others are not cut off");

    cluster.kill(1).unwrap();
    assert!(TcpStream::connect(address).is_err(), "it is gone");
    assert!(matches!(cluster.kill(1), Err(Error::State { node: 1, .. })));
    cluster.restart(1).unwrap();
    assert_eq!(cluster.leader("kept", 1).unwrap(), 1);

    cluster.pause(1).unwrap();
    assert!(metadata(address, &[]).is_err(), "it does not answer");
    cluster.resume(1).unwrap();
    assert_eq!(cluster.leader("kept", 0).unwrap(), 1);

    assert!(matches!(cluster.kill(2), Err(Error::NoBroker { node: 2 })));
    cluster.end().unwrap();
    assert!(TcpStream::connect(address).is_err());
    assert!(!folder.exists());
}
