//! What can go wrong, on what, and whether trying again helps.
//!
//! Fluent's own messages are not kept: they may name people. Codes, statuses and missing permissions are.

use std::fmt;
use std::time::Duration;

use rollcall_domain::Timestamp;

/// Pause after `C0011E` or a 429 that names none: what Fluent's own SDK waits.
pub const RATE_LIMIT_PAUSE: Duration = Duration::from_secs(60);

/// Pause after a general failure inside Fluent (`S0002E`, `S0020E`, `T…`), as Fluent's own SDK waits.
pub const SERVER_PAUSE: Duration = Duration::from_secs(30);

/// Pause after `S0040E` (the token could not be read inside Fluent).
pub const TOKEN_READ_PAUSE: Duration = Duration::from_secs(10);

/// A `Retry-After` above this is cut: a typing error on the other side must not stop us for a day.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(15 * 60);

/// The operations of this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// `POST /oauth/token`.
    Login,
    /// `me`.
    Me,
    /// Introspection.
    CheckSchema,
    /// `user` or `userById`.
    User,
    /// A page of `users`.
    Users,
    /// A page of `roles`.
    Roles,
    /// A page of `retailers`.
    Retailers,
    /// A page of `locations`.
    Locations,
    /// `createUser`.
    CreateUser,
    /// `updateUser`.
    UpdateUser,
    /// `removeUserRolesFromUser`.
    RemoveRoles,
}

impl Operation {
    /// Fluent's name of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Me => "me",
            Self::CheckSchema => "introspection",
            Self::User => "user",
            Self::Users => "users",
            Self::Roles => "roles",
            Self::Retailers => "retailers",
            Self::Locations => "locations",
            Self::CreateUser => "createUser",
            Self::UpdateUser => "updateUser",
            Self::RemoveRoles => "removeUserRolesFromUser",
        }
    }

    /// Whether it reads hundreds of things at once, which may take longer. Nothing is in doubt when its answer is lost.
    #[must_use]
    pub const fn is_large(self) -> bool {
        matches!(
            self,
            Self::CheckSchema | Self::Users | Self::Roles | Self::Retailers | Self::Locations
        )
    }

    /// Whether it changes something, so that a lost answer leaves a doubt.
    #[must_use]
    pub const fn writes(self) -> bool {
        matches!(self, Self::CreateUser | Self::UpdateUser | Self::RemoveRoles)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One of Fluent's codes: C, S or T (client, server, third party), four digits, E or W (error, warning).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FluentCode(String);

impl FluentCode {
    /// Reads a code out of a text; `None` when it holds none.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let fits = |w: &[u8]| {
            matches!(w, [b'C' | b'S' | b'T', a, b, c, d, b'E' | b'W']
                if [a, b, c, d].iter().all(|digit| digit.is_ascii_digit()))
        };
        let at = bytes.windows(6).position(fits)?;
        text.get(at..at + 6).map(|code| Self(code.to_owned()))
    }

    /// As Fluent writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is only a warning.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        self.0.ends_with('W')
    }

    fn retry_class(&self) -> RetryClass {
        let after = match self.as_str() {
            "C0003E" | "C0011E" => RATE_LIMIT_PAUSE,
            "S0001E" | "S0030E" => return RetryClass::Terminal,
            "S0040E" => TOKEN_READ_PAUSE,
            code if code.starts_with('C') => return RetryClass::Terminal,
            _ => SERVER_PAUSE,
        };
        RetryClass::Retryable { after: Some(after) }
    }
}

impl fmt::Display for FluentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether trying again helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryClass {
    /// It was not done (for a code: so Fluent says) and may work later.
    Retryable {
        /// Not before this much time; `None` leaves it to the caller's own pace.
        after: Option<Duration>,
    },
    /// It was certainly not done and the same request will never work.
    Terminal,
    /// It may have been done, or be done yet: read before writing again.
    Ambiguous,
}

/// How a connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportFault {
    /// No connection came about (refused, no such host, TLS, connect time-out): nothing was sent.
    NotConnected,
    /// The time-out passed after the request may have been sent.
    TimedOut,
    /// The connection broke after the request may have been sent.
    Broken,
}

impl fmt::Display for TransportFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotConnected => "no connection",
            Self::TimedOut => "no answer in time",
            Self::Broken => "the connection broke",
        })
    }
}

/// How a search misbehaved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PagingFault {
    /// Three pages in a row brought nothing new, yet more were promised.
    Stalled,
    /// A cursor came a second time.
    RepeatedCursor,
    /// More pages were promised, without a cursor to ask for them.
    NoCursor,
    /// More rows than any real account has.
    Endless,
}

impl fmt::Display for PagingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stalled => "three pages brought nothing new",
            Self::RepeatedCursor => "a cursor repeats",
            Self::NoCursor => "more pages but no cursor",
            Self::Endless => "it does not end",
        })
    }
}

/// Why an operation did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FluentError {
    /// Fluent answered with one of its codes: this operation was refused.
    #[error("{operation}: refused with {code}{}", list(missing))]
    Refused {
        /// What was asked.
        operation: Operation,
        /// Fluent's code.
        code: FluentCode,
        /// The permissions that `C0020E` says are missing.
        missing: Vec<String>,
    },
    /// Fluent does not understand the request: its schema differs from ours.
    #[error("{operation}: Fluent does not accept the request ({class})")]
    Rejected {
        /// What was asked.
        operation: Operation,
        /// The GraphQL library's class of the error, such as `ValidationError`.
        class: String,
    },
    /// An HTTP status other than success.
    #[error("{operation}: HTTP {status}")]
    Http {
        /// What was asked.
        operation: Operation,
        /// The status.
        status: u16,
        /// What a `Retry-After` said.
        retry_after: Option<Duration>,
    },
    /// No answer.
    #[error("{operation}: {fault} ({detail})")]
    Transport {
        /// What was asked.
        operation: Operation,
        /// How the connection failed.
        fault: TransportFault,
        /// The innermost cause, in the system's words.
        detail: String,
    },
    /// The token was refused, and so was a fresh one.
    #[error("{operation}: the token is refused")]
    Unauthorized {
        /// What was asked.
        operation: Operation,
    },
    /// Fluent refused the login. Until the secret changes or the time comes, no other is tried: five bad ones
    /// lock the user out for 15 minutes.
    #[error("login: refused, not tried again before {until} unless the secret changes")]
    BadLogin {
        /// When the next login is allowed.
        until: Timestamp,
    },
    /// The token endpoint is not usable at present; not a bad login.
    #[error("login: the token endpoint is not available ({cause})")]
    LoginUnavailable {
        /// What happened there last.
        cause: String,
        /// When the next try is due.
        after: Duration,
    },
    /// The answer is not what the operation answers.
    #[error("{operation}: the answer cannot be used: {problem}")]
    BadAnswer {
        /// What was asked.
        operation: Operation,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A search misbehaves.
    #[error("{operation}: paging failed: {fault}")]
    Paging {
        /// What was asked.
        operation: Operation,
        /// How.
        fault: PagingFault,
    },
    /// A single mutation is larger than a request may be.
    #[error("{operation}: {bytes} bytes are more than a request may hold")]
    TooLarge {
        /// What was asked.
        operation: Operation,
        /// Its size.
        bytes: usize,
    },
    /// Not sent: an earlier part of the same batch met a failure that concerns all, or the sender's time had run out
    /// when a token was there at last.
    #[error("{operation}: not sent after an earlier failure, or too late")]
    NotSent {
        /// What was asked.
        operation: Operation,
        /// The pause that the earlier failure asks for.
        after: Option<Duration>,
    },
    /// The system gives no random bytes for a password.
    #[error("createUser: no random bytes")]
    NoRandomness,
}

impl FluentError {
    /// What was asked.
    #[must_use]
    pub fn operation(&self) -> Operation {
        match self {
            Self::Refused { operation, .. }
            | Self::Rejected { operation, .. }
            | Self::Http { operation, .. }
            | Self::Transport { operation, .. }
            | Self::Unauthorized { operation }
            | Self::BadAnswer { operation, .. }
            | Self::Paging { operation, .. }
            | Self::TooLarge { operation, .. }
            | Self::NotSent { operation, .. } => *operation,
            Self::BadLogin { .. } | Self::LoginUnavailable { .. } => Operation::Login,
            Self::NoRandomness => Operation::CreateUser,
        }
    }

    /// The same failure as met by another operation of the same request.
    #[must_use]
    pub(crate) fn with_operation(mut self, of: Operation) -> Self {
        match &mut self {
            Self::Refused { operation, .. }
            | Self::Rejected { operation, .. }
            | Self::Http { operation, .. }
            | Self::Transport { operation, .. }
            | Self::Unauthorized { operation }
            | Self::BadAnswer { operation, .. }
            | Self::Paging { operation, .. }
            | Self::TooLarge { operation, .. }
            | Self::NotSent { operation, .. } => *operation = of,
            Self::BadLogin { .. } | Self::LoginUnavailable { .. } | Self::NoRandomness => {}
        }
        self
    }

    /// Fluent's code, where it gave one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code.as_str()),
            _ => None,
        }
    }

    /// Whether Fluent says that what was to be acted on does not exist (`C0120E`).
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.code() == Some("C0120E")
    }

    /// Whether Fluent says that the name is taken (`C0123E`).
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        self.code() == Some("C0123E")
    }

    /// Whether Fluent asks for fewer requests (`C0011E` or HTTP 429).
    #[must_use]
    pub fn is_rate_limit(&self) -> bool {
        self.code() == Some("C0011E") || matches!(self, Self::Http { status: 429, .. })
    }

    /// Whether every other request would meet the same, so that all should wait and not only this user.
    #[must_use]
    pub fn concerns_all(&self) -> bool {
        match self {
            Self::Refused { code, .. } => matches!(code.as_str(), "C0003E" | "C0011E" | "C0020E" | "S0040E"),
            Self::Http { status, .. } => *status == 429 || *status >= 500 || *status == 403,
            Self::Transport { .. }
            | Self::Unauthorized { .. }
            | Self::BadLogin { .. }
            | Self::LoginUnavailable { .. }
            | Self::NotSent { .. }
            | Self::NoRandomness => true,
            Self::Rejected { .. } | Self::BadAnswer { .. } | Self::Paging { .. } | Self::TooLarge { .. } => {
                false
            }
        }
    }

    /// Whether trying again helps, and whether it may have been done after all.
    #[must_use]
    pub fn retry_class(&self) -> RetryClass {
        let later = |after| RetryClass::Retryable { after };
        let unsure = |operation: Operation| {
            if operation.writes() {
                RetryClass::Ambiguous
            } else {
                later(None)
            }
        };
        match self {
            Self::Refused { code, .. } => code.retry_class(),
            Self::Http {
                status: 429,
                retry_after,
                ..
            } => later(Some(retry_after.unwrap_or(RATE_LIMIT_PAUSE))),
            Self::Http {
                operation,
                status,
                retry_after,
            } if *status >= 500 || *status == 408 => match unsure(*operation) {
                RetryClass::Retryable { .. } => later(*retry_after),
                other => other,
            },
            Self::Http { .. } | Self::Rejected { .. } | Self::TooLarge { .. } => RetryClass::Terminal,
            Self::Transport {
                fault: TransportFault::NotConnected,
                ..
            } => later(None),
            Self::Transport { operation, .. } | Self::BadAnswer { operation, .. } => unsure(*operation),
            Self::Unauthorized { .. } => later(Some(SERVER_PAUSE)),
            // The time of the next login is in the error; whoever changes the secret need not wait for it.
            Self::BadLogin { .. } => later(Some(crate::breaker::BAD_LOGIN_PAUSE)),
            Self::LoginUnavailable { after, .. } => later(Some(*after)),
            Self::Paging { .. } | Self::NoRandomness => later(None),
            Self::NotSent { after, .. } => later(*after),
        }
    }
}

fn list(missing: &[String]) -> String {
    if missing.is_empty() {
        String::new()
    } else {
        format!(" (missing {})", missing.join(", "))
    }
}

/// The permission names inside a `C0020E` message: words like `USER_UPDATE`, nothing else of the text.
pub(crate) fn permissions(message: &str) -> Vec<String> {
    /// More would be no message but an attack.
    const MOST: usize = 20;
    let words = message.split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
    let named = words.filter(|word| word.len() < 64 && word.trim_matches('_').contains('_'));
    named.take(MOST).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_inside_a_text() {
        let found = |text| FluentCode::find(text).map(|code| code.to_string());
        assert_eq!(found("error C0120E: no user"), Some("C0120E".into()));
        assert_eq!(found("ÄC0120W"), Some("C0120W".into()));
        assert_eq!(found("C012E"), None);
        assert_eq!(found(""), None);
    }

    #[test]
    fn codes_have_the_pauses_of_fluents_own_sdk() {
        let class = |code: &str| FluentCode(code.into()).retry_class();
        let after = |seconds| RetryClass::Retryable {
            after: Some(Duration::from_secs(seconds)),
        };
        assert_eq!(class("C0011E"), after(60));
        assert_eq!(class("C0003E"), after(60));
        assert_eq!(class("S0002E"), after(30));
        assert_eq!(class("S0020E"), after(30));
        assert_eq!(class("S0040E"), after(10));
        assert_eq!(class("T1234E"), after(30));
        for terminal in [
            "C0001E", "C0020E", "C0120E", "C0123E", "C0141E", "S0001E", "S0030E",
        ] {
            assert_eq!(class(terminal), RetryClass::Terminal, "{terminal}");
        }
    }

    #[test]
    fn a_lost_answer_is_only_a_doubt_for_writes() {
        let lost = |operation, fault| {
            FluentError::Transport {
                operation,
                fault,
                detail: String::new(),
            }
            .retry_class()
        };
        assert_eq!(
            lost(Operation::CreateUser, TransportFault::TimedOut),
            RetryClass::Ambiguous
        );
        let retryable = RetryClass::Retryable { after: None };
        assert_eq!(lost(Operation::User, TransportFault::Broken), retryable);
        assert_eq!(
            lost(Operation::CreateUser, TransportFault::NotConnected),
            retryable
        );
    }

    #[test]
    fn only_permission_names_are_taken_from_a_message() {
        let message = "User Ida Test (ida@x.example) lacks USER_UPDATE, ROLE_VIEW!";
        assert_eq!(permissions(message), ["USER_UPDATE", "ROLE_VIEW"]);
    }
}
