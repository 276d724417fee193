//! The handle by which tests and the demo steer a running simulator.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::behavior::Behavior;
use crate::core::{Core, Stats};
use crate::faults::{Down, Fault, FaultId};
use crate::journal::JournalEntry;
use crate::seed::{Seed, SeedLocation, SeedRetailer, SeedUser};
use crate::sim::SimError;
use crate::snapshot::{UserSnapshot, snapshot};

/// Steers a running simulator from the same process.
#[derive(Debug, Clone)]
pub struct SimHandle {
    pub(crate) core: Arc<Core>,
    pub(crate) addr: SocketAddr,
    pub(crate) control_addr: SocketAddr,
    pub(crate) down: watch::Sender<Option<Down>>,
    pub(crate) ack: watch::Receiver<Option<Down>>,
}

impl SimHandle {
    /// Where Fluent's endpoints listen.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Sets a fault.
    ///
    /// # Errors
    /// [`SimError::TooManyFaults`].
    pub fn inject(&self, fault: Fault) -> Result<FaultId, SimError> {
        self.core
            .with(|inner, now, _| inner.faults.inject(fault, now))
            .ok_or(SimError::TooManyFaults)
    }

    /// Clears one fault; false when it was no longer set.
    pub fn clear(&self, id: FaultId) -> bool {
        self.core.with(|inner, _, _| inner.faults.clear(id))
    }

    /// Clears all faults (not [`Self::set_down`]).
    pub fn clear_faults(&self) {
        self.core.with(|inner, _, _| inner.faults.clear_all());
    }

    /// The faults that are set, with what is left of their `times`.
    #[must_use]
    pub fn faults(&self) -> Vec<(FaultId, Fault)> {
        self.core.with(|inner, _, _| inner.faults.list())
    }

    /// Goes down (open connections are cut) or comes up again; returns once that is in force.
    pub async fn set_down(&self, mode: Option<Down>) {
        self.down.send_replace(mode);
        let mut ack = self.ack.clone();
        // An error means the simulator has stopped, which is as down as it gets.
        let _in_force = ack.wait_for(|seen| *seen == mode).await;
    }

    /// Ends every live token.
    pub fn revoke_tokens(&self) {
        self.core.with(|inner, _, _| inner.logins.revoke_all());
    }

    /// Sets the life of tokens issued from now on, in seconds.
    pub fn set_expires_in(&self, seconds: u64) {
        self.core.with(|inner, _, _| inner.logins.expires_in = seconds);
    }

    /// Changes the API user's password.
    pub fn set_password(&self, password: &str) {
        self.core
            .with(|inner, _, _| password.clone_into(&mut inner.logins.credentials.password));
    }

    /// Whether the API user is locked out.
    #[must_use]
    pub fn locked_out(&self) -> bool {
        self.core.with(|inner, now, _| inner.logins.locked(now))
    }

    /// Takes a permission (`USER_UPDATE`, …) from the API user: what needs it fails with `C0020E`.
    pub fn deny_permission(&self, permission: &str) {
        self.core
            .with(|inner, _, _| inner.denied.insert(permission.to_owned()));
    }

    /// Gives all permissions back.
    pub fn allow_all(&self) {
        self.core.with(|inner, _, _| inner.denied.clear());
    }

    /// The switches.
    #[must_use]
    pub fn behavior(&self) -> Behavior {
        self.core.with(|inner, _, _| inner.state.behavior.clone())
    }

    /// Changes the switches.
    pub fn set_behavior(&self, behavior: Behavior) {
        self.core.with(|inner, _, _| inner.state.set_behavior(behavior));
    }

    /// Moves the clock: tokens expire, lock-outs end, late changes land.
    pub fn advance(&self, by: Duration) {
        self.core.clock.advance(by);
        self.core.with(|_, _, _| ());
    }

    /// Simulator time in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.core.with(|_, _, unix| unix)
    }

    /// Makes every late change now; how many requests that were.
    pub fn land_now(&self) -> usize {
        self.core.land_all()
    }

    /// How many cut requests have yet to land.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.core.pending()
    }

    /// Adds a role if it is not there; its id.
    pub fn add_role(&self, name: &str) -> u64 {
        self.core
            .with(|inner, _, _| inner.state.add_role(name, Vec::new()))
    }

    /// Adds a retailer; its id.
    ///
    /// # Errors
    /// [`SimError::Seed`] when the ref or id is taken.
    pub fn add_retailer(&self, reference: &str) -> Result<u64, SimError> {
        let retailer = SeedRetailer {
            id: None,
            reference: reference.to_owned(),
            trading_name: None,
            status: "ACTIVE".into(),
        };
        self.put_retailer(&retailer)
    }

    /// Adds a retailer with all it may have; its id.
    ///
    /// # Errors
    /// [`SimError::Seed`] when the ref or id is taken.
    pub fn put_retailer(&self, retailer: &SeedRetailer) -> Result<u64, SimError> {
        Ok(self
            .core
            .with(|inner, _, unix| inner.state.add_retailer(retailer, unix))?)
    }

    /// Adds a location of the retailer with this ref; its id.
    ///
    /// # Errors
    /// [`SimError::Seed`] when the ref or id is taken or there is no such retailer.
    pub fn add_location(&self, reference: &str, retailer: &str) -> Result<u64, SimError> {
        let location = SeedLocation {
            id: None,
            reference: reference.to_owned(),
            name: None,
            retailer: retailer.to_owned(),
            status: "ACTIVE".into(),
        };
        self.put_location(&location)
    }

    /// Adds a location with all it may have; its id.
    ///
    /// # Errors
    /// [`SimError::Seed`] when the ref or id is taken or there is no such retailer.
    pub fn put_location(&self, location: &SeedLocation) -> Result<u64, SimError> {
        Ok(self
            .core
            .with(|inner, _, unix| inner.state.add_location(location, unix))?)
    }

    /// Adds a user as it is, past the checks and the journal of `createUser`; its id.
    ///
    /// # Errors
    /// [`SimError::Seed`] when the name or id is taken.
    pub fn put_user(&self, user: &SeedUser) -> Result<u64, SimError> {
        Ok(self
            .core
            .with(|inner, _, unix| inner.state.add_user(user, unix))?)
    }

    /// Adds a whole seed to what is there.
    ///
    /// # Errors
    /// [`SimError::Seed`]; what came before the part that does not fit stays.
    pub fn load(&self, seed: &Seed) -> Result<(), SimError> {
        Ok(self.core.with(|inner, _, unix| inner.state.load(seed, unix))?)
    }

    /// All users in id order.
    #[must_use]
    pub fn users(&self) -> Vec<UserSnapshot> {
        self.core
            .with(|inner, _, _| inner.state.users.rows.values().map(snapshot).collect())
    }

    /// One user by name, compared as the switches say.
    #[must_use]
    pub fn user(&self, username: &str) -> Option<UserSnapshot> {
        self.core
            .with(|inner, _, _| inner.state.user_by_name(username).map(snapshot))
    }

    /// How many users there are, the API user included.
    #[must_use]
    pub fn user_count(&self) -> usize {
        self.core.with(|inner, _, _| inner.state.users.rows.len())
    }

    /// Every mutation received that is still kept, oldest first.
    #[must_use]
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.journal_since(0)
    }

    /// The mutations from number `from` on.
    #[must_use]
    pub fn journal_since(&self, from: u64) -> Vec<JournalEntry> {
        self.core.with(|inner, _, _| inner.journal.since(from))
    }

    /// The number the next mutation will get.
    #[must_use]
    pub fn journal_next(&self) -> u64 {
        self.core.with(|inner, _, _| inner.journal.next_seq())
    }

    /// Counts since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.core.with(|inner, _, _| inner.stats)
    }

    /// A number that moves with every mutation received or applied; wait on it instead of sleeping.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.core.revision.subscribe()
    }

    /// Waits until the condition holds, looking again after every mutation. Bound it with a time-out of your
    /// own.
    pub async fn wait_until(&self, mut condition: impl FnMut(&Self) -> bool) {
        let mut changes = self.subscribe();
        while !condition(self) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}
