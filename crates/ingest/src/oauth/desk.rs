//! The clients of all connections: who gets an access token, and who comes in with one.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rollcall_domain::Timestamp;

use super::access::{self, Claims};
use super::assertion::Unproven;
use super::client::{Client, ClientError, ClientProof};
use super::key::PublicKey;
use super::replay::{ReplayTable, Seen};
use super::request::{Claimed, Refused};
use super::{OauthConfig, SigningKeys};
use crate::credential::desk::Refusal;
use crate::credential::{CredentialKind, CredentialReport, CredentialState, LastUsed, TokenHash};
use crate::seat::Seat;

/// Said to whoever is not proven, whatever the reason.
const UNKNOWN: Refused = Refused::Client("the client is unknown, or did not prove who it is");

/// The OAuth service of a door.
#[derive(Debug)]
pub(crate) struct Oauth {
    clients: BTreeMap<String, Known>,
    keys: SigningKeys,
    lifetime_seconds: i64,
    replays: Mutex<ReplayTable>,
    /// What the secret or the keys of an unknown client are compared with.
    decoy_secret: TokenHash,
    decoy_keys: Vec<PublicKey>,
}

#[derive(Debug)]
struct Known {
    client: Client,
    fingerprint: String,
    seat: Arc<Seat>,
    used: LastUsed,
}

/// A new access token.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) token: String,
    pub(super) seconds: i64,
}

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoToken {
    /// For a reason of the standard.
    Refused(Refused),
    /// No more assertions can be remembered now.
    Busy,
}

impl From<Refused> for NoToken {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl Oauth {
    /// Seats every client; `seat` gives a connection's seat.
    pub(crate) fn new(
        config: OauthConfig,
        seat: impl Fn(&Client) -> Option<Arc<Seat>>,
    ) -> Result<Self, ClientError> {
        let mut clients = BTreeMap::new();
        for client in config.clients {
            let seat = seat(&client).ok_or_else(|| ClientError::NoConnection(client.id.clone()))?;
            if config.keys.get(client.tenant.as_str()).is_none() {
                return Err(ClientError::NoKey(client.id));
            }
            let id = client.id.clone();
            let known = Known {
                fingerprint: client.fingerprint(),
                seat: Arc::new(seat.under(client.id.as_str())),
                used: LastUsed::default(),
                client,
            };
            if clients.insert(id.to_string(), known).is_some() {
                return Err(ClientError::Twice(id));
            }
        }
        Ok(Self {
            clients,
            keys: config.keys,
            lifetime_seconds: i64::try_from(config.lifetime.as_secs())
                .unwrap_or(i64::MAX)
                .max(1),
            replays: Mutex::default(),
            decoy_secret: TokenHash::of_presented(b"no client has this secret"),
            decoy_keys: PublicKey::decoys(),
        })
    }

    /// Whether there is any client; without one the service is not offered.
    pub(crate) fn is_offered(&self) -> bool {
        !self.clients.is_empty()
    }

    /// An access token for who proves who it is. `audiences` are our names in assertions.
    pub(super) fn issue(
        &self,
        claimed: &Claimed,
        audiences: &[&str],
        now: Timestamp,
    ) -> Result<Issued, NoToken> {
        let known = match claimed {
            Claimed::Secret { client, secret } => self.by_secret(client, secret)?,
            Claimed::Assertion { client, assertion } => {
                self.by_assertion(client.as_deref(), assertion, audiences, now)?
            }
        };
        if known.client.expires.is_some_and(|end| end <= now) {
            return Err(Refused::Client("the client has expired").into());
        }
        let end = now
            .as_millis()
            .div_euclid(1000)
            .saturating_add(self.lifetime_seconds);
        let token = access::issue(&self.keys, &Claims::of(&known.client, end)).ok_or(UNKNOWN)?;
        Ok(Issued {
            token,
            seconds: self.lifetime_seconds,
        })
    }

    /// Whatever is claimed costs one hash and one comparison in constant time.
    fn by_secret(&self, client: &str, secret: &str) -> Result<&Known, NoToken> {
        let presented = TokenHash::of_presented(secret.as_bytes());
        let known = self.clients.get(client);
        let stored = known.and_then(|known| match &known.client.proof {
            ClientProof::Secret(hash) => Some(hash),
            ClientProof::Keys(_) => None,
        });
        let equal = stored.unwrap_or(&self.decoy_secret).equals(&presented);
        known
            .filter(|_| equal && stored.is_some())
            .ok_or(NoToken::Refused(UNKNOWN))
    }

    fn by_assertion(
        &self,
        client: Option<&str>,
        assertion: &str,
        audiences: &[&str],
        now: Timestamp,
    ) -> Result<&Known, NoToken> {
        let unproven = Unproven::parse(assertion).ok_or(UNKNOWN)?;
        let known = self.clients.get(unproven.subject());
        let keys = known.and_then(|known| match &known.client.proof {
            ClientProof::Keys(keys) => Some(keys),
            ClientProof::Secret(_) => None,
        });
        let signed = unproven.is_signed_by(keys.unwrap_or(&self.decoy_keys));
        let known = known.filter(|_| signed && keys.is_some()).ok_or(UNKNOWN)?;
        if client.is_some_and(|client| client != known.client.id.as_str()) {
            return Err(Refused::Client("client_id differs from the assertion's sub").into());
        }
        let now = now.as_millis().div_euclid(1000);
        let proven = unproven.check(audiences, now).map_err(Refused::Client)?;
        let mut replays = self.replays.lock();
        match replays.see(known.client.id.as_str(), &proven.jti, proven.until, now) {
            Seen::First => Ok(known),
            Seen::Again => Err(Refused::Client("the assertion was used before").into()),
            Seen::Full => Err(NoToken::Busy),
        }
    }

    /// The seat of a presented access token.
    pub(crate) fn admit(&self, presented: &[u8], now: Timestamp) -> Result<Arc<Seat>, Refusal> {
        let claims = access::verify(&self.keys, presented).ok_or(Refusal::Unknown)?;
        let known = self.clients.get(&claims.client).ok_or(Refusal::Unknown)?;
        let of_client = known.client.tenant.as_str() == claims.tenant;
        if !of_client || known.fingerprint != claims.fingerprint {
            return Err(Refusal::Unknown);
        }
        let ended = known.client.expires.is_some_and(|end| end <= now);
        if claims.has_expired(now) || ended {
            return Err(Refusal::Expired);
        }
        known.used.note(now);
        Ok(Arc::clone(&known.seat))
    }

    /// Every client, for operators.
    pub(crate) fn report(&self, now: Timestamp) -> impl Iterator<Item = CredentialReport> {
        self.clients.values().map(move |known| CredentialReport {
            tenant: known.client.tenant.clone(),
            connection: known.client.connection.clone(),
            name: known.client.id.to_string(),
            id: None,
            kind: CredentialKind::Client,
            state: CredentialState::of(known.client.expires, now),
            expires: known.client.expires,
            last_used: known.used.get(),
        })
    }
}
