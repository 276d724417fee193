//! What can be set at the door, with the defaults and their reasons.

use std::collections::BTreeMap;
use std::time::Duration;

use rollcall_domain::TenantId;

use crate::limit::{AUTH_FAILURES_MAX, RateLimit, TrustedProxies};
use crate::oauth::OauthConfig;

/// Largest body by default: the most members that one request may name, in the widest form, and room.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Memory that bodies above 64 kB may take together by default: eight of the largest kind. Their parsed form
/// takes a few times as much.
pub const BODY_BYTES_TOGETHER_MAX: usize = 64 * 1024 * 1024;
/// Time for a whole request by default; IdPs give up later, so they see our answer and not their own
/// time-out.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for a body to arrive by default.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(20);
/// Requests that are worked on at once by default; more are asked to come back. Each may hold 64 kB of body
/// beside the shared budget.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 1024;

/// Settings of the door.
#[derive(Debug, Clone)]
pub struct DoorConfig {
    /// Where clients find this server, without a slash at the end (`https://rollcall.example`): the beginning
    /// of every `Location` and `meta.location`.
    pub public_url: String,
    /// See [`BODY_BYTES_MAX`].
    pub body_bytes_max: usize,
    /// See [`BODY_BYTES_TOGETHER_MAX`].
    pub body_bytes_together_max: usize,
    /// See [`REQUEST_TIMEOUT`].
    pub request_timeout: Duration,
    /// See [`BODY_TIMEOUT`].
    pub body_timeout: Duration,
    /// See [`REQUESTS_IN_FLIGHT_MAX`].
    pub requests_in_flight_max: usize,
    /// See [`AUTH_FAILURES_MAX`].
    pub auth_failures_max: u32,
    /// Proxies whose word on the client's address is taken; none by default.
    pub trusted_proxies: TrustedProxies,
    /// The rate of each tenant; one that is not named has none.
    pub rate_limits: BTreeMap<TenantId, RateLimit>,
    /// OAuth clients of the connections; none by default.
    pub oauth: OauthConfig,
}

impl DoorConfig {
    /// The defaults, for this public URL.
    #[must_use]
    pub fn new(public_url: impl Into<String>) -> Self {
        let url: String = public_url.into();
        Self {
            public_url: url.trim_end_matches('/').to_owned(),
            body_bytes_max: BODY_BYTES_MAX,
            body_bytes_together_max: BODY_BYTES_TOGETHER_MAX,
            request_timeout: REQUEST_TIMEOUT,
            body_timeout: BODY_TIMEOUT,
            requests_in_flight_max: REQUESTS_IN_FLIGHT_MAX,
            auth_failures_max: AUTH_FAILURES_MAX,
            trusted_proxies: TrustedProxies::default(),
            rate_limits: BTreeMap::new(),
            oauth: OauthConfig::default(),
        }
    }

    /// Where the SCIM service is found.
    pub(crate) fn base(&self) -> String {
        format!("{}{SCIM_ROOT}", self.public_url)
    }
}

/// Path of the SCIM service.
pub const SCIM_ROOT: &str = "/scim/v2";
