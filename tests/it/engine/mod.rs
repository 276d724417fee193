//! The whole engine: the program as a process, a simulated Fluent, identity providers over real HTTP, and operators
//! that run commands. Every test waits for conditions; what it expects of Fluent it works out by itself.

pub(crate) mod acts;
#[path = "../../../crates/ingest/tests/it/certificate.rs"]
pub(crate) mod certificate;
pub(crate) mod fleet;
pub(crate) mod harness;
pub(crate) mod idp;
pub(crate) mod journal;
pub(crate) mod model;
pub(crate) mod process;

mod corners;
mod damaged;
mod day;
mod faults;
mod guard;
mod killed;
mod rules;
mod secrecy;
mod stopped;
mod tls;
mod tokens;
