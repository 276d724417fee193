//! What the driver, the publisher and the handles share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use rollcall_domain::TenantId;
use rollcall_eventlog::{EventLog, Partition, Position};
use rustc_hash::FxHashMap;
use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::api::{Quarantine, WakeQueue};
use crate::fold::{AccountIx, TenantState, UserIx};
use crate::store::{Documents, MAILS_MAX, MailChanges, decode_document, mail_hash};
use crate::{ProjectorError, Wake};

/// A tenant's state, and the documents of the turn that is not committed yet.
#[derive(Default)]
pub(crate) struct Live {
    pub(crate) state: TenantState,
    /// The newest bytes of documents that changed since the last commit; none for a deleted user.
    pub(crate) overlay: FxHashMap<UserIx, Option<Vec<u8>>>,
    /// Bytes that were put into it since then.
    pub(crate) overlay_bytes: usize,
    /// Whose e-mail addresses changed since then.
    pub(crate) mails: MailChanges,
}

/// Documents are personal.
impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Live({}, {} documents)",
            self.state.sequence(),
            self.overlay.len()
        )
    }
}

/// One tenant.
#[derive(Debug)]
pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    /// Its number in the store's keys.
    pub(crate) number: u16,
    pub(crate) live: RwLock<Live>,
    documents: Documents,
    subscribers: Mutex<Vec<WakeQueue>>,
}

impl Tenant {
    pub(crate) fn new(id: TenantId, number: u16, state: TenantState, documents: Documents) -> Self {
        let live = RwLock::new(Live {
            state,
            overlay: FxHashMap::default(),
            overlay_bytes: 0,
            mails: MailChanges::default(),
        });
        Self {
            id,
            number,
            live,
            documents,
            subscribers: Mutex::new(Vec::new()),
        }
    }

    /// The attributes of a user that is not deleted. Called with the lock of `live` held, so that document
    /// and user are of one moment.
    pub(crate) fn attributes(
        &self,
        live: &Live,
        user: UserIx,
    ) -> Result<Option<Map<String, Value>>, ProjectorError> {
        let Some(entry) = live.state.users.get(user) else {
            return Ok(None);
        };
        if let Some(changed) = live.overlay.get(&user) {
            return Ok(changed
                .as_deref()
                .and_then(decode_document)
                .map(|(_, attributes)| attributes));
        }
        let read = self.documents.read(self.number, user, entry.revision);
        read.map(Some)
            .map_err(|error| self.unreadable(&error.to_string()))
    }

    /// Users, of any connection, who may have this e-mail address; none when more share it than are looked up.
    pub(crate) fn with_mail(
        &self,
        live: &Live,
        address: &str,
    ) -> Result<Option<Vec<UserIx>>, ProjectorError> {
        let hash = mail_hash(address);
        let read = self.documents.with_mail(self.number, hash, MAILS_MAX + 1);
        let mut users = read.map_err(|error| self.unreadable(&error.to_string()))?;
        live.mails.apply(hash, &mut users);
        Ok((users.len() <= MAILS_MAX).then_some(users))
    }

    pub(crate) fn unreadable(&self, reason: &str) -> ProjectorError {
        ProjectorError::Unreadable {
            tenant: self.id.clone(),
            reason: reason.to_owned(),
        }
    }

    /// The document that a desired user of the account needs.
    pub(crate) fn attributes_for(
        &self,
        live: &Live,
        account: AccountIx,
    ) -> Result<Option<Map<String, Value>>, ProjectorError> {
        match live.state.document_of(account) {
            Some(user) => self.attributes(live, user),
            None => Ok(None),
        }
    }

    pub(crate) fn subscribe(&self) -> crate::WakeReceiver {
        let queue = WakeQueue::default();
        let receiver = queue.receiver();
        self.subscribers.lock().push(queue);
        receiver
    }

    pub(crate) fn wake(&self, wakes: &[Wake]) {
        if wakes.is_empty() {
            return;
        }
        let mut subscribers = self.subscribers.lock();
        subscribers.retain(|queue| !queue.is_abandoned());
        for queue in subscribers.iter() {
            queue.push(wakes.iter().copied());
        }
    }

    fn close(&self) {
        for queue in self.subscribers.lock().drain(..) {
            queue.close();
        }
    }
}

/// The whole projector.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) partition: Partition,
    pub(crate) tenants: RwLock<BTreeMap<TenantId, Arc<Tenant>>>,
    pub(crate) documents: Documents,
    pub(crate) quarantine: Quarantine,
    /// Where the directory stands: 0 before the first record.
    pub(crate) progress: watch::Sender<u64>,
    stopping: AtomicBool,
    /// Why the driver ended; none while it runs.
    ended: RwLock<Option<String>>,
    /// Why nothing is published any more until a restart; none while it is.
    pub(crate) unpublished: RwLock<Option<String>>,
}

impl Core {
    pub(crate) fn new(
        log: Arc<dyn EventLog>,
        partition: Partition,
        documents: Documents,
        position: u64,
    ) -> Self {
        Self {
            log,
            partition,
            tenants: RwLock::new(BTreeMap::new()),
            documents,
            quarantine: Quarantine::default(),
            progress: watch::Sender::new(position),
            stopping: AtomicBool::new(false),
            ended: RwLock::new(None),
            unpublished: RwLock::new(None),
        }
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(crate) fn tenant(&self, id: &TenantId) -> Option<Arc<Tenant>> {
        self.tenants.read().get(id).cloned()
    }

    /// The driver has ended: whoever waits is told.
    pub(crate) fn end(&self, reason: String) {
        *self.ended.write() = Some(reason);
        self.stop();
        self.progress.send_modify(|_| ());
        for tenant in self.tenants.read().values() {
            tenant.close();
        }
    }

    pub(crate) fn check_running(&self) -> Result<(), ProjectorError> {
        match self.ended.read().as_ref() {
            Some(reason) => Err(ProjectorError::Stopped {
                reason: reason.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Waits until the directory has taken in `position`.
    pub(crate) async fn wait_for(&self, position: Position, most: Duration) -> Result<(), ProjectorError> {
        let mut progress = self.progress.subscribe();
        let reached = progress.wait_for(|at| *at >= position.get() || self.ended.read().is_some());
        match tokio::time::timeout(most, reached).await {
            Ok(Ok(at)) if *at >= position.get() => Ok(()),
            Ok(Ok(_)) => self.check_running(),
            Ok(Err(_)) => Err(ProjectorError::Stopped {
                reason: "it was shut down".to_owned(),
            }),
            Err(_) => Err(ProjectorError::NotSettled {
                position,
                waited: most,
            }),
        }
    }
}
