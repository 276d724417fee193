//! What opens a connection and what is let through: tokens, trusted proxies, limits.

use std::collections::BTreeSet;
use std::path::Path;

use rollcall_ingest::{
    Network, REQUESTS_PER_SECOND_MIN, RateLimit, TOKEN_BYTES_MAX, TOKEN_BYTES_MIN, TOKENS_MAX,
    TRUSTED_PROXIES_MAX, TokenHash, public_keys,
};

use super::section::Section;
use super::{ConfiguredToken, Environment, OauthClient, OauthProof, secret, values};

/// Seconds' worth of requests that may come at once by default.
const BURST_SECONDS: u32 = 4;

/// A file of public keys above this is none.
const KEY_FILE_BYTES_MAX: u64 = 64 * 1024;

/// The tokens of a connection: its own, and those with names. `None` after a problem was noted.
pub(super) fn tokens(
    section: &Section<'_>,
    folder: &Path,
    env: Environment<'_>,
) -> Option<Vec<ConfiguredToken>> {
    let mut tokens = Vec::new();
    let own = section.has("token_env") || section.has("token_file");
    let expires = section.date("token_expires");
    if own {
        tokens.push(
            secret::read_token(section, env, folder).map(|secret| ConfiguredToken {
                name: None,
                secret,
                expires,
            }),
        );
    } else if section.has("token_expires") {
        let expected = "token_env or token_file beside it".to_owned();
        section.wrong(
            "token_expires",
            "there is no token that could expire",
            Some(expected),
        );
    }
    if section.is_text("token") {
        // Not repeated: it is a secret.
        let expected = "token_env or token_file: secrets do not stand in this file".to_owned();
        section.wrong("token", "is no key of this table", Some(expected));
        return None;
    }
    let mut names = BTreeSet::new();
    for named in section.sections_if_any("tenant.connection.token") {
        let token = named_token(&named, folder, env);
        if let Some(name) = token.as_ref().and_then(|token| token.name.clone())
            && !names.insert(name.clone())
        {
            let what = format!("\"{name}\" stands twice in this connection");
            named.wrong("name", what, Some("a name of its own".to_owned()));
        }
        tokens.push(token);
    }
    if tokens.len() > TOKENS_MAX {
        let expected = format!("at most {TOKENS_MAX} tokens");
        section.wrong("token", format!("holds {} tokens", tokens.len()), Some(expected));
    }
    tokens.into_iter().collect()
}

fn named_token(section: &Section<'_>, folder: &Path, env: Environment<'_>) -> Option<ConfiguredToken> {
    section.refuse_unknown();
    let name = section.parsed("name");
    let secret = secret::read_token(section, env, folder);
    let expires = section.date("expires");
    Some(ConfiguredToken {
        name: Some(name?),
        secret: secret?,
        expires,
    })
}

/// The OAuth clients of a connection. `None` after a problem was noted.
pub(super) fn clients(
    section: &Section<'_>,
    folder: &Path,
    env: Environment<'_>,
) -> Option<Vec<OauthClient>> {
    let clients = section.sections_if_any("tenant.connection.client");
    let read: Vec<Option<OauthClient>> = clients
        .iter()
        .map(|client| one_client(client, folder, env))
        .collect();
    read.into_iter().collect()
}

fn one_client(section: &Section<'_>, folder: &Path, env: Environment<'_>) -> Option<OauthClient> {
    section.refuse_unknown();
    let id = section.parsed("id");
    let expires = section.date("expires");
    let proof = match section.path("key_file", folder) {
        Some(file) => client_keys(section, &file),
        None if section.has("key_file") => None, // noted
        None => client_secret(section, folder, env),
    };
    Some(OauthClient {
        id: id?,
        proof: proof?,
        expires,
    })
}

fn client_keys(section: &Section<'_>, file: &Path) -> Option<OauthProof> {
    for other in ["secret_env", "secret_file"] {
        if section.has(other) {
            section.wrong(
                other,
                "stands beside key_file",
                Some("only one of them".to_owned()),
            );
        }
    }
    let keys = values::read_text(file, KEY_FILE_BYTES_MAX)
        .and_then(|text| public_keys(&text).map_err(|error| format!("{} {error}", file.display())));
    match keys {
        Ok(keys) => Some(OauthProof::Keys(keys)),
        Err(what) => {
            section.wrong("key_file", what, None);
            None
        }
    }
}

fn client_secret(section: &Section<'_>, folder: &Path, env: Environment<'_>) -> Option<OauthProof> {
    if !section.has("secret_env") && !section.has("secret_file") {
        let expected = "secret_env = \"VARIABLE\", secret_file = \"path\" or key_file = \"path\"".to_owned();
        section.missing("secret_env", Some(expected));
        return None;
    }
    let secret = secret::read(section, "secret", env, folder)?;
    if TokenHash::of(&secret).is_err() {
        let from = if section.has("secret_env") {
            "secret_env"
        } else {
            "secret_file"
        };
        let expected = format!("{TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX} characters, best made at random");
        section.wrong(
            from,
            "the secret that it leads to is too short or too long",
            Some(expected),
        );
        return None;
    }
    Some(OauthProof::Secret(secret))
}

/// `server.trusted_proxies`.
pub(super) fn trusted_proxies(section: &Section<'_>) -> Option<Vec<Network>> {
    let networks = section.all_parsed("trusted_proxies")?;
    if networks.len() > TRUSTED_PROXIES_MAX {
        let what = format!("holds {} networks", networks.len());
        let expected = format!("at most {TRUSTED_PROXIES_MAX}");
        section.wrong("trusted_proxies", what, Some(expected));
        return None;
    }
    Some(networks)
}

/// `[tenant.limits]`: no limit when the rate is 0.
#[expect(
    clippy::option_option,
    reason = "none: a problem was noted; some none: no limit is set"
)]
pub(super) fn limits(section: &Section<'_>) -> Option<Option<RateLimit>> {
    section.refuse_unknown();
    let rate = section.integer("requests_per_second");
    let burst = section.integer("burst");
    let rate = u32::try_from(rate?).ok()?;
    if rate == 0 {
        return Some(None);
    }
    if rate < REQUESTS_PER_SECOND_MIN {
        let expected = format!("{REQUESTS_PER_SECOND_MIN} or more, or 0 for no limit");
        section.wrong(
            "requests_per_second",
            format!("{rate} is less than identity providers rely on"),
            Some(expected),
        );
        return None;
    }
    let burst = match burst {
        Some(burst) => u32::try_from(burst).ok()?,
        None => rate.saturating_mul(BURST_SECONDS),
    };
    Some(Some(RateLimit {
        per_second: rate,
        burst,
    }))
}
