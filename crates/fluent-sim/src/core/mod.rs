//! The simulator without its sockets: one request in, one reaction out.

mod run;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use tokio::sync::watch;

use crate::clock::SimClock;
use crate::faults::{Faults, RateAnswer, TOKEN_OPERATION, Verdict};
use crate::graphql::{Document, GraphError, Plan, Schema, compile, parse_document};
use crate::journal::{Journal, JournalResult};
use crate::oauth::{Logins, Refusal, TokenRequest};
use crate::state::State;

/// Query complexity above which Fluent refuses (`C0001E`).
pub const MAX_COMPLEXITY: u64 = 11_111;

/// Parsed documents kept, and the length up to which one is worth keeping. Clients send few different ones.
const PARSED_LIMIT: usize = 256;
const PARSED_MAX_BYTES: usize = 16 * 1024;

/// Late landings waiting at one time.
const MAX_LATE: usize = 100_000;

/// Counts since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Requests to `/graphql`, those that a fault ate included.
    pub graphql_requests: u64,
    /// Requests to `/oauth/token`.
    pub token_requests: u64,
    /// Logins granted.
    pub logins: u64,
    /// Logins refused.
    pub refused_logins: u64,
    /// GraphQL requests answered with 401.
    pub unauthorized: u64,
    /// Connections cut on purpose.
    pub cut: u64,
    /// Mutations applied.
    pub applied: u64,
}

/// What happens on the wire.
#[derive(Debug)]
pub(crate) struct Reaction {
    pub(crate) delay: Duration,
    pub(crate) answer: Answer,
}

#[derive(Debug)]
pub(crate) enum Answer {
    Cut,
    Json {
        status: u16,
        retry_after: Option<u64>,
        body: Bytes,
    },
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Json) -> Self {
        Self::Json {
            status,
            retry_after: None,
            body: Bytes::from(body.to_string()),
        }
    }
}

/// A GraphQL request body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GraphRequest {
    query: String,
    #[serde(default)]
    variables: Option<Map<String, Json>>,
    #[serde(default)]
    operation_name: Option<String>,
}

#[derive(Debug)]
struct Late {
    plan: Arc<Plan>,
    codes: Vec<(String, String)>,
    seqs: Vec<u64>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) state: State,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    pub(crate) logins: Logins,
    pub(crate) stats: Stats,
    /// Permissions taken from the API user.
    pub(crate) denied: BTreeSet<String>,
    late: BTreeMap<(Duration, u64), Late>,
    requests: u64,
}

/// The whole simulator behind one lock.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) clock: SimClock,
    schema: Schema,
    schema_without_removal: Schema,
    parsed: Mutex<HashMap<String, Arc<Document>>>,
    inner: Mutex<Inner>,
    /// Moves with every journal entry and every landing.
    pub(crate) revision: watch::Sender<u64>,
}

impl Core {
    pub(crate) fn new(
        clock: SimClock,
        schema: Schema,
        state: State,
        logins: Logins,
        random_seed: u64,
        journal_limit: usize,
    ) -> Self {
        let inner = Inner {
            state,
            faults: Faults::new(random_seed),
            journal: Journal::new(journal_limit),
            logins,
            stats: Stats::default(),
            denied: BTreeSet::new(),
            late: BTreeMap::new(),
            requests: 0,
        };
        let schema_without_removal = schema.without("Mutation", "removeUserRolesFromUser");
        Self {
            clock,
            schema,
            schema_without_removal,
            parsed: Mutex::new(HashMap::new()),
            inner: Mutex::new(inner),
            revision: watch::Sender::new(0),
        }
    }

    /// Works on the content with everything that is due already landed.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Inner, Duration, i64) -> R) -> R {
        let now = self.clock.elapsed();
        let unix = self.clock.unix_ms(now);
        let mut inner = self.inner.lock();
        self.land(&mut inner, now);
        let result = work(&mut inner, now, unix);
        self.announce(&inner);
        result
    }

    fn announce(&self, inner: &Inner) {
        let revision = inner.journal.next_seq() + inner.stats.applied;
        self.revision
            .send_if_modified(|seen| std::mem::replace(seen, revision) != revision);
    }

    /// Makes the late changes that are due by `until`.
    fn land(&self, inner: &mut Inner, until: Duration) {
        while inner
            .late
            .first_key_value()
            .is_some_and(|((due, _), _)| *due <= until)
        {
            let Some(((due, _), late)) = inner.late.pop_first() else {
                return;
            };
            let unix = self.clock.unix_ms(due);
            inner.run(&self.schema, &late.plan, &late.codes, &late.seqs, unix);
        }
    }

    /// Makes every late change now, due or not; how many requests that were.
    pub(crate) fn land_all(&self) -> usize {
        self.with(|inner, now, _| {
            let count = inner.late.len();
            for (_, late) in std::mem::take(&mut inner.late) {
                let unix = self.clock.unix_ms(now);
                inner.run(&self.schema, &late.plan, &late.codes, &late.seqs, unix);
            }
            count
        })
    }

    /// How many requests have yet to land.
    pub(crate) fn pending(&self) -> usize {
        self.with(|inner, _, _| inner.late.len())
    }

    /// `POST /oauth/token`.
    pub(crate) fn token(&self, request: &TokenRequest) -> Reaction {
        self.with(|inner, now, _| {
            inner.stats.token_requests += 1;
            let verdict = inner.faults.judge(&[TOKEN_OPERATION], now);
            let delay = verdict.delay;
            if let Some(answer) = before(&verdict, &mut inner.stats) {
                return Reaction { delay, answer };
            }
            let bits = inner.faults.bits();
            let ends = inner.state.behavior.inactive_ends_sessions;
            let user = inner.state.user_by_name(&inner.logins.credentials.username);
            let allowed = !ends || user.is_some_and(|user| user.status != "INACTIVE");
            let result = match verdict.refuse_login {
                true => Err(Refusal::Login),
                false => inner.logins.request(request, allowed, now, bits),
            };
            let answer = match result {
                Ok(mut body) => {
                    inner.stats.logins += 1;
                    if let (Some(fields), Some(user)) = (body.as_object_mut(), user) {
                        fields.insert("User_id".into(), json!(user.id));
                    }
                    Answer::json(200, &body)
                }
                Err(refusal) => {
                    inner.stats.refused_logins += 1;
                    let (status, body) = refusal.answer();
                    Answer::json(status, &body)
                }
            };
            if verdict.lose_response || verdict.land_late.is_some() {
                inner.stats.cut += 1;
                return Reaction {
                    delay,
                    answer: Answer::Cut,
                };
            }
            Reaction { delay, answer }
        })
    }

    /// `POST /graphql` with a body that was read in full.
    pub(crate) fn graphql(&self, bearer: Option<&str>, body: &[u8]) -> Reaction {
        let request = match serde_json::from_slice::<GraphRequest>(body) {
            Ok(request) => request,
            Err(_) => {
                let error = json!({ "errors": [{ "message": "The request body cannot be read" }] });
                return Reaction {
                    delay: Duration::ZERO,
                    answer: Answer::json(400, &error),
                };
            }
        };
        let removal = self.with(|inner, _, _| inner.state.behavior.removal_exists);
        let schema = if removal {
            &self.schema
        } else {
            &self.schema_without_removal
        };
        let plan = self.plan(schema, &request);
        self.with(|inner, now, unix| self.react(inner, schema, bearer, plan, now, unix))
    }

    fn plan(&self, schema: &Schema, request: &GraphRequest) -> Result<Arc<Plan>, GraphError> {
        let document = self.parse(&request.query)?;
        let empty = Map::new();
        let variables = request.variables.as_ref().unwrap_or(&empty);
        let plan = compile(schema, &document, request.operation_name.as_deref(), variables)?;
        if plan.complexity > MAX_COMPLEXITY {
            let message = format!("Query complexity {} is above {MAX_COMPLEXITY}", plan.complexity);
            return Err(GraphError::coded("C0001E", message));
        }
        Ok(Arc::new(plan))
    }

    fn parse(&self, query: &str) -> Result<Arc<Document>, GraphError> {
        if let Some(document) = self.parsed.lock().get(query) {
            return Ok(Arc::clone(document));
        }
        let document = Arc::new(parse_document(query)?);
        if query.len() <= PARSED_MAX_BYTES {
            let mut parsed = self.parsed.lock();
            if parsed.len() >= PARSED_LIMIT {
                parsed.clear();
            }
            parsed.insert(query.to_owned(), Arc::clone(&document));
        }
        Ok(document)
    }

    fn react(
        &self,
        inner: &mut Inner,
        schema: &Schema,
        bearer: Option<&str>,
        plan: Result<Arc<Plan>, GraphError>,
        now: Duration,
        unix: i64,
    ) -> Reaction {
        inner.stats.graphql_requests += 1;
        inner.requests += 1;
        let operations: Vec<&str> = plan
            .iter()
            .flat_map(|plan| &plan.fields)
            .map(|field| field.name.as_str())
            .collect();
        let verdict = inner.faults.judge(&operations, now);
        let delay = verdict.delay;
        if let Some(answer) = before(&verdict, &mut inner.stats) {
            if let Ok(plan) = &plan {
                let outcome = match &answer {
                    Answer::Cut => "cut".to_owned(),
                    Answer::Json { status, .. } => status.to_string(),
                };
                let answered = !matches!(answer, Answer::Cut);
                inner.record(plan, unix, &JournalResult::NotRun(outcome), answered);
            }
            return Reaction { delay, answer };
        }
        if !inner.authorized(bearer, now) {
            inner.stats.unauthorized += 1;
            let message = "The Authorization header does not belong to a valid user";
            let body = json!({ "errors": [{ "code": "401", "message": message }] });
            return Reaction {
                delay,
                answer: Answer::json(401, &body),
            };
        }
        let status = inner.state.behavior.error_status;
        let plan = match plan.and_then(|plan| inner.permit(&plan).map(|()| plan)) {
            Ok(plan) => plan,
            Err(error) => {
                let body = json!({ "data": null, "errors": [error.to_json()] });
                return Reaction {
                    delay,
                    answer: Answer::json(status, &body),
                };
            }
        };
        let lost = verdict.lose_response || verdict.land_late.is_some();
        let seqs = inner.record(&plan, unix, &JournalResult::Pending, !lost);
        if let Some(after) = verdict.land_late.filter(|_| inner.late.len() < MAX_LATE) {
            let key = (now.saturating_add(after), inner.requests);
            inner.late.insert(
                key,
                Late {
                    plan,
                    codes: verdict.codes,
                    seqs,
                },
            );
            inner.stats.cut += 1;
            return Reaction {
                delay,
                answer: Answer::Cut,
            };
        }
        let (body, failed) = inner.run(schema, &plan, &verdict.codes, &seqs, unix);
        if lost {
            inner.stats.cut += 1;
            return Reaction {
                delay,
                answer: Answer::Cut,
            };
        }
        let status = if failed { status } else { 200 };
        Reaction {
            delay,
            answer: Answer::Json {
                status,
                retry_after: None,
                body: Bytes::from(body),
            },
        }
    }
}

/// The faults that answer before anything is looked at.
fn before(verdict: &Verdict, stats: &mut Stats) -> Option<Answer> {
    if verdict.cut {
        stats.cut += 1;
        return Some(Answer::Cut);
    }
    if let Some((status, retry_after)) = verdict.status {
        let body = Bytes::from_static(b"{\"message\":\"simulated failure\"}");
        return Some(Answer::Json {
            status,
            retry_after,
            body,
        });
    }
    match verdict.rate_limited.as_ref()? {
        RateAnswer::Code => {
            let error = GraphError::coded("C0011E", "Rate limit exceeded");
            Some(Answer::json(
                200,
                &json!({ "data": null, "errors": [error.to_json()] }),
            ))
        }
        RateAnswer::Http { retry_after } => {
            let body = Bytes::from_static(b"{\"message\":\"Too many requests\"}");
            Some(Answer::Json {
                status: 429,
                retry_after: *retry_after,
                body,
            })
        }
    }
}
