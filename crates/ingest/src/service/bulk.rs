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

/// How long operations of one request are begun: what is left is answered with 503 each, so that the client learns
/// what was done before its own time-out and the door's.
const BULK_TIME_MAX: Duration = Duration::from_secs(20);

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
        let until = Instant::now() + BULK_TIME_MAX;
        let mut run = Run {
            operations: &request.operations,
            ids: HashMap::new(),
            rest: HashMap::new(),
            results: vec![None; request.operations.len()],
            errors: 0,
        };
        for step in request.steps() {
            match step {
                BulkStep::Carry { operation, without } => {
                    let outcome = if Instant::now() < until {
                        self.carry(call, &mut run, operation, &without).await
                    } else {
                        Err(Failure::busy(
                            "not carried out; send it again",
                            RETRY_AFTER_SECONDS,
                        ))
                    };
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
        number: usize,
        without: &[String],
    ) -> Result<Answer, Failure> {
        let mut operation = run.operation(number)?.clone();
        if !without.is_empty() {
            run.rest.insert(number, operation.take_out(without)?);
        }
        self.single(call, &operation.resolved(&run.ids)?).await
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
        let outcome = match patch.resolved(&run.ids) {
            Ok(patch) => self.single(call, &patch).await,
            Err(error) => Err(error.into()),
        };
        run.amend(number, outcome);
    }

    /// One operation as the request that it is.
    async fn single(&self, call: Call<'_>, operation: &BulkOperation) -> Result<Answer, Failure> {
        let path = operation.path.trim();
        let path = path.strip_prefix(self.links.base.as_str()).unwrap_or(path);
        let path = path.split('?').next().unwrap_or_default();
        let found = endpoint(path).filter(is_for_resources);
        let found = found.ok_or_else(|| Failure::not_found("there is nothing to change at this path"))?;
        let method = Method::from_bytes(operation.method.as_str().as_bytes());
        let method = method.map_err(|_| Failure::internal())?;
        if !found.allows(&method) {
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
        let body = match &operation.data {
            Some(data) => serde_json::to_vec(data).unwrap_or_default(),
            None => Vec::new(),
        };
        let single = Call {
            seat: call.seat,
            method: &method,
            query: "",
            headers: &headers,
            body: &body,
        };
        // Boxed: an operation is a request, and a request may be a bulk request.
        Box::pin(self.answer(&found, single)).await
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
