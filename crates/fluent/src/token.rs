//! The token: got once for all, renewed early, replaced once when refused.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use reqwest::StatusCode;
use rollcall_domain::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::breaker::{LoginBreaker, millis};
use crate::clock::Clock;
use crate::config::FluentConfig;
use crate::error::{FluentError, Operation, RATE_LIMIT_PAUSE};
use crate::transport::{Answer, send};

/// A token is renewed this long before it ends, so that none ends under way.
const RENEW_EARLY: Duration = Duration::from_secs(60);

/// Life of a token whose answer names none, as Fluent's own SDK assumes.
const DEFAULT_LIFE: Duration = Duration::from_secs(3_600);

/// Life of a token at most; a longer one is renewed weekly all the same.
const LIFE_MAX: Duration = Duration::from_secs(7 * 86_400);

/// First and longest pause after a failure of the token endpoint; it doubles in between.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A token in use.
pub(crate) struct Token {
    value: SecretString,
    renew_at: Timestamp,
    generation: u64,
    /// Set once Fluent took it. A token that never worked is no reason for another login at once.
    proven: AtomicBool,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

impl Token {
    pub(crate) fn expose(&self) -> &str {
        self.value.expose_secret()
    }

    pub(crate) fn worked(&self) {
        self.proven.store(true, Ordering::Relaxed);
    }
}

/// Logs in on demand, one login at a time.
#[derive(Debug)]
pub(crate) struct Tokens {
    http: reqwest::Client,
    endpoint: reqwest::Url,
    config: FluentConfig,
    clock: Arc<dyn Clock>,
    current: RwLock<Option<Arc<Token>>>,
    logins: Arc<Mutex<Logins>>,
}

/// What one login leaves for the next; held while one is under way.
#[derive(Debug)]
struct Logins {
    breaker: LoginBreaker,
    failures: u32,
    not_before: Option<Timestamp>,
    cause: String,
    generation: u64,
}

impl Logins {
    /// Notes a failure that is not a bad login and says how long to wait.
    fn failed(&mut self, now: Timestamp, cause: String, wanted: Option<Duration>) -> FluentError {
        let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.failures.min(16)));
        let after = wanted.unwrap_or(doubled.min(LONGEST_PAUSE));
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now.plus_millis(millis(after)));
        self.cause.clone_from(&cause);
        tracing::warn!(cause, ?after, "the token endpoint is not available");
        FluentError::LoginUnavailable { cause, after }
    }

    /// The reason not to log in now, if there is one.
    fn hindrance(&mut self, now: Timestamp) -> Option<FluentError> {
        if let Some(until) = self.breaker.blocked_until(now) {
            return Some(FluentError::BadLogin { until });
        }
        let wait = self.not_before?.millis_since(now);
        // A clock that went back must not stretch the pause.
        let wait = Duration::from_millis(u64::try_from(wait).ok()?).min(LONGEST_PAUSE.max(RATE_LIMIT_PAUSE));
        (!wait.is_zero()).then(|| FluentError::LoginUnavailable {
            cause: self.cause.clone(),
            after: wait,
        })
    }
}

/// The answer to a login that worked.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Tokens {
    pub(crate) fn new(
        http: reqwest::Client,
        endpoint: reqwest::Url,
        config: FluentConfig,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let breaker = LoginBreaker::open(&config);
        let logins = Logins {
            breaker,
            failures: 0,
            not_before: None,
            cause: String::new(),
            generation: 0,
        };
        let logins = Arc::new(Mutex::new(logins));
        Self {
            http,
            endpoint,
            config,
            clock,
            current: RwLock::new(None),
            logins,
        }
    }

    /// A token that is good for a while, by a login if need be.
    pub(crate) async fn get(self: &Arc<Self>) -> Result<Arc<Token>, FluentError> {
        if let Some(token) = self.fresh() {
            return Ok(token);
        }
        let logins = Arc::clone(&self.logins).lock_owned().await;
        if let Some(token) = self.fresh() {
            return Ok(token);
        }
        self.log_in(logins).await
    }

    /// Another token after this one was refused. Whoever comes first logs in, the others share the result.
    pub(crate) async fn replace(self: &Arc<Self>, refused: &Token) -> Result<Arc<Token>, FluentError> {
        let mut logins = Arc::clone(&self.logins).lock_owned().await;
        let current = self.current.read().clone();
        if let Some(current) = current.filter(|current| current.generation != refused.generation) {
            return Ok(current);
        }
        *self.current.write() = None;
        if !refused.proven.load(Ordering::Relaxed) {
            return Err(logins.failed(self.clock.now(), "a fresh token is refused".to_owned(), None));
        }
        self.log_in(logins).await
    }

    fn fresh(&self) -> Option<Arc<Token>> {
        let now = self.clock.now();
        self.current
            .read()
            .as_ref()
            .filter(|token| now < token.renew_at)
            .map(Arc::clone)
    }

    /// Runs as a task of its own: a caller that gives up must not lose what a login taught.
    async fn log_in(
        self: &Arc<Self>,
        mut logins: OwnedMutexGuard<Logins>,
    ) -> Result<Arc<Token>, FluentError> {
        if let Some(hindrance) = logins.hindrance(self.clock.now()) {
            return Err(hindrance);
        }
        let tokens = Arc::clone(self);
        let task = tokio::spawn(async move {
            let answer = tokens.ask().await;
            tokens.learn(&mut logins, answer)
        });
        task.await.unwrap_or_else(|_| {
            Err(FluentError::LoginUnavailable {
                cause: "the login was stopped".to_owned(),
                after: FIRST_PAUSE,
            })
        })
    }

    async fn ask(&self) -> Result<Answer, FluentError> {
        let config = &self.config;
        let form = [
            ("grant_type", "password"),
            ("scope", "api"),
            ("client_id", &config.client_id),
            ("client_secret", config.client_secret.expose_secret()),
            ("username", &config.username),
            ("password", config.password.expose_secret()),
        ];
        let request = self
            .http
            .post(self.endpoint.clone())
            .header("fluent.account", &config.account);
        send(request.form(&form), Operation::Login).await
    }

    fn learn(
        &self,
        logins: &mut Logins,
        answer: Result<Answer, FluentError>,
    ) -> Result<Arc<Token>, FluentError> {
        let now = self.clock.now();
        let answer = match answer {
            Ok(answer) => answer,
            Err(FluentError::Transport { fault, detail, .. }) => {
                return Err(logins.failed(now, format!("{fault}: {detail}"), None));
            }
            Err(error) => return Err(logins.failed(now, error.to_string(), None)),
        };
        match answer.status {
            StatusCode::OK => {}
            // 400 `invalid_grant` is the documented one; the others are refusals as well, and as dangerous.
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let until = logins.breaker.refused(now);
                tracing::warn!(status = answer.status.as_u16(), %until, "Fluent refused the login");
                return Err(FluentError::BadLogin { until });
            }
            StatusCode::TOO_MANY_REQUESTS => {
                let wait = answer
                    .retry_after
                    .unwrap_or(RATE_LIMIT_PAUSE)
                    .min(RATE_LIMIT_PAUSE);
                return Err(logins.failed(now, "HTTP 429".to_owned(), Some(wait)));
            }
            status => {
                return Err(logins.failed(now, format!("HTTP {}", status.as_u16()), answer.retry_after));
            }
        }
        let Ok(granted) = serde_json::from_slice::<Granted>(&answer.body) else {
            return Err(logins.failed(now, "the answer holds no token".to_owned(), None));
        };
        let life = granted
            .expires_in
            .map_or(DEFAULT_LIFE, Duration::from_secs)
            .min(LIFE_MAX);
        let early = RENEW_EARLY.min(life / 2);
        logins.breaker.accepted();
        logins.failures = 0;
        logins.not_before = None;
        logins.generation = logins.generation.wrapping_add(1);
        let token = Arc::new(Token {
            value: granted.access_token.into(),
            renew_at: now.plus_millis(millis(life.saturating_sub(early))),
            generation: logins.generation,
            proven: AtomicBool::new(false),
        });
        *self.current.write() = Some(Arc::clone(&token));
        Ok(token)
    }
}
