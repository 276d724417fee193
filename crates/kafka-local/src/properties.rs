//! A broker's configuration: real behaviour, with times and sizes fit for tests on a small machine.

use std::path::Path;

/// Where a broker listens and what it tells its clients, all on loopback.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    /// For clients and other brokers.
    pub(crate) client: u16,
    /// For the quorum of controllers.
    pub(crate) controller: u16,
    /// For clients that come through a door: where it listens, and the door's own port, which clients are told.
    pub(crate) doors: Vec<(u16, u16)>,
}

/// The text of `server.properties`. `all` are the endpoints of the brokers 1, 2, …; `more` is put last, so it wins.
pub(crate) fn server(node: u16, all: &[Endpoints], folder: &Path, more: &[(String, String)]) -> String {
    let Some(own) = all.get(usize::from(node).saturating_sub(1)) else {
        return String::new(); // a node has endpoints
    };
    let voters: Vec<String> = (1..)
        .zip(all)
        .map(|(id, ends)| format!("{id}@127.0.0.1:{}", ends.controller))
        .collect();
    let mut listeners = vec![
        format!("PLAINTEXT://127.0.0.1:{}", own.client),
        format!("CONTROLLER://127.0.0.1:{}", own.controller),
    ];
    let mut advertised = vec![format!("PLAINTEXT://127.0.0.1:{}", own.client)];
    let mut protocols = vec![
        "CONTROLLER:PLAINTEXT".to_owned(),
        "PLAINTEXT:PLAINTEXT".to_owned(),
    ];
    for (number, (listens, tells)) in own.doors.iter().enumerate() {
        listeners.push(format!("DOOR{number}://127.0.0.1:{listens}"));
        advertised.push(format!("DOOR{number}://127.0.0.1:{tells}"));
        protocols.push(format!("DOOR{number}:PLAINTEXT"));
    }
    let replicas = all.len().min(3).to_string();
    let in_sync = if all.len() >= 3 { "2" } else { "1" };
    let data = folder.join("data").to_string_lossy().into_owned();
    let node = node.to_string();
    let lines: Vec<(&str, &str)> = vec![
        ("process.roles", "broker,controller"),
        ("node.id", &node),
        ("controller.listener.names", "CONTROLLER"),
        ("inter.broker.listener.name", "PLAINTEXT"),
        ("log.dirs", &data),
        ("auto.create.topics.enable", "false"),
        ("default.replication.factor", &replicas),
        ("min.insync.replicas", in_sync),
        ("offsets.topic.replication.factor", &replicas),
        ("offsets.topic.num.partitions", "4"),
        ("transaction.state.log.replication.factor", &replicas),
        ("transaction.state.log.min.isr", in_sync),
        ("transaction.state.log.num.partitions", "1"),
        // A group is complete when its members are there: a test waits for nobody else.
        ("group.initial.rebalance.delay.ms", "0"),
        ("group.min.session.timeout.ms", "1000"),
        // A broker that is gone is noticed soon; one on a busy machine is not taken for gone.
        ("broker.heartbeat.interval.ms", "500"),
        ("broker.session.timeout.ms", "6000"),
        ("replica.lag.time.max.ms", "6000"),
        ("controlled.shutdown.enable", "true"),
        // One machine runs all of them: few threads, little memory.
        ("num.network.threads", "2"),
        ("num.io.threads", "3"),
        ("num.recovery.threads.per.data.dir", "1"),
        ("background.threads", "2"),
        ("log.cleaner.dedupe.buffer.size", "8388608"),
        ("log.segment.bytes", "67108864"),
    ];
    let mut text = format!(
        "controller.quorum.voters={}\nlisteners={}\nadvertised.listeners={}\n\
         listener.security.protocol.map={}\n",
        voters.join(","),
        listeners.join(","),
        advertised.join(","),
        protocols.join(",")
    );
    for (key, value) in lines {
        text.push_str(&format!("{key}={value}\n"));
    }
    for (key, value) in more {
        text.push_str(&format!("{key}={value}\n"));
    }
    text
}

/// What the broker says, and where: warnings and errors, to its output.
pub(crate) const LOGGING: &str = "status=error\n\
    appender.out.type=Console\n\
    appender.out.name=out\n\
    appender.out.layout.type=PatternLayout\n\
    appender.out.layout.pattern=%d %p %m (%c)%n\n\
    rootLogger.level=warn\n\
    rootLogger.appenderRef.out.ref=out\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_brokers_know_each_other_and_what_is_given_comes_last() {
        let ends = |client| Endpoints {
            client,
            controller: client + 100,
            doors: vec![(client + 200, client + 300)],
        };
        let all = [ends(1001), ends(1002), ends(1003)];
        let more = [("min.insync.replicas".to_owned(), "3".to_owned())];
        let text = server(2, &all, Path::new("f"), &more);
        let value = |key: &str| {
            let lines = text.lines().filter_map(|line| line.split_once('='));
            lines
                .filter(|(name, _)| *name == key)
                .map(|(_, value)| value)
                .next_back()
        };
        assert_eq!(
            value("controller.quorum.voters"),
            Some("1@127.0.0.1:1101,2@127.0.0.1:1102,3@127.0.0.1:1103")
        );
        assert_eq!(
            value("advertised.listeners"),
            Some("PLAINTEXT://127.0.0.1:1002,DOOR0://127.0.0.1:1302")
        );
        assert_eq!(value("node.id"), Some("2"));
        assert_eq!(value("min.insync.replicas"), Some("3"));
    }
}
