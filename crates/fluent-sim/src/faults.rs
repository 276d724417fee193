//! Faults: how the simulator misbehaves on request. The random ones follow a seed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The name by which a fault can be limited to the token endpoint.
pub const TOKEN_OPERATION: &str = "token";

/// Faults that can be set at one time.
pub(crate) const MAX_FAULTS: usize = 64;

/// Names a fault until it is cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(pub u64);

/// A way of misbehaving, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Only for requests that hold one of these root fields (`createUser`, `users`, …) or `token`. Empty:
    /// all.
    #[serde(default)]
    pub only: Vec<String>,
    /// How many requests it hits before it clears itself. `None`: until cleared.
    #[serde(default)]
    pub times: Option<u64>,
    /// The share of matching requests it hits, 0 to 1, drawn from the seed.
    #[serde(default = "always")]
    pub ratio: f64,
}

fn always() -> f64 {
    1.0
}

impl Fault {
    /// A fault that hits every request until cleared.
    #[must_use]
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            only: Vec::new(),
            times: None,
            ratio: 1.0,
        }
    }

    /// Limits it to requests with this root field (or [`TOKEN_OPERATION`]). May be repeated.
    #[must_use]
    pub fn only(mut self, operation: &str) -> Self {
        self.only.push(operation.to_owned());
        self
    }

    /// Limits it to the next `times` matching requests.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Limits it to a share of the matching requests, 0 to 1.
    #[must_use]
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }

    fn matches(&self, operations: &[&str]) -> bool {
        self.only.is_empty()
            || operations
                .iter()
                .any(|op| self.only.iter().any(|only| only == op))
    }
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum FaultKind {
    /// Answers come later, by `fixed_ms` and up to `jitter_ms` more. Always in real time.
    Latency {
        /// Milliseconds added to every answer.
        fixed_ms: u64,
        /// At most this many more, drawn from the seed.
        #[serde(default)]
        jitter_ms: u64,
    },
    /// This HTTP status instead of an answer; nothing is applied.
    Status {
        /// 400 to 599.
        status: u16,
        /// Seconds for a `Retry-After` header.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// The matching root fields fail with this code, the others of the request go through.
    Code {
        /// For instance `C0020E` or `S0002E`.
        code: String,
    },
    /// At most this many requests a second (simulator time), with a burst of as many.
    RateLimit {
        /// Requests a second.
        per_second: f64,
        /// How a request above the limit is answered.
        #[serde(default)]
        answer: RateAnswer,
    },
    /// The change is made, then the connection is cut without an answer.
    LoseResponse,
    /// The connection is cut and nothing is done.
    Cut,
    /// The connection is cut at once and the change is made later (simulator time).
    LandLate {
        /// Milliseconds until the change is made.
        after_ms: u64,
    },
    /// Every login is answered with 400 `invalid_grant`.
    RefuseLogins,
}

/// The answer to a request above the rate limit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum RateAnswer {
    /// HTTP 200 with `C0011E`.
    #[default]
    Code,
    /// HTTP 429.
    Http {
        /// Seconds for a `Retry-After` header.
        retry_after: Option<u64>,
    },
}

/// How the simulator is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Down {
    /// Nobody listens: connections are refused.
    Refuse,
    /// Connections are accepted and cut.
    Cut,
}

/// What the faults make of one request.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) delay: Duration,
    pub(crate) rate_limited: Option<RateAnswer>,
    pub(crate) status: Option<(u16, Option<u64>)>,
    pub(crate) cut: bool,
    pub(crate) refuse_login: bool,
    pub(crate) lose_response: bool,
    pub(crate) land_late: Option<Duration>,
    /// Root field name and the code it fails with; an empty name is every field.
    pub(crate) codes: Vec<(String, String)>,
}

#[derive(Debug)]
struct Armed {
    id: FaultId,
    fault: Fault,
    /// Tokens in the bucket and when it was last filled; rate limits only.
    bucket: (f64, Duration),
}

#[derive(Debug)]
pub(crate) struct Faults {
    armed: Vec<Armed>,
    next: u64,
    random: SplitMix,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            armed: Vec::new(),
            next: 1,
            random: SplitMix(seed),
        }
    }

    /// Sets a fault; `None` when [`MAX_FAULTS`] are set.
    pub(crate) fn inject(&mut self, fault: Fault, now: Duration) -> Option<FaultId> {
        if self.armed.len() >= MAX_FAULTS {
            return None;
        }
        let id = FaultId(self.next);
        self.next += 1;
        let burst = match fault.kind {
            FaultKind::RateLimit { per_second, .. } => per_second.max(1.0),
            _ => 0.0,
        };
        self.armed.push(Armed {
            id,
            fault,
            bucket: (burst, now),
        });
        Some(id)
    }

    pub(crate) fn clear(&mut self, id: FaultId) -> bool {
        let before = self.armed.len();
        self.armed.retain(|armed| armed.id != id);
        self.armed.len() < before
    }

    pub(crate) fn clear_all(&mut self) {
        self.armed.clear();
    }

    pub(crate) fn list(&self) -> Vec<(FaultId, Fault)> {
        self.armed
            .iter()
            .map(|armed| (armed.id, armed.fault.clone()))
            .collect()
    }

    /// What happens to a request with these root fields (or `token`) at this time.
    pub(crate) fn judge(&mut self, operations: &[&str], now: Duration) -> Verdict {
        let mut verdict = Verdict::default();
        let random = &mut self.random;
        for armed in &mut self.armed {
            let fault = &armed.fault;
            if !fault.matches(operations) || (fault.ratio < 1.0 && random.unit() >= fault.ratio) {
                continue;
            }
            if !apply(armed, &mut verdict, operations, now, random) {
                continue;
            }
            if let Some(times) = &mut armed.fault.times {
                *times = times.saturating_sub(1);
            }
        }
        self.armed.retain(|armed| armed.fault.times != Some(0));
        verdict
    }

    /// 64 random bits from the seed.
    pub(crate) fn bits(&mut self) -> u64 {
        self.random.next()
    }
}

/// Puts one fault into the verdict; false when it had no effect (a rate limit that was kept).
fn apply(
    armed: &mut Armed,
    verdict: &mut Verdict,
    operations: &[&str],
    now: Duration,
    random: &mut SplitMix,
) -> bool {
    match &armed.fault.kind {
        FaultKind::Latency { fixed_ms, jitter_ms } => {
            let jitter = random.next() % jitter_ms.saturating_add(1);
            verdict.delay += Duration::from_millis(fixed_ms.saturating_add(jitter));
        }
        FaultKind::Status { status, retry_after } => verdict.status = Some((*status, *retry_after)),
        FaultKind::Code { code } => {
            if armed.fault.only.is_empty() {
                verdict.codes.push((String::new(), code.clone()));
            }
            let hit = operations
                .iter()
                .filter(|op| armed.fault.only.iter().any(|only| only == *op));
            verdict
                .codes
                .extend(hit.map(|op| ((*op).to_owned(), code.clone())));
        }
        FaultKind::RateLimit { per_second, answer } => {
            let (tokens, filled) = armed.bucket;
            let gained = now.saturating_sub(filled).as_secs_f64() * per_second;
            let tokens = (tokens + gained).min(per_second.max(1.0));
            if tokens >= 1.0 {
                armed.bucket = (tokens - 1.0, now);
                return false;
            }
            armed.bucket = (tokens, now);
            verdict.rate_limited = Some(answer.clone());
        }
        FaultKind::LoseResponse => verdict.lose_response = true,
        FaultKind::Cut => verdict.cut = true,
        FaultKind::LandLate { after_ms } => verdict.land_late = Some(Duration::from_millis(*after_ms)),
        FaultKind::RefuseLogins => verdict.refuse_login = true,
    }
    true
}

/// SplitMix64: small, seeded, good enough for jitter and ratios.
#[derive(Debug)]
pub(crate) struct SplitMix(u64);

impl SplitMix {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in 0..1.
    fn unit(&mut self) -> f64 {
        let bits = u32::try_from(self.next() >> 32).unwrap_or(u32::MAX);
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }
}
