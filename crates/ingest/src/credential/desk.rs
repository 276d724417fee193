//! The desk: what is valid now, and who comes in with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use rollcall_domain::{ConnectionName, TenantId, Timestamp};

use super::registry::{Found, Known, LastUsed, Place, Registry};
use super::{
    CredentialKind, CredentialReport, CredentialState, StoredToken, TOKENS_MAX, Token, TokenId, TokenName,
};
use crate::connection::{CONNECTIONS_MAX, Connection, ConnectionError};
use crate::oauth::{Oauth, OauthConfig, is_access_token};
use crate::seat::Seat;

/// Why a request did not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It presented something that is nobody's.
    Unknown,
    /// It presented what was valid once.
    Expired,
}

/// Something in the token file that has no effect. The other tokens have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTrouble {
    /// Which token.
    pub id: TokenId,
    /// Why it opens nothing.
    pub what: &'static str,
}

impl fmt::Display for StoredTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token {}: {}", self.id, self.what)
    }
}

/// Every credential of a door. Clones share it.
#[derive(Debug, Clone)]
pub struct Credentials {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Every connection as it is configured, by tenant and name.
    seats: BTreeMap<(TenantId, ConnectionName), Arc<Seat>>,
    now: RwLock<Arc<Valid>>,
    oauth: Oauth,
}

/// What is valid now: exchanged as a whole.
#[derive(Debug)]
struct Valid {
    registry: Registry<Arc<Seat>>,
    /// For reports: where each token stands in the registry.
    listed: Vec<Listed>,
}

#[derive(Debug)]
struct Listed {
    name: Option<TokenName>,
    id: Option<TokenId>,
    place: Place,
}

impl Credentials {
    /// Checks the connections and seats each; one that `seat` makes nothing of is left out.
    pub(crate) fn new(
        connections: Vec<Connection>,
        oauth: OauthConfig,
        mut seat: impl FnMut(Arc<Connection>) -> Option<Seat>,
    ) -> Result<Self, ConnectionError> {
        if connections.len() > CONNECTIONS_MAX {
            return Err(ConnectionError::TooMany(connections.len()));
        }
        let mut names = BTreeSet::new();
        let mut seats = BTreeMap::new();
        for connection in connections {
            let key = (connection.tenant.clone(), connection.name.clone());
            if connection.tokens.len() > TOKENS_MAX {
                return Err(ConnectionError::TokenCount {
                    tenant: key.0,
                    connection: key.1,
                    count: connection.tokens.len(),
                });
            }
            if !names.insert(key.clone()) {
                return Err(ConnectionError::NameTwice {
                    tenant: key.0,
                    connection: key.1,
                });
            }
            if let Some(seat) = seat(Arc::new(connection)) {
                seats.insert(key, Arc::new(seat));
            }
        }
        let valid = Valid::configured(&seats, None)?;
        let now = RwLock::new(Arc::new(valid));
        let oauth = Oauth::new(oauth, |client| {
            let key = (client.tenant.clone(), client.connection.clone());
            seats.get(&key).cloned()
        })?;
        Ok(Self {
            inner: Arc::new(Inner { seats, now, oauth }),
        })
    }

    /// The seat of what was presented, at `now`.
    pub(crate) fn admit(&self, presented: &[u8], now: Timestamp) -> Result<Arc<Seat>, Refusal> {
        if is_access_token(presented) {
            return self.inner.oauth.admit(presented, now);
        }
        let valid = Arc::clone(&self.inner.now.read());
        match valid.registry.find(presented, now) {
            Found::Opens(seat) => Ok(seat),
            Found::Expired => Err(Refusal::Expired),
            Found::Unknown => Err(Refusal::Unknown),
        }
    }

    /// The OAuth clients.
    pub(crate) fn oauth(&self) -> &Oauth {
        &self.inner.oauth
    }

    /// Every connection's seat, by tenant and name.
    pub(crate) fn seats(&self) -> impl Iterator<Item = &Arc<Seat>> {
        self.inner.seats.values()
    }

    /// Puts the tokens of the token file into the place of those that were there before. Requests that are already
    /// in are finished. What has no effect is returned; a token that was revoked is no trouble.
    pub fn replace_stored(&self, tokens: &[StoredToken]) -> Vec<StoredTrouble> {
        let before = Arc::clone(&self.inner.now.read());
        let Ok(mut valid) = Valid::configured(&self.inner.seats, Some(&before)) else {
            return Vec::new(); // they were taken at the start and have not changed since
        };
        let mut troubles = Vec::new();
        for token in tokens.iter().filter(|token| token.revoked.is_none()) {
            if let Err(what) = valid.take_stored(&self.inner.seats, token, &before) {
                troubles.push(StoredTrouble { id: token.id, what });
            }
        }
        *self.inner.now.write() = Arc::new(valid);
        troubles
    }

    /// Every credential that is known, by tenant and connection.
    #[must_use]
    pub fn report(&self, now: Timestamp) -> Vec<CredentialReport> {
        let valid = Arc::clone(&self.inner.now.read());
        let mut reports: Vec<CredentialReport> = valid
            .listed
            .iter()
            .filter_map(|listed| valid.report(listed, now))
            .collect();
        reports.extend(self.inner.oauth.report(now));
        reports.sort_by(|a, b| (&a.tenant, &a.connection).cmp(&(&b.tenant, &b.connection)));
        reports
    }

    /// Connections that nothing in a report opens, as `tenant/connection`.
    #[must_use]
    pub fn closed(&self, reports: &[CredentialReport]) -> Vec<String> {
        let open: BTreeSet<(&TenantId, &ConnectionName)> = reports
            .iter()
            .filter(|report| report.state != CredentialState::Expired)
            .map(|report| (&report.tenant, &report.connection))
            .collect();
        let closed = self.inner.seats.keys();
        let closed = closed.filter(|(tenant, name)| !open.contains(&(tenant, name)));
        closed.map(|(tenant, name)| format!("{tenant}/{name}")).collect()
    }
}

impl Valid {
    /// What the configuration alone makes valid.
    fn configured(
        seats: &BTreeMap<(TenantId, ConnectionName), Arc<Seat>>,
        before: Option<&Self>,
    ) -> Result<Self, ConnectionError> {
        let mut valid = Self {
            registry: Registry::new(),
            listed: Vec::new(),
        };
        for ((tenant, connection), seat) in seats {
            for token in &seat.connection.tokens {
                let place = Place::opaque(&token.hash);
                if !valid.take(seat, token, None, place, before) {
                    return Err(ConnectionError::TokenTwice {
                        tenant: tenant.clone(),
                        connection: connection.clone(),
                    });
                }
            }
        }
        Ok(valid)
    }

    fn take_stored(
        &mut self,
        seats: &BTreeMap<(TenantId, ConnectionName), Arc<Seat>>,
        stored: &StoredToken,
        before: &Self,
    ) -> Result<(), &'static str> {
        let key = (stored.tenant.clone(), stored.connection.clone());
        let seat = seats.get(&key).ok_or("its connection is not configured here")?;
        let token = Token {
            name: Some(stored.name.clone()),
            hash: stored.hash.clone(),
            expires: stored.expires,
        };
        if self.registry.at(Place::opaque(&stored.hash)).is_some() {
            return Err("it stands in the configuration too");
        }
        let place = Place::ours(stored.id);
        if self.take(seat, &token, Some(stored.id), place, Some(before)) {
            Ok(())
        } else {
            Err("it stands twice in the file")
        }
    }

    fn take(
        &mut self,
        seat: &Arc<Seat>,
        token: &Token,
        id: Option<TokenId>,
        place: Place,
        before: Option<&Self>,
    ) -> bool {
        let old = before.and_then(|before| before.registry.at(place));
        let used = old.map_or_else(LastUsed::default, |known| known.used.clone());
        let seat = match &token.name {
            Some(name) => Arc::new(seat.under(name.as_str())),
            None => Arc::clone(seat),
        };
        let known = Known {
            hash: token.hash.clone(),
            expires: token.expires,
            opens: seat,
            used,
        };
        let taken = self.registry.insert(place, known);
        if taken {
            self.listed.push(Listed {
                name: token.name.clone(),
                id,
                place,
            });
        }
        taken
    }

    fn report(&self, listed: &Listed, now: Timestamp) -> Option<CredentialReport> {
        let known = self.registry.at(listed.place)?;
        let connection = &known.opens.connection;
        Some(CredentialReport {
            tenant: connection.tenant.clone(),
            connection: connection.name.clone(),
            name: listed.name.as_ref().map(ToString::to_string).unwrap_or_default(),
            id: listed.id,
            kind: match listed.id {
                Some(_) => CredentialKind::Stored,
                None => CredentialKind::Configured,
            },
            state: CredentialState::of(known.expires, now),
            expires: known.expires,
            last_used: known.used.get(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::credential::TokenHash;

    fn connection(name: &str, tokens: &[&str]) -> Connection {
        let hash = |token: &&str| TokenHash::of(&(*token).to_owned().into()).unwrap().into();
        Connection {
            tenant: TenantId::new("acme").unwrap(),
            name: ConnectionName::new(name).unwrap(),
            tokens: tokens.iter().map(hash).collect(),
            dialect: rollcall_scim::Dialect::Tolerant,
            repeated_create: crate::RepeatedCreate::default(),
        }
    }

    #[test]
    fn ambiguous_connections_are_refused() {
        // Nobody is seated here, so tokens are not compared: the door's own tests do that.
        let refused =
            |connections| Credentials::new(connections, OauthConfig::default(), |_| None).unwrap_err();
        let many: Vec<String> = (0..=TOKENS_MAX)
            .map(|n| format!("0123456789abcdef-{n}"))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(matches!(
            refused(vec![connection("a", &many)]),
            ConnectionError::TokenCount { .. }
        ));
        let twice = vec![connection("a", &[]), connection("a", &[])];
        assert!(matches!(refused(twice), ConnectionError::NameTwice { .. }));
    }
}
