//! A seat at the door: one credential of a connection, with all that its requests need resolved once.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use rollcall_domain::{ConnectionName, Source};

use crate::connection::Connection;
use crate::directory::Directory;
use crate::limit::TenantGate;
use crate::traps::Traps;

/// A connection and its tenant's directory, as one of its credentials opens them.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    pub(crate) connection: Arc<Connection>,
    pub(crate) directory: Arc<dyn Directory>,
    /// What the tenant may ask for at a time.
    pub(crate) gate: Arc<TenantGate>,
    /// The connection has OAuth clients.
    pub(crate) oauth: bool,
    /// `source` of every event from here.
    pub(crate) source: Source,
    /// `actor` of every event from here: the connection and the credential's name.
    pub(crate) actor: String,
    /// Key of the tenant's events in the log.
    pub(crate) log_key: Bytes,
    /// What the connection's traffic shows of known traps, whichever credential it came by.
    pub(crate) traps: Arc<Mutex<Traps>>,
}

impl Seat {
    pub(crate) fn new(
        connection: Arc<Connection>,
        directory: Arc<dyn Directory>,
        gate: Arc<TenantGate>,
        oauth: bool,
    ) -> Self {
        Self {
            source: Source::Scim(connection.name.clone()),
            actor: format!("connection/{}", connection.name),
            log_key: Bytes::copy_from_slice(connection.tenant.as_str().as_bytes()),
            connection,
            directory,
            gate,
            oauth,
            traps: Arc::default(),
        }
    }

    /// The same seat for the credential of this name.
    pub(crate) fn under(&self, credential: &str) -> Self {
        Self {
            actor: format!("connection/{}/{credential}", self.connection.name),
            ..self.clone()
        }
    }

    /// The connection whose users and groups can be seen from here.
    pub(crate) fn name(&self) -> &ConnectionName {
        &self.connection.name
    }
}
