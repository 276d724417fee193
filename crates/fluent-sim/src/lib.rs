//! A Fluent that behaves as documented, and as badly as reality, for the demo and the tests.
//!
//! A server on loopback with Fluent's two endpoints (`POST /oauth/token`, `POST /graphql`) and a control API
//! (`/sim/v1`, described in this crate's `README.md`; [`SimHandle`] is the same in process). What the public
//! material leaves open is a switch ([`Behavior`]), what goes wrong in reality is a fault ([`Fault`]).
//!
//! # What it is not
//! Not Fluent: it knows users, roles, retailers and locations, nothing else. Not protected: it refuses to
//! listen on anything but loopback. It shares no code and no types with the client on purpose, so that the
//! two check each other.
//!
//! # Invariants
//! - Roles are only ever added by create and update; only `removeUserRolesFromUser` takes pairs away.
//! - A refused mutation changes nothing; mutations of one request run in order, each for itself.
//! - A mutation is in the journal exactly once, whatever became of it; `Applied` stands for exactly one
//!   change.
//! - With [`ClockMode::Manual`] and one client, the same requests give the same answers.

mod behavior;
mod clock;
mod control;
mod core;
mod exec;
mod faults;
mod graphql;
mod handle;
mod introspect;
mod journal;
mod oauth;
mod seed;
mod server;
mod sim;
mod snapshot;
mod state;

#[cfg(test)]
mod tests;

pub use behavior::{AgentIds, Behavior, ContextCheck, ExistingRole, RemovalOfAbsent, UsernameCase};
pub use clock::ClockMode;
pub use core::{MAX_COMPLEXITY, Stats};
pub use faults::{Down, Fault, FaultId, FaultKind, RateAnswer, TOKEN_OPERATION};
pub use handle::SimHandle;
pub use journal::{DEFAULT_JOURNAL_LIMIT, JournalEntry, JournalResult};
pub use oauth::{Credentials, DEFAULT_EXPIRES_IN, LOCKOUT, LOCKOUT_AFTER, REFRESHING_CLIENT};
pub use seed::{Seed, SeedError, SeedLocation, SeedRetailer, SeedUser};
pub use server::MAX_BODY;
pub use sim::{Sim, SimConfig, SimError};
pub use snapshot::UserSnapshot;
pub use state::GrantPair;
