//! The admin socket: the only way to a running instance. HTTP with JSON over a Unix socket that only its
//! owner may open.
//!
//! Both ends share the types of [`api`]. The server calls an [`AdminService`]; who may do what is decided
//! before that, by the socket file's mode (0600 in a folder that others cannot write).

pub mod api;
mod client;
mod server;
mod service;
#[cfg(test)]
mod tests;

pub use client::{AdminClient, ClientError, ReplayStream};
pub use server::{AdminServer, BindError};
pub use service::{AdminError, AdminService, Caller, ErrorCode, ReplaySink};
