//! Apache Kafka on this machine, for developers and tests.
//!
//! What it is: the real broker in `KRaft` mode as child processes on loopback, one or three, in a folder below
//! `target/kafka`. Its jars are fetched once, by their Maven coordinates. It can be stopped, killed (`kill -9`),
//! started again, paused, and cut off from single clients ([`Door`]).
//!
//! What it is not: a client of Kafka (it speaks one request, `Metadata`, by hand to learn that a broker is
//! ready), and nothing of the product: only tests and `cargo xtask` use it.
//!
//! # Invariants
//! - Brokers end with their owner: a watcher beside each of them ends it when the owner's end of a pipe closes,
//!   whatever way the owner dies; what is left all the same is ended and removed at the next start.
//! - Several processes may fetch and start at once: they share the jars and nothing else.
//! - A missing Java or Maven is an error that names the line to run ([`Error::Missing`]), never a skip.

mod broker;
mod cluster;
mod door;
mod error;
mod folders;
mod jars;
mod machine;
mod metadata;
mod properties;
mod shared;
mod wait;

pub use cluster::{Brokers, Cluster, Home, Ports, Settings};
pub use door::Door;
pub use error::Error;
pub use jars::VERSION;
pub use machine::install_missing;
pub use metadata::{Metadata, metadata};
pub use shared::{GIVEN_BROKERS, shared, unique_prefix};
