//! librdkafka's own cluster of mock brokers: quick, and faulty on command.
//!
//! It lacks the administrative requests (creating topics, reading their settings), so topics are made by its
//! own means and `topics::ensure` and `topics::check` are tested on the real broker alone. It keeps 5 MiB and
//! 100,000 records per partition and deletes what is older, so that nothing longer is told here; and it does
//! not compact.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::super::topics::begin;
use super::super::*;
use crate::testing::Subject;

type Cluster = MockCluster<'static, DefaultProducerContext>;
type Command = Box<dyn FnOnce(&Cluster) + Send>;

/// A mock cluster on a thread of its own, which it may not leave.
pub(super) struct Mock {
    commands: Option<mpsc::Sender<Command>>,
    thread: Option<thread::JoinHandle<()>>,
    pub(super) options: KafkaOptions,
}

impl Mock {
    pub(super) fn start(brokers: i32) -> Self {
        let (commands, given) = mpsc::channel::<Command>();
        let (told, address) = mpsc::channel();
        let thread = thread::spawn(move || {
            let cluster = MockCluster::new(brokers).expect("a mock cluster");
            for (stream, partitions) in Stream::ALL.into_iter().zip([2, 3, 3]) {
                let topic = KafkaOptions::new("").topic(stream);
                cluster
                    .create_topic(&topic, partitions, brokers)
                    .expect("a topic");
            }
            told.send(cluster.bootstrap_servers()).unwrap();
            while let Ok(command) = given.recv() {
                command(&cluster);
            }
        });
        let options = KafkaOptions {
            request_timeout: Duration::from_secs(5),
            ..KafkaOptions::new(address.recv().unwrap())
        };
        Self {
            commands: Some(commands),
            thread: Some(thread),
            options,
        }
    }

    /// Does something to the cluster, and waits until it is done.
    pub(super) fn tell<T: Send + 'static>(&self, command: impl FnOnce(&Cluster) -> T + Send + 'static) -> T {
        let (done, answer) = mpsc::channel();
        let command: Command = Box::new(move |cluster| done.send(command(cluster)).unwrap());
        self.commands.as_ref().unwrap().send(command).unwrap();
        answer.recv().unwrap()
    }

    /// A fresh log in its topics.
    pub(super) fn log(&self) -> KafkaLog {
        begin(&self.options, &Heads::new(&self.options).unwrap(), &Stream::ALL).expect("the log is begun");
        KafkaLog::open(&self.options).expect("the log opens")
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        drop(self.commands.take());
        let _ = self.thread.take().unwrap().join();
    }
}

mod conformance {
    use super::*;

    crate::conformance_tests!(subject().await);

    async fn subject() -> Subject {
        tokio::task::spawn_blocking(|| {
            let mock = Mock::start(1);
            Subject {
                log: Arc::new(mock.log()),
                dense: false,
                atomic: false,
                keep: Box::new(mock),
            }
        })
        .await
        .unwrap()
    }
}
