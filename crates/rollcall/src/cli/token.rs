//! `rollcall token`: works on the token file alone, so it needs neither a running instance nor any secret.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;

use anyhow::Context as _;
use rollcall_domain::{ConnectionName, TenantId, Timestamp};
use rollcall_ingest::{
    Clock as _, CredentialKind, CredentialState, NEW_TOKEN_BYTES, NewToken, StoredToken, SystemClock,
    TokenFile, TokenId, TokenName,
};
use secrecy::ExposeSecret as _;
use serde::Serialize;

use super::TokenCommand;
use crate::admin::api::CredentialStatus;
use crate::config::{self, Config, values};
use crate::exit::Failure;
use crate::output::{self, Checked, Format, line};
use crate::tokens::TokenStore;

/// When a new token ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// Never.
    Never,
    /// So many milliseconds after it was made.
    After(u64),
    /// At a point in time.
    At(Timestamp),
}

impl FromStr for Expiry {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "never" {
            return Ok(Self::Never);
        }
        let after = values::duration(text)
            .filter(|millis| *millis > 0)
            .map(Self::After);
        after
            .or_else(|| values::date(text).map(Self::At))
            .ok_or("a time such as 90d, a date such as 2027-01-31, or never")
    }
}

impl Expiry {
    fn of(self, now: Timestamp) -> Result<Option<Timestamp>, Failure> {
        let end = match self {
            Self::Never => return Ok(None),
            Self::After(millis) => now.plus_millis(i64::try_from(millis).unwrap_or(i64::MAX)),
            Self::At(end) => end,
        };
        if end <= now {
            return Err(Failure::Usage(format!("--expires: {end} has passed")));
        }
        // Later than RFC 3339 can write would be read as nothing.
        end.to_string()
            .parse::<Timestamp>()
            .map_err(|_| Failure::Usage("--expires: too late".to_owned()))?;
        Ok(Some(end))
    }
}

/// What `rollcall token new` prints with `--json`.
#[derive(Serialize)]
struct Made<'a> {
    id: TokenId,
    tenant: &'a TenantId,
    connection: &'a ConnectionName,
    name: &'a TokenName,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
    token: &'a str,
}

pub(super) fn run(file: &Path, command: TokenCommand, format: Format) -> Result<(), Failure> {
    let store = TokenStore::at(config::load_places(file)?.tokens);
    let now = SystemClock.now();
    match command {
        TokenCommand::New {
            connection,
            name,
            expires,
            tenant,
        } => {
            let tenant = tenant_of(file, &connection, tenant)?;
            let expires = expires.of(now)?;
            let wanted = Wanted {
                tenant,
                connection,
                name,
                expires,
            };
            new(&store, wanted, now, format)
        }
        TokenCommand::List { connection, tenant } => {
            let tokens = store.read().map_err(anyhow::Error::new)?;
            let wanted = |token: &&StoredToken| {
                connection.as_ref().is_none_or(|name| *name == token.connection)
                    && tenant.as_ref().is_none_or(|id| *id == token.tenant)
            };
            let listed: Vec<CredentialStatus> = tokens
                .tokens()
                .iter()
                .filter(wanted)
                .map(|token| listed(token, now))
                .collect();
            format.print(&listed, || list(&listed));
            Ok(())
        }
        TokenCommand::Revoke { id } => revoke(&store, id, now, format),
    }
}

/// The tenant whose connection is meant.
fn tenant_of(
    file: &Path,
    connection: &ConnectionName,
    tenant: Option<TenantId>,
) -> Result<TenantId, Failure> {
    let all = config::load_connections(file)?;
    let having: Vec<&TenantId> = all
        .iter()
        .filter(|(_, name)| name == connection)
        .map(|(id, _)| id)
        .collect();
    match (tenant, having.as_slice()) {
        (Some(tenant), having) if having.contains(&&tenant) => Ok(tenant),
        (None, [only]) => Ok((*only).clone()),
        (None, [_, _, ..]) => Err(Failure::Usage(format!(
            "several tenants have a connection {connection}: name one with --tenant"
        ))),
        (Some(tenant), _) => Err(Failure::Usage(format!(
            "tenant {tenant} has no connection {connection} in {}",
            file.display()
        ))),
        (None, []) => Err(Failure::Usage(format!(
            "there is no connection {connection} in {}",
            file.display()
        ))),
    }
}

/// Whose a new token is to be.
struct Wanted {
    tenant: TenantId,
    connection: ConnectionName,
    /// None for the day.
    name: Option<TokenName>,
    expires: Option<Timestamp>,
}

fn new(store: &TokenStore, wanted: Wanted, now: Timestamp, format: Format) -> Result<(), Failure> {
    let (made, stored) = make(store, wanted, now)?;
    let result = Made {
        id: stored.id,
        tenant: &stored.tenant,
        connection: &stored.connection,
        name: &stored.name,
        expires: stored.expires,
        token: made.text.expose_secret(),
    };
    if format == Format::Json {
        format.print(&result, String::new);
        return Ok(());
    }
    // The token alone goes to the standard output, so that it can be piped to where it is needed.
    line(result.token);
    let until = stored
        .expires
        .map_or_else(|| "never expires".to_owned(), |end| format!("expires at {end}"));
    eprintln!(
        "token {} (id {}) of {}/{}, {until}; it is shown only now, {} keeps its hash",
        stored.name,
        stored.id,
        stored.tenant,
        stored.connection,
        store.path().display()
    );
    Ok(())
}

/// Makes a token and puts its hash into the file. Its name is chosen under the file's lock: two commands at once
/// see each other's.
fn make(store: &TokenStore, wanted: Wanted, now: Timestamp) -> anyhow::Result<(NewToken, StoredToken)> {
    let mut random = [0u8; NEW_TOKEN_BYTES];
    getrandom::fill(&mut random)
        .map_err(|error| anyhow::anyhow!("the system gave no random bytes for a new token: {error}"))?;
    let made = NewToken::from_random(&random);
    let Wanted {
        tenant,
        connection,
        name,
        expires,
    } = wanted;
    let today = TokenName::new(
        now.to_string()
            .chars()
            .take("2026-11-25".len())
            .collect::<String>(),
    )?;
    let add = |file: &mut TokenFile| {
        let name = name.unwrap_or_else(|| name_of_today(file, &tenant, &connection, today));
        let stored = StoredToken {
            id: made.id,
            tenant,
            connection,
            name,
            hash: made.hash.clone(),
            created: now,
            expires,
            revoked: None,
        };
        file.add(stored.clone(), now).map(|()| stored)
    };
    let stored = store.change(add)?;
    Ok((made, stored))
}

/// The day, with a number behind it when a token of the connection has that name, live or not.
fn name_of_today(
    file: &TokenFile,
    tenant: &TenantId,
    connection: &ConnectionName,
    today: TokenName,
) -> TokenName {
    let own = file.tokens().iter();
    let own = own.filter(|token| token.tenant == *tenant && token.connection == *connection);
    let names: BTreeSet<&str> = own.map(|token| token.name.as_str()).collect();
    let numbered = (2..=names.len() + 1).map(|number| format!("{}-{number}", today.as_str()));
    let free = std::iter::once(today.as_str().to_owned())
        .chain(numbered)
        .find(|name| !names.contains(name.as_str()));
    // A number behind the day fits; if it did not, the day itself would be refused as taken.
    free.and_then(|name| TokenName::new(name).ok()).unwrap_or(today)
}

fn revoke(store: &TokenStore, id: TokenId, now: Timestamp, format: Format) -> Result<(), Failure> {
    let revoked = store
        .change(|file| Ok(file.revoke(id, now).cloned()))
        .map_err(anyhow::Error::new)?;
    let Some(token) = revoked else {
        let path = store.path().display();
        return Err(Failure::Other(anyhow::anyhow!(
            "there is no token {id} in {path}"
        )));
    };
    let shown = listed(&token, now);
    format.print(&shown, || {
        format!(
            "token {} (id {id}) of {}/{} is revoked",
            token.name, token.tenant, token.connection
        )
    });
    Ok(())
}

fn listed(token: &StoredToken, now: Timestamp) -> CredentialStatus {
    CredentialStatus {
        tenant: token.tenant.clone(),
        connection: token.connection.clone(),
        name: token.name.to_string(),
        id: Some(token.id.to_string()),
        kind: CredentialKind::Stored.as_str().to_owned(),
        state: token.state(now).as_str().to_owned(),
        expires: token.expires,
        last_used: None,
    }
}

fn list(tokens: &[CredentialStatus]) -> String {
    if tokens.is_empty() {
        return "no token was made yet".to_owned();
    }
    output::tokens(tokens)
}

/// What `rollcall check` says of the token file, and of connections that nothing opens.
pub(super) fn check(config: &Config, now: Timestamp) -> Vec<Checked> {
    let store = TokenStore::at(config.token_file());
    let file = match store.read().context("reading the token file") {
        Ok(file) => file,
        Err(error) => return vec![Checked::failed("tokens", format!("{error:#}"))],
    };
    let mut checks = Vec::new();
    for token in file.tokens() {
        let what = format!("token {} of {}/{}", token.name, token.tenant, token.connection);
        let end = token.expires.map(|end| end.to_string()).unwrap_or_default();
        match token.state(now) {
            CredentialState::ExpiresSoon => {
                let found = format!("expires at {end}: give the identity provider its next one");
                checks.push(Checked::warning(what, found));
            }
            CredentialState::Expired => checks.push(Checked::warning(what, format!("expired at {end}"))),
            CredentialState::Valid | CredentialState::Revoked => {}
        }
    }
    for tenant in &config.tenants {
        let closed = |c: &&config::Connection| c.tokens.is_empty() && c.clients.is_empty();
        for connection in tenant.connections.iter().filter(closed) {
            let opened = file.tokens().iter().any(|token| {
                token.is_live(now) && token.tenant == tenant.id && token.connection == connection.name
            });
            if !opened {
                checks.push(Checked::warning(
                    format!("connection {}/{}", tenant.id, connection.name),
                    "nothing opens it: make a token with `rollcall token new`",
                ));
            }
        }
    }
    checks
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_end_is_a_time_a_date_or_never_and_lies_ahead() {
        let now = values::date("2026-11-25").unwrap();
        let end = |text: &str| text.parse::<Expiry>().unwrap().of(now).unwrap();
        assert_eq!(end("never"), None);
        assert_eq!(end("1d"), values::date("2026-11-26"));
        assert_eq!(end("2027-01-31"), values::date("2027-01-31"));
        for bad in ["", "soon", "0d", "90", "-1d"] {
            assert!(bad.parse::<Expiry>().is_err(), "{bad:?}");
        }
        for past in ["2026-11-25", "2020-01-01", "99999999999d"] {
            let expiry = past.parse::<Expiry>().unwrap();
            assert!(matches!(expiry.of(now), Err(Failure::Usage(_))), "{past:?}");
        }
    }

    fn wanted() -> Wanted {
        Wanted {
            tenant: TenantId::new("acme").unwrap(),
            connection: ConnectionName::new("entra").unwrap(),
            name: None,
            expires: None,
        }
    }

    #[test]
    fn two_new_tokens_at_once_have_two_names() {
        let folder = tempfile::tempdir().unwrap();
        let store = TokenStore::at(folder.path().join("tokens.json"));
        let now = values::date("2026-11-25").unwrap();
        let mut names = BTreeSet::new();
        for round in 0..20 {
            let start = std::sync::Barrier::new(2);
            let made = std::thread::scope(|scope| {
                let both = [(), ()].map(|()| {
                    scope.spawn(|| {
                        start.wait();
                        make(&store, wanted(), now).unwrap().1
                    })
                });
                both.map(|thread| thread.join().unwrap())
            });
            for token in made {
                store
                    .change(|file| Ok(file.revoke(token.id, now).is_some()))
                    .unwrap();
                assert!(
                    names.insert(token.name.to_string()),
                    "{} twice in round {round}",
                    token.name
                );
            }
        }
        assert!(
            names.contains("2026-11-25") && names.contains("2026-11-25-40"),
            "{names:?}"
        );
    }

    #[test]
    fn a_name_of_the_day_that_somebody_took_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let store = TokenStore::at(folder.path().join("tokens.json"));
        let now = values::date("2026-11-25").unwrap();
        let taken = Some(TokenName::new("2026-11-25-2").unwrap());
        make(
            &store,
            Wanted {
                name: taken,
                ..wanted()
            },
            now,
        )
        .unwrap();
        let names = [(), ()].map(|()| make(&store, wanted(), now).unwrap().1.name.to_string());
        assert_eq!(names, ["2026-11-25", "2026-11-25-3"]);
    }
}
