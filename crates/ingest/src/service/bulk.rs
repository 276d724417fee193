//! `/Bulk` (RFC 7644 section 3.7): every operation is carried out as the single request that it stands for, by the same
//! code, one after the other.

use std::collections::HashMap;
use std::time::Duration;

use http::header::IF_MATCH;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use rollcall_scim::bulk::{
    BulkId, BulkMethod, BulkOperation, BulkRequest, BulkResult, BulkStep, ReadOperation, bulk_response,
};
use serde_json::Value;
use tokio::time::Instant;

use super::{Call, Service};
use crate::http::answer::Answer;
use crate::http::failure::{Failure, RETRY_AFTER_SECONDS};
use crate::http::route::{Endpoint, endpoint};
use crate::limit::{TenantGate, takes_away};

/// How long operations of one request are begun: what is left is answered with 503 each, so that the client learns
/// what was done before its own time-out and the door's.
const BULK_TIME_MAX: Duration = Duration::from_secs(20);
/// How often an operation asks whether it is its turn, when the tenant is at its rate.
const TURN: Duration = Duration::from_millis(20);

/// What is known of the operations while they are carried out.
struct Run<'a> {
    operations: &'a [ReadOperation],
    /// What the names of the request stand for by now.
    ids: HashMap<String, BulkId>,
    /// What was taken out of a new resource, to be put in when the circle is closed.
    rest: HashMap<usize, Value>,
    results: Vec<Option<BulkResult>>,
    errors: usize,
}

impl Service {
    pub(super) async fn bulk(&self, call: Call<'_>) -> Result<Answer, Failure> {
        let request = BulkRequest::parse(call.seat.connection.dialect, call.body)?;
        self.note(&[], request.tolerated);
        let mut pace = Pace::new(&call.seat.gate, call.ticks);
        let mut run = Run {
            operations: &request.operations,
            ids: HashMap::new(),
            rest: HashMap::new(),
            results: vec![None; request.operations.len()],
            errors: 0,
        };
        for step in request.steps() {
            tokio::task::yield_now().await; // an operation that changes nothing waits for nothing
            match step {
                BulkStep::Carry { operation, without } => {
                    let outcome = self.carry(call, &mut run, &mut pace, (operation, &without)).await;
                    run.settle(&self.links.base, operation, outcome);
                }
                BulkStep::Complete { operation } => self.complete(call, &mut run, operation).await,
            }
            if request.fail_on_errors.is_some_and(|max| run.errors >= max) {
                break;
            }
        }
        let results: Vec<BulkResult> = run.results.into_iter().flatten().collect();
        let json = bulk_response(&results);
        Ok(Answer::json(serde_json::to_vec(&json).unwrap_or_default()))
    }

    async fn carry(
        &self,
        call: Call<'_>,
        run: &mut Run<'_>,
        pace: &mut Pace<'_>,
        (number, without): (usize, &[String]),
    ) -> Result<Answer, Failure> {
        let mut operation = run.operation(number)?.clone();
        if !without.is_empty() {
            let dialect = call.seat.connection.dialect;
            run.rest.insert(number, operation.take_out(dialect, without)?);
        }
        let operation = operation.resolved(&run.ids)?;
        let request = Single::new(&self.links.base, &operation)?;
        pace.wait(&request.method, &request.body).await?;
        self.single(call, request).await
    }

    /// Puts in what a new resource had to do without; when that fails, so did its operation.
    async fn complete(&self, call: Call<'_>, run: &mut Run<'_>, number: usize) {
        let Some(rest) = run.rest.remove(&number) else {
            return;
        };
        let Some(location) = run.location(number) else {
            return; // it was not created
        };
        let patch = BulkOperation {
            method: BulkMethod::Patch,
            bulk_id: None,
            path: location,
            version: None,
            data: Some(rest),
        };
        let patch = patch.resolved(&run.ids).map_err(Failure::from);
        let request = patch.and_then(|patch| Single::new(&self.links.base, &patch));
        let outcome = match request {
            Ok(request) => self.single(call, request).await,
            Err(failure) => Err(failure),
        };
        run.amend(number, outcome);
    }

    async fn single(&self, call: Call<'_>, request: Single) -> Result<Answer, Failure> {
        let single = Call {
            seat: call.seat,
            method: &request.method,
            query: "",
            headers: &request.headers,
            body: &request.body,
            ticks: call.ticks,
        };
        // Boxed: an operation is a request, and a request may be a bulk request.
        Box::pin(self.answer(&request.endpoint, single)).await
    }
}

/// One operation as the request that it is.
struct Single {
    endpoint: Endpoint,
    method: Method,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Single {
    fn new(base: &str, operation: &BulkOperation) -> Result<Self, Failure> {
        let path = operation.path.trim();
        let path = path.strip_prefix(base).unwrap_or(path);
        let path = path.split('?').next().unwrap_or_default();
        let endpoint = endpoint(path).filter(is_for_resources);
        let endpoint =
            endpoint.ok_or_else(|| Failure::not_found("there is nothing to change at this path"))?;
        let method = Method::from_bytes(operation.method.as_str().as_bytes());
        let method = method.map_err(|_| Failure::internal())?;
        if !endpoint.allows(&method) {
            return Err(Failure::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "the endpoint does not take this method",
            ));
        }
        let mut headers = HeaderMap::new();
        if let Some(version) = &operation.version {
            let value = HeaderValue::from_str(version);
            let value = value.map_err(|_| Failure::bad("invalidValue", "version is no entity tag"))?;
            headers.insert(IF_MATCH, value);
        }
        let data = operation.data.as_ref();
        Ok(Self {
            endpoint,
            method,
            headers,
            body: data
                .map(|data| serde_json::to_vec(data).unwrap_or_default())
                .unwrap_or_default(),
        })
    }
}

/// The speed of a bulk request: its operations count against the tenant's rate as the requests that they are, but wait
/// for their turn instead of being refused, as long as there is time.
struct Pace<'a> {
    gate: &'a TenantGate,
    /// On the clock of the tenant's rate, when the request came.
    ticks: u64,
    since: Instant,
    /// The request itself has paid for the first one.
    paid: bool,
}

impl<'a> Pace<'a> {
    fn new(gate: &'a TenantGate, ticks: u64) -> Self {
        Self {
            gate,
            ticks,
            since: Instant::now(),
            paid: true,
        }
    }

    /// # Errors
    /// 503 when the time is up, 429 when it is up for want of speed: the operation was not begun.
    async fn wait(&mut self, method: &Method, body: &[u8]) -> Result<(), Failure> {
        let mut refused = None;
        let mut ends = None; // its body is read once, however often it asks
        loop {
            let passed = self.since.elapsed();
            if passed >= BULK_TIME_MAX {
                return Err(match refused {
                    Some(seconds) => Failure::too_fast(seconds),
                    None => Failure::busy("not carried out; send it again", RETRY_AFTER_SECONDS),
                });
            }
            if std::mem::take(&mut self.paid) {
                return Ok(());
            }
            let passed = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
            let ends = || *ends.get_or_insert_with(|| takes_away(method, body));
            match self.gate.pass_operation(ends, self.ticks.saturating_add(passed)) {
                Ok(()) => return Ok(()),
                Err(seconds) => refused = Some(seconds),
            }
            tokio::time::sleep(TURN).await;
        }
    }
}

fn is_for_resources(endpoint: &Endpoint) -> bool {
    matches!(
        endpoint,
        Endpoint::Users | Endpoint::Groups | Endpoint::User(_) | Endpoint::Group(_)
    )
}

impl Run<'_> {
    fn operation(&self, number: usize) -> Result<&BulkOperation, Failure> {
        match self.operations.get(number) {
            Some(Ok(operation)) => Ok(operation),
            Some(Err(error)) => Err(error.clone().into()),
            None => Err(Failure::internal()),
        }
    }

    fn location(&self, number: usize) -> Option<String> {
        let result = self.results.get(number)?.as_ref()?;
        result.location.clone().filter(|_| result.response.is_none())
    }

    fn settle(&mut self, base: &str, number: usize, outcome: Result<Answer, Failure>) {
        let operation = self
            .operations
            .get(number)
            .and_then(|operation| operation.as_ref().ok());
        let creates = operation.is_some_and(|operation| operation.method == BulkMethod::Post);
        let mut result = BulkResult {
            method: operation.map(|operation| operation.method),
            bulk_id: operation.and_then(|operation| operation.bulk_id.clone()),
            // Of a resource that is there already, whatever becomes of the operation.
            location: operation
                .filter(|_| !creates)
                .and_then(|operation| operation.resolved(&self.ids).ok())
                .map(|operation| absolute(base, &operation.path)),
            version: None,
            status: 0,
            response: None,
        };
        match outcome {
            Ok(answer) => {
                result.status = answer.status.as_u16();
                result.version = answer.etag;
                result.location = answer.location.or(result.location);
            }
            Err(failure) => self.failed(&mut result, &failure),
        }
        if creates && let Some(name) = &result.bulk_id {
            let id = result
                .location
                .as_deref()
                .and_then(|location| location.rsplit('/').next());
            let id = id.map_or(BulkId::Failed, |id| BulkId::Created(id.to_owned()));
            self.ids.insert(name.clone(), id);
        }
        if let Some(place) = self.results.get_mut(number) {
            *place = Some(result);
        }
    }

    fn amend(&mut self, number: usize, outcome: Result<Answer, Failure>) {
        let Some(mut result) = self.results.get_mut(number).and_then(Option::take) else {
            return;
        };
        match outcome {
            Ok(answer) => result.version = answer.etag.or(result.version),
            Err(failure) => self.failed(&mut result, &failure),
        }
        if let Some(place) = self.results.get_mut(number) {
            *place = Some(result);
        }
    }

    fn failed(&mut self, result: &mut BulkResult, failure: &Failure) {
        self.errors += 1;
        result.status = failure.status.as_u16();
        result.response = serde_json::from_slice(&failure.body()).ok();
    }
}

fn absolute(base: &str, path: &str) -> String {
    match path.trim() {
        whole if whole.starts_with(base) => whole.to_owned(),
        path => format!("{base}/{}", path.trim_start_matches('/')),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::limit::RateLimit;
    use rollcall_domain::TenantId;

    fn gate(per_second: u32, burst: u32) -> TenantGate {
        let limit = RateLimit { per_second, burst };
        TenantGate::new(TenantId::new("acme").unwrap(), Some(limit))
    }

    #[tokio::test]
    async fn operations_wait_for_the_tenants_rate_and_are_given_up_when_the_time_is_up() {
        let gate = gate(1_000, 4);
        while gate.pass_operation(|| false, 0).is_ok() {}
        let mut pace = Pace::new(&gate, 0);
        for _ in 0..5 {
            pace.wait(&Method::POST, b"").await.unwrap();
        }
        let mut late = Pace {
            since: Instant::now().checked_sub(BULK_TIME_MAX).unwrap(),
            ..Pace::new(&gate, 0)
        };
        let refused = late.wait(&Method::POST, b"").await.unwrap_err();
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn an_operation_that_takes_access_away_has_what_is_kept_for_such() {
        let gate = gate(1, 8);
        while gate.pass_operation(|| false, 0).is_ok() {}
        assert!(
            gate.pass_operation(|| takes_away(&Method::DELETE, b""), 0)
                .is_ok()
        );
    }
}
