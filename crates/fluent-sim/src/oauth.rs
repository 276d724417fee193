//! `POST /oauth/token`: logins, tokens, lock-outs.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// Bad logins after which a user is locked out.
pub const LOCKOUT_AFTER: u32 = 5;

/// How long a lock-out lasts.
pub const LOCKOUT: Duration = Duration::from_secs(15 * 60);

/// Life of a token in seconds, as one real answer showed.
pub const DEFAULT_EXPIRES_IN: u64 = 86_399;

/// The client that gets refresh tokens.
pub const REFRESHING_CLIENT: &str = "FLUENT_INTEGRATION";

/// Tokens kept; the expired ones go first, then all. A client holds one.
const MAX_TOKENS: usize = 10_000;

/// What the engine logs in with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Credentials {
    /// The OAuth client, usually the account's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: String,
    /// The API user.
    pub username: String,
    /// The API user's password.
    pub password: String,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            client_id: "SIM".into(),
            client_secret: "sim-client-secret".into(),
            username: "rollcall-api".into(),
            password: "sim-password".into(),
        }
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// The parameters of a token request, from form or query.
#[derive(Deserialize, Default)]
pub(crate) struct TokenRequest {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    username: Option<String>,
    password: Option<String>,
    refresh_token: Option<String>,
    #[serde(rename = "scope")]
    _scope: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Logins {
    pub(crate) credentials: Credentials,
    pub(crate) expires_in: u64,
    tokens: HashMap<String, Duration>,
    refresh: HashMap<String, ()>,
    bad: u32,
    locked_until: Option<Duration>,
    issued: u64,
}

/// Why a login was not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Login,
    Client,
    Grant,
}

impl Refusal {
    pub(crate) fn answer(self) -> (u16, Json) {
        let (status, error, description) = match self {
            Self::Login => (400, "invalid_grant", "Bad credentials"),
            Self::Client => (401, "invalid_client", "Bad client credentials"),
            Self::Grant => (400, "unsupported_grant_type", "Unsupported grant type"),
        };
        (
            status,
            json!({ "error": error, "error_description": description }),
        )
    }
}

impl Logins {
    pub(crate) fn new(credentials: Credentials, expires_in: u64) -> Self {
        Self {
            credentials,
            expires_in,
            tokens: HashMap::new(),
            refresh: HashMap::new(),
            bad: 0,
            locked_until: None,
            issued: 0,
        }
    }

    /// Judges a token request. `allowed` is false when the user may not log in (inactive).
    pub(crate) fn request(
        &mut self,
        request: &TokenRequest,
        allowed: bool,
        now: Duration,
        bits: u64,
    ) -> Result<Json, Refusal> {
        let known = &self.credentials;
        let client = request.client_id.as_deref();
        if client != Some(known.client_id.as_str()) && client != Some(REFRESHING_CLIENT)
            || request.client_secret.as_deref() != Some(known.client_secret.as_str())
        {
            return Err(Refusal::Client);
        }
        match request.grant_type.as_deref() {
            Some("password") => self.password(request, allowed, now)?,
            Some("refresh_token") => {
                let token = request.refresh_token.as_deref().unwrap_or_default();
                // A refresh token works once.
                if self.refresh.remove(token).is_none() || !allowed {
                    return Err(Refusal::Login);
                }
            }
            _ => return Err(Refusal::Grant),
        }
        Ok(self.issue(client == Some(REFRESHING_CLIENT), now, bits))
    }

    fn password(&mut self, request: &TokenRequest, allowed: bool, now: Duration) -> Result<(), Refusal> {
        if self.locked_until.is_some_and(|until| now < until) {
            return Err(Refusal::Login);
        }
        if self.locked_until.take().is_some() {
            self.bad = 0;
        }
        let known = &self.credentials;
        let same_user = request.username.as_deref() == Some(known.username.as_str());
        if same_user && request.password.as_deref() == Some(known.password.as_str()) && allowed {
            self.bad = 0;
            return Ok(());
        }
        if same_user {
            self.bad += 1;
            if self.bad >= LOCKOUT_AFTER {
                self.locked_until = Some(now + LOCKOUT);
            }
        }
        Err(Refusal::Login)
    }

    fn issue(&mut self, refreshing: bool, now: Duration, bits: u64) -> Json {
        if self.tokens.len() >= MAX_TOKENS {
            self.tokens.retain(|_, until| *until > now);
            self.refresh.clear();
            if self.tokens.len() >= MAX_TOKENS {
                self.tokens.clear();
            }
        }
        self.issued += 1;
        let token = format!("sim-{}-{bits:016x}", self.issued);
        self.tokens
            .insert(token.clone(), now + Duration::from_secs(self.expires_in));
        let mut answer = json!({
            "access_token": token,
            "token_type": "bearer",
            "expires_in": self.expires_in,
            "scope": "api",
            "FirstName": "API",
            "LastName": "User",
            "Roles": ["ADMIN"],
        });
        if let (true, Some(fields)) = (refreshing, answer.as_object_mut()) {
            let refresh = format!("refresh-{}-{bits:016x}", self.issued);
            self.refresh.insert(refresh.clone(), ());
            fields.insert("refresh_token".into(), json!(refresh));
        }
        answer
    }

    pub(crate) fn accepts(&self, token: &str, now: Duration) -> bool {
        self.tokens.get(token).is_some_and(|until| now < *until)
    }

    /// Ends every live token, as an expiry on the other side would. Refresh tokens stay.
    pub(crate) fn revoke_all(&mut self) {
        self.tokens.clear();
    }

    pub(crate) fn locked(&self, now: Duration) -> bool {
        self.locked_until.is_some_and(|until| now < until)
    }
}
