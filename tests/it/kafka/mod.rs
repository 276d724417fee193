//! Rollcall over Kafka, as it is run on many nodes: each role a process of its own, several of each, over real brokers.
//! What goes wrong is done to them from the outside; what Fluent must hold is worked out by the tests' own model.

mod town;

mod alike;
mod arbiter;
mod broker;
mod damage;
mod killed;
mod operations;
mod partition;
mod quorum;
