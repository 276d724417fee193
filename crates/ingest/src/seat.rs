//! A seat at the door: one connection, with all that its requests need resolved once.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use rollcall_domain::{ConnectionName, Source};

use crate::connection::Connection;
use crate::directory::Directory;
use crate::traps::Traps;

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
    /// What its traffic shows of known traps.
    pub(crate) traps: Mutex<Traps>,
}

impl Seat {
    pub(crate) fn new(connection: Arc<Connection>, directory: Arc<dyn Directory>) -> Self {
        Self {
            source: Source::Scim(connection.name.clone()),
            actor: format!("connection/{}", connection.name),
            log_key: Bytes::copy_from_slice(connection.tenant.as_str().as_bytes()),
            connection,
            directory,
            traps: Mutex::default(),
        }
    }

    /// The connection whose users and groups can be seen from here.
    pub(crate) fn name(&self) -> &ConnectionName {
        &self.connection.name
    }
}
