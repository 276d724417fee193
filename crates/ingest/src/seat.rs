//! A seat at the door: one connection, with all that its requests need resolved once.

use std::sync::Arc;

use bytes::Bytes;
use rollcall_domain::{ConnectionName, Source};

use crate::connection::Connection;
use crate::directory::Directory;

/// A connection and its tenant's directory.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) connection: Arc<Connection>,
    pub(crate) directory: Arc<dyn Directory>,
    /// `source` of every event from here.
    pub(crate) source: Source,
    /// `actor` of every event from here: the connection's credential.
    pub(crate) actor: String,
    /// Key of the tenant's events in the log.
    pub(crate) log_key: Bytes,
}

impl Seat {
    pub(crate) fn new(connection: Arc<Connection>, directory: Arc<dyn Directory>) -> Self {
        Self {
            source: Source::Scim(connection.name.clone()),
            actor: format!("connection/{}", connection.name),
            log_key: Bytes::copy_from_slice(connection.tenant.as_str().as_bytes()),
            connection,
            directory,
        }
    }

    /// The connection whose users and groups can be seen from here.
    pub(crate) fn name(&self) -> &ConnectionName {
        &self.connection.name
    }
}
